"""Views of the memory: retrieved features by speaker, without and with style, and each slot as a face.

N clips, c feature width, n slots, V vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from memorytalker.evaluation import metrics
from memorytalker.experiments.predict import encode, encode_styles, outputs
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion_space import MotionSpace
from memorytalker.models.talker import MemoryTalker
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames
from memorytalker.training.data import AnyClip

SEED = 0


@dataclass(frozen=True)
class FeatureMap:
    """The retrieved features of clips in two dimensions, and how well they separate speakers.

    neighbour, chance: `metrics.nearest_is_same` and its chance level, in all c dimensions. silhouette: in [-1, 1], by
    speaker, in all c dimensions.
    """

    pca: np.ndarray  # (N, 2)
    tsne: np.ndarray  # (N, 2)
    neighbour: float
    chance: float
    silhouette: float


def retrieved_features(model: MemoryTalker, clips: Sequence[AnyClip], styled: bool) -> np.ndarray:
    """Compute the mean of f_key over the frames of each clip, (N, c), in its own or the neutral style. Eq. 6, 12"""
    styles = encode_styles(model, clips) if styled else None
    features = np.empty((len(clips), model.config.width), np.float32)
    for index, output, row, frames in outputs(model, encode(model, clips), styles):
        features[index] = output.retrieved_feature[row, :frames].mean(0).cpu().numpy()
    return features


def feature_map(features: np.ndarray, speakers: Sequence[str]) -> FeatureMap:
    """Project features (N, c), standardised by column, and measure how well they separate speakers.

    Args:
        features: (N, c), one row per clip.
        speakers: N names.

    Returns:
        The projections and measures.

    Raises:
        ValueError: for fewer than three clips.
    """
    if len(features) < 3:
        raise ValueError("A map of features needs at least three clips.")
    scaled = StandardScaler().fit_transform(features)
    perplexity = min(30.0, (len(scaled) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=SEED).fit_transform(scaled)
    names = np.array(speakers)
    several = 1 < len(set(speakers)) < len(names)
    return FeatureMap(
        pca=PCA(2, random_state=SEED).fit_transform(scaled),
        tsne=tsne,
        neighbour=metrics.nearest_is_same(features.astype(np.float64), names),
        chance=metrics.chance_of_same(names),
        silhouette=float(silhouette_score(scaled, names)) if several else float("nan"),
    )


@torch.no_grad()
def slot_faces(model: MemoryTalker, space: MotionSpace, head: HeadMesh, size: int = 176) -> list[np.ndarray]:
    """Render the lower face (H, W, 3) for each slot of a model that predicts motion of the head in `space`."""
    held = torch.stack([model.slot_coordinates(slot) for slot in range(model.config.slot_count)])
    offsets = space.offsets(held.cpu().numpy())
    options = RenderOptions(width=2 * size, height=2 * size)
    top, left, side = round(0.52 * 2 * size), round(0.29 * 2 * size), round(0.42 * 2 * size)
    frames = render_frames(head, head.template + offsets, options)
    return [frame[top : top + side, left : left + side] for frame in frames]

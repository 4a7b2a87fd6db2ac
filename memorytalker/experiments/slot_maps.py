"""What the memory holds and what style does to it: retrieved features by speaker, and each slot as a face.

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

from memorytalker.experiments.predict import encode, outputs, styles_heard
from memorytalker.face.head import HeadMesh
from memorytalker.models.talker import MemoryTalker
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames
from memorytalker.training.data import AnyClip

SEED = 0


@dataclass(frozen=True)
class FeatureMap:
    """The retrieved features of clips in two dimensions, and how far they tell speakers apart.

    neighbour: share of clips whose nearest other clip, in all dimensions, is of the same speaker; chance: what this
    share would be for clips without order. silhouette in [-1, 1] by speaker, in all dimensions.
    """

    pca: np.ndarray  # (N, 2)
    tsne: np.ndarray  # (N, 2)
    neighbour: float
    chance: float
    silhouette: float


def retrieved_features(model: MemoryTalker, clips: Sequence[AnyClip], styled: bool) -> np.ndarray:
    """(N, c) mean of f_key over the frames of each clip, in its own style or in none. Eq. 6, 12"""
    styles = styles_heard(model, clips) if styled else None
    features = np.empty((len(clips), model.config.width), np.float32)
    for index, output, row, frames in outputs(model, encode(model, clips), styles):
        features[index] = output.retrieved_feature[row, :frames].mean(0).cpu().numpy()
    return features


def feature_map(features: np.ndarray, speakers: Sequence[str]) -> FeatureMap:
    """Look at features (N, c), each column at unit spread. Raises ValueError for fewer than three clips."""
    if len(features) < 3:
        raise ValueError("A map of features needs at least three clips.")
    scaled = StandardScaler().fit_transform(features)
    near = min(30.0, (len(scaled) - 1) / 3)
    tsne = TSNE(2, perplexity=near, init="pca", random_state=SEED).fit_transform(scaled)
    names = np.array(speakers)
    distance = np.linalg.norm(scaled[:, None] - scaled[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    sizes = np.array([(names == name).sum() for name in names])
    several = 1 < len(set(speakers)) < len(names)
    return FeatureMap(
        pca=PCA(2, random_state=SEED).fit_transform(scaled),
        tsne=tsne,
        neighbour=float((names[distance.argmin(1)] == names).mean()),
        chance=float(((sizes - 1) / (len(names) - 1)).mean()),
        silhouette=float(silhouette_score(scaled, names)) if several else float("nan"),
    )


@torch.no_grad()
def slot_faces(model: MemoryTalker, head: HeadMesh, size: int = 176) -> list[np.ndarray]:
    """A picture (H, W, 3) of the lower face for each slot, by a model of the head's vertices."""
    held = torch.stack([model.slot_offsets(slot) for slot in range(model.config.slot_count)])
    offsets = held.cpu().numpy().reshape(-1, *head.template.shape)
    options = RenderOptions(width=2 * size, height=2 * size)
    top, left, side = round(0.52 * 2 * size), round(0.29 * 2 * size), round(0.42 * 2 * size)
    pictures = render_frames(head, head.template + offsets, options)
    return [picture[top : top + side, left : left + side] for picture in pictures]

"""Training of the curve regressor (`models/audio_to_curves.py`) and its agreement with tracked motion.

Rules that see only phone times cannot tell how a sentence is spoken; the regressor sees the sound, but only few
speakers have tracked motion. Training motion for recordings without video is a blend of both (`corpus/build.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from memorytalker.config import LARGEST_SEED, CurveRegressorConfig, ModelConfig, check_ranges
from memorytalker.corpus.clips import Clip, load_clip, read_clips
from memorytalker.evaluation.metrics import correlation
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion_space import MotionSpace
from memorytalker.models.audio_to_curves import CurveRegressor, fresh_member
from memorytalker.progress import Progress
from memorytalker.training.cache import cached_states
from memorytalker.training.data import TrainingError
from memorytalker.training.space import mouth_in_space


@dataclass(frozen=True)
class CurveRegressorTraining:
    """How the curve regressor is trained; the values come from the recipe."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int  # of the first member; the others follow

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that no training can have."""
        check_ranges(
            self, epochs=(0, 1e6), batch_size=(1, 1e6), learning_rate=(0, 10), weight_decay=(0, 10),
            seed=(0, LARGEST_SEED),
        )  # fmt: skip


@dataclass(frozen=True)
class MouthSpace:
    """Principal directions of tracked mouth motion, strongest first: curves (T, S) = mean + coordinates @ directions.

    Squared distances of coordinates weigh what is visible: the lips, the lip opening, the lip width and the chin, each
    over its own variance. A network that predicts the curves themselves learns the differences between them badly,
    above all the lip width.

    Attributes:
        mean: (S,) mean curves.
        directions: (K, S).
        projection: (S, K): coordinates = (curves - mean) @ projection.
    """

    mean: np.ndarray
    directions: np.ndarray
    projection: np.ndarray


def curve_regressor_for(model: ModelConfig, shapes: tuple[str, ...]) -> CurveRegressorConfig:
    """Configure a curve regressor for the states of a model's speech encoder and its motion rate.

    Args:
        model: the model's configuration.
        shapes: names of the curves to predict.

    Returns:
        The configuration of the curve regressor.
    """
    speech = model.speech
    return CurveRegressorConfig(
        shapes, hidden_size=speech.hidden_size, state_rate=speech.state_rate, mixed_layers=speech.mixed_layers,
        fps=model.fps,
    )  # fmt: skip


def train_curve_regressor(
    folder: Path,
    space: MotionSpace,
    head: HeadMesh,
    config: CurveRegressorConfig,
    training: CurveRegressorTraining,
    progress: Progress | None = None,
) -> CurveRegressor:
    """Train on the captured training clips of a corpus that have a transcript, with all their augmented versions.

    Args:
        folder: the corpus; the states of all its clips must be cached (`cache.cache_features`).
        space: the motion space of `head`.
        head: the head that the curves move.
        config: of the curve regressor.
        training: epochs, batch size, rates and seed.
        progress: called after each step.

    Returns:
        The trained curve regressor in evaluation mode.

    Raises:
        TrainingError: the corpus has no such clips.
    """
    columns = [head.blendshape_names.index(name) for name in config.shapes]
    clips = regressor_clips(read_clips(folder)[0])
    if not clips:
        raise TrainingError("No captured training clip has a transcript; leave the curve regressor out.")
    pairs = [_pair(folder, clip, columns) for clip in clips]
    tracked = _mouth_space(space, head, columns, np.concatenate([curves for _, curves in pairs]), config.directions)
    pairs = [(states, ((curves - tracked.mean) @ tracked.projection).astype(np.float32)) for states, curves in pairs]
    regressor = CurveRegressor(config)
    regressor.mean.copy_(torch.from_numpy(tracked.mean))
    regressor.directions.copy_(torch.from_numpy(tracked.directions))
    for member in range(config.members):
        _train(regressor, member, pairs, training, progress)
    return regressor.eval()


def regressor_clips(clips: list[Clip]) -> list[Clip]:
    """Select the clips that a curve regressor is trained on: captured training clips with a transcript."""
    return [clip for clip in clips if clip.kind == "captured" and clip.split == "train" and clip.text]


def agreement(regressor: CurveRegressor, folder: Path, head: HeadMesh) -> dict[str, dict[str, float]]:
    """Measure how well a curve regressor predicts the captured test clips of a corpus.

    Args:
        regressor: the trained curve regressor.
        folder: the corpus, with cached states.
        head: the head that the curves move.

    Returns:
        For each capture source: the number of clips, and the median over clips of the correlation of the lip opening
        ("gap") and of the lip width ("width").
    """
    columns, marks = [head.blendshape_names.index(name) for name in regressor.config.shapes], head.landmarks
    shapes = head.blendshapes[columns]
    gap = shapes[:, marks["inner_lip_upper"], 1] - shapes[:, marks["inner_lip_lower"], 1]
    width = shapes[:, marks["mouth_left"], 0] - shapes[:, marks["mouth_right"], 0]
    rows: dict[str, list[tuple[float, ...]]] = {}
    for clip in read_clips(folder)[0]:
        if clip.kind != "captured" or clip.split != "test" or not clip.text:
            continue
        states, curves = _pair(folder, clip, columns)
        predicted = regressor.curves(states, len(curves))
        pairs = [(np.maximum(predicted @ gap, 0), np.maximum(curves @ gap, 0)), (predicted @ width, curves @ width)]
        rows.setdefault(clip.source, []).append(tuple(correlation(*pair) for pair in pairs))
    medians = {source: np.median(values, axis=0).round(3).tolist() for source, values in rows.items()}
    return {
        source: {"clips": len(rows[source]), "gap": gap_median, "width": width_median}
        for source, (gap_median, width_median) in medians.items()
    }


def _pair(folder: Path, clip: Clip, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return cached_states(folder, clip), load_clip(folder, clip)[0][:, columns]


def _mouth_space(
    space: MotionSpace, head: HeadMesh, columns: list[int], curves: np.ndarray, directions: int
) -> MouthSpace:
    """See `MouthSpace`; curves (T, S) of all captured clips, K `directions`."""
    mouth, marks = mouth_in_space(space, head), head.landmarks
    assert space.from_weights is not None
    shapes = head.blendshapes[columns].astype(np.float64)  # (S, V, 3)
    parts = [
        space.from_weights[columns] @ mouth.lips.numpy(),
        shapes[:, marks["inner_lip_upper"], 1:2] - shapes[:, marks["inner_lip_lower"], 1:2],
        shapes[:, marks["mouth_left"], :1] - shapes[:, marks["mouth_right"], :1],
        shapes[:, marks["chin"], 1:2],
    ]
    metric = np.concatenate([part / np.sqrt((curves @ part).var(axis=0).sum()) for part in parts], axis=1)
    mean = curves.mean(axis=0, dtype=np.float64)
    centred = curves - mean
    measured = centred @ metric
    _, axes = np.linalg.eigh(measured.T @ measured)
    projection = metric @ axes[:, ::-1][:, :directions]
    coordinates = centred @ projection
    return MouthSpace(mean, np.linalg.lstsq(coordinates, centred, rcond=None)[0], projection)


def _train(
    regressor: CurveRegressor,
    number: int,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    training: CurveRegressorTraining,
    progress: Progress | None,
) -> None:
    """Train one member on pairs of states (N, hidden) and coordinates (T, K)."""
    seed = training.seed + number
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    member = regressor.members[number] = fresh_member(regressor.config)
    per_frame = regressor.config.state_rate / regressor.config.fps
    steps = max(1, training.epochs * len(pairs) // training.batch_size)
    optimizer = torch.optim.AdamW(member.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.learning_rate, steps + 1)
    member.train()
    for step in range(1, steps + 1):
        chosen = [pairs[i] for i in random.integers(len(pairs), size=training.batch_size)]
        frames = min(len(target) for _, target in chosen)
        count = min(round(frames * per_frame), *(len(states) for states, _ in chosen))
        states = torch.from_numpy(np.stack([states[:count] for states, _ in chosen]).astype(np.float32))
        targets = torch.from_numpy(np.stack([target[:frames] for _, target in chosen]))
        error = regressor.coefficients(number, states, frames) - targets
        optimizer.zero_grad()
        error.square().sum(-1).mean().backward()
        optimizer.step()
        rates.step()
        if progress:
            progress(step, steps, "curve regressor")

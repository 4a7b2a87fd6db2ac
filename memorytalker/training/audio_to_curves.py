"""Training of the curve regressor (`models/audio_to_curves.py`) and its agreement with tracked motion.

Rules that see only phone times cannot tell how a sentence is spoken; the regressor sees the sound, but only few
speakers have tracked motion. Training motion for recordings without video is a blend of both (`corpus/build.py`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from memorytalker.articulation.gains import Gains, rescaled
from memorytalker.config import LARGEST_SEED, CurveRegressorConfig, ModelConfig, check_ranges
from memorytalker.corpus.build import mouth_geometry
from memorytalker.corpus.clips import AUGMENTED_MARK, VOICE_MARK, Clip, load_clip, read_clips
from memorytalker.evaluation.metrics import correlation
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion_space import MotionSpace
from memorytalker.models.audio_to_curves import CurveRegressor, fresh_member
from memorytalker.progress import Progress
from memorytalker.training.cache import cached_states
from memorytalker.training.data import TrainingError
from memorytalker.training.space import mouth_in_space

#: The motion of a speaker is made at most this many times larger or smaller.
LARGEST_GAIN = 2.5


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

    The motion of every speaker is made as large as the average speaker's first, and speakers with few clips are drawn
    more often than their share.

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
    gains, geometry = average_gains(folder, clips, head), mouth_geometry(head, head.blendshape_names)
    styles = {speaker: gain.style for speaker, gain in gains.items()}
    pairs = []
    for clip in clips:
        recorded = load_clip(folder, _as_recorded(clip))[0]
        moved = rescaled(recorded, styles[clip.speaker], geometry, config.fps)[:, columns].astype(np.float32)
        pairs.append((cached_states(folder, clip), moved))
    counts = Counter(clip.speaker for clip in clips)
    shares = np.array([counts[clip.speaker] ** -0.5 for clip in clips])
    tracked = _mouth_space(space, head, columns, np.concatenate([curves for _, curves in pairs]), config.directions)
    pairs = [(states, ((curves - tracked.mean) @ tracked.projection).astype(np.float32)) for states, curves in pairs]
    regressor = CurveRegressor(config)
    regressor.mean.copy_(torch.from_numpy(tracked.mean))
    regressor.directions.copy_(torch.from_numpy(tracked.directions))
    for member in range(config.members):
        _train(regressor, member, pairs, shares / shares.sum(), training, progress)
    return regressor.eval()


def average_gains(folder: Path, clips: list[Clip], head: HeadMesh) -> dict[str, Gains]:
    """Measure by what every captured speaker's motion is to be multiplied to be as large as the average speaker's.

    How much a speaker moves is the standard deviation over time of the lip opening, and of the lip width, over all
    clips; the average speaker is the geometric mean.

    Args:
        folder: the corpus.
        clips: captured clips.
        head: the head that the curves move.

    Returns:
        Gains by speaker, at most `LARGEST_GAIN` and at least its inverse.
    """
    gap, width = _rows(head)
    moved: dict[str, list[np.ndarray]] = defaultdict(list)
    for clip in clips:
        if clip.as_recorded:
            curves = load_clip(folder, clip)[0]
            moved[clip.speaker].append(np.array([np.maximum(curves @ gap, 0).var(), (curves @ width).var()]))
    sizes = {speaker: np.sqrt(np.mean(own, axis=0)).clip(1e-5) for speaker, own in moved.items()}
    average = np.exp(np.mean([np.log(size) for size in sizes.values()], axis=0))
    limits = 1 / LARGEST_GAIN, LARGEST_GAIN
    return {speaker: Gains(*np.clip(average / size, *limits).tolist()) for speaker, size in sizes.items()}


def _as_recorded(clip: Clip) -> Clip:
    """The clip of which this one is a version."""
    return replace(clip, name=clip.name.split(VOICE_MARK)[0].split(AUGMENTED_MARK)[0])


def _rows(head: HeadMesh) -> tuple[np.ndarray, np.ndarray]:
    """Lip opening and lip width in metres per unit of each of the head's shapes, (S,) each."""
    shapes, marks = head.blendshapes, head.landmarks
    gap = shapes[:, marks["inner_lip_upper"], 1] - shapes[:, marks["inner_lip_lower"], 1]
    return gap, shapes[:, marks["mouth_left"], 0] - shapes[:, marks["mouth_right"], 0]


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
        ("gap") and of the lip width ("width"), and of the ratios of their standard deviations over time, predicted to
        recorded ("gap_size", "width_size").
    """
    columns = [head.blendshape_names.index(name) for name in regressor.config.shapes]
    gap, width = (row[columns] for row in _rows(head))
    rows: dict[str, list[tuple[float, ...]]] = {}
    for clip in read_clips(folder)[0]:
        if clip.kind != "captured" or clip.split != "test" or not clip.text:
            continue
        states, curves = _pair(folder, clip, columns)
        predicted = regressor.curves(states, len(curves))
        pairs = [(np.maximum(predicted @ gap, 0), np.maximum(curves @ gap, 0)), (predicted @ width, curves @ width)]
        sizes = [one.std() / max(float(other.std()), 1e-9) for one, other in pairs]
        rows.setdefault(clip.source, []).append((*(correlation(*pair) for pair in pairs), *sizes))
    names = ("gap", "width", "gap_size", "width_size")
    return {
        source: {"clips": len(values), **dict(zip(names, np.median(values, axis=0).round(3).tolist(), strict=True))}
        for source, values in rows.items()
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
    shares: np.ndarray,
    training: CurveRegressorTraining,
    progress: Progress | None,
) -> None:
    """Train one member on pairs of states (N, hidden) and coordinates (T, K), drawn by their `shares`."""
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
        chosen = [pairs[i] for i in random.choice(len(pairs), training.batch_size, p=shares)]
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

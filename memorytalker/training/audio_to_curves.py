"""What film teaches about sound: how the listener (`models/listener.py`) is trained, and how it agrees with film.

Rules made of phone times know nothing of how this sentence was said; the listener heard it, but few people are
filmed. The motion of voices that nobody filmed is made of both (`corpus/build.py`).
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
from memorytalker.models.audio_to_curves import CurveRegressor, fresh_member
from memorytalker.progress import Progress
from memorytalker.training.cache import cached_states
from memorytalker.training.data import TrainingError
from memorytalker.training.space import MotionSpace


@dataclass(frozen=True)
class CurveRegressorTraining:
    """How the listener is trained; the recipe says it."""

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
    """Directions in which a filmed mouth moves, strongest first: curves (T, S) = `mean` + coordinates @ `directions`.

    mean (S,); directions (K, S); of (S, K): coordinates = (curves - mean) @ of. A difference of coordinates squared is
    the error that matters: the lips, the gap between them, their width and the chin, each against how much it moves.
    A network that speaks curves themselves learns badly what few of them cancel out to, the width above all.
    """

    mean: np.ndarray
    directions: np.ndarray
    of: np.ndarray


def curve_regressor_for(model: ModelConfig, shapes: tuple[str, ...]) -> CurveRegressorConfig:
    """The listener that answers with `shapes` to the states of this model's speech encoder, at its motion rate."""
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
    """Train on the filmed training clips of the corpus `folder` whose words are known, in every voice and
    every disturbance they are heard in.

    The states of all clips must be cached (`cache.cache_features`). Raises TrainingError if there are no such clips.
    """
    columns = [head.blendshape_names.index(name) for name in config.shapes]
    clips = video_words(read_clips(folder)[0])
    if not clips:
        raise TrainingError("Nothing was filmed whose words are known; leave the listener out.")
    pairs = [_pair(folder, clip, columns) for clip in clips]
    filmed = _mouth_space(space, head, columns, np.concatenate([curves for _, curves in pairs]), config.directions)
    pairs = [(states, ((curves - filmed.mean) @ filmed.of).astype(np.float32)) for states, curves in pairs]
    listener = CurveRegressor(config)
    listener.mean.copy_(torch.from_numpy(filmed.mean))
    listener.directions.copy_(torch.from_numpy(filmed.directions))
    for member in range(config.members):
        _train(listener, member, pairs, training, progress)
    return listener.eval()


def video_words(clips: list[Clip]) -> list[Clip]:
    """The clips that a listener learns from."""
    return [clip for clip in clips if clip.kind == "captured" and clip.split == "train" and clip.text]


def agreement(listener: CurveRegressor, folder: Path, head: HeadMesh) -> dict[str, dict[str, float]]:
    """By source of the filmed test clips of a corpus: clips, and the median correlation of gap and width with film."""
    columns, marks = [head.blendshape_names.index(name) for name in listener.config.shapes], head.landmarks
    shapes = head.blendshapes[columns]
    gap = shapes[:, marks["inner_lip_upper"], 1] - shapes[:, marks["inner_lip_lower"], 1]
    width = shapes[:, marks["mouth_left"], 0] - shapes[:, marks["mouth_right"], 0]
    rows: dict[str, list[tuple[float, float]]] = {}
    for clip in read_clips(folder)[0]:
        if clip.kind != "captured" or clip.split != "test" or not clip.text:
            continue
        states, curves = _pair(folder, clip, columns)
        heard = listener.curves(states, len(curves))
        pairs = [(np.maximum(heard @ gap, 0), np.maximum(curves @ gap, 0)), (heard @ width, curves @ width)]
        rows.setdefault(clip.source, []).append(tuple(correlation(*pair) for pair in pairs))
    medians = {source: np.median(found, axis=0).round(3).tolist() for source, found in rows.items()}
    return {
        source: {"clips": len(rows[source]), "gap": gap_median, "width": width_median}
        for source, (gap_median, width_median) in medians.items()
    }


def _pair(folder: Path, clip: Clip, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return cached_states(folder, clip), load_clip(folder, clip)[0][:, columns]


def _mouth_space(
    space: MotionSpace, head: HeadMesh, columns: list[int], curves: np.ndarray, directions: int
) -> MouthSpace:
    """See `MouthSpace`; curves (T, S) of all film, K `directions`."""
    mouth, marks = space.mouth(head), head.landmarks
    shapes = head.blendshapes[columns].astype(np.float64)  # (S, V, 3)
    parts = [
        space.from_weights[columns] @ mouth.lips.numpy(),
        shapes[:, marks["inner_lip_upper"], 1:2] - shapes[:, marks["inner_lip_lower"], 1:2],
        shapes[:, marks["mouth_left"], :1] - shapes[:, marks["mouth_right"], :1],
        shapes[:, marks["chin"], 1:2],
    ]
    metric = np.concatenate([part / np.sqrt((curves @ part).var(axis=0).sum()) for part in parts], axis=1)
    mean = curves.mean(axis=0, dtype=np.float64)
    moved = curves - mean
    seen = moved @ metric
    _, axes = np.linalg.eigh(seen.T @ seen)
    of = metric @ axes[:, ::-1][:, :directions]
    coordinates = moved @ of
    return MouthSpace(mean, np.linalg.lstsq(coordinates, moved, rcond=None)[0], of)


def _train(
    listener: CurveRegressor, number: int, pairs: list[tuple[np.ndarray, np.ndarray]], training: CurveRegressorTraining,
    progress: Progress | None,
) -> None:  # fmt: skip
    """Train the member of that number, from states (N, hidden) to coordinates (T, K) of each pair."""
    seed = training.seed + number
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    member = listener.members[number] = fresh_member(listener.config)
    per_frame = listener.config.state_rate / listener.config.fps
    steps = max(1, training.epochs * len(pairs) // training.batch_size)
    optimizer = torch.optim.AdamW(member.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.learning_rate, steps + 1)
    member.train()
    for step in range(1, steps + 1):
        chosen = [pairs[i] for i in random.integers(len(pairs), size=training.batch_size)]
        frames = min(len(wanted) for _, wanted in chosen)
        count = min(round(frames * per_frame), *(len(states) for states, _ in chosen))
        states = torch.from_numpy(np.stack([states[:count] for states, _ in chosen]).astype(np.float32))
        truth = torch.from_numpy(np.stack([wanted[:frames] for _, wanted in chosen]))
        error = listener.coefficients(number, states, frames) - truth
        optimizer.zero_grad()
        error.square().sum(-1).mean().backward()
        optimizer.step()
        rates.step()
        if progress:
            progress(step, steps, "listener")

"""What film teaches about sound: a small network from the speech encoder's states to the curves of the filmed mouth.

Rules made of phone times know nothing of how this sentence was said; the listener heard it, but saw one or two
people only. The motion of voices that nobody filmed is made of both (`corpus/build.py`). It never leaves training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config import ModelConfig, Progress
from ..corpus.clips import Clip, load_clip, read_clips
from ..evaluation.metrics import correlation
from ..head import HeadMesh
from ..models.layers import sample_between
from ..models.speech import SlotHead
from ..models.states import without_speaker
from .cache import cached_states
from .data import TrainingError
from .space import MotionSpace

#: How many directions of the mouth the listener speaks of: more are noise of the film.
DIRECTIONS = 10


@dataclass(frozen=True)
class ListenerConfig:
    """How the listener is built and trained; found on filmed clips that were left out."""

    channels: int = 96
    layers: int = 3
    dropout: float = 0.3
    normalise: float = 0.3  # as SpeechConfig.normalise: the voice is taken out, the speech is left
    epochs: int = 4
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    members: int = 2  # networks from different seeds, whose answers are averaged
    seed: int = 0


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


class Listener:
    """Trained members and the columns of the head's 52 curves that they speak of."""

    def __init__(
        self, members: Sequence[SlotHead], columns: Sequence[int], space: MouthSpace, config: ListenerConfig,
        model: ModelConfig,
    ) -> None:  # fmt: skip
        self.members, self.columns, self.space = tuple(members), tuple(columns), space
        self._config, self._per_frame = config, model.speech.state_rate / model.fps

    @torch.inference_mode()
    def curves(self, states: np.ndarray, frames: int) -> np.ndarray:
        """Curves (T, S) in [0, 1] over `columns` of hidden states (N, hidden) at the state rate."""
        heard = torch.from_numpy(np.asarray(states, np.float32))[None]
        answers = [listen(member, heard, frames, self._config, self._per_frame)[0] for member in self.members]
        coordinates = torch.stack(answers).mean(0).numpy()
        return np.clip(self.space.mean + coordinates @ self.space.directions, 0.0, 1.0)


def listen(
    member: SlotHead, states: Tensor, frames: int, config: ListenerConfig, per_frame: float, mask: Tensor | None = None
) -> Tensor:
    """(B, N, hidden) states, `mask` (B, N) valid ones -> (B, T, S) at the motion rate."""
    answer = member(without_speaker(states, mask, config.normalise), mask)
    times = torch.arange(frames, dtype=torch.float32) * per_frame
    return sample_between(answer, times[None].expand(len(states), -1).clamp(max=states.shape[1] - 1))


def train_listener(
    folder: Path,
    space: MotionSpace,
    head: HeadMesh,
    shapes: Sequence[str],
    model: ModelConfig,
    config: ListenerConfig = ListenerConfig(),
    progress: Progress | None = None,
) -> Listener:
    """Train on the filmed training clips of the corpus `folder` whose words are known, in every voice they have.

    `shapes` are the curves to learn. The states of all clips must be cached (`cache.cache_features`).
    Raises TrainingError if there are no such clips.
    """
    columns = [head.blendshape_names.index(name) for name in shapes]
    clips = [clip for clip in read_clips(folder)[0] if clip.kind == "captured" and clip.split == "train" and clip.text]
    if not clips:
        raise TrainingError("Nothing was filmed whose words are known; leave the listener out.")
    pairs = [_pair(folder, clip, columns) for clip in clips]
    filmed = _mouth_space(space, head, columns, np.concatenate([curves for _, curves in pairs]))
    pairs = [(states, ((curves - filmed.mean) @ filmed.of).astype(np.float32)) for states, curves in pairs]
    per_frame = model.speech.state_rate / model.fps
    members = [_train(pairs, config, config.seed + number, per_frame, progress) for number in range(config.members)]
    return Listener(members, columns, filmed, config, model)


def agreement(listener: Listener, folder: Path, head: HeadMesh) -> dict[str, dict[str, float]]:
    """By source of the filmed test clips of a corpus: clips, and the median correlation of gap and width with film."""
    columns, marks = list(listener.columns), head.landmarks
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


def _mouth_space(space: MotionSpace, head: HeadMesh, columns: list[int], curves: np.ndarray) -> MouthSpace:
    """See `MouthSpace`; curves (T, S) of all film."""
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
    of = metric @ axes[:, ::-1][:, :DIRECTIONS]
    coordinates = moved @ of
    return MouthSpace(mean, np.linalg.lstsq(coordinates, moved, rcond=None)[0], of)


def _train(
    pairs: list[tuple[np.ndarray, np.ndarray]], config: ListenerConfig, seed: int, per_frame: float,
    progress: Progress | None,
) -> SlotHead:  # fmt: skip
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    hidden, outputs = pairs[0][0].shape[1], pairs[0][1].shape[1]
    member = SlotHead(hidden, outputs, config.channels, config.layers, config.dropout)
    steps = max(1, config.epochs * len(pairs) // config.batch_size)
    optimizer = torch.optim.AdamW(member.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, steps + 1)
    member.train()
    for step in range(1, steps + 1):
        chosen = [pairs[i] for i in random.integers(len(pairs), size=config.batch_size)]
        frames = min(len(wanted) for _, wanted in chosen)
        count = min(round(frames * per_frame), *(len(states) for states, _ in chosen))
        states = torch.from_numpy(np.stack([states[:count] for states, _ in chosen]).astype(np.float32))
        truth = torch.from_numpy(np.stack([wanted[:frames] for _, wanted in chosen]))
        error = listen(member, states, frames, config, per_frame) - truth
        optimizer.zero_grad()
        error.square().sum(-1).mean().backward()
        optimizer.step()
        rates.step()
        if progress:
            progress(step, steps, "listener")
    return member.eval()

"""Training clips in memory and batches of them: padded, masked, cut at random, drawn by seed.

B batch, S hidden states of the speech encoder, T motion frames, D coordinates, M log-mel frames.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..config import ModelConfig, TrainingConfig


@dataclass(frozen=True)
class TrainingClip:
    """One clip ready for the network; tensors on the CPU.

    states (S, hidden) float16, or waveform states left out; mel (M, 80) float16 for the style encoder;
    motion (T, D) float32 metres from the template; labels (T,) slot of each frame, -1 unknown.
    """

    name: str
    speaker: str
    captured: bool
    states: Tensor
    mel: Tensor
    motion: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Batch:
    """Padded clips: `state_mask` (B, S) and `mask` (B, T) are True where valid; `names` in order."""

    names: tuple[str, ...]
    states: Tensor
    state_mask: Tensor
    motion: Tensor
    mask: Tensor
    labels: Tensor
    captured: Tensor  # (B,) True for recorded motion

    @property
    def firm(self) -> Tensor:
        """(B, T) valid frames in which a closed mouth is meant: all but the silences of recorded motion.

        People breathe in with an open mouth, and some rest with one; between that and a shut mouth there is no middle
        that a relative error should find.
        """
        return self.mask & ~(self.captured[:, None] & (self.labels == 0))

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        moved = {key: value.to(device) for key, value in vars(self).items() if isinstance(value, Tensor)}
        return Batch(names=self.names, **moved)


def collate(clips: list[TrainingClip]) -> Batch:
    """Clips of different lengths to one padded batch."""
    counts = torch.tensor([len(clip.states) for clip in clips])
    frames = torch.tensor([len(clip.motion) for clip in clips])
    return Batch(
        names=tuple(clip.name for clip in clips),
        states=pad_sequence([clip.states for clip in clips], batch_first=True).float(),
        state_mask=torch.arange(int(counts.max()))[None] < counts[:, None],
        motion=pad_sequence([clip.motion for clip in clips], batch_first=True),
        mask=torch.arange(int(frames.max()))[None] < frames[:, None],
        labels=pad_sequence([clip.labels for clip in clips], batch_first=True, padding_value=-1),
        captured=torch.tensor([clip.captured for clip in clips]),
    )


def cropped(clip: TrainingClip, frames: int, random: np.random.Generator, config: ModelConfig) -> TrainingClip:
    """A random piece of at most `frames` motion frames, beginning where a motion frame and a hidden state do."""
    if len(clip.motion) <= frames:
        return clip
    step = _common_step(config)
    return _piece(clip, int(random.integers((len(clip.motion) - frames) // step + 1)) * step, frames, config)


def split_long(clip: TrainingClip, seconds: float, config: ModelConfig) -> list[TrainingClip]:
    """A clip longer than `seconds` in pieces of about that length, so that long takes count by their length."""
    count = int(np.ceil(len(clip.motion) / (seconds * config.fps)))
    if count <= 1:
        return [clip]
    step = _common_step(config)
    edges = [round(len(clip.motion) * i / count / step) * step for i in range(count)] + [len(clip.motion)]
    return [_piece(clip, first, last - first, config) for first, last in zip(edges, edges[1:], strict=False)]


def _common_step(config: ModelConfig) -> int:
    """Motion frames between moments at which a motion frame and a hidden state begin together."""
    return config.fps // int(np.gcd(config.fps, config.speech.state_rate))


def _piece(clip: TrainingClip, first: int, frames: int, config: ModelConfig) -> TrainingClip:
    rate = config.speech.state_rate / config.fps
    mel_rate = config.sample_rate / config.style.hop / config.fps
    last = first + frames
    return replace(
        clip,
        states=clip.states[round(first * rate) : round(last * rate)],
        mel=clip.mel[round(first * mel_rate) : round(last * mel_rate)],
        motion=clip.motion[first:last],
        labels=clip.labels[first:last],
    )


class Sampler:
    """Which clips make up each step of a run: the same for the same seed, whatever was done before."""

    def __init__(self, clips: list[TrainingClip], config: TrainingConfig) -> None:
        if not clips:
            raise ValueError("There are no training clips: check the corpus and its splits.")
        self._clips = clips
        self._config = config
        self._captured = [i for i, clip in enumerate(clips) if clip.captured]
        self._others = [i for i, clip in enumerate(clips) if not clip.captured]

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass."""
        return max(1, len(self._clips) // self._config.batch_size)

    def epoch(self, number: int) -> Iterator[list[int]]:
        """The clip numbers of each batch of an epoch; clips of like length travel together."""
        random = np.random.default_rng((self._config.seed, number))
        order = self._order(random)
        size, pool = self._config.batch_size, 16
        batches: list[list[int]] = []
        for start in range(0, len(order), size * pool):
            chunk = sorted(order[start : start + size * pool], key=lambda i: len(self._clips[i].motion))
            batches += [chunk[i : i + size] for i in range(0, len(chunk), size)]
        full = [batch for batch in batches if len(batch) == size] or batches
        random.shuffle(full)
        yield from full[: self.steps_per_epoch]

    def _order(self, random: np.random.Generator) -> list[int]:
        share, total = self._config.captured_share, len(self._clips)
        if not share or not self._captured or not self._others:
            return list(random.permutation(total))
        captured = random.choice(self._captured, round(share * total))
        others = random.permutation(self._others)[: total - len(captured)]
        return list(random.permutation(np.concatenate([captured, others])))


class Triplets:
    """For an anchor clip: another clip of its speaker, and a clip of another speaker; never the clip itself."""

    def __init__(self, clips: list[TrainingClip]) -> None:
        self._by_speaker: dict[str, list[int]] = defaultdict(list)
        for index, clip in enumerate(clips):
            self._by_speaker[clip.speaker].append(index)
        self._speakers = sorted(self._by_speaker)
        if len(self._speakers) < 2:
            raise ValueError("The style encoder needs clips of at least two speakers.")
        self._clips = clips

    def usable(self, index: int) -> bool:
        """Whether the clip's speaker has another clip."""
        return bool(self._others(index))

    def _others(self, index: int) -> list[int]:
        """Clips of the same speaker; pieces of one take have one name and are the same clip."""
        clip = self._clips[index]
        return [i for i in self._by_speaker[clip.speaker] if self._clips[i].name != clip.name]

    def draw(self, index: int, random: np.random.Generator) -> tuple[int, int]:
        """(positive, negative) clip numbers for the anchor `index`."""
        speaker = self._clips[index].speaker
        own = self._others(index)
        others = [name for name in self._speakers if name != speaker]
        stranger = self._by_speaker[others[int(random.integers(len(others)))]]
        return own[int(random.integers(len(own)))], stranger[int(random.integers(len(stranger)))]

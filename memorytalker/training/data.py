"""Training clips and batches of them: padded, masked, cut at random, drawn by seed.

B batch, S hidden states of the speech encoder, T motion frames, D coordinates, M log-mel frames, A sound samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from memorytalker.config import ModelConfig, TrainingConfig
from memorytalker.errors import InputError
from memorytalker.phones import ENGLISH


class TrainingError(InputError):
    """Training that cannot start or go on; the message is one sentence that names the remedy."""


@dataclass(frozen=True)
class TrainingClip:
    """One clip in memory, ready for the network; tensors on the CPU.

    Attributes:
        name: of the clip; pieces of one take share it.
        speaker: whom the style encoder should recognise.
        captured: whether the motion was recorded and not synthesised.
        states: (S, hidden) of a frozen speech encoder, None where `waveform` is given.
        mel: (M, 80) log-mel for the style encoder.
        motion: (T, D) float32, metres from the template.
        labels: (T,) slot of each frame, -1 unknown.
        waveform: (A,) at 16 kHz, for a speech encoder that is trained.
    """

    name: str
    speaker: str
    captured: bool
    states: Tensor | None
    mel: Tensor
    motion: Tensor
    labels: Tensor
    waveform: Tensor | None = None

    @property
    def frames(self) -> int:
        """Number of motion frames, T."""
        return len(self.motion)

    def load(self) -> TrainingClip:
        """Return the clip itself."""
        return self


@dataclass(frozen=True)
class StoredClip:
    """A clip on disk, of which only what the samplers need is in memory.

    Attributes:
        name, speaker, captured: as in `TrainingClip`.
        frames: number of motion frames, T.
        read: (first, frames) -> that piece of the clip.
        read_mel: (first, frames) -> its log-mel (M, 80) alone.
        first: number of frames of the stored clip before this piece.
    """

    name: str
    speaker: str
    captured: bool
    frames: int
    read: Callable[[int, int], TrainingClip] = field(repr=False)
    read_mel: Callable[[int, int], Tensor] = field(repr=False)
    first: int = 0

    def load(self) -> TrainingClip:
        """Read the clip from disk."""
        return self.read(self.first, self.frames)

    @property
    def mel(self) -> Tensor:
        """(M, 80), read from disk each time."""
        return self.read_mel(self.first, self.frames)

    @property
    def motion(self) -> Tensor:
        """(T, D) metres, read from disk each time."""
        return self.load().motion


#: A speaker's share of the captured clips grows with the recorded time to this power.
SHARE = 0.35
#: A clip in memory or on disk.
AnyClip = TrainingClip | StoredClip


@dataclass(frozen=True)
class Batch:
    """Padded clips, with either the states of a frozen encoder or the sound.

    Attributes:
        names: of the clips, in order.
        states: (B, S, hidden).
        state_mask: (B, S), True where valid.
        motion: (B, T, D) metres from the template.
        mask: (B, T), True where valid.
        labels: (B, T) slots, -1 unknown.
        captured: (B,) True for recorded motion.
        waveform: (B, A) at 16 kHz.
        lengths: (B,) number of valid samples.
    """

    names: tuple[str, ...]
    states: Tensor | None
    state_mask: Tensor | None
    motion: Tensor
    mask: Tensor
    labels: Tensor
    captured: Tensor
    waveform: Tensor | None = None
    lengths: Tensor | None = None

    @property
    def opening_mask(self) -> Tensor:
        """(B, T) True on frames that count in the opening losses: all valid ones except silences of recorded motion.

        In such a silence the mouth may be closed, or open to breathe or at rest; the sound does not tell which.
        """
        return self.mask & ~(self.captured[:, None] & (self.labels == ENGLISH.silence_index))

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on another device."""
        values: dict[str, Any] = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in vars(self).items()}
        return Batch(**values)


def collate(clips: Sequence[AnyClip]) -> Batch:
    """Pad clips of different lengths to one batch. Raises TrainingError if only some of them have states."""
    loaded = [clip.load() for clip in clips]
    frames = torch.tensor([clip.frames for clip in loaded])
    inputs: dict[str, Any] = {"states": None, "state_mask": None}
    states = [clip.states for clip in loaded if clip.states is not None]
    sounds = [clip.waveform for clip in loaded if clip.waveform is not None]
    if len(states) == len(loaded):
        inputs["states"], counts = _pad(states)
        inputs["state_mask"] = torch.arange(int(counts.max()))[None] < counts[:, None]
    elif len(sounds) == len(loaded):
        inputs["waveform"], inputs["lengths"] = _pad(sounds)
    else:
        raise TrainingError("A batch needs the encoder's states of every clip, or the sound of every clip.")
    return Batch(
        names=tuple(clip.name for clip in loaded),
        motion=pad_sequence([clip.motion for clip in loaded], batch_first=True),
        mask=torch.arange(int(frames.max()))[None] < frames[:, None],
        labels=pad_sequence([clip.labels for clip in loaded], batch_first=True, padding_value=-1),
        captured=torch.tensor([clip.captured for clip in loaded]),
        **inputs,
    )


def _pad(items: list[Tensor]) -> tuple[Tensor, Tensor]:
    return pad_sequence(items, batch_first=True).float(), torch.tensor([len(item) for item in items])


def cropped(clip: AnyClip, frames: int, random: np.random.Generator, config: ModelConfig) -> TrainingClip:
    """Cut a random piece of at most `frames` frames; a motion frame and a hidden state start together there."""
    if clip.frames <= frames:
        return clip.load()
    step = _common_step(config)
    return piece(clip, int(random.integers((clip.frames - frames) // step + 1)) * step, frames, config).load()


def split_long(clip: AnyClip, seconds: float, config: ModelConfig) -> list[AnyClip]:
    """Split a clip longer than `seconds` into pieces of about that length, so that long takes count by their length."""
    count = int(np.ceil(clip.frames / (seconds * config.fps)))
    if count <= 1:
        return [clip]
    step = _common_step(config)
    edges = [round(clip.frames * i / count / step) * step for i in range(count)] + [clip.frames]
    return [piece(clip, first, last - first, config) for first, last in zip(edges, edges[1:], strict=False)]


def _common_step(config: ModelConfig) -> int:
    """Number of motion frames between two moments at which a motion frame and a hidden state start together."""
    if config.speech.resample == "before":  # every motion frame has its own states
        return 1
    return config.fps // int(np.gcd(config.fps, config.speech.state_rate))


def states_per_frame(config: ModelConfig) -> float:
    """Return the number of hidden states of the speech encoder per motion frame."""
    return config.text_frames if config.speech.resample == "before" else config.speech.state_rate / config.fps


def span(first: int, frames: int, rate: float) -> slice:
    """Return the slice of entries, `rate` per motion frame, of `frames` motion frames from `first` on."""
    return slice(round(first * rate), round((first + frames) * rate))


def piece(clip: AnyClip, first: int, frames: int, config: ModelConfig) -> AnyClip:
    """Cut `frames` motion frames from `first` on, with their sound; a stored clip stays on disk."""
    if isinstance(clip, StoredClip):
        return replace(clip, first=clip.first + first, frames=frames)
    states, waveform, mel_rate = clip.states, clip.waveform, config.sample_rate / config.style.hop / config.fps
    return replace(
        clip,
        states=None if states is None else states[span(first, frames, states_per_frame(config))],
        waveform=None if waveform is None else waveform[span(first, frames, config.sample_rate / config.fps)],
        mel=clip.mel[span(first, frames, mel_rate)],
        motion=clip.motion[first : first + frames],
        labels=clip.labels[first : first + frames],
    )


class Sampler:
    """Draws the batches of every epoch; the same seed and epoch give the same batches.

    Args:
        clips: the training clips.
        config: batch size, seed and the share of captured clips.
        among: clip numbers to draw from; None: all.

    Raises:
        TrainingError: there are no clips.
    """

    def __init__(self, clips: Sequence[AnyClip], config: TrainingConfig, among: Sequence[int] | None = None) -> None:
        self._among = list(range(len(clips)) if among is None else among)
        if not self._among:
            raise TrainingError("There are no training clips: check the data and its splits.")
        self._frames = [clip.frames for clip in clips]
        self._config = config
        self._captured = [i for i in self._among if clips[i].captured]
        self._others = [i for i in self._among if not clips[i].captured]
        self._probabilities = _probabilities([clips[i] for i in self._captured])

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in one epoch."""
        return max(1, len(self._among) // self._config.batch_size)

    def epoch(self, number: int) -> Iterator[list[int]]:
        """Yield the clip numbers of each batch of an epoch; batches hold clips of similar length."""
        random = np.random.default_rng((self._config.seed, number))
        order = self._order(random)
        size, pool = self._config.batch_size, 16
        batches: list[list[int]] = []
        for start in range(0, len(order), size * pool):
            chunk = sorted(order[start : start + size * pool], key=lambda i: self._frames[i])
            batches += [chunk[i : i + size] for i in range(0, len(chunk), size)]
        full = [batch for batch in batches if len(batch) == size] or batches
        random.shuffle(full)
        yield from full[: self.steps_per_epoch]

    def _order(self, random: np.random.Generator) -> list[int]:
        share, total = self._config.captured_share, len(self._among)
        if not share or not self._captured or not self._others:
            return random.permutation(self._among).tolist()
        captured = random.choice(self._captured, round(share * total), p=self._probabilities)
        others = random.permutation(self._others)[: total - len(captured)]
        return random.permutation(np.concatenate([captured, others])).tolist()


def _probabilities(clips: Sequence[AnyClip]) -> np.ndarray:
    """Probability of each clip: speakers by a root (`SHARE`) of their recorded time, clips of one by their length.

    A speaker with many recordings then does not dominate.
    """
    seconds: dict[str, float] = defaultdict(float)
    for clip in clips:
        seconds[clip.speaker] += clip.frames
    weights = np.array([clip.frames / seconds[clip.speaker] ** (1 - SHARE) for clip in clips])
    return weights / weights.sum() if len(clips) else weights


class Triplets:
    """Draws triplets of the style loss: for an anchor, another clip of its speaker and a clip of another speaker.

    A speaker with a single clip serves as negative only.

    Args:
        clips: to draw from.
        of: which clips they are, for messages.

    Raises:
        TrainingError: there are no two speakers, or no speaker has two clips.
    """

    def __init__(self, clips: Sequence[AnyClip], of: str = "training") -> None:
        self._by_speaker: dict[str, list[int]] = defaultdict(list)
        names: dict[str, set[str]] = defaultdict(set)  # pieces of one take have one name and are the same clip
        for index, clip in enumerate(clips):
            self._by_speaker[clip.speaker].append(index)
            names[clip.speaker].add(clip.name)
        self._speakers = sorted(self._by_speaker)
        if len(self._speakers) < 2:
            raise TrainingError(
                f"The style encoder needs clips of at least two speakers, and the {of} clips are of "
                f"{len(self._speakers)}; name more in the splits."
            )
        #: Speakers with a single clip, who are never anchors.
        self.single = tuple(name for name in self._speakers if len(names[name]) < 2)
        if len(self.single) == len(self._speakers):
            raise TrainingError(
                f"The style encoder needs at least one speaker with two clips, and every speaker of the {of} clips has "
                "one; add clips."
            )
        self._clips = clips

    def usable(self, index: int) -> bool:
        """Return whether the clip can be an anchor."""
        return self._clips[index].speaker not in self.single

    def anchors(self) -> list[int]:
        """Return the numbers of all clips that can be anchors."""
        return [index for index in range(len(self._clips)) if self.usable(index)]

    def draw(self, index: int, random: np.random.Generator) -> tuple[int, int]:
        """Draw the clip numbers (positive, negative) for the anchor `index`."""
        clip = self._clips[index]
        own = [i for i in self._by_speaker[clip.speaker] if self._clips[i].name != clip.name]
        others = [name for name in self._speakers if name != clip.speaker]
        other = self._by_speaker[others[int(random.integers(len(others)))]]
        return own[int(random.integers(len(own)))], other[int(random.integers(len(other)))]

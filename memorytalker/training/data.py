"""Training clips and batches of them: padded, masked, cut at random, drawn by seed.

B batch, S hidden states of the speech encoder, T motion frames, D coordinates, M log-mel frames, A sound samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from memorytalker.config import ModelConfig, TrainingConfig
from memorytalker.errors import InputError
from memorytalker.phones import ENGLISH


class TrainingError(InputError):
    """A training that cannot be done; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class TrainingClip:
    """One clip ready for the network; tensors on the CPU.

    states (S, hidden) of a frozen speech encoder, or None where `waveform` (A,) at 16 kHz is given for an encoder
    that learns; mel (M, 80) for the style encoder; motion (T, D) float32 metres from the template; labels (T,) slot
    of each frame, -1 unknown.
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
        """T."""
        return len(self.motion)

    def load(self) -> TrainingClip:
        """The clip itself: it is in memory already."""
        return self


@dataclass(frozen=True)
class StoredClip:
    """A clip on disk: what it is drawn by is known, the rest is read when a batch needs it.

    `read(first, frames)` gives that piece of the clip, `read_mel(first, frames)` its log-mel (M, 80) alone.
    """

    name: str
    speaker: str
    captured: bool
    frames: int  # T
    read: Callable[[int, int], TrainingClip] = field(repr=False)
    read_mel: Callable[[int, int], Tensor] = field(repr=False)
    first: int = 0  # frames of the stored clip that come before this piece of it

    def load(self) -> TrainingClip:
        """Read it."""
        return self.read(self.first, self.frames)

    @property
    def mel(self) -> Tensor:
        """(M, 80), read anew each time."""
        return self.read_mel(self.first, self.frames)

    @property
    def motion(self) -> Tensor:
        """(T, D) metres, read anew each time."""
        return self.load().motion


#: A clip in memory or on disk.
AnyClip = TrainingClip | StoredClip


@dataclass(frozen=True)
class Batch:
    """Padded clips: `state_mask` (B, S) and `mask` (B, T) are True where valid; `names` in order.

    Either `states` (B, S, hidden) of a frozen encoder, or `waveform` (B, A) of which `lengths` (B,) samples are valid.
    """

    names: tuple[str, ...]
    states: Tensor | None
    state_mask: Tensor | None
    motion: Tensor
    mask: Tensor
    labels: Tensor
    captured: Tensor  # (B,) True for recorded motion
    waveform: Tensor | None = None
    lengths: Tensor | None = None

    @property
    def firm(self) -> Tensor:
        """(B, T) valid frames in which a closed mouth is meant: all but the silences of recorded motion.

        People breathe in with an open mouth, and some rest with one; between that and a shut mouth there is no middle
        that a relative error should find.
        """
        return self.mask & ~(self.captured[:, None] & (self.labels == ENGLISH.silence_index))

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(**{k: v.to(device) if isinstance(v, Tensor) else v for k, v in vars(self).items()})


def collate(clips: Sequence[AnyClip]) -> Batch:
    """Clips of different lengths to one padded batch. Raises TrainingError if some have states and some have not."""
    clips = [clip.load() for clip in clips]
    frames = torch.tensor([clip.frames for clip in clips])
    heard: dict[str, Tensor | None] = {"states": None, "state_mask": None}
    if all(clip.states is not None for clip in clips):
        heard["states"], counts = _pad([clip.states for clip in clips])
        heard["state_mask"] = torch.arange(int(counts.max()))[None] < counts[:, None]
    elif all(clip.waveform is not None for clip in clips):
        heard["waveform"], heard["lengths"] = _pad([clip.waveform for clip in clips])
    else:
        raise TrainingError("A batch needs the encoder's states of every clip, or the sound of every clip.")
    return Batch(
        names=tuple(clip.name for clip in clips),
        motion=pad_sequence([clip.motion for clip in clips], batch_first=True),
        mask=torch.arange(int(frames.max()))[None] < frames[:, None],
        labels=pad_sequence([clip.labels for clip in clips], batch_first=True, padding_value=-1),
        captured=torch.tensor([clip.captured for clip in clips]),
        **heard,
    )


def _pad(items: list[Tensor]) -> tuple[Tensor, Tensor]:
    return pad_sequence(items, batch_first=True).float(), torch.tensor([len(item) for item in items])


def cropped(clip: AnyClip, frames: int, random: np.random.Generator, config: ModelConfig) -> TrainingClip:
    """A random piece of at most `frames` motion frames, beginning where a motion frame and a hidden state do."""
    if clip.frames <= frames:
        return clip.load()
    step = _common_step(config)
    return piece(clip, int(random.integers((clip.frames - frames) // step + 1)) * step, frames, config).load()


def split_long(clip: AnyClip, seconds: float, config: ModelConfig) -> list[AnyClip]:
    """A clip longer than `seconds` in pieces of about that length, so that long takes count by their length."""
    count = int(np.ceil(clip.frames / (seconds * config.fps)))
    if count <= 1:
        return [clip]
    step = _common_step(config)
    edges = [round(clip.frames * i / count / step) * step for i in range(count)] + [clip.frames]
    return [piece(clip, first, last - first, config) for first, last in zip(edges, edges[1:], strict=False)]


def _common_step(config: ModelConfig) -> int:
    """Motion frames between moments at which a motion frame and a hidden state begin together."""
    if config.speech.resample == "before":  # every motion frame has its own states
        return 1
    return config.fps // int(np.gcd(config.fps, config.speech.state_rate))


def states_per_frame(config: ModelConfig) -> float:
    """Hidden states of the speech encoder for each motion frame."""
    return config.text_frames if config.speech.resample == "before" else config.speech.state_rate / config.fps


def span(first: int, frames: int, rate: float) -> slice:
    """The entries, `rate` of them a motion frame, that belong to `frames` motion frames from `first` on."""
    return slice(round(first * rate), round((first + frames) * rate))


def piece(clip: AnyClip, first: int, frames: int, config: ModelConfig) -> AnyClip:
    """`frames` motion frames from `first` on, with what is heard during them; a stored clip stays on disk."""
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
    """Which clips make up each step of a run: the same for the same seed, whatever was done before.

    `among` are the clip numbers to draw from, None for all.
    """

    def __init__(self, clips: Sequence[AnyClip], config: TrainingConfig, among: Sequence[int] | None = None) -> None:
        self._among = list(range(len(clips)) if among is None else among)
        if not self._among:
            raise TrainingError("There are no training clips: check the data and its splits.")
        self._frames = [clip.frames for clip in clips]
        self._config = config
        self._captured = [i for i in self._among if clips[i].captured]
        self._others = [i for i in self._among if not clips[i].captured]
        self._chances = _chances([clips[i] for i in self._captured])

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass."""
        return max(1, len(self._among) // self._config.batch_size)

    def epoch(self, number: int) -> Iterator[list[int]]:
        """The clip numbers of each batch of an epoch; clips of like length travel together."""
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
        captured = random.choice(self._captured, round(share * total), p=self._chances)
        others = random.permutation(self._others)[: total - len(captured)]
        return random.permutation(np.concatenate([captured, others])).tolist()


def _chances(clips: Sequence[AnyClip]) -> np.ndarray:
    """How likely each clip is drawn: people by the root of their recorded time, a person's clips by their length.

    So one person of whom there is much does not drown the others.
    """
    seconds: dict[str, float] = defaultdict(float)
    for clip in clips:
        seconds[clip.speaker] += clip.frames
    chances = np.array([clip.frames / seconds[clip.speaker] ** 0.5 for clip in clips])
    return chances / chances.sum() if len(clips) else chances


class Triplets:
    """For an anchor clip: another clip of its speaker, and a clip of another speaker; never the clip itself.

    A speaker with a single clip is no anchor, but may be the stranger of others.
    Raises TrainingError, saying `of` which clips, without two speakers or without any speaker who has two clips.
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
        #: Speakers with a single clip, who are never an anchor.
        self.single = tuple(name for name in self._speakers if len(names[name]) < 2)
        if len(self.single) == len(self._speakers):
            raise TrainingError(
                f"The style encoder needs at least one speaker with two clips, and every speaker of the {of} clips has "
                "one; add clips."
            )
        self._clips = clips

    def usable(self, index: int) -> bool:
        """Whether the clip's speaker has another clip."""
        return self._clips[index].speaker not in self.single

    def anchors(self) -> list[int]:
        """The numbers of all usable clips."""
        return [index for index in range(len(self._clips)) if self.usable(index)]

    def draw(self, index: int, random: np.random.Generator) -> tuple[int, int]:
        """(positive, negative) clip numbers for the anchor `index`."""
        clip = self._clips[index]
        own = [i for i in self._by_speaker[clip.speaker] if self._clips[i].name != clip.name]
        others = [name for name in self._speakers if name != clip.speaker]
        stranger = self._by_speaker[others[int(random.integers(len(others)))]]
        return own[int(random.integers(len(own)))], stranger[int(random.integers(len(stranger)))]

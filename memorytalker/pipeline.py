"""The road from a voice to a talking head: sound -> slots and style -> memory -> motion -> mesh.

`animate` only collects what `stream` yields. Sound is heard in windows of `config.window_seconds` that overlap by
`config.overlap_seconds`; where two overlap, motion and memory address fade from one to the other. Windows begin at
fixed frames, so the pieces in which sound arrives change nothing. A `Talker` keeps no state between calls. A mouth that
stays closed in silence, and expression, may be laid over the motion."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from memorytalker.animation import Animation, MotionPiece
from memorytalker.config import ModelConfig, Progress
from memorytalker.errors import InputError
from memorytalker.face.expression import Expression, missing_shapes
from memorytalker.face.head import HeadMesh
from memorytalker.face.mesh_files import expected_mesh, head_for
from memorytalker.face.motion import silence_gain
from memorytalker.models.talker import MemoryTalker
from memorytalker.sound.decode import AudioError, Waveform, load_waveform
from memorytalker.sound.mel import loudness
from memorytalker.sound.prosody import ProsodyTracker
from memorytalker.weights import load_weights

Sound = str | Path | tuple[Any, int] | Waveform  # whatever `audio.load_waveform` takes
SHORTEST_SECONDS = 0.1  # what the encoders hear at the least; a shorter last window is followed by silence
STYLE_SECONDS = 60.0  # the style of a longer sound is the mean over pieces of about this length


class TalkerError(InputError):
    """A request that cannot be met; the message is one plain sentence that names the remedy."""


class StyleSource(enum.Enum):
    """Where the manner of speaking comes from when no sound is named for it."""

    OWN_VOICE = "own voice"


OWN_VOICE = StyleSource.OWN_VOICE  # the sound that is animated; in a stream, its first window


class Talker:
    """A model and a head on a device. Safe to share: choices are arguments, nothing is remembered."""

    def __init__(self, model: MemoryTalker, head: HeadMesh, device: str | torch.device = "cpu") -> None:
        config = model.config
        if config.coordinates != head.template.size:
            raise TalkerError(
                f"These weights move {config.coordinates / 3:g} vertices but the head has {len(head.template)}; "
                f"give the head of {expected_mesh(config.vertex_count)}, or weights for this head."
            )
        self.window = round(config.window_seconds * config.fps)  # frames
        self.overlap = round(config.overlap_seconds * config.fps)
        if not 0 <= self.overlap < self.window:
            raise TalkerError("The configuration's overlap_seconds must be shorter than its window_seconds.")
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        self.head = head

    @classmethod
    def from_pretrained(
        cls, source: str | Path | None = None, device: str | None = None, head: HeadMesh | None = None
    ) -> Talker:
        """A talker with the weights of `source`: a folder, a hub id, or None for the shipped open model.

        `device` is "cuda", "mps", "cpu" or None for the first of these that is there. `head` is the mesh that the
        weights move (`meshes.load_mesh_head` reads one), None for the shipped head. Raises WeightsError, HeadError or
        TalkerError in plain words.
        """
        model = load_weights(source)
        return cls(model, head_for(model.config.vertex_count) if head is None else head, choose_device(device))

    @property
    def config(self) -> ModelConfig:
        """Sizes, rates and slot labels of the model."""
        return self.model.config

    @property
    def mean_style(self) -> np.ndarray:
        """Style weights (n,) of the average training speaker, to compare a person's weights with."""
        return self.model.style_mean.cpu().numpy()

    def animate(
        self,
        sound: Sound,
        style: Sound | StyleSource | None = OWN_VOICE,
        identity: str | None = None,
        expression: bool = False,
        progress: Progress | None = None,
        style_blend: float = 1.0,
        seed: int = 0,
        shut_silence: bool = False,
    ) -> Animation:
        """Make the head say `sound`, a path or (samples, rate in Hz), however long.

        `style` is a sound whose manner of speaking to take: by default the sound itself; None is the neutral style.
        `style_blend` from 0 to 1 goes from the neutral style to that one. `identity` is a name of `head.identities`.
        `expression` adds blinks, gaze, brow accents and idle motion, drawn from `seed`; the mouth stays as it is.
        `shut_silence` closes the mouth where the sound pauses, whatever the network says (see `motion.silence_gain`).
        Raises AudioError, HeadError or TalkerError in plain words.
        """
        waveform = load_waveform(sound)
        weights = self.style_of(waveform if style is OWN_VOICE else style)
        total = frame_count(len(waveform.samples), self.config)
        pieces = []
        for piece in self.stream([waveform.samples], weights, identity, style_blend, expression, seed, shut_silence):
            pieces.append(piece)
            if progress is not None:
                progress(piece.first_frame + len(piece.vertices), total, "motion")
        return Animation(
            vertices=np.concatenate([piece.vertices for piece in pieces]),
            fps=self.config.fps,
            memory_address=np.concatenate([piece.memory_address for piece in pieces]),
            style_weights=pieces[0].style_weights,
            slot_labels=self.config.slots,
            waveform=waveform,
            head=self._head(identity),
        )

    def stream(
        self,
        chunks: Iterable[np.ndarray],
        style: Sound | np.ndarray | StyleSource | None = OWN_VOICE,
        identity: str | None = None,
        style_blend: float = 1.0,
        expression: bool = False,
        seed: int = 0,
        shut_silence: bool = False,
    ) -> Iterator[MotionPiece]:
        """Yield motion while sound arrives: `chunks` are samples at 16 kHz, mono, float, in pieces of any size.

        `style` is as in `animate`, or style weights (n,); the default is the manner of the first window. A piece comes
        when its window is complete, `window_seconds` after the sound began and then every window less its overlap.
        `expression`, `seed` and `shut_silence` are as in `animate`; loud and silent mean against the voice so far.
        """
        template = self._head(identity).template
        layers = self._layers(expression, seed, shut_silence)
        weights = None if style is OWN_VOICE else self._blend(self.style_of(style), style_blend)
        held = None  # frames that the next window will be faded into
        done, level = 0, 0.0
        for samples, frames in self._windows(chunks):
            if weights is None:
                weights = self._blend(self._style_of_samples(samples), style_blend)
            waveform = self._tensor(samples)
            level = max(level, float(loudness(waveform)))
            heard = self._hear(waveform, frames, weights, level)
            layers.hear(samples, done, frames)
            faded = heard if held is None else [_fade(a, b) for a, b in zip(held, heard, strict=True)]
            ready = max(0, frames - self.overlap)
            held = [values[ready:] for values in faded]
            if ready:
                yield self._piece(done, [values[:ready] for values in faded], weights, template, layers)
                done += ready
        if held is None:
            raise AudioError("The stream ended without any sound; give at least one chunk of samples.")
        if len(held[0]):
            yield self._piece(done, held, weights, template, layers)

    def style_of(self, sound: Sound | np.ndarray | None) -> np.ndarray:
        """Style weights (n,) of a sound's manner of speaking; None is the neutral one, an array is returned as is.

        The style of a sound longer than a minute is the mean over equal pieces of at most a minute.
        """
        slots = self.config.slot_count
        if sound is None:
            return np.ones(slots, np.float32)
        if isinstance(sound, np.ndarray):
            weights = np.asarray(sound, np.float32)
            if weights.shape != (slots,) or not np.isfinite(weights).all():
                raise TalkerError(f"Style weights are {slots} finite numbers; a sound is given as (samples, rate).")
            return weights
        return self._style_of_samples(load_waveform(sound).samples)

    def slot_face(self, slot: int | str, style_weights: np.ndarray | None = None) -> np.ndarray:
        """The face (V, 3) in metres that a memory slot, by number or label, stores: the head while speech dwells on it.

        `style_weights` (n,) are as `style_of` gives them, None is the neutral style. Raises ConfigError for a slot that
        is not there, TalkerError for other weights.
        """
        weights = torch.tensor(self.style_of(style_weights), device=self.device)
        offsets = self.model.held_slot(self.config.slot_index(slot), weights).cpu().numpy()
        return self.head.template + offsets.reshape(self.head.template.shape)

    def _style_of_samples(self, samples: np.ndarray) -> np.ndarray:
        pieces = np.array_split(samples, max(1, -(-len(samples) // round(STYLE_SECONDS * self.config.sample_rate))))
        with torch.inference_mode():
            weights = [self.model.style_of(self._tensor(piece)).weights[0] for piece in pieces]
            return torch.stack(weights).mean(0).cpu().numpy()

    def _windows(self, chunks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
        """Cut sound into (samples, frames) windows; the first sample of a window is that of its first frame."""
        first, received = 0, 0  # the next window's first frame; samples so far
        kept = np.zeros(0, np.float32)  # samples from that frame on

        def sample(frame: int) -> int:
            return round(frame * self.config.sample_rate / self.config.fps)

        for chunk in chunks:
            kept = np.concatenate([kept, _checked_chunk(chunk)])
            received += len(chunk)
            while received >= sample(first + self.window):
                yield kept[: sample(first + self.window) - sample(first)], self.window
                advanced = first + self.window - self.overlap
                kept, first = kept[sample(advanced) - sample(first) :], advanced
        finished = first + self.overlap if first else 0
        total = frame_count(received, self.config)
        if received and total > finished:
            yield kept, total - first

    def _hear(self, waveform: torch.Tensor, frames: int, weights: np.ndarray, level: float) -> list[np.ndarray]:
        """One window through the network: offsets (T, 3 V) in metres and memory address (T, n)."""
        style = None if (weights == 1).all() else torch.tensor(weights, device=self.device)[None]
        with torch.inference_mode():
            levels = torch.tensor([level], device=self.device)
            logits = self.model.text_logits(waveform, torch.tensor([frames], device=self.device), levels=levels)
            output = self.model(logits, style_weights=style)
            return [output.offsets[0].cpu().numpy(), output.key_address[0].cpu().numpy()]

    def _piece(
        self, first: int, values: list[np.ndarray], weights: np.ndarray, template: np.ndarray, layers: _Layers
    ) -> MotionPiece:
        offsets, address = values
        offsets = layers.over(first, offsets.reshape(-1, *template.shape))
        return MotionPiece(first, template + offsets, address, weights, self.config.fps)

    def _layers(self, expression: bool, seed: int, shut_silence: bool) -> _Layers:
        if not isinstance(seed, (int, np.integer)) or seed < 0:
            raise TalkerError(f"The seed of an expression is a whole number from 0 on, not {seed!r}.")
        if expression and missing_shapes(self.head):
            raise TalkerError(
                "This head has no blendshapes for eyes and brows; leave expression off, or use the shipped head."
            )
        listener = ProsodyTracker(self.config.fps, self.config.sample_rate) if expression or shut_silence else None
        return _Layers(self.head, listener, Expression(self.config.fps, seed) if expression else None, shut_silence)

    def _tensor(self, samples: np.ndarray) -> torch.Tensor:
        """(1, S) on the device, at least as long as the encoders can hear."""
        missing = round(SHORTEST_SECONDS * self.config.sample_rate) - len(samples)
        return torch.from_numpy(np.pad(samples, (0, max(0, missing)))).to(self.device)[None]

    def _head(self, identity: str | None) -> HeadMesh:
        return self.head if identity is None else self.head.with_identity(identity)

    @staticmethod
    def _blend(weights: np.ndarray, blend: float) -> np.ndarray:
        if not 0 <= blend <= 1:
            raise TalkerError(f"style_blend goes from 0 (neutral) to 1 (the whole style), not {blend!r}.")
        return (1 + np.float32(blend) * (weights - 1)).astype(np.float32) if blend < 1 else weights


@dataclass(frozen=True, eq=False)
class _Layers:
    """What is laid over the motion of one sound; without a listener, nothing."""

    head: HeadMesh
    listener: ProsodyTracker | None
    expression: Expression | None
    shut_silence: bool

    def hear(self, samples: np.ndarray, first: int, frames: int) -> None:
        """Take in a window of sound before its frames are asked for."""
        if self.listener is not None:
            self.listener.hear(samples, first, frames)

    def over(self, first: int, offsets: np.ndarray) -> np.ndarray:
        """Offsets (t, V, 3) of the frames from `first` on, with the layers over them."""
        if self.listener is None:
            return offsets
        heard = self.listener.heard
        if self.shut_silence:
            past = min(first, round(heard.fps))  # a silence older than a second is shut: when it began tells no more
            gain = silence_gain(heard.quiet[first - past :], heard.fps)[past : past + len(offsets)]
            offsets = offsets * gain[:, None, None]
        if self.expression is not None:
            offsets = offsets + self.expression.curves(first, len(offsets), heard).to_motion(self.head).offsets
        return offsets


def choose_device(name: str | None = None) -> torch.device:
    """The device of a name ("cuda", "cuda:1", "mps", "cpu"), or the first that is there. Raises TalkerError."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return torch.device(next(kind for kind, present in there.items() if present))
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    missing = device is not None and device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    if device is None or missing or not there.get(device.type):
        available = ", ".join(kind for kind, present in there.items() if present)
        raise TalkerError(f"There is no device {name!r} here; available: {available}.")
    return device


def frame_count(samples: int, config: ModelConfig) -> int:
    """Motion frames of so many samples: seconds times fps, rounded, at least 1."""
    return max(1, round(samples * config.fps / config.sample_rate))


def _checked_chunk(chunk: Any) -> np.ndarray:
    samples = np.asarray(chunk)
    if samples.ndim != 1 or samples.dtype.kind != "f" or not np.isfinite(samples).all():
        raise AudioError("A stream's chunks are one-dimensional arrays of finite float samples at 16 kHz.")
    return samples.astype(np.float32)


def _fade(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Fade linearly from `before` (O, c) into the first O frames of `after` (T, c); weights sum to 1 in each frame."""
    ramp = (np.arange(1, len(before) + 1, dtype=np.float32) / (len(before) + 1))[:, None]
    faded = after.copy()
    faded[: len(before)] += (1 - ramp) * (before - after[: len(before)])
    return faded

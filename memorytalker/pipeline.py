"""The road from a voice to a talking head: sound -> slots and style -> memory -> motion -> mesh.

`animate` and `stream` share one road: sound is cut into overlapping windows (`windows.py`), so the pieces in which it
arrives change nothing. A `Talker` keeps no state between calls. What the network says may be laid over: a mouth that
shuts in silence, and expression above it.
"""

from __future__ import annotations

import enum
import itertools
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
from memorytalker.sound.prosody import ProsodyTracker
from memorytalker.weights import load_weights
from memorytalker.windows import Window, cut_windows, faded_motion, frame_count, heard_style, window_frames

Sound = str | Path | tuple[Any, int] | Waveform  # whatever `audio.load_waveform` takes


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
        window, overlap = window_frames(config)
        if not 0 <= overlap < window:
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

        They are taken as they are: an offset, which `animate` takes away, stays. `style` is as in `animate`, or style
        weights (n,); the default is the manner of the first window. A piece comes when its window is complete, then
        every window less its overlap. The other choices are as in `animate`; loudness counts against the voice so far.
        """
        template = self._head(identity).template
        layers = self._layers(expression, seed, shut_silence)
        windows = cut_windows(map(_checked_chunk, chunks), self.config)
        first = next(windows, None)
        if first is None:
            raise AudioError("The stream ended without any sound; give at least one chunk of samples.")
        own = self._style_of_samples(first.samples) if style is OWN_VOICE else self.style_of(style)
        weights = self._blend(own, style_blend)
        neutral = (weights == 1).all()
        given = None if neutral else torch.tensor(weights, device=self.device)[None]
        heard = layers.listening(itertools.chain([first], windows))
        for frame, offsets, address in faded_motion(self.model, heard, given):
            offsets = layers.over(frame, offsets.reshape(-1, *template.shape))
            yield MotionPiece(frame, template + offsets, address, weights, self.config.fps)

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
        return heard_style(self.model, samples).cpu().numpy()

    def _layers(self, expression: bool, seed: int, shut_silence: bool) -> _Layers:
        if not isinstance(seed, (int, np.integer)) or seed < 0:
            raise TalkerError(f"The seed of an expression is a whole number from 0 on, not {seed!r}.")
        if expression and missing_shapes(self.head):
            raise TalkerError(
                "This head has no blendshapes for eyes and brows; leave expression off, or use the shipped head."
            )
        listener = ProsodyTracker(self.config.fps, self.config.sample_rate) if expression or shut_silence else None
        return _Layers(self.head, listener, Expression(self.config.fps, seed) if expression else None, shut_silence)

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

    def listening(self, windows: Iterable[Window]) -> Iterator[Window]:
        """The same windows, each taken in before its frames are asked for."""
        for window in windows:
            if self.listener is not None:
                self.listener.hear(window.samples, window.first, window.frames)
            yield window

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


def _checked_chunk(chunk: Any) -> np.ndarray:
    samples = np.asarray(chunk)
    if samples.ndim != 1 or samples.dtype.kind != "f" or not np.isfinite(samples).all():
        raise AudioError("A stream's chunks are one-dimensional arrays of finite float samples at 16 kHz.")
    return samples.astype(np.float32)

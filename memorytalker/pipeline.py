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
from typing import Any, Unpack

import numpy as np
import torch

from memorytalker.animation import Animation, MotionPiece
from memorytalker.config import ModelConfig
from memorytalker.errors import InputError
from memorytalker.face.expression import Expression, missing_shapes
from memorytalker.face.head import HeadMesh
from memorytalker.face.mesh_files import expected_mesh, head_for
from memorytalker.face.motion import silence_gain
from memorytalker.models.talker import MemoryTalker
from memorytalker.options import AnimateChanges, AnimateOptions
from memorytalker.progress import Progress
from memorytalker.sound.decode import AudioError, Waveform, load_waveform
from memorytalker.sound.prosody import ProsodyTracker
from memorytalker.weights import load_weights
from memorytalker.windows import Window, cut_windows, faded_motion, frame_count, style_weights_of, window_frames

Sound = str | Path | tuple[Any, int] | Waveform  # whatever `audio.load_waveform` takes


class TalkerError(InputError):
    """A request that cannot be met; the message is one plain sentence that names the remedy."""


class StyleSource(enum.Enum):
    """Where the manner of speaking comes from when no sound is named for it."""

    OWN_VOICE = "own voice"


OWN_VOICE = StyleSource.OWN_VOICE  # the sound that is animated; in a stream, its first window


class Talker:
    """A model and a head on a device. Safe to share between threads: choices are arguments, nothing is remembered.

    Args:
        model: the network; it is moved to the device and put into evaluation mode.
        head: the mesh whose vertices the network moves; `meshes.head_for` gives that of a number of vertices.
        device: a torch device or its name, "cpu", "cuda" or "mps".

    Raises:
        TalkerError: a model that moves another mesh, or whose windows do not outlast their overlap.
    """

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
        """A talker with stored weights.

        Args:
            source: a weights folder, or owner/name@commit on the model hub; None: the shipped open model.
            device: "cuda", "mps" or "cpu"; None: the first of these that is there.
            head: the mesh that the weights move (`meshes.load_mesh_head` reads one); None: the shipped head.

        Returns:
            The talker, ready to animate.

        Raises:
            WeightsError: no weights there, or damaged ones.
            HeadError, TalkerError: no head that these weights move, or a device that is not there.
        """
        model = load_weights(source)
        return cls(model, head_for(model.config.vertex_count) if head is None else head, choose_device(device))

    @property
    def config(self) -> ModelConfig:
        """Sizes, rates and slot labels of the model."""
        return self.model.config

    @property
    def mean_style(self) -> np.ndarray:
        """Style weights (n,) float32 of the average training speaker, to compare a person's weights with."""
        return self.model.style_mean.cpu().numpy()

    def animate(
        self,
        sound: Sound,
        style: Sound | np.ndarray | StyleSource | None = OWN_VOICE,
        *,
        options: AnimateOptions = AnimateOptions(),
        progress: Progress | None = None,
        **changes: Unpack[AnimateChanges],
    ) -> Animation:
        """Make the head say a sound, however long.

        Args:
            sound: a path, a pair (samples, rate in Hz) or a Waveform, as `load_waveform` takes it.
            style: the speaking style: another such sound, style weights (n,), None for the neutral style; by default
                that of the whole sound itself.
            options: everything else that may be chosen.
            progress: called as progress(frames done, frames in all, "motion") after each window.
            changes: fields of AnimateOptions as keywords, in the place of those of `options`.

        Returns:
            The animation at `config.fps` frames a second: T = seconds times fps, rounded, at least 1.

        Raises:
            AudioError: a sound that cannot be read, is shorter than 0.1 s or too long.
            ConfigError: an option out of range, or a style of a model that knows its speakers by label.
            HeadError: an identity that the head does not have.
            TalkerError: style weights of another shape, or expression on a head without blendshapes.
            TypeError: a keyword that is no option.
        """
        options = options.changed(**changes)
        head, layers = self._head(options.identity), self._layers(options)
        waveform = load_waveform(sound)
        weights = self._style_of_samples(waveform.samples) if style is OWN_VOICE else self.style_of(style)
        total = frame_count(len(waveform.samples), self.config)
        pieces = []
        for piece in self._motion([waveform.samples], weights, options.style_blend, head, layers):
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
            head=head,
        )

    def stream(
        self,
        chunks: Iterable[np.ndarray],
        style: Sound | np.ndarray | StyleSource | None = OWN_VOICE,
        *,
        options: AnimateOptions = AnimateOptions(),
        **changes: Unpack[AnimateChanges],
    ) -> Iterator[MotionPiece]:
        """Yield motion window by window while sound arrives; this is not live, for a piece waits for its window.

        With the shipped weights the first piece, ten seconds of motion, comes when twelve seconds of sound are there
        (`config.window_seconds`, less `config.overlap_seconds`), then one every ten, and the rest at the end. Given the
        same style, the pieces are the frames of `animate` to the last bit, however the sound is cut. Loud and silent
        mean against the voice so far.

        Args:
            chunks: samples (s,), float in [-1, 1], 16 kHz, mono, in pieces of any size, taken as they are: a constant
                offset, which `animate` takes away, stays.
            style: as in `animate`, but by default that of the first window, for the rest has not been heard.
            options, changes: as in `animate`.

        Returns:
            Pieces that follow each other without a gap.

        Raises:
            AudioError: chunks that are no such samples, or none at all; when it comes to them.
            ConfigError, HeadError, TalkerError, TypeError: as `animate`, before any chunk is taken.
        """
        options = options.changed(**changes)
        head, layers = self._head(options.identity), self._layers(options)
        weights = None if style is OWN_VOICE else self.style_of(style)
        return self._motion(map(_checked_chunk, chunks), weights, options.style_blend, head, layers)

    def style_of(self, sound: Sound | np.ndarray | None) -> np.ndarray:
        """The speaking style of a sound, as one weight for each memory slot.

        Args:
            sound: a path, a pair (samples, rate in Hz) or a Waveform; None: the neutral style; an array: style weights
                (n,), which are checked and returned as they are.

        Returns:
            Style weights (n,) float32, ones for the neutral style. That of a sound longer than a minute is the mean
            over equal pieces of at most a minute.

        Raises:
            AudioError: a sound that cannot be used.
            ConfigError: a model that knows its speakers by label and hears no style.
            TalkerError: style weights of another shape, or not finite.
        """
        if sound is None:
            return np.ones(self.config.slot_count, np.float32)
        if not isinstance(sound, np.ndarray):
            return self._style_of_samples(load_waveform(sound).samples)
        weights, slots = np.asarray(sound, np.float32), self.config.slot_count
        if weights.shape != (slots,) or not np.isfinite(weights).all():
            raise TalkerError(f"Style weights are {slots} finite numbers; a sound is given as (samples, rate).")
        return weights

    def slot_face(self, slot: int | str, style_weights: np.ndarray | None = None) -> np.ndarray:
        """The face that a memory slot stores: the head while speech dwells on that slot.

        Args:
            slot: its number from 0, or its label, such as "aa".
            style_weights: (n,) as `style_of` gives them; None: the neutral style.

        Returns:
            Vertices (V, 3) float32 in metres, y up.

        Raises:
            ConfigError: a slot that is not there.
            TalkerError: style weights of another shape.
        """
        weights = torch.tensor(self.style_of(style_weights), device=self.device)
        offsets = self.model.held_slot(self.config.slot_index(slot), weights).cpu().numpy()
        return self.head.template + offsets.reshape(self.head.template.shape)

    def _motion(
        self, chunks: Iterable[np.ndarray], style: np.ndarray | None, blend: float, head: HeadMesh, layers: _Layers
    ) -> Iterator[MotionPiece]:
        """What `animate` and `stream` share: checked samples -> pieces, without `style` in that of the first window."""
        windows = cut_windows(chunks, self.config)
        first = next(windows, None)
        if first is None:
            raise AudioError("The stream ended without any sound; give at least one chunk of samples.")
        weights = _blended(self._style_of_samples(first.samples) if style is None else style, blend)
        given = None if (weights == 1).all() else torch.tensor(weights, device=self.device)[None]
        heard = layers.listening(itertools.chain([first], windows))
        for frame, offsets, address in faded_motion(self.model, heard, given):
            offsets = layers.over(frame, offsets.reshape(-1, *head.template.shape))
            yield MotionPiece(frame, head.template + offsets, address, weights, self.config.fps)

    def _style_of_samples(self, samples: np.ndarray) -> np.ndarray:
        return style_weights_of(self.model, samples).cpu().numpy()

    def _layers(self, options: AnimateOptions) -> _Layers:
        expression, shut = options.expression, options.close_in_silence
        if expression and missing_shapes(self.head):
            raise TalkerError(
                "This head has no blendshapes for eyes and brows; leave expression off, or use the shipped head."
            )
        listener = ProsodyTracker(self.config.fps, self.config.sample_rate) if expression or shut else None
        return _Layers(self.head, listener, Expression(self.config.fps, options.seed) if expression else None, shut)

    def _head(self, identity: str | None) -> HeadMesh:
        return self.head if identity is None else self.head.with_identity(identity)


@dataclass(frozen=True, eq=False)
class _Layers:
    """What is laid over the motion of one sound; without a listener, nothing."""

    head: HeadMesh
    listener: ProsodyTracker | None
    expression: Expression | None
    close_in_silence: bool

    def listening(self, windows: Iterable[Window]) -> Iterator[Window]:
        """The same windows, each taken in before its frames are asked for."""
        for window in windows:
            if self.listener is not None:
                self.listener.track(window.samples, window.first, window.frames)
            yield window

    def over(self, first: int, offsets: np.ndarray) -> np.ndarray:
        """Offsets (t, V, 3) of the frames from `first` on, with the layers over them."""
        if self.listener is None:
            return offsets
        prosody = self.listener.prosody
        if self.close_in_silence:
            past = min(first, round(prosody.fps))  # a silence older than a second is shut: when it began tells no more
            gain = silence_gain(prosody.quiet[first - past :], prosody.fps)[past : past + len(offsets)]
            offsets = offsets * gain[:, None, None]
        if self.expression is not None:
            offsets = offsets + self.expression.curves(first, len(offsets), prosody).to_motion(self.head).offsets
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


def _blended(weights: np.ndarray, blend: float) -> np.ndarray:
    """Style weights (n,) between neutral (blend 0) and the whole style (1)."""
    return (1 + np.float32(blend) * (weights - 1)).astype(np.float32) if blend < 1 else weights

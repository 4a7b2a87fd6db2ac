"""Sound of any length through a network that processes a few seconds at once, as one continuous motion.

Sound is cut into windows of `config.window_seconds` that overlap by `config.overlap_seconds`. Windows begin at fixed
frames, so the result does not depend on the chunks in which sound arrives. Where two windows overlap, coordinates
and memory address are cross-faded. Animation, streaming and evaluation all go through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import ModelConfig
from memorytalker.models.talker import MemoryTalker
from memorytalker.sound.decode import AudioError
from memorytalker.sound.mel import loudness

SHORTEST_SECONDS = 0.1  # the least that the encoders take; a shorter last window is padded with silence
STYLE_SECONDS = 60.0  # longer sound is cut into equal pieces of at most this length, whose styles are averaged


@dataclass(frozen=True, eq=False)
class Window:
    """Sound that passes the network in one piece.

    Args:
        first: its first motion frame.
        samples: (S,) float32 at the model's sample rate, from the first sample of the first frame on.
        frames: how many motion frames are wanted of it.
    """

    first: int
    samples: np.ndarray
    frames: int


def frame_count(samples: int, config: ModelConfig) -> int:
    """Return the number of motion frames for this many samples: seconds times fps, rounded, at least 1."""
    return max(1, round(samples * config.fps / config.sample_rate))


def window_frames(config: ModelConfig) -> tuple[int, int]:
    """Return the frames of a window, and the frames that two neighbouring windows share."""
    return round(config.window_seconds * config.fps), round(config.overlap_seconds * config.fps)


def cut_windows(chunks: Iterable[np.ndarray], config: ModelConfig, frames: int | None = None) -> Iterator[Window]:
    """Cut sound into overlapping windows, each as soon as its last sample has arrived.

    Args:
        chunks: samples (s,) float32 at `config.sample_rate`, mono, in chunks of any size.
        config: gives the length and the overlap of windows.
        frames: number of motion frames of the whole sound, if it is known beforehand; None: `frame_count`.

    Returns:
        The windows in order; the last may be shorter. None for a sound without samples.
    """
    size, overlap = window_frames(config)
    first, received = 0, 0  # the next window's first frame; samples so far
    kept = np.zeros(0, np.float32)  # samples from that frame on

    def sample(frame: int) -> int:
        return round(frame * config.sample_rate / config.fps)

    def whole() -> Iterator[Window]:
        nonlocal first, kept
        advanced = first + size - overlap
        yield Window(first, kept[: sample(first + size) - sample(first)], size)
        kept, first = kept[sample(advanced) - sample(first) :], advanced

    for chunk in chunks:
        kept = np.concatenate([kept, chunk])
        received += len(chunk)
        while received >= sample(first + size) and (frames is None or first + size < frames):
            yield from whole()
    total = frame_count(received, config) if frames is None else frames
    while received and first + size < total:  # the sound ends before the frames that are wanted of it
        yield from whole()
    finished = first + overlap if first else 0
    if received and total > finished:
        yield Window(first, kept, total - first)


def checked_chunk(chunk: Any) -> np.ndarray:
    """Return a chunk of a stream (s,) as float32. Raises AudioError for anything but finite float samples."""
    samples = np.asarray(chunk)
    if samples.ndim != 1 or samples.dtype.kind != "f" or not np.isfinite(samples).all():
        raise AudioError("A stream's chunks are one-dimensional arrays of finite float samples at 16 kHz.")
    return samples.astype(np.float32)


def faded_motion(
    model: MemoryTalker, windows: Iterable[Window], style: Tensor | None, logits: list[np.ndarray] | None = None
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Predict the motion of consecutive windows and cross-fade it; yield each piece once it is final.

    Each window is normalised by the loudest level so far, so that silence after speech is not amplified to speech.

    Args:
        model: in evaluation mode, on any device.
        windows: as `cut_windows` gives them.
        style: style weights (1, n) on the model's device; None: the neutral style.
        logits: of the first windows, as `window_logits` gives them, which are not encoded again. Those of the others
            are added to the list. None: all windows are encoded and none are kept.

    Returns:
        Consecutive pieces: first frame, coordinates (t, K) float32 in metres, and memory address (t, n) float32, whose
        rows sum to 1.
    """
    overlap, level = window_frames(model.config)[1], 0.0
    done = 0  # frames yielded
    pending: tuple[np.ndarray, np.ndarray] | None = None  # the frames after them, which the next window overlaps
    for number, window in enumerate(windows):
        waveform = padded(model, window.samples)
        level = max(level, float(loudness(waveform)))
        if logits is not None and number < len(logits):
            encoded = logits[number]
        else:
            encoded = window_logits(model, waveform, window.frames, level)
            if logits is not None:
                logits.append(encoded)
        motion, address = window_motion(model, encoded, style)
        if pending is not None:
            motion, address = _fade(pending[0], motion), _fade(pending[1], address)
        final = max(0, window.frames - overlap)
        pending = motion[final:], address[final:]
        if final:
            yield done, motion[:final], address[:final]
            done += final
    if pending is not None and len(pending[0]):
        yield done, *pending


def window_logits(model: MemoryTalker, waveform: Tensor, frames: int, level: float) -> np.ndarray:
    """Encode the sound of one window, which takes ten times as long as decoding its motion.

    Args:
        model: in evaluation mode.
        waveform: (1, S) on the model's device.
        frames: number of motion frames, T.
        level: r.m.s. loudness to normalise by.

    Returns:
        Slot logits (k T, n) float32 at the text rate. They do not depend on the style.
    """
    with torch.inference_mode():
        counts = torch.tensor([frames], device=waveform.device)
        logits = model.text_logits(waveform, counts, levels=torch.tensor([level], device=waveform.device))
        return logits[0].float().cpu().numpy()


def window_motion(model: MemoryTalker, logits: np.ndarray, style: Tensor | None) -> tuple[np.ndarray, np.ndarray]:
    """Predict the motion of one window.

    Args:
        model: in evaluation mode.
        logits: (k T, n) as `window_logits` gives them.
        style: as in `faded_motion`.

    Returns:
        Coordinates (T, K) float32 in metres, and memory address (T, n) float32.
    """
    with torch.inference_mode():
        output = model(torch.from_numpy(logits).to(model.device)[None], style_weights=style)
        return output.offsets[0].float().cpu().numpy(), output.key_address[0].float().cpu().numpy()


def style_weights_of(model: MemoryTalker, samples: np.ndarray) -> Tensor:
    """Encode the speaking style of a sound of any length.

    Args:
        model: in evaluation mode.
        samples: (S,) float32 at the model's sample rate.

    Returns:
        Style weights (n,) on the model's device: the mean over equal pieces of at most a minute.

    Raises:
        ConfigError: a model that knows its speakers by label.
    """
    count = max(1, -(-len(samples) // round(STYLE_SECONDS * model.config.sample_rate)))
    with torch.inference_mode():
        pieces = [padded(model, piece) for piece in np.array_split(samples, count)]
        return torch.stack([model.style_of(piece).weights[0] for piece in pieces]).mean(0)


def padded(model: MemoryTalker, samples: np.ndarray) -> Tensor:
    """Samples (s,) as a batch (1, S) on the model's device, padded with silence to what the encoders need."""
    missing = round(SHORTEST_SECONDS * model.config.sample_rate) - len(samples)
    return torch.from_numpy(np.pad(samples, (0, max(0, missing)))).to(model.device)[None]


def _fade(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Cross-fade `before` (O, c) linearly into the first O frames of `after` (T, c)."""
    ramp = (np.arange(1, len(before) + 1, dtype=np.float32) / (len(before) + 1))[:, None]
    faded = after.copy()
    faded[: len(before)] += (1 - ramp) * (before - after[: len(before)])
    return faded

"""Windows: sound of any length through a network that hears a few seconds at once, as one uninterrupted motion.

Sound is cut into windows of `config.window_seconds` that overlap by `config.overlap_seconds`. They begin at fixed
frames, so the pieces in which sound arrives change nothing. Where two windows overlap, offsets and memory address are
cross-faded. What animates and what is measured both go through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import ModelConfig
from memorytalker.models.talker import MemoryTalker
from memorytalker.sound.mel import loudness

SHORTEST_SECONDS = 0.1  # what the encoders hear at the least; a shorter last window is followed by silence
STYLE_SECONDS = 60.0  # the style of a longer sound is the mean over pieces of about this length


@dataclass(frozen=True, eq=False)
class Window:
    """Sound that passes the network at once: its first motion frame, its samples, and how many frames are wanted."""

    first: int
    samples: np.ndarray  # (S,) float32 at the model's sample rate, from the first sample of the first frame on
    frames: int


def frame_count(samples: int, config: ModelConfig) -> int:
    """Motion frames of so many samples: seconds times fps, rounded, at least 1."""
    return max(1, round(samples * config.fps / config.sample_rate))


def window_frames(config: ModelConfig) -> tuple[int, int]:
    """Frames of a window, and frames that two neighbours share."""
    return round(config.window_seconds * config.fps), round(config.overlap_seconds * config.fps)


def cut_windows(chunks: Iterable[np.ndarray], config: ModelConfig, frames: int | None = None) -> Iterator[Window]:
    """Cut sound into overlapping windows, each as soon as its last sample has arrived.

    Args:
        chunks: samples (s,) float32 at `config.sample_rate`, mono, in pieces of any size.
        config: says how long windows are and how far they overlap.
        frames: motion frames wanted of the whole sound, where they are known beforehand; None: `frame_count`.

    Returns:
        The windows in order; none for a sound without samples. The last is as long as what is left.
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


def faded_motion(
    model: MemoryTalker, windows: Iterable[Window], style: Tensor | None
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Motion of consecutive windows, cross-faded; each piece comes as soon as no later window can change it.

    Each window is heard at the level of the loudest so far, so that silence after speech is not amplified to it.

    Args:
        model: in evaluation mode, on any device.
        windows: as `cut_windows` gives them.
        style: style weights (1, n) on the model's device; None: the neutral style.

    Returns:
        Pieces that follow each other: first frame, offsets (t, 3 V) float32 in metres from the template, and memory
        address (t, n) float32, whose rows sum to 1.
    """
    overlap, level = window_frames(model.config)[1], 0.0
    done, held = 0, None  # frames given out; those after them, into which the next window will be faded
    for window in windows:
        waveform = padded(model, window.samples)
        level = max(level, float(loudness(waveform)))
        heard = window_motion(model, waveform, window.frames, style, level)
        faded = heard if held is None else [_fade(a, b) for a, b in zip(held, heard, strict=True)]
        ready = max(0, window.frames - overlap)
        held = [values[ready:] for values in faded]
        if ready:
            yield done, *(values[:ready] for values in faded)
            done += ready
    if held is not None and len(held[0]):
        yield done, *held


def window_motion(
    model: MemoryTalker, waveform: Tensor, frames: int, style: Tensor | None, level: float
) -> list[np.ndarray]:
    """One window (1, S) through the network: offsets (T, 3 V) in metres and memory address (T, n), T = `frames`.

    `level` is the loudness to normalise by, `style` as in `faded_motion`.
    """
    with torch.inference_mode():
        counts = torch.tensor([frames], device=waveform.device)
        logits = model.text_logits(waveform, counts, levels=torch.tensor([level], device=waveform.device))
        output = model(logits, style_weights=style)
        return [values[0].float().cpu().numpy() for values in (output.offsets, output.key_address)]


def style_weights_of(model: MemoryTalker, samples: np.ndarray) -> Tensor:
    """Style weights (n,) of a voice: samples (S,) float32 at the model's rate, the mean over pieces of a minute.

    Raises ConfigError for a model that knows its speakers by label.
    """
    count = max(1, -(-len(samples) // round(STYLE_SECONDS * model.config.sample_rate)))
    with torch.inference_mode():
        pieces = [padded(model, piece) for piece in np.array_split(samples, count)]
        return torch.stack([model.style_of(piece).weights[0] for piece in pieces]).mean(0)


def padded(model: MemoryTalker, samples: np.ndarray) -> Tensor:
    """Samples as (1, S) on the model's device, followed by silence where the encoders could not hear them else."""
    missing = round(SHORTEST_SECONDS * model.config.sample_rate) - len(samples)
    return torch.from_numpy(np.pad(samples, (0, max(0, missing)))).to(model.style_mean.device)[None]


def _fade(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Fade linearly from `before` (O, c) into the first O frames of `after` (T, c); weights sum to 1 in each frame."""
    ramp = (np.arange(1, len(before) + 1, dtype=np.float32) / (len(before) + 1))[:, None]
    faded = after.copy()
    faded[: len(before)] += (1 - ramp) * (before - after[: len(before)])
    return faded

"""Several sounds through the speech encoder at once, which takes less time than one after the other.

Only the encoder takes them together: it is most of an animation's time, and what it gives is as `Animation.encoded`
keeps it, from which every sound is animated by itself. Padding is masked, so a sound's logits are those that it has
alone, within rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from memorytalker.animation import EncodedSound, known_sound
from memorytalker.config import ModelConfig
from memorytalker.errors import InputError
from memorytalker.models.talker import MemoryTalker
from memorytalker.sound.mel import loudness
from memorytalker.windows import cut_windows, frame_count, padded, window_frames

#: Windows that pass the encoder at once, at the most: more save no time, and the memory that they take is bounded.
MOST_WINDOWS = 8
#: The least share of the longest window of a batch that its shortest has; the rest would be computed for nothing.
LEAST_SHARE = 0.5

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class _Window:
    """One window of one sound: whose it is, samples (S,), motion frames, and the level that it is normalised by."""

    sound: int
    samples: Tensor
    frames: int
    level: float


def encode_sounds(model: MemoryTalker, sounds: Sequence[np.ndarray], model_digest: str) -> list[EncodedSound]:
    """Encode several sounds, window by window of similar lengths together.

    Args:
        model: in evaluation mode.
        sounds: samples (S,) of each at the model's sample rate.
        model_digest: sha256 of the weights, as `known_sound` takes it.

    Returns:
        What the speech encoder gives for each. Logits are those of `windows.window_logits` within rounding. A sound of
        more than `MOST_WINDOWS` windows has none, so that it is encoded as it is animated and its windows are not kept.
    """
    windows = [
        window
        for number, samples in enumerate(sounds)
        if window_count(len(samples), model.config) <= MOST_WINDOWS
        for window in _windows(model, number, samples)
    ]
    order = sorted(range(len(windows)), key=lambda place: len(windows[place].samples), reverse=True)
    found: dict[int, np.ndarray] = {}
    for batch in _batches(order, [len(window.samples) for window in windows]):
        found.update(zip(batch, _logits(model, [windows[place] for place in batch]), strict=True))
    logits: list[list[np.ndarray]] = [[] for _ in sounds]
    for place, window in enumerate(windows):
        logits[window.sound].append(found[place])
    return [
        EncodedSound(known_sound(None, samples, model_digest).digest, tuple(own))
        for samples, own in zip(sounds, logits, strict=True)
    ]


def in_groups(items: Iterable[Item], samples_of: Callable[[Item], int], config: ModelConfig) -> Iterator[list[Item]]:
    """Divide sounds into groups that `encode_sounds` takes at once, without changing their order.

    Args:
        items: the sounds, which are taken as they are needed.
        samples_of: the number of samples of one.
        config: gives the length of a window.

    Returns:
        Groups of at most `MOST_WINDOWS` windows together. A sound of more windows is a group of its own.

    Raises:
        InputError: that of an item which cannot be taken, after the group of those before it.
    """
    group: list[Item] = []
    total = 0
    try:
        for item in items:
            count = window_count(samples_of(item), config)
            if group and total + count > MOST_WINDOWS:
                yield group
                group, total = [], 0
            group.append(item)
            total += count
            if total >= MOST_WINDOWS:
                yield group
                group, total = [], 0
            del item  # which may be long, and would be held while the next is read
    except InputError:
        if group:
            yield group
        raise
    if group:
        yield group


def window_count(samples: int, config: ModelConfig) -> int:
    """Return the number of windows into which `windows.cut_windows` cuts a sound of this many samples."""
    size, overlap = window_frames(config)
    return 1 + max(0, -(-(frame_count(samples, config) - size) // (size - overlap)))


def _windows(model: MemoryTalker, number: int, samples: np.ndarray) -> Iterator[_Window]:
    """The windows of a sound, each with the loudest level so far, as `windows.faded_motion` normalises them."""
    level = 0.0
    for window in cut_windows([samples], model.config):
        waveform = padded(model, window.samples)
        level = max(level, float(loudness(waveform)))
        yield _Window(number, waveform[0], window.frames, level)


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Divide places, the longest first, into batches of at most `MOST_WINDOWS` of similar lengths."""
    batch: list[int] = []
    for place in order:
        if batch and (len(batch) == MOST_WINDOWS or lengths[place] < LEAST_SHARE * lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _logits(model: MemoryTalker, windows: Sequence[_Window]) -> list[np.ndarray]:
    """Slot logits (k T, n) float32 of each window."""
    waveforms, device = [window.samples for window in windows], model.device
    frames = torch.tensor([window.frames for window in windows], device=device)
    lengths = torch.tensor([len(waveform) for waveform in waveforms], device=device)
    levels = torch.tensor([window.level for window in windows], device=device)
    with torch.inference_mode():
        logits = model.text_logits(pad_sequence(waveforms, batch_first=True), frames, lengths, levels)
    counts = [window.frames * model.config.text_frames for window in windows]
    return [own[:count].float().cpu().numpy().copy() for own, count in zip(logits, counts, strict=True)]

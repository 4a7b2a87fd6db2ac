"""Predictions for clips with cached features, in the model's coordinates, with any style for each clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from memorytalker.config import TrainingConfig
from memorytalker.models.talker import MemoryTalker, TalkerOutput
from memorytalker.training.data import AnyClip, collate
from memorytalker.training.memorize import batch_logits
from memorytalker.training.stylize import style_of

#: Frames of a padded batch.
BATCH_FRAMES = 4000
#: Fit of the oracle styles: steps, learning rate, and clips per speaker at the most.
ORACLE_STEPS, ORACLE_RATE, ORACLE_CLIPS = 40, 0.05, 8


def batches(clips: Sequence[AnyClip], frames: int = BATCH_FRAMES) -> Iterator[list[int]]:
    """Yield batches of clip numbers: clips of similar length, at most `frames` padded frames, or a single clip."""
    group: list[int] = []
    for index in sorted(range(len(clips)), key=lambda i: clips[i].frames):
        if group and (len(group) + 1) * clips[index].frames > frames:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


@torch.no_grad()
def encode_styles(model: MemoryTalker, clips: Sequence[AnyClip]) -> Tensor:
    """Compute the style weights w_s (N, n) from each clip's whole sound, or from its label in a labelled model."""
    model.eval()
    weights = torch.empty(len(clips), model.config.slot_count)
    for chosen in batches(clips):
        style = style_of(model, [clips[i] for i in chosen], TrainingConfig(), np.random.default_rng(0))
        weights[chosen] = style.weights.cpu()
    return weights


@dataclass(frozen=True)
class Encoded:
    """An encoded batch: indices of its clips, slot logits (B, k T, n), mask (B, T) and lengths in frames."""

    numbers: list[int]
    logits: Tensor
    mask: Tensor
    frames: list[int]


@torch.no_grad()
def encode(model: MemoryTalker, clips: Sequence[AnyClip]) -> list[Encoded]:
    """Encode clips in batches: everything that does not depend on the style."""
    model.eval()
    device, encoded = next(model.parameters()).device, []
    for chosen in batches(clips):
        batch = collate([clips[i] for i in chosen]).to(device)
        encoded.append(Encoded(chosen, batch_logits(model, batch), batch.mask, [clips[i].frames for i in chosen]))
    return encoded


@torch.no_grad()
def outputs(
    model: MemoryTalker, encoded: Sequence[Encoded], styles: Tensor | None = None
) -> Iterator[tuple[int, TalkerOutput, int, int]]:
    """Yield (clip index, output of its batch, row, frames) for every clip; styles (N, n), None for neutral."""
    model.eval()
    for batch in encoded:
        style = None if styles is None else styles[batch.numbers].to(batch.logits.device)
        output = model(batch.logits, batch.mask, style)
        for row, (index, frames) in enumerate(zip(batch.numbers, batch.frames, strict=True)):
            yield index, output, row, frames


def predicted(model: MemoryTalker, encoded: Sequence[Encoded], styles: Tensor | None = None) -> list[np.ndarray]:
    """Predict the coordinates (T, K) of each clip; styles (N, n), None for neutral."""
    rows = outputs(model, encoded, styles)
    by_clip = {index: output.offsets[row, :frames].cpu().numpy() for index, output, row, frames in rows}
    return [by_clip[index] for index in range(len(by_clip))]


def still(clips: Sequence[AnyClip]) -> list[np.ndarray]:
    """Predict a face that never moves."""
    return [np.zeros(clip.motion.shape, np.float32) for clip in clips]


def clips_of_other_speakers(clips: Sequence[AnyClip], seed: int = 0) -> list[int]:
    """Draw for each clip the index of a clip of another speaker. Raises ValueError if there is only one speaker."""
    random, speakers = np.random.default_rng(seed), np.array([clip.speaker for clip in clips])
    if len(set(speakers)) < 2:
        raise ValueError("Another speaker's style needs clips of at least two speakers.")
    return [int(random.choice(np.flatnonzero(speakers != speaker))) for speaker in speakers]


def best_styles(model: MemoryTalker, clips: Sequence[AnyClip]) -> Tensor:
    """Fit one style w_s per speaker to the true motion of some of the speaker's clips; (N, n), one row per clip.

    This is an upper bound for any style encoder with this memory.
    """
    weights = torch.ones(len(clips), model.config.slot_count)
    for speaker in sorted({clip.speaker for clip in clips}):
        own = [i for i, clip in enumerate(clips) if clip.speaker == speaker]
        weights[own] = _fitted(model, [clips[i] for i in own[:ORACLE_CLIPS]])
    return weights


def _fitted(model: MemoryTalker, clips: list[AnyClip]) -> Tensor:
    model.requires_grad_(False)
    encoded, scale = encode(model, clips), model.config.motion_scale
    device = encoded[0].logits.device
    targets = [pad_sequence([clips[i].motion for i in b.numbers], batch_first=True).to(device) for b in encoded]
    style = torch.ones(model.config.slot_count, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([style], lr=ORACLE_RATE)
    frames = sum(clip.frames for clip in clips)
    for _ in range(ORACLE_STEPS):
        optimizer.zero_grad()
        for batch, target in zip(encoded, targets, strict=True):
            output = model(batch.logits, batch.mask, style.expand(len(batch.numbers), -1))
            error = ((output.offsets - target) * scale).square().sum(-1)
            (torch.where(batch.mask, error, 0.0).sum() / frames).backward()
        optimizer.step()
    return style.detach().cpu()

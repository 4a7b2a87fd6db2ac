"""What a model makes of clips with cached features, in its own coordinates, with any style for each clip."""

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
#: Of the fitting of an oracle: steps, their size, and of how many clips of a speaker.
ORACLE_STEPS, ORACLE_RATE, ORACLE_CLIPS = 40, 0.05, 8


def batches(clips: Sequence[AnyClip], frames: int = BATCH_FRAMES) -> Iterator[list[int]]:
    """Clip numbers in groups of like length, each of at most so many padded frames or of one clip."""
    group: list[int] = []
    for index in sorted(range(len(clips)), key=lambda i: clips[i].frames):
        if group and (len(group) + 1) * clips[index].frames > frames:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


@torch.no_grad()
def styles_heard(model: MemoryTalker, clips: Sequence[AnyClip]) -> Tensor:
    """w_s (N, n) of the whole of each clip's own sound, or of its label in a model that knows speakers by label."""
    model.eval()
    weights = torch.empty(len(clips), model.config.slot_count)
    for chosen in batches(clips):
        style = style_of(model, [clips[i] for i in chosen], TrainingConfig(), np.random.default_rng(0))
        weights[chosen] = style.weights.cpu()
    return weights


@dataclass(frozen=True)
class Encoded:
    """A batch of clips as the model hears them: their numbers, slot logits (B, k T, n), mask (B, T) and lengths."""

    numbers: list[int]
    logits: Tensor
    mask: Tensor
    frames: list[int]


@torch.no_grad()
def encode(model: MemoryTalker, clips: Sequence[AnyClip]) -> list[Encoded]:
    """What is the same whatever the style, computed once."""
    model.eval()
    device, heard = next(model.parameters()).device, []
    for chosen in batches(clips):
        batch = collate([clips[i] for i in chosen]).to(device)
        heard.append(Encoded(chosen, batch_logits(model, batch), batch.mask, [clips[i].frames for i in chosen]))
    return heard


@torch.no_grad()
def outputs(
    model: MemoryTalker, heard: Sequence[Encoded], styles: Tensor | None = None
) -> Iterator[tuple[int, TalkerOutput, int, int]]:
    """(clip number, output of its batch, row, frames) for every clip; styles (N, n), None for neutral."""
    model.eval()
    for batch in heard:
        style = None if styles is None else styles[batch.numbers].to(batch.logits.device)
        output = model(batch.logits, batch.mask, style)
        for row, (index, frames) in enumerate(zip(batch.numbers, batch.frames, strict=True)):
            yield index, output, row, frames


def predicted(model: MemoryTalker, heard: Sequence[Encoded], styles: Tensor | None = None) -> list[np.ndarray]:
    """(T, K) coordinates of each clip."""
    found = outputs(model, heard, styles)
    made = {index: output.offsets[row, :frames].cpu().numpy() for index, output, row, frames in found}
    return [made[index] for index in range(len(made))]


def still(clips: Sequence[AnyClip]) -> list[np.ndarray]:
    """A face that never moves."""
    return [np.zeros(clip.motion.shape, np.float32) for clip in clips]


def of_unseen_speakers(clips: Sequence[AnyClip], seed: int = 0) -> list[int]:
    """For each clip the number of a clip of another speaker, drawn by seed. Raises ValueError for one speaker alone."""
    random, speakers = np.random.default_rng(seed), np.array([clip.speaker for clip in clips])
    if len(set(speakers)) < 2:
        raise ValueError("Another speaker's style needs clips of at least two speakers.")
    return [int(random.choice(np.flatnonzero(speakers != speaker))) for speaker in speakers]


def best_styles(model: MemoryTalker, clips: Sequence[AnyClip]) -> Tensor:
    """w_s (N, n), one for each speaker, fitted to the true motion of some of the speaker's clips: what style could do.

    No style encoder can know this much; it bounds what any could gain with this memory.
    """
    weights = torch.ones(len(clips), model.config.slot_count)
    for speaker in sorted({clip.speaker for clip in clips}):
        own = [i for i, clip in enumerate(clips) if clip.speaker == speaker]
        weights[own] = _fitted(model, [clips[i] for i in own[:ORACLE_CLIPS]])
    return weights


def _fitted(model: MemoryTalker, clips: list[AnyClip]) -> Tensor:
    model.requires_grad_(False)
    heard, scale = encode(model, clips), model.config.motion_scale
    device = heard[0].logits.device
    truths = [pad_sequence([clips[i].motion for i in b.numbers], batch_first=True).to(device) for b in heard]
    style = torch.ones(model.config.slot_count, device=device, requires_grad=True)
    optimiser = torch.optim.Adam([style], lr=ORACLE_RATE)
    frames = sum(clip.frames for clip in clips)
    for _ in range(ORACLE_STEPS):
        optimiser.zero_grad()
        for batch, truth in zip(heard, truths, strict=True):
            output = model(batch.logits, batch.mask, style.expand(len(batch.numbers), -1))
            error = ((output.offsets - truth) * scale).square().sum(-1)
            (torch.where(batch.mask, error, 0.0).sum() / frames).backward()
        optimiser.step()
    return style.detach().cpu()

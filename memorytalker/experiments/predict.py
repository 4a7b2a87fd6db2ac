"""What a model makes of clips with cached features, in its own coordinates, with any style for each clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ..config import TrainingConfig
from ..models.talker import MemoryTalker, TalkerOutput
from ..training.data import AnyClip, Batch, collate
from ..training.memorize import stage_one
from ..training.stylize import style_of

#: Frames of a padded batch.
BATCH_FRAMES = 4000
#: Of the fitting of an oracle.
ORACLE_STEPS, ORACLE_RATE = 40, 0.05


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


@torch.no_grad()
def outputs(
    model: MemoryTalker, clips: Sequence[AnyClip], styles: Tensor | None = None
) -> Iterator[tuple[int, TalkerOutput, int, int]]:
    """(clip number, output of its batch, row, frames) for every clip; styles (N, n), None for neutral."""
    model.eval()
    device = next(model.parameters()).device
    for chosen in batches(clips):
        style = None if styles is None else styles[chosen].to(device)
        output = stage_one(model, collate([clips[i] for i in chosen]).to(device), style, motion=False)
        for row, index in enumerate(chosen):
            yield index, output, row, clips[index].frames


def predicted(
    model: MemoryTalker, clips: Sequence[AnyClip], styles: Tensor | None = None
) -> list[np.ndarray]:
    """(T, K) coordinates of each clip."""
    made: list[np.ndarray] = [np.empty(0)] * len(clips)
    for index, output, row, frames in outputs(model, clips, styles):
        made[index] = output.offsets[row, :frames].cpu().numpy()
    return made


def still(clips: Sequence[AnyClip]) -> list[np.ndarray]:
    """A face that never moves."""
    return [np.zeros(clip.motion.shape, np.float32) for clip in clips]


def of_strangers(clips: Sequence[AnyClip], seed: int = 0) -> list[int]:
    """For each clip the number of a clip of another speaker, drawn by seed. Raises ValueError for one speaker alone."""
    random, speakers = np.random.default_rng(seed), np.array([clip.speaker for clip in clips])
    if len(set(speakers)) < 2:
        raise ValueError("Another speaker's style needs clips of at least two speakers.")
    return [int(random.choice(np.flatnonzero(speakers != speaker))) for speaker in speakers]


def best_styles(model: MemoryTalker, clips: Sequence[AnyClip]) -> Tensor:
    """w_s (N, n), one for each speaker, fitted to the true motion of all of the speaker's clips: what style could do.

    No style encoder can know this much; it bounds what any could gain with this memory.
    """
    model.eval()
    weights = torch.ones(len(clips), model.config.slot_count)
    for speaker in sorted({clip.speaker for clip in clips}):
        own = [i for i, clip in enumerate(clips) if clip.speaker == speaker]
        weights[own] = _fitted(model, [clips[i] for i in own])
    return weights


def _fitted(model: MemoryTalker, clips: list[AnyClip]) -> Tensor:
    device, scale = next(model.parameters()).device, model.config.motion_scale
    model.requires_grad_(False)
    groups: list[Batch] = [collate([clips[i] for i in chosen]).to(device) for chosen in batches(clips)]
    style = torch.ones(model.config.slot_count, device=device, requires_grad=True)
    optimiser = torch.optim.Adam([style], lr=ORACLE_RATE)
    frames = sum(int(batch.mask.sum()) for batch in groups)
    for _ in range(ORACLE_STEPS):
        optimiser.zero_grad()
        for batch in groups:
            output = stage_one(model, batch, style.expand(len(batch.names), -1), motion=False)
            error = ((output.offsets - batch.motion) * scale).square().sum(-1)
            (torch.where(batch.mask, error, 0.0).sum() / frames).backward()
        optimiser.step()
    return style.detach().cpu()

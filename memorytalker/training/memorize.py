"""Stage 1, memorizing: general motion from speech content, the memory taught what motion looks like (paper, 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..config import LossConfig, Progress, TrainingConfig
from ..models.talker import MemoryTalker, TalkerOutput
from .data import Batch, Sampler, TrainingClip, collate, cropped
from .losses import Losses, Mouth, memorizing_loss
from .trainer import Means, Trainer


def memorize(
    model: MemoryTalker,
    clips: list[TrainingClip],
    validation: list[TrainingClip],
    mouth: Mouth,
    config: TrainingConfig,
    folder: Path,
    provenance: dict | None = None,
    progress: Progress | None = None,
) -> None:
    """Train stage 1 in place. The style encoder stays as it is: neutral."""
    model.requires_grad_(True)
    model.style.requires_grad_(False)
    if model.config.speech.frozen:
        model.speech.encoder.requires_grad_(False)
    device = next(model.parameters()).device
    frames = round(config.crop_seconds * model.config.fps)

    def step(number: int, chosen: list[int]) -> Losses:
        model.train()
        random = np.random.default_rng((config.seed, number, 1))
        picked = [cropped(clips[i], frames, random, model.config) if frames else clips[i] for i in chosen]
        batch = collate(picked).to(device)
        return _losses(model, batch, mouth, config)

    def validate() -> dict[str, float]:
        return mean_losses(
            lambda batch: _losses(model, batch, mouth, config), validation, config.batch_size, device, config.losses
        )

    Trainer(model, config, folder, Sampler(clips, config)).run(step, validate, provenance or {}, progress)


def stage_one(
    model: MemoryTalker, batch: Batch, style: torch.Tensor | None = None, motion: bool = True
) -> TalkerOutput:
    """One pass over a batch of cached states."""
    frames = batch.motion.shape[1] * model.config.text_frames
    logits = model.speech.logits(batch.states, frames, batch.state_mask)
    return model(logits, batch.mask, style, batch.motion if motion else None)


def _losses(model: MemoryTalker, batch: Batch, mouth: Mouth, config: TrainingConfig) -> Losses:
    output = stage_one(model, batch)
    return memorizing_loss(
        output, batch.motion, batch.mask, config.losses, model.config.motion_scale, batch.labels, mouth,
        model.config.scaling, batch.firm,
    )  # fmt: skip


def mean_losses(
    losses: Callable[[Batch], Losses],
    clips: list[TrainingClip],
    batch_size: int,
    device: torch.device,
    weights: LossConfig,
) -> dict[str, float]:
    """Losses over `clips`, averaged over clips, with "loss" to choose by; see `Means`."""
    means = Means(weights)
    ordered = sorted(clips, key=lambda clip: len(clip.motion))
    for start in range(0, len(ordered), batch_size):
        chosen = ordered[start : start + batch_size]
        means.add(losses(collate(chosen).to(device)), len(chosen))
    return means.figures()

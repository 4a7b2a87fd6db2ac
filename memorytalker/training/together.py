"""Both stages at once: all parts and the style encoder learn end to end. Not the paper's way, but its comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..config import Progress, TrainingConfig
from ..models.talker import MemoryTalker
from .data import Sampler, TrainingClip, Triplets, collate, cropped
from .losses import Losses, Mouth, memorizing_loss, stylizing_loss, together_loss
from .memorize import stage_one
from .stylize import set_style_mean, style_of
from .trainer import Means, Trainer


def train_together(
    model: MemoryTalker,
    clips: list[TrainingClip],
    validation: list[TrainingClip],
    mouth: Mouth,
    config: TrainingConfig,
    folder: Path,
    provenance: dict | None = None,
    progress: Progress | None = None,
) -> None:
    """Train everything in place in one stage; every speaker of `clips` and `validation` needs two clips.

    Afterwards `model.style_mean` is the mean style weight of the training speakers.
    """
    model.requires_grad_(True)
    if model.config.speech.frozen:
        model.speech.encoder.requires_grad_(False)
    frames = round(config.crop_seconds * model.config.fps)
    training, held = Triplets(clips), Triplets(validation)

    def step(number: int, chosen: list[int]) -> Losses:
        model.train()
        random = np.random.default_rng((config.seed, number, 3))
        usable = [i for i in chosen if training.usable(i)] or [next(i for i in range(len(clips)) if training.usable(i))]
        return _losses(model, clips, usable, training, mouth, config, random, frames)

    def validate() -> dict[str, float]:
        random = np.random.default_rng(config.seed)  # the same triplets every time
        usable = [i for i in range(len(validation)) if held.usable(i)]
        usable.sort(key=lambda i: len(validation[i].motion))
        means = Means(config.losses)
        for start in range(0, len(usable), config.batch_size):
            chosen = usable[start : start + config.batch_size]
            means.add(_losses(model, validation, chosen, held, mouth, config, random), len(chosen))
        return means.figures()

    Trainer(model, config, folder, Sampler(clips, config)).run(step, validate, provenance or {}, progress)
    model.eval()
    set_style_mean(model, clips)


def _losses(
    model: MemoryTalker, clips: list[TrainingClip], chosen: list[int], triplets: Triplets, mouth: Mouth,
    config: TrainingConfig, random: np.random.Generator, frames: int = 0,
) -> Losses:  # fmt: skip
    pairs = [triplets.draw(i, random) for i in chosen]
    anchor = style_of(model, [clips[i] for i in chosen], config, random)
    others = [style_of(model, [clips[pair[k]] for pair in pairs], config, random) for k in (0, 1)]
    picked = [cropped(clips[i], frames, random, model.config) if frames else clips[i] for i in chosen]
    batch = collate(picked).to(next(model.parameters()).device)
    output = stage_one(model, batch, anchor.weights)
    scale = model.config.motion_scale
    first = memorizing_loss(
        output, batch.motion, batch.mask, config.losses, scale, batch.labels, mouth, model.config.scaling, batch.firm
    )
    second = stylizing_loss(output, batch.motion, (anchor, *others), mouth, batch.mask, config.losses, scale)
    return together_loss(first, second, config.losses)

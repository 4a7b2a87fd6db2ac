"""Stage 2, animating: the style encoder learns to re-weight the memory; everything else is frozen (paper, 3.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from ..config import Progress, TrainingConfig
from ..models.style import StyleOutput
from ..models.talker import MemoryTalker
from .data import Sampler, TrainingClip, Triplets, collate, cropped
from .losses import Losses, Mouth, motion_loss, stylizing_loss
from .memorize import stage_one
from .trainer import Means, Trainer


def stylize(
    model: MemoryTalker,
    clips: list[TrainingClip],
    validation: list[TrainingClip],
    mouth: Mouth,
    config: TrainingConfig,
    folder: Path,
    provenance: dict | None = None,
    progress: Progress | None = None,
) -> None:
    """Train stage 2 in place; afterwards `model.style_mean` is the mean style weight of the training speakers."""
    model.requires_grad_(False)
    model.style.requires_grad_(True)
    device = next(model.parameters()).device
    frames = round(config.crop_seconds * model.config.fps)
    training, held = Triplets(clips), Triplets(validation)

    def losses(own: list[TrainingClip], chosen: list[int], triplets: Triplets, random: np.random.Generator) -> Losses:
        pairs = [triplets.draw(i, random) for i in chosen]
        anchor = style_of(model, [own[i] for i in chosen], config, random)
        others = [style_of(model, [own[pair[k]] for pair in pairs], config, random) for k in (0, 1)]
        picked = [cropped(own[i], frames, random, model.config) if frames else own[i] for i in chosen]
        batch = collate(picked).to(device)
        output = stage_one(model, batch, anchor.weights, motion=False)
        return stylizing_loss(
            output, batch.motion, (anchor, *others), mouth, batch.mask, config.losses, model.config.motion_scale
        )

    def step(number: int, chosen: list[int]) -> Losses:
        model.eval()
        model.style.train()
        usable = [i for i in chosen if training.usable(i)] or [_any_usable(training, len(clips))]
        return losses(clips, usable, training, np.random.default_rng((config.seed, number, 2)))

    def validate() -> dict[str, float]:
        random = np.random.default_rng(config.seed)  # the same triplets every time
        usable = [i for i in range(len(validation)) if held.usable(i)]
        usable.sort(key=lambda i: len(validation[i].motion))
        means, neutral = Means(config.losses), 0.0
        for start in range(0, len(usable), config.batch_size):
            chosen = usable[start : start + config.batch_size]
            means.add(losses(validation, chosen, held, random), len(chosen))
            neutral += float(_neutral(model, [validation[i] for i in chosen], device)) * len(chosen)
        return {**means.figures(), "neutral_motion": neutral / len(usable)}

    Trainer(model, config, folder, Sampler(clips, config)).run(step, validate, provenance or {}, progress)
    model.eval()
    set_style_mean(model, clips)


def _neutral(model: MemoryTalker, clips: list[TrainingClip], device: torch.device) -> torch.Tensor:
    """The motion loss of stage 1 on whole clips, beside which stage 2 has to prove itself."""
    batch, scale = collate(clips).to(device), model.config.motion_scale
    return motion_loss(stage_one(model, batch, motion=False).offsets * scale, batch.motion * scale, batch.mask)


def style_of(
    model: MemoryTalker, clips: list[TrainingClip], config: TrainingConfig, random: np.random.Generator
) -> StyleOutput:
    """Style of each clip, or of a random piece of it when the configuration limits how much the encoder hears."""
    device = next(model.parameters()).device
    limit = round(config.style_seconds * model.config.sample_rate / model.config.style.hop)
    mels = []
    for clip in clips:
        first = int(random.integers(len(clip.mel) - limit + 1)) if limit and len(clip.mel) > limit else 0
        mels.append(clip.mel[first : first + limit] if limit else clip.mel)
    counts = torch.tensor([len(mel) for mel in mels], device=device)
    return model.style(pad_sequence(mels, batch_first=True).float().to(device).transpose(1, 2), counts)


@torch.no_grad()
def set_style_mean(model: MemoryTalker, clips: list[TrainingClip], per_speaker: int = 6) -> None:
    """The mean w_s over training speakers, each counted once, into the model's buffer."""
    by_speaker: dict[str, list[TrainingClip]] = {}
    for clip in clips:
        by_speaker.setdefault(clip.speaker, []).append(clip)
    rows = []
    for own in by_speaker.values():
        styles = [style_of(model, [clip], TrainingConfig(), np.random.default_rng(0)) for clip in own[:per_speaker]]
        rows.append(torch.cat([style.weights for style in styles]).mean(0))
    model.style_mean.copy_(torch.stack(rows).mean(0))


def _any_usable(triplets: Triplets, count: int) -> int:
    for index in range(count):
        if triplets.usable(index):
            return index
    raise ValueError("The style encoder needs at least one speaker with two clips.")

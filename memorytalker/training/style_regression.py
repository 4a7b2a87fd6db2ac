"""Stage 2 of the open weights in closed form: the style encoder learns each speaker's articulation style.

The paper's stage 2 learns through the decoder, one clip at a time. On our corpus that hardly changes the style weights:
one clip shows its speaker's style with much noise. Here it takes two steps, with the rest of the model frozen:

1. `fitted_styles` fits one vector of style weights per training speaker, through the decoder, to all of their motion.
2. `fit_style_encoder` maps the acoustic statistics of a clip to its speaker's vector by ridge regression. The few
   measures of the whole voice are regularised less than the many mel bands, which could identify each of the few
   speakers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import LARGEST_SEED, LossConfig, check_ranges
from memorytalker.corpus.clips import AUGMENTED_MARK, VOICE_MARK
from memorytalker.corpus.held_vowels import HELD_MARK
from memorytalker.datasets.corpus import NOBODY
from memorytalker.files import write_whole
from memorytalker.models.style import GLOBAL_STATISTICS, LARGEST_DEVIATION, StyleEncoder
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.training.data import AnyClip, Batch, TrainingError, collate, cropped
from memorytalker.training.folder import check_fit, read_saved
from memorytalker.training.losses import MouthVertices, motion_losses
from memorytalker.training.memorize import batch_logits
from memorytalker.training.stylize import style_pieces, update_style_mean


@dataclass(frozen=True)
class StyleRegression:
    """Settings of stage 2 in closed form; the values come from the recipe.

    Attributes:
        fit_steps: optimiser steps of `fitted_styles`.
        fit_speakers: speakers per step, with two clips each.
        fit_rate: learning rate.
        fit_regularization: weight of the mean squared distance from the neutral style.
        crop_seconds: length of the pieces that are fitted.
        losses: weights of the motion losses.
        unaugmented_weight: weight in the regression of a clip as it was recorded; its augmented version has 1.
        ridge: of the band statistics, each over its standard deviation.
        ridge_of_measures: of the measures of the whole voice.
        style_seconds: length of the pieces that are regressed beside whole clips.
        seed: of the random pieces and speakers.
    """

    fit_steps: int
    fit_speakers: int
    fit_rate: float
    fit_regularization: float
    crop_seconds: float
    losses: LossConfig
    unaugmented_weight: float
    ridge: float
    ridge_of_measures: float
    style_seconds: float
    seed: int

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that no fit can have."""
        check_ranges(
            self, fit_steps=(0, 1e7), fit_speakers=(1, 1e6), fit_rate=(0, 10), fit_regularization=(0, 1e6),
            crop_seconds=(0, 3600), unaugmented_weight=(0, 1e6), ridge=(0, 1e9), ridge_of_measures=(0, 1e9),
            style_seconds=(0, 3600), seed=(0, LARGEST_SEED),
        )  # fmt: skip

    @property
    def stage(self) -> str:
        """Name of the stage, as in `TrainingConfig.stage`."""
        return "style_regression"


def style_clips(clips: Sequence[AnyClip]) -> list[AnyClip]:
    """Select the clips of stage 2: those in which a voice speaks as it moves.

    A voice-augmented version of a captured speaker has neither this speaker's voice nor the size of their motion, and
    a held vowel says nothing of a style.
    """
    unlike = (VOICE_MARK, HELD_MARK)
    return [clip for clip in clips if clip.speaker != NOBODY and not any(mark in clip.name for mark in unlike)]


def fit_style_encoder(
    model: MemoryTalker,
    clips: Sequence[AnyClip],
    mouth: MouthVertices | None,
    config: StyleRegression,
    done: Path,
    progress: Progress | None = None,
) -> None:
    """Fit the style encoder in place, with everything else frozen, and update `model.style_mean`.

    Args:
        model: after stage 1, with a style encoder of statistics alone.
        clips: the training clips; see `style_clips`.
        mouth: for the losses of the lips.
        config: the settings.
        done: file for the result; if it exists, it is loaded and nothing is fitted.
        progress: called after each step.

    Raises:
        TrainingError: the style encoder has convolutions, or fewer than two speakers have two clips.
    """
    if model.style.convolutions:
        raise TrainingError("Style regression needs statistics alone: set style.convolutions to false.")
    assert isinstance(model.style, StyleEncoder)  # without convolutions it has statistics
    if done.is_file():
        check_fit(model, state := read_saved(done), done, "style")
        model.load_state_dict(state, strict=False)
        return
    model.requires_grad_(False)
    model.eval()
    by_speaker = _by_speaker(clips)
    if sum(len(own) > 1 for own in by_speaker.values()) < 2:
        raise TrainingError("Style regression needs two speakers with two clips each; add clips.")
    styles = fitted_styles(model, clips, mouth, config, progress)
    _regress(model.style, _features(model, clips, config), clips, styles, config)
    update_style_mean(model, clips)
    kept = {name: value for name, value in model.state_dict().items() if name.startswith("style")}
    done.parent.mkdir(parents=True, exist_ok=True)
    write_whole(done, lambda part: torch.save(kept, part))


@torch.no_grad()
def _regress(
    style: StyleEncoder, features: Tensor, clips: Sequence[AnyClip], styles: dict[str, Tensor], config: StyleRegression
) -> None:
    """Step 2: regress the features (2, N, F) of each clip, whole and in part, to its speaker's style weights.

    A speaker's weight is the square root of the number of their clips. Features are clipped at
    `models.style.LARGEST_DEVIATION` standard deviations, as in inference. Double precision: the
    bands correlate.
    """
    by_speaker = _by_speaker(clips)
    counts = [1.0 if AUGMENTED_MARK in clip.name else config.unaugmented_weight for clip in clips]
    shares = torch.tensor(
        [count / len(by_speaker[clip.speaker]) ** 0.5 for count, clip in zip(counts, clips, strict=True)],
        dtype=torch.float64, device=features.device,
    )  # fmt: skip
    shares = shares.repeat(len(features)) / (len(features) * shares.sum())
    rows = features.double().flatten(0, 1)
    targets = torch.stack([styles[clip.speaker] for clip in clips]).double().repeat(len(features), 1)
    mean = shares @ rows
    spread = (shares @ (rows - mean).square()).sqrt().clamp_min(1e-6)
    rows = ((rows - mean) / spread).clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
    ridge = torch.full_like(mean, config.ridge)
    ridge[-GLOBAL_STATISTICS:] = config.ridge_of_measures
    middle, ordinary = shares @ rows, shares @ targets
    rows, weighed = rows - middle, (rows - middle) * shares[:, None]
    slopes = torch.linalg.solve(weighed.T @ rows + ridge.diag(), weighed.T @ (targets - ordinary))  # (F, n)
    style.start_neutral()
    assert style.statistics is not None
    style.statistics.weight.copy_((1 / spread).diag())
    style.statistics.bias.copy_(-mean / spread)
    style.feature.weight.copy_(slopes.T)
    style.feature.bias.copy_(ordinary - middle @ slopes)


def _features(model: MemoryTalker, clips: Sequence[AnyClip], config: StyleRegression) -> Tensor:
    """The statistics of every clip and of a random piece of it: (2, N, F)."""
    random = np.random.default_rng(config.seed)
    return torch.stack([_statistics(model, clips, length, random) for length in (0.0, config.style_seconds)])


@torch.no_grad()
def _statistics(model: MemoryTalker, clips: Sequence[AnyClip], seconds: float, random: np.random.Generator) -> Tensor:
    """The statistics (N, F) of a random piece of each clip; 0 seconds or a shorter clip: all of it."""
    assert isinstance(model.style, StyleEncoder)  # `fit_style_encoder` checks it
    rows = []
    for clip in clips:
        mel = style_pieces(model, [clip], seconds, random)[0].float().T[None].to(model.style_mean.device)
        rows.append(model.style.statistics_of(mel, torch.tensor([mel.shape[2]], device=mel.device))[0])
    return torch.stack(rows)


def fitted_styles(
    model: MemoryTalker,
    clips: Sequence[AnyClip],
    mouth: MouthVertices | None,
    config: StyleRegression,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Step 1: fit one vector of style weights per speaker to all of their motion.

    Args:
        model: after stage 1; unchanged.
        clips: the training clips.
        mouth: for the losses of the lips.
        config: the settings.
        progress: called after each step.

    Returns:
        Style weights (n,) by speaker.
    """
    by_speaker, random = _by_speaker(clips), np.random.default_rng(config.seed)
    names = sorted(by_speaker)
    device = next(model.parameters()).device
    table = torch.ones(len(names), model.config.slot_count, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([table], config.fit_rate)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(config.fit_steps, 1))
    for step in range(config.fit_steps):
        chosen = random.choice(names, min(config.fit_speakers, len(names)), replace=False)
        order = [
            i for own in (by_speaker[name] for name in chosen) for i in random.choice(own, 2, replace=len(own) < 2)
        ]
        batch = _batch(model, [clips[i] for i in order], config, random)
        rows = table[[names.index(clips[i].speaker) for i in order]]
        with torch.no_grad():
            logits = batch_logits(model, batch)
        offsets = model(logits, batch.mask, rows).offsets
        scale = model.config.motion_scale
        loss = motion_losses(offsets, batch.motion, batch.mask, config.losses, scale, mouth, batch.opening_mask)
        loss = loss + config.fit_regularization * (rows - 1.0).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
        if progress:
            progress(step + 1, config.fit_steps, "fit styles")
    return dict(zip(names, table.detach(), strict=True))


def _batch(
    model: MemoryTalker, clips: Sequence[AnyClip], config: StyleRegression, random: np.random.Generator
) -> Batch:
    frames = round(config.crop_seconds * model.config.fps)
    picked = [cropped(clip, frames, random, model.config) if frames else clip for clip in clips]
    return collate(picked).to(next(model.parameters()).device)


def _by_speaker(clips: Sequence[AnyClip]) -> dict[str, list[int]]:
    by_speaker: dict[str, list[int]] = defaultdict(list)
    for number, clip in enumerate(clips):
        by_speaker[clip.speaker].append(number)
    return by_speaker

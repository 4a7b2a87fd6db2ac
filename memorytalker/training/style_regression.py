"""Stage 2 of the open weights: the style encoder learns to hear the manner that a speaker's motion shows.

The paper's stage 2 learns through the decoder, one clip at a time. On our corpus that hardly moves the style weights: a
clip shows its speaker's manner through much noise. Here it takes two steps, the rest of the model frozen:

1. `fitted_styles`: one vector of style weights for each training speaker, fitted through the decoder to all motion of
   theirs.
2. `fit_style_encoder`: by ridge regression, what is heard in a clip of a speaker becomes that speaker's vector. What is
   measured of a whole voice is trusted more than the many bands: there are few speakers, and the bands tell each apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import LARGEST_SEED, LossConfig, check_ranges
from memorytalker.corpus.clips import AUGMENTED_MARK, VOICE_MARK
from memorytalker.datasets.corpus import NOBODY
from memorytalker.files import write_whole
from memorytalker.models.style import GLOBAL_STATISTICS, LARGEST_DEVIATION, StyleEncoder
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.training.data import AnyClip, Batch, TrainingError, collate, cropped
from memorytalker.training.losses import MouthVertices, visible_loss
from memorytalker.training.memorize import batch_logits
from memorytalker.training.stylize import set_style_mean, style_pieces


@dataclass(frozen=True)
class StyleRegression:
    """How manners are fitted and taught; the recipe says it."""

    fit_steps: int  # of 1.
    fit_speakers: int  # a step, two clips of each
    fit_rate: float
    fit_regularization: float  # weight of the squared distance from the neutral style
    crop_seconds: float
    losses: LossConfig
    unaugmented_weight: float  # in 2.: times as much as its disturbed version a clip counts as it was recorded
    ridge: float  # ridge of the statistics of bands, each over its spread ...
    ridge_of_measures: float  # ... and of what is measured of the whole voice
    style_seconds: float  # pieces of this length are heard beside whole clips
    seed: int

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that no fit can have."""
        check_ranges(
            self, fit_steps=(0, 1e7), fit_speakers=(1, 1e6), fit_rate=(0, 10), fit_pull=(0, 1e6),
            crop_seconds=(0, 3600), undisturbed=(0, 1e6), restraint=(0, 1e9), restraint_of_measures=(0, 1e9),
            style_seconds=(0, 3600), seed=(0, LARGEST_SEED),
        )  # fmt: skip

    @property
    def stage(self) -> str:
        """What it teaches, as `TrainingConfig.stage` says it."""
        return "style_regression"


def style_clips(clips: Sequence[AnyClip]) -> list[AnyClip]:
    """The clips that stage 2 learns from: not those without a voice.

    A captured face that is also heard in augmented voices counts as another speaker there, who is not that person.
    """
    spoken = [clip for clip in clips if clip.speaker != NOBODY]
    return [replace(c, speaker=c.speaker + VOICE_MARK) if VOICE_MARK in c.name else c for c in spoken]


def fit_style_encoder(
    model: MemoryTalker,
    clips: Sequence[AnyClip],
    mouth: MouthVertices | None,
    config: StyleRegression,
    done: Path,
    progress: Progress | None = None,
) -> None:
    """Teach the style encoder in place, everything else frozen; `style_mean` is then that of the training speakers.

    What it learned is written to `done`, and read from there if the file exists. Raises TrainingError for a style
    encoder that hears more than statistics, and without two speakers of two clips each.
    """
    if model.style.convolutions:
        raise TrainingError("Manners are taught to statistics of a voice alone: set style.convolutions to false.")
    if done.is_file():
        model.load_state_dict(torch.load(done, weights_only=True), strict=False)
        return
    model.requires_grad_(False)
    model.eval()
    by_speaker = _by_speaker(clips)
    if sum(len(own) > 1 for own in by_speaker.values()) < 2:
        raise TrainingError("Manners are told apart by two speakers of two clips each; add clips.")
    styles = fitted_styles(model, clips, mouth, config, progress)
    _listen(model.style, _heard(model, clips, config), clips, styles, config)
    set_style_mean(model, clips)
    kept = {name: value for name, value in model.state_dict().items() if name.startswith("style")}
    done.parent.mkdir(parents=True, exist_ok=True)
    write_whole(done, lambda part: torch.save(kept, part))


@torch.no_grad()
def _listen(
    style: StyleEncoder, heard: Tensor, clips: Sequence[AnyClip], styles: dict[str, Tensor], config: StyleRegression
) -> None:
    """Step 2: what is heard (2, N, heard) of each clip, whole and in part, becomes its speaker's manner.

    A speaker counts as the square root of the number of their clips. Nothing counts further than
    `models.style.LARGEST_DEVIATION` standard deviations, as when animating. In double precision: the bands are much
    alike.
    """
    by_speaker = _by_speaker(clips)
    counts = [1.0 if AUGMENTED_MARK in clip.name else config.unaugmented_weight for clip in clips]
    shares = torch.tensor(
        [count / len(by_speaker[clip.speaker]) ** 0.5 for count, clip in zip(counts, clips, strict=True)],
        dtype=torch.float64, device=heard.device,
    )  # fmt: skip
    shares = shares.repeat(len(heard)) / (len(heard) * shares.sum())
    rows = heard.double().flatten(0, 1)
    wanted = torch.stack([styles[clip.speaker] for clip in clips]).double().repeat(len(heard), 1)
    mean = shares @ rows
    spread = (shares @ (rows - mean).square()).sqrt().clamp_min(1e-6)
    rows = ((rows - mean) / spread).clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
    ridge = torch.full_like(mean, config.ridge)
    ridge[-GLOBAL_STATISTICS:] = config.ridge_of_measures
    middle, ordinary = shares @ rows, shares @ wanted
    rows, weighed = rows - middle, (rows - middle) * shares[:, None]
    slopes = torch.linalg.solve(weighed.T @ rows + ridge.diag(), weighed.T @ (wanted - ordinary))  # (heard, n)
    style.start_neutral()
    style.statistics.weight.copy_((1 / spread).diag())
    style.statistics.bias.copy_(-mean / spread)
    style.feature.weight.copy_(slopes.T)
    style.feature.bias.copy_(ordinary - middle @ slopes)


def _heard(model: MemoryTalker, clips: Sequence[AnyClip], config: StyleRegression) -> Tensor:
    """The statistics of every clip, and of a piece of each drawn by seed: (2, N, heard)."""
    random = np.random.default_rng(config.seed)
    return torch.stack([_statistics(model, clips, length, random) for length in (0.0, config.style_seconds)])


@torch.no_grad()
def _statistics(model: MemoryTalker, clips: Sequence[AnyClip], seconds: float, random: np.random.Generator) -> Tensor:
    """`statistics_of` a random piece of so many seconds of each clip, (N, heard); 0 or a shorter clip: all of it."""
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
    """By speaker the style weights (n,) under which the model's motion is nearest to all of theirs; step 1."""
    by_speaker, random = _by_speaker(clips), np.random.default_rng(config.seed)
    names = sorted(by_speaker)
    device = next(model.parameters()).device
    table = torch.ones(len(names), model.config.slot_count, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([table], config.fit_rate)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(config.fit_steps, 1))
    for step in range(config.fit_steps):
        chosen = random.choice(names, min(config.fit_speakers, len(names)), replace=False)
        order = [i for own in map(by_speaker.get, chosen) for i in random.choice(own, 2, replace=len(own) < 2)]
        batch = _batch(model, [clips[i] for i in order], config, random)
        rows = table[[names.index(clips[i].speaker) for i in order]]
        with torch.no_grad():
            logits = batch_logits(model, batch)
        offsets = model(logits, batch.mask, rows).offsets
        scale = model.config.motion_scale
        loss = visible_loss(offsets, batch.motion, batch.mask, config.losses, scale, mouth, batch.firm)
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
    found: dict[str, list[int]] = defaultdict(list)
    for number, clip in enumerate(clips):
        found[clip.speaker].append(number)
    return found

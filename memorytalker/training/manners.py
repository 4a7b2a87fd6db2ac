"""Stage 2 of the open weights: the style encoder learns to hear the manner that a speaker's motion shows.

The paper's stage 2 learns through the decoder, one clip at a time. On our corpus that hardly moves the style weights: a
clip shows its speaker's manner through much noise. Here it takes three steps, the rest of the model frozen:

1. `fitted_manners`: one vector of style weights for each training speaker, fitted through the decoder to all motion of
   theirs.
2. `sensitivity`: how much the motion feels each pair of slots' weights.
3. `teach_manners`: two clips of a speaker should sound like that speaker's vector, as far as the motion feels it, and
   unlike other people's: where the motion feels little, weights are free to say who speaks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config import LossConfig, Progress, TrainingConfig
from ..corpus.clips import DISTURBED_MARK
from ..models.talker import MemoryTalker
from .data import AnyClip, Batch, TrainingError, collate, cropped
from .folder import write_whole
from .losses import Mouth, identity_loss, select_lips, visible_loss
from .memorize import batch_logits
from .stylize import set_style_mean, style_of, style_pieces

#: Clips that the sensitivity is measured on.
MEASURED_CLIPS = 192


@dataclass(frozen=True)
class MannerTraining:
    """How manners are fitted and taught."""

    fit_steps: int = 800  # of 1.
    fit_speakers: int = 16  # a step, two clips of each
    fit_rate: float = 0.03
    fit_pull: float = 0.01  # weight of the squared distance from the neutral style
    crop_seconds: float = 4.0
    losses: LossConfig = LossConfig(opening=0.3, shut=3.0, lips_in_stage_one=20.0)
    steps: int = 3000  # of 3.
    speakers: int = 64  # a step, two clips of each
    undisturbed: float = 8.0  # times as often as its disturbed version a clip is heard as it was recorded
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    clip_norm: float = 5.0
    shown: float = 10.0  # weight of the distance to the speaker's manner, as the motion feels it
    ground: float = 0.05  # of that distance, the share that counts all slots alike
    identity: float = 0.003  # weight of `identity_loss`
    restraint: float = 0.1  # weight of the squares of what turns the embedding of a voice into its style
    ramp_steps: int = 100  # steps until it is whole: while weights are nearly neutral it would only shake them
    style_seconds: float = 4.0
    seed: int = 0


def teach_manners(
    model: MemoryTalker,
    clips: Sequence[AnyClip],
    mouth: Mouth | None,
    config: MannerTraining,
    done: Path,
    progress: Progress | None = None,
) -> None:
    """Train the style encoder in place, everything else frozen; `style_mean` is then that of the training speakers.

    The trained style encoder is written to `done`, and read from there if the file exists. Raises TrainingError
    without two speakers of two clips each.
    """
    if done.is_file():
        model.load_state_dict(torch.load(done, weights_only=True), strict=False)
        return
    model.requires_grad_(False)
    model.eval()
    by_speaker = _by_speaker(clips)
    speakers = sorted(name for name, own in by_speaker.items() if len(own) > 1)
    if len(speakers) < 2:
        raise TrainingError("Manners are told apart by two speakers of two clips each; add clips.")
    manners = fitted_manners(model, clips, mouth, config, progress)
    felt = sensitivity(model, clips, mouth, config)
    model.style.start_neutral()
    model.style.requires_grad_(True).train()
    _listen(model, clips, {name: by_speaker[name] for name in speakers}, manners, felt, config, progress)
    model.eval()
    set_style_mean(model, clips)
    kept = {name: value for name, value in model.state_dict().items() if name.startswith("style")}
    done.parent.mkdir(parents=True, exist_ok=True)
    write_whole(done, lambda part: torch.save(kept, part))


def _listen(
    model: MemoryTalker, clips: Sequence[AnyClip], by_speaker: dict[str, list[int]], manners: dict[str, Tensor],
    felt: Tensor, config: MannerTraining, progress: Progress | None,
) -> None:  # fmt: skip
    """Step 3: the style encoder hears, in two clips of each of some speakers, what their motion shows."""
    torch.manual_seed(config.seed)
    random = np.random.default_rng(config.seed)
    hear = _hearing(model, clips, config, random)
    chances = np.array([1.0 if DISTURBED_MARK in clip.name else config.undisturbed for clip in clips])
    learning = [value for value in model.style.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(learning, config.learning_rate, weight_decay=config.weight_decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, config.steps + 1, pct_start=0.1)
    for step in range(config.steps):
        order, positives = _pairs(by_speaker, config.speakers, random, chances)
        weights = hear(order)
        wanted = torch.stack([manners[clips[i].speaker] for i in order])
        loss = config.shown * felt_distance(weights, wanted, felt)
        share = min(step / max(config.ramp_steps, 1), 1.0)
        loss = loss + config.identity * share * identity_loss(weights, positives)
        loss = loss + config.restraint * model.style.feature.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, config.clip_norm)
        optimizer.step()
        rates.step()
        if progress:
            progress(step + 1, config.steps, "manners")


def _hearing(
    model: MemoryTalker, clips: Sequence[AnyClip], config: MannerTraining, random: np.random.Generator
) -> Callable[[list[int]], Tensor]:
    """How clips by their numbers become style weights (N, n), through which the style encoder learns.

    A style encoder of statistics alone is given those of whole clips and of pieces, taken once; its embedding is each
    of them against its mean and spread over the clips, and does not learn.
    """
    style, seconds = model.style, config.style_seconds
    if style.convolutions:
        heard = TrainingConfig(style_seconds=seconds)
        return lambda order: style_of(model, [clips[i] for i in order], heard, random).weights
    whole, pieces = (_statistics(model, clips, length, random) for length in (0.0, seconds))
    mean, spread = whole.mean(0), whole.std(0)
    with torch.no_grad():
        style.statistics.weight.copy_(torch.eye(*style.statistics.weight.shape, device=mean.device) / spread)
        style.statistics.bias.zero_()[: len(mean)] = -mean / spread
    style.statistics.requires_grad_(False)

    def hear(order: list[int]) -> Tensor:
        rows = whole if random.random() < 0.5 else pieces
        return style.weigh(style.statistics(rows[order])).weights

    return hear


@torch.no_grad()
def _statistics(model: MemoryTalker, clips: Sequence[AnyClip], seconds: float, random: np.random.Generator) -> Tensor:
    """`statistics_of` a random piece of so many seconds of each clip, (N, heard); 0 or a shorter clip: all of it."""
    rows = []
    for clip in clips:
        mel = style_pieces(model, [clip], seconds, random)[0].float().T[None].to(model.style_mean.device)
        rows.append(model.style.statistics_of(mel, torch.tensor([mel.shape[2]], device=mel.device))[0])
    return torch.stack(rows)


def fitted_manners(
    model: MemoryTalker,
    clips: Sequence[AnyClip],
    mouth: Mouth | None,
    config: MannerTraining,
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
        order, _ = _pairs(by_speaker, config.fit_speakers, random)
        batch = _batch(model, [clips[i] for i in order], config, random)
        rows = table[[names.index(clips[i].speaker) for i in order]]
        with torch.no_grad():
            logits = batch_logits(model, batch)
        offsets = model(logits, batch.mask, rows).offsets
        scale = model.config.motion_scale
        loss = visible_loss(offsets, batch.motion, batch.mask, config.losses, scale, mouth, batch.firm)
        loss = loss + config.fit_pull * (rows - 1.0).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
        if progress:
            progress(step + 1, config.fit_steps, "fit manners")
    return dict(zip(names, table.detach(), strict=True))


@torch.no_grad()
def sensitivity(
    model: MemoryTalker, clips: Sequence[AnyClip], mouth: Mouth | None, config: MannerTraining, step: float = 0.1
) -> Tensor:
    """How the motion feels style weights near the neutral ones: (n, n), symmetric, its mean diagonal 1; step 2.

    For a small change d of the weights, d' S d is proportional to the squared change of the motion, lips counted as in
    `config.losses`, over clips drawn by seed. A share `config.ground` of it is the unit matrix.
    """
    random, n = np.random.default_rng(config.seed), model.config.slot_count
    chosen = [clips[i] for i in random.choice(len(clips), min(MEASURED_CLIPS, len(clips)), replace=False)]
    total = torch.zeros(n, n, device=next(model.parameters()).device)
    for start in range(0, len(chosen), 16):
        batch = _batch(model, chosen[start : start + 16], config, random)
        logits = batch_logits(model, batch)
        neutral = _seen(model, batch, logits, torch.ones(len(batch.names), n, device=total.device), mouth, config)
        rows = []
        for slot in range(n):
            weights = torch.ones(len(batch.names), n, device=total.device)
            weights[:, slot] += step
            rows.append((_seen(model, batch, logits, weights, mouth, config) - neutral).flatten())
        changes = torch.stack(rows)
        total += changes @ changes.T
    total = total / total.diagonal().mean().clamp_min(torch.finfo(total.dtype).tiny)
    return (1 - config.ground) * total + config.ground * torch.eye(n, device=total.device)


def felt_distance(weights: Tensor, wanted: Tensor, felt: Tensor) -> Tensor:
    """Mean over a batch (B, n) of the squared distance of style weights, as the motion feels it; `felt` (n, n)."""
    difference = weights - wanted
    return ((difference @ felt) * difference).mean()


def _seen(
    model: MemoryTalker, batch: Batch, logits: Tensor, weights: Tensor, mouth: Mouth | None, config: MannerTraining
) -> Tensor:
    """The motion (B, T, D + L) in the units its losses are taken in, invalid frames zero."""
    offsets = model(logits, batch.mask, weights).offsets * model.config.motion_scale
    parts = [offsets / offsets.shape[-1] ** 0.5]
    if mouth is not None and config.losses.lips_in_stage_one:
        lips = select_lips(offsets, mouth.lips)
        parts.append(lips * (config.losses.lips_in_stage_one / lips.shape[-1]) ** 0.5)
    return torch.cat(parts, -1) * batch.mask[..., None]


def _batch(model: MemoryTalker, clips: Sequence[AnyClip], config: MannerTraining, random: np.random.Generator) -> Batch:
    frames = round(config.crop_seconds * model.config.fps)
    picked = [cropped(clip, frames, random, model.config) if frames else clip for clip in clips]
    return collate(picked).to(next(model.parameters()).device)


def _pairs(
    by_speaker: dict[str, list[int]], count: int, random: np.random.Generator, chances: np.ndarray | None = None
) -> tuple[list[int], list[int]]:
    """Two clips of each of `count` speakers, all first ones before all second ones, and where each one's other is.

    `chances` (N,) say how likely each clip of a speaker is drawn against the others; None: all alike.
    """
    names = sorted(by_speaker)
    chosen = random.choice(names, min(count, len(names)), replace=False)
    pairs = []
    for own in (by_speaker[name] for name in chosen):
        likely = None if chances is None else chances[own] / chances[own].sum()
        pairs.append(random.choice(own, 2, replace=len(own) < 2, p=likely))
    order = [int(pair[which]) for which in (0, 1) for pair in pairs]
    return order, [(place + len(chosen)) % len(order) for place in range(len(order))]


def _by_speaker(clips: Sequence[AnyClip]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number, clip in enumerate(clips):
        found[clip.speaker].append(number)
    return found

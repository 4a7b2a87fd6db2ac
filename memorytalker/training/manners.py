"""Stage 2 of the open weights: the style encoder learns to hear the manner that a speaker's motion shows.

The paper's stage 2 learns through the decoder, one clip at a time. On our corpus that hardly moves the style weights: a
clip shows its speaker's manner through much noise. Here every training speaker's manner is read from all their
motion first (`losses.shown_style`), and is then what two clips of theirs should sound like; the identity loss tells
people apart by it. The decoder takes no part, so a step costs little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config import Progress, TrainingConfig
from ..models.talker import MemoryTalker
from .data import AnyClip, TrainingError, collate
from .folder import write_whole
from .losses import identity_loss, shown_style
from .memorize import batch_logits
from .stylize import set_style_mean, style_of


@dataclass(frozen=True)
class MannerTraining:
    """How the style encoder is taught; found on validation speakers."""

    steps: int = 900
    speakers: int = 16  # a step, two clips of each
    learning_rate: float = 5e-4
    weight_decay: float = 1e-3
    clip_norm: float = 5.0
    shown: float = 10.0  # weight of the squared distance to the speaker's shown style
    identity: float = 0.003  # weight of `identity_loss`; while weights are nearly neutral it would only shake them
    identity_from: int = 500  # the step from which on it enters ...
    ramp_steps: int = 100  # ... and those until it is whole
    style_seconds: float = 4.0
    seed: int = 0


def teach_manners(
    model: MemoryTalker,
    clips: Sequence[AnyClip],
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
    manners, by_speaker = shown_manners(model, clips), _by_speaker(clips)
    speakers = sorted(name for name, own in by_speaker.items() if len(own) > 1)
    if len(speakers) < 2:
        raise TrainingError("Manners are told apart by two speakers of two clips each; add clips.")
    torch.manual_seed(config.seed)
    random = np.random.default_rng(config.seed)
    model.style.start_neutral()
    model.style.requires_grad_(True).train()
    optimizer = torch.optim.AdamW(model.style.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, config.steps + 1, pct_start=0.1)
    heard = TrainingConfig(style_seconds=config.style_seconds)
    for step in range(config.steps):
        chosen = random.choice(speakers, min(config.speakers, len(speakers)), replace=False)
        pairs = [random.choice(by_speaker[name], 2, replace=False) for name in chosen]
        order = [pair[which] for which in (0, 1) for pair in pairs]
        weights = style_of(model, [clips[i] for i in order], heard, random).weights
        wanted = torch.stack([manners[clips[i].speaker] for i in order])
        positives = [(place + len(chosen)) % len(order) for place in range(len(order))]
        share = float(np.clip((step - config.identity_from) / max(config.ramp_steps, 1), 0.0, 1.0))
        loss = config.shown * (weights - wanted).square().mean()
        loss = loss + config.identity * share * identity_loss(weights, positives)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.style.parameters(), config.clip_norm)
        optimizer.step()
        rates.step()
        if progress:
            progress(step + 1, config.steps, "manners")
    model.eval()
    set_style_mean(model, clips)
    kept = {name: value for name, value in model.state_dict().items() if name.startswith("style")}
    done.parent.mkdir(parents=True, exist_ok=True)
    write_whole(done, lambda part: torch.save(kept, part))


@torch.no_grad()
def shown_manners(model: MemoryTalker, clips: Sequence[AnyClip], at_once: int = 32) -> dict[str, Tensor]:
    """By speaker the style weights (n,) that the motion of their clips shows, the mean over clips."""
    rows: dict[str, list[Tensor]] = defaultdict(list)
    ordered = sorted(clips, key=lambda clip: clip.frames)
    device = next(model.parameters()).device
    for start in range(0, len(ordered), at_once):
        chosen = ordered[start : start + at_once]
        batch = collate(chosen).to(device)
        output = model(batch_logits(model, batch), batch.mask)
        shown = shown_style(output.key_address, output.offsets, batch.motion, batch.mask)
        for clip, weights in zip(chosen, shown, strict=True):
            rows[clip.speaker].append(weights)
    return {speaker: torch.stack(own).mean(0) for speaker, own in rows.items()}


def _by_speaker(clips: Sequence[AnyClip]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number, clip in enumerate(clips):
        found[clip.speaker].append(number)
    return found

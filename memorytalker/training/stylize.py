"""Stage 2, animating: trains the style encoder, which re-weights the memory; the rest is frozen (paper, 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from memorytalker.config import TrainingConfig
from memorytalker.models.style import StyleOutput
from memorytalker.models.talker import MemoryTalker
from memorytalker.training.data import AnyClip, Batch, Sampler, TrainingError, Triplets, collate, cropped
from memorytalker.training.losses import Losses, MouthVertices, motion_loss, stylizing_loss
from memorytalker.training.memorize import in_full, stage_one
from memorytalker.training.trainer import Means, StageInputs, Trainer

#: One random generator per clip, or one shared by all in turn.
Generators = np.random.Generator | Sequence[np.random.Generator]


def stylize(model: MemoryTalker, inputs: StageInputs, config: TrainingConfig) -> None:
    """Train stage 2 in place; afterwards `model.style_mean` is the mean style of the training speakers.

    If the validation clips allow no triplets, their style loss is left out; the best weights do not depend on it.

    Args:
        model: after stage 1.
        inputs: clips and run folder; `mouth` is needed.
        config: of the stage.

    Raises:
        TrainingError: the training clips allow no triplets.
    """
    clips, validation, mouth = inputs.clips, inputs.validation, inputs.mouth
    model.requires_grad_(False)
    model.style.requires_grad_(True)
    frames = round(config.crop_seconds * model.config.fps)
    training = Triplets(clips)
    try:
        held = Triplets(validation)
    except TrainingError:
        held = None
    trainer = Trainer(model, inputs, config, Sampler(clips, config, training.anchors()))

    def step(number: int, chosen: list[int]) -> Losses:
        model.eval()
        model.style.train()
        return stylizing(model, clips, chosen, training, mouth, config, trainer.draws(2), frames)

    def validate() -> dict[str, float]:
        random = np.random.default_rng(config.seed)  # the same triplets every time
        anchors = sorted(held.anchors() if held else range(len(validation)), key=lambda i: validation[i].frames)
        size, means, neutral = config.batch_size, Means(config.losses), 0.0
        for start in range(0, len(anchors), size):
            chosen = anchors[start : start + size]
            means.add(stylizing(model, validation, chosen, held, mouth, config, [random] * len(chosen)), len(chosen))
            neutral += float(_neutral(model, [validation[i] for i in chosen])) * len(chosen)
        return {**means.figures(), "neutral_motion": neutral / len(anchors)}

    trainer.run(step, validate, lambda: update_style_mean(model, clips))


def stylizing(
    model: MemoryTalker,
    clips: Sequence[AnyClip],
    chosen: list[int],
    triplets: Triplets | None,
    mouth: MouthVertices | None,
    config: TrainingConfig,
    randoms: Sequence[np.random.Generator],
    frames: int = 0,
) -> Losses:
    """Compute the losses of stage 2.

    Args:
        model: the model.
        clips: to choose from.
        chosen: numbers of the anchors.
        triplets: draws positives and negatives; None leaves out the style loss.
        mouth: for the losses of the lips.
        config: of the stage.
        randoms: one random generator per anchor.
        frames: length of the pieces in motion frames; 0: whole clips.

    Returns:
        The losses.
    """
    assert mouth is not None  # the lip loss needs it
    batch, styles = styled_batch(model, clips, chosen, triplets, config, randoms, frames)
    output = stage_one(model, batch, styles[0].weights, motion=False)
    with torch.autocast(batch.motion.device.type, enabled=False):
        losses = stylizing_loss(
            output, batch.motion, styles, mouth, batch.mask, config.losses, model.config.motion_scale
        )
    return losses if triplets else Losses(losses.total, {k: v for k, v in losses.parts.items() if k != "style"})


def styled_batch(
    model: MemoryTalker, clips: Sequence[AnyClip], chosen: list[int], triplets: Triplets | None,
    config: TrainingConfig, randoms: Sequence[np.random.Generator], frames: int,
) -> tuple[Batch, tuple[StyleOutput, StyleOutput, StyleOutput]]:  # fmt: skip
    """Make a batch of anchors, and the styles of anchors, positives and negatives; arguments as in `stylizing`."""
    pairs = [triplets.draw(i, random) if triplets else (i, i) for i, random in zip(chosen, randoms, strict=True)]
    anchor = style_of(model, [clips[i] for i in chosen], config, randoms)
    positive, negative = (style_of(model, [clips[pair[k]] for pair in pairs], config, randoms) for k in (0, 1))
    picked = [
        cropped(clips[i], frames, random, model.config) if frames else clips[i]
        for i, random in zip(chosen, randoms, strict=True)
    ]
    return collate(picked).to(next(model.parameters()).device), (anchor, positive, negative)


def _neutral(model: MemoryTalker, clips: list[AnyClip]) -> torch.Tensor:
    """The motion loss in the neutral style on whole clips, which stage 2 should fall below."""
    batch, scale = collate(clips).to(next(model.parameters()).device), model.config.motion_scale
    return motion_loss(stage_one(model, batch, motion=False).offsets * scale, batch.motion * scale, batch.mask)


def style_of(model: MemoryTalker, clips: Sequence[AnyClip], config: TrainingConfig, random: Generators) -> StyleOutput:
    """Compute the style of each clip, or of a random piece of `config.style_seconds` of it."""
    device = next(model.parameters()).device
    mels = style_pieces(model, clips, config.style_seconds, random)
    counts = torch.tensor([len(mel) for mel in mels], device=device)
    return in_full(model.style(pad_sequence(mels, batch_first=True).float().to(device).transpose(1, 2), counts))


def style_pieces(
    model: MemoryTalker, clips: Sequence[AnyClip], seconds: float, random: Generators
) -> list[torch.Tensor]:
    """Cut a random piece of the log-mel (M, mel_bins) of each clip; the whole of it if `seconds` is 0."""
    limit = round(seconds * model.config.sample_rate / model.config.style.hop)
    randoms = [random] * len(clips) if isinstance(random, np.random.Generator) else random
    mels = []
    for clip, generator in zip(clips, randoms, strict=True):
        mel = clip.mel
        first = int(generator.integers(len(mel) - limit + 1)) if limit and len(mel) > limit else 0
        mels.append(mel[first : first + limit] if limit else mel)
    return mels


@torch.no_grad()
def update_style_mean(model: MemoryTalker, clips: Sequence[AnyClip], per_speaker: int = 6) -> None:
    """Set the buffer `style_mean` to the mean style weights over speakers.

    Args:
        model: changed in place.
        clips: of the training speakers.
        per_speaker: number of clips of each speaker that are averaged, at most.
    """
    by_speaker: dict[str, list[AnyClip]] = {}
    for clip in clips:
        by_speaker.setdefault(clip.speaker, []).append(clip)
    rows = []
    for own in by_speaker.values():
        styles = [style_of(model, [clip], TrainingConfig(), np.random.default_rng(0)) for clip in own[:per_speaker]]
        rows.append(torch.cat([style.weights for style in styles]).mean(0))
    model.style_mean.copy_(torch.stack(rows).mean(0))

"""Both stages at once: everything is trained end to end, as the paper's ablation does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from memorytalker.config import TrainingConfig
from memorytalker.models.talker import MemoryTalker
from memorytalker.training.data import AnyClip, Sampler, Triplets
from memorytalker.training.losses import Losses, MouthVertices, memorizing_loss, stylizing_loss, together_loss
from memorytalker.training.memorize import freeze_speech, set_slot_logits, stage_one
from memorytalker.training.stylize import styled_batch, update_style_mean
from memorytalker.training.trainer import Means, StageInputs, Trainer


def train_together(model: MemoryTalker, inputs: StageInputs, config: TrainingConfig) -> None:
    """Train everything in place in one stage; afterwards `model.style_mean` is the mean of the training speakers.

    The loss `style_consistency` belongs to stage 1 and is left out: here the style comes from the encoder.

    Args:
        model: fresh, with a pretrained or random speech encoder.
        inputs: clips and run folder.
        config: of the stage.

    Raises:
        TrainingError: the clips allow no triplets.
    """
    clips, validation, mouth = inputs.clips, inputs.validation, inputs.mouth
    model.requires_grad_(True)
    freeze_speech(model)
    frames = round(config.crop_seconds * model.config.fps)
    training, held = Triplets(clips), Triplets(validation, "validation")
    trainer = Trainer(model, inputs, config, Sampler(clips, config, training.anchors()))

    def step(number: int, chosen: list[int]) -> Losses:
        model.train()
        return _losses(model, clips, chosen, training, mouth, config, trainer.draws(3), frames)

    def validate() -> dict[str, float]:
        random = np.random.default_rng(config.seed)  # the same triplets every time
        anchors = sorted(held.anchors(), key=lambda i: validation[i].frames)
        size, means = config.batch_size, Means(config.losses)
        for start in range(0, len(anchors), size):
            chosen = anchors[start : start + size]
            means.add(_losses(model, validation, chosen, held, mouth, config, [random] * len(chosen)), len(chosen))
        return means.figures()

    def finish() -> None:
        set_slot_logits(model, clips)
        update_style_mean(model, clips)

    trainer.run(step, validate, finish)


def _losses(
    model: MemoryTalker, clips: Sequence[AnyClip], chosen: list[int], triplets: Triplets, mouth: MouthVertices | None,
    config: TrainingConfig, randoms: Sequence[np.random.Generator], frames: int = 0,
) -> Losses:  # fmt: skip
    assert mouth is not None  # the lip loss needs it
    batch, styles = styled_batch(model, clips, chosen, triplets, config, randoms, frames)
    output, scale = stage_one(model, batch, styles[0].weights), model.config.motion_scale
    with torch.autocast(batch.motion.device.type, enabled=False):
        first = memorizing_loss(
            output, batch.motion, batch.mask, config.losses, scale, batch.labels, mouth, model.config.scaling,
            batch.opening_mask,
        )  # fmt: skip
        second = stylizing_loss(output, batch.motion, styles, mouth, batch.mask, config.losses, scale)
    return together_loss(first, second, config.losses)

"""Stage 1, memorizing: general motion from speech content, and a memory of motion features (paper, 3.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import torch

from memorytalker.config import LossConfig, TrainingConfig
from memorytalker.models.talker import MemoryTalker, TalkerOutput
from memorytalker.training.data import AnyClip, Batch, Sampler, collate, cropped
from memorytalker.training.losses import Losses, MouthVertices, estimated_style, memorizing_loss
from memorytalker.training.trainer import Means, StageInputs, Trainer

Output = TypeVar("Output")


def memorize(model: MemoryTalker, inputs: StageInputs, config: TrainingConfig) -> None:
    """Train stage 1 in place; the style encoder stays neutral.

    Args:
        model: fresh, with a pretrained or random speech encoder.
        inputs: clips and run folder.
        config: of the stage.

    Raises:
        TrainingError: there are no training clips.
    """
    clips, mouth = inputs.clips, inputs.mouth
    model.requires_grad_(True)
    model.style.requires_grad_(False)
    freeze_speech(model)
    device = next(model.parameters()).device
    set_state_statistics(model, clips)
    frames = round(config.crop_seconds * model.config.fps)
    trainer = Trainer(model, inputs, config, Sampler(clips, config))

    def step(number: int, chosen: list[int]) -> Losses:
        model.train()
        pairs = zip(chosen, trainer.draws(1), strict=True)
        picked = [cropped(clips[i], frames, random, model.config) if frames else clips[i] for i, random in pairs]
        return memorizing(model, collate(picked).to(device), mouth, config)

    def validate() -> dict[str, float]:
        return mean_losses(
            lambda batch: memorizing(model, batch, mouth, config), inputs.validation, config.batch_size, device,
            config.losses,
        )  # fmt: skip

    trainer.run(step, validate, lambda: set_slot_logits(model, clips))


@torch.no_grad()
def set_state_statistics(model: MemoryTalker, clips: Sequence[AnyClip], count: int = 1000) -> None:
    """Set the mean and the standard deviation by which a model normalises states, from its training speech.

    Args:
        model: whose buffers `state_mean` and `state_spread` are set; one without them is left as it is.
        clips: the training clips, with states.
        count: how many of them are used, at most.
    """
    if not hasattr(model.speech, "state_mean"):
        return
    order = np.random.default_rng(0).permutation(len(clips))[:count]
    states = [loaded.states.double() for i in order if (loaded := clips[i].load()).states is not None]
    total = sum(len(one) for one in states)
    mean = sum(one.sum(0) for one in states) / total
    spread = (sum((one - mean).square().sum(0) for one in states) / total).sqrt()
    model.speech.state_mean.copy_(mean)
    model.speech.state_spread.copy_(spread)


@torch.no_grad()
def set_slot_logits(model: MemoryTalker, clips: Sequence[AnyClip], count: int = 256) -> None:
    """Set the model's buffer `slot_logits`: the typical logits with which speech addresses each slot.

    Row i is the mean logits of all frames in which slot i has the highest. For a slot that never has, it is the mean
    of all frames, with its own logit raised to the mean highest logit.

    Args:
        model: whose buffer is set.
        clips: the training clips.
        count: how many of them are used, at most.
    """
    total = torch.zeros_like(model.slot_logits)
    frames, best = total.new_zeros(len(total)), 0.0
    for number in np.random.default_rng(0).permutation(len(clips))[:count]:
        logits = batch_logits(model, collate([clips[number]]).to(total.device))[0].float()
        winners = logits.argmax(1)
        total.index_add_(0, winners, logits)
        frames += torch.bincount(winners, minlength=len(total))
        best += float(logits.amax(1).sum())
    mean = total.sum(0) / frames.sum()
    silent = mean + torch.diag(best / frames.sum() - mean)
    model.slot_logits.copy_(torch.where(frames[:, None] > 0, total / frames.clamp_min(1)[:, None], silent))


def freeze_speech(model: MemoryTalker) -> None:
    """Freeze the speech encoder if the configuration says so, else the convolutions of HuBERT, as in the paper."""
    encoder = model.speech.encoder
    fixed = encoder if model.config.speech.frozen else getattr(encoder, "feature_extractor", None)
    if fixed is not None:
        fixed.requires_grad_(False)


def stage_one(
    model: MemoryTalker, batch: Batch, style: torch.Tensor | None = None, motion: bool = True
) -> TalkerOutput:
    """Run the model on a batch.

    Args:
        model: of stage 1.
        batch: the clips.
        style: style weights (B, n) for the styled pass of the decoder; None for the neutral style.
        motion: whether the model also encodes the motion of the batch.

    Returns:
        The output in float32.
    """
    return in_full(model(batch_logits(model, batch), batch.mask, style, batch.motion if motion else None))


def batch_logits(model: MemoryTalker, batch: Batch) -> torch.Tensor:
    """Compute slot logits (B, k T, n) at the text rate, from cached states or from sound."""
    if batch.states is None:
        assert batch.waveform is not None  # see `collate`
        return model.text_logits(batch.waveform, batch.mask.sum(-1), batch.lengths)
    return model.speech.logits(batch.states, batch.motion.shape[1] * model.config.text_frames, batch.state_mask)


def in_full(output: Output) -> Output:
    """Convert every tensor of an output to float32, in which losses are computed under mixed precision too."""
    changed: dict[str, Any] = {}
    for name, value in vars(output).items():
        if isinstance(value, torch.Tensor):
            changed[name] = value.float()
        elif dataclasses.is_dataclass(value):
            changed[name] = in_full(value)
    return dataclasses.replace(cast(Any, output), **changed)


def memorizing(model: MemoryTalker, batch: Batch, mouth: MouthVertices | None, config: TrainingConfig) -> Losses:
    """Compute the losses of stage 1 for a batch."""
    logits = batch_logits(model, batch)
    output, styled = in_full(model(logits, batch.mask, motion=batch.motion)), None
    if config.losses.style_consistency and model.config.use_memory:
        groups = None if mouth is None else mouth.groups
        weights = estimated_style(output.key_address, output.offsets, batch.motion, batch.mask, groups=groups)
        styled = model(logits, batch.mask, weights).offsets.float()
    with torch.autocast(batch.motion.device.type, enabled=False):
        return memorizing_loss(
            output, batch.motion, batch.mask, config.losses, model.config.motion_scale, batch.labels, mouth,
            model.config.scaling, batch.opening_mask, styled,
        )  # fmt: skip


def mean_losses(
    losses: Callable[[Batch], Losses],
    clips: Sequence[AnyClip],
    batch_size: int,
    device: torch.device,
    weights: LossConfig,
) -> dict[str, float]:
    """Average losses over clips, with "loss" to choose weights by; see `Means`."""
    means = Means(weights)
    ordered = sorted(clips, key=lambda clip: clip.frames)
    for start in range(0, len(ordered), batch_size):
        chosen = ordered[start : start + batch_size]
        means.add(losses(collate(chosen).to(device)), len(chosen))
    return means.figures()

"""The losses of both stages: pure functions of the model's output and the reference motion.

Every loss is averaged over the valid frames of each clip first, then over the batch: padding changes nothing.
Motions are (B, T, coordinates); masks (B, T) are True on valid frames, None for all. Equation numbers are those of
arXiv 2507.20562.

Units: the paper's losses are in square metres. With `scale` (the model's motion_scale) motions are compared in
scale times metres.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from memorytalker.config import LossConfig
from memorytalker.models.style import LARGEST_WEIGHT, SMALLEST_WEIGHT, StyleOutput
from memorytalker.models.talker import TalkerOutput


@dataclass(frozen=True)
class Losses:
    """The weighted sum, which is minimised, and its parts before weighting, which are logged. Scalars."""

    total: Tensor
    parts: dict[str, Tensor]


def motion_loss(prediction: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of the motion, (B, T, coordinates) each. Eq. 9"""
    return _clip_mean((prediction - reference).square(), mask).mean()


def velocity_loss(prediction: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of the differences between neighbouring frames; 0 for a clip of one frame. Eq. 10"""
    error = (prediction - reference).diff(dim=1).square()
    return _clip_mean(error, None if mask is None else mask[:, 1:]).mean()


def memory_loss(motion_feature: Tensor, recalled_feature: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of the recalled feature, (B, T, c) each; trains the slots only. Eq. 3"""
    return _clip_mean((motion_feature.detach() - recalled_feature).square(), mask).mean()


def align_loss(key_address: Tensor, value_address: Tensor, mask: Tensor | None = None) -> Tensor:
    """KL(key || value) summed over slots and frames, so that motion addresses the slots that text addresses. Eq. 7

    (B, T, n) each. The key is the target and has no gradient: this loss trains the slots only.
    """
    key = key_address.detach()
    divergence = torch.xlogy(key, key) - key * value_address.clamp_min(torch.finfo(key.dtype).tiny).log()
    frames = divergence.sum(-1)  # (B, T)
    if mask is not None:
        frames = torch.where(mask, frames, 0.0)
    return frames.sum(-1).mean()


def style_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 5.0) -> Tensor:
    """Triplet loss of the style projections, (B, n) each. Eq. 13"""
    return F.triplet_margin_loss(anchor, positive, negative, margin=margin)


def lip_loss(prediction: Tensor, reference: Tensor, lips: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of the lips; `lips` as in `select_lips`. Eq. 14"""
    return motion_loss(select_lips(prediction, lips), select_lips(reference, lips), mask)


def slot_loss(text_logits: Tensor, labels: Tensor, mask: Tensor | None = None, scaling: float = 1.0) -> Tensor:
    """Cross entropy of the key address, softmax(scaling * text_logits), with the slot that each frame's phone names.

    Not in the paper: it ties each slot of the memory to one phone. It uses the logits, because the saturated address
    has no gradient where it is wrong.

    Args:
        text_logits: (B, T, n).
        labels: (B, T) slot numbers, negative where no phone is known.
        mask: (B, T), True on valid frames.
        scaling: kappa of the paper.

    Returns:
        Scalar.
    """
    known = labels >= 0 if mask is None else mask & (labels >= 0)
    scaled = (scaling * text_logits).flatten(0, 1)
    entropy = F.cross_entropy(scaled, labels.clamp_min(0).flatten(), reduction="none")
    return _clip_mean(entropy.view(*labels.shape, 1), known).mean()


def opening_loss(
    prediction: Tensor, reference: Tensor, opening: Tensor, softness: float, mask: Tensor | None = None,
    closed_weight: float = 0.0, rest: float = 0.0,
) -> Tensor:  # fmt: skip
    """Mean squared difference of the logarithms of two openings: closing fully counts as much as opening wide.

    Not in the paper.

    Args:
        prediction: (B, T, coordinates) metres from the template.
        reference: the same, of the reference motion.
        opening: (coordinates,) row that turns a motion into an opening in metres, such as that of the inner lips.
        softness: opening in metres below which differences stop mattering.
        mask: (B, T), True on valid frames.
        closed_weight: a frame that is closed in the reference counts 1 + `closed_weight` times. Without it a network
            that is unsure of the moment keeps the lips slightly apart.
        rest: opening of the template in metres.

    Returns:
        Scalar.
    """
    motions = (prediction, reference)
    openings = [torch.log1p((rest + motion @ opening).clamp_min(-0.5 * softness) / softness) for motion in motions]
    weight = 1.0 + closed_weight * torch.exp(-openings[1].clamp_min(0.0) * 2.0)
    error = (openings[0] - openings[1]).square() * weight
    return _clip_mean(error.unsqueeze(-1), mask).mean()


@dataclass(frozen=True)
class SlotGroups:
    """What the style weight of each slot tells of a face: how large its movement is in some measures.

    Attributes:
        measures: of each group, (coordinates, R) from a motion to R measures in metres, such as the lip width.
        of_slot: (n,) the group of each slot.
    """

    measures: tuple[Tensor, ...]
    of_slot: Tensor


def estimated_style(
    key_address: Tensor,
    general: Tensor,
    motion: Tensor,
    mask: Tensor | None = None,
    prior_frames: float = 6.0,
    groups: SlotGroups | None = None,
) -> Tensor:
    """Estimate style weights from reference motion: how much larger it is than the general motion, slot by slot.

    A slot's weight is the least squares factor from `general` to `motion` over the frames that address the slot, in the
    measures of its group. It is shrunk towards the factor of the whole clip with a prior of `prior_frames` frames, and
    that factor towards 1 with a prior five times as strong. Not in the paper; gradients do not flow through it.

    Args:
        key_address: (B, T, n).
        general: (B, T, coordinates) motion in the neutral style.
        motion: (B, T, coordinates) reference motion, in the unit of `general`.
        mask: (B, T), True on valid frames.
        prior_frames: weight of the prior, in frames.
        groups: what each slot's weight is measured by; None: the whole motion.

    Returns:
        Style weights (B, n).
    """
    key, general, motion = key_address.detach(), general.detach(), motion.detach()
    valid = torch.ones_like(key[..., 0]) if mask is None else mask.to(key)
    if groups is None:
        return _factors(key, general, motion, valid, prior_frames)
    weights = [_factors(key, general @ rows, motion @ rows, valid, prior_frames) for rows in groups.measures]
    return torch.stack(weights)[groups.of_slot, :, torch.arange(key.shape[-1])].T


def _factors(key: Tensor, general: Tensor, motion: Tensor, valid: Tensor, prior_frames: float) -> Tensor:
    """The style weights (B, n) that one set of measures gives; see `estimated_style`."""
    product, power = (general * motion).sum(-1) * valid, general.square().sum(-1) * valid  # (B, T)
    usual = power.sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp_min(1.0)
    usual = usual.clamp_min(torch.finfo(key.dtype).tiny) * prior_frames  # (B, 1)
    clip = (product.sum(1, keepdim=True) + 5 * usual) / (power.sum(1, keepdim=True) + 5 * usual)
    product, power = (key * product[..., None]).sum(1), (key * power[..., None]).sum(1)  # (B, n)
    return ((product + usual * clip) / (power + usual)).clamp(SMALLEST_WEIGHT, LARGEST_WEIGHT)


def select_lips(motion: Tensor, lips: Tensor) -> Tensor:
    """The lips of a motion (B, T, coordinates) -> (B, T, L).

    `lips` are vertex indices (integers), or a matrix (coordinates, L) for a model of basis coordinates.
    """
    if lips.is_floating_point():
        return motion @ lips
    return motion.unflatten(-1, (-1, 3))[:, :, lips].flatten(2)


@dataclass(frozen=True)
class MouthVertices:
    """The mouth in a model's coordinates, for the losses of the lips.

    Attributes:
        lips: as in `select_lips`.
        opening: (coordinates,) row that turns a motion into metres between the inner lips; None without landmarks.
        softness: metres, see `opening_loss`.
        lip_to_teeth: (coordinates,) row that turns a motion into the metres by which the lower lip moves down from the
            upper teeth; None without landmarks.
        lip_to_teeth_rest: that distance in the template, metres.
        groups: what the style weight of each slot is measured by; None: the whole motion.
    """

    lips: Tensor
    opening: Tensor | None = None
    softness: float = 0.001
    lip_to_teeth: Tensor | None = None
    lip_to_teeth_rest: float = 0.0
    groups: SlotGroups | None = None


def memorizing_loss(
    output: TalkerOutput,
    motion: Tensor,
    mask: Tensor | None = None,
    weights: LossConfig = LossConfig(),
    scale: float = 1.0,
    labels: Tensor | None = None,
    mouth: MouthVertices | None = None,
    scaling: float = 16.0,
    opening_mask: Tensor | None = None,
    styled: Tensor | None = None,
) -> Losses:
    """Stage 1: L_1 = L_mse + L_vel + 0.01 (L_mem + L_align), motion and velocity of both decoder passes.

    A model without a memory has one decoder pass and no memory losses. Losses that are not in the paper count only
    with a weight.

    Args:
        output: of the model, with motion given if it has a memory.
        motion: (B, T, coordinates) reference motion, metres from the template.
        mask: (B, T), True on valid frames.
        weights: of the losses.
        scale: the model's motion_scale.
        labels: (B, T) slot of each frame, for the slot loss.
        mouth: for the losses of the lips.
        scaling: kappa, for the slot loss.
        opening_mask: (B, T) frames of the opening losses; None: those of `mask`.
        styled: (B, T, coordinates) offsets in metres, decoded with the style estimated from the reference motion; they
            get the same motion losses as the general ones.

    Returns:
        The weighted sum and its parts.

    Raises:
        ValueError: a model with a memory was not given the motion.
    """
    given = output.given
    if given is None and output.has_memory:
        raise ValueError("Stage 1 learns from motion: pass motion to the model as well.")
    passes = (output.offsets,) if given is None else (output.offsets, given.offsets)
    reference, predictions = motion * scale, tuple(offsets * scale for offsets in passes)
    parts = {
        "motion": _total(motion_loss(prediction, reference, mask) for prediction in predictions),
        "velocity": _total(velocity_loss(prediction, reference, mask) for prediction in predictions),
    }
    if given is not None:
        parts["memory"] = memory_loss(given.motion_feature, given.recalled_feature, mask)
        parts["align"] = align_loss(output.key_address, given.value_address, mask)
    if labels is not None and weights.slots:
        parts["slots"] = slot_loss(output.text_logits, labels, mask, scaling)
    if mouth is not None and weights.lips_in_stage_one:
        parts["lips_in_stage_one"] = _total(
            lip_loss(prediction, reference, mouth.lips, mask) for prediction in predictions
        )
    parts |= _opening_losses(passes, motion, mask if opening_mask is None else opening_mask, weights, mouth)
    if styled is not None and weights.style_consistency:
        parts["style_consistency"] = motion_losses(styled, motion, mask, weights, scale, mouth, opening_mask)
    return _weigh(parts, weights)


def motion_losses(
    prediction: Tensor,
    motion: Tensor,
    mask: Tensor | None,
    weights: LossConfig,
    scale: float,
    mouth: MouthVertices | None,
    opening_mask: Tensor | None,
) -> Tensor:
    """Sum the weighted losses of stage 1 that compare motion, for one prediction; arguments as in `memorizing_loss`."""
    reference, scaled = motion * scale, prediction * scale
    total = weights.motion * motion_loss(scaled, reference, mask) + weights.velocity * velocity_loss(
        scaled, reference, mask
    )
    if mouth is not None and weights.lips_in_stage_one:
        total = total + weights.lips_in_stage_one * lip_loss(scaled, reference, mouth.lips, mask)
    openings = _opening_losses((prediction,), motion, mask if opening_mask is None else opening_mask, weights, mouth)
    return total + sum(getattr(weights, name) * value for name, value in openings.items())


def _opening_losses(
    predictions: tuple[Tensor, ...],
    motion: Tensor,
    mask: Tensor | None,
    weights: LossConfig,
    mouth: MouthVertices | None,
) -> dict[str, Tensor]:
    if mouth is None:
        return {}
    rows = {"opening": (mouth.opening, 0.0), "lip_to_teeth": (mouth.lip_to_teeth, mouth.lip_to_teeth_rest)}
    return {
        name: _total(
            opening_loss(p, motion, row, mouth.softness, mask, weights.closed_weight, rest) for p in predictions
        )
        for name, (row, rest) in rows.items()
        if row is not None and getattr(weights, name)
    }


def stylizing_loss(
    output: TalkerOutput,
    motion: Tensor,
    styles: tuple[StyleOutput, StyleOutput, StyleOutput],
    mouth: MouthVertices,
    mask: Tensor | None = None,
    weights: LossConfig = LossConfig(),
    scale: float = 1.0,
) -> Losses:
    """Stage 2: L_2 = L_mse + L_vel + 0.01 (L_lip + L_style), one decoder pass.

    Losses that are not in the paper, opening and lip_to_teeth, count only with a weight.

    Args:
        output: of the model.
        motion: (B, T, coordinates) reference motion, metres from the template.
        styles: of the clip (anchor), of another clip of its speaker (positive), of another speaker's clip (negative).
        mouth: for the losses of the lips.
        mask: (B, T), True on valid frames.
        weights: of the losses.
        scale: the model's motion_scale.

    Returns:
        The weighted sum and its parts.
    """
    reference, prediction = motion * scale, output.offsets * scale
    anchor, positive, negative = styles
    parts = {
        "motion": motion_loss(prediction, reference, mask),
        "velocity": velocity_loss(prediction, reference, mask),
        "lip": lip_loss(prediction, reference, mouth.lips, mask),
        "style": style_loss(anchor.projection, positive.projection, negative.projection, weights.margin),
    }
    parts |= _opening_losses((output.offsets,), motion, mask, weights, mouth)
    return _weigh(parts, weights)


def together_loss(memorizing: Losses, stylizing: Losses, weights: LossConfig = LossConfig()) -> Losses:
    """Both stages at once: L_mse + L_vel of both decoder passes + 0.01 (L_mem + L_align + L_lip + L_style).

    A loss that both stages have is taken from the first, so that the styled pass counts once.
    """
    added = {name: value for name, value in stylizing.parts.items() if name not in memorizing.parts}
    return _weigh(memorizing.parts | added, weights)


def _total(losses: Iterable[Tensor]) -> Tensor:
    return reduce(operator.add, losses)


def _weigh(parts: dict[str, Tensor], weights: LossConfig) -> Losses:
    return Losses(sum(getattr(weights, name) * value for name, value in parts.items()), parts)


def _clip_mean(error: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over each clip's valid frames and their channels: (B, T, c) -> (B,); 0 for a clip without valid frames."""
    frames = error.mean(-1)  # (B, T)
    if mask is None:
        return frames.mean(-1) if frames.shape[1] else frames.sum(-1)
    return torch.where(mask, frames, 0.0).sum(-1) / mask.sum(-1).clamp_min(1)

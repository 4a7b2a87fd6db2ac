"""The losses of both stages: pure functions of what the model returned and what was recorded.

Every loss is first taken of each clip by itself, over its own valid frames, and then averaged over the batch: a padded
batch gives the mean of its clips' losses. Motions are (B, T, coordinates); masks (B, T) are True on valid frames, None
for all. Equation numbers are those of arXiv 2507.20562.

Units: the paper's losses are in square metres. With `scale` (the model's motion_scale) motions are compared in
scale times metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from memorytalker.config import LossConfig
from memorytalker.models.style import LARGEST_WEIGHT, SMALLEST_WEIGHT, StyleOutput
from memorytalker.models.talker import TalkerOutput


@dataclass(frozen=True)
class Losses:
    """The weighted sum, which trains, and its parts before weighting, which are reported. Scalars."""

    total: Tensor
    parts: dict[str, Tensor]


def motion_loss(prediction: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of the motion, (B, T, coordinates) each. Eq. 9"""
    return _clip_mean((prediction - truth).square(), mask).mean()


def velocity_loss(prediction: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of the differences between neighbouring frames; 0 for a clip of one frame. Eq. 10"""
    error = (prediction - truth).diff(dim=1).square()
    return _clip_mean(error, None if mask is None else mask[:, 1:]).mean()


def memory_loss(motion_feature: Tensor, recalled_feature: Tensor, mask: Tensor | None = None) -> Tensor:
    """What the memory recalls should be the motion's feature; teaches the slots alone. (B, T, c) each. Eq. 3"""
    return _clip_mean((motion_feature.detach() - recalled_feature).square(), mask).mean()


def align_loss(key_address: Tensor, value_address: Tensor, mask: Tensor | None = None) -> Tensor:
    """KL(key || value) summed over slots and frames: motion should be found where text points. Eq. 7

    (B, T, n) each. The key is the fixed target: this loss teaches the slots alone.
    """
    key = key_address.detach()
    divergence = torch.xlogy(key, key) - key * value_address.clamp_min(torch.finfo(key.dtype).tiny).log()
    frames = divergence.sum(-1)  # (B, T)
    if mask is not None:
        frames = torch.where(mask, frames, 0.0)
    return frames.sum(-1).mean()


def style_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 5.0) -> Tensor:
    """Clips of one speaker should look alike and clips of two should not: projections (B, n) each. Eq. 13"""
    return F.triplet_margin_loss(anchor, positive, negative, margin=margin)


def lip_loss(prediction: Tensor, truth: Tensor, lips: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of the lips. `lips` as in `select_lips`. Eq. 14"""
    return motion_loss(select_lips(prediction, lips), select_lips(truth, lips), mask)


def slot_loss(text_logits: Tensor, labels: Tensor, mask: Tensor | None = None, scaling: float = 1.0) -> Tensor:
    """Cross entropy of the key address, softmax(scaling * text_logits), with the slot that each frame's phone names.

    text_logits (B, T, n), labels (B, T) integers, negative where no phone is known. Not in the paper: it gives each
    slot of the memory a name. Taken from the logits, because the saturated address has no gradient where it is wrong.
    """
    known = labels >= 0 if mask is None else mask & (labels >= 0)
    scaled = (scaling * text_logits).flatten(0, 1)
    entropy = F.cross_entropy(scaled, labels.clamp_min(0).flatten(), reduction="none")
    return _clip_mean(entropy.view(*labels.shape, 1), known).mean()


def opening_loss(
    prediction: Tensor, truth: Tensor, opening: Tensor, softness: float, mask: Tensor | None = None, shut: float = 0.0,
    rest: float = 0.0,
) -> Tensor:  # fmt: skip
    """Mean squared difference of the logarithms of two lip gaps, so that closing fully counts as much as opening wide.

    prediction, truth (B, T, coordinates) metres from the template; `opening` (coordinates,) turns them into metres
    between the inner lips; `softness` metres is the gap below which differences stop mattering. A frame that is truly
    shut counts 1 + `shut` times: a network that is not sure of the moment would else keep the lips a little apart
    through it. `rest` metres is the gap of the template. Not in the paper.
    """
    motions = (prediction, truth)
    gaps = [torch.log1p((rest + motion @ opening).clamp_min(-0.5 * softness) / softness) for motion in motions]
    error = (gaps[0] - gaps[1]).square() * (1.0 + shut * torch.exp(-gaps[1].clamp_min(0.0) * 2.0))
    return _clip_mean(error.unsqueeze(-1), mask).mean()


def estimated_style(
    key_address: Tensor, general: Tensor, motion: Tensor, mask: Tensor | None = None, caution: float = 6.0
) -> Tensor:
    """Style weights (B, n) that recorded motion shows: how much larger it is than the general one, slot by slot.

    key_address (B, T, n); general, motion (B, T, coordinates) in any one unit. A slot's weight is the least squares
    factor from `general` to `motion` over the frames that address it, drawn to the clip's own factor by `caution`
    frames, and that to 1 by five times as many. Not in the paper; gradients do not flow through it.
    """
    key, general, motion = key_address.detach(), general.detach(), motion.detach()
    valid = torch.ones_like(key[..., 0]) if mask is None else mask.to(key)
    product, power = (general * motion).sum(-1) * valid, general.square().sum(-1) * valid  # (B, T)
    usual = power.sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp_min(1.0)
    usual = usual.clamp_min(torch.finfo(key.dtype).tiny) * caution  # (B, 1)
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
    """Where a model's coordinates hold the mouth: what the losses of the lips need.

    `lips` as in `select_lips`; `opening` (coordinates,) turns a motion in metres into the gap of the inner lips, and
    `bite` into how much further than at rest, `bite_rest`, the lower lip lies below the upper teeth; None where a head
    has no such landmarks. `softness` in metres, see `opening_loss`.
    """

    lips: Tensor
    opening: Tensor | None = None
    softness: float = 0.001
    bite: Tensor | None = None
    bite_rest: float = 0.0


def memorizing_loss(
    output: TalkerOutput,
    motion: Tensor,
    mask: Tensor | None = None,
    weights: LossConfig = LossConfig(),
    scale: float = 1.0,
    labels: Tensor | None = None,
    mouth: MouthVertices | None = None,
    scaling: float = 16.0,
    firm: Tensor | None = None,
    shown: Tensor | None = None,
) -> Losses:
    """Stage 1: L_1 = L_mse + L_vel + 0.01 (L_mem + L_align), motion and velocity of both decoder passes.

    motion (B, T, coordinates) metres from the template. The losses that are not in the paper enter only with a weight:
    slots (needs `labels` (B, T) and kappa as `scaling`), opening and lips_in_stage_one (need `mouth`).
    `shown` are offsets decoded in the style that the motion shows: they meet the same losses as the general ones.
    `firm` (B, T) are the frames in which the opening loss counts, None for those of `mask`.
    A model without a memory has one decoder pass and no losses of the memory.
    """
    given = output.given
    if given is None and output.has_memory:
        raise ValueError("Stage 1 learns from motion: pass motion to the model as well.")
    passes = (output.offsets,) if given is None else (output.offsets, given.offsets)
    truth, predictions = motion * scale, tuple(offsets * scale for offsets in passes)
    parts = {
        "motion": sum(motion_loss(prediction, truth, mask) for prediction in predictions),
        "velocity": sum(velocity_loss(prediction, truth, mask) for prediction in predictions),
    }
    if given is not None:
        parts["memory"] = memory_loss(given.motion_feature, given.recalled_feature, mask)
        parts["align"] = align_loss(output.key_address, given.value_address, mask)
    if labels is not None and weights.slots:
        parts["slots"] = slot_loss(output.text_logits, labels, mask, scaling)
    if mouth is not None and weights.lips_in_stage_one:
        parts["lips_in_stage_one"] = sum(lip_loss(prediction, truth, mouth.lips, mask) for prediction in predictions)
    parts |= _gaps(passes, motion, mask if firm is None else firm, weights, mouth)
    if shown is not None and weights.style_consistency:
        parts["style_consistency"] = visible_loss(shown, motion, mask, weights, scale, mouth, firm)
    return _weigh(parts, weights)


def visible_loss(
    prediction: Tensor,
    motion: Tensor,
    mask: Tensor | None,
    weights: LossConfig,
    scale: float,
    mouth: MouthVertices | None,
    firm: Tensor | None,
) -> Tensor:
    """The weighted losses of stage 1 that show in the motion, of one prediction (B, T, coordinates) in metres."""
    truth, scaled = motion * scale, prediction * scale
    total = weights.motion * motion_loss(scaled, truth, mask) + weights.velocity * velocity_loss(scaled, truth, mask)
    if mouth is not None and weights.lips_in_stage_one:
        total = total + weights.lips_in_stage_one * lip_loss(scaled, truth, mouth.lips, mask)
    gaps = _gaps((prediction,), motion, mask if firm is None else firm, weights, mouth)
    return total + sum(getattr(weights, name) * value for name, value in gaps.items())


def _gaps(
    predictions: tuple[Tensor, ...],
    motion: Tensor,
    mask: Tensor | None,
    weights: LossConfig,
    mouth: MouthVertices | None,
) -> dict[str, Tensor]:
    if mouth is None:
        return {}
    gaps = {"opening": (mouth.opening, 0.0), "lip_to_teeth": (mouth.bite, mouth.bite_rest)}
    return {
        name: sum(opening_loss(p, motion, row, mouth.softness, mask, weights.closed_weight, rest) for p in predictions)
        for name, (row, rest) in gaps.items()
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

    `styles` of the clip itself (anchor), of another clip of its speaker (positive), of another speaker's (negative).
    The losses that are not in the paper, opening and lip_to_teeth, enter only with a weight.
    """
    truth, prediction = motion * scale, output.offsets * scale
    parts = {
        "motion": motion_loss(prediction, truth, mask),
        "velocity": velocity_loss(prediction, truth, mask),
        "lip": lip_loss(prediction, truth, mouth.lips, mask),
        "style": style_loss(*(style.projection for style in styles), margin=weights.margin),
    }
    parts |= _gaps((output.offsets,), motion, mask, weights, mouth)
    return _weigh(parts, weights)


def together_loss(memorizing: Losses, stylizing: Losses, weights: LossConfig = LossConfig()) -> Losses:
    """Both stages at once: L_mse + L_vel of both decoder passes + 0.01 (L_mem + L_align + L_lip + L_style).

    Of the second stage's losses only what the first does not have is added, so that the styled pass counts once.
    """
    added = {name: value for name, value in stylizing.parts.items() if name not in memorizing.parts}
    return _weigh(memorizing.parts | added, weights)


def _weigh(parts: dict[str, Tensor], weights: LossConfig) -> Losses:
    return Losses(sum(getattr(weights, name) * value for name, value in parts.items()), parts)


def _clip_mean(error: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over each clip's valid frames and their channels: (B, T, c) -> (B,); 0 for a clip without valid frames."""
    frames = error.mean(-1)  # (B, T)
    if mask is None:
        return frames.mean(-1) if frames.shape[1] else frames.sum(-1)
    return torch.where(mask, frames, 0.0).sum(-1) / mask.sum(-1).clamp_min(1)

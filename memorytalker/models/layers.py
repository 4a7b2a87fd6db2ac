"""Small pieces shared by the networks: positions that repeat, who may look at whom, and sampling between frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def periodic_positions(period: int, width: int) -> Tensor:
    """One period of a sinusoidal position encoding, (period, width): sine in even columns, cosine in odd ones."""
    angle = torch.arange(period).unsqueeze(1) * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    table = torch.zeros(period, width)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle[:, : width // 2])
    return table


def alignment_mask(frames: int, text_frames: int, device: torch.device) -> Tensor:
    """Cross-attention mask (T, k T), True where motion frame t must not look: it sees frames k t .. k t + k - 1."""
    owner = torch.arange(frames * text_frames, device=device) // text_frames
    return owner[None] != torch.arange(frames, device=device)[:, None]


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """(B,) lengths -> (B, size), True on the valid positions."""
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


def mask_lengths(mask: Tensor | None, batch: int, size: int, device: torch.device) -> Tensor:
    """(B, size) validity, or None for all valid -> (B,) number of valid positions."""
    return torch.full((batch,), size, device=device) if mask is None else mask.sum(-1)


def sample_between(values: Tensor, positions: Tensor) -> Tensor:
    """Linear interpolation along time: values (B, S, c) at fractional positions (B, T) in [0, S - 1] -> (B, T, c)."""
    low = positions.floor().long()
    high = (low + 1).clamp_max(values.shape[1] - 1)
    fraction = (positions - low).unsqueeze(-1).to(values)
    channels = values.shape[-1]
    below = values.gather(1, low.unsqueeze(-1).expand(-1, -1, channels))
    above = values.gather(1, high.unsqueeze(-1).expand(-1, -1, channels))
    return below + (above - below) * fraction


def stretch(values: Tensor, source: Tensor, target: Tensor, size: int) -> Tensor:
    """Resample each item so that its first and last frames stay first and last ("align corners").

    values (B, S, c) with `source` (B,) valid frames -> (B, size, c) with `target` (B,) valid frames; beyond these the
    last valid frame repeats. Each item is resampled by its own lengths, so that padding changes nothing.
    """
    last = (source - 1).float()
    step = last / (target - 1).clamp_min(1)
    positions = torch.arange(size, device=values.device)[None] * step[:, None]
    return sample_between(values, torch.minimum(positions, last[:, None]))

"""Small functions shared by the networks: position encoding, attention and length masks, resampling in time."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def periodic_positions(period: int, width: int) -> Tensor:
    """Return one period of a sinusoidal position encoding, (period, width): sine in even columns, cosine in odd."""
    angle = torch.arange(period).unsqueeze(1) * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    table = torch.zeros(period, width)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle[:, : width // 2])
    return table


def alignment_mask(frames: int, text_frames: int, device: torch.device) -> Tensor:
    """Return the cross-attention mask (T, k T), False where motion frame t may attend: frames k t .. k t + k - 1."""
    owner = torch.arange(frames * text_frames, device=device) // text_frames
    return owner[None] != torch.arange(frames, device=device)[:, None]


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Return the mask (B, size) of sequences of `lengths` (B,): True on valid positions."""
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


def mask_lengths(mask: Tensor | None, batch: int, size: int, device: torch.device) -> Tensor:
    """Return the number of valid positions (B,) of a mask (B, size); None: all `size` are valid."""
    return torch.full((batch,), size, device=device) if mask is None else mask.sum(-1)


def sample_between(values: Tensor, positions: Tensor) -> Tensor:
    """Interpolate linearly in time: values (B, S, c) at fractional positions (B, T) in [0, S - 1] -> (B, T, c)."""
    low = positions.floor().long()
    high = (low + 1).clamp_max(values.shape[1] - 1)
    fraction = (positions - low).unsqueeze(-1).to(values)
    channels = values.shape[-1]
    below = values.gather(1, low.unsqueeze(-1).expand(-1, -1, channels))
    above = values.gather(1, high.unsqueeze(-1).expand(-1, -1, channels))
    return below + (above - below) * fraction


def stretch(values: Tensor, source: Tensor, target: Tensor, size: int) -> Tensor:
    """Resample each item in time so that its first and last frames stay first and last ("align corners").

    Each item is resampled over its own valid frames, so that padding has no influence.

    Args:
        values: (B, S, c).
        source: (B,) valid frames of `values`.
        target: (B,) valid frames of the result.
        size: frames of the result.

    Returns:
        (B, size, c); after an item's `target` frames its last one repeats.
    """
    last = (source - 1).float()
    step = last / (target - 1).clamp_min(1)
    positions = torch.arange(size, device=values.device)[None] * step[:, None]
    return sample_between(values, torch.minimum(positions, last[:, None]))

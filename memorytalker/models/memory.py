"""The motion memory: n slots that remember how a face moves, read by an address over the slots."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MotionMemory(nn.Module):
    """n learned slots of width c, addressed by text (key) or by motion (value).

    Addresses are (B, T, n) with rows that sum to 1; features are (B, T, c).
    """

    def __init__(self, slots: int, width: int, scaling: float) -> None:
        super().__init__()
        self.scaling = scaling  # kappa
        self.slots = nn.Parameter(torch.randn(slots, width) / width**0.5)

    def key_address(self, text_logits: Tensor) -> Tensor:
        """Where the text points: (B, T, n) logits -> K_txt (B, T, n). Eq. 5"""
        return F.softmax(self.scaling * text_logits, dim=-1)

    def value_address(self, motion_feature: Tensor) -> Tensor:
        """Where the motion points, by cosine similarity: (B, T, c) -> V_m (B, T, n). Eq. 1"""
        likeness = F.normalize(motion_feature, dim=-1) @ F.normalize(self.slots, dim=-1).T
        return F.softmax(self.scaling * likeness, dim=-1)

    def recall(self, address: Tensor) -> Tensor:
        """What the memory holds at an address, (B, T, n) -> (B, T, c); the slots learn through this. Eq. 2"""
        return address @ self.slots

    def retrieve(self, address: Tensor, style_weights: Tensor | None = None) -> Tensor:
        """The memory as the decoder reads it, (B, T, n) -> f_key (B, T, c). Eq. 6, 12

        `style_weights` (B, n) scale each slot for each item of the batch; None is the neutral style, all ones.
        The slots do not learn through this path: only the memory's own losses write them.
        """
        slots = self.slots.detach()
        if style_weights is None:
            return address @ slots
        return address @ (style_weights.unsqueeze(-1) * slots)

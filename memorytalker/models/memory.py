"""The motion memory: n slots that store motion features, read by an address over the slots."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MotionMemory(nn.Module):
    """n learned slots of width c, addressed by text (key) or by motion (value).

    Addresses are (B, T, n) with rows that sum to 1; features are (B, T, c).

    Args:
        slots: n.
        width: c.
        scaling: kappa, which multiplies logits before the softmax.
    """

    def __init__(self, slots: int, width: int, scaling: float) -> None:
        super().__init__()
        self.scaling = scaling  # kappa
        self.slots = nn.Parameter(torch.empty(slots, width))
        nn.init.normal_(self.slots, std=width**-0.5)

    def key_address(self, text_logits: Tensor) -> Tensor:
        """Address the memory by text: logits (B, T, n) -> K_txt (B, T, n). Eq. 5"""
        return F.softmax(self.scaling * text_logits, dim=-1)

    def value_address(self, motion_feature: Tensor) -> Tensor:
        """Address the memory by motion, by cosine similarity: f_m (B, T, c) -> V_m (B, T, n). Eq. 1"""
        similarity = F.normalize(motion_feature, dim=-1) @ F.normalize(self.slots, dim=-1).T
        return F.softmax(self.scaling * similarity, dim=-1)

    def recall(self, address: Tensor) -> Tensor:
        """Read the memory so that the slots learn: address (B, T, n) -> f_val (B, T, c). Eq. 2"""
        return address @ self.slots

    def retrieve(self, address: Tensor, style_weights: Tensor | None = None) -> Tensor:
        """Read the memory for the decoder. No gradient reaches the slots: only the memory's own losses train them.

        Args:
            address: (B, T, n).
            style_weights: (B, n), which scale each slot; None: the neutral style, all ones.

        Returns:
            f_key (B, T, c). Eq. 6, 12
        """
        slots = self.slots.detach()
        if style_weights is None:
            return address @ slots
        return address @ (style_weights.unsqueeze(-1) * slots)

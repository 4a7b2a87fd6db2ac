"""The encoder of Whisper (Radford et al. 2022, arXiv 2212.04356): log-mel -> hidden states at 50 Hz.

transformers has the same encoder, and a test holds this one to its answers. Importing that takes longer than all else
that a program needs to start, since it brings the compiler, training across machines and text generation along; so the
few layers of it that are used here are written out. The parameters have the names that transformers gives them, which
are those of published checkpoints.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW_STATES = 1500  # 30 s, the encoder's window
LONGEST_PERIOD = 10_000  # of the position table (Vaswani et al. 2017, section 3.5)


class WhisperAttention(nn.Module):
    """Self-attention of every state to every other; its keys have no bias.

    Args:
        width: of the states.
        heads: attention heads, which divide `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """(B, S, width) -> the same shape; `mask` (B, 1, S, S) is added to the scores."""
        # Scaling before the product, as the encoder was trained: the last bits depend on it.
        scale = (states.shape[-1] // self.heads) ** -0.5
        query, key, value = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2).contiguous()
            for x in (self.q_proj(states) * scale, self.k_proj(states), self.v_proj(states))
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=1.0)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class WhisperLayer(nn.Module):
    """Attention, then two linear layers; each is normalised before and added to what it received.

    Args:
        width: of the states.
        heads: attention heads.
        feedforward: width between the two linear layers.
    """

    def __init__(self, width: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.self_attn = WhisperAttention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, feedforward)
        self.fc2 = nn.Linear(feedforward, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """(B, S, width) -> the same shape; `mask` as in `WhisperAttention`."""
        states = states + self.self_attn(self.self_attn_layer_norm(states), mask)
        return states + self.fc2(F.gelu(self.fc1(self.final_layer_norm(states))))


class WhisperEncoder(nn.Module):
    """Two convolutions, of which the second halves the rate, positions, and a stack of layers.

    Args:
        width: of the states.
        layers: number of layers.
        heads: attention heads, which divide `width`.
        feedforward: width of the layers' feed-forward half.
        mel_bins: bins of the log-mel.
    """

    def __init__(self, width: int, layers: int, heads: int, feedforward: int, mel_bins: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(mel_bins, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding.from_pretrained(sinusoids(WINDOW_STATES, width), freeze=True)
        self.layers = nn.ModuleList(WhisperLayer(width, heads, feedforward) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, mel: Tensor, mask: Tensor | None = None, first: int = 0) -> list[Tensor]:
        """Compute the states after every layer, the last of them normalised.

        Args:
            mel: (B, mel_bins, 2 S) log-mel at 100 Hz.
            mask: (B, 1, S, S) that is added to the attention's scores; None: all states are valid.
            first: position of the first state in the encoder's window.

        Returns:
            One tensor (B, S, width) for each layer.
        """
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.embed_positions.weight[first : first + x.shape[1]]
        outputs = []
        for layer in self.layers:
            x = layer(x, mask)
            outputs.append(x)
        outputs[-1] = self.layer_norm(x)
        return outputs


def sinusoids(positions: int, width: int) -> Tensor:
    """Make the table (positions, width) of sines, then cosines, whose periods grow to 2 pi `LONGEST_PERIOD`."""
    rates = torch.exp(-math.log(LONGEST_PERIOD) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(positions)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)

"""The motion decoder: text feature and retrieved motion feature -> face motion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from memorytalker.config import ModelConfig
from memorytalker.models.layers import alignment_mask, periodic_positions


class MotionDecoder(nn.Module):
    """Fusion, periodic positions, a transformer decoder aligned with the text frame by frame, a linear layer. Eq. 8

    Args:
        config: widths and the number of text frames per motion frame.
    """

    positions: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.text_frames = config.text_frames
        self.fusion = nn.Linear(2 * width, width)
        layer = nn.TransformerDecoderLayer(
            width, config.attention_heads, 2 * width, config.dropout, activation="relu", batch_first=True
        )
        self.transformer = nn.TransformerDecoder(layer, config.decoder_layers)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(width, config.coordinates)
        nn.init.zeros_(self.output.weight)  # an untrained decoder predicts the neutral face
        nn.init.zeros_(self.output.bias)
        self.register_buffer("positions", periodic_positions(config.period, width), persistent=False)

    def forward(self, text: Tensor, feature: Tensor, text_memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """Decode motion.

        Args:
            text: (B, T, c) f_txt at the motion rate.
            feature: (B, T, c) the retrieved motion feature, or that of given motion.
            text_memory: (B, k T, c) f_txt at the text rate; motion frame t attends to its frames k t .. k t + k - 1.
            mask: (B, T), True on valid frames, which do not attend to the others; None: all are valid.

        Returns:
            (B, T, coordinates) in the network's units (`ModelConfig.motion_scale`).
        """
        frames = text.shape[1]
        repeats = -(-frames // self.positions.shape[0])
        x = self.fusion(torch.cat([text, feature], dim=-1)) + self.positions.repeat(repeats, 1)[:frames]
        x = self.transformer(
            self.dropout(x),
            text_memory,
            memory_mask=alignment_mask(frames, self.text_frames, text.device),
            tgt_key_padding_mask=None if mask is None else ~mask,
        )
        return self.output(x)

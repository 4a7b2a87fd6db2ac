"""The head of a speech encoder: what it hears, and the room it was heard in, become logits over the memory's slots."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

HEAD_KERNEL = 5  # states, 100 ms
#: Quiet levels in decibels are brought to about [-1, 1] by these; what is quieter than the least is digital silence.
ROOM_MIDDLE, ROOM_SPREAD, ROOM_LEAST = -45.0, 20.0, -85.0


class SlotHead(nn.Module):
    """Hidden states (B, S, hidden) -> slot logits (B, S, n): one linear layer, or residual convolutions over time.

    With `room_bands` it also hears the room: how loud each band is in a clip's quiet moments. What a mouth does while
    nothing is said is a habit of the place where it was recorded, and nothing else in normalised states tells of that.
    """

    def __init__(
        self, hidden: int, slots: int, channels: int, layers: int, dropout: float, room_bands: int = 0
    ) -> None:
        super().__init__()
        width = channels or hidden
        self.input = nn.Linear(hidden, channels) if channels else nn.Identity()
        blocks = layers if channels else 0
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, HEAD_KERNEL, padding=HEAD_KERNEL // 2) for _ in range(blocks)
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, slots)
        self.room_bands = room_bands
        if room_bands:
            self.room = nn.Linear(room_bands, width, bias=False)
            nn.init.zeros_(self.room.weight)

    def forward(self, states: Tensor, mask: Tensor | None = None, room: Tensor | None = None) -> Tensor:
        """`mask` (B, S) is True on valid states; the others count as the silence outside the clip.

        `room` (B, bins) are the quiet levels of a log-mel in dB. Raises ValueError without one where it is to be heard.
        """
        x = self.input(states)
        if self.room_bands:
            if room is None:
                raise ValueError("This head hears the room as well: give the quiet levels of the clip's log-mel.")
            level = (room.clamp_min(ROOM_LEAST) - ROOM_MIDDLE) / ROOM_SPREAD
            x = x + self.room(F.adaptive_avg_pool1d(level[:, None], self.room_bands)[:, 0])[:, None]
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            y = norm(x)
            if mask is not None:
                y = y * mask.unsqueeze(-1)
            x = x + self.dropout(F.gelu(convolution(y.transpose(1, 2)).transpose(1, 2)))
        return self.output(x)

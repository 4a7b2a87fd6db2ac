"""The live network: log-mel of arriving sound -> slot logits -> memory -> face curves, causal, state in and out.

It is a small network of the same order as `MemoryTalker`, learned from that model's answers (`training/live.py`).
Causal convolutions at the motion rate turn mel frames into slot logits; the address reads a memory whose slots the
style weights scale; a local decoder of three frames turns text feature and retrieved feature into curves. It sees
`LiveConfig.grid.lookahead` seconds ahead, all of it in the mel frames that belong to a motion frame, and nothing else
of the future. `web/src/network.js` computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memorytalker.models.live_config import LiveConfig

#: Frames that the decoder sees: the present one and those before it.
DECODED = 3
#: Normalised inputs are held within this many standard deviations.
FARTHEST = 4.0
#: Slope beyond 0 and 1 of the curves in training, so that a curve that is held there can come back.
SLOPE = 0.05


@dataclass(frozen=True)
class LiveState:
    """What the network remembers between calls: the latest outputs of each layer, oldest first.

    Attributes:
        layers: of each convolution, (B, (taps - 1) x dilation, channels).
        features: (B, DECODED - 1, 2 width), text and retrieved features of the last frames.
    """

    layers: tuple[Tensor, ...]
    features: Tensor


@dataclass(frozen=True)
class LiveOutput:
    """What the network says of some frames.

    Attributes:
        curves: (B, T, S) in [0, 1]; in training slightly beyond.
        logits: (B, T, n).
        address: (B, T, n), rows sum to 1.
        state: after these frames.
    """

    curves: Tensor
    logits: Tensor
    address: Tensor
    state: LiveState


class LiveNetwork(nn.Module):
    """See the module.

    Args:
        config: sizes and names; the weights are random until they are trained or loaded.
    """

    mel_mean: Tensor  # (bins,) dB relative to the level of the voice, of the training sounds
    mel_spread: Tensor  # (bins,) dB
    level_range: Tensor  # (2,) dB, mean and spread of the level

    def __init__(self, config: LiveConfig) -> None:
        super().__init__()
        self.config = config
        channels, count, width = config.channels, config.slot_count, config.width
        self.input = nn.Linear(config.inputs, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in config.dilations)
        self.convolutions = nn.ModuleList(nn.Linear(config.taps * channels, channels) for _ in config.dilations)
        self.last_norm = nn.LayerNorm(channels)
        self.logits = nn.Linear(channels, count)
        self.text = nn.Linear(channels, width)
        self.slots = nn.Parameter(torch.empty(count, width))
        nn.init.normal_(self.slots, std=width**-0.5)
        self.decoder = nn.Linear(DECODED * 2 * width, config.hidden)
        self.curves = nn.Linear(config.hidden, len(config.shapes))
        self.register_buffer("mel_mean", torch.full((config.grid.bins,), -20.0))
        self.register_buffer("mel_spread", torch.full((config.grid.bins,), 15.0))
        self.register_buffer("level_range", torch.tensor([-30.0, 10.0]))

    def start(self, batch: int = 1) -> LiveState:
        """Return the state before the first frame of `batch` sounds."""
        config, like = self.config, self.mel_mean
        layers = [like.new_zeros(batch, (config.taps - 1) * gap, config.channels) for gap in config.dilations]
        return LiveState(tuple(layers), like.new_zeros(batch, DECODED - 1, 2 * config.width))

    def forward(
        self, mel: Tensor, level: Tensor, style: Tensor | None = None, state: LiveState | None = None
    ) -> LiveOutput:
        """Compute consecutive frames.

        Args:
            mel: (B, T, per_frame, bins) in dB.
            level: (B, T) in dB.
            style: style weights (B, n); None: the neutral style, all ones.
            state: after the frames before; None: `start`.

        Returns:
            A LiveOutput.
        """
        state = self.start(len(mel)) if state is None else state
        x = self.input(self._normalised(mel, level))
        kept = []
        for norm, convolution, gap, past in zip(
            self.norms, self.convolutions, self.config.dilations, state.layers, strict=True
        ):
            y, after = _taps(norm(x), past, gap, self.config.taps)
            kept.append(after)
            x = x + F.silu(convolution(y))
        x = self.last_norm(x)
        logits = self.logits(x)
        address = F.softmax(self.config.scaling * logits.float(), dim=-1)
        read = address if style is None else address * style[:, None]
        feature, features = _taps(torch.cat([self.text(x), read @ self.slots], -1), state.features, 1, DECODED)
        curves = self.curves(F.silu(self.decoder(feature)))
        held = curves.clamp(0.0, 1.0)
        if self.training:
            held = held + SLOPE * (curves - held)
        return LiveOutput(held, logits, address, LiveState(tuple(kept), features))

    def _normalised(self, mel: Tensor, level: Tensor) -> Tensor:
        """The network's input (B, T, per_frame x bins + 1): mel frames relative to the level, and the level itself."""
        relative = (mel - level[..., None, None] - self.mel_mean) / self.mel_spread
        loud = (level - self.level_range[0]) / self.level_range[1]
        return torch.cat([relative.flatten(2), loud[..., None]], -1).clamp(-FARTHEST, FARTHEST)


def _taps(x: Tensor, past: Tensor, gap: int, taps: int) -> tuple[Tensor, Tensor]:
    """Lay frames t - (taps - 1) gap, ..., t - gap, t of (B, T, c) side by side: (B, T, taps c), and the new past."""
    frames = x.shape[1]
    known = torch.cat([past.to(x.dtype), x], 1)
    beside = torch.cat([known[:, k * gap : k * gap + frames] for k in range(taps)], -1)
    return beside, known[:, known.shape[1] - past.shape[1] :]

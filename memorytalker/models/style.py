"""The style encoder: how someone speaks, from a log-mel -> one weight for every slot of the memory.

The trunk is the speaker encoder of AdaIN-VC (Chou and Lee 2019, arXiv 1904.05742): a bank of convolutions,
residual convolutions that halve the rate, the average over time, residual dense layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memorytalker.config import ConfigError, StyleConfig
from memorytalker.models.layers import length_mask
from memorytalker.sound.mel import mel_centres

#: Of AdaIN-VC's trunk: kernels 1 to so many in its bank of convolutions, and residual dense layers behind the average.
BANK_SIZE, DENSE_BLOCKS = 8, 6
#: Standard deviations from the training voices beyond which a statistic counts no further: digital silence is no voice.
FARTHEST = 3.0
#: dB below the loudest frames (98 of 100 are not louder) from which on nobody speaks clearly, or there is a pause.
SPOKEN, NO_PAUSE = 25.0, 35.0
#: Frames within which a band changes: 40 ms at 100 frames a second.
MOVED = 4
#: Hz between and above which loud speech is compared, and dB below the loudest frames that are loud enough for it.
LOWEST, MIDDLE, HIGHEST, LOUD = 60.0, 1000.0, 5000.0, 17.0
#: The last of a voice's statistics are measures of the whole voice and not of one band: two ranges, the brightness.
MEASURES = 3
#: What a style of statistics alone may make of a slot: the smallest and largest weights that motion was seen to show.
LIGHTEST, HEAVIEST = 0.2, 3.5


@dataclass(frozen=True)
class StyleOutput:
    """weights w_s (B, n), the style feature f_s (B, n), and its projection (B, n) that the style loss compares."""

    weights: Tensor
    feature: Tensor
    projection: Tensor


class StyleEncoder(nn.Module):
    """Log-mel (B, mel_bins, M) of clips of any lengths -> StyleOutput; each item keeps its own weights."""

    def __init__(self, config: StyleConfig, slots: int) -> None:
        super().__init__()
        if not (config.convolutions or config.statistics):
            raise ConfigError("A style encoder without style.convolutions hears nothing; set style.statistics.")
        self.mel_mean, self.mel_spread = config.mel_mean, config.mel_spread
        self.convolutions = config.convolutions
        if config.convolutions:
            self._build_trunk(config)
        heard = 3 * config.mel_bins + MEASURES
        width = config.embedding if config.convolutions else heard
        self.statistics = nn.Linear(heard, width) if config.statistics else None
        self.feature = nn.Linear(width, slots)
        self.scale = nn.Linear(slots, 1, bias=False) if config.convolutions else None
        self.projection = nn.Sequential(nn.Linear(slots, slots), nn.ReLU(), nn.Linear(slots, slots))
        self.dropout = nn.Dropout(config.dropout)
        self.start_neutral()

    def _build_trunk(self, config: StyleConfig) -> None:
        channels, kernel = config.channels, config.kernel
        self.strides = config.strides
        bank_width = BANK_SIZE * channels + config.mel_bins
        self.bank = nn.ModuleList(nn.Conv1d(config.mel_bins, channels, k + 1) for k in range(BANK_SIZE))
        self.gather = nn.Conv1d(bank_width, channels, 1)
        self.first_convolutions = nn.ModuleList(nn.Conv1d(channels, channels, kernel) for _ in self.strides)
        self.second_convolutions = nn.ModuleList(nn.Conv1d(channels, channels, kernel, stride=s) for s in self.strides)
        self.first_dense = nn.ModuleList(nn.Linear(channels, channels) for _ in range(DENSE_BLOCKS))
        self.second_dense = nn.ModuleList(nn.Linear(channels, channels) for _ in range(DENSE_BLOCKS))
        self.embedding = nn.Linear(channels, config.embedding)

    def start_neutral(self) -> None:
        """Make every style weight 1 whatever the sound, so that an untrained style encoder is the neutral style."""
        nn.init.zeros_(self.feature.weight)
        nn.init.ones_(self.feature.bias)
        if self.scale is not None:
            nn.init.constant_(self.scale.weight, (1.0 + math.exp(-1.0)) / self.scale.in_features)

    def forward(self, mel: Tensor, lengths: Tensor | None = None) -> StyleOutput:
        """mel (B, mel_bins, M), lengths (B,) valid frames of each item or None for all. Eq. 11, 13"""
        if lengths is None:
            lengths = torch.full((mel.shape[0],), mel.shape[2], device=mel.device)
        parts = [self._embed((mel - self.mel_mean) / self.mel_spread, lengths)] if self.convolutions else []
        if self.statistics is not None:
            parts.append(self.statistics(self.statistics_of(mel, lengths)))
        return self.weigh(sum(parts))

    def weigh(self, embedding: Tensor) -> StyleOutput:
        """What was heard (B, embedding) -> style. Eq. 11, 13

        Of statistics alone the feature is itself the weights: so they can be taught by regression.
        """
        if not self.convolutions:
            embedding = embedding.clamp(-FARTHEST, FARTHEST)
        feature = self.feature(embedding)
        if self.scale is None:
            return StyleOutput(feature.clamp(LIGHTEST, HEAVIEST), feature, self.projection(feature))
        weights = torch.sigmoid(feature) * self.scale(feature)
        return StyleOutput(weights, feature, self.projection(feature))

    def statistics_of(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """What `statistics` is given of a log-mel (B, mel_bins, M): (B, 3 mel_bins + MEASURES)."""
        found = voice_statistics(mel, lengths)
        mean, others = found.split([mel.shape[1], found.shape[1] - mel.shape[1]], dim=1)
        return torch.cat([mean - self.mel_mean, others], dim=1) / self.mel_spread

    def _embed(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """(B, mel_bins, M) -> (B, embedding), the trunk."""
        x = self._convolve(mel, lengths)
        for first, second in zip(self.first_dense, self.second_dense, strict=True):
            y = self.dropout(F.relu(first(x)))
            x = x + self.dropout(F.relu(second(y)))
        return self.embedding(x)

    def _convolve(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """(B, mel_bins, M) -> (B, channels): the convolutional half and its average over each item's own frames."""
        bank = [F.relu(_convolve_reflected(mel, convolution, lengths)) for convolution in self.bank]
        x = self.dropout(F.relu(self.gather(torch.cat([*bank, mel], dim=1))))
        for first, second, stride in zip(self.first_convolutions, self.second_convolutions, self.strides, strict=True):
            y = self.dropout(F.relu(_convolve_reflected(x, first, lengths)))
            y = self.dropout(F.relu(_convolve_reflected(y, second, lengths)))
            if stride > 1:
                x = _average_pool(x, stride, lengths)
                lengths = -(-lengths // stride)
            x = x + y
        valid = length_mask(lengths, x.shape[2])[:, None]
        return (x * valid).sum(-1) / lengths[:, None]


class SpeakerLabels(nn.Module):
    """A style for each training speaker by name, in the place of the style encoder: a linear layer on a one-hot label.

    It reads the label where the style encoder reads sound. An unseen speaker has none; a mean of labels is allowed.
    """

    def __init__(self, speakers: int, slots: int) -> None:
        super().__init__()
        self.weights = nn.Linear(speakers, slots, bias=False)
        nn.init.zeros_(self.weights.weight)  # every speaker starts neutral

    def forward(self, labels: Tensor, lengths: Tensor | None = None) -> StyleOutput:
        """labels (B, speakers, M), one-hot and the same at every m < lengths. w_s = 1 + its speaker's vector."""
        offset = self.weights(labels[:, :, 0])
        return StyleOutput(1.0 + offset, offset, offset)


def voice_statistics(mel: Tensor, lengths: Tensor) -> Tensor:
    """What tells voices and ways of speaking apart in a log-mel in dB: (B, bins, M) -> (B, 3 bins + MEASURES), in dB.

    Of each band: mean and spread over the frames in which somebody speaks (x-vectors pool so: Snyder et al. 2018, doi
    10.1109/ICASSP.2018.8461375), and the mean change within `MOVED` frames, which rises with the rate of speech; then
    by how much the loudest frames are louder than a fifth, and than half, of all that is not a pause, and the
    brightness, as `brightness_of` says.
    """
    valid = length_mask(lengths, mel.shape[2])
    level = torch.logsumexp(mel * (math.log(10) / 10), dim=1) * (10 / math.log(10))  # (B, M)
    loudest = _quantile(level, valid, 0.98)
    spoken = (valid & (level > loudest[:, None] - SPOKEN))[:, None]
    count = spoken.sum(-1)
    mean = (mel * spoken).sum(-1) / count
    spread = (((mel - mean[..., None]) * spoken).square().sum(-1) / count + 1e-4).sqrt()
    change = (mel[..., MOVED:] - mel[..., :-MOVED]).abs() * valid[:, None, MOVED:]
    change = change.sum(-1) / (lengths[:, None] - MOVED).clamp_min(1)
    no_pause = valid & (level > loudest[:, None] - NO_PAUSE)
    ranges = torch.stack([loudest - _quantile(level, no_pause, share) for share in (0.2, 0.5)], dim=1)
    return torch.cat([mean, spread, change, ranges, brightness_of(mel, valid)], dim=1)


def brightness_of(mel: Tensor, valid: Tensor) -> Tensor:
    """Decibels by which loud speech is louder from 1 to 5 kHz than below: (B, bins, M) in dB, (B, M) -> (B, 1).

    It rises with vocal effort, and a few seconds tell it surely ("alpha ratio": Sundberg and Nordenberg 2006, doi
    10.1121/1.2208451). The bands are taken to be the HTK mels of `features.style_log_mel`.
    """
    power = 10.0 ** (mel / 10.0)
    level = power.sum(1)
    loud = valid & (level >= 10.0 ** (-LOUD / 10.0) * _quantile(level, valid, 0.95)[:, None])
    bands = (power * loud[:, None]).sum(-1)  # (B, bins)
    hertz = mel_centres(mel.shape[1], "htk").to(mel.device)
    above = bands[:, (hertz >= MIDDLE) & (hertz < HIGHEST)].sum(1, keepdim=True)
    below = bands[:, (hertz > LOWEST) & (hertz < MIDDLE)].sum(1, keepdim=True)
    return 10.0 * torch.log10((above + 1e-12) / (below + 1e-12))


def _quantile(values: Tensor, counted: Tensor, share: float) -> Tensor:
    """Of the counted values (B, M) the one that so many are not above: (B,)."""
    ordered = values.masked_fill(~counted, torch.inf).sort(dim=1).values
    return ordered.gather(1, ((counted.sum(1) - 1) * share).long()[:, None])[:, 0]


def _convolve_reflected(x: Tensor, convolution: nn.Conv1d, lengths: Tensor) -> Tensor:
    """Convolve (B, channels, M) after reflecting each item at its own border: k // 2 left, (k - 1) // 2 right."""
    kernel = convolution.kernel_size[0]
    index = torch.arange(-(kernel // 2), x.shape[2] + (kernel - 1) // 2, device=x.device)[None].abs()
    last = lengths[:, None] - 1
    index = (last - (last - index).abs()).clamp_min(0)  # beyond the far border: counted back from it
    return convolution(x.gather(2, index[:, None].expand(-1, x.shape[1], -1)))


def _average_pool(x: Tensor, stride: int, lengths: Tensor) -> Tensor:
    """Average each `stride` frames of (B, channels, M); a last, partial group is the average of what it holds."""
    groups = -(-x.shape[2] // stride)
    valid = length_mask(lengths, groups * stride)
    total = F.pad(x, (0, groups * stride - x.shape[2])) * valid[:, None]
    count = valid.unflatten(-1, (groups, stride)).sum(-1).clamp_min(1)
    return total.unflatten(-1, (groups, stride)).sum(-1) / count[:, None]

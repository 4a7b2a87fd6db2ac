"""The style encoder: log-mel -> speaking style, one weight per memory slot.

The paper's encoder is the speaker encoder of AdaIN-VC (Chou and Lee 2019, arXiv 1904.05742): a bank of convolutions,
residual convolutions that halve the rate, the average over time, residual dense layers. The open model reads
`voice_statistics` instead, a fixed set of statistics of the log-mel.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memorytalker.config import ConfigError, StyleConfig
from memorytalker.models.layers import length_mask
from memorytalker.sound.mel import masked_quantile, mel_brightness, mel_loudness

#: AdaIN-VC: the largest kernel in the bank of convolutions (1 to this), and the number of residual dense layers.
BANK_SIZE, DENSE_BLOCKS = 8, 6
#: Statistics are clamped to this many standard deviations from the training voices, so that silence has some style too.
LARGEST_DEVIATION = 3.0
#: dB below the loudest frames (their 98th percentile) within which a frame is clear speech, or is no pause.
SPEECH_RANGE, PAUSE_RANGE = 25.0, 35.0
#: Frames over which the change of a band is measured: 40 ms at 100 frames per second.
CHANGE_FRAMES = 4
#: The last of the statistics, which describe the whole voice and no band: two loudness ranges and the brightness.
GLOBAL_STATISTICS = 3
#: Limits of style weights that come from statistics alone: the range that training motion was found to span.
SMALLEST_WEIGHT, LARGEST_WEIGHT = 0.2, 3.5


@dataclass(frozen=True)
class StyleOutput:
    """The speaking styles of a batch.

    Args:
        weights: w_s (B, n), one weight per memory slot.
        feature: the style feature f_s (B, n).
        projection: (B, n), a projection of the feature that the style loss compares.
    """

    weights: Tensor
    feature: Tensor
    projection: Tensor


class StyleEncoder(nn.Module):
    """Log-mel -> StyleOutput, for each item of a batch by itself.

    Args:
        config: which of convolutions and statistics are used, and their sizes.
        slots: n.

    Raises:
        ConfigError: neither convolutions nor statistics.
    """

    def __init__(self, config: StyleConfig, slots: int) -> None:
        super().__init__()
        if not (config.convolutions or config.statistics):
            raise ConfigError("A style encoder without style.convolutions has no input; set style.statistics.")
        self.mel_mean, self.mel_spread = config.mel_mean, config.mel_spread
        self.convolutions = config.convolutions
        if config.convolutions:
            self._build_trunk(config)
        count = 3 * config.mel_bins + GLOBAL_STATISTICS
        width = config.embedding if config.convolutions else count
        self.statistics = nn.Linear(count, width) if config.statistics else None
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
        """Initialise the last layers so that every style weight is 1 for any sound: the neutral style."""
        nn.init.zeros_(self.feature.weight)
        nn.init.ones_(self.feature.bias)
        if self.scale is not None:
            nn.init.constant_(self.scale.weight, (1.0 + math.exp(-1.0)) / self.scale.in_features)

    def forward(self, mel: Tensor, lengths: Tensor | None = None) -> StyleOutput:
        """Encode the speaking style of log-mels. Eq. 11, 13

        Args:
            mel: (B, mel_bins, M) in dB, 100 frames per second.
            lengths: (B,) valid frames of each item; None: all are valid.

        Returns:
            A StyleOutput.
        """
        if lengths is None:
            lengths = torch.full((mel.shape[0],), mel.shape[2], device=mel.device)
        parts = [self._embed((mel - self.mel_mean) / self.mel_spread, lengths)] if self.convolutions else []
        if self.statistics is not None:
            parts.append(self.statistics(self.statistics_of(mel, lengths)))
        return self.weigh(functools.reduce(torch.add, parts))

    def weigh(self, embedding: Tensor) -> StyleOutput:
        """Map an embedding (B, embedding) to style weights. Eq. 11, 13

        Without convolutions the feature itself is the weights, so that they can be fitted by linear regression.
        """
        if not self.convolutions:
            embedding = embedding.clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
        feature = self.feature(embedding)
        if self.scale is None:
            return StyleOutput(feature.clamp(SMALLEST_WEIGHT, LARGEST_WEIGHT), feature, self.projection(feature))
        weights = torch.sigmoid(feature) * self.scale(feature)
        return StyleOutput(weights, feature, self.projection(feature))

    def statistics_of(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Return the input of the layer `statistics`: `voice_statistics` of `mel`, centred and scaled."""
        statistics = voice_statistics(mel, lengths)
        mean, others = statistics.split([mel.shape[1], statistics.shape[1] - mel.shape[1]], dim=1)
        return torch.cat([mean - self.mel_mean, others], dim=1) / self.mel_spread

    def _embed(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """(B, mel_bins, M) -> (B, embedding), AdaIN-VC's encoder."""
        x = self._convolve(mel, lengths)
        for first, second in zip(self.first_dense, self.second_dense, strict=True):
            y = self.dropout(F.relu(first(x)))
            x = x + self.dropout(F.relu(second(y)))
        return self.embedding(x)

    def _convolve(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """(B, mel_bins, M) -> (B, channels): the convolutions and their average over each item's valid frames."""
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
    """Style weights per training speaker in place of a style encoder: a linear layer on a one-hot speaker label.

    An unseen speaker has no label; a mean of labels is allowed.

    Args:
        speakers: number of training speakers.
        slots: n.
    """

    def __init__(self, speakers: int, slots: int) -> None:
        super().__init__()
        self.weights = nn.Linear(speakers, slots, bias=False)
        nn.init.zeros_(self.weights.weight)  # every speaker starts neutral

    def forward(self, labels: Tensor, lengths: Tensor | None = None) -> StyleOutput:
        """Look up w_s = 1 + the speaker's vector.

        Args:
            labels: (B, speakers, M), one-hot and constant over the M frames, in place of a log-mel.
            lengths: ignored; as in `StyleEncoder.forward`.

        Returns:
            A StyleOutput.
        """
        offset = self.weights(labels[:, :, 0])
        return StyleOutput(1.0 + offset, offset, offset)


def voice_statistics(mel: Tensor, lengths: Tensor) -> Tensor:
    """Statistics of a log-mel that characterise a voice and its speaking style.

    Args:
        mel: (B, bins, M) in dB, 100 frames per second.
        lengths: (B,) valid frames.

    Returns:
        (B, 3 bins + GLOBAL_STATISTICS) in dB. Per band: mean and standard deviation over clear speech, and the mean
        absolute change within `CHANGE_FRAMES`, which rises with the speaking rate. Then the loudness range: the
        loudest frames less the 20th, and less the 50th, percentile of all frames that are no pause. Last the
        brightness (`mel_brightness`).

    Source:
        Pooling of mean and standard deviation as in x-vectors (Snyder et al. 2018, doi 10.1109/ICASSP.2018.8461375).
    """
    valid = length_mask(lengths, mel.shape[2])
    level = mel_loudness(mel)
    loudest = masked_quantile(level, valid, 0.98)
    spoken = (valid & (level > loudest[:, None] - SPEECH_RANGE))[:, None]
    count = spoken.sum(-1)
    mean = (mel * spoken).sum(-1) / count
    spread = (((mel - mean[..., None]) * spoken).square().sum(-1) / count + 1e-4).sqrt()
    change = (mel[..., CHANGE_FRAMES:] - mel[..., :-CHANGE_FRAMES]).abs() * valid[:, None, CHANGE_FRAMES:]
    change = change.sum(-1) / (lengths[:, None] - CHANGE_FRAMES).clamp_min(1)
    no_pause = valid & (level > loudest[:, None] - PAUSE_RANGE)
    ranges = torch.stack([loudest - masked_quantile(level, no_pause, share) for share in (0.2, 0.5)], dim=1)
    return torch.cat([mean, spread, change, ranges, mel_brightness(mel, valid)], dim=1)


def _convolve_reflected(x: Tensor, convolution: nn.Module, lengths: Tensor) -> Tensor:
    """Convolve (B, channels, M) after reflecting each item at its own border: k // 2 left, (k - 1) // 2 right."""
    assert isinstance(convolution, nn.Conv1d)  # a ModuleList does not say what it holds
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

"""Log-mel spectrograms that the encoders read, level normalisation, and measures of a log-mel. torch only.

Functions of waveforms take a batch (B, S) of one length. Clips of different lengths are passed one by one, so that
padding has no influence on the edges and the normalisation of a spectrogram. `sound/acoustics.py` compares the
measures here with those of other modules.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

SAMPLE_RATE = 16000  # Hz, of every waveform below
WHISPER_WINDOW = 400  # samples
WHISPER_HOP = 160  # samples
LEVEL_FRAME = 320  # samples: 20 ms
LEVEL_FLOOR = 10 ** (-50 / 20)  # r.m.s., -50 dBFS: quieter sound is silence and is not amplified to speech level
#: Hz: brightness compares the bands from LOWEST to MIDDLE with those from MIDDLE to HIGHEST.
LOWEST, MIDDLE, HIGHEST = 60.0, 1000.0, 5000.0
#: dB below the loudest frames within which a frame counts for the brightness.
LOUD_RANGE = 17.0


def speech_log_mel(waveform: Tensor, mel_bins: int = 80) -> Tensor:
    """Compute the log-mel that Whisper's encoder was trained on, without padding to 30 s.

    Slaney mels, log10, floored at 8 below the clip's maximum, then (x + 4) / 4.

    Args:
        waveform: (B, S) at 16 kHz.
        mel_bins: number of bands.

    Returns:
        (B, mel_bins, S // 160), 100 frames per second.

    Source:
        Radford et al. 2022, arXiv 2212.04356.
    """
    power = _power_spectrogram(waveform, WHISPER_WINDOW, WHISPER_HOP)[..., :-1]  # (B, 201, M)
    mel = _to_mel(power, mel_bins, WHISPER_WINDOW, "slaney").clamp_min(1e-10).log10()
    floor = mel.amax(dim=(1, 2), keepdim=True) - 8.0
    return (torch.maximum(mel, floor) + 4.0) / 4.0


def style_log_mel(waveform: Tensor, mel_bins: int = 80, window: int = 400, hop: int = 160) -> Tensor:
    """Compute the log-mel of the style encoder: HTK mels of the power spectrum in dB, clamped at -100 dB.

    Args:
        waveform: (B, S) at 16 kHz.
        mel_bins: number of bands.
        window: in samples; 400 are 25 ms.
        hop: in samples; 160 are 10 ms.

    Returns:
        (B, mel_bins, 1 + S // hop) in dB.
    """
    power = _power_spectrogram(waveform, window, hop)
    return 10.0 * _to_mel(power, mel_bins, window, "htk").clamp_min(1e-10).log10()


def loudness(waveform: Tensor) -> Tensor:
    """Measure the loudness of speech: the 95th percentile of the r.m.s. of 20 ms frames.

    Where speech is rare that percentile is silence, so the result is at least a quarter (-12 dB) of the loudest frame.

    Args:
        waveform: (B, S) at 16 kHz.

    Returns:
        (B,) r.m.s., full scale is 1.
    """
    samples = waveform.shape[-1]
    frames = F.pad(waveform, (0, -samples % LEVEL_FRAME)).unflatten(-1, (-1, LEVEL_FRAME))  # (B, F, 320)
    rms = frames.square().mean(-1).sqrt()
    return torch.maximum(torch.quantile(rms, 0.95, dim=-1), rms.amax(-1) / 4)


def normalise_level(waveform: Tensor, target: float, level: Tensor | None = None) -> Tensor:
    """Scale speech to one level, so that the distance from the microphone has no influence.

    Args:
        waveform: (B, S).
        target: r.m.s. that `level` becomes; 0: zero mean and unit variance, as HuBERT was trained and in the paper.
        level: (B,) r.m.s., taken as -50 dBFS if it is lower; None: the clip's own `loudness`.

    Returns:
        (B, S).
    """
    if target == 0:
        centred = waveform - waveform.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-7).sqrt()
    level = loudness(waveform) if level is None else level.to(waveform)
    return waveform * (target / level.clamp_min(LEVEL_FLOOR)).unsqueeze(-1)


def _power_spectrogram(waveform: Tensor, window: int, hop: int) -> Tensor:
    """(B, S) -> (B, window // 2 + 1, 1 + S // hop): centred frames, reflected edges, periodic Hann window."""
    if waveform.shape[-1] <= window // 2:  # too short to reflect
        waveform = F.pad(waveform, (0, window // 2 + 1 - waveform.shape[-1]))
    hann = torch.hann_window(window, device=waveform.device, dtype=waveform.dtype)
    spectrum = torch.stft(waveform, window, hop, window=hann, center=True, pad_mode="reflect", return_complex=True)
    return spectrum.real.square() + spectrum.imag.square()


def _to_mel(power: Tensor, mel_bins: int, window: int, scale: str) -> Tensor:
    return mel_filters(mel_bins, window, scale).to(power) @ power


@functools.lru_cache(maxsize=8)
def mel_filters(mel_bins: int, window: int, scale: str, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Compute triangular mel filters from 0 Hz to half the sample rate.

    Args:
        mel_bins: number of filters.
        window: length of the spectrum's window, in samples.
        scale: "htk": 2595 log10(1 + f / 700), peaks of height 1. "slaney": linear below 1 kHz and logarithmic above
            (Slaney 1998, Auditory Toolbox), each filter of unit area in Hz.
        sample_rate: in Hz.

    Returns:
        (mel_bins, window // 2 + 1) float32.
    """
    frequencies = torch.linspace(0.0, sample_rate / 2, window // 2 + 1, dtype=torch.float64)
    corners = _mel_corners(mel_bins, scale, sample_rate)
    width = corners.diff()
    distance = corners[:, None] - frequencies[None]  # (mel_bins + 2, bins)
    rising, falling = -distance[:-2] / width[:-1, None], distance[2:] / width[1:, None]
    filters = torch.minimum(rising, falling).clamp_min(0.0)
    if scale == "slaney":
        filters = filters * (2.0 / (corners[2:] - corners[:-2]))[:, None]
    return filters.float()


def mel_centres(mel_bins: int, scale: str, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Return the frequency in Hz (mel_bins,) at which each of `mel_filters` is highest."""
    return _mel_corners(mel_bins, scale, sample_rate)[1:-1].float()


def mel_loudness(mel: Tensor) -> Tensor:
    """Sum a log-mel over its bands: (B, bins, M) in dB -> (B, M) in dB."""
    return torch.logsumexp(mel * (math.log(10) / 10), dim=1) * (10 / math.log(10))


def mel_brightness(mel: Tensor, valid: Tensor) -> Tensor:
    """Measure the "alpha ratio" of a log-mel: the level from 1 to 5 kHz less that below 1 kHz, over loud frames.

    It rises with vocal effort.

    Args:
        mel: (B, bins, M) in dB, as `style_log_mel` makes it.
        valid: (B, M) bool, the frames that count.

    Returns:
        (B, 1) in dB.

    Source:
        Sundberg and Nordenberg 2006, doi 10.1121/1.2208451.
    """
    power = 10.0 ** (mel / 10.0)
    level = power.sum(1)
    loud = valid & (level >= 10.0 ** (-LOUD_RANGE / 10.0) * masked_quantile(level, valid, 0.95)[:, None])
    bands = (power * loud[:, None]).sum(-1)  # (B, bins)
    hertz = mel_centres(mel.shape[1], "htk").to(mel.device)
    above = bands[:, (hertz >= MIDDLE) & (hertz < HIGHEST)].sum(1, keepdim=True)
    below = bands[:, (hertz > LOWEST) & (hertz < MIDDLE)].sum(1, keepdim=True)
    return 10.0 * torch.log10((above + 1e-12) / (below + 1e-12))


def masked_quantile(values: Tensor, valid: Tensor, share: float) -> Tensor:
    """Return the quantile `share` of the valid values of each row, without interpolation.

    Args:
        values: (B, M).
        valid: (B, M) bool.
        share: from 0 to 1.

    Returns:
        (B,).
    """
    ordered = values.masked_fill(~valid, torch.inf).sort(dim=1).values
    return ordered.gather(1, ((valid.sum(1) - 1) * share).long()[:, None])[:, 0]


def _mel_corners(mel_bins: int, scale: str, sample_rate: int) -> Tensor:
    """Begin, peak and end of the triangles in Hz (mel_bins + 2,): equal steps in mel from 0 to half the rate."""
    top = _hz_to_mel(sample_rate / 2, scale)
    return _mel_to_hz(torch.linspace(0.0, top, mel_bins + 2, dtype=torch.float64), scale)


def _hz_to_mel(hertz: float, scale: str) -> float:
    if scale == "htk":
        return 2595.0 * math.log10(1.0 + hertz / 700.0)
    return hertz * 3 / 200 if hertz < 1000 else 15.0 + math.log(hertz / 1000.0) * 27.0 / math.log(6.4)


def _mel_to_hz(mel: Tensor, scale: str) -> Tensor:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return torch.where(mel < 15.0, mel * 200 / 3, 1000.0 * torch.exp((mel - 15.0) * math.log(6.4) / 27.0))

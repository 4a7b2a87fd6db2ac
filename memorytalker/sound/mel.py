"""Sound as numbers: the log-mel spectrograms that the encoders read, and the level they read it at.

Pure torch, on whatever device the waveform lives. Every function takes a batch (B, S) of waveforms of one
length; clips of different lengths are given one by one, because a spectrogram's edges and its normalisation
belong to the clip and not to the batch it happens to travel in.
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
LEVEL_FLOOR = 10 ** (-50 / 20)  # r.m.s.: what is quieter than -50 dBFS is silence and is not amplified to speech level


def speech_log_mel(waveform: Tensor, mel_bins: int = 80) -> Tensor:
    """The log-mel that Whisper's encoder was trained on, cut to the clip (no 30 s padding).

    waveform (B, S) -> (B, mel_bins, S // 160), 100 frames a second: Slaney mels, log10, at most 8 below the
    clip's own maximum, then (x + 4) / 4 (Radford et al. 2022, arXiv 2212.04356).
    """
    power = _power_spectrogram(waveform, WHISPER_WINDOW, WHISPER_HOP)[..., :-1]  # (B, 201, M)
    mel = _to_mel(power, mel_bins, WHISPER_WINDOW, "slaney").clamp_min(1e-10).log10()
    floor = mel.amax(dim=(1, 2), keepdim=True) - 8.0
    return (torch.maximum(mel, floor) + 4.0) / 4.0


def style_log_mel(waveform: Tensor, mel_bins: int = 80, window: int = 400, hop: int = 160) -> Tensor:
    """The log-mel of the style encoder: HTK mels of the power spectrum in dB, 10 log10 clamped at 1e-10.

    waveform (B, S) -> (B, mel_bins, 1 + S // hop), 100 frames a second at the default 25 ms window and 10 ms hop.
    """
    power = _power_spectrogram(waveform, window, hop)
    return 10.0 * _to_mel(power, mel_bins, window, "htk").clamp_min(1e-10).log10()


def loudness(waveform: Tensor) -> Tensor:
    """How loud speech is in a clip: the 95th percentile of the r.m.s. of its 20 ms frames. (B, S) -> (B,)

    Where speech is rare that percentile is silence, so the level is at least a quarter (-12 dB) of the loudest frame.
    """
    samples = waveform.shape[-1]
    frames = F.pad(waveform, (0, -samples % LEVEL_FRAME)).unflatten(-1, (-1, LEVEL_FRAME))  # (B, F, 320)
    rms = frames.square().mean(-1).sqrt()
    return torch.maximum(torch.quantile(rms, 0.95, dim=-1), rms.amax(-1) / 4)


def normalise_level(waveform: Tensor, target: float, level: Tensor | None = None) -> Tensor:
    """Bring speech to one level, so that the distance from the microphone does not read as a way of speaking.

    With `target` > 0 the waveform (B, S) is scaled so that `level` (B,), by default the clip's own `loudness`,
    becomes `target`; levels under -50 dBFS count as -50 dBFS. With `target` 0 the waveform gets zero mean and unit
    variance, as HuBERT was trained and as the paper does.
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
    """Triangular mel filters (mel_bins, window // 2 + 1) from 0 Hz to half the sample rate.

    `scale` "htk": 2595 log10(1 + f / 700), peaks of height 1. "slaney": linear under 1 kHz and logarithmic above
    (Slaney 1998, Auditory Toolbox), each filter of unit area in Hz.
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
    """The frequency in Hz (mel_bins,) at which each of `mel_filters` is highest."""
    return _mel_corners(mel_bins, scale, sample_rate)[1:-1].float()


def _mel_corners(mel_bins: int, scale: str, sample_rate: int) -> Tensor:
    """Where triangles begin, peak and end, in Hz (mel_bins + 2,): as far apart in mel, from 0 to half the rate."""
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

"""What can be heard of a speaker: loudness over time, its range, the pitch. numpy and scipy only."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

#: Hz of the loudness contour.
RATE = 100
QUIET = 1e-5  # r.m.s. under which a frame is taken as silence (-100 dBFS)


def loudness_contour(samples: np.ndarray, sample_rate: int = 16000) -> np.ndarray:
    """(M,) loudness in dB at 100 Hz of (S,) samples: r.m.s. of each 10 ms, slightly smoothed over its neighbours."""
    hop = sample_rate // RATE
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % hop))
    energy = gaussian_filter1d(np.square(padded).reshape(-1, hop).mean(axis=1), 0.6)
    return 20 * np.log10(np.sqrt(energy) + QUIET)


def effort(samples: np.ndarray, frames: int, fps: float, sample_rate: int = 16000) -> np.ndarray:
    """(T,) loudness against the clip's ordinary speech, in tens of decibels, within [-1.5, 1.5], at the motion rate.

    Ordinary is the median of the frames within 25 dB of the loudest: how loud the recording is does not matter.
    """
    contour = loudness_contour(samples, sample_rate)
    speech = contour[contour > np.percentile(contour, 98) - 25]
    smooth = gaussian_filter1d(contour, 0.05 * RATE)
    times = (np.arange(frames) + 0.5) / fps
    at_frames = np.interp(times, (np.arange(len(smooth)) + 0.5) / RATE, smooth)
    return np.clip((at_frames - np.median(speech)) / 10.0, -1.5, 1.5)


def loudness_range(samples: np.ndarray, sample_rate: int = 16000) -> float:
    """Decibels between the 20th and the 98th percentile of the loudness of speech frames."""
    contour = loudness_contour(samples, sample_rate)
    speech = contour[contour > np.percentile(contour, 98) - 35]
    return float(np.percentile(speech, 98) - np.percentile(speech, 20))


def pitch(samples: np.ndarray, sample_rate: int = 16000) -> float:
    """Median fundamental frequency in Hz (60 to 400) of the voiced frames by autocorrelation; 0 if none is voiced."""
    window, hop = int(0.04 * sample_rate), int(0.02 * sample_rate)
    if len(samples) < window:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop].astype(np.float64)
    loud = np.sqrt(np.square(frames).mean(axis=1))
    frames = frames[loud > 0.25 * np.percentile(loud, 95)]
    spectrum = np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), 2 * window)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, :window]
    correlation /= np.maximum(correlation[:, :1], 1e-12)
    low, high = sample_rate // 400, sample_rate // 60
    best = correlation[:, low:high].argmax(axis=1) + low
    voiced = correlation[np.arange(len(best)), best] > 0.45
    return float(np.median(sample_rate / best[voiced])) if voiced.any() else 0.0

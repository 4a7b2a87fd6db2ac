"""What can be heard of a speaker: loudness over time, its range, brightness, pitch, formants. numpy and scipy only."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, solve_toeplitz
from scipy.ndimage import gaussian_filter1d
from scipy.signal import resample_poly

#: Hz of the loudness contour.
RATE = 100
QUIET = 1e-5  # r.m.s. under which a frame is taken as silence (-100 dBFS)
#: The order of linear prediction that finds two formants per kilohertz and the source's slope at this rate (Hz).
FORMANT_ORDER, FORMANT_RATE = 12, 11000
#: A vowel is looked at for so long (s), at its middle; a shorter one than twice that is left out.
VOWEL_WINDOW = 0.03


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


def brightness(samples: np.ndarray, sample_rate: int = 16000) -> float:
    """Decibels by which speech is louder from 1 to 5 kHz than below (the "alpha ratio"): it rises with vocal effort.

    Over the frames within 17 dB of the loudest; of all that is heard of a voice the surest from a single sentence, next
    to its pitch. Source: Frokjaer-Jensen and Prytz 1976; Sundberg and Nordenberg 2006, doi 10.1121/1.2208451.
    """
    window = int(0.032 * sample_rate)
    if len(samples) < window:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[:: window // 2] * np.hanning(window)
    power = np.square(np.abs(np.fft.rfft(frames)))
    energy = power.sum(axis=1)
    power = power[energy >= 0.02 * np.percentile(energy, 95)].sum(axis=0)
    hertz = np.fft.rfftfreq(window, 1 / sample_rate)
    low, high = power[(hertz > 60) & (hertz < 1000)].sum(), power[(hertz >= 1000) & (hertz < 5000)].sum()
    return float(10 * np.log10((high + QUIET**2) / (low + QUIET**2)))


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


def first_formants(samples: np.ndarray, times: np.ndarray, sample_rate: int = 16000) -> np.ndarray:
    """(N,) first formant in Hz of samples (S,) around each of `times` (N,) seconds; nan where none is found.

    Linear prediction by autocorrelation (Atal and Hanauer 1971, doi 10.1121/1.1912679): the lowest narrow resonance.
    """
    slower = resample_poly(samples.astype(np.float64), FORMANT_RATE // 1000, sample_rate // 1000)
    half = int(VOWEL_WINDOW / 2 * FORMANT_RATE)
    found = np.full(len(times), np.nan)
    for number, time in enumerate(times):
        middle = int(time * FORMANT_RATE)
        frame = slower[max(middle - half, 0) : middle + half]
        if len(frame) == 2 * half:
            found[number] = _first_formant(frame)
    return found


def _first_formant(frame: np.ndarray) -> float:
    frame = frame - frame.mean()
    sharpened = np.append(frame[0], frame[1:] - 0.97 * frame[:-1]) * np.hamming(len(frame))
    lags = np.correlate(sharpened, sharpened, "full")[len(frame) - 1 : len(frame) + FORMANT_ORDER]
    if lags[0] < 1e-9:
        return float("nan")
    lags[0] *= 1.0001  # a little noise: rounding must not make the equations singular
    try:
        prediction = solve_toeplitz(lags[:-1], lags[1:])
    except LinAlgError:
        return float("nan")
    roots = np.roots(np.concatenate([[1.0], -prediction]))
    roots = roots[roots.imag > 0.01]
    hertz = np.angle(roots) * FORMANT_RATE / (2 * np.pi)
    width = -np.log(np.maximum(np.abs(roots), 1e-9)) * FORMANT_RATE / np.pi
    narrow = hertz[(hertz > 220) & (hertz < 1300) & (width < 400)]
    return float(narrow.min()) if len(narrow) else float("nan")

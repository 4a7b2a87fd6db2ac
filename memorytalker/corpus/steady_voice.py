"""The steady middle of a spoken vowel or nasal: its pitch and its spectral envelope. Samples are (S,), 16 kHz, mono."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from memorytalker.sound.decode import SAMPLE_RATE

#: Hz of voices, from a low man's to a small child's.
PITCHES = (65.0, 450.0)
#: Smallest normalised autocorrelation of a voiced frame, and the largest spread of the pitch (standard deviation over
#: mean) of a part that is called steady.
VOICED, STEADY = 0.6, 0.12
#: By how much a lag of twice the length must be more alike to be taken for the period.
OCTAVE_COST = 0.12
#: Seconds of a frame in which the pitch is measured, and between frames of the analysis.
PITCH_SECONDS, HOP_SECONDS = 0.04, 0.005
#: Points of the spectra; a frame has three periods, at most 46 ms.
FFT = 2048


@dataclass(frozen=True, eq=False)
class SteadyVoice:
    """The steady part of a voiced sound.

    Attributes:
        samples: (S,) the part, with at least two periods around it.
        pitch: its median pitch in Hz.
        first, last: samples between which it is steady.
        log_envelope: (F, FFT / 2 + 1) natural logarithm of the amplitude at frames 5 ms apart between `first` and
            `last`, without harmonics.
    """

    samples: np.ndarray
    pitch: float
    first: int
    last: int
    log_envelope: np.ndarray


def steady_voice(samples: np.ndarray, start: float, end: float) -> SteadyVoice | None:
    """Analyse a part of a recording.

    Args:
        samples: (S,) the recording.
        start: of the part that should be steady, seconds.
        end: of it, seconds.

    Returns:
        The steady voice; None if the part is not voiced throughout, or its pitch wanders too much.
    """
    centres = np.arange(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE), round(HOP_SECONDS * SAMPLE_RATE))
    if not len(centres):
        return None
    tracked, voicing = _pitches(samples, centres)
    if np.median(voicing) < VOICED or tracked.std() > STEADY * tracked.mean():
        return None
    pitch = float(np.median(tracked))
    margin = int(np.ceil(2.5 * SAMPLE_RATE / pitch))
    low, high = int(centres[0]) - margin, int(centres[-1]) + margin
    if low < 0 or high > len(samples):
        return None
    part = np.asarray(samples[low:high], np.float64)
    envelopes = np.stack([_log_envelope(samples, int(centre), pitch) for centre in centres])
    smooth = gaussian_filter1d(envelopes, 1.0, axis=0, mode="nearest")
    return SteadyVoice(part - part.mean(), pitch, margin, len(part) - margin, smooth)


def _pitches(samples: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F,) pitch in Hz and (F,) normalised autocorrelation at it, near the median of all frames."""
    size = round(PITCH_SECONDS * SAMPLE_RATE)
    padded = np.pad(np.asarray(samples, np.float64), size)
    frames = padded[centres[:, None] + size - size // 2 + np.arange(size)]
    frames = (frames - frames.mean(axis=1, keepdims=True)) * np.hanning(size)
    both = np.concatenate([frames, np.hanning(size)[None]])
    lags = np.fft.irfft(np.square(np.abs(np.fft.rfft(both, 2 * size))))[:, :size]
    lags /= np.maximum(lags[:, :1], 1e-12)
    low, high = (round(SAMPLE_RATE / hertz) for hertz in PITCHES[::-1])
    score = lags[:-1] / np.maximum(lags[-1], 1e-3)
    # Two periods are as alike as one: the shorter lag is preferred.
    cost = OCTAVE_COST * np.log2(np.arange(low, high) / low)
    best = (score[:, low:high] - cost).argmax(axis=1) + low
    middle = np.median(best)
    near = slice(max(int(0.75 * middle), low), min(int(1.3 * middle) + 2, high))  # no octave of another frame
    best = score[:, near].argmax(axis=1) + near.start
    rows = np.arange(len(best))
    left, peak, right = score[rows, best - 1], score[rows, best], score[rows, best + 1]
    bend = left - 2 * peak + right
    shift = np.where(bend < -1e-9, 0.5 * (left - right) / np.where(bend < -1e-9, bend, 1.0), 0.0)
    return SAMPLE_RATE / (best + np.clip(shift, -0.5, 0.5)), peak


def _log_envelope(samples: np.ndarray, centre: int, pitch: float) -> np.ndarray:
    """(FFT / 2 + 1,) log amplitude around a sample; the mean power over one harmonic's width takes harmonics away."""
    half = round(1.5 * SAMPLE_RATE / pitch)
    at = np.clip(np.arange(centre - half, centre + half + 1), 0, len(samples) - 1)
    frame = np.asarray(samples, np.float64)[at]
    window = np.hanning(len(frame))
    power = np.square(np.abs(np.fft.rfft((frame - frame.mean()) * window, FFT))) / np.square(window).sum()
    width = pitch * FFT / SAMPLE_RATE
    power[: round(width)] = power[round(width)]  # below the pitch there is nothing to measure
    smooth = uniform_filter1d(power, max(round(width), 1), mode="nearest")
    return gaussian_filter1d(0.5 * np.log(smooth + 1e-14), 0.25 * width, mode="nearest")

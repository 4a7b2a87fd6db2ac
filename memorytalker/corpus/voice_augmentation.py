"""Voice augmentation: pitch, formants, tempo and loudness range of recorded speech are changed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import istft, resample_poly, stft

from memorytalker.sound.acoustics import RATE, loudness_contour
from memorytalker.sound.decode import Waveform

#: Samples of the phase vocoder's window and step at 16 kHz: 32 ms and 4 ms.
WINDOW, HOP = 512, 64


def shifted_voice(waveform: Waveform, factor: float) -> Waveform:
    """Scale pitch and formants by `factor` (0.5 to 2) with timing unchanged; above 1 is a shorter vocal tract."""
    return changed_voice(waveform, factor)


def changed_voice(waveform: Waveform, pitch: float = 1.0, speed: float = 1.0, dynamics: float = 1.0) -> Waveform:
    """Change a voice.

    The sound is resampled and then stretched to its new length by a phase vocoder (Flanagan and Golden 1966, doi
    10.1002/j.1538-7305.1966.tb01706.x), whose frames are centred, so that nothing else moves in time.

    Args:
        waveform: speech.
        pitch: factor of pitch and formants.
        speed: factor of the tempo.
        dynamics: factor of the loudness range in dB.

    Returns:
        The changed speech.

    Raises:
        ValueError: a factor is not from 0.5 to 2.
    """
    for name, factor in (("pitch", pitch), ("speed", speed), ("dynamics", dynamics)):
        if not 0.5 <= factor <= 2.0:
            raise ValueError(f"A voice can be changed by a factor from 0.5 to 2, not by {name} {factor!r}.")
    samples = waveform.samples.astype(np.float64)
    if dynamics != 1.0:
        samples = _scaled_dynamics(samples, waveform.sample_rate, dynamics)
    ratio = Fraction(pitch).limit_denominator(100)
    resampled = resample_poly(samples, ratio.denominator, ratio.numerator)
    samples = _stretched(resampled, round(len(waveform.samples) / speed))
    peak = max(float(np.abs(samples).max()), 1.0)
    return Waveform((samples / peak).astype(np.float32))


def _scaled_dynamics(samples: np.ndarray, sample_rate: int, factor: float) -> np.ndarray:
    """Scale the loudness in dB around the median of speech by `factor`."""
    contour = gaussian_filter1d(loudness_contour(samples, sample_rate), 0.03 * RATE)
    ordinary = np.median(contour[contour > np.percentile(contour, 98) - 25])
    gain = (factor - 1.0) * np.clip(contour - ordinary, -25.0, 15.0)  # dB
    times = np.arange(len(samples)) / sample_rate
    return samples * 10 ** (np.interp(times, (np.arange(len(gain)) + 0.5) / RATE, gain) / 20)


def _stretched(samples: np.ndarray, count: int) -> np.ndarray:
    """`samples` (S,) played slower or faster at their own pitch, `count` samples long."""
    _, _, spectrum = stft(samples, nperseg=WINDOW, noverlap=WINDOW - HOP)
    magnitude, phase = np.abs(spectrum), np.angle(spectrum)
    rate = len(samples) / count
    steps = np.minimum(np.arange(0, int(np.ceil(count / HOP)) + 1) * rate, magnitude.shape[1] - 1.001)
    steps = np.maximum(steps, 0.0)
    low = steps.astype(int)
    part = steps - low
    blended = (1 - part) * magnitude[:, low] + part * magnitude[:, low + 1]
    # Each bin turns as fast in the output as between the two frames that it is read from.
    expected = 2 * np.pi * HOP * np.arange(len(spectrum))[:, None] / WINDOW
    turned = phase[:, low + 1] - phase[:, low] - expected
    turned = expected + turned - 2 * np.pi * np.round(turned / (2 * np.pi))
    angles = phase[:, :1] + np.concatenate([np.zeros((len(spectrum), 1)), np.cumsum(turned[:, :-1], axis=1)], axis=1)
    _, output = istft(blended * np.exp(1j * angles), nperseg=WINDOW, noverlap=WINDOW - HOP)
    return np.pad(output[:count], (0, max(0, count - len(output))))

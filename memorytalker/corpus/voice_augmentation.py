"""Other throats for recorded speech: the same words at the same times, so that few filmed people teach for many."""

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
    """Pitch and formants times `factor` (0.5 to 2), timing unchanged: above 1 a shorter vocal tract, as a child's."""
    return changed_voice(waveform, factor)


def changed_voice(waveform: Waveform, pitch: float = 1.0, speed: float = 1.0, liveliness: float = 1.0) -> Waveform:
    """Another throat: pitch and formants times `pitch`, time through `speed`, loudness range in dB times `liveliness`.

    Each from 0.5 to 2. The sound is resampled and then stretched to its new length by a phase vocoder (Flanagan and
    Golden 1966, doi 10.1002/j.1538-7305.1966.tb01706.x), whose frames are centred, so that nothing else moves in time.
    """
    for name, factor in (("pitch", pitch), ("speed", speed), ("liveliness", liveliness)):
        if not 0.5 <= factor <= 2.0:
            raise ValueError(f"A voice can be changed by a factor from 0.5 to 2, not by {name} {factor!r}.")
    samples = waveform.samples.astype(np.float64)
    if liveliness != 1.0:
        samples = _livelier(samples, waveform.sample_rate, liveliness)
    ratio = Fraction(pitch).limit_denominator(100)
    resampled = resample_poly(samples, ratio.denominator, ratio.numerator)
    samples = _stretched(resampled, round(len(waveform.samples) / speed))
    peak = max(float(np.abs(samples).max()), 1.0)
    return Waveform((samples / peak).astype(np.float32))


def _livelier(samples: np.ndarray, sample_rate: int, factor: float) -> np.ndarray:
    """Loud parts louder and soft ones softer by `factor` in dB around ordinary speech; pauses only by what is soft."""
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

"""Acoustic measures of sound and of speakers: loudness, brightness, pitch, formants. numpy and scipy only.

Loudness, pitch and brightness are each measured in more than one way, here and, in torch, in `sound/mel.py`. They are
kept apart because trained weights, fitted constants and the corpus depend on their exact numbers:

| measure | gives | used for | differs because |
|---|---|---|---|
| `mel.loudness` | r.m.s. of a clip | level normalisation before the encoders | in torch; finds sparse speech |
| `speech_level` | r.m.s. of a clip | signal-to-noise ratios of augmentation | mean power of loud frames |
| `loudness_contour` | dB at 100 Hz | speakers' loudness range, effort, pauses | smoothed, not causal |
| `frame_loudness` | dB per motion frame | silence and brow accents in inference | pre-emphasised; causal |
| `mel.mel_loudness` | dB at 100 Hz | statistics of the style encoder | sum of the log-mel that the encoder reads |
| `pitch` | median in Hz | speakers, voice augmentation | one number, robust, no frame times |
| `frame_pitch` | log2 Hz per motion frame | brow accents in inference | window function divided out, per frame |
| `brightness` | dB | articulation styles of corpus speakers | from the spectrum, over the loud frames |
| `mel.mel_brightness` | dB | statistics of the style encoder | from the log-mel that the encoder reads |
"""

from __future__ import annotations

import numpy as np

#: Hz of the loudness contour.
RATE = 100
QUIET = 1e-5  # r.m.s. added to every frame of the contour, so that silence is -100 dBFS
NO_SOUND = -100.0  # dB of a motion frame of digital silence
#: `speech_level`: length of a frame in seconds, and the dB below the 95th percentile within which a frame is loud.
LEVEL_SECONDS, LEVEL_RANGE = 0.02, 15.0
PITCH_RANGE = (70.0, 400.0)  # Hz, of speaking voices
PITCH_WINDOW = 0.04  # seconds, almost three periods of the lowest pitch
VOICED = 0.5  # smallest normalised autocorrelation of a voiced frame
EMPHASIS = 0.97  # coefficient of the pre-emphasis
#: Linear prediction of this order, at this sample rate (Hz), finds the formants of a vowel.
FORMANT_ORDER, FORMANT_RATE = 12, 11000
#: Length in seconds of the analysed middle of a vowel; vowels shorter than twice that are left out.
VOWEL_WINDOW = 0.03


def speech_level(samples: np.ndarray, sample_rate: int = 16000) -> float:
    """Measure the level of speech: the r.m.s. of its loud frames.

    Args:
        samples: (S,).
        sample_rate: in Hz.

    Returns:
        R.m.s., full scale is 1; 0 for silence.
    """
    count = max(len(samples) // round(LEVEL_SECONDS * sample_rate), 1)
    power = np.array([np.mean(np.square(part, dtype=np.float64)) for part in np.array_split(samples, count)])
    loud = power[power >= np.percentile(power, 95) * 10 ** (-LEVEL_RANGE / 10)]
    return float(np.sqrt(loud.mean()))


def loudness_contour(samples: np.ndarray, sample_rate: int = 16000) -> np.ndarray:
    """Measure loudness over time: the r.m.s. of each 10 ms, slightly smoothed.

    Args:
        samples: (S,).
        sample_rate: in Hz.

    Returns:
        (M,) in dB, at 100 Hz.
    """
    from scipy.ndimage import gaussian_filter1d

    hop = sample_rate // RATE
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % hop))
    energy = gaussian_filter1d(np.square(padded).reshape(-1, hop).mean(axis=1), 0.6)
    return 20 * np.log10(np.sqrt(energy) + QUIET)


def effort(samples: np.ndarray, frames: int, fps: float, sample_rate: int = 16000) -> np.ndarray:
    """Measure vocal effort over time: loudness relative to the clip's median speech, at the motion rate.

    Args:
        samples: (S,).
        frames: number of motion frames, T.
        fps: motion frames per second.
        sample_rate: in Hz.

    Returns:
        (T,) in tens of dB within [-1.5, 1.5]; 0 is the median of frames within 25 dB of the loudest.
    """
    from scipy.ndimage import gaussian_filter1d

    contour = loudness_contour(samples, sample_rate)
    speech = contour[contour > np.percentile(contour, 98) - 25]
    smooth = gaussian_filter1d(contour, 0.05 * RATE)
    times = (np.arange(frames) + 0.5) / fps
    at_frames = np.interp(times, (np.arange(len(smooth)) + 0.5) / RATE, smooth)
    return np.clip((at_frames - np.median(speech)) / 10.0, -1.5, 1.5)


def loudness_range(samples: np.ndarray, sample_rate: int = 16000) -> float:
    """Measure the loudness range of speech, from its 20th to its 98th percentile.

    Args:
        samples: (S,).
        sample_rate: in Hz.

    Returns:
        The range in dB.
    """
    contour = loudness_contour(samples, sample_rate)
    speech = contour[contour > np.percentile(contour, 98) - 35]
    return float(np.percentile(speech, 98) - np.percentile(speech, 20))


def brightness(samples: np.ndarray, sample_rate: int = 16000) -> float:
    """Measure the "alpha ratio": the level from 1 to 5 kHz less that below 1 kHz, over loud frames.

    Frames within 17 dB of the loudest count. The ratio rises with vocal effort. Next to pitch, no measure of a voice
    needs less speech.

    Args:
        samples: (S,).
        sample_rate: in Hz.

    Returns:
        The ratio in dB.

    Source:
        Frokjaer-Jensen and Prytz 1976; Sundberg and Nordenberg 2006, doi 10.1121/1.2208451.
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
    """Measure the median pitch of a voice by autocorrelation.

    Args:
        samples: (S,).
        sample_rate: in Hz.

    Returns:
        Hz, from 60 to 400; 0 if no frame is voiced.
    """
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


def frame_loudness(samples: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Measure the loudness of motion frames with pre-emphasis, so that weak fricatives count and rumble does not.

    Args:
        samples: (S,).
        bounds: (T + 1,) the sample at which each frame begins, and the end.

    Returns:
        (T,) r.m.s. of the pre-emphasised samples in dB, at least `NO_SOUND`.
    """
    samples = np.asarray(samples, np.float64)
    emphasised = samples - EMPHASIS * np.concatenate([samples[:1], samples[:-1]])
    energy = np.concatenate([[0.0], np.cumsum(np.square(emphasised))])[bounds]
    mean = np.diff(energy) / np.maximum(np.diff(bounds), 1)
    return 10.0 * np.log10(np.maximum(mean, 10.0 ** (NO_SOUND / 10.0)))


def frame_pitch(samples: np.ndarray, bounds: np.ndarray, sample_rate: int) -> np.ndarray:
    """Track the pitch of motion frames, by the highest peak of the normalised autocorrelation.

    Args:
        samples: (S,).
        bounds: (T + 1,) the sample at which each frame begins, and the end.
        sample_rate: in Hz.

    Returns:
        (T,) log2 of the pitch in Hz at the middle of each frame, NaN in unvoiced frames.

    Source:
        Boersma 1993, "Accurate short-term analysis of the fundamental frequency", Proceedings of the Institute of
        Phonetic Sciences 17.
    """
    size = round(PITCH_WINDOW * sample_rate)
    window = np.hanning(size)
    padded = np.pad(np.asarray(samples, np.float64), size)
    starts = (bounds[:-1] + bounds[1:]) // 2 + size - size // 2
    frames = padded[starts[:, None] + np.arange(size)]  # (T, size)
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    both = np.concatenate([frames, window[None]])
    correlation = np.fft.irfft(np.square(np.abs(np.fft.rfft(both, 2 * size))))[:, :size]
    correlation /= np.maximum(correlation[:, :1], 1e-12)
    low, high = (round(sample_rate / hertz) for hertz in PITCH_RANGE[::-1])
    score = (correlation[:-1] / correlation[-1])[:, low : high + 1]
    best = score.argmax(axis=1)
    return np.where(score.max(axis=1) >= VOICED, np.log2(sample_rate / (low + best)), np.nan)


def first_formants(samples: np.ndarray, times: np.ndarray, sample_rate: int = 16000) -> np.ndarray:
    """Measure the first formant at given times: the lowest narrow resonance of linear prediction by autocorrelation.

    Args:
        samples: (S,).
        times: (N,) seconds.
        sample_rate: in Hz.

    Returns:
        (N,) Hz, NaN where there is no formant.

    Source:
        Atal and Hanauer 1971, doi 10.1121/1.1912679.
    """
    from scipy.signal import resample_poly

    resampled = resample_poly(samples.astype(np.float64), FORMANT_RATE // 1000, sample_rate // 1000)
    half = int(VOWEL_WINDOW / 2 * FORMANT_RATE)
    formants = np.full(len(times), np.nan)
    for number, time in enumerate(times):
        middle = int(time * FORMANT_RATE)
        frame = resampled[max(middle - half, 0) : middle + half]
        if len(frame) == 2 * half:
            formants[number] = _first_formant(frame)
    return formants


def _first_formant(frame: np.ndarray) -> float:
    from scipy.linalg import LinAlgError, solve_toeplitz

    frame = frame - frame.mean()
    sharpened = np.append(frame[0], frame[1:] - 0.97 * frame[:-1]) * np.hamming(len(frame))
    lags = np.correlate(sharpened, sharpened, "full")[len(frame) - 1 : len(frame) + FORMANT_ORDER]
    if lags[0] < 1e-9:
        return float("nan")
    lags[0] *= 1.0001  # white noise, which keeps rounding from making the equations singular
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

"""A steady voice or noise that sounds on for seconds, on any tune. Samples are (S,), 16 kHz, mono.

Two ways, so that no network can learn to know one by its traces: `looped` adds grains of the recording itself, period
by period (PSOLA: Moulines and Charpentier 1990, doi 10.1016/0167-6393(90)90021-Z), `resynthesised` a sum of harmonics
and breath through its spectral envelope. Neither repeats itself: the place in the recording wanders at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import resample_poly

from memorytalker.corpus.steady_voice import FFT, SteadyVoice
from memorytalker.sound.decode import SAMPLE_RATE

#: Factor of the sample rate at which grains are placed: a period of 600 Hz has 27 samples, too few to round to.
FINER = 4
#: Pitch factors up to which grains of the recording still sound like the voice.
LOOPED_FACTORS = (0.65, 1.8)
#: Samples between the steps at which the amplitudes of harmonics are set.
STEP = 80


@dataclass(frozen=True)
class Colour:
    """How a held sound is voiced.

    Attributes:
        breath_db: level of the breath against the harmonics, dB; it is brighter than they are.
        tilt_db: dB per octave above 300 Hz added to the recording's: a loud voice is brighter.
        jitter: standard deviation of the length of a period, as a share of it.
        shimmer: standard deviation of the amplitude of a period, as a share of it.
        drift: standard deviation of the slow drift of the formants, as a share of their frequencies.
    """

    breath_db: float = -25.0
    tilt_db: float = 0.0
    jitter: float = 0.004
    shimmer: float = 0.02
    drift: float = 0.012


def sustained(
    voice: SteadyVoice, pitch: np.ndarray, colour: Colour, random: np.random.Generator, way: str = "any"
) -> np.ndarray:
    """Let a steady voice sound on.

    Args:
        voice: the voice.
        pitch: (S,) Hz, at every sample.
        colour: how it is voiced.
        random: draws the way and all that wanders.
        way: "looped" or "resynthesised"; "any" draws one, but grains only within `LOOPED_FACTORS` of the own pitch.

    Returns:
        (S,) of r.m.s. 1.

    Raises:
        ValueError: there is no such way.
    """
    ways = {"looped": looped, "resynthesised": resynthesised}
    if way == "any":
        low, high = (factor * voice.pitch for factor in LOOPED_FACTORS)
        within = low <= pitch.min() and pitch.max() <= high
        way = "looped" if within and random.random() < 0.5 else "resynthesised"
    if way not in ways:
        raise ValueError(f"There is no way {way!r} to sustain a sound; choose from {', '.join(ways)}.")
    sound = ways[way](voice, pitch, colour, random)
    return sound / max(float(np.sqrt(np.mean(np.square(sound)))), 1e-12)


def looped(voice: SteadyVoice, pitch: np.ndarray, colour: Colour, random: np.random.Generator) -> np.ndarray:
    """Add grains of the recording, two periods long, at the periods of `pitch`; arguments as in `sustained`."""
    fine = resample_poly(voice.samples, FINER, 1)
    period = round(FINER * SAMPLE_RATE / voice.pitch)
    marks = _marks(fine, FINER * voice.first, FINER * voice.last, period)
    grains = np.stack([fine[mark - period : mark + period] for mark in marks]) * np.hanning(2 * period)
    grains /= np.maximum(np.sqrt(np.square(grains).mean(axis=1, keepdims=True)), 1e-9)
    epochs = _epochs(pitch, colour.jitter, random)
    which = np.rint(wander(len(epochs), len(marks), 0.35, random)).astype(int)
    size = FINER * len(pitch) + 4 * period
    sound = np.zeros(size)
    for at, number, gain in zip(
        np.rint(FINER * epochs).astype(int),
        which,
        1 + colour.shimmer * random.standard_normal(len(epochs)),
        strict=True,
    ):
        sound[at + period : at + 3 * period] += gain * grains[number]
    sound = resample_poly(sound[2 * period : 2 * period + FINER * len(pitch)], 1, FINER)[: len(pitch)]
    spectrum = np.fft.rfft(sound)
    return np.fft.irfft(spectrum * _tilt(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE), colour.tilt_db), len(sound))


def _marks(fine: np.ndarray, first: int, last: int, period: int) -> np.ndarray:
    """(M,) samples one period apart at the same phase, found by correlation with the neighbouring period."""
    middle = (first + last) // 2
    begin = middle - period // 2 + int(np.argmax(np.abs(fine[middle - period // 2 : middle + period // 2])))
    marks = [begin]
    for direction in (1, -1):
        mark = begin
        while True:
            own = fine[mark - period // 2 : mark + period // 2]
            tries = mark + direction * np.arange(round(0.85 * period), round(1.15 * period) + 1)
            tries = tries[(tries >= max(first, period)) & (tries <= min(last, len(fine) - period))]
            if not len(tries):
                break
            likeness = [float(own @ fine[at - period // 2 : at - period // 2 + len(own)]) for at in tries]
            mark = int(tries[int(np.argmax(likeness))])
            marks.append(mark)
    return np.sort(np.array(marks))


def _epochs(pitch: np.ndarray, jitter: float, random: np.random.Generator) -> np.ndarray:
    """(E,) samples, not whole, at which periods of `pitch` (S,) begin."""
    phase = np.concatenate([[0.0], np.cumsum(pitch / SAMPLE_RATE)])
    periods = np.arange(int(phase[-1]))
    epochs = np.interp(periods, phase, np.arange(len(phase)))
    lengths = SAMPLE_RATE / pitch[np.minimum(epochs.astype(int), len(pitch) - 1)]
    return np.clip(epochs + jitter * lengths * random.standard_normal(len(epochs)), 0, len(pitch))


def resynthesised(voice: SteadyVoice, pitch: np.ndarray, colour: Colour, random: np.random.Generator) -> np.ndarray:
    """Sum the harmonics of `pitch`, and breath, through the recording's envelope; arguments as in `sustained`."""
    steps = -(-len(pitch) // STEP) + 1
    at = np.minimum(np.arange(steps) * STEP, len(pitch) - 1)
    envelope = _wandering_envelope(voice, steps, colour, random)
    jittered = pitch * (1 + colour.jitter * _smooth_noise(len(pitch), pitch, random))
    phase = 2 * np.pi * np.cumsum(jittered) / SAMPLE_RATE
    gain = 1 + colour.shimmer * _smooth_noise(len(pitch), pitch, random)
    harmonics = _harmonics(envelope, pitch[at], phase) * gain
    noise = _breath(envelope, len(pitch), random) * (1 + 0.5 * np.cos(phase))
    loud = float(np.linalg.norm(harmonics)) / max(float(np.linalg.norm(noise)), 1e-12)
    return harmonics + 10 ** (colour.breath_db / 20) * loud * noise


def _wandering_envelope(voice: SteadyVoice, steps: int, colour: Colour, random: np.random.Generator) -> np.ndarray:
    """(steps, FFT / 2 + 1) log envelope: frames of the recording in a wandering order, formants drifting slowly."""
    place = wander(steps, len(voice.log_envelope), 0.15, random)
    low = np.minimum(place.astype(int), len(voice.log_envelope) - 1)
    high, part = np.minimum(low + 1, len(voice.log_envelope) - 1), (place - low)[:, None]
    envelope = (1 - part) * voice.log_envelope[low] + part * voice.log_envelope[high]
    bins = np.arange(envelope.shape[1])
    drift = np.exp(np.clip(colour.drift * _slow_noise(steps, 0.4, random), -0.06, 0.06))
    for row, factor in zip(envelope, drift, strict=True):
        row[:] = np.interp(bins / factor, bins, row)
    return envelope + np.log(_tilt(bins * SAMPLE_RATE / FFT, colour.tilt_db))


def _harmonics(log_envelope: np.ndarray, pitch: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """(S,) sum of cosines of multiples of `phase` (S,), with the amplitude and the minimum phase of the envelope.

    Cosines of multiples come from one another (Chebyshev), which takes a twentieth of the time of `np.cos`.
    """
    count = max(int(0.97 * SAMPLE_RATE / 2 / pitch.min()), 1)
    multiples = np.arange(1, count + 1)
    places = pitch[:, None] * multiples * FFT / SAMPLE_RATE  # (steps, K) bins
    silent = places > 0.97 * (FFT / 2)
    low = np.minimum(places.astype(int), FFT // 2 - 1)
    part, rows = np.clip(places - low, 0, 1), np.arange(len(pitch))[:, None]
    turns = _minimum_phase(log_envelope)
    amplitude, angle = (
        (1 - part) * values[rows, low] + part * values[rows, low + 1] for values in (log_envelope, turns)
    )
    amplitude = np.where(silent, 0.0, np.exp(amplitude) * np.sqrt(pitch)[:, None])
    size, steps = len(phase), len(pitch)
    between = np.tile(np.arange(STEP) / STEP, steps - 1)[:size]
    before = np.repeat(np.arange(steps - 1), STEP)[:size]

    def smooth(values: np.ndarray) -> np.ndarray:
        return values[before] + between * (values[before + 1] - values[before])

    sound, twice = np.zeros(size), 2 * np.cos(phase)
    cosine, sine = (np.ones(size), np.cos(phase)), (np.zeros(size), np.sin(phase))
    for number in range(count):
        real, imaginary = (
            amplitude[:, number] * np.cos(angle[:, number]),
            amplitude[:, number] * np.sin(angle[:, number]),
        )
        sound += smooth(real) * cosine[1] - smooth(imaginary) * sine[1]
        cosine, sine = (cosine[1], twice * cosine[1] - cosine[0]), (sine[1], twice * sine[1] - sine[0])
    return sound


def _minimum_phase(log_envelope: np.ndarray) -> np.ndarray:
    """(steps, FFT / 2 + 1) radians of the minimum-phase filter with these log amplitudes, by the folded cepstrum."""
    cepstrum = np.fft.irfft(log_envelope, FFT, axis=1)
    cepstrum[:, 1 : FFT // 2] *= 2
    cepstrum[:, FFT // 2 + 1 :] = 0
    return np.fft.rfft(cepstrum, axis=1).imag


def _breath(log_envelope: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """(size,) noise through the envelope, rising by 4 dB an octave up to 4 kHz, frame by frame."""
    window = np.sqrt(np.hanning(2 * STEP + 1)[:-1])
    points = FFT // 4  # 32 Hz are fine enough for noise
    shaped = (
        np.exp(log_envelope[:, ::4])
        * np.clip(np.arange(points // 2 + 1) * SAMPLE_RATE / points / 4000, 0.02, 1) ** 0.67
    )
    white = np.pad(random.standard_normal(size + 4 * STEP), 0)
    sound = np.zeros(size + 4 * STEP + points)
    for number, gain in enumerate(shaped):
        frame = white[number * STEP : number * STEP + 2 * STEP]
        if len(frame) < 2 * STEP:
            break
        piece = np.fft.irfft(np.fft.rfft(frame * window, points) * gain, points)
        sound[number * STEP : number * STEP + points] += piece
    return sound[STEP : STEP + size]


def looped_noise(samples: np.ndarray, size: int, random: np.random.Generator, seconds: float = 0.02) -> np.ndarray:
    """Let a noise sound on by random grains that overlap by half: a fricative, a breath, the quiet of a room.

    Args:
        samples: (N,) the noise, at least as long as a grain, or as `seconds` shorter grains allow.
        size: samples of the result, S.
        random: draws the places of the grains.
        seconds: of a grain.

    Returns:
        (S,) with the mean power of the noise.

    Raises:
        ValueError: there is no noise.
    """
    if not len(samples):
        raise ValueError("There is no noise to loop; give at least one sample.")
    length = max(2, min(round(seconds * SAMPLE_RATE), len(samples)) // 2 * 2)
    samples = np.resize(np.asarray(samples, np.float64), max(len(samples), length))
    window, half = np.sqrt(np.hanning(length + 1)[:-1]), length // 2
    sound = np.zeros(size + 2 * length)
    for at in range(0, size + half, half):
        begin = int(random.integers(len(samples) - length + 1))
        sound[at : at + length] += window * samples[begin : begin + length]
    return sound[half : half + size]


def wander(count: int, places: int, pace: float, random: np.random.Generator) -> np.ndarray:
    """Walk at random between places 0 and `places` - 1, turning back at the ends.

    Args:
        count: steps, N.
        places: number of places.
        pace: standard deviation of a step.
        random: draws the steps.

    Returns:
        (N,) places, not whole.
    """
    if places < 2:
        return np.zeros(count)
    walked = random.uniform(0, places - 1) + np.cumsum(pace * random.standard_normal(count))
    around = np.mod(walked, 2 * (places - 1))
    return np.minimum(around, 2 * (places - 1) - around)


def _slow_noise(count: int, seconds: float, random: np.random.Generator) -> np.ndarray:
    """(count,) noise of standard deviation near 1 at steps of `STEP`, that changes over `seconds`."""
    width = seconds * SAMPLE_RATE / STEP
    smooth = gaussian_filter1d(random.standard_normal(count + round(8 * width)), width)[round(4 * width) :][:count]
    return smooth * np.sqrt(2 * np.sqrt(np.pi) * width)


def _smooth_noise(count: int, pitch: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(count,) noise of standard deviation 1 between the points of one draw a period."""
    periods = int(np.ceil(np.sum(pitch) / SAMPLE_RATE)) + 2
    phase = np.cumsum(pitch) / SAMPLE_RATE
    return np.interp(phase, np.arange(periods), random.standard_normal(periods))


def _tilt(hertz: np.ndarray, db: float) -> np.ndarray:
    """Gain at frequencies in Hz that rises by `db` an octave between 300 Hz and 5 kHz."""
    return 10 ** (db * np.log2(np.clip(hertz, 300.0, 5000.0) / 300.0) / 20)

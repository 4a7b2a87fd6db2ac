"""The tune of a held sound: pitch and loudness over time, spoken, on one note, gliding, or as a scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from memorytalker.sound.decode import SAMPLE_RATE

#: Kinds of tunes, and how often each is drawn for training.
KINDS = {"spoken": 0.3, "note": 0.4, "glide": 0.12, "scale": 0.18}
#: Hz of sung notes, and the part of it that a voice of a given spoken pitch reaches, as factors of that.
SUNG_PITCHES, REACH = (110.0, 600.0), (0.75, 2.6)
#: Vibrato: share of the sung tunes that have one, its rate in Hz, its depth in cents, and seconds until it begins.
VIBRATO_SHARE, VIBRATO_RATES, VIBRATO_CENTS, VIBRATO_BEGINS = 0.6, (4.5, 6.5), (15.0, 60.0), (0.2, 0.6)
#: Seconds in which a voice slides from one note to the next.
PORTAMENTO = (0.04, 0.2)
#: Semitones between neighbouring notes of a major scale.
MAJOR = (2, 2, 1, 2, 2, 2, 1)


@dataclass(frozen=True, eq=False)
class Tune:
    """pitch: (S,) Hz. gain: (S,) loudness in dB, 0 at the loudest steady part; attack and release are not in it."""

    pitch: np.ndarray
    gain: np.ndarray


def draw_tune(kind: str, seconds: float, spoken: float, random: np.random.Generator) -> Tune:
    """Draw a tune.

    Args:
        kind: one of `KINDS`.
        seconds: its length.
        spoken: pitch of the speaking voice, Hz.
        random: draws everything.

    Returns:
        The tune; sung ones lie within `SUNG_PITCHES`.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no tune of kind {kind!r}; choose from {', '.join(KINDS)}.")
    size = round(seconds * SAMPLE_RATE)
    if kind == "spoken":
        octaves = _spoken(size, random) + np.log2(spoken)
    else:
        lowest, highest = _reach(spoken)
        octaves = {"note": _note, "glide": _glide, "scale": _scale}[kind](size, lowest, highest, random)
        octaves = np.clip(octaves + _vibrato(size, random), np.log2(lowest), np.log2(highest))
    return Tune(2.0**octaves, _gain(size, random))


def _reach(spoken: float) -> tuple[float, float]:
    """The lowest and the highest note, Hz, of a voice that speaks at a pitch."""
    lowest = float(np.clip(REACH[0] * spoken, SUNG_PITCHES[0], 300.0))
    return lowest, float(np.clip(REACH[1] * spoken, 1.5 * lowest, SUNG_PITCHES[1]))


def _spoken(size: int, random: np.random.Generator) -> np.ndarray:
    """(size,) octaves around the spoken pitch: a slow fall and a wandering of about a semitone."""
    fall = random.uniform(-0.5, 0.1) * np.linspace(0, 1, size) ** random.uniform(0.5, 2.0)
    return random.uniform(-0.15, 0.35) + fall + 0.06 * _slow(size, 0.35, random)


def _note(size: int, lowest: float, highest: float, random: np.random.Generator) -> np.ndarray:
    """(size,) octaves of one note, with a slide into it and a drift of a few cents."""
    slide = random.uniform(-0.15, 0.02) * np.exp(-np.arange(size) / SAMPLE_RATE / 0.06)
    return random.uniform(np.log2(lowest), np.log2(highest)) + slide + 0.008 * _slow(size, 0.5, random)


def _glide(size: int, lowest: float, highest: float, random: np.random.Generator) -> np.ndarray:
    """(size,) octaves of a glide between two notes, there and back in half of the draws."""
    first, last = random.uniform(np.log2(lowest), np.log2(highest), 2)
    place = np.linspace(0, 1, size)
    place = 1 - np.abs(2 * place - 1) if random.random() < 0.5 else place
    return first + (last - first) * place * place * (3 - 2 * place)


def _scale(size: int, lowest: float, highest: float, random: np.random.Generator) -> np.ndarray:
    """(size,) octaves of neighbouring notes of a major scale, up, down or both ways, each 0.25 to 0.9 s long."""
    reach = 12 * np.log2(highest / lowest)
    notes = [0]
    for step in range(13):
        if notes[-1] + MAJOR[step % 7] <= reach:
            notes.append(notes[-1] + MAJOR[step % 7])
    begin = int(random.integers(max(len(notes) - 4, 1)))
    run = notes[begin : begin + int(random.integers(3, 7))]
    run = {0: run, 1: run[::-1], 2: run + run[-2::-1]}[int(random.integers(3))]
    length, coarse = random.uniform(0.25, 0.9), 500  # a slide needs no more than 500 points a second
    steps = np.resize(np.repeat(np.array(run, float), round(length * coarse)), size * coarse // SAMPLE_RATE + 2)
    semitones = gaussian_filter1d(steps, random.uniform(*PORTAMENTO) * coarse / 4, mode="nearest")
    return np.log2(lowest) + np.interp(np.arange(size) * coarse / SAMPLE_RATE, np.arange(len(steps)), semitones) / 12


def _vibrato(size: int, random: np.random.Generator) -> np.ndarray:
    """(size,) octaves of a vibrato that grows from nothing; all zeros in some of the draws."""
    has, rate, cents = random.random(), random.uniform(*VIBRATO_RATES), random.uniform(*VIBRATO_CENTS)
    begins = random.uniform(*VIBRATO_BEGINS)
    if has >= VIBRATO_SHARE:
        return np.zeros(size)
    times = np.arange(size) / SAMPLE_RATE
    turns = np.cumsum(rate * (1 + 0.04 * _slow(size, 0.4, random))) / SAMPLE_RATE
    return cents / 1200 * np.clip((times - begins) / 0.5, 0, 1) * np.sin(2 * np.pi * turns)


def _gain(size: int, random: np.random.Generator) -> np.ndarray:
    """(size,) dB, at most 0: even, swelling, fading, or both; and a wandering of about 1 dB."""
    place = np.linspace(0, 1, size)
    shape = (0 * place, place, 1 - place, 1 - np.abs(2 * place - 1))[int(random.integers(4))]
    gain = random.uniform(4, 16) * (shape - 1) if np.ptp(shape) else shape
    gain = gain + 0.8 * _slow(size, 0.2, random)
    return gain - gain.max()


def _slow(size: int, seconds: float, random: np.random.Generator) -> np.ndarray:
    """(size,) noise of standard deviation near 1 that changes over `seconds`."""
    points = max(int(4 * size / SAMPLE_RATE / seconds), 1) + 24
    values = gaussian_filter1d(random.standard_normal(points), 4.0) * np.sqrt(2 * np.sqrt(np.pi) * 4.0)
    return np.interp(np.arange(size) * 4 / SAMPLE_RATE / seconds + 12, np.arange(points), values)

"""Resampling of sound that is still arriving: any rate to another, with its state in and out.

A windowed sinc with one set of taps for each phase. The same sound gives the same samples in chunks of any size.
`web/src/resampling.js` computes the same numbers.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from memorytalker.sound.ffmpeg import SAMPLE_RATE, AudioError

#: Zeros of the sinc on either side, and its cut-off as a share of half the lower rate.
ZEROS, CUTOFF = 12, 0.92
#: Rates in Hz that sound may arrive at.
LOWEST_RATE, HIGHEST_RATE = 8000, 192_000


@dataclass(frozen=True, eq=False)
class ResamplerState:
    """What the next samples need of the sound so far.

    Args:
        kept: (s,) float64, the latest samples.
        first: number of the first of them in the sound; negative before the sound.
        made: samples that were given out.
    """

    kept: np.ndarray
    first: int
    made: int = 0


def resampler_start(rate: int, target: int = SAMPLE_RATE) -> ResamplerState:
    """Return the state before any sound. Raises AudioError for a rate in Hz that no sound card has."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(f"Sound at {rate} Hz cannot be followed; choose a rate from {LOWEST_RATE} to {HIGHEST_RATE}.")
    half = _taps(rate, target)[0]
    return ResamplerState(np.zeros(half - 1), 1 - half)


def resampled(
    state: ResamplerState, samples: np.ndarray, rate: int, target: int = SAMPLE_RATE
) -> tuple[ResamplerState, np.ndarray]:
    """Take further sound.

    Args:
        state: after the sound so far.
        samples: (s,) float, mono.
        rate: their rate in Hz, the same for all calls.
        target: of the result in Hz.

    Returns:
        The new state, and the samples (t,) float32 that can be made now: all but the last `ZEROS` samples of the lower
        rate, which wait for what follows.
    """
    if rate == target:
        return state, np.asarray(samples, np.float32)
    half, step, phases, table = _taps(rate, target)
    kept = np.concatenate([state.kept, np.asarray(samples, np.float64)])
    end = state.first + len(kept)  # number of the sample after the last
    count = max(0, ((end - half) * phases + phases - 1) // step + 1 - state.made) if end > half - 1 else 0
    numbers = state.made + np.arange(count)
    places, phase = numbers * step // phases, numbers * step % phases
    valid = places + half < end
    places, phase = places[valid], phase[valid]
    rows = kept[(places - state.first)[:, None] + np.arange(1 - half, half + 1)]
    made = state.made + len(places)
    drop = max(0, made * step // phases + 1 - half - state.first)
    new = ResamplerState(kept[drop:].copy(), state.first + drop, made)
    return new, np.clip((rows * table[phase]).sum(1), -1.0, 1.0).astype(np.float32)


@functools.lru_cache(maxsize=16)
def _taps(rate: int, target: int) -> tuple[int, int, int, np.ndarray]:
    """Half the number of taps, step and phases of rate / target in lowest terms, and the taps (phases, 2 half)."""
    shared = math.gcd(rate, target)
    step, phases = rate // shared, target // shared
    band = CUTOFF * min(1.0, target / rate)
    half = math.ceil(ZEROS * max(1.0, rate / target))
    distance = np.arange(1 - half, half + 1)[None] - (np.arange(phases) / phases)[:, None]
    window = np.cos(np.pi / 2 * np.clip(distance / half, -1, 1)) ** 2
    table = band * np.sinc(band * distance) * window
    return half, step, phases, table / table.sum(1, keepdims=True)

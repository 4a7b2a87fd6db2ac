"""Mixing channels down to mono without losing a voice, and removing a constant offset."""

from __future__ import annotations

import numpy as np

BLOCK_SECONDS = 1.0
#: Hz in which most of the power of a voice lies. Levels are measured there, so that hum, rumble, hiss and an offset
#: that remain in the mix do not hide that the voice is gone.
VOICE_BAND = (100.0, 1000.0)
#: A block counts as cancelled if its mix has less than this share of the power of a mix of uncorrelated channels (a
#: correlation below -0.8). Uncorrelated channels have 1, equal ones 2, a voice on one of several channels 1; right =
#: -0.5 left has 0.2, right = -0.9 left 0.006. All channels are assumed to have equal weight in the mix, which is wrong
#: by up to a factor of two for surround layouts, where a cancelled voice differs by tens.
CANCELLED = 0.2
#: One channel replaces the mix if cancelled blocks hold more than this share of the power of all blocks.
LOST = 0.1
#: A mean above this share of the r.m.s. of the rest is an offset and is removed. The largest among 450 recordings of
#: speech is 0.006; from about 0.1 on it changes the predicted motion.
OFFSET_SHARE = 0.1
#: Half a 16-bit step: a smaller mean is no offset.
SMALLEST_OFFSET = 0.5 / 32768


class ChannelLevels:
    """The levels of channels and of their mix, accumulated block by block while they are decoded.

    Args:
        channels: number of channels.
        rate: in Hz.
    """

    def __init__(self, channels: int, rate: float) -> None:
        self._rate = rate  # Hz
        self.powers = np.zeros(channels)  # of each channel, summed over the blocks
        self._expected, self._cancelled = 0.0, 0.0

    def add(self, block: np.ndarray, mixed: np.ndarray) -> None:
        """Add a block of about `BLOCK_SECONDS`: channels (S, n) and their mix (S,)."""
        if not len(mixed):
            return
        powers, power = voice_power(block, self._rate), float(voice_power(mixed[:, None], self._rate)[0])
        expected = float(powers.sum()) / len(self.powers) ** 2
        self.powers += powers
        self._expected += expected
        self._cancelled += expected if power < CANCELLED * expected else 0.0

    @property
    def replacement(self) -> int | None:
        """The number (from 0) of the channel to use in place of the mix; None if the mix is good.

        If the channels cancel each other, it is the first channel within half a decibel of the loudest.
        """
        if not self._cancelled > LOST * self._expected:
            return None
        return int(np.argmax(self.powers >= 0.9 * self.powers.max()))

    @property
    def remark(self) -> str:
        """The sentence for a mix that one channel replaces."""
        count, used = len(self.powers), self.replacement or 0
        if count == 2:
            return f"The two channels cancel each other, so the {('left', 'right')[used]} one is used."
        return f"The {count} channels cancel each other, so channel {used + 1} is used."


def mix(channels: np.ndarray, rate: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """Mix channels to mono: their mean, or the loudest channel if they cancel each other.

    Args:
        channels: (S, n) floats.
        rate: in Hz.

    Returns:
        (S,) samples, and remarks on the choice.
    """
    mixed = channels.mean(axis=1)
    if channels.shape[1] < 2:
        return mixed, ()
    levels, size = ChannelLevels(channels.shape[1], rate), round(BLOCK_SECONDS * rate)
    for first in range(0, len(mixed), size):
        levels.add(channels[first : first + size], mixed[first : first + size])
    used = levels.replacement
    return (mixed, ()) if used is None else (channels[:, used], (levels.remark,))


def without_offset(samples: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Remove a constant offset, if there is a relevant one.

    Args:
        samples: (S,) float32.

    Returns:
        (S,) samples, the same array if there is no offset; and remarks on it.
    """
    mean = float(samples.mean(dtype=np.float64)) if samples.size else 0.0
    if abs(mean) <= SMALLEST_OFFSET:
        return samples, ()
    rest = max(float(np.dot(samples, samples)) / samples.size - mean**2, 0.0)
    if abs(mean) <= OFFSET_SHARE * rest**0.5:
        return samples, ()
    remark = f"The sound lies {mean:.3g} off zero on a scale of -1 to 1; this constant offset is removed."
    return samples - np.float32(mean), (remark,)


def voice_power(channels: np.ndarray, rate: float) -> np.ndarray:
    """Measure the power of channels in the band of a voice.

    Args:
        channels: (S, n).
        rate: in Hz.

    Returns:
        (n,) mean power; NaN for a channel with a sample that is NaN.
    """
    low, high = (round(hertz * len(channels) / rate) for hertz in VOICE_BAND)
    with np.errstate(invalid="ignore", over="ignore"):
        spectrum = np.fft.rfft(channels.astype(np.float64), axis=0)[max(1, low) : high + 1]
        return np.square(np.abs(spectrum)).sum(axis=0) / len(channels) ** 2

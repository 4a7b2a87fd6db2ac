"""One channel out of many that loses no voice, and sound that lies off zero brought back to it."""

from __future__ import annotations

import numpy as np

BLOCK_SECONDS = 1.0
#: Hz in which most of the power of a voice lies. Levels are taken there: hum, rumble, hiss and a constant offset that
#: stay in the mix say nothing of the voice that left it.
VOICE_BAND = (100.0, 1000.0)
#: A block is cancelled where the mix has less than this share of the power that its channels would bring into it if
#: they had nothing to do with each other (a correlation below -0.8). Unlike channels bring 1, equal ones 2, a voice on
#: one channel of several 1; right = -0.5 left brings 0.2, right = -0.9 left 0.006. Surround layouts, whose channels do
#: not weigh the same in the mix, are judged as if they did: up to twice off, where a lost voice is tens of times off.
CANCELLED = 0.2
#: The mix is given up where the cancelled blocks hold more than this share of all that the channels would bring.
LOST = 0.1
#: A mean above this share of the r.m.s. of the rest is an offset and is taken away. Of 450 recordings of speech the
#: largest has 0.006; the mouth begins to answer at about 0.1.
OFFSET_SHARE = 0.1
#: Half a step of 16-bit sound: a smaller mean is none.
SMALLEST_OFFSET = 0.5 / 32768


class ChannelLevels:
    """How loud channels are and whether their mix loses what they hold, block by block as they are decoded."""

    def __init__(self, channels: int, rate: float) -> None:
        self._rate = rate  # Hz
        self.powers = np.zeros(channels)  # of each channel, summed over the blocks
        self._brought, self._cancelled = 0.0, 0.0

    def add(self, block: np.ndarray, mixed: np.ndarray) -> None:
        """Take in a block, channels (S, n) and their mix (S,), of about `BLOCK_SECONDS`."""
        if not len(mixed):
            return
        powers, power = voice_power(block, self._rate), float(voice_power(mixed[:, None], self._rate)[0])
        brought = float(powers.sum()) / len(self.powers) ** 2
        self.powers += powers
        self._brought += brought
        self._cancelled += brought if power < CANCELLED * brought else 0.0

    @property
    def instead(self) -> int | None:
        """The channel to use, counted from 0, where the mix loses what the channels hold; else None.

        It is the loudest, or the first that is as loud within half a decibel.
        """
        if not self._cancelled > LOST * self._brought:
            return None
        return int(np.argmax(self.powers >= 0.9 * self.powers.max()))

    @property
    def remark(self) -> str:
        """What is said where one channel is used instead of the mix."""
        count, used = len(self.powers), self.instead or 0
        if count == 2:
            return f"The two channels cancel each other, so the {('left', 'right')[used]} one is used."
        return f"The {count} channels cancel each other, so channel {used + 1} is used."


def mix(channels: np.ndarray, rate: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """The mean (S,) of channels (S, n) of floats at `rate` Hz, or the loudest channel where the mean loses the voice.

    Returns it with remarks: what is said of the choice, or nothing.
    """
    mixed = channels.mean(axis=1)
    if channels.shape[1] < 2:
        return mixed, ()
    levels, size = ChannelLevels(channels.shape[1], rate), round(BLOCK_SECONDS * rate)
    for first in range(0, len(mixed), size):
        levels.add(channels[first : first + size], mixed[first : first + size])
    used = levels.instead
    return (mixed, ()) if used is None else (channels[:, used], (levels.remark,))


def without_offset(samples: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Samples (S,) float32 without a constant offset, if they have one worth the name; else the very same array.

    Returns them with remarks: what is said of the offset, or nothing.
    """
    mean = float(samples.mean(dtype=np.float64)) if samples.size else 0.0
    if abs(mean) <= SMALLEST_OFFSET:
        return samples, ()
    rest = max(float(np.dot(samples, samples)) / samples.size - mean**2, 0.0)
    if abs(mean) <= OFFSET_SHARE * rest**0.5:
        return samples, ()
    said = f"The sound lies {mean:.3g} off zero on a scale of -1 to 1; this constant offset is taken away."
    return samples - np.float32(mean), (said,)


def voice_power(channels: np.ndarray, rate: float) -> np.ndarray:
    """(n,) power of each of the channels (S, n) at `rate` Hz in the band of a voice; nan where a sample is none."""
    low, high = (round(hertz * len(channels) / rate) for hertz in VOICE_BAND)
    with np.errstate(invalid="ignore", over="ignore"):
        spectrum = np.fft.rfft(channels.astype(np.float64), axis=0)[max(1, low) : high + 1]
        return np.square(np.abs(spectrum)).sum(axis=0) / len(channels) ** 2

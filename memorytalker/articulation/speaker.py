"""The manner of a speaker: how far the jaw drops, how the lips round, spread and lift, how much is swallowed.

The mean of a manner follows what can be heard of the speaker (loudness range, rate, pitch); the rest is personal.
What a style encoder should recover from sound is therefore known for every synthesised speaker.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np
from scipy.ndimage import gaussian_filter1d

ROUNDING = ("mouthFunnel", "mouthPucker")
SPREADING = ("mouthStretchLeft", "mouthStretchRight", "mouthSmileLeft", "mouthSmileRight")
LIFTING = ("mouthUpperUpLeft", "mouthUpperUpRight")
LOWERING = ("mouthLowerDownLeft", "mouthLowerDownRight")


@dataclass(frozen=True)
class Voice:
    """What can be heard of a speaker.

    Loudness range in dB; phones a second; median pitch in Hz; `vowel_space`, the octaves by which the first formant
    of open vowels lies above that of close ones: it rises with the jaw's drop (Lindblom and Sundberg 1971, doi
    10.1121/1.1912750), whatever the length of the throat; `brightness`, the decibels by which the voice is louder above
    1 kHz than below, which rises with vocal effort (doi 10.1121/1.2208451).
    """

    loudness_range: float
    rate: float
    pitch: float
    vowel_space: float = 0.72
    brightness: float = -9.5


#: Mean and standard deviation over the 102 speakers of the training and validation voices, by `corpus/hearing.py`.
ORDINARY = Voice(loudness_range=22.2, rate=9.3, pitch=180.0, vowel_space=0.72, brightness=-9.5)
SPREAD = Voice(loudness_range=3.1, rate=2.3, pitch=0.43, vowel_space=0.20, brightness=4.5)  # of pitch in octaves
#: Nobody is taken for stranger than this many standard deviations.
FURTHEST = 2.0


@dataclass(frozen=True)
class ArticulationStyle:
    """Gains on groups of mouth shapes (1 = as fitted), a left-right lean in [-1, 1], and seconds of slurring."""

    jaw: float = 1.0
    rounding: float = 1.0
    spreading: float = 1.0
    lifting: float = 1.0
    lowering: float = 1.0
    lean: float = 0.0
    slurring: float = 0.0

    def apply(self, curves: np.ndarray, shapes: tuple[str, ...], fps: float) -> np.ndarray:
        """`curves` (T, S) of an ordinary speaker as this one would make them."""
        gains = np.ones(len(shapes))
        for names, gain in (
            (("jawOpen",), self.jaw),
            (ROUNDING, self.rounding),
            (SPREADING, self.spreading),
            (LIFTING, self.lifting),
            (LOWERING, self.lowering),
        ):
            for name in names:
                if name in shapes:
                    gains[shapes.index(name)] = gain
        for index, name in enumerate(shapes):
            if name.endswith("Left"):
                gains[index] *= 1.0 + self.lean
            elif name.endswith("Right"):
                gains[index] *= 1.0 - self.lean
        curves = curves * gains
        if self.slurring > 0:
            curves = gaussian_filter1d(curves, self.slurring * fps, axis=0, mode="nearest")
        return np.clip(curves, 0.0, 1.0)

    def to_json(self) -> dict[str, float]:
        """Plain values for the corpus."""
        return {key: round(float(value), 4) for key, value in asdict(self).items()}


def style_from_voice(voice: Voice, seed: int) -> ArticulationStyle:
    """The manner of a synthesised speaker: a mean that can be heard plus a smaller, personal part drawn from `seed`.

    An effortful (bright) voice, a wide loudness range and a wide vowel space open the jaw and lower the lip, fast
    speech slurs and shrinks, wide vowels round and spread more, high pitch spreads a little. Directions follow
    phonetics; the sizes are chosen, not measured: openings differ about threefold between people, as filmed people's
    do, and what a single sentence tells surely (brightness, rate) weighs most.
    """
    draw = np.random.default_rng(seed).standard_normal(len(fields(ArticulationStyle)))
    loud, fast, high, wide, bright = z_scores(voice)
    jaw = float(np.clip(0.20 * bright - 0.14 * fast + 0.10 * loud + 0.10 * wide + 0.08 * draw[0], -0.65, 0.65))
    return ArticulationStyle(
        jaw=float(np.exp(0.15 + jaw)),
        rounding=float(np.exp(0.10 - 0.12 * fast + 0.10 * wide + 0.10 * draw[1])),
        spreading=float(np.exp(0.10 + 0.15 * high + 0.08 * wide + 0.10 * draw[2])),
        lifting=float(np.exp(0.12 * bright + 0.12 * draw[3])),
        lowering=float(np.exp(0.7 * jaw + 0.10 * draw[4])),
        lean=float(np.clip(0.05 * draw[5], -0.15, 0.15)),
        slurring=float(np.clip(0.010 + 0.006 * fast + 0.003 * draw[6], 0.0, 0.03)),
    )


def z_scores(voice: Voice) -> tuple[float, float, float, float, float]:
    """Standard deviations from an ordinary voice: loudness range, rate, pitch, vowel space, brightness."""
    values = (
        (voice.loudness_range - ORDINARY.loudness_range) / SPREAD.loudness_range,
        (voice.rate - ORDINARY.rate) / SPREAD.rate,
        float(np.log2(max(voice.pitch, 60.0) / ORDINARY.pitch)) / SPREAD.pitch,
        (voice.vowel_space - ORDINARY.vowel_space) / SPREAD.vowel_space,
        (voice.brightness - ORDINARY.brightness) / SPREAD.brightness,
    )
    return tuple(float(np.clip(value, -FURTHEST, FURTHEST)) for value in values)

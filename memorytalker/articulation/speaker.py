"""Articulation style of a speaker: how far the jaw opens, how the lips round, spread and lift, how much is reduced.

The mean style follows from acoustic measures of the voice (loudness range, rate, pitch); the rest is drawn at random.
So the style that an encoder should recover from sound is known for every synthesised speaker.
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
    """Acoustic measures of a speaker's voice.

    Attributes:
        loudness_range: dB.
        rate: phones per second.
        pitch: median, Hz.
        vowel_space: octaves from the first formant of close vowels to that of open ones; it grows as the jaw opens
            (Lindblom and Sundberg 1971, doi 10.1121/1.1912750) and not with the length of the vocal tract.
        brightness: dB by which the voice is louder above 1 kHz than below; it grows with vocal effort (doi
            10.1121/1.2208451).
    """

    loudness_range: float
    rate: float
    pitch: float
    vowel_space: float = 0.72
    brightness: float = -9.5


#: Mean and standard deviation over the 102 speakers of the training and validation voices, by `sound/acoustics.py`.
ORDINARY = Voice(loudness_range=22.2, rate=9.3, pitch=180.0, vowel_space=0.72, brightness=-9.5)
SPREAD = Voice(loudness_range=3.1, rate=2.3, pitch=0.43, vowel_space=0.20, brightness=4.5)  # of pitch in octaves
#: Measures are clipped at this many standard deviations.
FURTHEST = 2.0


@dataclass(frozen=True)
class ArticulationStyle:
    """Gains of groups of mouth shapes (1: as fitted), a left-right asymmetry in [-1, 1], and smoothing in seconds."""

    jaw: float = 1.0
    rounding: float = 1.0
    spreading: float = 1.0
    lifting: float = 1.0
    lowering: float = 1.0
    lean: float = 0.0
    slurring: float = 0.0

    def apply(self, curves: np.ndarray, shapes: tuple[str, ...], fps: float) -> np.ndarray:
        """Apply the style to curves (T, S) of an average speaker; the result is in [0, 1]."""
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
        """Return plain values for the corpus."""
        return {key: round(float(value), 4) for key, value in asdict(self).items()}


def style_from_voice(voice: Voice, seed: int) -> ArticulationStyle:
    """Derive a synthesised speaker's style: a mean that follows the voice, plus a smaller random part.

    Vocal effort (brightness), a wide loudness range and a wide vowel space open the jaw and lower the lip; fast speech
    is smoothed and smaller; wide vowels round and spread more; high pitch spreads a little. The directions follow
    phonetics, their sizes are chosen. The whole differs between speakers as it does between people in tracked video:
    by a third in the logarithm of the opening, by a quarter in that of the width. The mean of every gain is 1.

    Args:
        voice: acoustic measures of the speaker.
        seed: of the random part.

    Returns:
        The style.
    """
    draw = np.random.default_rng(seed).standard_normal(len(fields(ArticulationStyle)) + 1)
    loud, fast, high, wide, bright = z_scores(voice)
    jaw = float(np.clip(0.23 * bright - 0.16 * fast + 0.11 * loud + 0.11 * wide + 0.06 * draw[0], -0.75, 0.75))
    width = 0.14 * draw[7]  # of rounding and spreading alike; no measure of the voice is known to tell it
    return ArticulationStyle(
        jaw=float(np.exp(jaw - 0.06)),
        rounding=float(np.exp(width - 0.12 * fast + 0.10 * wide + 0.10 * draw[1] - 0.03)),
        spreading=float(np.exp(width + 0.15 * high + 0.08 * wide + 0.10 * draw[2] - 0.03)),
        lifting=float(np.exp(0.12 * bright + 0.12 * draw[3])),
        lowering=float(np.exp(0.7 * jaw + 0.10 * draw[4] - 0.03)),
        lean=float(np.clip(0.05 * draw[5], -0.15, 0.15)),
        slurring=float(np.clip(0.010 + 0.006 * fast + 0.003 * draw[6], 0.0, 0.03)),
    )


def z_scores(voice: Voice) -> tuple[float, float, float, float, float]:
    """Standardise a voice over speakers: z-scores of loudness range, rate, pitch, vowel space and brightness."""
    values = (
        (voice.loudness_range - ORDINARY.loudness_range) / SPREAD.loudness_range,
        (voice.rate - ORDINARY.rate) / SPREAD.rate,
        float(np.log2(max(voice.pitch, 60.0) / ORDINARY.pitch)) / SPREAD.pitch,
        (voice.vowel_space - ORDINARY.vowel_space) / SPREAD.vowel_space,
        (voice.brightness - ORDINARY.brightness) / SPREAD.brightness,
    )
    loud, fast, high, wide, bright = (float(np.clip(value, -FURTHEST, FURTHEST)) for value in values)
    return loud, fast, high, wide, bright

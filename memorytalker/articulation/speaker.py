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
    """What can be heard of a speaker: loudness range (dB), phones a second, median pitch (Hz)."""

    loudness_range: float
    rate: float
    pitch: float


@dataclass(frozen=True)
class Manner:
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


def manner_of(voice: Voice, seed: int) -> Manner:
    """The manner of a synthesised speaker: a mean that can be heard plus a personal part drawn from `seed`.

    Louder range opens the jaw and lowers the lip, fast speech slurs and shrinks, higher pitch spreads a little.
    The sizes are chosen, not measured: filmed people differ threefold in amplitude, and so do these.
    """
    draw = np.random.default_rng(seed).standard_normal(len(fields(Manner)))
    loud = np.clip((voice.loudness_range - 22.0) / 8.0, -1.5, 1.5)
    fast = np.clip((voice.rate - 12.0) / 3.0, -1.5, 1.5)
    high = np.clip(np.log2(max(voice.pitch, 60.0) / 150.0), -1.0, 1.0)
    jaw = 0.25 + 0.22 * loud - 0.18 * fast + 0.12 * draw[0]
    return Manner(
        jaw=float(np.exp(jaw)),
        rounding=float(np.exp(0.10 - 0.10 * fast + 0.15 * draw[1])),
        spreading=float(np.exp(0.10 + 0.15 * high + 0.15 * draw[2])),
        lifting=float(np.exp(0.10 * loud + 0.20 * draw[3])),
        lowering=float(np.exp(0.6 * jaw + 0.12 * draw[4])),
        lean=float(np.clip(0.05 * draw[5], -0.15, 0.15)),
        slurring=float(np.clip(0.012 + 0.006 * fast + 0.004 * draw[6], 0.0, 0.03)),
    )

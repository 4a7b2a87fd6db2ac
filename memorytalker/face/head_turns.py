"""How a head turns while somebody speaks: it sways, takes another posture in pauses, and nods on stressed syllables.

The turns depend on a seed, on time and on the prosody. They are planned as the sound arrives and a plan is never
changed, so that a stream and the whole sound give the same. The face itself is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memorytalker.face.accents import LEAST, accents
from memorytalker.face.motion import eased
from memorytalker.sound.prosody import Prosody

# Heads of speakers are hardly ever still, and nods go with pitch accents (Hadar et al. 1983,
# doi:10.1177/002383098302600202; Munhall et al. 2004, doi:10.1111/j.0963-7214.2004.01502010.x). The sizes are chosen.
SWAY_HERTZ = (0.11, 0.23, 0.41)  # slow sines of each angle
SWAY = (2.4, 1.2, 1.3)  # degrees of yaw, pitch and roll, at most
POSTURE = (3.0, 1.2, 1.2)  # degrees, standard deviations of a new posture
FURTHEST = (7.0, 3.0, 3.0)  # degrees of a posture at most
POSTURE_LASTS = (2.0, 5.0)  # seconds until another may come
POSTURE_PULL = 1.0  # seconds within which it waits for a pause
POSTURE_TAKES = 0.9  # seconds
NOD_RISE, NOD_FALL = 0.16, 0.40  # seconds down to the deepest point, and back
NOD = (1.2, 4.0)  # degrees of the faintest and of the most prominent syllable
NOD_APART, NOD_SHARE = 0.5, 0.75  # seconds between two; share of stressed syllables with a nod
NOD_ASIDE = 0.35  # of its pitch, that a nod turns and tilts at most


@dataclass(frozen=True)
class _Posture:
    begin: float  # seconds
    angles: np.ndarray  # (3,) degrees


@dataclass(frozen=True)
class _Nod:
    peak: float  # seconds
    angles: np.ndarray  # (3,) degrees

    def weights(self, time: np.ndarray) -> np.ndarray:
        after = time - self.peak
        return eased(1 + after / NOD_RISE) * eased(1 - after / NOD_FALL)


class HeadTurns:
    """The turns of one head during one sound. An object holds plans, so it serves one sound, in order.

    Args:
        fps: frames per second.
        seed: a whole number from 0 on.
    """

    def __init__(self, fps: float, seed: int) -> None:
        self.fps = float(fps)
        # Further kinds of motion than those of `expression.Expression`, with generators of their own.
        self._posing, self._nodding, swaying = (np.random.default_rng([seed, 100 + kind]) for kind in range(3))
        self._phases = swaying.uniform(0, 2 * np.pi, (3, len(SWAY_HERTZ)))
        self._rates = np.array(SWAY_HERTZ) * swaying.uniform(0.8, 1.25, self._phases.shape)
        self._postures = [_Posture(-POSTURE_TAKES, np.zeros(3))]  # it begins straight
        self._due = self._posing.uniform(*POSTURE_LASTS)
        self._nods: list[_Nod] = []
        self._examined = 0

    def angles(self, first: int, frames: int, prosody: Prosody) -> np.ndarray:
        """Compute the turns of the next frames.

        Args:
            first: the first frame; never before the end of the previous call.
            frames: how many frames, T.
            prosody: of the sound so far, ideally beyond these frames.

        Returns:
            (T, 3) yaw, pitch and roll in radians at full strength, see `neck`.
        """
        time = (first + np.arange(frames)) / self.fps
        self._plan(first, first + frames, prosody)
        waves = np.sin(2 * np.pi * self._rates * time[:, None, None] + self._phases).mean(axis=2)
        degrees = waves * SWAY
        degrees += self._postures[0].angles
        for before, after in zip(self._postures, self._postures[1:], strict=False):
            degrees += eased((time - after.begin) / POSTURE_TAKES)[:, None] * (after.angles - before.angles)
        for nod in self._nods:
            degrees += nod.weights(time)[:, None] * nod.angles
        return np.radians(degrees)

    def _plan(self, first: int, end: int, prosody: Prosody) -> None:
        """Plan everything that begins before frame `end`, and drop what is over at frame `first`."""
        begun, until = first / self.fps, end / self.fps
        self._nods = [nod for nod in self._nods if nod.peak > begun - 1.0]
        past = sum(each.begin + POSTURE_TAKES <= begun for each in self._postures)
        self._postures = self._postures[max(0, past - 1) :]
        while self._due < until:
            begin = self._in_pause(self._due, prosody)
            angles = np.clip(self._posing.standard_normal(3) * POSTURE, np.negative(FURTHEST), FURTHEST)
            self._postures.append(_Posture(begin, angles))
            self._due = begin + POSTURE_TAKES + self._posing.uniform(*POSTURE_LASTS)
        ahead = end + round(NOD_RISE * self.fps) + 1
        for frame, value in accents(self._examined, ahead, prosody, self.fps):
            drawn, turn, tilt = self._nodding.random(), *self._nodding.uniform(-1, 1, 2)
            peak = frame / self.fps
            if drawn > NOD_SHARE or (self._nods and peak - self._nods[-1].peak < NOD_APART):
                continue
            deep = NOD[0] + (NOD[1] - NOD[0]) * min(value - LEAST, 1.0)
            self._nods.append(_Nod(peak, deep * np.array([NOD_ASIDE * turn, 1.0, NOD_ASIDE * tilt])))
        self._examined = max(self._examined, min(ahead, len(prosody.loudness)))

    def _in_pause(self, due: float, prosody: Prosody) -> float:
        """Move what is due, in seconds, to the first silent frame soon after it; without one it stays."""
        low, high = round(due * self.fps), round((due + POSTURE_PULL) * self.fps)
        silent = np.flatnonzero(prosody.quiet[low:high])
        return (low + int(silent[0])) / self.fps if len(silent) else due

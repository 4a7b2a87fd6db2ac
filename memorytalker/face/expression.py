"""Expression: blinks, gaze, brow accents and idle motion of eyes, brows and cheeks, added to the motion of speech.

The layer depends on a seed, on time and on the prosody, and never moves the mouth. It is planned as the sound arrives
and a plan is never changed, so that a stream and the whole sound give the same result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memorytalker.face.accents import LEAST, accents
from memorytalker.face.motion import FaceCurves, eased
from memorytalker.sound.prosody import Prosody

if TYPE_CHECKING:
    from memorytalker.face.head import HeadMesh

#: The face curves that this layer moves; none of them reaches the lips.
NAMES: tuple[str, ...] = tuple(
    "eyeBlinkLeft eyeBlinkRight eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft "
    "eyeLookUpRight eyeLookDownLeft eyeLookDownRight eyeSquintLeft eyeSquintRight cheekSquintLeft cheekSquintRight "
    "browInnerUp browOuterUpLeft browOuterUpRight".split()
)

# Blinks. The time between two is log-normal (Bentivoglio et al. 1997, doi:10.1002/mds.870120629); a mean of 3.6 s makes
# 17 a minute, within the 10.5 to 32.5 of people in conversation (Doughty 2001, doi:10.1097/00006324-200110000-00011).
BLINK_MEDIAN, BLINK_SPREAD = 3.2, 0.5  # seconds; standard deviation of the logarithm
BLINK_SHORTEST, BLINK_LONGEST = 1.0, 9.0  # seconds between two
# A lid falls faster than it rises (VanderWerf et al. 2003, doi:10.1152/jn.00557.2002).
CLOSING, OPENING, CLOSED = 0.10, 0.20, 0.02  # seconds
BLINK_TEMPO = (0.85, 1.2)  # range of a random factor on those three
# Speakers blink at the ends of phrases and in pauses (Nakano and Kitazawa 2010, doi:10.1007/s00221-010-2387-z): a blink
# moves to the beginning of a pause within this distance.
BLINK_PULL, PAUSE = 0.8, 0.2  # seconds; the shortest pause
AFTER_PAUSE = 0.1  # seconds from the beginning of the pause until the eye is closed
FIRST_BLINK = 0.3  # seconds into the sound at the earliest

# Gaze. Speakers look at the other person's face for about 2.2 s at a time (Rogers et al. 2018,
# doi:10.1038/s41598-018-22726-7), with small shifts within it, and then aside: not far, as this head does not turn.
FACING, ASIDE = 2.2, 0.9  # seconds, means
FIXATION = (0.35, 1.2)  # seconds, within that face
FACE_SIZE = (1.0, 0.7)  # degrees, standard deviations across and up
GLANCE = (4.0, 3.0, 10.0)  # degrees: minimum, mean above the minimum, maximum
GLANCE_TILT = 25.0  # degrees from the horizontal, standard deviation
# A saccade takes longer the further it goes (Bahill et al. 1975, doi:10.1016/0025-5564(75)90075-9).
SACCADE, SACCADE_PER_DEGREE = 0.021, 0.0022  # seconds
FULL_LOOK = (21.0, 14.0, 17.0)  # degrees that the shipped head's eyes turn sideways, up and down at weight 1
LID_WITH_EYE = 0.34  # share of a blink by which the shipped head's upper lid lowers when the eye looks down at weight 1

# Brows rise with pitch accents, somewhat ahead of them (Flecha-Garcia 2010, doi:10.1016/j.specom.2009.12.003).
ACCENT_RISE, ACCENT_FALL, ACCENT_LEAD = 0.20, 0.45, 0.05  # seconds
ACCENT_APART = 1.5  # seconds between two
ACCENT_SHARE = 0.7  # of stressed syllables with a brow accent
ACCENT_SIZE = (0.08, 0.30)  # weight of the brow curves

_DRIFT_HERTZ = (0.06, 0.11, 0.19)  # frequencies of the slow sines of idle motion


@dataclass(frozen=True)
class _Blink:
    closed: float  # seconds at which the eye is closed
    tempo: float

    def weights(self, time: np.ndarray) -> np.ndarray:
        """From 0, open, to 1, closed, at `time` (T,) in seconds."""
        after = time - self.closed
        return eased(1 + after / (CLOSING * self.tempo)) * eased(1 - (after - CLOSED) / (OPENING * self.tempo))


@dataclass(frozen=True)
class _Fixation:
    begin: float  # seconds
    place: np.ndarray  # (2,) degrees to the head's own left and up


@dataclass(frozen=True)
class _Accent:
    peak: float  # seconds
    size: float  # weight
    lean: float  # -1 to 1: the right or the left brow rises higher

    def weights(self, time: np.ndarray) -> np.ndarray:
        """(T,) weights at `time` in seconds."""
        after = time - self.peak
        return self.size * eased(1 + after / ACCENT_RISE) * eased(1 - after / ACCENT_FALL)


def missing_shapes(head: HeadMesh) -> list[str]:
    """Return the blendshapes that expression needs and `head` does not have."""
    return [name for name in NAMES if name not in head.blendshape_names]


class Expression:
    """The expression of one face during one sound. An object holds plans, so it serves one sound, in order.

    Args:
        fps: frames per second.
        seed: a whole number from 0 on.
    """

    def __init__(self, fps: float, seed: int) -> None:
        self.fps = float(fps)
        # Each kind of motion has its own generator, so that accents have no influence on blinks.
        self._blinking, self._looking, self._accenting, idling = (
            np.random.default_rng([seed, kind]) for kind in range(4)
        )
        self._blinks: list[_Blink] = []
        self._blink_due = self._interval() * self._blinking.random()  # the sound begins somewhere between two blinks
        self._fixations = [_Fixation(0.0, self._in_the_face())]
        self._spell_end = self._spell(FACING)
        self._accents: list[_Accent] = []
        self._examined = 0  # frames that have been searched for accents
        self._phases = idling.uniform(0, 2 * np.pi, (len(NAMES), len(_DRIFT_HERTZ)))
        self._rates = np.array(_DRIFT_HERTZ) * idling.uniform(0.8, 1.25, self._phases.shape)

    def curves(self, first: int, frames: int, prosody: Prosody) -> FaceCurves:
        """Compute the face curves of the next frames.

        Args:
            first: the first frame; never before the end of the previous call.
            frames: how many frames, T.
            prosody: of the sound so far, ideally beyond these frames.

        Returns:
            Curves (T, n) of `NAMES`.
        """
        time = (first + np.arange(frames)) / self.fps
        self._plan(first, first + frames, prosody)
        blink = sum((each.weights(time) for each in self._blinks), np.zeros(frames))
        gaze = self._gaze(time)
        left, up = gaze[:, 0] / FULL_LOOK[0], np.maximum(gaze[:, 1], 0) / FULL_LOOK[1]
        down = np.maximum(-gaze[:, 1], 0) / FULL_LOOK[2]
        accents = [(each.weights(time), each.lean) for each in self._accents]
        weights = {"browInnerUp": self._drift(time, "browInnerUp", 0.08) + sum(w for w, _ in accents)}
        for side, sign in (("Left", 1), ("Right", -1)):
            lid = self._drift(time, f"eyeBlink{side}", 0.05)
            # A lid that is lowered with the eye closes by less, and an eye does not look up while its lid closes.
            weights[f"eyeBlink{side}"] = (lid + (1 - lid) * blink) * (1 - LID_WITH_EYE * down)
            weights[f"eyeLookUp{side}"], weights[f"eyeLookDown{side}"] = up * (1 - blink), down
            weights[f"eyeLookOut{side}"] = np.maximum(sign * left, 0)
            weights[f"eyeLookIn{side}"] = np.maximum(-sign * left, 0)
            weights[f"eyeSquint{side}"] = self._drift(time, f"eyeSquint{side}", 0.10)
            weights[f"cheekSquint{side}"] = self._drift(time, f"cheekSquint{side}", 0.04)
            raised = sum(w * (0.7 + 0.2 * sign * lean) for w, lean in accents)
            weights[f"browOuterUp{side}"] = self._drift(time, f"browOuterUp{side}", 0.06) + raised
        return FaceCurves(np.stack([weights[name] for name in NAMES], axis=1), NAMES, self.fps)

    def _plan(self, first: int, end: int, prosody: Prosody) -> None:
        """Plan everything that begins before frame `end`, and drop what is over at frame `first`."""
        begun, until = first / self.fps, end / self.fps
        self._blinks = [b for b in self._blinks if b.closed > begun - 1.0]
        self._accents = [a for a in self._accents if a.peak > begun - 1.0]
        early = BLINK_PULL + CLOSING * BLINK_TEMPO[1] + 1 / self.fps  # by which a blink may begin before it is due
        while self._blink_due - early < until:
            earliest = self._blinks[-1].closed + BLINK_SHORTEST if self._blinks else FIRST_BLINK
            closed = round(self._near_pause(max(self._blink_due, earliest), earliest, prosody) * self.fps) / self.fps
            self._blinks.append(_Blink(closed, self._blinking.uniform(*BLINK_TEMPO)))
            self._blink_due = closed + self._interval()
        while self._fixations[-1].begin < until:
            self._look_elsewhere()
        past = sum(f.begin <= begun - 0.2 for f in self._fixations)  # the last of them is where the eyes are
        self._fixations = self._fixations[max(0, past - 1) :]
        self._find_accents(end + round((ACCENT_RISE + ACCENT_LEAD) * self.fps), prosody)

    def _interval(self) -> float:
        draw = BLINK_MEDIAN * np.exp(BLINK_SPREAD * self._blinking.standard_normal())
        return float(np.clip(draw, BLINK_SHORTEST, BLINK_LONGEST))

    def _near_pause(self, due: float, earliest: float, prosody: Prosody) -> float:
        """Move a blink that is `due`, in seconds, to the nearest pause within reach; without a pause it stays."""
        low, high = ((due + sign * BLINK_PULL - AFTER_PAUSE) * self.fps for sign in (-1, 1))
        low, lasts = max(1, int(low)), round(PAUSE * self.fps)
        near = prosody.quiet[low - 1 : int(high) + lasts]
        begun = [k for k in np.flatnonzero(~near[:-1] & near[1:]) if near[k + 1 : k + 1 + lasts].all()]
        moments = [(low + k) / self.fps + AFTER_PAUSE for k in begun]
        reachable = [moment for moment in moments if abs(moment - due) <= BLINK_PULL and moment >= earliest]
        return min(reachable, key=lambda moment: abs(moment - due), default=due)

    def _spell(self, mean: float) -> float:
        """Random duration in seconds of looking at the face or aside: at least a third of the mean."""
        return mean * (1 / 3 + self._looking.exponential(2 / 3))

    def _in_the_face(self) -> np.ndarray:
        return self._looking.standard_normal(2) * FACE_SIZE

    def _look_elsewhere(self) -> None:
        """Plan the next fixation: another point of the face, or a glance aside and the face again."""
        begin = self._fixations[-1].begin + self._looking.uniform(*FIXATION)
        if begin < self._spell_end - FIXATION[0]:
            self._fixations.append(_Fixation(begin, self._in_the_face()))
            return
        least, mean, most = GLANCE
        far = min(least + self._looking.exponential(mean), most)
        tilt = np.radians(GLANCE_TILT) * self._looking.standard_normal()
        side = self._looking.choice((-1.0, 1.0))
        self._fixations.append(_Fixation(self._spell_end, far * np.array([side * np.cos(tilt), np.sin(tilt)])))
        back = self._spell_end + self._spell(ASIDE)
        self._fixations.append(_Fixation(back, self._in_the_face()))
        self._spell_end = back + self._spell(FACING)

    def _gaze(self, time: np.ndarray) -> np.ndarray:
        """(T, 2) degrees to the head's own left and up at `time` (T,) seconds."""
        gaze = np.tile(self._fixations[0].place, (len(time), 1))
        for before, after in zip(self._fixations, self._fixations[1:], strict=False):
            way = after.place - before.place
            lasts = SACCADE + SACCADE_PER_DEGREE * np.linalg.norm(way)
            begun = time >= after.begin
            gaze[begun] = before.place + way * eased((time[begun, None] - after.begin) / lasts)
        return gaze

    def _find_accents(self, end: int, prosody: Prosody) -> None:
        """Plan brow accents on the prominent syllables before frame `end`, each frame being examined once."""
        for frame, value in accents(self._examined, end, prosody, self.fps):
            peak = frame / self.fps - ACCENT_LEAD
            if self._accents and peak - self._accents[-1].peak < ACCENT_APART:
                continue
            strength = min(value - LEAST, 1.0) * self._accenting.uniform(0.5, 1.0)
            size = ACCENT_SIZE[0] + (ACCENT_SIZE[1] - ACCENT_SIZE[0]) * strength
            if self._accenting.random() < ACCENT_SHARE:
                self._accents.append(_Accent(peak, size, self._accenting.uniform(-1, 1)))
        self._examined = max(self._examined, min(end, len(prosody.loudness)))

    def _drift(self, time: np.ndarray, name: str, highest: float) -> np.ndarray:
        """(T,) weights of slow idle motion between 0 and `highest` at `time` in seconds."""
        k = NAMES.index(name)
        waves = np.sin(2 * np.pi * self._rates[k] * time[:, None] + self._phases[k])
        return highest * (0.5 + 0.5 * waves.mean(axis=1))

"""Phone times to face curves by dominance functions (Cohen and Massaro 1993), with hard contacts on top.

Every phone pulls the mouth towards its target with a strength that rises before it and falls after it; the
mouth follows the normalised sum. Contacts are not left to that sum: on p b m the lips meet, on f v the lower
lip meets the upper teeth, in silence the mouth is shut, whatever the neighbours want.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..config import PHONES
from .speaker import Manner
from .visemes import BILABIALS, GROUPS, LABIODENTALS, VisemeTable

#: A phone holds its full strength on the middle part of its duration: this fraction is cut from either end.
SHOULDER = 0.3
#: Seconds over which a contact closes and opens, and over which the mouth closes into silence.
CONTACT_RAMP = 0.07
SILENCE_RAMP = 0.12
#: Anticipation of speech inside silence, seconds.
SILENCE_LEAD = 0.035
#: A pause shorter than this keeps its coarticulation.
SHORT_PAUSE = 0.16


@dataclass(frozen=True)
class TimedPhones:
    """Phones of one utterance: `start`, `end` (N,) in seconds, `index` (N,) into `config.PHONES`."""

    start: np.ndarray
    end: np.ndarray
    index: np.ndarray

    @classmethod
    def of(cls, phones: Sequence[tuple[float, float, str]]) -> TimedPhones:
        """From (start, end, label) triples."""
        return cls(
            np.array([p[0] for p in phones], dtype=float),
            np.array([p[1] for p in phones], dtype=float),
            np.array([PHONES.index(p[2]) for p in phones], dtype=int),
        )


@dataclass(frozen=True)
class MouthGeometry:
    """How a head's mouth answers the curves, linear in the weights of `shapes` (S,).

    `gap` (S,) metres between the inner lips; `bite` (S,) metres the lower lip moves down from the upper teeth,
    `bite_rest` that distance in the neutral face (negative: the lip covers the teeth's edge).
    """

    shapes: tuple[str, ...]
    gap: np.ndarray
    bite: np.ndarray
    bite_rest: float


def frame_times(frames: int, fps: float) -> np.ndarray:
    """(T,) seconds of each motion frame's middle; frame 0 covers [0, 1 / fps)."""
    return (np.arange(frames) + 0.5) / fps


def frame_phones(phones: TimedPhones, frames: int, fps: float) -> np.ndarray:
    """(T,) index into `config.PHONES` of the phone spoken in each frame; silence outside the phones."""
    times = frame_times(frames, fps)
    at = np.clip(np.searchsorted(phones.start, times, side="right") - 1, 0, len(phones.start) - 1)
    inside = (times >= phones.start[at]) & (times < phones.end[at])
    return np.where(inside, phones.index[at], 0)


def activations(phones: TimedPhones, table: VisemeTable, frames: int, fps: float) -> np.ndarray:
    """(G, T, P) share of each phone in each group of shapes at each frame; shares sum to one over P."""
    times = frame_times(frames, fps)[:, None]
    length = phones.end - phones.start
    ahead = np.maximum(phones.start + SHOULDER * length - times, 0.0)  # (T, N) seconds until the phone holds
    behind = np.maximum(times - (phones.end - SHOULDER * length), 0.0)  # (T, N) seconds since it let go
    shares = np.zeros((len(GROUPS), frames, len(PHONES)))
    one_hot = np.eye(len(PHONES))[phones.index]  # (N, P)
    for group in range(len(GROUPS)):
        before, after = table.before[phones.index, group], table.after[phones.index, group]
        pull = table.strength[phones.index, group] * np.exp(-((ahead / before) ** 2) - (behind / after) ** 2)
        pull = pull + 1e-9
        shares[group] = (pull / pull.sum(axis=1, keepdims=True)) @ one_hot
    return shares


def articulate(
    phones: TimedPhones,
    table: VisemeTable,
    geometry: MouthGeometry,
    frames: int,
    fps: float,
    effort: np.ndarray | None = None,
    manner: Manner | None = None,
) -> np.ndarray:
    """Face curves (T, S) in [0, 1] over `table.shapes` for phones with times, in a given manner.

    `effort` (T,) is loudness against the speaker's ordinary level in tens of decibels; zero when not given.
    """
    shares = activations(phones, table, frames, fps)
    effort = np.zeros(frames) if effort is None else effort
    curves = np.empty((frames, len(table.shapes)))
    for group in range(len(GROUPS)):
        columns = table.group == group
        curves[:, columns] = shares[group] @ table.target[:, columns]
        curves[:, columns] += effort[:, None] * (shares[group] @ table.effort[:, columns])
    curves = np.clip(curves, 0.0, 1.0)
    if manner is not None:
        curves = manner.apply(curves, table.shapes, fps)
    return with_contacts(curves, phones, geometry, fps)


def with_contacts(curves: np.ndarray, phones: TimedPhones, geometry: MouthGeometry, fps: float) -> np.ndarray:
    """`curves` (T, S) with the mouth shut in silence, lips closed on p b m and lip to teeth on f v."""
    frames = len(curves)
    curves = curves * (1.0 - _silence(phones, frames, fps))[:, None]
    bilabial = _windows(phones, BILABIALS, frames, fps)
    labiodental = np.minimum(_windows(phones, LABIODENTALS, frames, fps), 1.0 - bilabial)
    curves = _bite(curves, labiodental, geometry)
    return np.clip(_closed(curves, bilabial, geometry), 0.0, 1.0)


def _silence(phones: TimedPhones, frames: int, fps: float) -> np.ndarray:
    """(T,) 1 where the mouth rests shut, 0 where it speaks."""
    times = frame_times(frames, fps)
    rest = np.zeros(frames)
    for start, end in zip(phones.start[phones.index == 0], phones.end[phones.index == 0], strict=True):
        if end - start < SHORT_PAUSE and start > 0:
            continue
        closing = 1.0 if start <= 0 else _ease((times - start) / SILENCE_RAMP)
        last = end >= phones.end[-1]  # nothing follows that the mouth would open for
        opening = 1.0 if last else _ease((end - times + SILENCE_RAMP - SILENCE_LEAD) / SILENCE_RAMP)
        rest = np.maximum(rest, closing * opening)
    return rest


def _windows(phones: TimedPhones, labels: Sequence[str], frames: int, fps: float) -> np.ndarray:
    """(T,) 1 on the middle of every phone of `labels`, easing to 0 within a ramp outside it."""
    times = frame_times(frames, fps)
    window = np.zeros(frames)
    for start, end, index in zip(phones.start, phones.end, phones.index, strict=True):
        if PHONES[index] in labels:
            # A contact shorter than a frame and a half would fall between frames: widen it to be seen.
            margin = max(0.0, (1.5 / fps - (end - start)) / 2) - 0.15 * (end - start)
            outside = np.maximum(np.maximum(start - margin - times, times - end - margin), 0.0)
            window = np.maximum(window, _ease(1.0 - outside / CONTACT_RAMP))
    return window


def _closed(curves: np.ndarray, window: np.ndarray, geometry: MouthGeometry) -> np.ndarray:
    """Lips brought together by `window`: a smaller jaw, and `mouthClose` for what is still open."""
    curves = curves.copy()
    names = geometry.shapes
    for name in ("mouthFunnel", "mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight"):
        if name in names:
            curves[:, names.index(name)] *= 1.0 - window
    jaw, close = names.index("jawOpen"), names.index("mouthClose")
    curves[:, jaw] *= 1.0 - 0.6 * window
    curves[:, close] *= 1.0 - window
    rest = curves @ geometry.gap  # metres still open
    needed = np.clip(rest / -geometry.gap[close], 0.0, 1.0)
    curves[:, close] += window * needed
    # mouthClose alone may not reach: the jaw gives up the remainder.
    left = np.maximum(curves @ geometry.gap, 0.0)
    curves[:, jaw] -= window * np.minimum(curves[:, jaw], left / geometry.gap[jaw])
    return curves


def _bite(curves: np.ndarray, window: np.ndarray, geometry: MouthGeometry) -> np.ndarray:
    """Lower lip brought to the upper teeth by `window`: a small jaw, the lower lip rolled in."""
    curves = curves.copy()
    names = geometry.shapes
    for name in ("mouthFunnel", "mouthPucker", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthClose"):
        if name in names:
            curves[:, names.index(name)] *= 1.0 - window
    jaw, roll = names.index("jawOpen"), names.index("mouthRollLower")
    curves[:, roll] = np.maximum(curves[:, roll], 0.35 * window)
    # The lip stays a little below the edge: enough of a slit to see the teeth, none to see past them.
    below = np.maximum(curves @ geometry.bite + geometry.bite_rest, 0.0)
    curves[:, jaw] -= window * np.minimum(curves[:, jaw], below / geometry.bite[jaw])
    return curves


def _ease(value: np.ndarray) -> np.ndarray:
    """Smooth step of a value, 0 below 0 and 1 above 1."""
    value = np.clip(value, 0.0, 1.0)
    return value * value * (3.0 - 2.0 * value)

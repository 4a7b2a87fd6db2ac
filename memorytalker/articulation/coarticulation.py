"""Phone times to face curves by dominance functions (Cohen and Massaro 1993), with hard contacts on top.

Every phone pulls the mouth towards its target with a strength that rises before it and falls after it, less if the
phone is short; the mouth follows the normalised sum. Contacts are not left to that sum: on p b m the lips meet, on f v
the lower lip meets the upper teeth, in silence the mouth is shut, whatever the neighbours want.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memorytalker.articulation.speaker import ArticulationStyle
from memorytalker.articulation.visemes import GROUPS, VisemeTable
from memorytalker.phones import ENGLISH

#: A phone holds its full strength on the middle part of its duration: this fraction is cut from either end.
SHOULDER = 0.3
#: Durations (s) outside of which a phone is not further reduced or strengthened, and the one for which tables are made.
SHORTEST, LONGEST, ORDINARY = 0.03, 0.3, 0.1
#: Seconds over which the mouth closes into silence and opens out of it, and by which it begins to open before speech.
#: Filmed people open 0.1 to 0.3 s ahead, often to breathe; here a silence stays shut as long as nothing is heard.
CLOSING, OPENING, SILENCE_LEAD = 0.12, 0.06, 0.035
#: Seconds by which rounded lips show before speech begins, while they are still shut.
ROUNDING_LEAD = 0.12
#: A pause shorter than this keeps its coarticulation.
SHORT_PAUSE = 0.16


@dataclass(frozen=True)
class Contact:
    """When a contact is made: held for `share` of the phone but at least `shortest` seconds around its middle, moved
    by `shift` seconds, with `ramp` seconds to come and to go."""

    labels: tuple[str, ...]
    shift: float
    share: float
    shortest: float
    ramp: float


#: Longer than filmed, where a closure lasts about one frame: a network unsure of the moment still closes then.
LIPS_MEET = Contact(ENGLISH.bilabials, shift=0.0, share=0.7, shortest=0.067, ramp=0.05)
LIP_MEETS_TEETH = Contact(ENGLISH.labiodentals, shift=0.015, share=0.7, shortest=0.067, ramp=0.05)


@dataclass(frozen=True)
class TimedPhones:
    """Phones of one utterance: `start`, `end` (N,) in seconds, `index` (N,) into `phones.ENGLISH`."""

    start: np.ndarray
    end: np.ndarray
    index: np.ndarray

    @classmethod
    def of(cls, phones: Sequence[tuple[float, float, str]]) -> TimedPhones:
        """From (start, end, label) triples."""
        return cls(
            np.array([p[0] for p in phones], dtype=float),
            np.array([p[1] for p in phones], dtype=float),
            np.array([ENGLISH.index(p[2]) for p in phones], dtype=int),
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
    """(T,) index into `phones.ENGLISH` of the phone spoken in each frame; silence outside the phones."""
    times = frame_times(frames, fps)
    at = np.clip(np.searchsorted(phones.start, times, side="right") - 1, 0, len(phones.start) - 1)
    inside = (times >= phones.start[at]) & (times < phones.end[at])
    return np.where(inside, phones.index[at], ENGLISH.silence_index)


def activations(phones: TimedPhones, table: VisemeTable, frames: int, fps: float) -> np.ndarray:
    """(G, T, P) share of each phone in each group of shapes at each frame; shares sum to one over P."""
    times = frame_times(frames, fps)[:, None]
    length = phones.end - phones.start
    longer = np.log(np.clip(length, SHORTEST, LONGEST) / ORDINARY)
    shares = np.zeros((len(GROUPS), frames, len(ENGLISH.phones)))
    one_hot = np.eye(len(ENGLISH.phones))[phones.index]  # (N, P)
    for group in range(len(GROUPS)):
        strength, before, after, shift, reduction = (
            getattr(table, name)[phones.index, group] for name in ("strength", "before", "after", "shift", "reduction")
        )
        ahead = np.maximum(phones.start + SHOULDER * length + shift - times, 0.0)  # (T, N) s until the phone holds
        behind = np.maximum(times - (phones.end - SHOULDER * length + shift), 0.0)  # (T, N) s since it let go
        pull = np.log(strength) + reduction * longer - ahead / before - behind / after
        pull = np.exp(pull - pull.max(axis=1, keepdims=True))  # far from every phone the nearest one holds
        shares[group] = (pull / pull.sum(axis=1, keepdims=True)) @ one_hot
    return shares


def articulate(
    phones: TimedPhones,
    table: VisemeTable,
    geometry: MouthGeometry,
    frames: int,
    fps: float,
    effort: np.ndarray | None = None,
    manner: ArticulationStyle | None = None,
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


def with_contacts(
    curves: np.ndarray,
    phones: TimedPhones,
    geometry: MouthGeometry,
    fps: float,
    lips: Contact = LIPS_MEET,
    teeth: Contact = LIP_MEETS_TEETH,
) -> np.ndarray:
    """`curves` (T, S) with the mouth shut in silence, lips closed on p b m and lip to teeth on f v."""
    frames, names = len(curves), geometry.shapes
    rest = _silence(phones, frames, fps, SILENCE_LEAD)
    rounded = [names.index(name) for name in ("mouthPucker",) if name in names]
    gate = np.repeat(1.0 - rest[:, None], len(names), axis=1)
    gate[:, rounded] = 1.0 - _silence(phones, frames, fps, ROUNDING_LEAD)[:, None]
    curves = curves * gate
    bilabial = _window(phones, lips, frames, fps)
    labiodental = np.minimum(_window(phones, teeth, frames, fps), 1.0 - bilabial)
    curves = _bite(curves, labiodental, geometry)
    return np.clip(_closed(curves, bilabial, geometry), 0.0, 1.0)


def _silence(phones: TimedPhones, frames: int, fps: float, lead: float) -> np.ndarray:
    """(T,) 1 where the mouth rests shut, 0 where it speaks; it begins to open `lead` seconds before speech."""
    times = frame_times(frames, fps)
    rest = np.zeros(frames)
    for start, end in zip(
        phones.start[phones.index == ENGLISH.silence_index],
        phones.end[phones.index == ENGLISH.silence_index],
        strict=True,
    ):
        if end - start < SHORT_PAUSE and start > 0:
            continue
        closing = 1.0 if start <= 0 else _ease((times - start) / CLOSING)
        last = end >= phones.end[-1]  # nothing follows that the mouth would open for
        opening = 1.0 if last else _ease((end - times + OPENING - lead) / OPENING)
        rest = np.maximum(rest, closing * opening)
    return rest


def _window(phones: TimedPhones, contact: Contact, frames: int, fps: float) -> np.ndarray:
    """(T,) 1 while a contact of the phones is held, easing to 0 within a ramp outside it."""
    times = frame_times(frames, fps)
    window = np.zeros(frames)
    shortest = max(contact.shortest, 1.0 / fps)  # a contact shorter than a frame would fall between frames
    for number in np.flatnonzero(np.isin(phones.index, ENGLISH.indices(contact.labels))):
        start, end = phones.start[number], phones.end[number]
        middle, hold = (start + end) / 2 + contact.shift, max(contact.share * (end - start), shortest)
        outside = np.maximum(np.abs(times - middle) - hold / 2, 0.0)
        window = np.maximum(window, _ease(1.0 - outside / contact.ramp))
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

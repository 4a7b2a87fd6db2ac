"""Phone times to face curves by dominance functions (Cohen and Massaro 1993), with hard contacts on top.

Every phone pulls the mouth towards its target with a strength that rises before it and falls after it, less if the
phone is short; the mouth follows the normalised sum. Contacts are enforced afterwards: the lips meet on p b m, the
lower lip meets the upper teeth on f v under a raised upper lip, and the mouth is closed in silence, whatever the
neighbouring phones are.
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
#: Tracked speakers open 0.1 to 0.3 s ahead, often to breathe; here the mouth stays closed while nothing sounds.
CLOSING, OPENING, SILENCE_LEAD = 0.12, 0.06, 0.035
#: Seconds by which the lips round before speech begins, while they are still closed.
ROUNDING_LEAD = 0.12
#: A pause shorter than this keeps its coarticulation.
SHORT_PAUSE = 0.16
#: How a lip at the teeth is seen: the upper lip rises by these weights, so that two millimetres of teeth show, and the
#: lower lip rolls in; it ends this many metres above the teeth's edge.
UPPER_LIP_RAISED, LOWER_LIP_ROLLED, EDGE_COVERED = 0.62, 0.6, 0.0003
#: Shapes that would hide the teeth, press the lip away from them, or hang it below them.
_OFF_THE_TEETH = (
    "mouthFunnel mouthPucker mouthClose mouthRollUpper mouthShrugLower mouthShrugUpper mouthLowerDownLeft "
    "mouthLowerDownRight mouthPressLeft mouthPressRight mouthUpperUpLeft mouthUpperUpRight tongueOut".split()
)
#: Shapes that would part closed lips, or show between them.
_OPEN_LIPS = (
    "mouthFunnel mouthShrugUpper mouthUpperUpLeft mouthUpperUpRight mouthLowerDownLeft mouthLowerDownRight "
    "tongueOut".split()
)


@dataclass(frozen=True)
class Contact:
    """Timing of a contact.

    It is held around the middle of the phone, moved by `shift` seconds, for `share` of the phone but at least
    `shortest` seconds; it takes `ramp` seconds to reach and to leave.
    """

    labels: tuple[str, ...]
    shift: float
    share: float
    shortest: float
    ramp: float


#: Longer than in tracked video, where a closure lasts about one frame: a network unsure of the moment still closes.
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
        """Make timed phones from (start, end, label) triples, in seconds."""
        return cls(
            np.array([p[0] for p in phones], dtype=float),
            np.array([p[1] for p in phones], dtype=float),
            np.array([ENGLISH.index(p[2]) for p in phones], dtype=int),
        )

    @property
    def spoken(self) -> tuple[float, float] | None:
        """Start of the first phone and end of the last in seconds, silence apart; None where nothing is said."""
        said = self.index != ENGLISH.silence_index
        return (float(self.start[said].min()), float(self.end[said].max())) if said.any() else None


@dataclass(frozen=True)
class MouthGeometry:
    """Measures of a head's mouth, linear in the weights of its shapes.

    Attributes:
        shapes: names of the S shapes.
        gap: (S,) metres between the inner lips per unit of weight.
        lip_to_teeth: (S,) metres by which the lower lip moves down from the upper teeth per unit of weight.
        lip_to_teeth_rest: that distance in the neutral face, metres; negative: the lip covers the teeth's edge.
        width: (S,) metres between the corners of the mouth per unit of weight.
    """

    shapes: tuple[str, ...]
    gap: np.ndarray
    lip_to_teeth: np.ndarray
    lip_to_teeth_rest: float
    width: np.ndarray


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
    style: ArticulationStyle | None = None,
) -> np.ndarray:
    """Synthesise face curves from phones with times.

    Args:
        phones: the phones of the utterance.
        table: targets and dominances.
        geometry: of the head, over `table.shapes`.
        frames: number of motion frames, T.
        fps: motion frames per second.
        effort: (T,) loudness relative to the speaker's usual level, in tens of decibels; None: zero.
        style: articulation style of the speaker; None: as fitted.

    Returns:
        Curves (T, S) in [0, 1] over `table.shapes`.
    """
    shares = activations(phones, table, frames, fps)
    effort = np.zeros(frames) if effort is None else effort
    curves = np.empty((frames, len(table.shapes)))
    for group in range(len(GROUPS)):
        columns = table.group == group
        curves[:, columns] = shares[group] @ table.target[:, columns]
        curves[:, columns] += effort[:, None] * (shares[group] @ table.effort[:, columns])
    curves = np.clip(curves, 0.0, 1.0)
    if style is not None:
        curves = style.apply(curves, table.shapes, fps)
    return with_contacts(curves, phones, geometry, fps)


def with_contacts(
    curves: np.ndarray,
    phones: TimedPhones,
    geometry: MouthGeometry,
    fps: float,
    lips: Contact = LIPS_MEET,
    teeth: Contact = LIP_MEETS_TEETH,
) -> np.ndarray:
    """Enforce contacts: mouth closed in silence, lips closed on p b m, lip to teeth on f v.

    Args:
        curves: (T, S) over `geometry.shapes`.
        phones: the phones of the utterance.
        geometry: of the head.
        fps: motion frames per second.
        lips: timing of the lip contact.
        teeth: timing of the contact of lip and teeth.

    Returns:
        Curves (T, S) in [0, 1].
    """
    frames, names = len(curves), geometry.shapes
    rest = _silence(phones, frames, fps, SILENCE_LEAD)
    rounded = [names.index(name) for name in ("mouthPucker",) if name in names]
    gate = np.repeat(1.0 - rest[:, None], len(names), axis=1)
    gate[:, rounded] = 1.0 - _silence(phones, frames, fps, ROUNDING_LEAD)[:, None]
    curves = curves * gate
    bilabial = contact_window(phones, lips, frames, fps)
    curves = with_lip_to_teeth(curves, phones, geometry, fps, lips, teeth)
    return np.clip(_closed(curves, bilabial, geometry), 0.0, 1.0)


def with_lip_to_teeth(
    curves: np.ndarray,
    phones: TimedPhones,
    geometry: MouthGeometry,
    fps: float,
    lips: Contact = LIPS_MEET,
    teeth: Contact = LIP_MEETS_TEETH,
) -> np.ndarray:
    """Bring the lower lip to the upper teeth on f v, the teeth seen above it; closed lips beside them come first.

    Arguments and result as `with_contacts`.
    """
    frames = len(curves)
    labiodental = np.minimum(
        contact_window(phones, teeth, frames, fps), 1.0 - contact_window(phones, lips, frames, fps)
    )
    return np.clip(_lip_to_teeth(curves, labiodental, geometry), 0.0, 1.0)


def _silence(phones: TimedPhones, frames: int, fps: float, lead: float) -> np.ndarray:
    """(T,) 1 where the mouth is closed in silence, 0 in speech; it begins to open `lead` seconds before speech."""
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
        last = end >= phones.end[-1]  # no speech follows
        opening = 1.0 if last else _ease((end - times + OPENING - lead) / OPENING)
        rest = np.maximum(rest, closing * opening)
    return rest


def contact_window(phones: TimedPhones, contact: Contact, frames: int, fps: float) -> np.ndarray:
    """(T,) 1 while the contact is held on one of its phones, easing to 0 within a ramp outside it."""
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
    """Close the lips by `window`: the jaw opens less, and `mouthClose` closes what remains."""
    curves = curves.copy()
    names = geometry.shapes
    for name in _OPEN_LIPS:
        if name in names:
            curves[:, names.index(name)] *= 1.0 - window
    jaw, close = names.index("jawOpen"), names.index("mouthClose")
    curves[:, jaw] *= 1.0 - 0.6 * window
    curves[:, close] *= 1.0 - window
    rest = curves @ geometry.gap  # metres still open
    needed = np.clip(rest / -geometry.gap[close], 0.0, 1.0)
    curves[:, close] += window * needed
    # mouthClose alone may not suffice: the jaw closes the rest.
    left = np.maximum(curves @ geometry.gap, 0.0)
    curves[:, jaw] -= window * np.minimum(curves[:, jaw], left / geometry.gap[jaw])
    return curves


def _lip_to_teeth(curves: np.ndarray, window: np.ndarray, geometry: MouthGeometry) -> np.ndarray:
    """Bring the lower lip to the edge of the upper teeth by `window`: it rolls in, and the jaw moves as needed."""
    names, jaw = geometry.shapes, geometry.shapes.index("jawOpen")
    pose = curves.copy()
    pose[:, [names.index(name) for name in _OFF_THE_TEETH if name in names]] = 0.0
    for name, weight in (
        ("mouthUpperUpLeft", UPPER_LIP_RAISED),
        ("mouthUpperUpRight", UPPER_LIP_RAISED),
        ("mouthRollLower", LOWER_LIP_ROLLED),
    ):
        if name in names:
            pose[:, names.index(name)] = weight
    pose[:, jaw] = 0.0
    below = pose @ geometry.lip_to_teeth + geometry.lip_to_teeth_rest  # with the jaw shut
    pose[:, jaw] = np.maximum(-EDGE_COVERED - below, 0.0) / geometry.lip_to_teeth[jaw]
    return curves + window[:, None] * (pose - curves)


def _ease(value: np.ndarray) -> np.ndarray:
    """Smooth step of a value, 0 below 0 and 1 above 1."""
    value = np.clip(value, 0.0, 1.0)
    return value * value * (3.0 - 2.0 * value)

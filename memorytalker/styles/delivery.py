"""A delivery: how far a face moves, what it feels and how the head turns, from one moment of a clip to the next.

It acts on the 52 curves after the network, frame by frame, and keeps the contacts of the mouth (`face/mouth_contacts`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from memorytalker.errors import InputError
from memorytalker.face.moods import MOODS, mood_weights, with_moods
from memorytalker.face.motion import FaceCurves, eased
from memorytalker.face.mouth_contacts import MouthContacts
from memorytalker.face.shape_groups import GAIN_GROUPS, OFFSET_GROUPS, added_rows, group_rows

#: Gains go from 0 to this; offsets from minus one to one; strengths of moods and of head motion from 0 to 1.
LARGEST_GAIN = 4.0
#: Seconds that a change from one delivery to the next takes; it is half done at the moment itself. Moods of faces rise
#: and fall in 0.3 to 0.6 s.
EASE_SECONDS = 0.45
#: Moments of a clip at which a style may change, and the last of them in seconds.
MOST_DELIVERIES, LATEST = 64, 7200.0


class StyleError(InputError):
    """A style that cannot be used; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class Delivery:
    """How the face is moved from a moment on. Mappings may be given for the pairs; they are kept sorted.

    Args:
        start: seconds into the clip.
        gains: (group, gain) of `GAIN_GROUPS`, 0 to 4; a group that is not named has 1.
        offsets: (group, offset) of `OFFSET_GROUPS`, -1 to 1; a group that is not named has 0.
        moods: (mood, strength) of `MOODS`, 0 to 1; a mood that is not named has 0.
        head_motion: strength of the head's own turns, 0 (still) to 1.

    Raises:
        StyleError: a name that is not there, or a value out of range.
    """

    start: float = 0.0
    gains: Mapping[str, float] | tuple[tuple[str, float], ...] = field(default=())
    offsets: Mapping[str, float] | tuple[tuple[str, float], ...] = field(default=())
    moods: Mapping[str, float] | tuple[tuple[str, float], ...] = field(default=())
    head_motion: float = 0.0

    def __post_init__(self) -> None:
        """Check names and ranges; leave out what changes nothing."""
        object.__setattr__(self, "start", _number("The start of a delivery, in seconds,", self.start, 0.0, LATEST))
        for name, known, low, high, rest in (
            ("gains", GAIN_GROUPS, 0.0, LARGEST_GAIN, 1.0),
            ("offsets", OFFSET_GROUPS, -1.0, 1.0, 0.0),
            ("moods", MOODS, 0.0, 1.0, 0.0),
        ):
            object.__setattr__(self, name, _pairs(name, getattr(self, name), known, low, high, rest))
        object.__setattr__(self, "head_motion", _number("head_motion", self.head_motion, 0.0, 1.0))

    @property
    def values(self) -> np.ndarray:
        """All its numbers (n,) in a fixed order: gains, offsets, moods, head motion; see `delivery_of`."""
        gains, offsets, moods = dict(self.gains), dict(self.offsets), dict(self.moods)
        return np.array(
            [
                *(gains.get(group, 1.0) for group in GAIN_GROUPS),
                *(offsets.get(group, 0.0) for group in OFFSET_GROUPS),
                *(moods.get(mood, 0.0) for mood in MOODS),
                self.head_motion,
            ]
        )

    @property
    def changes_curves(self) -> bool:
        """Whether it changes any curve; a gain of the head alone does not."""
        return bool(self.offsets or self.moods or set(dict(self.gains)) - {"head"})


#: Where gains, offsets, moods and head motion lie among `Delivery.values`.
_GAINS = slice(0, len(GAIN_GROUPS))
_OFFSETS = slice(_GAINS.stop, _GAINS.stop + len(OFFSET_GROUPS))
_MOODS = slice(_OFFSETS.stop, _OFFSETS.stop + len(MOODS))


def mood_columns() -> slice:
    """Where the moods lie among `Delivery.values`."""
    return _MOODS


def delivery_of(values: np.ndarray, start: float = 0.0) -> Delivery:
    """Make a delivery of its numbers, such as `Delivery.values` returns, rounded to six digits and held in range."""
    values = np.round(np.asarray(values, float), 6)
    return Delivery(
        start,
        dict(zip(GAIN_GROUPS, np.clip(values[_GAINS], 0, LARGEST_GAIN).tolist(), strict=True)),
        dict(zip(OFFSET_GROUPS, np.clip(values[_OFFSETS], -1, 1).tolist(), strict=True)),
        dict(zip(MOODS, np.clip(values[_MOODS], 0, 1).tolist(), strict=True)),
        float(np.clip(values[-1], 0, 1)),
    )


def check_order(deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
    """Return deliveries as a tuple. Raises StyleError unless the first begins at 0 and each after the one before."""
    starts = [each.start for each in deliveries]
    if not 1 <= len(starts) <= MOST_DELIVERIES or starts[0] != 0 or any(np.diff(starts) <= 0):
        raise StyleError(
            f"A style has 1 to {MOST_DELIVERIES} deliveries, the first from 0 s on and each after the one before."
        )
    return tuple(deliveries)


@dataclass(frozen=True)
class DeliveryTrack:
    """Deliveries over time, eased from one to the next.

    Args:
        deliveries: in the order of their starts, the first at 0.
    """

    deliveries: tuple[Delivery, ...]

    def values(self, first: int, frames: int, fps: float) -> np.ndarray:
        """Return the numbers (frames, n) of the frames from `first` on, as `Delivery.values` orders them."""
        time = (first + np.arange(frames)) / fps
        values = np.repeat(self.deliveries[0].values[None], frames, axis=0)
        for before, after in zip(self.deliveries, self.deliveries[1:], strict=False):
            share = eased((time - after.start) / EASE_SECONDS + 0.5)
            values += share[:, None] * (after.values - before.values)
        return values

    @property
    def changes_curves(self) -> bool:
        """Whether any delivery changes a curve."""
        return any(each.changes_curves for each in self.deliveries)

    @property
    def feels(self) -> bool:
        """Whether any delivery has a mood."""
        return any(each.moods for each in self.deliveries)

    @property
    def turns(self) -> bool:
        """Whether the head turns in any delivery."""
        return any(each.head_motion and dict(each.gains).get("head", 1.0) for each in self.deliveries)

    def head_strength(self, first: int, frames: int, fps: float) -> np.ndarray:
        """Return the strength (frames,) of the head's turns: head motion times the gain of the head."""
        values = self.values(first, frames, fps)
        return values[:, -1] * values[:, GAIN_GROUPS.index("head")]


def delivered(values: np.ndarray, curves: FaceCurves, contacts: MouthContacts, speaking: np.ndarray) -> FaceCurves:
    """Change curves as deliveries say.

    Gains scale, offsets add, moods are laid over; then lips that were closed are closed again, and a lower lip that
    was at the upper teeth is there again.

    Args:
        values: (T, n) as `DeliveryTrack.values` returns them.
        curves: weights (T, S) by name, as the network and the expression move the face.
        contacts: of the head's mouth.
        speaking: (T,) from 0, silence, to 1, speech.

    Returns:
        The changed curves (T, S), by the names of `contacts`.
    """
    names = contacts.names
    before = curves.reordered(names).weights.astype(np.float64)
    gains = np.ones_like(before)
    for group, row in group_rows(names).items():
        gains[:, row] *= values[:, _GAINS][:, [GAIN_GROUPS.index(group)]]
    up, down = added_rows(names)
    offsets = values[:, _OFFSETS]
    after = before * gains + np.maximum(offsets, 0.0) @ up + np.maximum(-offsets, 0.0) @ down
    after = with_moods(np.clip(after, 0.0, 1.0), mood_weights(values[:, _MOODS], speaking, names), names)
    return FaceCurves(contacts.kept(before, after).astype(np.float32), names, curves.fps)


def _number(what: str, value: object, lowest: float, highest: float) -> float:
    usable = isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)
    if not usable or not lowest <= value <= highest:  # type: ignore[operator]
        raise StyleError(f"{what} goes from {lowest:g} to {highest:g}, not {_shown(value)}.")
    return float(value)  # type: ignore[arg-type]


def _pairs(
    what: str, given: object, known: Sequence[str], lowest: float, highest: float, rest: float
) -> tuple[tuple[str, float], ...]:
    """The pairs in the order of `known`, without those that change nothing."""
    try:
        pairs = dict(given)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise StyleError(f"{what} are pairs of a name and a number, not {_shown(given)}.") from None
    unknown = [name for name in pairs if name not in known]
    if unknown:
        raise StyleError(f"There is no {what[:-1]} of {_shown(unknown[0])}; there are {', '.join(known)}.")
    numbers = {name: _number(f"{what}: {name}", value, lowest, highest) for name, value in pairs.items()}
    return tuple((name, numbers[name]) for name in known if name in numbers and not math.isclose(numbers[name], rest))


def _shown(value: object) -> str:
    text = repr(value)[:60] if isinstance(value, (str, int, float)) else type(value).__name__
    return text if len(text) <= 40 else f"{text[:37]}..."


def replaced(delivery: Delivery, **changes: object) -> Delivery:
    """Return a delivery with some fields changed; StyleError as its class raises it."""
    return dataclasses.replace(delivery, **changes)  # type: ignore[arg-type]

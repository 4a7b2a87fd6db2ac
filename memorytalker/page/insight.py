"""What the memory's numbers say: which slot is read when, how far the lips part, what a manner of speaking weighs.

numpy only; the page draws what stands here, and says it. T frames, n slots, V vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memorytalker.face.head import HeadError, HeadMesh
from memorytalker.phones import ENGLISH

LISTED = 5
#: Slots whose weights differ by no more than this factor among themselves are called alike.
ALIKE = 1.05


@dataclass(frozen=True)
class Reading:
    """A stretch of time in which one slot is read more than any other."""

    slot: int
    start: float  # seconds
    end: float
    share: float  # of these frames that is read from the slot, on average


@dataclass(frozen=True, eq=False)
class Emphasis:
    """A manner of speaking against what it is measured by. All factors are positive."""

    relative: np.ndarray  # (n,) weight of each slot as a factor of the reference
    overall: float  # the geometric mean of `relative`
    order: np.ndarray  # (n,) slots, most emphasised first
    average_known: bool  # the reference is the average training speaker; else it is the neutral style

    @property
    def spread(self) -> float:
        """By what factor the strongest slot exceeds the weakest."""
        return float(self.relative.max() / self.relative.min())


def readings(address: np.ndarray, fps: float) -> tuple[Reading, ...]:
    """The address (T, n) as stretches of one slot each, in order and without gaps."""
    top = np.asarray(address).argmax(axis=1)
    starts = np.flatnonzero(np.diff(top, prepend=-1))
    ends = np.append(starts[1:], len(top))
    return tuple(
        Reading(int(top[a]), a / fps, b / fps, float(address[a:b, top[a]].mean()))
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def mouth_opening(vertices: np.ndarray, head: HeadMesh) -> np.ndarray | None:
    """How far the inner lips are apart, (T,) millimetres, 0 where they touch; None for a head that does not name them.

    vertices: (T, V, 3) metres, y up.
    """
    try:
        upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
    except HeadError:
        return None
    return np.maximum(0.0, 1000 * (vertices[:, upper, 1].astype(np.float64) - vertices[:, lower, 1]))


def mouth_width(vertices: np.ndarray, head: HeadMesh) -> np.ndarray | None:
    """From one corner of the mouth to the other, (T,) millimetres; None for a head that does not name them."""
    try:
        left, right = head.landmarks["mouth_left"], head.landmarks["mouth_right"]
    except HeadError:
        return None
    return 1000 * np.linalg.norm(vertices[:, left].astype(np.float64) - vertices[:, right], axis=-1)


def in_company(address: np.ndarray, values: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """For how long each slot is read most, (n,) seconds, and the mean of `values` (T,) meanwhile, (n,), nan if never.

    address: (T, n).
    """
    top, slots = np.asarray(address).argmax(axis=1), address.shape[1]
    frames = np.bincount(top, minlength=slots)
    sums = np.bincount(top, weights=values, minlength=slots)
    return frames / fps, np.where(frames > 0, sums / np.maximum(frames, 1), np.nan)


def envelope(samples: np.ndarray, bins: int) -> np.ndarray:
    """The smallest and the largest sample of at most so many equal stretches of a sound (S,): (k, 2)."""
    edges = np.unique(np.linspace(0, len(samples), min(bins, len(samples)) + 1).astype(int))[:-1]
    return np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)], axis=1)


def emphasis(weights: np.ndarray, average: np.ndarray | None) -> Emphasis | None:
    """Style weights (n,) against those of the average training speaker (n,); None for the neutral style, all ones.

    Without an average, the neutral style is the reference. Raises ValueError where shapes do not agree or a number is
    not positive.
    """
    weights = np.asarray(weights, np.float64)
    if (weights == 1).all():
        return None
    reference = np.ones_like(weights) if average is None else np.asarray(average, np.float64)
    both = np.concatenate([weights.ravel(), reference.ravel()])
    if weights.shape != reference.shape or weights.ndim != 1 or not np.isfinite(both).all() or both.min() <= 0:
        raise ValueError("Style weights and their average are as many positive numbers as there are slots.")
    relative = weights / reference
    order = np.argsort(-relative, kind="stable")
    return Emphasis(relative, float(np.exp(np.log(relative).mean())), order, average is not None)


def strength_text(told: Emphasis) -> str:
    """What a manner does on the whole, in one or two sentences."""
    reference = "the average training speaker" if told.average_known else "the neutral style"
    low, high = float(told.relative.min()), float(told.relative.max())
    if high < 1:
        text = f"This manner weighs every slot less than {reference}"
    elif low > 1:
        text = f"This manner weighs every slot more than {reference}"
    else:
        text = f"This manner weighs some slots more and some less than {reference}"
    text += f": {told.overall:.2f} × overall, from {low:.2f} × to {high:.2f} ×."
    if told.spread < ALIKE:
        text += (
            f" The slots differ by {100 * (told.spread - 1):.1f} % among themselves, so this voice is set apart by how "
            "much the face moves more than by which sounds it stresses."
        )
    return text


def extremes(told: Emphasis, labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """The most emphasised and the most suppressed slots in words, five each, phones that look alike together."""
    count = min(LISTED, len(labels) // 2)
    return (
        _in_words(told, labels, told.order[:count].tolist()),
        _in_words(told, labels, told.order[::-1][:count].tolist()),
    )


def factor(value: float, told: Emphasis | None = None) -> str:
    """A factor as text, finer where a manner's slots are alike: '1.30 ×' (the space does not break)."""
    return f"{value:.{3 if told is not None and told.spread < 1.2 else 2}f}\N{NO-BREAK SPACE}×"


def _in_words(told: Emphasis, labels: Sequence[str], slots: list[int]) -> list[str]:
    home = {slot: name for name, members in ENGLISH.grouped(labels) for slot in members}
    gathered: dict[str, list[int]] = {}
    for slot in slots:
        gathered.setdefault(home[slot], []).append(slot)
    lines = []
    for name, members in gathered.items():
        mean = float(np.exp(np.log(told.relative[members]).mean()))
        deed = ENGLISH.movements.get(name, name)
        lines.append(f"{deed} {slot_names(labels, members)} {factor(mean, told)}".strip())
    return lines


def slot_names(labels: Sequence[str], slots: Sequence[int]) -> str:
    """Slots as they are written: '/ow uw/', the slot of silence in a word: 'silence and /ow/'."""
    names = [labels[slot] for slot in slots]
    phones = [name for name in names if name != ENGLISH.silence]
    return " and ".join(["silence"] * (len(phones) < len(names)) + [f"/{' '.join(phones)}/"] * bool(phones))


def difference_text(first: np.ndarray, second: np.ndarray, labels: Sequence[str]) -> str:
    """Where two manners, weights (n,) each, differ: one or two sentences about the second against the first."""
    ratio = np.log(np.asarray(second, np.float64) / np.asarray(first, np.float64))
    if np.abs(ratio).max() < 0.005:
        return "The two voices weigh every slot alike, within half a percent."
    overall = float(np.exp(ratio.mean()))
    text = (
        "On the whole the second voice weighs the slots as strongly as the first."
        if abs(overall - 1) < 0.005
        else f"The second voice weighs the slots {overall:.2f} × as strongly as the first: its face moves "
        f"{'more' if overall > 1 else 'less'}."
    )
    rest = 100 * (np.exp(ratio - ratio.mean()) - 1)
    order = np.argsort(-rest, kind="stable")
    if np.abs(rest).max() < 0.5:
        return text + " Beyond that they differ in no slot by half a percent."
    more, less = order[:3].tolist(), order[::-1][:3].tolist()
    return text + (
        f" Beyond that it stresses {slot_names(labels, more)} more (up to {rest[more[0]]:+.1f} %) and "
        f"{slot_names(labels, less)} less (down to {rest[less[0]]:+.1f} %)."
    )


def reading_text(found: Sequence[Reading], labels: Sequence[str], seconds: float) -> str:
    """The heatmap in a few sentences, for those who cannot see it."""
    held: dict[int, float] = {}
    for one in found:
        held[one.slot] = held.get(one.slot, 0.0) + one.end - one.start
    longest = sorted(held, key=lambda slot: -held[slot])[:LISTED]
    parts = [f"{slot_names(labels, [slot])} for {held[slot]:.2f} s" for slot in longest]
    return (
        f"In {seconds:.2f} s the face is read from {len(held)} of {len(labels)} slots, in {len(found)} stretches; "
        f"longest from {', '.join(parts)}."
    )

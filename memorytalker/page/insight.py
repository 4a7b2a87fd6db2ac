"""What the Memory section shows, as numbers and sentences: the memory address, the lip opening, and style weights.

T frames, n slots, V vertices. The strongest slot of a frame is the one with the largest share of the memory address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memorytalker.face.head import HeadError, HeadMesh
from memorytalker.face.head_motion import HeadMotion
from memorytalker.phones import ENGLISH

#: Slots listed at each end.
LISTED = 5
#: Relative weights that spread by less than this factor are called alike.
ALIKE = 1.05
#: Weights that differ from their reference by no more than this share are close to average.
CLOSE = 0.05


@dataclass(frozen=True)
class Reading:
    """A stretch of time with one strongest slot."""

    slot: int
    start: float  # seconds
    end: float
    share: float  # the slot's mean share of the memory address


@dataclass(frozen=True, eq=False)
class Emphasis:
    """Style weights relative to a reference. All factors are positive."""

    relative: np.ndarray  # (n,) weight of each slot as a factor of the reference
    overall: float  # the geometric mean of `relative`
    order: np.ndarray  # (n,) slots, most emphasised first
    average_known: bool  # the reference is the average training speaker; else it is the neutral style

    @property
    def spread(self) -> float:
        """The largest relative weight as a factor of the smallest."""
        return float(self.relative.max() / self.relative.min())


def readings(address: np.ndarray, fps: float) -> tuple[Reading, ...]:
    """The memory address (T, n) as consecutive stretches of one strongest slot each."""
    top = np.asarray(address).argmax(axis=1)
    starts = np.flatnonzero(np.diff(top, prepend=-1))
    ends = np.append(starts[1:], len(top))
    return tuple(
        Reading(int(top[a]), a / fps, b / fps, float(address[a:b, top[a]].mean()))
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def mouth_opening(vertices: np.ndarray, head: HeadMesh) -> np.ndarray | None:
    """The lip opening over time.

    Args:
        vertices: (T, V, 3) metres, y up.
        head: the head they belong to.

    Returns:
        (T,) millimetres, 0 where the lips touch; None for a head without lip landmarks.
    """
    try:
        upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
    except HeadError:
        return None
    return np.maximum(0.0, 1000 * (vertices[:, upper, 1].astype(np.float64) - vertices[:, lower, 1]))


def opening_over_time(motion: HeadMotion) -> np.ndarray | None:
    """The lip opening (T,) of a motion, as `mouth_opening`; no other vertex is computed."""
    try:
        lips = [motion.head.landmarks[f"inner_lip_{side}"] for side in ("upper", "lower")]
    except HeadError:
        return None
    heights = motion.at(lips)[..., 1].astype(np.float64)
    return np.maximum(0.0, 1000 * (heights[:, 0] - heights[:, 1]))


def lips_apart(first: HeadMotion, second: HeadMotion) -> np.ndarray:
    """Mean distance of the lip vertices between two motions of T frames of one head: (T,) millimetres."""
    lips = np.asarray(first.head.regions.get("lips", ()), int)
    if not len(lips):
        return np.zeros(len(first))
    return 1000 * np.linalg.norm(first.at(lips) - second.at(lips), axis=-1).mean(axis=1)


def mouth_width(vertices: np.ndarray, head: HeadMesh) -> np.ndarray | None:
    """Distance of the mouth's corners, (T,) millimetres, of vertices (T, V, 3); None for a head without landmarks."""
    try:
        left, right = head.landmarks["mouth_left"], head.landmarks["mouth_right"]
    except HeadError:
        return None
    return 1000 * np.linalg.norm(vertices[:, left].astype(np.float64) - vertices[:, right], axis=-1)


def time_and_mean_per_slot(address: np.ndarray, values: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """For how long each slot is the strongest, and the mean of a signal over those frames.

    Args:
        address: memory address (T, n).
        values: the signal (T,).
        fps: frames per second.

    Returns:
        Seconds (n,), and means (n,), nan for a slot that is never the strongest.
    """
    top, slots = np.asarray(address).argmax(axis=1), address.shape[1]
    frames = np.bincount(top, minlength=slots)
    sums = np.bincount(top, weights=values, minlength=slots)
    return frames / fps, np.where(frames > 0, sums / np.maximum(frames, 1), np.nan)


def envelope(samples: np.ndarray, bins: int) -> np.ndarray:
    """Minimum and maximum (k, 2) of k equal stretches of samples (S,), with k at most `bins`."""
    edges = np.unique(np.linspace(0, len(samples), min(bins, len(samples)) + 1).astype(int))[:-1]
    return np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)], axis=1)


def style_emphasis(weights: np.ndarray, average: np.ndarray | None) -> Emphasis | None:
    """Style weights relative to the average training speaker's.

    Args:
        weights: (n,).
        average: (n,) of the average speaker; without it, the neutral style is the reference.

    Returns:
        The relative weights; None for the neutral style, whose weights are all 1.

    Raises:
        ValueError: the shapes differ, or a number is not positive.
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


def strength_text(emphasis: Emphasis) -> str:
    """The overall strength of a style, in one or two sentences."""
    reference = "the average training speaker" if emphasis.average_known else "the neutral style"
    low, high = float(emphasis.relative.min()), float(emphasis.relative.max())
    if high < 1:
        text = f"This style weights every slot less than {reference}"
    elif low > 1:
        text = f"This style weights every slot more than {reference}"
    else:
        text = f"This style weights some slots more and some less than {reference}"
    text += f": {emphasis.overall:.2f} × overall, from {low:.2f} × to {high:.2f} ×."
    if emphasis.spread < ALIKE:
        text += (
            f" The slots differ from each other by only {100 * (emphasis.spread - 1):.1f} %: the style changes how "
            "much the face moves, but hardly which sounds it stresses."
        )
    return text


def extremes(emphasis: Emphasis, labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """The LISTED most emphasised and most suppressed slots in words, grouped by phones that look alike.

    What is within `CLOSE` of the reference is neither.
    """
    count = min(LISTED, len(labels) // 2)
    most = [slot for slot in emphasis.order[:count].tolist() if emphasis.relative[slot] > 1 + CLOSE]
    least = [slot for slot in emphasis.order[::-1][:count].tolist() if emphasis.relative[slot] < 1 - CLOSE]
    return _in_words(emphasis, labels, most), _in_words(emphasis, labels, least)


def factor(value: float, emphasis: Emphasis | None = None) -> str:
    """A factor as text with a no-break space, '1.30 ×'; with a third digit where the slots of a style differ little."""
    return f"{value:.{3 if emphasis is not None and emphasis.spread < 1.2 else 2}f}\N{NO-BREAK SPACE}×"


def _in_words(emphasis: Emphasis, labels: Sequence[str], slots: list[int]) -> list[str]:
    group_of = {slot: name for name, members in ENGLISH.grouped(labels) for slot in members}
    gathered: dict[str, list[int]] = {}
    for slot in slots:
        gathered.setdefault(group_of[slot], []).append(slot)
    lines = []
    for name, members in gathered.items():
        mean = float(np.exp(np.log(emphasis.relative[members]).mean()))
        movement = ENGLISH.movements.get(name, name)
        lines.append(f"{movement} {slot_names(labels, members)} {factor(mean, emphasis)}".strip())
    return lines


def slot_names(labels: Sequence[str], slots: Sequence[int]) -> str:
    """Names of slots as text: '/ow uw/', with the slot of silence 'silence and /ow/'."""
    names = [labels[slot] for slot in slots]
    phones = [name for name in names if name != ENGLISH.silence]
    return " and ".join(["silence"] * (len(phones) < len(names)) + [f"/{' '.join(phones)}/"] * bool(phones))


def difference_text(first: np.ndarray, second: np.ndarray, labels: Sequence[str]) -> str:
    """How a second style differs from a first, weights (n,) each, in one or two sentences."""
    ratio = np.log(np.asarray(second, np.float64) / np.asarray(first, np.float64))
    if np.abs(ratio).max() < 0.005:
        return "The two voices weight every slot alike, to within half a percent."
    overall = float(np.exp(ratio.mean()))
    text = (
        "Overall, the second voice weights the slots as strongly as the first."
        if abs(overall - 1) < 0.005
        else f"Overall, the second voice weights the slots {overall:.2f} × as strongly as the first: its face moves "
        f"{'more' if overall > 1 else 'less'}."
    )
    rest = 100 * (np.exp(ratio - ratio.mean()) - 1)
    order = np.argsort(-rest, kind="stable")
    if np.abs(rest).max() < 0.5:
        return text + " Apart from that, no slot differs by half a percent."
    more, less = order[:3].tolist(), order[::-1][:3].tolist()
    return text + (
        f" Apart from that, it stresses {slot_names(labels, more)} more (up to {rest[more[0]]:+.1f} %) and "
        f"{slot_names(labels, less)} less (down to {rest[less[0]]:+.1f} %)."
    )


def reading_text(stretches: Sequence[Reading], labels: Sequence[str], seconds: float) -> str:
    """Describe the heatmap in two sentences, also for visitors who cannot see it."""
    durations: dict[int, float] = {}
    for one in stretches:
        durations[one.slot] = durations.get(one.slot, 0.0) + one.end - one.start
    longest = sorted(durations, key=lambda slot: -durations[slot])[:LISTED]
    parts = [f"{slot_names(labels, [slot])} for {durations[slot]:.2f} s" for slot in longest]
    return (
        f"In {seconds:.2f} s, {len(durations)} of {len(labels)} slots are the strongest at some moment, in "
        f"{len(stretches)} stretches. Longest in total: {', '.join(parts)}."
    )

"""What a viewer sees of single phones: teeth on f v, rounded and spread lips, the tongue on th.

The same means over phones are taken on people in video (`tools/articulation/film.py`), in eye distances.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from memorytalker.articulation.coarticulation import TimedPhones
from memorytalker.face.head import HeadMesh
from memorytalker.phones import ENGLISH
from memorytalker.scorecard.mouth import HasPoints

#: Share of a phone, around its middle, over which it is measured.
MIDDLE = 0.5
#: A viewer sees the upper teeth where the upper lip is this far above their edge; the lower lip is at them within so
#: much (metres). The tongue is between the teeth where its tip reaches the upper teeth's front within so much, between
#: lips that are this far apart.
TEETH_SHOWN, AT_THE_EDGE = 0.0015, 0.001
TONGUE_REACHES, LIPS_APART = 0.001, 0.002
#: Lip width of uw less that of iy in eye distances: mean over the five people in video who said both, by
#: `python -m tools.articulation.film SOURCE`.
FILMED_WIDTH_CONTRAST = -0.0259
_MARKS = ("inner_lip_upper", "inner_lip_lower", "upper_teeth", "mouth_left", "mouth_right")


@dataclass(frozen=True)
class VisibleMouth:
    """What is seen of a mouth from the front, each (T,) in metres; frame i covers [i / fps, (i + 1) / fps).

    Attributes:
        fps: frames per second.
        teeth: how far the upper lip's inner edge is above the edge of the upper teeth.
        under_teeth: how far the lower lip's inner edge is below the edge of the upper teeth; negative: above it.
        gap: lip opening, 0 for pressed lips.
        width: between the mouth corners.
        forward: mean of both lips' inner edges along the way the face looks.
        tongue: how far the tongue's tip is in front of the upper teeth; negative: behind; minus infinity without one.
    """

    fps: float
    teeth: np.ndarray
    under_teeth: np.ndarray
    gap: np.ndarray
    width: np.ndarray
    forward: np.ndarray
    tongue: np.ndarray

    @property
    def bites(self) -> np.ndarray:
        """(T,) whether the lower lip is at the upper teeth and the teeth are seen."""
        return (self.teeth >= TEETH_SHOWN) & (np.abs(self.under_teeth) <= AT_THE_EDGE)

    @property
    def shows_tongue(self) -> np.ndarray:
        """(T,) whether the tongue's tip is seen between the teeth."""
        return (self.tongue >= -TONGUE_REACHES) & (self.gap >= LIPS_APART)


def visible_mouth(head: HeadMesh, motion: HasPoints, fps: float) -> VisibleMouth:
    """Measure the mouth on a motion, without its other vertices. Raises HeadError for a head without its landmarks."""
    marks, tongue = _vertices(head)
    return _mouth(motion.at(marks), motion.at(tongue), fps)


def visible_mouth_of_curves(head: HeadMesh, weights: np.ndarray, fps: float) -> VisibleMouth:
    """Measure the mouth of `head` under face curves (T, 52), in the order of its blendshapes."""
    points = [
        head.template[those] + np.einsum("ts,smc->tmc", weights, head.blendshapes[:, those])
        for those in _vertices(head)
    ]
    return _mouth(points[0], points[1], fps)


def _vertices(head: HeadMesh) -> tuple[list[int], np.ndarray]:
    return [head.landmarks[name] for name in _MARKS], head.parts.get("tongue", np.zeros(0, int))


def _mouth(marks: np.ndarray, tongue: np.ndarray, fps: float) -> VisibleMouth:
    upper, lower, teeth, left, right = np.moveaxis(marks.astype(np.float64), 1, 0)
    tips = tongue[..., 2].astype(np.float64).max(axis=1, initial=-np.inf)
    return VisibleMouth(
        fps=fps,
        teeth=upper[:, 1] - teeth[:, 1],
        under_teeth=teeth[:, 1] - lower[:, 1],
        gap=np.maximum(upper[:, 1] - lower[:, 1], 0.0),
        width=np.linalg.norm((left - right)[:, :2], axis=-1),
        forward=(upper[:, 2] + lower[:, 2]) / 2,
        tongue=tips - teeth[:, 2],
    )


def phone_means(curve: np.ndarray, phones: TimedPhones, fps: float) -> np.ndarray:
    """Mean of a curve (T,) over the middle half of every phone; the nearest frame if no frame's middle lies in it.

    Args:
        curve: (T,) any unit; frame i covers [i / fps, (i + 1) / fps).
        phones: N phones.
        fps: frames per second.

    Returns:
        (N,) in the unit of `curve`.
    """
    times = (np.arange(len(curve)) + 0.5) / fps
    middles, reach = (phones.start + phones.end) / 2, MIDDLE / 2 * (phones.end - phones.start)
    values = np.empty(len(middles))
    for number, (middle, half) in enumerate(zip(middles, reach, strict=True)):
        inside = np.abs(times - middle) <= half
        values[number] = curve[inside].mean() if inside.any() else curve[np.abs(times - middle).argmin()]
    return values


def mean_of(
    curves: Sequence[np.ndarray], spoken: Sequence[TimedPhones], fps: float, labels: Iterable[str]
) -> tuple[float, int]:
    """Mean over all phones with one of the labels, and their number.

    Args:
        curves: one curve (T,) per clip.
        spoken: the phones of each clip.
        fps: frames per second.
        labels: phones of `ENGLISH`.

    Returns:
        The mean in the unit of the curves, nan without any such phone; the number of phones.
    """
    wanted = ENGLISH.indices(labels)
    values = [
        phone_means(curve, phones, fps)[np.isin(phones.index, wanted)]
        for curve, phones in zip(curves, spoken, strict=True)
    ]
    every = np.concatenate(values) if values else np.zeros(0)
    return (float(every.mean()) if len(every) else float("nan")), len(every)


def phones_with(mask: np.ndarray, phones: TimedPhones, fps: float, labels: Iterable[str]) -> tuple[int, int]:
    """Count the phones with one of the labels during which some frame is marked.

    Args:
        mask: (T,) bool; the frames of a phone are those that overlap it at all.
        phones: the phones of the clip.
        fps: frames per second.
        labels: phones of `ENGLISH`.

    Returns:
        The number of such phones with a marked frame, and of all such phones.
    """
    hits = total = 0
    for number in np.flatnonzero(np.isin(phones.index, ENGLISH.indices(labels))):
        first = int(phones.start[number] * fps)
        last = max(int(np.ceil(phones.end[number] * fps - 1e-9)), first + 1)
        hits, total = hits + bool(mask[first:last].any()), total + 1
    return hits, total

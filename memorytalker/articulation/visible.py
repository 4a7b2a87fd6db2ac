"""Poses by which a viewer tells sounds apart, laid over curves: rounded, spread and near teeth, and the tongue.

The fitted table (`visemes.json`) follows one tracked person, who hardly rounds his lips, and no tracker sees a tongue.
So curves are drawn to a pose in the middle of some phones, and eased into and out of it; neighbours that want
different things share the shapes that both name. Contacts come afterwards (`coarticulation.with_contacts`).

Widths and openings follow people in video: `python -m tools.articulation.film SOURCE` prints them phone by phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from memorytalker.articulation.coarticulation import (
    LIPS_MEET,
    Contact,
    MouthGeometry,
    TimedPhones,
    contact_window,
    with_contacts,
    with_lip_to_teeth,
)
from memorytalker.articulation.speaker import ArticulationStyle


@dataclass(frozen=True)
class Pose:
    """What the mouth does for some phones; a shape named without its side stands for Left and Right.

    Attributes:
        timing: the phones, and when the pose is held.
        shapes: weights that curves are drawn to.
        least: weights that curves are raised to where they are below.
        per_jaw: what is added to `least` per unit by which the jaw is further open than `least` has it.
        strength: share of the way to the pose.
        styled: whether the speaker's style scales `shapes`.
    """

    timing: Contact
    shapes: Mapping[str, float] = field(default_factory=dict)
    least: Mapping[str, float] = field(default_factory=dict)
    per_jaw: Mapping[str, float] = field(default_factory=dict)
    strength: float = 1.0
    styled: bool = True


def _timing(phones: str, share: float = 0.5, ramp: float = 0.08) -> Contact:
    return Contact(tuple(phones.split()), shift=0.0, share=share, shortest=0.034, ramp=ramp)


def _shapes(**weights: float) -> Mapping[str, float]:
    return MappingProxyType(weights)


#: What lifts, rolls or presses the lips, and moves their corners, where a pose does not name it.
_FREE = {"mouthClose": 0.0, "mouthRollUpper": 0.0, "mouthRollLower": 0.0, "mouthPress": 0.0, "mouthShrugUpper": 0.0,
         "mouthDimple": 0.0, "mouthFrown": 0.0}  # fmt: skip
#: Lips that are forward without being much narrower than people's: the pucker of the head narrows the mouth as much as
#: it moves it forward, so corners and jaw give a part back. The lower lip hides the lower teeth.
ROUNDED = (
    Pose(_timing("uw"), _shapes(
        **_FREE, jawOpen=0.14, mouthPucker=0.48, mouthFunnel=0.13, mouthSmile=0.0, mouthStretch=0.3, jawForward=0.12,
        mouthShrugLower=0.3, mouthUpperUp=0.0, mouthLowerDown=0.0,
    )),
    Pose(_timing("w", share=0.7), _shapes(
        **_FREE, jawOpen=0.1, mouthPucker=0.68, mouthFunnel=0.08, mouthSmile=0.0, mouthStretch=0.0, jawForward=0.08,
        mouthShrugLower=0.35, mouthUpperUp=0.0, mouthLowerDown=0.0,
    )),
    Pose(_timing("ow oy"), _shapes(
        **_FREE, jawOpen=0.24, mouthPucker=0.38, mouthFunnel=0.12, mouthSmile=0.0, mouthStretch=0.14, jawForward=0.08,
        mouthShrugLower=0.35, mouthUpperUp=0.0, mouthLowerDown=0.0,
    ), strength=0.8),
    Pose(_timing("sh", share=0.7), _shapes(
        **_FREE, jawOpen=0.07, mouthPucker=0.25, mouthFunnel=0.3, mouthSmile=0.0, mouthUpperUp=0.3, mouthLowerDown=0.4,
    ), strength=0.9),
    Pose(_timing("zh ch jh", share=0.7), _shapes(
        **_FREE, jawOpen=0.07, mouthPucker=0.2, mouthFunnel=0.2, mouthSmile=0.0, mouthUpperUp=0.3, mouthLowerDown=0.45,
    ), strength=0.8),
    Pose(_timing("r"), _shapes(mouthPucker=0.3, mouthFunnel=0.15, mouthSmile=0.0), strength=0.5),
)  # fmt: skip
#: Corners wide, teeth near: the lips part and not the jaw.
SPREAD = (
    Pose(_timing("iy"), _shapes(
        **_FREE, jawOpen=0.15, mouthPucker=0.0, mouthFunnel=0.0, mouthSmile=0.03, mouthStretch=0.02, jawForward=0.0,
        mouthShrugLower=0.0, mouthUpperUp=0.33, mouthLowerDown=0.55,
    )),
    Pose(_timing("ey"), _shapes(
        **_FREE, jawOpen=0.22, mouthPucker=0.0, mouthFunnel=0.0, mouthSmile=0.08, mouthStretch=0.04, jawForward=0.0,
        mouthShrugLower=0.0, mouthUpperUp=0.33, mouthLowerDown=0.55,
    ), strength=0.8),
    Pose(_timing("s z", share=0.7, ramp=0.06), _shapes(
        **_FREE, jawOpen=0.04, mouthSmile=0.1, mouthShrugLower=0.0, mouthUpperUp=0.4, mouthLowerDown=0.6,
    )),
)  # fmt: skip
#: The tongue lies between the teeth on th dh, and just behind the upper teeth on l. The head cannot lift its tip: the
#: tongue slides over the lower teeth and fills the gap below the upper ones. An open jaw takes the tongue back with it.
_WITH_JAW = _shapes(tongueOut=0.54)
TONGUE = (
    Pose(
        _timing("th dh", share=0.8, ramp=0.06),
        shapes=_shapes(**_FREE, jawOpen=0.12, mouthFunnel=0.0),
        least=_shapes(jawOpen=0.12, tongueOut=0.44, mouthUpperUp=0.35, mouthLowerDown=0.3),
        per_jaw=_WITH_JAW,
        styled=False,
    ),
    Pose(
        _timing("l", share=0.7, ramp=0.06),
        shapes=_shapes(mouthClose=0.0),
        least=_shapes(jawOpen=0.16, tongueOut=0.3, mouthUpperUp=0.3, mouthLowerDown=0.25),
        per_jaw=_WITH_JAW,
        styled=False,
    ),
)
#: How far the lips come forward on rounded phones, as a weight of the pucker, where a tracker has seen only their
#: width; the corners give back what the pucker narrows.
FORWARD = tuple(
    (pose.timing, pose.strength * pose.shapes["mouthPucker"]) for pose in ROUNDED if "mouthPucker" in pose.shapes
)
#: What a tracker does not see of these: the tongue, and a mouth open enough to show it.
UNSEEN = tuple(
    replace(pose, shapes=_shapes(), least=_shapes(jawOpen=pose.least["jawOpen"], tongueOut=pose.least["tongueOut"]))
    for pose in TONGUE
)


def speaking_mouth(
    curves: np.ndarray,
    phones: TimedPhones,
    geometry: MouthGeometry,
    fps: float,
    style: ArticulationStyle | None = None,
) -> np.ndarray:
    """Finish synthesised curves: poses that a viewer sees, then the contacts of lips and teeth and closed silence.

    Args:
        curves: (T, S) over `geometry.shapes`, in [0, 1], in the style of the speaker.
        phones: the phones of the utterance.
        geometry: of the head; shapes that it lacks are left out of the poses.
        fps: motion frames per second.
        style: articulation style, which scales rounding and spreading; None: as people are on average.

    Returns:
        Curves (T, S) in [0, 1].
    """
    posed = with_poses(curves, geometry.shapes, phones, fps, (*ROUNDED, *SPREAD, *TONGUE), style)
    return with_contacts(posed, phones, geometry, fps)


def with_unseen_contacts(curves: np.ndarray, phones: TimedPhones, geometry: MouthGeometry, fps: float) -> np.ndarray:
    """Add to captured curves what a tracker does not see from the front.

    The lip at the teeth on f v, the tongue on th dh l, and how far rounded lips come forward.

    Args:
        curves: (T, S) over `geometry.shapes`, in [0, 1].
        phones: the phones of the utterance.
        geometry: of the head.
        fps: motion frames per second.

    Returns:
        Curves (T, S) in [0, 1]; all other phones as they were.
    """
    forward = with_forward_lips(curves, phones, geometry, fps)
    return with_lip_to_teeth(with_poses(forward, geometry.shapes, phones, fps, UNSEEN), phones, geometry, fps)


def with_forward_lips(curves: np.ndarray, phones: TimedPhones, geometry: MouthGeometry, fps: float) -> np.ndarray:
    """Bring the lips forward on rounded phones by more pucker, and keep the mouth as wide as it was by its corners.

    Args:
        curves: (T, S) over `geometry.shapes`, in [0, 1].
        phones: the phones of the utterance.
        geometry: of the head; without a pucker or stretched corners nothing changes.
        fps: motion frames per second.

    Returns:
        Curves (T, S) in [0, 1].
    """
    shapes, corners = geometry.shapes, ("mouthStretchLeft", "mouthStretchRight")
    if "mouthPucker" not in shapes or not set(corners) <= set(shapes):
        return curves
    curves, frames = curves.copy(), len(curves)
    free = 1.0 - contact_window(phones, LIPS_MEET, frames, fps)
    least = [weight * np.minimum(contact_window(phones, timing, frames, fps), free) for timing, weight in FORWARD]
    pucker, stretched = shapes.index("mouthPucker"), [shapes.index(name) for name in corners]
    more = np.maximum(np.max(least, axis=0) - curves[:, pucker], 0.0)
    per_corner = -geometry.width[pucker] / geometry.width[stretched].sum()
    more = np.minimum(more, (1.0 - curves[:, stretched].max(axis=1)) / per_corner)  # as far as the corners can follow
    curves[:, pucker] += more
    curves[:, stretched] += (per_corner * more)[:, None]
    return curves


def with_poses(
    curves: np.ndarray,
    shapes: tuple[str, ...],
    phones: TimedPhones,
    fps: float,
    poses: Sequence[Pose],
    style: ArticulationStyle | None = None,
) -> np.ndarray:
    """Draw curves to poses around the middle of their phones; beside p b m poses give way to the closed lips.

    Where poses overlap, a shape goes to their mean, weighted by how far each has come.

    Args:
        curves: (T, S) over `shapes`.
        shapes: their names.
        phones: the phones of the utterance.
        fps: motion frames per second.
        poses: the poses.
        style: scales what a pose draws to, if the pose is styled; None: as written.

    Returns:
        Curves (T, S).
    """
    frames, wanted, drawn = len(curves), np.zeros(curves.shape), np.zeros(curves.shape)
    free = 1.0 - contact_window(phones, LIPS_MEET, frames, fps)
    windows = [pose.strength * np.minimum(contact_window(phones, pose.timing, frames, fps), free) for pose in poses]
    for pose, window in zip(poses, windows, strict=True):
        columns, weights = _columns(pose.shapes, shapes)
        if style is not None and pose.styled:
            row = np.zeros((1, len(shapes)))
            row[0, columns] = weights
            weights = style.apply(row, shapes, fps)[0, columns]
        drawn[:, columns] += window[:, None]
        wanted[:, columns] += window[:, None] * weights
    posed = curves * (1.0 - np.minimum(drawn, 1.0)) + wanted / np.maximum(drawn, 1.0)
    for pose, window in zip(poses, windows, strict=True):
        _raise(posed, shapes, pose, window)
    return posed


def _raise(curves: np.ndarray, shapes: tuple[str, ...], pose: Pose, window: np.ndarray) -> None:
    """Raise curves, in place, to what a pose has at least, by its window (T,)."""
    columns, weights = _columns(pose.least, shapes)
    curves[:, columns] = np.maximum(curves[:, columns], window[:, None] * weights)
    if pose.per_jaw:
        further = np.maximum(curves[:, shapes.index("jawOpen")] - pose.least.get("jawOpen", 0.0), 0.0)
        for name, factor in pose.per_jaw.items():
            if name in shapes:
                own = curves[:, shapes.index(name)]
                own[:] = np.maximum(own, window * (pose.least.get(name, 0.0) + factor * further))


def _columns(weights: Mapping[str, float], shapes: tuple[str, ...]) -> tuple[list[int], np.ndarray]:
    """Columns of the named shapes, both sides where a name has none, and their weights; absent shapes left out."""
    sided = [(name + side, weight) for name, weight in weights.items() for side in ("", "Left", "Right")]
    there = [(shapes.index(name), weight) for name, weight in sided if name in shapes]
    return [column for column, _ in there], np.array([weight for _, weight in there])

"""From tracked landmarks to the curves of lids, gaze and brows: what is measured is compared with the open head's.

A person's own face is the reference: lids as open, a gaze as straight and brows as high as they mostly are count as
neutral. T frames, P points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from memorytalker.face.array_files import open_arrays
from memorytalker.tracking.landmarks import columns
from memorytalker.tracking.tracker import BASIS_FILE


@dataclass(frozen=True)
class Side:
    """One side of the face, as MediaPipe numbers its points; left and right are the person's own.

    Attributes:
        name: "Left" or "Right".
        corners: of the eye, outer and inner.
        upper: points of the upper lid.
        lower: points of the lower lid below them.
        iris: its outline.
        inner: the inner part of the brow.
        outer: the outer part.
    """

    name: str
    corners: tuple[int, int]
    upper: tuple[int, ...]
    lower: tuple[int, ...]
    iris: tuple[int, ...]
    inner: tuple[int, ...]
    outer: tuple[int, ...]


SIDES = (
    Side(
        name="Left",
        corners=(263, 362),
        upper=(385, 386, 387),
        lower=(380, 374, 373),
        iris=(474, 475, 476, 477),
        inner=(285, 295, 336, 296),
        outer=(276, 283, 282, 300, 293, 334),
    ),
    Side(
        name="Right",
        corners=(33, 133),
        upper=(158, 159, 160),
        lower=(153, 145, 144),
        iris=(469, 470, 471, 472),
        inner=(55, 65, 107, 66),
        outer=(46, 53, 52, 70, 63, 105),
    ),
)
#: What measures an eye: points (T, P, 2), their numbers (P,) and the side -> (T,).
Measure = Callable[[np.ndarray, np.ndarray, Side], np.ndarray]
BROWS = ("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight")
#: What a weight of 1 of a brow costs, in squared eye distances: the tracker's tremble is not to move brows.
_BROW_COST = 2e-5
#: Lids closed further than this hide the gaze.
_HIDDEN = 0.5


def upper_curves(points: np.ndarray, index: np.ndarray, seen: np.ndarray) -> dict[str, np.ndarray]:
    """Solve for the curves of lids, gaze and brows.

    Args:
        points: (T, P, 2) of a face that faces the viewer and does not move as a whole, in eye distances, y down.
        index: (P,) MediaPipe numbers.
        seen: (T,) bool, the frames that tell what is neutral.

    Returns:
        Weights (T,) in [0, 1] by the name of the shape.
    """
    basis = open_arrays(BASIS_FILE)
    names = [str(name) for name in basis.read("shapes")]
    neutral, numbers = basis.read("neutral").astype(float), basis.read("index")
    full, half = (neutral + basis.read(which).astype(float) for which in ("full", "half"))

    def on_head(name: str, measure: Measure, side: Side) -> np.ndarray:
        row = names.index(name)
        return measure(np.stack([neutral, half[row], full[row]]), numbers, side)

    curves: dict[str, np.ndarray] = {}
    for side in SIDES:
        lids = _opening(points, index, side)
        lids = lids / np.median(lids[seen])
        for shape in ("eyeBlink", "eyeWide"):
            path = on_head(shape + side.name, _opening, side)
            curves[shape + side.name] = _weight(lids, path / path[0])
        open_enough = seen & (curves[f"eyeBlink{side.name}"] < _HIDDEN)
        axes: tuple[tuple[Measure, tuple[str, str]], ...] = (
            (_aside, ("eyeLookIn", "eyeLookOut")),
            (_down, ("eyeLookUp", "eyeLookDown")),
        )
        for measure, shapes in axes:
            gaze = measure(points, index, side)
            gaze = gaze - np.median(gaze[open_enough]) if open_enough.any() else np.zeros(len(gaze))
            gaze = np.where(curves[f"eyeBlink{side.name}"] < _HIDDEN, gaze, 0.0)
            for shape in shapes:
                path = on_head(shape + side.name, measure, side)
                curves[shape + side.name] = _weight(gaze, path - path[0])
    heights = _brows(points, index)
    heights = heights - np.median(heights[seen], axis=0)
    rows = np.array([full[names.index(name)] for name in BROWS])
    moved = _brows(rows, numbers) - _brows(neutral[None], numbers)
    return curves | dict(zip(BROWS, _brow_weights(heights, moved).T, strict=True))


def _weight(values: np.ndarray, path: np.ndarray) -> np.ndarray:
    """The weight at which a shape that takes a measure along `path` (3,), at weights 0, 0.5, 1, gives `values` (T,)."""
    order = np.argsort(path)
    if abs(path[2] - path[0]) < 1e-6 or order.tolist() not in ([0, 1, 2], [2, 1, 0]):
        return np.clip((values - path[0]) / (path[2] - path[0] or 1.0), 0.0, 1.0)
    return np.interp(values, path[order], np.array([0.0, 0.5, 1.0])[order])


def _brow_weights(heights: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """(T, 5) weights in [0, 1] of `BROWS`, which move the brows by `moved` (5, 4), for heights (T, 4)."""
    from scipy.optimize import nnls

    system = np.concatenate([moved.T, np.sqrt(_BROW_COST) * np.eye(len(BROWS))])
    weights = np.zeros((len(heights), len(BROWS)))
    for frame, goal in enumerate(heights):
        weights[frame] = nnls(system, np.r_[goal, np.zeros(len(BROWS))])[0]
    return np.minimum(weights, 1.0)


def _opening(points: np.ndarray, index: np.ndarray, side: Side) -> np.ndarray:
    """(T,) mean distance of the lids over the width of the eye."""
    upper, lower = points[:, columns(index, side.upper)], points[:, columns(index, side.lower)]
    outer, inner = np.moveaxis(points[:, columns(index, side.corners)], 1, 0)
    return np.linalg.norm(lower - upper, axis=-1).mean(1) / np.linalg.norm(outer - inner, axis=-1)


def _gaze(points: np.ndarray, index: np.ndarray, side: Side) -> np.ndarray:
    """(T, 2) place of the iris from the middle of the eye's corners, over the width of the eye."""
    outer, inner = np.moveaxis(points[:, columns(index, side.corners)], 1, 0)
    place = points[:, columns(index, side.iris)].mean(1) - (outer + inner) / 2
    return place / np.linalg.norm(outer - inner, axis=-1)[:, None]


def _aside(points: np.ndarray, index: np.ndarray, side: Side) -> np.ndarray:
    return _gaze(points, index, side)[:, 0]


def _down(points: np.ndarray, index: np.ndarray, side: Side) -> np.ndarray:
    return _gaze(points, index, side)[:, 1]


def _brows(points: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(T, 4) heights of the inner and outer part of each brow above its eye's corners, in eye distances."""
    heights = []
    for side in SIDES:
        eye = points[:, columns(index, side.corners), 1].mean(1)
        heights += [eye - points[:, columns(index, part), 1].mean(1) for part in (side.inner, side.outer)]
    return np.stack(heights, 1)

"""From tracked landmark motion to weights of the head's mouth shapes: a bounded least squares fit per clip.

T frames, P points, K controls. The tracker basis says how every shape moves the landmarks: the head was rendered and
tracked like the videos. The lip opening must be exact, so it is measured on the head itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.face.array_files import ArrayFileError, open_arrays
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.tracking.landmarks import LIP_CORNERS, LIPS, CaptureError, Neutral, checked_index, columns, openings


@dataclass(frozen=True)
class Control:
    """Shapes that move together.

    Attributes:
        shapes: names of the shapes.
        limit: the largest weight that speech may use.
        cost: what a weight of 1 costs in the fit, beside the misfit, in squared eye distances.
    """

    shapes: tuple[str, ...]
    limit: float
    cost: float  # squared eye distances


def _both(shape: str, limit: float, cost: float) -> Control:
    """The same shape on the left and on the right."""
    return Control((f"{shape}Left", f"{shape}Right"), limit, cost)


#: What is solved for. Both sides of the mouth move as one. "jawClosed" opens the jaw under closed lips: as the only
#: place of mouthClose it keeps closing from ever exceeding opening, which would push the lips through each other.
#: Limits and costs hold back shapes that fit the tracker's noise: shrugs, dimples, presses.
CONTROLS: dict[str, Control] = {
    "jawOpen": Control(("jawOpen",), 1.0, 0.2e-4),
    "jawClosed": Control(("jawOpen", "mouthClose"), 0.6, 1.0e-4),
    "funnel": Control(("mouthFunnel",), 1.0, 1.0e-4),
    "pucker": Control(("mouthPucker",), 1.0, 0.6e-4),
    "rollLower": Control(("mouthRollLower",), 0.6, 1.5e-4),
    "rollUpper": Control(("mouthRollUpper",), 0.6, 1.5e-4),
    "shrugLower": Control(("mouthShrugLower",), 0.5, 2.0e-4),
    "shrugUpper": Control(("mouthShrugUpper",), 0.3, 6.0e-4),
    "smile": _both("mouthSmile", 0.7, 1.0e-4),
    "frown": _both("mouthFrown", 0.4, 2.0e-4),
    "dimple": _both("mouthDimple", 0.3, 3.0e-4),
    "stretch": _both("mouthStretch", 0.6, 1.0e-4),
    "press": _both("mouthPress", 0.5, 2.0e-4),
    "lowerDown": _both("mouthLowerDown", 0.8, 1.0e-4),
    "upperUp": _both("mouthUpperUp", 0.9, 1.5e-4),
}
_JAW, _CLOSED = list(CONTROLS).index("jawOpen"), list(CONTROLS).index("jawClosed")
#: Controls that round the lips, and controls that spread them: who rounds his lips does not spread them.
ROUNDING, SPREADING = ("funnel", "pucker"), ("smile", "stretch", "dimple", "press")
_OPPOSED = 5e-4  # cost of a rounding weight times a spreading weight; without it the two cancel each other's width
_LIMITS = np.array([control.limit for control in CONTROLS.values()])
_COSTS = np.array([control.cost for control in CONTROLS.values()])
_LINEAR_SHARE = 0.1  # the cost per unit of weight (sparsity), as a share of the cost of squared weights
_RIDGE = 1e-4  # added to the cost of squared weights of every control
_SMOOTHNESS = 2e-4  # cost of a squared change of weight from frame to frame
_GAP_WEIGHT, _WIDTH_WEIGHT = 6.0, 4.0  # squared misfit of these distances against the mean squared misfit of the points
_PARTING = 0.002  # a control parts the lips when it opens them by more than this, in eye distances
_BEND = 0.7  # how far the shapes measured at half weight are believed against straight lines
#: No point of a basis lies or moves further than this, in eye distances.
FURTHEST = 100.0
_ROUNDS, _STEPS = 3, 250  # secant rounds, gradient steps in each
_BLOCK = 512  # frames whose shapes are in memory at once, 20 MB


@dataclass(frozen=True)
class Basis:
    """What the K `CONTROLS` do to the tracked points and to the head.

    Lengths are in eye distances; x to the viewer's right, y down.

    Attributes:
        index: (P,) MediaPipe numbers.
        neutral: (P, 2) points of the neutral head.
        full: (K, P, 2) displacements at weight 1.
        half: (K, P, 2) displacements at weight 0.5.
        mirror: (P,) column of the point on the other side of the face.
        emphasis: (P,) weight of each point in the fit.
        mixing: (K, n) turns control weights into weights of the head's shapes.
        names: the n shapes of the head.
        gap: (K,) change of the head's lip opening per unit of control, in the head's own eye distances.
        width: (K,) change of the head's lip width, likewise.
    """

    index: np.ndarray
    neutral: np.ndarray
    full: np.ndarray
    half: np.ndarray
    mirror: np.ndarray
    emphasis: np.ndarray
    mixing: np.ndarray
    names: tuple[str, ...]
    gap: np.ndarray
    width: np.ndarray

    def secants(self, weights: np.ndarray) -> np.ndarray:
        """Compute displacements per unit of weight, at the given weights.

        Args:
            weights: (T, K) control weights.

        Returns:
            (T, K, P, 2) in eye distances.
        """
        bend = 4.0 * _BEND * (self.half - self.full / 2)
        return self.full + (1.0 - weights)[..., None, None] * bend

    def displacements(self, weights: np.ndarray) -> np.ndarray:
        """Compute the displacements of the points from `neutral`.

        Args:
            weights: (T, K) control weights.

        Returns:
            (T, P, 2) in eye distances.
        """
        return np.einsum("tk,tkpc->tpc", weights, self.secants(weights))


def read_basis(path: str | Path, head: HeadMesh) -> Basis:
    """Read a tracker basis and join it to a head.

    Args:
        path: an npz with index, neutral, full, half and shapes, as `tools/tracking/basis.py` writes it.
        head: the head that was tracked.

    Returns:
        The basis.

    Raises:
        CaptureError: the file does not hold a basis, or lacks a shape that is solved for.
    """
    path = Path(path)
    try:
        data = open_arrays(path)
        index, neutral, full, half = (data.read(name) for name in ("index", "neutral", "full", "half"))
        shapes = data.read("shapes")
    except ArrayFileError:
        raise CaptureError(f"{path} is not a tracker basis: an npz with index, neutral, full, half, shapes.") from None
    index = checked_index(index, path)
    points = (len(index), 2)
    if shapes.ndim != 1 or neutral.shape != points or not full.shape == half.shape == (len(shapes), *points):
        raise CaptureError(f"{path} is not a tracker basis: its arrays have other shapes than points and names.")
    for array in (neutral, full, half):
        if array.dtype.kind != "f" or not (np.abs(array) <= FURTHEST).all():  # nan neither
            raise CaptureError(f"{path} is not a tracker basis: it has points beyond {FURTHEST:g} eye distances.")
    try:
        names = tuple(str(name) for name in shapes.tolist())
    except ValueError:  # numbers that stand for no letter
        raise CaptureError(f"{path} is not a tracker basis: the names of its shapes are no words.") from None
    try:
        return make_basis(index, neutral.astype(float), names, full.astype(float), half.astype(float), head)
    except CaptureError as error:
        raise CaptureError(f"{path} cannot be used: {error}") from None


def make_basis(
    index: np.ndarray, neutral: np.ndarray, shapes: tuple[str, ...], full: np.ndarray, half: np.ndarray, head: HeadMesh
) -> Basis:
    """Join tracked displacements of shapes to a head, by the names of the shapes.

    Args:
        index: (P,) MediaPipe numbers.
        neutral: (P, 2) points of the neutral head, in eye distances.
        shapes: names of the n tracked shapes; those joined by "+" were tracked together.
        full: (n, P, 2) displacements at weight 1, in eye distances.
        half: (n, P, 2) displacements at weight 0.5.
        head: the head that was tracked.

    Returns:
        The basis.

    Raises:
        CaptureError: a shape that is solved for is not among them.
    """
    absent = sorted({shape for control in CONTROLS.values() for shape in control.shapes} - set(shapes))
    if absent:
        raise CaptureError(f"The tracker basis lacks the shapes {', '.join(absent)}.")
    seen = {name: np.stack([full[row], half[row]]) for row, name in enumerate(shapes)}
    seen["mouthClose"] = _closing(seen["jawOpen"], index, neutral, head)
    mirror = np.linalg.norm(neutral * [-1, 1] - neutral[:, None], axis=-1).argmin(1)
    displacements = np.stack([_together(seen, control.shapes) for control in CONTROLS.values()], 1)
    mixing = np.zeros((len(CONTROLS), len(head.blendshape_names)))
    for row, control in enumerate(CONTROLS.values()):
        mixing[row, [head.blendshape_names.index(shape) for shape in control.shapes]] = 1.0
    gap, width = (mixing @ np.array([_distances(head, name) for name in head.blendshape_names])).T
    full, half = symmetric(displacements, mirror)
    names = head.blendshape_names
    return Basis(index, neutral, full, half, mirror, _emphasis(index), mixing, names, gap, width)


def _together(seen: dict[str, np.ndarray], shapes: tuple[str, ...]) -> np.ndarray:
    """(2, P, 2) what shapes do at once: as tracked, else the sum of what each does."""
    return seen["+".join(shapes)] if "+".join(shapes) in seen else np.sum([seen[shape] for shape in shapes], axis=0)


def symmetric(displacements: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Average displacements with their mirror image.

    Args:
        displacements: (..., P, 2).
        mirror: (P,) column of the point on the other side.

    Returns:
        (..., P, 2) in the same unit.
    """
    return (displacements + displacements[..., mirror, :] * [-1.0, 1.0]) / 2


def solve_landmarks(
    points: np.ndarray, basis: Basis, neutral: Neutral, fps: float = 30.0, gap: np.ndarray | None = None
) -> FaceCurves:
    """Solve for the face curves of tracked points.

    Args:
        points: (T, P, 2) in any unit, no frame missing.
        basis: the tracker basis.
        neutral: the speaker's rest face.
        fps: frames per second of the points.
        gap: (T,) lip opening that the curves must give on the head of the basis, in eye distances; None for the tracked
            one, 0 where the tracked lips are closed.

    Returns:
        T frames of weights in [0, 1].

    Raises:
        CaptureError: points of another shape, or with frames missing.
    """
    if points.ndim != 3 or points.shape[1:] != (len(basis.index), 2) or not len(points):
        raise CaptureError(f"Tracked points need the shape (frames, {len(basis.index)}, 2), not {points.shape}.")
    if not np.isfinite(points).all():
        raise CaptureError("There are frames without a face; fill or drop them before solving.")
    aligned, rest = neutral.place(points)
    tracked, width, _ = openings(points, basis.index)
    gap = open_gap(tracked, neutral.closed_level) if gap is None else gap
    left, right = columns(basis.index, LIP_CORNERS)
    # Motion keeps its size in eye distances, as lips are measured, however wide the mouth is at rest.
    moved = symmetric(aligned - rest, basis.mirror)
    widened = width - np.linalg.norm(rest[:, left] - rest[:, right], axis=-1)
    weights = _exact_gap(_fit(moved, gap, widened, basis), gap, basis)
    return FaceCurves(np.clip(weights @ basis.mixing, 0.0, 1.0), basis.names, fps)


def open_gap(gap: np.ndarray, closed_level: float) -> np.ndarray:
    """Derive the lip opening of the head from the tracked one.

    Args:
        gap: (T,) tracked lip opening, in eye distances.
        closed_level: tracked lip opening up to which the lips count as closed.

    Returns:
        (T,) 0 up to the closed level; from twice that level on the tracked opening; a straight line between.
    """
    return np.clip(2.0 * (gap - closed_level), 0.0, gap)


def keep_closures(goal: np.ndarray, closed: np.ndarray, fps: float) -> np.ndarray:
    """Close the lips in the frames nearest to the moments at which they were tracked as closed.

    Otherwise a closure of one frame of video falls between two frames of another rate and is lost.

    Args:
        goal: (T,) lip opening in eye distances.
        closed: (n,) those moments, in seconds.
        fps: frames per second of `goal`.

    Returns:
        (T,) the goal with zeros.
    """
    nearest = np.round(closed * fps).astype(int)
    goal = goal.copy()
    goal[nearest[(nearest >= 0) & (nearest < len(goal))]] = 0.0
    return goal


def _fit(moved: np.ndarray, gap: np.ndarray, widened: np.ndarray, basis: Basis) -> np.ndarray:
    """(T, K) weights within their limits for displacements (T, P, 2); curved shapes by repeated secants."""
    share = np.sqrt(basis.emphasis / basis.emphasis.sum() / 2)[:, None]
    target = (moved * share).reshape(len(moved), -1, 1)
    weights = np.zeros((len(moved), len(CONTROLS)))
    costs = _cost_matrix()
    square, linear = np.empty((*weights.shape, len(CONTROLS))), np.empty(weights.shape)
    for _ in range(_ROUNDS):
        for first in range(0, len(weights), _BLOCK):
            block = slice(first, first + _BLOCK)
            shapes = (basis.secants(weights[block]) * share).reshape(*weights[block].shape, -1)
            square[block] = shapes @ shapes.transpose(0, 2, 1) + costs
            linear[block] = (shapes @ target[block])[..., 0] - _LINEAR_SHARE * _COSTS
        for row, goal, weight in ((basis.gap, gap, _GAP_WEIGHT), (basis.width, widened, _WIDTH_WEIGHT)):
            square += weight * np.outer(row, row)
            linear += weight * goal[:, None] * row
        weights = _descend(square, linear, weights)
    return weights


def _cost_matrix() -> np.ndarray:
    """(K, K) cost of pairs of weights, beside the misfit."""
    costs, names = np.diag(_COSTS + _RIDGE), list(CONTROLS)
    rounding, spreading = ([names.index(name) for name in group] for group in (ROUNDING, SPREADING))
    costs[np.ix_(rounding, spreading)] += _OPPOSED
    costs[np.ix_(spreading, rounding)] += _OPPOSED
    return costs


def _descend(square: np.ndarray, linear: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(T, K) weights within the limits that minimise w square w / 2 - linear w plus the smoothness cost.

    Accelerated projected gradient (Beck and Teboulle 2009, doi 10.1137/080716542).
    """
    scale = 1.0 / np.sqrt(np.einsum("tkk->tk", square).max(0))  # controls of equal curvature converge together
    square, linear, upper = square * scale[:, None] * scale, linear * scale, _LIMITS / scale
    smooth = _SMOOTHNESS * scale**2
    step = 1.0 / (np.linalg.eigvalsh(square)[:, -1].max() + 4.0 * smooth.max())
    now = ahead = start / scale
    momentum = 1.0
    for _ in range(_STEPS):
        change = np.diff(ahead, axis=0, prepend=ahead[:1], append=ahead[-1:])
        slope = (square @ ahead[..., None])[..., 0] - linear - smooth * np.diff(change, axis=0)
        new = np.clip(ahead - step * slope, 0.0, upper)
        following = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2
        ahead = new + (momentum - 1.0) / following * (new - now)
        now, momentum = new, following
    return now * scale


def _exact_gap(weights: np.ndarray, gap: np.ndarray, basis: Basis) -> np.ndarray:
    """Change weights (T, K) as little as possible, so that the head's lip opening is `gap` (T,) in eye distances.

    If it is too small, the lips part without a change of the jaw; then the jaw opens. If it is too large, the lips
    close without a change of the jaw; then every other control that clearly parts the lips is scaled down.
    """
    weights, gain = weights.copy(), basis.gap[_JAW]
    exchange = gain - basis.gap[_CLOSED]
    part = np.clip((gap - weights @ basis.gap) / exchange, -weights[:, _JAW], weights[:, _CLOSED])
    weights[:, _JAW] += part
    weights[:, _CLOSED] -= part
    weights[:, _JAW] = np.clip(weights[:, _JAW] + (gap - weights @ basis.gap) / gain, 0.0, 1.0)
    parting = basis.gap > _PARTING
    parting[[_JAW, _CLOSED]] = False
    parted = weights[:, parting] @ basis.gap[parting]
    excess = np.maximum(weights @ basis.gap - gap, 0.0)
    weights[:, parting] *= np.clip(1.0 - excess / np.maximum(parted, 1e-9), 0.0, 1.0)[:, None]
    return weights


def _distances(head: HeadMesh, name: str) -> tuple[float, float]:
    """Change of lip opening (y) and lip width (x) on the head by one shape at weight 1, in the head's eye distances."""
    shape, mark, eyes = head.blendshape(name), head.landmarks, _eye_corners(head)[1]
    gap = shape[mark["inner_lip_upper"], 1] - shape[mark["inner_lip_lower"], 1]
    width = shape[mark["mouth_left"], 0] - shape[mark["mouth_right"], 0]
    return float(gap / eyes), float(width / eyes)


def _eye_corners(head: HeadMesh) -> tuple[np.ndarray, float]:
    """The middle (2,) between the outer eye corners, and their distance, in metres."""
    left, right = (head.template[head.landmarks[name]] for name in ("eye_left_outer", "eye_right_outer"))
    return (left + right)[:2] / 2, float(np.linalg.norm(left - right))


def _closing(opening: np.ndarray, index: np.ndarray, neutral: np.ndarray, head: HeadMesh) -> np.ndarray:
    """mouthClose over an open jaw as the tracker would see it: (2, P, 2) at full and half weight.

    Alone it pushes closed lips through each other, which no tracker can see. So it is taken from the head's vertices
    under the points. It is scaled like `opening` (2, P, 2), the tracked jawOpen, so that the two cancel.
    """
    mark, (middle, eyes) = head.landmarks, _eye_corners(head)
    place = (head.template[:, :2] - middle) * [1, -1] / eyes
    opened, closed = (head.blendshape(name)[:, :2] * [1, -1] / eyes for name in ("jawOpen", "mouthClose"))
    face = head.parts["skin"][head.template[head.parts["skin"], 2] > head.template[mark["mouth_left"], 2] - 0.03]
    vertices = np.empty(len(index), int)
    for column in range(len(index)):  # upper and lower lip lie together: told apart by how they open
        far = np.linalg.norm(place[face] - neutral[column], axis=-1)
        unlike = np.linalg.norm(opened[face] - opening[0, column], axis=-1)
        vertices[column] = face[(far + 0.2 * unlike).argmin()]
    upper, lower = columns(index, (13, 14))
    vertices[[upper, lower]] = mark["inner_lip_upper"], mark["inner_lip_lower"]
    on_head = (opened[vertices[lower]] - opened[vertices[upper]])[1]
    tracked = (opening[:, lower] - opening[:, upper])[:, 1]
    return (tracked / on_head)[:, None, None] * closed[vertices]


def _emphasis(index: np.ndarray) -> np.ndarray:
    """(P,) how much each point counts: the lips, and as much again the few points that show the jaw."""
    weights = np.zeros(len(index))
    weights[columns(index, (*LIPS, 200, 18, 83, 313))] = 1.0
    weights[columns(index, (152, 175, 199))] = 6.0
    weights[columns(index, (148, 176, 377, 400))] = 2.4
    weights[columns(index, (149, 150, 378, 379))] = 0.4
    return weights

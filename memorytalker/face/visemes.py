"""The 15 visemes of Oculus and OpenXR: their poses on the head, their curves by least squares, and a timed list.

`visemes.json` beside this file holds each pose as weights of ARKit's shapes, and the mouth presets of VRM that come
nearest to it. The poses were chosen on the shipped head, where PP closes the lips and FF brings the lower lip to the
upper teeth.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from memorytalker.errors import InputError
from memorytalker.face.head import ARKIT_NAMES, HeadMesh, load_head
from memorytalker.face.motion import FaceCurves, smoothed
from memorytalker.progress import Progress

#: The visemes, in the order of OpenXR; and the names of their curves and morph targets.
VISEMES: tuple[str, ...] = tuple("sil PP FF TH DD kk CH SS nn RR aa E I O U".split())
VISEME_CURVES: tuple[str, ...] = tuple(f"viseme_{name}" for name in VISEMES)
#: The mouth presets of VRM 1.0.
VRM_PRESETS: tuple[str, ...] = ("aa", "ih", "ou", "ee", "oh")
#: Seconds: full width at half maximum of the Gaussian that smooths viseme curves; shortest viseme of a timed list.
SMOOTHING, SHORTEST = 0.04, 0.06
#: A frame whose other visemes add up to less than this is silent in a timed list; one whose lips are further open than
#: in the neutral face by more metres than this is no PP.
SPOKEN, CLOSED = 0.2, 0.001
#: The lip opening counts as much as this many vertices: closed lips are seen more than any other millimetre.
_OPENING = 49.0
#: How much more the sum of the weights counts than the distance: enough to be kept to about six digits.
_STRICT = 1000.0
#: Frames between two reports of progress, and frames whose residual is computed at once.
_REPORTED, _BLOCK = 64, 1024


class VisemeError(InputError):
    """Curves from which no visemes can be found; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class VisemeFit:
    """Viseme curves, and what they lose.

    Args:
        curves: weights (T, 15) named `VISEME_CURVES`; each frame adds up to 1.
        mean_mm: mean distance in millimetres of a lip vertex of the shipped head between visemes and curves.
        largest_mm: largest such distance.
    """

    curves: FaceCurves
    mean_mm: float
    largest_mm: float


@dataclass(frozen=True)
class VisemeCue:
    """One viseme of a timed list: seconds from the beginning of the sound, duration in seconds, name in `VISEMES`."""

    start: float
    duration: float
    viseme: str


def viseme_recipe(names: Sequence[str] = ARKIT_NAMES) -> np.ndarray:
    """Return the poses of the visemes as weights of blendshapes.

    Args:
        names: n blendshapes; a shape of a pose that is not among them is left out.

    Returns:
        (15, n) weights in the order of `VISEMES` and `names`; the first row, "sil", is zero.
    """
    column = {name: index for index, name in enumerate(names)}
    weights = np.zeros((len(VISEMES), len(column)))
    poses = _data()["poses"]
    for row, viseme in enumerate(VISEMES):
        for name, weight in poses[viseme].items():
            if name in column:
                weights[row, column[name]] = weight
    return weights


def viseme_poses(head: HeadMesh) -> np.ndarray:
    """Build the poses of the visemes on a head, for morph targets named `VISEME_CURVES`.

    Args:
        head: a head with ARKit's blendshapes.

    Returns:
        (15, V, 3) float32 offsets in metres from the template; the first, "sil", is zero.

    Raises:
        HeadError: a head without blendshapes.
    """
    return head.offsets(viseme_recipe(head.blendshape_names))


def fit_visemes(curves: FaceCurves, head: HeadMesh | None = None, progress: Progress | None = None) -> VisemeFit:
    """Express the mouth of face curves by the 15 visemes.

    In each frame non-negative least squares over lips, lower face and lip opening find the weights, which add up to 1:
    "sil" is what the others leave. Then they are smoothed over `SMOOTHING` seconds. The tongue is not looked at.

    Args:
        curves: weights of ARKit's shapes, by name.
        head: the head on which distances are measured; None: the shipped head. It needs ARKit's blendshapes, the
            regions "lips" and "lower_face" and the landmarks of the inner lips.
        progress: called as progress(frames done, frames in total, "visemes").

    Returns:
        The viseme curves and the residual of the lips.

    Raises:
        VisemeError: curves of no shape that the head has.
        MotionError: a moving curve that the head does not have.
    """
    head = load_head() if head is None else head
    if not set(curves.names) & set(head.blendshape_names):
        raise VisemeError(
            "Visemes are found from the shapes of ARKit, and none of these curves has such a name; rename them."
        )
    weights = curves.reordered(head.blendshape_names).weights.astype(np.float64)
    solver = VisemeSolver.on(head)
    fitted = smoothed(solver.solve(weights, progress), curves.fps, SMOOTHING)
    mean, largest = _residual(weights, fitted @ viseme_recipe(head.blendshape_names), head)
    return VisemeFit(FaceCurves(fitted.astype(np.float32), VISEME_CURVES, curves.fps), mean, largest)


@dataclass(frozen=True, eq=False)
class VisemeSolver:
    """Finds the visemes of each frame by itself, without smoothing, as a live stream needs them.

    Args:
        measures: (S, K) from weights of blendshapes to what is compared.
        triangle: (K, P) the same of the P poses, all but "sil".
    """

    measures: np.ndarray
    triangle: np.ndarray

    @classmethod
    def on(cls, head: HeadMesh) -> VisemeSolver:
        """The solver for a head, as `fit_visemes` takes it."""
        poses = viseme_recipe(head.blendshape_names)
        mouth = head.blendshapes[:, head.regions["lower_face"]].reshape(len(poses[0]), -1)
        mouth = np.column_stack([mouth, np.sqrt(_OPENING) * _opening(head)]).astype(np.float64)
        # In the space that the poses span, distances differ from those of the vertices by a constant.
        basis, triangle = np.linalg.qr((poses[1:] @ mouth).T)
        return cls(mouth @ basis, triangle)

    def solve(self, weights: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Express weights (T, S) of the head's blendshapes by visemes: (T, 15) in the order of `VISEMES`, sums 1."""
        return _on_simplex(self.triangle, weights @ self.measures, progress)


def _opening(head: HeadMesh) -> np.ndarray:
    """Metres (S,) by which each blendshape opens the lips."""
    upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
    return head.blendshapes[:, upper, 1].astype(np.float64) - head.blendshapes[:, lower, 1]


def _on_simplex(triangle: np.ndarray, targets: np.ndarray, progress: Progress | None) -> np.ndarray:
    """Weights (T, 1 + P) from 0 up, with sum 1, of nothing and P poses `triangle` (K, P) nearest to each target (K)."""
    from scipy.optimize import nnls

    rows, poses = triangle.shape
    strict = _STRICT * np.abs(triangle).max()
    system = np.zeros((rows + 1, poses + 1))
    system[:rows, 1:], system[rows] = triangle, strict
    fitted = np.empty((len(targets), poses + 1))
    for frame, target in enumerate(targets):
        if progress is not None and frame % _REPORTED == 0:
            progress(frame, len(targets), "visemes")
        fitted[frame] = nnls(system, np.append(target, strict))[0]
    if progress is not None:
        progress(len(targets), len(targets), "visemes")
    return fitted / fitted.sum(1, keepdims=True)


def _residual(weights: np.ndarray, fitted: np.ndarray, head: HeadMesh) -> tuple[float, float]:
    """Mean and largest distance in millimetres of a lip vertex between two sets of weights (T, S)."""
    lips = head.blendshapes[:, head.regions["lips"]].astype(np.float64)
    total, largest = 0.0, 0.0
    for begin in range(0, len(weights), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        distances = np.linalg.norm(np.tensordot(weights[block] - fitted[block], lips, 1), axis=2)
        total, largest = total + float(distances.sum()), max(largest, float(distances.max()))
    return 1000.0 * total / (len(weights) * lips.shape[1]), 1000.0 * largest


def viseme_cues(curves: FaceCurves, head: HeadMesh | None = None) -> tuple[VisemeCue, ...]:
    """List the strongest viseme over time.

    Of all lists whose visemes last at least `SHORTEST` seconds and two frames, the one with the largest sum of weights
    is taken. A frame counts as "sil" where the other visemes add up to less than `SPOKEN`, and as "PP" only where the
    lips are closed: a little of it is in many half-open mouths.

    Args:
        curves: (T, 15) named `VISEME_CURVES`.
        head: the head whose lips are looked at, as in `fit_visemes`.

    Returns:
        Visemes without gaps from 0 to T / fps, neighbours differing.
    """
    head = load_head() if head is None else head
    scores = curves.reordered(VISEME_CURVES).weights.astype(np.float64)
    opened = scores @ viseme_recipe(head.blendshape_names) @ _opening(head) > CLOSED
    scores[opened, VISEMES.index("PP")] = 0.0
    scores[:, 0] = scores[:, 0] > 1.0 - SPOKEN
    edges, labels = _best_runs(scores, max(2, round(SHORTEST * curves.fps)))
    times = np.array(edges) / curves.fps
    return tuple(
        VisemeCue(float(begin), float(end - begin), VISEMES[label])
        for begin, end, label in zip(times[:-1], times[1:], labels, strict=True)
    )


def _best_runs(scores: np.ndarray, least: int) -> tuple[list[int], list[int]]:
    """The edges (0, ..., T) and labels of the runs of at least `least` frames with the largest sum of scores (T, n).

    Dynamic programming over the ends of runs; shorter motion is one run.
    """
    frames, count = scores.shape
    least = min(least, frames)
    sums = np.vstack([np.zeros(count), np.cumsum(scores, axis=0)])
    best = np.full((frames + 1, count), -np.inf)  # of the first t frames whose last run has the label and is complete
    began = np.zeros((frames + 1, count), np.int32)  # where that run begins
    before = np.zeros((frames + 1, count), np.int16)  # the label of the run before it
    best[least] = sums[least]
    for end in range(least + 1, frames + 1):
        begin = end - least
        previous = best[begin].argmax()
        started = best[begin, previous] + (sums[end] - sums[begin])
        longer = best[end - 1] + scores[end - 1]
        begins = started > longer
        best[end] = np.where(begins, started, longer)
        began[end] = np.where(begins, begin, began[end - 1])
        before[end] = np.where(begins, previous, before[end - 1])
    edges, labels, end, label = [frames], [], frames, int(best[frames].argmax())
    while end > 0:
        begin, previous = int(began[end, label]), int(before[end, label])
        if begin == 0 or previous != label:  # the sums of one long run may round to those of two
            edges.append(begin)
            labels.append(label)
        end, label = begin, previous
    return edges[::-1], labels[::-1]


def vrm_presets(weights: np.ndarray) -> np.ndarray:
    """Turn visemes into the mouth presets of VRM 1.0.

    Args:
        weights: (T, 15) in the order of `VISEMES`, in [0, 1].

    Returns:
        (T, 5) float32 weights in [0, 1], in the order of `VRM_PRESETS`.
    """
    table = _data()["vrm"]
    mixture = np.array([[table[viseme].get(preset, 0.0) for preset in VRM_PRESETS] for viseme in VISEMES])
    return np.clip(np.asarray(weights, np.float64) @ mixture, 0.0, 1.0).astype(np.float32)


def _data() -> dict[str, dict[str, dict[str, float]]]:
    return json.loads(resources.files(__package__).joinpath("visemes.json").read_text("utf-8"))

"""Tracked face landmarks: removal of head motion, the rest face.

T frames, P points. Points are numbered as in MediaPipe Face Mesh; an `index` (P,) says which number each column has.
Image coordinates: x to the viewer's right, y down. Aligned points are in eye distances: the unit is the distance
between the outer eye corners (points 33 and 263), and the origin is half-way between them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.errors import InputError
from memorytalker.tracking.tracker import POINTS

EYE_CORNERS = (33, 263)
LIP_GAP = (13, 14)
LIP_CORNERS = (61, 291)
CHIN_AND_BRIDGE = (152, 168)
#: The outlines of both lips, inside and outside.
LIPS = (
    *(0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191),
    *(267, 269, 270, 291, 308, 310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415),
)
#: Points that speech does not move: eye corners, bridge and tip of the nose, the face outline above the cheeks.
RIGID = (
    *(33, 133, 362, 263, 1, 2, 4, 5, 6, 168, 195, 197),
    *(10, 21, 54, 67, 103, 109, 127, 162, 251, 284, 297, 332, 338, 356, 389, 234, 454),
)
#: A frame counts as closed lips, for finding the rest face, below this gap (eye distances).
_CLOSED_FOR_REST = 0.012
#: A valley of the lip opening between sounds open by so much is a closure when it is below `_VALLEY` (eye distances).
_OPEN_BETWEEN, _VALLEY = 0.03, 0.02
#: Least and greatest closed level.
_CLOSED_LEVELS = (0.005, 0.012)
#: Under a dark moustache closed lips are tracked as open, so these bounds rise to so many times the smallest opening of
#: pieces of the speaker's clips (their median), but not beyond the second (eye distances).
_FLOOR_RATIO, _HIGHEST_FLOOR = 2.0, 0.035
#: Longest such piece in frames, about three seconds: the smallest opening of a minute is a single frame's.
_LONGEST_PIECE = 90
#: A mode of the rigid points is a turn of the head, and not noise, above this size (r.m.s., eye distances).
_TURN_SIZE = 0.002
#: So many closed frames of a clip weigh as much as all the speaker's other clips in the clip's own rest face.
_CLIP_TRUST = 20.0


class CaptureError(InputError):
    """A recording that cannot be used; the message says what is wrong and what is needed."""


@dataclass(frozen=True)
class Neutral:
    """A speaker's face at rest, at any turn of the head.

    Attributes:
        index: (P,) MediaPipe numbers.
        reference: (P, 2) mean aligned face, in eye distances.
        turns: (m, R, 2) how the R rigid points (`RIGID`) shift when the head turns; m is at most 2 (yaw and pitch).
        rest: (1 + m, P, 2) the rest face: its constant part, and its change per unit of each turn.
        closed_level: tracked lip opening, in eye distances, up to which this speaker's lips count as closed.
    """

    index: np.ndarray
    reference: np.ndarray
    turns: np.ndarray
    rest: np.ndarray
    closed_level: float

    def place(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Align points, and compute the rest face at the same turn of the head.

        Args:
            points: (T, P, 2) in any unit, no frame missing.

        Returns:
            The aligned points and the rest face, both (T, P, 2) in eye distances.
        """
        rigid = columns(self.index, RIGID)
        aligned = align(points, self.reference, rigid)
        shift = (aligned - self.reference)[:, rigid]
        scores = np.einsum("trc,mrc->tm", shift, self.turns)
        regressors = np.concatenate([np.ones((len(points), 1)), scores], 1)
        return aligned, np.einsum("tm,mpc->tpc", regressors, self.rest)


def columns(index: np.ndarray, numbers: tuple[int, ...]) -> np.ndarray:
    """Find the columns of some MediaPipe points.

    Args:
        index: (P,) MediaPipe number of each column.
        numbers: the points to find.

    Returns:
        Their columns, in the order of `numbers`.

    Raises:
        CaptureError: one of the points is not there.
    """
    place = {int(number): column for column, number in enumerate(index)}
    absent = [number for number in numbers if number not in place]
    if absent:
        raise CaptureError(f"The landmarks lack the points {absent}; track with the full MediaPipe Face Mesh.")
    return np.array([place[number] for number in numbers])


def checked_index(index: np.ndarray, path: Path) -> np.ndarray:
    """The numbers (P,) of tracked points. Raises CaptureError unless they are distinct numbers of the face mesh."""
    right = index.ndim == 1 and index.dtype.kind in "iu" and 0 < len(index) <= POINTS
    if not right or index.min() < 0 or index.max() >= POINTS or len(np.unique(index)) < len(index):
        raise CaptureError(f"The index of {path} is no list of MediaPipe's points 0 to {POINTS - 1}; track again.")
    return index


def fill_missing(points: np.ndarray, fps: float, longest: float = 0.15) -> np.ndarray | None:
    """Fill missing frames by linear interpolation in time; at the ends the nearest frame is repeated.

    Args:
        points: (T, ...), NaN in missing frames.
        fps: frames per second.
        longest: longest stretch that is filled, in seconds.

    Returns:
        The points without NaN; None if a longer stretch is missing, or all, since such a clip is not used.
    """
    missing = np.isnan(points).reshape(len(points), -1).any(1)
    if not missing.any():
        return points
    starts = np.flatnonzero(np.diff(np.r_[False, missing, False].astype(int)))
    if missing.all() or (starts[1::2] - starts[::2]).max() > longest * fps:
        return None
    seen = np.flatnonzero(~missing)
    flat = points.reshape(len(points), -1)
    filled = [np.interp(np.arange(len(points)), seen, flat[seen, column]) for column in range(flat.shape[1])]
    return np.stack(filled, 1).reshape(points.shape)


def openings(points: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure lips and jaw in every frame.

    Args:
        points: (T, P, 2) in any unit.
        index: (P,) MediaPipe numbers.

    Returns:
        Lip opening (points 13 to 14), lip width (61 to 291) and jaw (152 to 168), each (T,) in eye distances.
    """
    eyes = _distance(points, index, EYE_CORNERS)
    gap, width, jaw = (_distance(points, index, pair) / eyes for pair in (LIP_GAP, LIP_CORNERS, CHIN_AND_BRIDGE))
    return gap, width, jaw


def align(points: np.ndarray, reference: np.ndarray, rigid: np.ndarray) -> np.ndarray:
    """Move, turn and scale every frame in the image plane so that its rigid points fit the reference best.

    Args:
        points: (T, P, 2) in any unit.
        reference: (P, 2), in the unit of the result.
        rigid: columns of the points that are fitted.

    Returns:
        (T, P, 2) in the unit and frame of `reference`.

    Source: Umeyama 1991, doi 10.1109/34.88573; in the plane the least squares similarity is a linear problem.
    """
    centre = points[:, rigid].mean(1, keepdims=True)
    goal = reference[rigid] - reference[rigid].mean(0)
    # a similarity of the plane is one complex factor
    source = _complex(points[:, rigid] - centre)
    factor = (source.conj() * _complex(goal)).sum(1) / (np.abs(source) ** 2).sum(1)
    moved = factor[:, None] * _complex(points - centre)
    return np.stack([moved.real, moved.imag], -1) + reference[rigid].mean(0)


def find_neutral(clips: list[np.ndarray], index: np.ndarray, most_turns: int = 2) -> Neutral:
    """Estimate the rest face of one speaker.

    The face is at rest where the lips are closed and still. How it shifts when the head turns is learned from those
    frames.

    Args:
        clips: all clips of the speaker, (T, P, 2) each, in any unit.
        index: (P,) MediaPipe numbers.
        most_turns: turns of the head that may show in the points; 0 where they have been removed (`head_pose.py`).

    Returns:
        The rest face.

    Raises:
        CaptureError: the lips are never closed.
    """
    points, rigid = np.concatenate(clips), columns(index, RIGID)
    reference = _mean_face(points, index, rigid)
    aligned = align(points, reference, rigid)
    gap = openings(points, index)[0]
    shift = (aligned - reference)[:, rigid].reshape(len(points), -1)
    _, sizes, modes = np.linalg.svd(shift - shift.mean(0), full_matrices=False)
    kept = int(np.sum(sizes[:most_turns] / np.sqrt(shift.size) > _TURN_SIZE))
    turns = modes[:kept]
    gaps = [openings(clip, index)[0] for clip in clips]
    resting = _resting(clips, gap, index, max(_CLOSED_FOR_REST, _floor(gaps)))
    if resting.sum() < 5:
        raise CaptureError("The lips are never closed in these clips; include a pause in which the mouth is closed.")
    regressors = np.concatenate([np.ones((resting.sum(), 1)), shift[resting] @ turns.T], 1)
    rest = _robust_fit(regressors, (aligned - reference)[resting].reshape(resting.sum(), -1))
    rest = rest.reshape(1 + kept, len(index), 2)
    rest[0] += reference
    level = _closed_level(gaps)
    return Neutral(index, reference, turns.reshape(kept, len(rigid), 2), rest, level)


def refine_neutral(neutral: Neutral, points: np.ndarray) -> Neutral:
    """Move a speaker's rest face towards that of one clip; the longer its lips rest, the further.

    Args:
        neutral: the speaker's rest face.
        points: (T, P, 2) of the clip, in any unit.

    Returns:
        The rest face for this clip.
    """
    gap = openings(points, neutral.index)[0]
    resting = _resting([points], gap, neutral.index, max(_CLOSED_FOR_REST, neutral.closed_level))
    if not resting.any():
        return neutral
    aligned, rest = neutral.place(points)
    own = np.median((aligned - rest)[resting], 0) * resting.sum() / (resting.sum() + _CLIP_TRUST)
    moved = neutral.rest.copy()
    moved[0] += own
    return dataclasses.replace(neutral, rest=moved)


def _closed_level(gaps: list[np.ndarray]) -> float:
    """The lip opening up to which these lips count as closed: how near they come between two open sounds.

    A tracker does not report 0 for closed lips, and its value differs between speakers.
    """
    from scipy.signal import find_peaks

    valleys, floor = [gap[find_peaks(-gap, prominence=_OPEN_BETWEEN)[0]] for gap in gaps], _floor(gaps)
    closures = np.concatenate(valleys)
    closures = closures[closures < max(_VALLEY, floor)]
    if len(closures) < 5:  # too little speech to judge by
        closures = np.array([gap.min() for gap in gaps])
    least, greatest = _CLOSED_LEVELS
    return float(np.clip(1.2 * np.percentile(closures, 75), least, max(greatest, floor)))


def _floor(gaps: list[np.ndarray]) -> float:
    """A lip opening below which a speaker's lips may be closed, from those of the clips; 0 where they never are."""
    pieces = [piece for gap in gaps for piece in np.array_split(gap, -(-len(gap) // _LONGEST_PIECE))]
    floor = _FLOOR_RATIO * float(np.median([piece.min() for piece in pieces]))
    return floor if floor <= _HIGHEST_FLOOR else 0.0


def _resting(clips: list[np.ndarray], gap: np.ndarray, index: np.ndarray, level: float) -> np.ndarray:
    """(T of all clips,) True where the lips are closed and chin and lips hardly move."""
    speeds = []
    for clip in clips:
        size = np.stack(openings(clip, index), 1)
        speeds.append(np.abs(np.gradient(size, axis=0)).sum(1) if len(clip) > 1 else np.zeros(len(clip)))
    speed = np.concatenate(speeds)
    closed = gap < level
    return closed & (speed <= np.median(speed[closed])) if closed.any() else closed


def _robust_fit(regressors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Least squares with a slight ridge on all but the constant; two more rounds leave out frames that fit badly."""
    ridge = 1e-4 * len(values) * np.diag(np.r_[0.0, np.ones(regressors.shape[1] - 1)]) * regressors.var()
    keep = np.ones(len(values), bool)
    for _ in range(3):
        x = regressors[keep]
        fit = np.linalg.solve(x.T @ x + ridge, x.T @ values[keep])
        error = np.sqrt(((values - regressors @ fit) ** 2).mean(1))
        keep = error <= 2.0 * np.median(error) + 1e-9
    return fit


def _mean_face(points: np.ndarray, index: np.ndarray, rigid: np.ndarray) -> np.ndarray:
    """(P, 2) median aligned face, in eye distances."""
    left, right = columns(index, EYE_CORNERS)
    eyes = _distance(points, index, EYE_CORNERS)
    centre = (points[:, left] + points[:, right]) / 2
    mean = np.median((points - centre[:, None]) / eyes[:, None, None], 0)
    for _ in range(3):
        mean = np.median(align(points, mean, rigid), 0)
        mean = (mean - (mean[left] + mean[right]) / 2) / np.linalg.norm(mean[left] - mean[right])
    return mean


def _distance(points: np.ndarray, index: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Distance between two points in every frame, in the unit of `points`."""
    first, second = columns(index, pair)
    return np.linalg.norm(points[..., first, :] - points[..., second, :], axis=-1)


def _complex(points: np.ndarray) -> np.ndarray:
    """Points of the plane as complex numbers."""
    return points[..., 0] + 1j * points[..., 1]

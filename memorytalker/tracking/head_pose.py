"""The turn of a tracked head: angles from its landmarks and their depth, and the landmarks without it.

Angles are those of `face/neck.py`: yaw, pitch and roll in radians, positive to the head's own left, down, and to its
own right. Yaw and roll are absolute, as a face has two equal sides; pitch is counted from the open head's face, so that
a person with a steeper face seems to look up or down a little.

T frames, P points in image coordinates: x to the viewer's right, y down, depth away from the viewer.
"""

from __future__ import annotations

import numpy as np

from memorytalker.face.motion import smoothed
from memorytalker.tracking.landmarks import EYE_CORNERS, columns

#: Points that lie opposite each other, on the person's right and left.
RIGHT_SIDE = (33, 133, 127, 234, 21, 54, 103, 67, 109, 162)
LEFT_SIDE = (263, 362, 356, 454, 251, 284, 332, 297, 338, 389)
#: Points of the forehead, and of the nose: the line between them tilts with the head.
FOREHEAD, NOSE = (10, 109, 338, 67, 297), (2, 168, 6, 197, 195)
#: That tilt on the open head looking straight ahead, in radians.
STRAIGHT = -0.203
#: Seconds over which angles are smoothed (full width at half maximum): heads turn slowly, and trackers tremble.
STEADY_SECONDS = 0.15


def head_turns(points: np.ndarray, index: np.ndarray, fps: float) -> np.ndarray:
    """Measure how a head is turned.

    Args:
        points: (T, P, 3) pixels, and depth on the same scale; no frame missing.
        index: (P,) MediaPipe numbers.
        fps: frames per second.

    Returns:
        (T, 3) yaw, pitch and roll in radians.
    """
    across = (points[:, columns(index, LEFT_SIDE)] - points[:, columns(index, RIGHT_SIDE)]).sum(1)
    yaw = np.arctan2(across[:, 2], across[:, 0])
    roll = np.arctan2(across[:, 1], np.hypot(across[:, 0], across[:, 2]))
    level = _rotated(_rotated(points, 0, 1, roll), 0, 2, yaw)
    down = level[:, columns(index, NOSE)].mean(1) - level[:, columns(index, FOREHEAD)].mean(1)
    pitch = np.arctan2(down[:, 2], down[:, 1]) - STRAIGHT
    return smoothed(np.stack([yaw, pitch, -roll], 1), fps, STEADY_SECONDS)


def facing(points: np.ndarray, index: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Turn heads so that they face the viewer.

    Args:
        points: as `head_turns` takes them.
        index: (P,) MediaPipe numbers.
        turns: (T, 3) as `head_turns` returns them.

    Returns:
        (T, P, 2) pixels from the middle between the outer eye corners.
    """
    yaw, pitch, roll = turns.T
    about = points - points[:, columns(index, EYE_CORNERS)].mean(1)[:, None]
    return _rotated(_rotated(_rotated(about, 0, 1, -roll), 0, 2, yaw), 1, 2, pitch)[..., :2]


def _rotated(points: np.ndarray, first: int, second: int, angles: np.ndarray) -> np.ndarray:
    """Points (T, P, 3) turned in the plane of two axes by angles (T,)."""
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    turned = points.copy()
    turned[..., first] = cosine * points[..., first] + sine * points[..., second]
    turned[..., second] = cosine * points[..., second] - sine * points[..., first]
    return turned

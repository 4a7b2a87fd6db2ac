"""A head that turns on its neck: rigid above the jaw line, still at the collar, and bent softly in between.

Angles are yaw, pitch and roll in radians about the head's own axes, right-handed: positive yaw turns the face to its
own left, positive pitch nods down, positive roll tilts the top of the head to its own right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import MotionError, eased

#: Where the head turns, in metres from the middle between the ear openings: the uppermost joint of the neck lies a
#: little below and behind.
PIVOT = (0.0, -0.025, -0.012)
#: The line of the jaw is lower in front than the neck's is behind: height is measured along y + `SLOPE` z. Above the
#: first height the head turns as a whole, below the second nothing moves. Metres.
SLOPE, TURNS_FROM, STILL_BELOW = 0.5, -0.058, -0.150
#: Parts that stay where they are.
STILL_PARTS = ("clothing",)
#: Angles beyond this are refused, in radians: a soft neck of this kind is made for nods, not for a look behind.
LARGEST_ANGLE = np.radians(40.0)


@dataclass(frozen=True, eq=False)
class Neck:
    """How a head's vertices follow its turns.

    Args:
        pivot: (3,) metres.
        share: (V,) from 0, still, to 1, with the head.
    """

    pivot: np.ndarray
    share: np.ndarray

    def turned(self, vertices: np.ndarray, turns: np.ndarray, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Turn vertices.

        Args:
            vertices: (T, n, 3) float32 in metres.
            turns: (T, 3) yaw, pitch and roll in radians.
            which: which of the head's vertices they are.

        Returns:
            (T, n, 3) float32 in metres.
        """
        if not turns.any():
            return vertices
        about = (vertices - self.pivot.astype(np.float32)).astype(np.float32)
        moved = np.einsum("tij,tnj->tni", (rotations(turns) - np.eye(3)).astype(np.float32), about)
        return vertices + self.share[which].astype(np.float32)[None, :, None] * moved


def neck_of(head: HeadMesh) -> Neck:
    """Return the neck of a head in our frame of reference, as the shipped one is."""
    height = head.template[:, 1] + SLOPE * head.template[:, 2]
    share = eased((height - STILL_BELOW) / (TURNS_FROM - STILL_BELOW))
    for part in STILL_PARTS:
        if part in head.parts:
            share[head.parts[part]] = 0.0
    return Neck(np.array(PIVOT), share)


def rotations(turns: np.ndarray) -> np.ndarray:
    """Return rotation matrices (T, 3, 3) of yaw, pitch and roll (T, 3) in radians: roll first, yaw last."""
    yaw, pitch, roll = (np.asarray(turns, float)[:, k] for k in range(3))
    zero, one = np.zeros(len(yaw)), np.ones(len(yaw))

    def matrix(*rows: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    about_y = matrix((np.cos(yaw), zero, np.sin(yaw)), (zero, one, zero), (-np.sin(yaw), zero, np.cos(yaw)))
    about_x = matrix((one, zero, zero), (zero, np.cos(pitch), -np.sin(pitch)), (zero, np.sin(pitch), np.cos(pitch)))
    about_z = matrix((np.cos(roll), -np.sin(roll), zero), (np.sin(roll), np.cos(roll), zero), (zero, zero, one))
    return about_y @ about_x @ about_z


def quaternions(turns: np.ndarray) -> np.ndarray:
    """Return quaternions (T, 4) float32, x y z w, of yaw, pitch and roll (T, 3) in radians, as glTF has them."""
    half = np.asarray(turns, float) / 2
    (sy, sp, sr), (cy, cp, cr) = np.sin(half).T, np.cos(half).T
    x = cy * sp * cr + sy * cp * sr
    y = sy * cp * cr - cy * sp * sr
    z = cy * cp * sr - sy * sp * cr
    w = cy * cp * cr + sy * sp * sr
    return np.stack([x, y, z, w], axis=1).astype(np.float32)


def checked_turns(turns: np.ndarray, frames: int) -> np.ndarray:
    """Return turns as (T, 3) float32. Raises MotionError unless they are finite, of that shape and within reach."""
    array = np.asarray(turns, np.float32)
    if array.shape != (frames, 3) or not np.isfinite(array).all():
        raise MotionError(f"Turns of the head are {frames} finite rows of yaw, pitch and roll, not {array.shape}.")
    if np.abs(array).max(initial=0.0) > LARGEST_ANGLE:
        raise MotionError(f"A head turns by at most {np.degrees(LARGEST_ANGLE):.0f} degrees here; give radians.")
    return array

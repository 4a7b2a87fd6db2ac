"""Solving for face curves: the blendshape weights in [0, 1] that reproduce given motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memorytalker.face.frames import BLOCK
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.face.motion_space import STILL, MotionSpace
from memorytalker.progress import Progress

#: How much more than every other vertex a lip vertex counts: what is lost of the motion should not be lost at the lips.
LIPS_COUNT = 30.0
#: Frames between two reports of progress, a tenth of a second of work.
REPORTED = 1024


@dataclass(frozen=True, eq=False)
class SolvedCurves:
    """Curves, and the distance between the motion that they make and the motion that they were solved from.

    Args:
        curves: weights (T, S) in [0, 1].
        lip_residual: (T,) float32, the largest distance of a lip vertex in each frame, in millimetres.
    """

    curves: FaceCurves
    lip_residual: np.ndarray

    @property
    def residual_mm(self) -> float:
        """The largest distance of a lip vertex over all frames, in millimetres."""
        return float(self.lip_residual.max(initial=0.0))


class CurveSolver:
    """Solves for the curves of motion in a space of blendshapes, frame by frame, so that a stream gives the same.

    It minimises the squared distance over all vertices, in which lip vertices count `LIPS_COUNT` times more, under
    0 <= weight <= 1. The basis is orthonormal, so that each frame has K equations instead of 3 V.

    Args:
        space: a space with shapes, as `motion_space.speech_space` gives it.
        lips: indices of the lip vertices.
    """

    def __init__(self, space: MotionSpace, lips: np.ndarray) -> None:
        assert space.basis is not None and space.from_weights is not None
        self.space = space
        self.lips = space.basis.reshape(space.coordinates, -1, 3)[:, np.asarray(lips)].reshape(space.coordinates, -1)
        metric = np.eye(space.coordinates) + LIPS_COUNT * self.lips @ self.lips.T
        self.root = np.linalg.cholesky(metric).T
        self.columns = np.flatnonzero([not name.startswith(STILL) for name in space.shapes])
        self.shapes = space.from_weights[self.columns].T  # (K, s): coordinates = shapes @ weights

    def solve(self, coordinates: np.ndarray, fps: float, progress: Progress | None = None) -> SolvedCurves:
        """Solve for the curves of some frames.

        Args:
            coordinates: (T, K) in metres.
            fps: frames per second.
            progress: called as progress(frames done, frames in total, "curves"); what it raises cancels.

        Returns:
            Curves (T, S) of all shapes of the space, and their residual.
        """
        from scipy.optimize import lsq_linear, nnls

        system = self.root @ self.shapes
        weights = np.zeros((len(coordinates), len(self.space.shapes)))
        for done, (row, frame) in enumerate(zip(weights, coordinates.astype(np.float64), strict=True)):
            if progress is not None and done % REPORTED == 0:
                progress(done, len(weights), "curves")
            target = self.root @ frame  # frame by frame, so that its bits do not depend on the others
            found = nnls(system, target)[0]
            if found.max() > 1.0:  # rare, and slower
                found = lsq_linear(system, target, (0.0, 1.0), method="bvls").x
            row[self.columns] = np.clip(found, 0.0, 1.0)
        residual = np.empty(len(weights), np.float32)
        for first in range(0, len(weights), BLOCK):
            block = slice(first, first + BLOCK)
            lost = (weights[block][:, self.columns] @ self.shapes.T - coordinates[block]) @ self.lips
            residual[block] = 1000 * np.linalg.norm(lost.reshape(len(lost), -1, 3), axis=2).max(axis=1)
        return SolvedCurves(FaceCurves(weights.astype(np.float32), self.space.shapes, fps), residual)


def solve_curves(head: HeadMesh, offsets: np.ndarray) -> np.ndarray:
    """Fit face curves to vertex offsets, by non-negative least squares over all vertices.

    The problem is first projected to an orthonormal basis of the blendshapes, which keeps distances, so that each frame
    has as many equations as there are shapes.

    Args:
        head: the head that moves; it needs blendshapes.
        offsets: (T, V, 3) metres from the head's template, y up.

    Returns:
        (T, S) weights, 0 or more, in the order of `head.blendshape_names`.
    """
    from scipy.optimize import nnls

    shapes = head.blendshapes.reshape(len(head.blendshape_names), -1).astype(np.float64).T  # (3 V, S)
    basis, triangle = np.linalg.qr(shapes)
    coordinates = offsets.reshape(len(offsets), -1) @ basis
    return np.stack([nnls(triangle, frame)[0] for frame in coordinates])

"""Solving for face curves: the blendshape weights that reproduce given vertex offsets."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from memorytalker.face.head import HeadMesh


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
    shapes = head.blendshapes.reshape(len(head.blendshape_names), -1).astype(np.float64).T  # (3 V, S)
    basis, triangle = np.linalg.qr(shapes)
    coordinates = offsets.reshape(len(offsets), -1) @ basis
    return np.stack([nnls(triangle, frame)[0] for frame in coordinates])

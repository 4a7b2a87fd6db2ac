"""From vertices back to face curves: which blendshape weights move a head as its vertices were moved."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from memorytalker.face.head import HeadMesh


def solve_curves(head: HeadMesh, offsets: np.ndarray) -> np.ndarray:
    """Face curves of moved vertices, by non-negative least squares over all vertices.

    The blendshapes are first brought to an orthonormal basis of their own, which changes no distance, so that each
    frame is a problem of as many numbers as there are shapes.

    Args:
        head: the head that moves; it needs blendshapes.
        offsets: (T, V, 3) metres from the head's template, y up.

    Returns:
        (T, S) weights from 0 on, in the order of `head.blendshape_names`.
    """
    shapes = head.blendshapes.reshape(len(head.blendshape_names), -1).astype(np.float64).T  # (3 V, S)
    basis, triangle = np.linalg.qr(shapes)
    coordinates = offsets.reshape(len(offsets), -1) @ basis
    return np.stack([nnls(triangle, frame)[0] for frame in coordinates])

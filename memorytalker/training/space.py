"""The space that motion is learned in: orthonormal coordinates of a head's blendshapes.

Blendshape motion lies in a small linear space. Learning its coordinates in an orthonormal basis equals learning
vertices, since distances are the same (up to the constant 3 V / K in every mean), and costs a hundredth. Afterwards
`models.talker.to_vertex_model` multiplies the basis into the last layer, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from memorytalker.face.head import HeadMesh
from memorytalker.training.losses import MouthVertices

#: Speech moves the lower face; these shapes are left to the expression layer.
STILL = ("eye", "brow", "noseSneer")


@dataclass(frozen=True)
class MotionSpace:
    """An orthonormal basis of blendshape motion.

    Attributes:
        basis: (K, 3 V) orthonormal rows.
        from_weights: (52, K) matrix from blendshape weights to coordinates in metres.
        names: of the 52 blendshapes.
    """

    basis: np.ndarray
    from_weights: np.ndarray
    names: tuple[str, ...]

    @property
    def coordinates(self) -> int:
        """Number of coordinates, K."""
        return len(self.basis)

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """Convert blendshape weights (T, 52) to coordinates (T, K) in metres."""
        return (weights @ self.from_weights).astype(np.float32)

    def mouth(self, head: HeadMesh) -> MouthVertices:
        """Return what the losses of the lips need, in coordinates of this space."""
        count = head.vertex_count
        vertices = self.basis.reshape(self.coordinates, count, 3)
        lips = _compressed(vertices[:, head.regions["lips"]].reshape(self.coordinates, -1))
        upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
        opening = vertices[:, upper, 1] - vertices[:, lower, 1]
        teeth = head.landmarks["upper_teeth"]
        lip_to_teeth = vertices[:, teeth, 1] - vertices[:, lower, 1]
        return MouthVertices(
            torch.from_numpy(lips).float(),
            torch.from_numpy(opening.copy()).float(),
            lip_to_teeth=torch.from_numpy(lip_to_teeth.copy()).float(),
            lip_to_teeth_rest=float(head.template[teeth, 1] - head.template[lower, 1]),
        )


def blendshape_space(head: HeadMesh, tolerance: float = 1e-4) -> MotionSpace:
    """Compute the motion space of a head's speech shapes.

    Args:
        head: the head.
        tolerance: singular values below this share of the largest are dropped.

    Returns:
        The space.
    """
    speaking = np.array([not name.startswith(STILL) for name in head.blendshape_names])
    shapes = head.blendshapes.reshape(len(head.blendshape_names), -1).astype(np.float64) * speaking[:, None]
    left, values, right = np.linalg.svd(shapes, full_matrices=False)
    kept = values > tolerance * values[0]
    return MotionSpace(right[kept], left[:, kept] * values[kept], head.blendshape_names)


def _compressed(rows: np.ndarray) -> np.ndarray:
    """Compress `rows` (K, L) to at most K columns by SVD; every mean square stays the same.

    The lips have a thousand coordinates but rank thirty, so their loss costs a thirtieth this way.
    """
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    return left * values * np.sqrt(len(values) / rows.shape[1])

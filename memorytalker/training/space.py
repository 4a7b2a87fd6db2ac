"""The space that motion is learned in: the vertices themselves, or orthonormal coordinates of a head's blendshapes.

Motion made of blendshapes lies in a small linear space. Learning its coordinates in an orthonormal basis is the same
as learning vertices, since distances are equal (up to the constant 3 V / K in every mean), and a hundred times
cheaper; afterwards `models.talker.expand_coordinates` folds the basis into the network, exactly.
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
    """`basis` (K, 3 V) with orthonormal rows; `from_weights` (52, K): blendshape weights to coordinates in metres."""

    basis: np.ndarray
    from_weights: np.ndarray
    names: tuple[str, ...]

    @property
    def coordinates(self) -> int:
        """K."""
        return len(self.basis)

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """Blendshape weights (T, 52) to coordinates (T, K), metres."""
        return (weights @ self.from_weights).astype(np.float32)

    def mouth(self, head: HeadMesh) -> MouthVertices:
        """The rows that the losses of the lips need, for coordinates of this space."""
        count = head.vertex_count
        vertices = self.basis.reshape(self.coordinates, count, 3)
        lips = _shortened(vertices[:, head.regions["lips"]].reshape(self.coordinates, -1))
        upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
        opening = vertices[:, upper, 1] - vertices[:, lower, 1]
        teeth = head.landmarks["upper_teeth"]
        bite = vertices[:, teeth, 1] - vertices[:, lower, 1]
        return MouthVertices(
            torch.from_numpy(lips).float(),
            torch.from_numpy(opening.copy()).float(),
            bite=torch.from_numpy(bite.copy()).float(),
            bite_rest=float(head.template[teeth, 1] - head.template[lower, 1]),
        )


def blendshape_space(head: HeadMesh, tolerance: float = 1e-4) -> MotionSpace:
    """The space of a head's speech shapes; directions weaker than `tolerance` of the strongest are left out."""
    speaking = np.array([not name.startswith(STILL) for name in head.blendshape_names])
    shapes = head.blendshapes.reshape(len(head.blendshape_names), -1).astype(np.float64) * speaking[:, None]
    left, values, right = np.linalg.svd(shapes, full_matrices=False)
    kept = values > tolerance * values[0]
    return MotionSpace(right[kept], left[:, kept] * values[kept], head.blendshape_names)


def _shortened(rows: np.ndarray) -> np.ndarray:
    """At most K columns in the place of the L of `rows` (K, L), between which every mean square is the same.

    The lips have a thousand coordinates and follow from thirty: their error costs a thirtieth this way.
    """
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    return left * values * np.sqrt(len(values) / rows.shape[1])

"""A motion space in training: the model that predicts its coordinates, and its mouth for the losses of the lips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from memorytalker.config import ModelConfig
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion_space import MotionSpace
from memorytalker.training.losses import MouthVertices


def in_space(config: ModelConfig, space: MotionSpace) -> ModelConfig:
    """Return the configuration of a model that predicts the coordinates of `space`."""
    return replace(config, coordinates=space.coordinates, basis=space.name)


def mouth_in_space(space: MotionSpace, head: HeadMesh) -> MouthVertices:
    """Return the mouth of a head in the coordinates of a motion space.

    Args:
        space: of the head's speech shapes.
        head: the head.

    Returns:
        Matrices from coordinates to lips, lip opening and lip-to-teeth distance, in metres.
    """
    assert space.basis is not None
    vertices = space.basis.reshape(space.coordinates, head.vertex_count, 3)
    lips = _compressed(vertices[:, head.regions["lips"]].reshape(space.coordinates, -1))
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


def _compressed(rows: np.ndarray) -> np.ndarray:
    """Compress `rows` (K, L) to at most K columns by SVD; every mean square stays the same.

    The lips have a thousand coordinates but rank thirty, so their loss costs a thirtieth this way.
    """
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    return left * values * np.sqrt(len(values) / rows.shape[1])

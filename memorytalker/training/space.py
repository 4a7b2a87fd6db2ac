"""A motion space in training: the model that predicts its coordinates, and its mouth for the losses of the lips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from memorytalker.config import ModelConfig
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion_space import MotionSpace
from memorytalker.phones import ENGLISH
from memorytalker.training.losses import MouthVertices, SlotGroups


def in_space(config: ModelConfig, space: MotionSpace) -> ModelConfig:
    """Return the configuration of a model that predicts the coordinates of `space`."""
    return replace(config, coordinates=space.coordinates, basis=space.name)


def mouth_in_space(space: MotionSpace, head: HeadMesh, slots: Sequence[str] = ()) -> MouthVertices:
    """Return the mouth of a head in the coordinates of a motion space.

    Args:
        space: of the head's speech shapes.
        head: the head.
        slots: labels of the memory slots, if they are phones: the style weights of rounded and spread ones are then
            measured by the width of the mouth and how far the lips come forward, the others by how far it opens.

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
        groups=_slot_groups(vertices, head, slots) if slots else None,
    )


def _slot_groups(vertices: np.ndarray, head: HeadMesh, slots: Sequence[str]) -> SlotGroups:
    """See `mouth_in_space`; vertices (coordinates, V, 3) are those that one metre of each coordinate moves."""
    marks = ("inner_lip_upper", "inner_lip_lower", "chin", "mouth_left", "mouth_right")
    upper, lower, chin, left, right = (vertices[:, head.landmarks[name]] for name in marks)
    opening = [upper[:, 1] - lower[:, 1], chin[:, 1]]
    width = [left[:, 0] - right[:, 0], upper[:, 2]]  # the lower lip also moves back with the jaw
    measures = tuple(torch.from_numpy(np.stack(rows, axis=1)).float() for rows in (opening, width))
    return SlotGroups(measures, torch.tensor([int(label in ENGLISH.wide) for label in slots]))


def _compressed(rows: np.ndarray) -> np.ndarray:
    """Compress `rows` (K, L) to at most K columns by SVD; every mean square stays the same.

    The lips have a thousand coordinates but rank thirty, so their loss costs a thirtieth this way.
    """
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    return left * values * np.sqrt(len(values) / rows.shape[1])

"""Animations of given vertices, for tests of what is done with them."""

from __future__ import annotations

import numpy as np

from memorytalker.animation import Animation
from memorytalker.exports.take import Provenance
from memorytalker.face.head import HeadMesh
from memorytalker.face.head_motion import HeadMotion
from memorytalker.face.motion_space import vertex_space
from memorytalker.sound.decode import Waveform


def planted_animation(
    head: HeadMesh,
    vertices: np.ndarray,
    address: np.ndarray,
    style_weights: np.ndarray,
    slot_labels: tuple[str, ...],
    waveform: Waveform,
    fps: float = 30.0,
) -> Animation:
    """An animation whose vertices (T, V, 3) are those, as of a model of vertices."""
    offsets = (vertices - head.template).reshape(len(vertices), -1)
    motion = HeadMotion(head, vertex_space(head.vertex_count), offsets, fps)
    origin = Provenance("planted", head.identity, "", "neutral", None)
    return Animation(motion, address, style_weights, slot_labels, waveform, origin)

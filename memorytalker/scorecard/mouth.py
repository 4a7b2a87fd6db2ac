"""Distances of the mouth over time, from which the figures of the open model are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.interpolate import make_interp_spline

from memorytalker.evaluation import metrics
from memorytalker.face.head import HeadMesh

#: Landmarks that `mouth_of` uses.
MARKS = ("inner_lip_upper", "inner_lip_lower", "mouth_left", "mouth_right", "chin", "nose_bridge", "upper_teeth")


@dataclass(frozen=True)
class Mouth:
    """Distances of the mouth, each (T,) in metres, in the image plane (x, y) of a camera in front of the face.

    gap: lip opening, the height between the inner lips, 0 for pressed lips. width: between the mouth corners. jaw: from
    chin to nose bridge. lip_to_teeth: how far the inner edge of the lower lip lies below the edge of the upper teeth, 0
    where it touches or covers it. fps: frames per second; frame i covers [i / fps, (i + 1) / fps).
    """

    fps: float
    gap: np.ndarray
    width: np.ndarray
    jaw: np.ndarray
    lip_to_teeth: np.ndarray


class HasPoints(Protocol):
    """The part of `face.head_motion.HeadMotion` that is measured here."""

    def at(self, vertices: list[int] | np.ndarray) -> np.ndarray:
        """Positions (T, n, 3) in metres of `n` vertices."""
        ...


def mouth_of(head: HeadMesh, motion: HasPoints, fps: float) -> Mouth:
    """Measure the mouth on a motion, without its other vertices. Raises KeyError if the head lacks one of `MARKS`."""
    return _mouth(motion.at([head.landmarks[name] for name in MARKS]), fps)


def mouth_of_curves(head: HeadMesh, weights: np.ndarray, fps: float) -> Mouth:
    """Measure the mouth of `head` under face curves (T, 52), in the order of its blendshapes."""
    marks = [head.landmarks[name] for name in MARKS]
    return _mouth(head.template[marks] + np.einsum("ts,smc->tmc", weights, head.blendshapes[:, marks]), fps)


def _mouth(points: np.ndarray, fps: float) -> Mouth:
    upper, lower, left, right, chin, bridge, teeth = np.moveaxis(points[..., :2].astype(np.float64), 1, 0)
    return Mouth(
        fps=fps,
        gap=metrics.lip_gap(points, 0, 1).astype(np.float64),
        width=np.linalg.norm(left - right, axis=-1),
        jaw=np.linalg.norm(chin - bridge, axis=-1),
        lip_to_teeth=np.maximum(teeth[:, 1] - lower[:, 1], 0.0),
    )


def eye_distance(head: HeadMesh) -> float:
    """Metres between the outer eye corners of the neutral head: the unit of lengths tracked in video."""
    marks, template = head.landmarks, head.template
    return float(np.linalg.norm(template[marks["eye_left_outer"]] - template[marks["eye_right_outer"]]))


def at_frames(curve: np.ndarray, fps: float, frames: int, new_fps: float) -> np.ndarray:
    """Resample a curve to the frame centres of another rate, by a cubic spline with its end values held.

    Linear interpolation would damp the fast movement that is to be compared.

    Args:
        curve: (T,) any unit.
        fps: frames per second of `curve`.
        frames: number of frames of the result.
        new_fps: frames per second of the result.

    Returns:
        (frames,) in the unit of `curve`.
    """
    if len(curve) == 1:
        return np.full(frames, curve[0])
    own = (np.arange(len(curve)) + 0.5) / fps
    times = np.clip((np.arange(frames) + 0.5) / new_fps, own[0], own[-1])
    return make_interp_spline(own, curve, k=min(3, len(curve) - 1))(times)

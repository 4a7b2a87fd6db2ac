"""Dirty rectangle: only the face of a talking head moves, so later frames are redrawn in one box."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from memorytalker.rendering.edges import LONGEST_SEARCH
from memorytalker.rendering.scene import Camera

#: Pixels along a box's sides where antialiasing may lack pixels outside of it, and pixels added around what moves.
RIM, MARGIN = LONGEST_SEARCH + 1, LONGEST_SEARCH + 4
#: A box larger than this share of the frame saves too little.
LARGEST = 0.8


@dataclass(frozen=True)
class Box:
    """A rectangle of a frame in pixels: columns left <= x < right, rows top <= y < bottom, counted from the top."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    def of(self, frame: np.ndarray) -> np.ndarray:
        """Return the box's part of a frame (H, W, ...), as a view."""
        return frame[self.top : self.bottom, self.left : self.right]

    def put(self, part: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """Return a copy of a frame (H, W, C) with `part` in this box, except for a rim in which nothing moves."""
        height, width = frame.shape[:2]
        top, left = (RIM if side > 0 else 0 for side in (self.top, self.left))
        bottom, right = (RIM if side < end else 0 for side, end in ((self.bottom, height), (self.right, width)))
        whole = frame.copy()
        rows, columns = slice(top, self.size[1] - bottom), slice(left, self.size[0] - right)
        self.of(whole)[rows, columns] = part[rows, columns]
        return whole


def project(points: np.ndarray, camera: Camera, width: int, height: int) -> np.ndarray:
    """Project points to pixels.

    Args:
        points: (P, 3) in metres.
        camera: the camera.
        width: of the frame in pixels.
        height: of the frame in pixels.

    Returns:
        (P, 2) columns and rows, from the upper left corner.
    """
    position = np.array(camera.position)
    toward = np.array(camera.focal_point) - position
    toward /= np.linalg.norm(toward)
    aside = np.cross(toward, (0.0, 1.0, 0.0))
    aside /= np.linalg.norm(aside)
    seen = (points - position) @ np.stack([aside, np.cross(aside, toward), toward], axis=1)
    at = seen[:, :2] / seen[:, 2:] / math.tan(math.radians(camera.view_angle / 2)) * height / 2
    return np.column_stack([width / 2 + at[:, 0], height / 2 - at[:, 1]])


def moving_box(
    lowest: np.ndarray, highest: np.ndarray, changes: np.ndarray, camera: Camera, width: int, height: int
) -> Box | None:
    """Find the box that encloses all motion.

    Args:
        lowest: (V, 3) each vertex's smallest coordinates over all frames, in metres.
        highest: (V, 3) the largest.
        changes: (P,) indices of the vertices that move.
        camera: the camera.
        width: of the frame in pixels.
        height: of the frame in pixels.

    Returns:
        The box; None if nothing moves, or the box would be most of the frame.
    """
    if not len(changes):
        return None
    ends = np.stack([lowest[changes], highest[changes]])
    corners = [ends[list(which), :, range(3)].T for which in itertools.product((0, 1), repeat=3)]
    at = np.concatenate([project(corner, camera, width, height) for corner in corners])
    left, top = np.floor(at.min(axis=0) - MARGIN).astype(int).tolist()
    right, bottom = np.ceil(at.max(axis=0) + MARGIN).astype(int).tolist()
    box = Box(max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    return box if min(box.size) > 2 * RIM and math.prod(box.size) < LARGEST * width * height else None

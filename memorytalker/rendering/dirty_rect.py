"""The moving part: of a talking head only the face moves, so later pictures are drawn anew in one box alone."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from memorytalker.rendering.edges import FARTHEST
from memorytalker.rendering.scene import Camera

#: Pixels at a box's sides along which edges may have been followed out of it, and all pixels around what moves.
RIM, MARGIN = FARTHEST + 1, FARTHEST + 4
#: A box larger than this share of the picture saves too little.
LARGEST = 0.8


@dataclass(frozen=True)
class Box:
    """A part of a picture in pixels: columns `left` to before `right`, rows `top` to before `bottom`, from the top."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    def of(self, picture: np.ndarray) -> np.ndarray:
        """The box's part of a picture (H, W, ...), a view."""
        return picture[self.top : self.bottom, self.left : self.right]

    def put(self, part: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """A new picture (H, W, 3) with `part` in this box, but for a rim in which nothing moves."""
        height, width = picture.shape[:2]
        top, left = (RIM if side > 0 else 0 for side in (self.top, self.left))
        bottom, right = (RIM if side < end else 0 for side, end in ((self.bottom, height), (self.right, width)))
        whole = picture.copy()
        rows, columns = slice(top, self.size[1] - bottom), slice(left, self.size[0] - right)
        self.of(whole)[rows, columns] = part[rows, columns]
        return whole


def project(points: np.ndarray, camera: Camera, width: int, height: int) -> np.ndarray:
    """Columns and rows (P, 2) at which points (P, 3) appear in a picture, in pixels from its upper left corner."""
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
    """The box of a picture that the vertices `changes` (P,) never leave; None where hardly anything stands still.

    lowest, highest (V, 3): each vertex's smallest and largest coordinates over all frames.
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

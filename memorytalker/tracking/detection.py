"""Faces in an image: the answer of a BlazeFace network as boxes, and the square that a landmark network wants to see.

Image coordinates: x to the viewer's right, y down; the colour of pixel i lies at i.

Source: Bazarevsky et al. 2019, arXiv 1907.05047 (BlazeFace); the numbers are those of its published short-range model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Width and height in pixels of what the detector sees.
DETECTOR_SIZE = 128
#: Pixels between the places of anchors, and anchors at each place: 16 x 16 x 2 + 8 x 8 x 6 = 896.
_GRIDS = ((8, 2), (16, 6))
ANCHORS = sum((DETECTOR_SIZE // stride) ** 2 * count for stride, count in _GRIDS)
#: What the detector marks in a face, in this order; left and right are the person's own.
KEYPOINTS = ("eye_right", "eye_left", "nose", "mouth", "ear_right", "ear_left")
#: Numbers for each anchor: centre, width and height of the box, then the keypoints.
REGRESSORS = 4 + 2 * len(KEYPOINTS)
#: A face counts from this score on; boxes that overlap by more than this share are one face.
LEAST_SCORE, _OVERLAP = 0.5, 0.3
#: A face's square is its box enlarged to this.
ENLARGED = 1.5
_LARGEST_LOGIT = 100.0


@dataclass(frozen=True)
class Square:
    """A square part of an image, which may be turned and may reach beyond the image.

    Attributes:
        x: of its middle, in pixels.
        y: of its middle, in pixels.
        side: in pixels.
        turn: angle of its upper edge in the image, in radians, clockwise as seen.
    """

    x: float
    y: float
    side: float
    turn: float = 0.0

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Convert points of the square to points of the image.

        Args:
            points: (..., 2), from (0, 0) at its upper left corner to (1, 1).

        Returns:
            (..., 2) in pixels of the image.
        """
        across = np.array([math.cos(self.turn), math.sin(self.turn)])
        down = np.array([-across[1], across[0]])
        aside = (np.asarray(points, float) - 0.5) * self.side
        return np.array([self.x, self.y]) + aside[..., :1] * across + aside[..., 1:] * down

    def grid(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Compute where `size` x `size` points of the square lie, point (i, j) at (j / size, i / size) of it.

        Returns:
            x and y in pixels of the image, (size, size) each: what `to_image` gives, to the last bit, in less
            time.
        """
        line = (np.arange(size) / size - 0.5) * self.side
        across, down = math.cos(self.turn), math.sin(self.turn)
        x = (self.x + line * across) + (line * -down)[:, None]
        return x, (self.y + line * down) + (line * across)[:, None]


@dataclass(frozen=True)
class Detection:
    """A face found in an image.

    Attributes:
        centre: (2,) middle of its box, in pixels.
        size: (2,) width and height of its box, in pixels.
        keypoints: (6, 2) in pixels, named by `KEYPOINTS`.
        score: from `LEAST_SCORE` to 1.
    """

    centre: np.ndarray
    size: np.ndarray
    keypoints: np.ndarray
    score: float

    def square(self) -> Square:
        """Compute the upright square around the face, half as large again as its box."""
        right, left = self.keypoints[KEYPOINTS.index("eye_right")], self.keypoints[KEYPOINTS.index("eye_left")]
        return upright_square(self.centre, self.size, right, left)


def upright_square(centre: np.ndarray, size: np.ndarray, eye_right: np.ndarray, eye_left: np.ndarray) -> Square:
    """Compute the square around a face, turned so that the eyes are level in it.

    Args:
        centre: (2,) middle of the face's box, in pixels.
        size: (2,) width and height of the box, in pixels.
        eye_right: (2,) the person's right eye, on the viewer's left.
        eye_left: (2,) the left eye.

    Returns:
        The square; its side is the longer side of the box, enlarged by half.
    """
    across = np.asarray(eye_left, float) - eye_right
    return Square(float(centre[0]), float(centre[1]), ENLARGED * float(max(size)), math.atan2(across[1], across[0]))


def whole_square(width: int, height: int) -> Square:
    """The smallest square that holds an image of that size in pixels, both with the same middle."""
    return Square(width / 2, height / 2, float(max(width, height)))


def cut_square(image: np.ndarray, square: Square, size: int, beyond: str = "edge") -> np.ndarray:
    """Cut a square out of an image and scale it, linearly between pixels.

    Nothing is averaged, and pixel i of the result is what lies at i / size of the square, as the networks' publisher
    samples. They answer differently to a smoother image or one half a pixel aside: of a filmed mouth's motion, the
    correlation with theirs then falls from 0.99 to 0.95.

    Args:
        image: (H, W, 3) uint8.
        square: what to cut.
        size: width and height of the result in pixels.
        beyond: what lies outside the image: "edge" (its outermost pixels, repeated) or "black".

    Returns:
        (size, size, 3) float32 from 0 to 255.
    """
    x, y = square.grid(size)
    (left, right, share_x), (upper, lower, share_y) = _neighbours(x, image.shape[1]), _neighbours(y, image.shape[0])
    pixels = np.ascontiguousarray(image).reshape(-1, image.shape[2])
    share_x, share_y = share_x[..., None], share_y[..., None]
    above, below = (
        _between(pixels.take(row + left, axis=0), pixels.take(row + right, axis=0), share_x)
        for row in (upper * image.shape[1], lower * image.shape[1])
    )
    result = _between(above, below, share_y)
    if beyond == "black":
        result *= (_inside(x, image.shape[1]) * _inside(y, image.shape[0]))[..., None]
    return result


def _neighbours(places: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels of a line before and after places, held inside it, and how near each place is to the latter."""
    first = np.floor(places)
    share = (places - first).astype(np.float32)
    first = np.clip(first, -1, length - 1).astype(np.int32)
    return np.maximum(first, 0), np.minimum(first + 1, length - 1), share


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours between two: the first where the share is 0, the second where it is 1."""
    mixed = second.astype(np.float32)
    mixed -= first
    mixed *= share
    mixed += first
    return mixed


def _inside(places: np.ndarray, length: int) -> np.ndarray:
    """How much of the two pixels about each place lies on a line of pixels, from 0 to 1."""
    return np.clip(np.minimum(places + 1, length - places), 0, 1).astype(np.float32)


def anchor_centres() -> np.ndarray:
    """Compute the middles of the detector's anchors.

    Returns:
        (896, 2) as shares of the width and height that the detector sees.
    """
    grids = []
    for stride, count in _GRIDS:
        line = (np.arange(DETECTOR_SIZE // stride) + 0.5) * stride / DETECTOR_SIZE
        places = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
        grids.append(np.repeat(places, count, axis=0))
    return np.concatenate(grids)


def decode_detections(regressors: np.ndarray, logits: np.ndarray, seen: Square) -> tuple[Detection, ...]:
    """Turn the detector's answer into faces.

    Args:
        regressors: (896, 16) offsets from the anchors, in pixels of what it saw.
        logits: (896,) scores before the sigmoid.
        seen: the part of the image that it saw.

    Returns:
        The faces, each once, the surest first.
    """
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits.astype(float), -_LARGEST_LOGIT, _LARGEST_LOGIT)))
    found = np.flatnonzero(scores >= LEAST_SCORE)
    found = found[np.argsort(-scores[found], kind="stable")]
    pairs = regressors[found].astype(float).reshape(len(found), REGRESSORS // 2, 2) / DETECTOR_SIZE
    pairs[:, 0] += anchor_centres()[found]
    pairs[:, 2:] += anchor_centres()[found, None]
    faces = []
    left = np.arange(len(found))
    while len(left):
        same = _overlaps(pairs[left[0]], pairs[left]) > _OVERLAP
        same[0] = True
        weights = scores[found[left[same]]]
        centre, size, *_ = face = np.average(pairs[left[same]], axis=0, weights=weights)
        keypoints = seen.to_image(face[2:])
        faces.append(Detection(seen.to_image(centre), size * seen.side, keypoints, float(scores[found[left[0]]])))
        left = left[~same]
    return tuple(faces)


def _overlaps(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) shared area over united area of a box and n others; rows 0 and 1 of each are centre and size."""
    low = np.maximum(one[0] - one[1] / 2, others[:, 0] - others[:, 1] / 2)
    high = np.minimum(one[0] + one[1] / 2, others[:, 0] + others[:, 1] / 2)
    shared = np.clip(high - low, 0, None).prod(1)
    united = one[1].prod() + others[:, 1].prod(1) - shared
    return shared / np.maximum(united, 1e-12)

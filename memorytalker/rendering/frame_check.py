"""Does a frame show the head that was asked for? A driver that runs out of memory draws noise and reports no error.

What must be in a frame is known without drawing: the background, where the head can reach, where its vertices are; and
of a later frame, of which only a box is drawn, the rim of the box, in which nothing moves.
"""

from __future__ import annotations

import itertools

import numpy as np

from memorytalker.options import RenderOptions
from memorytalker.rendering.dirty_rect import RIM, Box, project
from memorytalker.rendering.scene import Camera, parse_color

#: Distance in pixels of the samples by which a frame is checked.
STEP = 8
#: Two pixels differ if one of their channels does by more than this, of 255.
APART = 8
#: The share of samples that may differ where nothing should, for a stray pixel.
STRAY = 0.01
#: Smallest share of a frame that a head fills, and of its vertices whose pixels are not the background's.
SMALLEST_SHARE, SMALLEST_COVERED = 0.05, 0.5
#: Smallest brightness of a head's brightest pixels, and smallest range of brightness, of 255.
SMALLEST_BRIGHTNESS = 40


class FrameCheck:
    """Checks the frames of one head and one camera.

    Args:
        options: size and background of the frames.
        camera: the camera.
        empty: (H, W, C) uint8, the frame without a head, as drawn.
        faces: (F, 3) the head's triangles.
        lowest: (V, 3) each vertex's smallest coordinates over all frames, in metres.
        highest: (V, 3) the largest.
    """

    def __init__(
        self,
        options: RenderOptions,
        camera: Camera,
        empty: np.ndarray,
        faces: np.ndarray,
        lowest: np.ndarray,
        highest: np.ndarray,
    ) -> None:
        self._options, self._camera = options, camera
        self._empty = empty
        self._within = _reach(faces, lowest, highest, camera, options.width, options.height)
        self._box: Box | None = None
        self._rim: list[tuple[tuple[slice, slice], np.ndarray]] = []

    def background(self) -> bool:
        """Whether the frame without a head is the background that was asked for."""
        height = len(self._empty)
        if self._options.transparent:
            return not self._empty[::STEP, ::STEP].any()
        rows = (height - 0.5 - np.arange(0, height, STEP)) / height  # from the bottom, as the gradient runs
        low, high = (
            255 * np.array(parse_color(color))
            for color in (self._options.background_bottom, self._options.background_top)
        )
        expected = (low + rows[:, None] * (high - low))[:, None]
        return bool((np.abs(self._empty[::STEP, ::STEP] - expected).max(axis=2) > APART).mean() <= STRAY)

    def whole(self, image: np.ndarray, vertices: np.ndarray) -> bool:
        """Whether a whole frame (H, W, C) shows the vertices (V, 3), in metres, and nothing where no head can be."""
        sample = image[::STEP, ::STEP].astype(np.int16)
        changed = np.abs(sample - self._empty[::STEP, ::STEP]).max(axis=2) > APART
        outside = changed[~self._within]
        if changed.mean() < SMALLEST_SHARE or (outside.size and outside.mean() > STRAY):
            return False
        width, height = self._options.width, self._options.height
        column, row = np.floor(project(vertices, self._camera, width, height)).astype(int).T
        seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        at = row[seen], column[seen]
        covered = (image[at] != self._empty[at]).any(axis=1)
        if not covered.size or covered.mean() < SMALLEST_COVERED:
            return False
        color = sample[..., :3]
        return bool(color.max() >= SMALLEST_BRIGHTNESS and np.ptp(color) >= SMALLEST_BRIGHTNESS)

    def narrow(self, box: Box, whole: np.ndarray) -> None:
        """From here on frames are of the box alone; its rim stays as it is in the frame `whole` (H, W, C)."""
        self._box = box
        height, width = whole.shape[:2]
        everything, part = slice(None), box.of(whole)
        sides = (
            (box.top > 0, (slice(0, RIM), everything)),
            (box.bottom < height, (slice(-RIM, None), everything)),
            (box.left > 0, (everything, slice(0, RIM))),
            (box.right < width, (everything, slice(-RIM, None))),
        )
        self._rim = [(place, part[place].astype(np.int16)) for inside, place in sides if inside]

    def boxed(self, image: np.ndarray) -> bool:
        """Whether a frame's box goes on where the first frame ends."""
        apart = [np.abs(image[place] - still).max(axis=2) > APART for place, still in self._rim]
        return bool(sum(one.sum() for one in apart) <= STRAY * sum(one.size for one in apart))


def _reach(
    faces: np.ndarray, lowest: np.ndarray, highest: np.ndarray, camera: Camera, width: int, height: int
) -> np.ndarray:
    """Samples of a frame, (H / STEP, W / STEP) bool, that the head may cover: inside a triangle's bounds, or close."""
    ends = np.stack([lowest, highest])
    corners = [ends[list(which), :, range(3)].T for which in itertools.product((0, 1), repeat=3)]
    at = np.stack([project(corner, camera, width, height) for corner in corners])
    first, last = at.min(axis=0)[faces].min(axis=1), at.max(axis=0)[faces].max(axis=1)
    rows, columns = -(-height // STEP), -(-width // STEP)
    left, top = np.clip(np.floor(first / STEP).astype(int) - 1, 0, (columns, rows)).T
    right, bottom = np.clip(np.ceil(last / STEP).astype(int) + 2, 0, (columns, rows)).T
    # Each rectangle adds one at its corners so that the sums over rows and columns count those that cover a sample.
    counts = np.zeros((rows + 1, columns + 1), np.int64)
    for row, column, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(counts, (row, column), sign)
    return counts.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0

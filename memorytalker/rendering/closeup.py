"""Close-up images of a mouth, cut from large images of the head, so that a millimetre is several pixels wide."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from memorytalker.face.head import HeadMesh
from memorytalker.options import RenderOptions
from memorytalker.rendering import scene
from memorytalker.rendering.renderer import render_frames

#: Width and height in metres of what a close-up shows.
SHOWN_WIDTH, SHOWN_HEIGHT = 0.116, 0.087
#: Width and height in pixels of the image it is cut from.
WHOLE = 1120


def mouth_images(head: HeadMesh, faces: np.ndarray, whole: int = WHOLE) -> list[np.ndarray]:
    """Render close-ups of the mouth.

    Args:
        head: the head; without landmarks at the corners of its mouth the whole face is shown.
        faces: (k, V, 3) vertices in metres.
        whole: width and height in pixels of the image they are cut from; an even number.

    Returns:
        k images (H, W, 3) uint8 sRGB of one size, all cut in the same place.

    Raises:
        HeadError, RenderError: as `renderer.render_frames`.
    """
    options = RenderOptions(width=whole, height=whole)
    images = list(render_frames(head, np.asarray(faces, np.float32), options))
    if not {"mouth_left", "mouth_right"} <= set(head.landmarks):
        return [image[::2, ::2] for image in images]
    rows, columns = _cut(head, options)
    return [np.ascontiguousarray(image[rows, columns]) for image in images]


def _cut(head: HeadMesh, options: RenderOptions) -> tuple[slice, slice]:
    scale = scene.natural_scale(head)
    if scale != 1.0:
        head = dataclasses.replace(head, template=head.template * np.float32(scale))
    camera = scene.frame_head(head, options)
    middle = head.template[[head.landmarks["mouth_left"], head.landmarks["mouth_right"]]].mean(axis=0)
    aside = middle - np.asarray(camera.focal_point)  # the front camera looks along -z
    distance = camera.position[2] - float(middle[2])
    pixels = options.height / 2 / math.tan(math.radians(camera.view_angle / 2)) / distance  # a metre there
    across, down = round(SHOWN_WIDTH * pixels), round(SHOWN_HEIGHT * pixels)
    x = round(options.width / 2 + float(aside[0]) * pixels - across / 2)
    y = round(options.height / 2 - float(aside[1]) * pixels - 0.5 * down)
    x, y = min(max(x, 0), options.width - across), min(max(y, 0), options.height - down)
    return slice(y, y + down), slice(x, x + across)

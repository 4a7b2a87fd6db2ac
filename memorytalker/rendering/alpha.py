"""Colours behind an outline, for video with alpha, whose codecs share colour between neighbouring pixels."""

from __future__ import annotations

import numpy as np


def extend_colors(frame: np.ndarray) -> np.ndarray:
    """Continue the colours of a frame into its transparent part.

    In 4:2:0 four pixels share a colour, and a codec smooths over more of them. Without this the black of transparent
    pixels would show as a dark fringe around the head. Each of them takes on the mean colour of the smallest cell of a
    pyramid around it that is not all transparent.

    Args:
        frame: (H, W, 4) uint8 with alpha that is not premultiplied.

    Returns:
        A new frame, in which only colours of pixels with alpha 0 differ.

    Source:
        Gortler et al., The Lumigraph, SIGGRAPH 1996 (pull-push), doi:10.1145/237170.237200.
    """
    shown = frame[..., 3] > 0
    if shown.all():
        return frame.copy()
    sums, weights = _halved(frame[..., :3] * shown[..., None].astype(np.float32)), _halved(shown.astype(np.float32))
    levels = [(sums, weights)]
    while max(weights.shape) > 1:
        sums, weights = _halved(sums), _halved(weights)
        levels.append((sums, weights))
    filled = np.zeros((1, 1, 3), np.float32)
    for sums, weights in reversed(levels):
        behind = _doubled(filled, weights.shape)
        filled = np.where(weights[..., None] > 0, sums / np.maximum(weights, 1)[..., None], behind)
    colors = _doubled((filled + 0.5).astype(np.uint8), shown.shape)
    extended = frame.copy()
    extended[..., :3] = np.where(shown[..., None], frame[..., :3], colors)
    return extended


def _halved(values: np.ndarray) -> np.ndarray:
    """The sums of cells of two by two, (ceil(H / 2), ceil(W / 2), ...)."""
    height, width = values.shape[:2]
    if height % 2 or width % 2:
        values = np.pad(values, [(0, height % 2), (0, width % 2)] + [(0, 0)] * (values.ndim - 2))
    rows = values[::2] + values[1::2]
    return rows[:, ::2] + rows[:, 1::2]


def _doubled(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Every value four times, cut to the rows and columns of `shape`."""
    return values.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]

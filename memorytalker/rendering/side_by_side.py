"""Frames of two or more videos side by side, such as a prediction and the ground truth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from memorytalker.rendering.stage import RenderError


def side_by_side(*videos: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Join frames from left to right, one frame of each video in memory at a time.

    Args:
        videos: iterators of frames (H, W, 3) of one height; closing the result closes them.

    Returns:
        An iterator of frames (H, W1 + W2 + ..., 3).

    Raises:
        RenderError: no videos, or, while iterating, videos of different heights or lengths.
    """
    if not videos:
        raise RenderError("There are no videos to put side by side; give at least one.")
    return _joined(videos)


def _joined(videos: tuple[Iterator[np.ndarray], ...]) -> Iterator[np.ndarray]:
    with contextlib.ExitStack() as stack:
        for video in videos:
            if hasattr(video, "close"):
                stack.callback(video.close)
        try:
            for frames in zip(*videos, strict=True):
                if len({len(frame) for frame in frames}) > 1:
                    raise RenderError("Videos side by side need frames of one height.")
                yield np.hstack(frames)
        except ValueError as error:
            if "zip()" not in str(error):
                raise
            raise RenderError("Videos side by side need the same number of frames.") from None

"""Frames: the vertices of a moving head as a sequence that need not lie in memory, and how it is walked through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

#: Frames of vertices that are held at a time.
BLOCK = 64


class Frames(Protocol):
    """The vertices of a moving head: a sequence of T frames (V, 3) float32 in metres, computed when asked for.

    An array (T, V, 3) is one.
    """

    def __len__(self) -> int: ...  # noqa: D105

    def __getitem__(self, span: slice) -> np.ndarray: ...  # noqa: D105

    def __iter__(self) -> Iterator[np.ndarray]: ...  # noqa: D105


def blocks(frames: Frames, size: int = BLOCK) -> Iterator[np.ndarray]:
    """Walk through frames in blocks, so that long motion is never in memory as a whole.

    Args:
        frames: T frames (V, 3).
        size: frames in a block, at most.

    Returns:
        An iterator of arrays (t, V, 3), t <= `size`, in order.
    """
    for start in range(0, len(frames), size):
        yield np.asarray(frames[start : start + size])


def frame_by_frame(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mix `rows` for each frame, so that a frame's bits do not depend on the frames around it.

    In one product of matrices they do on some processors, whose last rows of a block are added up in another order. One
    product a frame takes no longer: reading `rows` is what takes the time.

    Args:
        weights: (T, K).
        rows: (K, M), in order in memory.

    Returns:
        `weights` @ `rows`, (T, M) of the type of `rows`.
    """
    weights = np.ascontiguousarray(weights, rows.dtype)
    mixed = np.empty((len(weights), rows.shape[1]), rows.dtype)
    for frame, out in zip(weights, mixed, strict=True):
        np.dot(frame, rows, out=out)
    return mixed

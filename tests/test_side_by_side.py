"""Videos side by side: from left to right, as long as each other, closed together."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.rendering import RenderError, side_by_side


def video(color: int, count: int, shape: tuple[int, int] = (4, 6), closed: list | None = None):
    try:
        for number in range(count):
            yield np.full((*shape, 3), color + number, np.uint8)
    finally:
        if closed is not None:
            closed.append(color)


def test_frames_stand_from_left_to_right() -> None:
    joined = list(side_by_side(video(10, 3), video(100, 3, (4, 2))))
    assert len(joined) == 3 and joined[0].shape == (4, 8, 3)
    assert (joined[2][:, :6] == 12).all() and (joined[2][:, 6:] == 102).all()


def test_videos_that_differ_are_refused() -> None:
    with pytest.raises(RenderError, match="same number"):
        list(side_by_side(video(10, 3), video(100, 2)))
    with pytest.raises(RenderError, match="one height"):
        list(side_by_side(video(10, 3), video(100, 3, (6, 6))))
    with pytest.raises(RenderError, match="at least one"):
        side_by_side()


def test_all_are_closed_when_reading_stops() -> None:
    closed: list[int] = []
    joined = side_by_side(video(10, 9, closed=closed), video(100, 9, closed=closed))
    next(joined)
    joined.close()
    assert sorted(closed) == [10, 100]

"""A frame that is not the head that was asked for is never delivered, whatever else it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from memorytalker.face.head import HeadMesh, load_head
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames, stage
from memorytalker.rendering.stage import RenderError

SMALL = RenderOptions(width=160, height=160)
Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def frames(head: HeadMesh) -> np.ndarray:
    """Twelve frames in which the jaw opens; from the second on a box is drawn."""
    opening = np.linspace(0, 1, 12, dtype=np.float32)[:, None, None] * head.blendshape("jawOpen")
    return head.template + opening


def noise(image: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)


def black(image: np.ndarray) -> np.ndarray:
    return np.zeros_like(image)


def shifted(image: np.ndarray) -> np.ndarray:
    return np.roll(image, 40, axis=1)


def planted(monkeypatch: pytest.MonkeyPatch, change: Change, first: int) -> None:
    """Change what is read of the graphics card, from the image of that number on; image 0 is the empty background."""
    read, count = stage.Stage._read, iter(range(1000))

    def changed(drawn: Any) -> np.ndarray:
        image = read(drawn)
        return change(image) if next(count) >= first else image

    monkeypatch.setattr(stage.Stage, "_read", changed)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(
    ("change", "first", "frame"),
    [
        (noise, 0, 0),  # as with too little memory: 17 of 20 videos of noise were delivered with exit code 0
        (black, 0, 0),
        (noise, 1, 0),
        (shifted, 1, 0),
        (black, 4, 3),
        (noise, 4, 3),
        (shifted, 4, 3),
        (lambda image: image[::-1].copy(), 4, 3),
    ],
    ids=["all noise", "all black", "noise", "elsewhere", "black box", "noisy box", "shifted box", "turned box"],
)
def test_what_is_no_head_is_refused(
    head: HeadMesh, frames: np.ndarray, monkeypatch, change: Change, first: int, frame: int, transparent: bool
) -> None:
    planted(monkeypatch, change, first)
    drawn = 0
    with pytest.raises(RenderError, match=f"no head in frame {frame}, perhaps for lack of memory"):
        for _ in render_frames(head, frames, RenderOptions(width=160, height=160, transparent=transparent)):
            drawn += 1
    assert drawn == frame


@pytest.mark.parametrize("colors", [("#000000", "#ffffff"), ("#ffffff", "#ffffff"), ("#d6a088", "#12ff34")])
def test_every_background_is_known(head: HeadMesh, frames: np.ndarray, colors: tuple[str, str]) -> None:
    options = RenderOptions(width=200, height=100, background_top=colors[0], background_bottom=colors[1])
    assert len(list(render_frames(head, frames[:3], options))) == 3


def test_another_head_in_the_place_of_this_one_is_refused(head: HeadMesh, frames: np.ndarray, monkeypatch) -> None:
    """Planted: the frames of a head that is drawn a third as large."""
    small = next(iter(render_frames(head, frames[:1], SMALL)))[::3, ::3]
    background = next(iter(render_frames(head, frames[:1], SMALL)))[:, :1].repeat(160, axis=1)

    def other(image: np.ndarray) -> np.ndarray:
        changed = background.copy()
        changed[: len(small), : len(small)] = small
        return changed

    planted(monkeypatch, other, 1)
    with pytest.raises(RenderError, match="no head in frame 0"):
        list(render_frames(head, frames[:1], SMALL))


def test_a_renderer_without_memory_says_so(head: HeadMesh, frames: np.ndarray, monkeypatch) -> None:
    def lacking(image: np.ndarray) -> np.ndarray:
        raise MemoryError

    planted(monkeypatch, lacking, 0)
    with pytest.raises(RenderError, match="^There is not enough memory for this"):
        list(render_frames(head, frames[:1], SMALL))

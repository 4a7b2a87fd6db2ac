"""Drawing only where the face moves gives the images that drawing everything gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from memorytalker.face.head import HeadMesh, load_head
from memorytalker.options import CAMERAS, RenderOptions
from memorytalker.rendering import render_frames, renderer, scene, stage
from memorytalker.rendering.dirty_rect import Box, moving_box, project

SIZE = 256


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def spoken(head: HeadMesh, count: int, *names: str) -> np.ndarray:
    """(T, V, 3): each of the named curves rises and falls, one after the other."""
    weights = np.maximum(np.sin(np.arange(count)[:, None] * 0.9 + 2.0 * np.arange(len(names))), 0).astype(np.float32)
    shapes = np.stack([head.blendshape(name) for name in names])
    return head.template + 0.6 * np.tensordot(weights, shapes, 1)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("names", [("jawOpen", "mouthFunnel"), ("jawOpen", "eyeBlinkLeft", "browInnerUp")])
def test_a_box_and_the_whole_are_the_same(
    head: HeadMesh, camera: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = RenderOptions(width=SIZE, height=SIZE, camera=camera)
    frames = spoken(head, 10, *names)
    drawn: list[Box | None] = []
    read = stage.Stage._read
    monkeypatch.setattr(stage.Stage, "_read", lambda self: (drawn.append(self.box), read(self))[1])
    some = np.stack(list(render_frames(head, frames, options)))
    box = drawn[-1]
    assert drawn[:2] == [None, None] and box is not None and np.prod(box.size) < 0.75 * SIZE**2
    monkeypatch.setattr(renderer, "FEW", len(frames))
    whole = np.stack(list(render_frames(head, frames, options)))
    outside = np.ones((SIZE, SIZE), bool)
    box.of(outside)[:] = False
    np.testing.assert_array_equal(some[:, outside], whole[:, outside])
    # The background is dithered, and a pixel at an edge may fall to the other side of it.
    differs = np.abs(some.astype(int) - whole) > 1
    assert differs.mean() < 5e-4
    assert np.abs(whole[3].astype(int) - whole[0]).max() > 60  # something did move


def test_a_small_box_of_even_skin_is_a_frame_and_a_blank_one_is_not(
    head: HeadMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = RenderOptions(width=SIZE, height=SIZE)
    middle = head.template[head.landmarks["inner_lip_upper"]] + np.float32([0.0, 0.1, 0.0])
    near = np.linalg.norm((head.template - middle)[:, :2], axis=1) < 0.008  # of the forehead, and what lies behind
    frames = np.repeat(head.template[None], 10, axis=0)
    frames[1::2, near] += np.float32([0.0, 0.0, 0.002])
    assert len(list(render_frames(head, frames, options))) == 10
    read = stage.Stage._read

    def blank(self: stage.Stage) -> np.ndarray:
        return read(self) * np.uint8(self.box is None)

    monkeypatch.setattr(stage.Stage, "_read", blank)
    with pytest.raises(stage.RenderError, match="drew no head in frame 1"):
        list(render_frames(head, spoken(head, 10, "jawOpen"), options))


def test_a_head_that_moves_as_a_whole_is_drawn_whole(head: HeadMesh) -> None:
    options = RenderOptions(width=SIZE, height=SIZE, antialias=False)
    frames = head.template + np.linspace(0, 0.06, 12, dtype=np.float32)[:, None, None] * np.float32([1, 0, 0])
    images = list(render_frames(head, frames, options))
    alone = next(render_frames(head, frames[-1:], options))
    np.testing.assert_array_equal(images[-1], alone)


def test_what_moves_is_in_the_box(head: HeadMesh) -> None:
    options = RenderOptions(width=SIZE, height=SIZE)
    camera, frames = scene.frame_head(head, options), spoken(head, 6, "jawOpen")
    moves = np.flatnonzero((frames != frames[:1]).any(axis=(0, 2)))
    box = moving_box(frames.min(axis=0), frames.max(axis=0), moves, camera, SIZE, SIZE)
    at = np.concatenate([project(frame[moves], camera, SIZE, SIZE) for frame in frames])
    assert (at >= (box.left, box.top)).all() and (at <= (box.right, box.bottom)).all()
    still = moving_box(head.template, head.template, np.zeros(0, int), camera, SIZE, SIZE)
    everywhere = moving_box(head.template - 0.1, head.template + 0.1, np.arange(len(head.template)), camera, SIZE, SIZE)
    assert still is None and everywhere is None


def test_a_part_is_put_in_its_place_but_for_its_rim() -> None:
    image, box = np.zeros((60, 50, 3), np.uint8), Box(10, 0, 40, 60)
    put = box.put(np.full((60, 30, 3), 9, np.uint8), image)
    expected = np.zeros((60, 50), bool)
    expected[:, 19:31] = True
    np.testing.assert_array_equal(put[..., 0] == 9, expected)
    assert not image.any() and dataclasses.astuple(box)[2:] == (40, 60)

"""Error in colour: millimetres become the colour of the scale, on the right vertices and in the frame."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.face.head import HeadMesh, load_head
from memorytalker.options import RenderOptions
from memorytalker.rendering import RenderError, render_frames, scene
from memorytalker.rendering.error_colormap import (
    ANCHORS,
    LARGEST_MILLIMETRES,
    errors_to_colors,
    scale_colors,
    vertex_errors,
)

SMALL = RenderOptions(width=192, height=192, antialias=False)
#: What the three kinds of colour blindness leave of linear light (Machado, Oliveira, Fernandes 2009, severity 1).
BLIND = {
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def lightness(colors: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB (n, 3) for eyes of the matrix `seen`."""
    share = np.asarray(colors) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(np.clip(linear @ np.asarray(seen).T, 0, 1) @ (0.2126, 0.7152, 0.0722)) - 16


def test_colors_are_those_of_the_scale() -> None:
    steps = np.linspace(0, LARGEST_MILLIMETRES, len(ANCHORS)) / 1000
    np.testing.assert_array_equal(errors_to_colors(steps), ANCHORS)
    np.testing.assert_array_equal(errors_to_colors(np.zeros((2, 5))), np.full((2, 5, 3), ANCHORS[0]))
    np.testing.assert_array_equal(errors_to_colors(np.float32(0.5)), ANCHORS[-1])  # beyond the scale: its end
    np.testing.assert_array_equal(scale_colors()[[0, -1]], [ANCHORS[0], ANCHORS[-1]])


@pytest.mark.parametrize("wrong", [-0.001, np.nan, np.inf])
def test_what_is_no_distance_has_no_color(wrong: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        errors_to_colors(np.array([0.001, wrong]))


@pytest.mark.parametrize("eyes", [None, *BLIND])
def test_more_error_is_lighter_for_all_eyes(eyes: str | None) -> None:
    seen = lightness(scale_colors(31), np.eye(3) if eyes is None else BLIND[eyes])
    assert (np.diff(seen) > 0.5).all() and np.ptp(seen) > 45


def test_ground_truth_against_itself_has_no_error(head: HeadMesh) -> None:
    vertices = np.stack([head.template, head.template + 0.4 * head.blendshape("jawOpen")])
    errors = vertex_errors(vertices, vertices)
    assert errors.shape == (2, head.vertex_count) and not errors.any()


def test_a_shift_of_the_lips_paints_the_lips(head: HeadMesh) -> None:
    moved = head.template.copy()
    moved[head.regions["lips"]] += (0.0, -0.003, 0.0)
    errors = vertex_errors(moved, head.template)
    np.testing.assert_allclose(errors[head.regions["lips"]], 0.003, rtol=1e-4)
    colors, others = errors_to_colors(errors), np.setdiff1d(np.arange(head.vertex_count), head.regions["lips"])
    middle = ANCHORS[3]  # 3 of 6 mm
    assert np.abs(colors[head.regions["lips"]].astype(int) - middle).max() <= 1
    np.testing.assert_array_equal(colors[others], np.full((len(others), 3), ANCHORS[0]))


@pytest.fixture(scope="module")
def painted(head: HeadMesh) -> np.ndarray:
    """Three frames (192, 192, 3) of the head at rest: painted 0, 3 and again 0 mm."""
    paint = errors_to_colors(np.repeat([[0.0], [0.003], [0.0]], head.vertex_count, axis=1))
    return np.stack(list(render_frames(head, np.repeat(head.template[None], 3, 0), SMALL, paint)))


def test_each_frame_has_its_own_colors(head: HeadMesh, painted: np.ndarray) -> None:
    np.testing.assert_array_equal(painted[0], painted[2])
    camera = scene.frame_head(head, SMALL)
    forehead = np.median(painted[:, 70:80, 88:104].reshape(3, -1, 3), axis=1)
    assert camera.view_angle and np.abs(forehead[0] - ANCHORS[0]).max() < 8, "the scale's colours where it faces us"
    assert np.abs(forehead[1] - ANCHORS[3]).max() < 10


def test_paint_shows_no_other_hue_anywhere(painted: np.ndarray) -> None:
    """Light changes how bright paint is and not which colour of the scale it is."""
    background = painted[0] == painted[1]
    on_head = ~background.all(axis=2)
    assert on_head.mean() > 0.25
    for frame, color in ((painted[0], ANCHORS[0]), (painted[1], ANCHORS[3])):
        seen = frame[on_head].astype(float)
        shares = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1)
        off = np.abs(shares - np.array(color) / sum(color)).max(axis=1)
        assert np.quantile(off[seen.sum(axis=1) > 120], 0.95) < 0.02


def test_paint_that_does_not_fit_is_refused(head: HeadMesh) -> None:
    frames = np.repeat(head.template[None], 2, 0)
    for paint in (np.zeros((1, head.vertex_count, 3), np.uint8), np.zeros(frames.shape, np.float32)):
        with pytest.raises(RenderError, match="does not fit the motion"):
            render_frames(head, frames, SMALL, paint)

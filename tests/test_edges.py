"""Softened edges: nearer to what an edge really covers, and nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.rendering.edges import soften_edges

SIDE = 96
INNER = slice(8, -8)


def edge(slope: float, subdivided: int) -> np.ndarray:
    """Brightness of a straight edge, light below; each pixel is the mean of so many points a side."""
    at = (np.arange(SIDE * subdivided) + 0.5) / subdivided
    light = at[:, None] > SIDE / 2 + 0.3 + slope * (at - SIDE / 2)
    return light.reshape(SIDE, subdivided, SIDE, subdivided).mean(axis=(1, 3)) * 180 + 40


def image(brightness: np.ndarray) -> np.ndarray:
    return np.repeat(brightness.round().astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("slope", [0.1, 0.2, 0.33, 0.5, 0.8, 1.0, -0.2, -0.6])
def test_a_stair_comes_closer_to_the_edge(slope: float, turned: bool) -> None:
    hard, true = image(edge(slope, 1)), edge(slope, 16)
    if turned:
        hard, true = hard.transpose(1, 0, 2), true.T
    soft = soften_edges(np.ascontiguousarray(hard))[..., 0]

    def miss(brightness: np.ndarray) -> float:
        return float(np.square(brightness - true)[INNER, INNER].mean())

    assert miss(soft.astype(float)) < 0.55 * miss(hard[..., 0].astype(float))


def test_an_edge_along_the_pixels_and_flat_parts_stay() -> None:
    level = image(edge(0.0, 1))
    np.testing.assert_allclose(soften_edges(level), level.astype(int), atol=0.06 * 180)
    shades = image(np.broadcast_to(np.linspace(20, 220, SIDE), (SIDE, SIDE)))
    np.testing.assert_array_equal(soften_edges(shades), shades)
    hard = image(edge(0.2, 1))
    far = np.abs(np.arange(SIDE)[:, None] - (SIDE / 2 + 0.2 * (np.arange(SIDE) - SIDE / 2))) > 3
    np.testing.assert_array_equal(soften_edges(hard)[far], hard[far])


def test_a_lone_pixel_gives_way_and_the_given_image_is_kept() -> None:
    lone = np.full((9, 9, 3), 40, np.uint8)
    lone[4, 4] = 240
    kept = lone.copy()
    assert soften_edges(lone)[4, 4, 0] < 150
    np.testing.assert_array_equal(lone, kept)

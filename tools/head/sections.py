"""Where a surface lies around a vertical axis: what the shirt and long hair are laid upon.

Directions are degrees about the vertical, 0 straight ahead, positive towards the head's own left.
"""

from __future__ import annotations

import numpy as np


def direction(degrees: np.ndarray | float) -> np.ndarray:
    """Unit vectors (..., 3) away from the axis."""
    angle = np.radians(degrees)
    return np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=-1)


def reach(place: np.ndarray, faces: np.ndarray, degrees: np.ndarray, heights: np.ndarray, depth: float) -> np.ndarray:
    """How far the outermost surface lies from the axis.

    Args:
        place: (V, 3) metres.
        faces: (F, 3).
        degrees: (N,) directions.
        heights: (N,) metres.
        depth: z of the axis, metres.

    Returns:
        (N,) metres; 0 where the ray meets nothing.
    """
    a, b, c = (place[faces[:, k]] for k in range(3))
    low, high = np.minimum(np.minimum(a, b), c)[:, 1], np.maximum(np.maximum(a, b), c)[:, 1]
    found = np.zeros(len(heights))
    for k, (way, height) in enumerate(zip(direction(degrees), heights, strict=True)):
        near = np.flatnonzero((low <= height) & (high >= height))
        start = np.array([0.0, height, depth])
        first, second, base = b[near] - a[near], c[near] - a[near], start - a[near]
        across = np.cross(way, second)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 / np.einsum("ij,ij->i", first, across)
            u = scale * np.einsum("ij,ij->i", base, across)
            turned = np.cross(base, first)
            v = scale * (turned @ way)
            far = scale * np.einsum("ij,ij->i", second, turned)
        hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & np.isfinite(far)
        found[k] = far[hit].max(initial=0.0)
    return found


def section(values: np.ndarray, edges: np.ndarray, degrees: float, depth: float, kept: np.ndarray) -> np.ndarray:
    """The line in which a half plane through the axis cuts a surface, from the neck outwards.

    Args:
        values: (V, 3 + n) places in metres and whatever else is to be interpolated.
        edges: (E, 2) of the surface.
        degrees: direction of the half plane.
        depth: z of the axis, metres.
        kept: (V,) bool, which vertices belong to the surface.

    Returns:
        (P, 3 + n) points in order.
    """
    way = direction(degrees)
    aside = np.array([way[2], 0.0, -way[0]])
    middle = np.array([0.0, 0.0, depth])
    side = (values[:, :3] - middle) @ aside
    ends = edges[kept[edges].all(axis=1)]
    first, second = side[ends].T
    crossed = (first < 0) != (second < 0)
    ends, first, second = ends[crossed], first[crossed], second[crossed]
    share = (first / (first - second))[:, None]
    points = (1 - share) * values[ends[:, 0]] + share * values[ends[:, 1]]
    out = (points[:, :3] - middle) @ way
    points, out = points[out > 0], out[out > 0]
    return points[np.argsort(out - points[:, 1], kind="stable")]

"""Edges: stairs along the outlines of a picture, softened after it is drawn (fast approximate anti-aliasing).

Lottes, FXAA, NVIDIA white paper WP-03996 (2009). The graphics library has it too, but on a processor it asks every
pixel and takes as long as all other drawing; here only the pixels at an edge are looked at.
"""

from __future__ import annotations

import numpy as np

#: A pixel lies at an edge if its brightness differs from a neighbour's by this much, of 255, and by this share.
CONTRAST, SHARE = 24, 6  # a sixth
#: How far an edge is followed to either side, in pixels.
FARTHEST = 8
#: Most that a single bright or dark pixel gives way to its neighbour.
LONE_PIXEL = 0.75


def soften_edges(picture: np.ndarray) -> np.ndarray:
    """`picture` (H, W, 3) uint8 with stairs along its edges softened, as a new picture; flat parts stay as they are.

    Each pixel at an edge takes in as much of the pixel across as a straight edge, traced along the stair that it
    belongs to, would cover of it.
    """
    quarter = picture >> 2
    brightness = quarter[..., 0] + (quarter[..., 1] << 1) + quarter[..., 2]
    rows, columns = _edge_pixels(brightness)
    # Room for following an edge over the picture's rim.
    padded = np.pad(brightness, FARTHEST + 1, mode="edge")
    light, width = padded.ravel(), padded.shape[1]
    at = (rows + FARTHEST + 1) * width + columns + FARTHEST + 1
    around = {(y, x): _taken(light, at + (y * width + x)) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    flat, lone = _stair_direction(around), _lone_share(around)
    middle = around[0, 0]
    before = np.where(flat, around[-1, 0], around[0, -1])
    after = np.where(flat, around[1, 0], around[0, 1])
    is_before = np.abs(before - middle) >= np.abs(after - middle)
    across = np.where(flat, width, 1) * np.where(is_before, -1, 1)
    other = np.where(is_before, before, after)
    share = np.maximum(_covered(light, at, np.where(flat, 1, width), across, middle, other), lone)[:, None]
    toward = np.where(is_before, -1, 1)
    far = picture[rows + np.where(flat, toward, 0), columns + np.where(flat, 0, toward)]
    softened = picture.copy()
    softened[rows, columns] = picture[rows, columns] * (1 - share) + far * share + 0.5
    return softened


def _edge_pixels(brightness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels at an edge; none of them on the picture's rim."""
    inner = brightness[1:-1, 1:-1]
    high, low = inner, inner
    for beside in (brightness[:-2, 1:-1], brightness[2:, 1:-1], brightness[1:-1, :-2], brightness[1:-1, 2:]):
        high, low = np.maximum(high, beside), np.minimum(low, beside)
    rows, columns = np.divmod(np.flatnonzero(high - low > np.maximum(high // SHARE, CONTRAST)), inner.shape[1])
    return rows + 1, columns + 1


def _taken(light: np.ndarray, at: np.ndarray) -> np.ndarray:
    return light[at].astype(np.int16)


def _stair_direction(around: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """Whether the edge runs along the row rather than along the column: where brightness bends more across rows."""

    def bend(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> np.ndarray:
        return np.abs(around[a] + around[c] - 2 * around[b])

    rows = bend((-1, -1), (0, -1), (1, -1)) + 2 * bend((-1, 0), (0, 0), (1, 0)) + bend((-1, 1), (0, 1), (1, 1))
    columns = bend((-1, -1), (-1, 0), (-1, 1)) + 2 * bend((0, -1), (0, 0), (0, 1)) + bend((1, -1), (1, 0), (1, 1))
    return rows >= columns


def _lone_share(around: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """How much a pixel that stands out from all around it gives way."""
    beside = [around[-1, 0], around[1, 0], around[0, -1], around[0, 1]]
    corners = [around[y, x] for y in (-1, 1) for x in (-1, 1)]
    middle = around[0, 0]
    mean = (2 * sum(beside) + sum(corners)) / np.float32(12)
    reach = np.maximum.reduce([middle, *beside]) - np.minimum.reduce([middle, *beside])
    share = np.minimum(np.abs(mean - middle) / np.maximum(reach, 1), np.float32(1))
    share *= share * (3 - 2 * share)
    return LONE_PIXEL * share * share


def _covered(
    light: np.ndarray, at: np.ndarray, along: np.ndarray, across: np.ndarray, middle: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """Share of each pixel on the far side of a straight edge through the ends of its step of the stair, 0 to 1/2."""
    edge = middle + other  # twice the brightness of the edge itself
    limit = np.maximum(np.abs(other - middle) // 2, 1)
    back, back_end = _followed(light, at, -along, across, edge, limit)
    forth, forth_end = _followed(light, at, along, across, edge, limit)
    end = np.where(back <= forth, back_end, forth_end)
    share = np.float32(0.5) - np.minimum(back, forth) / (back + forth).astype(np.float32)
    # At its nearer end the step goes either to this pixel's side or away from it.
    return np.where((end < 0) != (middle < other), share, 0)


def _followed(
    light: np.ndarray, at: np.ndarray, along: np.ndarray, across: np.ndarray, edge: np.ndarray, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Follow each edge until its brightness changes: the steps taken, and the change of twice the brightness there."""
    steps, change = np.full(len(at), FARTHEST, np.int16), np.zeros(len(at), np.int16)
    going = np.arange(len(at))
    for step in range(1, FARTHEST + 1):
        at = at + along
        now = _taken(light, at) + _taken(light, at + across) - edge
        change[going] = now
        on = np.abs(now) < limit
        steps[going[~on]] = step
        going, at, along, across, edge, limit = (one[on] for one in (going, at, along, across, edge, limit))
    return steps, change

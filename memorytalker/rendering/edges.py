"""Antialiasing of a rendered image (FXAA: fast approximate anti-aliasing).

Source: Lottes, FXAA, NVIDIA white paper WP-03996 (2009). VTK has it too, but without a GPU that takes as long as all
other drawing, as it examines every pixel; here only pixels at an edge are processed.
"""

from __future__ import annotations

import numpy as np

#: A pixel lies at an edge if its brightness differs from a neighbour's by CONTRAST (of 255) and by 1 / SHARE of it.
CONTRAST, SHARE = 24, 6
#: How far an edge is followed in either direction, in pixels.
LONGEST_SEARCH = 8
#: Brightness of what is transparent (of 252): as far from every colour as white is from black.
BEHIND = -252
#: Largest share of its neighbour that a single bright or dark pixel takes on.
LONE_PIXEL = 0.75


def soften_edges(image: np.ndarray) -> np.ndarray:
    """Antialias the edges of an image; flat parts do not change.

    Each pixel at an edge is blended with the pixel across it, by the share that a straight edge along the stair would
    cover.

    With alpha, an outline is an edge whatever the colours are. Its pixels get the alpha that the head covers, and the
    colour of the head alone, so that nothing of the missing background shines through.

    Args:
        image: (H, W, 3) uint8; or (H, W, 4) whose alpha is 0, with 0 in every channel, or 255.

    Returns:
        A new image; alpha is not premultiplied.
    """
    quarter = image >> 2
    brightness = quarter[..., 0] + (quarter[..., 1] << 1) + quarter[..., 2]
    if image.shape[2] == 4:
        brightness = np.where(image[..., 3] > 0, brightness.astype(np.int16), np.int16(BEHIND))
    rows, columns = _edge_pixels(brightness)
    # Padding, so that an edge can be followed beyond the border of the image.
    padded = np.pad(brightness.astype(np.int16), LONGEST_SEARCH + 1, mode="edge")
    light, width = padded.ravel(), padded.shape[1]
    at = (rows + LONGEST_SEARCH + 1) * width + columns + LONGEST_SEARCH + 1
    around = {(y, x): light[at + (y * width + x)] for y in (-1, 0, 1) for x in (-1, 0, 1)}
    flat, lone = _stair_direction(around), _lone_share(around)
    middle = around[0, 0]
    before = np.where(flat, around[-1, 0], around[0, -1])
    after = np.where(flat, around[1, 0], around[0, 1])
    is_before = np.abs(before - middle) >= np.abs(after - middle)
    across = np.where(flat, width, 1) * np.where(is_before, -1, 1)
    other = np.where(is_before, before, after)
    share = np.maximum(_covered(light, at, np.where(flat, 1, width), across, middle, other), lone)[:, None]
    toward = np.where(is_before, -1, 1)
    far = image[rows + np.where(flat, toward, 0), columns + np.where(flat, 0, toward)]
    softened = image.copy()
    mixed = image[rows, columns] * (1 - share) + far * share
    if image.shape[2] == 4:  # the given image is premultiplied, as its alpha is 0 or 1; the new one is not
        mixed[:, :3] *= 255 / np.maximum(mixed[:, 3:], 1e-3)
    softened[rows, columns] = mixed + 0.5
    return softened


def _edge_pixels(brightness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels at an edge; none on the border of the image."""
    inner = brightness[1:-1, 1:-1]
    high, low = inner, inner
    for beside in (brightness[:-2, 1:-1], brightness[2:, 1:-1], brightness[1:-1, :-2], brightness[1:-1, 2:]):
        high, low = np.maximum(high, beside), np.minimum(low, beside)
    rows, columns = np.divmod(np.flatnonzero(high - low > np.maximum(high // SHARE, CONTRAST)), inner.shape[1])
    return rows + 1, columns + 1


def _stair_direction(around: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """Whether the edge runs along the row and not the column: where the second difference across rows is larger."""

    def bend(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> np.ndarray:
        return np.abs(around[a] + around[c] - 2 * around[b])

    rows = bend((-1, -1), (0, -1), (1, -1)) + 2 * bend((-1, 0), (0, 0), (1, 0)) + bend((-1, 1), (0, 1), (1, 1))
    columns = bend((-1, -1), (-1, 0), (-1, 1)) + 2 * bend((0, -1), (0, 0), (0, 1)) + bend((1, -1), (1, 0), (1, 1))
    return rows >= columns


def _lone_share(around: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """How strongly a pixel that differs from all its neighbours is blended with one of them, from 0 to 1."""
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
    """The share of each pixel, from 0 to 1/2, beyond a straight edge drawn through the ends of its stair step."""
    edge = middle + other  # twice the brightness of the edge itself
    limit = np.maximum(np.abs(other - middle) // 2, 1)
    both = [np.concatenate([one, one]) for one in (at, across, edge, limit)]
    steps, ends = _followed(light, both[0], np.concatenate([-along, along]), *both[1:])
    (back, forth), (back_end, forth_end) = steps.reshape(2, -1), ends.reshape(2, -1)
    end = np.where(back <= forth, back_end, forth_end)
    share = np.float32(0.5) - np.minimum(back, forth) / (back + forth).astype(np.float32)
    # At its nearer end the step goes either to this pixel's side or away from it.
    return np.where((end < 0) != (middle < other), share, 0)


def _followed(
    light: np.ndarray, at: np.ndarray, along: np.ndarray, across: np.ndarray, edge: np.ndarray, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Follow each edge until its brightness changes; return the steps taken, and that change, doubled."""
    steps, change = np.full(len(at), LONGEST_SEARCH, np.int16), np.zeros(len(at), np.int16)
    going = np.arange(len(at))
    for step in range(1, LONGEST_SEARCH + 1):
        at = at + along
        now = light[at] + light[at + across] - edge
        change[going] = now
        on = np.abs(now) < limit
        steps[going[~on]] = step
        kept = np.flatnonzero(on)  # taking by index is twice as fast as by mask, six times over
        going, at, along, across, edge, limit = (one.take(kept) for one in (going, at, along, across, edge, limit))
    return steps, change

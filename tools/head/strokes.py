"""Brows and lashes: short tapered strokes of hair on the skin that move with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from tools.head.mesh import Piece, grid_faces

#: The middle line of the left brow on the reference head, from the inner end: x, y and half width in metres.
BROW = (
    (0.0135, 0.0418, 0.0034),
    (0.022, 0.0445, 0.0044),
    (0.032, 0.0478, 0.0042),
    (0.042, 0.0494, 0.0034),
    (0.050, 0.0480, 0.0022),
    (0.0560, 0.0452, 0.0010),
)
BROW_HAIRS = 84
#: Rows of the soft ribbon under the hairs: where across the brow (1: its half width) and how much of its colour.
RIBBON = ((-1.5, 0.0), (-0.7, 0.70), (0.6, 0.70), (1.6, 0.0))
RIBBON_COLUMNS = 13
SEED = 20


@dataclass(frozen=True)
class Brows:
    """Both brows: a piece, the offsets of its vertices from the skin, and their colours."""

    piece: Piece
    lift: np.ndarray  # (V, 3) metres
    on_skin: sparse.csr_matrix  # (V, skin vertices): the point of the skin under each vertex
    share: np.ndarray  # (V,) how much brow there is in the colour, the rest is skin
    shade: np.ndarray  # (V,) 0 dark to 1 light


def make_brows(skin: Piece, reference: np.ndarray) -> Brows:
    """Two brows on `skin`: a soft ribbon and tapered hairs over it."""
    roots, tips, shade = _hairs()
    ribbon, share = _ribbon()
    way = tips - roots
    across = np.stack([-way[:, 1], way[:, 0]], 1)
    across *= 0.00042 / np.linalg.norm(across, axis=1, keepdims=True)
    hairs = np.stack([roots - across, tips, roots + across], axis=1).reshape(-1, 2)
    flat = np.vstack([ribbon, hairs])
    height = np.r_[_ribbon_height(), np.tile([0.0008, 0.0013, 0.0008], len(roots))]
    left, left_normal = project(skin, reference, flat)
    right, right_normal = project(skin, reference, flat * [-1, 1])
    faces = np.vstack([grid_faces(len(RIBBON), RIBBON_COLUMNS), len(ribbon) + np.arange(len(hairs)).reshape(-1, 3)])
    faces = np.vstack([faces, faces[:, ::-1] + len(flat)])
    on_skin = sparse.vstack([left, right]).tocsr()
    lift = np.vstack([left_normal, right_normal]) * np.tile(height, 2)[:, None]
    return Brows(
        Piece((on_skin @ skin.blend).tocsr(), faces),
        lift,
        on_skin,
        np.tile(np.r_[share, np.full(len(hairs), 0.92)], 2),
        np.tile(np.r_[np.full(len(ribbon), 0.5), np.repeat(shade, 3)], 2),
    )


def _middle_line(t: np.ndarray) -> np.ndarray:
    """Middle of the brow and its half width, (..., 3), at shares `t` of its length."""
    line = np.array(BROW)
    along = np.linspace(0, 1, len(line))
    return np.stack([PchipInterpolator(along, line[:, k])(t) for k in range(3)], axis=-1)


def _ribbon() -> tuple[np.ndarray, np.ndarray]:
    t = np.linspace(0, 1, RIBBON_COLUMNS)
    middle = _middle_line(t)
    way = np.gradient(middle[:, :2], axis=0)
    across = np.stack([-way[:, 1], way[:, 0]], 1) / np.linalg.norm(way, axis=1, keepdims=True)
    ends = np.clip(np.minimum(t / 0.12, (1 - t) / 0.2), 0, 1)
    rows = [middle[:, :2] + offset * middle[:, 2:] * across for offset, _ in RIBBON]
    return np.vstack(rows), np.concatenate([share * ends for _, share in RIBBON])


def _ribbon_height() -> np.ndarray:
    """The ribbon's border lies just under the skin, so that it emerges smoothly where the skin is curved."""
    ends = np.clip(np.minimum(np.arange(RIBBON_COLUMNS), np.arange(RIBBON_COLUMNS)[::-1]), 0, 1)
    return np.concatenate([(0.0009 * ends if share else 0 * ends) - 0.00015 for _, share in RIBBON])


def _hairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Roots and tips (x, y) of the hairs of the left brow and a shade for each."""
    random = np.random.default_rng(SEED)
    t = (np.arange(BROW_HAIRS) + random.uniform(0, 1, BROW_HAIRS)) / BROW_HAIRS
    across = random.uniform(-0.95, 0.75, BROW_HAIRS)
    middle = _middle_line(t)
    # hairs grow upwards at the inner end and lie along the brow at the outer end, converging on its middle line
    slope = np.radians(np.interp(t, [0, 0.15, 0.4, 1], [70, 45, 18, -26]) - 18 * across)
    long = np.interp(t, [0, 0.2, 0.8, 1], [0.0062, 0.0095, 0.0100, 0.0062]) * random.uniform(0.85, 1.15, BROW_HAIRS)
    roots = middle[:, :2] + np.stack([np.zeros(BROW_HAIRS), across * middle[:, 2]], axis=1)
    return (
        roots,
        roots + long[:, None] * np.stack([np.cos(slope), np.sin(slope)], axis=1),
        random.uniform(0, 1, BROW_HAIRS),
    )


def project(skin: Piece, reference: np.ndarray, flat: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Weights (points, skin vertices) that put points (x, y) on the front of the skin, and the skin's normal there."""
    place = skin.blend @ reference
    a, b, c = (place[skin.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)
    candidates = np.flatnonzero((normal[:, 2] > 0.1) & (a[:, 2] > 0.03))
    middles = ((a + b + c) / 3)[candidates]
    _, near = cKDTree(middles[:, :2]).query(flat, k=24)
    rows, columns, values, normals = [], [], [], []
    for row, (point, nearest) in enumerate(zip(flat, near, strict=True)):
        best = None
        for face in candidates[nearest]:
            weights = np.linalg.solve(
                np.c_[np.stack([a[face], b[face], c[face]])[:, :2], np.ones(3)].T, np.r_[point, 1]
            )
            depth = weights @ np.stack([a[face], b[face], c[face]])[:, 2]
            if weights.min() > -1e-6 and (best is None or depth > best[0]):
                best = (depth, face, weights)
        assert best is not None, f"no skin under {point}"
        rows += [row] * 3
        columns += skin.faces[best[1]].tolist()
        values += best[2].tolist()
        normals.append(normal[best[1]])
    weights = sparse.csr_matrix((values, (rows, columns)), shape=(len(flat), skin.blend.shape[0]))
    return weights, np.array(normals)


def make_lashes(strip: np.ndarray, body: np.ndarray, reference: np.ndarray, rows: int) -> Piece:
    """A thin dark line along a lid: the `rows` of an eyelash `strip` (quads) nearest to the `body`, with both sides."""
    near = {int(v): set() for v in np.unique(strip)}
    for quad in strip.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            near[a].add(b)
            near[b].add(a)
    quads_at = {v: int((strip == v).sum()) for v in near}
    corners = sorted(v for v in near if quads_at[v] == 1)
    gap, _ = cKDTree(reference[np.unique(body)]).query(reference)
    sides = [side for a in corners for b in corners if a < b for side in [_side(near, quads_at, a, b)] if len(side) > 8]
    current = min(sides, key=lambda side: gap[side].mean())
    lines, seen = [current], set(current)
    while len(lines) < rows:  # a lash row's neighbours that are not seen yet are the next row
        current = [next(v for v in sorted(near[u]) if v not in seen) for u in current]
        seen |= set(current)
        lines.append(current)
    vertices = np.concatenate(lines)
    blend = sparse.csr_matrix(
        (np.ones(len(vertices)), (np.arange(len(vertices)), vertices)), shape=(len(vertices), len(reference))
    )
    front = grid_faces(rows, len(current))
    return Piece(sparse.vstack([blend, blend]).tocsr(), np.vstack([front, front[:, [0, 2, 1]] + len(vertices)]))


def _side(near: dict[int, set[int]], quads_at: dict[int, int], start: int, end: int) -> list[int]:
    """Border vertices of a strip from one corner to another without passing a third; empty if there is no such way."""
    for first in sorted(near[start]):
        path = [start, first]
        while quads_at[path[-1]] == 2:
            onward = [
                v for v in sorted(near[path[-1]]) if v not in path and quads_at[v] <= 2 and _border(near, path[-1], v)
            ]
            if len(onward) != 1:
                break
            path.append(onward[0])
        if path[-1] == end:
            return path
    return []


def _border(near: dict[int, set[int]], a: int, b: int) -> bool:
    """Whether the edge a-b lies on the border: exactly one quad has it, so only one pair of neighbours is joined."""
    return sum(1 for u in near[a] - {b} for w in near[b] - {a} if w in near[u]) == 1

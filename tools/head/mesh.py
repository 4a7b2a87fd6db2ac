"""A mesh under construction, and the cuts and subdivisions that make it.

Every vertex is a fixed blend of vertices of base.obj (a row of the sparse matrix `blend`), so whatever is known
for base.obj (an identity, a face unit, a mask) carries over to the new mesh by one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Piece:
    """A part of the head: F triangles over V vertices, each a blend of the N vertices of base.obj."""

    blend: sparse.csr_matrix  # (V, N), rows sum to 1
    faces: np.ndarray  # (F, 3)


def piece_of(faces: np.ndarray, count: int) -> Piece:
    """The vertices of base.obj (`count` of them) that `faces` uses, in their order there, as a piece."""
    used, renumbered = np.unique(faces, return_inverse=True)
    blend = sparse.csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), shape=(len(used), count))
    return Piece(blend, renumbered.reshape(faces.shape))


def triangulate(quads: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Split each quad along its shorter diagonal."""
    a, b, c, d = (positions[quads[:, k]] for k in range(4))
    first = np.linalg.norm(a - c, axis=1) <= np.linalg.norm(b - d, axis=1) + 1e-9
    halves = np.where(
        first[:, None, None],
        np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1),
        np.stack([quads[:, [1, 2, 3]], quads[:, [1, 3, 0]]], axis=1),
    )
    return halves.reshape(-1, 3)


def neighbours(quads: np.ndarray, count: int) -> sparse.csr_matrix:
    """Which of `count` vertices are joined by a side of a quad: a symmetric matrix (count, count) of ones."""
    pairs = np.concatenate([quads[:, [0, 1]], quads[:, [1, 2]], quads[:, [2, 3]], quads[:, [3, 0]]])
    graph = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return ((graph + graph.T) > 0).astype(float).tocsr()


def keep(piece: Piece, chosen: np.ndarray) -> tuple[Piece, np.ndarray]:
    """The piece with only the `chosen` faces (a mask) and the vertices they use; also which vertices those were."""
    used, renumbered = np.unique(piece.faces[chosen], return_inverse=True)
    return Piece(piece.blend[used], renumbered.reshape(-1, 3)), used


def grid_faces(rows: int, columns: int, closed: bool = False, start: int = 0) -> np.ndarray:
    """Triangles of a grid of vertices numbered row by row from `start`; `closed` joins the last column to the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a = start + row * columns + column
    b = start + row * columns + (column + 1) % columns
    c, d = b + columns, a + columns
    return np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)


def normals(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit vertex normals (V, 3), the mean of the adjacent faces weighted by area."""
    a, b, c = (positions[faces[:, k]] for k in range(3))
    total = np.zeros_like(positions)
    for k in range(3):
        np.add.at(total, faces[:, k], np.cross(b - a, c - a))
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-15)


def edges_of(faces: np.ndarray) -> np.ndarray:
    """Every edge once, (E, 2), the lower vertex first."""
    return np.unique(np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)


def cut(piece: Piece, values: np.ndarray, snap: float = 0.15) -> tuple[Piece, np.ndarray]:
    """Split triangles where `values` (V,) crosses zero, so that no triangle has both signs.

    Vertices nearer than `snap` of an edge to the crossing are put on it instead of making a sliver.
    Returns the new piece and its values; new vertices have the value 0.
    """
    values = values.astype(float).copy()
    edges = edges_of(piece.faces)
    low, high = values[edges[:, 0]], values[edges[:, 1]]
    share = np.abs(low) / np.maximum(np.abs(low) + np.abs(high), 1e-12)
    crossing = low * high < 0
    values[edges[crossing & (share < snap), 0]] = 0
    values[edges[crossing & (share > 1 - snap), 1]] = 0
    low, high = values[edges[:, 0]], values[edges[:, 1]]
    split = edges[low * high < 0]
    share = (np.abs(low) / np.maximum(np.abs(low) + np.abs(high), 1e-12))[low * high < 0]
    middle = sparse.diags(1 - share) @ piece.blend[split[:, 0]] + sparse.diags(share) @ piece.blend[split[:, 1]]
    return split_edges(piece, split, middle), np.r_[values, np.zeros(len(split))]


def refine(piece: Piece, chosen: np.ndarray) -> Piece:
    """Split the `chosen` faces into four with the butterfly stencil (Dyn, Levin, Gregory 1990), neighbours to match."""
    split = edges_of(piece.faces[chosen])
    opposite: dict[tuple[int, int], list[int]] = {}
    for face in piece.faces:
        for a, b, c in (face, np.roll(face, -1), np.roll(face, -2)):
            opposite.setdefault((min(a, b), max(a, b)), []).append(int(c))
    weights = sparse.lil_matrix((len(split), piece.blend.shape[0]))
    for row, (a, b) in enumerate(split):
        wings = opposite[(a, b)]
        weights[row, a] = weights[row, b] = 0.5
        outer = [[opposite[(min(e, w), max(e, w))] for e in (a, b)] for w in wings]
        if len(wings) != 2 or any(len(o) != 2 for pair in outer for o in pair):
            continue  # at an open border the middle of the edge must do
        for wing, pair in zip(wings, outer, strict=True):
            weights[row, wing] += 0.125
            for end, found in zip((b, a), pair, strict=True):
                weights[row, found[0] if found[1] == end else found[1]] -= 0.0625
    return split_edges(piece, split, weights.tocsr() @ piece.blend)


def split_edges(piece: Piece, split: np.ndarray, middle: sparse.csr_matrix) -> Piece:
    """Put one vertex (a row of `middle`) on each edge of `split` and divide the faces accordingly."""
    number = {(int(a), int(b)): piece.blend.shape[0] + k for k, (a, b) in enumerate(split)}
    faces = [part for face in piece.faces for part in _split_face(face, number)]
    return Piece(sparse.vstack([piece.blend, middle]).tocsr(), np.array(faces))


def _split_face(face: np.ndarray, number: dict[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    middles = [number.get((int(min(a, b)), int(max(a, b)))) for a, b in zip(face, np.roll(face, -1), strict=True)]
    count = sum(m is not None for m in middles)
    if count == 0:
        return [tuple(face)]
    if count == 1:
        k = next(k for k in range(3) if middles[k] is not None)
        a, b, c = np.roll(face, -k)
        return [(a, middles[k], c), (middles[k], b, c)]
    if count == 3:
        a, b, c = face
        ab, bc, ca = middles
        return [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    k = next(k for k in range(3) if middles[k] is not None and middles[k - 1] is not None)
    a, b, c = np.roll(face, -k)
    ab, ca = middles[k], middles[k - 1]
    return [(a, ab, ca), (ab, b, c), (ab, c, ca)]


def boundary_loops(faces: np.ndarray) -> list[np.ndarray]:
    """The open borders of a mesh, each a closed ring of vertices in the direction of its faces, longest first."""
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    present = set(map(tuple, edges.tolist()))
    following = {a: b for a, b in edges.tolist() if (b, a) not in present}
    loops = []
    while following:
        start = min(following)
        ring, current = [start], following.pop(start)
        while current != start:
            ring.append(current)
            current = following.pop(current)
        loops.append(np.array(ring))
    return sorted(loops, key=len, reverse=True)


def affine_blend(points: np.ndarray, support: np.ndarray, positions: np.ndarray) -> sparse.csr_matrix:
    """Blend rows (V, N) that put `points` (V, 3) where they are and carry them with an affine fit of `support`.

    The points follow the affine map that best moves the `support` vertices (indices into `positions` (N, 3)).
    """
    frame = np.c_[positions[support], np.ones(len(support))]
    weights = np.c_[points, np.ones(len(points))] @ np.linalg.pinv(frame)
    row = np.repeat(np.arange(len(points)), len(support))
    return sparse.csr_matrix(
        (weights.ravel(), (row, np.tile(support, len(points)))), shape=(len(points), len(positions))
    )

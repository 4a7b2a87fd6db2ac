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


def keep(piece: Piece, chosen: np.ndarray) -> Piece:
    """The piece with only the `chosen` faces (a mask or indices) and the vertices they use."""
    used, renumbered = np.unique(piece.faces[chosen], return_inverse=True)
    return Piece(piece.blend[used], renumbered.reshape(-1, 3))


def cut(piece: Piece, values: np.ndarray, snap: float = 0.15) -> tuple[Piece, np.ndarray]:
    """Split triangles where `values` (V,) crosses zero, so that no triangle has both signs.

    Vertices nearer than `snap` of an edge to the crossing are put on it instead of making a sliver.
    Returns the new piece and its values; new vertices have the value 0.
    """
    values = values.astype(float).copy()
    edges = np.unique(np.sort(piece.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    low, high = values[edges[:, 0]], values[edges[:, 1]]
    crossing = low * high < 0
    share = np.abs(low) / np.maximum(np.abs(low) + np.abs(high), 1e-12)
    values[edges[crossing & (share < snap), 0]] = 0
    values[edges[crossing & (share > 1 - snap), 1]] = 0
    low, high = values[edges[:, 0]], values[edges[:, 1]]
    split = edges[low * high < 0]
    share = (np.abs(low) / np.maximum(np.abs(low) + np.abs(high), 1e-12))[low * high < 0]
    middle = sparse.diags(1 - share) @ piece.blend[split[:, 0]] + sparse.diags(share) @ piece.blend[split[:, 1]]
    number = {(a, b): len(values) + k for k, (a, b) in enumerate(map(tuple, split))}
    faces = [piece_face for face in piece.faces for piece_face in _split_face(face, number)]
    blend = sparse.vstack([piece.blend, middle]).tocsr()
    return Piece(blend, np.array(faces)), np.r_[values, np.zeros(len(split))]


def _split_face(face: np.ndarray, number: dict[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    middles = [number.get((min(a, b), max(a, b))) for a, b in zip(face, np.roll(face, -1), strict=True)]
    count = sum(m is not None for m in middles)
    if count == 0:
        return [tuple(face)]
    if count == 1:
        k = next(k for k in range(3) if middles[k] is not None)
        a, b, c = np.roll(face, -k)
        return [(a, middles[k], c), (middles[k], b, c)]
    k = next(k for k in range(3) if middles[k] is not None and middles[k - 1] is not None)
    a, b, c = np.roll(face, -k)
    ab, ca = middles[k], middles[k - 1]
    return [(a, ab, ca), (ab, b, c), (ab, c, ca)]


def boundary_loops(faces: np.ndarray) -> list[np.ndarray]:
    """The open borders of a mesh, each a closed ring of vertices in the direction of its faces, longest first."""
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    present = set(map(tuple, edges))
    following = {a: b for a, b in edges if (b, a) not in present}
    loops = []
    while following:
        start, current = following.popitem()
        ring = [start]
        while current != start:
            ring.append(current)
            current = following.pop(current)
        loops.append(np.array(ring))
    return sorted(loops, key=len, reverse=True)

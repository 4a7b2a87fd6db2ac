"""The surface of a head: normals, smooth subdivision, and the visibility of light."""

from __future__ import annotations

import math

import numpy as np

#: How far a new vertex moves from the flat triangle towards the curved surface, from 0 to 1.
ROUNDNESS = 0.6
#: A triangle that faces away by less than this cosine may have subdivided parts that do not.
CURVED_AWAY = 0.25
#: Cell size of the depth maps for visibility, and how far below the depth map a visible point may lie.
CELL, BIAS = np.float32(0.003), np.float32(0.004)  # metres


class Surface:
    """Fixed triangles over moving vertices, subdivided and rounded at long edges.

    `fine_faces` (G, 3) are the subdivided triangles. They index the V given vertices, followed by one new vertex for
    each of `edges` (E, 2). Both triangles of an edge are subdivided there, so that no cracks open.

    Args:
        faces: (F, 3) the given triangles.
        template: (V, 3) neutral vertices in metres.
        longest_side: edges that are longer, in metres, are subdivided ...
        flattest: ... if rounding moves their middle by more than this, in metres.
        seam_groups: (V,) for each vertex the first of those that always stand in the same place, such as those on both
            sides of a texture's seam: they share one normal. None: there are none.
    """

    def __init__(
        self,
        faces: np.ndarray,
        template: np.ndarray,
        longest_side: float,
        flattest: float = 0.0,
        seam_groups: np.ndarray | None = None,
    ) -> None:
        self.faces = np.ascontiguousarray(faces, np.int64)
        self.vertex_count = len(template)
        self.seam_groups = None if seam_groups is None else np.ascontiguousarray(seam_groups, np.int64)
        sides = np.sort(np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]]), axis=1)
        self.all_edges, which = np.unique(sides, axis=0, return_inverse=True)
        length = np.linalg.norm(template[self.all_edges[:, 0]] - template[self.all_edges[:, 1]], axis=1)
        rise = np.linalg.norm(_rise(template, self.normals(template), self.all_edges), axis=1)
        cut = (length > longest_side) & (rise > flattest)
        self.edges = self.all_edges[cut]
        middle = np.where(cut, self.vertex_count + np.cumsum(cut) - 1, -1)
        self._middles = middle[which.reshape(3, -1).T]
        self.fine_faces = self.cut(np.ones(len(self.faces), bool))

    def cut(self, kept: np.ndarray) -> np.ndarray:
        """Return the subdivided triangles (G, 3) of the given triangles `kept` (F,) bool."""
        return _cut(self.faces[kept], self._middles[kept])

    def seen(self, frames: np.ndarray, eye: np.ndarray) -> np.ndarray:
        """Find the triangles that face a camera in any frame, with a margin for their subdivided parts.

        Args:
            frames: (T, V, 3) vertices.
            eye: (3,) position of the camera, in the units of the vertices.

        Returns:
            (F,) bool.
        """
        away, still = np.arange(len(self.faces)), np.zeros(0, int)
        for number, vertices in enumerate(frames):
            a, b, c = (vertices[corner] for corner in self.faces[away].T)
            across, toward = np.cross(b - a, c - a), eye.astype(np.float32) - a
            size = np.linalg.norm(across, axis=1) * np.linalg.norm(toward, axis=1)
            away = away[np.einsum("fx,fx->f", across, toward) < -CURVED_AWAY * size]
            if number == 0:  # what does not move goes on facing away
                moves = (frames != frames[:1]).any(axis=0).any(axis=1)
                turning = moves[self.faces[away]].any(axis=1)
                still, away = away[~turning], away[turning]
        kept = np.ones(len(self.faces), bool)
        kept[away] = kept[still] = False
        return kept

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """Return the unit normals (V, 3) float32 of `vertices` (V, 3), weighted by the area of adjacent triangles."""
        if self.seam_groups is None:
            return _normals(self.faces, vertices)
        return _normals(self.seam_groups[self.faces], vertices)[self.seam_groups]

    def refine(self, vertices: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Subdivide by Phong tessellation, which keeps the given vertices.

        Args:
            vertices: (V, 3).
            normals: (V, 3) unit normals.

        Returns:
            Positions and unit normals of the fine mesh, (V + E, 3) each.

        Source:
            Boubekeur and Alexa, Phong Tessellation, ACM Transactions on Graphics 27 (2008),
            doi:10.1145/1409060.1409094.
        """
        points, between = _middles(vertices, normals, self.edges)
        return np.concatenate([vertices, points]), np.concatenate([normals, between])

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Interpolate values per given vertex (V, ...) to the fine vertices (V + E, ...)."""
        return np.concatenate([values, 0.5 * (values[self.edges[:, 0]] + values[self.edges[:, 1]])])

    def smooth(self, values: np.ndarray, rounds: int) -> np.ndarray:
        """Average values per vertex (V,) with their neighbours, `rounds` times."""
        first, second = (self.all_edges if self.seam_groups is None else self.seam_groups[self.all_edges]).T
        degree = np.bincount(np.concatenate([first, second]), minlength=self.vertex_count) + 1.0
        for _ in range(rounds):
            around = np.bincount(first, values[second], self.vertex_count)
            around += np.bincount(second, values[first], self.vertex_count)
            values = ((values + around) / degree).astype(np.float32)
        return values if self.seam_groups is None else values[self.seam_groups]


class Patch:
    """The part of a surface that changes when only some vertices move.

    `fine` (P,) are the indices of its fine vertices: the given ones, `vertices`, and then the new ones.

    Args:
        surface: the surface.
        moves: (V,) bool, the vertices that move.
    """

    def __init__(self, surface: Surface, moves: np.ndarray) -> None:
        faces = surface.faces
        turned = np.zeros(surface.vertex_count, bool)  # vertices whose normal changes: all corners of moving triangles
        turned[faces[moves[faces].any(axis=1)]] = True
        first = np.arange(surface.vertex_count) if surface.seam_groups is None else surface.seam_groups
        turned[first[turned]] = True
        turned = turned[first]
        self.vertices = np.flatnonzero(turned)
        at_edge = turned[surface.edges].any(axis=1)
        self.fine = np.concatenate([self.vertices, surface.vertex_count + np.flatnonzero(at_edge)])
        # A normal needs all triangles around its vertex, and an edge both its ends.
        around = faces[turned[faces].any(axis=1)]
        corners = np.concatenate([around.ravel(), surface.edges[at_edge].ravel()])
        self._needed = np.unique(np.concatenate([corners, first[corners]]))
        self._around = np.searchsorted(self._needed, first[around])
        self._edges = np.searchsorted(self._needed, surface.edges[at_edge])
        self._seams = None if surface.seam_groups is None else np.searchsorted(self._needed, first[self._needed])
        self._kept = np.searchsorted(self._needed, self.vertices)
        self._turned = turned[self._needed]

    def refine(self, vertices: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and normals (P, 3) of `fine` for `vertices` (V, 3); `normals` (V, 3) are those at rest."""
        here = vertices[self._needed]
        now = _normals(self._around, here)
        own = np.where(self._turned[:, None], now if self._seams is None else now[self._seams], normals[self._needed])
        points, between = _middles(here, own, self._edges)
        return np.concatenate([here[self._kept], points]), np.concatenate([own[self._kept], between])


def _normals(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    a, b, c = (vertices.T[:, corner] for corner in faces.T)
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    across = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)  # np.cross takes twice as long
    corners = faces.T.ravel()
    total = [np.bincount(corners, np.tile(one, 3), len(vertices)) for one in across]
    normals = np.stack(total, axis=1).astype(np.float32)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


def _rise(vertices: np.ndarray, normals: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The offset (E, 3) of the middle of each edge from the straight line to the curved surface."""
    first, second = edges.T
    along, n, m = vertices[second] - vertices[first], normals[first], normals[second]
    # Mean of the two projections of the mid-point onto the tangent planes at both ends, less the mid-point.
    rise = np.einsum("ex,ex->e", along, m)[:, None] * m - np.einsum("ex,ex->e", along, n)[:, None] * n
    return np.float32(0.25 * ROUNDNESS) * rise


def _middles(vertices: np.ndarray, normals: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and unit normals (E, 3) of the new vertex on every edge."""
    first, second = edges.T
    between = normals[first] + normals[second]
    between /= np.maximum(np.linalg.norm(between, axis=1, keepdims=True), 1e-20)
    return 0.5 * (vertices[first] + vertices[second]) + _rise(vertices, normals, edges), between


def _cut(faces: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """Subdivide triangles (F, 3) at the new vertices `middles` (F, 3) of their sides ab, bc, ca; -1: not there."""
    cut = middles >= 0
    count = cut.sum(axis=1)
    # Turn every triangle so that its only cut side is ab, or its only whole side is ca.
    turn = np.where(count == 1, cut.argmax(axis=1), np.where(count == 2, (~cut).argmax(axis=1) + 1, 0)) % 3
    order = (np.arange(3) + turn[:, None]) % 3
    a, b, c = np.take_along_axis(faces, order, axis=1).T
    ab, bc, ca = np.take_along_axis(middles, order, axis=1).T
    patterns = {
        0: [(a, b, c)],
        1: [(a, ab, c), (ab, b, c)],
        2: [(ab, b, bc), (a, ab, bc), (a, bc, c)],
        3: [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)],
    }
    return np.concatenate([np.stack(part, 1)[count == n] for n, parts in patterns.items() for part in parts])


def visibility(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Compute the share of light from several directions that reaches each vertex, with a depth map per direction.

    Directions all around give ambient occlusion; directions around a light give a soft shadow.

    Args:
        vertices: (V, 3) in metres.
        faces: (F, 3).
        normals: (V, 3) unit normals.
        directions: (K, 3) unit vectors towards the light.

    Returns:
        (V,) float32 in [0, 1].
    """
    samples = np.ascontiguousarray(_samples(vertices, faces).T)
    lifted = np.ascontiguousarray((vertices + np.float32(0.002) * normals).T)
    reached, total = np.zeros((2, len(vertices)), np.float32)
    for direction in directions:
        first = np.cross(direction, (0.0, 1.0, 0.0) if abs(direction[1]) < 0.9 else (1.0, 0.0, 0.0))
        first /= np.linalg.norm(first)
        basis = np.stack([first / CELL, np.cross(direction, first) / CELL, direction]).astype(np.float32)
        placed, own = basis @ samples, basis @ lifted  # column, row, height towards the light
        corner = placed[:2].min(axis=1, keepdims=True)
        column, row = (placed[:2] - corner).astype(np.int32)
        width, height = int(column.max()) + 1, int(row.max()) + 1
        depth = np.full(width * height, -np.inf, np.float32)
        np.maximum.at(depth, column + width * row, placed[2])
        own_column, own_row = np.clip((own[:2] - corner).astype(np.int32), 0, [[width - 1], [height - 1]])
        facing = np.maximum(normals @ direction.astype(np.float32), 0)
        total += facing
        reached += facing * (own[2] > depth[own_column + width * own_row] - BIAS)
    return np.where(total > 1e-6, reached / np.maximum(total, 1e-6), 0.0).astype(np.float32)


def _samples(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Points (P, 3) on the triangles, dense enough to leave no hole in a depth map."""
    corners = vertices[faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    cuts = np.clip(np.ceil(longest / (1.4 * CELL)), 1, 12).astype(int)
    points = [vertices]
    for n in np.unique(cuts[cuts > 1]):
        shares = [[i, j, n - i - j] for i in range(n + 1) for j in range(n + 1 - i) if max(i, j, n - i - j) < n]
        points.append(np.einsum("sk,fkx->fsx", np.array(shares, np.float32) / n, corners[cuts == n]).reshape(-1, 3))
    return np.concatenate(points)


def sphere_directions(count: int) -> np.ndarray:
    """Return unit vectors (count, 3) spread evenly over the sphere, on a golden spiral."""
    k = np.arange(count) + 0.5
    y, turn = 1 - 2 * k / count, math.pi * (1 + math.sqrt(5)) * k
    ring = np.sqrt(1 - y * y)
    return np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], axis=1)

"""Whether a mesh has the vertex order of a known one: by its triangles and places, not by the number of its vertices.

The triangles of the open head are known, so that its order is checked exactly. Those of FLAME and BIWI may not be
shipped: there the order is refused if it cannot be right, which finds a shuffled mesh but not two swapped vertices.
"""

from __future__ import annotations

import numpy as np

from memorytalker.face.head import HeadError, HeadMesh

#: A triangle side longer than this share of the head's size is none, and the share of such sides that is too large.
LONGEST_SIDE, MOST_LONG = 0.35, 0.01
#: Vertices of FLAME, and of each of its eyeballs, which follow each other in its order.
FLAME, FLAME_EYEBALL = 5023, 546
#: Median distance of vertices that follow each other, as a share of that of any two: of a shuffled mesh it is 1.
LARGEST_STEP = 0.9
_HOW = "export it with its vertex order kept, as one mesh without splitting, merging or sorting"


def check_open_order(head: HeadMesh, vertices: np.ndarray, faces: np.ndarray, name: str) -> None:
    """Refuse a mesh that is not in the vertex order of a known head.

    Args:
        head: the head whose triangles are known.
        vertices: (V, 3) of the mesh.
        faces: (F, 3) of the mesh.
        name: of its file.

    Raises:
        HeadError: another number of vertices, other triangles, or left and right exchanged.
    """
    if len(vertices) != head.vertex_count:
        raise HeadError(f"{name} has {len(vertices)} vertices where the open head has {head.vertex_count}; {_HOW}.")
    known, own = _rows(head.faces), _rows(faces)
    shared = len(np.intersect1d(known, own))
    if shared < len(known) or shared < len(own):
        raise HeadError(
            f"{name} has as many vertices as the open head but in another order: {shared} of its {len(own)} triangles "
            f"join the same vertices; {_HOW}."
        )
    if _far_sides(vertices, faces) > MOST_LONG:
        raise HeadError(
            f"{name} joins vertices as the open head does, but neighbours lie far apart, so its places are in another "
            f"order; {_HOW}."
        )
    marks = head.landmarks
    left, right = (vertices[marks[f"eye_{side}_outer"]] for side in ("left", "right"))
    if not left[0] > right[0] or not vertices[marks["nose_bridge"], 1] > vertices[marks["chin"], 1]:
        raise HeadError(f"{name} does not stand as the open head does, y up and its left towards +x; turn it so.")


def check_likely_order(vertices: np.ndarray, faces: np.ndarray, name: str, wanted: str) -> None:
    """Refuse a mesh whose vertices cannot be in the order of the known mesh with that number of vertices.

    Args:
        vertices: (V, 3) of the mesh.
        faces: (F, 3) of the mesh.
        name: of its file.
        wanted: the known mesh, and where to get it.

    Raises:
        HeadError: neighbours far apart, an eyeball of FLAME that is not one run of the order, or no order at all.
    """
    if _far_sides(vertices, faces) > MOST_LONG:
        reason = "its triangles join vertices that lie far apart"
    elif len(vertices) == FLAME and _scattered_eyeballs(faces, len(vertices)):
        reason = "the vertices of an eyeball do not follow each other, as they do in FLAME"
    elif _step(vertices) > LARGEST_STEP:
        reason = "vertices that follow each other lie no nearer than any two"
    else:
        return
    raise HeadError(f"{name} has its vertices in another order than the weights: {reason}; get {wanted}.")


def far_sides(template: np.ndarray, faces: np.ndarray) -> bool:
    """Return whether triangles (F, 3) join vertices of `template` (V, 3) that lie far apart, so that both differ."""
    return _far_sides(template, faces) > MOST_LONG


def _rows(faces: np.ndarray) -> np.ndarray:
    """One number for each different triangle, whatever corner it begins with."""
    a, b, c = np.sort(faces.astype(np.int64), axis=1).T
    return np.unique((a << 42) | (b << 21) | c)


def _far_sides(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Share of the triangles' sides that are too long to be one."""
    sides = np.linalg.norm(vertices[faces] - vertices[np.roll(faces, 1, axis=1)], axis=2)
    return float((sides > LONGEST_SIDE * np.ptp(vertices, axis=0).max()).mean())


def _scattered_eyeballs(faces: np.ndarray, count: int) -> bool:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = np.concatenate([faces[:, :2], faces[:, 1:]])
    joined = coo_matrix((np.ones(len(ends), bool), ends.T), shape=(count, count))
    _, piece = connected_components(joined, directed=False)
    balls = [np.flatnonzero(piece == k) for k in np.flatnonzero(np.bincount(piece) == FLAME_EYEBALL)]
    return any(ball[-1] - ball[0] >= FLAME_EYEBALL for ball in balls)


def _step(vertices: np.ndarray) -> float:
    """Median distance of vertices that follow each other, as a share of that of any two."""
    if len(vertices) < 30:
        return 0.0
    other = vertices[np.random.default_rng(0).permutation(len(vertices))]
    apart = np.median(np.linalg.norm(vertices - other, axis=1))
    return float(np.median(np.linalg.norm(np.diff(vertices, axis=0), axis=1)) / max(apart, 1e-12))

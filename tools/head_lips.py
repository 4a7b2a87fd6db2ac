"""Close the lips of every identity: in the neutral face upper and lower lip touch all along the mouth."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

#: Where the lips meet, from the middle of the upper lip round the mouth (numbering of base.obj).
UPPER_MIDDLE, LOWER_MIDDLE = 520, 523
#: Rings of vertices around the meeting line over which the correction fades out.
FADE_RINGS = 7
#: Shapes that together leave the lips touching, and shapes that hold the mouth open meanwhile.
TOGETHER = (
    (("mouthClose",), ("jawOpen",)),
    (("mouthSmileLeft", "mouthSmileRight"), ()),
    (("mouthDimpleLeft", "mouthDimpleRight"), ()),
    (("mouthFrownLeft", "mouthFrownRight"), ()),
    (("mouthLeft", "mouthRight"), ()),
    (("mouthPucker",), ()),
)


def contact_ring(quads: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edge loop in which the lips meet, as upper and lower vertices, each from right to left corner."""
    around: dict[int, list[int]] = {}
    for number, quad in enumerate(quads):
        for vertex in quad:
            around.setdefault(int(vertex), []).append(number)

    def onward(previous: int, current: int) -> int:
        near = {int(v) for q in around[current] for v in quads[q]}
        ends = {v for v in near if _adjacent(quads, around, current, v)}
        beside = {int(v) for q in around[current] if previous in quads[q] for v in quads[q]}
        (following,) = ends - beside
        return following

    first = [int(v) for v in {v for q in around[UPPER_MIDDLE] for v in quads[q].tolist()}
             if _adjacent(quads, around, UPPER_MIDDLE, v) and positions[v, 0] > 1e-4]
    ring = [UPPER_MIDDLE, first[0]]
    while ring[-1] != UPPER_MIDDLE:
        ring.append(onward(ring[-2], ring[-1]))
    ring = np.array(ring[:-1])
    turn = int(np.flatnonzero(ring == LOWER_MIDDLE)[0])
    left = int(np.argmax(positions[ring, 0]))
    right = int(np.argmin(positions[ring, 0]))
    assert left < turn < right
    upper = np.r_[ring[right:], ring[: left + 1]]
    return upper, ring[left : right + 1][::-1]


def _adjacent(quads: np.ndarray, around: dict[int, list[int]], a: int, b: int) -> bool:
    for number in around[a]:
        quad = quads[number].tolist()
        if b in quad and (quad.index(a) - quad.index(b)) % 4 in (1, 3):
            return True
    return False


def close_lips(quads: np.ndarray, positions: np.ndarray, ring: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """`positions` (N, 3) with the lips moved so that they meet half-way, fading out over the rings around."""
    upper, lower = ring
    target = np.zeros(len(positions))
    for here, there in ((upper, lower), (lower, upper)):
        order = np.argsort(positions[there, 0], kind="stable")
        opposite = np.interp(positions[here, 0], positions[there[order], 0], positions[there[order], 1])
        target[here] = 0.5 * (opposite - positions[here, 1])
    corners = [upper[0], upper[-1]]
    target[corners] = 0
    fixed = np.unique(np.r_[upper, lower])
    edges = np.unique(np.sort(np.concatenate([quads[:, [0, 1]], quads[:, [1, 2]], quads[:, [2, 3]], quads[:, [3, 0]]]), 1), axis=0)
    count = len(positions)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    graph = (graph + graph.T).tocsr()
    reach = np.zeros(count)
    reach[fixed] = 1
    for _ in range(FADE_RINGS):
        reach = ((graph @ reach + reach) > 0).astype(float)
    free = np.setdiff1d(np.flatnonzero(reach), fixed)
    laplacian = sparse.diags(np.asarray(graph.sum(axis=1)).ravel()) - graph
    moved = positions.copy()
    moved[fixed, 1] += target[fixed]
    moved[free, 1] += spsolve(laplacian[free][:, free].tocsc(), -laplacian[free][:, fixed] @ target[fixed])
    return moved


def meeting(
    shapes: dict[str, np.ndarray], quads: np.ndarray, positions: np.ndarray, ring: tuple[np.ndarray, np.ndarray]
) -> dict[str, np.ndarray]:
    """The shapes with those that should keep the lips together changed so that they do, on the face `positions`.

    Face units were drawn one side at a time: both sides of a smile together push the lower lip through the upper one.
    """
    result = dict(shapes)
    for names, held in TOGETHER:
        pose = positions + sum(shapes[name] for name in (*names, *held))
        change = (close_lips(quads, pose, ring) - pose) / len(names)
        for name in names:
            result[name] = result[name] + change
    return result

"""Close the lips of every identity: in the neutral face upper and lower lip touch all along the mouth."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from tools.head.mesh import neighbours

#: Where the lips meet, from the middle of the upper lip round the mouth (numbering of base.obj).
UPPER_MIDDLE, LOWER_MIDDLE = 520, 523
#: Rings of vertices around the meeting line over which the correction fades out.
FADE_RINGS = 7
#: Lips that only just touch show a slit from above or below.
NEUTRAL_OVERLAP = 0.0004
#: Shapes that together leave the lips touching, shapes that hold the mouth open meanwhile, and the overlap in metres.
TOGETHER = (
    (("mouthClose",), ("jawOpen",), NEUTRAL_OVERLAP),
    (("mouthSmileLeft", "mouthSmileRight"), (), 0.0004),
    (("mouthDimpleLeft", "mouthDimpleRight"), (), 0.0004),
    (("mouthFrownLeft", "mouthFrownRight"), (), 0.0004),
    (("mouthLeft", "mouthRight"), (), 0.0004),
    (("mouthPucker",), (), 0.0006),
)


def contact_ring(quads: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edge loop in which the lips meet, as upper and lower vertices, each from right to left corner."""
    graph = neighbours(quads, len(positions))

    def beside(vertex: int) -> set[int]:
        return set(graph.indices[graph.indptr[vertex] : graph.indptr[vertex + 1]].tolist())

    ring = [UPPER_MIDDLE, max(beside(UPPER_MIDDLE), key=lambda v: positions[v, 0])]
    while ring[-1] != UPPER_MIDDLE:  # straight on: to the neighbour that shares no quad with the vertex before
        previous, current = ring[-2:]
        shared = quads[(quads == current).any(axis=1) & (quads == previous).any(axis=1)]
        (onward,) = beside(current) - set(shared.ravel().tolist())
        ring.append(onward)
    ring = np.array(ring[:-1])
    left, right = int(np.argmax(positions[ring, 0])), int(np.argmin(positions[ring, 0]))
    assert left < list(ring).index(LOWER_MIDDLE) < right
    return np.r_[ring[right:], ring[: left + 1]], ring[left : right + 1][::-1]


def close_lips(
    quads: np.ndarray, positions: np.ndarray, ring: tuple[np.ndarray, np.ndarray], overlap: float = NEUTRAL_OVERLAP
) -> np.ndarray:
    """`positions` (N, 3) with the lips moved so that they meet half-way, fading out over the rings around.

    Afterwards the upper lip reaches `overlap` metres below the top of the lower one.
    """
    upper, lower = ring
    target = np.zeros(len(positions))
    for here, there in ((upper, lower), (lower, upper)):
        order = np.argsort(positions[there, 0], kind="stable")
        opposite = np.interp(positions[here, 0], positions[there[order], 0], positions[there[order], 1])
        target[here] = 0.5 * (opposite - positions[here, 1] + (overlap if here is lower else -overlap))
    target[[upper[0], upper[-1]]] = 0  # the corners belong to both
    fixed = np.unique(np.r_[upper, lower])
    count = len(positions)
    graph = neighbours(quads, count)
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
    for names, held, overlap in TOGETHER:
        pose = positions + sum(shapes[name] for name in (*names, *held))
        change = (close_lips(quads, pose, ring, overlap) - pose) / len(names)
        for name in names:
            result[name] = result[name] + change
    return result

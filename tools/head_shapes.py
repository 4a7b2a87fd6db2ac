"""Small repairs to MakeHuman's face units: the same on both sides, and a lower lip that opens round."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

#: Shapes whose lower lip comes to a point in the middle, and how often its offsets are relaxed.
POINTED = ("jawOpen", "mouthClose", "mouthFunnel")
RELAXATIONS = 6
HALF_WIDTH = 0.017  # metres to either side of the middle


def mirror_map(positions: np.ndarray) -> np.ndarray:
    """For each vertex of the symmetric base.obj (N, 3) the one on the other side."""
    distance, other = cKDTree(positions).query(positions * [-1, 1, 1])
    assert distance.max() < 1e-6, "base.obj is not symmetric"
    return other


def symmetric(shapes: dict[str, np.ndarray], other: np.ndarray) -> dict[str, np.ndarray]:
    """Every shape averaged with the mirror image of its opposite (or of itself)."""
    result = {}
    for name, offsets in shapes.items():
        opposite = name
        for one, two in (("Left", "Right"), ("Right", "Left")):
            if name.endswith(one):
                opposite = name.removesuffix(one) + two
        result[name] = 0.5 * (offsets + shapes[opposite][other] * [-1, 1, 1])
    return result


def rounded(shapes: dict[str, np.ndarray], quads: np.ndarray, positions: np.ndarray, lips: np.ndarray) -> dict[str, np.ndarray]:
    """The shapes with the offsets of the lips (a mask (N,) in 0..1) relaxed towards their neighbours near the middle."""
    count = len(positions)
    pairs = np.concatenate([quads[:, [0, 1]], quads[:, [1, 2]], quads[:, [2, 3]], quads[:, [3, 0]]])
    graph = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    graph = ((graph + graph.T) > 0).astype(float)
    mean = sparse.diags(1 / np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)) @ graph
    near = lips > 0.3
    for _ in range(3):
        near = near | (graph @ near.astype(float) > 0)
    share = near * np.clip(1 - np.abs(positions[:, 0]) / HALF_WIDTH, 0, 1)
    result = dict(shapes)
    for name in POINTED:
        offsets = result[name]
        for _ in range(RELAXATIONS):
            offsets = offsets + share[:, None] * (mean @ offsets - offsets)
        result[name] = offsets
    return result

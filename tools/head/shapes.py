"""Small repairs to MakeHuman's face units: the same on both sides, and a lower lip that opens round."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from tools.head.mesh import neighbours

#: Shapes whose lower lip comes to a point in the middle, and how often its offsets are relaxed.
POINTED = ("jawOpen", "mouthClose", "mouthFunnel")
RELAXATIONS = 6
HALF_WIDTH = 0.017  # metres to either side of the middle
#: The blink of the face units was drawn for the wider eyes of a child; on grown-ups this much of it closes the lids.
BLINK = 0.87
STRAY = 0.005  # metres past the middle at which the shapes of one eye end


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


def repaired_shapes(
    shapes: dict[str, np.ndarray], quads: np.ndarray, positions: np.ndarray, lips: np.ndarray
) -> dict[str, np.ndarray]:
    """The shapes with a round lower lip and lids that just close; `lips` (N,) in 0..1 is the mask of the lips."""
    graph = neighbours(quads, len(positions))
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
    for name in result:
        if name.startswith("eye"):  # the face units of one eye also stir hidden parts of the other
            side = 1.0 if name.endswith("Left") else -1.0
            result[name] = result[name] * np.clip(1 + side * positions[:, 0] / STRAY, 0, 1)[:, None]
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        result[name] = BLINK * result[name]
    return result

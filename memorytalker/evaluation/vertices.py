"""Errors between two moving faces, vertex by vertex. numpy only; docs/metrics.md has every definition and its traps.

Predicted and true are (T, V, 3) metres: vertices, or offsets from one template, which give the same differences.
Regions are arrays of vertex indices, each vertex named once. Where a function gives one number for a clip, the figure
of many clips is the mean weighted by their frames, or by clips alone; `measures.MEASURES` says which.
"""

from __future__ import annotations

import numpy as np

#: Frames that are worked on at once, so that a long clip of many vertices needs little memory.
CHUNK = 128


def squared_distances(predicted: np.ndarray, true: np.ndarray, region: np.ndarray | None = None) -> np.ndarray:
    """(T, R) squared distance in square metres of each vertex of the region (None: all) from where it should be.

    Raises ValueError unless both are (T, V, 3) of one shape, with finite numbers.
    """
    if predicted.shape != true.shape or true.ndim != 3 or true.shape[-1] != 3 or not len(true):
        raise ValueError(f"Predicted {predicted.shape} and true {true.shape} motion must both be (T, V, 3), T >= 1.")
    if region is not None:
        predicted, true = predicted[:, region], true[:, region]
    difference = true.astype(np.float32, copy=False) - predicted.astype(np.float32, copy=False)
    squares = np.einsum("tvc,tvc->tv", difference, difference)
    if not np.isfinite(squares).all():
        raise ValueError("The motion holds numbers that are not finite.")
    return squares


def lip_vertex_error(predicted: np.ndarray, true: np.ndarray, lips: np.ndarray) -> float:
    """LVE, maximum form, in square metres: the largest squared error among the lip vertices, mean over frames.

    As the field uses it since MeshTalk (Richard et al. 2021, arXiv 2104.08223), and CodeTalker (Xing et al. 2023,
    arXiv 2301.02379) computes it; torchmetrics' LipVertexError is the same. Pooled over frames.
    """
    return float(squared_distances(predicted, true, lips).max(axis=1).mean(dtype=np.float64))


def lip_mean_squared_error(predicted: np.ndarray, true: np.ndarray, lips: np.ndarray) -> float:
    """LVE, mean form, in square metres: plain mean of the squared error over frames, lip vertices and coordinates.

    As MemoryTalker's public code prints it; a third of the mean squared distance, and far below the maximum form.
    Pooled over frames.
    """
    return float(squared_distances(predicted, true, lips).mean(dtype=np.float64)) / 3


def face_vertex_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """FVE in square metres: the squared distance of a vertex, mean over all V vertices and frames.

    MemoryTalker (Kim et al. 2025, arXiv 2507.20562). Pooled over frames. Vertices that never move, such as the back of
    the head, count as well, so that the value depends on the mesh.
    """
    if predicted.shape != true.shape:
        raise ValueError(f"Predicted {predicted.shape} and true {true.shape} motion must be of one shape.")
    pieces = [slice(first, first + CHUNK) for first in range(0, len(true), CHUNK)]
    total = sum(float(squared_distances(predicted[p], true[p]).sum(dtype=np.float64)) for p in pieces)
    return total / (true.shape[0] * true.shape[1])


def lip_max(predicted: np.ndarray, true: np.ndarray, lips: np.ndarray) -> float:
    """Lip-max in metres: the largest distance (rooted) among the lip vertices, mean over frames.

    MemoryTalker (Kim et al. 2025, arXiv 2507.20562). Pooled over frames.
    """
    return float(np.sqrt(squared_distances(predicted, true, lips).max(axis=1)).mean(dtype=np.float64))


def dynamics(offsets: np.ndarray, region: np.ndarray) -> float:
    """How lively a region is, in square metres: the standard deviation over time of the squared distance of a vertex
    from the neutral face, mean over the region. offsets (T, V, 3) metres from the speaker's own template."""
    moved = offsets[:, region].astype(np.float64)
    return float(np.einsum("tvc,tvc->tv", moved, moved).std(axis=0).mean())


def upper_face_deviation(predicted: np.ndarray, true: np.ndarray, upper_face: np.ndarray) -> float:
    """FDD, signed, in square metres: the dynamics of the true upper face less those of the predicted one.

    CodeTalker (Xing et al. 2023, arXiv 2301.02379). Here predicted and true must be offsets from the speaker's own
    template. Positive: the prediction moves too little. Too much in one clip and too little in another cancel in the
    mean over clips, therefore the absolute form, the mean over clips of the absolute value, stands beside it (the
    evaluation of FaceDiffuser, Stan et al. 2023, arXiv 2309.11306, gives both). Pooled over clips.
    """
    return dynamics(true, upper_face) - dynamics(predicted, upper_face)

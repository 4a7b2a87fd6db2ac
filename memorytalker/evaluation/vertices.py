"""Vertex errors between predicted and true motion. numpy only; docs/metrics.md has every definition and its caveats.

`predicted` and `true` are (T, V, 3) metres: vertices, or offsets from one template. Regions are arrays of unique vertex
indices. `measures.MEASURES` says how the values of several clips are pooled: weighted by frames, or by clips.
"""

from __future__ import annotations

import numpy as np

#: Frames processed at once, to bound memory for long clips of large meshes.
CHUNK = 128


def squared_distances(predicted: np.ndarray, true: np.ndarray, region: np.ndarray | None = None) -> np.ndarray:
    """Squared distance of each predicted vertex from its true position.

    Args:
        predicted: (T, V, 3) metres.
        true: (T, V, 3) metres.
        region: (R,) vertex indices; None for all vertices.

    Returns:
        (T, R) square metres.

    Raises:
        ValueError: if the shapes differ or numbers are not finite.
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
    """LVE, maximum form: largest squared error among the lip vertices, mean over frames. Pooled over frames.

    Args:
        predicted: (T, V, 3) metres.
        true: (T, V, 3) metres.
        lips: (R,) vertex indices.

    Returns:
        Square metres.

    Source:
        MeshTalk, Richard et al. 2021, arXiv 2104.08223; as in CodeTalker, Xing et al. 2023, arXiv 2301.02379, and
        torchmetrics' LipVertexError.
    """
    return float(squared_distances(predicted, true, lips).max(axis=1).mean(dtype=np.float64))


def lip_mean_squared_error(predicted: np.ndarray, true: np.ndarray, lips: np.ndarray) -> float:
    """LVE, mean form: mean of the squared error over frames, lip vertices and coordinates. Pooled over frames.

    This is a third of the mean squared distance, and far below the maximum form.

    Args:
        predicted: (T, V, 3) metres.
        true: (T, V, 3) metres.
        lips: (R,) vertex indices.

    Returns:
        Square metres.

    Source:
        MemoryTalker's public code.
    """
    return float(squared_distances(predicted, true, lips).mean(dtype=np.float64)) / 3


def face_vertex_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """FVE: squared distance, mean over all vertices and frames. Pooled over frames.

    Vertices that never move, such as the back of the head, count too, so the value depends on the mesh.

    Args:
        predicted: (T, V, 3) metres.
        true: (T, V, 3) metres.

    Returns:
        Square metres.

    Raises:
        ValueError: if the shapes differ or numbers are not finite.

    Source:
        MemoryTalker, Kim et al. 2025, arXiv 2507.20562.
    """
    if predicted.shape != true.shape:
        raise ValueError(f"Predicted {predicted.shape} and true {true.shape} motion must be of one shape.")
    pieces = [slice(first, first + CHUNK) for first in range(0, len(true), CHUNK)]
    total = sum(float(squared_distances(predicted[p], true[p]).sum(dtype=np.float64)) for p in pieces)
    return total / (true.shape[0] * true.shape[1])


def lip_max(predicted: np.ndarray, true: np.ndarray, lips: np.ndarray) -> float:
    """Lip-max: largest distance among the lip vertices, mean over frames. Pooled over frames.

    Args:
        predicted: (T, V, 3) metres.
        true: (T, V, 3) metres.
        lips: (R,) vertex indices.

    Returns:
        Metres.

    Source:
        MemoryTalker, Kim et al. 2025, arXiv 2507.20562.
    """
    return float(np.sqrt(squared_distances(predicted, true, lips).max(axis=1)).mean(dtype=np.float64))


def dynamics(offsets: np.ndarray, region: np.ndarray) -> float:
    """Upper-face dynamics: std over time of a vertex's squared distance from the neutral face, mean over the region.

    Args:
        offsets: (T, V, 3) metres from the speaker's own template.
        region: (R,) vertex indices.

    Returns:
        Square metres.
    """
    moved = offsets[:, region].astype(np.float64)
    return float(np.einsum("tvc,tvc->tv", moved, moved).std(axis=0).mean())


def upper_face_deviation(predicted: np.ndarray, true: np.ndarray, upper_face: np.ndarray) -> float:
    """FDD, signed: dynamics of the true upper face minus those of the predicted one. Pooled over clips.

    Opposite signs of different clips cancel in the mean, so the mean of absolute values is reported as well, as in
    FaceDiffuser.

    Args:
        predicted: (T, V, 3) offsets in metres from the speaker's own template.
        true: (T, V, 3) the same, of the ground truth.
        upper_face: (R,) vertex indices.

    Returns:
        Square metres; positive if the prediction moves too little.

    Source:
        CodeTalker, Xing et al. 2023, arXiv 2301.02379; FaceDiffuser, Stan et al. 2023, arXiv 2309.11306.
    """
    return dynamics(true, upper_face) - dynamics(predicted, upper_face)

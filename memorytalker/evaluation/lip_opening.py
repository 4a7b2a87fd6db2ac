"""The lip opening over time, and how far two such curves differ in height and in timing.

numpy and scipy only; docs/metrics.md has every definition and its traps.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

#: Frames: standard deviation of the Gaussian that smooths a curve before its extrema are taken.
SMOOTHING = 2.0
#: Metres: extrema of smaller prominence are numerical noise, such as in a mouth that stays closed.
PROMINENCE = 1e-5
#: Steps of a warping path: advance in both curves, in the first, in the second.
BOTH, FIRST, SECOND = 0, 1, 2


def lip_opening(vertices: np.ndarray, opening: tuple[int, int]) -> np.ndarray:
    """Compute the signed lip opening: the height of the upper above the lower lip vertex.

    Unlike `metrics.lip_gap` it is not clipped at 0, so pressed lips still give a curve.

    Args:
        vertices: (T, V, 3) metres, y up; or offsets.
        opening: indices of the (upper, lower) vertex.

    Returns:
        (T,) metres.
    """
    upper, lower = opening
    return vertices[:, upper, 1].astype(np.float64) - vertices[:, lower, 1]


def warp(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray]:
    """Align two curves by dynamic time warping, with cost |a - b| and unit step weights.

    Works along anti-diagonals: O(n + m) numpy calls, n (n + m) bytes.

    Args:
        a: (n,) curve.
        b: (m,) curve.

    Returns:
        The total cost, and the path (k, 2) of paired frames of `a` and `b` from the first to the last of both. Among
        paths of equal cost it prefers to advance in both.

    Raises:
        ValueError: if a curve is empty or not finite.

    Source:
        Sakoe and Chiba 1978, doi 10.1109/TASSP.1978.1163055, without a window.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    n, m = len(a), len(b)
    if not n or not m or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("Only curves of at least one frame with finite numbers can be warped.")
    outside = np.full(n - 1, np.inf)
    padded = np.concatenate([outside, b, outside])
    steps = np.empty((n + m - 1, n), np.int8)
    # Lowest cost of reaching each pair of an anti-diagonal i + j = d, at index i + 1; index 0 stands for i = -1.
    earlier, before = np.full(n + 1, np.inf), np.full(n + 1, np.inf)
    earlier[0] = 0.0
    for d in range(n + m - 1):
        cost = np.abs(a - padded[d : d + n][::-1])
        costs = np.stack([earlier[:-1], before[:-1], before[1:]])  # BOTH, FIRST, SECOND
        steps[d] = costs.argmin(axis=0)
        earlier, before = before, np.concatenate([[np.inf], cost + costs.min(axis=0)])
    return float(before[n]), _path(steps, n, m)


def _path(steps: np.ndarray, n: int, m: int) -> np.ndarray:
    i, j = n - 1, m - 1
    path = [(i, j)]
    while i or j:
        step = steps[i + j, i]
        i, j = i - (step != SECOND), j - (step != FIRST)
        path.append((i, j))
    return np.array(path[::-1])


def lip_warping(predicted: np.ndarray, true: np.ndarray) -> float:
    """LDTW: L1 cost of warping the predicted lip opening onto the true one, per true frame. Pooled over clips.

    Args:
        predicted: (T,) metres.
        true: (T',) metres.

    Returns:
        Metres.

    Source:
        MemoryTalker, Kim et al. 2025, arXiv 2507.20562.
    """
    return warp(predicted, true)[0] / len(true)


def extrema(curve: np.ndarray, prominence: float = PROMINENCE) -> tuple[np.ndarray, np.ndarray]:
    """Find the inner extrema of a curve (T,): their frames in order, and their kinds, 1 a maximum and -1 a minimum."""
    peaks, valleys = (find_peaks(sign * curve, prominence=prominence)[0] for sign in (1, -1))
    frames = np.concatenate([peaks, valleys])
    kinds = np.concatenate([np.ones(len(peaks), int), -np.ones(len(valleys), int)])
    order = np.argsort(frames)
    return frames[order], kinds[order]


def temporal_offsets(predicted: np.ndarray, true: np.ndarray, smoothing: float = SMOOTHING) -> np.ndarray:
    """Compute by how many frames extrema of the predicted lip opening come later than those of the true one.

    Both curves are smoothed, and their first differences are warped onto each other (derivative dynamic time warping).
    A pair of the path counts if both frames are extrema of the same kind and the predicted one lies between the
    neighbours of the true one (the first and last frame count as neighbours).

    Args:
        predicted: (T,) metres.
        true: (T',) metres.
        smoothing: standard deviation of the Gaussian, in frames.

    Returns:
        (k,) offsets in frames, positive if the prediction is late.
    """
    predicted, true = (gaussian_filter1d(np.asarray(x, np.float64), smoothing) for x in (predicted, true))
    frames, kinds = extrema(true)
    predicted_kind = np.zeros(len(predicted), int)
    predicted_frames, predicted_kinds = extrema(predicted)
    predicted_kind[predicted_frames] = predicted_kinds
    if not len(frames) or not len(predicted_frames):
        return np.zeros(0, int)
    _, path = warp(*(np.diff(x, prepend=x[:1]) for x in (true, predicted)))
    edges = np.concatenate([[0], frames, [len(true) - 1]])
    index = np.full(len(true), -1)
    index[frames] = np.arange(len(frames))
    number = index[path[:, 0]]
    at_true, at_predicted = path[number >= 0].T
    number = number[number >= 0]
    between = (edges[number] <= at_predicted) & (at_predicted <= edges[number + 2])
    matched = (predicted_kind[at_predicted] == kinds[number]) & between
    return (at_predicted - at_true)[matched]


def temporal_misalignment(predicted: np.ndarray, true: np.ndarray, fps: float) -> tuple[float, float]:
    """MTM: mean absolute and mean signed offset of matched extrema. Pooled over the clips that have a match.

    Args:
        predicted: (T,) lip opening in metres.
        true: (T',) lip opening in metres.
        fps: frames per second.

    Returns:
        Milliseconds, absolute and signed (positive if the prediction is late); nan if no extrema match, as with a face
        that does not move.

    Source:
        Lee et al., CVPR 2025, arXiv 2503.20308, for the absolute form.
    """
    offsets = temporal_offsets(predicted, true)
    if not len(offsets):
        return float("nan"), float("nan")
    return 1000 / fps * float(np.abs(offsets).mean()), 1000 / fps * float(offsets.mean())

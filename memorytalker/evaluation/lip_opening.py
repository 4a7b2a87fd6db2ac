"""Curves of the lip opening, one number a frame, and how far apart two of them are in height and in time.

numpy and scipy only; docs/metrics.md has every definition and its traps.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

#: Frames: standard deviation of the Gaussian that smooths a curve before its extrema are taken.
SMOOTHING = 2.0
#: Metres: an extremum that stands out less is numerical noise, such as in a mouth that is held shut.
PROMINENCE = 1e-5
#: Steps of a warping path, by which of the two curves goes on: both, the first, the second.
BOTH, FIRST, SECOND = 0, 1, 2


def lip_opening(vertices: np.ndarray, opening: tuple[int, int]) -> np.ndarray:
    """(T,) height in metres of the (upper, lower) vertex pair `opening` of (T, V, 3), y up.

    Unlike `metrics.lip_gap` it is not cut off at 0: pressed lips have a shape in time too.
    """
    upper, lower = opening
    return vertices[:, upper, 1].astype(np.float64) - vertices[:, lower, 1]


def warp(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray]:
    """Dynamic time warping of two curves (n,) and (m,), with the cost |a - b| of every pair and steps of weight one.

    (total cost, path): the path (k, 2) pairs frames of `a` and `b` from the first to the last of both; of equally
    cheap ways it prefers to go on in both (Sakoe and Chiba 1978, doi 10.1109/TASSP.1978.1163055, without a window).
    Works along anti-diagonals: O(n + m) numpy calls, n (n + m) bytes.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    n, m = len(a), len(b)
    if not n or not m or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("Only curves of at least one frame with finite numbers can be warped.")
    outside = np.full(n - 1, np.inf)
    padded = np.concatenate([outside, b, outside])
    steps = np.empty((n + m - 1, n), np.int8)
    # Cheapest way to each pair of an anti-diagonal i + j = d, at index i + 1; index 0 stands for i = -1.
    earlier, before = np.full(n + 1, np.inf), np.full(n + 1, np.inf)
    earlier[0] = 0.0
    for d in range(n + m - 1):
        cost = np.abs(a - padded[d : d + n][::-1])
        ways = np.stack([earlier[:-1], before[:-1], before[1:]])  # BOTH, FIRST, SECOND
        steps[d] = ways.argmin(axis=0)
        earlier, before = before, np.concatenate([[np.inf], cost + ways.min(axis=0)])
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
    """LDTW in metres: the cost of warping the predicted opening (T,) onto the true one, over the true frames.

    L1 cost. MemoryTalker (Kim et al. 2025, arXiv 2507.20562). Pooled over clips.
    """
    return warp(predicted, true)[0] / len(true)


def extrema(curve: np.ndarray, prominence: float = PROMINENCE) -> tuple[np.ndarray, np.ndarray]:
    """Frames of the inner extrema of a curve in order, and their kinds: 1 a maximum, -1 a minimum."""
    peaks, valleys = (find_peaks(sign * curve, prominence=prominence)[0] for sign in (1, -1))
    frames = np.concatenate([peaks, valleys])
    kinds = np.concatenate([np.ones(len(peaks), int), -np.ones(len(valleys), int)])
    order = np.argsort(frames)
    return frames[order], kinds[order]


def temporal_offsets(predicted: np.ndarray, true: np.ndarray, smoothing: float = SMOOTHING) -> np.ndarray:
    """(k,) frames by which extrema of the predicted opening come later than those of the true one.

    Both curves (T,) are smoothed by a Gaussian of `smoothing` frames and their first differences are warped onto each
    other (derivative dynamic time warping). A pair of the path counts when both frames are extrema of the same kind
    and the predicted one lies between the neighbours of the true one (the first and last frame are neighbours too).
    """
    predicted, true = (gaussian_filter1d(np.asarray(x, np.float64), smoothing) for x in (predicted, true))
    frames, kinds = extrema(true)
    kind_there = np.zeros(len(predicted), int)
    found, found_kinds = extrema(predicted)
    kind_there[found] = found_kinds
    if not len(frames) or not len(found):
        return np.zeros(0, int)
    _, path = warp(*(np.diff(x, prepend=x[:1]) for x in (true, predicted)))
    edges = np.concatenate([[0], frames, [len(true) - 1]])
    place = np.full(len(true), -1)
    place[frames] = np.arange(len(frames))
    number = place[path[:, 0]]
    mine, theirs = path[number >= 0].T
    number = number[number >= 0]
    matched = (kind_there[theirs] == kinds[number]) & (edges[number] <= theirs) & (theirs <= edges[number + 2])
    return (theirs - mine)[matched]


def temporal_misalignment(predicted: np.ndarray, true: np.ndarray, fps: float) -> tuple[float, float]:
    """MTM in milliseconds: (mean of the absolute offsets, mean of the signed ones) of matched extrema.

    The absolute form is the mean temporal misalignment of Lee et al. (CVPR 2025, arXiv 2503.20308); the signed one is
    positive when the prediction is late. Both are nan when no extrema match, as with a face that does not move.
    Pooled over the clips that have a match.
    """
    offsets = temporal_offsets(predicted, true)
    if not len(offsets):
        return float("nan"), float("nan")
    return 1000 / fps * float(np.abs(offsets).mean()), 1000 / fps * float(offsets.mean())

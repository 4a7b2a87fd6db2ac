"""Metrics of a talking mouth, numpy and scipy only. Gaps are metres between the inner lips, one number a frame."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

#: A mouth counts as closed under this share of the speaker's median gap in vowels, and a lower lip as at the upper
#: teeth under this share of the speaker's median distance of the two in vowels.
CLOSED_SHARE = 0.10
#: Seconds that a mouth may take to close once the speech has ended.
CLOSING_SECONDS = 0.15
#: Frames: standard deviation of the Gaussian that curves are smoothed with before accelerations are compared.
ACCELERATION_SMOOTHING = 1.0


def lip_gap(vertices: np.ndarray, upper: int, lower: int) -> np.ndarray:
    """(T,) height in metres of the opening between two lip vertices of (T, V, 3); lips pressed together count as 0."""
    return np.maximum(vertices[:, upper, 1] - vertices[:, lower, 1], 0.0)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two curves of one length; 0 when either does not move."""
    if np.std(a) < 1e-12 or np.std(b) < 1e-12:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def amplitude_ratio(predicted: np.ndarray, true: np.ndarray) -> float:
    """95th percentile of the predicted gaps over that of the true ones."""
    return float(np.percentile(predicted, 95) / max(np.percentile(true, 95), 1e-12))


def lag_seconds(predicted: np.ndarray, true: np.ndarray, fps: float, longest: float = 0.3) -> float:
    """How much later the prediction moves, by the peak of the cross-correlation, refined by a parabola."""
    a, b = predicted - predicted.mean(), true - true.mean()
    reach = min(round(longest * fps), len(a) - 2)
    shifts = np.arange(-reach, reach + 1)
    scores = np.array([_overlap(a, b, int(shift)) for shift in shifts])
    best = int(scores.argmax())
    if 0 < best < len(scores) - 1:
        left, middle, right = scores[best - 1 : best + 2]
        curvature = left - 2 * middle + right
        if curvature < 0:
            return float((shifts[best] + 0.5 * (left - right) / curvature) / fps)
    return float(shifts[best] / fps)


def _overlap(a: np.ndarray, b: np.ndarray, shift: int) -> float:
    """Mean product of a, taken `shift` frames earlier, with b."""
    if shift >= 0:
        return float(np.mean(a[shift:] * b[: len(b) - shift]))
    return float(np.mean(a[:shift] * b[-shift:]))


def vowel_gap(gaps: list[np.ndarray], phones: list[np.ndarray], vowels: np.ndarray) -> float:
    """Median gap of a speaker's vowel frames; phones (T,) indices, `vowels` the indices that are vowels."""
    frames = np.concatenate([gap[np.isin(phone, vowels)] for gap, phone in zip(gaps, phones, strict=True)])
    return float(np.median(frames)) if len(frames) else 0.0


def closures(
    gap: np.ndarray, starts: np.ndarray, ends: np.ndarray, fps: float, threshold: float
) -> tuple[int, int]:  # (closed, all)
    """How many of the phones that need closed lips have them at some frame; phones as seconds `starts`, `ends` (N,).

    The frames of a phone are those that overlap it at all, frame i covering [i / fps, (i + 1) / fps).
    """
    closed = 0
    for start, end in zip(starts, ends, strict=True):
        first, last = int(start * fps), int(np.ceil(end * fps - 1e-9))
        piece = gap[first : max(last, first + 1)]
        closed += bool(len(piece) and piece.min() < threshold)
    return closed, len(starts)


def silent_frames(
    starts: np.ndarray, ends: np.ndarray, frames: int, fps: float, closing: float = CLOSING_SECONDS
) -> np.ndarray:
    """(T,) True on frames wholly inside a silence, once the mouth has had `closing` seconds to shut.

    A silence that begins the clip needs no closing.
    """
    mask = np.zeros(frames, bool)
    for start, end in zip(starts, ends, strict=True):
        begin = start if start <= 0 else start + closing
        mask[int(np.ceil(begin * fps - 1e-9)) : max(int(end * fps + 1e-9), 0)] = True
    return mask


def acceleration(curve: np.ndarray, smoothing: float = 0.0) -> tuple[float, float]:
    """(mean size, root mean square) of the second differences of a curve (T,), after a Gaussian of so many frames.

    In the curve's unit per frame squared; (0, 0) for fewer than three frames.
    """
    if len(curve) < 3:
        return 0.0, 0.0
    smooth = gaussian_filter1d(np.asarray(curve, np.float64), smoothing) if smoothing else np.asarray(curve)
    second = np.diff(smooth, 2)
    return float(np.abs(second).mean()), float(np.sqrt(np.square(second).mean()))


def nearest_is_same(features: np.ndarray, labels: np.ndarray) -> float:
    """Share of the rows of (N, n) features whose nearest other row has the same label; labels (N,).

    Each column is first brought to zero mean and unit variance over the rows (one that does not vary is left out);
    nearest by Euclidean distance. Rows whose label no other row has are asked nothing. nan if no row can be asked.
    """
    labels = np.asarray(labels)
    spread = features.std(axis=0)
    kept = spread > 1e-9
    standard = (features[:, kept] - features[:, kept].mean(axis=0)) / spread[kept]
    squares = np.square(standard).sum(axis=1)
    distances = squares[:, None] + squares - 2 * standard @ standard.T
    np.fill_diagonal(distances, np.inf)
    asked = _with_company(labels)
    return float((labels[distances.argmin(axis=1)] == labels)[asked].mean()) if asked.any() else float("nan")


def chance_of_same(labels: np.ndarray) -> float:
    """What `nearest_is_same` gives on average when the nearest row is any other row."""
    labels = np.asarray(labels)
    asked = _with_company(labels)
    same = (labels[:, None] == labels).sum(axis=1) - 1
    return float(same[asked].mean() / (len(labels) - 1)) if asked.any() else float("nan")


def _with_company(labels: np.ndarray) -> np.ndarray:
    return (labels[:, None] == labels).sum(axis=1) > 1

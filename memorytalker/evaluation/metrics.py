"""Metrics of the mouth over time, numpy and scipy only. Lip openings are metres between the inner lips, per frame."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

#: Lips count as closed below this share of the speaker's median lip opening in vowels; the lower lip counts as touching
#: the upper teeth below this share of the speaker's median lip-to-teeth distance in vowels.
CLOSED_SHARE = 0.10
#: Seconds that a mouth may take to close once the speech has ended.
CLOSING_SECONDS = 0.15
#: Frames: standard deviation of the Gaussian that smooths curves before their accelerations are compared.
ACCELERATION_SMOOTHING = 1.0


def lip_gap(vertices: np.ndarray, upper: int, lower: int) -> np.ndarray:
    """Compute the lip opening (T,) in metres between two lip vertices of (T, V, 3), y up; 0 for pressed lips."""
    return np.maximum(vertices[:, upper, 1] - vertices[:, lower, 1], 0.0)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two curves of equal length; 0 if either is constant."""
    if np.std(a) < 1e-12 or np.std(b) < 1e-12:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def amplitude_ratio(predicted: np.ndarray, true: np.ndarray) -> float:
    """Ratio of the 95th percentile of the predicted lip opening to that of the true one."""
    return float(np.percentile(predicted, 95) / max(np.percentile(true, 95), 1e-12))


def lag_seconds(predicted: np.ndarray, true: np.ndarray, fps: float, longest: float = 0.3) -> float:
    """Estimate how much later the prediction moves, in seconds, from the peak of the cross-correlation.

    Args:
        predicted: (T,) curve.
        true: (T,) curve.
        fps: frames per second.
        longest: largest lag tried in either direction, in seconds.

    Returns:
        The lag in seconds, interpolated between frames by a parabola.
    """
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


def vowel_median(curves: list[np.ndarray], phones: list[np.ndarray], vowels: np.ndarray) -> float:
    """Compute the median of a mouth distance over a speaker's vowel frames.

    Args:
        curves: one distance (T,) in metres per clip.
        phones: one array (T,) of phone indices per clip.
        vowels: the phone indices that are vowels.

    Returns:
        Metres; 0 without any vowel.
    """
    frames = np.concatenate([curve[np.isin(phone, vowels)] for curve, phone in zip(curves, phones, strict=True)])
    return float(np.median(frames)) if len(frames) else 0.0


def closures(
    curve: np.ndarray, starts: np.ndarray, ends: np.ndarray, fps: float, threshold: float
) -> tuple[int, int]:  # (closed, all)
    """Count the phones during which a mouth distance falls below a threshold.

    The frames of a phone are those that overlap it at all; frame i covers [i / fps, (i + 1) / fps).

    Args:
        curve: (T,) distance in metres.
        starts: (N,) start of each phone in seconds.
        ends: (N,) end of each phone in seconds.
        fps: frames per second.
        threshold: metres.

    Returns:
        The number of phones below the threshold in some frame, and the number of phones.
    """
    closed = 0
    for start, end in zip(starts, ends, strict=True):
        first, last = int(start * fps), int(np.ceil(end * fps - 1e-9))
        piece = curve[first : max(last, first + 1)]
        closed += bool(len(piece) and piece.min() < threshold)
    return closed, len(starts)


def silent_frames(
    starts: np.ndarray, ends: np.ndarray, frames: int, fps: float, closing: float = CLOSING_SECONDS
) -> np.ndarray:
    """Mark the frames that lie wholly inside a silence, from `closing` seconds after its start.

    A silence at the start of the clip counts from its first frame.

    Args:
        starts: (N,) start of each silence in seconds.
        ends: (N,) end of each silence in seconds.
        frames: number of frames T.
        fps: frames per second.
        closing: seconds that the mouth may take to close.

    Returns:
        (T,) bool.
    """
    mask = np.zeros(frames, bool)
    for start, end in zip(starts, ends, strict=True):
        begin = start if start <= 0 else start + closing
        mask[int(np.ceil(begin * fps - 1e-9)) : max(int(end * fps + 1e-9), 0)] = True
    return mask


def acceleration(curve: np.ndarray, smoothing: float = 0.0) -> tuple[float, float]:
    """Compute mean absolute value and root mean square of the second differences of a curve.

    Args:
        curve: (T,) any unit.
        smoothing: standard deviation in frames of a Gaussian applied first; 0 for none.

    Returns:
        Both in the curve's unit per frame squared; (0, 0) for fewer than three frames.
    """
    if len(curve) < 3:
        return 0.0, 0.0
    smooth = gaussian_filter1d(np.asarray(curve, np.float64), smoothing) if smoothing else np.asarray(curve)
    second = np.diff(smooth, 2)
    return float(np.abs(second).mean()), float(np.sqrt(np.square(second).mean()))


def nearest_is_same(features: np.ndarray, labels: np.ndarray) -> float:
    """Nearest-neighbour retrieval: the share of rows whose nearest other row has the same label.

    Columns are first standardised to zero mean and unit variance (constant ones are dropped); the distance is
    Euclidean. Rows whose label is unique are not counted.

    Args:
        features: (N, n), one row per clip.
        labels: (N,) such as speakers.

    Returns:
        A share in [0, 1]; nan if all labels are unique.
    """
    labels = np.asarray(labels)
    spread = features.std(axis=0)
    kept = spread > 1e-9
    standard = (features[:, kept] - features[:, kept].mean(axis=0)) / spread[kept]
    squares = np.square(standard).sum(axis=1)
    distances = squares[:, None] + squares - 2 * standard @ standard.T
    np.fill_diagonal(distances, np.inf)
    counted = _is_shared(labels)
    return float((labels[distances.argmin(axis=1)] == labels)[counted].mean()) if counted.any() else float("nan")


def chance_of_same(labels: np.ndarray) -> float:
    """Chance level of `nearest_is_same`: its expected value if the nearest row were any other row."""
    labels = np.asarray(labels)
    counted = _is_shared(labels)
    same = (labels[:, None] == labels).sum(axis=1) - 1
    return float(same[counted].mean() / (len(labels) - 1)) if counted.any() else float("nan")


def _is_shared(labels: np.ndarray) -> np.ndarray:
    """(N,) whether another row has the same label."""
    return (labels[:, None] == labels).sum(axis=1) > 1

"""Curves at the frame rates of editors and game engines, so that going there and back changes next to nothing.

Upwards a cubic spline through the frames is read at the new times. Far downwards the spline with one knot a frame is
fitted by least squares: what is too fast for the new rate is averaged and not aliased, and a curve that came from that
rate is found again. `motion.resampled` is for streams and whole meshes; it blurs a little each time.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from memorytalker.face.motion import FaceCurves

#: Frame rates that exports offer, in frames per second.
FRAME_RATES = (24, 25, 30, 48, 50, 60)
#: A new rate of more than this share of the old leaves too few frames a knot for a stable fit; then it interpolates.
_MOST_FITTED = 0.8
_DEGREE = 3


def at_frame_rate(curves: FaceCurves, fps: float) -> FaceCurves:
    """Resample curves to another frame rate.

    Args:
        curves: T frames.
        fps: the new rate, above 0.

    Returns:
        T fps / curves.fps frames, rounded, at least 1, within [0, 1]; before the first and after the last frame of
        `curves` its value is repeated.

    Raises:
        MotionError: a rate that is no number above 0.

    Source:
        Unser, Aldroubi and Eden 1995, doi:10.1109/83.370675, for least squares with splines.
    """
    changed = dataclasses.replace(curves, fps=fps)  # which checks the rate
    if changed.fps == curves.fps:
        return curves
    weights = np.clip(values_at_rate(curves.weights, curves.fps, changed.fps), 0.0, 1.0)
    return dataclasses.replace(changed, weights=weights)


def values_at_rate(values: np.ndarray, fps: float, new_fps: float) -> np.ndarray:
    """Resample values (T, n) from one frame rate to another, as `at_frame_rate` does with curves; float32."""
    plain, share = values.astype(np.float64), new_fps / fps
    frames = max(1, round(len(plain) * share))
    small = min(len(plain), frames) <= _DEGREE
    fit = _interpolated if small or share > _MOST_FITTED + 1e-9 else _fitted
    return fit(plain, share, frames).astype(np.float32)


def _interpolated(values: np.ndarray, share: float, frames: int) -> np.ndarray:
    """Values (frames, n) of the spline through `values` (T, n)."""
    from scipy.interpolate import make_interp_spline

    last = len(values) - 1
    if last == 0:
        return np.repeat(values, frames, axis=0)
    spline = make_interp_spline(np.arange(last + 1.0), values, min(_DEGREE, last))
    return spline(np.minimum(np.arange(frames) / share, last))


def _fitted(values: np.ndarray, share: float, frames: int) -> np.ndarray:
    """Values (frames, n) of the spline with one knot a new frame that is nearest to `values` (T, n)."""
    from scipy.interpolate import BSpline
    from scipy.linalg import solveh_banded

    times, knots = np.arange(len(values)) * share, np.arange(float(frames))
    last = min(times[-1], knots[-1])
    within = times <= last
    # The knots beside the ends are left out, as in `make_interp_spline`, so that each is the other's inverse.
    knot_line = np.r_[[0.0] * (_DEGREE + 1), knots[2:-2], [last] * (_DEGREE + 1)]
    design = BSpline.design_matrix(times[within], knot_line, _DEGREE)
    normal = (design.T @ design).tocsr()
    bands = np.zeros((_DEGREE + 1, frames))
    for below in range(_DEGREE + 1):
        bands[below, : frames - below] = normal.diagonal(below)
    coefficients = solveh_banded(bands, design.T @ values[within], lower=True)
    return BSpline(knot_line, coefficients, _DEGREE)(np.minimum(knots, last))

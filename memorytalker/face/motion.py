"""Face motion: vertex offsets of a mesh, or weights of its blendshapes, with a frame rate.

Frame i is the face at i / fps seconds; T frames last T / fps seconds. Offsets are in metres, y up, the face towards +z,
x to the viewer's right.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memorytalker.errors import InputError

if TYPE_CHECKING:
    from memorytalker.face.head import HeadMesh

#: Full width at half maximum of a Gaussian, in standard deviations.
_DEVIATIONS_PER_WIDTH = 2.0 * np.sqrt(2.0 * np.log(2.0))
#: The mouth closes and opens within CLOSING_SECONDS. It is open OPEN_BEFORE seconds ahead of speech, as lips take their
#: shape before a word begins. Shorter stretches than SHORTEST_SILENCE seconds are no silence, as stops are quiet too.
CLOSING_SECONDS, OPEN_BEFORE, SHORTEST_SILENCE = 0.13, 0.07, 0.3


class MotionError(InputError):
    """Motion that cannot be used; the message says what is wrong with it and what is needed."""


@dataclass(frozen=True)
class Motion:
    """Vertex offsets from a head's template.

    Args:
        offsets: (T, V, 3) float32 in metres, y up, finite, T >= 1.
        fps: frames per second, > 0.

    Raises:
        MotionError: other offsets or another frame rate.
    """

    offsets: np.ndarray
    fps: float

    def __post_init__(self) -> None:
        offsets = _clean(self.offsets, "Vertex offsets")
        if offsets.ndim != 3 or offsets.shape[2] != 3 or not offsets.size:
            raise MotionError(f"Vertex offsets need the shape (frames, vertices, 3), not {offsets.shape}.")
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "fps", _clean_fps(self.fps))

    @property
    def duration(self) -> float:
        """Duration in seconds."""
        return len(self.offsets) / self.fps

    def resample(self, fps: float) -> Motion:
        """Return the motion at another frame rate; see `resampled`."""
        return Motion(resampled(self.offsets, self.fps, fps), fps)

    def smooth(self, seconds: float) -> Motion:
        """Return the motion smoothed by a Gaussian `seconds` wide at half its height; see `smoothed`."""
        return Motion(smoothed(self.offsets, self.fps, seconds), self.fps)


@dataclass(frozen=True)
class FaceCurves:
    """Weights of named blendshapes over time.

    Args:
        weights: (T, n) float32 in [0, 1], T >= 1.
        names: n different names, such as ARKit's.
        fps: frames per second, > 0.

    Raises:
        MotionError: other weights, names or another frame rate.
    """

    weights: np.ndarray
    names: tuple[str, ...]
    fps: float

    def __post_init__(self) -> None:
        weights, names = _clean(self.weights, "Blendshape weights"), tuple(str(name) for name in self.names)
        if weights.ndim != 2 or not weights.size:
            raise MotionError(f"Blendshape weights need the shape (frames, blendshapes), not {weights.shape}.")
        if weights.shape[1] != len(names):
            raise MotionError(f"There are {weights.shape[1]} columns of blendshape weights but {len(names)} names.")
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise MotionError(f"Each blendshape may be named once; named more often: {', '.join(twice)}.")
        low, high = float(weights.min()), float(weights.max())
        if low < -1e-4 or high > 1.0 + 1e-4:
            raise MotionError(f"Blendshape weights must lie between 0 and 1; these go from {low:.3g} to {high:.3g}.")
        object.__setattr__(self, "weights", np.clip(weights, 0.0, 1.0))
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "fps", _clean_fps(self.fps))

    @property
    def duration(self) -> float:
        """Duration in seconds."""
        return len(self.weights) / self.fps

    def curve(self, name: str) -> np.ndarray:
        """Return the weights (T,) of one blendshape. Raises MotionError if there is no such curve."""
        if name not in self.names:
            raise MotionError(f"There is no curve {name!r}; there are: {', '.join(self.names)}.")
        return self.weights[:, self.names.index(name)]

    def resample(self, fps: float) -> FaceCurves:
        """Return the curves at another frame rate, clipped to [0, 1]; see `resampled`."""
        weights = np.clip(resampled(self.weights, self.fps, fps), 0.0, 1.0)
        return dataclasses.replace(self, weights=weights, fps=fps)

    def smooth(self, seconds: float) -> FaceCurves:
        """Return the curves smoothed by a Gaussian `seconds` wide at half its height; see `smoothed`."""
        return dataclasses.replace(self, weights=smoothed(self.weights, self.fps, seconds))

    def reordered(self, names: tuple[str, ...]) -> FaceCurves:
        """Return the curves in another order.

        Args:
            names: of the result; a name without a curve gets zeros.

        Returns:
            The reordered curves.

        Raises:
            MotionError: a curve that is not zero everywhere and is missing from `names`.
        """
        names = tuple(names)
        lost = [name for name in self.names if name not in names and self.curve(name).any()]
        if lost:
            raise MotionError(f"The head has no blendshape {', '.join(map(repr, lost))}; rename or zero that curve.")
        column = {name: index for index, name in enumerate(self.names)}
        weights = np.zeros((len(self.weights), len(names)), np.float32)
        for index, name in enumerate(names):
            if name in column:  # by name: the order of left and right differs between tools
                weights[:, index] = self.weights[:, column[name]]
        return FaceCurves(weights, names, self.fps)

    def to_motion(self, head: HeadMesh) -> Motion:
        """Apply the curves to the blendshapes of a head, by name.

        Args:
            head: a head with blendshapes.

        Returns:
            Vertex offsets in metres.

        Raises:
            MotionError: a curve that is not zero everywhere and has no blendshape on the head.
        """
        return Motion(head.offsets(self.reordered(head.blendshape_names).weights), self.fps)


def resampled(values: np.ndarray, fps: float, new_fps: float) -> np.ndarray:
    """Resample values to another frame rate by cubic convolution; beyond the ends the end values are repeated.

    To a lower rate the kernel is widened, so that motion too fast for it is averaged and not aliased.

    Args:
        values: (T, ...).
        fps: their frame rate.
        new_fps: the new frame rate.

    Returns:
        (T', ...) with T' = T new_fps / fps, rounded, at least 1.

    Source:
        Keys 1981, doi:10.1109/TASSP.1981.1163711.
    """
    fps, new_fps = _clean_fps(fps), _clean_fps(new_fps)
    values = np.asarray(values)
    frames = len(values)
    new_frames = max(1, round(frames * new_fps / fps))
    if new_fps == fps:
        return values.copy()
    stretch = max(1.0, fps / new_fps)
    centres = np.arange(new_frames) * (fps / new_fps)
    reach = int(np.ceil(2 * stretch))
    taps = np.floor(centres).astype(int)[:, None] + np.arange(-reach + 1, reach + 1)  # (T', taps)
    gains = _cubic_kernel((taps - centres[:, None]) / stretch)
    gains /= gains.sum(1, keepdims=True)
    taps = np.clip(taps, 0, frames - 1)
    result = np.zeros((new_frames, *values.shape[1:]), np.result_type(values.dtype, np.float32))
    for tap in range(taps.shape[1]):
        gain = gains[:, tap].reshape(-1, *[1] * (values.ndim - 1)).astype(result.dtype)
        result += gain * values[taps[:, tap]]
    return result


def smoothed(values: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """Smooth values (T, ...) by a zero-phase Gaussian of full width `seconds` at half maximum; ends are repeated."""
    from scipy.ndimage import gaussian_filter1d

    if not np.isfinite(seconds) or seconds < 0:
        raise MotionError(f"Smoothing needs a width of 0 seconds or more, not {seconds}.")
    if seconds == 0:
        return np.array(values)
    return gaussian_filter1d(values, seconds * _clean_fps(fps) / _DEVIATIONS_PER_WIDTH, axis=0, mode="nearest")


def silence_gain(quiet: np.ndarray, fps: float) -> np.ndarray:
    """Compute the gain of the motion that closes the mouth in silence: 1 in speech, 0 inside a silence.

    In a silence of 0.3 s or more the mouth is closed 0.13 s after it begins and open again 0.07 s before it ends, with
    smooth ramps of 0.13 s. In a silence at the beginning or end of the clip it stays closed to that end.

    Args:
        quiet: (T,) bool, the silence mask of `prosody.Prosody`.
        fps: frames per second.

    Returns:
        (T,) float32; exactly 1 where `quiet` is False.

    Raises:
        MotionError: a mask that is not (T,) bool.
    """
    fps = _clean_fps(fps)
    quiet = np.asarray(quiet)
    if quiet.ndim != 1 or quiet.dtype != bool:
        raise MotionError(f"A silence mask is (T,) bool, not {quiet.dtype} {quiet.shape}.")
    gain = np.ones(len(quiet), np.float32)
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8), prepend=0, append=0))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        first, last = begin == 0, end == len(quiet)
        if not (first or last) and (end - begin) / fps < SHORTEST_SILENCE:
            continue
        time = np.arange(begin, end) / fps
        closing = 1.0 if first else eased((time - begin / fps) / CLOSING_SECONDS)
        opening = 1.0 if last else eased((end / fps - OPEN_BEFORE - time) / CLOSING_SECONDS)
        gain[begin:end] = 1.0 - closing * opening
    return gain


def eased(share: np.ndarray) -> np.ndarray:
    """Smoothstep: rise from 0 at `share` 0 and below to 1 at 1 and above, without corners."""
    share = np.clip(share, 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _cubic_kernel(distance: np.ndarray) -> np.ndarray:
    d = np.abs(distance)
    near = 1.5 * d**3 - 2.5 * d**2 + 1.0
    far = -0.5 * d**3 + 2.5 * d**2 - 4.0 * d + 2.0
    return np.where(d <= 1.0, near, np.where(d < 2.0, far, 0.0))


def _clean(values: np.ndarray, what: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise MotionError(f"{what} need numbers, not values of type {array.dtype}.")
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise MotionError(f"{what} hold NaN or infinite values; repair or drop those frames first.")
    return array


def _clean_fps(fps: float) -> float:
    if isinstance(fps, bool) or not isinstance(fps, (int, float, np.number)) or not np.isfinite(fps) or fps <= 0:
        raise MotionError(f"A frame rate needs a number of frames per second above 0, not {fps!r}.")
    return float(fps)

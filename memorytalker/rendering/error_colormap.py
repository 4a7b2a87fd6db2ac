"""Error colormap: distances from the ground truth as vertex colours.

The scale is fixed, so that videos can be compared. It goes from slate over green to bright yellow with rising
lightness, so that it can be read with any colour blindness.
"""

from __future__ import annotations

import numpy as np

#: The end of the scale in millimetres; larger errors have its colour.
LARGEST_MILLIMETRES = 6.0
#: sRGB at even steps from no error to `LARGEST_MILLIMETRES`.
ANCHORS = (
    (88, 100, 142), (64, 120, 152), (38, 145, 146), (60, 174, 122), (126, 202, 86), (192, 225, 60), (253, 241, 116),
)  # fmt: skip


def errors_to_colors(errors: np.ndarray) -> np.ndarray:
    """Map distances to colours.

    Args:
        errors: (...) in metres.

    Returns:
        (..., 3) uint8 sRGB.

    Raises:
        ValueError: distances that are negative or not finite.
    """
    errors = np.asarray(errors, np.float32)
    if not np.isfinite(errors).all() or (errors.size and errors.min() < 0):
        raise ValueError("Errors are distances: finite and not negative.")
    steps = 1000 * errors * ((len(ANCHORS) - 1) / LARGEST_MILLIMETRES)
    at = np.arange(len(ANCHORS))
    channels = [np.interp(steps, at, column) for column in np.array(ANCHORS, np.float64).T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def vertex_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the distance (..., V) in metres between predicted and true vertices (..., V, 3)."""
    return np.linalg.norm(np.asarray(predicted, np.float32) - np.asarray(true, np.float32), axis=-1)


def scale_colors(steps: int = 256) -> np.ndarray:
    """Return the colours (steps, 3) uint8 sRGB from no error to `LARGEST_MILLIMETRES`."""
    return errors_to_colors(np.linspace(0.0, LARGEST_MILLIMETRES / 1000, steps))

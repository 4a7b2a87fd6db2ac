"""Error in colour: distances from the truth, in millimetres, as colours of the vertices of a head.

One fixed scale, so that two films can be compared. From slate over green to bright yellow, ever lighter: who sees no
red, no green or no blue reads it as well, by lightness alone.
"""

from __future__ import annotations

import numpy as np

#: The end of the scale in millimetres; what is larger has its colour.
LARGEST_MILLIMETRES = 6.0
#: sRGB at even steps from no error to `LARGEST_MILLIMETRES`.
ANCHORS = (
    (88, 100, 142), (64, 120, 152), (38, 145, 146), (60, 174, 122), (126, 202, 86), (192, 225, 60), (253, 241, 116),
)  # fmt: skip


def errors_to_colors(errors: np.ndarray) -> np.ndarray:
    """Distances in metres, of any shape (...), as sRGB (..., 3) uint8. Raises ValueError unless finite and >= 0."""
    errors = np.asarray(errors, np.float32)
    if not np.isfinite(errors).all() or (errors.size and errors.min() < 0):
        raise ValueError("Errors are distances: finite and not negative.")
    steps = 1000 * errors * ((len(ANCHORS) - 1) / LARGEST_MILLIMETRES)
    at = np.arange(len(ANCHORS))
    channels = [np.interp(steps, at, column) for column in np.array(ANCHORS, np.float64).T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def vertex_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(..., V) distance in metres of every predicted vertex (..., V, 3) from where it should be."""
    return np.linalg.norm(np.asarray(predicted, np.float32) - np.asarray(true, np.float32), axis=-1)


def scale_colors(steps: int = 256) -> np.ndarray:
    """(steps, 3) uint8, the colours from no error to `LARGEST_MILLIMETRES`."""
    return errors_to_colors(np.linspace(0.0, LARGEST_MILLIMETRES / 1000, steps))

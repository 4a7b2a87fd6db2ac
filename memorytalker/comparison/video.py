"""The film of a comparison: prediction and truth side by side, error in colour, the curves below, all in one time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from memorytalker.comparison.predictions import Comparison, Prediction
from memorytalker.figures import error_scale, opening_curves, to_rgb
from memorytalker.options import RenderOptions
from memorytalker.progress import Progress
from memorytalker.rendering import render_frames, side_by_side, write_video
from memorytalker.rendering.error_colormap import LARGEST_MILLIMETRES, scale_colors, vertex_errors

#: Each of the two heads; the strips above and below them are as wide as both.
PANEL = RenderOptions(width=400, height=400)
#: The line that moves over the curves: half its width in pixels, and its colour.
LINE, LINE_COLOR = 1, (255, 255, 255)


def write_comparison(
    path: Path,
    comparison: Comparison,
    shown: Prediction,
    options: RenderOptions = PANEL,
    progress: Progress | None = None,
) -> Path:
    """An MP4 with the sound: left `shown`, painted with its error, right the truth; below, scale and lip opening.

    `options` are those of each half; its rate gives way to the comparison's. Frame k of every part is the same moment.
    Raises RenderError or VideoError if it fails.
    """
    motion = comparison.ground_truth.motion
    frames = pictures(comparison, shown, options)
    return write_video(path, frames, motion.fps, comparison.ground_truth.waveform, len(motion.offsets), progress)


def pictures(comparison: Comparison, shown: Prediction, options: RenderOptions = PANEL) -> Iterator[np.ndarray]:
    """The pictures (H, W, 3) uint8 of the film, one per frame."""
    head, true = comparison.ground_truth.head, comparison.ground_truth.motion.offsets
    paint = error_colors(vertex_errors(shown.offsets, true))
    halves = side_by_side(
        render_frames(head, head.template + shown.offsets, options, paint),
        render_frames(head, head.template + true, options),
    )
    return _framed(halves, comparison, shown, 2 * options.width)


def _framed(
    halves: Iterator[np.ndarray], comparison: Comparison, shown: Prediction, width: int
) -> Iterator[np.ndarray]:
    """Heading, heads and curves from top to bottom, the line over the curves at the moment that is shown."""
    dots = round(width / 8)  # both strips are 8 inches wide
    left, right = f"Predicted: {shown.name}", f"Truth: {comparison.ground_truth.kind}"
    heading = to_rgb(error_scale(scale_colors(), LARGEST_MILLIMETRES, left, right, dark=True), dots)
    curves, columns, rows = _strip(comparison, dots)
    try:
        for number, picture in enumerate(halves):
            below = curves.copy()
            column = round(np.interp(number, (0, len(comparison.ground_truth.motion.offsets)), columns))
            below[slice(*rows), column - LINE : column + LINE] = LINE_COLOR
            whole = [_fitted(part, width) for part in (heading, picture, below)]
            yield np.vstack(whole)
    finally:
        halves.close()


def _strip(comparison: Comparison, dots: int) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
    """The curves as a picture; the columns of its first moment and its end, and the rows of its axes.

    Without rows for a head that does not name its lips.
    """
    if not len(comparison.opening):
        return np.zeros((0, 8 * dots, 3), np.uint8), (0, 0), (0, 0)
    predicted = {prediction.name: 1000 * prediction.opening for prediction in comparison.predictions}
    figure = opening_curves(1000 * comparison.opening, predicted, comparison.ground_truth.motion.fps, dark=True)
    picture = to_rgb(figure, dots)
    box = figure.axes[0].get_window_extent()
    height = len(picture)
    return picture, (round(box.x0), round(box.x1)), (height - round(box.y1), height - round(box.y0))


def _fitted(picture: np.ndarray, width: int) -> np.ndarray:
    """A strip cut or filled up at its right and below to `width` and an even height."""
    height = len(picture) + len(picture) % 2
    if picture.shape[:2] == (height, width):
        return picture
    fitted = np.zeros((height, width, 3), np.uint8)
    fitted[:] = picture[-1:, -1:] if picture.size else 0
    fitted[: len(picture), : picture.shape[1]] = picture[:, :width]
    return fitted

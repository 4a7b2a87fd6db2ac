"""The video of a comparison: prediction and ground truth side by side, error in colour, curves below, all in sync."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np

from memorytalker.comparison.predictions import Comparison, Prediction
from memorytalker.figures import error_scale, opening_curves, to_rgb
from memorytalker.options import RenderOptions
from memorytalker.progress import Progress
from memorytalker.rendering import render_frames, side_by_side, write_video
from memorytalker.rendering.error_colormap import LARGEST_MILLIMETRES, errors_to_colors, scale_colors, vertex_errors

#: Size of each of the two heads; the strips above and below are as wide as both.
PANEL = RenderOptions(width=400, height=400)
#: The line that marks the current frame on the curves: half its width in pixels, and its colour.
LINE, LINE_COLOR = 1, (255, 255, 255)


def write_comparison(
    path: Path,
    comparison: Comparison,
    prediction: Prediction,
    options: RenderOptions = PANEL,
    progress: Progress | None = None,
) -> Path:
    """Write an MP4 with sound: the prediction coloured by its error (left), the ground truth (right), curves below.

    Args:
        path: the .mp4 to write.
        comparison: what was compared.
        prediction: which of its predictions to show.
        options: image size of each half; the frame rate is the comparison's.
        progress: called with (done, total, stage).

    Returns:
        `path`.

    Raises:
        RenderError: if a frame cannot be drawn.
        VideoError: if the video cannot be written.
    """
    motion = comparison.ground_truth.motion
    frames = video_frames(comparison, prediction, options)
    return write_video(path, frames, motion.fps, comparison.ground_truth.waveform, len(motion.offsets), progress)


def video_frames(
    comparison: Comparison, prediction: Prediction, options: RenderOptions = PANEL
) -> Iterator[np.ndarray]:
    """Yield the frames (H, W, 3) uint8 of the video; arguments as for `write_comparison`."""
    head, true = comparison.ground_truth.head, comparison.ground_truth.motion.offsets
    paint = errors_to_colors(vertex_errors(prediction.offsets, true))
    halves = side_by_side(
        render_frames(head, head.template + prediction.offsets, options, paint),
        render_frames(head, head.template + true, options),
    )
    return _framed(halves, comparison, prediction, 2 * options.width)


def _framed(
    halves: Iterator[np.ndarray], comparison: Comparison, prediction: Prediction, width: int
) -> Iterator[np.ndarray]:
    """Heading, heads and curves from top to bottom, with a line on the curves at the current frame."""
    dots = round(width / 8)  # both strips are 8 inches wide
    left, right = f"Predicted: {prediction.name}", f"Ground truth: {comparison.ground_truth.kind}"
    heading = to_rgb(error_scale(scale_colors(), LARGEST_MILLIMETRES, left, right, dark=True), dots)
    curves, columns, rows = _strip(comparison, dots)
    try:
        for number, frame in enumerate(halves):
            below = curves.copy()
            column = round(np.interp(number, (0, len(comparison.ground_truth.motion.offsets)), columns))
            below[slice(*rows), column - LINE : column + LINE] = LINE_COLOR
            whole = [_fitted(part, width) for part in (heading, frame, below)]
            yield np.vstack(whole)
    finally:
        if isinstance(halves, Generator):  # frees the renderers early
            halves.close()


def _strip(comparison: Comparison, dots: int) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
    """Draw the lip-opening curves: the image, the first and last column of its time axis, and the rows of the axes.

    The image has no rows for a head that does not name its lips.
    """
    if not len(comparison.opening):
        return np.zeros((0, 8 * dots, 3), np.uint8), (0, 0), (0, 0)
    predicted = {prediction.name: 1000 * prediction.opening for prediction in comparison.predictions}
    figure = opening_curves(1000 * comparison.opening, predicted, comparison.ground_truth.motion.fps, dark=True)
    image = to_rgb(figure, dots)
    box = figure.axes[0].get_window_extent()
    height = len(image)
    return image, (round(box.x0), round(box.x1)), (height - round(box.y1), height - round(box.y0))


def _fitted(image: np.ndarray, width: int) -> np.ndarray:
    """A strip cropped or padded at the right and the bottom to `width` and an even height."""
    height = len(image) + len(image) % 2
    if image.shape[:2] == (height, width):
        return image
    fitted = np.zeros((height, width, 3), np.uint8)
    fitted[:] = image[-1:, -1:] if image.size else 0
    fitted[: len(image), : image.shape[1]] = image[:, :width]
    return fitted

"""Curves of a prediction beside the ground truth, and the colour scale of its error.

Every function returns a `matplotlib.figure.Figure` of its own, so that several threads may draw at
once; `to_rgb` turns one into an array. Colours are safe for colour-blind readers (blue against orange).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from memorytalker.imports import prepare_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABOVE, BELOW = "#e69f00", "#56a8e0"  # orange and blue
#: What a line of a prediction looks like: told apart by colour and by dashes.
_CURVES: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "stage 1": {"color": BELOW, "linestyle": (0, (4, 2)), "zorder": 3},  # dashes do not hide the line below
        "stages 1 + 2": {"color": ABOVE, "linestyle": "solid"},
    }
)
_INK = {False: ("#1b2330", "#ffffff", "#c9d0da"), True: ("#e7ebf1", "#171c24", "#3a4452")}  # text, ground, lines


class Sound(Protocol):
    """What a figure needs of a waveform: samples (S,) in [-1, 1] and their rate in Hz."""

    @property
    def samples(self) -> np.ndarray: ...  # noqa: D102

    @property
    def sample_rate(self) -> int: ...  # noqa: D102


def opening_curves(true: np.ndarray, predicted: Mapping[str, np.ndarray], fps: float, dark: bool = False) -> Figure:
    """Draw the lip opening over time, 8 x 1.9 inches, to stand below a video of 800 pixels.

    Args:
        true: (T,) opening of the ground truth in millimetres.
        predicted: name -> (T,) opening of a prediction in millimetres.
        fps: frames per second.
        dark: whether the figure is for a dark page.

    Returns:
        The figure, with one pair of axes from 0 to T / fps seconds.

    Raises:
        ValueError: lengths that differ, or values that are not finite.
    """
    _check_curves([true, *predicted.values()])
    figure = _figure(8.0, 1.9, dark)
    axes = figure.add_subplot()
    _draw_opening(axes, true, predicted, fps, dark, width=2.0)
    axes.set_ylabel("lips, mm", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.xaxis.set_major_formatter("{x:g} s")
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 0.98), ncols=3, fontsize=13, frameon=False, labelcolor=_INK[dark][0],
        borderaxespad=0.1, handlelength=1.8,
    )  # fmt: skip
    _apply_theme(axes, dark)
    return figure


def comparison_curves(
    true: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    errors: Mapping[str, np.ndarray],
    fps: float,
    waveform: Sound | None = None,
    dark: bool = False,
) -> Figure:
    """Draw sound, lip opening and lip error of predictions over time.

    Args:
        true: (T,) lip opening of the ground truth in millimetres.
        predicted: name -> (T,) lip opening of a prediction in millimetres.
        errors: name -> (T,) the largest error of a lip vertex in millimetres.
        fps: frames per second.
        waveform: the sound; None: not drawn.
        dark: whether the figure is for a dark page.

    Returns:
        The figure.

    Raises:
        ValueError: lengths that differ, or values that are not finite.
    """
    _check_curves([true, *predicted.values(), *errors.values()])
    figure = _figure(10.0, 6.5, dark)
    # The page puts its buttons over the upper right corner, so that no data may be there.
    figure.suptitle("Lips over time\n", x=0.012, ha="left", fontsize=10, color=_INK[dark][0])
    grid = figure.add_gridspec(3, 1, height_ratios=(0.001 if waveform is None else 0.5, 1.4, 1.4))
    opening = figure.add_subplot(grid[1])
    error = figure.add_subplot(grid[2], sharex=opening)
    if waveform is not None:
        _draw_waveform(figure.add_subplot(grid[0], sharex=opening), waveform, _INK[dark][0])
    _draw_opening(opening, true, predicted, fps, dark)
    opening.set_ylabel("lip opening in mm")
    opening.tick_params(labelbottom=False)
    for name, values in errors.items():
        label = f"{name}: {np.mean(values):.2f} mm on average"
        error.plot(np.arange(len(values)) / fps, values, label=label, **_CURVES.get(name, {}))
    error.set_ylim(0.0, max(1.0, 1.05 * max(float(np.max(values)) for values in errors.values())))
    error.set_ylabel("largest lip error in mm")
    error.set_xlabel("time in seconds")
    for axes in (opening, error):  # above the axes, so that no name covers data
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 0.98), ncols=3, fontsize=9.5, frameon=False,
            labelcolor=_INK[dark][0], handlelength=3,
        )  # fmt: skip
        axes.grid(color=_INK[dark][0], alpha=0.15, linewidth=0.6)
    for axes in figure.axes:
        _apply_theme(axes, dark)
    return figure


def error_scale(colors: np.ndarray, largest: float, left: str, right: str, dark: bool = False) -> Figure:
    """Draw the heading of a video of two heads, 8 x 0.8 inches: two titles and the scale of the error.

    Args:
        colors: (n, 3) uint8 sRGB from no error to `largest`.
        largest: in millimetres.
        left: title of the left head.
        right: title of the right head.
        dark: whether the figure is for a dark page.

    Returns:
        The figure.
    """
    ink, _, lines = _INK[dark]
    figure = _empty((8.0, 0.8), dark)
    for start, text in ((0.02, left), (0.52, right)):
        figure.text(start, 0.90, text, color=ink, fontsize=15.5, fontweight="bold", va="top")
    axes = figure.add_axes((0.02, 0.37, 0.35, 0.14))
    axes.imshow(colors[None], aspect="auto", extent=(0.0, largest, 0.0, 1.0))
    axes.set_yticks([])
    steps = np.arange(int(largest) + 1)
    axes.set_xticks(steps, [*map(str, steps[:-1]), f"{steps[-1]}+"])
    axes.tick_params(colors=ink, labelsize=12, length=3, pad=2)
    for spine in axes.spines.values():
        spine.set_color(lines)
    figure.text(0.382, 0.44, "mm error", color=ink, fontsize=12, va="center")
    return figure


def to_rgb(figure: Figure, dpi: int = 140) -> np.ndarray:
    """Render a figure to an image (H, W, 3) uint8, at `dpi` pixels per inch."""
    figure.set_dpi(dpi)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figure(width: float, height: float, dark: bool) -> Figure:
    return _empty((width, height), dark, layout="constrained")


def _empty(size: tuple[float, float], dark: bool, **layout: Any) -> Figure:
    prepare_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=size, facecolor=_INK[dark][1], **layout)


def _check_curves(curves: list[np.ndarray]) -> None:
    if len({np.shape(curve) for curve in curves}) > 1 or np.ndim(curves[0]) != 1 or not len(curves[0]):
        raise ValueError("All curves must be (T,) of one length.")
    if not all(np.isfinite(curve).all() for curve in curves):
        raise ValueError("Curves must hold finite numbers.")


def _draw_opening(
    axes: Axes, true: np.ndarray, predicted: Mapping[str, np.ndarray], fps: float, dark: bool, width: float = 1.5
) -> None:
    """Draw the ground truth as a filled shape, and predictions as lines over it."""
    ink = _INK[dark][0]
    times = np.arange(len(true)) / fps
    axes.fill_between(times, true, np.minimum(true, 0.0), color=ink, alpha=0.22, linewidth=0)
    axes.plot(times, true, color=ink, linewidth=width, label="ground truth")
    for name, values in predicted.items():
        axes.plot(times, values, label=name, **{**_CURVES.get(name, {}), "linewidth": width})
    axes.axhline(0.0, color=ink, linewidth=0.6, alpha=0.5)
    axes.set_xlim(0.0, len(true) / fps)


def _draw_waveform(axes: Axes, waveform: Sound, ink: str) -> None:
    samples = np.asarray(waveform.samples, dtype=np.float32)
    edges = np.unique(np.linspace(0, len(samples), min(1600, len(samples)) + 1).astype(int))[:-1]
    times = edges / waveform.sample_rate
    axes.fill_between(
        times, np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges),
        color=ink, alpha=0.7, linewidth=0,
    )  # fmt: skip
    reach = float(np.abs(samples).max(initial=0.05))
    axes.set_ylim(-reach, reach)
    axes.set_yticks([])
    axes.set_ylabel("sound", rotation=0, ha="right", va="center")
    axes.tick_params(labelbottom=False, bottom=False)


def _apply_theme(axes: Axes, dark: bool) -> None:
    ink, ground, lines = _INK[dark]
    axes.set_facecolor(ground)
    axes.tick_params(colors=ink, length=2)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_color(ink)
    for spine in axes.spines.values():
        spine.set_color(lines)

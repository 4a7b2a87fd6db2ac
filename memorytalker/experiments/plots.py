"""Plots of the comparisons. Every function returns a new Figure; the colours suit colour-blind readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from memorytalker.evaluation.bootstrap import Interval

#: Okabe and Ito's colours, black last.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_GREY = "#8a8f98"


def interval_bars(rows: Sequence[tuple[str, Interval, int]], label: str) -> Figure:
    """Plot one row per variant, from the top. Points and not bars, because the axis does not start at zero.

    Args:
        rows: name, value with interval, and index of the colour.
        label: of the axis, with the unit of the values.

    Returns:
        The figure.
    """
    figure = _figure(7.2, 0.8 + 0.32 * len(rows))
    axes = figure.add_subplot()
    for row, (_, interval, color) in enumerate(rows):
        low, high = interval.value - interval.low, interval.high - interval.value
        axes.errorbar(
            interval.value, row, xerr=[[low], [high]], fmt=MARKS[color % len(MARKS)], capsize=3, markersize=5,
            color=COLORS[color % len(COLORS)],
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.grid(axis="x", alpha=0.3)
    _tidy(axes)
    return figure


def growth(curves: Mapping[str, Sequence[tuple[int, Interval]]], label: str) -> Figure:
    """Plot the error over the number of training speakers (log axis), one curve of (speakers, interval) per model."""
    figure = _figure(6.0, 3.8)
    axes = figure.add_subplot()
    for number, (name, points) in enumerate(curves.items()):
        counts = np.array([count for count, _ in points]) * (1 + 0.02 * (number - (len(curves) - 1) / 2))
        values = np.array([[i.value, i.value - i.low, i.high - i.value] for _, i in points]).T
        axes.errorbar(
            counts, values[0], yerr=values[1:], fmt=MARKS[number] + "-", capsize=3, markersize=5, label=name,
            color=COLORS[number],
        )  # fmt: skip
    ticks = sorted({count for points in curves.values() for count, _ in points})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training speakers")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    _tidy(axes)
    return figure


def speaker_maps(panels: Sequence[tuple[str, np.ndarray]], speakers: Sequence[str]) -> Figure:
    """Scatter points (N, 2) of clips, one panel per (title, points), coloured and marked by speaker."""
    names = sorted(set(speakers))
    columns = 2
    rows = -(-len(panels) // columns)
    figure = _figure(8.4, 3.6 * rows)
    for number, (title, points) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, number + 1)
        for index, name in enumerate(names):
            own = points[np.array(speakers) == name]
            # Seven colours and eight marks, shifted each round, give 28 speakers before a pair repeats.
            color, mark = COLORS[index % 7], MARKS[(index + 3 * (index // 7)) % len(MARKS)]
            axes.scatter(own[:, 0], own[:, 1], s=16, color=color, marker=mark, linewidths=0)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("first axis (no unit)")
        axes.set_ylabel("second axis (no unit)")
        axes.set_xticks([])
        axes.set_yticks([])
        _tidy(axes)
    return figure


def opening_plot(panels: Sequence[tuple[str, Sequence[float], Sequence[float], float | None]]) -> Figure:
    """Scatter each speaker's mean lip opening in millimetres, predicted over true.

    A panel is (title, true, predicted, r), with one value per speaker in metres.
    """
    figure = _figure(3.2 * len(panels), 3.4)
    values = np.array([value for _, true, predicted, _ in panels for value in (*true, *predicted)]) * 1000
    ends = (float(values.min()) - 0.2, float(values.max()) + 0.2)
    for number, (title, true, predicted, correlation) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        axes.plot(ends, ends, color=_GREY, linewidth=1, linestyle="--")
        axes.scatter(np.array(true) * 1000, np.array(predicted) * 1000, s=22, color=COLORS[0], linewidths=0)
        axes.set_xlim(ends)
        axes.set_ylim(ends)
        r = "r undefined" if correlation is None else f"r = {correlation:.2f}"
        axes.set_title(f"{title}, {r}", fontsize=10)
        axes.set_xlabel("true mean opening, mm")
        if not number:
            axes.set_ylabel("predicted mean opening, mm")
        _tidy(axes)
    return figure


def face_grid(faces: Sequence[np.ndarray], labels: Sequence[str], columns: int = 8) -> Figure:
    """Arrange images (H, W, 3) uint8 in a grid, each under its label."""
    rows = -(-len(faces) // columns)
    figure = _figure(columns * 0.95, rows * 1.15)
    for number, (face, label) in enumerate(zip(faces, labels, strict=True)):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.imshow(face, interpolation="antialiased")
        axes.set_title(label, fontsize=8, pad=2)
        axes.set_axis_off()
    return figure


def save(figure: Figure, path: Path, dots: int = 110, colors: int = 0) -> Path:
    """Write a PNG at `dots` per inch; `colors` limits its palette, which keeps images of faces small (0: no limit)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dots, metadata={"Software": None}, pil_kwargs={"optimize": True})
    if colors:
        from PIL import Image

        with Image.open(path) as image:
            small = image.convert("RGB").quantize(colors, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
    return path


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)

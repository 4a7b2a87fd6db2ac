"""Figures: what was planted in the numbers can be read from the figure."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from memorytalker.figures import comparison_curves, opening_curves, to_rgb

FPS = 30
TRUE, OFF = np.linspace(0.0, 9.0, 90), {"stage 1": np.full(90, 2.0)}


def sound(seconds: float) -> SimpleNamespace:
    rate = 16000
    return SimpleNamespace(samples=np.sin(np.arange(int(seconds * rate)) / 9).astype(np.float32), sample_rate=rate)


def overlapping(labels: list, figure) -> list[str]:
    """Names of neighbouring tick labels that cover each other."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [label.get_window_extent(renderer) for label in labels]
    pairs = zip(range(len(boxes)), range(1, len(boxes)), strict=False)
    return [labels[a].get_text() for a, b in pairs if boxes[a].padded(-1).overlaps(boxes[b].padded(-1))]


def test_heatmap_shows_the_planted_slot_at_the_planted_time():
    figure = memory_heatmap(planted_address(), ENGLISH.phones, FPS)
    axes = next(axes for axes in figure.axes if axes.get_xlabel() == "time in seconds")
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(names) == sorted(ENGLISH.phones)
    image = axes.images[0]
    left, right, bottom, top = image.get_extent()
    assert (left, right) == (0.0, 3.0) and (bottom, top) == (len(ENGLISH.phones), 0.0)
    row = image.get_array()[names.index("m")]
    columns = np.flatnonzero(row == 1)
    assert columns.min() / FPS == pytest.approx(1.0) and (columns.max() + 1) / FPS == pytest.approx(1.5)
    assert image.get_array()[names.index("sil")][~np.isin(np.arange(90), columns)].min() == 1
    ticks = axes.get_yticks()
    assert np.allclose(ticks, np.arange(len(ENGLISH.phones)) + 0.5)


def test_heatmap_colours_are_safe_and_keep_one_scale():
    figure = memory_heatmap(np.full((20, 40), 1 / 40), ENGLISH.phones, FPS)
    image = next(axes.images[0] for axes in figure.axes if axes.images)
    assert image.get_cmap().name in {"viridis", "cividis"} and image.get_clim() == (0.0, 1.0)


def test_the_planted_cell_is_bright_in_the_figure():
    figure = memory_heatmap(planted_address(), ENGLISH.phones, FPS)
    pixels = to_rgb(figure)
    axes = next(axes for axes in figure.axes if axes.get_xlabel() == "time in seconds")
    row = [label.get_text() for label in axes.get_yticklabels()].index("m") + 0.5
    for second, bright in ((1.25, True), (0.5, False), (2.5, False)):
        x, y = axes.transData.transform((second, row))
        color = pixels[pixels.shape[0] - round(y), round(x)].astype(int)
        assert (color.sum() > 400) == bright, (second, color)


def test_sound_shares_the_axis_in_seconds():
    figure = comparison_curves(TRUE, OFF, OFF, FPS, sound(3.0))
    wave = next(axes for axes in figure.axes if axes.get_ylabel() == "sound")
    error = next(axes for axes in figure.axes if axes.get_xlabel() == "time in seconds")
    assert wave.get_xlim() == error.get_xlim() == (0.0, 3.0)
    to_rgb(figure)
    assert np.allclose(wave.get_position().intervalx, error.get_position().intervalx)


def test_one_frame_and_empty_sound_are_drawn():
    one = {"stage 1": np.ones(1)}
    assert to_rgb(comparison_curves(np.zeros(1), one, one, FPS, sound(0.0))).std() > 1


@pytest.mark.parametrize("dark", [False, True])
def test_dark_and_light_ground(dark):
    corner = to_rgb(opening_curves(TRUE, OFF, FPS, dark=dark))[0, 0]
    assert (corner.mean() < 60) == dark


def test_threads_draw_the_same_figure():
    def draw(_: int) -> bytes:
        return to_rgb(comparison_curves(TRUE, OFF, OFF, FPS), dpi=60).tobytes()

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(draw, range(3)))) == 1


def test_pyplot_stays_out():
    code = "import sys, memorytalker.figures; sys.exit('matplotlib.pyplot' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

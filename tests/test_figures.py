"""Figures: what was planted in the numbers can be read from the picture."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from memorytalker.figures import ABOVE, BELOW, memory_heatmap, style_bars, to_rgb
from memorytalker.phones import CHARACTERS, ENGLISH

FPS = 30


def planted_address(frames: int = 90) -> np.ndarray:
    """Silence, except that the slot "m" is read from second 1.0 to 1.5."""
    address = np.zeros((frames, len(ENGLISH.phones)), np.float32)
    address[:, ENGLISH.silence_index] = 1
    address[30:45] = np.eye(len(ENGLISH.phones))[ENGLISH.index("m")]
    return address


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


def test_the_planted_cell_is_bright_in_the_picture():
    figure = memory_heatmap(planted_address(), ENGLISH.phones, FPS)
    pixels = to_rgb(figure)
    axes = next(axes for axes in figure.axes if axes.get_xlabel() == "time in seconds")
    row = [label.get_text() for label in axes.get_yticklabels()].index("m") + 0.5
    for second, bright in ((1.25, True), (0.5, False), (2.5, False)):
        x, y = axes.transData.transform((second, row))
        color = pixels[pixels.shape[0] - round(y), round(x)].astype(int)
        assert (color.sum() > 400) == bright, (second, color)


def test_sound_shares_the_axis_in_seconds():
    figure = memory_heatmap(planted_address(), ENGLISH.phones, FPS, sound(3.0))
    wave = next(axes for axes in figure.axes if axes.get_ylabel() == "sound")
    rows = next(axes for axes in figure.axes if axes.get_xlabel() == "time in seconds")
    assert wave.get_xlim() == rows.get_xlim() == (0.0, 3.0)
    to_rgb(figure)
    assert np.allclose(wave.get_position().intervalx, rows.get_position().intervalx)


@pytest.mark.parametrize("labels", [ENGLISH.phones, CHARACTERS, [f"long name {k}" for k in range(40)]])
def test_labels_do_not_cover_each_other(labels):
    rng = np.random.default_rng(0)
    heatmap = memory_heatmap(rng.dirichlet(np.ones(len(labels)), 300), labels, FPS, sound(10.0))
    bars = style_bars(np.linspace(1.5, 0.5, len(labels)), labels, np.ones(len(labels)))
    to_rgb(heatmap), to_rgb(bars)
    rows = next(axes for axes in heatmap.axes if axes.get_xlabel() == "time in seconds")
    assert not overlapping(rows.get_yticklabels(), heatmap)
    assert not overlapping(bars.axes[0].get_xticklabels(), bars)


def test_bars_are_relative_to_the_mean_and_sorted():
    mean = np.full(40, 2.0)
    weights = mean.copy()
    weights[ENGLISH.index("ow")], weights[ENGLISH.index("p")] = 3.0, 1.0
    axes = style_bars(weights, ENGLISH.phones, mean).axes[0]
    names = [label.get_text() for label in axes.get_xticklabels()]
    tops = {name: bar.get_y() + bar.get_height() for name, bar in zip(names, axes.patches, strict=True)}
    assert (names[0], names[-1]) == ("ow", "p")
    assert tops["ow"] == pytest.approx(1.5) and tops["p"] == pytest.approx(0.5) and tops["m"] == pytest.approx(1.0)
    colors = [to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert (colors[0], colors[-1]) == (ABOVE, BELOW)
    low, high = axes.get_ylim()
    assert low < 0.5 and high > 1.5


def test_without_a_mean_the_weights_stand_in_slot_order():
    weights = np.linspace(-1, 2, 40)
    axes = style_bars(weights, ENGLISH.phones).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(ENGLISH.phones)
    assert np.allclose([bar.get_height() for bar in axes.patches], weights)


def test_wrong_numbers_are_refused():
    address, nan = planted_address(), np.full(40, np.nan)
    for message, call in (
        ("39", lambda: memory_heatmap(address[:, :39], ENGLISH.phones, FPS)),
        ("address", lambda: memory_heatmap(address[:0], ENGLISH.phones, FPS)),
        ("finite", lambda: memory_heatmap(address * np.nan, ENGLISH.phones, FPS)),
        ("frame rate", lambda: memory_heatmap(address, ENGLISH.phones, 0)),
        ("n = 40", lambda: style_bars(np.ones(39), ENGLISH.phones)),
        ("finite", lambda: style_bars(nan, ENGLISH.phones)),
        ("zero", lambda: style_bars(np.ones(40), ENGLISH.phones, np.zeros(40))),
        ("n = 40", lambda: style_bars(np.ones(40), ENGLISH.phones, np.ones(39))),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_one_frame_and_empty_sound_are_drawn():
    one = np.eye(40, dtype=np.float32)[:1]
    assert to_rgb(memory_heatmap(one, ENGLISH.phones, FPS, sound(0.0))).std() > 1


@pytest.mark.parametrize("dark", [False, True])
def test_dark_and_light_ground(dark):
    corner = to_rgb(style_bars(np.ones(40), ENGLISH.phones, dark=dark))[0, 0]
    assert (corner.mean() < 60) == dark


def test_threads_draw_the_same_picture():
    def draw(_: int) -> bytes:
        return to_rgb(memory_heatmap(planted_address(), ENGLISH.phones, FPS), dpi=60).tobytes()

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(draw, range(3)))) == 1


def test_pyplot_stays_out():
    code = "import sys, memorytalker.figures; sys.exit('matplotlib.pyplot' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

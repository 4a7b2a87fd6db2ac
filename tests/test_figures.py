"""Figures: what they need of memory slots, of ground and threads; test_comparison reads the curves themselves."""

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


def test_threads_draw_their_own_figures():
    """The layout's solver goes by memory addresses: its last bit can move a label by a pixel, so a few may differ."""
    errors = [{"stage 1": np.full(90, 2.0 + k)} for k in range(3)]

    def draw(error: dict[str, np.ndarray]) -> np.ndarray:
        return to_rgb(comparison_curves(TRUE, OFF, error, FPS), dpi=60)

    alone = [draw(error) for error in errors]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(draw, errors))
    differ = np.array([[(a != b).any(-1).mean() for b in alone] for a in together])
    assert differ.diagonal().max() < 0.001
    assert differ[~np.eye(3, dtype=bool)].min() > 0.003


def test_pyplot_stays_out():
    code = "import sys, memorytalker.figures; sys.exit('matplotlib.pyplot' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Metrics with answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.evaluation import metrics


def wave(seconds: float = 3.0, fps: float = 30.0, delay: float = 0.0) -> np.ndarray:
    times = np.arange(round(seconds * fps)) / fps - delay
    return np.sin(2 * np.pi * 1.3 * times) + 0.5 * np.sin(2 * np.pi * 3.1 * times + 1)


def test_a_curve_with_itself() -> None:
    curve = wave() + 2
    assert metrics.correlation(curve, curve) == pytest.approx(1.0)
    assert metrics.amplitude_ratio(curve, curve) == pytest.approx(1.0)
    assert metrics.lag_seconds(curve, curve, 30.0) == pytest.approx(0.0, abs=1e-6)


def test_scale_and_sign() -> None:
    curve = wave() + 2
    assert metrics.amplitude_ratio(1.5 * curve, curve) == pytest.approx(1.5)
    assert metrics.correlation(3 * curve + 1, curve) == pytest.approx(1.0)
    assert metrics.correlation(-curve, curve) == pytest.approx(-1.0)
    assert metrics.correlation(np.ones(90), curve) == 0.0


@pytest.mark.parametrize("delay", [-0.1, -1 / 30, 0.05, 0.1, 0.2])
def test_planted_delay_is_found(delay: float) -> None:
    assert metrics.lag_seconds(wave(6.0, delay=delay), wave(6.0), 30.0) == pytest.approx(delay, abs=0.006)


def test_lip_gap_counts_pressed_lips_as_closed() -> None:
    vertices = np.zeros((3, 4, 3))
    vertices[:, 1, 1] = [0.01, 0.0, -0.002]
    np.testing.assert_allclose(metrics.lip_gap(vertices, 1, 2), [0.01, 0.0, 0.0])


def test_closures_count_phones_with_one_closed_frame() -> None:
    gap = np.ones(30)
    gap[[5, 15, 20]] = 0.0
    # [0.15, 0.20) covers frames 4 and 5; [0.40, 0.43) frame 12; [0.51, 0.56) frames 15 and 16; [0.66, 0.68) 19 and 20.
    starts, ends = np.array([0.15, 0.40, 0.51, 0.66]), np.array([0.20, 0.43, 0.56, 0.68])
    assert metrics.closures(gap, starts, ends, 30.0, 0.5) == (3, 4)


def test_silent_frames_wait_for_the_mouth_but_not_at_the_start() -> None:
    mask = metrics.silent_frames(np.array([0.0, 1.0]), np.array([0.2, 1.5]), 60, 30.0)
    np.testing.assert_array_equal(np.flatnonzero(mask), [*range(0, 6), *range(35, 45)])


def test_vowel_median_is_the_median_over_vowel_frames_only() -> None:
    gaps, phones = [np.array([0.0, 1.0, 3.0, 9.0])], [np.array([0, 1, 2, 5])]
    assert metrics.vowel_median(gaps, phones, np.array([1, 2])) == pytest.approx(2.0)

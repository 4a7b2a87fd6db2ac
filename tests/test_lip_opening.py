"""Lip-opening curves: warping against the plain recurrence, and planted delays in milliseconds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from memorytalker.evaluation import lip_opening

FPS = 30


def syllables(frames: int = 180, delay: float = 0.0, height: float = 0.01) -> np.ndarray:
    """Openings of different heights and lengths with a closed mouth before and after, `delay` frames late."""
    times, curve = np.arange(frames) - delay, np.zeros(frames)
    for centre, width, share in ((40, 14, 1.0), (62, 10, 0.6), (80, 18, 0.8), (104, 12, 0.5), (125, 16, 0.9)):
        inside = np.abs(times - centre) < width / 2
        curve[inside] += height * share * np.cos(np.pi * (times[inside] - centre) / width) ** 2
    return curve


def plain_warping(a: np.ndarray, b: np.ndarray) -> float:
    table = np.full((len(a) + 1, len(b) + 1), np.inf)
    table[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            way = min(table[i, j], table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = abs(a[i] - b[j]) + way
    return float(table[-1, -1])


@pytest.mark.parametrize("n, m", [(1, 1), (1, 7), (9, 1), (13, 20), (31, 17)])
def test_warping_is_the_plain_recurrence(n: int, m: int) -> None:
    random = np.random.default_rng(n + m)
    a, b = random.standard_normal(n), random.standard_normal(m)
    total, path = lip_opening.warp(a, b)
    assert total == pytest.approx(plain_warping(a, b))
    assert total == pytest.approx(np.abs(a[path[:, 0]] - b[path[:, 1]]).sum())
    steps = np.diff(path, axis=0)
    assert tuple(path[0]) == (0, 0) and tuple(path[-1]) == (n - 1, m - 1)
    assert ((steps >= 0) & (steps <= 1)).all() and (steps.sum(axis=1) >= 1).all()


def test_warping_by_hand() -> None:
    total, path = lip_opening.warp(np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    assert total == 0
    assert path.tolist() == [[0, 0], [1, 1], [2, 1], [3, 2]]
    # Of equally cheap ways the one that goes on in both: a curve with itself is its own diagonal.
    assert lip_opening.warp(np.zeros(5), np.zeros(5))[1].tolist() == [[i, i] for i in range(5)]


def test_curves_that_cannot_be_warped_are_refused() -> None:
    for wrong in (np.zeros(0), np.array([0.0, np.nan])):
        with pytest.raises(ValueError, match="warped"):
            lip_opening.warp(wrong, np.zeros(3))


def test_opening_is_a_height_and_may_be_negative() -> None:
    vertices = np.zeros((3, 4, 3), np.float32)
    vertices[:, 1, 1] = [0.01, 0.0, -0.002]
    vertices[:, 1, 2] = 0.5  # depth does not matter
    np.testing.assert_allclose(lip_opening.lip_opening(vertices, (1, 2)), [0.01, 0.0, -0.002])


def test_lip_warping_of_a_constant_offset_a_curve_with_itself_and_a_delay() -> None:
    true = np.full(50, 0.004)
    assert lip_opening.lip_warping(true + 0.003, true) == pytest.approx(0.003)  # 50 pairs of 3 mm over 50 frames
    curve = syllables()
    assert lip_opening.lip_warping(curve, curve) == 0
    assert lip_opening.lip_warping(syllables(delay=3), curve) == pytest.approx(
        0, abs=1e-12
    )  # the warping undoes a delay
    # A face that does not move pairs every frame with 0: the mean opening is its cost.
    assert lip_opening.lip_warping(np.zeros_like(curve), curve) == pytest.approx(curve.mean())


def test_extrema_in_order_and_by_kind() -> None:
    frames, kinds = lip_opening.extrema(np.array([0, 1, 0, -1, 0, 2, 2, 2, 0.0]))
    assert frames.tolist() == [1, 3, 6] and kinds.tolist() == [1, -1, 1]


@pytest.mark.parametrize("delay", [-2, 0, 1, 3, 4])
def test_a_planted_delay_is_found_in_milliseconds(delay: int) -> None:
    misalignment, signed = lip_opening.temporal_misalignment(syllables(delay=delay), syllables(), FPS)
    assert misalignment == pytest.approx(abs(delay) * 1000 / FPS, abs=5)
    assert signed == pytest.approx(delay * 1000 / FPS, abs=5)  # positive: the prediction is late
    assert len(lip_opening.temporal_offsets(syllables(delay=delay), syllables())) >= 8


def test_the_frame_rate_is_that_of_the_motion() -> None:
    assert lip_opening.temporal_misalignment(syllables(delay=3), syllables(), 25)[0] == pytest.approx(120, abs=6)


def test_early_and_late_cancel_with_sign_only() -> None:
    true = syllables()
    early, late = syllables(delay=-2), syllables(delay=2)
    predicted = np.where(np.arange(len(true)) < 71, early, late)
    misalignment, signed = lip_opening.temporal_misalignment(predicted, true, FPS)
    assert misalignment == pytest.approx(2000 / FPS, rel=0.2)
    assert abs(signed) < 0.6 * misalignment


def test_a_face_that_does_not_move_has_no_misalignment() -> None:
    for a, b in ((np.zeros(90), syllables(90)), (syllables(90), np.zeros(90)), (np.zeros(90), np.zeros(90))):
        assert np.isnan(lip_opening.temporal_misalignment(a, b, FPS)).all()


def test_timing_does_not_see_how_far_the_mouth_stands_open() -> None:
    raised = syllables(delay=3) + 0.004
    assert lip_opening.temporal_misalignment(raised, syllables(), FPS)[1] == pytest.approx(100, abs=5)


def test_ripples_of_a_frame_and_noise_are_no_extrema() -> None:
    ripple = 1e-4 * np.hanning(180) * np.resize([1, -1], 180) + 1e-7 * np.random.default_rng(0).standard_normal(180)
    matches = lip_opening.temporal_offsets(syllables(), syllables())
    assert len(lip_opening.temporal_offsets(syllables() + ripple, syllables() + ripple)) == len(matches)
    assert len(lip_opening.temporal_offsets(syllables() + ripple, syllables() + ripple, 0.01)) > 5 * len(matches)


def said_plainly(predicted: np.ndarray, true: np.ndarray, same_kind: bool = True, neighbours: bool = True) -> list[int]:
    """The definition of matched extrema, frame by frame."""
    there = dict(zip(*(x.tolist() for x in lip_opening.extrema(true)), strict=True))
    found = dict(zip(*(x.tolist() for x in lip_opening.extrema(predicted)), strict=True))
    offsets = []
    for i, j in lip_opening.warp(np.diff(true, prepend=true[0]), np.diff(predicted, prepend=predicted[0]))[1].tolist():
        if i in there and j in found:
            before = max([k for k in there if k < i], default=0)
            after = min([k for k in there if k > i], default=len(true) - 1)
            if (there[i] == found[j] or not same_kind) and (before <= j <= after or not neighbours):
                offsets.append(j - i)
    return offsets


def test_matches_are_of_one_kind_and_between_neighbours() -> None:
    by_kind = by_place = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        true, predicted = (gaussian_filter1d(random.standard_normal(120), 2.0) for _ in range(2))
        matched = lip_opening.temporal_offsets(predicted, true, smoothing=1e-3).tolist()
        assert matched == said_plainly(predicted, true)
        by_kind += len(said_plainly(predicted, true, same_kind=False)) - len(matched)
        by_place += len(said_plainly(predicted, true, neighbours=False)) - len(matched)
    assert by_kind > 0 and by_place > 0  # both conditions are put to the test

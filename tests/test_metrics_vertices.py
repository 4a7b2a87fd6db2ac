"""Vertex metrics with answers worked out by hand, and LVE against torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.evaluation import vertices

T, V = 40, 30
LIPS, UPPER = np.arange(5, 13), np.arange(20, 30)


def motion(seed: int = 0, frames: int = T) -> np.ndarray:
    return (0.002 * np.random.default_rng(seed).standard_normal((frames, V, 3))).astype(np.float32)


def test_a_face_with_itself_has_no_error() -> None:
    true = motion()
    assert vertices.lip_vertex_error(true, true, LIPS) == 0
    assert vertices.lip_mean_squared_error(true, true, LIPS) == 0
    assert vertices.face_vertex_error(true, true) == 0
    assert vertices.lip_max(true, true, LIPS) == 0
    assert vertices.upper_face_deviation(true, true, UPPER) == 0


def test_lips_shifted_by_a_millimetre() -> None:
    true, shifted = motion(), motion()
    shifted[:, LIPS, 1] += 0.001
    assert vertices.lip_vertex_error(shifted, true, LIPS) == pytest.approx(1e-6, rel=1e-4)
    assert vertices.lip_max(shifted, true, LIPS) == pytest.approx(1e-3, rel=1e-4)
    assert vertices.lip_mean_squared_error(shifted, true, LIPS) == pytest.approx(1e-6 / 3, rel=1e-4)
    assert vertices.face_vertex_error(shifted, true) == pytest.approx(1e-6 * len(LIPS) / V, rel=1e-4)


def test_the_maximum_is_taken_in_each_frame_and_over_the_lips_only() -> None:
    true = np.zeros((2, V, 3), np.float32)
    predicted = true.copy()
    predicted[0, LIPS[2]] = [0.003, 0.004, 0.0]  # 5 mm
    predicted[1, LIPS[4], 2] = -0.001
    predicted[1, LIPS[0] - 1] = 1.0  # no lip
    assert vertices.lip_vertex_error(predicted, true, LIPS) == pytest.approx((25e-6 + 1e-6) / 2)
    assert vertices.lip_max(predicted, true, LIPS) == pytest.approx(3e-3)  # root first, then mean over frames
    assert vertices.lip_mean_squared_error(predicted, true, LIPS) == pytest.approx(26e-6 / (2 * len(LIPS) * 3))


def test_half_the_motion_has_a_quarter_of_the_squared_error_of_none() -> None:
    true = motion()
    still, half = np.zeros_like(true), true / 2
    for error in (vertices.face_vertex_error, lambda a, b: vertices.lip_vertex_error(a, b, LIPS)):
        assert error(half, true) == pytest.approx(error(still, true) / 4, rel=1e-5)
    assert vertices.lip_max(half, true, LIPS) == pytest.approx(vertices.lip_max(still, true, LIPS) / 2, rel=1e-5)


def test_long_clips_are_summed_piece_by_piece_without_loss() -> None:
    frames = 2 * vertices.CHUNK + 7
    true, predicted = motion(1, frames), motion(2, frames)
    direct = np.square(true.astype(float) - predicted).sum(-1).mean()
    assert vertices.face_vertex_error(predicted, true) == pytest.approx(direct, rel=1e-5)


def test_dynamics_of_a_swing_by_hand() -> None:
    offsets = np.zeros((4, V, 3), np.float32)
    offsets[::2, UPPER, 0] = 0.002  # squared motion 4e-6, 0, 4e-6, 0: a standard deviation of 2e-6
    assert vertices.dynamics(offsets, UPPER) == pytest.approx(2e-6)
    still = np.zeros_like(offsets)
    assert vertices.upper_face_deviation(still, offsets, UPPER) == pytest.approx(2e-6)  # moves too little: positive
    assert vertices.upper_face_deviation(offsets, still, UPPER) == pytest.approx(-2e-6)
    # Twice the motion is four times the dynamics; a constant raised brow has none.
    assert vertices.upper_face_deviation(2 * offsets, offsets, UPPER) == pytest.approx(-6e-6)
    assert vertices.dynamics(still + np.float32(0.01), UPPER) == pytest.approx(0, abs=1e-12)
    assert vertices.dynamics(offsets, LIPS) == 0


def test_lip_vertex_error_is_that_of_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    multimodal = pytest.importorskip("torchmetrics.multimodal")
    metric = multimodal.LipVertexError(mouth_map=LIPS.tolist())
    values, frames = [], []
    for seed, length in ((1, 11), (2, 29)):
        predicted, true = motion(seed, length), motion(seed + 10, length)
        metric.update(torch.from_numpy(predicted), torch.from_numpy(true))
        values.append(vertices.lip_vertex_error(predicted, true, LIPS))
        frames.append(length)
    assert np.average(values, weights=frames) == pytest.approx(float(metric.compute()), rel=1e-5)


def test_motion_that_does_not_match_is_refused() -> None:
    for wrong in (motion(frames=T - 1), motion()[:, :1], motion()[:, :, :2]):
        with pytest.raises(ValueError, match="shape|both"):
            vertices.face_vertex_error(wrong, motion())
        with pytest.raises(ValueError, match="both"):
            vertices.squared_distances(wrong, motion())
    broken = motion()
    broken[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        vertices.face_vertex_error(broken, motion())

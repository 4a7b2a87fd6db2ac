"""Curves at other frame rates: there and back, ends, motion that is too fast, and short clips."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from memorytalker.face.curve_files import read_curves
from memorytalker.face.frame_rates import FRAME_RATES, at_frame_rate
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import FaceCurves, MotionError

CLIPS = sorted((Path(__file__).parents[1] / "assets" / "ground_truth").glob("*.npz"))


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def lip_millimetres(head: HeadMesh, one: FaceCurves, other: FaceCurves) -> float:
    """Largest distance of a lip vertex between two curves of the same names."""
    lips = head.blendshapes[:, head.regions["lips"]]
    difference = (one.weights - other.weights).astype(np.float64)
    assert one.names == other.names == head.blendshape_names
    return 1000.0 * float(np.linalg.norm(np.tensordot(difference, lips, 1), axis=2).max())


@pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.stem)
def test_recorded_speech_returns_from_sixty_frames_within_a_third_of_a_millimetre(head: HeadMesh, clip: Path) -> None:
    recorded = read_curves(clip).curves.reordered(head.blendshape_names)
    for slow, fast in ((24, 60), (30, 60), (24, 48), (25, 50)):
        start = at_frame_rate(recorded, slow)
        back = at_frame_rate(at_frame_rate(start, fast), slow)
        assert lip_millimetres(head, start, back) < 0.3, (slow, fast)
    start = at_frame_rate(recorded, 25)  # of near rates the slower one cannot hold all, but nothing may grow
    assert lip_millimetres(head, start, at_frame_rate(at_frame_rate(start, 24), 25)) < 1.3


def planted(fps: float, seconds: float = 4.0) -> tuple[FaceCurves, np.ndarray]:
    """Two curves of motion up to 6 Hz, known at all times; and their values at `fps`."""
    times = np.arange(round(seconds * fps)) / fps
    waves = [sum(np.sin(2 * np.pi * f * times + p) for f, p in ((0.7, q), (2.9, 1.0), (6.0, 2.0 * q))) for q in (0, 1)]
    values = 0.5 + 0.13 * np.stack(waves, 1)
    return FaceCurves(values, ("jawOpen", "mouthFunnel"), fps), values


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(FRAME_RATES, 2)))
def test_motion_of_speech_is_read_at_the_right_times_at_every_rate(old: int, new: int) -> None:
    result, (expected, _) = at_frame_rate(planted(old)[0], new), planted(new)
    assert result.fps == new and result.weights.shape == expected.weights.shape
    inside = slice(new // 5, -new // 5)  # beyond the last frame its value is repeated
    np.testing.assert_allclose(result.weights[inside], expected.weights[inside], atol=0.02)


def test_motion_too_fast_for_the_new_rate_is_averaged_and_not_aliased() -> None:
    times = np.arange(600) / 60
    shaking = FaceCurves((0.5 + 0.3 * np.sin(2 * np.pi * 22 * times))[:, None], ("jawOpen",), 60)
    assert np.ptp(at_frame_rate(shaking, 24).weights[20:-20]) < 0.05


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 31])
def test_still_and_steady_curves_stay_so_at_every_rate_and_length(frames: int) -> None:
    for old, new in itertools.permutations((5.0, 24, 25, 29.97, 30, 60, 120), 2):
        weights = np.stack([np.full(frames, 0.4), np.linspace(0.1, 0.9, frames)], 1)
        result = at_frame_rate(FaceCurves(weights, ("jawOpen", "mouthFunnel"), old), new)
        assert len(result.weights) == max(1, round(frames * new / old))
        np.testing.assert_allclose(result.weights[:, 0], 0.4, atol=1e-5)
        assert (np.diff(result.weights[:, 1]) > -1e-4).all()


def test_the_same_rate_gives_the_same_curves_and_no_rate_is_refused() -> None:
    curves, _ = planted(30)
    assert at_frame_rate(curves, 30) is curves
    for wrong in (0, -24, float("nan"), True):
        with pytest.raises(MotionError, match="frame rate"):
            at_frame_rate(curves, wrong)

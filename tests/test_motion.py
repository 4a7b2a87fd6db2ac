"""Motion and face curves: time, names and validation."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from memorytalker.face.motion import FaceCurves, Motion, MotionError, silence_gain

NAMES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight")


HEAD_NAMES = ("mouthSmileRight", "jawOpen", "mouthSmileLeft", "browInnerUp")


def toy_head(names: tuple[str, ...] = HEAD_NAMES) -> SimpleNamespace:
    """One vertex per blendshape, each moved by its own shape alone: 1 cm along x."""
    shapes = np.zeros((len(names), len(names), 3), np.float32)
    for index in range(len(names)):
        shapes[index, index, 0] = 0.01
    return SimpleNamespace(blendshape_names=names, offsets=lambda weights: np.einsum("tn,nvc->tvc", weights, shapes))


def sine(fps: float, seconds: float, hertz: float = 3.0) -> np.ndarray:
    return 0.5 + 0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * fps)) / fps)


@pytest.mark.parametrize(("fps", "new_fps"), [(25, 30), (30, 25), (30, 60), (60, 30), (29.97, 30)])
def test_resample_keeps_duration_and_a_planted_sine(fps: float, new_fps: float) -> None:
    curves = FaceCurves(sine(fps, 4.0)[:, None], ("jawOpen",), fps)
    resampled = curves.resample(new_fps)
    assert resampled.fps == new_fps
    assert abs(resampled.duration - curves.duration) <= 0.5 / new_fps
    inner = slice(4, -4)  # the held ends are not a sine
    np.testing.assert_allclose(resampled.weights[inner, 0], sine(new_fps, 4.0)[inner], atol=0.025)


def test_resample_of_a_constant_is_the_constant_to_the_last_frame() -> None:
    motion = Motion(np.full((13, 2, 3), 0.003), 25).resample(30)
    np.testing.assert_allclose(motion.offsets, 0.003, rtol=1e-6)


def test_dropping_frames_averages_motion_too_fast_for_the_new_rate() -> None:
    flicker = (np.arange(120) % 2).astype(np.float32)  # 30 Hz at 60 fps: cannot live at 15 fps
    curves = FaceCurves(flicker[:, None], ("jawOpen",), 60).resample(15)
    np.testing.assert_allclose(curves.weights[2:-2], 0.5, atol=0.05)


def test_smoothing_is_zero_phase_and_keeps_the_mean() -> None:
    pulse = np.zeros((41, 1), np.float32)
    pulse[20] = 1.0
    smooth = FaceCurves(pulse, ("jawOpen",), 30).smooth(0.2).weights[:, 0]
    assert smooth.argmax() == 20
    np.testing.assert_allclose(smooth, smooth[::-1], atol=1e-6)
    assert smooth.sum() == pytest.approx(1.0, rel=1e-4)
    assert smooth[20 + 3] == pytest.approx(smooth[20] / 2, rel=0.02)  # 0.1 s to either side: half the height


def test_smoothing_holds_the_ends() -> None:
    offsets = np.full((20, 2, 3), 0.004)
    np.testing.assert_allclose(Motion(offsets, 30).smooth(0.3).offsets, 0.004, rtol=1e-5)


def test_curves_reach_the_head_by_name_not_by_position() -> None:
    weights = np.array([[0.1, 0.2, 0.3]])
    offsets = FaceCurves(weights, NAMES, 30).to_motion(toy_head()).offsets
    np.testing.assert_allclose(offsets[0, :, 0], [0.003, 0.001, 0.002, 0.0], atol=1e-7)
    shuffled = FaceCurves(weights[:, ::-1], NAMES[::-1], 30).to_motion(toy_head()).offsets
    np.testing.assert_array_equal(offsets, shuffled)


def test_a_curve_the_head_does_not_have_is_an_error_only_if_it_moves() -> None:
    head = toy_head(("jawOpen", "mouthSmileLeft"))
    with pytest.raises(MotionError, match="mouthSmileRight"):
        FaceCurves(np.full((2, 3), 0.5), NAMES, 30).to_motion(head)
    still = np.array([[0.5, 0.5, 0.0]])
    assert FaceCurves(still, NAMES, 30).to_motion(head).offsets.shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("weights", "names", "fps", "words"),
    [
        (np.zeros((4, 2)), NAMES, 30, "2 columns"),
        (np.zeros((4, 3)), ("jawOpen", "jawOpen", "mouthClose"), 30, "jawOpen"),
        (np.full((4, 3), 1.5), NAMES, 30, "between 0 and 1"),
        (np.full((4, 3), np.nan), NAMES, 30, "NaN"),
        (np.zeros((0, 3)), NAMES, 30, "shape"),
        (np.zeros(3), NAMES, 30, "shape"),
        (np.zeros((4, 3)), NAMES, 0, "frame rate"),
        (np.array([["a", "b", "c"]]), NAMES, 30, "numbers"),
    ],
)
def test_bad_curves_are_refused_in_plain_words(weights, names, fps, words) -> None:
    with pytest.raises(MotionError, match=words):
        FaceCurves(weights, names, fps)


def test_bad_motion_is_refused_in_plain_words() -> None:
    with pytest.raises(MotionError, match=r"\(frames, vertices, 3\)"):
        Motion(np.zeros((4, 6)), 30)
    with pytest.raises(MotionError, match="infinite"):
        Motion(np.full((1, 1, 3), np.inf), 30)
    with pytest.raises(MotionError, match="0 seconds or more"):
        Motion(np.zeros((4, 2, 3)), 30).smooth(-1)


def quiet_between(*spans: tuple[float, float], seconds: float = 4.0, fps: float = 30) -> np.ndarray:
    """(T,) True on the frames that begin within a span of seconds."""
    time = np.arange(round(seconds * fps)) / fps
    return np.any([(time >= begin - 1e-9) & (time < end - 1e-9) for begin, end in spans], axis=0)


@pytest.mark.parametrize("fps", [25, 30, 60])
def test_a_mouth_shuts_within_a_silence_and_is_open_for_the_next_word(fps: float) -> None:
    quiet, time = quiet_between((1.0, 2.2), fps=fps), np.arange(4 * fps) / fps
    gain = silence_gain(quiet, fps)
    assert (gain[~quiet] == 1).all() and gain.dtype == np.float32
    assert not gain[(time >= 1.15) & (time < 2.2 - 0.2)].any()
    ahead = (time >= 2.2 - 0.07 + 1e-9) & (time < 2.2)
    assert (gain[ahead] == 1).all()


def test_closing_has_no_pops() -> None:
    """At 1000 frames a second the gain has neither steps nor corners, in silences of every length."""
    for length in np.linspace(0.05, 1.0, 20):
        gain = silence_gain(quiet_between((1.0, 1.0 + length), fps=1000), 1000).astype(float)
        assert np.abs(np.diff(gain)).max() < 0.013 and np.abs(np.diff(gain, 2)).max() < 7e-4
        assert (gain.min() < 1e-6) == (length > 0.34) or 0.3 <= length <= 0.34


def test_stops_are_no_silence_and_silent_ends_stay_closed() -> None:
    assert (silence_gain(quiet_between((1.0, 1.2), (3.0, 3.25)), 30) == 1).all()
    gain = silence_gain(quiet_between((0.0, 1.0), (3.0, 4.0)), 30)
    assert gain[0] == 0 and gain[-1] == 0 and (gain[30:90] == 1).all()
    assert (silence_gain(np.ones(60, bool), 30) == 0).all() and len(silence_gain(np.zeros(0, bool), 30)) == 0


def test_closing_needs_a_bool_per_frame() -> None:
    with pytest.raises(MotionError, match="silence mask is"):
        silence_gain(np.zeros(30), 30)

"""The motion of a head: vertices made when asked for, curves solved, joined, resampled and corrected."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.config import ConfigError
from memorytalker.face import solve
from memorytalker.face.adjust import UPPER_FACE, adjusted
from memorytalker.face.head import HeadError, HeadMesh, load_head
from memorytalker.face.head_motion import HeadMotion, motion_of_curves
from memorytalker.face.mesh_files import bare_head
from memorytalker.face.motion import FaceCurves, MotionError
from memorytalker.face.motion_space import STILL, MotionSpace, speech_space, vertex_space
from memorytalker.options import CurveOptions

FRAMES = 150


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def space(head: HeadMesh) -> MotionSpace:
    return speech_space(head)


@pytest.fixture(scope="module")
def weights(head: HeadMesh) -> np.ndarray:
    """Planted weights of the speech shapes, a third of them zero, within [0, 1]."""
    random = np.random.default_rng(5)
    planted = np.clip(random.uniform(-0.4, 0.9, (FRAMES, 52)), 0, 1).astype(np.float32)
    planted[:, [name.startswith(STILL) for name in head.blendshape_names]] = 0
    return planted


@pytest.fixture(scope="module")
def motion(head: HeadMesh, space: MotionSpace, weights: np.ndarray) -> HeadMotion:
    blink = FaceCurves(np.linspace(0, 1, FRAMES)[:, None], ("eyeBlinkLeft",), 30)
    return HeadMotion(head, space, space.encode(weights), 30.0, blink)


def test_frames_blocks_slices_and_all_vertices_are_the_same_bits(motion: HeadMotion):
    whole = motion.vertices
    assert whole.shape == motion.shape == (FRAMES, motion.head.vertex_count, 3) and whole.dtype == np.float32
    assert np.array_equal(np.stack(list(motion)), whole)
    assert np.array_equal(np.concatenate(list(motion.blocks(7))), whole)
    assert np.array_equal(motion[20:33], whole[20:33]) and np.array_equal(motion[-1], whole[-1])
    np.testing.assert_allclose(motion.at([9, 4]), whole[:, [9, 4]], atol=1e-7)
    assert np.array_equal(motion.offsets, whole - motion.head.template) or np.allclose(
        motion.offsets, whole - motion.head.template, atol=1e-7
    )
    with pytest.raises(IndexError, match="150"):
        motion[FRAMES]


def test_planted_curves_are_found_with_the_expression(motion: HeadMotion, weights: np.ndarray):
    curves, blink = motion.curves, motion.curves.names.index("eyeBlinkLeft")
    others = [k for k in range(52) if k != blink]
    np.testing.assert_allclose(curves.weights[:, others], weights[:, others], atol=2e-3)
    np.testing.assert_allclose(curves.weights[:, blink], np.linspace(0, 1, FRAMES), atol=1e-6)
    assert motion.solved.residual_mm < 0.01


def test_what_no_curve_can_hold_is_told_in_millimetres_at_the_lips(head: HeadMesh, space: MotionSpace):
    beyond = np.zeros((2, 52), np.float32)
    beyond[0, head.blendshape_names.index("jawOpen")] = 1.4
    beyond[1, head.blendshape_names.index("mouthPucker")] = -0.3
    motion = HeadMotion(head, space, space.encode(beyond), 30.0)
    solved = motion.solved
    assert solved.curves.weights.max() <= 1 and solved.curves.weights.min() >= 0
    made = motion_of_curves(head, solved.curves)
    lips = head.regions["lips"]
    far = 1000 * np.linalg.norm((made.vertices - motion.vertices)[:, lips], axis=2).max(axis=1)
    np.testing.assert_allclose(solved.lip_residual, far, atol=2e-3)
    assert solved.residual_mm == pytest.approx(far.max(), abs=2e-3) and far.min() > 0.5


def test_solving_reports_and_can_be_cancelled(motion: HeadMotion, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(solve, "REPORTED", 50)
    calls: list[tuple] = []
    fresh = HeadMotion(motion.head, motion.space, motion.coordinates, 30.0)
    assert fresh.solve(lambda *call: calls.append(call)) is fresh.solved
    assert calls == [(0, FRAMES, "curves"), (50, FRAMES, "curves"), (100, FRAMES, "curves")]

    def cancel(done: int, total: int, stage: str) -> None:
        raise InterruptedError

    again = HeadMotion(motion.head, motion.space, motion.coordinates, 30.0)
    with pytest.raises(InterruptedError):
        again.solve(cancel)
    assert np.array_equal(again.curves.weights, fresh.curves.weights)


def test_pieces_join_and_solve_to_the_same_bits_as_the_whole(motion: HeadMotion):
    def piece(first: int, last: int) -> HeadMotion:
        blink = FaceCurves(motion.expression.weights[first:last], motion.expression.names, 30)
        return HeadMotion(motion.head, motion.space, motion.coordinates[first:last], 30.0, blink)

    pieces = [piece(0, 40), piece(40, 41), piece(41, FRAMES)]
    joined = HeadMotion.joined(pieces)
    assert np.array_equal(joined.vertices, motion.vertices)
    assert np.array_equal(np.concatenate([one.curves.weights for one in pieces]), motion.curves.weights)


def test_another_rate_is_that_of_the_coordinates(motion: HeadMotion):
    faster = motion.resample(60)
    assert len(faster) == 2 * FRAMES and faster.fps == 60 and motion.resample(30.0) is motion
    np.testing.assert_allclose(faster.vertices[::2], motion.vertices, atol=1e-6)


def test_a_motion_of_curves_gives_them_back_as_they_are(head: HeadMesh, weights: np.ndarray):
    curves = FaceCurves(weights[:, ::-1], head.blendshape_names[::-1], 25)
    motion = motion_of_curves(head, curves)
    assert motion.fps == 25 and np.array_equal(motion.curves.weights, weights) and motion.solved.residual_mm == 0
    np.testing.assert_allclose(motion.offsets, head.offsets(weights), atol=1e-6)


def test_a_head_without_blendshapes_has_vertices_and_no_curves():
    head = bare_head(20)
    motion = HeadMotion(head, vertex_space(20), np.ones((3, 60), np.float32), 30.0)
    assert motion.vertices.shape == (3, 20, 3)
    with pytest.raises(HeadError, match="no blendshapes"):
        motion.curves  # noqa: B018
    with pytest.raises(HeadError, match="no blendshapes"):
        motion_of_curves(head, FaceCurves(np.zeros((1, 1)), ("jawOpen",), 30))
    with pytest.raises(MotionError, match="does not fit"):
        HeadMotion(head, vertex_space(20), np.ones((3, 57), np.float32), 30.0)


# corrections


def test_nothing_changed_is_the_same_motion(motion: HeadMotion):
    assert adjusted(motion, CurveOptions()) is motion


def test_gains_offsets_and_strengths_act_on_their_curves_alone(motion: HeadMotion):
    before = motion.curves
    options = CurveOptions(
        upper_face=0.5, lower_face=1.5, gains={"jawOpen": 2.0}, offsets={"mouthSmileLeft": 0.25, "eyeBlinkLeft": -0.1}
    )
    after = adjusted(motion, options).curves
    for name in before.names:
        strength = 0.5 if name.startswith(UPPER_FACE) else 1.5
        gain = 2.0 if name == "jawOpen" else 1.0
        offset = {"mouthSmileLeft": 0.25, "eyeBlinkLeft": -0.1}.get(name, 0.0)
        wanted = np.clip(before.curve(name) * gain * strength + offset, 0, 1)
        np.testing.assert_allclose(after.curve(name), wanted, atol=1e-6, err_msg=name)


def test_corrections_out_of_range_or_of_no_curve_are_refused(motion: HeadMotion):
    for wrong in (
        {"upper_face": 5.0}, {"lower_face": float("nan")}, {"gains": {"jawOpen": -1}}, {"offsets": {"jawOpen": 2}},
        {"gains": "jawOpen"}, {"gains": {3: 1.0}}, {"offsets": {"jawOpen": True}},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            CurveOptions(**wrong)
    with pytest.raises(MotionError, match="jawopen"):
        adjusted(motion, CurveOptions(gains={"jawopen": 1.1}))
    with pytest.raises(TypeError, match="upper_face"):
        CurveOptions().changed(loud=1)
    assert CurveOptions(gains={"b": 1, "a": 2}) == CurveOptions(gains=(("a", 2.0), ("b", 1.0)))

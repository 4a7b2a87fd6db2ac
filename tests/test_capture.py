"""Landmarks tracked in video to face curves: planted motion is recovered, and closed lips stay closed on the head."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from toy_tracker import planted, rest_of, toy_basis, tracked_video

from memorytalker.config import ConfigError
from memorytalker.corpus import capture
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.corpus.landmark_files import MISSING, STEPS_PER_PIXEL, read_landmark_clips
from memorytalker.face.head import load_head
from memorytalker.tracking import landmark_solver, landmarks
from memorytalker.tracking.landmarks import CaptureError

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "capture"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded faces of shared/capture are not here")


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def basis(head):
    """A tracker that sees the head's own vertices, so that the tests need no recording."""
    return toy_basis(head)


def head_gap(head, curves) -> np.ndarray:
    return capture.head_openings(head, curves)[0]


def test_planted_motion_is_recovered_under_pose_and_noise(head, basis) -> None:
    target = planted(basis)
    points = tracked_video(basis.neutral + basis.displacements(target), noise=0.1)
    curves = landmark_solver.solve_landmarks(points, basis, rest_of(basis))
    wanted = target @ basis.mixing
    for name, tolerance in (("jawOpen", 0.06), ("mouthPucker", 0.12), ("mouthSmileLeft", 0.1)):
        error = curves.curve(name) - wanted[:, basis.names.index(name)]
        assert np.sqrt((error**2).mean()) < tolerance, name
    gap = landmarks.openings(points, basis.index)[0]
    assert np.corrcoef(gap, head_gap(head, curves))[0, 1] > 0.99


@pytest.mark.parametrize("wider", [0.75, 1.0, 1.3])
def test_lips_widen_by_as_many_eye_distances_as_in_the_video(head, basis, wider: float) -> None:
    """Also those of somebody whose mouth is wider or narrower at rest than the head's."""
    rest = basis.neutral.copy()
    rest[landmarks.columns(basis.index, landmarks.LIPS), 0] *= wider
    neutral = dataclasses.replace(rest_of(basis), reference=rest, rest=rest[None])
    points = tracked_video(rest + basis.displacements(planted(basis)), noise=0.05)
    curves = landmark_solver.solve_landmarks(points, basis, neutral)
    solved, tracked = capture.head_openings(head, curves)[1], landmarks.openings(points, basis.index)[1]
    assert np.corrcoef(solved, tracked)[0, 1] > 0.98
    assert solved.std() / tracked.std() == pytest.approx(1.0, abs=0.06)


def test_rounding_and_spreading_do_not_cancel_each_other(basis) -> None:
    """A mouth of constant width could be both at once; it should be as little of both as the lips allow."""
    weights, names = np.zeros((30, len(landmark_solver.CONTROLS))), list(landmark_solver.CONTROLS)
    weights[:, names.index("funnel")], weights[:, names.index("stretch")] = 0.4, 0.4
    points = tracked_video(basis.neutral + basis.displacements(weights), noise=0.05)
    curves = landmark_solver.solve_landmarks(points, basis, rest_of(basis))
    rounded = curves.curve("mouthFunnel") + curves.curve("mouthPucker")
    spread = sum(curves.curve(f"mouth{name}Left") for name in ("Smile", "Stretch", "Dimple", "Press"))
    assert np.minimum(rounded, spread).mean() < 0.15


def test_the_head_opens_as_far_as_the_video(head, basis) -> None:
    points = tracked_video(basis.neutral + basis.displacements(planted(basis)))
    curves = landmark_solver.solve_landmarks(points, basis, rest_of(basis))
    goal = landmark_solver.open_gap(landmarks.openings(points, basis.index)[0], 0.006)
    np.testing.assert_allclose(head_gap(head, curves), goal, atol=1e-4)


def test_a_neutral_face_stays_neutral(basis) -> None:
    points = tracked_video(np.repeat(basis.neutral[None], 20, 0), noise=0.02)
    assert landmark_solver.solve_landmarks(points, basis, rest_of(basis)).weights.max() < 0.05


def test_lips_closed_over_an_open_jaw_stay_closed(head, basis) -> None:
    weights = np.zeros((30, len(landmark_solver.CONTROLS)))
    weights[:, list(landmark_solver.CONTROLS).index("jawClosed")] = 0.4
    points = tracked_video(basis.neutral + basis.displacements(weights), noise=0.05)
    curves = landmark_solver.solve_landmarks(points, basis, rest_of(basis), gap=np.zeros(30))
    np.testing.assert_allclose(head_gap(head, curves), 0.0, atol=2e-4)
    assert curves.curve("jawOpen").mean() > 0.25
    assert (curves.curve("mouthClose") <= curves.curve("jawOpen") + 1e-6).all()


def test_the_gap_is_met_from_any_weights(basis) -> None:
    rng = np.random.default_rng(1)
    limits = np.array([control.limit for control in landmark_solver.CONTROLS.values()])
    weights = rng.uniform(0, 0.5, (200, len(limits))) * limits
    for goal in (np.zeros(200), rng.uniform(0, 0.2, 200)):
        met = landmark_solver._exact_gap(weights, goal, basis)
        np.testing.assert_allclose(met @ basis.gap, goal, atol=1e-9)
        assert (met >= 0).all()


def test_lips_are_closed_without_moving_the_jaw(basis) -> None:
    weights = np.zeros((1, len(landmark_solver.CONTROLS)))
    weights[0, [landmark_solver._JAW, landmark_solver._CLOSED]] = 0.3, 0.1
    met = landmark_solver._exact_gap(weights, np.zeros(1), basis)
    np.testing.assert_allclose(met[0, [landmark_solver._JAW, landmark_solver._CLOSED]], [0.0, 0.4], atol=1e-3)
    again = landmark_solver._exact_gap(met, weights @ basis.gap, basis)
    np.testing.assert_allclose(again, weights, atol=1e-3)


def test_controls_move_shapes_of_both_sides_by_name(basis) -> None:
    smile = basis.mixing[list(landmark_solver.CONTROLS).index("smile")]
    assert {basis.names[i] for i in np.flatnonzero(smile)} == {"mouthSmileLeft", "mouthSmileRight"}
    shapes = {shape for control in landmark_solver.CONTROLS.values() for shape in control.shapes}
    assert all(s[:-4] + "Right" in shapes for s in shapes if s.endswith("Left")) and shapes <= set(basis.names)


def test_shapes_of_the_basis_are_matched_by_name(head, basis) -> None:
    order = np.random.default_rng(0).permutation(len(head.blendshape_names))
    displacements = np.zeros((len(order), *basis.neutral.shape))
    displacements[..., 1] = np.arange(len(order))[:, None] / 100
    names = head.blendshape_names
    straight = landmark_solver.make_basis(basis.index, basis.neutral, names, displacements, displacements / 2, head)
    mixed = tuple(names[i] for i in order)
    shuffled = landmark_solver.make_basis(
        basis.index, basis.neutral, mixed, displacements[order], displacements[order] / 2, head
    )
    np.testing.assert_array_equal(straight.full, shuffled.full)
    with pytest.raises(CaptureError, match="mouthPucker"):
        landmark_solver.make_basis(
            basis.index, basis.neutral, tuple("x" + n for n in names), displacements, displacements, head
        )


def test_shapes_tracked_together_are_used_as_they_were_tracked(head, basis) -> None:
    names = head.blendshape_names
    moved = np.random.default_rng(0).normal(0, 0.01, (len(names) + 1, *basis.neutral.shape))
    together = landmark_solver.make_basis(
        basis.index, basis.neutral, (*names, "jawOpen+mouthClose"), moved, moved / 3, head
    )
    row = list(landmark_solver.CONTROLS).index("jawClosed")
    np.testing.assert_allclose(together.full[row], landmark_solver.symmetric(moved[-1], basis.mirror))
    np.testing.assert_allclose(together.half[row], together.full[row] / 3)
    smile = list(landmark_solver.CONTROLS).index("smile")
    both = moved[names.index("mouthSmileLeft")] + moved[names.index("mouthSmileRight")]
    np.testing.assert_allclose(together.full[smile], landmark_solver.symmetric(both, basis.mirror))


def write_folder(folder: Path, basis: landmark_solver.Basis, clips: int = 3) -> None:
    """A capture root with a tracker basis and landmark clips, the last of which lost the face for long."""
    source, arrays, lines = folder / "grid_s1", {"index": basis.index}, []
    source.mkdir(parents=True)
    for number in range(clips):
        weights = planted(basis, 75) * (np.arange(75) < 60)[:, None]  # at rest in the end
        points = tracked_video(basis.neutral + basis.displacements(weights), seed=number, noise=0.05)
        raw = np.round(points * STEPS_PER_PIXEL).astype(np.int16)
        raw[30 : 40 if number == clips - 1 else 32] = MISSING
        name = f"clip{number}"
        arrays[name] = raw
        lines.append({"clip": name, "speaker": "grid_s1", "audio": f"{name}.opus", "frames": 75, "fps": 25.0})
    np.savez(source / "landmarks.npz", **arrays)
    (source / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_clips_are_written_with_missing_frames_filled_or_dropped(tmp_path, head, basis, monkeypatch) -> None:
    write_folder(tmp_path / "in", basis)
    monkeypatch.setattr(capture, "read_basis", lambda path, head: basis)
    source = CaptureSource("grid_s1", "landmarks", held_out_last=2)
    assert capture.write_captured(tmp_path / "in", tmp_path / "out", [source], head) == 2
    entries = [json.loads(line) for line in (tmp_path / "out" / "clips.jsonl").read_text().splitlines()]
    assert [(e["name"], e["split"], e["frames"], e["fps"]) for e in entries] == [
        ("clip0", "train", 90, 30.0),
        ("clip1", "test", 90, 30.0),
    ]
    assert entries[0]["sound"] == "grid_s1/clip0.opus"
    with np.load(tmp_path / "out" / "clip0.npz") as data:
        assert data["weights"].shape == (90, 52) and np.isfinite(data["tracked_gap"]).all()
        assert data["weights"][-5:].max() < 0.06
    assert set(capture.video_openings(tmp_path / "in", ("grid_s1",))) == {"clip0", "clip1"}


def test_bad_captures_are_refused_in_plain_words(tmp_path, basis) -> None:
    with pytest.raises(CaptureError, match="manifest.jsonl"):
        list(read_landmark_clips(tmp_path))
    with pytest.raises(CaptureError, match="manifest.jsonl"):
        list(read_landmark_clips(tmp_path / "nobody"))
    with pytest.raises(ConfigError, match="'nobody' is of kind 'video'; choose one of landmarks, curves"):
        CaptureSource("nobody", "video")
    with pytest.raises(CaptureError, match="tracker basis"):
        landmark_solver.read_basis(tmp_path / "none.npz", load_head())
    with pytest.raises(CaptureError, match="without a face"):
        landmark_solver.solve_landmarks(np.full((3, len(basis.index), 2), np.nan), basis, rest_of(basis))
    with pytest.raises(CaptureError, match="shape"):
        landmark_solver.solve_landmarks(np.zeros((3, 4, 2)), basis, rest_of(basis))
    write_folder(tmp_path / "in", basis)
    other = {"clip": "other", "speaker": "grid_s1", "audio": "other.opus", "frames": 75, "fps": 25.0}
    (tmp_path / "in" / "grid_s1" / "manifest.jsonl").write_text(json.dumps(other) + "\n")
    with pytest.raises(CaptureError, match="no array other"):
        list(read_landmark_clips(tmp_path / "in" / "grid_s1"))


@needs_shared
def test_recorded_lips_match_on_the_head(head) -> None:
    clips = list(capture.captured_clips(SHARED, [CaptureSource("grid_s4", "landmarks", train=False)], head))
    assert len(clips) == 40 and {clip.split for clip in clips} == {"test"}
    for clip in clips:
        gap, _ = capture.head_openings(head, clip.curves)
        assert np.corrcoef(gap, clip.tracked_gap)[0, 1] > 0.95, clip.name
        assert np.abs(gap[clip.tracked_gap < 0.005]).max(initial=0.0) < 1e-3, clip.name
        assert len(gap) == 90


@needs_shared
@pytest.mark.parametrize("person", ["grid_s26", "grid_s2", "grid_s23", "grid_s30"])
def test_recorded_lips_move_as_far_on_the_head(head, person: str) -> None:
    clips = list(capture.captured_clips(SHARED, [CaptureSource(person, "landmarks")], head))
    for number, tracked in enumerate(("tracked_gap", "tracked_width")):
        pairs = [(capture.head_openings(head, clip.curves)[number], getattr(clip, tracked)) for clip in clips]
        assert np.mean([solved.std() / seen.std() for solved, seen in pairs]) == pytest.approx(1.0, abs=0.1), tracked
        assert np.mean([np.corrcoef(solved, seen)[0, 1] for solved, seen in pairs]) > 0.95, tracked


@needs_shared
def test_recorded_curves_keep_their_split_and_close_their_lips(head) -> None:
    source = CaptureSource("facegood", "curves", held_out=("1114_3_15",))
    takes = {clip.name: clip for clip in capture.captured_clips(SHARED, [source], head)}
    assert [name for name, clip in takes.items() if clip.split == "test"] == ["1114_3_15"]
    for clip in takes.values():
        assert clip.curves.fps == 30 and np.percentile(clip.tracked_gap, 10) < 0.01

"""Filmed landmarks to face curves: planted motion is recovered, and closed lips stay closed on the head."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from memorytalker.corpus import capture, landmarks, solve
from memorytalker.corpus.landmarks import CaptureError, Neutral
from memorytalker.corpus.recordings import read_curves
from memorytalker.head import load_head

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "capture"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded faces of shared/capture are not here")
UPPER_LIP = (185, 40, 39, 37, 0, 267, 269, 270, 409, 191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP = (146, 91, 181, 84, 17, 314, 405, 321, 375, 95, 88, 178, 87, 14, 317, 402, 318, 324)
CHIN = (152, 175, 199, 200, 18, 83, 313, 148, 176, 149, 150, 377, 400, 378, 379)


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def basis(head):
    """A tracker that sees the head's own vertices, so that the tests need no recording."""
    return toy_basis(head)


def toy_basis(head) -> solve.Basis:
    """Lips as two arcs over the head's mouth, each point moving with the nearest vertex of its own lip."""
    mark, template = head.landmarks, head.template
    corners = template[[mark["eye_left_outer"], mark["eye_right_outer"]]]
    eyes, middle = np.linalg.norm(corners[0] - corners[1]), corners[:, :2].mean(0)
    place = (template[:, :2] - middle) * [1, -1] / eyes
    mouth, half_width = place[mark["inner_lip_upper"], 1], place[mark["mouth_left"], 0]
    points: dict[int, tuple[float, float]] = {33: (-0.5, 0.0), 263: (0.5, 0.0), 61: (-half_width, mouth)}
    points |= {291: (half_width, mouth), 78: (-0.9 * half_width, mouth), 308: (0.9 * half_width, mouth)}
    for lip, side in ((UPPER_LIP, -1), (LOWER_LIP, 1)):
        for rim, height in ((lip[:9], 0.09), (lip[9:], 0.002)):
            for number, x in zip(rim, np.linspace(-0.8, 0.8, 9), strict=True):
                points[number] = (x * half_width, mouth + side * height * (1 - x * x))
    chin = place[mark["chin"], 1]
    sides = (0, 0, 0, 0, 0, -1, 1, -2, -3, -4, -5, 2, 3, 4, 5)
    for number, side in zip(CHIN, sides, strict=True):
        points[number] = (0.06 * side, chin - 0.02 * abs(side) - (0.1 if number in (18, 83, 313, 200) else 0.0))
    rigid = [number for number in landmarks.RIGID if number not in points]
    for number, angle in zip(rigid, np.linspace(0, 2 * np.pi, len(rigid), endpoint=False), strict=True):
        points[number] = (0.6 * np.sin(angle), 0.1 + 0.5 * np.cos(angle))
    index = np.array(sorted(points))
    neutral = np.array([points[number] for number in index])
    opening = head.blendshape("jawOpen")[:, 1]
    skin, full = head.parts["skin"], np.zeros((len(head.blendshape_names), len(index), 2))
    front = skin[template[skin, 2] > template[mark["mouth_left"], 2] - 0.03]
    for column, number in enumerate(index):
        low = opening[front] < 0.4 * opening.min()
        pool = front[low] if number in LOWER_LIP else front[~low] if number in UPPER_LIP else front
        vertex = pool[np.linalg.norm(place[pool] - neutral[column], axis=-1).argmin()]
        vertex = {13: mark["inner_lip_upper"], 14: mark["inner_lip_lower"]}.get(int(number), vertex)
        if number not in landmarks.RIGID:
            full[:, column] = head.blendshapes[:, vertex, :2] * [1, -1] / eyes
    return solve.make_basis(index, neutral, head.blendshape_names, full, full / 2, head)


def rest_of(basis: solve.Basis) -> Neutral:
    turns = np.zeros((0, len(landmarks.RIGID), 2))
    return Neutral(basis.index, basis.neutral, turns, basis.neutral[None], closed_level=0.006)


def planted(basis: solve.Basis, frames: int = 90) -> np.ndarray:
    """(T, K) a mouth that opens and shuts, rounds, and smiles."""
    weights, time = np.zeros((frames, len(solve.CONTROLS))), np.arange(frames) / 30
    names = list(solve.CONTROLS)
    weights[:, names.index("jawOpen")] = np.clip(0.35 * np.sin(2 * np.pi * 1.5 * time), 0, None)
    weights[:, names.index("pucker")] = np.clip(0.5 * np.sin(2 * np.pi * 0.7 * time + 2), 0, None)
    weights[:, names.index("smile")] = np.clip(0.4 * np.sin(2 * np.pi * 0.7 * time - 1), 0, None)
    return weights


def filmed(points: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Eye-distance points -> pixels of a head that moves: turned in the picture, scaled and shifted over time."""
    rng, time = np.random.default_rng(seed), np.linspace(0, 1, len(points))
    factor = (66 + 5 * time) * np.exp(1j * 0.1 * np.sin(5 * time))
    moved = factor[:, None] * (points[..., 0] + 1j * points[..., 1]) + (180 + 9j * time[:, None] + 120j)
    return np.stack([moved.real, moved.imag], -1) + rng.normal(0, noise, points.shape)


def head_gap(head, curves) -> np.ndarray:
    return capture.head_openings(head, curves)[0]


def test_planted_motion_is_recovered_under_pose_and_noise(head, basis) -> None:
    truth = planted(basis)
    film = filmed(basis.neutral + basis.displacements(truth), noise=0.1)
    curves = solve.solve_landmarks(film, basis, rest_of(basis))
    wanted = truth @ basis.mixing
    for name, tolerance in (("jawOpen", 0.06), ("mouthPucker", 0.12), ("mouthSmileLeft", 0.1)):
        error = curves.curve(name) - wanted[:, basis.names.index(name)]
        assert np.sqrt((error**2).mean()) < tolerance, name
    gap = landmarks.openings(film, basis.index)[0]
    assert np.corrcoef(gap, head_gap(head, curves))[0, 1] > 0.99


def test_the_head_opens_as_far_as_the_film(head, basis) -> None:
    film = filmed(basis.neutral + basis.displacements(planted(basis)))
    curves = solve.solve_landmarks(film, basis, rest_of(basis))
    goal = solve.open_gap(landmarks.openings(film, basis.index)[0], 0.006)
    np.testing.assert_allclose(head_gap(head, curves), goal, atol=1e-4)


def test_a_neutral_face_stays_neutral(basis) -> None:
    film = filmed(np.repeat(basis.neutral[None], 20, 0), noise=0.02)
    assert solve.solve_landmarks(film, basis, rest_of(basis)).weights.max() < 0.05


def test_lips_closed_over_an_open_jaw_stay_closed(head, basis) -> None:
    weights = np.zeros((30, len(solve.CONTROLS)))
    weights[:, list(solve.CONTROLS).index("jawClosed")] = 0.4
    film = filmed(basis.neutral + basis.displacements(weights), noise=0.05)
    curves = solve.solve_landmarks(film, basis, rest_of(basis), gap=np.zeros(30))
    np.testing.assert_allclose(head_gap(head, curves), 0.0, atol=1e-6)
    assert curves.curve("jawOpen").mean() > 0.25
    assert (curves.curve("mouthClose") <= curves.curve("jawOpen") + 1e-6).all()


def test_the_gap_is_met_from_any_weights(basis) -> None:
    rng = np.random.default_rng(1)
    limits = np.array([control.limit for control in solve.CONTROLS.values()])
    weights = rng.uniform(0, 0.5, (200, len(limits))) * limits
    for goal in (np.zeros(200), rng.uniform(0, 0.2, 200)):
        met = solve._exact_gap(weights, goal, basis)
        np.testing.assert_allclose(met @ basis.gap, goal, atol=1e-9)
        assert (met >= 0).all()


def test_lips_are_closed_without_moving_the_jaw(basis) -> None:
    weights = np.zeros((1, len(solve.CONTROLS)))
    weights[0, [solve._JAW, solve._CLOSED]] = 0.3, 0.1
    met = solve._exact_gap(weights, np.zeros(1), basis)
    np.testing.assert_allclose(met[0, [solve._JAW, solve._CLOSED]], [0.0, 0.4], atol=1e-3)
    again = solve._exact_gap(met, weights @ basis.gap, basis)
    np.testing.assert_allclose(again, weights, atol=1e-3)


def test_the_closed_level_is_that_of_the_lips_between_open_sounds(basis) -> None:
    time = np.arange(160)  # eight times open, then at rest with lips that touch more firmly and tremble
    speaking = time < 96
    weights = np.zeros((160, len(solve.CONTROLS)))
    weights[:, solve._JAW] = 0.2 * np.abs(np.sin(time * np.pi / 12)) * speaking
    lower, shut = landmarks.columns(basis.index, (14,)), landmarks.openings(basis.neutral[None], basis.index)[0][0]
    levels = []
    for seen_closed in (0.001, 0.007):
        points = basis.neutral + basis.displacements(weights)
        gap = np.where(speaking, seen_closed, 0.001 + 0.0005 * (time % 2))
        points[:, lower, 1] += gap[:, None] - shut
        levels.append(landmarks.find_neutral([filmed(points)], basis.index).closed_level)
    assert levels == pytest.approx([0.005, 1.2 * 0.007], rel=0.02)  # 0.005: the least


def test_controls_move_shapes_of_both_sides_by_name(basis) -> None:
    smile = basis.mixing[list(solve.CONTROLS).index("smile")]
    assert {basis.names[i] for i in np.flatnonzero(smile)} == {"mouthSmileLeft", "mouthSmileRight"}
    shapes = {shape for control in solve.CONTROLS.values() for shape in control.shapes}
    assert all(s[:-4] + "Right" in shapes for s in shapes if s.endswith("Left")) and shapes <= set(basis.names)


def test_shapes_of_the_basis_are_matched_by_name(head, basis) -> None:
    order = np.random.default_rng(0).permutation(len(head.blendshape_names))
    pictures = np.zeros((len(order), *basis.neutral.shape))
    pictures[..., 1] = np.arange(len(order))[:, None] / 100
    names = head.blendshape_names
    straight = solve.make_basis(basis.index, basis.neutral, names, pictures, pictures / 2, head)
    mixed = tuple(names[i] for i in order)
    shuffled = solve.make_basis(basis.index, basis.neutral, mixed, pictures[order], pictures[order] / 2, head)
    np.testing.assert_array_equal(straight.full, shuffled.full)
    with pytest.raises(CaptureError, match="mouthPucker"):
        solve.make_basis(basis.index, basis.neutral, tuple("x" + n for n in names), pictures, pictures, head)


def test_turns_of_the_head_are_not_taken_for_speech(basis) -> None:
    """A rest face seen from many sides: points shift by their depth, and nothing of it may reach the mouth."""
    rng = np.random.default_rng(3)
    depth = 0.6 - 1.2 * (basis.neutral**2).sum(1) + rng.normal(0, 0.02, len(basis.index))
    clips = [filmed(turned(basis.neutral, depth, rng), noise=0.05, seed=seed) for seed in range(12)]
    neutral = landmarks.find_neutral(clips, basis.index)
    assert len(neutral.turns) == 2
    aligned, rest = neutral.place(clips[0])
    mouth = landmarks.columns(basis.index, landmarks.LIPS)
    assert np.sqrt(((aligned - rest)[:, mouth] ** 2).mean()) < 0.006
    assert solve.solve_landmarks(clips[0], basis, neutral).weights.max() < 0.12


def turned(face: np.ndarray, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """40 frames of `face` (P, 2) turning slowly from one small yaw and pitch to another."""
    yaw_and_pitch = rng.normal(0, 0.08, 2) + np.linspace(0, 1, 40)[:, None] * rng.normal(0, 0.04, 2)
    return face + yaw_and_pitch[:, None, :] * depth[:, None]


def test_a_closure_of_one_film_frame_survives_the_new_rate() -> None:
    neutral = Neutral(np.arange(1), np.zeros((1, 2)), np.zeros((0, 1, 2)), np.zeros((1, 1, 2)), 0.006)
    film = np.full(75, 0.1)
    film[[20, 43]] = 0.0
    goal = capture.keep_closures(np.full(90, 0.1), film, 25.0, neutral)
    assert set(np.flatnonzero(goal == 0)) == {24, 52}


def test_short_gaps_are_filled_and_long_ones_drop_the_clip() -> None:
    line = np.arange(50.0)[:, None, None] * np.ones((1, 3, 2))
    short = line.copy()
    short[[0, 10, 11]] = np.nan
    np.testing.assert_allclose(landmarks.fill_missing(short, 25)[1:], line[1:])
    long = line.copy()
    long[10:20] = np.nan
    assert landmarks.fill_missing(long, 25) is None


def test_openings_do_not_depend_on_place_size_or_roll(basis) -> None:
    points = basis.neutral + basis.displacements(planted(basis))
    moved_points = filmed(points)
    both = zip(landmarks.openings(points, basis.index), landmarks.openings(moved_points, basis.index), strict=True)
    for plain, moved in both:
        np.testing.assert_allclose(plain, moved, rtol=1e-9)


def test_a_mouth_that_never_closes_has_no_rest_face(basis) -> None:
    weights = np.zeros((30, len(solve.CONTROLS)))
    weights[:, 0] = 0.4
    with pytest.raises(CaptureError, match="never closed"):
        landmarks.find_neutral([filmed(basis.neutral + basis.displacements(weights))], basis.index)


def write_folder(folder: Path, basis: solve.Basis, clips: int = 3) -> None:
    """A capture root with a tracker basis and landmark clips, the last of which lost the face for long."""
    source, arrays, lines = folder / "grid_s1", {"index": basis.index}, []
    source.mkdir(parents=True)
    for number in range(clips):
        weights = planted(basis, 75) * (np.arange(75) < 60)[:, None]  # at rest in the end
        points = filmed(basis.neutral + basis.displacements(weights), seed=number, noise=0.05)
        raw = np.round(points * landmarks.STEPS_PER_PIXEL).astype(np.int16)
        raw[30 : 40 if number == clips - 1 else 32] = landmarks.MISSING
        name = f"clip{number}"
        arrays[name] = raw
        lines.append({"clip": name, "speaker": "grid_s1", "audio": f"{name}.opus", "frames": 75, "fps": 25.0})
    np.savez(source / "landmarks.npz", **arrays)
    (source / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_clips_are_written_with_missing_frames_filled_or_dropped(tmp_path, head, basis, monkeypatch) -> None:
    write_folder(tmp_path / "in", basis)
    monkeypatch.setattr(capture, "read_basis", lambda path, head: basis)
    monkeypatch.setitem(capture.HELD_OUT, "grid_s1", 2)
    assert capture.write_captured(tmp_path / "in", tmp_path / "out", ("grid_s1",), head) == 2
    entries = [json.loads(line) for line in (tmp_path / "out" / "clips.jsonl").read_text().splitlines()]
    assert [(e["name"], e["split"], e["frames"], e["fps"]) for e in entries] == [
        ("clip0", "train", 90, 30.0),
        ("clip1", "test", 90, 30.0),
    ]
    assert entries[0]["sound"] == "grid_s1/clip0.opus"
    with np.load(tmp_path / "out" / "clip0.npz") as data:
        assert data["weights"].shape == (90, 52) and np.isfinite(data["film_gap"]).all()
        assert data["weights"][-5:].max() < 0.06
    assert set(capture.film_openings(tmp_path / "in", ("grid_s1",))) == {"clip0", "clip1"}


def test_bad_captures_are_refused_in_plain_words(tmp_path, basis) -> None:
    with pytest.raises(CaptureError, match="manifest.jsonl"):
        list(landmarks.read_landmark_clips(tmp_path))
    with pytest.raises(CaptureError, match="no capture source 'nobody'"):
        list(capture.captured_clips(tmp_path, ("nobody",)))
    with pytest.raises(CaptureError, match="tracker basis"):
        solve.read_basis(tmp_path / "none.npz", load_head())
    with pytest.raises(CaptureError, match="without a face"):
        solve.solve_landmarks(np.full((3, len(basis.index), 2), np.nan), basis, rest_of(basis))
    with pytest.raises(CaptureError, match="shape"):
        solve.solve_landmarks(np.zeros((3, 4, 2)), basis, rest_of(basis))
    write_folder(tmp_path / "in", basis)
    (tmp_path / "in" / "grid_s1" / "manifest.jsonl").write_text('{"clip": "other", "frames": 75}\n')
    with pytest.raises(CaptureError, match="'other'"):
        list(landmarks.read_landmark_clips(tmp_path / "in" / "grid_s1"))


def test_a_phone_trackers_csv_is_read_by_name_on_an_even_time_line(tmp_path) -> None:
    lines = ["Timecode,BlendshapeCount,MouthSmileRight,JawOpen,HeadYaw"]
    for frame in range(120):
        second = "11:59:59" if frame < 60 else "12:00:00"
        if frame not in (50, 51):  # two frames the phone dropped
            lines.append(f"{second}:{frame % 60}.500,61,0.25,{frame / 200},-0.4")
    path = tmp_path / "take.csv"
    path.write_text("\n".join(lines) + "\n")
    curves = read_curves(path)
    assert curves.fps == 60 and curves.names == ("mouthSmileRight", "jawOpen")
    np.testing.assert_allclose(curves.curve("jawOpen"), np.arange(120) / 200, atol=1e-6)
    np.testing.assert_allclose(curves.curve("mouthSmileRight"), 0.25)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CaptureError, match="Timecode"):
        read_curves(path)


@needs_shared
def test_recorded_lips_match_on_the_head(head) -> None:
    clips = list(capture.captured_clips(SHARED, ("grid_s4",), head))
    assert len(clips) == 40 and {clip.split for clip in clips} == {"test"}
    for clip in clips:
        gap, _ = capture.head_openings(head, clip.curves)
        assert np.corrcoef(gap, clip.film_gap)[0, 1] > 0.95, clip.name
        assert np.abs(gap[clip.film_gap < 0.005]).max(initial=0.0) < 1e-3, clip.name
        assert len(gap) == 90


@needs_shared
def test_recorded_curves_keep_their_split_and_close_their_lips(head) -> None:
    takes = {clip.name: clip for clip in capture.captured_clips(SHARED, ("facegood",), head)}
    assert [name for name, clip in takes.items() if clip.split == "test"] == ["1114_3_15"]
    for clip in takes.values():
        assert clip.curves.fps == 30 and np.percentile(clip.film_gap, 10) < 0.01

"""A face read from video: a planted mouth comes back, and what is wrong with a video is said in one sentence."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_film import DrawnFilm, draw_film

from memorytalker.comparison import commands, ground_truth
from memorytalker.corpus import takes
from memorytalker.corpus.capture import head_openings
from memorytalker.corpus.landmark_files import read_landmark_clips
from memorytalker.errors import InputError
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves, resampled
from memorytalker.sound.decode import Waveform
from memorytalker.styles import recordings
from memorytalker.tracking import face_track, face_video, head_pose
from memorytalker.tracking.detection import Detection
from memorytalker.tracking.face_track import FaceTrack
from memorytalker.tracking.face_video import FaceVideo, read_face_video, read_face_videos
from memorytalker.tracking.landmark_solver import read_basis
from memorytalker.tracking.landmarks import CaptureError, columns, openings
from memorytalker.tracking.tracker import BASIS_FILE
from memorytalker.tracking.video_frames import VideoError, VideoFacts, VideoFrames

pytest.importorskip("ai_edge_litert", reason="the extra film is not installed")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> DrawnFilm:
    time = np.arange(round(2.5 * 16000)) / 16000
    samples = (0.2 * np.sin(2 * np.pi * 150 * time) * (np.sin(2 * np.pi * 2 * (time - 0.3)) > 0)).astype(np.float32)
    return draw_film(tmp_path_factory.mktemp("film") / "drawn.mp4", samples)


@pytest.fixture(scope="module")
def face(film: DrawnFilm) -> FaceVideo:
    return read_face_video(film.path)


def agreement(face: FaceVideo, film: DrawnFilm) -> tuple[float, float]:
    """Correlation and relative size of the lip opening on the head, read against planted."""
    read, planted = (head_openings(load_head(), one.curves)[0] for one in (face, film))
    frames = min(len(read), len(planted))
    return float(np.corrcoef(read[:frames], planted[:frames])[0, 1]), float(read.std() / planted.std())


def test_a_planted_mouth_comes_back(film: DrawnFilm, face: FaceVideo) -> None:
    fit, size = agreement(face, film)
    assert fit > 0.95 and size == pytest.approx(1.0, abs=0.15)
    assert face.curves.fps == 30 and face.curves.names == load_head().blendshape_names
    assert len(face.curves.weights) == len(film.curves.weights) and face.seen.all() and not face.remarks
    assert face.waveform is not None and face.waveform.seconds == pytest.approx(face.seconds, abs=0.1)
    opening = head_openings(load_head(), face.curves)[0]
    planted = head_openings(load_head(), film.curves)[0]
    assert (opening[planted < 1e-3] < 0.012).mean() > 0.9  # closed lips are closed


def test_turns_of_the_head_come_back_and_stay_out_of_the_mouth(film: DrawnFilm, face: FaceVideo) -> None:
    wrong = np.degrees(face.head_turns - film.turns)
    assert np.sqrt((wrong**2).mean(0)).max() < 1.5
    still = film.curves.curve("jawOpen") == 0
    assert face.curves.curve("jawOpen")[still].mean() < 0.03


def test_lids_and_brows_come_back(film: DrawnFilm, face: FaceVideo) -> None:
    for name, least in (("eyeBlinkLeft", 0.9), ("eyeBlinkRight", 0.9), ("browInnerUp", 0.6), ("browOuterUpLeft", 0.5)):
        read, planted = face.curves.curve(name), film.curves.curve(name)
        assert np.corrcoef(read, planted)[0, 1] > least, name
    assert face.curves.curve("eyeBlinkLeft").max() > 0.8


@pytest.mark.parametrize(
    ("name", "before", "options", "words"),
    [
        (
            "turned.mp4",
            ("-display_rotation", "90"),
            ("-c", "copy"),
            "is stored turned by 90 degrees; it is read upright",
        ),
        ("uneven.mkv", (), ("-vf", "select='lt(mod(n,5),3)'", "-fps_mode", "vfr", "-c:a", "copy"), "not evenly apart"),
        ("silent.mp4", (), ("-an", "-c:v", "copy"), "Only the motion is used: silent.mp4 has no sound track"),
    ],
)
def test_a_video_of_another_kind_is_read_and_told(
    film: DrawnFilm, tmp_path: Path, name: str, before: tuple[str, ...], options: tuple[str, ...], words: str
) -> None:
    if name == "turned.mp4":  # its pixels lie on their side, and a flag turns them back
        lying = film.changed(tmp_path, "lying.mp4", "-vf", "transpose=1", "-c:a", "copy")
        film = dataclasses.replace(film, path=lying)
    read = read_face_video(film.changed(tmp_path, name, *options, before=before))
    assert len(read.remarks) == 1 and words in read.remarks[0] and read.remarks[0].endswith(".")
    fit, size = agreement(read, film)
    assert fit > 0.93 and size == pytest.approx(1.0, abs=0.2)
    assert abs(len(read.curves.weights) - len(film.curves.weights)) <= 2
    assert (read.waveform is None) == (name == "silent.mp4")


def test_frames_come_upright_square_and_with_their_times(film: DrawnFilm, tmp_path: Path) -> None:
    half = film.changed(tmp_path, "half.mkv", "-vf", "fps=60,scale=200:400,setsar=2", "-t", "0.5", "-an")
    frames = VideoFrames(half, 10)
    images = list(frames)
    assert len(images) == pytest.approx(15, abs=1) and images[0].shape == (720, 720, 3)  # every second of 60 a second
    np.testing.assert_allclose(np.diff(frames.facts.times), 1 / 30, atol=2e-3)
    with pytest.raises(VideoError, match=r"half\.mkv is too long; cut it to at most 0\.2 seconds"):
        list(VideoFrames(half, 0.2))


def test_what_is_no_video_is_told_in_one_sentence(film: DrawnFilm, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("nothing")
    (tmp_path / "cut.mp4").write_bytes(film.path.read_bytes()[:2000])
    sound = film.changed(tmp_path, "sound.m4a", "-vn", "-c:a", "copy")
    for path, words in (
        (tmp_path / "none.mp4", "There is no file"),
        (tmp_path, "There is no file"),
        (tmp_path / "empty.mp4", "is empty"),
        (tmp_path / "text.mp4", "is not a video that can be read"),
        (tmp_path / "cut.mp4", "is not a video that can be read"),
        (sound, "has sound but no video"),
    ):
        with pytest.raises(VideoError, match=words) as caught:
            list(VideoFrames(path, 10))
        assert str(caught.value).count(". ") == 0 and str(caught.value).endswith(".")


# what is seen, planted


def seen_as(found: float = 1.0, light: float = 120.0, others: float = 0.0, eyes: float = 100.0) -> face_track._Seen:
    """A hundred frames, of which shares have a face, and another one as large."""
    points = np.zeros((100, 2, 3), np.float32)
    points[:, 1, 0] = eyes
    points[round(100 * found) :] = np.nan
    return face_track._Seen(points, np.full(100, light), np.arange(100) < 100 * others)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (seen_as(0.0), "No face is found in a.mp4; film one face from the front, upright"),
        (seen_as(0.3), "No face is found in only 30% of the frames in a.mp4"),
        (seen_as(0.0, light=10.0), "a.mp4 is too dark to see a face"),
        (seen_as(others=0.5), "Several faces are seen in a.mp4; film only the one that speaks"),
        (seen_as(eyes=20.0), "The face in a.mp4 is too small"),
    ],
)
def test_a_video_without_one_good_face_is_refused_in_a_sentence(seen: face_track._Seen, words: str) -> None:
    with pytest.raises(VideoError, match=words) as caught:
        face_track._checked("a.mp4", seen, np.array([33, 263]), VideoFacts(np.arange(100) / 30, 0.0, False))
    assert str(caught.value).endswith(".")


def test_what_is_less_than_good_is_told() -> None:
    def told(seen: face_track._Seen, rotation: float = 0.0, cut_off: bool = False) -> tuple[str, ...]:
        return face_track._checked(
            "a.mp4", seen, np.array([33, 263]), VideoFacts(np.arange(100) / 30, rotation, cut_off)
        )

    assert told(seen_as()) == ()
    for remarks, words in (
        (told(seen_as(others=0.1)), "shows a second face"),
        (told(seen_as(light=35.0)), "is dark"),
        (told(seen_as(), rotation=-90.0), "turned by 90 degrees"),
        (told(seen_as(), cut_off=True), "is damaged after 3.3 s"),
    ):
        assert len(remarks) == 1 and words in remarks[0]


def test_the_face_that_was_followed_is_followed_on() -> None:
    def at(x: float, size: float) -> Detection:
        return Detection(np.array([x, 100.0]), np.array([size, size]), np.zeros((6, 2)), 0.9)

    small, large = at(100, 50), at(300, 90)
    assert face_track._followed((small, large), None) is large
    assert face_track._followed((small, large), at(110, 50)) is small
    assert face_track._followed((large,), at(110, 50)) is large and face_track._followed((), large) is None


def posed(yaw: np.ndarray, found: np.ndarray | None = None) -> FaceTrack:
    """The open head's own landmarks at 30 frames a second, turned to its left by angles (T,) in radians."""
    basis = read_basis(BASIS_FILE, load_head())
    flat = basis.neutral * 100
    depth = 30.0 * (basis.neutral**2).sum(1)
    forehead, nose = columns(basis.index, head_pose.FOREHEAD), columns(basis.index, head_pose.NOSE)
    down = flat[nose, 1].mean() - flat[forehead, 1].mean()
    depth += (
        (flat[:, 1] - flat[forehead, 1].mean())
        / down
        * (np.tan(head_pose.STRAIGHT) * down - depth[nose].mean() + depth[forehead].mean())
    )
    face = np.concatenate([flat, depth[:, None]], 1)
    points = np.stack([face @ _yaw(angle).T + (200, 200, 0) for angle in yaw])
    if found is not None:
        points[~found] = np.nan
    return FaceTrack("a.mp4", points, np.arange(len(yaw)) / 30, basis.index, ())


def _yaw(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def test_planted_turns_are_measured_and_removed() -> None:
    angles = np.radians(20) * np.sin(np.arange(120) / 20)
    track = posed(angles)
    turns = head_pose.head_turns(track.points, track.index, 30.0)
    inner = slice(5, -5)  # smoothing holds the ends back
    np.testing.assert_allclose(turns[inner, 0], angles[inner], atol=np.radians(0.5))
    np.testing.assert_allclose(turns[:, 1:], 0, atol=np.radians(0.5))
    flat = head_pose.facing(track.points, track.index, turns)
    np.testing.assert_allclose(flat[inner], np.broadcast_to(flat[60], flat[inner].shape), atol=1.0)


def test_a_face_that_is_turned_or_lost_is_left_out_and_told() -> None:
    angles = np.radians(np.where(np.abs(np.arange(150) - 75) < 20, 50.0, 0.0))
    steady = face_video._steady(posed(angles))
    assert not steady.seen[60:90].any() and steady.seen[:50].all() and steady.seen[100:].all()
    (told,) = steady.remarks
    assert told.startswith("For 1.2 s (25%) the face in a.mp4 is turned away; its motion there is only a guess.")
    assert [part.stop - part.start > 40 for part in face_video.stretches_of(steady.seen)] == [True, True]
    with pytest.raises(VideoError, match="is turned away for most of the time; film it from the front"):
        face_video._steady(posed(np.full(60, np.radians(50.0))))
    found = np.ones(150, bool)
    found[40:60] = False
    lost = face_video._steady(posed(np.zeros(150), found))
    assert not lost.seen[42:58].any() and lost.seen[:40].all() and "is not seen" in lost.remarks[0]
    with pytest.raises(VideoError, match="is lost for most of the time; keep it in the image"):
        face_video._steady(posed(np.zeros(150), np.arange(150) % 40 < 2))


def test_too_few_frames_a_second_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def frames(rate: float, jitter: float = 0.0) -> None:
        times = np.arange(40) / rate + jitter * (np.arange(40) % 3) / rate

        class Planted(list):
            facts = VideoFacts(times, 0.0, False)

        monkeypatch.setattr(face_track, "VideoFrames", lambda *_: Planted())
        points = np.zeros((40, 2, 3), np.float32)
        points[:, 1, 0] = 100
        seen = face_track._Seen(points, np.full(40, 100.0), np.zeros(40, bool))
        monkeypatch.setattr(face_track, "_follow", lambda *_: seen)

    def told() -> tuple[str, ...]:
        return face_track.track_face("a.mp4", None, np.array([33, 263]), 60.0).remarks  # type: ignore[arg-type]

    frames(30)
    assert told() == ()
    frames(8)
    with pytest.raises(VideoError, match="only 8 frames a second, too few"):
        told()
    frames(16)
    assert len(told()) == 1 and "has 16 frames a second" in told()[0]
    frames(30, jitter=0.4)
    assert any("not evenly apart" in remark for remark in told())


# nothing is sent, and people's film


def test_nothing_opens_a_connection(film: DrawnFilm) -> None:
    """The kernel ends the process, or ffmpeg, at the first internet socket; reading a face needs none."""
    guard = Path(__file__).parent / "no_sockets.py"
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux can forbid sockets")
    opens = subprocess.run([sys.executable, guard, "import socket; socket.socket()"], capture_output=True, check=False)
    assert opens.returncode == -signal.SIGSYS
    code = (
        "from memorytalker.tracking.tracker import load_tracker\n"
        "from memorytalker.tracking.video_frames import VideoFrames\n"
        "tracker = load_tracker()\n"
        f"images = list(VideoFrames({str(film.path)!r}, 10))\n"
        "print(len(images), sum(tracker.track(image) is not None for image in images[::20]))"
    )
    environment = os.environ | {"PYTHONPATH": str(guard.parents[1])}
    reads = subprocess.run([sys.executable, guard, code], capture_output=True, text=True, check=False, env=environment)
    assert reads.returncode == 0, reads.stderr
    assert reads.stdout.split() == ["75", "4"]


def test_people_in_film_move_as_their_landmarks_do(shared: Path) -> None:
    """Three clips of a man with a dark moustache; the lip opening follows the landmarks given for them."""
    names = ("s26_pbbg5p", "s26_lbbo3n", "s26_bgbsza")
    clips = {clip.name: clip for clip in read_landmark_clips(shared / "capture" / "grid_s26")}
    faces = read_face_videos([shared / "capture" / "film" / f"{name}.mpg" for name in names])
    for name, face in zip(names, faces, strict=True):
        given = resampled(openings(clips[name].points, clips[name].index)[0], clips[name].fps, 30.0)
        read = head_openings(load_head(), face.curves)[0]
        frames = min(len(given), len(read))
        assert np.corrcoef(given[:frames], read[:frames])[0, 1] > 0.9
        assert face.waveform is not None and not face.remarks


# what reads videos: adapt, takes and compare


def planted_face(seconds: float = 6.0, sound: bool = True) -> FaceVideo:
    """A mouth that opens twice a second, not seen from 3 to 4 s."""
    frames = round(30 * seconds)
    weights = np.zeros((frames, 52), np.float32)
    names = load_head().blendshape_names
    weights[:, names.index("jawOpen")] = 0.2 + 0.2 * np.sin(np.arange(frames) / 2.4)
    seen = np.ones(frames, bool)
    seen[90:120] = False
    waveform = Waveform(np.sin(np.arange(round(16000 * seconds)) / 20).astype(np.float32) * 0.1) if sound else None
    zero = np.zeros(frames)
    return FaceVideo("me.mp4", FaceCurves(weights, names, 30.0), np.zeros((frames, 3)), seen, zero, zero, waveform)


def test_each_stretch_of_a_video_is_a_recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    face = planted_face()
    first, second = recordings.recordings_of(face)
    assert first.seconds == pytest.approx(3.0) and second.seconds == pytest.approx(2.0)
    np.testing.assert_array_equal(second.curves.weights, face.curves.weights[120:])
    assert face.waveform is not None
    np.testing.assert_array_equal(second.waveform.samples, face.waveform.samples[4 * 16000 :])
    dark = dataclasses.replace(face, remarks=("The face in me.mp4 is dark.",))
    told, none = (one.remarks for one in recordings.recordings_of(dark))
    assert told[0] == "The face in me.mp4 is dark." and "Nothing is learned from moments" in told[1] and not none
    with pytest.raises(recordings.AdaptError, match=r"me\.mp4 has no sound that can be used; film with sound"):
        recordings.recordings_of(planted_face(sound=False))
    monkeypatch.setattr(recordings, "read_face_videos", lambda paths, **_: [planted_face() for _ in paths])
    for name in ("a.mp4", "b.mov", "c.mov", "c.csv"):
        (tmp_path / name).write_bytes(b"")
    found = recordings.find_recordings(tmp_path)
    assert [path.name for path in found] == ["a.mp4", "b.mov", "c.csv"]  # c.mov is the sound of c.csv
    assert len(recordings.read_recordings(found[:2])) == 4
    glimpsed = dataclasses.replace(dark, seen=np.arange(len(face.seen)) % 40 < 30)  # a second at a time
    monkeypatch.setattr(recordings, "read_face_videos", lambda paths, **_: [glimpsed for _ in paths])
    with pytest.raises(recordings.AdaptError, match=r"without a break; .*\. The face in me\.mp4 is dark\."):
        recordings.read_recordings(found[:1])


def test_a_video_is_a_take_for_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "talk.mp4").write_bytes(b"")
    (files,), alone = takes.find_takes(tmp_path)
    assert files.motion == files.sound == tmp_path / "me" / "talk.mp4" and files.speaker == "me" and not alone
    face = dataclasses.replace(planted_face(), remarks=("It is dark.",))
    monkeypatch.setattr(takes, "read_face_video", lambda path: face)
    monkeypatch.setattr(takes, "load_waveform", lambda path: face.waveform)
    take = takes.read_take(files)
    assert take.decided == ("It is dark.",) and take.seconds == pytest.approx(6.0)

    def refused(path: Path) -> FaceVideo:
        raise VideoError("No face is found in talk.mp4; film one face.")

    monkeypatch.setattr(takes, "read_face_video", refused)
    with pytest.raises(CaptureError, match="take me_talk cannot be used: No face is found"):
        takes.read_take(files)


def test_a_video_becomes_ground_truth(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, sound = tmp_path / "me.mp4", tmp_path / "me.wav"
    path.write_bytes(b"")
    sound.write_bytes(b"")
    face = planted_face()
    monkeypatch.setattr(ground_truth, "read_face_video", lambda path, longest_seconds: face)
    truth = ground_truth.read_ground_truth(path, face.waveform, load_head())
    assert truth.motion.fps == 30 and truth.motion.duration == pytest.approx(6.0)
    assert "tracked in a video" in " ".join(truth.remarks)
    assert commands.ordered(path, None) == (path, str(path))
    assert commands.ordered(path, str(sound)) == (path, str(sound))
    assert commands.ordered(sound, str(path)) == (path, str(sound))
    with pytest.raises(InputError, match="Give the sound of"):
        commands.ordered(sound, None)

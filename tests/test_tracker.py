"""The face tracker: anchors, boxes and crops with planted answers; its networks against landmarks made with them."""

from __future__ import annotations

import math
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from memorytalker.corpus.landmark_files import read_landmark_clips
from memorytalker.tracking import detection, landmarks, tracker
from memorytalker.tracking.detection import Detection, Square

NO_SCORE = -30.0


def planted_answer(faces: list[tuple[int, tuple[float, ...], float]]) -> tuple[np.ndarray, np.ndarray]:
    """What the detector answers when the anchors of `faces` (anchor, 16 pixels of its input, logit) see one."""
    regressors = np.zeros((detection.ANCHORS, detection.REGRESSORS), np.float32)
    logits = np.full(detection.ANCHORS, NO_SCORE, np.float32)
    for anchor, values, logit in faces:
        middle = detection.anchor_centres()[anchor] * detection.DETECTOR_SIZE
        own = np.array(values, float).reshape(-1, 2)
        own[[0, *range(2, len(own))]] -= middle
        regressors[anchor], logits[anchor] = own.ravel(), logit
    return regressors, logits


def face_at(x: float, y: float, size: float = 40.0) -> tuple[float, ...]:
    """Middle, size and keypoints of a level face, in pixels of the detector's input."""
    aside = [(-10, -8), (10, -8), (0, 0), (0, 9), (-18, -6), (18, -6)]
    return (x, y, size, size, *(value for dx, dy in aside for value in (x + dx, y + dy)))


def test_anchors_lie_in_the_middle_of_their_cells() -> None:
    centres = detection.anchor_centres() * detection.DETECTOR_SIZE
    assert centres.shape == (896, 2)
    np.testing.assert_allclose(centres[:4], [[4, 4], [4, 4], [12, 4], [12, 4]])  # 16 x 16 cells, row by row
    np.testing.assert_allclose(centres[512:519], [[8, 8]] * 6 + [[24, 8]])  # then 8 x 8 cells, six times each
    np.testing.assert_allclose(centres[-1], [120, 120])


@pytest.mark.parametrize(("width", "height"), [(360, 288), (100, 200)])
def test_a_planted_face_comes_back_in_pixels_of_the_image(width: int, height: int) -> None:
    """The detector sees the whole image in the middle of a square."""
    answer = planted_answer([(600, face_at(60, 70), 2.0), (10, face_at(60, 70), -1.0)])
    (face,) = detection.decode_detections(*answer, detection.whole_square(width, height))
    scale = max(width, height) / detection.DETECTOR_SIZE
    border = (max(width, height) - np.array([width, height])) / 2
    np.testing.assert_allclose(face.centre, np.array([60, 70]) * scale - border, atol=1e-3)
    np.testing.assert_allclose(face.size, 40 * scale, rtol=1e-5)
    np.testing.assert_allclose(face.keypoints[1], np.array([70, 62]) * scale - border, atol=1e-3)
    assert face.score == pytest.approx(1 / (1 + math.exp(-2)))


def test_boxes_that_overlap_are_one_face_and_the_surest_comes_first() -> None:
    two = [(100, face_at(40, 40), 1.0), (101, face_at(44, 40), 1.0), (700, face_at(90, 90), 3.0)]
    first, second = detection.decode_detections(*planted_answer(two), detection.whole_square(128, 128))
    np.testing.assert_allclose(first.centre, [90, 90], atol=1e-3)
    np.testing.assert_allclose(second.centre, [42, 40], atol=1e-3)  # equally sure: their mean
    assert not detection.decode_detections(*planted_answer([]), detection.whole_square(128, 128))


@pytest.mark.parametrize("degrees", [0.0, 20.0, -35.0])
def test_the_square_is_turned_with_the_eyes_and_half_as_large_again(degrees: float) -> None:
    turn = math.radians(degrees)
    across = np.array([math.cos(turn), math.sin(turn)])
    eyes = np.array([100.0, 80.0]) + 30 * across, np.array([100.0, 80.0]) - 30 * across
    face = Detection(np.array([100.0, 100.0]), np.array([80.0, 60.0]), np.array([eyes[1], eyes[0], *[[0, 0]] * 4]), 1.0)
    square = face.square()
    assert (square.x, square.y, square.side) == pytest.approx((100, 100, 120))
    assert square.turn == pytest.approx(turn)
    corners = square.to_image(np.array([[0, 0], [1, 0], [0.5, 0.5]]))
    np.testing.assert_allclose(corners[1] - corners[0], 120 * across)
    np.testing.assert_allclose(corners[2], [100, 100])


@pytest.mark.parametrize("side", [64.0, 200.0, 700.0])
def test_what_is_cut_out_is_what_lies_there(side: float) -> None:
    """An image whose colours are its coordinates: every pixel of the cut says where it comes from."""
    x, y = np.meshgrid(np.arange(1200.0), np.arange(1100.0))
    image = np.stack([x, y, np.full_like(x, 7)], -1)
    square = Square(600.0, 520.0, side, 0.3)
    cut = detection.cut_square(image, square, 64)
    line = np.arange(64) / 64
    np.testing.assert_allclose(cut[..., :2], square.to_image(np.stack(np.meshgrid(line, line), -1)), atol=1e-3)
    np.testing.assert_allclose(cut[..., 2], 7, atol=1e-4)


def test_beyond_the_image_it_is_black_or_like_the_edge() -> None:
    image = np.full((40, 80, 3), 200, np.uint8)
    black = detection.cut_square(image, detection.whole_square(80, 40), 80, "black")
    assert (black[20:59] == 200).all() and (black[:19] == 0).all() and (black[61:] == 0).all()
    assert (detection.cut_square(image, detection.whole_square(80, 40), 80) == 200).all()


class Planted:
    """A network that answers the same to everything, and keeps what it saw."""

    def __init__(self, *answers: np.ndarray) -> None:
        self.answers, self.seen = answers, np.empty(0)

    def get_input_details(self) -> list[dict]:
        return [{"index": 0}]

    def get_output_details(self) -> list[dict]:
        return [{"index": number} for number in range(len(self.answers))]

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        self.seen = value

    def invoke(self) -> None:
        pass

    def get_tensor(self, index: int) -> np.ndarray:
        return self.answers[index]


def planted_tracker(presence: float = 5.0, seen: bool = True) -> tracker.FaceTracker:
    """Sees a level face in the middle of every image; its points lie at a quarter of the crop, as does their depth."""
    answer = planted_answer([(600, face_at(64, 64), 2.0)] if seen else [])
    points = np.full((1, 1, 1, 3 * tracker.POINTS), 64.0, np.float32)
    return tracker.FaceTracker(Planted(*answer), Planted(points, np.full((1, 1), presence, np.float32)))


def test_points_come_back_in_pixels_of_the_image() -> None:
    found = planted_tracker()
    face = found.track(np.full((128, 128, 3), 255, np.uint8))
    assert face is not None
    # the box is 40 pixels wide, its square 60
    np.testing.assert_allclose(face.points, [[64 - 15, 64 - 15]] * tracker.POINTS, atol=1e-3)
    np.testing.assert_allclose(face.depth, 15, atol=1e-3)
    assert face.presence == pytest.approx(1 / (1 + math.exp(-5)))
    assert found._detector.seen.shape == (1, 128, 128, 3) and found._detector.seen.max() == pytest.approx(1.0)
    assert found._landmarks.seen.shape == (1, 256, 256, 3) and found._landmarks.seen.max() == pytest.approx(1.0)
    found.track(np.zeros((128, 128, 3), np.uint8))
    assert found._detector.seen.max() == pytest.approx(-1.0) and found._landmarks.seen.max() == 0


def test_no_face_is_none_and_a_missing_frame() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    assert planted_tracker(seen=False).track(image) is None and planted_tracker(presence=-1.0).track(image) is None
    points = tracker.track_frames(planted_tracker(seen=False), [image, image])
    assert points.shape == (2, tracker.POINTS, 2) and np.isnan(points).all()


def test_bad_networks_and_images_are_told_in_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra film is not installed")
    for content, words in ((None, "There is no"), (b"nothing", "is not a face tracker")):
        path = tmp_path / "face_landmarker.task"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(tracker.TrackerError, match=words):
            tracker.load_tracker(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(tracker.DETECTOR, b"no graph")
    with pytest.raises(tracker.TrackerError, match="is not a face tracker"):
        tracker.load_tracker(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(tracker.LANDMARKS, b"no graph")
    with pytest.raises(tracker.TrackerError, match="no LiteRT graph"):
        tracker.load_tracker(path)
    with pytest.raises(tracker.TrackerError, match=r"shape \(height, width, 3\)"):
        planted_tracker().track(np.zeros((4, 4), np.uint8))


def test_without_the_runtime_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['ai_edge_litert'] = None\n"
        "from memorytalker.tracking import tracker\n"
        "try: tracker.load_tracker('any')\nexcept tracker.TrackerError as error: sys.exit(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "memorytalker[film]"' in done.stderr and "Traceback" not in done.stderr


def frames_of(film: Path, width: int) -> list[np.ndarray]:
    """The frames of a film, scaled to `width` pixels; the films here are 5 : 4."""
    import imageio_ffmpeg

    size = (width, width * 4 // 5)
    reader = imageio_ffmpeg.read_frames(str(film), output_params=["-vf", f"scale={size[0]}:{size[1]}:flags=bicubic"])
    next(reader)
    return [np.frombuffer(frame, np.uint8).reshape(size[1], size[0], 3) for frame in reader]


@pytest.mark.parametrize("clip", ["s26_pbbg5p", "s2_swwp2s", "s23_priazn"])
def test_film_is_tracked_as_it_was(shared: Path, clip: str) -> None:
    """The landmarks given for these films come from the same networks, at twice the size."""
    pytest.importorskip("ai_edge_litert", reason="the extra film is not installed")
    found = tracker.load_tracker(shared / "tracker" / "face_landmarker.task")
    folder = shared / "capture" / f"grid_{clip.split('_')[0]}"
    (given,) = [one for one in read_landmark_clips(folder) if one.name == clip]
    points = tracker.track_frames(found, frames_of(shared / "capture" / "film" / f"{clip}.mpg", 720))
    assert len(points) == len(given.points) == 75 and np.isfinite(points).all()
    mine, theirs = (landmarks.openings(seen, given.index) for seen in (points[:, given.index], given.points))
    for one, other in zip(mine[:2], theirs[:2], strict=True):  # gap and width
        assert np.corrcoef(one, other)[0, 1] > 0.97
        assert one.std() / other.std() == pytest.approx(1.0, abs=0.1)

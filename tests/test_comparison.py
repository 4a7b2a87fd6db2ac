"""Predictions against ground truth: a perfect prediction has no error, planted errors are found, all is in sync."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import imageio_ffmpeg
import numpy as np
import pytest

from memorytalker.comparison import video
from memorytalker.comparison.ground_truth import GroundTruth
from memorytalker.comparison.predictions import BOTH_STAGES, STAGE_ONE, Comparison, compare, regions_of
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import FaceCurves, Motion
from memorytalker.figures import comparison_curves, opening_curves
from memorytalker.options import RenderOptions
from memorytalker.rendering.error_colormap import ANCHORS
from memorytalker.sound.decode import Waveform

FPS, FRAMES, PLANTED = 30, 24, 0.003
TINY = RenderOptions(width=128, height=128, antialias=False)


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head().with_identity("efua")


def opening(head: HeadMesh, jaw: np.ndarray, fps: float = FPS) -> np.ndarray:
    """Offsets (T, V, 3) of a jaw that opens by `jaw` (T,)."""
    return FaceCurves(jaw[:, None], ("jawOpen",), fps).to_motion(head).offsets


def ground_truth_of(head: HeadMesh, offsets: np.ndarray, fps: float = FPS) -> GroundTruth:
    samples = np.zeros(round(16000 * len(offsets) / fps), np.float32)
    return GroundTruth("planted", "given", head, Motion(offsets, fps), Waveform(samples))


class Answer(SimpleNamespace):
    """An animation of so many frames."""

    def __len__(self) -> int:
        return len(self.vertices)


class Talker:
    """Answers with what was planted: `both` in the voice's own style, `one` in the neutral one."""

    def __init__(self, head: HeadMesh, one: np.ndarray, both: np.ndarray) -> None:
        self.head, self.one, self.both, self.requests = head, one, both, []

    def animate(self, sound, identity=None, progress=None, **options) -> Answer:
        self.requests.append((identity, options))
        if progress is not None:
            progress(1, 1, "motion")
        offsets = self.one if options.get("style", ...) is None else self.both
        return Answer(vertices=self.head.with_identity(identity).template + offsets, fps=FPS)


@pytest.fixture(scope="module")
def jaw() -> np.ndarray:
    return 0.25 + 0.25 * np.sin(np.arange(FRAMES) / 2)


@pytest.fixture(scope="module")
def true(head, jaw) -> np.ndarray:
    return opening(head, jaw)


@pytest.fixture(scope="module")
def shifted(head, true) -> np.ndarray:
    moved = true.copy()
    moved[:, head.regions["lips"]] += (0.0, 0.0, PLANTED)
    return moved


@pytest.fixture(scope="module")
def compared(head, true, shifted) -> Comparison:
    """Stage 1 predicts lips 3 mm too far ahead, stages 1 and 2 predict the ground truth."""
    return compare(ground_truth_of(head, true), Talker(head, shifted, true).animate)


def test_both_stages_are_predicted_on_the_head_of_the_ground_truth(head, true) -> None:
    talker, reports = Talker(head, true, true), []
    compare(ground_truth_of(head, true), talker.animate, lambda *report: reports.append(report))
    assert talker.requests == [("efua", {"style": None}), ("efua", {})]
    assert {stage for _, _, stage in reports} == {"motion", "measures"}


def test_a_perfect_prediction_has_no_error(compared) -> None:
    perfect = compared.both_stages
    assert perfect.name == BOTH_STAGES and perfect.lip_error.max() < 1e-6
    assert max(abs(value) for value in perfect.values.values()) < 1e-6 and len(perfect.values) == 9
    np.testing.assert_allclose(perfect.opening, compared.opening, atol=1e-6)
    assert not compared.absent


def test_a_planted_shift_of_the_lips_is_measured(compared) -> None:
    planted = compared.stage_one
    assert planted.name == STAGE_ONE
    np.testing.assert_allclose(planted.lip_error, PLANTED, rtol=1e-3)
    assert planted.values["lip_max"] == pytest.approx(PLANTED, rel=1e-3)
    assert planted.values["lve_max"] == pytest.approx(PLANTED**2, rel=1e-3)
    assert planted.values["lve_mean"] == pytest.approx(PLANTED**2 / 3, rel=1e-3)
    assert planted.values["ldtw"] < 1e-6  # the shift is ahead, not up or down: the opening is the same


def test_a_still_face_stands_beside_for_scale(head, true, compared) -> None:
    moved = np.linalg.norm(true[:, head.regions["lips"]], axis=-1).max(axis=1).mean()
    assert compared.still["lip_max"] == pytest.approx(moved, rel=1e-4)
    assert np.isnan(compared.still["mtm"])


def test_another_rate_is_resampled_with_a_remark(head, jaw) -> None:
    slow = opening(head, np.repeat(jaw, 2), 60.0)
    prediction = opening(head, jaw)
    compared = compare(ground_truth_of(head, slow, 60.0), Talker(head, prediction, prediction).animate)
    assert len(compared.ground_truth.motion.offsets) == FRAMES and compared.ground_truth.motion.fps == FPS
    assert "60 frames a second; it is resampled to the model's 30." in compared.remarks[0]


def test_one_frame_more_or_less_ends_with_the_shorter(head, true) -> None:
    compared = compare(ground_truth_of(head, true), Talker(head, true[:-1], true[:-1]).animate)
    assert len(compared.ground_truth.motion.offsets) == len(compared.both_stages.offsets) == FRAMES - 1
    assert compared.both_stages.lip_error.max() < 1e-6


def test_a_head_without_names_gives_what_can_be_measured(true) -> None:
    from memorytalker.face.mesh_files import bare_head

    bare = bare_head(true.shape[1], {"": load_head().template})
    assert regions_of(bare).lips is None
    talker = SimpleNamespace(animate=lambda *_, **__: Answer(vertices=bare.template + true, fps=FPS))
    compared = compare(ground_truth_of(bare, true), talker.animate)
    assert set(compared.both_stages.values) == {"fve"} and "lve_max" in compared.absent
    assert not len(compared.both_stages.lip_error) and not len(compared.opening)


def test_the_curves_are_drawn_on_one_axis_in_seconds() -> None:
    times = np.arange(45) / FPS
    true, error = 5 + 5 * np.sin(times), np.full(45, 2.5)
    figure = comparison_curves(
        true, {STAGE_ONE: 0.5 * true, BOTH_STAGES: 0.9 * true}, {STAGE_ONE: error, BOTH_STAGES: error / 2}, FPS,
        Waveform(np.zeros(24000, np.float32)),
    )  # fmt: skip
    opening, errors, sound = figure.axes
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, 1.5)} and len(sound.collections) == 1
    drawn = {line.get_label(): line for line in opening.lines}
    np.testing.assert_allclose(drawn["ground truth"].get_data(), (times, true))
    np.testing.assert_allclose(drawn[BOTH_STAGES].get_ydata(), 0.9 * true)
    assert drawn[STAGE_ONE].get_linestyle() != drawn[BOTH_STAGES].get_linestyle(), "told apart without colour"
    assert [line.get_label() for line in errors.lines] == [
        "stage 1: 2.50 mm on average", "stages 1 + 2: 1.25 mm on average",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="of one length"):
        comparison_curves(true, {STAGE_ONE: true[1:]}, {STAGE_ONE: error}, FPS)
    with pytest.raises(ValueError, match="finite"):
        opening_curves(true, {STAGE_ONE: true * np.nan}, FPS)


# the video


@pytest.fixture(scope="module")
def one_opens(head) -> Comparison:
    """The mouth is closed except in frame 4, in ground truth and prediction; lips are 3 mm off in frame 2 alone."""
    jaw = np.zeros(8)
    jaw[4] = 0.6
    true = opening(head, jaw)
    predicted = true.copy()
    predicted[2, head.regions["lips"]] += (0.0, 0.0, PLANTED)
    return compare(ground_truth_of(head, true), Talker(head, predicted, predicted).animate)


@pytest.fixture(scope="module")
def drawn(one_opens) -> np.ndarray:
    return np.stack(list(video.video_frames(one_opens, one_opens.both_stages, TINY))).astype(int)


def test_the_halves_are_in_step(drawn) -> None:
    top = round(TINY.width * 2 / 8 * 0.8)
    heads = drawn[:, top + top % 2 :][:, :128]
    moved = np.abs(heads - heads[:1]).max(axis=(1, 3))  # (T, columns)
    left, right = moved[:, :128].max(axis=1) > 30, moved[:, 128:].max(axis=1) > 30
    assert left.tolist() == [k in (2, 4) for k in range(8)]  # 2: the error's colour, 4: the open mouth
    assert right.tolist() == [k == 4 for k in range(8)]
    zero = heads[0, :, :128].reshape(-1, 3)
    shares = zero / np.maximum(zero.sum(axis=1, keepdims=True), 1)
    bluish = np.abs(shares - np.array(ANCHORS[0]) / sum(ANCHORS[0])).max(axis=1) < 0.02
    assert bluish[zero.sum(axis=1) > 200].mean() > 0.95, "no error anywhere has the colour of none"


def test_the_line_over_the_curves_moves_with_the_time(drawn) -> None:
    below = drawn[:, -40:-20]
    lines = [np.flatnonzero((strip == 255).all(axis=(0, 2))) for strip in below]
    places = [line.mean() for line in lines]
    steps = np.diff(places)
    assert all(len(line) == 2 for line in lines) and steps.min() > 0 and np.ptp(steps) <= 1


def test_the_video_has_its_frames_and_its_sound(one_opens, tmp_path: Path) -> None:
    reports = []
    path = video.write_comparison(
        tmp_path / "video.mp4", one_opens, one_opens.stage_one, TINY, lambda *report: reports.append(report)
    )
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert frames == 8 and seconds == pytest.approx(8 / 30, abs=0.05)
    assert reports[-1] == (8, 8, "render")
    width, height = next(imageio_ffmpeg.read_frames(str(path)))["size"]
    assert width == 256 and height > 128 + 2 * 20


def test_an_abandoned_video_stops(one_opens) -> None:
    class Enough(Exception):
        pass

    def stop(done: int, total: int, stage: str) -> None:
        if done == 2:
            raise Enough

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        with pytest.raises(Enough):
            video.write_comparison(Path(folder) / "video.mp4", one_opens, one_opens.stage_one, TINY, stop)
        assert not list(Path(folder).iterdir())

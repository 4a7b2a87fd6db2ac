"""The tab that compares: results in their order, refusals in one sentence, a stop at every stage, and its texts."""

from __future__ import annotations

import functools
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

sys.path[:0] = [path for path in (str(Path(__file__).resolve().parent),) if path not in sys.path]
from stub_talker import StubTalker  # noqa: E402

from memorytalker.comparison import ground_truth, video  # noqa: E402
from memorytalker.comparison.predictions import Comparison  # noqa: E402
from memorytalker.face.motion import FaceCurves  # noqa: E402
from memorytalker.options import RenderOptions  # noqa: E402
from memorytalker.page import comparison_run  # noqa: E402
from memorytalker.page.compare import build_compare  # noqa: E402
from memorytalker.page.comparison_run import (  # noqa: E402
    OWN,
    CompareRequest,
    ComparisonReady,
    CurvesReady,
    VideoReady,
    run_comparison,
)
from memorytalker.page.jobs import JobRunner  # noqa: E402
from memorytalker.page.limits import PageError  # noqa: E402
from memorytalker.page.measures_view import measures_html, words_html  # noqa: E402
from memorytalker.sound.decode import AudioError, Waveform, write_wav  # noqa: E402
from memorytalker.tracking.face_video import FaceVideo  # noqa: E402

SECONDS, FPS = 0.6, 30
CLIP = "s1_pgix9a"


@pytest.fixture(scope="module")
def runner() -> JobRunner:
    return JobRunner(StubTalker())


@pytest.fixture(autouse=True)
def small_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Small heads, and a folder in which everything temporary lies; nothing is left in it."""
    small = RenderOptions(width=96, height=96, antialias=False)
    draw = video.write_comparison
    monkeypatch.setattr(
        comparison_run, "write_comparison", lambda path, *shown, progress: draw(path, *shown, small, progress)
    )
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    deadline = time.monotonic() + 10
    while list(folder.glob("memorytalker-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not list(folder.glob("memorytalker-*"))


@pytest.fixture
def own(runner: JobRunner, tmp_path: Path) -> dict[str, str]:
    """Files of a visitor: a jaw that opens and closes, with a sound."""
    head = runner.head
    jaw = 0.3 * np.sin(np.arange(round(SECONDS * FPS)) / 3) ** 2
    vertices = head.template + (jaw[:, None, None] * head.blendshape("jawOpen")).astype(np.float32)
    np.savez(tmp_path / "motion.npz", vertices=vertices, fps=FPS)
    write_wav(tmp_path / "sound.wav", Waveform(np.full(round(16000 * SECONDS), 0.1, np.float32)))
    return {"motion": str(tmp_path / "motion.npz"), "sound": str(tmp_path / "sound.wav")}


def test_measures_come_first_then_curves_then_the_video(runner: JobRunner, own: dict[str, str]) -> None:
    kinds, statuses = [], []
    for step in run_comparison(runner, CompareRequest(OWN, "old_man", **own)):
        if isinstance(step, str):
            statuses.append(step)
            continue
        kinds.append(type(step))
        if isinstance(step, CurvesReady):
            image = np.asarray(Image.open(step.path).convert("RGB"))
            assert image.shape[1] > 1000 and image.std() > 10
        if isinstance(step, VideoReady):
            assert Path(step.path).read_bytes()[4:8] == b"ftyp"
    assert kinds == [ComparisonReady, CurvesReady, VideoReady]
    assert 'aria-current="step">Measure' in statuses[0] and 'aria-current="step">Video' in statuses[-1]


@functools.cache
def comparison_of(runner: JobRunner, request: CompareRequest) -> Comparison:
    steps = run_comparison(runner, request)
    found = next(step.comparison for step in steps if isinstance(step, ComparisonReady))
    steps.close()
    return found


def test_a_bundled_clip_is_compared_on_the_head_that_is_asked_for(runner: JobRunner) -> None:
    comparison = comparison_of(runner, CompareRequest(CLIP, "old_man"))
    assert comparison.ground_truth.kind == "tracked" and comparison.ground_truth.head.identity == "old_man"
    assert 2.9 < comparison.seconds <= 3.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"motion": None}, "no motion yet"),
        ({"sound": None}, "no sound yet"),
        ({"motion": "/gone/away.npz"}, "motion is no longer on this server"),
        ({"sound": "/gone/away.wav"}, "sound is no longer on this server"),
        ({"fps": 60}, "you wrote 60"),
        ({"fps": float("nan")}, "Give the frames per second as a number"),
        ({"clip": "nobody"}, "no such clip"),
        ({"identity": "nobody"}, "no such head"),
        ({"shown": "stage 3"}, "The video shows one of"),
    ],
)
def test_what_cannot_be_met_is_refused_in_one_sentence(runner: JobRunner, own, change, words) -> None:
    with pytest.raises((PageError, AudioError)) as refused:
        list(run_comparison(runner, CompareRequest(**({"clip": OWN, "identity": "woman"} | own | change))))
    message = str(refused.value)
    assert words in message and message.endswith(".") and "\n" not in message and "/gone" not in message


def test_files_that_are_wrong_are_refused_as_a_page_does(runner: JobRunner, own, tmp_path: Path) -> None:
    (tmp_path / "<b>.npz").write_bytes(b"no motion")
    with pytest.raises(PageError, match="not a readable npz file") as refused:
        list(run_comparison(runner, CompareRequest(OWN, "woman", motion=str(tmp_path / "<b>.npz"), sound=own["sound"])))
    assert "<" not in str(refused.value) and str(tmp_path) not in str(refused.value)
    long = np.zeros(round(16000 * (comparison_run.LONGEST_SECONDS * 1.2)), np.float32)
    write_wav(tmp_path / "long.wav", Waveform(long))
    with pytest.raises(AudioError, match="too long"):
        list(
            run_comparison(runner, CompareRequest(OWN, "woman", motion=own["motion"], sound=str(tmp_path / "long.wav")))
        )


@pytest.mark.parametrize("stage", ["Measure", "Curves", "Video"])
def test_closing_stops_the_work_at_every_stage(runner: JobRunner, own, stage: str, small_images: Path) -> None:
    steps = run_comparison(runner, CompareRequest(OWN, "woman", **own))
    next(step for step in steps if isinstance(step, str) and f'aria-current="step">{stage}' in step)
    steps.close()
    deadline = time.monotonic() + 10
    while list(small_images.glob("memorytalker-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not list(small_images.glob("*.mp4")) and not list(small_images.glob("memorytalker-*"))


def text_of(markup: str) -> str:
    return re.sub(r"<[^>]+>", " ", markup)


def test_a_film_is_its_own_sound_and_what_was_decided_about_it_stands_beside_the_result(
    runner: JobRunner, own: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, frames = tmp_path / "me.mp4", round(SECONDS * FPS)
    film.write_bytes(Path(own["sound"]).read_bytes())
    told = ("The face in me.mp4 is dark.", "For 0.2 s (33%) the face in me.mp4 is turned away.")
    jaw, zero = FaceCurves(np.full((frames, 1), 0.2), ("jawOpen",), FPS), np.zeros(frames)
    face = FaceVideo("me.mp4", jaw, np.zeros((frames, 3)), zero == 0, zero, zero, None, told)
    monkeypatch.setattr(ground_truth, "read_face_video", lambda path, longest_seconds: face)
    comparison = comparison_of(runner, CompareRequest(OWN, "woman", motion=str(film)))
    assert comparison.ground_truth.waveform.seconds == pytest.approx(SECONDS)
    for remark in told:
        assert f'<p class="small">{remark}</p>' in words_html(comparison)


def test_every_measure_stands_with_its_definition_and_unit(runner: JobRunner) -> None:
    comparison = comparison_of(runner, CompareRequest(CLIP, "woman"))
    table = measures_html(comparison)
    assert table.count('<th scope="row">') == 9 and table.count("<small>") == 9 and "<caption>" in table
    for name in ("stage 1", "stages 1 + 2", "still face", "mean squared distance over all vertices", "mm²", "ms"):
        assert name in table
    lip_max = 1000 * comparison.both_stages.values["lip_max"]
    assert f"<td>{lip_max:#.3g}</td><td>{1000 * comparison.still['lip_max']:#.3g}</td><td>mm</td>" in table


def test_the_sentences_name_the_result_and_the_kind_of_ground_truth(runner: JobRunner) -> None:
    comparison = comparison_of(runner, CompareRequest(CLIP, "woman"))
    words = text_of(words_html(comparison))
    assert f"is {1000 * comparison.both_stages.lip_error.mean():.1f} mm from ground truth on average" in words
    assert "Tracked: facial landmarks of a real person in video" in words and "neither eyes nor brows" in words
    assert "correlation of" in words


def test_names_with_markup_stay_text(runner: JobRunner) -> None:
    comparison = comparison_of(runner, CompareRequest(CLIP, "woman"))
    named = replace(comparison, ground_truth=replace(comparison.ground_truth, name="<img src=x>"), remarks=("<b>",))
    assert not set(re.findall(r"<\w+", words_html(named))) & {"<img", "<b"} and "&lt;img src=x&gt;" in words_html(named)


def test_the_tab_is_laid_out_with_its_names(runner: JobRunner) -> None:
    with gr.Blocks():
        parts = build_compare(runner)
    wanted = "ground-truth-example ground-truth-motion ground-truth-fps ground-truth-sound compare-head compare-shown "
    wanted += "compare-run compare-stop compare-status compare-video compare-words compare-curves compare-metrics"
    assert set(parts) == set(wanted.split())
    assert all(part.elem_id == name for name, part in parts.items())
    assert [name for _, name in parts["ground-truth-example"].choices][-1] == OWN

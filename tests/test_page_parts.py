"""The page's parts: requests, jobs, session files, the order of results, the status, and contrast of the theme."""

from __future__ import annotations

import base64
import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import weakref
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests")) if path not in sys.path]
from stub_talker import StubTalker, stub_head  # noqa: E402

from memorytalker import OWN_VOICE, AnimateOptions  # noqa: E402
from memorytalker.config import ConfigError  # noqa: E402
from memorytalker.face.curve_files import read_curves  # noqa: E402
from memorytalker.face.head_motion import motion_of_curves  # noqa: E402
from memorytalker.face.motion import FaceCurves  # noqa: E402
from memorytalker.options import CurveOptions  # noqa: E402
from memorytalker.page import session_files, settings  # noqa: E402
from memorytalker.page.adjust import curve_options  # noqa: E402
from memorytalker.page.animation_run import (  # noqa: E402
    AnimationReady,
    FileReady,
    NeutralReady,
    Note,
    PlainReady,
    PlayerReady,
    Result,
    run_animation,
)
from memorytalker.page.insight import lips_apart  # noqa: E402
from memorytalker.page.jobs import Job, JobRunner  # noqa: E402
from memorytalker.page.limits import PageError  # noqa: E402
from memorytalker.page.player import player_value  # noqa: E402
from memorytalker.page.request import ANOTHER_VOICE, NEUTRAL, THIS_VOICE, AnimateRequest  # noqa: E402
from memorytalker.page.session_files import SessionFiles  # noqa: E402
from memorytalker.page.settings import changes_text, settings_line  # noqa: E402
from memorytalker.page.status import status_html, stream_progress  # noqa: E402
from memorytalker.page.theme import Calm  # noqa: E402
from memorytalker.page.voice import arrived, shortened  # noqa: E402
from memorytalker.page.worker import Worker  # noqa: E402

CLIP, OTHER = (str(ROOT / "assets" / "speech" / name) for name in ("woman_farming.wav", "man_dove.wav"))


@pytest.fixture
def talker() -> StubTalker:
    return StubTalker()


@pytest.fixture
def runner(talker: StubTalker) -> JobRunner:
    return JobRunner(talker)


def until(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def results(runner: JobRunner, request: AnimateRequest, **options: object) -> list[Result]:
    return [step for step in run_animation(runner, request, **options) if isinstance(step, Result)]


def test_results_come_in_the_order_in_which_a_visitor_wants_them(runner: JobRunner, talker: StubTalker):
    steps = list(run_animation(runner, AnimateRequest(CLIP, "woman")))
    kinds = [type(step) for step in steps if isinstance(step, Result)]
    assert kinds == [AnimationReady, PlayerReady, PlainReady, NeutralReady, FileReady]
    statuses = [step for step in steps if isinstance(step, str)]
    assert 'aria-current="step">Motion' in statuses[0] and 'aria-current="step">Video' in statuses[-1]
    assert len(talker.threads) == 1  # network and renderer share one thread


def test_the_memory_is_there_before_a_frame_is_drawn(runner: JobRunner, talker: StubTalker):
    talker.hold = lambda: True
    steps = run_animation(runner, AnimateRequest(CLIP, "woman"))
    first = next(step for step in steps if isinstance(step, Result))
    assert isinstance(first, AnimationReady) and talker.frames == []
    steps.close()


@pytest.mark.parametrize("stage", ["network", "drawing"])
def test_closing_stops_at_every_stage(runner: JobRunner, talker: StubTalker, stage: str):
    talker.hold_network = lambda: stage == "network"
    talker.hold = lambda: stage == "drawing"
    steps = run_animation(runner, AnimateRequest(CLIP, "woman"))
    seen = [next(steps)]
    while stage == "drawing" and not talker.frames:
        seen.append(next(steps))
    steps.close()
    talker.hold = lambda: False
    with runner.job(lambda progress: "free") as job:  # the thread is free
        assert job.wait(10) and job.result == "free"
    assert not any(isinstance(step, FileReady) for step in seen)


@pytest.mark.parametrize("end", ["refused", "stopped", "finished"])
def test_an_animation_goes_with_its_request(runner: JobRunner, talker: StubTalker, end: str):
    """Without the full collection that comes some time later: each of them is tens of megabytes."""
    animations, animate = [], talker.animate

    def watched(*arguments: object, **options: object) -> object:
        animation = animate(*arguments, **options)
        animations.append(weakref.ref(animation))
        return animation

    runner._network = runner._network | {"animate": watched}
    talker.fails = "drawing" if end == "refused" else ""
    gc.collect()
    gc.disable()
    try:
        steps = run_animation(runner, AnimateRequest(CLIP, "woman"))
        if end == "stopped":
            while not talker.frames:
                next(steps)
            steps.close()
        elif end == "refused":
            with pytest.raises(RuntimeError, match="renderer broke"):
                deque(steps, maxlen=0)  # keeps none of them
        else:
            assert sum(isinstance(step, Result) for step in steps) == 5
        assert animations and until(lambda: not any(one() for one in animations))
    finally:
        gc.enable()


def test_the_same_request_gives_the_same_animation(runner: JobRunner):
    request = AnimateRequest(CLIP, "woman", options=AnimateOptions(seed=3, expression=True))
    first, second = (results(runner, request, with_player=False, format="npz")[0].animation for _ in range(2))
    assert (first.vertices == second.vertices).all() and (first.memory_address == second.memory_address).all()


def test_changes_of_the_face_are_in_the_file_alone(runner: JobRunner, tmp_path: Path):
    changed = CurveOptions(lower_face=0.5, gains={"jawOpen": 0.5}, offsets={"browInnerUp": 0.25})
    kept = tmp_path / "kept.csv"
    for step in run_animation(runner, AnimateRequest(CLIP, "woman", curves=changed), format="livelink"):
        if isinstance(step, AnimationReady):
            animation = step.animation
        elif isinstance(step, PlayerReady):
            assert step.package == player_value(animation)  # the browser makes the changes itself
        elif isinstance(step, FileReady):
            shutil.copy(step.path, kept)
    written, own = read_curves(kept).curves, animation.curves
    assert written.weights[:, written.names.index("browInnerUp")] == pytest.approx(0.25, abs=1e-4)
    jaw = own.weights[:, own.names.index("jawOpen")]
    assert jaw.max() > 0.2
    assert written.weights[:, written.names.index("jawOpen")] == pytest.approx(0.25 * jaw, abs=1e-4)


def test_several_files_come_as_one(runner: JobRunner, tmp_path: Path):
    for step in run_animation(runner, AnimateRequest(CLIP, "woman"), with_player=False, format="gltf"):
        if isinstance(step, FileReady):
            assert step.path.name == "talk.zip"
            with zipfile.ZipFile(step.path) as archive:
                assert archive.testzip() is None
                assert sorted(archive.namelist()) == ["talk.glb", "talk_sound.wav"]
                assert archive.read("talk.glb")[:4] == b"glTF"
            return
    pytest.fail("there was no file")


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"other": 1}', '{"gains": 3}', '{"upper_face": NaN}', "[" * 9000, " " * 20000]
)
def test_changes_that_no_slider_writes_are_refused(text: str):
    with pytest.raises((PageError, ConfigError)):
        curve_options(text)


def test_changes_are_read_as_the_sliders_write_them():
    assert curve_options("") == curve_options(None) == CurveOptions()
    text = '{"upper_face": 1, "lower_face": 1.5, "gains": {"jawOpen": 0.5}, "offsets": {}}'
    assert curve_options(text) == CurveOptions(lower_face=1.5, gains={"jawOpen": 0.5})


def test_styles_become_what_the_talker_takes(runner: JobRunner):
    heads = runner.head.identities
    for style, expected in ((THIS_VOICE, OWN_VOICE), (NEUTRAL, None)):
        request = AnimateRequest(CLIP, "woman", style=style, style_file=OTHER)
        assert request.arguments(request.checked(heads)).get("style", OWN_VOICE) is expected
    request = AnimateRequest(CLIP, "woman", style=ANOTHER_VOICE, style_file=OTHER)
    assert request.arguments(request.checked(heads))["style"].seconds == pytest.approx(5.89, abs=0.01)


def test_a_file_that_is_gone_is_refused_in_words(runner: JobRunner):
    with pytest.raises(PageError, match="no longer on this server"):
        AnimateRequest("/nowhere/voice.wav", "woman").checked(runner.head.identities)


def test_remarks_come_with_the_result(runner: JobRunner, tmp_path: Path):
    sound = np.sin(np.arange(16000) * 0.1)
    soundfile.write(tmp_path / "pair.wav", np.stack([sound, -sound], 1) * 0.3, 16000)
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    for name, remark in (
        ("pair", "The two channels cancel each other, so the left one is used."),
        ("silence", "The sound is silent, so the mouth stays closed."),
    ):
        steps = results(runner, AnimateRequest(str(tmp_path / f"{name}.wav"), "woman"), with_player=False)
        assert [step.text for step in steps if isinstance(step, Note)] == [remark]
        assert [type(step) for step in steps] == [Note, AnimationReady, FileReady]


def test_captions_name_every_setting():
    options = AnimateOptions(style_blend=0.35, expression=True, seed=12, close_in_silence=True)
    request = AnimateRequest(CLIP, "ada", "profile", ANOTHER_VOICE, OTHER, options)
    caption = request.caption("Ada")
    for words in ("Ada", "profile", "another voice", "35 %", "expression on, seed 12", "closed in pauses"):
        assert words in caption
    assert "seed" not in AnimateRequest(CLIP, "ada").caption("Ada") and CLIP not in caption
    assert "%" not in AnimateRequest(CLIP, "ada", style=NEUTRAL).caption("Ada")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionFiles]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield SessionFiles(keep_seconds=3600)


def visitor(name: str) -> SimpleNamespace:
    return SimpleNamespace(session_hash=name)


def kept(files: SessionFiles, tmp_path: Path, name: str, words: str = "video") -> Path:
    (tmp_path / "talk.mp4").write_text(words)
    return Path(files.keep(tmp_path / "talk.mp4", visitor(name)))


def test_visitors_have_folders_of_their_own_that_go_with_them(files, tmp_path):
    first, second = kept(files, tmp_path, "ann", "same"), kept(files, tmp_path, "bob", "same")
    assert first.read_text() == second.read_text() == "same" and first.parent.parent != second.parent.parent
    assert not (tmp_path / "talk.mp4").exists() and "ann" not in str(first)
    files.leave(visitor("ann"))
    assert not first.exists() and second.exists()
    files.leave(visitor("ann")), files.leave(visitor("nobody"))
    files.leave(visitor("bob"))
    assert not any(files.root.iterdir())


def test_a_visitor_keeps_the_newest_results(files, tmp_path):
    paths = []
    for number in range(session_files.RESULTS_KEPT + 3):
        paths.append(kept(files, tmp_path, "ann", str(number)))
        moment = time.time() - 100 + number
        os.utime(paths[-1].parent, (moment, moment))
    assert [path.exists() for path in paths] == [False] * 3 + [True] * session_files.RESULTS_KEPT


def test_results_have_a_total_for_a_visitor_and_for_the_server(files, tmp_path, monkeypatch):
    """A minute of vertices takes 200 MB, and each was kept for an hour, whoever asked."""
    monkeypatch.setattr(session_files, "LARGEST_SESSION", 250)
    monkeypatch.setattr(session_files, "LARGEST_TOTAL", 1000)
    moment = time.time() - 1000

    def aged(name: str | None, size: int) -> Path:
        nonlocal moment
        (tmp_path / "talk.npz").write_bytes(bytes(size))
        path = Path(files.keep(tmp_path / "talk.npz", visitor(name) if name else None))
        moment += 1
        os.utime(path.parent, (moment, moment))
        return path

    first, second, third = (aged("ann", 100) for _ in range(3))
    assert not first.exists() and second.exists() and third.exists()
    others = [aged(None, 100) for _ in range(8)]  # programs without a session
    assert second.exists() and third.exists() and all(path.exists() for path in others)
    latest = aged("bob", 240)
    assert latest.exists() and not second.exists() and not third.exists() and not others[0].exists()
    assert sum(path.stat().st_size for path in files.root.glob("*/*/*")) == 940
    monkeypatch.setattr(session_files.shutil, "disk_usage", lambda _: SimpleNamespace(free=60))
    aged("eve", 100)
    assert sum(path.stat().st_size for path in files.root.glob("*/*/*")) <= 500, "half of what the disk has for us"


def test_results_are_swept_by_age_and_an_idle_page_has_no_sweeper(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = SessionFiles(keep_seconds=1)
    path = kept(files, tmp_path, "ann")
    assert any(thread.name == "session-files" for thread in threading.enumerate())
    assert path.exists() and until(lambda: not path.exists())
    assert until(lambda: not any(files.root.iterdir()))
    assert until(lambda: files._sweeper is None and not files._names)


def test_a_cleaner_of_temporary_folders_stops_no_visitor(tmp_path, monkeypatch):
    """Planted: somebody removes everything temporary while the page is served."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    files = SessionFiles(keep_seconds=3600)
    first = kept(files, tmp_path, "ann")
    shutil.rmtree(tmp_path / "tmp", ignore_errors=True)  # its own sweep may be at work there
    assert not files.sweep() and files._sweeper is None and not files._names
    worker = Worker()
    with Job(worker, lambda folder, progress: (folder / "talk.mp4").write_text("drawn")) as job:
        assert job.wait(10) and job.result == 5 and job.folder.parent == (tmp_path / "tmp").resolve()
    worker.close()
    second = kept(files, tmp_path, "ann")
    assert second.read_text() == "video" and second.is_relative_to(files.root) and not first.exists()
    assert files._sweeper is not None, "and it will be swept"
    files.close()
    assert not files.root.exists()


def test_the_sweep_of_uploads_survives_an_upload_in_the_middle_of_it():
    paths = session_files.SnapshotSet({"a", "b"})
    assert sorted(path for path in paths if not paths.add(path * 2)) == ["a", "b"] and len(paths) == 4
    with gr.Blocks() as demo:
        sound = gr.Audio()
    session_files.patch_gradio_sweep(demo)
    sound.temp_files.add("voice.wav"), demo.upload_file_set.add("upload.wav")
    assert all(isinstance(files, session_files.SnapshotSet) for files in demo.temp_file_sets)
    assert {"voice.wav", "upload.wav"} <= set().union(*demo.temp_file_sets)


def test_status_is_text_and_not_markup():
    markup = status_html(1, "<b>bold</b>", 0.25)
    assert "<b>" not in markup and 'value="0.250"' in markup and markup.count("<li") == 3
    assert 'class="done">Motion' in markup
    assert "<progress" not in status_html(-1, "Stopped.") and "<progress" not in status_html(3, "Done.")


def test_waiting_too_long_raises_timeout_error(runner: JobRunner):
    with runner.job(lambda progress: time.sleep(1)) as job, pytest.raises(TimeoutError):
        list(stream_progress(job, 0, "Waiting", patience=0.0))


def luminance(color: str) -> float:
    values = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("body_text_color", "body_background_fill"),
        ("body_text_color_subdued", "body_background_fill"),
        ("body_text_color_subdued", "block_background_fill"),
        ("block_label_text_color", "block_label_background_fill"),
        ("block_title_text_color", "block_background_fill"),
        ("block_info_text_color", "block_background_fill"),
        ("button_primary_text_color", "button_primary_background_fill"),
        ("button_primary_text_color", "button_primary_background_fill_hover"),
        ("button_secondary_text_color", "button_secondary_background_fill"),
        ("button_secondary_text_color", "button_secondary_background_fill_hover"),
        ("checkbox_label_text_color", "checkbox_label_background_fill"),
        ("checkbox_label_text_color_selected", "checkbox_label_background_fill_selected"),
        ("input_placeholder_color", "input_background_fill"),
        ("link_text_color", "body_background_fill"),
    ],
)
@pytest.mark.parametrize("mode", ["", "_dark"])
def test_text_stands_out_in_both_themes(text: str, ground: str, mode: str):
    theme = Calm()

    def color(name: str) -> str:
        value = getattr(theme, name + mode)
        while value.startswith("*"):
            value = getattr(theme, value[1:])
        return "#ffffff" if value == "white" else value

    light, dark = sorted((luminance(color(text)), luminance(color(ground))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_visitor_is_offered_every_format_but_vast_ones() -> None:
    from memorytalker.exports.registry import FORMATS
    from memorytalker.page.animation_run import formats

    assert {each.name for each in FORMATS} - set(formats()) == {"obj"}, "a minute of OBJ files is 1.6 GB"


def test_an_exaggerated_style_goes_beyond_the_voice_and_never_turns_a_slot_round():
    from memorytalker.styles.choosing import LEAST_WEIGHT, blended

    weights = np.array([1.2, 0.9, 0.5], np.float32)
    assert blended(weights, 3.0) == pytest.approx([1.6, 0.7, LEAST_WEIGHT])
    assert blended(weights, 1.0) is weights and blended(weights, 0.0) == pytest.approx([1, 1, 1])


def test_the_neutral_style_comes_with_its_distance_at_the_lips(runner: JobRunner, talker: StubTalker):
    request = AnimateRequest(CLIP, "woman", options=AnimateOptions(style_blend=0))
    assert not any(isinstance(step, NeutralReady) for step in results(runner, request))  # it is the result itself
    shown = next(step for step in results(runner, AnimateRequest(CLIP, "woman")) if isinstance(step, NeutralReady))
    content = json.loads(shown.package)
    apart = np.frombuffer(base64.b64decode(content["apart"]), "<f4")
    assert content["frames"] == len(apart) == 137 and not apart.any()  # the stub moves alike in every style
    assert talker.calls[-1]["style"] is None


def test_the_distance_of_two_motions_is_that_of_their_lips():
    head = stub_head()
    weights = np.array([[0.0], [0.5]], np.float32)
    still, open_jaw = (motion_of_curves(head, FaceCurves(w, ("jawOpen",), 30)) for w in (0 * weights, weights))
    lips = head.regions["lips"]
    moved = np.linalg.norm(head.blendshape("jawOpen")[lips], axis=1).mean()
    assert lips_apart(still, open_jaw) == pytest.approx([0, 500 * moved], rel=1e-4) and moved > 1e-3


def test_what_arrives_is_checked_and_a_long_sound_keeps_its_beginning(tmp_path: Path):
    tone = 0.3 * np.sin(np.arange(61 * 16000) * 0.05).astype(np.float32)
    soundfile.write(tmp_path / "fit.wav", tone[: 2 * 16000], 16000)
    soundfile.write(tmp_path / "long.wav", tone, 16000)
    (tmp_path / "words.wav").write_text("no sound\n" * 40)
    held, note, trim, path = arrived(str(tmp_path / "fit.wav"))
    assert "2.0 s of sound" in note and not trim.visible and held == gr.skip() and path == ""
    held, note, trim, path = arrived(str(tmp_path / "words.wav"))
    assert held is None and "is not a sound file" in note and not trim.visible
    held, note, trim, path = arrived(str(tmp_path / "long.wav"))
    assert held is None and "at most 60 seconds" in note and trim.visible
    (rate, samples), note, _ = shortened(path)
    assert rate == 16000 and len(samples) == 60 * 16000 and "first 60 s" in note
    assert samples[:1000] == pytest.approx(32767 * tone[:1000], abs=2)


def test_settings_are_said_and_what_changed_since_the_result_too():
    shown = AnimateRequest(CLIP, "woman")
    assert settings_line(shown) == "Settings: front camera, style of this voice 100 %, no expression"
    assert changes_text(shown, shown) == changes_text(shown, None) == ""
    options = AnimateOptions(expression=True, close_in_silence=True)
    other = AnimateRequest(CLIP, "old_man", style=NEUTRAL, options=options)
    assert settings_line(other) == "Settings: front camera, neutral style, expression, mouth closed in silence"
    assert changes_text(other, shown) == "Changed since: head, speaking style, options. Press “Make it talk” again."
    unused = AnimateRequest(CLIP, "woman", style_file=OTHER)  # a second voice that lends no style changes nothing
    assert changes_text(unused, shown) == "" and "voice" in changes_text(AnimateRequest(OTHER, "woman"), shown)


def test_heads_are_shown_by_their_pictures_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "assets_folder", lambda name: tmp_path)
    assert settings.thumbnails_css(["ada", "bruno"]) == ""
    (tmp_path / "ada.webp").write_bytes(b"RIFF")
    rules = settings.thumbnails_css(["ada", "bruno", 'a"b'])
    assert 'input[value="ada"]' in rules and "UklGRg==" in rules and "bruno" not in rules

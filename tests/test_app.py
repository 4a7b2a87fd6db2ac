"""The page through its named endpoints, with a stand-in for the talker: results, every refusal, privacy, tidiness."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests")) if path not in sys.path]
from stub_talker import StubTalker  # noqa: E402

import app  # noqa: E402

CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
RATE = 16000


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether `condition` comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


class Page:
    """A served page, its talker and the folder in which everything temporary lies."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.talker = folder, StubTalker()
        self.demo = app.create_demo(self.talker)
        _, self.url, _ = self.demo.launch(
            **app.launch_options(), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1"
        )

    def visitor(self) -> Client:
        """A client with a session of its own."""
        return Client(self.url, verbose=False, download_files=str(self.folder / "downloads"))

    def leftovers(self) -> list[str]:
        """Folders of requests that are still there; given a moment, for the worker lets go at its next frame."""
        until(lambda: not list(self.folder.glob("memorytalker-*")))
        return [path.name for path in self.folder.glob("memorytalker-*")]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    before = tempfile.tempdir, os.environ.get("GRADIO_TEMP_DIR")
    tempfile.tempdir, os.environ["GRADIO_TEMP_DIR"] = str(folder), str(folder / "gradio")
    page = Page(folder)
    yield page
    page.demo.close()
    tempfile.tempdir = before[0]
    if before[1] is None:
        del os.environ["GRADIO_TEMP_DIR"]
    else:
        os.environ["GRADIO_TEMP_DIR"] = before[1]


@pytest.fixture(autouse=True)
def healthy(page: Page) -> Iterator[None]:
    page.talker.fails, page.talker.pause, page.talker.hold = "", 0.0, lambda: False
    page.talker.calls.clear()
    page.talker.frames.clear()
    yield
    page.talker.pause, page.talker.hold = 0.0, lambda: False
    assert page.leftovers() == []


def ask(page: Page, sound: Path | None, identity: str = "woman", style: str = app.THIS_VOICE) -> tuple:
    return page.visitor().predict(sound and handle_file(sound), identity, style, api_name="/animate")


def written(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def speech(seconds: float) -> np.ndarray:
    return 0.3 * np.sin(np.arange(round(seconds * RATE)) * 0.05).astype(np.float32)


def first_pixel(video: str) -> np.ndarray:
    frames = imageio_ffmpeg.read_frames(video)
    next(frames)
    pixel = np.frombuffer(next(frames)[:3], np.uint8).astype(int)
    frames.close()
    return pixel


def test_one_endpoint_with_names_for_everything(page: Page):
    api = page.visitor().view_api(return_format="dict", print_info=False)
    assert list(api["named_endpoints"]) == ["/animate"]
    endpoint = api["named_endpoints"]["/animate"]
    assert [one["parameter_name"] for one in endpoint["parameters"]] == ["sound", "identity", "style"]
    returns = [one["label"] for one in endpoint["returns"]]
    assert returns == ["Talking head", "Memory heatmap", "Style weights", "Status"]
    assert not api["unnamed_endpoints"]


def test_a_voice_gives_video_heatmap_and_weights(page: Page):
    video, memory, weights, status = ask(page, CLIP, "old_man", app.NEUTRAL)
    asked = {"seconds": pytest.approx(4.577, abs=0.01), "style": None, "identity": "old_man"}
    assert [{name: call[name] for name in asked} for call in page.talker.calls] == [asked]
    _, seconds = imageio_ffmpeg.count_frames_and_secs(video)
    assert seconds == pytest.approx(4.577, abs=0.05)
    assert first_pixel(video)[0] > 150  # the old man's colour
    for picture in (memory, weights):
        assert np.asarray(Image.open(picture).convert("RGB")).std() > 10
    assert "4.6 s of speech" in status


def test_the_voice_gives_the_style_unless_neutral_is_asked(page: Page):
    ask(page, CLIP)
    assert page.talker.calls[0]["style"] is ... and page.talker.calls[0]["identity"] == "woman"


def test_memory_is_shown_before_the_video(page: Page):
    page.talker.hold = lambda: True  # half of the video is drawn, and then nothing until we have seen the memory
    job = page.visitor().submit(handle_file(CLIP), "woman", app.THIS_VOICE, api_name="/animate")
    steps = []
    for video, memory, weights, status in job:
        steps.append((video, memory, weights, status))
        if memory and weights and re.search(r"(49|50) %", status):
            page.talker.hold = lambda: False
    early = next(k for k, step in enumerate(steps) if step[1])
    assert steps[early][2] and not any(step[0] for step in steps[:-1]) and early < len(steps) - 1
    assert all(steps[-1]) and "Watch</li>" in steps[-1][3]
    assert ">Listen</li>" in steps[0][3] and 'class="now" aria-current="step">Listen' in steps[0][3]


def refusal(page: Page, sound: Path | None, capfd: pytest.CaptureFixture) -> str:
    with pytest.raises(AppError) as refused:
        ask(page, sound)
    message = str(refused.value)
    noise = "".join(capfd.readouterr())
    assert "Traceback" not in message + noise and str(page.folder) not in message
    assert message.count(".") and message.endswith(".") and len(message) < 200
    assert page.talker.calls == []
    return message


def test_no_voice(page: Page, capfd):
    assert "record one, upload a file or take an example" in refusal(page, None, capfd)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.wav", b"these are words and no sound\n" * 40, "not a sound file"),
        ("empty.wav", b"", "empty"),
        ("header.wav", CLIP.read_bytes()[:30], "damaged"),
        ("noise.mp3", bytes(range(256)) * 40, "not a sound file"),
    ],
)
def test_unreadable_files(page: Page, tmp_path: Path, capfd, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(page, path, capfd)
    assert words in message and name in message


def test_too_short_too_long_and_broken_samples(page: Page, tmp_path: Path, capfd):
    assert "at least 0.1 s" in refusal(page, written(tmp_path / "short.wav", speech(0.05)), capfd)
    assert "at most 60 seconds" in refusal(page, written(tmp_path / "long.wav", speech(61)), capfd)
    nan = written(tmp_path / "nan.wav", speech(1) * np.nan, subtype="FLOAT")
    assert "NaN" in refusal(page, nan, capfd)


def test_the_limit_itself_is_accepted_and_stated(page: Page, tmp_path: Path):
    ask(page, written(tmp_path / "limit.flac", speech(app.LONGEST_SECONDS)))
    assert page.talker.calls[0]["seconds"] == app.LONGEST_SECONDS
    assert f"{app.LONGEST_SECONDS:.0f} seconds" in httpx.get(page.url + "config").text


def test_names_with_markup_are_harmless(page: Page, tmp_path: Path, capfd):
    path = tmp_path / "<img src=x onerror=alert(1)>.wav"
    path.write_text("no sound")
    assert not set("<>") & set(refusal(page, path, capfd))


def test_messages_are_text_and_not_markup(page: Page, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise app.AudioError("<b>Bold</b> words.")

    monkeypatch.setattr(app, "load_waveform", refuse)
    with pytest.raises(AppError) as refused:
        ask(page, CLIP)
    assert str(refused.value) == "&lt;b&gt;Bold&lt;/b&gt; words."


def test_silence_is_animated_and_said(page: Page, tmp_path: Path):
    *_, status = ask(page, written(tmp_path / "silence.wav", np.zeros(RATE)))
    assert "silent" in status and len(page.talker.calls) == 1
    *_, status = ask(page, written(tmp_path / "quiet.wav", speech(1) * 0.05))
    assert "silent" not in status


@pytest.mark.parametrize("place", ["listening", "drawing"])
def test_our_own_failures_are_owned_and_do_not_stay(page: Page, place: str):
    page.talker.fails = place
    with pytest.raises(AppError) as refused:
        ask(page, CLIP)
    message = str(refused.value)
    assert "on our side" in message and place in message and "secret" not in message
    page.talker.fails = ""
    assert ask(page, CLIP)[0].endswith("talk.mp4")


def test_unknown_heads_and_styles_are_refused(page: Page):
    for identity, style in (("nobody", app.NEUTRAL), ("woman", "loud")):
        with pytest.raises(AppError):
            ask(page, CLIP, identity, style)
    assert page.talker.calls == []


def test_two_visitors_get_what_they_asked_for(page: Page, tmp_path: Path):
    page.talker.pause = 0.01
    clips = [written(tmp_path / f"{k}.wav", speech(1 + 0.1 * k)) for k in range(4)]
    heads = ["woman", "old_man", "woman", "old_man"]
    with ThreadPoolExecutor(4) as visitors:
        results = list(visitors.map(lambda clip, head: ask(page, clip, head), clips, heads))
    for k, (result, head) in enumerate(zip(results, heads, strict=True)):
        assert (first_pixel(result[0])[0] > 150) == (head == "old_man")
        assert f"{1 + 0.1 * k:.1f} s of speech" in result[3]
    assert len({result[0] for result in results}) == 4


def test_stopping_frees_the_worker_and_the_folder(page: Page, tmp_path: Path):
    page.talker.hold = lambda: True
    page.talker.threads.clear()
    job = page.visitor().submit(handle_file(CLIP), "woman", app.THIS_VOICE, api_name="/animate")
    assert until(lambda: len(page.talker.frames) > 60) and list(page.folder.glob("memorytalker-*"))
    job.cancel()
    short = written(tmp_path / "next.wav", speech(0.1))
    following = page.visitor().submit(handle_file(short), "woman", app.THIS_VOICE, api_name="/animate")
    # A graphics context belongs to one thread: the next one waits until the stopped one has let go of it.
    assert not until(lambda: len(page.talker.calls) > 1, seconds=2.5)
    page.talker.hold = lambda: False
    assert "0.1 s of speech" in following.result(30)[3]
    assert len(page.talker.frames) < 100 and len(page.talker.threads) == 1


def test_private_settings(page: Page):
    config = httpx.get(page.url + "config").json()
    assert config["analytics_enabled"] is False and config["run_history"] is False
    assert config["show_error"] is False and config["enable_queue"] is True
    assert page.demo.fns and all(fn.concurrency_limit == 1 for fn in page.demo.fns.values() if fn.api_name == "animate")
    big = {"files": ("big.wav", b"\0" * (21 * 1024 * 1024))}
    assert httpx.post(page.url + "gradio_api/upload", files=big).status_code == 413


def test_uploads_and_results_are_deleted_by_age(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(app, "KEEP_SECONDS", 6)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))
    page = Page(tmp_path)
    try:
        visitor = page.visitor()
        with pytest.raises(AppError):  # a refusal must not hide what follows in the same session from the sweep
            visitor.predict(None, "woman", app.NEUTRAL, api_name="/animate")
        visitor.predict(handle_file(CLIP), "woman", app.NEUTRAL, api_name="/animate")
        def files() -> set[str]:
            return {path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()}

        results = {"talk.mp4", "memory.png", "style.png"}
        assert results <= files()
        assert until(lambda: not (results | {"woman_farming.wav"}) & files(), seconds=60)
    finally:
        page.demo.close()


def test_examples_are_there_and_as_documented():
    import hashlib

    text = (app.SPEECH_FOLDER / "README.md").read_text(encoding="utf-8")
    for name in app.EXAMPLES:
        path = app.SPEECH_FOLDER / name
        assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}" in text
        assert 4 <= soundfile.info(path).duration <= 9


def test_importing_the_page_loads_no_network():
    code = "import sys, app; sys.exit(any(name in sys.modules for name in ('torch', 'pyvista', 'transformers')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_page_does_without_spaces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "spaces", None)
    try:
        assert importlib.reload(app).spaces is None
        app.create_demo(StubTalker()).close()
    finally:
        monkeypatch.undo()
        importlib.reload(app)

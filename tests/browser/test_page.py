"""The page in a real browser: upload and microphone end in a video that plays; mistakes end in a plain sentence.

Everything runs against the stand-in talker and, where the shipped weights are there, against the real one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "weights" / "open" / "model.safetensors"
CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
CLIP_SECONDS = 4.58
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
FLAGS = """--no-sandbox --disable-background-networking --disable-component-update --disable-sync --no-first-run
--disable-default-apps --disable-domain-reliability --metrics-recording-only
--disable-features=OptimizationHints,MediaRouter --autoplay-policy=no-user-gesture-required
--use-fake-device-for-media-stream --use-fake-ui-for-media-stream""".split()
PATIENCE = 240_000  # milliseconds

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here (apt-get install chromium)")


@dataclass
class Site:
    """A running server: its address, the log it writes, how wide its videos are, and the file that holds them up."""

    url: str
    log: Path
    width: int
    hold: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """The stand-in finishes no video in here; the real talker takes long enough."""
        self.hold.touch()
        try:
            yield
        finally:
            self.hold.unlink()


@pytest.fixture(scope="module", params=["stub", "real"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    real = request.param == "real"
    if real and not WEIGHTS.exists():
        pytest.skip("the shipped weights are not there (make weights)")
    folder = tmp_path_factory.mktemp("site")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = ROOT / "app.py" if real else ROOT / "tests" / "browser" / "serve_stub.py"
    environment = os.environ | {
        "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "gradio"), "TMPDIR": str(folder),
        "PYTHONUNBUFFERED": "1", "STUB_HOLD": str(folder / "hold"),
    }  # fmt: skip
    log = folder / "log.txt"
    with log.open("w") as output:
        # Another working folder than the repository: nothing may depend on it.
        server = subprocess.Popen(
            [sys.executable, str(script)], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_for_server(url, server, log)
        yield Site(url, log, 512 if real else 64, folder / "hold")
    finally:
        server.terminate()
        server.wait(30)


def wait_for_server(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url + "config", timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    pytest.fail("The page did not start:\n" + log.read_text()[-2000:])


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    microphone = tmp_path_factory.mktemp("microphone") / "voice.wav"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(CLIP)]
    subprocess.run([*command, "-ar", "48000", "-c:a", "pcm_s16le", str(microphone)], check=True)
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, site: Site) -> Iterator[Any]:
    context = chromium.new_context(permissions=["microphone"], viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    faults, hosts = [], set()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2] if "://" in request.url else ""))
    page.goto(site.url)
    page.wait_for_selector("#run")
    yield page
    text = page.inner_text("body")
    context.close()
    assert not faults and "Traceback" not in text
    assert "Traceback" not in site.log.read_text()
    assert {host.split(":")[0] for host in hosts if host} == {"127.0.0.1"}  # nothing is fetched from elsewhere


def run(page: Any) -> None:
    page.wait_for_function("!document.querySelector('#run').disabled")
    page.click("#run")


def upload(page: Any, path: Path) -> None:
    page.set_input_files("#sound input[type=file]", str(path))


def check_result(page: Any, site: Site, shortest: float, longest: float) -> None:
    """Heatmap and weights can be seen, with words for those who cannot; the video plays with sound."""
    for name in ("memory", "weights"):
        picture = page.wait_for_selector(f"#{name} img")
        page.wait_for_function("image => image.complete && image.naturalWidth > 600", arg=picture)
        assert "memory slot" in picture.get_attribute("alt")
    page.wait_for_selector("#video video")
    page.wait_for_function("document.querySelector('#video video').readyState >= 3")
    page.evaluate("document.querySelector('#video video').play()")
    page.wait_for_function("document.querySelector('#video video').currentTime > 0.3")
    video = page.evaluate(
        """() => { const v = document.querySelector('#video video');
        return [v.duration, v.videoWidth, v.videoHeight, v.webkitAudioDecodedByteCount, v.webkitDecodedFrameCount] }"""
    )
    assert shortest <= video[0] <= longest and video[1] == video[2] == site.width
    assert video[3] > 0 and video[4] > 0
    assert "s of speech in" in page.inner_text("#status") and page.is_enabled("#run") and page.is_disabled("#stop")


def test_upload(page: Any, site: Site):
    assert page.inner_text("h1") == "MemoryTalker"
    assert page.is_disabled("#run") and page.is_disabled("#stop")
    upload(page, CLIP)
    with site.held():
        run(page)
        page.wait_for_selector("#memory img")
        if site.width == 64:  # the memory comes before the video; the real one may win on a fast machine
            assert page.query_selector("#video video") is None
    check_result(page, site, CLIP_SECONDS - 0.1, CLIP_SECONDS + 0.1)


def test_microphone(page: Any, site: Site):
    page.click("#sound button[aria-label='Record audio']")
    page.click("#sound button.record-button")
    page.wait_for_timeout(2500)
    assert page.is_disabled("#run")
    page.click("#sound button.stop-button")
    run(page)
    check_result(page, site, 1.5, 6.0)


def test_example_and_stop(page: Any, site: Site):
    page.click("#examples button >> nth=1")
    with site.held():
        run(page)
        page.wait_for_function("document.querySelector('#status progress')")
        page.click("#stop")
        page.wait_for_function("document.querySelector('#status').innerText.includes('Stopped')")
    page.wait_for_timeout(1500)
    assert page.query_selector("#video video") is None and page.is_enabled("#run") and page.is_disabled("#stop")
    assert "Stopped" in page.inner_text("#status")


def test_a_second_visitor_waits_and_may_leave(chromium: Any, page: Any, site: Site):
    other = chromium.new_page()
    other.goto(site.url)
    for one in (page, other):
        one.click("#examples button >> nth=1")
        one.wait_for_function("!document.querySelector('#run').disabled")
    with site.held():
        run(page)
        page.wait_for_function("document.querySelector('#status progress')")
        run(other)
        other.wait_for_function("document.querySelector('#status').innerText.includes('Waiting')")
        other.click("#stop")
        other.wait_for_function("document.querySelector('#status').innerText.includes('Stopped')")
    page.wait_for_selector("#video video")
    assert other.query_selector("#video video") is None and other.is_enabled("#run")
    other.close()


def test_text_named_wav(page: Any, site: Site, tmp_path: Path):
    path = tmp_path / "shopping <b>list.wav"
    path.write_text("milk, bread, butter\n" * 20)
    upload(page, path)
    run(page)
    toast = page.wait_for_selector("[data-testid=toast-body]")
    assert "is not a sound file that can be read" in toast.inner_text() and not toast.query_selector("b")
    page.wait_for_function("document.querySelector('#status').innerText.includes('not a sound file')")
    assert page.is_enabled("#run")


def test_phone_width(page: Any, site: Site):
    page.set_viewport_size({"width": 390, "height": 844})
    upload(page, CLIP)
    run(page)
    page.wait_for_selector("#memory img")
    page.wait_for_selector("#video video")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    left = page.evaluate("document.querySelector('#memory img').getBoundingClientRect().left")
    assert left >= 0  # the slot names stand at the left edge of the picture

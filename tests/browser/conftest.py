"""What every browser test needs: the page around the stub or the real talker, Chromium, and visits to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests")) if path not in sys.path]
import soundfile  # noqa: E402
from serving import site_of  # noqa: E402

from memorytalker.sound.decode import load_waveform  # noqa: E402
from tools.page.browser import CHROMIUM, GIVEN_SITE, Site, Visit, chromium  # noqa: E402

CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
WEIGHTS = ROOT / "weights" / "open" / "model.safetensors"


@pytest.fixture(scope="package")
def stub_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page around the stub: as quick as a network can be, and it can be held up."""
    yield from site_of(ROOT / "tests" / "browser" / "serve_stub.py", tmp_path_factory.mktemp("stub"))


@pytest.fixture(scope="package")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page as it ships, or the one that tools/space serves."""
    if given := os.environ.get(GIVEN_SITE):
        site = json.loads(given)
        yield Site(site["url"], int(site["process"]), Path(site["log"]), Path(site["folder"]))
        return
    if not WEIGHTS.exists():
        pytest.skip("the shipped weights are not there (make weights)")
    yield from site_of(ROOT / "app.py", tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="package")
def face_film(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """What Chromium's camera films: a real face, which lies beside the project and never in it; None without one."""
    clips = sorted((ROOT.parent / "shared" / "capture" / "film").glob("s26_*.mpg"))[:1]
    if not clips:
        return None
    path = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", str(clips[0]), "-an"]
    subprocess.run([*command, "-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p", str(path)], check=True)
    return path


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory, face_film: Path | None) -> Iterator[Any]:
    """Chromium whose microphone plays CLIP, over and over, and whose camera films a face where there is one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium here (apt-get install chromium)")
    flags = () if face_film is None else (f"--use-file-for-fake-video-capture={face_film}",)
    folder = tmp_path_factory.mktemp("browser")
    with playwright.sync_playwright() as driver, chromium(driver, folder, CLIP, *flags) as browser:
        yield browser


@pytest.fixture(scope="package")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of a man's voice, for tests that do not depend on the words."""
    path = tmp_path_factory.mktemp("clip") / "short.wav"
    soundfile.write(path, load_waveform(ROOT / "assets" / "speech" / "man_dove.wav").samples[:24000], 16000)
    return path


@pytest.fixture(scope="package")
def caches(browser: Any) -> dict[str, list[Any]]:
    """Browser profiles of visitors who have left: the next one need not fetch and compile the page's scripts again."""
    return {}


@pytest.fixture
def enter(browser: Any, caches: dict[str, list[Any]]) -> Iterator[Callable[..., Visit]]:
    """`enter(site, width=1280, height=900, dark=False, ...)`: a visitor on the page; with `caches=None` as the first.

    In the end nothing may have gone wrong in the page or its server, and nothing may have been asked of another host.
    """
    with ExitStack() as leaving:
        visits: list[Visit] = []

        def come(site: Site, **options: Any) -> Visit:
            visit = Visit(browser, site, **{"caches": caches, **options})
            leaving.callback(visit.close)
            visits.append(visit)
            return visit

        yield come
        for visit in visits:
            shown = "" if visit.page.is_closed() else visit.page.inner_text("body")
            assert not visit.faults and "Traceback" not in shown
            assert visit.hosts == {"127.0.0.1"}
            assert ("Traceback" in visit.log) == visit.may_log_failure, visit.log[-3000:]


@pytest.fixture
def visit(enter: Callable[..., Visit], stub_site: Site) -> Visit:
    """A visitor of the stub's page on a desktop; the head plays only on request, which is quicker."""
    return enter(stub_site, calm=True)

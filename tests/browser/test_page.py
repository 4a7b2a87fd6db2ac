"""The main uses of the page in a real browser: upload, microphone and example, Stop, and the style of another voice.

Everything runs against the stub talker and, where the shipped weights are there, against the real one.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from tools.page.browser import Site, Visit

CLIP = Path(__file__).resolve().parents[2] / "assets" / "speech" / "woman_farming.wav"
CLIP_SECONDS = 4.58


@pytest.fixture(params=["stub", "real"])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(f"{request.param}_site")


@pytest.fixture
def visit(enter: Callable[..., Visit], site: Site) -> Visit:
    return enter(site, calm=True)


def check_result(visit: Visit, shortest: float, longest: float) -> None:
    """Memory and style are shown, the head and the video play with sound, the settings are in the caption."""
    page = visit.page
    assert visit.inside("memory", ".summary") and visit.inside("style-words", "p")
    assert len(page.query_selector_all("#memory button.slot")) == 40
    seconds, width, height = visit.video("video")
    assert shortest <= seconds <= longest and width == height == (64 if "stub" in str(visit.site.folder) else 512)
    page.evaluate("document.querySelector('#video video').play()")
    page.wait_for_function("document.querySelector('#video video').currentTime > 0.3")
    decoded = page.evaluate(
        "(() => { const v = document.querySelector('#video video'); v.pause();"
        " return [v.webkitAudioDecodedByteCount, v.webkitDecodedFrameCount] })()"
    )
    assert min(decoded) > 0
    assert visit.head_ready() == pytest.approx(seconds, abs=0.06)
    image = Image.open(io.BytesIO(page.locator("#player canvas").screenshot())).convert("L")
    assert ImageStat.Stat(image).stddev[0] > 10  # a face on a ground, not one colour
    assert "same sound and settings give the same result" in page.inner_text("#caption")
    assert "video after" in page.inner_text("#status")
    assert page.is_enabled("#run") and page.is_disabled("#stop")


def test_upload(enter: Callable[..., Visit], site: Site):
    visit = enter(site)  # of the tests here, this one has a head that moves by itself
    page = visit.page
    assert page.inner_text("h1") == "MemoryTalker"
    assert page.is_disabled("#run") and page.is_disabled("#stop")
    visit.upload(CLIP)
    with site.held():
        visit.press("run")
        page.wait_for_selector("#memory .summary")
        visit.head_ready()
        if site.folder.name.startswith("stub"):  # the video comes last; the real one may win on a fast machine
            assert page.query_selector("#video video") is None
    check_result(visit, CLIP_SECONDS - 0.1, CLIP_SECONDS + 0.1)


def test_microphone(visit: Visit):
    page = visit.page
    page.click("#record")
    page.wait_for_timeout(2500)
    assert page.is_disabled("#run") and "Stop and talk" in page.inner_text("#record")
    page.click("#record")  # it stops, and talks
    visit.video("video")
    page.wait_for_function("!document.getElementById('run').disabled")
    assert page.inner_text("#record") == "Record yourself" and "s of sound" in page.inner_text("#voice-note")
    check_result(visit, 1.5, 20.0)  # on a busy machine it records for longer


def test_example_stopped_while_the_video_is_drawn(enter: Callable[..., Visit], stub_site: Site):
    """With the stub, whose video can be held up: the real one may be finished before a browser shows the head."""
    visit = enter(stub_site)
    page = visit.page
    with stub_site.held():
        page.click("#examples button >> nth=2")
        visit.head_ready()
        page.click("#stop")
        visit.says("status", "Stopped")
    page.wait_for_timeout(1200)
    assert page.query_selector("#video video") is None and page.is_enabled("#run") and page.is_disabled("#stop")
    assert "Stopped" in page.inner_text("#status")


def test_another_voice_gives_the_style(visit: Visit, short_clip: Path):
    """The style weights are the other voice's; the sound stays."""
    page, lists = visit.page, {}
    visit.upload(short_clip)
    visit.unfold("settings")
    for source in ("Of this voice", "Of another voice"):
        page.get_by_role("radio", name=source).check()
        if source == "Of another voice":
            visit.upload(CLIP, "second-voice")
        visit.animated()
        lists[source] = visit.inside("style-words", ".lists")
    assert lists["Of this voice"] != lists["Of another voice"]
    assert "style of another voice" in page.inner_text("#caption")
    check_result(visit, 1.4, 1.6)

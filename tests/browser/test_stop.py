"""Stopping: in every stage and while waiting, the worker is free and nothing stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.page.browser import Site, Visit

pytestmark = pytest.mark.walk

CLIP = Path(__file__).resolve().parents[2] / "assets" / "speech" / "man_dove.wav"

#: Gradio's request to cancel a run takes 1.5 s.
LATE_CANCEL = """() => {
  const now = window.fetch;
  window.fetch = async (...asked) => {
    if (String(asked[0]).endsWith("/cancel")) await new Promise((done) => setTimeout(done, 1500));
    return now(...asked);
  };
}"""


def stop(visit: Visit) -> None:
    visit.press("stop")
    visit.says("status", "Stopped")
    visit.page.wait_for_function("!document.getElementById('run').disabled")
    assert visit.page.is_disabled("#stop")


def leftovers(site: Site) -> list[str]:
    """Folders of requests."""
    return [path.name for path in site.folder.glob("memorytalker-*")]


def emptied(site: Site, seconds: float = 15.0) -> bool:
    """Whether no folder of a request is left, given time for the worker to let go at its next frame."""
    deadline = time.monotonic() + seconds
    while leftovers(site) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not leftovers(site)


@pytest.mark.parametrize("stage", ["network", "video"])
def test_stopped_in_a_stage(visit: Visit, stub_site: Site, stage: str, short_clip: Path):
    page = visit.page
    visit.upload(short_clip)
    with stub_site.held(stage):
        visit.press("run")
        if stage == "network":
            visit.says("status", "Recalling the motion")
        else:
            visit.says("status", "Drawing the video")
            visit.head_ready()
        assert leftovers(stub_site)
        stop(visit)
        page.wait_for_function("!document.querySelector('#status progress')")
    assert emptied(stub_site)
    page.wait_for_timeout(1000)  # nothing may come after it
    assert "Stopped" in page.inner_text("#status") and not page.query_selector("#video video")
    assert (page.query_selector("#memory .summary") is not None) == (stage == "video")  # results that were ready stay
    assert leftovers(stub_site) == []
    visit.animated()  # the worker is free
    assert visit.video("video")[0] > 1


def test_stopped_at_once_twice(visit: Visit, stub_site: Site, short_clip: Path):
    """Run, stop, run, stop, at once: the buttons agree with what happens."""
    visit.upload(short_clip)
    with stub_site.held("network"):
        for _ in range(2):
            visit.press("run")
            stop(visit)
    visit.animated()
    assert visit.video("video")[0] > 1


def test_stopped_again_while_the_server_is_slow(visit: Visit, stub_site: Site, short_clip: Path):
    """A run that begins as soon as it can be begun is not taken for the one that was cancelled before it."""

    visit.upload(short_clip)
    visit.page.evaluate(LATE_CANCEL)
    with stub_site.held("network"):
        visit.press("run")
        visit.says("status", "Recalling the motion")
        stop(visit)
        visit.press("run")
        visit.says("status", "Recalling the motion")
        visit.page.wait_for_timeout(2500)  # for what may still come of the first
        assert visit.page.is_enabled("#stop") and visit.page.is_disabled("#run")
        stop(visit)
    assert emptied(stub_site)


def test_who_waits_can_see_it_and_may_leave(enter: Callable[..., Visit], stub_site: Site, short_clip: Path):
    first, second = enter(stub_site, calm=True), enter(stub_site, calm=True)
    for visit in (first, second):
        visit.upload(short_clip)
    with stub_site.held():
        first.press("run")
        first.says("status", "Drawing the video")
        second.press("run")
        second.says("status", "Waiting in the queue")
        stop(second)
    first.video("video")
    assert not second.page.query_selector("#video video")


def test_who_closes_the_tab_stops_too(enter: Callable[..., Visit], stub_site: Site, short_clip: Path):
    first, second = enter(stub_site, calm=True), enter(stub_site, calm=True)
    first.upload(short_clip)
    second.upload(short_clip)
    with stub_site.held():
        first.press("run")
        first.says("status", "Drawing the video")
        first.page.close()
        second.press("run")
        second.page.wait_for_timeout(500)
    second.video("video")
    second.page.wait_for_function("!document.getElementById('run').disabled")
    assert emptied(stub_site)

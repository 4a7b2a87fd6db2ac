"""Several visitors: nobody sees anything of another, and when all have left nothing of them is there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import urlopen

import pytest

from tools.page.browser import Site, Visit
from tools.page.held import held, settled

pytestmark = pytest.mark.walk

SPEECH = Path(__file__).resolve().parents[2] / "assets" / "speech"
VISITS = 3


def test_two_at_once_see_nothing_of_each_other(enter: Callable[..., Visit], stub_site: Site, tmp_path: Path):
    first, second = enter(stub_site, calm=True), enter(stub_site, calm=True, dark=True)
    dark = "document.body.classList.contains('dark')"
    assert [visit.page.evaluate(dark) for visit in (first, second)] == [False, True]
    for visit, name, clip in ((first, "hers", "woman_farming.wav"), (second, "his", "man_dove.wav")):
        # Names that the page does not know: every visitor's page names the bundled ones.
        visit.upload(shutil.copy(SPEECH / clip, tmp_path / f"{name}-alone.wav"))
    for visit in (first, second):
        visit.unfold("settings")
    first.page.get_by_role("radio", name="Neutral").check()
    first.page.get_by_role("checkbox", name="Expression").uncheck()
    with stub_site.held():
        first.press("run")
        first.says("status", "Drawing the video")
        second.press("run")
        second.says("status", "Waiting in the queue")
    videos = [visit.video("video")[0] for visit in (first, second)]
    assert videos[0] == pytest.approx(4.58, abs=0.1) and videos[1] != pytest.approx(4.58, abs=0.3)
    captions = [visit.page.inner_text("#caption") for visit in (first, second)]
    assert "neutral style" in captions[0] and "expression off" in captions[0]
    assert "neutral" not in captions[1] and "expression on" in captions[1]
    assert first.page.get_by_role("radio", name="Neutral").is_checked()
    assert second.page.get_by_role("radio", name="Of this voice").is_checked()
    texts = [visit.page.content() for visit in (first, second)]
    assert "his-alone" not in texts[0] and "hers-alone" not in texts[1]
    addresses = [visit.page.get_attribute("#video video", "src") for visit in (first, second)]
    assert addresses[0].rsplit("/", 3)[1:3] != addresses[1].rsplit("/", 3)[1:3]
    urlopen(addresses[0], timeout=10).close()
    first.close()
    assert gone(addresses[0])  # with its visitor
    urlopen(addresses[1], timeout=10).close()


def gone(address: str, seconds: float = 15.0) -> bool:
    """Whether a result is deleted, and refused from then on; one that is asked for just then would be an error."""
    path, deadline = Path(unquote(address.split("file=")[1])), time.monotonic() + seconds
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    try:
        urlopen(address, timeout=10).close()
    except HTTPError as error:
        return error.code in (403, 404)
    return False


def test_nothing_accumulates(enter: Callable[..., Visit], stub_site: Site):
    """Visits that come, talk and go leave no file, thread or process behind, and little memory."""
    visited(enter, stub_site, 2)  # what is made once and kept
    before = held(stub_site)
    visited(enter, stub_site, VISITS)
    after = settled(stub_site, before)
    assert after.files <= before.files and after.processes == before.processes
    assert after.threads <= before.threads and after.descriptors <= before.descriptors + 2
    assert after.memory - before.memory < 40e6, f"{(after.memory - before.memory) / 1e6:.0f} MB are kept"


def visited(enter: Callable[..., Visit], site: Site, visits: int) -> None:
    for number in range(visits):
        visit = enter(site, calm=True)
        visit.page.click(f"#examples button >> nth={number % 3}")
        visit.video("video")  # an example talks at once
        visit.page.wait_for_function("!document.getElementById('run').disabled")
        visit.close()

"""A page for everybody: axe-core on every tab in both themes, keys alone, a phone, no microphone, no 3D, calm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_findings import findings

from tools.page.browser import Site, Visit

BLUE = Path(__file__).resolve().parents[2] / "assets" / "speech" / "woman_blue.wav"
COMPARE = "How accurate is it?"
TABS = ("Animate", COMPARE, "About")


def begun(visit: Visit) -> None:
    """Wait until the page's own script runs, which completes what Gradio leaves to say."""
    visit.page.wait_for_selector("#video .empty[role=img]", state="attached")


@pytest.mark.walk
def test_axe_finds_nothing_serious(enter: Callable[..., Visit], stub_site: Site, short_clip: Path):
    visit = enter(stub_site, calm=True)
    page, found = visit.page, {}
    begun(visit)
    for name in TABS:
        visit.tab(name)
        page.wait_for_timeout(300)
        found[f"{name}, empty"] = findings(page)
    visit.tab("Animate")
    visit.unfold("settings")
    page.get_by_role("radio", name="Of another voice").check()
    visit.upload(short_clip, "second-voice")
    visit.upload(short_clip)
    with stub_site.held():
        visit.press("run")
        visit.head_ready()
        found["while drawn"] = findings(page)
    visit.video("video")
    visit.page.wait_for_function("!document.getElementById('run').disabled")
    page.click("#memory button.slot >> nth=3")
    page.wait_for_selector("#slot-faces img")
    visit.upload(BLUE, "second-voice")
    page.wait_for_selector("#voices .bars")
    for name in ("adjust", "downloads"):
        page.click(f"#{name} button")
    page.wait_for_selector("#shape-gain input[type=number]", state="visible")
    found["with results"] = findings(page)
    visit.upload(BLUE)
    page.locator("#seed input").fill("-1")
    visit.press("run")
    visit.says("status", "is a whole number from 0 on")
    found["with a mistake"] = findings(page)
    visit.tab(COMPARE)
    visit.press("compare-run")
    visit.video("compare-video")
    found["compared"] = findings(page)
    assert not any(found.values()), "\n".join(f"{place}: {what}" for place, what in found.items() if what)


def test_a_fault_is_found_in_the_theme_that_has_it(visit: Visit):
    """A grey that can be read on white and not on black, and the reverse, and a button without a name."""
    page = visit.page
    begun(visit)
    assert findings(page) == []
    page.evaluate("""() => document.querySelector("#header").insertAdjacentHTML("beforeend", `
        <style>.light-only { color: #888 !important } .dark .light-only { color: #fff !important }
        .dark-only { color: #000 !important } .dark .dark-only { color: #555 !important }</style>
        <p class="light-only">One</p><p class="dark-only">Two</p><button></button>`)""")
    found = findings(page)
    assert [("light-only" in one, "dark-only" in one) for one in found if "color-contrast" in one] == [
        (True, False), (False, True)
    ]  # fmt: skip
    assert any("button-name" in one for one in found)
    assert not page.evaluate("document.body.classList.contains('dark')")


def test_keys_alone(visit: Visit):
    """From the first tab stop to a talking head, then to a slot's face and along the playhead, without a pointer."""
    page = visit.page

    def reach(selector: str, most: int = 80) -> None:
        for _ in range(most):
            if page.evaluate("selector => Boolean(document.activeElement?.closest(selector))", selector):
                return
            page.keyboard.press("Tab")
        pytest.fail(f"{selector} cannot be reached with the Tab key")

    reach("#examples button")
    page.keyboard.press("Enter")  # an example talks at once
    visit.head_ready()
    visit.video("video")
    page.wait_for_function("!document.getElementById('run').disabled")
    reach("#run")
    reach("#player .play")
    page.keyboard.press("Space")
    page.wait_for_function(f"{visit.player()}.playing")
    page.keyboard.press("Space")
    page.wait_for_function(f"!{visit.player()}.playing")
    reach("#player .seek")
    before = visit.head_at()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"{visit.player()}.seconds != {before}")
    reach("#memory button.slot")
    page.keyboard.press("Enter")
    page.wait_for_selector("#slot-faces img")
    reach("#memory [role=slider]")
    before = visit.head_at()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"Math.abs({visit.player()}.seconds - {before}) > 0.01")  # the head goes along
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_phone_width(enter: Callable[..., Visit], stub_site: Site, short_clip: Path):
    visit = enter(stub_site, calm=True, width=390, height=844, has_touch=True)
    page = visit.page
    for name in TABS:
        visit.tab(name)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    visit.tab("Animate")
    visit.upload(short_clip)
    visit.animated()
    visit.video("video")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for part in ("#player canvas", "#video video", "#memory button.slot", "#style-words"):
        box = page.locator(part).first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390.5, part
    small = page.evaluate(
        "[...document.querySelectorAll('#run, #stop, #player button')].filter((one) => one.offsetHeight"
        " && Math.min(one.offsetHeight, one.offsetWidth) < 24).map((one) => one.outerHTML)"
    )
    assert not small  # fingers are no pointers


def test_no_microphone(enter: Callable[..., Visit], stub_site: Site, browser: Any, short_clip: Path):
    """Whoever has none, or says no, can upload all the same."""
    visit = enter(stub_site, calm=True, permissions=())
    page = visit.page
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'));"
        "navigator.mediaDevices.enumerateDevices = () => Promise.resolve([]);"
    )
    page.reload()
    page.wait_for_selector("#run")
    page.click("#record")
    visit.says("record", "No microphone")
    assert "Traceback" not in page.inner_text("body")
    visit.upload(short_clip)
    visit.animated()
    visit.video("video")
    visit.faults.clear()  # Gradio itself writes to the console that there is no microphone


@pytest.mark.walk
def test_no_3d(enter: Callable[..., Visit], stub_site: Site, short_clip: Path):
    """Without WebGL a sentence stands in the head's place, and the rest comes as ever."""
    visit = enter(stub_site, calm=True)
    page = visit.page
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        " return kind.startsWith('webgl') ? null : get.call(this, kind, ...more) };"
    )
    page.reload()
    page.wait_for_selector("#run")
    visit.upload(short_clip)
    visit.animated()
    visit.says("player", "Your browser shows no 3D")
    visit.video("video")
    assert page.query_selector("#memory .summary")
    visit.faults = [fault for fault in visit.faults if "WebGL" not in fault]


@pytest.mark.walk
def test_less_motion_is_honoured(enter: Callable[..., Visit], stub_site: Site, short_clip: Path):
    plain, calm = enter(stub_site), enter(stub_site, calm=True)
    for visit, plays in ((plain, True), (calm, False)):
        visit.upload(short_clip)
        with stub_site.held():
            visit.press("run")
            visit.head_ready()
            visit.page.wait_for_timeout(400)
            assert visit.page.evaluate(f"{visit.player()}.playing") == plays
        visit.video("video")

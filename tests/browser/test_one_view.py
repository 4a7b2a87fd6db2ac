"""The page in one view: positions at both sizes, one click to a talking head, nothing lost, few stops of Tab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from tools.page.browser import Site, Visit

SPEECH = Path(__file__).resolve().parents[2] / "assets" / "speech"
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844, "has_touch": True}
BOX = """selector => { const box = document.querySelector(selector).getBoundingClientRect();
    return { left: box.left, right: box.right, top: box.top, bottom: box.bottom, height: box.height } }"""


def box(visit: Visit, selector: str) -> dict[str, float]:
    return visit.page.evaluate(BOX, selector)


def in_sight(visit: Visit, *selectors: str) -> None:
    size = visit.page.viewport_size
    for selector in selectors:
        found = box(visit, selector)
        assert found["height"] > 0 and found["top"] >= -1 and found["bottom"] <= size["height"] + 1, (selector, found)
        assert found["left"] >= -1 and found["right"] <= size["width"] + 1, (selector, found)


def waits(visit: Visit) -> None:
    """Wait until a head stands there."""
    visit.page.wait_for_selector("#player canvas", state="visible")


def talk(visit: Visit, number: int = 0) -> None:
    """One click."""
    visit.page.click(f"#examples button >> nth={number}")
    visit.head_ready()
    visit.page.wait_for_selector("#memory canvas")


def finished(visit: Visit) -> None:
    visit.video("video")
    visit.page.wait_for_function("!document.getElementById('run').disabled")


def test_on_a_laptop_head_sound_heatmap_and_bars_are_seen_together(enter: Callable[..., Visit], stub_site: Site):
    visit = enter(stub_site, calm=True, **LAPTOP)
    waits(visit)  # before any sound
    in_sight(visit, "#examples", "#record", "#sound", "#run", "#player canvas", "#head", "#settings")
    talk(visit)
    in_sight(
        visit, "#run", "#player canvas", "#player .transport", "#player .recalled", "#memory svg.wave",
        "#memory .scroller", "#memory .playhead", "#memory .slot[data-slot='0'] .style-bar",
        "#memory .group:last-child .slot:last-child .style-bar", "#memory .coloring",
    )  # fmt: skip
    assert visit.page.evaluate("scrollY") == 0
    recalled = visit.page.inner_text("#player .recalled")
    assert recalled.endswith(" %") and ("as in" in recalled or "silence" in recalled)
    finished(visit)


@pytest.mark.parametrize(("width", "height"), [(1200, 800), (1024, 768)])
def test_on_a_small_laptop_the_heatmap_keeps_its_width(
    enter: Callable[..., Visit], stub_site: Site, width: int, height: int
):
    visit = enter(stub_site, calm=True, width=width, height=height)
    waits(visit)
    talk(visit)
    head, frame, pad = (box(visit, part) for part in ("#player canvas", "#memory .scroller", "#memory .pad"))
    assert head["right"] <= frame["left"] and head["right"] - head["left"] >= 256  # beside each other
    assert min(pad["right"], frame["right"]) - pad["left"] >= 220  # without scrolling
    in_sight(visit, "#run", "#player canvas", "#player .transport", "#player .apart", "#memory svg.wave")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    finished(visit)


def test_on_a_phone_the_page_goes_to_the_head_which_stays_above_the_memory(
    enter: Callable[..., Visit], stub_site: Site
):
    visit = enter(stub_site, calm=True, **PHONE)
    page = visit.page
    waits(visit)
    in_sight(visit, "#examples", "#record", "#sound", "#run")
    tops = [box(visit, part)["top"] for part in ("#examples", "#run", "#player", "#head", "#memory")]
    assert tops == sorted(tops)  # voice, button, head, what is set, memory
    assert box(visit, "#player canvas")["top"] < 600
    talk(visit)
    page.wait_for_function(f"({BOX})('#player canvas').top < 20")
    in_sight(visit, "#player canvas", "#player .transport", "#player .recalled")
    page.evaluate("document.querySelector('#memory .slot[data-slot=\"20\"]').scrollIntoView({ block: 'end' })")
    in_sight(visit, "#player canvas", "#memory .slot[data-slot='20']")  # a head that can be seen
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    finished(visit)


def test_on_a_phone_the_page_stays_where_it_is_when_the_memory_appears(enter: Callable[..., Visit], stub_site: Site):
    visit = enter(stub_site, calm=True, **PHONE)
    waits(visit)
    with stub_site.held("network"):
        visit.page.click("#examples button >> nth=0")
        visit.says("status", "Recalling the motion")
        visit.page.evaluate("document.querySelector('#player').scrollIntoView()")
        visit.page.wait_for_timeout(300)
    visit.page.wait_for_selector("#memory canvas")
    visit.page.wait_for_timeout(300)
    assert box(visit, "#memory .scroller")["top"] > 300  # it was scrolled by
    finished(visit)


def test_one_click_talks_and_the_next_one_takes_its_place(enter: Callable[..., Visit], stub_site: Site):
    visit = enter(stub_site, **LAPTOP)
    talk(visit)
    visit.page.wait_for_function(f"{visit.player()}.playing")
    assert visit.head_ready() == pytest.approx(4.58, abs=0.1)
    with stub_site.held():
        visit.page.click("#examples button >> nth=2")  # while the video of the first is drawn, or after it
        visit.page.wait_for_function(f"Math.abs({visit.player()}.length - 5.9) < 0.1")
    finished(visit)
    assert visit.video("video")[0] == pytest.approx(5.9, abs=0.1)


def test_a_chosen_slot_is_held_by_the_head_until_it_talks_again(enter: Callable[..., Visit], stub_site: Site):
    visit = enter(stub_site, calm=True, **LAPTOP)
    talk(visit)
    visit.page.click("#memory .slot[data-slot='17'] .style-bar")
    visit.says("player", "The memory of ih, as in kit")
    held = visit.page.evaluate(f"Math.max(...{visit.player()}.view.figure.weights)")
    assert held > 0.3 and visit.page.evaluate("scrollY") == 0
    visit.page.evaluate(f"{visit.player()}.seek(0.5)")
    assert visit.page.inner_text("#player .notice") == ""
    finished(visit)


def test_one_press_takes_the_style_away_and_brings_it_back(enter: Callable[..., Visit], stub_site: Site):
    visit = enter(stub_site, **LAPTOP)
    talk(visit)
    button = visit.page.locator("#player button.style")
    button.wait_for(state="visible")
    assert "mm" in visit.page.inner_text("#player .apart") and button.inner_text() == "With this voice’s style"
    visit.page.evaluate(f"{visit.player()}.start()")
    button.click()
    assert button.inner_text() == "Without this voice’s style" and button.get_attribute("aria-pressed") == "false"
    assert visit.page.evaluate(f"{visit.player()}.curves.given !== {visit.player()}.curves.own")
    button.click()
    assert visit.page.evaluate(f"{visit.player()}.curves.given === {visit.player()}.curves.own")
    finished(visit)


def test_an_error_keeps_the_finished_result(visit: Visit, tmp_path: Path):
    """The stub breaks for a clip of 1.25 s."""
    page = visit.page
    talk(visit)
    finished(visit)
    state = "[document.querySelector('#video video').src, document.querySelector('#memory .summary').innerText]"
    before = page.evaluate(state), visit.head_ready(), page.inner_text("#caption")
    sound, rate = soundfile.read(SPEECH / "man_dove.wav")
    soundfile.write(tmp_path / "breaks.wav", sound[: int(1.25 * rate)], rate)
    visit.may_log_failure = True
    visit.upload(tmp_path / "breaks.wav")
    visit.press("run")
    visit.says("status", "on our side")
    assert (page.evaluate(state), visit.head_ready(), page.inner_text("#caption")) == before


def test_what_changed_since_the_result_is_said_and_a_head_changes_at_once(visit: Visit):
    page = visit.page
    talk(visit)
    finished(visit)
    head = f"{visit.player()}.view.figure.head"
    page.evaluate(f"window.worn = {head}")
    page.locator("#head input[value=old_man]").check(force=True)
    visit.says("changed", "Changed since: head. Press “Make it talk” again.")
    page.wait_for_function(f"{head} !== window.worn")
    assert visit.head_ready() > 4 and page.query_selector("#video video")  # nothing else went
    visit.unfold("settings")
    page.get_by_role("radio", name="Profile").check()
    visit.says("changed", "head, camera")
    visit.says("settings", "profile camera")
    page.wait_for_function(f"{visit.player()}.view.chosen === 'profile'")
    page.locator("#head input[value=woman]").check(force=True)
    page.get_by_role("radio", name="Front").check()
    page.wait_for_function("!document.querySelector('#changed').innerText.trim()")  # as it was


def test_the_head_waits_alive_and_is_still_for_who_wants_that(enter: Callable[..., Visit], stub_site: Site):
    moving, calm = enter(stub_site, **LAPTOP), enter(stub_site, calm=True, **LAPTOP)
    for visit in (moving, calm):
        waits(visit)
    seen = f"{moving.player()}.view.figure.turn.join()"
    before = moving.page.evaluate(seen)
    moving.page.wait_for_function(f"before => {seen} !== before", arg=before)
    still = calm.page.evaluate(seen)
    calm.page.wait_for_timeout(500)
    assert calm.page.evaluate(seen) == still


def test_few_stops_of_the_tab_key_lead_through_the_whole_page(visit: Visit):
    page = visit.page
    talk(visit)
    finished(visit)
    stops: list[str] = []
    page.evaluate("(() => { const top = document.querySelector('h1'); top.tabIndex = -1; top.focus() })()")
    for _ in range(80):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """(() => { const one = document.activeElement;
            if (one === document.body || one.closest("footer")) return null;
            // The browser's own player has stops inside, which are one element here.
            window.seen = (window.seen ?? new Set()).add(one);
            const name = one.getAttribute("aria-label") || one.innerText || one.className;
            return `${[...window.seen].indexOf(one)} ${name}` })()"""
        )
        if stop is None:
            break
        if stop not in stops:
            stops.append(stop)
    assert 10 < len(stops) < 25, stops


def test_arrow_keys_choose_a_head(visit: Visit):
    page = visit.page
    waits(visit)
    page.locator("#head input:checked").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.value === document.querySelector('#head input:checked').value")
    page.wait_for_function("document.activeElement.value === 'old_man'")
    assert (
        page.evaluate("[...document.querySelectorAll('#head input')].filter((one) => one.tabIndex === 0).length") == 1
    )

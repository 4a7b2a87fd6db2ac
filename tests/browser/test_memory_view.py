"""The Memory section in a real browser: planted numbers are in their places, mouse and keys find them, words agree."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_findings import findings
from serving import ROOT, site_of

from memorytalker.phones import ENGLISH
from tools.page.browser import Site, Visit

SCRIPT = ROOT / "tests" / "browser" / "serve_memory.py"
SECONDS, FPS = 4.0, 30
#: Around it are plain boxes of Gradio, which no style of the page makes readable.
OURS = ("#memory", "#slot-faces", "#style-column", "#voices", "#second-examples", "#second-voice")
WATCH = 'window.sought = []; document.addEventListener("memorytalker:seek", ({ detail }) => sought.push(detail));'
#: The colour of the heatmap at a slot's own row and a time: the canvas under the point beside the slot's name.
COLOR = """([slot, seconds]) => {
  const name = document.querySelector(`.memory-view [data-slot="${slot}"]`).getBoundingClientRect();
  const pad = document.querySelector(".memory-view .pad").getBoundingClientRect();
  const x = pad.left + pad.width * seconds / 4, y = (name.top + name.bottom) / 2;
  const canvas = [...document.querySelectorAll(".memory-view canvas")].find((one) => {
    const box = one.getBoundingClientRect();
    return y >= box.top && y < box.bottom;
  });
  const box = canvas.getBoundingClientRect();
  const at = (place, size, pixels) => Math.floor(place / size * pixels);
  return [...canvas.getContext("2d").getImageData(
    at(x - box.left, box.width, canvas.width), at(y - box.top, box.height, canvas.height), 1, 1).data].slice(0, 3);
}"""
PHONE = "document.activeElement.querySelector('.phone').textContent"
PLACE = """() => {
  const box = (name) => document.querySelector(`.memory-view ${name}`).getBoundingClientRect();
  return (box(".playhead").left + 1 - box(".pad").left) / box(".pad").width;
}"""


@pytest.fixture(scope="module")
def memory_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from site_of(SCRIPT, tmp_path_factory.mktemp("memory"))


@pytest.fixture
def come(enter: Callable[..., Visit], memory_site: Site) -> Callable[..., Visit]:
    """`come(talk=True, **options)`: a visitor of the section, by default with a result in it."""

    def visit(talk: str = "run", **options: Any) -> Visit:
        visit = enter(memory_site, **options)
        visit.page.wait_for_selector("#memory .empty")
        visit.page.evaluate(WATCH)
        if talk:
            visit.page.click(f"#{talk}")
            visit.page.wait_for_selector("#memory canvas")
        return visit

    return visit


def clock(visit: Visit, seconds: float, channel: str = "animate", playing: bool = False) -> None:
    detail = f"{{channel: '{channel}', seconds: {seconds}, playing: {str(playing).lower()}}}"
    visit.page.evaluate(f"document.dispatchEvent(new CustomEvent('memorytalker:time', {{detail: {detail}}}))")


def named(slot: int) -> str:
    phone = ENGLISH.phones[slot]
    return f"/{phone}/ ({ENGLISH.sample_words[phone]})"


def tone(path: Path, seconds: float, level: float = 0.3) -> Path:
    samples = (level * 32767 * np.sin(np.arange(round(16000 * seconds)) * 0.05)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.tobytes())
    return path


def test_before_a_result_a_sentence_says_what_will_be_here(come: Callable[..., Visit]) -> None:
    visit = come(talk="")
    assert "Once a head has talked" in visit.page.inner_text("#memory")
    assert "once a head has talked" in visit.page.inner_text("#style-words")
    visit.page.click("#run")
    visit.page.wait_for_selector("#memory canvas")
    visit.page.click("#clear")
    visit.page.wait_for_selector("#memory .empty")
    assert not visit.page.is_visible("#slot-faces h3") and not visit.page.query_selector("#style-words .bar-row")


def test_every_slot_lights_up_in_its_row_at_its_time(come: Callable[..., Visit]) -> None:
    visit = come()
    for slot in range(0, 40, 3):
        bright = visit.page.evaluate(COLOR, [slot, (slot + 0.5) / 10])
        dark = visit.page.evaluate(COLOR, [slot, ((slot + 20) % 40 + 0.5) / 10])
        assert bright[0] > 150 > bright[2] and sum(dark) < 170, ENGLISH.phones[slot]


def test_the_playhead_keeps_the_clock_of_its_channel_and_says_what_is_read(come: Callable[..., Visit]) -> None:
    visit = come()
    clock(visit, 1.25)
    assert visit.page.evaluate(PLACE) == pytest.approx(1.25 / SECONDS, abs=0.003)
    pad = visit.page.locator("#memory [role=slider]")
    assert pad.get_attribute("aria-valuenow") == "1.25" and pad.get_attribute("aria-valuemax") == "4.00"
    assert f"1.25 s: {named(12)} 90 %" in pad.get_attribute("aria-valuetext")
    assert visit.page.inner_text("#memory .readout") == pad.get_attribute("aria-valuetext")
    clock(visit, 3.0, channel="compare")
    assert visit.page.evaluate(PLACE) == pytest.approx(1.25 / SECONDS, abs=0.003)
    apart = float(pad.get_attribute("aria-valuetext").split("lips ")[1].split()[0])
    clock(visit, 3.9)
    assert float(pad.get_attribute("aria-valuetext").split("lips ")[1].split()[0]) > 2.5 * apart


def test_a_click_and_the_keys_move_the_clock(come: Callable[..., Visit]) -> None:
    visit = come()
    page, pad = visit.page, visit.page.locator("#memory [role=slider]")
    box = pad.bounding_box()
    pad.click(position={"x": 0.75 * box["width"], "y": 200})
    assert page.evaluate("sought.at(-1)") == {"channel": "animate", "seconds": pytest.approx(3.0, abs=0.01)}
    assert page.evaluate(PLACE) == pytest.approx(0.75, abs=0.005)
    page.keyboard.press("Home")
    for key, wanted in (
        ("ArrowRight", 1 / FPS), ("ArrowRight", 2 / FPS), ("Shift+ArrowRight", 12 / FPS), ("ArrowLeft", 11 / FPS),
        ("PageUp", 1 + 11 / FPS), ("PageDown", 11 / FPS), ("End", SECONDS), ("ArrowRight", SECONDS), ("Home", 0),
        ("ArrowLeft", 0),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert page.evaluate("sought.at(-1).seconds") == pytest.approx(wanted, abs=1e-6), key


def test_the_readout_follows_the_pointer(come: Callable[..., Visit]) -> None:
    visit = come()
    slot = 25
    row = visit.page.locator(f'#memory [data-slot="{slot}"]')
    row.scroll_into_view_if_needed()
    name, pad = row.bounding_box(), visit.page.locator("#memory .pad").bounding_box()
    visit.page.mouse.move(pad["x"] + pad["width"] * 0.505, name["y"] + name["height"] / 2)
    clock(visit, 3.0)
    readout = visit.page.inner_text("#memory .readout")
    assert f"{named(20)} 90 %" in readout and f"({named(slot)} 0 %)" in readout and "2.0" in readout


def test_a_slot_shows_its_face_in_both_styles(come: Callable[..., Visit]) -> None:
    visit = come()
    slot = ENGLISH.index("ow")
    visit.page.click(f'#memory [data-slot="{slot}"]')
    visit.says("slot-faces", "The face of /ow/")
    visit.page.wait_for_function("document.querySelectorAll('#slot-faces img').length == 2")
    neutral, styled = visit.page.locator("#slot-faces figcaption").all_inner_texts()
    assert neutral.startswith("Neutral: lips") and styled.startswith("In this style: lips")
    size = [float(text.split("lips ")[1].split()[0]) for text in (neutral, styled)]
    assert size[1] == pytest.approx(1.3 * 1.25 * size[0], rel=0.05)
    loaded = "[...document.querySelectorAll('#slot-faces img')].map((one) => one.naturalWidth)"
    assert min(visit.page.evaluate(loaded)) > 300
    assert visit.page.get_attribute(f'#memory [data-slot="{slot}"]', "aria-pressed") == "true"


def test_slots_are_reached_and_chosen_by_keys_alone(come: Callable[..., Visit]) -> None:
    visit = come()
    page = visit.page
    assert page.locator("#memory button.slot[tabindex='0']").count() == 1
    page.focus("#memory button.slot[tabindex='0']")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    slot = page.evaluate(PHONE)
    assert slot == "m" and page.locator("#memory button.slot[tabindex='0'] .phone").inner_text() == "m"
    page.keyboard.press("Enter")
    visit.says("slot-faces", "The face of /m/")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(PHONE) == "ay"  # around the corner
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "slider"


def test_the_style_is_shown_in_words_and_bars_and_bars_are_slots(come: Callable[..., Visit]) -> None:
    visit = come()
    visit.says("style-words", "rounds /ow uw/ 1.30")
    visit.page.click("#style-words summary")
    bars = visit.page.locator("#style-words .by-average .bar-row")
    assert bars.count() == 40 and bars.first.inner_text().split()[0] == "ow"
    visit.page.check("#style-words input[value=own]")
    assert not visit.page.is_visible("#style-words .by-average .bar-row")
    visit.page.locator("#style-words .by-own .bar-row").nth(1).click()
    visit.says("slot-faces", "The face of /uw/")
    assert visit.page.get_attribute(f'#memory [data-slot="{ENGLISH.index("uw")}"]', "aria-pressed") == "true"


def test_the_neutral_style_has_a_sentence_and_no_bars(come: Callable[..., Visit]) -> None:
    visit = come(talk="neutral")
    visit.says("style-words", "This is the neutral style")
    assert not visit.page.query_selector("#style-words .bar-row")
    visit.page.click('#memory [data-slot="6"]')
    visit.says("slot-faces", "so there is one face")


def test_two_voices_stand_side_by_side(come: Callable[..., Visit], tmp_path: Path) -> None:
    visit = come(talk="")
    visit.upload(tone(tmp_path / "short.wav", 2.0), "second-voice")
    visit.says("voices", "make a head talk")
    visit.page.click("#run")
    visit.says("voices", "the second voice weights the slots 0.50 × as strongly as the first")
    assert visit.page.locator("#voices .bar-row").count() == 40
    visit.page.click("#second-examples button >> nth=1")
    visit.says("voices", "weight every slot alike")
    visit.page.locator("#voices .bar-row").first.click()
    visit.says("slot-faces", "The face of ")


def test_second_voices_without_speech_are_refused_in_words(come: Callable[..., Visit], tmp_path: Path) -> None:
    visit = come()
    visit.page.wait_for_selector("#second-voice input[type=file]", state="attached")
    words = tmp_path / "a <b>list.wav"
    words.write_text("milk and bread\n" * 30)
    silence = tone(tmp_path / "silence.wav", 2.0, 0.0)
    for path, message in ((words, "not a sound file"), (silence, "has no speaking style")):
        visit.upload(path, "second-voice")
        visit.says("voices", message)
        assert visit.page.locator("#voices .wrong").count() == 1 and not visit.page.query_selector("#voices b")
        visit.page.click("#second-voice button[aria-label='Clear']")
        visit.says("voices", "Give a second voice")
    visit.faults[:] = [one for one in visit.faults if "Waveform load error" not in one]  # the browser's own player


def test_the_heatmap_is_there_as_text(come: Callable[..., Visit]) -> None:
    visit = come()
    assert "40 of 40 slots are the strongest at some moment, in 40 stretches" in visit.page.inner_text(
        "#memory .summary"
    )
    visit.page.click("#memory summary")
    visit.page.wait_for_selector("#memory table")
    rows = visit.page.locator("#memory tr").all_inner_texts()
    assert len(rows) == 41 and rows[13].split() == [ENGLISH.phones[12], "1.20", "s", "1.30", "s", "90", "%"]


def test_a_mouse_at_rest_does_not_stop_the_words_of_what_plays(come: Callable[..., Visit]) -> None:
    visit = come()
    pad = visit.page.locator("#memory .pad")
    pad.hover(position={"x": 100, "y": 200})
    visit.page.wait_for_timeout(1100)
    clock(visit, 3.0, playing=True)
    assert visit.page.inner_text("#memory .readout").startswith("3.00 s: ")
    pad.hover(position={"x": 102, "y": 200})
    clock(visit, 3.1)
    assert not visit.page.inner_text("#memory .readout").startswith("3.10 s: "), "at rest the mouse is answered"


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_names_stay_while_the_heatmap_scrolls(come: Callable[..., Visit], width: int) -> None:
    visit = come("slow", width=width, height=844, has_touch=True, is_mobile=True)  # 16 s: three times the phone's width
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    scroller = visit.page.locator("#memory .scroller")
    frame = scroller.bounding_box()
    clock(visit, 15.2, playing=True)
    assert scroller.evaluate("(one) => one.scrollLeft") > 300, "the playhead is followed"
    name = visit.page.locator('#memory [data-slot="12"]').bounding_box()
    assert frame["x"] <= name["x"] and name["x"] + name["width"] < frame["x"] + 170
    assert name["height"] >= 24 and visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_axe_finds_nothing_serious(come: Callable[..., Visit], tmp_path: Path) -> None:
    visit = come()
    visit.page.click('#memory [data-slot="6"]')
    visit.upload(tone(tmp_path / "short.wav", 2.0), "second-voice")
    visit.page.wait_for_selector("#voices .bar-row")
    visit.page.wait_for_selector("#slot-faces img")
    visit.page.click("#memory summary")
    assert not findings(visit.page, *OURS)


def test_style_bars_start_at_the_average_and_stand_in_the_rows(come: Callable[..., Visit]) -> None:
    visit = come()
    boxes = """slot => ["", " .style-bar", " .style-bar span"].map((part) => {
        const box = document.querySelector(`#memory [data-slot="${slot}"]${part}`).getBoundingClientRect();
        return [box.left, box.right, box.top, box.bottom] })"""
    for phone, kind in (("ow", "more"), ("t", "close")):
        row, track, bar = visit.page.evaluate(boxes, ENGLISH.index(phone))
        middle = (track[0] + track[1]) / 2
        assert bar[0] == pytest.approx(middle, abs=1) and row[2] <= bar[2] < bar[3] <= row[3]
        assert (bar[1] - bar[0] > 15) == (kind == "more")
        assert kind in visit.page.get_attribute(
            f'#memory [data-slot="{ENGLISH.index(phone)}"] .style-bar span', "class"
        )
    assert "1.30 × the average speaker" in visit.page.get_attribute(
        f'#memory [data-slot="{ENGLISH.index("ow")}"]', "title"
    )


def test_colours_can_say_what_the_style_makes_of_a_slot(come: Callable[..., Visit]) -> None:
    visit = come()
    ow, t = ENGLISH.index("ow"), ENGLISH.index("t")
    visit.page.click("#memory input[value=style]")
    assert "the average speaker" in visit.page.get_attribute("#memory .legend", "title")
    more, alike = (visit.page.evaluate(COLOR, [slot, (slot + 0.5) / 10]) for slot in (ow, t))
    assert more[0] > 200 > more[2] and max(alike) < 60
    visit.page.click("#memory input[value=share]")
    assert visit.page.evaluate(COLOR, [t, (t + 0.5) / 10])[0] > 150

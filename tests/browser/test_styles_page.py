"""Styles on the page: said in words, felt, moved by sliders, learned from oneself or loaded from a file."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import ROOT, site_of

from memorytalker.sound.decode import is_silent, load_waveform
from memorytalker.styles.style import Style
from tools.page.browser import Site, Visit

SLIDERS = "[...document.querySelectorAll('#sliders, #sliders *')].find((one) => one.panel)?.panel"


def open_sliders(visit: Visit) -> None:
    visit.unfold("settings")
    visit.unfold("delivery")
    visit.page.wait_for_selector("#sliders .rows .row")


def slide(visit: Visit, name: str, value: float) -> None:
    """Move a slider, as a finger does: its value, then its end."""
    visit.page.evaluate(
        """([name, value]) => {
          const input = document.querySelector(`#sliders input[name="${name}"]`);
          input.value = value;
          for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
        }""",
        [name, value],
    )


def row(visit: Visit, name: str) -> str:
    """What is written beside a slider."""
    label = f"""document.querySelector('#sliders input[name="{name}"]').closest("label")"""
    return visit.page.evaluate(f"{label}.querySelector('output').textContent")


def curve(visit: Visit, name: str) -> float:
    """A curve of the 3D head as it stands now."""
    return visit.page.evaluate(
        f"""(() => {{ const {{ figure, curves }} = {visit.player()}.view;
        return figure.weights[curves.names.indexOf("{name}")] ?? 0 }})()"""
    )


def set_curve(visit: Visit, name: str, wanted: str) -> None:
    """Wait until a curve of the head is as `wanted`, such as "> 0.2"."""
    visit.page.wait_for_function(
        f"""(() => {{ const {{ figure, curves }} = {visit.player()}.view;
        return (figure.weights[curves.names.indexOf("{name}")] ?? 0) {wanted} }})()"""
    )


def test_words_move_the_sliders_and_the_waiting_head(visit: Visit) -> None:
    page = visit.page
    page.wait_for_selector("#player canvas", state="visible")
    open_sliders(visit)
    page.fill("#describe-words textarea", "hardly opens her mouth, a bit happy, quux; from 4 s: shouting")
    page.click("#describe")
    visit.says("described", "Not understood: quux.")
    visit.says("described", "from 4 s")
    page.wait_for_function(f"{SLIDERS}.deliveries.length === 2")
    assert float(row(visit, "gains-jaw").split()[0]) < 0.6 and page.input_value("#sliders .mood") == "joy"
    moved = page.locator("#sliders .row.moved").all_inner_texts()
    assert len(moved) == 1 and moved[0].startswith("Jaw")  # and nothing else
    visit.says("settings", "joy")
    set_curve(visit, "mouthSmileLeft", "> 0.05")  # the waiting head smiles
    page.select_option("#sliders .moment", "1")
    assert float(row(visit, "gains-jaw").split()[0]) > 1.3
    slide(visit, "gains-jaw", 2.0)  # the visitor moves it on
    visit.says("settings", "jaw × 0.")
    page.fill("#describe-words textarea", "Der Mund bleibt fast geschlossen")
    page.click("#describe")
    visit.says("described", "only English is read here")
    assert row(visit, "gains-jaw") == "2.00 ×"
    page.click("#sliders .reset")
    page.wait_for_function("!document.querySelector('#settings > button').innerText.includes('jaw')")
    set_curve(visit, "mouthSmileLeft", "< 0.01")


def test_sliders_move_a_talking_head_at_once_and_the_video_follows(visit: Visit, short_clip: Path) -> None:
    page = visit.page
    visit.unfold("settings")
    page.get_by_role("checkbox", name="Expression").uncheck()
    visit.upload(short_clip)
    visit.animated()
    visit.head_ready()
    open_sliders(visit)
    page.wait_for_function(f"{visit.player()}.curves?.plain")
    page.evaluate(f"{visit.player()}.seek(0.7)")
    before = curve(visit, "jawOpen")
    assert before > 0.2
    slide(visit, "gains-jaw", 0.5)
    set_curve(visit, "jawOpen", f"< {0.7 * before}")
    visit.says("changed", "how it moves and feels")
    page.select_option("#sliders .mood", "anger")
    set_curve(visit, "browDownLeft", "> 0.2")
    page.select_option("#sliders .preset", "friendly")
    set_curve(visit, "mouthSmileLeft", "> 0.05")
    set_curve(visit, "browDownLeft", "< 0.1")
    smiling = curve(visit, "mouthSmileLeft")
    page.check("#sliders .arousal")  # this voice sounds calm at first
    set_curve(visit, "mouthSmileLeft", f"< {0.95 * smiling}")
    page.fill("#sliders .time", "1")
    page.click("#sliders .add")
    page.select_option("#sliders .mood", "surprise")
    visit.says("settings", "arousal")
    visit.animated()
    caption = page.inner_text("#caption")
    assert "joy 35 %" in caption and "from 1 s surprise 35 %" in caption and "follow the voice" in caption
    assert not page.inner_text("#changed").strip()
    page.click("#sliders .remove")
    visit.says("changed", "how it moves and feels")


def style_file(visit: Visit) -> Style:
    """The file that the page offers of the visitor's own style."""
    address = visit.page.wait_for_selector("#mine-file a[href]", state="attached").get_attribute("href")
    with urllib.request.urlopen(address, timeout=30) as answer:
        path = visit.site.folder / "loaded.json"
        path.write_bytes(answer.read())
    return Style.load(path)


def test_a_style_is_learned_shown_used_saved_and_loaded(visit: Visit, short_clip: Path, tmp_path: Path) -> None:
    page = visit.page
    visit.unfold("settings")
    page.get_by_role("radio", name="My own").check()  # before there is one; the fold opens
    page.wait_for_selector("#mine-files input[type=file]", state="attached")
    visit.upload(short_clip)
    visit.animated()
    visit.says("status", "no style of your own yet")
    for name in ("nobody.csv", "me.csv"):
        (tmp_path / name).write_text("curves")
        (tmp_path / name).with_suffix(".wav").write_bytes(short_clip.read_bytes())
    visit.clear("mine-files")
    page.set_input_files("#mine-files input[type=file]", [str(tmp_path / f"nobody.{end}") for end in ("csv", "wav")])
    visit.press("learn")
    visit.says("mine-status", "The learned style is not better")  # refused, in words
    assert page.inner_text("#mine-fit").strip() == ""
    visit.clear("mine-files")
    page.set_input_files("#mine-files input[type=file]", [str(tmp_path / "me.csv"), str(tmp_path / "me.wav")])
    visit.says("mine-status", "press “Learn my style”")
    visit.press("learn")
    visit.says("mine-fit", "3.00 mm")
    visit.says("mine-fit", "2.00 mm")
    assert page.locator("#mine-fit svg polyline").count() == 2
    assert page.get_by_role("radio", name="My own").is_checked()
    open_sliders(visit)
    assert row(visit, "gains-jaw") == "1.60 ×" and row(visit, "offsets-jaw") == "+0.10"
    visit.animated()
    caption = page.inner_text("#caption")
    assert "style learned from recordings" in caption and "jaw × 1.60" in caption
    saved = style_file(visit)
    assert saved.name == "My own style: me.csv me.wav" and saved.gains == {"jaw": 1.6}
    # The file is a style at once, in another session as in this.
    (tmp_path / "saved.json").write_text(
        json.dumps(saved.to_json() | {"name": "Saved", "deliveries": [{"gains": {"jaw": 0.7}}]})
    )
    visit.clear("mine-files")
    page.set_input_files("#mine-files input[type=file]", str(tmp_path / "saved.json"))
    visit.says("mine-fit", "In use: Saved.")
    page.wait_for_function(f"{SLIDERS}.delivery.gains.jaw === 0.7")
    (tmp_path / "broken.json").write_text('{"format": "memorytalker-style", "version": 9}')
    visit.clear("mine-files")
    page.set_input_files("#mine-files input[type=file]", str(tmp_path / "broken.json"))
    visit.says("mine-status", "another version")
    assert "In use: Saved." in page.inner_text("#mine-fit")  # an error takes nothing away


@pytest.mark.walk
def test_a_film_of_the_visitor_reaches_the_tracker(
    enter: Callable[..., Visit], stub_site: Site, face_film: Path | None
) -> None:
    """Chromium's camera films a face; the page's clock runs four times as fast, so that three seconds are twelve."""
    if face_film is None:
        pytest.skip("there is no film of a face beside the project (../shared/capture/film)")
    pytest.importorskip("ai_edge_litert", reason="the tracker's runtime is not installed (memorytalker[film])")
    from memorytalker.tracking.tracker import load_tracker
    from memorytalker.tracking.video_frames import VideoFrames

    visit = enter(stub_site, calm=True, permissions=("microphone", "camera"))
    page = visit.page
    visit.unfold("settings")
    visit.unfold("mine")
    page.wait_for_selector("#film")
    page.evaluate("(() => { const now = performance.now.bind(performance); performance.now = () => 4 * now() })()")
    page.click("#film")
    page.wait_for_selector("#film-preview video", state="visible")
    page.wait_for_function("document.querySelector('#film').textContent.includes('Stop')")
    page.click("#film")
    page.wait_for_function("document.querySelector('#film-preview').innerText.includes('at least 10 s')")  # too short
    page.click("#film")
    page.wait_for_function("Number(/\\d+/.exec(document.querySelector('#film').textContent)?.[0]) >= 14")
    page.click("#film")
    visit.says("mine-status", "me.webm: press “Learn my style”")
    assert page.evaluate("document.querySelector('#film-preview').hidden")
    film: Any = next((stub_site.folder / "gradio").rglob("me.webm"))
    tracker, frames = load_tracker(), [frame for k, frame in enumerate(VideoFrames(film, 60)) if k % 10 == 0]
    assert len(frames) > 3 and all(tracker.track(frame) is not None for frame in frames)  # a face in each
    assert load_waveform(film).seconds > 2 and not is_silent(load_waveform(film))
    visit.press("learn")
    visit.says("mine-fit", "In use: My own style: me.webm.")


@pytest.fixture(scope="module")
def unseen_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page with weights that never saw the man in the film, as they never saw a visitor."""
    if not (ROOT / "weights" / "left_out" / "grid_s26" / "model.safetensors").exists():
        pytest.skip("the weights without grid_s26 are not there (train folds)")
    yield from site_of(ROOT / "tests" / "browser" / "serve_unseen.py", tmp_path_factory.mktemp("unseen"))


@pytest.mark.walk
def test_a_real_film_becomes_a_style_that_animates(
    enter: Callable[..., Visit], unseen_site: Site, short_clip: Path
) -> None:
    clips = sorted((ROOT.parent / "shared" / "capture" / "film").glob("s26_*.mpg"))[:5]
    if not clips:
        pytest.skip("there is no film of a face beside the project (../shared/capture/film)")
    pytest.importorskip("ai_edge_litert", reason="the tracker's runtime is not installed (memorytalker[film])")
    visit = enter(unseen_site, calm=True)
    page = visit.page
    visit.unfold("settings")
    visit.unfold("mine")
    page.wait_for_selector("#mine-files input[type=file]", state="attached")
    page.set_input_files("#mine-files input[type=file]", [str(clip) for clip in clips])
    visit.says("mine-status", "and others: press “Learn my style”")
    visit.press("learn")
    visit.says("mine-status", "Following the face")
    visit.says("mine-status", "Learning the style")
    visit.says("mine-fit", "In use: My own style")
    report = style_file(visit).report
    assert report is not None and report.error_after < 0.8 * report.error_before
    assert page.locator("#mine-fit svg polyline").count() == 2
    visit.upload(short_clip)
    visit.animated()
    assert "style learned from recordings" in page.inner_text("#caption"), page.inner_text("#status")

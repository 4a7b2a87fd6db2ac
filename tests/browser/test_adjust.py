"""The sliders of the face: at once in the 3D head, without the server, and then in what is exported."""

from __future__ import annotations

import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from memorytalker.face.curve_files import read_curves
from memorytalker.page.animation_run import formats
from tools.page.browser import Visit

SHOWN = "document.querySelector('#face-changes textarea, #face-changes input').value"


def slide(visit: Visit, elem_id: str, value: float) -> None:
    """Type a value into a slider's field."""
    field = visit.page.locator(f"#{elem_id} input[type=number]")
    field.fill(str(value))
    field.press("Tab")


def weights(visit: Visit) -> dict[str, float]:
    """The curves of the 3D head as it stands now."""
    found = visit.page.evaluate(
        f"""(() => {{ const {{ curves, view }} = {visit.player()};
        return Object.fromEntries(curves.names.map((name, k) => [name, view.figure.weights[k]])) }})()"""
    )
    return {name: round(weight, 4) for name, weight in found.items()}


def download(visit: Visit, words: str, path: Path) -> Path:
    """Choose the format whose text begins with `words`, and have its file made."""
    visit.page.focus("#format input")
    visit.page.locator(f"#format [role=option]:has-text('{words}')").first.click()
    link = "document.querySelector('#download-file a[href]')?.href"
    before = visit.page.evaluate(link)
    visit.page.click("#prepare")
    address = visit.page.wait_for_function(f"before => {link} !== before && {link}", arg=before).json_value()
    with urllib.request.urlopen(address, timeout=30) as answer:
        path.write_bytes(answer.read())
    return path


def test_sliders_move_the_head_at_once_and_change_the_files(visit: Visit, short_clip: Path, tmp_path: Path) -> None:
    page = visit.page
    visit.unfold("settings")
    page.get_by_role("checkbox", name="Expression").uncheck()  # the stub's mouth alone
    visit.upload(short_clip)
    visit.animated()
    visit.head_ready()
    page.evaluate(f"{visit.player()}.seek(0.7)")
    before = weights(visit)
    assert before["jawOpen"] > 0.2 and before["browInnerUp"] == 0
    page.click("#adjust button")
    page.wait_for_selector("#upper-face input[type=number]", state="visible")
    page.wait_for_timeout(1000)  # Gradio sets what it has just mounted once more
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    slide(visit, "lower-face", 0.5)
    halved = f"before => {visit.player()}.view.figure.weights.some((w) => Math.abs(w - before / 2) < 1e-3)"
    page.wait_for_function(halved, arg=before["jawOpen"])
    slide(visit, "shape-gain", 0.5)
    page.locator("#shape input").click()
    page.locator("#shape [role=option]:has-text('browInnerUp')").first.click()
    page.wait_for_function("document.querySelector('#shape-gain input[type=number]').value === '1'")
    slide(visit, "shape-offset", 0.25)
    visit.says("face-summary", "Changed shapes: browInnerUp + 0.25, jawOpen × 0.50.")
    after = weights(visit)
    assert after["jawOpen"] == pytest.approx(before["jawOpen"] / 4, abs=1e-3) and after["browInnerUp"] == 0.25
    assert not [url for url in asked if "/gradio_api/" in url and "heartbeat" not in url], asked
    page.click("#downloads button")
    page.locator("#format input").click()
    titles = page.locator("#format [role=option]").all_inner_texts()
    assert [title.strip(" \n✓") for title in titles] == [each.title for each in formats().values()]
    written = read_curves(download(visit, "Live Link Face", tmp_path / "talk.csv")).curves
    frame = round(0.7 * written.fps)
    found = dict(zip(written.names, written.weights[frame], strict=True))
    assert found["jawOpen"] == pytest.approx(after["jawOpen"], abs=2e-3)
    assert np.ptp(written.weights[:, written.names.index("browInnerUp")]) < 1e-6
    assert found["browInnerUp"] == pytest.approx(0.25, abs=1e-4)
    visit.animated()  # the changes hold for the next one
    visit.head_ready()
    page.evaluate(f"{visit.player()}.seek(0.7)")
    assert weights(visit) == after and "face adjusted" in page.inner_text("#caption")
    page.click("#lower-face button")  # back to 1
    page.wait_for_function(halved, arg=before["jawOpen"])
    slide(visit, "lower-face", 2)
    page.click("#reset-face")
    page.wait_for_function("document.querySelector('#lower-face input[type=number]').value === '1'")
    page.wait_for_function(f"!{visit.player()}.changes.gains.jawOpen")
    assert weights(visit) == before and page.inner_text("#face-summary").strip() == ""


@pytest.mark.walk
def test_every_format_can_be_downloaded(visit: Visit, short_clip: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(short_clip)
    soundfile.write(tmp_path / "shorter.wav", sound[rate // 2 : rate * 5 // 4], rate)  # some formats hold every vertex
    visit.upload(tmp_path / "shorter.wav")
    visit.animated()
    visit.page.click("#downloads button")
    for each in formats().values():
        file = download(visit, each.title, tmp_path / f"talk-{each.name}")
        name = visit.page.get_attribute("#download-file a[href]", "download")
        wanted = each.file_name("sound")  # as the stub calls its sound
        assert name in (wanted, str(Path(wanted).with_suffix(".zip"))) and file.stat().st_size > 20, each.name
        if name != wanted:
            with zipfile.ZipFile(file) as archive:
                assert archive.testzip() is None and wanted in archive.namelist()

"""The tab Live in a real browser: a fake microphone moves the head, is recorded and handed on; and every refusal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from axe_findings import findings

from memorytalker.exports.livelink import ANGLES, SHAPES
from memorytalker.face.curve_files import read_curves
from memorytalker.page.live import NO_3D
from tools.page.browser import Site, Visit

LIVE = "document.querySelector('#live .live-view')?.parentElement.live"
#: Before anything else: contexts of a rate, and what the microphone gives.
AT_RATE = """
const Before = AudioContext;
window.AudioContext = class extends Before {{
  constructor(options) {{ super({{ ...options, sampleRate: {rate} }}); }}
}};
"""
KEEP_TRACK = """
const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  (window.wanted ??= []).push(wanted);
  const stream = await get(wanted);
  window.track = stream.getTracks()[0];
  return stream;
};
"""


@pytest.fixture
def come(enter: Callable[..., Visit], stub_site: Site) -> Callable[..., Visit]:
    """`come(script="", **options)`: a visitor who looks at the tab Live, in whose page `script` ran first."""

    def visit(script: str = "", **options: Any) -> Visit:
        visit = enter(stub_site, **{"calm": True, **options})
        if script:
            visit.page.evaluate("() => {" + script + "}")
        visit.tab("Live")
        visit.page.wait_for_selector("#live .live-view")
        visit.page.wait_for_function(f"{LIVE}.talker?.config && {LIVE}.stage.curves")
        return visit

    return visit


def follow(visit: Visit) -> None:
    visit.page.click(".live-start")
    says(visit, "Following")


def says(visit: Visit, words: str) -> None:
    visit.page.wait_for_function(
        "words => document.querySelector('.live-says')?.textContent.includes(words)", arg=words
    )


def sounds_sent(visit: Visit) -> set[Path]:
    """What this visitor and those before have uploaded."""
    return set((visit.site.folder / "gradio").rglob("*.wav"))


def faces(visit: Visit, count: int = 40) -> np.ndarray:
    """What the head shows, (count, S), every 50 ms."""
    rows = visit.page.evaluate(
        f"""async (count) => {{
          const rows = [];
          for (let k = 0; k < count; k += 1) {{
            rows.push([...{LIVE}.stage.curves.morphTargetInfluences]);
            await new Promise((done) => setTimeout(done, 50));
          }}
          return rows;
        }}""", count,
    )  # fmt: skip
    return np.array(rows)


def test_a_voice_moves_the_head_and_is_recorded_and_handed_on(come: Callable[..., Visit], tmp_path: Path) -> None:
    visit = come()
    page, sent = visit.page, sounds_sent(visit)
    follow(visit)
    page.click(".live-record")
    moved = faces(visit)
    assert np.ptp(moved, axis=0).max() > 0.2, "the head stands still"
    assert "Now: /" in page.inner_text(".live-now") or "Now: silence" in page.inner_text(".live-now")
    page.wait_for_function("document.querySelector('.live-meter').ariaValueNow > -55")
    page.wait_for_function("document.querySelector('.live-meter i').offsetWidth > 10")
    assert page.inner_text(".live-shown").endswith("ms") and page.inner_text(".live-load").endswith("of a core")
    colors = page.evaluate(
        "() => { const c = document.querySelector('.live-strip canvas');"
        " return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size }"
    )
    assert colors > 20, "no column moved"
    page.click(".live-record")
    page.wait_for_selector(".live-recording:not([hidden])")

    files = {}
    for name in ("wav", "csv"):
        with page.expect_download() as download:
            page.click(f".live-{name}")
        files[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[name])
    samples, rate = soundfile.read(files["wav"])
    curves = read_curves(files["csv"]).curves
    assert rate >= 44100 and np.std(samples) > 0.005
    assert len(curves.weights) == pytest.approx(30 * len(samples) / rate, abs=1) and len(samples) / rate > 1
    header = next(csv.reader(io.StringIO(files["csv"].read_text())))
    assert header[2:] == [name[0].upper() + name[1:] for name in (*SHAPES, *ANGLES)]
    kept = page.evaluate(f"{LIVE}.take.frames.map(({{ curves }}) => curves.jawOpen)")
    np.testing.assert_allclose(curves.weights[:, curves.names.index("jawOpen")], kept, atol=1e-9)
    assert visit.player("live") and page.evaluate(f"{LIVE}.player.length") == pytest.approx(len(kept) / 30)
    assert page.evaluate("document.querySelectorAll('#sound audio, #sound button[aria-label=Clear]').length") == 0
    assert sounds_sent(visit) == sent, "sound was sent before anybody asked for it"

    page.select_option(".live-formats", "npz" if page.query_selector(".live-formats option[value=npz]") else "livelink")
    page.click(".live-prepare")
    with page.expect_download() as download:
        page.click("#live-file a[download], #live-file a")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.stat().st_size > 10_000

    page.click(".live-animate")
    page.wait_for_selector("#sound button[aria-label='Clear']")
    page.wait_for_function("!document.getElementById('run').disabled")
    assert page.get_by_role("tab", name="Animate", exact=True).get_attribute("aria-selected") == "true"


@pytest.mark.walk
def test_the_recording_is_what_the_library_says_of_its_sound(come: Callable[..., Visit]) -> None:
    """Sound and curves begin together: the network, given the recorded sound, opens the mouth at the same times."""
    visit = come()
    follow(visit)
    page = visit.page
    page.wait_for_timeout(1000)
    page.click(".live-record")
    page.wait_for_timeout(2500)
    page.click(".live-record")
    page.wait_for_selector(".live-recording:not([hidden])")
    heard = page.evaluate(
        f"""async () => {{
          const {{ take, library }} = {LIVE};
          const fetched = performance.getEntriesByType("resource").map(({{ name }}) => name);
          const model = fetched.find((name) => name.endsWith("/config.json")).replace(/config.json$/, "");
          const talker = await library.createTalker({{ model }}).ready;
          const frames = [...talker.push(take.samples, take.rate), ...talker.end()];
          const names = talker.config.shapes;
          const of = (list) => list.map(({{ curves }}) => names.map((name) => curves[name]));
          return {{ recorded: of(take.frames), again: of(frames) }};
        }}"""
    )
    recorded, again = (np.array(heard[name]) for name in ("recorded", "again"))
    frames = min(len(recorded), len(again))
    assert abs(len(recorded) - len(again)) <= 1
    late = slice(20, frames - 5)  # the first frames of a sound know less of what was before

    def distance(shift: int) -> float:
        return float(np.abs(np.roll(again[:frames], shift, axis=0)[late] - recorded[:frames][late]).mean())

    assert min(range(-4, 5), key=distance) == 0


@pytest.mark.parametrize("rate", [8000, pytest.param(48000, marks=pytest.mark.walk)])
def test_every_rate_is_followed(come: Callable[..., Visit], rate: int) -> None:
    visit = come(AT_RATE.format(rate=rate))
    follow(visit)
    assert f"at {rate // 1000} kHz" in visit.page.inner_text(".live-says")
    assert np.ptp(faces(visit), axis=0).max() > 0.1


def test_head_style_and_mood_change_the_face(come: Callable[..., Visit]) -> None:
    visit = come()
    page = visit.page
    follow(visit)
    at = {name: k for k, name in enumerate(page.evaluate(f"{LIVE}.stage.curves.names"))}
    page.select_option(".live-moods", "surprise")
    page.fill(".live-strength", "1")
    page.wait_for_function(f"{LIVE}.stage.curves.morphTargetInfluences[{at['browInnerUp']}] > 0.7")
    page.select_option(".live-moods", "")
    page.wait_for_function(f"{LIVE}.stage.curves.morphTargetInfluences[{at['browInnerUp']}] === 0")
    page.click(".live-gains summary")
    page.fill(".live-gains input[name=spread]", "0")
    page.wait_for_function(f"{LIVE}.stage.curves.morphTargetInfluences[{at['mouthStretchLeft']}] === 0")
    page.click(".live-reset")
    assert page.evaluate(f"{LIVE}.style.deliveries[0].gains") == {}
    page.select_option(".live-styles", "style:mumbling")
    assert page.evaluate(f"{LIVE}.style.deliveries[0].gains.jaw") == 0.45
    page.select_option(".live-styles", index=page.evaluate("document.querySelector('.live-styles').length - 1"))
    page.wait_for_function(f"{LIVE}.talker.styleWeights?.length === 40")
    before = page.evaluate(f"{LIVE}.head")
    page.select_option(".live-heads", index=1)
    page.wait_for_function(f"{LIVE}.head !== {json.dumps(before)} && {LIVE}.stage.curves")
    assert np.ptp(faces(visit, 30), axis=0).max() > 0.1, "the other head stands still"


def test_mute_closes_and_stop_rests(come: Callable[..., Visit]) -> None:
    visit = come(KEEP_TRACK)
    page = visit.page
    follow(visit)
    page.click(".live-mute")
    assert page.get_attribute(".live-mute", "aria-pressed") == "true" and not page.evaluate("track.enabled")
    page.click(".live-mute")
    assert page.evaluate("track.enabled")
    page.click(".live-start")
    assert page.evaluate("track.readyState") == "ended" and page.is_disabled(".live-record")
    assert not faces(visit, 1).any() and "stays in this browser" in page.inner_text(".live-says")


def test_an_unplugged_microphone_is_said_and_another_may_be_chosen(come: Callable[..., Visit]) -> None:
    visit = come(KEEP_TRACK)
    page = visit.page
    follow(visit)
    page.wait_for_selector(".live-device:not([hidden])")
    others = page.evaluate("[...document.querySelectorAll('.live-device option')].map(({ value }) => value)")
    page.select_option(".live-device select", others[-1])
    page.wait_for_function("window.wanted.length === 2")
    assert page.evaluate("wanted[1].audio.deviceId.exact") == others[-1]
    says(visit, "Following")
    page.evaluate("track.dispatchEvent(new Event('ended'))")
    says(visit, "unplugged")
    assert page.inner_text(".live-start") == "Use the microphone"
    follow(visit)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))",
            "allow it",
        ),
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))",
            "no microphone",
        ),
        ("Object.defineProperty(BaseAudioContext.prototype, 'audioWorklet', { value: undefined })", "AudioWorklet"),
        ("window.AudioContext = undefined", "Web Audio"),
    ],
)
def test_why_not_is_said(come: Callable[..., Visit], script: str, words: str) -> None:
    visit = come(script)
    visit.page.click(".live-start")
    says(visit, words)
    assert visit.page.inner_text(".live-start") == "Use the microphone"


def test_no_webassembly_and_no_3d(enter: Callable[..., Visit], stub_site: Site) -> None:
    """The network is plain JavaScript, so that it needs no WebAssembly; without WebGL the rest goes on."""
    visit = enter(stub_site, calm=True)
    visit.page.evaluate(
        """() => { delete window.WebAssembly; const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
          return kind.startsWith("webgl") ? null : get.call(this, kind, ...more); }; }"""
    )
    visit.tab("Live")
    visit.page.wait_for_function(f"document.querySelector('.live-head .notice')?.textContent === {json.dumps(NO_3D)}")
    follow(visit)
    visit.page.wait_for_function("document.querySelector('.live-now').textContent.startsWith('Now')")


@pytest.mark.walk
def test_an_example_speaks_and_ends(come: Callable[..., Visit]) -> None:
    visit = come()
    visit.page.click(".live-voices summary")
    visit.page.click(".live-voices button >> nth=0")
    says(visit, "Following an example")
    assert np.ptp(faces(visit), axis=0).max() > 0.1
    says(visit, "The example has ended.")


def test_the_tab_is_for_everybody_on_a_phone_too(come: Callable[..., Visit]) -> None:
    visit = come(width=390, height=844)
    page = visit.page
    assert not findings(page)
    follow(visit)
    page.click(".live-record")
    page.wait_for_timeout(1500)
    page.click(".live-record")
    page.wait_for_selector(".live-recording:not([hidden])")
    for name in ("gains", "voices"):
        page.click(f".live-{name} summary")
    assert not findings(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a phone"

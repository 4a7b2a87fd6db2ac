"""The small library of web/ in a real browser, from a static folder: a fake microphone, every rate, and both demos."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_case import CONFIG, lively_network
from serving import ROOT

from memorytalker import load_waveform
from memorytalker.live_motion import live_end, live_frames, live_start
from memorytalker.live_weights import load_live, save_live

CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
#: Follows the microphone at a rate for a while; what came is returned.
FOLLOW = """async ([rate, seconds]) => {
  const { createTalker, openMicrophone } = await import("/web/src/index.js");
  const context = new AudioContext({ sampleRate: rate });
  const frames = [];
  const names = ["jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthSmileLeft"];
  const face = {
    morphTargetDictionary: Object.fromEntries(names.map((name, k) => [name, k])),
    morphTargetInfluences: names.map(() => 0),
  };
  const microphone = await openMicrophone(context);
  const talker = createTalker({ model: "/weights/live" }).drive((frame) => frames.push(frame)).drive(face);
  await talker.connect(microphone.node).connected;
  const shown = [];
  const began = performance.now();
  while (performance.now() - began < 60000 && frames.length < 30 * seconds) {
    await new Promise((done) => setTimeout(done, 50));
    shown.push(face.morphTargetInfluences.reduce((sum, one) => sum + one, 0));
  }
  talker.disconnect();
  microphone.stop();
  const heard = frames.length;
  await new Promise((done) => setTimeout(done, 200));
  const result = {
    rate: context.sampleRate, numbers: frames.map(({ frame }) => frame), after: frames.length - heard,
    curves: frames.map(({ curves }) => Object.values(curves)), shown, measures: talker.measures,
    label: microphone.label, offsets: frames.map(({ heard, t }) => heard - t),
  };
  await context.close();
  return result;
}"""
PUSH = """async (name) => {
  const { createTalker } = await import("/web/src/index.js");
  const bytes = await (await fetch(name)).arrayBuffer();
  const samples = Float32Array.from(new Int16Array(bytes.slice(44)), (sample) => sample / 32768);
  const talker = await createTalker({ model: "/weights/live" }).ready;
  const frames = [];
  for (let k = 0; k < samples.length; k += 512) frames.push(...talker.push(samples.subarray(k, k + 512)));
  frames.push(...talker.end());
  return { shapes: talker.config.shapes, curves: frames.map(({ curves }) => Object.values(curves)) };
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


def serve(folder: Path, live: bool) -> None:
    """Lay out a static folder as README of web/ says: the clone, with or without live weights."""
    for name in ("web", "memorytalker", "assets"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "weights").mkdir()
    if live:
        save_live(lively_network(), folder / "weights" / "live")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], str]]:
    """`address(live)`: where the folder is served, with or without live weights."""
    with ExitStack() as ending:

        @functools.cache
        def of(live: bool) -> str:
            folder = tmp_path_factory.mktemp("static")
            serve(folder, live)
            handler = functools.partial(Quiet, directory=str(folder))
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            ending.callback(server.server_close)
            ending.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield of


@pytest.fixture
def opened(browser: Any, address: Callable[[bool], str]) -> Iterator[Callable[..., Any]]:
    """`opened(path, live=True, script="")`: a page; nothing may go wrong in it, and nothing comes from elsewhere."""
    faults: list[str] = []
    with ExitStack() as ending:

        def come(path: str, live: bool = True, script: str = "") -> Any:
            context = browser.new_context(permissions=["microphone"], viewport={"width": 700, "height": 900})
            ending.callback(context.close)
            context.set_default_timeout(90_000)
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("request", lambda request: None if "127.0.0.1" in request.url else faults.append(request.url))
            if script:
                page.add_init_script(script)
            page.goto(address(live) + path)
            return page

        yield come
        assert not [one for one in faults if not one.startswith(("blob:", "data:"))]


def test_the_browser_gives_what_python_gives(opened: Callable[..., Any], address: Callable[[bool], str]) -> None:
    page = opened("/web/demo/demo.css")
    found = page.evaluate(PUSH, "/assets/speech/woman_farming.wav")
    network = _reloaded(address(True), page)
    state, first = live_frames(network, live_start(network), load_waveform(CLIP).samples)
    expected = np.concatenate([first.curves, live_end(network, state)[1].curves])
    assert tuple(found["shapes"]) == CONFIG.shapes and np.ptp(expected, axis=0).max() > 0.3
    np.testing.assert_allclose(found["curves"], expected, atol=1e-3)


def _reloaded(url: str, page: Any) -> Any:
    """The network that the page has, with weights rounded as its file has them."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for name in ("config.json", "model.safetensors"):
            (Path(folder) / name).write_bytes(page.request.get(f"{url}/weights/live/{name}").body())
        return load_live(folder)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_a_microphone_is_followed_at_every_rate(opened: Callable[..., Any], rate: int) -> None:
    found = opened("/web/demo/demo.css").evaluate(FOLLOW, [rate, 2])
    assert found["rate"] == rate and found["label"]
    assert found["numbers"] == list(range(len(found["numbers"]))) and len(found["numbers"]) >= 60
    assert np.ptp(found["curves"], axis=0).max() > 0.2, "the face heard nothing"
    assert np.ptp(found["offsets"]) < 1e-6, "frames keep their distance from the sound"
    assert len(set(np.round(found["shown"], 4))) > 5, "the mesh was not moved"
    measures = found["measures"]
    assert 7 / 60 - 1e-3 < measures["known"] and 0.16 < measures["shown"] and 0 < measures["load"]
    assert found["after"] == 0, "it still listens after it was disconnected"


def test_the_microphone_demo_moves_a_head(opened: Callable[..., Any]) -> None:
    page = opened("/web/demo/microphone.html")
    page.wait_for_timeout(500)
    still = page.locator("canvas").screenshot()
    page.click("#speak")
    page.wait_for_function("document.getElementById('says').textContent.includes('ms after your voice')")
    assert page.inner_text("#speak") == "Stop"
    seen = {still}
    for _ in range(30):
        if len(seen) < 3:
            page.wait_for_timeout(100)
            seen.add(page.locator("canvas").screenshot())
    assert len(seen) >= 3
    page.click("#speak")
    assert page.inner_text("#speak") == "Use the microphone" and "No sound leaves" in page.inner_text("#says")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))",
            "allow it",
        ),
        ("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })", "over https"),
        ("Object.defineProperty(BaseAudioContext.prototype, 'audioWorklet', { value: undefined })", "AudioWorklet"),
        (
            "const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
            "navigator.mediaDevices.getUserMedia = async (wanted) => { const stream = await get(wanted);"
            "setTimeout(() => stream.getTracks()[0].dispatchEvent(new Event('ended')), 500); return stream; }",
            "unplugged",
        ),
    ],
)
def test_what_is_missing_is_said(opened: Callable[..., Any], script: str, words: str) -> None:
    page = opened("/web/demo/microphone.html", script=script)
    page.click("#speak")
    page.wait_for_function(f"document.getElementById('says').textContent.includes({json.dumps(words)})")
    assert page.inner_text("#speak") == "Use the microphone"


@pytest.mark.parametrize("name", ["microphone", "agent"])
def test_the_demos_say_when_there_are_no_live_weights(opened: Callable[..., Any], name: str) -> None:
    page = opened(f"/web/demo/{name}.html", live=False)
    page.wait_for_function("document.getElementById('says').textContent.includes('There are no live weights here')")


@pytest.mark.walk
def test_the_agent_speaks_in_step(opened: Callable[..., Any]) -> None:
    """Sound and face are late by the same time: what is heard follows the delay of the face."""
    page = opened("/web/demo/agent.html", script=NODES)
    still = page.locator("canvas").screenshot()
    page.click("#speak")
    page.wait_for_function("window.delays?.length > 0 && window.delays[0].delayTime.value > 0.165")
    page.wait_for_timeout(2500)
    assert page.evaluate("window.delays[0].delayTime.value") == pytest.approx(14 / 120 + 1 / 30 + 0.02, abs=1e-3)
    assert page.locator("canvas").screenshot() != still


NODES = """
window.delays = [];
const Before = window.DelayNode;
window.DelayNode = class extends Before {
  constructor(...given) { super(...given); window.delays.push(this); }
};
"""

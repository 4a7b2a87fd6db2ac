"""Measure live motion in Chromium with a fake microphone: `python -m tools.web.timing [--seconds 20]`.

How late frames and face are (95 %), the share of real time that the network takes on one core, and what the tab Live
fetches. The browser draws with the processor here, so a visitor's own machine is quicker. Exit code 1 where a goal is
missed.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import json
import tempfile
import threading
from pathlib import Path
from typing import Any

from memorytalker.benchmark import live_network
from memorytalker.live_weights import find_live, save_live
from tools.page.browser import ROOT, chromium

#: Goals: seconds from the sound to the face, share of real time, bytes over the wire.
SHOWN, LOAD, FETCHED = 0.2, 0.35, 6e6
CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
FOLLOW = """async (seconds) => {
  const { createTalker, openMicrophone } = await import("/web/src/index.js");
  const context = new AudioContext({ latencyHint: "interactive" });
  const microphone = await openMicrophone(context);
  const face = { morphTargetDictionary: { jawOpen: 0 }, morphTargetInfluences: [0] };
  const talker = createTalker({ model: "/weights/live" }).drive(face);
  await talker.connect(microphone.node).connected;
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  return { ...talker.measures, rate: context.sampleRate, base: context.baseLatency };
}"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="to follow the microphone (default: %(default)s)")
    chosen = parser.parse_args()
    from playwright.sync_api import sync_playwright

    network, shipped = live_network()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        (folder / "web").symlink_to(ROOT / "web")
        (folder / "weights").mkdir()
        if shipped:
            (folder / "weights" / "live").symlink_to(find_live())
        else:
            save_live(network, folder / "weights" / "live")
        handler = functools.partial(_Quiet, directory=name)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with chromium(driver, folder, CLIP) as browser:
            page = browser.new_context(permissions=["microphone"]).new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/web/demo/demo.css")
            found = page.evaluate(FOLLOW, chosen.seconds)
        server.shutdown()
        fetched = [*sorted((ROOT / "web" / "src").glob("*.js")), *sorted((folder / "weights" / "live").iterdir())]
        size = sum(len(gzip.compress(path.read_bytes(), 6, mtime=0)) for path in fetched)
    return report(found, size, shipped)


def report(found: dict[str, float], size: int, shipped: bool) -> int:
    """Print figures and goals; the exit code."""
    print(f"live in Chromium at {found['rate']:.0f} Hz{'' if shipped else ', random weights'}: {json.dumps(found)}")
    print(f"  95 % of the frames are known after {1000 * found['known']:.0f} ms")
    print(f"  95 % of the faces are shown after {1000 * found['shown']:.0f} ms; goal {1000 * SHOWN:.0f} ms")
    print(f"  {found['load']:.3f} of real time on one core; goal {LOAD:g}")
    print(f"  {size / 1e6:.2f} MB for library and network, compressed; no runtime; goal {FETCHED / 1e6:.0f} MB")
    return 0 if found["shown"] <= SHOWN and found["load"] <= LOAD and size <= FETCHED else 1


if __name__ == "__main__":
    raise SystemExit(main())

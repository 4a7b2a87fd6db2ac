"""Serves the page around the stand-in talker; port and folder by Gradio's variables, STUB_HOLD as below."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from stub_talker import StubTalker  # noqa: E402

import app  # noqa: E402

if __name__ == "__main__":
    talker = StubTalker()
    talker.pause, hold = 0.01, Path(os.environ["STUB_HOLD"])
    waits = hold.with_name(hold.name + "-network")
    talker.hold = hold.exists  # the video waits at its middle for as long as this file is there
    talker.hold_network = waits.exists  # and the network for as long as that one is
    app.create_demo(talker).launch(**app.launch_options())

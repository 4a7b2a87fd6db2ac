"""Serves the page around the stand-in talker: `python serve_stub.py`, port and folder by Gradio's own variables."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from stub_talker import StubTalker  # noqa: E402

import app  # noqa: E402

if __name__ == "__main__":
    talker = StubTalker()
    talker.pause = 0.02
    app.create_demo(talker).launch(**app.launch_options())

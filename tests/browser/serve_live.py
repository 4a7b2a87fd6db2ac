"""Serves the page with the stub talker and a small live network, which is made in the folder of Gradio's variables."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from live_case import lively_network  # noqa: E402
from stub_talker import StubTalker  # noqa: E402

import app  # noqa: E402
from memorytalker import live_weights  # noqa: E402

if __name__ == "__main__":
    live_weights.WEIGHTS_FOLDER = Path(os.environ["STUB_HOLD"]).with_name("weights")
    live_weights.save_live(lively_network(), live_weights.WEIGHTS_FOLDER / "live")
    app.serve(StubTalker())

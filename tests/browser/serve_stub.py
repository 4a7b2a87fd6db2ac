"""Serves the page with the stub talker and a small live network; port, folder and STUB_HOLD by variables."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from typing import Any  # noqa: E402

from live_case import lively_network  # noqa: E402
from stub_talker import StubTalker  # noqa: E402

import app  # noqa: E402
from memorytalker import live_weights  # noqa: E402

BREAKS_AT = 1.25  # seconds of sound


class Breakable(StubTalker):
    """Breaks where a real network might, for clips of one length."""

    def animate(self, sound: Any, *arguments: Any, **options: Any) -> Any:
        self.fails = "network" if sound.seconds == BREAKS_AT else ""
        return super().animate(sound, *arguments, **options)


if __name__ == "__main__":
    talker = Breakable()
    talker.pause, hold = 0.01, Path(os.environ["STUB_HOLD"])
    waits = hold.with_name(hold.name + "-network")
    talker.hold = hold.exists  # the video waits at its middle for as long as this file is there
    talker.hold_network = waits.exists  # and the network for as long as that one is
    live_weights.WEIGHTS_FOLDER = hold.with_name("weights")
    live_weights.save_live(lively_network(), live_weights.WEIGHTS_FOLDER / "live")
    app.serve(talker)

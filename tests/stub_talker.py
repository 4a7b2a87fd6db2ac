"""A stand-in for the Talker: the same face to the page, no network, and a small real video."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import numpy as np

from memorytalker.audio import Waveform, load_waveform, write_wav
from memorytalker.config import PHONES


class StubAnimation:
    """What `StubTalker.animate` returns; each identity has a colour of its own, so that videos can be told apart."""

    fps = 30
    slot_labels = PHONES

    def __init__(self, waveform: Waveform, color: int, style_weights: np.ndarray, talker: StubTalker) -> None:
        frames = max(1, round(waveform.seconds * self.fps))
        self.waveform, self.style_weights = waveform, style_weights
        self.vertices = np.zeros((frames, 4, 3), np.float32)
        logits = np.random.default_rng(color).normal(size=(frames, len(PHONES)))
        self.memory_address = np.exp(4 * logits) / np.exp(4 * logits).sum(1, keepdims=True)
        self._color, self._talker = color, talker

    def save(self, path: str | Path, render: Any = None, progress: Any = None) -> None:
        """Write a tiny H.264 / AAC file, one flat colour, with the sound."""
        path = Path(path)
        sound = path.with_suffix(".wav")
        write_wav(sound, self.waveform)
        frames = len(self.vertices)
        for frame in range(frames):
            if progress:
                progress(frame, frames, "drawing")
            self._talker.work(frame, frames)
        if self._talker.fails == "drawing":
            raise RuntimeError("the renderer broke at /secret/place")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        command += ["-s", "64x64", "-r", "30", "-i", "-", "-i", str(sound), "-pix_fmt", "yuv420p", "-c:a", "aac"]
        command += ["-ar", "48000", "-movflags", "+faststart", str(path)]
        subprocess.run(command, input=bytes([self._color, 90, 90]) * 64 * 64 * frames, check=True)


class StubTalker:
    """`animate` as the page uses it.

    `fails`: "", "listening" or "drawing". `pause`: seconds per frame. `hold`: the middle frame waits while it is true.
    """

    def __init__(self) -> None:
        self.head = SimpleNamespace(identities={"woman": np.zeros((4, 3)), "old_man": np.ones((4, 3))}, descriptions={})
        self.mean_style = np.full(len(PHONES), 0.98)
        self.fails, self.pause = "", 0.0
        self.hold: Callable[[], bool] = lambda: False
        self.calls: list[dict[str, Any]] = []
        self.frames: list[int] = []
        self.threads: set[int] = set()

    def work(self, frame: int, frames: int) -> None:
        """One frame's worth of work."""
        self.threads.add(threading.get_ident())
        self.frames.append(frame)
        time.sleep(self.pause)
        deadline = time.monotonic() + 120
        while frame == frames // 2 and self.hold() and time.monotonic() < deadline:
            time.sleep(0.02)

    def animate(self, sound: Any, style: Any = ..., identity: str | None = None, progress: Any = None) -> StubAnimation:
        """Remember what was asked and answer at once."""
        waveform = load_waveform(sound)
        self.calls.append({"seconds": waveform.seconds, "style": style, "identity": identity})
        if self.fails == "listening":
            raise RuntimeError("the network broke at /secret/place")
        color = 40 + 150 * list(self.head.identities).index(identity)
        weights = np.ones(len(PHONES)) if style is None else np.linspace(0.7, 1.4, len(PHONES))
        return StubAnimation(waveform, color, weights, self)

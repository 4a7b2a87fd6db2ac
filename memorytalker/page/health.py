"""A health check of the whole chain: one sound is animated, and becomes a video that a visitor could be given."""

from __future__ import annotations

import importlib.metadata
import time
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.options import RenderOptions
from memorytalker.page.jobs import JobRunner
from memorytalker.page.worker import in_worker
from memorytalker.rendering import render_frames, write_video
from memorytalker.sound.decode import SAMPLE_RATE, Waveform

PROBE_SECONDS = 0.5


@in_worker
def probe(runner: JobRunner, folder: Path, progress: Any) -> dict[str, Any]:
    """Animate PROBE_SECONDS of a hum, and write its first frame with its sound as a video.

    Returns:
        healthy (True), seconds (spent in "network" and "rendering", the video included), frames, image (its size in
        pixels), versions.

    Raises:
        Exception: whatever fails.
    """
    times = np.arange(round(PROBE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    hum = Waveform((0.1 * np.sin(2 * np.pi * 150 * times)).astype(np.float32))
    began = time.perf_counter()
    animation = runner.animate(hum, identity=next(iter(runner.head.identities)), progress=progress)
    animated = time.perf_counter()
    if not np.isfinite(animation.coordinates).all():
        raise ArithmeticError("The network gave numbers that are not finite.")
    options = RenderOptions(width=128, height=128)
    frame = next(render_frames(animation.head, animation.motion[:1], options))
    write_video(folder / "probe.mp4", iter([frame]), options.fps, hum, 1)
    rendered = time.perf_counter()
    return {
        "healthy": True,
        "seconds": {"network": round(animated - began, 3), "rendering": round(rendered - animated, 3)},
        "frames": len(animation),
        "image": list(frame.shape[:2]),
        "versions": {name: importlib.metadata.version(name) for name in ("gradio", "numpy", "torch", "pyvista")},
    }

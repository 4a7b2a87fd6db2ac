"""Health: whether the page can do what it is for. One sound goes through the network and one picture is drawn."""

from __future__ import annotations

import importlib.metadata
import time
from typing import Any

import numpy as np

from memorytalker.options import RenderOptions
from memorytalker.page.jobs import JobRunner
from memorytalker.page.worker import in_worker
from memorytalker.rendering import render_frames
from memorytalker.sound.decode import SAMPLE_RATE, Waveform

PROBE_SECONDS = 0.5


@in_worker
def probe(desk: JobRunner, progress: Any) -> dict[str, Any]:
    """Animate half a second of a hum and draw its first picture; raises whatever fails.

    Returns plain values: `seconds` spent in the network and in drawing, `frames`, `picture` size in pixels, `versions`.
    """
    times = np.arange(round(PROBE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    hum = Waveform((0.1 * np.sin(2 * np.pi * 150 * times)).astype(np.float32))
    began = time.perf_counter()
    animation = desk.animate(hum, identity=next(iter(desk.head.identities)), progress=progress)
    heard = time.perf_counter()
    if not np.isfinite(animation.vertices).all():
        raise ArithmeticError("The network gave numbers that are not finite.")
    picture = next(render_frames(animation.head, animation.vertices[:1], RenderOptions(width=128, height=128)))
    drawn = time.perf_counter()
    return {
        "healthy": True,
        "seconds": {"network": round(heard - began, 3), "picture": round(drawn - heard, 3)},
        "frames": len(animation.vertices),
        "picture": list(picture.shape[:2]),
        "versions": {name: importlib.metadata.version(name) for name in ("gradio", "numpy", "torch", "pyvista")},
    }

"""Serves players alone, with buttons that give them planted motion; port and folder by Gradio's variables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import gradio as gr  # noqa: E402
import numpy as np  # noqa: E402

from memorytalker.face.head import load_head  # noqa: E402
from memorytalker.face.head_motion import HeadMotion, motion_of_curves  # noqa: E402
from memorytalker.face.motion import FaceCurves  # noqa: E402
from memorytalker.page.head_files import head_address, heads_route  # noqa: E402
from memorytalker.page.playback import FORMAT, playback_json  # noqa: E402
from memorytalker.page.player import coming_value, player, player_value  # noqa: E402
from memorytalker.page.scripts import scripts_route  # noqa: E402
from memorytalker.sound.decode import load_waveform  # noqa: E402

FPS = 30


def planted(clip: str, identity: str) -> Any:
    """As long as the clip: the jaw opens from 0 to 1 like a ramp, again every second; the smile stays half."""
    waveform, head = load_waveform(ROOT / "assets" / "speech" / clip), load_head().with_identity(identity)
    frames = round(waveform.seconds * FPS)
    weights = np.full((frames, 3), 0.5, np.float32)
    weights[:, 0] = np.arange(frames) % FPS / FPS
    motion = motion_of_curves(head, FaceCurves(weights, ("jawOpen", "mouthSmileLeft", "mouthSmileRight"), FPS))
    return of(motion, waveform)


def of(motion: HeadMotion, waveform: Any = None) -> Any:
    """What of an animation a player needs."""
    return SimpleNamespace(head=motion.head, motion=motion, curves=motion.curves, waveform=waveform)


def values() -> dict[str, str | None]:
    """Name of a button -> what it gives the player."""
    first, second = planted("woman_farming.wav", "ada"), planted("man_dove.wav", "omar")
    address, curves = head_address(first.head), first.curves
    plain = SimpleNamespace(motion=SimpleNamespace(has_curves=False), waveform=first.waveform)
    one, many = (FaceCurves(curves.weights[span], curves.names, FPS) for span in (slice(15, 16), slice(FPS)))
    return {
        "run": player_value(first),
        "second": player_value(second),
        "none": None,
        "newer": json.dumps({"format": FORMAT + 1}),
        "lost": playback_json("/memorytalker-heads/0123.glb", curves, first.waveform),
        "plain": player_value(plain),
        "coming": coming_value(load_head().with_identity("mei")),
        "still": playback_json(address, one),
        "silent": playback_json(address, many),
    }


def create_demo() -> gr.Blocks:
    """Two players, each with a clock of its own, and a button for every value; what has no sound goes to the second."""
    ready = values()
    with gr.Blocks() as demo:
        with gr.Row():
            with gr.Column():
                moving = player("player", "animate")
            with gr.Column():
                other = player("faces", "faces", label="Without sound", empty="", no_3d="No 3D here.", autoplay=False)
        for name, value in ready.items():
            target = other if name in ("still", "silent") else moving
            gr.Button(name, elem_id=name).click(lambda value=value: value, None, target)
    return demo


if __name__ == "__main__":
    create_demo().launch(app_kwargs={"routes": [scripts_route(), heads_route()]})

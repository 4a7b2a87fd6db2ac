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
from memorytalker.page.player import player, player_value  # noqa: E402
from memorytalker.page.scripts import scripts_route  # noqa: E402
from memorytalker.rendering.web_package import FORMAT, pack  # noqa: E402
from memorytalker.sound.decode import load_waveform  # noqa: E402

FPS = 30


def planted(clip: str, identity: str, scale: float = 1.0) -> Any:
    """As long as the clip: the jaw opens from 0 to `scale` like a ramp, again every second; the smile stays half."""
    waveform, head = load_waveform(ROOT / "assets" / "speech" / clip), load_head().with_identity(identity)
    frames = round(waveform.seconds * FPS)
    jaw = (np.arange(frames) % FPS / FPS * scale)[:, None, None].astype(np.float32)
    smile = np.float32(0.5) * (head.blendshape("mouthSmileLeft") + head.blendshape("mouthSmileRight"))
    vertices = head.template + jaw * head.blendshape("jawOpen") + smile
    return SimpleNamespace(head=head, vertices=vertices, fps=FPS, waveform=waveform)


def values() -> dict[str, str | None]:
    """Name of a button -> what it gives the player."""
    first, second = planted("woman_farming.wav", "ada"), planted("man_dove.wav", "omar")
    return {
        "run": player_value(first),
        "second": player_value(second),
        "none": None,
        "newer": json.dumps({"format": FORMAT + 1}),
        "still": pack(first.head, first.vertices[FPS // 2][None], FPS).to_json(),
        "silent": pack(first.head, first.vertices[:FPS], FPS).to_json(),
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
    create_demo().launch(app_kwargs={"routes": [scripts_route()]})

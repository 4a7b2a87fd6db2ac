"""Serves the Memory section alone: three buttons stand for the studio above it. Port by Gradio's variable.

With the argument "real" the shipped weights talk, else a stub with planted numbers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import gradio as gr  # noqa: E402
from animation_case import planted_animation  # noqa: E402

from memorytalker import Animation, Talker, load_head, load_waveform  # noqa: E402
from memorytalker.page.examples import EXAMPLES, TITLES, example_path  # noqa: E402
from memorytalker.page.jobs import JobRunner  # noqa: E402
from memorytalker.page.memory import build_memory, build_style, memory_outputs, wire_memory  # noqa: E402
from memorytalker.page.theme import launch_options  # noqa: E402
from memorytalker.page.voice import sound_box  # noqa: E402
from memorytalker.phones import ENGLISH  # noqa: E402

CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"


class Planted:
    """A talker whose memory is known: slot k is read from frame 3 k on, and opens the jaw by k / 40."""

    def __init__(self) -> None:
        self.head, self.config = load_head(), SimpleNamespace(slots=ENGLISH.phones)
        self.mean_style = np.ones(40) * 1.25

    def style_of(self, sound: Any) -> np.ndarray:
        """A style that stresses /ow uw/; that of a shorter sound is half as strong."""
        weights = np.full(40, 1.25 if load_waveform(sound).seconds > 4 else 0.625, np.float32)
        weights[[ENGLISH.index("ow"), ENGLISH.index("uw")]] *= 1.3
        return weights

    def slot_face(self, slot: int, style_weights: np.ndarray | None = None) -> np.ndarray:
        """The jaw open by slot / 40, in a style times its weight of the slot."""
        weight = 1.0 if style_weights is None else style_weights[slot]
        return self.head.template + np.float32(weight * slot / 40) * self.head.blendshape("jawOpen")

    def arousal_of(self, sound: Any) -> Any:
        """No slider is here that follows it."""
        raise NotImplementedError

    def adapt(self, takes: Any, **options: Any) -> Any:
        """This page has no film."""
        raise NotImplementedError

    def animate(self, sound: Any, style: Any = ..., progress: Any = None) -> Animation:
        """Four seconds: every slot for a tenth of one."""
        address = np.repeat(np.eye(40, dtype=np.float32) * 0.9 + 0.1 / 40, 3, axis=0)
        opening = np.linspace(0, 1, 120)[:, None, None] * self.head.blendshape("jawOpen")
        weights = np.ones(40, np.float32) if style is None else self.style_of(sound)
        waveform = load_waveform(sound)
        return planted_animation(self.head, self.head.template + opening, address, weights, ENGLISH.phones, waveform)


if __name__ == "__main__":
    talker = Talker.from_pretrained(device="cpu") if "real" in sys.argv else Planted()
    clip = next((argument for argument in sys.argv[1:] if argument != "real"), CLIP)
    runner = JobRunner(talker)
    with gr.Blocks(title="Memory") as demo:
        gr.HTML("<h1>MemoryTalker</h1>")
        own, neutral = gr.Button("Talk", elem_id="run"), gr.Button("Talk neutrally", elem_id="neutral")
        slow, clear = gr.Button("Talk slowly", elem_id="slow"), gr.Button("Clear", elem_id="clear")
        parts = build_memory("animate")
        with gr.Row(elem_id="second-examples"):
            given = {name: gr.Button(TITLES[name], size="sm", min_width=60) for name in EXAMPLES}
        parts["second-voice"] = sound_box("Second voice", "second-voice")
        for name, button in given.items():
            button.click(lambda name=name: example_path(name), None, parts["second-voice"])
        with gr.Column(elem_id="style-column"):
            parts |= build_style("animate")
        wire_memory(runner, parts)
        shown = memory_outputs(runner, parts)
        request = SimpleNamespace(identity=next(iter(talker.head.identities)))

        def talk(times: int = 1, **options: Any) -> list[Any]:
            with runner.job(runner.animate, clip, **options) as job:
                job.wait(600)
                animation = job.result
            vertices = np.repeat(animation.vertices, times, axis=0)
            address = np.repeat(animation.memory_address, times, axis=0)
            head = animation.head.with_identity(request.identity)
            animation = planted_animation(
                head, vertices, address, animation.style_weights, animation.slot_labels, animation.waveform
            )
            return [value(animation, request) for value in shown.values()]

        own.click(talk, None, list(shown))
        neutral.click(lambda: talk(style=None), None, list(shown))
        slow.click(lambda: talk(times=4), None, list(shown))
        clear.click(lambda: [None] * len(shown), None, list(shown))
    demo.launch(**launch_options())

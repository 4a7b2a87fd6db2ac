"""Downloads: the present result in other formats, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from memorytalker.page.animation_run import FORMATS, FileReady, run_animation
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PageError
from memorytalker.page.request import AnimateRequest
from memorytalker.page.run_controls import Shown, plainly
from memorytalker.page.status import status_html

NOTHING_YET = "There is nothing to download yet; make the head talk first."
OURS = "The file could not be made because something failed on our side; please try again in a moment."
STEPS = ("Listen", "Write")


def build_downloads(desk: JobRunner, last: gr.State, settings: dict[str, Any]) -> Any:
    """Lay out the accordion and wire it; `last` holds the wish behind the present result. Returns its event.

    `settings` are Gradio's for events that hear or draw. The network is asked once more for the same, which takes less
    time than it would take room to keep every visitor's last result.
    """
    others = {words: name for name, words in FORMATS.items() if name != "mp4"}
    with gr.Accordion("Other formats", open=False, elem_id="downloads"):
        chosen = gr.Radio(list(others.items()), value=next(iter(others.values())), label="Format", elem_id="format")
        button = gr.Button("Prepare the file", elem_id="prepare")
        said = gr.HTML("", elem_id="download-status")
        file = gr.File(label="File", elem_id="download-file", interactive=False, height=80)

    def steps(wish: AnimateRequest | None, format: str, request: gr.Request) -> Iterator[Shown]:
        if wish is None:
            raise PageError(NOTHING_YET)
        for step in run_animation(desk, wish, with_player=False, format=format, steps=STEPS):
            if isinstance(step, str):
                yield {said: step}
            elif isinstance(step, FileReady):
                yield {file: desk.visits.keep(step.path, request), said: ""}

    def failed(text: str) -> Shown:
        return {said: status_html(-1, text, wrong=True, steps=STEPS)}

    def prepare(wish: AnimateRequest | None, format: str, request: gr.Request) -> Iterator[Shown]:
        yield {file: None, said: status_html(-1, "Preparing the file…", steps=STEPS)}
        yield from plainly(steps(wish, format, request), failed, lambda: OURS)

    return button.click(prepare, [last, chosen], [file, said], show_progress="hidden", **settings)

"""The present result in other formats, made on request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from memorytalker.page.animation_run import FORMATS, FileReady, run_animation
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PageError
from memorytalker.page.request import AnimateRequest
from memorytalker.page.run_controls import Updates, report_failures
from memorytalker.page.status import status_html

NOTHING_YET = "There is nothing to download yet; make the head talk first."
OURS = "The file could not be made because something failed on our side; please try again in a moment."
STEPS = ("Motion", "File")


def build_downloads(runner: JobRunner, last: gr.State, settings: dict[str, Any]) -> Any:
    """Lay out the accordion and connect it.

    The file is made by animating once more: that takes seconds, while keeping every visitor's last result would take
    tens of megabytes each.

    Args:
        runner: does the work.
        last: holds the AnimateRequest of the present result, or None.
        settings: Gradio's settings of events that need the worker.

    Returns:
        The event that makes the file.
    """
    others = {words: name for name, words in FORMATS.items() if name != "mp4"}
    with gr.Accordion("Other formats", open=False, elem_id="downloads"):
        chosen = gr.Radio(list(others.items()), value=next(iter(others.values())), label="Format", elem_id="format")
        button = gr.Button("Prepare the file", elem_id="prepare")
        status = gr.HTML("", elem_id="download-status")
        file = gr.File(label="File", elem_id="download-file", interactive=False, height=80)

    def steps(animate_request: AnimateRequest | None, format: str, request: gr.Request) -> Iterator[Updates]:
        if animate_request is None:
            raise PageError(NOTHING_YET)
        for step in run_animation(runner, animate_request, with_player=False, format=format, steps=STEPS):
            if isinstance(step, str):
                yield {status: step}
            elif isinstance(step, FileReady):
                yield {file: runner.session_files.keep(step.path, request), status: ""}

    def failed(text: str) -> Updates:
        return {status: status_html(-1, text, wrong=True, steps=STEPS)}

    def prepare(animate_request: AnimateRequest | None, format: str, request: gr.Request) -> Iterator[Updates]:
        yield {file: None, status: status_html(-1, "Preparing the file…", steps=STEPS)}
        yield from report_failures(steps(animate_request, format, request), failed, lambda: OURS)

    return button.click(prepare, [last, chosen], [file, status], show_progress="hidden", **settings)

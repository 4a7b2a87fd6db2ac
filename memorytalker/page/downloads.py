"""The present result as a file of any format, made on request."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from memorytalker.exports.take import ExportFormat
from memorytalker.page.adjust import curve_options
from memorytalker.page.animation_run import FileReady, formats, run_animation
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PageError
from memorytalker.page.request import AnimateRequest
from memorytalker.page.run_controls import INSTANT, Updates, report_failures
from memorytalker.page.status import status_html

NO_FORMAT = "There is no such format; choose one of those shown."
NOTHING_YET = "There is nothing to download yet; make the head talk first."
OURS = "The file could not be made because something failed on our side; please try again in a moment."
STEPS = ("Motion", "File")
#: Name of the format that is chosen at first.
FIRST = "livelink"


def build_downloads(runner: JobRunner, last: gr.State, changes: Any, settings: dict[str, Any]) -> Any:
    """Lay out the accordion and connect it.

    The file is made by animating once more, from what the network read from the sound: keeping every visitor's last
    result would take tens of megabytes each.

    Args:
        runner: does the work.
        last: holds the AnimateRequest of the present result, or None.
        changes: the component that holds how the face is changed (`adjust.build_adjust`).
        settings: Gradio's settings of events that need the worker.

    Returns:
        The event that makes the file.
    """
    offered = formats()
    choices = [(each.title, name) for name, each in offered.items()]
    with gr.Accordion("Download for other programs", open=False, elem_id="downloads"):
        chosen = gr.Dropdown(choices, value=FIRST if FIRST in offered else None, label="Format", elem_id="format")
        about = gr.HTML(_about(offered.get(FIRST)), label="About the format", elem_id="format-about")
        button = gr.Button("Prepare the file", elem_id="prepare")
        status = gr.HTML("", elem_id="download-status")
        file = gr.File(label="File", elem_id="download-file", interactive=False, height=80)
    chosen.change(lambda name: _about(offered.get(name)), chosen, about, **INSTANT)

    def steps(
        animate_request: AnimateRequest | None, format: str, changes: str, request: gr.Request
    ) -> Iterator[Updates]:
        if animate_request is None:
            raise PageError(NOTHING_YET)
        if format not in offered:
            raise PageError(NO_FORMAT)
        animate_request = dataclasses.replace(animate_request, curves=curve_options(changes))
        for step in run_animation(runner, animate_request, with_player=False, format=format, steps=STEPS):
            if isinstance(step, str):
                yield {status: step}
            elif isinstance(step, FileReady):
                yield {file: runner.session_files.keep(step.path, request), status: ""}

    def failed(text: str) -> Updates:
        return {status: status_html(-1, text, wrong=True, steps=STEPS)}

    def prepare(
        animate_request: AnimateRequest | None, format: str, changes: str, request: gr.Request
    ) -> Iterator[Updates]:
        yield {file: None, status: status_html(-1, "Preparing the file…", steps=STEPS)}
        yield from report_failures(steps(animate_request, format, changes, request), failed, lambda: OURS)

    return button.click(prepare, [last, chosen, changes], [file, status], show_progress="hidden", **settings)


def _about(chosen: ExportFormat | None) -> str:
    return "" if chosen is None else f'<p class="small">{html.escape(chosen.summary)} ({chosen.suffix})</p>'

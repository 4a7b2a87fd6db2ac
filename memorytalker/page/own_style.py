"""A style of the visitor's own: learned from a video of the face or from face curves, or loaded from its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from memorytalker.face.curve_files import SUFFIXES as CURVE_SUFFIXES
from memorytalker.page.adaptation_run import learned_style
from memorytalker.page.fit_view import fit_html
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import LARGEST_MEGABYTES, PLAIN_ERRORS
from memorytalker.page.request import MY_OWN
from memorytalker.page.run_controls import INSTANT, ONE_AT_A_TIME, Updates, report_failures
from memorytalker.page.scripts import call_script
from memorytalker.page.sliders import slider_values, sliders_of
from memorytalker.page.status import status_html, stream_progress
from memorytalker.page.voice import note_html
from memorytalker.scratch import Scratch
from memorytalker.styles.recordings import SOUND_SUFFIXES
from memorytalker.styles.style import FORMAT, LARGEST_FILE, Style
from memorytalker.tracking.face_video import SUFFIXES as VIDEO_SUFFIXES

FILM, LEARN = "Film myself", "Learn my style"
INTRODUCTION = (
    "Learned from 10 to 60 seconds of your face while you speak: a video, or ARKit curves with the sound of the same "
    "name. Or give a saved style (.json). Look at the camera, in light, and close your lips for a moment."
)
NAME, FILE_NAME = "My own style", "my_style.json"
STEPS = ("Your recording", "Your style")
OURS = "The style could not be learned because something failed on our side; please try again in a moment."
NOT_BEFORE = f"Give a recording first: press “{FILM}”, or upload one."


def build_own_style() -> dict[str, Any]:
    """Lay out the fold; `wire_own_style` connects it. Returns components by element id."""
    kinds = sorted({*VIDEO_SUFFIXES, *CURVE_SUFFIXES, *SOUND_SUFFIXES, ".json"})
    with gr.Accordion("My own style", open=False, elem_id="mine") as fold:
        gr.HTML(f'<p class="small">{INTRODUCTION} At most {LARGEST_MEGABYTES} MB; deleted within an hour.</p>')
        film = gr.Button(FILM, elem_id="film", size="sm")
        gr.HTML('<div id="film-preview" hidden></div>', padding=False)
        files = gr.File(
            label="Recording, or a saved style",
            file_count="multiple",
            file_types=kinds,
            elem_id="mine-files",
            height=84,
        )
        with gr.Row(elem_id="mine-buttons"):
            learn = gr.Button(LEARN, elem_id="learn", size="sm", interactive=False, scale=3)
            stop = gr.Button("Stop", elem_id="learn-stop", size="sm", interactive=False, scale=1, min_width=60)
        status = gr.HTML("", elem_id="mine-status", label="My own style")
        fit = gr.HTML("", elem_id="mine-fit", label="Before and after")
        file = gr.File(label="The style as a file", elem_id="mine-file", interactive=False, height=80, visible=False)
    return {
        "mine-fold": fold, "film": film, "mine-files": files, "learn": learn, "learn-stop": stop,
        "mine-status": status, "mine-fit": fit, "mine-file": file, "mine": gr.State(None),
    }  # fmt: skip


def wire_own_style(runner: JobRunner, parts: dict[str, Any], turns: bool) -> None:
    """Connect the fold.

    Args:
        runner: does the work.
        parts: of `build_own_style`, and "sliders", "style-source".
        turns: whether the head can turn on its neck.
    """
    files, learn, stop, status = (parts[name] for name in ("mine-files", "learn", "learn-stop", "mine-status"))
    shown = [parts[name] for name in ("mine", "mine-fit", "mine-file", "sliders", "style-source")]

    def used(style: Style, sliders: Any, request: gr.Request) -> Updates:
        return {
            parts["mine"]: style, parts["mine-fit"]: fit_html(style), parts["style-source"]: MY_OWN,
            parts["mine-file"]: gr.File(saved_file(runner, style, request), visible=True),
            parts["sliders"]: sliders_of(
                style.deliveries, turns, any(each.head_motion for each in style.deliveries),
                arousal=slider_values(sliders).voice_arousal),
        }  # fmt: skip

    def arrived(paths: list[str] | None, sliders: Any, request: gr.Request) -> Updates:
        found = list(paths or ())
        try:
            style = loaded_style(found)
            if style is not None:
                style.weights_for(runner.slots)  # one of another model is refused now
        except PLAIN_ERRORS as error:
            return {learn: gr.Button(interactive=False), status: note_html(str(error), wrong=True)}
        if style is None:
            return {learn: gr.Button(interactive=bool(found)), status: note_html(received(found)) if found else ""}
        return {learn: gr.Button(interactive=False), status: ""} | used(style, sliders, request)

    files.change(arrived, [files, parts["sliders"]], [learn, status, *shown], **INSTANT)

    def steps(paths: list[str] | None, sliders: Any, request: gr.Request) -> Iterator[Updates]:
        with runner.job(learned_style, runner, list(paths or ()), NAME) as job:
            progress = stream_progress(job, 0, "Reading the recording", STEPS)
            while True:
                try:
                    yield {status: next(progress)}
                except StopIteration as end:
                    style = end.value
                    break
        yield {status: "", **used(style, sliders, request)}

    def busy(on: bool) -> Updates:
        return {learn: gr.Button(interactive=not on), stop: gr.Button(interactive=on)}

    def learn_style(paths: list[str] | None, sliders: Any, request: gr.Request) -> Iterator[Updates]:
        def failed(text: str) -> Updates:
            return busy(False) | {status: status_html(-1, text, wrong=True, steps=STEPS)}

        yield busy(True) | {status: status_html(-1, "Waiting…", steps=STEPS)}
        yield from report_failures(steps(paths, sliders, request), failed, lambda: OURS)
        yield busy(False)

    event = learn.click(
        learn_style, [files, parts["sliders"]], [learn, stop, status, *shown], show_progress="hidden", **ONE_AT_A_TIME
    )
    stop.click(
        lambda: (gr.Button(interactive=True), gr.Button(interactive=False), note_html("Stopped.")),
        None, [learn, stop, status], cancels=[event], **INSTANT,
    )  # fmt: skip
    press = call_script("film.js", "press", "film", "mine-files", FILM)
    parts["film"].click(None, None, None, js=press, **INSTANT)


def received(paths: Sequence[str]) -> str:
    """What arrived, in a sentence."""
    names = ", ".join(Path(path).name for path in paths[:3]) + (" and others" if len(paths) > 3 else "")
    return f"{names}: press “{LEARN}”."


def loaded_style(paths: Sequence[str]) -> Style | None:
    """Return the saved style among uploads; None where a single file is no style, or there are several.

    Raises:
        StyleError: a damaged style.
    """
    if len(paths) != 1 or Path(paths[0]).suffix.lower() != ".json":
        return None
    path = Path(paths[0])
    # Face curves may be .json, too; what says that it is a style is read as one.
    with path.open("rb") as file:
        beginning = file.read(LARGEST_FILE)
    return Style.load(path) if f'"{FORMAT}"'.encode() in beginning else None


def saved_file(runner: JobRunner, style: Style, request: gr.Request | None) -> str:
    """Write a style for its visitor and return where it is; it goes when the visitor leaves."""
    with Scratch() as folder:
        return runner.session_files.keep(style.save(Path(folder) / FILE_NAME), request)

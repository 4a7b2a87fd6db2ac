"""The tab Compare with ground truth: a clip with known motion, what the talker makes of its sound, and how far off."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from memorytalker.comparison.bundled import KINDS, bundled_clips
from memorytalker.comparison.ground_truth import GIVEN
from memorytalker.page.animation_run import Result
from memorytalker.page.comparison_run import (
    LONGEST_SECONDS,
    OWN,
    SHOWN,
    STEPS,
    CompareRequest,
    bundled,
    run_comparison,
)
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import BUSY, LARGEST_MEGABYTES, PLAIN_ERRORS, TOO_SLOW, PageError, refused
from memorytalker.page.measures_view import measures_html, words_html
from memorytalker.page.request import seen_name
from memorytalker.page.scripts import call_script
from memorytalker.page.status import status_html

INTRODUCTION = """<p>How near does the network come? It hears the sound alone. Left is what it makes of it, painted with
its error: how far each point of the face lies from where it should be at that moment. Right is the truth: motion of a
real face that was <strong>filmed</strong> or <strong>captured</strong>. Both heads, and all motion on the left, are
<strong>synthesised</strong>.</p>"""
OWN_TEXT = f"""<p class="small">One file of motion and its sound, both beginning together, at most {LONGEST_SECONDS:.0f}
seconds and {LARGEST_MEGABYTES} MB each. Motion is <b>.npz</b> with <code>vertices</code> (frames, vertices, 3) of this
page's head in metres and <code>fps</code>; or <b>.npy</b> with such vertices; or the 52 face curves of ARKit, which fit
any head, as <b>.csv</b> (Live Link Face), <b>.json</b> or <b>.npz</b>. Your files stay on this server and are deleted
within about an hour.</p>"""
WELCOME = "Choose a clip with known motion, then press “Compare”."
WAITING = "Waiting for a free place…"
OURS = "Something failed on our side while comparing; please try again in a moment."
INSTANT = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_id": "talker", "api_visibility": "private"}
CURVES_ALT = (
    "Curves over time in seconds: the sound; the lip opening of truth, stage 1 and stages 1 + 2 in millimetres; the "
    "largest lip error of both in millimetres. The sentences above them tell their gist."
)
log = logging.getLogger("memorytalker.page")


def build_compare(desk: JobRunner) -> dict[str, Any]:
    """Lay out the tab and let its buttons work; returns its components by their element ids."""
    gr.HTML(INTRODUCTION, elem_id="compare-introduction")
    with gr.Row(elem_id="compare-studio"):
        with gr.Column(scale=4, min_width=320):
            asked = _truth() | _shown(desk.head)
            with gr.Row(elem_id="compare-buttons"):
                asked["compare-run"] = gr.Button("Compare", variant="primary", elem_id="compare-run", scale=3)
                asked["compare-stop"] = gr.Button(
                    "Stop", interactive=False, elem_id="compare-stop", scale=1, min_width=90
                )
        with gr.Column(scale=6, min_width=320):
            given = _results()
    given["compare-metrics"] = gr.HTML("", elem_id="compare-metrics", label="Measures")
    parts = asked | given
    _wire(desk, parts)
    return parts


def _truth() -> dict[str, Any]:
    gr.HTML("<h2>Truth</h2>")
    clips = bundled_clips()
    names = [(f"{clip.words}, {clip.kind}", clip.name) for clip in clips] + [("My own recording", OWN)]
    example = gr.Radio(names, value=clips[0].name, label="Clip with known motion", elem_id="truth-example")
    about = gr.HTML(_about(clips[0].name), elem_id="truth-about")
    with gr.Column(visible=False, elem_id="truth-own") as own:
        gr.HTML(OWN_TEXT)
        # No file types: a file of another type is refused in our own words.
        motion = gr.File(label="Motion", elem_id="truth-motion", type="filepath", height=110)
        fps = gr.Number(
            value=0, label="Frames a second", info="such as 30; 0 where the file says it itself", elem_id="truth-fps",
        )  # fmt: skip
        sound = gr.Audio(type="filepath", sources=["upload"], label="Its sound", elem_id="truth-sound", buttons=[])
    example.change(lambda name: (_about(name), gr.Column(visible=name == OWN)), example, [about, own], **INSTANT)
    return {"truth-example": example, "truth-motion": motion, "truth-fps": fps, "truth-sound": sound}


def _shown(head: Any) -> dict[str, Any]:
    gr.HTML("<h2>Video</h2>")
    names = [(seen_name(name, head.descriptions.get(name, "")), name) for name in head.identities]
    predictions = [("Stages 1 + 2: the manner of this voice", SHOWN[0]), ("Stage 1: neutral", SHOWN[1])]
    return {
        "compare-head": gr.Dropdown(names, value=names[0][1], label="Head", elem_id="compare-head", filterable=False),
        "compare-shown": gr.Radio(predictions, value=SHOWN[0], label="Prediction on the left", elem_id="compare-shown"),
    }


def _results() -> dict[str, Any]:
    status = gr.HTML(status_html(-1, WELCOME, steps=STEPS), label="Status", elem_id="compare-status")
    # The label would lie on the picture: the heading says it.
    gr.HTML("<h2>Prediction beside truth</h2>")
    video = gr.Video(
        label="Prediction beside truth", show_label=False, elem_id="compare-video", interactive=False,
        buttons=["download"],
    )  # fmt: skip
    words = gr.HTML("", elem_id="compare-words", label="Summary")
    curves = gr.Image(
        type="filepath", format="png", label="Curves", show_label=False, alt_text=CURVES_ALT, elem_id="compare-curves",
        interactive=False, buttons=["download", "fullscreen"], elem_classes="figure", visible=False,
    )  # fmt: skip
    return {"compare-status": status, "compare-video": video, "compare-words": words, "compare-curves": curves}


def _about(name: str) -> str:
    text = KINDS[GIVEN] if name == OWN else f"{KINDS[bundled(name).kind]} {bundled(name).training}"
    return f'<p class="small">{text}</p>'


def _wire(desk: JobRunner, parts: dict[str, Any]) -> None:
    status, run, stop = (parts[f"compare-{name}"] for name in ("status", "run", "stop"))
    names = ("truth-example", "compare-head", "compare-shown", "truth-motion", "truth-sound", "truth-fps")
    results = [parts[f"compare-{name}"] for name in ("video", "words", "curves", "metrics")]

    def switch(text: str, busy: bool) -> tuple[Any, ...]:
        return status_html(-1, text, steps=STEPS), gr.Button(interactive=not busy), gr.Button(interactive=busy)

    see = call_script("page.js", "showPlace", "compare-status")  # on a phone the results are below the choices
    event = run.click(
        partial(switch, WAITING, True), None, [status, run, stop], js=see, **INSTANT
    ).then(
        _handler(desk, parts), [parts[name] for name in names], [status, run, stop, *results],
        show_progress="hidden", **ONE_AT_A_TIME,
    )  # fmt: skip
    # A full queue, or a choice that a component itself refuses, ends an event before it begins.
    event.failure(
        lambda said: (
            status_html(-1, BUSY, wrong=True, steps=STEPS) if WAITING in said else gr.skip(),
            gr.Button(interactive=True),
            gr.Button(interactive=False),
        ),
        status, [status, run, stop], **INSTANT,
    )  # fmt: skip
    stopped = partial(switch, "Stopped.", False)
    # Said twice: on a busy machine a last report of progress may arrive after the first. Not so the buttons, which by
    # then may belong to the next run.
    stop.click(stopped, None, [status, run, stop], cancels=[event], **INSTANT).then(
        lambda: status_html(-1, "Stopped.", steps=STEPS), None, status, **INSTANT
    )


def _handler(desk: JobRunner, parts: dict[str, Any]) -> Any:
    """The handler of the button: a generator, so that it can be stopped, and that shows each result at once."""
    status, run, stop, video, words, curves, metrics = (
        parts[f"compare-{name}"] for name in ("status", "run", "stop", "video", "words", "curves", "metrics")
    )

    def free(text: str, step: int = -1, wrong: bool = False) -> dict[Any, Any]:
        buttons = {run: gr.Button(interactive=True), stop: gr.Button(interactive=False)}
        return {status: status_html(step, text, wrong=wrong, steps=STEPS)} | buttons

    def seen(step: Result, request: gr.Request) -> dict[Any, Any]:
        if step.kind == "comparison":
            return {words: words_html(step.value), metrics: measures_html(step.value)}
        kept = desk.visits.keep(step.value, request)
        return {curves: gr.Image(kept, visible=True)} if step.kind == "curves" else {video: kept}

    def begin(
        clip: str, identity: str, shown: str, motion: str | None, sound: str | None, fps: float | None,
        request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        began, times = time.monotonic(), []
        empty = {video: None, words: "", curves: gr.Image(None, visible=False), metrics: ""}
        yield empty | {run: gr.Button(interactive=False), stop: gr.Button(interactive=True)}
        try:
            for step in run_comparison(desk, CompareRequest(clip, identity, shown, motion, sound, fps)):
                if isinstance(step, Result):
                    times.append(time.monotonic() - began)
                yield seen(step, request) if isinstance(step, Result) else {status: step}
            spent = "Measures after {:.1f} s, curves after {:.1f} s, video after {:.1f} s.".format(*times)
            yield free(spent, len(STEPS))
        except PLAIN_ERRORS as error:
            yield free(str(error), wrong=True)
            raise refused(error) from None
        except TimeoutError as error:
            yield free(TOO_SLOW, wrong=True)
            raise refused(PageError(TOO_SLOW)) from error
        except Exception as error:
            log.exception("A comparison failed")
            yield free(OURS, wrong=True)
            raise refused(PageError(OURS)) from error

    return begin

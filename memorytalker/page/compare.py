"""The tab Compare with ground truth: a clip with known motion, what the talker makes of its sound, and how far off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    ComparisonReady,
    CurvesReady,
    VideoReady,
    bundled,
    run_comparison,
)
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import LARGEST_MEGABYTES
from memorytalker.page.measures_view import measures_html, words_html
from memorytalker.page.request import seen_name
from memorytalker.page.run_controls import INSTANT, Form, RunControls, Shown, Watch
from memorytalker.page.scripts import call_script
from memorytalker.page.status import status_html

INTRODUCTION = """<p>How near does the network come? It hears the sound alone. Left is what it makes of it, painted with
its error: how far each point of the face lies from where it should be at that moment. Right is the truth: motion of a
real face that was <strong>tracked</strong> or <strong>captured</strong>. Both heads, and all motion on the left, are
<strong>synthesised</strong>.</p>"""
OWN_TEXT = f"""<p class="small">One file of motion and its sound, both beginning together, at most {LONGEST_SECONDS:.0f}
seconds and {LARGEST_MEGABYTES} MB each. Motion is <b>.npz</b> with <code>vertices</code> (frames, vertices, 3) of this
page's head in metres and <code>fps</code>; or <b>.npy</b> with such vertices; or the 52 face curves of ARKit, which fit
any head, as <b>.csv</b> (Live Link Face), <b>.json</b> or <b>.npz</b>. Your files stay on this server and are deleted
within about an hour.</p>"""
WELCOME = "Choose a clip with known motion, then press “Compare”."
OURS = "Something failed on our side while comparing; please try again in a moment."
CURVES_ALT = (
    "Curves over time in seconds: the sound; the lip opening of truth, stage 1 and stages 1 + 2 in millimetres; the "
    "largest lip error of both in millimetres. The sentences above them tell their gist."
)


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


def trial_form(parts: dict[str, Any]) -> Form[CompareRequest]:
    """Which component asks for which field of a Trial."""
    asked = {
        "clip": "truth-example", "identity": "compare-head", "shown": "compare-shown", "motion": "truth-motion",
        "sound": "truth-sound", "fps": "truth-fps",
    }  # fmt: skip
    return Form(CompareRequest, {name: parts[elem_id] for name, elem_id in asked.items()})


def _wire(desk: JobRunner, parts: dict[str, Any]) -> None:
    controls = RunControls(*(parts[f"compare-{name}"] for name in ("status", "run", "stop")), steps=STEPS)
    results = [parts[f"compare-{name}"] for name in ("video", "words", "curves", "metrics")]
    form = trial_form(parts)
    see = call_script("page.js", "showPlace", "compare-status")  # on a phone the results are below the choices
    controls.wire(_handler(desk, results, controls, form), form, results, see)


def _handler(
    desk: JobRunner, results: list[Any], controls: RunControls, form: Form[CompareRequest]
) -> Callable[..., Iterator[Shown]]:
    """The handler of the button: a generator, so that it can be stopped, and that shows each result at once."""
    video, words, curves, metrics = results

    def seen(step: Result, request: gr.Request) -> Shown:
        if isinstance(step, ComparisonReady):
            return {words: words_html(step.comparison), metrics: measures_html(step.comparison)}
        if isinstance(step, CurvesReady):
            return {curves: gr.Image(desk.visits.keep(step.path, request), visible=True)}
        return {video: desk.visits.keep(step.path, request)} if isinstance(step, VideoReady) else {}

    def steps(values: dict[Any, Any], watch: Watch, request: gr.Request) -> Iterator[Shown]:
        for step in run_comparison(desk, form.read(values)):
            if isinstance(step, str):
                yield {controls.status: step}
                continue
            watch.arrived()
            yield seen(step, request)
        spent = "Measures after {:.1f} s, curves after {:.1f} s, video after {:.1f} s.".format(*watch.times)
        yield controls.ended(spent, len(STEPS))

    def begin(values: dict[Any, Any], request: gr.Request) -> Iterator[Shown]:
        watch = Watch("comparing")
        yield {video: None, words: "", curves: gr.Image(None, visible=False), metrics: ""} | controls.begun()
        yield from controls.plainly(steps(values, watch, request), lambda: OURS)

    return begin

"""The tab Compare with ground truth: known motion beside what the network predicts from its sound."""

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
from memorytalker.page.run_controls import INSTANT, Form, RunControls, Updates, Watch
from memorytalker.page.scripts import call_script
from memorytalker.page.status import status_html
from memorytalker.page.voice import arrived

INTRODUCTION = """<h2>Compare with ground truth</h2>
<p>How close does the network come? It gets the sound alone. On the left is its prediction. The colour
is the error: how far each point of the face lies from where it should be at that moment. On the right is the ground
truth: the motion of a real face, <strong>tracked in video</strong> or <strong>captured</strong>. Both heads are
<strong>synthetic</strong>, and all motion on the left is <strong>synthesised</strong>.</p>"""
OWN_TEXT = f"""<p class="small">One file of motion and one of its sound. Both begin at the same moment, and each has
at most {LONGEST_SECONDS:.0f} seconds and {LARGEST_MEGABYTES} MB. Motion is a <b>video</b> of a face from the front,
which needs no further sound; or <b>.npz</b> with <code>vertices</code>
(frames, vertices, 3) of this page's head in metres and <code>fps</code>; or <b>.npy</b> with such vertices; or the 52
face curves of ARKit, which fit any head, as <b>.csv</b> (Live Link Face), <b>.json</b> or <b>.npz</b>. Your files stay
on this server and are deleted within about an hour.</p>"""
WELCOME = "Choose a clip with known motion, then press “Compare”."
OURS = "Something failed on our side while comparing; please try again in a moment."
CURVES_ALT = (
    "Curves over time in seconds: the sound; the lip opening of ground truth, stage 1 and stages 1 + 2 in millimetres; "
    "the largest lip error of both stages in millimetres. The sentences beside them sum them up."
)


def build_compare(runner: JobRunner) -> dict[str, Any]:
    """Lay out the tab and connect its buttons. Returns its components by element id."""
    gr.HTML(INTRODUCTION, elem_id="compare-introduction")
    with gr.Row(elem_id="compare-studio"):
        with gr.Column(scale=4, min_width=320):
            inputs = _ground_truth() | _video(runner.head)
            with gr.Row(elem_id="compare-buttons"):
                inputs["compare-run"] = gr.Button("Compare", variant="primary", elem_id="compare-run", scale=3)
                inputs["compare-stop"] = gr.Button(
                    "Stop", interactive=False, elem_id="compare-stop", scale=1, min_width=90
                )
        with gr.Column(scale=6, min_width=320):
            outputs = _results()
    outputs["compare-metrics"] = gr.HTML("", elem_id="compare-metrics", label="Measures")
    parts = inputs | outputs
    _wire(runner, parts)
    return parts


def _ground_truth() -> dict[str, Any]:
    gr.HTML("<h2>Ground truth</h2>")
    clips = bundled_clips()
    names = [(f"{clip.words}, {clip.kind}", clip.name) for clip in clips] + [("My own recording", OWN)]
    example = gr.Radio(names, value=clips[0].name, label="Clip with known motion", elem_id="ground-truth-example")
    about = gr.HTML(_about(clips[0].name), elem_id="ground-truth-about")
    with gr.Column(visible=False, elem_id="ground-truth-own") as own:
        gr.HTML(OWN_TEXT)
        # No file types: a file of another type is refused with our own message.
        motion = gr.File(label="Motion", elem_id="ground-truth-motion", type="filepath", height=110)
        fps = gr.Number(
            value=0, label="Frames per second", info="such as 30; leave 0 if the file states it",
            elem_id="ground-truth-fps",
        )  # fmt: skip
        sound = gr.Audio(
            type="filepath", sources=["upload"], label="Its sound", elem_id="ground-truth-sound", buttons=[]
        )
        note = gr.HTML("", elem_id="ground-truth-note", label="Its sound")
    # A file that is no sound never becomes a player of nothing; its length is compared with the motion's later.
    sound.upload(lambda path: arrived(path)[:2], sound, [sound, note], **INSTANT)
    sound.clear(lambda: "", None, note, **INSTANT)
    example.change(lambda name: (_about(name), gr.Column(visible=name == OWN)), example, [about, own], **INSTANT)
    return {
        "ground-truth-example": example,
        "ground-truth-motion": motion,
        "ground-truth-fps": fps,
        "ground-truth-sound": sound,
    }


def _video(head: Any) -> dict[str, Any]:
    gr.HTML("<h2>Video</h2>")
    names = [(seen_name(name, head.descriptions.get(name, "")), name) for name in head.identities]
    predictions = [("With this voice’s style (stages 1 + 2)", SHOWN[0]), ("Without it (stage 1)", SHOWN[1])]
    return {
        "compare-head": gr.Dropdown(names, value=names[0][1], label="Head", elem_id="compare-head", filterable=False),
        "compare-shown": gr.Radio(predictions, value=SHOWN[0], label="Prediction on the left", elem_id="compare-shown"),
    }


def _results() -> dict[str, Any]:
    status = gr.HTML(status_html(-1, WELCOME, steps=STEPS), label="Status", elem_id="compare-status")
    # The label would cover the video; the heading says the same.
    gr.HTML("<h2>Prediction beside ground truth</h2>")
    video = gr.Video(
        label="Prediction beside ground truth", show_label=False, elem_id="compare-video", interactive=False,
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


def compare_form(parts: dict[str, Any]) -> Form[CompareRequest]:
    """The form of the tab: which component gives which field of a CompareRequest."""
    fields = {
        "clip": "ground-truth-example", "identity": "compare-head", "shown": "compare-shown",
        "motion": "ground-truth-motion", "sound": "ground-truth-sound", "fps": "ground-truth-fps",
    }  # fmt: skip
    return Form(CompareRequest, {name: parts[elem_id] for name, elem_id in fields.items()})


def _wire(runner: JobRunner, parts: dict[str, Any]) -> None:
    controls = RunControls(parts["compare-status"], parts["compare-run"], parts["compare-stop"], STEPS)
    results = [parts[f"compare-{name}"] for name in ("video", "words", "curves", "metrics")]
    form = compare_form(parts)
    show_status = call_script(
        "page.js", "scrollToElement", "compare-status"
    )  # on a phone the results are below the choices
    controls.wire(_handler(runner, results, controls, form), form, results, show_status)

    def cleared() -> list[Any]:
        return [None, "", gr.Image(None, visible=False), "", status_html(-1, WELCOME, steps=STEPS)]

    # Results belong to their clip.
    given = [parts[name] for name in ("ground-truth-example", "ground-truth-motion", "ground-truth-sound")]
    gr.on([part.change for part in given], cleared, None, [*results, parts["compare-status"]], **INSTANT)


def _handler(
    runner: JobRunner, results: list[Any], controls: RunControls, form: Form[CompareRequest]
) -> Callable[..., Iterator[Updates]]:
    """The handler of the button: a generator, so that it can be stopped and shows each result at once."""
    video, words, curves, metrics = results

    def updates(step: Result, request: gr.Request) -> Updates:
        if isinstance(step, ComparisonReady):
            new = {words: words_html(step.comparison), metrics: measures_html(step.comparison)}
            return new | {video: None, curves: gr.Image(None, visible=False)}
        if isinstance(step, CurvesReady):
            return {curves: gr.Image(runner.session_files.keep(step.path, request), visible=True)}
        return {video: runner.session_files.keep(step.path, request)} if isinstance(step, VideoReady) else {}

    def steps(values: dict[Any, Any], watch: Watch, request: gr.Request) -> Iterator[Updates]:
        for step in run_comparison(runner, form.read(values)):
            if isinstance(step, str):
                yield {controls.status: step}
                continue
            watch.arrived()
            yield updates(step, request)
        times = "Measures after {:.1f} s, curves after {:.1f} s, video after {:.1f} s.".format(*watch.times)
        yield controls.ended(times, len(STEPS))

    def begin(values: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        watch = Watch("comparing")
        yield controls.begun()  # what is there stays until its successor is: an error takes nothing away
        yield from controls.report_failures(steps(values, watch, request), lambda: OURS)

    return begin

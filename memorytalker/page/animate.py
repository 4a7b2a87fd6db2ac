"""The tab Animate: the choices, the buttons, and the results in the order in which they are ready."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gradio as gr

from memorytalker.page.adjust import build_adjust, curve_options
from memorytalker.page.animation_run import AnimationReady, FileReady, Note, PlayerReady, Result, run_animation
from memorytalker.page.downloads import build_downloads
from memorytalker.page.examples import EXAMPLES, example_path
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import LIMITS_TEXT
from memorytalker.page.player import coming_value, player
from memorytalker.page.request import (
    ANOTHER_VOICE,
    CAMERA_NAMES,
    NEUTRAL,
    THIS_VOICE,
    AnimateRequest,
    options_of,
    seen_name,
)
from memorytalker.page.run_controls import INSTANT, ONE_AT_A_TIME, Form, RunControls, Updates, Watch
from memorytalker.page.scripts import call_script
from memorytalker.page.status import STEPS, status_html

WELCOME = "Give a voice or take an example, then press “Make it talk”."
OURS = "Something failed on our side while {}; please try again in a moment."


def build_animate(runner: JobRunner) -> dict[str, Any]:
    """Lay out the tab; `wire_animate` connects it. Returns its components by element id."""
    with gr.Row(elem_id="studio"):
        with gr.Column(scale=4, min_width=320):
            inputs = _voice() | _head(runner.head) | _speaking_style() | _options()
            with gr.Row(elem_id="buttons"):
                inputs["run"] = gr.Button("Make it talk", variant="primary", interactive=False, elem_id="run", scale=3)
                inputs["stop"] = gr.Button("Stop", interactive=False, elem_id="stop", scale=1, min_width=90)
        with gr.Column(scale=5, min_width=320):
            outputs: dict[str, Any] = {"status": gr.HTML(status_html(-1, WELCOME), label="Status", elem_id="status")}
            gr.HTML("<h2>3D head</h2>")
            outputs["player"] = player("player", "animate")
            inputs["face-changes"] = build_adjust(runner.head, "animate")
            gr.HTML("<h2>Video</h2>")
            # The label would cover the video; the heading says the same.
            outputs["video"] = gr.Video(
                label="Video", show_label=False, elem_id="video", interactive=False, buttons=["download"]
            )
            outputs["caption"] = gr.HTML("", elem_id="caption")
            outputs["last"] = gr.State(None)  # the request of the present result
            outputs["prepare"] = build_downloads(runner, outputs["last"], inputs["face-changes"], ONE_AT_A_TIME)
    return inputs | outputs


def _voice() -> dict[str, Any]:
    gr.HTML("<h2>Voice</h2>")
    sound = gr.Audio(
        type="filepath", sources=["upload", "microphone"], label="Voice", elem_id="sound", buttons=[],
        waveform_options=gr.WaveformOptions(sample_rate=16000),
    )  # fmt: skip
    gr.HTML(f'<p class="small">{LIMITS_TEXT}</p>', elem_id="limits")
    with gr.Row(elem_id="examples"):
        gr.HTML('<p class="small">Or take an example:</p>')
        for name, words in EXAMPLES.items():
            # gr.Examples would hand out a cached copy, which the sweep of old files may have deleted.
            gr.Button(words, size="sm").click(partial(example_path, name), None, sound, **INSTANT)
    return {"sound": sound}


def _head(head: Any) -> dict[str, Any]:
    gr.HTML("<h2>Head</h2>")
    names = [(seen_name(name, head.descriptions.get(name, "")), name) for name in head.identities]
    cameras = [(words, name) for name, words in CAMERA_NAMES.items()]
    return {
        "head": gr.Dropdown(names, value=names[0][1], label="Head", elem_id="head", filterable=False),
        "camera": gr.Radio(cameras, value="front", label="Camera of the video", elem_id="camera"),
    }


def _speaking_style() -> dict[str, Any]:
    gr.HTML("<h2>Speaking style</h2>")
    sources = [("Of this voice", THIS_VOICE), ("Of another voice", ANOTHER_VOICE), ("Neutral", NEUTRAL)]
    source = gr.Radio(sources, value=THIS_VOICE, label="Speaking style", elem_id="style-source")
    second = gr.Audio(
        type="filepath", sources=["upload", "microphone"], label="The voice whose style to take",
        elem_id="style-sound", buttons=[], visible=False, waveform_options=gr.WaveformOptions(sample_rate=16000),
    )  # fmt: skip
    blend = gr.Slider(
        0,
        1,
        value=1,
        step=0.05,
        label="Strength of the style",
        info="0 is neutral, 1 the full style",
        elem_id="style-blend",
    )
    source.change(
        lambda chosen: (gr.Audio(visible=chosen == ANOTHER_VOICE), gr.Slider(interactive=chosen != NEUTRAL)),
        source, [second, blend], **INSTANT,
    )  # fmt: skip
    return {"style-source": source, "style-sound": second, "style-blend": blend}


def _options() -> dict[str, Any]:
    with gr.Row(elem_id="extras"):
        expression = gr.Checkbox(
            label="Expression", info="blinks, glances and brows; the mouth stays as it is", elem_id="expression"
        )
        seed = gr.Number(value=0, precision=0, label="Seed", info="another seed gives other blinks", elem_id="seed")
        close_in_silence = gr.Checkbox(
            label="Closed in pauses", info="keeps the mouth closed in silence", elem_id="close-in-silence"
        )
    return {"expression": expression, "seed": seed, "close-in-silence": close_in_silence}


def animate_form(parts: dict[str, Any]) -> Form[AnimateRequest]:
    """The form of the tab: which component gives which field of an AnimateRequest."""
    fields = {
        "sound": "sound", "identity": "head", "camera": "camera", "style": "style-source", "style_sound": "style-sound",
        "style_blend": "style-blend", "expression": "expression", "seed": "seed",
        "close_in_silence": "close-in-silence", "changes": "face-changes",
    }  # fmt: skip

    def build(
        sound: str | None, identity: str, camera: str, style: str, style_sound: str | None, style_blend: float,
        expression: bool, seed: float, close_in_silence: bool, changes: str,
    ) -> AnimateRequest:  # fmt: skip
        options = options_of(
            style_blend=style_blend, expression=expression, seed=seed, close_in_silence=close_in_silence
        )
        return AnimateRequest(sound, identity, camera, style, style_sound, options, curve_options(changes))

    return Form(build, {name: parts[elem_id] for name, elem_id in fields.items()})


def wire_animate(runner: JobRunner, parts: dict[str, Any], memory_outputs: dict[Any, Any]) -> Any:
    """Connect the buttons.

    Args:
        runner: does the work.
        parts: the components of `build_animate`.
        memory_outputs: further components that show the result -> function of (Animation, AnimateRequest) that gives
            their value.

    Returns:
        The event that animates.
    """
    controls = RunControls(parts["status"], parts["run"], parts["stop"])
    form = animate_form(parts)
    outputs = [*(parts[name] for name in ("last", "player", "video", "caption")), *memory_outputs]
    show_status = call_script("page.js", "scrollToElement", "status")  # below the choices on a phone
    handler = _handler(runner, parts, controls, form, memory_outputs)
    event = controls.wire(handler, form, outputs, show_status, [parts["prepare"]])
    run = parts["run"]
    # A recording reaches the server a moment after it ends; until then there is nothing to run. The browser itself
    # switches the button, for the server's answers to "removed" and "uploaded" may arrive in the wrong order.
    for voice in (parts["sound"], parts["style-sound"]):
        voice.start_recording(None, None, run, js=call_script("page.js", "notNow"), **INSTANT)
        voice.change(None, parts["sound"], run, js=call_script("page.js", "runnable"), **INSTANT)
    return event


def _handler(
    runner: JobRunner,
    parts: dict[str, Any],
    controls: RunControls,
    form: Form[AnimateRequest],
    memory_outputs: dict[Any, Any],
) -> Callable[..., Iterator[Updates]]:
    """The handler of the button: a generator, so that it can be stopped and shows each result at once."""
    player, video, caption, last = (parts[name] for name in ("player", "video", "caption", "last"))
    descriptions = runner.head.descriptions

    def updates(step: Result, animate_request: AnimateRequest, request: gr.Request) -> Updates:
        if isinstance(step, AnimationReady):
            name = seen_name(animate_request.identity, descriptions.get(animate_request.identity, ""))
            values = {component: value(step.animation, animate_request) for component, value in memory_outputs.items()}
            return values | {caption: caption_html(animate_request, name), last: animate_request}
        if isinstance(step, FileReady):
            return {video: runner.session_files.keep(step.path, request)}
        return {player: step.package} if isinstance(step, PlayerReady) else {}

    def steps(values: dict[Any, Any], watch: Watch, request: gr.Request) -> Iterator[Updates]:
        animate_request, notes, coming = form.read(values), "", False
        for step in run_animation(runner, animate_request):
            if isinstance(step, str):
                yield {controls.status: step}
                if not coming:  # the browser fetches the head while the network works
                    coming = True
                    yield {player: coming_value(runner.head.with_identity(animate_request.identity))}
                continue
            if isinstance(step, Note):
                notes += " " + step.text
                gr.Info(html.escape(step.text, quote=False))
                continue
            watch.doing = "drawing the video"
            watch.arrived()
            yield updates(step, animate_request, request)
        times = "Memory after {:.1f} s, 3D head after {:.1f} s, video after {:.1f} s.".format(*watch.times)
        yield controls.ended(times + notes, len(STEPS))

    def begin(values: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        watch = Watch("animating the voice")
        yield {part: None for part in (player, video, last, *memory_outputs)} | {caption: ""} | controls.begun()
        yield from controls.report_failures(steps(values, watch, request), lambda: OURS.format(watch.doing))

    return begin


def caption_html(animate_request: AnimateRequest, head_name: str) -> str:
    """The settings of the result, as HTML below the video."""
    return (
        f'<p class="small">{html.escape(animate_request.caption(head_name))} The same sound and settings give the same '
        'result again.</p><p class="small">Generated by a computer; the head depicts no real person.</p>'
    )

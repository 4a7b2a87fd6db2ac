"""The tab Animate: choices, the button that begins, and results in the order in which they are ready."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gradio as gr

from memorytalker.page.animation_run import AnimationReady, FileReady, Note, PlayerReady, Result, run_animation
from memorytalker.page.downloads import build_downloads
from memorytalker.page.examples import EXAMPLES, example_path
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import LIMITS_TEXT
from memorytalker.page.player import player
from memorytalker.page.request import (
    ANOTHER_VOICE,
    CAMERA_NAMES,
    NEUTRAL,
    THIS_VOICE,
    AnimateRequest,
    options_of,
    seen_name,
)
from memorytalker.page.run_controls import INSTANT, ONE_AT_A_TIME, Form, RunControls, Shown, Watch
from memorytalker.page.scripts import call_script
from memorytalker.page.status import STEPS, status_html

WELCOME = "Give a voice, then press “Make it talk”."
OURS = "Something failed on our side while {}; please try again in a moment."


def build_animate(desk: JobRunner) -> dict[str, Any]:
    """Lay out the studio; `wire_animate` sets it to work. Returns its components by their element ids."""
    with gr.Row(elem_id="studio"):
        with gr.Column(scale=4, min_width=320):
            asked = _voice() | _face(desk.head) | _manner() | _extras()
            with gr.Row(elem_id="buttons"):
                asked["run"] = gr.Button("Make it talk", variant="primary", interactive=False, elem_id="run", scale=3)
                asked["stop"] = gr.Button("Stop", interactive=False, elem_id="stop", scale=1, min_width=90)
        with gr.Column(scale=5, min_width=320):
            given = {"status": gr.HTML(status_html(-1, WELCOME), label="Status", elem_id="status")}
            gr.HTML("<h2>3D head</h2>")
            given["player"] = player("player", "animate")
            gr.HTML("<h2>Video</h2>")
            # The label would lie on the picture: the heading says it.
            given["video"] = gr.Video(
                label="Video", show_label=False, elem_id="video", interactive=False, buttons=["download"]
            )
            given["caption"] = gr.HTML("", elem_id="caption")
            given["last"] = gr.State(None)  # the wish behind the present result
            given["prepare"] = build_downloads(desk, given["last"], ONE_AT_A_TIME)
    return asked | given


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
            # gr.Examples would hand out a copy that the sweep by age has deleted.
            gr.Button(words, size="sm").click(partial(example_path, name), None, sound, **INSTANT)
    return {"sound": sound}


def _face(head: Any) -> dict[str, Any]:
    gr.HTML("<h2>Head</h2>")
    names = [(seen_name(name, head.descriptions.get(name, "")), name) for name in head.identities]
    cameras = [(words, name) for name, words in CAMERA_NAMES.items()]
    return {
        "head": gr.Dropdown(names, value=names[0][1], label="Head", elem_id="head", filterable=False),
        "camera": gr.Radio(cameras, value="front", label="Camera of the video", elem_id="camera"),
    }


def _manner() -> dict[str, Any]:
    gr.HTML("<h2>Manner of speaking</h2>")
    sources = [("Of this voice", THIS_VOICE), ("Of another voice", ANOTHER_VOICE), ("Neutral", NEUTRAL)]
    source = gr.Radio(sources, value=THIS_VOICE, label="Manner", elem_id="style-source")
    second = gr.Audio(
        type="filepath", sources=["upload", "microphone"], label="The voice whose manner to take",
        elem_id="style-sound", buttons=[], visible=False, waveform_options=gr.WaveformOptions(sample_rate=16000),
    )  # fmt: skip
    blend = gr.Slider(
        0, 1, value=1, step=0.05, label="How much of it", info="0 is neutral, 1 the whole manner", elem_id="style-blend"
    )
    source.change(
        lambda chosen: (gr.Audio(visible=chosen == ANOTHER_VOICE), gr.Slider(interactive=chosen != NEUTRAL)),
        source, [second, blend], **INSTANT,
    )  # fmt: skip
    return {"style-source": source, "style-sound": second, "style-blend": blend}


def _extras() -> dict[str, Any]:
    with gr.Row(elem_id="extras"):
        expression = gr.Checkbox(
            label="Expression", info="blinks, glances and brows; the mouth stays as it is", elem_id="expression"
        )
        seed = gr.Number(value=0, precision=0, label="Seed", info="another number, other blinks", elem_id="seed")
        close = gr.Checkbox(
            label="Close in silence", info="keeps the mouth closed in pauses", elem_id="close-in-silence"
        )
    return {"expression": expression, "seed": seed, "close-in-silence": close}


def wish_form(parts: dict[str, Any]) -> Form[AnimateRequest]:
    """Which component asks for which field of a Wish."""
    asked = {
        "sound": "sound", "identity": "head", "camera": "camera", "style": "style-source", "style_sound": "style-sound",
        "style_blend": "style-blend", "expression": "expression", "seed": "seed",
        "close_in_silence": "close-in-silence",
    }  # fmt: skip

    def request(
        sound: str | None, identity: str, camera: str, style: str, style_sound: str | None, style_blend: float,
        expression: bool, seed: float, close_in_silence: bool,
    ) -> AnimateRequest:  # fmt: skip
        options = options_of(
            style_blend=style_blend, expression=expression, seed=seed, close_in_silence=close_in_silence
        )
        return AnimateRequest(sound, identity, camera, style, style_sound, options)

    return Form(request, {name: parts[elem_id] for name, elem_id in asked.items()})


def wire_animate(desk: JobRunner, parts: dict[str, Any], remembered: dict[Any, Any]) -> Any:
    """Let the buttons work; returns the event that animates.

    `remembered` is what else shows the result: component -> function of the animation and the wish.
    """
    controls = RunControls(parts["status"], parts["run"], parts["stop"])
    form = wish_form(parts)
    outputs = [*(parts[name] for name in ("last", "player", "video", "caption")), *remembered]
    see = call_script("page.js", "showPlace", "status")  # on a phone the results are below the choices
    handler = _handler(desk, parts, controls, form, remembered)
    event = controls.wire(handler, form, outputs, see, [parts["prepare"]])
    run = parts["run"]
    # A recording reaches the server a moment after it ends: until then there is nothing to run. The button knows it in
    # the browser, at once: answers of the server to "taken away" and "there" may cross.
    for voice in (parts["sound"], parts["style-sound"]):
        voice.start_recording(None, None, run, js=call_script("page.js", "notNow"), **INSTANT)
        voice.change(None, parts["sound"], run, js=call_script("page.js", "runnable"), **INSTANT)
    return event


def _handler(
    desk: JobRunner,
    parts: dict[str, Any],
    controls: RunControls,
    form: Form[AnimateRequest],
    remembered: dict[Any, Any],
) -> Callable[..., Iterator[Shown]]:
    """The handler of the one button: a generator, so that it can be stopped, and that shows each result at once."""
    player, video, caption, last = (parts[name] for name in ("player", "video", "caption", "last"))
    descriptions = desk.head.descriptions

    def shown(step: Result, wish: AnimateRequest, request: gr.Request) -> Shown:
        if isinstance(step, AnimationReady):
            name = seen_name(wish.identity, descriptions.get(wish.identity, ""))
            values = {component: value(step.animation, wish) for component, value in remembered.items()}
            return values | {caption: caption_html(wish, name), last: wish}
        if isinstance(step, FileReady):
            return {video: desk.visits.keep(step.path, request)}
        return {player: step.package} if isinstance(step, PlayerReady) else {}

    def steps(values: dict[Any, Any], watch: Watch, request: gr.Request) -> Iterator[Shown]:
        wish, note = form.read(values), ""
        for step in run_animation(desk, wish):
            if isinstance(step, str):
                yield {controls.status: step}
                continue
            if isinstance(step, Note):
                note += " " + step.text
                gr.Info(html.escape(step.text, quote=False))
                continue
            watch.doing = "drawing the video"
            watch.arrived()
            yield shown(step, wish, request)
        spent = "Memory after {:.1f} s, 3D head after {:.1f} s, video after {:.1f} s.".format(*watch.times)
        yield controls.ended(spent + note, len(STEPS))

    def begin(values: dict[Any, Any], request: gr.Request) -> Iterator[Shown]:
        watch = Watch("listening")
        yield {part: None for part in (player, video, last, *remembered)} | {caption: ""} | controls.begun()
        yield from controls.plainly(steps(values, watch, request), lambda: OURS.format(watch.doing))

    return begin


def caption_html(wish: AnimateRequest, head_name: str) -> str:
    """The settings under the result, and what follows from them."""
    return (
        f'<p class="small">{html.escape(wish.caption(head_name))} The same sound and settings give the same result '
        'again.</p><p class="small">Generated by a computer; the head stands for no real person.</p>'
    )

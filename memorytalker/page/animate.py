"""The tab Animate: voice, button, head and memory in one view; files and details below."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Iterator
from typing import Any, cast

import gradio as gr

from memorytalker.page.adjust import build_adjust, curve_options
from memorytalker.page.animation_run import (
    AnimationReady,
    FileReady,
    NeutralReady,
    Note,
    PlainReady,
    PlayerReady,
    Result,
    run_animation,
)
from memorytalker.page.downloads import build_downloads
from memorytalker.page.head_files import head_address
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PageError
from memorytalker.page.live_files import library_address, live_files
from memorytalker.page.memory import build_memory, build_style, memory_outputs, wire_memory
from memorytalker.page.player import coming_value, player
from memorytalker.page.request import MY_OWN, NO_OWN_STYLE, THIS_VOICE, AnimateRequest, options_of, seen_name
from memorytalker.page.run_controls import INSTANT, ONE_AT_A_TIME, Form, RunControls, Updates, Watch
from memorytalker.page.scripts import call_script, start_script
from memorytalker.page.settings import build_heads, build_settings, changes_text, settings_line, wire_settings
from memorytalker.page.sliders import SliderValues, slider_values
from memorytalker.page.status import STEPS, status_html
from memorytalker.page.voice import build_voice, wire_voice
from memorytalker.styles.delivery import Delivery
from memorytalker.styles.style import Style

WELCOME = "Press an example, or record yourself."
DONE = "Done. Play it, turn it, download it."
OURS = "Something failed on our side while {}; please try again in a moment."
CHANNEL = "animate"


def build_animate(runner: JobRunner) -> None:
    """Lay out the tab and connect it."""
    head = runner.head
    with gr.Row(elem_id="studio"):
        with gr.Column(elem_id="voice-column", min_width=240):
            parts = build_voice(head.identities)
            with gr.Row(elem_id="buttons"):
                parts["run"] = gr.Button("Make it talk", variant="primary", interactive=False, elem_id="run", scale=3)
                parts["stop"] = gr.Button("Stop", interactive=False, elem_id="stop", scale=1, min_width=70)
            parts["status"] = gr.HTML(status_html(-1, WELCOME), label="Status", elem_id="status")
            parts["changed"] = gr.HTML("", label="Changed settings", elem_id="changed")
            parts["head"] = build_heads(head)
            parts |= build_settings(head, CHANNEL, library_address(live_files()))
        with gr.Column(elem_id="head-column", min_width=280):
            parts["player"] = player(
                "player", CHANNEL, empty="", first=coming_value(head.with_identity(next(iter(head.identities))))
            )
            parts["plain"], parts["neutral"] = _told("plain"), _told("neutral")
            parts["wear"] = _told("wear")
        with gr.Column(elem_id="memory-column", min_width=300):
            parts |= build_memory(CHANNEL)
    with gr.Row(elem_id="results"):
        with gr.Column(elem_id="files-column", min_width=300):
            _files(runner, parts)
        with gr.Column(elem_id="style-column", min_width=300):
            parts |= build_style(CHANNEL)
    wire_memory(runner, parts)
    wire_voice(parts, parts["head"], head.identities)
    wire_settings(runner, parts, CHANNEL)
    wire_animate(runner, parts, memory_outputs(runner, parts))


def _files(runner: JobRunner, parts: dict[str, Any]) -> None:
    """The video, the corrections of the face, and the files."""
    gr.HTML("<h2>Video</h2>")
    # The label would cover the video; the heading says the same.
    parts["video"] = gr.Video(label="Video", show_label=False, elem_id="video", interactive=False, buttons=["download"])
    parts["caption"] = gr.HTML("", elem_id="caption")
    parts["last"] = gr.State(None)  # the request of the present result
    parts["face-changes"] = build_adjust(runner.head, CHANNEL)
    parts["prepare"] = build_downloads(runner, parts["last"], parts["face-changes"], ONE_AT_A_TIME)


def _told(name: str) -> gr.HTML:
    """An invisible component whose value the player is told as the event of that name."""
    script = start_script("relay.js", channel=CHANNEL, told=name)
    return gr.HTML(None, html_template="", js_on_load=script, elem_id=f"told-{name}", elem_classes="told")


def animate_form(parts: dict[str, Any]) -> Form[AnimateRequest]:
    """The form of the tab: which component gives which field of an AnimateRequest."""
    fields = {
        "sound": "sound", "identity": "head", "camera": "camera", "style": "style-source",
        "style_sound": "second-voice", "style_blend": "style-blend", "expression": "expression", "seed": "seed",
        "close_in_silence": "close-in-silence", "changes": "face-changes", "sliders": "sliders", "mine": "mine",
        "last": "last",
    }  # fmt: skip
    turns = parts["turns"]

    def build(
        sound: str | None, identity: str, camera: str, style: str, style_sound: str | None, style_blend: float,
        expression: bool, seed: float, close_in_silence: bool, changes: str, sliders: str, mine: Style | None,
        last: AnimateRequest | None,
    ) -> AnimateRequest:  # fmt: skip
        values = slider_values(sliders)
        given = own_style(style, mine)
        deliveries, head_motion = moved_by(values, turns and expression, given is not None)
        options = options_of(
            style_blend=style_blend, expression=expression, seed=seed, close_in_silence=close_in_silence,
            head_motion=head_motion, voice_arousal=values.voice_arousal,
        )  # fmt: skip
        source = THIS_VOICE if given is not None else style
        curves = curve_options(changes)
        encoded = None if last is None else last.encoded
        return AnimateRequest(sound, identity, camera, source, style_sound, options, curves, given, deliveries, encoded)

    return Form(build, {name: parts[elem_id] for name, elem_id in fields.items()})


def own_style(source: str, mine: Style | None) -> Style | None:
    """Return the visitor's own style where that is the source; PageError where there is none yet."""
    if source == MY_OWN and mine is None:
        raise PageError(NO_OWN_STYLE)
    return mine if source == MY_OWN else None


def moved_by(values: SliderValues, turning: bool, styled: bool) -> tuple[tuple[Delivery, ...] | None, float | None]:
    """What the sliders change of an animation.

    Args:
        values: of the sliders.
        turning: whether the head may turn.
        styled: whether a style is given, whose deliveries the sliders show.

    Returns:
        The deliveries, None where the sliders change nothing; and the strength of the head's turns, None where the
        deliveries say it.
    """
    alone = values.head_motion_alone
    if alone is not None and not styled:
        return None, alone if turning else None
    if turning:
        return values.deliveries, None
    return (values.still if styled or values.still != (Delivery(),) else None), None


def wire_animate(runner: JobRunner, parts: dict[str, Any], memory_outputs: dict[Any, Any]) -> Any:
    """Connect the buttons.

    Args:
        runner: does the work.
        parts: the components of the tab, by element id.
        memory_outputs: further components that show the result -> function of (Animation, AnimateRequest) that gives
            their value.

    Returns:
        The event that animates.
    """
    controls = RunControls(parts["status"], parts["run"], parts["stop"])
    form = animate_form(parts)
    shown = ("last", "player", "plain", "neutral", "video", "caption", "changed")
    outputs = [*(parts[name] for name in shown), *memory_outputs]
    show_head = call_script("page.js", "showHead", "status")  # which is above it on a phone
    handler = _handler(runner, parts, controls, form, memory_outputs)
    event = controls.wire(handler, form, outputs, show_head, [parts["prepare"]])
    run = parts["run"]
    # A recording reaches the server a moment after it ends; until then there is nothing to run. The browser itself
    # switches the button, for the server's answers to "removed" and "uploaded" may arrive in the wrong order.
    parts["sound"].change(None, parts["sound"], run, js=call_script("page.js", "runnable"), **INSTANT)
    _wire_changes(runner, parts, form)
    return event


def _wire_changes(runner: JobRunner, parts: dict[str, Any], form: Form[AnimateRequest]) -> None:
    """Say what is set, and what has changed since the result; a head is put on at once."""
    last, settings, changed = parts["last"], parts["settings"], parts["changed"]

    def compared(values: dict[Any, Any]) -> Updates:
        try:
            now = form.read(values)
        except Exception:  # a value that cannot be used is refused when the button is pressed
            return {changed: gr.skip()}
        return {settings: gr.Accordion(label=settings_line(now)), changed: _changed(changes_text(now, values[last]))}

    # The sliders of the face act in the browser alone, and a new result says itself what is set.
    changes = [cast(Any, part).change for part in form.inputs if part not in (parts["face-changes"], last)]
    gr.on(changes, compared, form.inputs, [settings, changed], trigger_mode="always_last", **INSTANT)

    def put_on(name: str) -> str | None:
        known = name in runner.head.identities and bool(runner.head.blendshape_names)
        return head_address(runner.head.with_identity(name)) if known else None

    parts["head"].change(put_on, parts["head"], parts["wear"], **INSTANT)


def _changed(text: str) -> str:
    return f'<p class="changed" role="status">{html.escape(text)}</p>' if text else ""


def _handler(
    runner: JobRunner,
    parts: dict[str, Any],
    controls: RunControls,
    form: Form[AnimateRequest],
    memory_outputs: dict[Any, Any],
) -> Callable[..., Iterator[Updates]]:
    """The handler of the button: a generator, so that it can be stopped and shows each result at once.

    The result that is there stays until its successor is: an error takes nothing away.
    """
    player, plain, neutral, video, caption, last, changed = (
        parts[name] for name in ("player", "plain", "neutral", "video", "caption", "last", "changed")
    )
    descriptions = runner.head.descriptions

    def updates(step: Result, animate_request: AnimateRequest, request: gr.Request) -> Updates:
        if isinstance(step, AnimationReady):
            name = seen_name(animate_request.identity, descriptions.get(animate_request.identity, ""))
            values = {component: value(step.animation, animate_request) for component, value in memory_outputs.items()}
            return values | {
                caption: caption_html(animate_request, name), video: None, plain: None, neutral: None, changed: "",
                last: dataclasses.replace(animate_request, encoded=step.animation.encoded),
            }  # fmt: skip
        if isinstance(step, FileReady):
            return {video: runner.session_files.keep(step.path, request)}
        if isinstance(step, PlainReady):
            return {plain: step.package, last: dataclasses.replace(animate_request, encoded=step.encoded)}
        if isinstance(step, NeutralReady):
            return {neutral: step.package}
        return {player: step.package} if isinstance(step, PlayerReady) else {}

    def steps(values: dict[Any, Any], watch: Watch, request: gr.Request) -> Iterator[Updates]:
        animate_request, notes = form.read(values), ""
        for step in run_animation(runner, animate_request):
            if isinstance(step, str):
                yield {controls.status: step}
                continue
            if isinstance(step, Note):
                notes += " " + step.text
                gr.Info(html.escape(step.text, quote=False))
                continue
            watch.doing = "drawing the video"
            if not isinstance(step, (PlainReady, NeutralReady)):
                watch.arrived()
            yield updates(step, animate_request, request)
        times = "Memory after {:.1f} s, 3D head after {:.1f} s, video after {:.1f} s.".format(*watch.times)
        yield controls.ended(DONE + notes, len(STEPS), small=times)

    def begin(values: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        watch = Watch("animating the voice")
        yield controls.begun()
        yield from controls.report_failures(steps(values, watch, request), lambda: OURS.format(watch.doing))

    return begin


def caption_html(animate_request: AnimateRequest, head_name: str) -> str:
    """The settings of the result, as HTML below the video."""
    return (
        f'<p class="small">{html.escape(animate_request.caption(head_name))} The same sound and settings give the same '
        'result again.</p><p class="small">Generated by a computer; the head depicts no real person.</p>'
    )

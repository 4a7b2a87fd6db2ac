"""What is set for the next animation: heads, camera, style and expression, folded to a line that says it."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr

from memorytalker.face.expression import missing_shapes
from memorytalker.options import LARGEST_BLEND
from memorytalker.page.describe import build_describe, wire_describe
from memorytalker.page.examples import EXAMPLES, TITLES, example_path
from memorytalker.page.jobs import JobRunner
from memorytalker.page.own_style import build_own_style, wire_own_style
from memorytalker.page.request import (
    ANOTHER_VOICE,
    CAMERA_NAMES,
    MY_OWN,
    NEUTRAL,
    THIS_VOICE,
    AnimateRequest,
    given_words,
    options_of,
    seen_name,
)
from memorytalker.page.run_controls import INSTANT
from memorytalker.page.scripts import call_script
from memorytalker.page.sliders import build_sliders, delivery_words
from memorytalker.page.voice import LIMITS, RECORD, TRIM, note_html, sound_box, wire_arrival
from memorytalker.places import assets_folder

#: Pictures of the heads, `<identity>.webp`; a head without one is shown by its name.
THUMBNAILS = "head/thumbnails"
#: Letters of the sliders' words that fit into the line.
MOST_WORDS = 40


def build_heads(head: Any) -> gr.Radio:
    """The heads as pictures or names to choose from; an `AnimateRequest` takes the value as `identity`."""
    pictures = thumbnails_css(head.identities)
    if pictures:
        gr.HTML(f"<style>{pictures}</style>", elem_id="thumbnails", apply_default_css=False)
    names = [(seen_name(name), name) for name in head.identities]
    return gr.Radio(names, value=names[0][1], label="Head", elem_id="head", elem_classes="heads")


def thumbnails_css(identities: Any) -> str:
    """Style rules that show the pictures of heads in the place of their names; empty where there is none."""
    folder = assets_folder(THUMBNAILS)
    rules = []
    for name in identities:
        path = folder / f"{name}.webp"
        if name.isidentifier() and path.is_file():
            picture = base64.b64encode(path.read_bytes()).decode("ascii")
            rules.append(
                f'#head label:has(input[value="{name}"]) {{ --face: url(data:image/webp;base64,{picture}); }}'
                f'#head label:has(input[value="{name}"])::before {{ content: ""; }}'
            )
    return "\n".join(rules)


def build_settings(head: Any, channel: str, library: str | None) -> dict[str, Any]:
    """Lay out the folds below the button; `wire_settings` connects them.

    Args:
        head: of the page.
        channel: of the player that the sliders act on.
        library: as in `build_sliders`.

    Returns:
        Components by element id; "turns" says whether the head can turn on its neck.
    """
    cameras = [(words, name) for name, words in CAMERA_NAMES.items()]
    turns = head.rig is None and bool(head.blendshape_names)
    lively = not missing_shapes(head)
    first = AnimateRequest(None, next(iter(head.identities)), options=options_of(expression=lively))
    with gr.Accordion(settings_line(first), open=False, elem_id="settings") as settings:
        sources = [
            ("Of this voice", THIS_VOICE), ("Of another voice", ANOTHER_VOICE), ("Neutral", NEUTRAL), ("My own", MY_OWN)
        ]  # fmt: skip
        source = gr.Radio(sources, value=THIS_VOICE, label="Speaking style", elem_id="style-source")
        blend = gr.Slider(
            0, LARGEST_BLEND, value=1, step=0.05, label="Style strength", elem_id="style-blend",
            info="0: neutral, 1: as it is, to 3: an exaggeration",
        )  # fmt: skip
        with gr.Accordion(
            "How it moves and feels", open=False, elem_id="delivery", visible=bool(head.blendshape_names)
        ):
            delivery = build_describe()
            delivery["sliders"] = build_sliders(channel, library, turns)
        own = build_own_style()
        camera = gr.Radio(cameras, value="front", label="Camera of the video", elem_id="camera")
        with gr.Row(elem_id="extras"):
            expression = gr.Checkbox(
                lively, label="Expression", elem_id="expression",
                info="blinks, glances, brows; the head moves a little",
            )  # fmt: skip
            seed = gr.Number(value=0, precision=0, label="Seed", info="another gives other blinks", elem_id="seed")
        close = gr.Checkbox(
            label="Close the mouth in silence", info="in pauses of the voice", elem_id="close-in-silence"
        )
    with gr.Accordion("A second voice", open=False, elem_id="second") as second:
        gr.HTML(
            '<p class="small">It is compared with the first below, and it can lend its style.</p>',
        )
        examples = {}
        with gr.Row(elem_id="second-examples"):
            for name in EXAMPLES:
                examples[name] = gr.Button(TITLES[name], size="sm", min_width=60)
        with gr.Row(elem_id="second-own"):
            record = gr.Button(RECORD, elem_id="record-second", scale=1, min_width=100)
            sound = sound_box("Second voice", "second-voice")
        note = gr.HTML(note_html(LIMITS), elem_id="second-note", label="Second voice")
        trim = gr.Button(TRIM, size="sm", elem_id="trim-second", visible=False)
    return {
        "camera": camera, "style-source": source, "style-blend": blend, "expression": expression, "seed": seed,
        "close-in-silence": close, "settings": settings, "second-fold": second, "second-voice": sound,
        "second-record": record,
        "second-note": note, "second-trim": trim, "second-examples": examples,
        "turns": turns, **delivery, **own,
    }  # fmt: skip


def wire_settings(runner: JobRunner, parts: dict[str, Any], channel: str) -> None:
    """Connect what the settings do at once: to the 3D head, and to each other."""
    source, second = parts["style-source"], parts["second-voice"]
    source.change(
        lambda chosen: (
            gr.Slider(interactive=chosen != NEUTRAL),
            gr.Accordion(open=True) if chosen == ANOTHER_VOICE else gr.skip(),
            gr.Accordion(open=True) if chosen == MY_OWN else gr.skip(),
        ),
        source, [parts["style-blend"], parts["second-fold"], parts["mine-fold"]], **INSTANT,
    )  # fmt: skip
    wire_describe(parts)
    wire_own_style(runner, parts, parts["turns"])
    expression = parts["expression"]
    expression.change(lambda on: gr.Number(visible=on), expression, parts["seed"], **INSTANT)
    for part, name in ((expression, "alive"), (parts["camera"], "camera")):
        part.change(None, part, None, js=call_script("relay.js", "send", channel, name), **INSTANT)
    for name, button in parts["second-examples"].items():
        button.click(functools.partial(example_path, name), None, second, **INSTANT)
    wire_arrival(second, parts["second-note"], parts["second-trim"])
    press = call_script("record.js", "press", "record-second", "second-voice", RECORD)
    parts["second-record"].click(None, None, None, js=press, **INSTANT)


def settings_line(request: AnimateRequest) -> str:
    """What is set, in a line."""
    options = request.options
    if request.given is not None:
        style = f"{given_words(request.given)} {100 * options.style_blend:.0f} %"
    elif request.style == NEUTRAL:
        style = "neutral style"
    else:
        styles = {THIS_VOICE: "style of this voice", ANOTHER_VOICE: "style of another voice"}
        style = f"{styles.get(request.style, f'style {request.style}')} {100 * options.style_blend:.0f} %"
    parts = [f"{CAMERA_NAMES[request.camera].lower()} camera", style]
    parts.append("expression" if options.expression else "no expression")
    if options.close_in_silence:
        parts.append("mouth closed in silence")
    if moved := delivery_words(request.deliveries or ()):
        parts.append(moved if len(moved) <= MOST_WORDS else f"{moved[:MOST_WORDS]}…")
    if options.voice_arousal:
        parts.append("arousal of the voice")
    return "Settings: " + ", ".join(parts)


#: Field of the request -> its name to a visitor.
NAMED: Mapping[str, str] = MappingProxyType(
    {
        "sound": "voice", "identity": "head", "camera": "camera", "style": "speaking style",
        "style_file": "second voice", "options": "options", "curves": "face", "given": "own style",
        "deliveries": "how it moves and feels",
    }
)  # fmt: skip


def changes_text(now: AnimateRequest, shown: AnimateRequest | None) -> str:
    """What differs between the settings now and those of the result that is shown; empty where nothing does."""
    if shown is None:
        return ""
    options = {"options"} if now.options.changed(identity=None) != shown.options.changed(identity=None) else set()
    simple = {name for name in NAMED if name != "options" and getattr(now, name) != getattr(shown, name)}
    if now.style != ANOTHER_VOICE:
        simple.discard("style_file")
    differing = [NAMED[name] for name in NAMED if name in simple | options]
    if not now.sound:
        return ""
    return f"Changed since: {', '.join(differing)}. Press “Make it talk” again." if differing else ""

"""The box of the voice: examples that talk at one press, a recording, an upload; each is checked when it arrives."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from memorytalker.page.examples import EXAMPLES, TITLES, example_head, example_path
from memorytalker.page.limits import LARGEST_MEGABYTES, LONGEST_SECONDS, PLAIN_ERRORS, read_sound
from memorytalker.page.run_controls import INSTANT
from memorytalker.page.scripts import call_script
from memorytalker.sound.decode import TooLongError, is_silent, load_beginning, shown_name

LIMITS = f"Up to {LONGEST_SECONDS:.0f} seconds, {LARGEST_MEGABYTES} MB; deleted within an hour."
TRIM = f"Take the first {LONGEST_SECONDS:.0f} seconds"
RECORD = "Record yourself"


def sound_box(label: str, elem_id: str) -> gr.Audio:
    """A field for an uploaded sound; recordings come from our own button."""
    return gr.Audio(
        type="filepath", sources=["upload"], label=label, elem_id=elem_id, buttons=[], elem_classes="sound-box",
        waveform_options=gr.WaveformOptions(sample_rate=16000, show_recording_waveform=False),
    )  # fmt: skip


def build_voice(identities: Any) -> dict[str, Any]:
    """Lay out the box; `wire_voice` connects it.

    Args:
        identities: names of the page's heads.

    Returns:
        Its components by element id.
    """
    gr.HTML("<h2>Voice</h2>", elem_id="voice-title")
    buttons = {}
    with gr.Row(elem_id="examples"):
        for name in EXAMPLES:
            buttons[name] = gr.Button(f"▶ {TITLES[name]}", size="sm", min_width=60)
    with gr.Row(elem_id="own-voice"):
        record = gr.Button(RECORD, elem_id="record", scale=1, min_width=100)
        sound = sound_box("Voice", "sound")
    note = gr.HTML(note_html(LIMITS), elem_id="voice-note", label="Voice")
    trim = gr.Button(TRIM, size="sm", elem_id="trim", visible=False)
    return {"examples": buttons, "record": record, "sound": sound, "voice-note": note, "trim": trim}


def wire_voice(parts: dict[str, Any], head: gr.Radio, identities: Any) -> None:
    """Connect the box.

    Args:
        parts: of `build_voice`.
        head: the component whose value is the name of a head; an example brings one that fits.
        identities: names of the page's heads.
    """
    sound, note, trim = parts["sound"], parts["voice-note"], parts["trim"]
    talk = call_script("page.js", "talk")
    for name, button in parts["examples"].items():
        # gr.Examples would hand out a cached copy, which the sweep of old files may have deleted.
        give = functools.partial(_example, name, identities)
        button.click(give, head, [sound, head, note, trim], **INSTANT).then(None, None, None, js=talk, **INSTANT)
    parts["record"].click(None, None, None, js=call_script("record.js", "press", "record", "sound", RECORD), **INSTANT)
    wire_arrival(sound, note, trim)


def wire_arrival(sound: gr.Audio, note: gr.HTML, trim: gr.Button) -> None:
    """Check what arrives in a field, say so in the note below it, and offer the beginning of a long sound."""
    too_long = gr.State("")
    sound.upload(arrived, sound, [sound, note, trim, too_long], **INSTANT)
    sound.clear(lambda: (note_html(LIMITS), gr.Button(visible=False)), None, [note, trim], **INSTANT)
    trim.click(shortened, too_long, [sound, note, trim], **INSTANT)


def _example(name: str, identities: Any, head: str) -> tuple[Any, ...]:
    told = note_html(EXAMPLES[name])
    return example_path(name), example_head(name, identities, head), told, gr.Button(visible=False)


def arrived(path: str | None, read: Callable[..., Any] = read_sound) -> tuple[Any, Any, Any, str]:
    """Check a sound that was uploaded or recorded.

    Args:
        path: of the file on this server.
        read: as `read_sound`.

    Returns:
        What the field holds (None for a sound that cannot be used), the note below it, the button that offers the
        beginning of a long sound, and the path of that.
    """
    try:
        waveform = read(path, "")
    except TooLongError as error:
        return None, note_html(str(error), wrong=True), gr.Button(visible=True), str(path)
    except PLAIN_ERRORS as error:
        return None, note_html(str(error), wrong=True), gr.Button(visible=False), ""
    told = f"{waveform.seconds:.1f} s of sound."
    if is_silent(waveform):
        told += " It is silent, so the mouth will stay closed."
    return gr.skip(), note_html(told), gr.Button(visible=False), ""


def shortened(path: str) -> tuple[Any, Any, Any]:
    """The first `LONGEST_SECONDS` of a sound that is too long; the values of `arrived` but for the last."""
    try:
        waveform = load_beginning(path, LONGEST_SECONDS)
    except PLAIN_ERRORS:
        gone = f"{shown_name(Path(path))} is no longer on this server; please give it again."
        return None, note_html(gone, wrong=True), gr.Button(visible=False)
    sound = waveform.sample_rate, (32767 * waveform.samples).round().astype("int16")
    return sound, note_html(f"The first {waveform.seconds:.0f} s of the sound."), gr.Button(visible=False)


def note_html(text: str, wrong: bool = False) -> str:
    """A line below a field."""
    tone = "wrong" if wrong else "small"
    return f'<p class="{tone}" role="{"alert" if wrong else "status"}">{html.escape(text)}</p>'

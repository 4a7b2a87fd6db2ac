"""The memory beside the head: the address over time with the style of each slot; below it the style and two voices."""

from __future__ import annotations

import base64
import html
import logging
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np

from memorytalker import Animation, Waveform
from memorytalker.page import insight
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PLAIN_ERRORS, PageError, read_sound, refused
from memorytalker.page.scripts import start_script
from memorytalker.page.slot_view import IN_A_PAUSE, MemoryState, faces_html, memory_state, slot_steps
from memorytalker.page.status import POLL_SECONDS, waiting
from memorytalker.page.style_view import style_html, voices_html
from memorytalker.phones import ENGLISH
from memorytalker.sound.decode import is_silent

WAVE_BINS = 2000
EMPTY = "Once a head has talked, you can see here which memory slots its motion was read from."
INTRODUCTION = """<h2>Which speech sounds the face used</h2><p class="small">The memory has a row for each: the
brighter, the more of the face comes from it. Click to go there, or a name or bar to see its face.</p>"""
STYLE = """<h2>The speaking style of this voice</h2><p class="small">A speaking style gives each slot a weight: a
larger weight moves the face more, a smaller one less.</p>"""
SECOND = """<h2>Two voices</h2><p class="small">Give a second voice, in its box beside the head, to see how the two
weight the slots.</p>"""
SECOND_MISSING = "Give a second voice to see both side by side."
FIRST_MISSING = "The style of the second voice is ready; make a head talk to compare the two."
READING = "Reading the second voice…"
OURS = "The second voice could not be read because something failed on our side; please try again in a moment."
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
#: Events that the worker does in the pauses of an animation.
BESIDE: dict[str, Any] = PRIVATE | {"concurrency_limit": 4, "concurrency_id": "memory"}
log = logging.getLogger("memorytalker.page")


def build_memory(channel: str) -> dict[str, Any]:
    """Lay out the heatmap with the style of each slot; `wire_memory` connects it.

    Args:
        channel: name of the clock that it shares with the player beside it.

    Returns:
        Its components by element id.
    """
    gr.HTML(INTRODUCTION, elem_id="memory-introduction")
    memory = gr.HTML(
        None, label="Memory heatmap", elem_id="memory", html_template='<div class="memory-view"></div>',
        js_on_load=start_script("memory.js", channel=channel, event="slot", empty=EMPTY), apply_default_css=False,
    )  # fmt: skip
    return {"memory": memory}


def build_style(channel: str) -> dict[str, Any]:
    """Lay out the face of a slot, the style in words and two voices; arguments and result as of `build_memory`."""
    bars = start_script("bars.js", channel=channel, event="slot")
    script = start_script("faces.js", channel=channel)
    faces = gr.HTML(faces_html(), label="Face of a slot", elem_id="slot-faces", js_on_load=script)
    gr.HTML(STYLE)
    words = gr.HTML(
        "", label="Style in words", elem_id="style-words", js_on_load=bars,
        html_template='${value || "<p>It is shown here once a head has talked.</p>"}',
    )  # fmt: skip
    gr.HTML(SECOND)
    voices = gr.HTML(_note(SECOND_MISSING), label="Two voices", elem_id="voices", js_on_load=bars)
    return {
        "slot-faces": faces, "style-words": words, "voices": voices, "state": gr.State(None), "second": gr.State(None),
    }  # fmt: skip


def memory_outputs(runner: JobRunner, parts: dict[str, Any]) -> dict[Any, Callable[[Any, Any], Any]]:
    """What shows a new result: component -> function of (Animation, AnimateRequest) that gives its value."""
    return {
        parts["memory"]: lambda animation, request: memory_value(animation, runner.mean_style),
        parts["style-words"]: lambda animation, request: style_html(
            animation.style_weights, runner.mean_style, animation.slot_labels, "measure"
        ),
        parts["slot-faces"]: lambda animation, request: faces_html(),
        parts["state"]: lambda animation, request: memory_state(animation, request.identity),
    }


def memory_value(animation: Animation, average: np.ndarray | None = None) -> dict[str, Any]:
    """The value of the heatmap; memory.js describes its fields.

    Args:
        animation: the result.
        average: style weights (n,) of the average speaker; None if they are not known.
    """
    labels, address = list(animation.slot_labels), np.asarray(animation.memory_address)
    seconds = len(address) / animation.fps
    readings = insight.readings(address, animation.fps)
    wave = insight.envelope(animation.waveform.samples, WAVE_BINS)
    opening = insight.opening_over_time(animation.motion)
    emphasis = insight.style_emphasis(animation.style_weights, average)
    return {
        "seconds": seconds,
        "fps": animation.fps,
        "labels": labels,
        "words": [ENGLISH.sample_words.get(label, "") for label in labels],
        "groups": [[name, slots] for name, slots in ENGLISH.grouped(labels)],
        "style": None if emphasis is None else [round(float(one), 4) for one in emphasis.relative],
        "reference": "the average speaker" if average is not None else "the neutral style",
        "address": _base64(np.round(255 * np.clip(address, 0, 1)).astype(np.uint8)),
        "wave": _base64(np.round(127 * np.clip(wave, -1, 1)).astype(np.int8)),
        "opening": None if opening is None else _base64(opening.astype("<f4")),
        "readings": [[one.slot, round(one.start, 3), round(one.end, 3), round(one.share, 3)] for one in readings],
        "summary": insight.reading_text(readings, labels, seconds),
    }


def wire_memory(runner: JobRunner, parts: dict[str, Any]) -> None:
    """Connect both, and the box "second-voice" among the parts: a slot shows its face, a second voice is compared."""
    state, second = parts["state"], parts["second"]

    def show_slot(state: MemoryState | None, event: gr.EventData) -> Iterator[str]:
        yield from slot_steps(runner, state, getattr(event, "index", None))

    def weigh_second_voice(path: str | None) -> Iterator[tuple[Any, str]]:
        if not path:
            yield None, _note(SECOND_MISSING)
            return
        yield None, _note(READING)
        try:
            voice = second_voice(path)
            with runner.job(runner.style_of, voice, small=True) as job:
                for _ in waiting(job, POLL_SECONDS):
                    yield None, _note(READING if job.begun else IN_A_PAUSE)
                weights = job.result
            yield tuple(weights.tolist()), gr.skip()
        except PLAIN_ERRORS as error:
            yield None, _note(str(error), wrong=True)
            raise refused(error) from None
        except Exception as error:
            log.exception("A second voice could not be read")
            yield None, _note(OURS, wrong=True)
            raise refused(PageError(OURS)) from error

    def compare(state: MemoryState | None, weights: tuple[float, ...] | None) -> Any:
        if weights is None:
            return gr.skip()  # the handler that removed the second voice shows why
        if state is None:
            return _note(FIRST_MISSING)
        first, other = np.array(state.weights), np.array(weights)
        return voices_html(first, other, runner.mean_style, runner.slots)

    for name in ("memory", "style-words", "voices"):
        parts[name].slot(show_slot, state, parts["slot-faces"], trigger_mode="always_last", **BESIDE)
    parts["second-voice"].change(weigh_second_voice, parts["second-voice"], [second, parts["voices"]], **BESIDE)
    for component in (state, second):
        component.change(compare, [state, second], parts["voices"], queue=False, **PRIVATE)


def second_voice(path: str) -> Waveform:
    """Read a visitor's second voice. Raises PageError (none, or silent) or AudioError, in plain words."""
    waveform = read_sound(path, SECOND_MISSING)
    if is_silent(waveform):
        raise PageError("The second voice is silent and so has no speaking style; give one in which somebody speaks.")
    return waveform


def _note(text: str, wrong: bool = False) -> str:
    return f'<p class="{"wrong" if wrong else "well"}">{html.escape(text)}</p>'


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")

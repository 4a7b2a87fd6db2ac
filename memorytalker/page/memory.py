"""The Memory section: the memory address over time, the face of a slot, style weights, and two voices compared."""

from __future__ import annotations

import base64
import functools
import html
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from memorytalker import Animation, Waveform
from memorytalker.page import insight
from memorytalker.page.examples import EXAMPLES, example_path
from memorytalker.page.jobs import JobRunner, Progress
from memorytalker.page.limits import PLAIN_ERRORS, PageError, read_sound, refused
from memorytalker.page.scripts import start_script
from memorytalker.page.status import POLL_SECONDS, waiting
from memorytalker.page.style_view import style_html, voices_html
from memorytalker.page.worker import in_worker
from memorytalker.phones import ENGLISH
from memorytalker.rendering.closeup import mouth_images
from memorytalker.sound.decode import is_silent

WAVE_BINS = 2000
EMPTY = "Once a head has talked, you can see here which memory slots its motion was read from."
CHOOSE = "Choose a slot, in the heatmap or among the bars, to see the face that it stores."
INTRODUCTION = """<h2>What the memory recalled</h2><p>The memory has one slot for each speech sound (phone), and each
slot stores a motion of the face. Each row is a slot; the brighter a cell, the more of the motion is read from the slot
at that moment. Click to go there; choose a slot's name to see its face.</p>"""
STYLE = """<h2>The speaking style of this voice</h2><p class="small">A speaking style gives each slot a weight: a larger
weight moves the face more, a smaller one less.</p>"""
SECOND = """<h2>Two voices</h2><p class="small">Give another voice to see how the two voices weight the slots.
Only its style is computed; no video is drawn.</p>"""
SECOND_MISSING = "Give a second voice to see both side by side."
FIRST_MISSING = "The style of the second voice is ready; make a head talk to compare the two."
READING = "Reading the second voice…"
IN_A_PAUSE = "Another animation is being made; the second voice follows within a few seconds…"
OURS = "The second voice could not be read because something failed on our side; please try again in a moment."
ALONE = "This is the slot alone. In speech several slots are read at once, and each of them moves the face."
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
#: Events that the worker does in the pauses of an animation.
BESIDE: dict[str, Any] = PRIVATE | {"concurrency_limit": 4, "concurrency_id": "memory"}
log = logging.getLogger("memorytalker.page")


@dataclass(frozen=True)
class MemoryState:
    """What the section keeps of a visitor's present result.

    Args:
        identity: name of the head.
        weights: style weights of the n slots.
        in_speech: for each slot, a sentence on its part in this sound.
    """

    identity: str
    weights: tuple[float, ...]
    in_speech: tuple[str, ...]


def memory_state(animation: Animation, identity: str) -> MemoryState:
    """The state of a result: an animation of the head `identity`."""
    opening = insight.opening_over_time(animation.motion)
    values = np.zeros(len(animation)) if opening is None else opening
    seconds, lips = insight.time_and_mean_per_slot(animation.memory_address, values, animation.fps)
    words = tuple(
        f"In this sound it is the strongest slot for {long:.2f} s"
        + (f", lips {apart:.1f} mm apart on average." if opening is not None else ".")
        if long
        else "In this sound it is never the strongest slot."
        for long, apart in zip(seconds.tolist(), lips.tolist(), strict=True)
    )
    return MemoryState(identity, tuple(animation.style_weights.tolist()), words)


def build_memory(runner: JobRunner, channel: str = "animate") -> dict[str, Any]:
    """Lay out the section and connect it.

    Args:
        runner: does the work.
        channel: name of the clock that the section shares with the player above it.

    Returns:
        Its components by element id, and its states "state" and "second".
    """
    bars = start_script("bars.js", channel=channel, event="slot")
    with gr.Column(elem_id="memory-section"):
        gr.HTML(INTRODUCTION)
        memory = gr.HTML(
            None, label="Memory heatmap", elem_id="memory", html_template='<div class="memory-view"></div>',
            js_on_load=start_script("memory.js", channel=channel, event="slot", empty=EMPTY), apply_default_css=False,
        )  # fmt: skip
        faces = gr.HTML(faces_html(), label="Face of a slot", elem_id="slot-faces", js_on_load=start_script("faces.js"))
        gr.HTML(STYLE)
        words = gr.HTML(
            "", label="Style in words", elem_id="style-words", js_on_load=bars,
            html_template='${value || "<p>It is shown here once a head has talked.</p>"}',
        )  # fmt: skip
        gr.HTML(SECOND)
        second = gr.Audio(
            type="filepath", sources=["upload", "microphone"], label="Second voice", elem_id="second-voice",
            buttons=[], waveform_options=gr.WaveformOptions(sample_rate=16000),
        )  # fmt: skip
        with gr.Row(elem_id="second-examples"):
            for name, text in EXAMPLES.items():
                gr.Button(text, size="sm").click(
                    functools.partial(example_path, name), None, second, queue=False, **PRIVATE
                )
        voices = gr.HTML(_note(SECOND_MISSING), label="Two voices", elem_id="voices", js_on_load=bars)
    parts = {
        "memory": memory, "slot-faces": faces, "style-words": words, "second-voice": second, "voices": voices,
        "state": gr.State(None), "second": gr.State(None),
    }  # fmt: skip
    _wire(runner, parts)
    return parts


def memory_outputs(runner: JobRunner, parts: dict[str, Any]) -> dict[Any, Callable[[Any, Any], Any]]:
    """What shows a new result: component -> function of (Animation, AnimateRequest) that gives its value."""
    return {
        parts["memory"]: lambda animation, request: memory_value(animation),
        parts["style-words"]: lambda animation, request: style_html(
            animation.style_weights, runner.mean_style, animation.slot_labels, "measure"
        ),
        parts["slot-faces"]: lambda animation, request: faces_html(),
        parts["state"]: lambda animation, request: memory_state(animation, request.identity),
    }


def memory_value(animation: Animation) -> dict[str, Any]:
    """The value of the heatmap; memory.js describes its fields."""
    labels, address = list(animation.slot_labels), np.asarray(animation.memory_address)
    seconds = len(address) / animation.fps
    readings = insight.readings(address, animation.fps)
    wave = insight.envelope(animation.waveform.samples, WAVE_BINS)
    opening = insight.opening_over_time(animation.motion)
    return {
        "seconds": seconds,
        "fps": animation.fps,
        "labels": labels,
        "groups": [[name, slots] for name, slots in ENGLISH.grouped(labels)],
        "address": _base64(np.round(255 * np.clip(address, 0, 1)).astype(np.uint8)),
        "wave": _base64(np.round(127 * np.clip(wave, -1, 1)).astype(np.int8)),
        "opening": None if opening is None else _base64(opening.astype("<f4")),
        "readings": [[one.slot, round(one.start, 3), round(one.end, 3), round(one.share, 3)] for one in readings],
        "summary": insight.reading_text(readings, labels, seconds),
    }


def _wire(runner: JobRunner, parts: dict[str, Any]) -> None:
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


def slot_steps(runner: JobRunner, state: MemoryState | None, slot: Any) -> Iterator[str]:
    """Show the face of a slot.

    Args:
        runner: does the work.
        state: of the present result; None before there is one.
        slot: its index, as the browser sent it.

    Yields:
        HTML: first the measures of the face, and its images when they are rendered.

    Raises:
        gr.Error: there is no such slot, or the work failed.
    """
    labels = runner.slots
    if state is None:
        yield faces_html()
        return
    if not isinstance(slot, int) or slot not in range(len(labels)):
        raise refused(PageError("There is no such slot; choose one of those shown."))
    head = runner.head.with_identity(state.identity)
    styles: list[np.ndarray | None] = (
        [None] if set(state.weights) == {1.0} else [None, np.array(state.weights, np.float32)]
    )
    shown = functools.partial(faces_html, labels, slot, None, head, in_speech=state.in_speech[slot])
    try:
        # Small: it takes a moment and no graphics, so it need not wait for a video.
        with runner.job(_slot_offsets, runner, slot, styles, small=True) as job:
            for _ in waiting(job, POLL_SECONDS):
                yield shown(waiting=True)
            faces = job.result + head.template
        shown = functools.partial(shown.func, labels, slot, faces, head, **shown.keywords)
        yield shown()
        with runner.job(_images, head, faces) as job:
            yield shown(waiting=True)
            for _ in waiting(job, POLL_SECONDS):
                yield shown(waiting=True)
            images = job.result
        yield shown(images=images)
    except Exception as error:
        log.exception("The face of a slot could not be drawn")
        yield shown(failed=True)
        raise refused(PageError("The face could not be drawn on our side; please try again in a moment.")) from error


@in_worker
def _slot_offsets(runner: JobRunner, slot: int, styles: list[np.ndarray | None], progress: Progress) -> np.ndarray:
    """Offsets (k, V, 3) in metres of the slot in each of k styles."""
    return np.stack([runner.slot_face(slot, style) for style in styles]) - runner.head.template


@in_worker
def _images(head: Any, faces: np.ndarray, progress: Progress) -> list[str]:
    progress(0, 0, "slot")
    return [_jpeg(image) for image in mouth_images(head, faces)]


def faces_html(
    labels: Any = (), slot: int | None = None, faces: np.ndarray | None = None, head: Any = None,
    images: list[str] | None = None, waiting: bool = False, failed: bool = False, in_speech: str = "",
) -> str:  # fmt: skip
    """The faces of a slot as HTML, with their measures.

    Args:
        labels: the n slot labels.
        slot: index of the slot; None asks the visitor to choose one.
        faces: (k, V, 3) metres, the neutral one first; None while they are computed.
        head: the head they belong to.
        images: k addresses; None while they are rendered.
        waiting: say that more follows.
        failed: say that the rest could not be made.
        in_speech: a sentence on the slot's part in the sound.
    """
    if slot is None:
        return f"<h3>The face of a slot</h3><p>{CHOOSE}</p>"
    group = next(name for name, slots in ENGLISH.grouped(labels) if slot in slots)
    title = html.escape(insight.slot_names(labels, [slot]))  # the labels come with the weights
    title += f" <small>{html.escape(group)}</small>" if group and group != "silence" else ""
    names: list[str] = []
    opening = width = None
    if faces is not None:
        names = ["Neutral", "In this style"][: len(faces)]
        opening, width = insight.mouth_opening(faces, head), insight.mouth_width(faces, head)
    figures = []
    for number, style in enumerate(names):
        sizes = "" if opening is None else f"lips {opening[number]:.1f} mm apart"
        sizes += "" if width is None else f"{', ' if sizes else ''}mouth {width[number]:.1f} mm wide"
        words = f"{style}{': ' if sizes else ''}{sizes}"
        image = '<div class="blank"></div>'
        if images:
            alt = f"The mouth that slot {html.escape(labels[slot])} stores. {words}"
            image = f'<img src="{images[number]}" alt="{alt}">'
        figures.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")
    note = ""
    if len(names) == 1:
        note += "<p>The head spoke in the neutral style, so there is one face.</p>"
    following = "The images follow; a video may be drawn first." if names else IN_A_PAUSE
    note += f'<p class="small">{following}</p>' if waiting else ""
    missing = "The images could not be drawn." if names else "The face could not be computed."
    note += f'<p class="wrong">{missing}</p>' if failed else ""
    return f"""<div data-slot="{slot}"><h3>The face of {title}</h3><div class="pair">{"".join(figures)}</div>{note}
<p>{in_speech}</p><p class="small">{ALONE}</p></div>"""


def _note(text: str, wrong: bool = False) -> str:
    return f'<p class="{"wrong" if wrong else "well"}">{html.escape(text)}</p>'


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _jpeg(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

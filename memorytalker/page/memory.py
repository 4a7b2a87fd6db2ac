"""The Memory section: what is read when, what a manner of speaking weighs, the face in each slot, two voices."""

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
EMPTY = "Once a head has talked, you can watch here which memories its face was made of."
CHOOSE = "Choose a slot, in the heatmap or among the bars, and see the face that it stores."
INTRODUCTION = """<h2>What the memory recalled</h2><p>The network has one slot of memory for each speech sound, and each
stores a movement of the face. Each row is a slot. A bright cell means: at this moment the face is read from it. Click
to go there; choose a slot's name to see its face.</p>"""
MANNER = """<h2>The manner of this voice</h2><p class="small">A manner of speaking weighs the slots: a heavy slot moves
the face more, a light one less.</p>"""
SECOND = """<h2>Two voices</h2><p class="small">Give another voice, and see how differently the two weigh the slots.
Only its manner is heard; no video is drawn.</p>"""
SECOND_MISSING = "Give a second voice to see both side by side."
FIRST_MISSING = "The second voice is heard. Make a head talk, and the first stands beside it."
HEARING = "Listening to the second voice…"
IN_A_PAUSE = "A head is being made to talk just now; this is done in its next pause, within a few seconds…"
OURS = "The second voice could not be heard on our side; please try again in a moment."
ALONE = "Read alone and steadily, without the sound around it: in speech a slot has company, which moves the face too."
PRIVATE = {"api_visibility": "private", "show_progress": "hidden"}
#: Light work beside the one place in which videos are drawn.
BESIDE = PRIVATE | {"concurrency_limit": 4, "concurrency_id": "memory"}
log = logging.getLogger("memorytalker.page")


@dataclass(frozen=True)
class MemoryState:
    """What the section remembers of a visitor's present result: the head, and the manner in which it spoke."""

    identity: str
    weights: tuple[float, ...]
    in_speech: tuple[str, ...]  # of each slot, when it is read in this sound


def memory_state(animation: Animation, identity: str) -> MemoryState:
    """What to remember of a result."""
    opening = insight.mouth_opening(animation.vertices, animation.head)
    values = np.zeros(len(animation.vertices)) if opening is None else opening
    seconds, lips = insight.in_company(animation.memory_address, values, animation.fps)
    words = tuple(
        f"In this sound it is read most for {long:.2f} s"
        + (f", lips {apart:.1f} mm apart on average." if opening is not None else ".")
        if long
        else "In this sound it is never read most."
        for long, apart in zip(seconds.tolist(), lips.tolist(), strict=True)
    )
    return MemoryState(identity, tuple(animation.style_weights.tolist()), words)


def build_memory(desk: JobRunner, channel: str = "animate") -> dict[str, Any]:
    """Lay the section out and set it to work; returns its components by their element ids, and its states."""
    bars = start_script("bars.js", channel=channel, event="slot")
    with gr.Column(elem_id="memory-section"):
        gr.HTML(INTRODUCTION)
        memory = gr.HTML(
            None, label="Memory heatmap", elem_id="memory", html_template='<div class="memory-view"></div>',
            js_on_load=start_script("memory.js", channel=channel, event="slot", empty=EMPTY), apply_default_css=False,
        )  # fmt: skip
        faces = gr.HTML(faces_html(), label="Face of a slot", elem_id="slot-faces", js_on_load=start_script("faces.js"))
        gr.HTML(MANNER)
        words = gr.HTML(
            "", label="Manner in words", elem_id="style-words", js_on_load=bars,
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
        "told": gr.State(None), "second": gr.State(None),
    }  # fmt: skip
    _wire(desk, parts)
    return parts


def remembered(desk: JobRunner, parts: dict[str, Any]) -> dict[Any, Callable[[Any, Any], Any]]:
    """What shows a new result: component -> its value for (animation, wish); None empties each."""
    return {
        parts["memory"]: lambda animation, wish: memory_value(animation),
        parts["style-words"]: lambda animation, wish: style_html(
            animation.style_weights, desk.mean_style, animation.slot_labels, "measure"
        ),
        parts["slot-faces"]: lambda animation, wish: faces_html(),
        parts["told"]: lambda animation, wish: memory_state(animation, wish.identity),
    }


def memory_value(animation: Animation) -> dict[str, Any]:
    """Everything that the heatmap shows; memory.js says what each part is."""
    labels, address = list(animation.slot_labels), np.asarray(animation.memory_address)
    seconds = len(address) / animation.fps
    found = insight.readings(address, animation.fps)
    wave = insight.envelope(animation.waveform.samples, WAVE_BINS)
    opening = insight.mouth_opening(animation.vertices, animation.head)
    return {
        "seconds": seconds,
        "fps": animation.fps,
        "labels": labels,
        "groups": [[name, slots] for name, slots in ENGLISH.grouped(labels)],
        "address": _base64(np.round(255 * np.clip(address, 0, 1)).astype(np.uint8)),
        "wave": _base64(np.round(127 * np.clip(wave, -1, 1)).astype(np.int8)),
        "opening": None if opening is None else _base64(opening.astype("<f4")),
        "readings": [[one.slot, round(one.start, 3), round(one.end, 3), round(one.share, 3)] for one in found],
        "summary": insight.reading_text(found, labels, seconds),
    }


def _wire(desk: JobRunner, parts: dict[str, Any]) -> None:
    told, second = parts["told"], parts["second"]

    def show_slot(told: MemoryState | None, event: gr.EventData) -> Iterator[str]:
        yield from slot_steps(desk, told, getattr(event, "index", None))

    def hear(path: str | None) -> Iterator[tuple[Any, str]]:
        if not path:
            yield None, _note(SECOND_MISSING)
            return
        yield None, _note(HEARING)
        try:
            voice = second_voice(path)
            with desk.task(desk.style_of, voice, small=True) as task:
                for _ in waiting(task, POLL_SECONDS):
                    yield None, _note(HEARING if task.begun else IN_A_PAUSE)
                weights = task.result
            yield tuple(weights.tolist()), gr.skip()
        except PLAIN_ERRORS as error:
            yield None, _note(str(error), wrong=True)
            raise refused(error) from None
        except Exception as error:
            log.exception("A second voice could not be heard")
            yield None, _note(OURS, wrong=True)
            raise refused(PageError(OURS)) from error

    def compare(told: MemoryState | None, weights: tuple[float, ...] | None) -> Any:
        if weights is None:
            return gr.skip()  # whatever took the second voice away says why
        if told is None:
            return _note(FIRST_MISSING)
        first, other = np.array(told.weights), np.array(weights)
        return voices_html(first, other, desk.mean_style, desk.slots)

    for name in ("memory", "style-words", "voices"):
        parts[name].slot(show_slot, told, parts["slot-faces"], trigger_mode="always_last", **BESIDE)
    parts["second-voice"].change(hear, parts["second-voice"], [second, parts["voices"]], **BESIDE)
    for state in (told, second):
        state.change(compare, [told, second], parts["voices"], queue=False, **PRIVATE)


def second_voice(path: str) -> Waveform:
    """A visitor's second voice, in which somebody speaks. Raises PageError or AudioError in plain words."""
    waveform = read_sound(path, SECOND_MISSING)
    if is_silent(waveform):
        raise PageError("The second voice is silent, and silence has no manner; give one in which somebody speaks.")
    return waveform


def slot_steps(desk: JobRunner, told: MemoryState | None, asked: Any) -> Iterator[str]:
    """The face of a slot, step by step: what can be measured at once, and its pictures when they are drawn."""
    labels = desk.slots
    if told is None:
        yield faces_html()
        return
    if not isinstance(asked, int) or asked not in range(len(labels)):
        raise refused(PageError("There is no such slot; choose one of those shown."))
    head = desk.head.with_identity(told.identity)
    styles = [None] if set(told.weights) == {1.0} else [None, np.array(told.weights, np.float32)]
    shown = functools.partial(faces_html, labels, asked, None, head, in_speech=told.in_speech[asked])
    try:
        # Small: a moment's work that needs no graphics, and does not wait until a video is drawn.
        with desk.task(_moved, desk, asked, styles, small=True) as task:
            for _ in waiting(task, POLL_SECONDS):
                yield shown(waiting=True)
            faces = task.result + head.template
        shown = functools.partial(shown.func, labels, asked, faces, head, **shown.keywords)
        yield shown()
        with desk.task(_pictures, head, faces) as task:
            yield shown(waiting=True)
            for _ in waiting(task, POLL_SECONDS):
                yield shown(waiting=True)
            pictures = task.result
        yield shown(pictures=pictures)
    except Exception as error:
        log.exception("The face of a slot could not be drawn")
        yield shown(failed=True)
        raise refused(PageError("The face could not be drawn on our side; please try again in a moment.")) from error


@in_worker
def _moved(desk: JobRunner, slot: int, styles: list[np.ndarray | None], progress: Progress) -> np.ndarray:
    """How the slot moves the head in each of k styles, (k, V, 3) in metres."""
    return np.stack([desk.slot_face(slot, style) for style in styles]) - desk.head.template


@in_worker
def _pictures(head: Any, faces: np.ndarray, progress: Progress) -> list[str]:
    progress(0, 0, "slot")
    return [_jpeg(picture) for picture in mouth_images(head, faces)]


def faces_html(
    labels: Any = (), slot: int | None = None, faces: np.ndarray | None = None, head: Any = None,
    pictures: list[str] | None = None, waiting: bool = False, failed: bool = False, in_speech: str = "",
) -> str:  # fmt: skip
    """The faces (k, V, 3) of a slot, neutral first, with what can be measured on them; None while they are awaited."""
    if slot is None:
        return f"<h3>The face of a slot</h3><p>{CHOOSE}</p>"
    home = next(name for name, slots in ENGLISH.grouped(labels) if slot in slots)
    title = insight.slot_names(labels, [slot])
    title += f" <small>{html.escape(home)}</small>" if home and home != "silence" else ""
    names, opening, width = [], None, None
    if faces is not None:
        names = ["Neutral", "In this style"][: len(faces)]
        opening, width = insight.mouth_opening(faces, head), insight.mouth_width(faces, head)
    figures = []
    for number, manner in enumerate(names):
        sizes = "" if opening is None else f"lips {opening[number]:.1f} mm apart"
        sizes += "" if width is None else f"{', ' if sizes else ''}mouth {width[number]:.1f} mm wide"
        words = f"{manner}{': ' if sizes else ''}{sizes}"
        picture = '<div class="blank"></div>'
        if pictures:
            said = f"The mouth that slot {html.escape(labels[slot])} stores. {words}"
            picture = f'<img src="{pictures[number]}" alt="{said}">'
        figures.append(f"<figure>{picture}<figcaption>{words}</figcaption></figure>")
    note = ""
    if len(names) == 1:
        note += "<p>The head spoke in the neutral style, so there is one face.</p>"
    following = "The pictures follow; a video may be drawn first." if names else IN_A_PAUSE
    note += f'<p class="small">{following}</p>' if waiting else ""
    missing = "The pictures could not be drawn." if names else "The face could not be read."
    note += f'<p class="wrong">{missing}</p>' if failed else ""
    return f"""<div data-slot="{slot}"><h3>The face of {title}</h3><div class="pair">{"".join(figures)}</div>{note}
<p>{in_speech}</p><p class="small">{ALONE}</p></div>"""


def _note(text: str, wrong: bool = False) -> str:
    return f'<p class="{"wrong" if wrong else "well"}">{html.escape(text)}</p>'


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _jpeg(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

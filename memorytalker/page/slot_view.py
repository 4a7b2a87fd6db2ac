"""The face of a memory slot: measured, drawn, and held by the 3D head."""

from __future__ import annotations

import base64
import functools
import html
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from memorytalker import Animation
from memorytalker.face.solve import solve_curves
from memorytalker.page import insight
from memorytalker.page.jobs import JobRunner, Progress
from memorytalker.page.limits import PageError, refused
from memorytalker.page.status import POLL_SECONDS, waiting
from memorytalker.page.worker import in_worker
from memorytalker.phones import ENGLISH
from memorytalker.rendering.closeup import mouth_images

CHOOSE = "Choose a slot in the memory to see the face that it stores, on the head and here."
IN_A_PAUSE = "Another animation is being made; this follows within a few seconds…"
ALONE = "This is the slot alone. In speech several slots are read at once, and each of them moves the face."
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
            offsets, pose = job.result
            faces = offsets + head.template
        shown = functools.partial(shown.func, labels, slot, faces, head, **shown.keywords, pose=pose)
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
def _slot_offsets(
    runner: JobRunner, slot: int, styles: list[np.ndarray | None], progress: Progress
) -> tuple[np.ndarray, dict[str, Any] | None]:
    """Offsets (k, V, 3) in metres of the slot in each of k styles, and the pose that the player holds."""
    head = runner.head
    offsets = np.stack([runner.slot_face(slot, style) for style in styles]) - head.template
    if not head.blendshape_names:
        return offsets, None
    weights = np.clip(solve_curves(head, offsets), 0, 1).round(4).tolist()
    label = f"The memory of {ENGLISH.described(runner.slots[slot])}"
    return offsets, {"label": label, "names": list(head.blendshape_names), "neutral": weights[0], "own": weights[-1]}


@in_worker
def _images(head: Any, faces: np.ndarray, progress: Progress) -> list[str]:
    progress(0, 0, "slot")
    return [_jpeg(image) for image in mouth_images(head, faces)]


def faces_html(
    labels: Any = (), slot: int | None = None, faces: np.ndarray | None = None, head: Any = None,
    images: list[str] | None = None, waiting: bool = False, failed: bool = False, in_speech: str = "",
    pose: dict[str, Any] | None = None,
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
        pose: what the player holds, `memorytalker:pose` of static/player.js.
    """
    if slot is None:
        return f"<h3>The face of a slot</h3><p>{CHOOSE}</p>"
    group = next(name for name, slots in ENGLISH.grouped(labels) if slot in slots)
    title = html.escape(insight.slot_names(labels, [slot]))  # the labels come with the weights
    word = ENGLISH.sample_words.get(labels[slot])
    title += f", as in {word}" if word else ""
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
    held = f" data-pose='{html.escape(json.dumps(pose, separators=(',', ':')))}'" if pose else ""
    return f"""<div data-slot="{slot}"{held}><h3>The face of {title}</h3><div class="pair">{"".join(figures)}</div>
{note}
<p>{in_speech}</p><p class="small">{ALONE}</p></div>"""


def _jpeg(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

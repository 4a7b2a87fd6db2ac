"""The tab Live: the visitor's browser follows the microphone, and moves the head, by itself; no sound leaves it.

The server gives files (`live_files.py`), the style weights of an example voice, and on request a recording as a file of
any format. Everything else is in static/live.js.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
import numpy as np

from memorytalker import Animation
from memorytalker.exports.livelink import ANGLES, SHAPES
from memorytalker.exports.take import ExportFormat, Provenance
from memorytalker.face.head import ARKIT_NAMES, HeadMesh
from memorytalker.face.head_motion import motion_of_curves
from memorytalker.face.motion import FaceCurves
from memorytalker.options import MOODS
from memorytalker.page.animation_run import formats, zipped
from memorytalker.page.examples import EXAMPLES, example_path
from memorytalker.page.head_files import head_address
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import LONGEST_SECONDS, PLAIN_ERRORS, PageError
from memorytalker.page.live_files import LiveFiles, live_files
from memorytalker.page.request import seen_name
from memorytalker.page.run_controls import INSTANT, ONE_AT_A_TIME, Updates, report_failures
from memorytalker.page.scripts import start_script
from memorytalker.page.status import status_html, stream_progress
from memorytalker.page.worker import in_worker
from memorytalker.phones import ENGLISH
from memorytalker.progress import Progress
from memorytalker.sound.decode import load_waveform
from memorytalker.styles.style import PRESETS

INTRODUCTION = """<h2>Talk, and the head talks with you</h2><p>A small network in your browser follows your voice, a
sixth of a second behind it. No sound leaves your computer unless you record it and send it yourself.</p>"""
NOT_INSTALLED = (
    "The live network is not installed on this server, so this tab cannot follow your voice; whoever runs it can make "
    "it with: python -m memorytalker train live. The tab Animate works without it."
)
NO_CURVES = "The live network moves a head by its blendshapes, and this server's head has none."
NO_3D = "Your browser shows no 3D, so the head is not drawn; the memory and the recording work."
NOT_UNDERSTOOD = "The recording could not be read; record again, and load the page again if that does not help."
OURS = "Something failed on our side; please try again in a moment."
STEPS = ("Motion", "File")
#: Seconds to wait for the style of an example voice.
PATIENCE = 60.0
#: Gain groups that the sliders offer, with their words. What the live network does not move needs none.
GAINS: Mapping[str, str] = MappingProxyType(
    {
        "overall": "Whole mouth",
        "jaw": "Jaw",
        "spread": "Width",
        "rounding": "Rounding",
        "upper_lip": "Upper lip",
        "corners": "Corners",
    }
)
#: Events that the worker does in the pauses of an animation.
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": 4}
#: Shapes and frames per second of a recording at the most.
MOST_NAMES, FASTEST = 100, 60.0
log = logging.getLogger("memorytalker.page")


def build_live(runner: JobRunner, files: LiveFiles | None = None) -> Any:
    """Lay out the tab and connect it.

    Args:
        runner: does the work.
        files: what the browser fetches; by default those of this installation.

    Returns:
        The component in which everything happens.
    """
    files = live_files() if files is None else files
    gr.HTML(INTRODUCTION)
    script = start_script("live.js", look="look", voice="voice", take="take", **live_options(runner, files))
    live = gr.HTML(None, html_template="", js_on_load=script, apply_default_css=False, elem_id="live", label="Live")
    status = gr.HTML("", elem_id="live-status", label="Status of the file")
    file = gr.File(label="File", elem_id="live-file", interactive=False, height=80, visible=False)

    def look(event: gr.EventData) -> dict[str, Any]:
        return _answer(head_look, runner.head, getattr(event, "name", None))

    def weigh(event: gr.EventData) -> dict[str, Any]:
        return _answer(voice_style, runner, getattr(event, "name", None))

    def export(event: gr.EventData, request: gr.Request) -> Iterator[Updates]:
        yield {file: gr.File(None, visible=False), status: status_html(-1, "Preparing the file…", steps=STEPS)}
        given = {name: getattr(event, name, None) for name in ("take", "format", "head")}

        def steps() -> Iterator[Updates]:
            chosen = formats().get(str(given["format"]))
            if chosen is None:
                raise PageError("There is no such format; choose one of those shown.")
            recording = read_recording(given["take"], runner.head, given["head"], runner.slots)
            with runner.job(_saved, recording, chosen) as saving:
                path = yield from _told(stream_progress(saving, 0, f"Writing {chosen.title}", STEPS), status)
                kept = runner.session_files.keep(path, request)
            yield {file: gr.File(kept, visible=True), status: ""}

        yield from report_failures(
            steps(), lambda text: {status: status_html(-1, text, wrong=True, steps=STEPS)}, lambda: OURS
        )

    live.look(look, None, live, **INSTANT)
    live.voice(weigh, None, live, **PRIVATE)
    live.take(export, None, [file, status], show_progress="hidden", **ONE_AT_A_TIME)
    return live


def _answer(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What a function answers the tab; a failure is an answer, too: {"failed": sentence}."""
    try:
        return function(*arguments)
    except PLAIN_ERRORS as error:
        return {"failed": str(error)}
    except Exception:
        log.exception("The tab Live could not be answered")
        return {"failed": OURS}


def _told(progress: Any, status: Any) -> Any:
    """The progress of a job as updates of a component; what it returns is passed on."""
    while True:
        try:
            yield {status: next(progress)}
        except StopIteration as end:
            return end.value


def live_options(runner: JobRunner, files: LiveFiles) -> dict[str, Any]:
    """What static/live.js needs to know; its first lines say what each is."""
    head = runner.head
    problem = NOT_INSTALLED if files.weights is None else "" if head.blendshape_names else NO_CURVES
    heads = [{"name": name, "words": seen_name(name, head.descriptions.get(name, ""))} for name in head.identities]
    styles = [{"name": name, "deliveries": [_delivery(each)]} for name, each in PRESETS.items() if name != "neutral"]
    return {
        "library": f"{files.address}/library/index.js",
        "model": f"{files.address}/weights",
        "problem": problem,
        "no3d": NO_3D,
        "heads": heads,
        "styles": styles,
        "voices": [
            {"name": name, "words": words, "address": f"{files.address}/speech/{name}"}
            for name, words in EXAMPLES.items()
        ],
        "moods": list(MOODS),
        "gains": dict(GAINS),
        "groups": [[name, slots] for name, slots in ENGLISH.grouped(runner.slots)],
        "formats": [{"name": each.name, "title": each.title} for each in formats().values()],
        "columns": [*SHAPES, *ANGLES],
        "longest": LONGEST_SECONDS,
    }


def _delivery(delivery: Any) -> dict[str, dict[str, float]]:
    return {key: dict(getattr(delivery, key)) for key in ("gains", "offsets", "moods")}


def head_look(head: HeadMesh, name: Any) -> dict[str, Any]:
    """Return where the file of a head is: {"head", "address"}. Raises PageError for a head that is not there."""
    if not isinstance(name, str) or name not in head.identities:
        raise PageError("There is no such head; choose one of those shown.")
    return {"head": name, "address": head_address(head.with_identity(name))}


def voice_style(runner: JobRunner, name: Any) -> dict[str, Any]:
    """Return the style weights of an example voice: {"voice", "weights"}.

    Raises:
        PageError: no such voice, or the server is too busy.
    """
    if not isinstance(name, str) or name not in EXAMPLES:
        raise PageError("There is no such voice; choose one of those shown.")
    with runner.job(runner.style_of, load_waveform(example_path(name)), small=True) as job:
        if not job.wait(PATIENCE):
            raise PageError("The server is too busy to find the style of that voice; please try again in a moment.")
        return {"voice": name, "weights": np.round(job.result.astype(float), 4).tolist()}


def read_recording(take: Any, head: HeadMesh, identity: Any, slots: tuple[str, ...]) -> Animation:
    """Make an animation of a recording that a browser sent.

    Args:
        take: {"fps", "names": [S], "curves": base64 of T * S uint16 (weight * 65535), "address": base64 of T * n uint8
            (share * 255), "weights": [n] style weights, "rate", "sound": base64 of int16 samples}.
        head: of the page.
        identity: name of the head that was shown.
        slots: labels of the n slots.

    Returns:
        The animation.

    Raises:
        PageError: what no browser of ours sends, or more than a minute.
        AudioError: sound that cannot be used.
    """
    try:
        fps, rate, names = float(take["fps"]), int(take["rate"]), [str(name) for name in take["names"][:MOST_NAMES]]
        most = round((LONGEST_SECONDS + 1) * FASTEST)
        curves = _numbers(take["curves"], "<u2", most * len(names)).reshape(-1, len(names)) / 65535
        address = _numbers(take["address"], "u1", most * len(slots)).reshape(-1, len(slots)).astype(np.float32)
        sound = _numbers(take["sound"], "<i2", round((LONGEST_SECONDS + 1) * 192_000))
        weights = np.array([float(one) for one in take["weights"][: len(slots)]], np.float32)
        usable = 1 <= fps <= FASTEST and set(names) <= set(ARKIT_NAMES) and len(set(names)) == len(names)
        usable &= len(curves) == len(address) > 0 and weights.shape == (len(slots),)
        usable &= bool(np.isfinite(weights).all()) and identity in head.identities
    except (KeyError, TypeError, ValueError, OverflowError):
        usable = False
    if not usable:
        raise PageError(NOT_UNDERSTOOD)
    waveform = load_waveform((sound.astype(np.float32) / 32768, rate), longest_seconds=LONGEST_SECONDS + 1)
    shown = head.with_identity(identity)
    order = tuple(name for name in shown.blendshape_names if name in ARKIT_NAMES)
    moved = FaceCurves(curves.astype(np.float32), tuple(names), fps).reordered(order)
    total = np.maximum(address.sum(1, keepdims=True), 1.0)
    return Animation(
        motion_of_curves(shown, moved), address / total, weights, slots, waveform,
        Provenance("live", shown.identity, "", "neutral" if (weights == 1).all() else "live", None),
    )  # fmt: skip


def _numbers(text: Any, kind: str, most: int) -> np.ndarray:
    """Decode base64 of at most so many numbers. Raises ValueError for anything else."""
    size = np.dtype(kind).itemsize
    if not isinstance(text, str) or len(text) > 4 * (most * size // 3 + 2):
        raise ValueError("too long")
    return np.frombuffer(base64.b64decode(text, validate=True), kind)


@in_worker
def _saved(recording: Animation, chosen: ExportFormat, folder: Path, progress: Progress) -> Path:
    progress(0, 0, "render" if chosen.video else "export")
    path = folder / chosen.file_name(recording.provenance.source)
    files = recording.save(path, chosen.name, progress=progress)
    return path if len(files) == 1 else zipped(path.with_suffix(".zip"), files, progress)

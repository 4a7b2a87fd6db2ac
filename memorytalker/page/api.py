"""The named endpoints, for programs: what the page does, as functions with schemas.

No postponed annotations here: Gradio reads the types of these functions as they are.
"""

import functools
import inspect
import logging
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from memorytalker import Animation
from memorytalker.comparison.predictions import Comparison
from memorytalker.evaluation.measures import MEASURES
from memorytalker.options import AnimateOptions, CurveOptions
from memorytalker.page import health as probing
from memorytalker.page.animation_run import AnimationReady, FileReady, Note, Result, formats, run_animation
from memorytalker.page.comparison_run import OWN, SHOWN, CompareRequest, ComparisonReady, VideoReady, run_comparison
from memorytalker.page.examples import EXAMPLES, example_path
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PLAIN_ERRORS, TOO_SLOW, PageError, read_sound, refused
from memorytalker.page.request import NO_SOUND, THIS_VOICE, AnimateRequest, options_of

ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "talker"}
DEFAULTS, UNCHANGED = AnimateOptions(), CurveOptions()
OURS = "Something failed on our side; please try again in a moment."
ANSWER_SECONDS = 600.0  # for endpoints that report no progress
NO_ANSWER = "The server is too busy to answer just now; please try again in a few minutes."
log = logging.getLogger("memorytalker.page")


def build_api(runner: JobRunner) -> None:
    """Give every action of the page a named endpoint; call this inside the Blocks."""
    for endpoint in (_animate(runner), _style(runner), _slot_face(runner), _compare(runner), _health(runner)):
        gr.api(_with_plain_errors(endpoint), api_name=endpoint.__name__, **ONE_AT_A_TIME)
    gr.api(examples, api_name="examples", queue=False)


def examples() -> list[dict[str, Any]]:
    """The example voices: name, words and length in seconds of each, and its file."""
    clips = []
    for name, words in EXAMPLES.items():
        path = example_path(name)
        with wave.open(path) as file:
            seconds = file.getnframes() / file.getframerate()
        clips.append({"name": name, "words": words, "seconds": round(seconds, 3), "file": _file(path)})
    return clips


def _animate(runner: JobRunner) -> Callable[..., Any]:
    # Gradio reads the return type of a generator as the type of what it yields.
    def animate(  # type: ignore[misc]
        request: gr.Request,
        sound: gr.FileData,
        identity: str = "",
        camera: str = "front",
        style: str = THIS_VOICE,
        style_sound: gr.FileData | None = None,
        style_blend: float = DEFAULTS.style_blend,
        expression: bool = DEFAULTS.expression,
        seed: int = DEFAULTS.seed,
        close_in_silence: bool = DEFAULTS.close_in_silence,
        format: str = "mp4",
        upper_face: float = UNCHANGED.upper_face,
        lower_face: float = UNCHANGED.lower_face,
        gains: dict | None = None,
        offsets: dict | None = None,
    ) -> tuple[gr.FileData, dict]:
        """Animate a head with a sound: the video (or another format), and its settings and style weights.

        identity: a name of a head, or empty for the first. camera: front, three_quarter or profile. style: where the
        speaking style comes from: "this voice", "another voice" (then style_sound is its clip) or "neutral".
        style_blend: strength of the style, 0 (neutral) to 1. expression: blinks, glances and brows, drawn from the
        seed. close_in_silence: keep the mouth closed in pauses. format: such as mp4, livelink, gltf or npz; several
        files come as one ZIP file. upper_face, lower_face: strengths of the curves of half a face, 0 to 4. gains,
        offsets: of single curves by their ARKit name.
        """
        identity = identity or next(iter(runner.head.identities))
        options = options_of(
            style_blend=style_blend, expression=expression, seed=seed, close_in_silence=close_in_silence
        )
        curves = CurveOptions(upper_face, lower_face, gains or {}, offsets or {})
        animate_request = AnimateRequest(_path(sound), identity, camera, style, _path(style_sound), options, curves)
        if format not in formats():
            raise PageError(f"There is no such format; choose one of {', '.join(formats())}.")
        details: dict[str, Any] = {}
        for step in run_animation(runner, animate_request, with_player=False, format=format):
            if not isinstance(step, Result):
                yield None, details  # a place where a client may stop
            elif isinstance(step, Note):
                details["note"] = f"{details['note']} {step.text}" if "note" in details else step.text
            elif isinstance(step, AnimationReady):
                details |= _details(step.animation) | {"settings": animate_request.caption(identity)}
            elif isinstance(step, FileReady):
                yield _file(runner.session_files.keep(step.path, request)), details

    return animate


def _style(runner: JobRunner) -> Callable[..., Any]:
    def style(sound: gr.FileData) -> dict:
        """The speaking style of a voice: one weight per memory slot, and each as a factor of the average speaker's."""
        weights = _result(runner, runner.style_of, read_sound(_path(sound), NO_SOUND), small=True)
        relative = None if runner.mean_style is None else _rounded(weights / runner.mean_style, 4)
        return {"weights": _rounded(weights, 4), "against_average": relative}

    return style


def _slot_face(runner: JobRunner) -> Callable[..., Any]:
    def slot_face(slot: str, sound: gr.FileData | None = None) -> dict:
        """The face that a memory slot stores: vertices (V, 3) in metres, y up, neutral or in the style of a sound.

        slot: its name, such as "uw".
        """
        weights = _result(runner, runner.style_of, read_sound(_path(sound), NO_SOUND), small=True) if sound else None
        vertices = _result(runner, runner.slot_face, slot, weights, small=True)
        return {"slot": slot, "vertices": _rounded(vertices, 6)}

    return slot_face


def _compare(runner: JobRunner) -> Callable[..., Any]:
    def compare(  # type: ignore[misc]
        request: gr.Request,
        clip: str = OWN,
        identity: str = "",
        shown: str = SHOWN[0],
        motion: gr.FileData | None = None,
        sound: gr.FileData | None = None,
        fps: float | None = None,
    ) -> tuple[gr.FileData, dict]:
        """Compare the motion predicted from a sound with ground truth: a video of both, and the measures.

        clip: the name of a bundled clip, or "own" with motion (npz, npy, ARKit csv or json) and its sound. fps: frames
        per second, if the motion does not state them. shown: the prediction in the video, "stages 1 + 2" or "stage 1".
        """
        identity = identity or next(iter(runner.head.identities))
        measures: dict[str, Any] = {}
        for step in run_comparison(runner, CompareRequest(clip, identity, shown, _path(motion), _path(sound), fps)):
            if not isinstance(step, Result):
                yield None, measures  # a place where a client may stop
            elif isinstance(step, ComparisonReady):
                measures |= _measured(step.comparison)
            elif isinstance(step, VideoReady):
                yield _file(runner.session_files.keep(step.path, request)), measures

    return compare


def _measured(comparison: Comparison) -> dict[str, Any]:
    named = {one.name: dict(one.values) for one in comparison.predictions} | {"still face": dict(comparison.still)}
    return {
        "clip": comparison.ground_truth.name,
        "seconds": round(comparison.seconds, 3),
        "measures": {name: {key: _plain(value) for key, value in values.items()} for name, values in named.items()},
        "units": {measure.name: measure.unit for measure in MEASURES},
        "remarks": list(comparison.remarks),
    }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None  # JSON has no NaN


def _health(runner: JobRunner) -> Callable[..., Any]:
    def health() -> dict:
        """Animate a short sound and render one frame; fails with a message if either fails."""
        return _result(runner, probing.probe, runner)

    return health


def _result(runner: JobRunner, work: Callable[..., Any], *arguments: Any, small: bool = False) -> Any:
    with runner.job(work, *arguments, small=small) as job:
        if not job.wait(ANSWER_SECONDS):
            raise PageError(NO_ANSWER)
        return job.result


def _path(given: Any) -> str | None:
    """Return the path of an uploaded file. Only marked values are accepted: Gradio checks that those were uploaded."""
    if given is None:
        return None
    try:
        return gr.FileData.model_validate(given, context={"validate_meta": True}).path
    except ValueError:
        raise PageError("A sound is given as an uploaded file; in Python, with gradio_client.handle_file.") from None


def _file(path: str | Path) -> Any:
    return {"path": str(path), "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}


def _details(animation: Animation) -> dict[str, Any]:
    return {
        "seconds": round(animation.waveform.seconds, 3),
        "frames": len(animation),
        "fps": animation.fps,
        "slots": list(animation.slot_labels),
        "style_weights": _rounded(animation.style_weights, 4),
    }


def _rounded(values: np.ndarray, digits: int) -> list:
    return np.round(np.asarray(values, np.float64), digits).tolist()


@contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    try:
        yield
    except PLAIN_ERRORS as error:
        raise refused(error) from None
    except TimeoutError as error:
        raise refused(PageError(TOO_SLOW)) from error
    except Exception as error:
        log.exception("The endpoint %s failed", name)
        raise refused(PageError(OURS)) from error


def _with_plain_errors(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an endpoint: each of its failures becomes one plain sentence."""
    if inspect.isgeneratorfunction(endpoint):

        @functools.wraps(endpoint)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            with _plain_errors(endpoint.__name__):
                yield from endpoint(*arguments, **options)
    else:

        @functools.wraps(endpoint)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            with _plain_errors(endpoint.__name__):
                return endpoint(*arguments, **options)

    return wrapped

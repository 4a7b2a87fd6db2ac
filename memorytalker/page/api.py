"""The named endpoints, for programs: what the page does, as functions that describe themselves.

No postponed annotations here: Gradio reads the types of these functions as they are.
"""

import dataclasses
import wave
from typing import Any

import gradio as gr
import numpy as np

from memorytalker import Animation
from memorytalker.comparison.bundled import bundled_clips
from memorytalker.comparison.predictions import Comparison
from memorytalker.evaluation.measures import MEASURES
from memorytalker.options import CAMERAS, MOODS, AnimateOptions, CurveOptions
from memorytalker.page import health as probing
from memorytalker.page.animation_run import AnimationReady, FileReady, Note, Result, formats, run_animation
from memorytalker.page.api_parameters import Parameter, publish
from memorytalker.page.api_results import by_slot, file_value, path_of, result_of, with_plain_errors
from memorytalker.page.api_styles import SOUND, publish_styles
from memorytalker.page.comparison_run import OWN, SHOWN, CompareRequest, ComparisonReady, VideoReady, run_comparison
from memorytalker.page.examples import EXAMPLES, example_path
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PageError
from memorytalker.page.request import ANOTHER_VOICE, STYLE_SOURCES, THIS_VOICE, AnimateRequest, options_of
from memorytalker.styles.choosing import described_style, understood_words
from memorytalker.styles.style import Style, style_of_values

ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "talker"}
DEFAULTS, UNCHANGED = AnimateOptions(), CurveOptions()
STYLES_TWICE = "Give the speaking style once: as style, style_file, describe or saved_style, and leave the others out."


def build_api(runner: JobRunner) -> None:
    """Give every action of the page a named endpoint; call this inside the Blocks."""
    _publish_animate(runner)
    publish_styles(runner, **ONE_AT_A_TIME)
    _publish_compare(runner)
    _publish_health(runner)
    answer = Parameter("One entry for each example: its name, what is said, its length in seconds, and its file.")
    publish(with_plain_errors(examples), {}, {"examples": answer}, queue=False)


def examples() -> list[dict[str, Any]]:
    """List the example voices, which come with the page; each has a file that animate takes."""
    clips = []
    for name, words in EXAMPLES.items():
        path = example_path(name)
        with wave.open(path) as file:
            seconds = file.getnframes() / file.getframerate()
        clips.append({"name": name, "words": words, "seconds": round(seconds, 3), "file": file_value(path)})
    return clips


def _publish_animate(runner: JobRunner) -> None:
    first = next(iter(runner.head.identities))

    # Gradio reads the return type of a generator as the type of what it yields.
    def animate(  # type: ignore[misc]
        request: gr.Request,
        sound: gr.FileData,
        identity: str = first,
        camera: str = CAMERAS[0],
        style: str = THIS_VOICE,
        style_file: gr.FileData | None = None,
        style_blend: float = DEFAULTS.style_blend,
        describe: str = "",
        saved_style: dict | None = None,
        mood: str | None = DEFAULTS.mood,
        mood_strength: float = DEFAULTS.mood_strength,
        head_motion: float | None = DEFAULTS.head_motion,
        voice_arousal: bool = DEFAULTS.voice_arousal,
        expression: bool = DEFAULTS.expression,
        seed: int = DEFAULTS.seed,
        close_in_silence: bool = DEFAULTS.close_in_silence,
        format: str = "mp4",
        upper_face: float = UNCHANGED.upper_face,
        lower_face: float = UNCHANGED.lower_face,
        gains: dict | None = None,
        offsets: dict | None = None,
    ) -> tuple[gr.FileData, dict]:
        """Make a head speak a sound: returns a video, or another file, and what was recalled.

        Only `sound` is needed. The same sound and settings give the same result again.
        """
        given, notes = _given_style(style, style_file, describe, saved_style)
        source = ANOTHER_VOICE if style_file is not None else style
        options = options_of(
            style_blend=style_blend, mood=mood, mood_strength=mood_strength, head_motion=head_motion,
            voice_arousal=voice_arousal, expression=expression, seed=seed, close_in_silence=close_in_silence,
        )  # fmt: skip
        curves = CurveOptions(upper_face, lower_face, gains or {}, offsets or {})
        animate_request = AnimateRequest(
            path_of(sound), identity or first, camera, source, path_of(style_file), options, curves, given
        )
        if format not in formats():
            raise PageError(f"There is no such format; choose one of {', '.join(formats())}.")
        details: dict[str, Any] = {}
        for step in run_animation(runner, animate_request, with_player=False, format=format):
            if not isinstance(step, Result):
                yield None, details  # a place where a client may stop
            elif isinstance(step, Note):
                notes.append(step.text)
            elif isinstance(step, AnimationReady):
                details |= _details(step.animation) | {"settings": animate_request.caption(animate_request.identity)}
            elif isinstance(step, FileReady):
                details |= {"note": " ".join(notes)} if notes else {}
                yield file_value(runner.session_files.keep(step.path, request)), details

    gives = {
        "file": Parameter("The file of the chosen format; several come as one ZIP file."),
        "details": Parameter(
            "seconds, frames, frames_per_second; style_weights: slot -> weight; settings in words; note: what there is "
            "to know about the sound or the description, if anything."
        ),
    }
    publish(with_plain_errors(animate), _animate_parameters(runner), gives, **ONE_AT_A_TIME)


def _animate_parameters(runner: JobRunner) -> dict[str, Parameter]:
    """What `animate` takes. The words of options are those of the command line."""
    options = {one.name: _of_field(one) for cls in (AnimateOptions, CurveOptions) for one in dataclasses.fields(cls)}
    curve = "ARKit curve -> {}, such as {}; null changes nothing."
    own = {
        "sound": SOUND,
        "identity": Parameter("Whose face the head has; /heads says whom each depicts.", list(runner.head.identities)),
        "camera": Parameter("From where the video shows the head.", CAMERAS),
        "style": Parameter(
            "The speaking style: 'own' is that of the sound itself, 'neutral' the network's without any voice, "
            f"'{ANOTHER_VOICE}' that of style_file; the others are presets.",
            STYLE_SOURCES,
        ),
        "style_file": Parameter("Gives the style: a sound with another voice, or a saved style (.json), uploaded."),
        "describe": Parameter("The style in English words, such as 'very lively, a bit sad'; /describe tries them."),
        "saved_style": Parameter("The style as JSON values: the 'style' that /describe and /adapt answer."),
        "mood": Parameter("A feeling laid over the speech, chosen and not heard; null: that of the style.", MOODS),
        "format": Parameter(
            "Of the file: mp4 and webm are videos, which take longest to make; the others move heads elsewhere.",
            list(formats()),
        ),
        "gains": Parameter(curve.format("factor, 0 to 4", '{"jawOpen": 1.2}')),
        "offsets": Parameter(curve.format("what is added, -1 to 1", '{"mouthSmileLeft": 0.1}')),
    }
    order = (
        "sound", "identity", "camera", "style", "style_file", "style_blend", "describe", "saved_style", "mood",
        "mood_strength", "head_motion", "voice_arousal", "expression", "seed", "close_in_silence", "format",
        "upper_face", "lower_face", "gains", "offsets",
    )  # fmt: skip
    return {name: own.get(name) or options[name] for name in order}


def _of_field(field: dataclasses.Field) -> Parameter:
    """The parameter of a field that `options.described` made."""
    about = field.metadata
    words = about["help"][0].upper() + about["help"][1:] + (f" ({about['unit']})." if about["unit"] else ".")
    return Parameter(words, (), about["lowest"], about["highest"])


def _given_style(
    style: str, style_file: Any, describe: str, saved_style: dict | None
) -> tuple[Style | None, list[str]]:
    """The style that words or saved values give, and what was understood; PageError where two ways give one."""
    others = (style_file is not None, bool(describe), saved_style is not None)
    named = style != THIS_VOICE and not (style == ANOTHER_VOICE and style_file is not None)
    if named + sum(others) > 1:
        raise PageError(STYLES_TWICE)
    if saved_style is not None:
        return style_of_values(saved_style, "saved_style"), []
    described = described_style(describe or None)
    return described, [] if described is None else list(understood_words(described))


def _publish_compare(runner: JobRunner) -> None:
    first, clips = next(iter(runner.head.identities)), [clip.name for clip in bundled_clips()]

    def compare(  # type: ignore[misc]
        request: gr.Request,
        clip: str | None = None,
        identity: str = first,
        shown: str = SHOWN[0],
        motion: gr.FileData | None = None,
        sound: gr.FileData | None = None,
        fps: float | None = None,
    ) -> tuple[gr.FileData, dict]:
        """Compare predicted motion with ground truth: returns a video of both side by side, and measures.

        Takes a clip that comes with the page, or your own recorded motion with its sound.
        """
        name = clip or (clips[0] if motion is None and sound is None else OWN)
        compare_request = CompareRequest(name, identity or first, shown, path_of(motion), path_of(sound), fps)
        measures: dict[str, Any] = {}
        for step in run_comparison(runner, compare_request):
            if not isinstance(step, Result):
                yield None, measures  # a place where a client may stop
            elif isinstance(step, ComparisonReady):
                measures |= _measured(step.comparison)
            elif isinstance(step, VideoReady):
                yield file_value(runner.session_files.keep(step.path, request)), measures

    takes = {
        "clip": Parameter(
            f"A clip that comes with the page, or '{OWN}' for motion and sound; null: '{OWN}' where these are given, "
            "else the first clip.",
            [*clips, OWN],
        ),
        "identity": Parameter(
            "Whose face the heads have; /heads says whom each depicts.", list(runner.head.identities)
        ),
        "shown": Parameter("The prediction in the video: in this voice's style, or neutral (stage 1).", SHOWN),
        "motion": Parameter(
            "Recorded motion, uploaded: a video of a face, .npz, .npy, or ARKit curves in .csv or .json, at most 20 s."
        ),
        "sound": Parameter("The sound of that motion, uploaded; null: that of the video."),
        "fps": Parameter("Frames per second of the motion, 1 to 1000; null: as its file states."),
    }
    gives = {
        "video": Parameter("The prediction, coloured by its error, beside the ground truth."),
        "measures": Parameter(
            "clip; seconds; measures: prediction -> measure with its unit (m, m2: square metres, ms) -> value, null "
            "where it cannot be computed; meaning: measure -> words; remarks."
        ),
    }
    publish(with_plain_errors(compare), takes, gives, **ONE_AT_A_TIME)


def _measured(comparison: Comparison) -> dict[str, Any]:
    named = {one.name: dict(one.values) for one in comparison.predictions} | {"still face": dict(comparison.still)}
    keys = {measure.name: f"{measure.name}_{measure.unit}" for measure in MEASURES}
    return {
        "clip": comparison.ground_truth.name,
        "seconds": round(comparison.seconds, 3),
        "measures": {
            name: {keys[key]: _plain(value) for key, value in values.items()} for name, values in named.items()
        },
        "meaning": {keys[measure.name]: measure.definition for measure in MEASURES},
        "remarks": list(comparison.remarks),
    }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None  # JSON has no NaN


def _publish_health(runner: JobRunner) -> None:
    def health() -> dict:
        """Check the whole chain: animate a short sound and write one frame as a video; fails with a sentence."""
        return result_of(runner, probing.probe, runner)

    answer = Parameter("healthy: true; seconds spent in network and rendering; frames; image in pixels; versions.")
    publish(with_plain_errors(health), {}, {"health": answer}, **ONE_AT_A_TIME)


def _details(animation: Animation) -> dict[str, Any]:
    return {
        "seconds": round(animation.waveform.seconds, 3),
        "frames": len(animation),
        "frames_per_second": animation.fps,
        "style_weights": by_slot(animation.slot_labels, animation.style_weights),
    }

"""Carry out an AnimateRequest: the animation, the 3D head and the file, each as soon as it is ready."""

from __future__ import annotations

import dataclasses
import importlib.util
import zipfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker import Animation, EncodedSound
from memorytalker.exports.registry import FORMATS
from memorytalker.exports.take import ExportFormat
from memorytalker.extras import EXTRAS
from memorytalker.options import RenderOptions
from memorytalker.page.insight import lips_apart
from memorytalker.page.jobs import JobRunner
from memorytalker.page.playback import other_style_json, plain_motion_json
from memorytalker.page.player import player_value
from memorytalker.page.request import AnimateRequest, RequestAudio
from memorytalker.page.sliders import delivery_values
from memorytalker.page.status import STEPS, stream_progress
from memorytalker.page.worker import in_worker
from memorytalker.progress import Progress
from memorytalker.remarks import remarks_on
from memorytalker.sound.prosody import ProsodyTracker
from memorytalker.styles.choosing import OWN_VOICE
from memorytalker.styles.delivery import Delivery
from memorytalker.styles.style import Style


def formats() -> dict[str, ExportFormat]:
    """The formats by name, but for vast ones, and for those whose libraries are not installed here."""
    missing = {extra for module, extra in EXTRAS.items() if importlib.util.find_spec(module) is None}
    return {each.name: each for each in FORMATS if each.extra not in missing and not each.vast}


class Result:
    """Something that is ready; its subclass says what."""


@dataclass(frozen=True, eq=False)
class Note(Result):
    """A remark on the request, one sentence for the visitor."""

    text: str


@dataclass(frozen=True, eq=False)
class AnimationReady(Result):
    """The motion, with the memory and the style behind it."""

    animation: Animation


@dataclass(frozen=True, eq=False)
class PlayerReady(Result):
    """The 3D head, as a value of `player.player`."""

    package: str


@dataclass(frozen=True, eq=False)
class PlainReady(Result):
    """The motion as it is before the sliders act, as the player takes it (`playback.plain_motion_json`).

    encoded: all that the network read from the sound by now.
    """

    package: str
    encoded: EncodedSound | None


@dataclass(frozen=True, eq=False)
class NeutralReady(Result):
    """The motion in the neutral style before the sliders act, as the player takes it (`playback.other_style_json`)."""

    package: str


@dataclass(frozen=True, eq=False)
class FileReady(Result):
    """The file of the chosen format, or a ZIP file of the several that it writes; it exists until the next step."""

    path: Path


def run_animation(
    runner: JobRunner,
    request: AnimateRequest,
    with_player: bool = True,
    format: str = "mp4",
    steps: Sequence[str] = STEPS,
) -> Generator[str | Result, None, None]:
    """Carry out a request; closing the generator stops the work.

    Args:
        runner: does the work.
        request: what to animate.
        with_player: also yield PlayerReady, PlainReady where curves move the head, and NeutralReady where there is a
            style.
        format: of the file, one of `formats()`.
        steps: names of the steps in the progress.

    Yields:
        The progress as HTML, and each result as soon as it is ready; FileReady last, whose file is removed when the
        generator goes on.

    Raises:
        PageError, AudioError, ConfigError: the request cannot be met; in plain words.
        ExportError, HeadError, MotionError: its file cannot be made; in plain words.
        TimeoutError: the work took too long.
        Exception: what failed in the work.
    """
    audio = request.checked(runner.head.identities)
    with runner.job(_animated, runner, request, audio) as animating:
        animation = yield from stream_progress(animating, 0, "Reading the voice", steps)
    for remark in remarks_on(animation, audio.style):
        yield Note(remark)
    yield AnimationReady(animation)
    if with_player:
        with runner.job(_packed, animation) as packing:
            value = yield from stream_progress(packing, 1, "Packing the 3D head", steps)
        yield PlayerReady(value)
        if animation.motion.has_curves:
            with runner.job(_plain, runner, request, audio, animation) as plainly:
                plain, value, encoded = yield from stream_progress(plainly, 1, "Animating without the sliders", steps)
            yield PlainReady(value, encoded)
            if not (animation.style_weights == 1).all():
                with runner.job(_neutral, runner, request, plain) as comparing:
                    value = yield from stream_progress(comparing, 1, "Animating without the style", steps)
                yield NeutralReady(value)
    chosen = formats()[format]
    with runner.job(_saved, animation, request, chosen) as saving:
        path = yield from stream_progress(saving, len(steps) - 1, f"Writing {chosen.title}", steps)
        yield FileReady(path)


@in_worker
def _packed(animation: Animation, progress: Progress) -> str:
    progress(0, 0, "pack")
    return player_value(animation)


@in_worker
def _animated(runner: JobRunner, request: AnimateRequest, audio: RequestAudio, progress: Progress) -> Animation:
    """Animate as asked for: in the style of its source, moved on by the sliders."""
    arguments = request.arguments(audio)
    if request.deliveries is not None:
        style = arguments.get("style", OWN_VOICE)
        arguments["style"] = delivered_style(style, request.deliveries, runner.slots, runner.style_of)
    return runner.animate(audio.speech, progress=progress, encoded=request.encoded, **arguments)


def delivered_style(
    style: Any, deliveries: tuple[Delivery, ...], slots: Sequence[str], weigh: Callable[[Any], np.ndarray]
) -> Style:
    """Return a style with other deliveries.

    Args:
        style: `OWN_VOICE`, None for the neutral style, a sound that lends its style, or a `Style`.
        deliveries: in the place of its own.
        slots: labels of the memory slots.
        weigh: gives the style weights (n,) of a sound.
    """
    if isinstance(style, Style):
        return dataclasses.replace(style, deliveries=deliveries)
    if style is OWN_VOICE:
        return Style("own voice", deliveries)
    weights = np.ones(len(slots)) if style is None else np.maximum(weigh(style), 0.0)
    name = "neutral" if style is None else getattr(style, "name", "") or "another voice"
    return Style(name[:100], deliveries, dict(zip(slots, weights.tolist(), strict=True)))


def _without_sliders(
    runner: JobRunner, request: AnimateRequest, animation: Animation, turning: bool, progress: Progress, neutral: bool
) -> Animation:
    """The same sound as the sliders are to act on it in the browser: nothing is changed after the network, and the head
    turns in full. The style is that of the animation or the neutral one; the sound is not encoded again.
    """
    options = request.options.changed(
        identity=request.identity, style_blend=1.0, mood=None, mood_strength=1.0, voice_arousal=False,
        head_motion=1.0 if turning else 0.0,
    )  # fmt: skip
    style = None if neutral else animation.style_weights
    return runner.animate(
        animation.waveform, style=style, encoded=animation.encoded, options=options, progress=progress
    )


@in_worker
def _plain(
    runner: JobRunner, request: AnimateRequest, audio: RequestAudio, animation: Animation, progress: Progress
) -> tuple[Animation, str, EncodedSound | None]:
    """The motion before the sliders act; that as the player takes it; and what is known of the sound now."""
    from memorytalker.styles.layers import speech_share  # which loads torch, as the page may not before its talker does

    options = request.options
    turning = runner.head.rig is None and options.expression
    styled = audio.style if isinstance(audio.style, Style) else Style()
    changed = request.deliveries is not None or options.mood is not None or options.voice_arousal
    if changed or styled.track.changes_curves or styled.track.turns or (turning and not options.head_motion):
        plain = _without_sliders(runner, request, animation, turning, progress, neutral=False)
        turns = plain.motion.turns
    else:  # nothing but the head's turns is scaled
        plain, turns = animation, animation.motion.turns
        turns = None if turns is None else turns / max(options.head_motion or 0.0, 1e-3)
    tracker, frames = ProsodyTracker(plain.fps, audio.speech.sample_rate), len(plain)
    speaking = speech_share(tracker.track(audio.speech.samples, 0, frames), 0, frames)
    served = styled.deliveries if request.deliveries is None else request.deliveries
    if options.head_motion is not None:
        served = tuple(dataclasses.replace(each, head_motion=float(options.head_motion)) for each in served)
    encoded, arousal = _with_arousal(runner, animation)
    deliveries = [delivery_values(each) for each in served]
    value = plain_motion_json(plain.curves, turns, speaking, deliveries, arousal, options.voice_arousal)
    return plain, value, encoded


def _with_arousal(runner: JobRunner, animation: Animation) -> tuple[EncodedSound | None, np.ndarray | None]:
    """What is known of the sound with how excited the voice sounds, which is estimated once; and that of each frame
    (T,), None where these weights cannot tell it.
    """
    from memorytalker.styles.arousal import ArousalError, arousal_curve  # see above

    encoded = animation.encoded
    try:
        estimates = (encoded.arousal if encoded else ()) or runner.arousal_of(animation.waveform)
    except ArousalError:
        return encoded, None
    if encoded is not None:
        encoded = dataclasses.replace(encoded, arousal=estimates)
    return encoded, arousal_curve(estimates, 0, len(animation), animation.fps)


@in_worker
def _neutral(runner: JobRunner, request: AnimateRequest, plain: Animation, progress: Progress) -> str:
    """The same sound in the neutral style, and how far that is from the style at the lips, before the sliders act."""
    other = _without_sliders(runner, request, plain, False, progress, neutral=True)
    return other_style_json(other.curves, lips_apart(plain.motion, other.motion))


@in_worker
def _saved(
    animation: Animation, request: AnimateRequest, chosen: ExportFormat, folder: Path, progress: Progress
) -> Path:
    progress(0, 0, "render" if chosen.video else "export")
    path = folder / chosen.file_name(animation.provenance.source)
    render = RenderOptions(camera=request.camera)
    files = animation.adjusted(request.curves).save(path, chosen.name, render=render, progress=progress)
    return path if len(files) == 1 else zipped(path.with_suffix(".zip"), files, progress)


def zipped(path: Path, files: Sequence[Path], progress: Progress) -> Path:
    """Write a ZIP file of files, by their paths beside it, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(files):
            progress(number, len(files), "export")
            archive.write(file, file.relative_to(path.parent))
    return path

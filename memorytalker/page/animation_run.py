"""Carry out an AnimateRequest: the animation, the 3D head and the file, each as soon as it is ready."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memorytalker import Animation
from memorytalker.exports.registry import FORMATS
from memorytalker.exports.take import ExportFormat
from memorytalker.extras import EXTRAS
from memorytalker.options import RenderOptions
from memorytalker.page.insight import lips_apart
from memorytalker.page.jobs import JobRunner
from memorytalker.page.playback import other_style_json
from memorytalker.page.player import player_value
from memorytalker.page.request import AnimateRequest
from memorytalker.page.status import STEPS, stream_progress
from memorytalker.page.worker import in_worker
from memorytalker.progress import Progress
from memorytalker.remarks import remarks_on
from memorytalker.sound.decode import Waveform


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
class NeutralReady(Result):
    """The same motion in the neutral style, as the player's switch takes it (`playback.other_style_json`)."""

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
        with_player: also yield PlayerReady, and NeutralReady where there is a style.
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
    with runner.job(runner.animate, audio.speech, **request.arguments(audio)) as animating:
        animation = yield from stream_progress(animating, 0, "Reading the voice", steps)
    for remark in remarks_on(animation, audio.style):
        yield Note(remark)
    yield AnimationReady(animation)
    if with_player:
        with runner.job(_packed, animation) as packing:
            value = yield from stream_progress(packing, 1, "Packing the 3D head", steps)
        yield PlayerReady(value)
        if animation.motion.has_curves and not (animation.style_weights == 1).all():
            plain = request.arguments(audio) | {"style": None}
            with runner.job(_neutral, runner, animation, audio.speech, plain) as comparing:
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
def _neutral(
    runner: JobRunner, animation: Animation, speech: Waveform, plain: dict[str, Any], progress: Progress
) -> str:
    """The same sound in the neutral style, and how far that is from `animation` at the lips."""
    other = runner.animate(speech, progress=progress, **plain)
    return other_style_json(other.curves, lips_apart(animation.motion, other.motion))


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

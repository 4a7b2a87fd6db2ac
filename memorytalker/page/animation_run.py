"""Carry out an AnimateRequest: the animation, the 3D head and the file, each as soon as it is ready."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from memorytalker import Animation
from memorytalker.options import RenderOptions
from memorytalker.page.jobs import JobRunner
from memorytalker.page.player import player_value
from memorytalker.page.request import AnimateRequest
from memorytalker.page.status import STEPS, stream_progress
from memorytalker.page.worker import in_worker
from memorytalker.progress import Progress
from memorytalker.remarks import remarks_on

#: Format -> what a visitor reads of it.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "mp4": "MP4: the video",
        "npz": "NPZ: every vertex of every frame, with the memory address and the style weights, for Python",
    }
)


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
class FileReady(Result):
    """The file of the chosen format; it exists until the next step."""

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
        with_player: also yield PlayerReady.
        format: of the file, a key of FORMATS.
        steps: names of the steps in the progress.

    Yields:
        The progress as HTML, and each result as soon as it is ready; FileReady last, whose file is removed when the
        generator goes on.

    Raises:
        PageError, AudioError: the request cannot be met; in plain words.
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
    with runner.job(_saved, animation, request.camera, format) as saving:
        path = yield from stream_progress(saving, len(steps) - 1, f"Writing the {format.upper()} file", steps)
        yield FileReady(path)


@in_worker
def _packed(animation: Animation, progress: Progress) -> str:
    progress(0, 0, "pack")
    return player_value(animation)


@in_worker
def _saved(animation: Animation, camera: str, format: str, folder: Path, progress: Progress) -> Path:
    progress(0, 0, "render" if format == "mp4" else "")
    path = folder / f"talk.{format}"
    animation.save(path, render=RenderOptions(camera=camera), progress=progress)
    return path

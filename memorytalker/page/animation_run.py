"""Production: a wish becomes an animation, a 3D head to play and a file, one after the other, at any time stoppable."""

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
    {"mp4": "MP4: the video", "npz": "NPZ: every vertex of every frame, with the memory and the weights, for Python"}
)


class Result:
    """One thing that is ready; what it is, its own kind says."""


@dataclass(frozen=True, eq=False)
class Note(Result):
    """What a visitor should know of the request, in one sentence."""

    text: str


@dataclass(frozen=True, eq=False)
class AnimationReady(Result):
    """The motion, with the memory and the style behind it."""

    animation: Animation


@dataclass(frozen=True, eq=False)
class PlayerReady(Result):
    """The 3D head: a value of `player.player`."""

    package: str


@dataclass(frozen=True, eq=False)
class FileReady(Result):
    """The file of the chosen format, where it lies until the next step."""

    path: Path


def run_animation(
    desk: JobRunner, wish: AnimateRequest, with_player: bool = True, format: str = "mp4", steps: Sequence[str] = STEPS
) -> Generator[str | Result, None, None]:
    """Do what is wished: yields the progress among `steps` (HTML), and each result as soon as it is there.

    The last is a file of the format (a key of FORMATS), as a path in a folder that goes when this generator ends.
    Closing the generator stops the work. Raises PageError or AudioError in plain words, TimeoutError, and whatever
    fails in the work.
    """
    voices = wish.checked(desk.head.identities)
    with desk.task(desk.animate, voices.speech, **wish.arguments(voices)) as listening:
        animation = yield from stream_progress(listening, 0, "Listening to the voice", steps)
    for remark in remarks_on(animation, voices.manner):
        yield Note(remark)
    yield AnimationReady(animation)
    if with_player:
        with desk.task(_packed, animation) as packing:
            value = yield from stream_progress(packing, 1, "Packing the 3D head", steps)
        yield PlayerReady(value)
    with desk.task(_saved, animation, wish.camera, format) as saving:
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

"""Desk: the talker behind the page, and the one thread in which everything slow is done, task by task."""

from __future__ import annotations

import contextvars
import functools
import inspect
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

try:
    import spaces  # on a Space with borrowed GPUs this must come before torch; elsewhere it does nothing
except ImportError:
    spaces = None
import numpy as np

from memorytalker import Animation, HeadMesh
from memorytalker.errors import ExecutionError, MemoryTalkerError
from memorytalker.page.limits import KEEP_SECONDS
from memorytalker.page.session_files import SessionFiles
from memorytalker.page.worker import Worker, in_worker, without_frames
from memorytalker.progress import Progress

T = TypeVar("T")


class Slots(Protocol):
    """What the page needs of a model's configuration."""

    @property
    def slots(self) -> Sequence[str]:
        """The label of each memory slot (n,)."""


class TalkerLike(Protocol):
    """What the page needs of a talker; `memorytalker.Talker` answers to it, and so does any stand-in."""

    head: HeadMesh

    @property
    def config(self) -> Slots:
        """The model's configuration."""

    @property
    def mean_style(self) -> np.ndarray:
        """Style weights (n,) of the average training speaker, all 1 where the weights do not know it."""

    def animate(self, sound: Any, *, progress: Progress | None = None, **options: Any) -> Animation:
        """As `Talker.animate`."""

    def style_of(self, sound: Any) -> np.ndarray:
        """As `Talker.style_of`."""

    def slot_face(self, slot: int | str, style_weights: np.ndarray | None = None) -> np.ndarray:
        """As `Talker.slot_face`."""


class Stopped(MemoryTalkerError):
    """Raised inside the worker so that it lets go of a task that nobody waits for any more."""


class NotDone(ExecutionError):
    """Raised where a result is asked for that is not there yet."""


class Job(Generic[T]):
    """Work done in another thread that can be watched and stopped, with a folder of its own that goes with it.

    The worker reports; whoever asked reads `progress`: (done, total, stage), total 0 where it is unknown. Whatever the
    task holds, its arguments, its result and the frames of what failed, it lets go of when it is closed.
    """

    def __init__(
        self, worker: Worker, work: Callable[..., T], *arguments: Any, small: bool = False, **options: Any
    ) -> None:
        """Begin `work(*arguments, progress=..., **options)` in `worker`; `small` as in `Worker.submit`.

        Work that names a parameter `folder` is given the task's folder there. Its reports of progress raise `Stopped`
        once the task is closed.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="memorytalker-"))
        self.progress: tuple[int, int, str] = (0, 0, "")
        self._worker = worker
        self._stage_began = time.monotonic()
        self._lock = threading.Lock()  # held where the task begins, ends or is closed
        self._begun = self._closed = False
        self._ended = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        if "folder" in inspect.signature(work).parameters:
            options = {"folder": self.folder} | options
        # The context carries the visitor's request, which the lender of a GPU asks for.
        context = contextvars.copy_context()
        self._call: Callable[[], T] | None = functools.partial(
            context.run, work, *arguments, progress=self._report, **options
        )
        worker.submit(self._run, small)

    @property
    def begun(self) -> bool:
        """Whether the worker has come to this task."""
        return self._begun

    def wait(self, seconds: float) -> bool:
        """Wait for at most so many seconds; whether the work has ended, well or badly."""
        return self._ended.wait(seconds)

    @property
    def result(self) -> T:
        """What the work returned, None if that is what it returned.

        Raises what the work raised, NotDone before the work has ended, and Stopped of a task that was closed.
        """
        if self._closed:
            raise Stopped("This task was closed, and holds its result no longer.")
        if not self._ended.is_set():
            raise NotDone("This work has not ended; wait for it first.")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # T may be None

    def seconds_left(self) -> float | None:
        """Estimated from the pace of the present stage; None as long as that says nothing."""
        done, total, _ = self.progress
        spent = time.monotonic() - self._stage_began
        return spent * (total - done) / done if total and done and spent > 1 else None

    def close(self) -> None:
        """Stop the work, and remove the folder as soon as the worker has let go of it. May be called twice."""
        with self._lock:
            self._closed = True
            self._call = self._value = self._error = None
            if self._begun and not self._ended.is_set():
                return  # the worker lets go at its next report, and tidies up
            self._ended.set()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Job[T]:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _run(self) -> None:
        with self._lock:
            call, self._call = self._call, None
            if call is None:  # closed while it waited
                return
            self._begun = True
        value: T | None = None
        failure: BaseException | None = None
        try:
            self._report(0, 0, "")
            value = call()
        except BaseException as error:  # whoever asked is told, in another thread
            failure = without_frames(error)
        call = None
        with self._lock:
            if not self._closed:
                self._value, self._error = value, failure
            self._ended.set()
        value = failure = None
        if self._closed:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _report(self, done: int, total: int, stage: str) -> None:
        if self._closed:
            raise Stopped
        if stage != self.progress[2]:
            self._stage_began = time.monotonic()
        self.progress = (done, total, stage)
        self._worker.pause()


class JobRunner:
    """Where the page's sections have their work done; the talker is the desk's own.

    `head` is the talker's head, `slots` its labels; `mean_style` the average training speaker's weights per memory slot
    (n,), or None where the weights do not know it; `visits` keeps each visitor's results.

    What needs the network goes through `animate`, `style_of` and `slot_face`, and there is no other way to it. They run
    as a task's work or are called from within one, and raise RuntimeError in any other thread than the worker's. Where
    there is a borrowed GPU they run on that.
    """

    def __init__(self, talker: TalkerLike, keep_seconds: float = KEEP_SECONDS) -> None:
        self.head: HeadMesh = talker.head
        self.slots: tuple[str, ...] = tuple(talker.config.slots)
        mean = np.asarray(talker.mean_style)
        self.mean_style: np.ndarray | None = None if (mean == 1).all() else mean  # ones: the weights do not know it
        self.visits = SessionFiles(keep_seconds)
        # A graphics context belongs to one thread, and one thing at a time keeps memory in bounds.
        self._worker = Worker()
        calls = ("animate", "style_of", "slot_face")
        self._network: Mapping[str, Callable[..., Any]] = {name: _on_gpu(getattr(talker, name)) for name in calls}

    def task(self, work: Callable[..., T], *arguments: Any, small: bool = False, **options: Any) -> Job[T]:
        """Begin `work(*arguments, progress=report, **options)` in the one worker thread.

        `small`: it needs the network for a moment and no graphics, so it may be done between two steps of a video.
        """
        return Job(self._worker, work, *arguments, small=small, **options)

    @in_worker
    def animate(self, sound: Any, progress: Progress | None = None, **options: Any) -> Animation:
        """`Talker.animate`."""
        # A borrowed GPU works in another process, which cannot call back.
        report = None if os.environ.get("SPACES_ZERO_GPU") else progress
        return self._network["animate"](sound, progress=report, **options)

    @in_worker
    def style_of(self, sound: Any, progress: Progress | None = None) -> np.ndarray:
        """`Talker.style_of`: style weights (n,) of a sound."""
        return self._network["style_of"](sound)

    @in_worker
    def slot_face(
        self, slot: int | str, style_weights: np.ndarray | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """`Talker.slot_face`: the face that a memory slot stores, vertices (V, 3) in metres."""
        return self._network["slot_face"](slot, style_weights)


def _on_gpu(network: Callable[..., T]) -> Callable[..., T]:
    return spaces.GPU(network) if spaces else network

"""The talker behind the page, and the one worker thread that does everything slow, job by job."""

from __future__ import annotations

import contextvars
import functools
import inspect
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
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
from memorytalker.page.worker import Worker, in_worker, raise_in, without_frames
from memorytalker.progress import Progress
from memorytalker.scratch import Scratch
from memorytalker.styles.style import Style

T = TypeVar("T")
#: Seconds that closed work may go on without a report before it is interrupted wherever it is.
GRACE_SECONDS = 20.0
#: Share of a stage that tells its pace: its beginning, in which much is prepared, is slower.
LEAST_SHARE = 0.05
#: Seconds of a visitor's recordings together, from which a style is learned; everybody else waits meanwhile. The
#: camera's film of a minute ends up to a second late in a tab that is not looked at.
LONGEST_RECORDINGS = 62.0


class Slots(Protocol):
    """What the page needs of a model's configuration."""

    @property
    def slots(self) -> Sequence[str]:
        """The label of each memory slot (n,)."""


class TalkerLike(Protocol):
    """What the page needs of a talker: `memorytalker.Talker`, or a stub."""

    head: HeadMesh

    @property
    def config(self) -> Slots:
        """The model's configuration."""

    @property
    def mean_style(self) -> np.ndarray:
        """Style weights (n,) of the average training speaker; all 1 where the weights do not include them."""

    def animate(self, sound: Any, *, progress: Progress | None = None, **options: Any) -> Animation:
        """As `Talker.animate`."""

    def style_of(self, sound: Any) -> np.ndarray:
        """As `Talker.style_of`."""

    def arousal_of(self, sound: Any) -> tuple[tuple[int, float], ...]:
        """As `Talker.arousal_of`."""

    def slot_face(self, slot: int | str, style_weights: np.ndarray | None = None) -> np.ndarray:
        """As `Talker.slot_face`."""

    def adapt(
        self, takes: Any, name: str = "", progress: Progress | None = None, longest_seconds: float = 600.0
    ) -> Style:
        """As `Talker.adapt`."""


class Stopped(MemoryTalkerError):
    """Raised inside the worker to end a job that was closed."""


class NotDone(ExecutionError):
    """Raised where the result of a job is read before its work has ended."""


class Job(Generic[T]):
    """Work in the worker thread that can be watched and stopped, with a temporary folder that is removed with it.

    Closing a job drops its arguments, its result, and the frames of its exception. Work that then reports no progress
    for `GRACE_SECONDS` is interrupted, so that no job can hold the one worker for good.

    Attributes:
        folder: the job's own folder.
        progress: (done, total, stage) as last reported; total is 0 where it is unknown.
    """

    def __init__(
        self, worker: Worker, work: Callable[..., T], *arguments: Any, small: bool = False, **options: Any
    ) -> None:
        """Begin `work(*arguments, progress=..., **options)` in `worker`.

        Args:
            worker: the thread.
            work: called with `progress`, a function of (done, total, stage) that raises Stopped once the job is closed;
                if it has a parameter `folder`, also with the job's folder.
            small: as in `Worker.submit`.
        """
        self._scratch = Scratch()
        self.folder = self._scratch.path
        self.progress: tuple[int, int, str] = (0, 0, "")
        self._worker = worker
        self._stage_began = time.monotonic()
        self._lock = threading.Lock()  # held while the job begins, ends or is closed
        self._begun = self._closed = self._leaving = False
        self._thread = 0  # in which it runs
        self._interrupter: threading.Timer | None = None
        self._ended = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        if "folder" in inspect.signature(work).parameters:
            options = {"folder": self.folder} | options
        # The context carries the visitor's request, which `spaces` needs to lend a GPU.
        context = contextvars.copy_context()
        self._call: Callable[[], T] | None = functools.partial(
            context.run, work, *arguments, progress=self._report, **options
        )
        worker.submit(self._run, small)

    @property
    def begun(self) -> bool:
        """Whether the worker has started this job."""
        return self._begun

    def wait(self, seconds: float) -> bool:
        """Wait for at most `seconds`; return whether the work has ended, with a result or an exception."""
        return self._ended.wait(seconds)

    @property
    def result(self) -> T:
        """What the work returned, which may be None.

        Raises:
            NotDone: the work has not ended.
            Stopped: the job was closed.
            Exception: what the work raised.
        """
        if self._closed:
            raise Stopped("This job was closed and no longer holds its result.")
        if not self._ended.is_set():
            raise NotDone("This work has not ended; wait for it first.")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # T may be None

    def seconds_left(self) -> float | None:
        """Seconds left, estimated from the pace of the present stage; None while there is too little to go by."""
        done, total, _ = self.progress
        spent = time.monotonic() - self._stage_began
        if not total or done < LEAST_SHARE * total or spent <= 1:
            return None
        return spent * (total - done) / done

    def close(self) -> None:
        """Stop the work, and remove the folder once the worker no longer uses it. May be called twice."""
        with self._lock:
            self._closed = True
            self._call = self._value = self._error = None
            if self._begun and not self._ended.is_set():  # the worker stops at its next report and removes the folder
                if self._interrupter is None:
                    self._interrupter = threading.Timer(GRACE_SECONDS, self._interrupt)
                    self._interrupter.daemon = True
                    self._interrupter.start()
                return
            self._ended.set()
        self._scratch.close()

    def __enter__(self) -> Job[T]:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _run(self) -> None:
        with self._lock:
            call, self._call = self._call, None
            if call is None:  # closed while it was queued
                return
            self._begun, self._thread = True, threading.get_ident()
        value: T | None = None
        failure: BaseException | None = None
        try:
            try:
                self._report(0, 0, "")
                value = call()
            except BaseException as error:  # raised again by `result`, in another thread
                failure = without_frames(error)
            self._leave()
        except Stopped:  # interrupted just as it ended
            self._leave()
        call = None
        with self._lock:
            if self._interrupter is not None:
                self._interrupter.cancel()
            if not self._closed:
                self._value, self._error = value, failure
            self._ended.set()
        value = failure = None
        if self._closed:
            self._scratch.close()

    def _leave(self) -> None:
        """From here on the work is not interrupted any more."""
        with self._lock:
            self._leaving = True

    def _interrupt(self) -> None:
        with self._lock:
            if not self._leaving:
                raise_in(self._thread, Stopped)

    def _report(self, done: int, total: int, stage: str) -> None:
        if self._closed:
            raise Stopped
        if stage != self.progress[2]:
            self._stage_began = time.monotonic()
        self.progress = (done, total, stage)
        self._worker.pause()


class JobRunner:
    """Runs the page's jobs, one at a time, and gives them the talker.

    The network is reached only through `animate`, `style_of`, `arousal_of`, `slot_face` and `adapt`. These run as a
    job's work or are called from one; in any other thread than the worker's they raise RuntimeError. On a Space they
    run on the borrowed GPU.

    Attributes:
        head: the talker's head.
        slots: the n slot labels.
        mean_style: style weights (n,) of the average training speaker; None where the weights do not include them.
        session_files: keeps each visitor's results.
    """

    def __init__(self, talker: TalkerLike, keep_seconds: float = KEEP_SECONDS) -> None:
        self.head: HeadMesh = talker.head
        self.slots: tuple[str, ...] = tuple(talker.config.slots)
        mean = np.asarray(talker.mean_style)
        self.mean_style: np.ndarray | None = None if (mean == 1).all() else mean  # ones: the weights do not include it
        self.session_files = SessionFiles(keep_seconds)
        # A graphics context belongs to one thread, and one thing at a time keeps memory in bounds.
        self._worker = Worker()
        self._stopped = False
        self._jobs: weakref.WeakSet[Job[Any]] = weakref.WeakSet()
        calls = ("animate", "style_of", "arousal_of", "slot_face", "adapt")
        self._network: Mapping[str, Callable[..., Any]] = {name: _on_gpu(getattr(talker, name)) for name in calls}

    def job(self, work: Callable[..., T], *arguments: Any, small: bool = False, **options: Any) -> Job[T]:
        """Begin `work(*arguments, progress=report, **options)` in the one worker thread.

        Args:
            work: as in `Job`.
            small: it takes a moment and no graphics, so it may run between two frames of a video.

        Returns:
            The job; close it when it is no longer needed.

        Raises:
            Stopped: the runner is being closed.
        """
        if self._stopped:
            raise Stopped("This page is being closed and begins nothing new.")
        job = Job(self._worker, work, *arguments, small=small, **options)
        self._jobs.add(job)
        return job

    def stop(self) -> None:
        """Stop all jobs, without waiting for them, and begin no other."""
        self._stopped = True
        for job in list(self._jobs):
            job.close()

    def close(self) -> None:
        """Stop all jobs, wait for the one at work to notice, and remove the files of all sessions."""
        self.stop()
        self._worker.close()
        self.session_files.close()

    @in_worker
    def animate(self, sound: Any, progress: Progress | None = None, **options: Any) -> Animation:
        """Animate as `Talker.animate` does."""
        # A borrowed GPU works in another process, which cannot call back.
        report = None if os.environ.get("SPACES_ZERO_GPU") else progress
        return self._network["animate"](sound, progress=report, **options)

    @in_worker
    def style_of(self, sound: Any, progress: Progress | None = None) -> np.ndarray:
        """Encode the style weights (n,) of a sound, as `Talker.style_of` does."""
        return self._network["style_of"](sound)

    @in_worker
    def arousal_of(self, sound: Any, progress: Progress | None = None) -> tuple[tuple[int, float], ...]:
        """Estimate how excited a voice sounds, window by window, as `Talker.arousal_of` does."""
        return self._network["arousal_of"](sound)

    @in_worker
    def slot_face(
        self, slot: int | str, style_weights: np.ndarray | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """Return the face that a memory slot stores, (V, 3) in metres, as `Talker.slot_face` does."""
        return self._network["slot_face"](slot, style_weights)

    @in_worker
    def adapt(self, takes: Any, name: str = "", progress: Progress | None = None) -> Style:
        """Learn a style from recordings, as `Talker.adapt` does."""
        report = None if os.environ.get("SPACES_ZERO_GPU") else progress
        return self._network["adapt"](takes, name=name, progress=report, longest_seconds=LONGEST_RECORDINGS)


def _on_gpu(network: Callable[..., T]) -> Callable[..., T]:
    return spaces.GPU(network) if spaces else network

"""Desk: the talker behind the page, and the one thread in which everything slow is done, task by task."""

from __future__ import annotations

import contextvars
import inspect
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

try:
    import spaces  # on a Space with borrowed GPUs this must come before torch; elsewhere it does nothing
except ImportError:
    spaces = None
import numpy as np

from memorytalker.config import Progress
from memorytalker.errors import MemoryTalkerError
from memorytalker.page.limits import KEEP_SECONDS
from memorytalker.page.session_files import SessionFiles

T = TypeVar("T")


class Stopped(MemoryTalkerError):
    """Raised inside the worker so that it lets go of a task that nobody waits for any more."""


class NotDone(RuntimeError):
    """Raised where a result is asked for that is not there yet."""


class Job(Generic[T]):
    """Work done in another thread that can be watched and stopped, with a folder of its own that goes with it.

    The worker reports; whoever asked reads `progress`: (done, total, stage), total 0 where it is unknown.
    """

    def __init__(self, worker: Executor, work: Callable[..., T], *arguments: Any, **options: Any) -> None:
        """Begin `work(*arguments, progress=..., **options)` in `worker`.

        Work that names a parameter `folder` is given the task's folder there. Its reports of progress raise `Stopped`
        once the task is closed.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="memorytalker-"))
        self.progress: tuple[int, int, str] = (0, 0, "")
        self._stage_began = time.monotonic()
        self._stopped = threading.Event()
        if "folder" in inspect.signature(work).parameters:
            options = {"folder": self.folder} | options
        # The context carries the visitor's request, which the lender of a GPU asks for.
        context = contextvars.copy_context()
        self._future: Future[T] = worker.submit(context.run, self._work, work, arguments, options)

    def wait(self, seconds: float) -> bool:
        """Wait for at most so many seconds; whether the work has ended, well or badly."""
        return bool(wait([self._future], seconds).done)

    @property
    def result(self) -> T:
        """What the work returned, None if that is what it returned. Raises what the work raised, NotDone before."""
        if not self._future.done():
            raise NotDone("This work has not ended; wait for it first.")
        return self._future.result()

    def seconds_left(self) -> float | None:
        """Estimated from the pace of the present stage; None as long as that says nothing."""
        done, total, _ = self.progress
        spent = time.monotonic() - self._stage_began
        return spent * (total - done) / done if total and done and spent > 1 else None

    def close(self) -> None:
        """Stop the work, and remove the folder as soon as the worker has let go of it. May be called twice."""
        self._stopped.set()
        self._future.cancel()
        self._future.add_done_callback(lambda _: shutil.rmtree(self.folder, ignore_errors=True))

    def __enter__(self) -> Job[T]:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _work(self, work: Callable[..., T], arguments: tuple[Any, ...], options: dict[str, Any]) -> T:
        self._report(0, 0, "")
        return work(*arguments, progress=self._report, **options)

    def _report(self, done: int, total: int, stage: str) -> None:
        if self._stopped.is_set():
            raise Stopped
        if stage != self.progress[2]:
            self._stage_began = time.monotonic()
        self.progress = (done, total, stage)


class JobRunner:
    """Where the page's sections have their work done.

    `talker` is the `Talker`; `mean_style` the average training speaker's weights per memory slot (n,), or None where
    the weights do not know it; `visits` keeps each visitor's results. What needs the network goes through `animate`,
    `style_of` and `slot_face`, called from within a task's work: where there is a borrowed GPU they run on that.
    """

    def __init__(self, talker: Any, keep_seconds: float = KEEP_SECONDS) -> None:
        self.talker = talker
        mean = np.asarray(talker.mean_style)
        self.mean_style: np.ndarray | None = None if (mean == 1).all() else mean  # ones: the weights do not know it
        self.visits = SessionFiles(keep_seconds)
        # A graphics context belongs to one thread, and one thread at a time keeps memory in bounds.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="talker")
        calls = ("animate", "style_of", "slot_face")
        self._network = {name: _on_gpu(getattr(talker, name)) for name in calls if hasattr(talker, name)}

    def task(self, work: Callable[..., T], *arguments: Any, **options: Any) -> Job[T]:
        """Begin `work(*arguments, progress=report, **options)` in the one worker thread."""
        return Job(self._worker, work, *arguments, **options)

    def animate(self, sound: Any, progress: Progress | None = None, **options: Any) -> Any:
        """`Talker.animate`."""
        # A borrowed GPU works in another process, which cannot call back.
        report = None if os.environ.get("SPACES_ZERO_GPU") else progress
        return self._network["animate"](sound, progress=report, **options)

    def style_of(self, sound: Any, progress: Progress | None = None) -> np.ndarray:
        """`Talker.style_of`: style weights (n,) of a sound."""
        return self._network["style_of"](sound)

    def slot_face(
        self, slot: int | str, style_weights: np.ndarray | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """`Talker.slot_face`: the face that a memory slot stores, vertices (V, 3) in metres."""
        return self._network["slot_face"](slot, style_weights)


def _on_gpu(network: Callable[..., T]) -> Callable[..., T]:
    return spaces.GPU(network) if spaces else network

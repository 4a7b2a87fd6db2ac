"""Job: one request for a video, worked on in another thread, that can be watched and stopped."""

from __future__ import annotations

import contextvars
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import Any


class Stopped(Exception):
    """Raised inside the worker so that it lets go of a job that nobody waits for any more."""


class Job:
    """A voice becomes an animation, then a video in a folder of the job's own, which goes when the job is closed.

    The worker reports; whoever asked reads `animation` (None until the network is done) and `progress`: (done, total,
    stage), total 0 where it is unknown.
    """

    def __init__(self, worker: Executor, animate: Callable[..., Any], sound: Any, **options: Any) -> None:
        """Begin `animate(sound, progress=..., **options)` in `worker`, followed by `save` on what it returns."""
        self.folder = Path(tempfile.mkdtemp(prefix="memorytalker-"))
        self.animation: Any = None
        self.progress = (0, 0, "")
        self._stage_began = time.monotonic()
        self._stopped = threading.Event()
        # The context carries the visitor's request, which the lender of a GPU asks for.
        self._future: Future[Path] = worker.submit(contextvars.copy_context().run, self._work, animate, sound, options)

    def wait(self, seconds: float) -> Path | None:
        """The finished video, or None after `seconds`. Raises what the worker raised."""
        try:
            return self._future.result(seconds)
        except NotYet:
            if self._future.done():
                raise
            return None

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

    def _work(self, animate: Callable[..., Any], sound: Any, options: dict[str, Any]) -> Path:
        # A borrowed GPU works in another process, which cannot call back.
        report = None if os.environ.get("SPACES_ZERO_GPU") else self._report
        animation = animate(sound, progress=report, **options)
        self._report(0, 0, "")
        self.animation = animation
        path = self.folder / "talk.mp4"
        animation.save(path, progress=self._report)
        return path

    def _report(self, done: int, total: int, stage: str) -> None:
        if self._stopped.is_set():
            raise Stopped
        if stage != self.progress[2]:
            self._stage_began = time.monotonic()
        self.progress = (done, total, stage)

"""The one thread of the page in which network and renderer run."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
_here = threading.local()  # `_here.working` is true in the thread of a Worker


def in_worker(work: Callable[P, T]) -> Callable[P, T]:
    """Decorate work that needs the network or the renderer: it raises RuntimeError in any other thread than a Worker's.

    A graphics context belongs to one thread, and the network's forward hooks keep state while it runs.
    """

    @functools.wraps(work)
    def kept(*arguments: P.args, **options: P.kwargs) -> T:
        if not getattr(_here, "working", False):
            raise RuntimeError(f"{work.__qualname__} belongs in the worker's thread; give it to JobRunner.job.")
        return work(*arguments, **options)

    return kept


class Worker:
    """One thread that does everything slow, in order.

    Small calls that need only the network (a style, the face of a slot) do not wait behind a long video. The same
    thread does them when the running job reports its progress: between two frames, when the network is idle. They get
    at most half of the time, so the job always goes on. Calls that need the renderer wait their turn.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="talker", initializer=_begin_to_work)
        self._small: deque[Callable[[], object]] = deque()
        self._at_small = False
        self._next_small = 0.0  # time (monotonic, s) from which the running job may be interrupted again

    def submit(self, call: Callable[[], object], small: bool = False) -> None:
        """Queue `call`; if it is `small`, it runs at the running job's next report of progress."""
        if small:
            self._small.append(call)
            call = self._do_small
        self._pool.submit(call)

    def pause(self) -> None:
        """Called by the running job between two of its steps: run at most one small call."""
        if self._at_small or time.monotonic() < self._next_small:
            return
        began = time.monotonic()
        if self._do_small():
            ended = time.monotonic()
            self._next_small = ended + (ended - began)

    def close(self) -> None:
        """End the thread when the running call is done; those that wait are not begun."""
        self._pool.shutdown(cancel_futures=True)

    def _do_small(self) -> bool:
        try:
            call = self._small.popleft()
        except IndexError:  # it ran in a pause
            return False
        self._at_small = True
        try:
            call()
        finally:
            self._at_small = False
        return True


def _begin_to_work() -> None:
    _here.working = True


def raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise an error in the thread of that identifier at its next step in Python; a call into C returns first.

    Source:
        PyThreadState_SetAsyncExc of https://docs.python.org/3/c-api/init.html.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def without_frames(error: BaseException) -> BaseException:
    """The error with its traceback and causes, but with the variables of their frames cleared.

    A traceback keeps every frame it went through, so every array in them; a frame that holds its own error lives until
    the next full garbage collection.
    """
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        one = chain.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        chain += [one.__cause__, one.__context__]
    # The first entry is the frame of the job itself, which still runs.
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)

"""Worker: the one thread of the page in which network and renderer work, and what it leaves behind."""

from __future__ import annotations

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
    """Decorate work that needs the network or the renderer, so that it runs in the worker's thread or not at all.

    Elsewhere it raises RuntimeError before anything is done: a graphics context belongs to one thread, and the network
    keeps what its layers say while it runs.
    """

    @functools.wraps(work)
    def kept(*arguments: P.args, **options: P.kwargs) -> T:
        if not getattr(_here, "working", False):
            raise RuntimeError(f"{work.__qualname__} is work for the desk's own thread; give it to Desk.task.")
        return work(*arguments, **options)

    return kept


class Worker:
    """One thread in which everything slow is done, one thing after the other.

    Small things that need the network alone (a style, the face of a slot) do not wait behind a long video. They are
    done by the same thread between two steps of the running task, whenever it reports its progress: no two things ever
    run at once, and the network is in the middle of nothing then. They get at most half of the time, so that however
    many come, the task goes on. What needs the renderer always waits its turn.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="talker", initializer=_begin_to_work)
        self._small: deque[Callable[[], None]] = deque()
        self._at_small = False
        self._next_small = 0.0  # moment (monotonic, s) from which the running task may be interrupted again

    def submit(self, call: Callable[[], None], small: bool = False) -> None:
        """Have `call` done in its turn, or, if it is `small`, at the running task's next report."""
        if small:
            self._small.append(call)
            call = self._do_small
        self._pool.submit(call)

    def pause(self) -> None:
        """Called by the running task between two of its steps: one small thing may be done now."""
        if self._at_small or time.monotonic() < self._next_small:
            return
        began = time.monotonic()
        if self._do_small():
            ended = time.monotonic()
            self._next_small = ended + (ended - began)

    def close(self) -> None:
        """End the thread when what it was given is done."""
        self._pool.shutdown()

    def _do_small(self) -> bool:
        try:
            call = self._small.popleft()
        except IndexError:  # it was done in a pause
            return False
        self._at_small = True
        try:
            call()
        finally:
            self._at_small = False
        return True


def _begin_to_work() -> None:
    _here.working = True


def without_frames(error: BaseException) -> BaseException:
    """The error, with the places where it was raised and what led to it, but without the arrays that lay there.

    A traceback holds every frame that it went through and so all its variables, and a frame that holds its own error
    lives until the next full collection.
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
    # Its first place is the frame of the task itself, which goes on.
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)

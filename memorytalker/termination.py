"""SIGTERM, with which hosts end a process: raised as an exception, so that everything is cleaned up as after Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


@contextlib.contextmanager
def raised_on_sigterm(first: Callable[[], object] | None = None) -> Iterator[None]:
    """Raise Terminated in the main thread when SIGTERM arrives; elsewhere this does nothing.

    Args:
        first: called before it is raised, once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
        if first is not None:
            first()
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)

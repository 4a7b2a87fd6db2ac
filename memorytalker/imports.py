"""Importing large libraries in less time.

torch, transformers and PyVista make a million objects that live as long as the process. Meanwhile Python's garbage
collector looks through all of them again and again, which takes a good part of the time until the first frame.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import getpass
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from memorytalker.scratch import Scratch

_LOCK = threading.Lock()
# Imports under way, in any thread; and whether the collector was on before the first of them.
_PAUSES: list[bool] = []


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Inside, Python collects no cycles; afterwards it does again, if it did before and nobody else pauses it.

    May be nested, and used by several threads at once. For imports alone: cycles of other work would pile up.
    """
    with _LOCK:
        _PAUSES.append(gc.isenabled() if not _PAUSES else _PAUSES[0])
        gc.disable()
    try:
        yield
    finally:
        with _LOCK:
            if _PAUSES.pop() and not _PAUSES:
                gc.enable()


def prepare_matplotlib() -> None:
    """Give matplotlib a temporary folder where the home may not be written to; otherwise it complains in the log.

    For before its first import, which PyVista does, too. Where MPLCONFIGDIR chose a folder, that stays.
    """
    if "MPLCONFIGDIR" in os.environ:
        return
    with contextlib.suppress(RuntimeError):  # there is no home
        own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "matplotlib"
        if os.access(next(place for place in (own, *own.parents) if place.exists()), os.W_OK):
            return
    folder = Scratch("memorytalker.figures-")
    atexit.register(folder.close)
    os.environ["MPLCONFIGDIR"] = str(folder.path)


def name_user() -> None:
    """Name the user in the environment where the system does not know the number, as in many containers.

    torch asks for the name when transformers loads its compiler, and fails without one.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["LOGNAME"] = "user"

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
import sys
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
        if _may_be_written(own):
            return
    os.environ["MPLCONFIGDIR"] = _temporary("memorytalker.figures-")


def prepare_mesa() -> None:
    """Give Mesa a temporary folder for compiled shaders where the home may not be written to.

    Otherwise it complains in the log for every graphics context, and compiles all shaders for each of them. For before
    the first one. Where a variable of Mesa's chose a folder, or none, that stays.
    """
    chosen = ("MESA_SHADER_CACHE_DIR", "MESA_GLSL_CACHE_DIR", "MESA_SHADER_CACHE_DISABLE")
    if not sys.platform.startswith("linux") or any(name in os.environ for name in chosen):
        return
    import pwd

    with contextlib.suppress(KeyError):  # the system does not know the user; of HOME Mesa does not ask
        own = Path(os.environ.get("XDG_CACHE_HOME") or Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache")
        if _may_be_written(own / "mesa_shader_cache"):
            return
    os.environ["MESA_SHADER_CACHE_DIR"] = _temporary("memorytalker.shaders-")


def _may_be_written(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that is there, may be written to."""
    return os.access(next(place for place in (folder, *folder.parents) if place.exists()), os.W_OK)


def _temporary(prefix: str) -> str:
    """The path of a folder that is there until this process ends."""
    folder = Scratch(prefix)
    atexit.register(folder.close)
    return str(folder.path)


def name_user() -> None:
    """Name the user in the environment where the system does not know the number, as in many containers.

    torch asks for the name when transformers loads its compiler, and fails without one.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["LOGNAME"] = "user"

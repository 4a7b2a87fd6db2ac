"""Temporary folders that survive a cleaner of /tmp, and that the next process removes if this one was killed.

A folder's process holds a lock on it. A killed process holds none, so whatever has no lock is left over.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not POSIX: then there are no locks, and nothing is swept
    fcntl = None  # type: ignore[assignment]

#: How the names of all temporary folders begin, and of those of jobs.
OURS, JOB = "memorytalker", "memorytalker-"


class Scratch:
    """A new temporary folder; it is removed when it is closed, when nobody holds this object, and at the exit.

    Attributes:
        path: of the folder, without links.
    """

    def __init__(self, prefix: str = JOB) -> None:
        """Make the folder, and the folder of temporary files if it is gone; its name begins with `prefix`."""
        parent = Path(tempfile.gettempdir())
        parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{prefix}", dir=parent)).resolve()
        self._locks = [lock_of(made)]
        self.path = made.rename(made.with_name(made.name.removeprefix(".")))  # a sweep never meets it without its lock
        self._finalizer = weakref.finalize(self, _remove, self.path, self._locks)

    def remade(self) -> Path:
        """Return the path of the folder, which is made again if somebody has removed it."""
        if not self.path.is_dir() and self._finalizer.alive:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._locks.append(lock_of(self.path))
        return self.path

    def close(self) -> None:
        """Remove the folder with all that is in it. May be called twice."""
        self._finalizer()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: Any) -> None:
        self.close()


def sweep() -> list[Path]:
    """Remove the temporary folders that killed processes of this user left; return their paths."""
    with contextlib.suppress(OSError):
        return [path for path in Path(tempfile.gettempdir()).glob(f"{OURS}[-.]*") if path.is_dir() and _swept(path)]
    return []


def _swept(path: Path) -> bool:
    if not is_abandoned(path):
        return False
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def is_abandoned(path: Path, young: float = 0.0) -> bool:
    """Return whether `path` is a file or folder of this user on which no process holds a lock.

    One that was changed within the last `young` seconds is not: it may just have been made.
    """
    try:
        about = path.lstat()
    except OSError:
        return False
    own = not hasattr(os, "getuid") or about.st_uid == os.getuid()
    if not own or time.time() - about.st_mtime < young:
        return False
    held = lock_of(path)
    if held is None:
        return False
    os.close(held)
    return True


def lock_of(path: Path) -> int | None:
    """Lock a file or folder for as long as the returned descriptor is open; None if that is not possible."""
    if fcntl is None:
        return None
    descriptor = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor


def _remove(path: Path, locks: list[int | None]) -> None:
    shutil.rmtree(path, ignore_errors=True)
    while locks:
        descriptor = locks.pop()
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

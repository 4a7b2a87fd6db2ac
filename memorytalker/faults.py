"""Faults of the machine, told apart from bad input and from mistakes of this package: one true sentence for each."""

from __future__ import annotations

import errno
from pathlib import Path

NO_MEMORY = (
    "There is not enough memory for this; close other programs, give a shorter sound, or choose a smaller image."
)
DISK_FULL = "The disk is full; make room, and try again."
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
#: How libraries call it that they get no memory, in small letters; they raise a plain RuntimeError, or an ImportError
#: where a library itself finds no room.
_LACKS_MEMORY = (
    "can't allocate memory", "cannot allocate memory", "out of memory", "unable to allocate", "bad_alloc",
    "failed to map segment",
)  # fmt: skip


def machine_fault(error: BaseException) -> str | None:
    """Return the sentence for an error that neither a file's content nor this package is to blame for.

    Args:
        error: whatever was raised.

    Returns:
        What the machine lacks or refuses, and what to do; None for any other error.
    """
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, (RuntimeError, ImportError)) and any(words in str(error).lower() for words in _LACKS_MEMORY):
        return NO_MEMORY
    return None


def _of_system(error: OSError) -> str | None:
    place = "" if error.filename is None else _shown(error.filename)
    if error.errno in _FULL:
        return DISK_FULL
    if error.errno == errno.ENOMEM:
        return NO_MEMORY
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "Too many files are open on this machine; close other programs, or raise the limit with 'ulimit -n'."
    if error.errno in _REFUSED and place:
        return f"{place} may not be opened or written here ({error.strerror}); check its permissions."
    if error.errno == errno.ENAMETOOLONG:
        return f"The name {place or 'of a file'} is too long; choose a shorter one."
    if error.errno is not None and place:
        return f"{place} cannot be used ({error.strerror}); check the path."
    return None


def _shown(name: object) -> str:
    """The last part of a path, shortened and on one line."""
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    last = "".join(letter if letter.isprintable() else "_" for letter in Path(text).name or text)
    return last if len(last) <= 60 else f"{last[:40]}...{last[-15:]}"

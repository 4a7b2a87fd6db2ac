"""The allocator: memory that a visit took goes back to the machine when the visit is over."""

from __future__ import annotations

import ctypes

#: Of glibc's malloc.h: arrays from this size on are given back as soon as they are free, and how many pools there are.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE, POOLS = 2**20, 2


def tune_malloc() -> bool:
    """Let freed memory not stay in a pool of each thread, as it does by default; whether this system can be told so.

    Else a page that serves one visitor after the other in changing threads grows by megabytes a visit for an hour.
    """
    try:
        tune = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another system, or another library of C
        return False
    return bool(tune(M_MMAP_THRESHOLD, LARGE)) and bool(tune(M_ARENA_MAX, POOLS))

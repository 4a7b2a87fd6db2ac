"""Settings of glibc's malloc: memory that a visit used is returned to the system."""

from __future__ import annotations

import ctypes

#: mallopt parameters of glibc's malloc.h. Blocks of LARGE bytes and more are returned when freed; POOLS: of arenas.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE, POOLS = 2**20, 2


def tune_malloc() -> bool:
    """Tune glibc's malloc so that freed arrays do not stay in an arena per thread; returns False on other systems.

    With the default, a page that serves visitors in changing threads grows by megabytes per visit for an hour.
    """
    try:
        tune = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another system, or another library of C
        return False
    return bool(tune(M_MMAP_THRESHOLD, LARGE)) and bool(tune(M_ARENA_MAX, POOLS))

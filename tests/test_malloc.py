"""Freed memory is returned to the system, where malloc can be tuned."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from memorytalker.page import malloc

#: What is freed between others: of its own accord the C library keeps it, having seen a larger one freed before.
GROWING = """
from memorytalker.page.malloc import tune_malloc
if {tuned}:
    assert tune_malloc()
larger = b"x" * 30_000_000
del larger
freed = b"x" * 25_000_000
kept = [b"x" * 100_000 for _ in range(20)]
del freed
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is read from /proc")
def test_less_stays_with_the_process() -> None:
    def resident(tuned: bool) -> int:
        code = GROWING.format(tuned=tuned)
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
        done = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert resident(True) < resident(False) - 25_000_000 / 1024 / 2  # kB: of what was freed, more than half went back


def test_another_system_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(malloc.ctypes, "CDLL", missing)
    assert malloc.tune_malloc() is False

"""How many processor cores this process may use: fewer than the machine has, in most containers."""

from __future__ import annotations

import math
import os
from pathlib import Path

#: Where Linux writes the share of time that a container may use: version 2 in one file, version 1 in two.
CGROUP = Path("/sys/fs/cgroup")
#: The variable of the environment by which fewer cores are chosen, for several processes that share them.
CHOSEN = "MEMORYTALKER_CORES"


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Return the number of cores that this process may keep busy, at least 1.

    Libraries count the machine's cores. More busy threads than a container may run wait for each other most of the
    time. MEMORYTALKER_CORES in the environment chooses fewer.

    Args:
        cgroup: folder of the limits of this process's container.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, chosen = _quota(cgroup), os.environ.get(CHOSEN, "")
    if quota is not None:
        cores = min(cores, math.ceil(quota))
    if chosen.isascii() and chosen.isdigit() and int(chosen[:9]) > 0:
        cores = min(cores, int(chosen[:9]))
    return max(1, cores)


def limit_torch() -> None:
    """Let torch compute with no more threads than `usable_cores`; where OMP_NUM_THREADS chose them, they stay."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > usable_cores():
        torch.set_num_threads(usable_cores())


def _quota(cgroup: Path) -> float | None:
    """The cores whose time a container may use; None: as many as there are."""
    try:
        if (cgroup / "cpu.max").is_file():
            quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = (
                (cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period")
            )
        found = float(quota) / float(period)  # "max" or -1: no limit
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return found if found > 0 else None

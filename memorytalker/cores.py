"""How many processor cores this process may use: fewer than the machine has, in most containers."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

#: Where Linux writes the share of time that a group of processes may use: version 2 in one file, version 1 in two.
CGROUP = Path("/sys/fs/cgroup")
#: Where it writes which groups this process is in. Each has the limits of its own and of every group around it.
MEMBERSHIP = Path("/proc/self/cgroup")
#: The variable of the environment by which fewer cores are chosen, for several processes that share them.
CHOSEN = "MEMORYTALKER_CORES"


def usable_cores(cgroup: Path = CGROUP, membership: Path = MEMBERSHIP) -> int:
    """Return the number of cores that this process may keep busy, at least 1.

    Libraries count the machine's cores. More busy threads than a container may run wait for each other most of the
    time. MEMORYTALKER_CORES in the environment chooses fewer.

    Args:
        cgroup: folder of the limits that Linux keeps.
        membership: file that names this process's groups below that folder.
    """
    cores, chosen = _listed_cores(), os.environ.get(CHOSEN, "")
    quota = min(filter(None, map(_quota, _groups(cgroup, membership))), default=None)
    if quota is not None:
        cores = min(cores, math.ceil(quota))
    if chosen.isascii() and chosen.isdigit() and int(chosen[:9]) > 0:
        cores = min(cores, int(chosen[:9]))
    return max(1, cores)


def limit_threads() -> None:
    """Let torch and NumPy's linear algebra compute with no more threads than `usable_cores`.

    Both count the cores that the process may run on, but not how much of their time. Where OMP_NUM_THREADS or
    OPENBLAS_NUM_THREADS chose the threads, they stay.
    """
    import torch

    cores = usable_cores()
    if "OMP_NUM_THREADS" in os.environ:
        return
    if torch.get_num_threads() > cores:
        torch.set_num_threads(cores)
    if cores < _listed_cores() and "OPENBLAS_NUM_THREADS" not in os.environ:
        import threadpoolctl

        os.environ["OPENBLAS_NUM_THREADS"] = str(cores)  # for what is loaded later
        threadpoolctl.threadpool_limits(cores, "blas")  # for as long as the process lives


def _listed_cores() -> int:
    """The cores that this process may run on, however little of their time is its own."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _groups(cgroup: Path, membership: Path) -> list[Path]:
    """The folders that may hold limits of this process: those of its groups, and of all groups around them."""
    folders = [cgroup, cgroup / "cpu"]
    with contextlib.suppress(OSError, ValueError):
        for line in membership.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)  # version 2 names no controllers
            if controllers and "cpu" not in controllers.split(","):
                continue
            inside = Path(path.lstrip("/"))
            if ".." not in inside.parts:  # a group outside of this container is not shown in it
                top = cgroup / "cpu" if controllers else cgroup
                folders += [top / each for each in (inside, *inside.parents)]
    return folders


def _quota(group: Path) -> float | None:
    """The cores whose time the processes of a group may use; None: as many as there are."""
    try:
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period"))
        found = float(quota) / float(period)  # "max" or -1: no limit
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return found if found > 0 and math.isfinite(found) else None

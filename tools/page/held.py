"""Resources of a served page: memory, open and written files, threads and processes. Linux only."""

from __future__ import annotations

import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tools.page.browser import Site


@dataclass(frozen=True)
class Held:
    """Resources held by a server and the processes that it started."""

    memory: int  # bytes, resident
    files: int  # in the folder of everything temporary
    descriptors: int  # open files, sockets and pipes
    threads: int
    processes: int

    def exceeds(self, other: Held) -> bool:
        """Whether any count, memory apart, is larger than in `other`."""
        names = ("files", "descriptors", "threads", "processes")
        return any(getattr(self, name) > getattr(other, name) for name in names)


def held(site: Site) -> Held:
    """Measure the resources now."""
    numbers = _family(site.process)
    status = [_status(number) for number in numbers]
    ignored = {site.log.name, "hold", "hold-network"}
    return Held(
        memory=sum(1024 * int(one.get("VmRSS", "0 kB").split()[0]) for one in status),
        files=sum(path.is_file() and path.name not in ignored for path in site.folder.rglob("*")),
        descriptors=sum(len(list(Path(f"/proc/{number}/fd").iterdir())) for number in numbers),
        threads=sum(int(one["Threads"]) for one in status),
        processes=len(numbers),
    )


def settled(site: Site, before: Held | None = None, seconds: float = 30.0) -> Held:
    """Measure until the counts stop falling, or exceed `before` no more, for at most so many seconds."""
    deadline, last = time.monotonic() + seconds, held(site)
    while time.monotonic() < deadline:
        time.sleep(3)
        # The web server ends workers that were idle for ten seconds, but only when it is asked for something.
        urllib.request.urlopen(site.url + "config", timeout=30).close()
        now = held(site)
        if not now.exceeds(before or last) and (before is not None or now == last):
            return now
        last = now
    return last


def _family(number: int) -> list[int]:
    children = []
    for task in Path(f"/proc/{number}/task").iterdir():
        children += [int(child) for child in (task / "children").read_text().split()]
    return [number, *(one for child in children for one in _family(child))]


def _status(number: int) -> dict[str, str]:
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

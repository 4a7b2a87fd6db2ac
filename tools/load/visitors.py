"""Many visitors at once: each asks for several animations, one after the other, and notes what it sees meanwhile."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from gradio_client import Client, handle_file
from gradio_client.utils import Status

RATE = 16_000
#: Every sound has a length of its own, in samples, by which its answer is known.
SHORTEST, LONGER_BY = 4_800, 64
#: How often a visitor looks at the queue, how long one who was refused waits, and for how long anybody waits at all.
LOOK_SECONDS, AGAIN_SECONDS, PATIENCE = 0.05, 0.3, 900.0
#: What the refusal of a full queue holds.
FULL = "full"
#: A visitor's own computer is still at it.
_BEFORE = (Status.STARTING, Status.JOINING_QUEUE)
#: Jobs of any one other visitor that may be served while a job waits: the one before it in the queue, and one whose
#: end was noted late.
MOST_OF_ANOTHER = 2


@dataclass
class Asked:
    """One animation that a visitor asked for.

    Attributes:
        seconds: of its sound, which no other has.
        places: in the queue, as they were shown; 0 is the next.
        began, ended: when it was accepted and answered, by the same clock for all.
        refusals: how often the queue was full before.
        answer: seconds of the answer, and lines of its file; None until it comes.
        error: why there was none.
    """

    visitor: int
    seconds: float
    places: list[int] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    refusals: int = 0
    answer: tuple[float, int] | None = None
    error: str = ""


def sound_of(number: int, folder: Path) -> tuple[Path, float]:
    """Write the sound of a job: a hum of a length of its own. Returns its file and its seconds."""
    samples = SHORTEST + LONGER_BY * number
    path = folder / f"{number}.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(samples) * 0.05) * np.hanning(samples), RATE)
    return path, samples / RATE


def come(url: str, visitors: int, jobs: int) -> list[Asked]:
    """Let visitors come at once, and return all that they asked for.

    Args:
        url: of the page.
        visitors: how many, each with a session of its own.
        jobs: of each visitor.
    """
    with tempfile.TemporaryDirectory(prefix="load-") as name, ThreadPoolExecutor(visitors) as crowd:
        found = crowd.map(lambda visitor: _visit(url, visitor, jobs, Path(name)), range(visitors))
        return [one for asked in found for one in asked]


def _visit(url: str, visitor: int, jobs: int, folder: Path) -> list[Asked]:
    client = Client(url, verbose=False, download_files=str(folder / str(visitor)), httpx_kwargs={"timeout": PATIENCE})
    try:
        return [_ask(client, visitor, visitor * jobs + number, folder) for number in range(jobs)]
    finally:
        client.close()


def _ask(client: Client, visitor: int, number: int, folder: Path) -> Asked:
    path, seconds = sound_of(number, folder)
    asked = Asked(visitor, seconds)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        asked.began = 0.0
        job = client.submit(handle_file(path), format="livelink", api_name="/animate")
        while not job.done():
            status = job.status()
            if not asked.began and status.code not in _BEFORE:
                asked.began = time.monotonic()
            if status.rank is not None and asked.places[-1:] != [status.rank]:
                asked.places.append(status.rank)
            time.sleep(LOOK_SECONDS)
        asked.ended = time.monotonic()
        asked.began = asked.began or asked.ended
        error = job.exception()
        if error is None:
            file, details = job.result()
            asked.answer = details["seconds"], len(Path(file).read_text(encoding="utf-8").splitlines())
            return asked
        asked.error = str(error)
        if FULL not in asked.error:
            return asked
        asked.refusals += 1
        time.sleep(AGAIN_SECONDS)
    return asked


def problems(asked: Sequence[Asked], fps: float = 30.0) -> list[str]:
    """Return in sentences what went wrong; nothing, if all was well.

    Each visitor has one job at a time. So in a fair queue no other is served twice while one waits.

    Args:
        asked: all that was asked for.
        fps: frames per second of the answers.
    """
    found = []
    for one in asked:
        who = f"Visitor {one.visitor}, {one.seconds:.3f} s"
        if one.answer is None:
            found.append(f"{who}: no answer, but: {one.error}")
            continue
        seconds, lines = one.answer
        if abs(seconds - one.seconds) > 0.5 * LONGER_BY / RATE or abs(lines - 1 - one.seconds * fps) > 1:
            found.append(f"{who}: the answer of another, of {seconds:.3f} s and {lines} lines.")
        passed = Counter(other.visitor for other in asked if one.began < other.ended < one.ended)
        if passed and max(passed.values()) > MOST_OF_ANOTHER:
            found.append(f"{who}: starved while another was served {max(passed.values())} times.")
        if len(passed) > 3 and not one.places:
            found.append(f"{who}: never saw its place in the queue.")
        if (
            any(later > earlier for earlier, later in zip(one.places, one.places[1:], strict=False))
            and not one.refusals
        ):
            found.append(f"{who}: its place in the queue grew, {one.places}.")
    return found


def described(asked: Sequence[Asked]) -> str:
    """Say in a line how many were served, refused and how long they waited."""
    served = [one for one in asked if one.answer is not None]
    waits = sorted(one.ended - one.began for one in served) or [0.0]
    last = max((place for one in asked for place in one.places), default=0)
    return (
        f"{len(served)} of {len(asked)} jobs of {len({one.visitor for one in asked})} visitors served, "
        f"{sum(one.refusals for one in asked)} times the queue was full, the last place seen was {last + 1}; "
        f"median wait {waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s"
    )


def left_behind(folder: Path) -> list[str]:
    """Folders of jobs, and results, in the folder of a page's temporary files; uploads go by their age."""
    jobs = [path.name for path in folder.glob("memorytalker-*")]
    return jobs + [path.name for path in folder.glob("memorytalker.sessions-*/*/*/*")]

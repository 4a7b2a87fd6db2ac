"""What a server may lack, done to the real one: each fault gives its sentence, the next job succeeds.

Linux only.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from gradio_client import Client, handle_file

from memorytalker.page.limits import NO_DECODER, NO_ROOM, NO_VIDEO, TOO_LITTLE_MEMORY
from tools.page.browser import ROOT, Site, served

CLIP = ROOT / "assets" / "speech" / "man_dove.wav"
PATIENCE = 300.0
#: Bytes of the file system whose disk is filled, and of memory that a limited server gets beside what it holds.
DISK, SPARE_MEMORY = 8_000_000, 10_000_000


NO_CHANGE: Mapping[str, str] = MappingProxyType({})


class NotDone(Exception):
    """A fault that cannot be made here; the message says why."""


def asked(site: Site, **options: Any) -> Any:
    """A job of a new visitor, which may be waited for."""
    client = Client(site.url, verbose=False, download_files=False, httpx_kwargs={"timeout": PATIENCE})
    return client.submit(handle_file(CLIP), api_name="/animate", **options)


def uploaded(site: Site) -> str:
    """Upload the clip over plain HTTP: its path on the server, or the sentence of the refusal."""
    with CLIP.open("rb") as file:
        answer = httpx.post(site.url + "gradio_api/upload", files={"files": file}, timeout=PATIENCE)
    return answer.json()[0] if answer.status_code == 200 else answer.text


def called(site: Site, path: str) -> str:
    """Ask for a video of an uploaded sound over plain HTTP: the sentence of the refusal, or empty."""
    sound = {"path": path, "meta": {"_type": "gradio.FileData"}}
    place = f"{site.url}gradio_api/call"
    event = httpx.post(f"{place}/v2/animate", json={"sound": sound}, timeout=PATIENCE).json()["event_id"]
    answer = httpx.get(f"{place}/animate/{event}", timeout=PATIENCE).text
    said = answer.strip().rpartition("data: ")[2]
    return "" if "event: complete" in answer else str(json.loads(said).get("error"))


def _asked_for_video(site: Site) -> str:
    return sentence(asked(site))


def sentence(job: Any) -> str:
    """What a visitor reads in place of a result; empty if there was one."""
    error = job.exception(timeout=PATIENCE)
    return "" if error is None else str(error) or type(error).__name__


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `condition` returns as soon as it is true. Raises NotDone."""
    deadline = time.monotonic() + seconds
    while not (met := condition()):
        if time.monotonic() > deadline:
            raise NotDone("what had to come first did not come")
        time.sleep(0.02)
    return met


def encoder_of(site: Site) -> int | None:
    """The process that encodes the server's video."""
    for number in children(site.process):
        with contextlib.suppress(OSError):
            if b"libx264" in Path(f"/proc/{number}/cmdline").read_bytes():
                return number
    return None


def children(process: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def encoder_killed(site: Site) -> str:
    """The encoder is killed while it has frames."""
    job = asked(site)
    os.kill(until(lambda: encoder_of(site)), signal.SIGKILL)
    return sentence(job)


def folder_gone(site: Site) -> str:
    """A cleaner removes everything temporary while nobody is served."""
    for path in site.folder.iterdir():
        if path != site.log:
            shutil.rmtree(path, ignore_errors=True)
    return sentence(asked(site, format="livelink"))


def memory_limit(site: Site) -> str:
    """The server may take no more memory than it holds."""
    pages = int(Path(f"/proc/{site.process}/statm").read_text(encoding="ascii").split()[0])
    before = resource.prlimit(site.process, resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + SPARE_MEMORY
    resource.prlimit(site.process, resource.RLIMIT_AS, (limit, before[1]))
    try:
        return sentence(asked(site))
    finally:
        resource.prlimit(site.process, resource.RLIMIT_AS, before)


def works(site: Site) -> str:
    """Empty if a new visitor gets a video; otherwise what is wrong."""
    said = sentence(asked(site))
    return f" The next job failed: {said}" if said else ""


def running(script: Path, folder: Path, make: Callable[[Site], str], words: tuple[str, ...]) -> str:
    """Break a server that runs; then the next job must succeed."""
    with _served(script, folder) as site:
        return _outcome(partial(make, site), words) or works(site)


def started(script: Path, folder: Path, lacks: Mapping[str, str], words: tuple[str, ...], others: bool) -> str:
    """Start a server without something; where `others` is true, files that are no videos must still come."""
    with _served(script, folder, 0, lacks) as site:
        wrong = _outcome(lambda: sentence(asked(site)), words)
        if not wrong and others and (said := sentence(asked(site, format="livelink"))):
            return f"Other files failed, too: {said}"
        return wrong


def disk_full(script: Path, folder: Path) -> str:
    """Fill the disk of everything temporary, ask, make room, and ask again."""
    folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=False).returncode:
        raise NotDone("a small file system may not be mounted here")
    try:
        with served(script, folder) as site:
            filling, path = folder / "filling", uploaded(site)
            with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            wrong = [_outcome(partial(uploaded, site), (NO_ROOM,)), _outcome(partial(called, site, path), (NO_ROOM,))]
            filling.unlink()
            return "".join(wrong) or works(site)
    finally:
        subprocess.run(["umount", str(folder)], check=False)


def ended(script: Path, folder: Path, how: signal.Signals) -> str:
    """End a server that draws while others wait; start it again in the same place."""
    with _served(script, folder) as site:
        jobs = [asked(site) for _ in range(3)]
        until(lambda: encoder_of(site))
        os.kill(site.process, how)
        unanswered = [job for job in jobs if not sentence(job)]
    port = int(site.url.rstrip("/").rsplit(":", 1)[1])
    with _served(script, folder, port) as again:
        left = [path.name for path in folder.glob("memorytalker-*")]
        wrong = f"{len(unanswered)} of those who waited were not told." if unanswered else ""
        return wrong or (f"It left {', '.join(left)}." if left else "") or works(again)


@contextmanager
def _served(script: Path, folder: Path, port: int = 0, variables: Mapping[str, str] = NO_CHANGE) -> Iterator[Site]:
    folder.mkdir(parents=True, exist_ok=True)
    with served(script, folder, port, variables) as site:
        yield site


def _outcome(make: Callable[[], str], words: tuple[str, ...]) -> str:
    """Empty if the sentence is one of `words`."""
    return _caught(lambda: "" if (said := make()) in words else f"It said: {said or 'nothing, it succeeded'}")


def _caught(make: Callable[[], str]) -> str:
    try:
        return make()
    except NotDone as reason:
        return f"Not tried: {reason}."
    except Exception as error:  # whatever comes is told, and the next fault is made
        return f"{type(error).__name__}: {error}"


#: Fault -> function of (script, empty folder) that makes it, and returns what was wrong: empty if all was well.
FAULTS: dict[str, Callable[[Path, Path], str]] = {
    "encoder killed": partial(running, make=encoder_killed, words=(NO_VIDEO,)),
    "temporary folder gone": partial(running, make=folder_gone, words=("",)),
    "memory limit hit": partial(running, make=memory_limit, words=(TOO_LITTLE_MEMORY, NO_VIDEO, NO_DECODER)),
    "no OpenGL": partial(
        started, others=True, words=(NO_VIDEO,),
        lacks={"__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent", "LIBGL_DRIVERS_PATH": "/nonexistent", "DISPLAY": ""},
    ),
    "no ffmpeg": partial(
        started, others=False, words=(NO_DECODER, NO_VIDEO), lacks={"IMAGEIO_FFMPEG_EXE": "/bin/false"}
    ),
    "disk full": disk_full,
    "server killed while drawing": partial(ended, how=signal.SIGKILL),
    "server ended with people waiting": partial(ended, how=signal.SIGTERM),
}  # fmt: skip


def broken(script: Path, folder: Path, only: str = "") -> Iterator[tuple[str, str]]:
    """Make one fault after the other, and yield its name and what was wrong: empty if all was well.

    Args:
        script: serves the page.
        folder: for temporary files; empty.
        only: the name of one fault; empty: all of them.
    """
    for name, make in FAULTS.items():
        if only in ("", name):
            yield name, _caught(partial(make, script, folder / name.replace(" ", "-")))

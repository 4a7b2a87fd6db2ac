"""SIGTERM ends a command and a served page cleanly, and what a killed one left goes with the next."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from memorytalker import cli
from memorytalker.files import PART
from memorytalker.page.limits import RESTARTED
from memorytalker.scratch import lock_of
from memorytalker.termination import Terminated, raised_on_sigterm

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"


def environment(temporary: Path) -> dict[str, str]:
    own = {key: value for key, value in os.environ.items() if not key.startswith("GRADIO_")}
    temporary.mkdir(exist_ok=True)
    return own | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}


def test_it_is_raised_once_and_the_handler_of_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    called: list[int] = []
    with pytest.raises(Terminated):
        with raised_on_sigterm(lambda: called.append(1)):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(10)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)  # while it is cleaned up
                time.sleep(0.01)
    assert called == [1] and signal.getsignal(signal.SIGTERM) == before


def test_other_threads_keep_what_there_is() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with raised_on_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start(), thread.join()
    assert seen == [before]


#: A command that writes until it is ended.
WRITES = """
import sys, time
from pathlib import Path
from memorytalker import cli
from memorytalker.files import write_whole
from memorytalker.scratch import Scratch

def run(chosen):
    with Scratch():
        write_whole(Path(sys.argv[1]), lambda part: (part.write_text("half"), print("begun"), time.sleep(60)))

cli.COMMANDS = {"formats": cli.Command("Write.", lambda parser: None, run)}
sys.exit(cli.main(["formats"]))
"""


@pytest.mark.parametrize("ended", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_nothing_or_the_next_one_tidies(tmp_path: Path, ended: signal.Signals) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", WRITES, str(out / "talk.json")]
    process = subprocess.Popen(command, env=environment(tmp_path / "tmp"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    process.send_signal(ended)
    code = process.wait(30)
    process.stdout.close()
    left = list(out.iterdir())
    if ended == signal.SIGTERM:
        assert code == cli.TERMINATED and not left and not list((tmp_path / "tmp").iterdir())
        return
    assert code == -signal.SIGKILL and [path.name[: len(PART)] for path in left] == [PART]
    others = [out / f"{PART}1-2-other.json", out / f"{PART}1-3-talk.json", out / f"{PART}1-4-talk.json"]
    for path in others:
        path.touch()
    for path in (*left, *others[:2]):
        os.utime(path, (0, 0))
    held = lock_of(others[1])  # as by a process that still writes, and the last was written a moment ago
    assert cli.main(["export", str(tmp_path / "none.csv"), "-o", str(out / "talk.json")]) == cli.BAD_INPUT
    assert held is not None and sorted(out.iterdir()) == sorted(others)
    os.close(held)


#: The page with a talker that draws slowly.
SERVES = """
from stub_talker import StubTalker
from memorytalker.page.demo import serve
talker = StubTalker()
talker.pause = 0.05
serve(talker, "127.0.0.1")
"""


@contextlib.contextmanager
def served(temporary: Path) -> Iterator[tuple[subprocess.Popen, Client]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVES], env=environment(temporary), stdout=subprocess.PIPE, text=True, cwd=temporary
    )
    assert process.stdout is not None
    try:
        found = next(filter(None, (re.search(r"http://[\d.:]+", line) for line in process.stdout)))
        yield process, Client(found[0], verbose=False, download_files=False, httpx_kwargs={"timeout": 120.0})
    finally:
        process.kill(), process.wait(), process.stdout.close()


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def until(condition, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(met)


def test_nothing_of_a_page_that_was_ended_is_left(tmp_path: Path) -> None:
    """SIGTERM left videos, sounds and uploads behind, and a restart did not sweep what a kill had left."""
    temporary = tmp_path / "tmp"
    left = temporary / "memorytalker.sessions-killed" / "visitor" / "talk.mp4"
    left.parent.mkdir(parents=True)
    left.touch()
    with served(temporary) as (process, client):
        assert not left.exists(), "a page that begins sweeps what a killed one left"
        client.predict(handle_file(CLIP), format="livelink", api_name="/animate")
        assert len(files_below(temporary)) == 2, "an upload and a result"
        jobs = [client.submit(handle_file(CLIP), api_name="/animate") for _ in range(3)]  # two of them wait
        assert until(lambda: list(temporary.glob("memorytalker-*")))
        assert until(lambda: any(job.status().rank is not None for job in jobs))
        process.terminate()
        assert process.wait(60) in (0, cli.TERMINATED)
        assert not files_below(temporary) and not list(temporary.glob("memorytalker*"))
        assert until(lambda: all(job.done() for job in jobs)), "who waits is told that the page is gone"
        assert all(job.exception() for job in jobs)
        assert RESTARTED in {str(job.exception()) for job in jobs}, "who was served is told in words"

"""Job: done in another thread, watched, stopped, and gone without a trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from memorytalker.job import Job


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


def animating(save: Callable[..., None]) -> Callable[..., Any]:
    return lambda sound, progress, **options: SimpleNamespace(save=save, sound=sound, options=options)


def until(condition: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(condition())


def test_the_result_is_a_file_in_the_jobs_own_folder(worker):
    job = Job(worker, animating(lambda path, progress: path.write_text("video")), "voice", identity="ada")
    path = job.wait(10)
    assert path.read_text() == "video" and path.parent == job.folder
    assert (job.animation.sound, job.animation.options) == ("voice", {"identity": "ada"})
    other = Job(worker, animating(lambda path, progress: None), "voice")
    assert other.folder != job.folder
    for one in (job, other, job):  # closing twice is harmless
        one.close()
    assert until(lambda: not job.folder.exists() and not other.folder.exists())


def test_animation_and_progress_are_seen_before_the_video(worker):
    go, reported = threading.Event(), threading.Event()

    def save(path: Path, progress: Callable) -> None:
        progress(3, 12, "pictures")
        reported.set()
        go.wait(10)

    job = Job(worker, animating(save), "voice")
    assert reported.wait(10)
    assert job.wait(0) is None and job.animation is not None and job.progress == (3, 12, "pictures")
    job._stage_began -= 6  # as if the three of twelve had taken six seconds
    assert job.seconds_left() == pytest.approx(18, rel=0.1)
    go.set()
    assert job.wait(10)
    job.close()


def test_closing_stops_the_work_and_then_removes_the_folder(worker):
    frames, holding = [], threading.Event()

    def save(path: Path, progress: Callable) -> None:
        for frame in range(100_000):
            path.write_text("unfinished")
            frames.append(frame)
            progress(frame, 100_000, "pictures")
            holding.wait(0.002)

    job = Job(worker, animating(save), "voice")
    assert until(lambda: frames)
    job.close()
    assert until(lambda: not job.folder.exists())
    drawn = len(frames)
    time.sleep(0.05)
    assert len(frames) == drawn < 100_000 and not job.folder.exists()


def test_a_job_that_waits_its_turn_never_begins_once_closed(worker):
    go, begun = threading.Event(), []
    first = Job(worker, animating(lambda path, progress: go.wait(10)), "first")
    second = Job(worker, lambda *a, **k: begun.append(True), "second")
    second.close()
    assert not second.folder.exists()
    go.set()
    first.wait(10), first.close()
    assert not begun


def test_what_the_worker_raises_reaches_whoever_waits(worker):
    def fail(*_: Any, **__: Any) -> None:
        raise TimeoutError("of its own")

    job = Job(worker, fail, "voice")
    with pytest.raises(TimeoutError, match="of its own"):
        job.wait(10)
    job.close()
    assert not job.folder.exists()


def test_a_borrowed_gpu_is_not_asked_to_call_back(worker, monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    seen = []
    job = Job(worker, lambda sound, progress: seen.append(progress) or SimpleNamespace(save=lambda *a, **k: None), "v")
    assert job.wait(10) and seen == [None]
    job.close()

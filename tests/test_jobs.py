"""Task and Desk: work done in another thread, watched, stopped, and gone without a trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from memorytalker.page.jobs import Job, JobRunner, NotDone
from memorytalker.page.status import stream_progress


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


def until(condition: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(condition())


def written(words: str, folder: Path, progress: Callable) -> Path:
    path = folder / "words.txt"
    path.write_text(words)
    return path


def test_the_result_lies_in_the_tasks_own_folder(worker):
    with Job(worker, written, "hello") as task, Job(worker, written, "other") as other:
        assert task.wait(10)
        path = task.result
        assert path.read_text() == "hello" and path.parent == task.folder != other.folder
        task.close()  # closing twice is harmless
    assert until(lambda: not task.folder.exists() and not other.folder.exists())


def test_work_that_wants_no_folder_is_given_none(worker):
    with Job(worker, lambda a, progress, b: (a, b), 1, b=2) as task:
        assert task.wait(10) and task.result == (1, 2)


def test_work_that_returns_nothing_has_ended_and_work_that_runs_has_no_result(worker):
    go = threading.Event()
    with Job(worker, lambda progress: go.wait(10) and None) as task:
        with pytest.raises(NotDone):
            _ = task.result
        go.set()
        assert task.wait(10) and task.result is None
        assert (
            list(stream_progress(task, 0, "Doing"))[1:] == []
        )  # told once, and not polled for as long as patience lasts


def test_progress_and_pace_are_seen(worker):
    go, reported = threading.Event(), threading.Event()

    def work(progress: Callable) -> str:
        progress(3, 12, "pictures")
        reported.set()
        go.wait(10)
        return "done"

    with Job(worker, work) as task:
        assert reported.wait(10)
        assert not task.wait(0) and task.progress == (3, 12, "pictures")
        task._stage_began -= 6  # as if the three of twelve had taken six seconds
        assert task.seconds_left() == pytest.approx(18, rel=0.1)
        go.set()
        assert task.wait(10) and task.result == "done"


def test_closing_stops_the_work_and_then_removes_the_folder(worker):
    frames, holding = [], threading.Event()

    def work(folder: Path, progress: Callable) -> None:
        for frame in range(100_000):
            (folder / "file").write_text("unfinished")
            frames.append(frame)
            progress(frame, 100_000, "pictures")
            holding.wait(0.002)

    task = Job(worker, work)
    assert until(lambda: frames)
    task.close()
    assert until(lambda: not task.folder.exists())
    drawn = len(frames)
    time.sleep(0.05)
    assert len(frames) == drawn < 100_000 and not task.folder.exists()


def test_a_task_that_waits_its_turn_never_begins_once_closed(worker):
    go, begun = threading.Event(), []
    first = Job(worker, lambda progress: go.wait(10))
    second = Job(worker, lambda progress: begun.append(True))
    second.close()
    assert not second.folder.exists()
    go.set()
    first.wait(10), first.close()
    assert not begun


def test_what_the_worker_raises_reaches_whoever_waits(worker):
    def fail(progress: Any) -> None:
        raise TimeoutError("of its own")

    task = Job(worker, fail)
    assert task.wait(10)
    with pytest.raises(TimeoutError, match="of its own"):
        _ = task.result
    task.close()
    assert not task.folder.exists()


def talker(**calls: Any) -> Any:
    return SimpleNamespace(mean_style=np.ones(3), animate=lambda *a, **k: None, **calls)


def test_a_desk_has_one_thread_for_all(monkeypatch):
    desk, threads = JobRunner(talker()), set()
    tasks = [desk.task(lambda progress: threads.add(threading.get_ident()) or True) for _ in range(6)]
    assert all(task.wait(10) and task.result for task in tasks) and len(threads) == 1
    for task in tasks:
        task.close()


def test_a_desk_knows_no_average_where_the_weights_know_none():
    assert JobRunner(talker()).mean_style is None
    known = talker()
    known.mean_style = np.array([1.0, 0.9, 1.1])
    assert (JobRunner(known).mean_style == known.mean_style).all()


def test_a_borrowed_gpu_is_not_asked_to_call_back(monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    seen = []
    one = talker()
    one.animate = lambda sound, progress, **options: seen.append((sound, progress, options)) or "moved"
    desk = JobRunner(one)
    with desk.task(desk.animate, "voice", identity="ada") as task:
        assert task.wait(10) and task.result == "moved"
    assert seen == [("voice", None, {"identity": "ada"})]


def test_the_network_and_nothing_else_goes_through_the_lender_of_gpus(monkeypatch):
    import memorytalker.page.jobs as module

    lent = []
    monkeypatch.setattr(module, "spaces", SimpleNamespace(GPU=lambda call: lent.append(call) or call))
    one = talker(style_of=lambda sound: sound, slot_face=lambda slot, weights: (slot, weights))
    desk = JobRunner(one)
    assert lent == [one.animate, one.style_of, one.slot_face]
    assert desk.slot_face("uw", progress=None) == ("uw", None) and desk.style_of("voice", progress=None) == "voice"

"""Job and JobRunner: work in another thread that is watched, stopped, and leaves nothing behind."""

from __future__ import annotations

import gc
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from memorytalker.page import jobs as module
from memorytalker.page.jobs import Job, JobRunner, NotDone, Stopped
from memorytalker.page.limits import PageError
from memorytalker.page.status import stream_progress
from memorytalker.page.worker import Worker, in_worker, raise_in


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def until(condition: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(condition())


def written(words: str, folder: Path, progress: Callable) -> Path:
    path = folder / "words.txt"
    path.write_text(words)
    return path


def test_a_job_has_a_folder_of_its_own(worker):
    with Job(worker, written, "hello") as job, Job(worker, written, "other") as other:
        assert job.wait(10)
        path = job.result
        assert path.read_text() == "hello" and path.parent == job.folder != other.folder
        job.close()  # closing twice is harmless
    assert until(lambda: not job.folder.exists() and not other.folder.exists())


def test_work_without_the_parameter_gets_no_folder(worker):
    with Job(worker, lambda a, progress, b: (a, b), 1, b=2) as job:
        assert job.wait(10) and job.result == (1, 2)


def test_work_that_returns_nothing_has_ended_and_work_that_runs_has_no_result(worker):
    go = threading.Event()
    with Job(worker, lambda progress: go.wait(10) and None) as job:
        with pytest.raises(NotDone):
            _ = job.result
        go.set()
        assert job.wait(10) and job.result is None
        assert list(stream_progress(job, 0, "Doing"))[1:] == []  # one status, and no polling until patience ends


def test_progress_and_pace_are_seen(worker):
    go, reported = threading.Event(), threading.Event()

    def work(progress: Callable) -> str:
        progress(3, 12, "render")
        reported.set()
        go.wait(10)
        return "done"

    with Job(worker, work) as job:
        assert reported.wait(10)
        assert not job.wait(0) and job.progress == (3, 12, "render")
        job._stage_began -= 6  # as if the three of twelve had taken six seconds
        assert job.seconds_left() == pytest.approx(18, rel=0.1)
        job.progress = (3, 300, "render")
        assert job.seconds_left() is None, "the first hundredth of a stage tells nothing of the rest"
        go.set()
        assert job.wait(10) and job.result == "done"


def test_closing_stops_the_work_and_then_removes_the_folder(worker):
    frames, holding = [], threading.Event()

    def work(folder: Path, progress: Callable) -> None:
        for frame in range(100_000):
            (folder / "file").write_text("unfinished")
            frames.append(frame)
            progress(frame, 100_000, "render")
            holding.wait(0.002)

    job = Job(worker, work)
    assert until(lambda: frames)
    job.close()
    assert until(lambda: not job.folder.exists())
    drawn = len(frames)
    time.sleep(0.05)
    assert len(frames) == drawn < 100_000 and not job.folder.exists()


def test_a_queued_job_never_begins_once_closed(worker):
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

    job = Job(worker, fail)
    assert job.wait(10)
    with pytest.raises(TimeoutError, match="of its own"):
        _ = job.result
    job.close()
    assert not job.folder.exists()


def talker(**calls: Any) -> Any:
    calls = dict.fromkeys(("animate", "style_of", "arousal_of", "slot_face", "adapt"), lambda *a, **k: None) | calls
    return SimpleNamespace(head=None, config=SimpleNamespace(slots="abc"), mean_style=np.ones(3), **calls)


def test_a_runner_has_one_thread_for_all(monkeypatch):
    runner, threads = JobRunner(talker()), set()
    jobs = [runner.job(lambda progress: threads.add(threading.get_ident()) or True) for _ in range(6)]
    assert all(job.wait(10) and job.result for job in jobs) and len(threads) == 1
    for job in jobs:
        job.close()


def test_a_visitor_may_give_a_minute_of_recordings():
    given = []
    runner = JobRunner(talker(adapt=lambda takes, **options: given.append(options["longest_seconds"])))
    job = runner.job(lambda progress: runner.adapt([]) or True)
    assert job.wait(10) and job.result and given == [62.0]
    job.close()


def test_a_runner_that_is_being_closed_begins_nothing_new():
    """Who waited was served after SIGTERM, and the server went on for as long."""
    runner = JobRunner(talker())
    running = runner.job(lambda progress: True)
    runner.stop()
    with pytest.raises(Stopped):
        runner.job(lambda progress: True)
    with pytest.raises(Stopped):
        assert running.result
    runner.close()


def test_a_runner_has_no_mean_style_where_the_weights_have_none():
    assert JobRunner(talker()).mean_style is None
    known = talker()
    known.mean_style = np.array([1.0, 0.9, 1.1])
    assert (JobRunner(known).mean_style == known.mean_style).all()


def test_a_borrowed_gpu_gets_no_progress_callback(monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    seen = []
    one = talker()
    one.animate = lambda sound, progress, **options: seen.append((sound, progress, options)) or "moved"
    runner = JobRunner(one)
    with runner.job(runner.animate, "voice", identity="ada") as job:
        assert job.wait(10) and job.result == "moved"
    assert seen == [("voice", None, {"identity": "ada"})]


def test_only_the_network_runs_on_a_borrowed_gpu(monkeypatch):
    lent = []
    monkeypatch.setattr(module, "spaces", SimpleNamespace(GPU=lambda call: lent.append(call) or call))
    one = talker(style_of=lambda sound: sound, slot_face=lambda slot, weights: (slot, weights))
    runner = JobRunner(one)
    assert lent == [one.animate, one.style_of, one.arousal_of, one.slot_face, one.adapt]
    with runner.job(runner.slot_face, "uw") as face, runner.job(runner.style_of, "voice") as style:
        assert face.wait(10) and face.result == ("uw", None)
        assert style.wait(10) and style.result == "voice"


def test_network_and_renderer_refuse_every_other_thread():
    calls = []
    runner = JobRunner(talker(style_of=lambda sound: calls.append(sound)))

    @in_worker
    def draws(progress: Any) -> str:
        return "drawn"

    for call in (runner.animate, runner.style_of, runner.arousal_of, runner.slot_face, runner.adapt, draws):
        with pytest.raises(RuntimeError, match="give it to JobRunner.job"):
            call("anything")
    assert not calls and not hasattr(runner, "talker")
    with runner.job(draws) as job:
        assert job.wait(10) and job.result == "drawn"


def test_a_small_call_runs_between_steps_of_a_long_job_in_the_same_thread(worker):
    done, go, threads = [], threading.Event(), set()

    def long(progress: Callable) -> None:
        threads.add(threading.get_ident())
        while not go.is_set():
            progress(1, 2, "render")
            time.sleep(0.001)
        done.append("long")

    def small(progress: Callable) -> str:
        threads.add(threading.get_ident())
        progress(0, 0, "")  # reports in a pause, and is not interrupted by others
        done.append("small")
        return "face"

    with Job(worker, long) as first, Job(worker, lambda progress: done.append("next")) as following:
        smalls = [Job(worker, small, small=True) for _ in range(3)]
        assert all(one.wait(10) and one.result == "face" for one in smalls)
        assert not first.wait(0) and not following.begun
        go.set()
        assert following.wait(10)
    assert done == ["small"] * 3 + ["long", "next"] and len(threads) == 1
    with Job(worker, small, small=True) as alone:
        assert alone.wait(10)
    for one in smalls:
        one.close()


def test_many_small_calls_do_not_starve_the_long_job(worker, monkeypatch):
    """Planted: a clock on which each small thing takes as long as thirty steps, and there is always another one."""
    clock, counts, jobs = [0.0], [], []
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def small(progress: Callable) -> None:
        counts.append(clock[0])
        clock[0] += 30
        jobs.append(Job(worker, small, small=True))

    def long(progress: Callable) -> None:
        jobs.extend(Job(worker, small, small=True) for _ in range(2))
        for step in range(200):
            clock[0] += 1
            progress(step, 200, "render")
        for job in jobs:
            job.close()

    with Job(worker, long) as job:
        assert job.wait(30)
        _ = job.result
    assert len(counts) == 7 and {later - sooner for sooner, later in zip(counts, counts[1:], strict=False)} == {60.0}


def test_a_small_job_that_fails_or_is_closed_leaves_the_long_one_alone(worker):
    go, begun = threading.Event(), []

    def long(progress: Callable) -> str:
        while not go.is_set():
            progress(1, 2, "render")
            time.sleep(0.001)
        return "drawn"

    def fail(progress: Callable) -> None:
        raise ValueError("of its own")

    with Job(worker, long) as job:
        with Job(worker, fail, small=True) as failing:
            assert failing.wait(10)
            with pytest.raises(ValueError, match="of its own"):
                _ = failing.result
        held = threading.Event()
        hold = Job(worker, lambda progress: held.wait(10), small=True)
        gone = Job(worker, lambda progress: begun.append(True), small=True)
        gone.close()
        held.set()
        assert hold.wait(10)
        go.set()
        assert job.wait(10) and job.result == "drawn"
        hold.close()
    assert not begun and not gone.folder.exists()


class Large:
    """Stands for arrays: can be watched, and says nothing of itself."""


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_failed_job_holds_none_of_its_arrays(worker, no_collection):
    watched = []

    def deeper() -> None:
        partial = Large()
        watched.append(weakref.ref(partial))
        raise KeyError("first")

    def deep(given: Large) -> None:
        partial = Large()
        watched.extend([weakref.ref(given), weakref.ref(partial)])
        try:
            deeper()
        except KeyError:
            raise PageError("A plain sentence.") from None  # the first stays as its context, with its frames

    def work(given: Large, progress: Callable) -> None:
        deep(given)

    def read_result() -> None:
        with Job(worker, work, Large()) as job:
            list(stream_progress(job, 0, "Doing"))

    with pytest.raises(PageError) as refused:
        read_result()
    assert until(lambda: watched and not any(one() for one in watched)), "while the refusal itself is still there"
    assert "in deep" in "".join(traceback.format_exception(refused.value)), (
        "the traceback still names where it was raised"
    )
    refusal = weakref.ref(refused.value)
    del refused
    assert until(lambda: refusal() is None), "and is freed with the caller's exception"


def test_a_stopped_job_frees_its_arrays_at_once(worker, no_collection):
    watched, go = [], threading.Event()

    def work(given: Large, progress: Callable) -> Large:
        partial = Large()
        watched.append(weakref.ref(partial))
        while not go.is_set():
            progress(1, 2, "render")
        return partial

    given = Large()
    watched.append(weakref.ref(given))
    running = Job(worker, work, given)
    assert until(lambda: running.begun and len(watched) == 2)
    waits = Large()
    watched.append(weakref.ref(waits))
    behind = Job(worker, work, waits)
    del given, waits
    behind.close()
    assert watched[2]() is None, "what never began, while another is at work"
    running.close()
    assert until(lambda: not any(one() for one in watched))
    go.set()
    with Job(worker, work, Large()) as finished:
        assert finished.wait(10) and watched[-1]() is not None
    assert watched[-1]() is None
    with pytest.raises(Stopped):
        _ = finished.result


def test_work_that_reports_nothing_is_interrupted_when_it_was_closed(worker, monkeypatch):
    """A visitor's file once kept the one worker for a minute, while all others waited."""
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    steps, go = [], threading.Event()

    def stuck(progress: Callable) -> None:
        while not go.is_set():
            steps.append(time.monotonic())

    job = Job(worker, stuck)
    assert until(lambda: steps)
    job.close()
    try:
        with Job(worker, lambda progress: threading.get_ident()) as following:
            assert following.wait(10), "the next job runs"
            assert following.result == job._thread, "in the same thread"
        assert until(lambda: not job.folder.exists())
    finally:
        go.set()


def test_work_that_ends_as_it_is_interrupted_has_ended(worker):
    begun, go = threading.Event(), threading.Event()

    def work(progress: Callable) -> str:
        begun.set()
        go.wait(10)
        return "done"

    job = Job(worker, work)
    assert begun.wait(10)
    with job._lock:
        go.set()
        time.sleep(0.1)  # the work ends and waits for the lock
        raise_in(job._thread, Stopped)
    assert job.wait(10)
    with Job(worker, lambda progress: "next") as following:
        assert following.wait(10) and following.result == "next"
    job.close()


def test_work_that_ends_in_time_is_not_interrupted(worker, monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    begun, go = threading.Event(), threading.Event()

    def work(progress: Callable) -> None:
        begun.set()
        go.wait(10)

    job = Job(worker, work)
    assert begun.wait(10)
    job.close()
    go.set()
    assert job.wait(10)
    with Job(worker, lambda progress: time.sleep(0.1) or "whole") as following:
        assert until(lambda: following.begun)
        job._interrupt()  # by a timer that was late
        assert following.wait(10) and following.result == "whole"

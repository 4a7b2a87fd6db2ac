"""Spreading clips over worker processes, or over the machines of a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from memorytalker.batch.clip_run import BatchSettings, ClipReport, fingerprint_of
from memorytalker.batch.clips import BatchClip
from memorytalker.cores import CHOSEN, usable_cores

#: Animates one clip; it must be importable by its name, for other processes.
RunClip = Callable[[BatchClip, BatchSettings], ClipReport]


def in_processes(
    run_clip: RunClip, clips: Iterable[BatchClip], settings: BatchSettings, jobs: int
) -> Iterator[ClipReport]:
    """Spread clips over worker processes. A clip whose process dies is tried once more by itself, then reported."""
    left, suspects = iter(clips), []
    while True:
        running: dict[Future, BatchClip] = {}
        try:
            with _pool(jobs) as pool, _ended_with_us():
                for clip in left:
                    suspects.append(clip)  # until it has been handed over
                    running[pool.submit(run_clip, clip, settings)] = clip
                    suspects.pop()
                    while len(running) >= 2 * jobs:
                        yield from _finished(running)
                while running:
                    yield from _finished(running)
                break
        except BrokenProcessPool:
            suspects += list(running.values())
    for clip in suspects:
        try:
            with _pool(1) as pool:
                report = pool.submit(run_clip, clip, settings).result()
        except BrokenProcessPool:
            fault = "Its worker process died, perhaps for lack of memory; try this clip alone."
            report = ClipReport(clip.name, str(clip.sound), fingerprint_of(clip, settings), error=fault)
        yield report


@contextlib.contextmanager
def _ended_with_us() -> Iterator[None]:
    """End the worker processes at once if this process is asked to end: their pool would wait for their clips."""
    try:
        yield
    except KeyboardInterrupt:
        for child in multiprocessing.active_children():
            child.terminate()
        raise


def _finished(running: dict[Future, BatchClip]) -> Iterator[ClipReport]:
    """Wait for one clip at least; the reports of those that are done, which leave `running` only then."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        report = future.result()
        del running[future]
        yield report


def _pool(jobs: int) -> ProcessPoolExecutor:
    threads = max(1, usable_cores() // jobs)
    # Not forked: libraries with threads of their own do not survive a fork.
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _prepare_worker, (threads,))


def _prepare_worker(threads: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _set_threads(threads)


def _end_with_parent() -> None:
    """Leave when the parent process is gone: a pool whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _set_threads(threads: int) -> None:
    """Limit the threads of this process: those of torch, of drawing, and of NumPy's linear algebra.

    Without the last limit every worker starts a thread for every core, and they wait for one another.
    """
    import threadpoolctl
    import torch

    os.environ[CHOSEN] = str(threads)
    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)  # for as long as the process lives


def on_ray(
    run_clip: RunClip, clips: Sequence[BatchClip], settings: BatchSettings, jobs: int, address: str
) -> Iterator[ClipReport]:
    """Map `run_clip` over Ray's workers; Ray starts a task again whose machine is lost."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing reports home
    import ray

    threads = max(1, usable_cores() // jobs) if address == "local" else 1
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == "local":
        ray.init(num_cpus=jobs * threads, include_dashboard=False, **quiet)
    else:
        ray.init(address=address, **quiet)
    try:
        task = ray.remote(num_cpus=threads, max_retries=3)(run_clip)
        left, running = iter(clips), {}
        for clip in left:
            running[task.remote(clip, settings)] = clip
            if len(running) >= 2 * jobs:
                yield from _of_ray(ray, running, settings)
        while running:
            yield from _of_ray(ray, running, settings)
    finally:
        ray.shutdown()


def _of_ray(ray: Any, running: dict[Any, BatchClip], settings: BatchSettings) -> Iterator[ClipReport]:
    done, _ = ray.wait(list(running))
    for reference in done:
        clip = running.pop(reference)
        try:
            yield ray.get(reference)
        except ray.exceptions.RayError as error:
            fault = f"Its worker was lost ({type(error).__name__}); run the batch again with --retry."
            yield ClipReport(clip.name, str(clip.sound), fingerprint_of(clip, settings), error=fault)

"""The staged progress: where work stands, in words and as a bar."""

from __future__ import annotations

import html
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeVar

from memorytalker.page.jobs import Job
from memorytalker.page.limits import PATIENCE_SECONDS

T = TypeVar("T")
STEPS = ("Listen", "3D head", "Video")
#: What is said of the stages that the worker names.
STAGES = {
    "motion": "Recalling the movements",
    "pack": "Packing the 3D head",
    "render": "Drawing the video",
    "pictures": "Drawing the video",
}
#: How often progress is told: a page that is drawn without a GPU takes a good part of a core for each repaint.
POLL_SECONDS = 0.5


def status_html(
    step: int, text: str, bar: float | None = None, wrong: bool = False, steps: Sequence[str] = STEPS
) -> str:
    """Chips, a bar and a line of words.

    `step` counts from 0 through `steps`, -1 before them, len(steps) when all are done; `bar` is from 0 to 1, None where
    it is unknown.
    """
    now = 'class="now" aria-current="step"'
    marks = ('class="done"' if index < step else now if index == step else "" for index in range(len(steps)))
    chips = "".join(f"<li {mark}>{html.escape(name)}</li>" for mark, name in zip(marks, steps, strict=True))
    value = "" if bar is None else f' value="{bar:.3f}"'
    running = 0 <= step < len(steps)
    line = f'<progress aria-label="{html.escape(steps[step])}"{value}></progress>' if running else ""
    tone = "wrong" if wrong else "well"
    return f'<div class="staged"><ol class="steps">{chips}</ol>{line}<p class="{tone}">{html.escape(text)}</p></div>'


def progress_html(task: Job[Any], step: int, doing: str, steps: Sequence[str] = STEPS) -> str:
    """Where a running task stands; `doing` is said while it names no stage of its own."""
    done, total, stage = task.progress
    text = STAGES.get(stage, doing) + "…"
    text += f" {100 * done // total} %" if total else ""
    left = task.seconds_left()
    text += f", about {left:.0f} s left" if left is not None else ""
    return status_html(step, text, done / total if total else None, steps=steps)


def stream_progress(
    task: Job[T], step: int, doing: str, steps: Sequence[str] = STEPS, patience: float = PATIENCE_SECONDS
) -> Generator[str, None, T]:
    """Yield the status of a task until it is done, and return what it returns; raises what its work raised.

    Raises TimeoutError after `patience` seconds. Whoever stops reading stops nothing: close the task.
    """
    yield progress_html(task, step, doing, steps)
    for _ in waiting(task, POLL_SECONDS, patience):
        yield progress_html(task, step, doing, steps)
    return task.result


def waiting(task: Job[Any], seconds: float, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Yield every so many seconds until the task has ended. Raises TimeoutError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not task.wait(seconds):
        if time.monotonic() > deadline:
            raise TimeoutError
        yield

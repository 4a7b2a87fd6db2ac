"""The progress of a job as HTML: its step, a bar and a line of text."""

from __future__ import annotations

import html
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeVar

from memorytalker.page.jobs import Job
from memorytalker.page.limits import PATIENCE_SECONDS

T = TypeVar("T")
STEPS = ("Motion", "3D head", "Video")
#: Stage that the work reports -> what the visitor reads.
STAGES = {
    "motion": "Recalling the motion",
    "pack": "Packing the 3D head",
    "render": "Drawing the video",
    "track": "Following the face",
    "adapt": "Learning the style",
}
#: Stage -> how many steps after the first of its job it is.
STEPS_ON = {"adapt": 1}
#: Seconds between two updates. A browser without a GPU takes a good part of a core for each repaint.
POLL_SECONDS = 0.5


def status_html(
    step: int,
    text: str,
    bar: float | None = None,
    wrong: bool = False,
    steps: Sequence[str] = STEPS,
    small: str = "",
) -> str:
    """Chips, a bar and a line of text.

    Args:
        step: index into `steps`; -1 before the first, len(steps) when all are done.
        text: the line.
        bar: share that is done, 0 to 1; None where it is unknown.
        wrong: the line is an error message.
        steps: names of the steps.
        small: a further line in small print.
    """
    now = 'class="now" aria-current="step"'
    marks = ('class="done"' if index < step else now if index == step else "" for index in range(len(steps)))
    chips = "".join(f"<li {mark}>{html.escape(name)}</li>" for mark, name in zip(marks, steps, strict=True))
    value = "" if bar is None else f' value="{bar:.3f}"'
    running = 0 <= step < len(steps)
    line = f'<progress aria-label="{html.escape(steps[step])}"{value}></progress>' if running else ""
    tone = "wrong" if wrong else "well"
    below = f'<p class="small">{html.escape(small)}</p>' if small else ""
    words = f'<p class="{tone}">{html.escape(text)}</p>{below}'
    return f'<div class="staged"><ol class="steps">{chips}</ol>{line}{words}</div>'


def progress_html(job: Job[Any], step: int, doing: str, steps: Sequence[str] = STEPS) -> str:
    """The status of a running job; `doing` is its text while it reports no known stage."""
    done, total, stage = job.progress
    step += STEPS_ON.get(stage, 0)
    text = STAGES.get(stage, doing) + "…"
    text += f" {100 * done // total} %" if total else ""
    left = job.seconds_left()
    text += f", about {left:.0f} s left" if left is not None else ""
    return status_html(step, text, done / total if total else None, steps=steps)


def stream_progress(
    job: Job[T], step: int, doing: str, steps: Sequence[str] = STEPS, patience: float = PATIENCE_SECONDS
) -> Generator[str, None, T]:
    """Yield the status of a job until it has ended, and return its result; closing this does not stop the job.

    Args:
        job: the job.
        step: its index in `steps`.
        doing: text of the status while the job reports no known stage.
        steps: names of the steps.
        patience: seconds to wait at most.

    Raises:
        TimeoutError: the job has not ended after `patience` seconds.
        Exception: what its work raised.
    """
    yield progress_html(job, step, doing, steps)
    for _ in waiting(job, POLL_SECONDS, patience):
        yield progress_html(job, step, doing, steps)
    return job.result


def waiting(job: Job[Any], seconds: float, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Yield every `seconds` until the job has ended. Raises TimeoutError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not job.wait(seconds):
        if time.monotonic() > deadline:
            raise TimeoutError
        yield

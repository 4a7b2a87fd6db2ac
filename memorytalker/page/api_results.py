"""What the named endpoints share: files in and out, the results of jobs, numbers by name, and errors in plain words."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from memorytalker.page.jobs import JobRunner, Stopped
from memorytalker.page.limits import PLAIN_ERRORS, RESTARTED, TOO_SLOW, PageError, fault_of, refused

OURS = "Something failed on our side; please try again in a moment."
#: For endpoints that report no progress.
ANSWER_SECONDS = 600.0
NO_ANSWER = "The server is too busy to answer just now; please try again in a few minutes."
log = logging.getLogger("memorytalker.page")


def result_of(runner: JobRunner, work: Callable[..., Any], *arguments: Any, small: bool = False) -> Any:
    """Run a job to its end and return its result.

    Raises:
        PageError: there was no answer in time.
        Exception: what failed in the work.
    """
    with runner.job(work, *arguments, small=small) as job:
        if not job.wait(ANSWER_SECONDS):
            raise PageError(NO_ANSWER)
        return job.result


def path_of(given: Any) -> str | None:
    """Return the path of an uploaded file. Only marked values are accepted: Gradio checks that those were uploaded."""
    if given is None:
        return None
    try:
        return gr.FileData.model_validate(given, context={"validate_meta": True}).path
    except ValueError:
        raise PageError("A file is given as an uploaded file; in Python, with gradio_client.handle_file.") from None


def file_value(path: str | Path) -> Any:
    """Return a file of this server as a part of an answer."""
    return {"path": str(path), "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}


def rounded(values: np.ndarray, digits: int) -> list:
    """Return numbers as lists."""
    return np.round(np.asarray(values, np.float64), digits).tolist()


def by_slot(slots: Sequence[str], values: np.ndarray) -> dict[str, float]:
    """Return one number for each memory slot, by its name."""
    return dict(zip(slots, rounded(values, 4), strict=True))


@contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    try:
        yield
    except PLAIN_ERRORS as error:
        raise refused(error) from None
    except TimeoutError as error:
        raise refused(PageError(TOO_SLOW)) from error
    except Stopped:
        raise refused(PageError(RESTARTED)) from None
    except Exception as error:
        log.exception("The endpoint %s failed", name)
        raise refused(PageError(fault_of(error) or OURS)) from error


def with_plain_errors(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an endpoint: each of its failures becomes one plain sentence."""
    if inspect.isgeneratorfunction(endpoint):

        @functools.wraps(endpoint)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            with _plain_errors(endpoint.__name__):
                yield from endpoint(*arguments, **options)
    else:

        @functools.wraps(endpoint)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            with _plain_errors(endpoint.__name__):
                return endpoint(*arguments, **options)

    return wrapped

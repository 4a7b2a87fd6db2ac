"""Run controls: what tabs that run something long share: a form read by name, a button, Stop, plain failures."""

from __future__ import annotations

import enum
import inspect
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import gradio as gr
from gradio.components import Component

from memorytalker.page.limits import BUSY, PLAIN_ERRORS, TOO_SLOW, PageError, refused
from memorytalker.page.status import STEPS, status_html

R = TypeVar("R")
#: What a handler yields: component -> its new value.
Shown = dict[Any, Any]
WAITING = "Waiting for a free place…"
INSTANT = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
#: Whatever draws or needs the network shares one place: one request is worked on at a time.
ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_id": "talker", "api_visibility": "private"}
log = logging.getLogger("memorytalker.page")


class Form(Generic[R]):
    """Which component asks for which field of a request; nothing depends on their order.

    `build` makes the request, such as its dataclass itself, and `parts` names a component for each of its parameters.
    Raises TypeError where one has no component, or a component no parameter.
    """

    def __init__(self, build: Callable[..., R], parts: Mapping[str, Component]) -> None:
        wanted, given = set(inspect.signature(build).parameters), set(parts)
        if wanted != given:
            raise TypeError(f"The form and the request differ in: {', '.join(sorted(wanted ^ given))}.")
        self._build, self._parts = build, dict(parts)

    @property
    def inputs(self) -> set[Component]:
        """For an event's `inputs`: of a set, Gradio hands a handler one dictionary, component -> value."""
        return set(self._parts.values())

    def read(self, values: Mapping[Component, Any]) -> R:
        """The request that those values make. Raises what `build` raises."""
        return self._build(**{name: values[part] for name, part in self._parts.items()})


class Phase(enum.Enum):
    """Where a visitor's run stands."""

    IDLE = "idle"
    WAITING = "waiting"  # pressed, and not yet begun
    RUNNING = "running"


@dataclass
class Watch:
    """How far one run has come: what it is doing, and the seconds after which each result was there."""

    doing: str
    began: float = field(default_factory=time.monotonic)
    times: list[float] = field(default_factory=list)

    def arrived(self) -> None:
        """One more result is there."""
        self.times.append(time.monotonic() - self.began)


class RunControls:
    """A button that begins, one that stops, and the line that says where it stands; make it inside the Blocks."""

    def __init__(self, status: gr.HTML, run: gr.Button, stop: gr.Button, steps: Sequence[str] = STEPS) -> None:
        self.status, self.run, self.stop, self.steps = status, run, stop, steps
        self.phase = gr.State(Phase.IDLE)
        self.outputs = [status, run, stop, self.phase]

    def begun(self) -> Shown:
        """While it runs, it can be stopped and not begun."""
        return self._buttons(Phase.RUNNING)

    def ended(self, text: str, step: int = -1, wrong: bool = False) -> Shown:
        """It has ended with these words; `step` as of `status_html`."""
        return self._buttons(Phase.IDLE) | {self.status: self._line(text, step, wrong)}

    def wire(
        self, handler: Callable[..., Iterator[Shown]], form: Form[Any], outputs: Sequence[Any], show_status: str,
        also_stopped: Sequence[Any] = (),
    ) -> Any:  # fmt: skip
        """Let the buttons work, and return the event that runs.

        handler: a generator of what is shown, given the form's values. outputs: what it shows besides these controls.
        show_status: JavaScript that brings the line into view. also_stopped: other events that Stop ends.
        """
        event = self.run.click(
            lambda: self._buttons(Phase.WAITING) | {self.status: self._line(WAITING)}, None, self.outputs,
            js=show_status, **INSTANT,
        ).then(
            handler, form.inputs, [*self.outputs, *outputs], show_progress="hidden", **ONE_AT_A_TIME
        )  # fmt: skip
        # A full queue, or a choice that a component itself refuses, ends an event before it begins.
        event.failure(
            lambda phase: self.ended(BUSY, wrong=True) if phase is Phase.WAITING else self._buttons(Phase.IDLE),
            self.phase, self.outputs, **INSTANT,
        )  # fmt: skip
        # Said twice: on a busy machine a last report of progress may arrive after the first. Not so the buttons, which
        # by then may belong to the next run.
        self.stop.click(
            lambda: self.ended("Stopped."), None, self.outputs, cancels=[event, *also_stopped], **INSTANT
        ).then(lambda: self._line("Stopped."), None, self.status, **INSTANT)
        return event

    def plainly(self, shown: Iterable[Shown], ours: Callable[[], str]) -> Iterator[Shown]:
        """Pass on what a run shows, and its failure as the end of it; see the function of this name."""
        yield from plainly(shown, partial(self.ended, wrong=True), ours)

    def _line(self, text: str, step: int = -1, wrong: bool = False) -> str:
        return status_html(step, text, wrong=wrong, steps=self.steps)

    def _buttons(self, phase: Phase) -> Shown:
        busy = phase is not Phase.IDLE
        return {self.run: gr.Button(interactive=not busy), self.stop: gr.Button(interactive=busy), self.phase: phase}


def plainly(shown: Iterable[Shown], said: Callable[[str], Shown], ours: Callable[[], str]) -> Iterator[Shown]:
    """Pass on what is shown; a failure is first shown in one plain sentence, by `said`, and then raised as gr.Error.

    `ours` gives the sentence for what failed on our side; that alone is logged.
    """
    try:
        yield from shown
    except PLAIN_ERRORS as error:
        yield said(str(error))
        raise refused(error) from None
    except TimeoutError as error:
        yield said(TOO_SLOW)
        raise refused(PageError(TOO_SLOW)) from error
    except Exception as error:
        text = ours()
        log.exception("A visitor was told: %s", text)
        yield said(text)
        raise refused(PageError(text)) from error

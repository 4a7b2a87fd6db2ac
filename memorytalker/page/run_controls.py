"""What tabs with a long run share: a form read by name, the buttons Run and Stop, and failures in plain words."""

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

from memorytalker.page.jobs import Stopped
from memorytalker.page.limits import BUSY, PLAIN_ERRORS, RESTARTED, TOO_SLOW, PageError, fault_of, refused
from memorytalker.page.status import STEPS, status_html

R = TypeVar("R")
#: What a handler yields: component -> its new value.
Updates = dict[Any, Any]
WAITING = "Waiting in the queue…"
STOPPING = "Stopping…"
STOPPED = "Stopped."
INSTANT: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
#: Events that need the worker run one at a time.
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "talker", "api_visibility": "private"}
log = logging.getLogger("memorytalker.page")


class Form(Generic[R]):
    """Which component gives which field of a request, by name."""

    def __init__(self, build: Callable[..., R], parts: Mapping[str, Component]) -> None:
        """Pair parameters with components.

        Args:
            build: makes the request, such as its dataclass.
            parts: parameter of `build` -> component.

        Raises:
            TypeError: a parameter without component, or a component without parameter.
        """
        wanted, given = set(inspect.signature(build).parameters), set(parts)
        if wanted != given:
            raise TypeError(f"The form and the request differ in: {', '.join(sorted(wanted ^ given))}.")
        self._build, self._parts = build, dict(parts)

    @property
    def inputs(self) -> set[Component]:
        """The `inputs` of an event: for a set, Gradio gives the handler one dictionary, component -> value."""
        return set(self._parts.values())

    def read(self, values: Mapping[Component, Any]) -> R:
        """The request of these values. Raises what `build` raises."""
        return self._build(**{name: values[part] for name, part in self._parts.items()})


class Phase(enum.Enum):
    """The state of a visitor's run."""

    IDLE = "idle"
    WAITING = "waiting"  # in the queue
    RUNNING = "running"
    STOPPING = "stopping"  # until the browser has cancelled the run
    FAILED = "failed"  # before its handler had said why


@dataclass
class Watch:
    """What one run is doing, and the seconds after which each result was ready."""

    doing: str
    began: float = field(default_factory=time.monotonic)
    times: list[float] = field(default_factory=list)

    def arrived(self) -> None:
        """Note the time of one more result."""
        self.times.append(time.monotonic() - self.began)


class RunControls:
    """The buttons Run and Stop, and the status; create it inside the Blocks."""

    def __init__(self, status: gr.HTML, run: gr.Button, stop: gr.Button, steps: Sequence[str] = STEPS) -> None:
        self.status, self.run, self.stop, self.steps = status, run, stop, steps
        self.phase = gr.State(Phase.IDLE)
        self.outputs = [status, run, stop, self.phase]

    def begun(self) -> Updates:
        """Updates when the run has begun."""
        return self._buttons(Phase.RUNNING)

    def ended(self, text: str, step: int = -1, wrong: bool = False, small: str = "") -> Updates:
        """Updates when the run has ended; the arguments are those of `status_html`."""
        return self._buttons(Phase.IDLE) | {self.status: self._line(text, step, wrong, small)}

    def wire(
        self, handler: Callable[..., Iterator[Updates]], form: Form[Any], outputs: Sequence[Any], show_status: str,
        also_stopped: Sequence[Any] = (),
    ) -> Any:  # fmt: skip
        """Connect the buttons.

        Args:
            handler: a generator of updates; called with the form's values and the gr.Request.
            form: gives the inputs.
            outputs: the components that the handler updates, besides these controls.
            show_status: JavaScript that scrolls to the status.
            also_stopped: other events that Stop cancels.

        Returns:
            The event of the run.
        """
        event = self.run.click(
            lambda: self._buttons(Phase.WAITING) | {self.status: self._line(WAITING)}, None, self.outputs,
            js=show_status, **INSTANT,
        ).then(
            handler, form.inputs, [*self.outputs, *outputs], show_progress="hidden", **ONE_AT_A_TIME
        )  # fmt: skip
        # Gradio's script in the browser ends a cancelled run, too, as one that failed. Until then Run stays off: a run
        # that begins before is forgotten together with the cancelled one, and its Stop does nothing.
        event.failure(self._failed, self.phase, self.outputs, **INSTANT)
        stopping = [self.status, self.phase]
        self.stop.click(self._stopping, self.phase, stopping, cancels=[event, *also_stopped], **INSTANT)
        return event

    def report_failures(self, updates: Iterable[Updates], our_fault: Callable[[], str]) -> Iterator[Updates]:
        """Pass on the updates of a run; a failure ends it. See the function of this name."""
        yield from report_failures(updates, partial(self.ended, wrong=True), our_fault)

    def _stopping(self, phase: Phase) -> Updates:
        """Updates when Stop was pressed; a run that has just ended keeps its own last words."""
        if phase is Phase.IDLE:
            return {self.phase: gr.skip()}
        if phase is Phase.FAILED:  # the run was cancelled before this was called
            return {self.status: self._line(STOPPED), self.phase: Phase.IDLE}
        return {self.status: self._line(STOPPING), self.phase: Phase.STOPPING}

    def _failed(self, phase: Phase) -> Updates:
        """Updates when the event ended without success, which its handler may have told already."""
        if phase is Phase.STOPPING:
            return self.ended(STOPPED)
        if phase in (Phase.IDLE, Phase.FAILED):
            return self._buttons(phase)
        # A full queue, or a value that a component itself refuses, ends the event before its handler begins.
        words = {self.status: self._line(BUSY, wrong=True)} if phase is Phase.WAITING else {}
        return self._buttons(Phase.FAILED) | words

    def _line(self, text: str, step: int = -1, wrong: bool = False, small: str = "") -> str:
        return status_html(step, text, wrong=wrong, steps=self.steps, small=small)

    def _buttons(self, phase: Phase) -> Updates:
        busy = phase not in (Phase.IDLE, Phase.FAILED)
        return {self.run: gr.Button(interactive=not busy), self.stop: gr.Button(interactive=busy), self.phase: phase}


def report_failures(
    updates: Iterable[Updates], failed: Callable[[str], Updates], our_fault: Callable[[], str]
) -> Iterator[Updates]:
    """Pass on updates; a failure is first shown as one plain sentence and then raised as gr.Error.

    Args:
        updates: what a run yields.
        failed: sentence -> the updates that show it.
        our_fault: the sentence for an error that is neither the visitor's nor a lack of this server (`fault_of`).

    Errors that are not the visitor's are logged.

    Raises:
        gr.Error: the run failed.
    """
    try:
        yield from updates
    except PLAIN_ERRORS as error:
        yield failed(str(error))
        raise refused(error) from None
    except TimeoutError as error:
        yield failed(TOO_SLOW)
        raise refused(PageError(TOO_SLOW)) from error
    except Stopped:
        yield failed(RESTARTED)
        raise refused(PageError(RESTARTED)) from None
    except Exception as error:
        text = fault_of(error) or our_fault()
        log.exception("Shown to a visitor: %s", text)
        yield failed(text)
        raise refused(PageError(text)) from error

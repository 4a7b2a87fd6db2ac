"""What both tabs share: a form is read by the names of its fields, and a failure ends a run in plain words."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import gradio as gr
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests")) if path not in sys.path]
from stub_talker import StubTalker  # noqa: E402

import app  # noqa: E402
from memorytalker.faults import NO_MEMORY  # noqa: E402
from memorytalker.page.comparison_run import CompareRequest  # noqa: E402
from memorytalker.page.jobs import Stopped  # noqa: E402
from memorytalker.page.limits import (  # noqa: E402
    BUSY,
    NO_DECODER,
    NO_ROOM,
    NO_VIDEO,
    RESTARTED,
    TOO_LITTLE_MEMORY,
    TOO_SLOW,
    PageError,
)
from memorytalker.page.run_controls import (  # noqa: E402
    STOPPED,
    STOPPING,
    WAITING,
    Form,
    Phase,
    RunControls,
    Updates,
    report_failures,
)
from memorytalker.rendering import RenderError, VideoError  # noqa: E402
from memorytalker.sound.ffmpeg import DecoderError  # noqa: E402


@pytest.fixture(scope="module")
def demo() -> Iterator[gr.Blocks]:
    demo = app.create_demo(StubTalker())
    yield demo
    demo.close()


def test_browsers_are_not_told_that_this_is_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who know fetch a header and fonts from other hosts."""
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "somebody/memorytalker")
    with gr.Blocks() as plain:
        pass
    assert plain.get_config_file()["space_id"] == "somebody/memorytalker"  # else this test says nothing
    demo = app.create_demo(StubTalker())
    assert demo.get_config_file()["space_id"] is None
    demo.close()


def test_a_form_reads_by_name_in_whatever_order_the_values_come() -> None:
    with gr.Blocks():
        parts = {one.name: gr.Textbox() for one in reversed(fields(CompareRequest))}
    form = Form(CompareRequest, parts)
    values = {part: name.upper() for name, part in parts.items()}
    for given in (values, dict(reversed(values.items()))):
        assert form.read(given) == CompareRequest("CLIP", "IDENTITY", "SHOWN", "MOTION", "SOUND", "FPS")
    assert form.inputs == set(parts.values())


def test_a_form_that_does_not_fit_its_request_is_refused_when_the_page_is_laid_out() -> None:
    with gr.Blocks():
        parts = {one.name: gr.Textbox() for one in fields(CompareRequest)}
        for wrong in ({name: part for name, part in parts.items() if name != "fps"}, parts | {"speed": gr.Textbox()}):
            with pytest.raises(TypeError, match="differ in: (fps|speed)"):
                Form(CompareRequest, wrong)


def test_each_field_of_both_requests_has_the_component_of_its_meaning(demo: gr.Blocks) -> None:
    begins = [fn for fn in demo.fns.values() if fn.name == "begin"]
    inputs = [{part.elem_id for part in fn.inputs} for fn in begins]
    assert all(fn.inputs_as_dict for fn in begins)
    assert inputs[0] == {
        "sound", "head", "camera", "style-source", "second-voice", "style-blend", "expression", "seed",
        "close-in-silence", "face-changes", "sliders", None,  # None: the state that keeps a style of one's own
    }  # fmt: skip
    assert len(inputs[1]) == len(fields(CompareRequest)) and {"ground-truth-fps", "compare-shown"} <= inputs[1]


@pytest.fixture
def controls() -> RunControls:
    with gr.Blocks() as demo:
        controls = RunControls(gr.HTML("", elem_id="status"), gr.Button("Run"), gr.Button("Stop"), ("Motion", "File"))
        text = gr.Textbox()
        form = Form(lambda words: words, {"words": text})
        controls.wire(lambda values: iter([{}]), form, [text], "() => []")
    controls.demo = demo
    return controls


def buttons(controls: RunControls, updates: Updates) -> tuple[bool, bool, Phase]:
    return updates[controls.run].interactive, updates[controls.stop].interactive, updates[controls.phase]


def test_where_a_run_stands_is_kept_beside_its_text(controls: RunControls) -> None:
    begin, _, failed, stop, _ = controls.demo.fns.values()  # the last one cancels
    waits = begin.fn()
    assert WAITING in waits[controls.status] and buttons(controls, waits) == (False, True, Phase.WAITING)
    assert buttons(controls, controls.begun()) == (False, True, Phase.RUNNING)
    full = failed.fn(Phase.WAITING)
    assert BUSY in full[controls.status] and buttons(controls, full) == (True, False, Phase.FAILED)
    failure = failed.fn(Phase.IDLE)  # the handler itself has shown what went wrong
    assert controls.status not in failure and buttons(controls, failure) == (True, False, Phase.IDLE)


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.RUNNING])
def test_run_stays_off_until_the_browser_has_cancelled(controls: RunControls, phase: Phase) -> None:
    _, _, failed, stop, _ = controls.demo.fns.values()
    stopping = stop.fn(phase)
    assert set(stopping) == {controls.status, controls.phase} and STOPPING in stopping[controls.status]
    stopped = failed.fn(stopping[controls.phase])
    assert STOPPED in stopped[controls.status] and buttons(controls, stopped) == (True, False, Phase.IDLE)
    # The server may be asked for both in the other order.
    cancelled = failed.fn(phase)
    assert buttons(controls, cancelled) == (True, False, Phase.FAILED)
    assert STOPPED in stop.fn(cancelled[controls.phase])[controls.status]


def test_a_run_that_ended_as_it_was_stopped_keeps_its_last_words(controls: RunControls) -> None:
    _, _, failed, stop, _ = controls.demo.fns.values()
    assert controls.status not in stop.fn(Phase.IDLE) and controls.status not in failed.fn(Phase.IDLE)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PageError("Give a <b>sound</b>."), "Give a <b>sound</b>."),
        (TimeoutError(), TOO_SLOW),
        (RuntimeError("at /secret/place"), "Something failed while drawing."),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/place"), NO_ROOM),
        (Stopped("The server is ended."), RESTARTED),
        (MemoryError(), TOO_LITTLE_MEMORY),
        (RenderError(NO_MEMORY), TOO_LITTLE_MEMORY),
        (RenderError("No working OpenGL was found."), NO_VIDEO),
        (VideoError("The video encoder stopped before the end."), NO_VIDEO),
        (VideoError("The video could not be written because the disk is full."), NO_ROOM),
        (DecoderError("ffmpeg does not work; run 'memorytalker doctor'."), NO_DECODER),
    ],
)
def test_a_failure_is_shown_and_then_raised_in_the_same_words(error: Exception, words: str) -> None:
    def updates() -> Iterator[Updates]:
        yield {"status": "half way"}
        raise error

    steps = report_failures(updates(), lambda text: {"status": text}, lambda: "Something failed while drawing.")
    assert [next(steps), next(steps)] == [{"status": "half way"}, {"status": words}]
    with pytest.raises(gr.Error) as refused:
        next(steps)
    assert refused.value.message == words.replace("<", "&lt;").replace(">", "&gt;")


def test_closing_what_is_passed_on_closes_the_run() -> None:
    closed = []

    def updates() -> Iterator[Updates]:
        try:
            yield {}
        finally:
            closed.append(True)

    steps = report_failures(updates(), lambda text: {}, lambda: "")
    next(steps)
    steps.close()
    assert closed

"""What the page uses of Gradio beyond its promises: when the library moves, the test of that function's name fails."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio import route_utils
from gradio.queueing import Queue
from gradio.state_holder import StateHolder

from memorytalker.page import gradio_private
from memorytalker.page.session_files import SnapshotSet

PAGE = Path(gradio_private.__file__).parent
#: What the functions of gradio_private reach for.
REACHED = {
    "upload_file_set", "temp_file_sets", "temp_files", "state_holder", "session_data", "time_last_used", "_queue",
    "pending_event_ids_session", "pending_messages_per_session", "root_block", "_api_info", "get_blocks",
}  # fmt: skip


def page() -> gr.Blocks:
    with gr.Blocks() as demo:
        gr.Audio()
    return demo.queue()


def test_replace_upload_sets(tmp_path: Path) -> None:
    demo = page()
    assert isinstance(demo.upload_file_set, set) and demo.upload_file_set in demo.temp_file_sets
    assert any(isinstance(getattr(block, "temp_files", None), set) for block in demo.blocks.values())
    gradio_private.replace_upload_sets(demo, SnapshotSet)
    held = [demo.upload_file_set, *(b.temp_files for b in demo.blocks.values() if hasattr(b, "temp_files"))]
    assert len(held) > 1 and all(isinstance(one, SnapshotSet) for one in held)
    assert {id(one) for one in held} == {id(one) for one in demo.temp_file_sets}
    old = tmp_path / "old.wav"
    old.write_text("sound")
    held[-1].add(str(old))
    route_utils.delete_files_created_by_app(demo, age=None)  # the sweep itself reads these very sets
    assert not old.exists() and not held[-1]


def test_forget_values() -> None:
    demo = page()
    assert isinstance(demo.state_holder, StateHolder)
    _ = demo.state_holder["ann"], demo.state_holder["bob"]
    assert {"ann", "bob"} <= set(demo.state_holder.session_data) & set(demo.state_holder.time_last_used)
    gradio_private.forget_values(demo, "ann")
    gradio_private.forget_values(demo, "carl")
    assert set(demo.state_holder.session_data) == set(demo.state_holder.time_last_used) == {"bob"}


def double(number: int, name: str = "x") -> dict:
    """Double a number."""
    return {name: 2 * number}


def test_describe_components() -> None:
    with gr.Blocks() as demo:
        dependency = gr.api(double, api_name="double")
        parts = [("number", {"minimum": 1}), ("name", {}), ("answer", {"description": "Twice as much."})]
        gradio_private.describe_components(dependency, parts)
        with pytest.raises(ValueError, match="zip"):
            gradio_private.describe_components(dependency, parts[:2])
    told = demo.get_api_info()["named_endpoints"]["/double"]
    assert [one["label"] for one in (*told["parameters"], *told["returns"])] == ["number", "name", "answer"]
    assert told["parameters"][0]["type"] == {"type": "integer", "minimum": 1}
    assert told["returns"][0]["python_type"]["description"] == "Twice as much."


def test_endpoint_parameters() -> None:
    with gr.Blocks() as demo:
        gr.api(double, api_name="double")
        gr.api(double, api_name="hidden", api_visibility="private")
    told = gradio_private.endpoint_parameters(SimpleNamespace(get_blocks=lambda: demo))
    defaults = [
        (one["parameter_name"], one["parameter_has_default"], one["parameter_default"]) for one in told["double"]
    ]
    assert list(told) == ["double"] and defaults == [("number", False, None), ("name", True, "x")]


def test_forget_messages() -> None:
    demo = page()
    queue = demo._queue
    for name in ("pending_event_ids_session", "pending_messages_per_session"):
        assert name in inspect.getsource(Queue), f"Gradio's queue has no {name} any more"
    for session in ("ann", "bob"):
        queue.pending_messages_per_session[session] = object()
    queue.pending_event_ids_session["bob"] = {"event"}
    for session in ("ann", "bob", "carl"):
        gradio_private.forget_messages(demo, session)
    assert "ann" not in queue.pending_messages_per_session and "bob" in queue.pending_messages_per_session


def test_no_other_module_of_the_page_reaches_into_gradio() -> None:
    for path in sorted(PAGE.glob("*.py")):
        if path.name == "gradio_private.py":
            continue
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        found = {node.attr for node in tree if isinstance(node, ast.Attribute)} & REACHED
        assert not found, f"{path.name} uses {', '.join(sorted(found))} of Gradio; that goes into gradio_private.py"

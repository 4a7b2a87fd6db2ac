"""Every use of a private attribute of Gradio, each in one small function.

`tests/test_gradio_private.py` names the function that a new version of Gradio breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr


def replace_upload_sets(demo: gr.Blocks, replacement: Callable[[set[str]], set[str]]) -> None:
    """Replace each set of paths that Gradio's sweep of old files reads; call this when the page is laid out."""
    demo.upload_file_set = replacement(demo.upload_file_set)
    demo.temp_file_sets = [demo.upload_file_set]
    for block in demo.blocks.values():
        if hasattr(block, "temp_files"):
            block.temp_files = replacement(block.temp_files)
            demo.temp_file_sets.append(block.temp_files)


def forget_values(demo: gr.Blocks, session: str) -> None:
    """Drop the component values that Gradio keeps of a session."""
    holder = demo.state_holder
    with holder.lock:
        holder.session_data.pop(session, None)
        holder.time_last_used.pop(session, None)


def forget_messages(demo: gr.Blocks, session: str) -> None:
    """Drop the queued messages for a session, unless one of its events still runs."""
    queue = demo._queue
    if session not in queue.pending_event_ids_session:
        queue.pending_messages_per_session.pop(session, None)


def describe_components(dependency: Mapping[str, Any], parts: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Name the inputs and outputs of an endpoint and add to their schemas; call this inside the Blocks.

    Args:
        dependency: what `gr.api` returned.
        parts: name, and what is added to the JSON schema, of each input and then of each output.

    Raises:
        ValueError: the endpoint has another number of inputs and outputs.
    """
    page = gr.context.Context.root_block
    assert page is not None, "endpoints are published inside the Blocks"
    components: list[Any] = [page.blocks[number] for number in (*dependency["inputs"], *dependency["outputs"])]
    for component, (name, schema) in zip(components, parts, strict=True):
        component.label = name
        component._api_info |= schema


def endpoint_parameters(app: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the parameters of each public endpoint of a served page: its name, and whether and what its default is."""
    named = app.get_blocks().get_api_info()["named_endpoints"]
    return {name.removeprefix("/"): endpoint["parameters"] for name, endpoint in named.items()}

"""Every use of a private attribute of Gradio, each in one small function.

`tests/test_gradio_private.py` names the function that a new version of Gradio breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def components_of(dependency: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the components that stand for the inputs and the outputs of what `gr.api` returned, inside the Blocks.

    They are of Gradio's class `Api`, whose attribute `_api_info` is the JSON schema of the value.
    """
    page = gr.context.Context.root_block
    assert page is not None, "endpoints are published inside the Blocks"
    blocks = page.blocks
    inputs, outputs = ([blocks[number] for number in dependency[side]] for side in ("inputs", "outputs"))
    return inputs, outputs


def endpoint_parameters(app: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the parameters of each public endpoint of a served page: its name, and whether and what its default is."""
    named = app.get_blocks().get_api_info()["named_endpoints"]
    return {name.removeprefix("/"): endpoint["parameters"] for name, endpoint in named.items()}

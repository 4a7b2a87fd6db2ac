"""Every use of a private attribute of Gradio, each in one small function.

`tests/test_gradio_private.py` names the function that a new version of Gradio breaks.
"""

from __future__ import annotations

from collections.abc import Callable

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

"""Gradio private: every use that the page makes of what Gradio does not promise to keep, each as one small function.

`tests/test_gradio_private.py` fails by the name of the function when the library moves.
"""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr


def replace_upload_sets(demo: gr.Blocks, replacement: Callable[[set[str]], set[str]]) -> None:
    """Put `replacement(old)` in place of each set of paths that the sweep by age reads, once the page is laid out."""
    demo.upload_file_set = replacement(demo.upload_file_set)
    demo.temp_file_sets = [demo.upload_file_set]
    for block in demo.blocks.values():
        if hasattr(block, "temp_files"):
            block.temp_files = replacement(block.temp_files)
            demo.temp_file_sets.append(block.temp_files)


def forget_values(demo: gr.Blocks, session: str) -> None:
    """Drop the values of every component that Gradio keeps of a session."""
    holder = demo.state_holder
    with holder.lock:
        holder.session_data.pop(session, None)
        holder.time_last_used.pop(session, None)


def forget_messages(demo: gr.Blocks, session: str) -> None:
    """Drop what waits to be told to a session, unless an event of it still runs."""
    queue = demo._queue
    if session not in queue.pending_event_ids_session:
        queue.pending_messages_per_session.pop(session, None)

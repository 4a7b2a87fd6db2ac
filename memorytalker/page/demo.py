"""The page as a whole: `create_demo(talker)` lays out its sections, `serve` puts it on a port.

All work is done by the `Talker` that is handed in. Nothing is kept between visitors.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from memorytalker.page.about import build_about
from memorytalker.page.animate import build_animate, wire_animate
from memorytalker.page.api import build_api
from memorytalker.page.compare import build_compare
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import KEEP_SECONDS, LONGEST_QUEUE, PageError
from memorytalker.page.malloc import tune_malloc
from memorytalker.page.memory import build_memory, remembered
from memorytalker.page.session_files import patch_gradio_sweep
from memorytalker.page.theme import launch_options

HEADER = """<header><h1>MemoryTalker</h1><p>A voice goes in, a talking head comes out. The network recalls the movements
of speech from a memory, in the manner of the voice that it hears, and you can watch it remember.</p></header>"""
FOOTER = """<footer><p class="small">The head is synthetic and stands for no real person. Use voices only with their
owner's consent, and say that the video is generated when you share it.</p></footer>"""


def create_demo(talker: Any, keep_seconds: float = KEEP_SECONDS) -> gr.Blocks:
    """The whole page around a `Talker` (or anything that answers like one); launch it with `launch_options`.

    Uploads and results are deleted after `keep_seconds`, results also when their visitor leaves.
    """
    desk = JobRunner(talker, keep_seconds)
    with gr.Blocks(
        title="MemoryTalker", analytics_enabled=False, delete_cache=(max(1, int(keep_seconds / 6)), int(keep_seconds))
    ) as demo:
        build_api(desk)  # first: of functions with one name, the first is called by it
        gr.HTML(HEADER, elem_id="header")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Animate"):
                parts = build_animate(desk)
                memory = build_memory(desk, "animate")
                wire_animate(desk, parts, remembered(desk, memory))
            with gr.Tab("Compare with ground truth"):
                build_compare(desk)
            with gr.Tab("About"):
                build_about()
        gr.HTML(FOOTER, elem_id="footer")

        def leave(request: gr.Request) -> None:
            desk.visits.leave(request, demo)

        demo.unload(leave)
    patch_gradio_sweep(demo)
    return demo.queue(max_size=LONGEST_QUEUE)


def serve(talker: Any, host: str | None = None, port: int | None = None) -> None:
    """Serve the page until the process is stopped.

    `host` and `port` default to GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, else to this machine alone and the first
    free port from 7860 on. Raises PageError where that address cannot be had.
    """
    tune_malloc()
    try:
        create_demo(talker).launch(**launch_options(), server_name=host, server_port=port)
    except OSError as error:
        raise PageError(f"The page cannot be served there ({error}); choose another --host or --port.") from None

"""The page: a voice goes in, a talking head comes out, and the memory behind it is shown.

`create_demo(talker)` lays it out, `python app.py` serves it. The sections are in `memorytalker.page`; all work is done
by the `Talker` that is handed in. Nothing is kept between visitors.
"""

from __future__ import annotations

import argparse
from typing import Any

try:
    import spaces  # on a Space with borrowed GPUs this must come before torch; elsewhere it does nothing
except ImportError:
    spaces = None
import gradio as gr

from memorytalker.page.about import build_about
from memorytalker.page.animate import build_animate, wire_animate
from memorytalker.page.api import build_api
from memorytalker.page.compare import build_compare
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import KEEP_SECONDS, LONGEST_QUEUE
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


def parsed_options() -> argparse.Namespace:
    """The command line of `python app.py`; host and port come from GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""
    parser = argparse.ArgumentParser(description="Serve the MemoryTalker page.")
    parser.add_argument("--weights", help="a folder or a model hub id; default: the weights shipped with the product")
    parser.add_argument("--device", help="cuda, mps or cpu; default: the best there is")
    return parser.parse_args()


if __name__ == "__main__":
    from memorytalker import Talker

    options = parsed_options()
    tune_malloc()
    # At module scope and before the page begins: a lender of GPUs takes the model over from here.
    demo = create_demo(Talker.from_pretrained(options.weights, device=options.device))
    demo.launch(**launch_options())

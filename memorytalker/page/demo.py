"""The whole page: `create_demo(talker)` lays out its tabs, `serve` serves it on a port.

The given talker does all work. Nothing is shared between visitors.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

import gradio as gr

from memorytalker.imports import prepare_matplotlib
from memorytalker.page.about import build_about
from memorytalker.page.animate import build_animate
from memorytalker.page.api import build_api
from memorytalker.page.commands import asked_port
from memorytalker.page.compare import build_compare
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import KEEP_SECONDS, LONGEST_QUEUE, PageError
from memorytalker.page.live import build_live
from memorytalker.page.malloc import tune_malloc
from memorytalker.page.session_files import patch_gradio_sweep
from memorytalker.page.theme import launch_options
from memorytalker.scratch import Scratch, sweep
from memorytalker.termination import raised_on_sigterm

HEADER = """<header><h1>MemoryTalker</h1><p>A voice goes in, a talking head comes out: recalled from a memory of
speech sounds, in the style of the voice.</p></header>"""
FOOTER = """<footer><p class="small">The head is synthetic and depicts no real person. Use voices only with their
owner's consent, and say that the video is generated when you share it.</p></footer>"""


def create_demo(talker: Any, keep_seconds: float = KEEP_SECONDS) -> gr.Blocks:
    """Build the page; launch it with `theme.launch_options`.

    Args:
        talker: a `Talker`, or a stub (`jobs.TalkerLike`).
        keep_seconds: age at which uploads and results are deleted; results also go when their visitor leaves.
    """
    return _build(JobRunner(talker, keep_seconds))


def _build(runner: JobRunner) -> gr.Blocks:
    keep = runner.session_files.keep_seconds
    with gr.Blocks(
        title="MemoryTalker", analytics_enabled=False, delete_cache=(max(1, int(keep / 6)), int(keep))
    ) as demo:
        build_api(runner)  # first: where functions share a name, Gradio gives it to the first
        gr.HTML(HEADER, elem_id="header")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Animate"):
                build_animate(runner)
            with gr.Tab("Live"):
                build_live(runner)
            with gr.Tab("How accurate is it?"):
                build_compare(runner)
            with gr.Tab("About"):
                build_about()
        gr.HTML(FOOTER, elem_id="footer")

        def leave(request: gr.Request) -> None:
            runner.session_files.leave(request, demo)

        demo.unload(leave)
    patch_gradio_sweep(demo)
    # In a tab of its own a Space that knows its name lets browsers fetch a header and fonts from other hosts.
    demo.space_id = None
    return demo.queue(max_size=LONGEST_QUEUE)


def serve(talker: Any, host: str | None = None, port: int | None = None) -> None:
    """Serve the page until the process is stopped; nothing of its visitors is left then, nor of a killed server.

    Args:
        talker: as in `create_demo`.
        host: address to serve at; by default GRADIO_SERVER_NAME, else this machine alone.
        port: by default GRADIO_SERVER_PORT, else the first free one from 7860 on.

    Raises:
        PageError: the page cannot be served at that address.
        Terminated: SIGTERM arrived.
    """
    port = asked_port(port)
    tune_malloc()
    sweep()
    prepare_matplotlib()  # Gradio imports it for every call
    with contextlib.ExitStack() as stack:
        if "GRADIO_TEMP_DIR" not in os.environ:  # the host has no place of its own for uploads
            os.environ["GRADIO_TEMP_DIR"] = str(stack.enter_context(Scratch("memorytalker.uploads-")))
            stack.callback(os.environ.pop, "GRADIO_TEMP_DIR")
        runner = JobRunner(talker)
        stack.callback(runner.close)
        stack.enter_context(raised_on_sigterm(runner.stop))
        try:
            _build(runner).launch(**launch_options(), server_name=host, server_port=port)
        except OSError as error:
            where = "there" if port is None else f"at port {port}"
            raise PageError(f"The page cannot be served {where} ({error}); choose another --host or --port.") from None

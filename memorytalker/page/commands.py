"""The command `memorytalker page`: its flags and its function."""

from __future__ import annotations

import argparse
import os
from typing import Any

from memorytalker.config import shown
from memorytalker.errors import InputError
from memorytalker.imports import collector_paused, prepare_matplotlib

PORTS = range(1, 65536)


def add_page(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `page`."""
    host = "the address to serve at; 0.0.0.0 lets other machines in (default: this machine alone)"
    parser.add_argument("--host", metavar="ADDRESS", help=host)
    parser.add_argument(
        "--port", type=int, metavar="NUMBER", help="the port to serve at (default: the first free one from 7860 on)"
    )


def asked_port(port: int | None = None) -> int | None:
    """Return the port to serve at: the given one, else that of GRADIO_SERVER_PORT, else None, for the first free one.

    A port that was asked for is never replaced by another. Raises InputError, before gradio is loaded, for what is no
    port.
    """
    text = os.environ.get("GRADIO_SERVER_PORT", "") if port is None else str(port)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) in PORTS):
        named = f"{shown(text)}, for which GRADIO_SERVER_PORT asks" if port is None else port
        raise InputError(f"There is no port {named}; choose one from {PORTS[0]} to {PORTS[-1]}.")
    return int(text)


def run_page(chosen: argparse.Namespace, device: str | None, talker: Any = None) -> None:
    """Serve the page until the process is stopped, with the chosen weights or with `talker`."""
    asked_port(chosen.port)
    prepare_matplotlib()
    with collector_paused():  # first: a missing library is reported before the model loads
        import matplotlib  # noqa: F401  (which the figures load only when one is drawn)

        from memorytalker.page.demo import serve

    if talker is None:
        from memorytalker import Talker

        talker = Talker.from_pretrained(chosen.weights, device=device)
    serve(talker, chosen.host, chosen.port)

"""The command `memorytalker page`: its flags and its function."""

from __future__ import annotations

import argparse
from typing import Any

from memorytalker.errors import InputError

PORTS = range(1, 65536)


def add_page(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `page`."""
    host = "the address to serve at; 0.0.0.0 lets other machines in (default: this machine alone)"
    parser.add_argument("--host", metavar="ADDRESS", help=host)
    parser.add_argument(
        "--port", type=int, metavar="NUMBER", help="the port to serve at (default: the first free one from 7860 on)"
    )


def run_page(chosen: argparse.Namespace, device: str | None, talker: Any = None) -> None:
    """Serve the page until the process is stopped, with the chosen weights or with `talker`."""
    if chosen.port is not None and chosen.port not in PORTS:
        raise InputError(f"There is no port {chosen.port}; choose one from {PORTS[0]} to {PORTS[-1]}.")
    from memorytalker.page.demo import serve  # first: a missing library is reported before the model loads

    if talker is None:
        from memorytalker import Talker

        talker = Talker.from_pretrained(chosen.weights, device=device)
    serve(talker, chosen.host, chosen.port)

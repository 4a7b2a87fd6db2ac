"""The command `evaluate`: figures of a model on voices and faces that it was not trained on."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..config import Progress


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Flags of `evaluate`, without those that choose weights and device."""
    parser.add_argument("root", type=Path, help="a folder with speech/ and capture/, laid out as for training")
    parser.add_argument("--work", type=Path, default=Path("runs/open"), help="keeps phone times (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=0, help="this many clips of each kind only (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")


def run_evaluate(chosen: argparse.Namespace, device: str | None, progress: Progress) -> None:
    """Print the figures as a Markdown table."""
    from ..pipeline import Talker
    from .report import markdown, to_json
    from .speech import evaluate_open

    talker = Talker.from_pretrained(chosen.weights, device)
    figures = evaluate_open(talker, chosen.root, chosen.work / "evaluation", chosen.limit, progress)
    print(markdown(figures))
    if chosen.json is not None:
        chosen.json.write_text(to_json(figures), encoding="utf-8")

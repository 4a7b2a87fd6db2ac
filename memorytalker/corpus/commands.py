"""The command `corpus`: training clips from a source folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..config import Progress


def add_corpus(parser: argparse.ArgumentParser) -> None:
    """Flags of `corpus`."""
    parser.add_argument("root", type=Path, help="a folder with speech/manifest.jsonl, capture/ and noise/")
    parser.add_argument("folder", type=Path, help="where the corpus goes")
    parser.add_argument("--workers", type=int, default=2, help="processes for alignment (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the personal manners (default: %(default)s)")


def run_corpus(chosen: argparse.Namespace, progress: Progress) -> None:
    """Make the corpus and print how many clips of each kind it holds."""
    from ..head import load_head
    from .build import build_corpus

    counts = build_corpus(chosen.root, chosen.folder, load_head(), chosen.workers, chosen.seed, progress=progress)
    for kind, count in counts.items():
        print(f"{count:7d} {kind}")

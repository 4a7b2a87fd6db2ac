"""The command `train`: from a source folder to a folder of weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..config import Progress


def add_train(parser: argparse.ArgumentParser) -> None:
    """Flags of `train`."""
    what = parser.add_subparsers(metavar="what", required=True)
    weights = what.add_parser(
        "weights",
        help="make the open weights: corpus, stage 1, stage 2",
        description="Make the open weights from a folder with speech/, capture/, noise/ and encoder/. A run that was "
        "broken off goes on where it stood when the same command is given again.",
    )
    weights.add_argument("root", type=Path, help="the source folder")
    weights.add_argument("--work", type=Path, default=Path("runs/open"), help="corpus and runs (default: %(default)s)")
    weights.add_argument("--out", type=Path, default=Path("weights/open"), help="the weights (default: %(default)s)")
    weights.add_argument("--encoder", type=Path, help="folder of the pretrained speech encoder (default: ROOT/encoder)")
    weights.add_argument("--recipe", type=Path, help="a JSON file with the fields of Recipe (default: the shipped one)")
    weights.add_argument("--device", default="cpu", help="where to train (default: %(default)s)")
    weights.add_argument("--workers", type=int, default=2, help="processes for alignment (default: %(default)s)")


def run_train(chosen: argparse.Namespace, progress: Progress) -> None:
    """Carry out `train weights`."""
    from ..config import read
    from .recipe import Recipe, make_weights

    recipe = Recipe() if chosen.recipe is None else read(Recipe, chosen.recipe)
    make_weights(
        chosen.root, chosen.work, chosen.out, chosen.encoder, recipe, chosen.device, chosen.workers, progress
    )
    print(f"{chosen.out}: weights written; measure them with: python -m memorytalker evaluate {chosen.root}")

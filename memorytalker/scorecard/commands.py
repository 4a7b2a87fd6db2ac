"""The part of the command `evaluate` that prints the open model's table, for a source folder of speech and faces."""

from __future__ import annotations

import argparse
from pathlib import Path

from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.progress import Progress

#: The file that marks a source folder, as opposed to a data set.
SOURCE_MARK = Path("speech") / "manifest.jsonl"


def add_scorecard(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `evaluate` that only a source folder needs."""
    group = parser.add_argument_group("the open model's table", "for a source folder with speech/ and capture/")
    group.add_argument(
        "--work",
        type=Path,
        default=Path("runs/open"),
        metavar="FOLDER",
        help="where phone times and prosody are cached (default: %(default)s)",
    )
    group.add_argument(
        "--scorecard", type=Path, metavar="FILE", help="JSON with video folders and goals (default: the shipped one)"
    )
    group.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="JSON recipe the weights were trained with, as for 'train weights' (default: the shipped one)",
    )


def is_source_folder(folder: Path) -> bool:
    """Return whether `folder` is a source folder, as for training, and not a data set."""
    return (folder / SOURCE_MARK).is_file()


def measure(
    chosen: argparse.Namespace, config: CorpusConfig, device: str | None, progress: Progress
) -> tuple[str, str]:
    """Measure the open model on the held-out voices and faces of a source folder.

    Args:
        chosen: the parsed command line.
        config: the corpus settings of the recipe, which say what was held out of training.
        device: where the network runs; None chooses.
        progress: called with (done, total, stage).

    Returns:
        The table as Markdown and the figures as JSON.
    """
    from memorytalker.pipeline import Talker
    from memorytalker.scorecard.card import read_scorecard
    from memorytalker.scorecard.goals import markdown, to_json
    from memorytalker.scorecard.scorecard import evaluate_open

    card = read_scorecard(chosen.scorecard)
    talker = Talker.from_pretrained(chosen.weights, device)
    figures = evaluate_open(talker, chosen.folder, chosen.work, card, config, chosen.limit, progress)
    return markdown(figures), to_json(figures)

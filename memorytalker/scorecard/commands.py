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
    group.add_argument(
        "--left-out",
        type=Path,
        metavar="FOLDER",
        help="weights that never saw one person each, from 'train folds' (default: left_out beside the weights)",
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
        The table and that of people as Markdown, and the figures as JSON.
    """
    from memorytalker.folds import FOLDS_NAME
    from memorytalker.pipeline import Talker
    from memorytalker.scorecard.card import read_scorecard
    from memorytalker.scorecard.goals import markdown, to_json
    from memorytalker.scorecard.left_out import left_out_people, measure_people
    from memorytalker.scorecard.people import people_figures, people_table, person_rows
    from memorytalker.scorecard.scorecard import evaluate_open
    from memorytalker.weights import find_weights

    card, weights = read_scorecard(chosen.scorecard), find_weights(chosen.weights)
    talker = Talker.from_pretrained(weights, device)
    folds = chosen.left_out or weights.parent / FOLDS_NAME
    store = chosen.work / "evaluation"
    left_out = left_out_people(chosen.folder, card, config.sources, folds, chosen.limit, store)
    people = list(measure_people(talker, weights, left_out, device, progress=progress))  # a minute; the rest takes many
    figures = evaluate_open(talker, chosen.folder, chosen.work, card, config, chosen.limit, progress)
    figures += people_figures(people, card.people)
    table = f"\n\n{people_table(people)}" if people else ""
    return markdown(figures) + table, to_json([*figures, *person_rows(people)])

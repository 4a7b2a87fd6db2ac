"""The command `evaluate`: figures of a model on voices and faces that it was not trained on.

A source folder, with speech/ and capture/, gives the open model's figures on held-out voices and films; any other
folder is a data set of moving faces and gives the vertex metrics of docs/metrics.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.datasets.commands import add_dataset
from memorytalker.progress import Progress

#: What --style takes.
STYLES = ("own", "neutral", "both")
SOURCE_MARK = Path("speech") / "manifest.jsonl"


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Flags of `evaluate`, without those that choose weights and device."""
    parser.add_argument(
        "folder", type=Path, help="a data set of moving faces, or a folder with speech/ and capture/ as for training"
    )
    parser.add_argument("--limit", type=int, default=0, help="this many clips (of each kind) only (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table to this file")
    parser.add_argument("--work", type=Path, default=Path("runs/open"), help="keeps phone times (default: %(default)s)")
    own = parser.add_argument_group("the open model's table", "for a folder with speech/ and capture/")
    own.add_argument("--scorecard", type=Path, metavar="FILE", help="folders of video and goals (default: the shipped)")
    own.add_argument(
        "--recipe", type=Path, metavar="FILE", help="what the weights were trained with, as for 'train weights'"
    )
    group = parser.add_argument_group("measuring", "for a data set of moving faces")
    group.add_argument("--split", default="test", metavar="NAME", help="train, validation or test (default: test)")
    group.add_argument(
        "--style", choices=STYLES, default="own", help="the clip's own voice, neutral (stage 1), or both side by side"
    )
    group.add_argument(
        "--resample", choices=("clips", "speakers"), default="clips", help="what the intervals draw (default: clips)"
    )
    group.add_argument("--label", metavar="TEXT", help="what to call the model in the table (default: its own name)")
    add_dataset(parser)


def run_evaluate(chosen: argparse.Namespace, config: CorpusConfig, device: str | None, progress: Progress) -> None:
    """Print the figures as a Markdown table. Raises EvaluationError for files that cannot be written, before work.

    config: the corpus figures of the recipe, which say what of a source folder was never trained on.
    """
    from memorytalker.evaluation.evaluate import EvaluationError

    for path in (chosen.json, chosen.markdown):
        if path is not None and not path.parent.is_dir():
            raise EvaluationError(f"There is no folder {path.parent}; make it first.")
    if chosen.limit < 0:
        raise EvaluationError("--limit counts clips; give 0 for all, or a number from 1.")
    source = chosen.layout is None and (chosen.folder / SOURCE_MARK).is_file()
    if source:
        table, everything = _open_figures(chosen, config, device, progress)
    else:
        table, everything = _vertex_figures(chosen, device, progress)
    print(table)
    if chosen.json is not None:
        chosen.json.write_text(everything, encoding="utf-8")
    if chosen.markdown is not None:
        chosen.markdown.write_text(table + "\n", encoding="utf-8")


def _open_figures(
    chosen: argparse.Namespace, config: CorpusConfig, device: str | None, progress: Progress
) -> tuple[str, str]:
    """(Markdown, JSON) of the open model on held-out voices and films."""
    from memorytalker.evaluation.scorecard import read_scorecard
    from memorytalker.pipeline import Talker
    from memorytalker.scorecard.goals import markdown, to_json
    from memorytalker.scorecard.scorecard import evaluate_open

    card = read_scorecard(chosen.scorecard)
    talker = Talker.from_pretrained(chosen.weights, device)
    figures = evaluate_open(talker, chosen.folder, chosen.work, card, config, chosen.limit, progress)
    return markdown(figures), to_json(figures)


def _vertex_figures(chosen: argparse.Namespace, device: str | None, progress: Progress) -> tuple[str, str]:
    """(Markdown, JSON) of the vertex metrics: the neutral face, and the model in each style asked for."""
    from dataclasses import replace

    from memorytalker.datasets.opening import open_dataset
    from memorytalker.evaluation.evaluate import evaluate_all
    from memorytalker.evaluation.prediction import OWN, model_predictor, neutral_predictor
    from memorytalker.evaluation.table import evaluations_json, evaluations_markdown
    from memorytalker.pipeline import choose_device
    from memorytalker.weights import find_weights, load_weights, read_manifest

    dataset = open_dataset(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    manifest = read_manifest(find_weights(chosen.weights))
    model = load_weights(chosen.weights).to(choose_device(device))
    name = chosen.label or manifest.model.name
    styles = {"own": {name: OWN}, "neutral": {f"{name}, neutral style": None}}
    styles["both"] = styles["neutral"] | styles["own"]
    predictions = {"neutral face": neutral_predictor()}
    predictions |= {label: model_predictor(model, dataset, style) for label, style in styles[chosen.style].items()}
    measured = evaluate_all(predictions, dataset, chosen.split, chosen.limit, progress, chosen.resample)
    said = {"weights": f"sha256 {manifest.sha256}"}
    evaluations = [
        replace(evaluation, details=said if label in styles["both"] else {}) for label, evaluation in measured.items()
    ]
    return evaluations_markdown(evaluations).rstrip("\n"), evaluations_json(evaluations)

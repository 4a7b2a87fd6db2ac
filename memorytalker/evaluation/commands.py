"""The command `evaluate`: flags, output files, and the vertex metrics of a model on a data set of moving faces."""

from __future__ import annotations

import argparse
from pathlib import Path

from memorytalker.datasets.commands import add_dataset
from memorytalker.files import write_whole
from memorytalker.outputs import check_distinct, check_output
from memorytalker.progress import Progress

#: What --style takes.
STYLES = ("own", "neutral", "both")


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `evaluate`, without those that choose weights and device."""
    parser.add_argument(
        "folder", type=Path, help="a data set of moving faces, or a source folder with speech/ and capture/"
    )
    parser.add_argument(
        "--limit", type=int, default=0, metavar="N", help="measure about N clips of each kind (default: 0, all)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to this file as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table to this file")


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `evaluate` that only a data set needs."""
    group = parser.add_argument_group("measuring", "for a data set of moving faces")
    group.add_argument(
        "--split", default="test", metavar="NAME", help="train, validation or test (default: %(default)s)"
    )
    group.add_argument(
        "--style",
        choices=STYLES,
        default="own",
        help="speaking style from the clip's own voice, neutral (stage 1), or both side by side (default: %(default)s)",
    )
    group.add_argument(
        "--resample",
        choices=("clips", "speakers"),
        default="clips",
        help="the bootstrap unit of the confidence intervals (default: %(default)s)",
    )
    group.add_argument(
        "--label", metavar="TEXT", help="name of the model in the table (default: the one in its weights)"
    )
    add_dataset(parser)


def check_outputs(chosen: argparse.Namespace) -> None:
    """Refuse a file that cannot be written, and a negative --limit, before any work.

    Raises:
        OutputError: as `outputs.check_output`.
        EvaluationError: a negative --limit.
    """
    from memorytalker.evaluation.evaluate import EvaluationError

    for path in (chosen.json, chosen.markdown):
        if path is not None:
            check_output(path, (chosen.folder, chosen.weights, chosen.regions, chosen.splits, chosen.root))
    check_distinct((chosen.json, chosen.markdown))
    if chosen.limit < 0:
        raise EvaluationError("--limit counts clips; give 0 for all, or a number from 1.")


def write_outputs(chosen: argparse.Namespace, table: str, everything: str) -> None:
    """Print the Markdown `table` and write it, and the JSON text `everything`, to the files that were asked for."""
    print(table)
    if chosen.json is not None:
        write_whole(chosen.json, lambda part: part.write_text(everything, encoding="utf-8"))
    if chosen.markdown is not None:
        write_whole(chosen.markdown, lambda part: part.write_text(table + "\n", encoding="utf-8"))


def measure(chosen: argparse.Namespace, device: str | None, progress: Progress) -> tuple[str, str]:
    """Measure the neutral face, and the model in each chosen style, on a data set.

    Args:
        chosen: the parsed command line.
        device: where the network runs; None chooses.
        progress: called with (done, total, stage).

    Returns:
        The table as Markdown and the evaluations as JSON.
    """
    from dataclasses import replace

    from memorytalker.datasets.opening import open_dataset
    from memorytalker.devices import choose_device
    from memorytalker.evaluation.evaluate import evaluate_all
    from memorytalker.evaluation.prediction import OWN, Style, model_predictor, neutral_predictor
    from memorytalker.evaluation.table import evaluations_json, evaluations_markdown
    from memorytalker.weights import find_weights, load_weights, read_manifest

    dataset = open_dataset(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    manifest = read_manifest(find_weights(chosen.weights))
    model = load_weights(chosen.weights).to(choose_device(device))
    name = chosen.label or manifest.model.name
    own: dict[str, Style] = {name: OWN}
    neutral: dict[str, Style] = {f"{name}, neutral style": None}
    both = neutral | own
    styles = {"own": own, "neutral": neutral, "both": both}[chosen.style]
    predictions = {"neutral face": neutral_predictor()}
    predictions |= {label: model_predictor(model, dataset, style) for label, style in styles.items()}
    measured = evaluate_all(predictions, dataset, chosen.split, chosen.limit, progress, chosen.resample)
    details = {"weights": f"sha256 {manifest.sha256}"}
    evaluations = [
        replace(evaluation, details=details if label in both else {}) for label, evaluation in measured.items()
    ]
    return evaluations_markdown(evaluations).rstrip("\n"), evaluations_json(evaluations)

"""The command `experiments`: train and judge the variants of a plan, and write down what was found."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from memorytalker.datasets.commands import add_dataset
from memorytalker.progress import Progress


def add_experiments(parser: argparse.ArgumentParser) -> None:
    """Flags of `experiments`."""
    what = parser.add_subparsers(metavar="what", dest="what", required=True)
    run = what.add_parser(
        "run",
        help="train and judge every variant of a plan",
        description="Train every variant of a plan on a data set folder and judge it by speakers it has not heard. "
        "What is finished is skipped, and a run that was broken off goes on, when the same command is given again.",
    )
    run.add_argument("folder", type=Path, help="our corpus with its features, or a data set as 'doctor' knows it")
    run.add_argument("--out", type=Path, default=Path("runs/experiments"), help="(default: %(default)s)")
    run.add_argument("--plan", default="open", help="a shipped plan's name or a JSON file (default: %(default)s)")
    run.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these variants alone")
    encoder = "folder or owner/name@commit of the pretrained speech encoder, where it is trained too"
    run.add_argument("--encoder", help=encoder)
    run.add_argument("--device", default="cpu", help="where to train (default: %(default)s)")
    add_dataset(run)
    report = what.add_parser(
        "report",
        help="write tables and pictures of what was found",
        description="Write tables between the markers of a Markdown file, and pictures beside it.",
    )
    report.add_argument("runs", type=Path, help="the folder that 'experiments run' wrote to")
    report.add_argument("--to", type=Path, default=Path("EXPERIMENTS.md"), help="(default: %(default)s)")
    report.add_argument("--pictures", type=Path, default=Path("docs/experiments"), help="(default: %(default)s)")
    report.add_argument("--folder", type=Path, help="the corpus or data set of the runs: picture their memory as well")
    report.add_argument("--plan", default="open", help="the plan of the runs (default: %(default)s)")
    report.add_argument("--weights", help="weights whose slots are pictured as faces (such as: open)")
    add_dataset(report)


def run_experiments(chosen: argparse.Namespace, progress: Progress) -> None:
    """Carry out `experiments run` or `experiments report`."""
    {"run": _run, "report": _report}[chosen.what](chosen, progress)


def _run(chosen: argparse.Namespace, progress: Progress) -> None:
    from memorytalker.experiments.locations import DatasetLocation, open_material
    from memorytalker.experiments.plan import load_plan
    from memorytalker.experiments.run import run_experiments as run_plan

    plan = load_plan(chosen.plan)
    plan.variants(tuple(chosen.only))  # a name that does not exist is refused before anything is read
    place = DatasetLocation(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    material = open_material(place, plan, chosen.out, chosen.encoder, chosen.device, progress)
    say = partial(print, flush=True)
    run_plan(material, chosen.out, plan, tuple(chosen.only), chosen.encoder, chosen.device, progress, say)
    print(f"{chosen.out}: write it down with: python -m memorytalker experiments report {chosen.out}")


def _report(chosen: argparse.Namespace, progress: Progress) -> None:
    from memorytalker.experiments.locations import DatasetLocation, open_material
    from memorytalker.experiments.plan import load_plan
    from memorytalker.experiments.report import write_report

    material = None
    if chosen.folder is not None:
        place = DatasetLocation(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
        material = open_material(place, load_plan(chosen.plan), chosen.runs, None, "cpu", progress)
    for path in write_report(chosen.runs, chosen.to, chosen.pictures, material, chosen.weights):
        print(path)

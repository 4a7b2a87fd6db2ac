"""The command `experiments`: train and evaluate the variants of a plan, and write a report."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from memorytalker.datasets.commands import add_dataset
from memorytalker.progress import Progress


def add_experiments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `experiments`."""
    what = parser.add_subparsers(metavar="what", dest="what", required=True)
    run = what.add_parser(
        "run",
        help="train and evaluate every variant of a plan",
        description="Train every variant of a plan on a data set folder and evaluate it on unseen speakers. "
        "When the command is repeated, finished variants are skipped and an interrupted run is resumed.",
    )
    run.add_argument("folder", type=Path, help="a corpus, or a data set in a layout that 'doctor' recognises")
    run.add_argument(
        "--out",
        type=Path,
        default=Path("runs/experiments"),
        metavar="FOLDER",
        help="where stages and results are written (default: %(default)s)",
    )
    run.add_argument(
        "--plan", default="open", metavar="PLAN", help="name of a shipped plan, or a JSON file (default: %(default)s)"
    )
    run.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these variants (default: all)")
    run.add_argument(
        "--encoder",
        metavar="PATH",
        help="folder or owner/name@commit of the pretrained speech encoder (default: the one the plan names)",
    )
    run.add_argument("--device", default="cpu", help="torch device to train on (default: %(default)s)")
    add_dataset(run)
    report = what.add_parser(
        "report",
        help="write tables and plots of the results",
        description="Write tables between the markers of a Markdown file, and plots beside it.",
    )
    report.add_argument("runs", type=Path, help="the folder that 'experiments run' wrote to")
    report.add_argument(
        "--to",
        type=Path,
        default=Path("EXPERIMENTS.md"),
        metavar="FILE",
        help="the Markdown file to write (default: %(default)s)",
    )
    report.add_argument(
        "--plots",
        type=Path,
        default=Path("docs/experiments"),
        metavar="FOLDER",
        help="where the plots are written (default: %(default)s)",
    )
    report.add_argument(
        "--folder",
        type=Path,
        help="also plot the memory, on this corpus or data set of the runs (default: no such plot)",
    )
    report.add_argument("--plan", default="open", metavar="PLAN", help="the plan of the runs (default: %(default)s)")
    report.add_argument(
        "--weights", metavar="PATH", help="weights whose slots are drawn as faces, such as 'open' (default: none)"
    )
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
    location = DatasetLocation(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    material = open_material(location, plan, chosen.out, chosen.encoder, chosen.device, progress)
    log = partial(print, flush=True)
    run_plan(material, chosen.out, plan, tuple(chosen.only), chosen.encoder, chosen.device, progress, log)
    print(f"{chosen.out}: write the report with: python -m memorytalker experiments report {chosen.out}")


def _report(chosen: argparse.Namespace, progress: Progress) -> None:
    from memorytalker.experiments.locations import DatasetLocation, open_material
    from memorytalker.experiments.plan import load_plan
    from memorytalker.experiments.report import write_report

    material = None
    if chosen.folder is not None:
        location = DatasetLocation(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
        material = open_material(location, load_plan(chosen.plan), chosen.runs, None, "cpu", progress)
    for path in write_report(chosen.runs, chosen.to, chosen.plots, material, chosen.weights):
        print(path)

"""The command line of batches."""

from __future__ import annotations

import argparse
from pathlib import Path

from memorytalker.exports.commands import check_mapping
from memorytalker.exports.registry import FORMATS
from memorytalker.flags import from_flags
from memorytalker.options import AnimateOptions, CurveOptions, RenderOptions
from memorytalker.progress import Progress
from memorytalker.styles.commands import NAMED, OWN


def add_batch(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `batch` that no other command has."""
    parser.add_argument("source", type=Path, help="a folder of sounds, or a text file with one path per line")
    parser.add_argument("out", type=Path, help="output folder; an interrupted batch is continued there")
    parser.add_argument(
        "--format", action="append", required=True, choices=[each.name for each in FORMATS], metavar="NAME",
        help="format to write, may be given several times; 'memorytalker formats' lists them",
    )  # fmt: skip
    parser.add_argument(
        "--style", default=OWN, metavar="STYLE", help=f"speaking style of all clips: {NAMED} (default: {OWN})",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="worker processes (default: %(default)s)")
    parser.add_argument("--retry", action="store_true", help="also repeat clips that ended in an error last time")
    parser.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS",
        help="spread the clips over Ray: on this machine, or on the cluster at ADDRESS, which must see all files",
    )  # fmt: skip


def run_batch(chosen: argparse.Namespace, device: str | None, render: RenderOptions, progress: Progress) -> bool:
    """Animate a folder or a list of sounds and say how it ended; whether every clip could be used."""
    from memorytalker.batch import clip_run, run
    from memorytalker.batch.clips import find_clips

    check_mapping(chosen)
    settings = clip_run.BatchSettings(
        out=chosen.out,
        formats=tuple(dict.fromkeys(chosen.format)),
        style=chosen.style,
        description=chosen.describe,
        weights=chosen.weights,
        device=device,
        head=chosen.head,
        mapping=chosen.mapping,
        fps=chosen.fps,
        options=from_flags(AnimateOptions, chosen),
        curves=from_flags(CurveOptions, chosen),
        render=render,
    )
    clips = find_clips(chosen.source, chosen.out)
    reports = run.run_batch(clips, settings, chosen.jobs, chosen.retry, chosen.ray, progress)
    print(f"{chosen.out}: {run.summary(reports)}.")
    return not any(report.error for report in reports)

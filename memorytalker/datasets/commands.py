"""The command `convert`, `doctor` of a data set, and the flags that say which data set is meant."""

from __future__ import annotations

import argparse
from pathlib import Path

from memorytalker.progress import Progress

LAYOUT_NAMES = ("vocaset-raw", "vocaset", "biwi", "converted", "corpus")


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how a data set is read.

    Args:
        parser: the parser of a command that takes a data set.
    """
    group = parser.add_argument_group("data set")
    group.add_argument("--layout", choices=LAYOUT_NAMES, help="layout on disk (default: detected)")
    group.add_argument(
        "--splits", metavar="FILE", help="JSON file of splits, or vocaset, biwi, biwi_seen (default: the layout's)"
    )
    group.add_argument(
        "--regions", type=Path, metavar="FILE", help="regions.json, FLAME_masks.pkl or lve.txt (default: in the folder)"
    )
    group.add_argument("--root", type=Path, metavar="FOLDER", help="source folder of a corpus, with its recordings")


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `doctor` that are about a data set."""
    parser.add_argument("folder", type=Path, nargs="?", help="a data set to check (default: check this machine)")
    add_dataset(parser)


def run_doctor(chosen: argparse.Namespace) -> bool | None:
    """Print what a data set has and lacks.

    Args:
        chosen: the parsed command line.

    Returns:
        Whether the data set can be used; None if no folder was given.

    Raises:
        DatasetError: for a missing folder, or flags of a data set without a folder.
    """
    from memorytalker.datasets.sequences import DatasetError

    if chosen.folder is None:
        if chosen.layout or chosen.splits or chosen.regions or chosen.root:
            raise DatasetError("These flags are about a data set; name its folder: doctor FOLDER.")
        return None
    from memorytalker.datasets.inspection import inspect  # whose libraries this machine may do without

    inspected = inspect(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    print("\n".join(inspected.lines))
    return inspected.usable


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `convert`."""
    folder = "a data set in any layout; 'doctor FOLDER' lists its files"
    parser.add_argument("folder", type=Path, nargs="?", help=folder)
    out = "a new folder; an interrupted conversion is resumed there"
    parser.add_argument("out", type=Path, nargs="?", help=out)
    add_dataset(parser)


def run_convert(chosen: argparse.Namespace, progress: Progress) -> None:
    """Convert a data set into plain files without pickles, and print a summary.

    Args:
        chosen: the parsed command line.
        progress: called as the conversion proceeds.

    Raises:
        DatasetError: the data set cannot be used, or the target folder cannot be written.
    """
    from memorytalker.datasets.convert import check_space, convert
    from memorytalker.datasets.inspection import summary
    from memorytalker.datasets.opening import open_dataset

    dataset = open_dataset(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    check_space(dataset, chosen.out)
    index = convert(dataset, chosen.out, progress)
    converted = open_dataset(chosen.out)
    for line in summary(converted):
        print(line)
    print(f"{index}: converted.")

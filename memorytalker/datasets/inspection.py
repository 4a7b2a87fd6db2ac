"""Inspection of a folder: which files a layout expects, which of them are there, and what the data set holds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from memorytalker.datasets.files import is_pointer
from memorytalker.datasets.layouts import LAYOUTS, Layout, Part, find_layout, possible_layouts
from memorytalker.datasets.opening import open_dataset
from memorytalker.datasets.sequences import SPLITS, DatasetError, FaceDataset, Skipped

#: The layouts that `doctor` explains where a folder does not tell.
_DOWNLOADED = ("vocaset-raw", "vocaset", "biwi")
_FILES_SHOWN = 10
_POINTER = "a Git-LFS pointer and not the file; run 'git lfs pull'"
#: What other commands add to an error, and `doctor` need not.
_HINT = re.compile(r"[;,] 'python -m memorytalker doctor [^']*' lists what is expected")


@dataclass(frozen=True)
class Inspected:
    """The result of an inspection.

    Attributes:
        lines: a description of the folder, line by line.
        usable: whether the data set can be used.
    """

    lines: tuple[str, ...]
    usable: bool


def inspect(
    folder: Path,
    layout: str | None = None,
    splits: str | Path | None = None,
    regions: Path | None = None,
    root: Path | None = None,
) -> Inspected:
    """Describe the data set in `folder`: every expected file, then its sequences, or why it cannot be used.

    Args:
        folder: the data set.
        layout: see `open_dataset`.
        splits: see `open_dataset`.
        regions: see `open_dataset`.
        root: see `open_dataset`.

    Returns:
        The description.

    Raises:
        DatasetError: if the folder is missing or the named layout is unknown.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}; check the path.")
    layouts = [find_layout(folder, layout).name] if layout else possible_layouts(folder) or list(_DOWNLOADED)
    if layouts == ["vocaset-raw"] and not _complete(folder, LAYOUTS["vocaset-raw"]) and layout is None:
        layouts = ["vocaset-raw", "vocaset"]  # an incomplete download may be meant as either
    lines = []
    for name in layouts:
        lines.append(f"{LAYOUTS[name].title} (--layout {name}):")
        lines += [line for part in LAYOUTS[name].parts for line in _part_lines(folder, part)]
    try:
        dataset = open_dataset(folder, layout, splits, regions, root)
    except DatasetError as error:
        return Inspected((*lines, f"NOT USABLE: {_HINT.sub('', str(error))}"), False)
    return Inspected((*lines, *summary(dataset)), True)


def _complete(folder: Path, layout: Layout) -> bool:
    """Whether a folder has every required file of a layout."""
    return all((folder / part.name).exists() for part in layout.parts if part.required)


def _part_lines(folder: Path, part: Part) -> list[str]:
    """One line for a file or folder, and one for every Git-LFS pointer in a folder (a few of them)."""
    present = [name for name in (part.name, *part.other) if (folder / name).exists()]
    if not present:
        names = " or ".join((part.name, *part.other))
        word = "MISSING" if part.required else "absent "
        return [f"  {word}  {names}: {part.purpose}; from {part.origin}"]
    path = folder / present[0]
    if not path.is_dir():
        if is_pointer(path):
            return [f"  POINTER  {present[0]}: {_POINTER}, or from {part.origin}"]
        return [f"  found    {present[0]}: {part.purpose}, {size_text(path.stat().st_size)}"]
    files = sorted(file for file in path.iterdir() if file.is_file())
    pointers = [file for file in files if is_pointer(file)]
    total = size_text(sum(file.stat().st_size for file in files))
    lines = [f"  found    {present[0]}: {part.purpose}, {len(files)} files, {total}"]
    shown = pointers[:_FILES_SHOWN]
    lines += [f"  POINTER  {present[0]}{file.name}: {_POINTER}" for file in shown]
    if len(pointers) > len(shown):
        lines.append(f"  POINTER  and {len(pointers) - len(shown)} more of the {len(files)} files in {present[0]}")
    return lines


def size_text(size: int) -> str:
    """Write a file size with a unit.

    Args:
        size: in bytes.

    Returns:
        Text such as "1.2 MB".
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def summary(dataset: FaceDataset) -> list[str]:
    """Describe a data set: counts by split, regions, what was decided while reading and what was left out.

    Args:
        dataset: the data set.

    Returns:
        The lines of the description.
    """
    lines = [f"{LAYOUTS[dataset.layout].title}: {dataset.vertex_count} vertices, {dataset.fps} frames a second"]
    for split in SPLITS:
        part = dataset.split(split)
        minutes = sum(one.frames for one in part) / dataset.fps / 60
        speakers = len({one.speaker for one in part})
        lines.append(f"  {split:<10} {len(part):5d} sequences, {speakers} speakers, {minutes:.1f} minutes")
    regions = dataset.regions
    known = [f"{len(indices)} {name}" for name, indices in (("lips", regions.lips), ("upper face", regions.upper_face))
            if indices is not None]  # fmt: skip
    lines.append(f"  vertices of regions: {', '.join(known) or 'none known'}")
    lines += [f"  {note}" for note in dataset.notes]
    if dataset.skipped:
        lines.append(f"  {len(dataset.skipped)} sequences skipped:")
        lines += [f"    {line}" for line in skipped_lines(dataset.skipped)]
    lines.append(f"  sha256 {dataset.digest}")
    return lines


def skipped_lines(skipped: Iterable[Skipped]) -> list[str]:
    """List the skipped sequences by reason, with the sentences of a speaker as ranges.

    Args:
        skipped: the skipped sequences.

    Returns:
        Lines such as "F2_e 01-03, 07: there is no ...".
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in skipped:
        found = re.fullmatch(r"(.*?)(\d+)", item.name)
        stem, number = found.groups() if found else (item.name, "")
        reason = item.reason.replace(item.name, "<name>")
        groups[stem, reason].append(number)
    return [f"{stem}{' ' if any(numbers) else ''}{_ranges(numbers)}: {reason}"
            for (stem, reason), numbers in groups.items()]  # fmt: skip


def _ranges(numbers: list[str]) -> str:
    """Join numbers as ranges: "01", "02", "03", "07" become "01-03, 07"."""
    runs: list[list[str]] = []
    for number in sorted(filter(None, numbers), key=int):
        if runs and int(number) == int(runs[-1][-1]) + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(run[0] if len(run) < 2 else f"{run[0]}-{run[-1]}" for run in runs)

"""Opening of a data set: from a folder in any layout to one FaceDataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from memorytalker.datasets.converted import open_converted
from memorytalker.datasets.corpus import open_corpus
from memorytalker.datasets.files import digest_of
from memorytalker.datasets.layouts import Layout, find_layout
from memorytalker.datasets.processed import MOTION, read_processed
from memorytalker.datasets.recordings import choose
from memorytalker.datasets.regions import find_regions, with_opening
from memorytalker.datasets.sequences import DatasetError, FaceDataset, Sequence
from memorytalker.datasets.splits import read_splits
from memorytalker.datasets.vocaset import read_raw

#: So many sequences show between which vertices the mouth opens.
_OPENING_SEQUENCES = 4


def open_dataset(
    folder: str | Path,
    layout: str | None = None,
    splits: str | Path | None = None,
    regions: str | Path | None = None,
    root: str | Path | None = None,
) -> FaceDataset:
    """Open the data set in a folder. Lengths are read; sound and motion are not.

    Args:
        folder: the data set.
        layout: "vocaset-raw", "vocaset", "biwi", "converted" or "corpus"; None to tell it from the files.
        splits: a JSON file of splits (see splits.py) or the name of a shipped one ("vocaset", "biwi", "biwi_seen");
            None for that of the layout. A converted data set and a corpus have splits of their own and accept no
            others.
        regions: a regions.json, FLAME_masks.pkl or lve.txt, or a folder with one of them; None to search `folder`.
        root: the source folder of a corpus, with its recordings.

    Returns:
        The data set. A sequence that is missing or cannot be used is listed in its `skipped`.

    Raises:
        DatasetError: a folder or file is missing, damaged, a Git-LFS pointer, or does not fit the others.
    """
    folder = Path(folder)
    form = find_layout(folder, layout)
    given = None if regions is None else Path(regions)
    if form.name in ("converted", "corpus"):
        if splits is not None:
            raise DatasetError(f"{folder} carries its splits with it; leave the file of splits away.")
        if form.name == "converted":
            return _with_opening(open_converted(folder, given, form.remedy))
        if given is not None:
            raise DatasetError("The regions of a corpus are those of the head; leave the file of regions away.")
        return open_corpus(folder, None if root is None else Path(root))
    return _with_opening(_open_recordings(folder, form, splits, given))


def _open_recordings(folder: Path, form: Layout, splits: str | Path | None, given: Path | None) -> FaceDataset:
    """A data set as people download it: VOCASET raw or processed, or BIWI."""
    table = read_splits(form.splits if splits is None else splits)
    if form.name == "vocaset-raw":
        recordings = read_raw(folder)
    else:
        recordings = read_processed(folder, [entry.name for entry in table.entries])
    chosen = choose(recordings, table, form.fps, form.captured_fps)
    found = find_regions(folder, recordings.vertex_count, given, form.remedy)
    speakers = {sequence.speaker for sequence in chosen.sequences}
    templates = {name: face for name, face in recordings.templates.items() if name in speakers}
    notes = (*chosen.notes, *found.notes)
    if form.name == "vocaset-raw" and (folder / MOTION).is_dir():
        notes += (f"the processed form beside the raw download ({MOTION}/) is not read",)
    return FaceDataset(
        folder,
        form.name,
        form.fps,
        recordings.vertex_count,
        chosen.sequences,
        templates,
        found.regions,
        chosen.skipped,
        notes,
        digest_of(folder, [*chosen.files, *found.files]),
    )


def _with_opening(dataset: FaceDataset) -> FaceDataset:
    """The data set with the opening of the mouth, found from the motion if the lips are known but no file names it."""
    regions = with_opening(dataset.regions, dataset.templates, _spoken(dataset.sequences))
    notes = [*dataset.notes, f"regions: {regions.source}"]
    if regions.lips is not None and regions.opening is None:
        notes.append("no two lip vertices part while people speak, so the opening of the mouth is left out")
    return replace(dataset, regions=regions, notes=tuple(notes))


def _spoken(sequences: tuple[Sequence, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (speaker, vertices (T, V, 3)) of the first few training sequences, or of any split if there are none.

    Vertices are read when they are asked for.
    """
    training = [sequence for sequence in sequences if sequence.split == "train"] or list(sequences)
    for sequence in sorted(training, key=lambda one: one.name)[:_OPENING_SEQUENCES]:
        yield sequence.speaker, sequence.vertices()

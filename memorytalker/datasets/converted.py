"""A converted data set: one index, two files for each sequence (vertices, sound), and no pickle.

- dataset.json: names, speakers, splits, rates, origin, SHA-256 of every file
- vertices/<name>.safetensors: "vertices" (T, V, 3) float32, metres
- sound/<name>.flac: 16 kHz, mono, 16 bits
- templates.safetensors: speaker -> neutral face (V, 3)
- regions.json: vertex indices, see regions.py
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import numpy as safetensors

from memorytalker.datasets.files import check_file, digest_of, read_table
from memorytalker.datasets.recordings import faces
from memorytalker.datasets.regions import find_regions
from memorytalker.datasets.sequences import SPLITS, DatasetError, FaceDataset, Sequence, Skipped
from memorytalker.datasets.splits import SAFE_NAME
from memorytalker.sound.decode import load_waveform

FORMAT = 1
#: Frames a second, and frames or vertices, at the most.
LARGEST_FPS, LARGEST_COUNT = 240, 10_000_000
INDEX, TEMPLATES, VERTICES, SOUND = "dataset.json", "templates.safetensors", "vertices", "sound"


def vertices_name(sequence: str) -> str:
    """Return the path of the vertices of a sequence, below the folder."""
    return f"{VERTICES}/{sequence}.safetensors"


def sound_name(sequence: str) -> str:
    """Return the path of the sound of a sequence, below the folder."""
    return f"{SOUND}/{sequence}.flac"


def open_converted(folder: Path, regions: Path | None, remedy: str) -> FaceDataset:
    """Open a converted data set.

    Args:
        folder: the data set.
        regions: a file of regions to use in place of those in the folder, or None.
        remedy: where a user gets a file of regions, for messages.

    Returns:
        The data set; vertices and sound are not read yet.

    Raises:
        DatasetError: a file is missing, or not as the index says.
    """
    index = read_index(folder)
    try:
        sequences = tuple(_sequence(folder, entry, index) for entry in index["sequences"])
        fps, count = _whole(index["fps"], LARGEST_FPS), _whole(index["vertex_count"], LARGEST_COUNT)
        skipped = tuple(Skipped(str(item["name"]), str(item["reason"])) for item in index["skipped"])
        notes = (f"converted from the layout {index['origin']['layout']}", *map(str, index["notes"]))
    except DatasetError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise DatasetError(f"{folder / INDEX} is damaged; convert the data set again.") from None
    if not sequences:
        raise DatasetError(f"{folder} holds no sequences; convert the data set again.")
    templates = faces(dict(read_tensors(folder / TEMPLATES)), count, TEMPLATES)
    lacking = sorted({sequence.speaker for sequence in sequences} - set(templates))
    if lacking:
        raise DatasetError(f"{TEMPLATES} has no neutral face of {lacking[0]}; convert the data set again.")
    found = find_regions(folder, count, regions, remedy)
    files = [folder / INDEX, folder / TEMPLATES, *found.files]
    files += [folder / name(one.name) for one in sequences for name in (vertices_name, sound_name)]
    return FaceDataset(
        folder, "converted", fps, count, sequences, templates, found.regions, skipped,
        tuple(dict.fromkeys((*notes, *found.notes))), digest_of(folder, files),
    )  # fmt: skip


def read_index(folder: Path) -> dict[str, Any]:
    """Read the index, dataset.json, of a converted data set.

    Args:
        folder: the data set.

    Returns:
        The plain values of the index.

    Raises:
        DatasetError: there is no index, or it is of another format.
    """
    path = check_file(folder / INDEX)
    index = read_table(path)
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise DatasetError(f"{path} is not a converted data set of format {FORMAT}; convert the data set again.")
    return index


def _sequence(folder: Path, entry: dict[str, Any], index: dict[str, Any]) -> Sequence:
    """The sequence of an entry of the index, once its files are known to have the size that the index says."""
    name, split = str(entry["name"]), str(entry["split"])
    if split not in SPLITS or not SAFE_NAME.fullmatch(name):
        raise ValueError(f"{name} in {split}")
    for part in (vertices_name(name), sound_name(name)):
        if check_file(folder / part).stat().st_size != index["files"][part]["bytes"]:
            raise DatasetError(f"{folder / part} is not the file that {INDEX} describes; convert the data set again.")
    shape = (_whole(entry["frames"], LARGEST_COUNT), _whole(index["vertex_count"], LARGEST_COUNT), 3)
    return Sequence(
        name, str(entry["speaker"]), split, shape[0], _whole(index["fps"], LARGEST_FPS),
        partial(load_waveform, folder / sound_name(name)), partial(_vertices, folder / vertices_name(name), shape),
    )  # fmt: skip


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a safetensors file.

    Args:
        path: the file.

    Returns:
        Name -> array.

    Raises:
        DatasetError: the file is missing or damaged.
    """
    try:
        return safetensors.load_file(check_file(path))
    except DatasetError:
        raise
    except Exception:  # whatever a damaged file makes the reader raise: some kinds of numbers are none of numpy's
        raise DatasetError(f"{path} is damaged; convert the data set again.") from None


def _vertices(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Vertices (T, V, 3) of a file. Raises DatasetError for another shape, or numbers that are not finite."""
    vertices = read_tensors(path).get("vertices")
    if vertices is None or vertices.shape != shape or vertices.dtype != np.float32:
        raise DatasetError(f"{path} does not hold {shape[0]} frames of {shape[1]} vertices; convert it again.")
    if not np.isfinite(vertices).all():
        raise DatasetError(f"{path} holds vertices that are not finite; convert it again.")
    return vertices


def _whole(value: Any, largest: int) -> int:
    """Return a whole number from 1 to `largest`. Raises ValueError for anything else, even for digits as text."""
    if type(value) is not int or not 0 < value <= largest:
        raise ValueError("no such number")
    return value

"""Conversion: any layout, once, into plain files without pickles; converted.py says what is written.

Every file is written under a temporary name and then renamed, and the index comes last. So a folder without an index is
not a data set, and an interrupted conversion can be resumed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from safetensors import numpy as safetensors

from memorytalker.datasets.converted import FORMAT, INDEX, TEMPLATES, sound_name, vertices_name
from memorytalker.datasets.files import sha256
from memorytalker.datasets.regions import REGIONS
from memorytalker.datasets.sequences import DatasetError, FaceDataset, FaceRegions, Sequence, Skipped
from memorytalker.datasets.splits import SAFE_NAME
from memorytalker.files import remove_unfinished, write_whole
from memorytalker.progress import Progress
from memorytalker.sound.decode import SAMPLE_RATE, AudioError, Waveform

#: Records what is being converted into a folder that has no index yet.
MARKER = "converting.json"


def convert(dataset: FaceDataset, out: Path, progress: Progress | None = None) -> Path:
    """Convert `dataset` into the folder `out`, or resume an interrupted conversion.

    Vertices are kept to the bit, sound as 16 kHz mono with 16 bits. A sequence that cannot be read is skipped and
    listed.

    Args:
        dataset: the data set.
        out: a new folder, or one with an interrupted conversion of the same data.
        progress: called with (done, total, stage).

    Returns:
        The path of the index.

    Raises:
        DatasetError: if `out` holds anything else, or cannot be written.
    """
    for sequence in dataset.sequences:
        if not SAFE_NAME.fullmatch(sequence.name):
            raise DatasetError(f"The sequence {sequence.name!r} cannot name a file; rename it in the data set.")
    try:
        _begin(dataset, out)
        kept, skipped = [], list(dataset.skipped)
        for done, sequence in enumerate(dataset.sequences):
            reason = _write_sequence(sequence, dataset.vertex_count, out)
            if reason is None:
                kept.append(sequence)
            else:
                skipped.append(Skipped(sequence.name, reason))
            if progress is not None:
                progress(done + 1, len(dataset.sequences), "convert")
        if not kept:
            raise DatasetError(f"No sequence of {dataset.folder} can be read ({skipped[-1].reason}).")
        return _finish(dataset, kept, skipped, out)
    except OSError as error:
        raise DatasetError(f"{out} cannot be written ({error.strerror or error}); free space or choose another folder."
        ) from None  # fmt: skip


def _begin(dataset: FaceDataset, out: Path) -> None:
    """Prepare `out`: a new folder with a marker, or that of an interrupted conversion of the same data."""
    if (out / INDEX).exists():
        raise DatasetError(f"{out} holds a converted data set already; choose another folder.")
    marker = out / MARKER
    fingerprint = _fingerprint(dataset)
    if marker.is_file():
        if marker.read_text(encoding="utf-8").strip() != fingerprint:
            raise DatasetError(f"{out} holds an interrupted conversion of other data; choose another folder.")
        remove_unfinished(out)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out} is not an empty folder; choose another one.")
    out.mkdir(parents=True, exist_ok=True)
    _write_text(marker, fingerprint + "\n")


def _fingerprint(dataset: FaceDataset) -> str:
    """Identifies data, splits and frame rate: a conversion is resumed only if all are the same."""
    rows = [[one.name, one.speaker, one.split, one.frames] for one in dataset.sequences]
    described = [FORMAT, dataset.layout, dataset.digest, dataset.fps, dataset.vertex_count, rows]
    return json.dumps({"fingerprint": hashlib.sha256(json.dumps(described).encode()).hexdigest()})


def _write_sequence(sequence: Sequence, vertex_count: int, out: Path) -> str | None:
    """Write one sequence, unless it is there already; return why it cannot be read, or None if it can."""
    motion, sound = out / vertices_name(sequence.name), out / sound_name(sequence.name)
    if motion.is_file() and sound.is_file():
        return None
    try:
        vertices, waveform = sequence.vertices(), sequence.waveform()
    except (AudioError, DatasetError) as error:
        return str(error).rstrip(".")
    if vertices.shape != (sequence.frames, vertex_count, 3):
        return f"it holds vertices of shape {vertices.shape}"
    array = np.ascontiguousarray(vertices, np.float32)
    write_whole(motion, lambda path: safetensors.save_file({"vertices": array}, str(path)))
    write_whole(sound, lambda path: _write_flac(path, waveform))
    return None


def _write_flac(path: Path, waveform: Waveform) -> None:
    """Write sound as FLAC: 16 kHz, mono, 16 bits."""
    samples = np.clip(np.round(waveform.samples * 32768.0), -32768, 32767).astype(np.int16)
    soundfile.write(str(path), samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")


def _finish(dataset: FaceDataset, kept: list[Sequence], skipped: list[Skipped], out: Path) -> Path:
    """Write templates, regions and, last, the index; remove the marker."""
    templates = {name: np.ascontiguousarray(face, np.float32) for name, face in dataset.templates.items()}
    write_whole(out / TEMPLATES, lambda path: safetensors.save_file(templates, str(path)))
    names = [TEMPLATES]
    if dataset.regions.lips is not None or dataset.regions.upper_face is not None:
        _write_text(out / REGIONS, json.dumps(regions_table(dataset.regions)) + "\n")
        names.append(REGIONS)
    names += [name(one.name) for one in kept for name in (vertices_name, sound_name)]
    index: dict[str, Any] = {
        "format": FORMAT,
        "fps": dataset.fps,
        "vertex_count": dataset.vertex_count,
        "origin": {"layout": dataset.layout, "digest": dataset.digest},
        "speakers": sorted({one.speaker for one in kept}),
        "sequences": [
            {"name": one.name, "speaker": one.speaker, "split": one.split, "frames": one.frames} for one in kept
        ],
        "skipped": [{"name": item.name, "reason": item.reason} for item in skipped],
        "notes": [note for note in dataset.notes if not note.startswith("regions: ")],
        "files": {
            name: {"bytes": (out / name).stat().st_size, "sha256": sha256(out / name)} for name in names
        },
    }  # fmt: skip
    _write_text(out / INDEX, json.dumps(index, indent=1, ensure_ascii=False) + "\n")
    (out / MARKER).unlink()
    return out / INDEX


def regions_table(regions: FaceRegions) -> dict[str, Any]:
    """Return the content of regions.json for some regions.

    Args:
        regions: the regions; those that are None are left out.

    Returns:
        Plain JSON values.
    """
    table: dict[str, Any] = {"format": 1, "source": regions.source}
    for name in ("lips", "upper_face"):
        if getattr(regions, name) is not None:
            table[name] = [int(index) for index in getattr(regions, name)]
    return table | ({} if regions.opening is None else {"opening": list(regions.opening)})


def _write_text(path: Path, text: str) -> None:
    """Write a text file completely or not at all."""
    write: Callable[[Path], Any] = lambda part: part.write_text(text, encoding="utf-8")  # noqa: E731
    write_whole(path, write)


def space_needed(dataset: FaceDataset) -> int:
    """Compute the disk space that the vertices of a data set take after conversion.

    Args:
        dataset: the data set.

    Returns:
        Bytes.
    """
    return sum(one.frames for one in dataset.sequences) * dataset.vertex_count * 12


def check_space(dataset: FaceDataset, out: Path) -> None:
    """Check that there is room for the converted vertices.

    Args:
        dataset: the data set to convert.
        out: the target folder, which need not exist yet.

    Raises:
        DatasetError: the disk of `out` has too little space left.
    """
    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    free, needed = shutil.disk_usage(place).free, space_needed(dataset)
    if free < needed:
        unit, name = (1e9, "GB") if needed >= 1e9 else (1e6, "MB")
        raise DatasetError(
            f"{out} needs {needed / unit:,.1f} {name} and {free / unit:,.1f} {name} are free; choose a folder on "
            "another disk."
        )

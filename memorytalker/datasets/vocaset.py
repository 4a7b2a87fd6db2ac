"""VOCASET as it is downloaded: one array of all frames, and pickles that say which rows belong to which sentence.

- data_verts.npy: (N, V, 3) float32, metres
- subj_seq_to_idx.pkl: {speaker: {sentence: {frame number: row}}}
- raw_audio_fixed.pkl: {speaker: {sentence: {"audio": (S,) int16, "sample_rate": 22000}}}
- templates.pkl: {speaker: (V, 3)}
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.datasets.files import check_file, map_array
from memorytalker.datasets.pickles import read_pickle
from memorytalker.datasets.processed import TEMPLATES, finite
from memorytalker.datasets.recordings import Recording, Recordings, faces, unit_notes
from memorytalker.datasets.sequences import DatasetError
from memorytalker.sound.decode import Waveform, load_waveform

VERTICES, SOUND, ROWS = "data_verts.npy", "raw_audio_fixed.pkl", "subj_seq_to_idx.pkl"
RAW_FILES = (VERTICES, SOUND, ROWS, TEMPLATES)


def read_raw(folder: Path) -> Recordings:
    """List the recordings of a raw download.

    The vertices stay on disk. The sound is one pickle, so all of it is held in memory, with 16 bits.

    Args:
        folder: the download.

    Returns:
        The recordings.

    Raises:
        DatasetError: a file is missing, a Git-LFS pointer, or not what it should be.
    """
    for name in RAW_FILES:
        check_file(folder / name)
    array = _map(folder / VERTICES)
    count = array.shape[1]
    rows, sounds = (_by_sentence(read_pickle(folder / name), name) for name in (ROWS, SOUND))
    templates = faces(read_pickle(folder / TEMPLATES), count, TEMPLATES)
    found, broken, gaps = {}, {}, []
    for name in sorted(set(rows) | set(sounds)):
        if name not in rows or name not in sounds:
            broken[name] = f"there is no {'motion in ' + ROWS if name not in rows else 'sound in ' + SOUND}"
            continue
        try:
            frames, indices = _order(rows[name], len(array), name)
            samples, rate = _sound(sounds[name], name)
        except DatasetError as error:
            broken[name] = str(error).rstrip(".")
            continue
        if frames[-1] - frames[0] + 1 != len(frames):
            gaps.append(name)
        found[name] = Recording(
            len(indices),
            len(samples) / rate,
            partial(_waveform, samples, rate),
            partial(_vertices, folder / VERTICES, indices, name),
        )
    notes = unit_notes(templates)
    if gaps:
        notes += (f"{len(gaps)} sequences leave frame numbers out, such as {gaps[0]}; frames are joined as they are",)
    return Recordings(count, templates, found, broken, tuple(folder / name for name in RAW_FILES), notes)


def _map(path: Path) -> np.ndarray:
    """Map the vertices (N, V, 3) into memory. Raises DatasetError for another shape."""
    array = map_array(path)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype.kind != "f" or not array.size:
        raise DatasetError(f"{path.name} has the shape {array.shape} and not (frames, vertices, 3); download it again.")
    return array


def _by_sentence(value: Any, name: str) -> dict[str, Any]:
    """Turn {speaker: {sentence: x}} into {speaker_sentence: x}."""
    if not isinstance(value, Mapping) or not all(isinstance(part, Mapping) for part in value.values()):
        raise DatasetError(f"{name} does not hold sentences by speaker; download it again.")
    return {f"{speaker}_{sentence}": x for speaker, part in value.items() for sentence, x in part.items()}


def _order(rows: Any, total: int, name: str) -> tuple[list[int], np.ndarray]:
    """Frame numbers, ascending, and the row of each."""
    if not isinstance(rows, Mapping) or not rows:
        raise DatasetError(f"{name} has no frames in {ROWS}.")
    try:
        pairs = sorted((int(frame), int(row)) for frame, row in rows.items())
        indices = np.array([row for _, row in pairs], np.int64)
    except (TypeError, ValueError, OverflowError):
        raise DatasetError(f"the frames of {name} in {ROWS} are not numbers.") from None
    if indices.min() < 0 or indices.max() >= total:
        raise DatasetError(f"{ROWS} points at frame {indices.max()} for {name}, but {VERTICES} holds {total}.")
    return [frame for frame, _ in pairs], indices


def _sound(value: Any, name: str) -> tuple[np.ndarray, int]:
    """Samples (S,) and their rate in Hz."""
    if not isinstance(value, Mapping) or not {"audio", "sample_rate"} <= set(value):
        raise DatasetError(f"{name} has no audio and sample_rate in {SOUND}.")
    try:
        samples, rate = np.asarray(value["audio"]), float(value["sample_rate"])
    except (TypeError, ValueError, OverflowError):  # lists of different lengths, or no number
        raise DatasetError(f"the sound of {name} in {SOUND} cannot be used.") from None
    if samples.ndim != 1 or samples.dtype.kind not in "fiu" or not samples.size or not 1000 <= rate <= 768000:
        raise DatasetError(f"the sound of {name} in {SOUND} cannot be used.")
    return samples, int(rate)


def _waveform(samples: np.ndarray, rate: int) -> Waveform:
    """Samples at any rate as 16 kHz mono."""
    return load_waveform((samples, rate))


def _vertices(path: Path, rows: np.ndarray, name: str) -> np.ndarray:
    """Read the vertices (T, V, 3) float32 of some rows.

    The file is mapped at each call, so that a pickled copy of this function holds no frames.
    """
    with np.errstate(over="ignore"):  # what is too large is infinite, and refused
        return finite(np.array(_map(path)[rows], np.float32), name)

"""The processed form of VOCASET and BIWI: wav/, vertices_npy/ and templates.pkl in one folder.

T frames, V vertices. `vertices_npy/<name>.npy` holds (T, 3 V) or (T, V, 3) numbers, and `wav/<name>.wav` its sound.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from memorytalker.datasets.files import check_file, is_pointer, map_array
from memorytalker.datasets.pickles import read_pickle
from memorytalker.datasets.recordings import Recording, Recordings, faces, unit_notes
from memorytalker.datasets.sequences import DatasetError
from memorytalker.sound.decode import load_waveform

SOUND, MOTION, TEMPLATES = "wav", "vertices_npy", "templates.pkl"


def read_processed(folder: Path, names: Iterable[str]) -> Recordings:
    """List the recordings of a folder. Only headers are read, no sound and no motion.

    Args:
        folder: the data set.
        names: the sequences that the splits name.

    Returns:
        The recordings of `names`, and which others there are.

    Raises:
        DatasetError: a folder or templates.pkl is missing, a file is a Git-LFS pointer, or faces differ in size.
    """
    for name in (SOUND, MOTION):
        if not (folder / name).is_dir():
            raise DatasetError(
                f"There is no folder {folder / name}; 'python -m memorytalker doctor {folder}' lists what is expected."
            )
    found, broken, sizes = {}, {}, {}
    for name in names:
        sound, motion = folder / SOUND / f"{name}.wav", folder / MOTION / f"{name}.npy"
        lacking = [str(path.relative_to(folder)) for path in (sound, motion) if not path.is_file()]
        if lacking:
            broken[name] = f"there is no {' and no '.join(lacking)}"
            continue
        try:
            frames, sizes[name] = motion_shape(motion)
            seconds = sound_seconds(sound)
        except DatasetError as error:
            if is_pointer(sound) or is_pointer(motion):
                raise
            sizes.pop(name, None)
            broken[name] = str(error).rstrip(".")
            continue
        found[name] = Recording(
            frames, seconds, partial(load_waveform, sound), partial(read_motion, motion), (sound, motion)
        )
    if not found:
        return _nothing(folder, broken)
    count = _one_size(sizes, folder)
    templates = faces(read_pickle(check_file(folder / TEMPLATES)), count, TEMPLATES)
    unused = _unused(folder, found, broken)
    notes = unit_notes(templates)
    if unused:
        notes += (f"{len(unused)} sequences on disk are not in the splits and not used, such as {unused[0]}",)
    return Recordings(count, templates, found, broken, (folder / TEMPLATES,), notes)


def _nothing(folder: Path, broken: dict[str, str]) -> Recordings:
    """The result where no recording of the splits is there: a note says which other names are."""
    others = sorted(path.stem for path in (folder / MOTION).glob("*.npy") if path.stem not in broken)
    notes = (f"{len(others)} sequences on disk are not in the splits, such as {others[0]}",) if others else ()
    return Recordings(0, {}, {}, broken, (), notes)


def _unused(folder: Path, found: dict[str, Recording], broken: dict[str, str]) -> list[str]:
    """Names on disk that the splits do not name."""
    return sorted(p.stem for p in (folder / MOTION).glob("*.npy") if p.stem not in found and p.stem not in broken)


def _one_size(sizes: dict[str, int], folder: Path) -> int:
    """The number of vertices, V. Raises DatasetError if files differ in it."""
    names = {size: name for name, size in reversed(sizes.items())}
    if len(names) > 1:
        few, many = sorted(names, key=lambda size: list(sizes.values()).count(size))[:2]
        raise DatasetError(
            f"The faces in {folder / MOTION} differ in size: {names[few]} has {few} vertices, {names[many]} has "
            f"{many}; keep one data set in a folder."
        )
    return next(iter(names))


def motion_shape(path: Path) -> tuple[int, int]:
    """Read the shape of a motion from the header of its file.

    Args:
        path: a .npy file.

    Returns:
        (T, V).

    Raises:
        DatasetError: the file holds anything but (T, 3 V) or (T, V, 3) numbers.
    """
    array = map_array(path)
    flat = array.ndim == 2 and array.shape[1] % 3 == 0
    if array.dtype.kind not in "fiu" or not (flat or array.ndim == 3 and array.shape[2] == 3) or not array.size:
        raise DatasetError(
            f"{path.name} holds {array.dtype} numbers of shape {array.shape} and not frames of vertices (T, 3 V)."
        )
    return array.shape[0], array[0].size // 3


def read_motion(path: Path) -> np.ndarray:
    """Read the motion of one file.

    Args:
        path: a .npy file of (T, 3 V) or (T, V, 3) numbers.

    Returns:
        (T, V, 3) float32, in the unit of the file.

    Raises:
        DatasetError: the file cannot be read, or a number is not finite.
    """
    motion_shape(path)
    array = map_array(path)
    with np.errstate(over="ignore"):  # what is too large is infinite, and refused
        return finite(np.array(array, np.float32).reshape(len(array), -1, 3), path.name)


def finite(vertices: np.ndarray, name: str) -> np.ndarray:
    """Check that all numbers are finite.

    Args:
        vertices: an array of any shape.
        name: where it comes from, for the message.

    Returns:
        `vertices`.

    Raises:
        DatasetError: a number is not finite.
    """
    if not np.isfinite(vertices).all():
        raise DatasetError(f"{name} holds vertices that are not finite; download it again.")
    return vertices


def sound_seconds(path: Path) -> float:
    """Read the length of a sound from the header of its file.

    Args:
        path: the sound file.

    Returns:
        Seconds.

    Raises:
        DatasetError: the file is missing, holds no sound, or is not a sound file.
    """
    check_file(path)
    try:
        described = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError, ValueError, TypeError):
        raise DatasetError(f"{path.name} is not a sound file that can be read; download it again.") from None
    if described.frames <= 0 or described.samplerate <= 0:
        raise DatasetError(f"{path.name} holds no sound; download it again.")
    return described.frames / described.samplerate

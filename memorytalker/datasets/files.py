"""Files of a data set: whether a file is there, whether it is a Git-LFS pointer, and its fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.datasets.sequences import DatasetError
from memorytalker.files import read_json

_POINTER_START = b"version https://git-lfs.github.com/spec"
_LARGEST_POINTER = 1024  # bytes; the specification of Git LFS says so
WHOLE = 1 << 20  # files up to this many bytes are hashed whole
_BLOCK = 1 << 16
_FEWEST_BLOCKS = 16
_STRIDE = 1 << 26  # of larger files at least one block in every so many bytes


def is_pointer(path: Path) -> bool:
    """Return whether a file is a Git-LFS pointer: the small text that stands where the file itself was not downloaded.

    Args:
        path: the file; it need not exist.
    """
    try:
        if path.stat().st_size > _LARGEST_POINTER:
            return False
        with path.open("rb") as file:
            return file.read(len(_POINTER_START)) == _POINTER_START
    except OSError:
        return False


def check_file(path: Path) -> Path:
    """Check that a file is there.

    Args:
        path: the file.

    Returns:
        `path`.

    Raises:
        DatasetError: there is no such file, or only a Git-LFS pointer.
    """
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise DatasetError(
            f"There is no file {path}; 'python -m memorytalker doctor {path.parent}' lists what is expected."
        )
    if is_pointer(path):
        raise DatasetError(
            f"{path} is a Git-LFS pointer and not the file itself; run 'git lfs pull' in the folder it came from, "
            "or download the file."
        )
    return path


def read_table(path: Path) -> Any:
    """Read a JSON file of bounded size.

    Args:
        path: the file.

    Returns:
        Its plain values.

    Raises:
        DatasetError: the file is missing, too large, or not JSON.
    """
    try:
        return read_json(path)
    except FileNotFoundError:
        raise DatasetError(f"There is no file {path}; check the path.") from None
    except OSError:
        raise DatasetError(f"{path} cannot be read; check the path and who may read it.") from None
    except ValueError as error:
        raise DatasetError(f"{path} is not readable JSON: {error}.") from None


def map_array(path: Path) -> np.ndarray:
    """Map the array of a .npy file into memory, without reading its data.

    Args:
        path: the file.

    Returns:
        The array, read-only.

    Raises:
        DatasetError: the file is missing or cut off, or holds anything but numbers.
    """
    check_file(path)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # headers are Python literals: whatever a damaged one makes the readers raise
        raise DatasetError(f"{path.name} is not a numpy file of numbers or is cut off; download it again.") from None


def sha256(path: Path) -> str:
    """Compute the SHA-256 of a whole file.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sampled_sha256(path: Path) -> str:
    """Compute a SHA-256 that identifies a file without reading all of a large one.

    A file up to 1 MiB is hashed whole. Of a larger one, its size and blocks of 64 KiB are hashed. The blocks are spread
    evenly from the first byte to the last: at least 16, and one for every 64 MiB. So another recording or a partial
    download is detected, but not a change between the blocks.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits.
    """
    size = path.stat().st_size
    if size <= WHOLE:
        return sha256(path)
    count = max(_FEWEST_BLOCKS, size // _STRIDE + 1)
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for block in range(count):
            file.seek(block * (size - _BLOCK) // (count - 1))
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def digest_of(folder: Path, paths: Iterable[Path]) -> str:
    """Compute one SHA-256 for a set of files: their names, sizes and contents (`sampled_sha256`).

    Args:
        folder: the data set; names are relative to it.
        paths: the files; their order does not matter.

    Returns:
        64 hexadecimal digits.
    """
    lines = []
    for path in set(paths):
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
        lines.append(f"{name} {path.stat().st_size} {sampled_sha256(path)}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

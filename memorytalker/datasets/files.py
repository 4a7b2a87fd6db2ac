"""Files of a data set: what lies there, whether it is the file itself, and its fingerprint."""

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
    """Whether the file is the small text that Git LFS leaves where the file itself was not fetched."""
    try:
        if path.stat().st_size > _LARGEST_POINTER:
            return False
        with path.open("rb") as file:
            return file.read(len(_POINTER_START)) == _POINTER_START
    except OSError:
        return False


def check_file(path: Path) -> Path:
    """`path` itself. Raises DatasetError if there is no such file, or a Git-LFS pointer stands in its place."""
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
    """The values of a JSON file. Raises DatasetError for one that is missing or not readable within bounds."""
    try:
        return read_json(path)
    except FileNotFoundError:
        raise DatasetError(f"There is no file {path}; check the path.") from None
    except OSError:
        raise DatasetError(f"{path} cannot be read; check the path and who may read it.") from None
    except ValueError as error:
        raise DatasetError(f"{path} is not readable JSON: {error}.") from None


def map_array(path: Path) -> np.ndarray:
    """The array of a .npy file, mapped into memory and not read.

    Raises DatasetError unless it is one of plain numbers, whole and no larger than its file.
    """
    check_file(path)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # headers are Python literals: whatever a damaged one makes the readers raise
        raise DatasetError(f"{path.name} is not a numpy file of numbers or is cut off; download it again.") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sampled_sha256(path: Path) -> str:
    """The SHA-256 of a file's contents; above 1 MiB, of its size and of blocks of 64 KiB spread evenly over it.

    There are at least 16 blocks, the first and the last bytes among them, and one for every 64 MiB. A change that
    misses every block of a large file is therefore not seen; another recording, or a download cut short, is.
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
    """SHA-256 over the names below `folder`, sizes and contents of `paths`, whatever their order.

    Contents are those of `sampled_sha256`: whole for files up to 1 MiB, blocks of larger ones.
    """
    lines = []
    for path in set(paths):
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
        lines.append(f"{name} {path.stat().st_size} {sampled_sha256(path)}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

"""Arrays in files of strangers: .npy and .npz, read without ever running what is in them or filling the memory."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from memorytalker.errors import InputError
from memorytalker.sound.decode import shown_name

#: A file that unpacks to more than this is not read.
LARGEST_BYTES = 800_000_000
#: Bytes of an array's header at the most.
HEADER_BYTES = 1_000


class GroundTruthError(InputError):
    """Known motion that cannot be used; the message is one plain sentence that names the remedy."""


def array_names(path: Path) -> tuple[str, ...]:
    """The names of the arrays in an .npz file. Raises TruthError if it is none."""
    with _archive(path) as archive:
        return tuple(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))


def read_array(path: Path, name: str = "") -> np.ndarray:
    """The array `name` of an .npz file, or the one of an .npy file.

    Raises TruthError, before anything large is read, for a file that is damaged, holds Python objects, which may run
    code when they are read, or unpacks to more than `LARGEST_BYTES`.
    """
    if path.suffix.lower() == ".npz":
        with _archive(path) as archive, archive.open(f"{name}.npy") as file:
            return _array(path, file, archive.getinfo(f"{name}.npy").file_size)
    with _readable(path), path.open("rb") as file:
        return _array(path, file, path.stat().st_size)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    with _readable(path), zipfile.ZipFile(path) as archive:
        yield archive


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever a damaged file makes the libraries raise becomes one sentence."""
    try:
        yield
    except GroundTruthError:
        raise
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, SyntaxError, MemoryError,
            zipfile.BadZipFile, zlib.error):  # fmt: skip
        kind = path.suffix.lower().removeprefix(".")
        raise GroundTruthError(f"{shown_name(path)} is not a readable {kind} file; save it again with numpy.") from None


def _array(path: Path, file: IO[bytes], size: int) -> np.ndarray:
    """The array in an open .npy file of `size` bytes, whose header is believed only as far as the bytes go."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError("an unknown version of the format")
    shape, columns_first, kind = read(file, max_header_size=HEADER_BYTES)
    if kind.hasobject:
        raise GroundTruthError(
            f"{shown_name(path)} holds Python objects, which are never opened; save plain arrays of numbers."
        )
    if size > LARGEST_BYTES:
        raise GroundTruthError(
            f"{shown_name(path)} unpacks to {size / 1e9:.1f} GB; cut it to the part that is compared."
        )
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * kind.itemsize > size:
        raise ValueError("less data than announced")
    data = file.read(count * kind.itemsize)
    return np.frombuffer(data, kind, count).reshape(shape, order="F" if columns_first else "C")

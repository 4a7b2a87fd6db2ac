"""Arrays from untrusted files (.npy, .npz): headers are read first, then data of bounded size; never a pickle."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from types import MappingProxyType
from typing import IO, Literal

import numpy as np

from memorytalker.errors import InputError
from memorytalker.sound.decode import shown_name

#: An array of more bytes than this is not read.
LARGEST_BYTES = 400_000_000
#: Bytes of an array's header at the most.
HEADER_BYTES = 1_000
#: Arrays in one .npz at the most, and bytes of the directory at its end.
MOST_ARRAYS, DIRECTORY_BYTES = 32, 16_384
#: The last record of a zip archive without a comment, as numpy writes it: signature, four numbers of disks and
#: entries, bytes and place of the directory, length of the comment.
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x07"
#: Bytes of the record that would refer to a directory of more than 65535 entries.
_LOCATOR_BYTES = 20


class ArrayFileError(InputError):
    """A file of arrays that cannot be used; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class ArrayHeader:
    """The header of an array, known before its data is read: shape, dtype, and whether it is in Fortran order."""

    shape: tuple[int, ...]
    dtype: np.dtype
    columns_first: bool

    @property
    def bytes(self) -> int:
        """Bytes of the whole array."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class ArrayFile:
    """A file of arrays whose headers were read. headers: name -> ArrayHeader; an .npy has one array, named ""."""

    path: Path
    headers: Mapping[str, ArrayHeader]

    def read(self, name: str = "") -> np.ndarray:
        """The array `name`, read-only. Raises ArrayFileError for one that is damaged or larger than `LARGEST_BYTES`."""
        shown = shown_name(self.path)
        if name not in self.headers:
            raise ArrayFileError(f"{shown} holds no array {name}; save it with one.")
        size = self.headers[name].bytes
        if size > LARGEST_BYTES:
            raise ArrayFileError(f"{shown} unpacks to {size / 1e9:.2g} GB; cut it to the part that is compared.")
        with _readable(self.path), _opened(self.path, name) as (file, _):
            header = _header(self.path, file)
            if header != self.headers[name]:
                raise ValueError("another file by now")
            return _data(header, file)


def open_arrays(path: Path) -> ArrayFile:
    """Read the headers of all arrays in an .npz or .npy file, but no data.

    Args:
        path: the file.

    Returns:
        The file with its headers.

    Raises:
        ArrayFileError: for a file that is damaged, holds Python objects (which may run code when read), more than
            `MOST_ARRAYS` arrays, or one name twice.
    """
    shown = shown_name(path)
    names = [""]
    with _readable(path):
        if not path.is_file():
            raise ArrayFileError(f"There is no file {shown}; check the path.")
        if path.suffix.lower() == ".npz":
            _check_directory(path)
            with zipfile.ZipFile(path) as archive:
                entries = archive.namelist()
            names = [entry.removesuffix(".npy") for entry in entries if entry.endswith(".npy")]
            if len(set(entries)) < len(entries):
                raise ArrayFileError(f"{shown} names an array twice; save it again with numpy.")
        headers = {}
        for name in names:
            with _opened(path, name) as (file, size):
                headers[name] = header = _header(path, file)
                if header.bytes > size:
                    raise ValueError("less data than announced")
        return ArrayFile(path, MappingProxyType(headers))


@contextmanager
def opened_arrays(path: Path, most: int) -> Iterator[Callable[[str], np.ndarray]]:
    """Open an .npz of many arrays once, and give what reads one of them by its name.

    Args:
        path: the file.
        most: arrays that it may hold.

    Yields:
        A function from a name to its array, read-only; it raises ArrayFileError for one that is not there, damaged or
        larger than `LARGEST_BYTES`.

    Raises:
        ArrayFileError: as `open_arrays`; of the arrays, only those that are read are looked at.
    """
    with _readable(path):
        if not path.is_file():
            raise ArrayFileError(f"There is no file {shown_name(path)}; check the path.")
        _check_directory(path, most)
        archive = zipfile.ZipFile(path)

    def read(name: str) -> np.ndarray:
        with _readable(path):
            if f"{name}.npy" not in archive.NameToInfo:
                raise ArrayFileError(f"{shown_name(path)} holds no array {shown_name(Path(name))}; save it with one.")
            with _entry(archive, name) as (file, size):
                header = _header(path, file)
                if header.bytes > min(size, LARGEST_BYTES):
                    raise ValueError("less data than announced, or more than may be read")
                return _data(header, file)

    with archive:
        yield read


def _check_directory(path: Path, most: int = MOST_ARRAYS) -> None:
    """Refuse an archive with more than `most` entries; only the last bytes of the file are read for this."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _END.size - _LOCATOR_BYTES))
        tail = file.read(_END.size + _LOCATOR_BYTES)
    if len(tail) < _END.size:
        raise ValueError("no archive")
    signature, _, _, _, entries, directory, _, comment = _END.unpack(tail[-_END.size :])
    if signature != _END_SIGNATURE or comment:
        raise ValueError("no archive as numpy writes it")
    if entries > most or directory > DIRECTORY_BYTES * most // MOST_ARRAYS or tail.startswith(_LOCATOR_64):
        raise ArrayFileError(
            f"{shown_name(path)} holds more than {most} arrays, or names too long; save only those that are needed."
        )


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """The file of one array, open at its beginning, and its size in bytes."""
    if path.suffix.lower() == ".npz":
        with zipfile.ZipFile(path) as archive, _entry(archive, name) as found:
            yield found
    else:
        with path.open("rb") as file:
            yield file, path.stat().st_size


@contextmanager
def _entry(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """`_opened` for an array of an open archive."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("a compression that numpy does not write")
    with archive.open(entry) as file:
        yield file, entry.file_size


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever the libraries raise for a damaged file into one sentence."""
    try:
        yield
    except ArrayFileError:
        raise
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, OverflowError, MemoryError,
            RuntimeError, SyntaxError, TokenError, struct.error, zlib.error, zipfile.BadZipFile):  # fmt: skip
        kind = path.suffix.lower().removeprefix(".")
        raise ArrayFileError(f"{shown_name(path)} is not a readable {kind} file; save it again with numpy.") from None


def _header(path: Path, file: IO[bytes]) -> ArrayHeader:
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError("an unknown version of the format")
    shape, columns_first, kind = read(file, max_header_size=HEADER_BYTES)
    if kind.hasobject:
        raise ArrayFileError(
            f"{shown_name(path)} holds Python objects, which are never opened; save plain arrays of numbers."
        )
    if kind.subdtype is not None or kind.fields is not None or any(length < 0 for length in shape):
        raise ValueError("no plain array")
    return ArrayHeader(tuple(int(length) for length in shape), kind, bool(columns_first))


def _data(header: ArrayHeader, file: IO[bytes]) -> np.ndarray:
    """The array that follows a header. Raises ValueError if the file ends before it."""
    data = file.read(header.bytes)
    if len(data) != header.bytes:
        raise ValueError("less data than announced")
    order: Literal["C", "F"] = "F" if header.columns_first else "C"
    return np.frombuffer(data, header.dtype, math.prod(header.shape)).reshape(header.shape, order=order)

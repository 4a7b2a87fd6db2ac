"""Atomic file writing: a reader sees the old or the new file, never a partial one.

A file is written under a temporary name in the same folder and then moved. A failure removes the temporary file; only a
killed process can leave one, with a name that begins with `PART`.

Untrusted JSON, whole or line by line, is read within bounds.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import types
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from memorytalker.scratch import is_abandoned, lock_of

#: How the names of files begin that are being written.
PART = ".part-"
#: A file that was changed within so many seconds may still be written, by a process whose lock cannot be seen.
YOUNG = 60.0
#: Bytes of a JSON file at the most, and how deep lists and objects may lie in each other.
LARGEST_JSON, DEEPEST_JSON = 64_000_000, 50
#: Bytes of a file of JSON lines at the most, and numbers in it beyond this are none of ours.
LARGEST_LINES, LARGEST_NUMBER = 400_000_000, 1e12
#: What a value of a JSON line must be, and how a message calls it.
Kind = type | types.UnionType
_CALLED: dict[Kind, str] = {
    str: "text", int: "a whole number", float: "a number", str | None: "text or null",
}  # fmt: skip


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write one file completely or not at all. Its folder is made if it is missing.

    Args:
        path: the file.
        write: called with the name of an empty temporary file beside `path`, of the same suffix. That file is moved to
            `path` afterwards, and has then reached the disk.

    Raises:
        OSError: the temporary file cannot be made; `write` was not called.
        Exception: whatever `write` raises. `path` is unchanged in both cases.
    """
    write_together({path: write})


def write_together(writers: Mapping[Path, Callable[[Path], object]]) -> None:
    """Write files that belong together, each as in `write_whole`; none appears before all are written."""
    with contextlib.ExitStack() as unfinished:
        parts = {path: unfinished.enter_context(_part(path)) for path in writers}
        for path, write in writers.items():
            write(parts[path])
            with parts[path].open("rb") as written:
                os.fsync(written.fileno())
        for path, part in parts.items():
            os.replace(part, path)
        for folder in {path.parent for path in parts}:
            _settle(folder)


def read_json(path: Path) -> Any:
    """Read a JSON file within bounds.

    Args:
        path: the file.

    Returns:
        Its plain values.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: the file cannot be read.
        ValueError: it is not JSON, or too large, too deep or with too long a number; in a few words without a full
            stop.
    """
    return parse_json(read_bounded(path, LARGEST_JSON).decode("utf-8"))


def read_bounded(path: Path, largest: int) -> bytes:
    """The bytes of a file. Raises OSError, and ValueError in a few words for more bytes than `largest`, or a device."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(min(size, largest) + 1)  # reading takes the memory that it is asked for
    if len(data) > largest:
        raise ValueError(f"it is larger than {largest // 1_000_000} MB")
    return data


def open_plain(path: Path) -> IO[bytes]:
    """Open an ordinary file for reading. Raises OSError, and ValueError for a folder, a pipe or a device.

    Opening a pipe would wait for its other end, and reading a device might never end.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is no ordinary file")
    return open(descriptor, "rb")


def check_unpacked(path: Path) -> None:
    """Raise ValueError for a zip archive that is compressed, which none of torch's is: it might grow without bound.

    Raises OSError, and ValueError for what is no ordinary file.
    """
    open_plain(path).close()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise ValueError("it unpacks to more than its size")


def parse_json(text: str) -> Any:
    """Return the plain values in JSON text. Raises ValueError as in `read_json`."""
    try:
        values = json.loads(text)
    except RecursionError:
        raise ValueError("its lists and objects lie too deep in each other") from None
    level = [values]
    for _ in range(DEEPEST_JSON):
        level = [inner for one in level if isinstance(one, (dict, list)) for inner in _inside(one)]
    if level:
        raise ValueError("its lists and objects lie too deep in each other")
    return values


def _inside(value: dict | list) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def read_lines(path: Path, kinds: Mapping[str, Kind], growing: bool = False) -> list[dict[str, Any]]:
    """The objects in a file of JSON lines; empty lines are passed over.

    Args:
        path: the file.
        kinds: what each object must hold, by name; one that may be null may also be missing. More is not looked at.
        growing: whether the last line may be unfinished, and is then ignored.

    Returns:
        The objects.

    Raises:
        OSError: for a file that cannot be read.
        ValueError: in a few words without a full stop, for one that is too large, or a line that is not as it must be.
    """
    data = read_bounded(path, LARGEST_LINES)
    rows = []
    # Only line feeds end a line: the text of a JSON string may hold other ends of lines.
    for number, line in enumerate((data[: data.rfind(b"\n") + 1] if growing else data).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line.decode("utf-8"))
        except ValueError as error:
            raise ValueError(f"line {number} is not readable JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is not an object")
        for name, kind in kinds.items():
            if not _is(row.get(name), kind):
                raise ValueError(f"line {number} needs {name!r}: {_CALLED[kind]}")
        rows.append(row)
    return rows


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number, finite and of a size that anything of ours can have."""
    return type(value) in (int, float) and abs(value) <= LARGEST_NUMBER


def _is(value: Any, kind: Kind) -> bool:
    if kind is int or kind is float:
        return is_number(value) and (kind is float or isinstance(value, int))
    return isinstance(value, kind)


def append_lines(path: Path, entries: Iterable[dict]) -> Iterator[dict]:
    """Append entries to a file of JSON lines as they come, so that an interruption loses no finished line.

    Args:
        path: the file; an unfinished last line in it is removed first.
        entries: each is written at once.

    Yields:
        Each entry after it has been written.
    """
    with path.open("ab") as out:
        out.truncate(_finished(path.read_bytes()))
    with path.open("a", encoding="utf-8", buffering=1) as out:
        for entry in entries:
            out.write(json.dumps(entry) + "\n")
            yield entry


def remove_unfinished(folder: Path) -> None:
    """Remove temporary files that killed processes left below `folder`. No process may be writing there."""
    for part in folder.rglob(f"{PART}*"):
        part.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of writing `path`. What another process still writes is left alone."""
    with contextlib.suppress(OSError):
        for part in list(path.parent.glob(f"{PART}*")):
            if part.name.split("-", 3)[3:] == [path.name] and is_abandoned(part, YOUNG):
                part.unlink(missing_ok=True)


@contextlib.contextmanager
def _part(path: Path) -> Iterator[Path]:
    """A new empty file beside `path`, gone afterwards unless it was moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{PART}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")
    part.open("xb").close()
    lock = lock_of(part)  # by which others see that this process lives
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def _settle(folder: Path) -> None:
    """Flush the directory `folder` to disk, on systems that can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _finished(whole: bytes) -> int:
    """Bytes up to the end of the last finished line."""
    return whole.rfind(b"\n") + 1

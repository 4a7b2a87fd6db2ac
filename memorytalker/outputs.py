"""The files that a command will write, checked before any work begins: can they be written, and is none an input?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from memorytalker.errors import InputError
from memorytalker.files import remove_leftovers

#: Bytes of a file's name at the most. Systems take 255, and a file has a longer name while it is written.
LONGEST_NAME = 200


class OutputError(InputError):
    """A file that may not be written; the message is one plain sentence that names the remedy."""


def check_output(path: Path, inputs: Iterable[Path | str | None] = ()) -> None:
    """Refuse a file that cannot be written, or that is an input of the same command; else tidy its place.

    What killed processes left of writing it is removed.

    Args:
        path: the file. It need not exist; if it does, it will be replaced.
        inputs: files and folders that the command reads; a file in such a folder is an input. None, and what does not
            exist, is passed over.

    Raises:
        OutputError: a name that no file can have, a folder or device, a folder that is not there or may not be written
            to, or an input.
    """
    try:
        _check_place(path)
        if path.exists():
            _check_inputs(path, inputs)
        remove_leftovers(path)
    except OutputError:
        raise
    except (OSError, ValueError):  # a name that is too long somewhere, a loop of links, a null byte
        raise OutputError(f"{_shown(path)} cannot be the name of a file here; choose another.") from None


def is_file(path: Path) -> bool:
    """Return whether `path` is an ordinary file: no folder, pipe or device, and no name that the system cannot have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def check_distinct(paths: Iterable[Path | None]) -> None:
    """Raise OutputError if two outputs are the same file; None is passed over."""
    places = [path.resolve() for path in paths if path is not None]
    if len(set(places)) < len(places):
        raise OutputError("Two outputs have the same name; give each its own.")


def _check_place(path: Path) -> None:
    if "\0" in str(path):
        raise ValueError("embedded null byte")
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise OutputError(f"The name {_shown(path)} is too long; choose one of at most {LONGEST_NAME} letters.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is no ordinary file and cannot be replaced; choose another name.")
    if not path.parent.is_dir():
        made = "is a file, not a folder; choose another" if path.parent.exists() else "does not exist; make it first"
        raise OutputError(f"There is no folder {path.parent}; it {made}.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"Nothing may be written in the folder {path.parent}; choose another folder.")


def _check_inputs(path: Path, inputs: Iterable[Path | str | None]) -> None:
    place = path.resolve()
    for given in (Path(one) for one in inputs if one):
        if given.is_file() and path.samefile(given):
            raise OutputError(f"{path} is also the input and would be overwritten; choose another name.")
        if given.is_dir() and given.resolve() in place.parents:
            raise OutputError(f"{path} lies in the input {given} and would be overwritten; choose another name.")


def _shown(path: Path) -> str:
    """The last part of a path, shortened and on one line."""
    name = "".join(letter if letter.isprintable() else "_" for letter in path.name)
    return name if len(name) <= 60 else f"{name[:40]}...{name[-15:]}"

"""A file of JSON lines that grows while a long step runs, and of which nothing whole is lost when it breaks off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path


def stored_lines(path: Path) -> list[dict]:
    """The entries of `path`, none if there is no such file; a last line that was not finished does not count."""
    if not path.is_file():
        return []
    whole = path.read_bytes()
    return [json.loads(line) for line in whole[: _finished(whole)].decode("utf-8").splitlines()]


def store_lines(path: Path, entries: Iterable[dict]) -> Iterator[dict]:
    """Each of `entries` after its line has been added to `path`, at once: what is on disk need not be made again.

    A last line that was not finished is cut off the file first.
    """
    with path.open("ab") as out:
        out.truncate(_finished(path.read_bytes()))
    with path.open("a", encoding="utf-8", buffering=1) as out:
        for entry in entries:
            out.write(json.dumps(entry) + "\n")
            yield entry


def _finished(whole: bytes) -> int:
    return whole.rfind(b"\n") + 1

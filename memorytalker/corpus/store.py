"""A file of JSON lines that grows while a long step runs, and of which nothing whole is lost when it breaks off."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path


def stored_lines(path: Path) -> list[dict]:
    """The entries of `path`, none if there is no such file; a last line that was not finished is cut off the file."""
    if not path.is_file():
        return []
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):
        with path.open("r+b") as file:
            file.truncate(end)
    return [json.loads(line) for line in whole[:end].decode("utf-8").splitlines()]


def store_lines(path: Path, entries: Iterable[dict]) -> Iterable[dict]:
    """Each of `entries` after its line has been added to `path`, at once: what is on disk need not be made again."""
    with path.open("a", encoding="utf-8", buffering=1) as out:
        for entry in entries:
            out.write(json.dumps(entry) + "\n")
            yield entry

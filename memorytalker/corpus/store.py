"""A file of JSON lines that grows during a long step; an interruption loses no finished line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path


def stored_lines(path: Path) -> list[dict]:
    """Read the entries of `path`, none if there is no such file; an unfinished last line is ignored."""
    if not path.is_file():
        return []
    whole = path.read_bytes()
    return [json.loads(line) for line in whole[: _finished(whole)].decode("utf-8").splitlines()]


def store_lines(path: Path, entries: Iterable[dict]) -> Iterator[dict]:
    """Append each of `entries` to `path` at once, and yield it; an unfinished last line is removed first."""
    with path.open("ab") as out:
        out.truncate(_finished(path.read_bytes()))
    with path.open("a", encoding="utf-8", buffering=1) as out:
        for entry in entries:
            out.write(json.dumps(entry) + "\n")
            yield entry


def _finished(whole: bytes) -> int:
    return whole.rfind(b"\n") + 1

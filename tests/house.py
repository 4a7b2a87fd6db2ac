"""The table "Who may import whom" of ARCHITECTURE.md and the imports of the code, both as data.

`python tests/house.py` prints the table that the code has by now, to be read against the one that stands there.

A row is `place -> what it may import + packages`, separated by commas:
- a place is a room (a folder or a file of memorytalker/), `public` (its __init__.py), `app` (app.py beside it), or one
  file of a room, `room/file.py`, whose row is allowed on top of the room's own;
- what it may import is a room, `room.module` (only that module of it), `public`, or nothing at all;
- packages are third-party packages by the names they are imported by. The standard library is free.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "memorytalker"
HEADING = "## Who may import whom"
PUBLIC, APP = "public", "app"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PLACE = re.compile(rf"{_NAME}(/{_NAME})*(\.py)?")
_TARGET = re.compile(rf"{_NAME}(\.{_NAME})*")


class TableError(ValueError):
    """A table that does not keep to its form; the message names the row."""


@dataclass
class Row:
    """What one place may import."""

    rooms: set[str] = field(default_factory=set)  # "room" or "room.module"
    packages: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Import:
    """One import of a file: `place` is the file ("models/speech.py"), `target` a dotted name below memorytalker."""

    place: str
    target: str  # "config", "evaluation.metrics", "public", or the name of a package
    package: bool


def printed_table(text: str) -> dict[str, Row]:
    """The rows of ARCHITECTURE.md by place. Raises TableError for whatever is not a row."""
    if text.count(HEADING) != 1:
        raise TableError(f"ARCHITECTURE.md needs one heading {HEADING!r}")
    after = text.split(HEADING)[1]
    block = re.search(r"```\n(.*?)```", after, re.DOTALL)
    if block is None or "\n## " in after[: block.start()]:
        raise TableError(f"there is no code block below {HEADING!r}")
    rows: dict[str, Row] = {}
    for line in filter(str.strip, block[1].splitlines()):
        place, arrow, allowed = (part.strip() for part in line.partition("->"))
        rooms, *packages = allowed.split("+")
        if not arrow or len(packages) > 1 or not _PLACE.fullmatch(place):
            raise TableError(f"not of the form 'place -> rooms + packages': {line}")
        if place in rows:
            raise TableError(f"{place} has two rows")
        rows[place] = Row(_names(rooms, line), _names(packages[0], line) if packages else set())
    return rows


def _names(text: str, line: str) -> set[str]:
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    if len(set(names)) != len(names) or not all(_TARGET.fullmatch(name) for name in names):
        raise TableError(f"names are separated by commas and stand once: {line}")
    return set(names)


def rooms() -> set[str]:
    """Every room there is in the code."""
    return {room_of(place_of(path)) for path in modules()} - {"__main__"} | {APP}


def room_of(place: str) -> str:
    """The room of a place: its first folder or its own name."""
    return {"__init__": PUBLIC}.get(name := place.split("/")[0].removesuffix(".py"), name)


def place_of(path: Path) -> str:
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).as_posix()


def modules() -> list[Path]:
    return [*sorted(PACKAGE.rglob("*.py")), ROOT / "app.py"]


def imports(paths: Iterable[Path]) -> Iterator[Import]:
    """Everything that files import from other rooms and from third-party packages, anywhere in them."""
    for path in paths:
        place = place_of(path)
        if place == "__main__.py":
            continue
        for name in sorted(imported_names(path)):
            first, *others = name.split(".")
            if first == PACKAGE.name:
                target = _target(others)
                if room_of(target.split(".")[0]) != room_of(place):
                    yield Import(place, target, package=False)
            elif first not in sys.stdlib_module_names:
                yield Import(place, first, package=True)


def imported_names(path: Path) -> set[str]:
    """Every dotted name a file imports, with relative imports made absolute and `from a import b` as a.b."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            name = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found |= {f"{name}.{alias.name}" for alias in node.names}
    return found


def _target(parts: list[str]) -> str:
    """Names below memorytalker -> the module they mean: the longest beginning that is a file or folder, or `public`."""
    found, folder = [], PACKAGE
    for part in parts:
        if not ((folder / part).is_dir() or (folder / f"{part}.py").is_file()):
            break
        found.append(part)
        folder = folder / part
    return ".".join(found) or PUBLIC


def allows(row: Row, wanted: Import) -> bool:
    """Whether a row allows an import: of that room, or of that module or one below it."""
    if wanted.package:
        return wanted.target in row.packages
    return any(wanted.target == room or wanted.target.startswith(f"{room}.") for room in row.rooms)


def circles(table: dict[str, Row]) -> list[list[str]]:
    """Rooms that import each other in a circle, each circle once."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for place, row in table.items():
        arrows[room_of(place)] |= {room.split(".")[0] for room in row.rooms} - {room_of(place)}
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(room: str, road: list[str]) -> None:
        if room in road:
            found.append([*road[road.index(room) :], room])
        elif room not in done:
            for other in sorted(arrows.get(room, ())):
                walk(other, [*road, room])
            done.add(room)

    for room in sorted(arrows):
        walk(room, [])
    return found


def table_of_the_code() -> str:
    """The rows as the code has them: a package that one file of several imports is a row of that file."""
    files, used = defaultdict(set), defaultdict(lambda: defaultdict(set))
    for path in modules():
        files[room_of(place_of(path))].add(place_of(path))
    for found in imports(modules()):
        name = found.target if found.package else found.target.split(".")[0]
        used[room_of(found.place)][(found.package, name)].add(found.place)
    lines = []
    for room in sorted(rooms()):
        own, single = Row(), defaultdict(Row)
        for (package, name), places in used[room].items():
            alone = package and len(places) == 1 and len(files[room]) > 1
            row = single[next(iter(places))] if alone else own
            (row.packages if package else row.rooms).add(name)
        for place, row in [(room, own), *sorted(single.items())]:
            third = f" + {', '.join(sorted(row.packages))}" if row.packages else ""
            lines.append(f"{place} -> {', '.join(sorted(row.rooms))}{third}".replace("->  +", "-> +"))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table_of_the_code())

"""Splits, which are data files: the sentences and speakers for training, validation and test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memorytalker.datasets.sequences import SPLITS, DatasetError
from memorytalker.files import read_json

_FORMAT = 1
_ENDING = "_split.json"
_LARGEST_SENTENCE = 9999
_MOST_ENTRIES, _LONGEST_NAME = 100_000, 200
#: How the name of a sequence is made of its speaker and the number of its sentence.
_PATTERN = re.compile(r"(?:[^{}]|\{speaker\}|\{sentence(?::0?[1-9]?d?)?\}){1,200}")
#: Names of sequences are also names of files.
SAFE_NAME = re.compile(r"[\w~+-][\w.~+-]*")


@dataclass(frozen=True)
class Entry:
    """One sequence that a split names."""

    name: str
    speaker: str
    split: str  # one of SPLITS


@dataclass(frozen=True)
class SplitTable:
    """Every sequence of every split.

    Attributes:
        name: of the table.
        source: where it comes from.
        entries: the sequences, in the order of the file.
    """

    name: str
    source: str
    entries: tuple[Entry, ...]


def split_names() -> tuple[str, ...]:
    """Return the names of the shipped split tables."""
    folder = Path(__file__).parent
    return tuple(sorted(path.name.removesuffix(_ENDING) for path in folder.glob(f"*{_ENDING}")))


def read_splits(source: str | Path) -> SplitTable:
    """Read a split table.

    The file is JSON: {"format": 1, "name": ..., "source": ..., "sequence": "{speaker}_sentence{sentence:02d}",
    "splits": {"train": {"speakers": [...], "sentences": "1-20,25"}, "validation": ..., "test": ...}}. A split may be
    absent.

    Args:
        source: a file, or the name of a shipped table (`split_names`).

    Returns:
        The table.

    Raises:
        DatasetError: the file is missing, or is no such table.
    """
    path = Path(__file__).parent / f"{source}{_ENDING}" if str(source) in split_names() else Path(source)
    try:
        table = read_json(path)
    except FileNotFoundError:
        raise DatasetError(
            f"There is no file of splits {path}; give a JSON file or one of the names {', '.join(split_names())}."
        ) from None
    except OSError:
        raise DatasetError(f"The splits in {path} cannot be read; check the path and who may read it.") from None
    except ValueError as error:
        raise DatasetError(f"The splits in {path} cannot be read as JSON: {error}.") from None
    try:
        return _table(table, path)
    except DatasetError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        raise DatasetError(f"{path.name} is not a file of splits; write it like {_example()}.") from None


def _example() -> Path:
    """A shipped table, as an example for messages."""
    return Path(__file__).parent / f"vocaset{_ENDING}"


def _table(table: dict[str, Any], path: Path) -> SplitTable:
    """The split table of plain JSON values. Raises DatasetError for names that cannot be used."""
    if table.get("format") != _FORMAT:
        raise DatasetError(f"{path.name} is not a file of splits of format {_FORMAT}; write it like {_example()}.")
    unknown = sorted(set(table["splits"]) - set(SPLITS))
    if unknown:
        raise DatasetError(f"{path.name} names the split {', '.join(unknown)}; there are {', '.join(SPLITS)}.")
    if not _PATTERN.fullmatch(table["sequence"]):  # anything else in braces could read attributes, or grow
        raise ValueError("no pattern of a name")
    entries: list[Entry] = []
    for split in SPLITS:
        part = table["splits"].get(split, {"speakers": [], "sentences": ""})
        for speaker in part["speakers"]:
            for sentence in sentences(part["sentences"]):
                if len(entries) == _MOST_ENTRIES or len(speaker) > _LONGEST_NAME:
                    raise DatasetError(f"{path.name} names too many sequences, or too long ones; split it up.")
                entries.append(Entry(table["sequence"].format(speaker=speaker, sentence=sentence), speaker, split))
    names = [entry.name for entry in entries]
    for name in names:  # names become paths
        if not SAFE_NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise DatasetError(
                f"{path.name} names a sequence {name[:40]!r}; use letters, digits, '_', '-', '.' and '~'."
            )
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DatasetError(f"{path.name} puts {twice[0]} into more than one place; name every sequence once.")
    return SplitTable(str(table["name"]), str(table["source"]), tuple(entries))


def sentences(text: str) -> Iterator[int]:
    """Yield the numbers of a text such as "1-20,25", both ends included.

    Args:
        text: ranges separated by commas.

    Raises:
        DatasetError: the text is anything else.
    """
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        numbers = (first, last or first)
        if not all(one.isdecimal() and len(one) <= 9 and int(one) <= _LARGEST_SENTENCE for one in numbers):
            raise DatasetError(f"{part[:40]!r} is not a range of sentences; write them as in '1-20,25'.")
        yield from range(int(first), int(last or first) + 1)

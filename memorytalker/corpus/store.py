"""Files of JSON lines: those that grow during a long step and lose no finished line, and lists in a source folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from memorytalker.config import shown
from memorytalker.corpus.clips import CorpusError
from memorytalker.files import Kind, is_number, read_lines
from memorytalker.phones import ENGLISH

#: Measures of a sound in the store of acoustics: single numbers, and lists of numbers.
_SINGLE, _LISTS = ("range", "brightness", "pitch"), ("effort", "open", "close")
_ANYTHING: Mapping[str, Kind] = MappingProxyType({})


def stored_phones(path: Path) -> dict[str, list | None]:
    """Phone times by sound: [start, end, label] triples, None where the sentence could not be aligned.

    Raises CorpusError as `stored_lines`.
    """
    entries = stored_lines(path, {"sound": str})
    for entry in entries:
        phones = entry.get("phones", [])
        if phones is not None and not (isinstance(phones, list) and phones and all(map(_is_timed, phones))):
            raise CorpusError(f"{path} has no phone times of {shown(entry['sound'])}; delete it to make it again.")
    return {entry["sound"]: entry["phones"] for entry in entries}


def stored_acoustics(path: Path) -> dict[str, dict]:
    """Measures by sound; those of an older version, which lack some, are left out. Raises CorpusError likewise."""
    entries = [entry for entry in stored_lines(path, {"sound": str}) if "brightness" in entry]
    for entry in entries:
        lists = [entry.get(name) for name in _LISTS]
        right = all(isinstance(values, list) and all(map(is_number, values)) for values in lists) and entry["effort"]
        if not right or not all(is_number(entry.get(name)) for name in _SINGLE):
            raise CorpusError(f"{path} has no measures of {shown(entry['sound'])}; delete it to make it again.")
    return {entry["sound"]: entry for entry in entries}


def stored_held(path: Path) -> dict[str, dict]:
    """Held sounds by clip name, as `held_vowels.make_held` returns them. Raises CorpusError likewise."""
    entries = stored_lines(path, {"name": str, "sound": str})
    for entry in entries:
        phones, holds, effort = (entry.get(name) for name in ("phones", "holds", "effort"))
        kept = [values for values in (phones, holds, effort) if isinstance(values, list)]
        right = len(kept) == 3 and (all(kept) or not entry["sound"])
        if not right or not all(map(_is_timed, kept[0] + kept[1])) or not all(map(is_number, kept[2])):
            raise CorpusError(f"{path} does not say what {shown(entry['name'])} holds; delete it to make it again.")
    return {entry["name"]: entry for entry in entries}


def _is_timed(phone: Any) -> bool:
    """Whether a value is [start, end, label]."""
    if not isinstance(phone, list) or len(phone) != 3:
        return False
    start, end, label = phone
    return is_number(start) and is_number(end) and start <= end and label in ENGLISH.phones


def stored_lines(path: Path, kinds: Mapping[str, Kind] = _ANYTHING) -> list[dict]:
    """The entries of `path`, none if there is no such file; an unfinished last line is ignored.

    Raises CorpusError for a file whose entries do not hold what `kinds` says, as in `files.read_lines`.
    """
    if not path.is_file():
        return []
    return _rows(path, kinds, "delete it to make it again", growing=True)


def source_lines(path: Path, kinds: Mapping[str, Kind]) -> list[dict]:
    """The lines of a list in the source folder. Raises CorpusError as `stored_lines`."""
    return _rows(path, kinds, "mend it as docs/training.md says", growing=False)


def _rows(path: Path, kinds: Mapping[str, Kind], remedy: str, growing: bool) -> list[dict[str, Any]]:
    try:
        return read_lines(path, kinds, growing)
    except OSError:
        raise CorpusError(f"{path} cannot be read; {remedy}.") from None
    except ValueError as error:
        raise CorpusError(f"{path} cannot be used ({error}); {remedy}.") from None

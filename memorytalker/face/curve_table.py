"""What every form of curve file becomes, the limits that hold before anything grows, and the names of shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.errors import InputError
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.sound.decode import shown_name

#: Bytes of a text file at the most, whatever it may last, and of a table a second: 60 rows of a phone take 50,000.
LARGEST_TEXT, LARGEST_SECOND = 64_000_000, 55_000
#: Numbers (rows times columns) at the most: an hour of 61 columns at 60 rows a second. Rows: an hour at 240. Columns.
MOST_VALUES, MOST_ROWS, MOST_COLUMNS = 16_000_000, 900_000, 512
#: Rows a second, from slow to fast, that recorded curves may have.
RATES = (5.0, 240.0)
_COLUMNS = {name.lower(): name for name in ARKIT_NAMES}
#: Letters of a name that may still be one of a shape.
_LONGEST_NAME = 200


class CurveFileError(InputError):
    """A file of face curves that cannot be used; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class CurveTable:
    """The columns of a curve file that are shapes of ARKit, as they stand there.

    shapes: n different names. values: (T, n) float, not yet checked. times: (T,) seconds, or None where the rows are
    even. fps: rows a second that the file states, or None. rate_remedy: what to do where neither is there.
    remarks: what was decided, in sentences.
    """

    shapes: tuple[str, ...]
    values: np.ndarray
    times: np.ndarray | None
    fps: float | None
    rate_remedy: str
    remarks: tuple[str, ...] = ()


def shape_named(column: str) -> str | None:
    """The ARKit shape that a tool means by `column`, or None: JawOpen, mouth_smile_L, leftMouthSmile, face.jawOpen.

    Capitals, separators, a prefix before a dot or colon, and the place of left and right do not matter.
    """
    if len(column) > _LONGEST_NAME:
        return None
    plain = re.split(r"[.:]", column.strip())[-1].lower()
    letters = re.sub(r"[^a-z]", "", plain)
    tried = [letters]
    for side in ("left", "right"):
        short = side[0]
        if letters.startswith(side):
            tried.append(letters[len(side) :] + side)
        if re.search(rf"[_\- ]{short}$", plain):
            tried.append(letters[:-1] + side)
        if re.match(rf"{short}[_\- ]", plain):
            tried.append(letters[1:] + side)
    return next((_COLUMNS[name] for name in tried if name in _COLUMNS), None)


def shape_columns(name: str, columns: Sequence[str]) -> tuple[list[int], tuple[str, ...]]:
    """Which of the named `columns` of the file `name` are shapes of ARKit, and which shapes.

    Raises CurveFileError if there is none, if two mean one shape, or for more than `MOST_COLUMNS`.
    """
    if len(columns) > MOST_COLUMNS:
        raise CurveFileError(f"{name} has {len(columns)} columns; export ARKit's 52 alone.")
    used: dict[str, int] = {}
    for index, column in enumerate(columns):
        shape = shape_named(column)
        if shape in used:
            raise CurveFileError(f"{name} holds {shape} twice, as {listed([columns[used[shape]], column])}; keep one.")
        if shape:
            used[shape] = index
    if not used:
        raise CurveFileError(
            f"{name} names no shape of ARKit, such as jawOpen, but {listed(columns)}; export it with ARKit's names."
        )
    return list(used.values()), tuple(used)


def check_size(name: str, rows: int, columns: int) -> None:
    """Raise CurveFileError for more numbers than may be held."""
    if rows > MOST_ROWS or rows * columns > MOST_VALUES:
        raise CurveFileError(f"{name} holds {rows} rows of {columns} columns, too many at once; cut it into takes.")


def checked_rate(name: str, fps: Any, wanted: str) -> float:
    """Return a frame rate within `RATES`. Otherwise raises CurveFileError, which asks for `wanted`."""
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not RATES[0] <= fps <= RATES[1]:
        raise CurveFileError(f"{name} needs {wanted}, the frames per second, from {RATES[0]:g} to {RATES[1]:g}.")
    return float(fps)


def listed(names: Iterable[str], most: int = 4) -> str:
    """Names out of a file for use in a message: the first few, short and free of markup."""
    names = list(names)
    # A path of one part keeps what stands before a slash.
    shown = [shown_name(Path(name.replace("/", "_")[:30])) if name else "one without a name" for name in names[:most]]
    return ", ".join(shown) + (", ..." if len(names) > most else "") if names else "nothing"


def text_bytes(path: Path, name: str, longest_seconds: float = 0.0) -> bytes:
    """The whole of a text file, of a table that may last `longest_seconds`.

    Raises CurveFileError if it is larger than `LARGEST_TEXT` and what these seconds take, or no file.
    """
    largest = max(LARGEST_TEXT, int(longest_seconds * LARGEST_SECOND))
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except (OSError, ValueError):
        raise CurveFileError(f"{name} cannot be opened; check that it may be read.") from None
    if len(data) > largest:
        raise CurveFileError(f"{name} is larger than {largest // 1_000_000} MB; cut it into shorter takes.")
    return data


def encoding_of(data: bytes) -> str:
    """UTF-16 for text that begins with its mark, as spreadsheets save it; else UTF-8, with or without a mark."""
    return "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"

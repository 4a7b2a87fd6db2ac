"""Face curves in CSV: Live Link Face's (a timecode a row) and NVIDIA's (seconds a row), columns by name."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from memorytalker.face.curve_table import (
    MOST_ROWS,
    MOST_VALUES,
    CurveFileError,
    CurveTable,
    check_size,
    encoding_of,
    listed,
    shape_columns,
    text_bytes,
)
from memorytalker.face.timecodes import timecode_seconds

#: The column of the times, in small letters: of "12:27:47:47.169" or of seconds.
_TIME = "timecode"
#: Letters of a line at the most.
_LONGEST_LINE = 65_536


def read_csv(path: Path, name: str, longest_seconds: float = 0.0) -> CurveTable:
    """The table of the CSV file `path`, called `name` in messages. Raises CurveFileError in one sentence."""
    try:
        rows = _rows(path, name, longest_seconds)
        header = next(rows, (0, []))[1]
        time = _time_column(name, header)
        used, shapes = shape_columns(name, header)
        times, values = _columns(name, header, rows, time, used)
    except (UnicodeError, csv.Error):
        raise CurveFileError(f"{name} is no CSV in UTF-8; save it as such.") from None
    if not times:
        raise CurveFileError(f"{name} holds no row below its header; export the recording again.")
    remarks: tuple[str, ...] = ()
    if any(":" in cell for cell in times):
        seconds, remarks = timecode_seconds(name, times)
    else:
        seconds = _seconds(name, times)
    return CurveTable(shapes, np.frombuffer(values).reshape(len(times), len(used)), seconds, None, "", remarks)


def _rows(path: Path, name: str, longest_seconds: float) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each line that is not empty; a cell never spans lines."""
    data = text_bytes(path, name, longest_seconds)
    with io.TextIOWrapper(io.BytesIO(data), encoding_of(data), newline=None) as file:
        number = 0
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE or "\0" in line:
                raise CurveFileError(f"Line {number} of {name} is no row of a table; export it again as CSV.")
            cells = next(csv.reader((line,)), [])
            if any(cell.strip() for cell in cells):
                yield number, cells


def _time_column(name: str, header: list[str]) -> int:
    found = [column for column, cell in enumerate(header) if cell.strip().lower() == _TIME]
    if len(found) == 1:
        return found[0]
    if len(header) == 1 and header[0].count(";") + header[0].count("\t") > 1:
        raise CurveFileError(f"{name} does not part its cells with commas; save it with commas, and decimal points.")
    kind = "has more than one column" if found else f"begins with the columns {listed(header)} and has no column"
    raise CurveFileError(
        f"{name} {kind} Timecode; export it as Live Link Face does, with Timecode and columns named like JawOpen."
    )


def _columns(
    name: str, header: list[str], rows: Iterator[tuple[int, list[str]]], time: int, used: list[int]
) -> tuple[list[str], array]:
    """Read the time cells, and the numbers of the columns `used` row by row."""
    times: list[str] = []
    values = array("d")
    most = min(MOST_ROWS, MOST_VALUES // len(header))
    for number, cells in rows:
        if len(cells) != len(header):
            raise CurveFileError(
                f"Line {number} of {name} has {len(cells)} cells where its header has {len(header)}; export it again, "
                "or delete the line."
            )
        try:
            values.extend([float(cells[column]) for column in used])
        except ValueError:
            column = next(column for column in used if not _is_number(cells[column]))
            raise CurveFileError(
                f"Line {number} of {name} holds no number for {listed([header[column]])}; export it again."
            ) from None
        times.append(cells[time].strip())
        if len(times) > most:
            check_size(name, len(times), len(header))
    return times, values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _seconds(name: str, times: list[str]) -> np.ndarray:
    """Parse times in seconds, as NVIDIA writes them."""
    for number, cell in enumerate(times):
        if not _is_number(cell):
            raise CurveFileError(
                f"The time of row {number + 1} of {name} is neither hours:minutes:seconds:frames nor seconds; export "
                "it again."
            )
    return np.array([float(cell) for cell in times])

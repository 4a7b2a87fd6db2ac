"""What formats of text share: rows written one by one with progress, and JSON whose long lists have a line a row."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.exports.take import ExportError, Take
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.motion import FaceCurves
from memorytalker.progress import Progress

#: Digits behind the point of a weight in JSON: more than half a step of float32 at 1.
DECIMALS = 7
#: Rows between two reports of progress.
REPORTED = 64


def arkit_curves(take: Take) -> FaceCurves:
    """Return the curves of a take in the order of `ARKIT_NAMES`; a shape without a curve gets zeros.

    Raises:
        ExportError: curves without a name of ARKit, or a moving curve of another name.
    """
    curves = take.need_curves()
    moving = [name for name in curves.names if name not in ARKIT_NAMES and curves.curve(name).any()]
    if moving or not set(curves.names) & set(ARKIT_NAMES):
        named = ", ".join((moving or list(curves.names))[:3])
        raise ExportError(f"This format holds ARKit's 52 shapes alone, not {named}; rename or zero such curves.")
    return curves.reordered(ARKIT_NAMES)


def weight_rows(weights: np.ndarray, progress: Progress | None) -> Iterator[list[float]]:
    """Yield the rows of weights (T, n), rounded to `DECIMALS`, and report progress."""
    for _, row in reported(weights, progress):
        yield np.round(row.astype(np.float64), DECIMALS).tolist()


def reported(rows: np.ndarray, progress: Progress | None) -> Iterator[tuple[int, np.ndarray]]:
    """Enumerate rows; `progress` is called before every `REPORTED` of them and after the last."""
    for index, row in enumerate(rows):
        if progress is not None and index % REPORTED == 0:
            progress(index, len(rows), "export")
        yield index, row
    if progress is not None:
        progress(len(rows), len(rows), "export")


def number(value: float) -> int | float:
    """Return a whole number as int, so that JSON says 30 and not 30.0."""
    return int(value) if float(value).is_integer() else float(value)


def provenance(take: Take, units: Mapping[str, str]) -> dict[str, Any]:
    """Return the provenance of a take, its frame rate, units and lip residual as plain values for JSON."""
    about = {**dataclasses.asdict(take.provenance), "fps": number(take.fps), "units": dict(units)}
    return {**about, "lip_residual_mm": residual(take)}


def residual(take: Take) -> float | None:
    """Return the lip residual of a take in millimetres for JSON, rounded; None where the curves are the motion."""
    return None if take.lip_residual_mm is None else round(float(take.lip_residual_mm), 4)


def write_json(path: Path, members: Mapping[str, Any]) -> None:
    """Write a JSON object with a line for each member, and for each element of a member that is an iterator.

    Args:
        path: the file.
        members: name -> plain values, an iterator of plain values (a list in the file), or a mapping that holds one.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for piece in _object(members):
            file.write(piece)
        file.write("\n")


def _object(members: Mapping[str, Any]) -> Iterator[str]:
    mark = "{\n"
    for name, value in members.items():
        yield f"{mark}{json.dumps(name)}: "
        if isinstance(value, Iterator):
            yield from _rows(value)
        else:
            yield json.dumps(value, allow_nan=False)
        mark = ",\n"
    yield "\n}"


def _rows(rows: Iterable[Any]) -> Iterator[str]:
    mark = "[\n"
    for row in rows:
        yield mark + json.dumps(row, allow_nan=False)
        mark = ",\n"
    yield "[]" if mark == "[\n" else "\n]"

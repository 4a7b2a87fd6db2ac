"""Timecodes (hours:minutes:seconds:frames) -> seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memorytalker.face.curve_table import CurveFileError

#: What Live Link Face divides a second into.
SIXTIETHS = 60
_DAY = 86_400.0


def timecode_seconds(name: str, timecodes: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Seconds (T,) float64 of the `timecodes` of the file `name`, counted on over midnight, and remarks in sentences.

    Raises CurveFileError for what is no timecode.
    """
    fields = _fields(name, timecodes)
    whole = np.unwrap(fields[:, :3] @ (3600.0, 60.0, 1.0), period=_DAY)
    rows = fields[:, 3]
    if len(rows) > 2 and np.median(np.diff(whole)) >= 1.0:
        raise CurveFileError(
            f"The timecode of {name} advances a second or more per row; export it with hours:minutes:seconds:frames."
        )
    return whole + rows / SIXTIETHS, ()


def _fields(name: str, timecodes: Sequence[str]) -> np.ndarray:
    """Hours, minutes, seconds and frames (T, 4)."""
    fields = np.empty((len(timecodes), 4))
    for number, timecode in enumerate(timecodes):
        parts = timecode.replace(";", ":").split(":")  # a semicolon stands before frames that are counted with drops
        try:
            fields[number] = [float(part) for part in parts]
        except ValueError:
            fields[number] = np.nan
        if len(parts) != 4 or not (fields[number] >= 0).all() or not (fields[number] < (24 * 100, 60, 60, 1000)).all():
            raise CurveFileError(
                f"The timecode of row {number + 1} of {name} cannot be read; export it as hours:minutes:seconds:frames."
            )
    return fields

"""Reading recorded face curves: npz takes and the CSV of phone face trackers (Live Link Face), always by name."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..head import ARKIT_NAMES
from ..motion import FaceCurves, MotionError
from .landmarks import CaptureError

#: Timecodes (hours:minutes:seconds:frames) of Live Link Face count frames, with their fraction, at this rate.
TIMECODE_RATE = 60.0
_COLUMNS = {name.lower(): name for name in ARKIT_NAMES}


def read_curves(path: str | Path) -> FaceCurves:
    """Face curves of a recording: `.npz` (weights (T, n), names, fps) or `.csv` with a Timecode and named columns.

    Columns are found by name, whatever their order and capitals; columns that are no ARKit shape (head and eye
    rotations) are left out. A CSV is put on an even time line that begins at its first row.
    Raises CaptureError when the file is missing, is neither, or names no shape.
    """
    path = Path(path)
    if not path.is_file():
        raise CaptureError(f"There is no recording {path}.")
    try:
        return _read_csv(path) if path.suffix.lower() == ".csv" else _read_npz(path)
    except MotionError as error:
        raise CaptureError(f"The recording {path} cannot be used: {error}") from None


def _read_npz(path: Path) -> FaceCurves:
    try:
        with np.load(path, allow_pickle=False) as data:
            return FaceCurves(data["weights"], tuple(str(name) for name in data["names"]), float(data["fps"]))
    except MotionError:
        raise
    except (OSError, KeyError, ValueError, EOFError):
        raise CaptureError(f"{path} is not a recording: an npz with weights, names and fps.") from None


def _read_csv(path: Path) -> FaceCurves:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.DictReader(file) if row.get("Timecode")]
        shapes = [column for column in rows[0] if column and column.lower() in _COLUMNS] if rows else []
        if not shapes:
            raise CaptureError(f"{path} has no Timecode rows with columns named like EyeBlinkLeft or JawOpen.")
        times = np.array([_seconds(row["Timecode"]) for row in rows])
        values = np.array([[float(row[column]) for column in shapes] for row in rows])
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        if isinstance(error, CaptureError):
            raise
        raise CaptureError(f"{path} is not a face tracker's CSV: {error}.") from None
    times -= times[0]
    keep = np.r_[True, np.diff(np.maximum.accumulate(times)) > 0]  # a repeated or earlier time adds nothing
    times, values = times[keep], values[keep]
    if len(times) < 2:
        raise CaptureError(f"{path} holds fewer than two moments; record at least a second.")
    fps = float(np.round(1.0 / np.median(np.diff(times))))
    even = np.arange(int(times[-1] * fps) + 1) / fps
    weights = np.stack([np.interp(even, times, column) for column in values.T], 1)
    # trackers overshoot a little; what lies outside [0, 1] is no shape of the face
    return FaceCurves(np.clip(weights, 0.0, 1.0), tuple(_COLUMNS[column.lower()] for column in shapes), fps)


def _seconds(timecode: str) -> float:
    hours, minutes, seconds, frames = (float(part) for part in timecode.split(":"))
    return hours * 3600 + minutes * 60 + seconds + frames / TIMECODE_RATE

"""Reading recorded face curves from npz, JSON and the CSV of face trackers, matched by name, with bounded memory.

Frame 0 of a recording is at time 0 of its sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from memorytalker.face.array_files import ArrayFile, ArrayFileError, open_arrays
from memorytalker.face.curve_csv import read_csv
from memorytalker.face.curve_json import read_json
from memorytalker.face.curve_table import (
    MOST_COLUMNS,
    RATES,
    CurveFileError,
    CurveTable,
    check_size,
    checked_rate,
    listed,
    shape_columns,
    shape_named,
)
from memorytalker.face.motion import FaceCurves, MotionError
from memorytalker.outputs import is_file
from memorytalker.sound.decode import shown_name

__all__ = ["LONGEST_SECONDS", "SUFFIXES", "CurveFileError", "RecordedCurves", "read_curves", "shape_named"]

#: Files that `read_curves` knows.
SUFFIXES = (".csv", ".json", ".npz")
#: Longest recording that is read by default, in seconds.
LONGEST_SECONDS = 3600.0
#: Trackers overshoot [0, 1] by up to this much; more is another unit, such as percent.
OVERSHOOT = 0.5
#: Seconds without a row: longer ones are refused; shorter ones are interpolated, with a remark above the second value.
LONGEST_GAP, REMARKED_GAP = 1.0, 0.2
#: A time this many seconds before an earlier row's is not timing jitter but another take.
LONGEST_RETURN = 0.5


@dataclass(frozen=True, eq=False)
class RecordedCurves:
    """Face curves of a file. remarks: what was decided while reading, in sentences for the user."""

    curves: FaceCurves
    remarks: tuple[str, ...] = ()


def read_curves(path: str | Path, fps: float | None = None, longest_seconds: float = LONGEST_SECONDS) -> RecordedCurves:
    """Read the face curves of a recording.

    Formats: `.npz` with weights (T, n), names and fps. `.csv` with a Timecode (Live Link Face) or timeCode in seconds
    (NVIDIA), and named columns. `.json` as {"fps", "names", "weights"}; as {"fps", "frames"} with one object per frame,
    name -> weight or {"time": seconds, "blendShapes": {name: weight}}; LAM's bsData.json; Omniverse Audio2Face's
    {"exportFps", "facsNames", "weightMat"}. Frames with times need no fps; they are resampled to an even rate from the
    first on. Columns are matched by `shape_named`; those that are no ARKit shape (head and eye rotation) are ignored.

    Args:
        path: the recording.
        fps: frames per second, for a file that does not state them.
        longest_seconds: longer recordings are refused before they grow in memory.

    Returns:
        Curves of the ARKit shapes that the file names, clipped to [0, 1], with remarks.

    Raises:
        CurveFileError: if the file is missing, has none of these formats, names no shape, or holds other than weights.
    """
    path = Path(path)
    name = shown_name(path)
    readers: dict[str, Callable[[Path, str], CurveTable]] = {
        ".csv": read_csv,
        ".json": read_json,
        ".npz": partial(_read_npz, fps=fps, longest_seconds=longest_seconds),
    }
    if not is_file(path):
        raise CurveFileError(f"There is no recording {name}, or it is no ordinary file; check the path.")
    if path.suffix.lower() not in readers:
        raise CurveFileError(f"{name} is no recording of a face; give one of {', '.join(SUFFIXES)}.")
    table = readers[path.suffix.lower()](path, name)
    remarks = table.remarks
    if table.times is not None:
        values, rate, more = _on_even_times(name, table, table.times, longest_seconds)
        remarks += more
    else:
        values, rate = table.values, _rate(name, table, fps)
        _check_duration(name, len(values) / rate, longest_seconds)
    try:
        return RecordedCurves(FaceCurves(_weights(name, values), table.shapes, rate), remarks)
    except MotionError as error:
        raise CurveFileError(f"The recording {name} cannot be used: {error}") from None


def _read_npz(path: Path, name: str, fps: float | None, longest_seconds: float) -> CurveTable:
    """Read an npz of curves. Shapes and lengths are checked in the headers; the weights are read last."""
    try:
        arrays = open_arrays(path)
        headers = arrays.headers
        if not {"weights", "names"} <= set(headers):
            raise CurveFileError(
                f"{name} holds {listed(headers)} and is not a recording; save an npz with weights, names and fps."
            )
        columns = _npz_names(name, arrays)
        weights = headers["weights"]
        if len(weights.shape) != 2 or weights.shape[1] != len(columns) or weights.dtype.kind not in "fiu":
            raise CurveFileError(f"{name} needs a row of {len(columns)} weights, one a name, for each frame.")
        check_size(name, *weights.shape)
        used, shapes = shape_columns(name, columns)
        own_rate = None
        if "fps" in headers:
            wanted = headers["fps"].dtype.kind in "fiu" and headers["fps"].shape in ((), (1,))
            own_rate = checked_rate(name, float(arrays.read("fps").item()) if wanted else None, "fps, one number")
        table = CurveTable(shapes, np.empty((0, len(used))), None, own_rate, "save fps beside the weights")
        _check_duration(name, weights.shape[0] / _rate(name, table, fps), longest_seconds)
        return CurveTable(shapes, arrays.read("weights")[:, used], None, own_rate, table.rate_remedy)
    except ArrayFileError as error:
        raise CurveFileError(str(error)) from None


def _npz_names(name: str, arrays: ArrayFile) -> list[str]:
    header = arrays.headers["names"]
    if len(header.shape) != 1 or header.dtype.kind not in "US" or header.dtype.itemsize > 1_000:
        raise CurveFileError(f"The names of {name} are no list of words; save them as a plain array of text.")
    if header.shape[0] > MOST_COLUMNS:
        raise CurveFileError(f"{name} has {header.shape[0]} columns; export ARKit's 52 alone.")
    words = arrays.read("names")
    try:
        columns = words.tolist()
        return [str(column, "utf-8") if isinstance(column, bytes) else column for column in columns]
    except ValueError:  # numbers that stand for no letter
        raise CurveFileError(f"The names of {name} are no words; save them as a plain array of text.") from None


def _rate(name: str, table: CurveTable, fps: float | None) -> float:
    rate = table.fps if table.fps is not None else fps
    if rate is None:
        raise CurveFileError(f"{name} does not say its frames per second; {table.rate_remedy}.")
    return checked_rate(name, rate, "a frame rate")


def _check_duration(name: str, seconds: float, longest: float) -> None:
    if seconds > longest + 1e-6:  # times in a file are rounded
        raise CurveFileError(f"{name} lasts {seconds:.1f} s; cut it and its sound to at most {longest:g} s.")


def _on_even_times(
    name: str, table: CurveTable, times: np.ndarray, longest_seconds: float
) -> tuple[np.ndarray, float, tuple[str, ...]]:
    """Resample values at uneven `times` (T,) in seconds to an even rate. Returns them, the rate and remarks."""
    times, values, remarks = _rising(name, times, table.values)
    steps = np.diff(times)
    step = float(np.median(steps))
    if step * RATES[0] > 1.0 + 1e-6:
        raise CurveFileError(
            f"The rows of {name} are {step:g} s apart; export at least 5 a second, with times in seconds."
        )
    fps = float(np.round(1.0 / step)) if step * (RATES[1] + 0.5) > 1.0 else np.inf
    if fps > RATES[1]:
        raise CurveFileError(
            f"The rows of {name} are {1000 * step:.3g} ms apart; give times in seconds and at most {RATES[1]:g} rows "
            "in each."
        )
    _check_duration(name, float(times[-1]) + 1.0 / fps, longest_seconds)
    longest = float(steps.max())
    start = float(times[int(steps.argmax())])
    if longest > LONGEST_GAP:
        raise CurveFileError(f"{name} has no rows for {longest:.1f} s from {start:.1f} s on; cut it there.")
    if longest > REMARKED_GAP + step:
        remarks += (f"It has no rows for {longest:.2f} s from {start:.2f} s on; the curves are interpolated there.",)
    if table.fps is not None and abs(table.fps - fps) > 0.01 * fps:
        remarks += (f"The times in the file make {fps:g} frames a second, not {table.fps:g}; the times are used.",)
    frames = int(times[-1] * fps + 1e-6) + 1
    check_size(name, frames, len(table.shapes))
    even = np.arange(frames) / fps
    return np.stack([np.interp(even, times, column) for column in values.T], 1), fps, remarks


def _rising(name: str, times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Strictly rising times from 0, with their rows; a remark if rows were dropped."""
    with np.errstate(over="ignore", invalid="ignore"):
        times = times - times[0]
        latest = np.maximum.accumulate(times)
    if not np.isfinite(times).all():
        raise CurveFileError(f"{name} has no times that are numbers; give seconds.")
    back = float((latest - times).max())
    if back > LONGEST_RETURN:
        row = int((latest - times).argmax())
        raise CurveFileError(f"The times of {name} go back by {back:.3g} s at row {row + 1}; give each take a file.")
    keep = np.r_[True, np.diff(latest) > 0]
    times, values = times[keep], values[keep]
    if len(times) < 2:
        raise CurveFileError(f"{name} holds fewer than two moments; record at least a second.")
    lost = int((~keep).sum())
    return times, values, (f"Rows left out because they repeat an earlier time: {lost}.",) if lost else ()


def _weights(name: str, values: np.ndarray) -> np.ndarray:
    """The values (T, n) as float32, held within [0, 1] where a tracker overshot a little."""
    with np.errstate(over="ignore"):
        weights = values.astype(np.float32)
    if not weights.size:
        raise CurveFileError(f"{name} holds no frame; export the recording again.")
    if not np.isfinite(weights).all():
        raise CurveFileError(f"The weights of {name} hold NaN or infinite values; repair or drop those frames first.")
    low, high = float(weights.min()), float(weights.max())
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise CurveFileError(f"The weights of {name} go from {low:.3g} to {high:.3g}; export them from 0 to 1.")
    return np.clip(weights, 0.0, 1.0, out=weights)

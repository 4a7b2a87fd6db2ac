"""Reading recorded face curves: npz, JSON, and the CSV of phone face trackers (Live Link Face), always by name.

Frame 0 of a recording is at time 0 of its sound.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.corpus.landmarks import CaptureError
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.motion import FaceCurves, MotionError

#: Timecodes (hours:minutes:seconds:frames) of Live Link Face count frames, with their fraction, at this rate.
TIMECODE_RATE = 60.0
#: Files that `read_curves` knows.
SUFFIXES = (".csv", ".json", ".npz")
#: Trackers overshoot [0, 1] by up to this much; more is another unit, such as percent.
OVERSHOOT = 0.5
#: Seconds without a row over which motion is not drawn as a straight line.
LONGEST_GAP = 1.0
#: Names of the time, in seconds, and of the shapes in a frame of JSON, in small letters.
_TIMES, _SHAPES = ("time", "timestamp"), ("blendshapes", "weights")
_COLUMNS = {name.lower(): name for name in ARKIT_NAMES}
_JSON_FORMS = '{"fps": 60, "names": [...], "weights": [[...]]} or {"fps": 60, "frames": [{"jawOpen": 0.1, ...}]}'


def read_curves(path: str | Path) -> FaceCurves:
    """Face curves of a recording, of those shapes of ARKit that it names, within [0, 1].

    `.npz`: weights (T, n), names, fps. `.csv`: a Timecode and named columns. `.json`: {"fps", "names", "weights"}, or
    {"fps", "frames"} with one object a frame, name to weight, or {"time": seconds, "blendShapes": {name: weight}}; with
    a time in every frame fps is not needed. Names are matched by `shape_named`; what is no shape of ARKit (head and
    eye rotations) is left out. Rows with times are put on an even time line that begins at the first.
    Raises CaptureError when the file is missing, is none of these, names no shape, or holds other than weights.
    """
    path = Path(path)
    if not path.is_file():
        raise CaptureError(f"There is no recording {path}.")
    readers = {".csv": _read_csv, ".json": _read_json, ".npz": _read_npz}
    if path.suffix.lower() not in readers:
        raise CaptureError(f"{path} is no recording of a face; give one of {', '.join(SUFFIXES)}.")
    try:
        return readers[path.suffix.lower()](path)
    except MotionError as error:
        raise CaptureError(f"The recording {path} cannot be used: {error}") from None


def shape_named(column: str) -> str | None:
    """The ARKit shape that a tool means by `column`, or None: JawOpen, mouth_smile_L, leftMouthSmile, face.jawOpen.

    Capitals, separators, a prefix before a dot or colon, and the place of left and right do not matter.
    """
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


def _read_npz(path: Path) -> FaceCurves:
    try:
        with np.load(path, allow_pickle=False) as data:
            return _curves(path, [str(name) for name in data["names"]], data["weights"], float(data["fps"]))
    except (MotionError, CaptureError):
        raise
    except (OSError, KeyError, ValueError, TypeError, EOFError):
        raise CaptureError(f"{path} is not a recording: an npz with weights, names and fps.") from None


def _read_csv(path: Path) -> FaceCurves:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.DictReader(file) if row.get("Timecode")]
        shapes = [column for column in rows[0] if column and shape_named(column)] if rows else []
        if not shapes:
            raise CaptureError(f"{path} has no Timecode rows with columns named like EyeBlinkLeft or JawOpen.")
        times = np.array([_seconds(row["Timecode"]) for row in rows])
        values = np.array([[float(row[column]) for column in shapes] for row in rows])
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        if isinstance(error, CaptureError):
            raise
        raise CaptureError(f"{path} is not a face tracker's CSV: {error}.") from None
    return _timed(path, shapes, values, times)


def _read_json(path: Path) -> FaceCurves:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(data, dict) or not ("weights" in data or "frames" in data):
            raise CaptureError(f"{path} is not a recording of a face; write {_JSON_FORMS}.")
        if "weights" in data:
            names, values, times = list(data["names"]), np.array(data["weights"], np.float64), None
        else:
            names, values, times = _json_frames(path, data["frames"])
        if times is None:
            return _curves(path, names, values, _rate(path, data.get("fps")))
    except CaptureError:
        raise
    except RecursionError:
        raise CaptureError(f"{path} is not a recording of a face; write {_JSON_FORMS}.") from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CaptureError(f"{path} is damaged ({type(error).__name__}: {error}); write {_JSON_FORMS}.") from None
    return _timed(path, names, values, times)


def _json_frames(path: Path, frames: Any) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Names, values (T, n) and times (T,) in seconds, None without, of a list with one object a frame."""
    rows, times = [], []
    for frame in frames:
        found = {key.lower(): value for key, value in frame.items()}
        times.append(next((found[name] for name in _TIMES if name in found), None))
        inside = next((found[name] for name in _SHAPES if isinstance(found.get(name), dict)), frame)
        rows.append({name: value for name, value in inside.items() if shape_named(name)})
    if not rows:
        raise CaptureError(f"{path} holds no frame; export the recording again.")
    names = list(rows[0])
    for number, row in enumerate(rows):
        if set(row) != set(names):
            name = sorted(set(row) ^ set(names))[0]
            raise CaptureError(f"{path} names {name} in some frames alone (see frame {number}); export every frame.")
    if any(time is None for time in times) and any(time is not None for time in times):
        raise CaptureError(f"{path} has frames without a time; give all of them one, in seconds, or none and fps.")
    values = np.array([[float(row[name]) for name in names] for row in rows])
    return names, values, None if times[0] is None else np.array(times, np.float64)


def _rate(path: Path, fps: Any) -> float:
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 5 <= fps <= 1000:
        raise CaptureError(f'{path} needs "fps", the frames per second, from 5 to 1000, or a "time" in each frame.')
    return float(fps)


def _timed(path: Path, names: Sequence[str], values: np.ndarray, times: np.ndarray) -> FaceCurves:
    """Rows at any `times` (T,), seconds, on an even time line from the first on."""
    if not np.isfinite(times).all() or not len(times):
        raise CaptureError(f"{path} has no times that are numbers; give seconds.")
    times = times - times[0]
    keep = np.r_[True, np.diff(np.maximum.accumulate(times)) > 0]  # a repeated or earlier time adds nothing
    times, values = times[keep], values[keep]
    if len(times) < 2:
        raise CaptureError(f"{path} holds fewer than two moments; record at least a second.")
    steps = np.diff(times)
    if np.median(steps) > 0.25:
        raise CaptureError(
            f"The rows of {path} are {np.median(steps):g} s apart; give times in seconds and 5 rows in each."
        )
    if steps.max() > LONGEST_GAP:
        start = times[int(steps.argmax())]
        raise CaptureError(f"{path} has no rows for {steps.max():.1f} s from {start:.1f} s on; cut it there.")
    fps = float(np.round(1.0 / np.median(steps)))
    even = np.arange(int(times[-1] * fps + 1e-6) + 1) / fps
    return _curves(path, names, np.stack([np.interp(even, times, column) for column in values.T], 1), fps)


def _curves(path: Path, names: Sequence[str], values: np.ndarray, fps: float) -> FaceCurves:
    """The columns that are shapes of ARKit, held within [0, 1] where a tracker overshot a little."""
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(names) or values.dtype.kind not in "fiu":
        raise CaptureError(f"{path} needs a row of {len(names)} weights, one a name, for each frame.")
    shapes = [shape_named(str(name)) for name in names]
    used = [column for column, shape in enumerate(shapes) if shape]
    if not used:
        raise CaptureError(f"{path} names no shape of ARKit, such as jawOpen; export it with ARKit's names.")
    weights = values[:, used].astype(np.float64)
    if np.isfinite(weights).all() and weights.size:
        low, high = float(weights.min()), float(weights.max())
        if low < -OVERSHOOT or high > 1 + OVERSHOOT:
            raise CaptureError(f"The weights of {path} go from {low:.3g} to {high:.3g}; export them from 0 to 1.")
        weights = np.clip(weights, 0.0, 1.0)
    return FaceCurves(weights, tuple(str(shapes[column]) for column in used), fps)


def _seconds(timecode: str) -> float:
    hours, minutes, seconds, frames = (float(part) for part in timecode.split(":"))
    return hours * 3600 + minutes * 60 + seconds + frames / TIMECODE_RATE

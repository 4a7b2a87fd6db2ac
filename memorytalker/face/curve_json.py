"""Face curves in JSON, by name: LAM's bsData.json, Omniverse Audio2Face's export, and two plain forms."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from memorytalker.face.curve_table import (
    LARGEST_JSON,
    MOST_COLUMNS,
    CurveFileError,
    CurveTable,
    check_bytes,
    check_size,
    checked_rate,
    encoding_of,
    listed,
    shape_columns,
    shape_named,
)

#: Names of the time, in seconds, and of the shapes in a frame, in small letters.
_TIMES, _SHAPES = ("time", "timestamp"), ("blendshapes", "weights")
FORMS = '{"fps": 60, "names": [...], "weights": [[...]]} or {"fps": 60, "frames": [{"jawOpen": 0.1, ...}]}'
#: Bytes that parsed JSON may take at the most, and about how many a bracket, a comma and a colon of it stand for.
LARGEST_PARSED = 460_000_000
PARSED = ((b"{", 250), (b"[", 80), (b",", 60), (b":", 170))
#: Different names of values in the frames of a file at the most.
_MOST_NAMES = 2_000


def read_json(path: Path, name: str) -> CurveTable:
    """The table of the JSON file `path`, called `name` in messages. Raises CurveFileError in one sentence."""
    data = _parsed(name, _bytes(path, name))
    if not isinstance(data, dict):
        _refuse(name, f"a {'list' if isinstance(data, list) else 'single value'}")
    if "weightMat" in data or "facsNames" in data:
        return _even(name, data, "facsNames", "weightMat", "exportFps", data.get("exportFps"))
    if "weights" in data:
        return _even(name, data, "names", "weights", "fps", data.get("fps"))
    if "frames" not in data:
        _refuse(name, listed(data))
    frames = _listed_frames(name, data["frames"])
    metadata = data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    remarks = _counted(metadata.get("frame_count"), len(frames))
    if any(isinstance(found.get(key), list) for found in map(_small_keys, frames[:1]) for key in _SHAPES):
        columns, rows, times = _rows_of_names(name, data, metadata, frames)
    else:
        columns, rows, times = _rows_of_objects(name, frames)
    used, shapes = shape_columns(name, columns)
    values = _matrix(name, rows, len(columns))[:, used]
    fps = data.get("fps", metadata.get("fps"))
    return _table(name, shapes, values, _checked_times(name, times), fps, remarks)


def _bytes(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_JSON + 1)
    except (OSError, ValueError):
        raise CurveFileError(f"{name} cannot be opened; check that it may be read.") from None
    check_bytes(name, len(data), LARGEST_JSON)
    return data


def _refuse(name: str, found: str) -> NoReturn:
    raise CurveFileError(f"{name} holds {found}, which is not a recording of a face; write {FORMS}.")


def _parsed(name: str, data: bytes) -> Any:
    """Plain Python values, every number a float. What would grow too far is refused before it is parsed."""
    if sum(bytes_each * data.count(mark) for mark, bytes_each in PARSED) > LARGEST_PARSED:
        raise CurveFileError(f"{name} holds more values than can be read at once; cut it into shorter takes.")
    try:
        text = data.decode(encoding_of(data))
        del data
        return json.loads(text, parse_int=float, parse_constant=_constant(name), object_pairs_hook=_unique(name))
    except UnicodeError:
        raise CurveFileError(f"{name} is no text in UTF-8; save it as such.") from None
    except RecursionError:
        _refuse(name, "lists in lists without end")
    except json.JSONDecodeError as error:
        raise CurveFileError(f"{name} is damaged: line {error.lineno} is no JSON; export it again.") from None


def _constant(name: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise CurveFileError(f"{name} holds {constant}, which is no number; repair or drop those frames first.")

    return refuse


def _unique(name: str) -> Any:
    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            met: set[str] = set()  # and not a count of each key, which takes minutes where there are many
            twice = next(key for key, _ in pairs if key in met or met.add(key))  # type: ignore[func-returns-value]
            raise CurveFileError(f"{name} names {listed([twice])} twice in one object; keep one.")
        return values

    return checked


def _even(name: str, data: dict, names: str, weights: str, rate: str, fps: Any) -> CurveTable:
    """Read the form with one list of names and one row of weights per frame, at an even rate."""
    if names not in data or weights not in data:
        _refuse(name, f"no {names if names not in data else weights}")
    columns = _names(name, data[names])
    rows = data[weights]
    if not isinstance(rows, list):
        raise CurveFileError(f"{name} is damaged: its {weights} is no list of frames; write {FORMS}.")
    if not rows:
        raise CurveFileError(f"{name} holds no frame; export the recording again.")
    used, shapes = shape_columns(name, columns)
    values = _matrix(name, rows, len(columns))[:, used]
    return _table(name, shapes, values, None, fps, _counted(data.get("numFrames"), len(rows)), rate)


def _table(
    name: str, shapes: tuple[str, ...], values: np.ndarray, times: np.ndarray | None, fps: Any,
    remarks: tuple[str, ...], rate: str = "fps",
) -> CurveTable:  # fmt: skip
    remedy = f'write it into the file as "{rate}"' + ("" if rate == "exportFps" else ' or give each frame a "time"')
    if fps is not None and times is None:
        fps = checked_rate(name, fps, f'"{rate}"')
    return CurveTable(shapes, values, times, fps if isinstance(fps, float) else None, remedy, remarks)


def _names(name: str, columns: Any) -> list[str]:
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise CurveFileError(f"{name} is damaged: its names are no list of words; write {FORMS}.")
    return columns


def _counted(stated: Any, frames: int) -> tuple[str, ...]:
    """A remark if a file states another number of frames than it holds."""
    if isinstance(stated, float) and stated != frames:
        return (f"The file says that it has {stated:g} frames, but holds {frames}.",)
    return ()


def _matrix(name: str, rows: list, columns: int) -> np.ndarray:
    """(T, n) float64 of a list of rows, each a list of n numbers."""
    check_size(name, len(rows), columns)
    for number, row in enumerate(rows):
        if type(row) is not list or len(row) != columns:
            raise CurveFileError(f"{name} is damaged: frame {number} is no row of {columns} weights, one a name.")
        if set(map(type, row)) != {float}:
            raise CurveFileError(f"{name} is damaged: frame {number} holds a weight that is no number.")
    return np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * columns).reshape(len(rows), columns)


def _listed_frames(name: str, frames: Any) -> list[dict]:
    if not isinstance(frames, list):
        raise CurveFileError(f"{name} is damaged: its frames are no list; write {FORMS}.")
    if not frames:
        raise CurveFileError(f"{name} holds no frame; export the recording again.")
    for number, frame in enumerate(frames):
        if type(frame) is not dict:
            raise CurveFileError(f"{name} is damaged: frame {number} is no object with names; write {FORMS}.")
    return frames


def _small_keys(frame: dict) -> dict[str, Any]:
    return {key.lower(): value for key, value in frame.items() if len(key) <= 20}


def _time(frame: dict) -> Any:
    found = _small_keys(frame)
    return next((found[key] for key in _TIMES if key in found), None)


def _rows_of_names(name: str, data: dict, metadata: dict, frames: list[dict]) -> tuple[list[str], list, list]:
    """Read LAM's form: one list of names, and a list of weights in each frame. Returns columns, rows and times."""
    lists = [data.get("names"), metadata.get("blendshape_names")]
    names = [_names(name, columns) for columns in lists if columns is not None]
    if not names:
        raise CurveFileError(f'{name} has frames of weights without "names"; write the names of its columns.')
    if names[0] != names[-1]:
        raise CurveFileError(f"{name} names its columns twice, and not alike; keep one list of names.")
    rows, times = [], []
    for frame in frames:
        found = _small_keys(frame)
        rows.append(next((found[key] for key in _SHAPES if isinstance(found.get(key), list)), None))
        times.append(_time(frame))
    return names[0], rows, times


def _rows_of_objects(name: str, frames: list[dict]) -> tuple[list[str], list, list]:
    """Read frames that are objects, name to weight, or hold such an object. Returns columns, rows and times."""
    known: dict[str, bool] = {}
    columns: list[str] = []
    seen: Any = None
    rows, times = [], []
    for number, frame in enumerate(frames):
        times.append(_time(frame))
        found = _small_keys(frame)
        inside = next((found[key] for key in _SHAPES if isinstance(found.get(key), dict)), frame)
        if seen is None or inside.keys() != seen:  # in most files all frames name the same
            seen = inside.keys()
            if len(inside) > MOST_COLUMNS or len(known) > _MOST_NAMES:
                raise CurveFileError(f"{name} names more values than a face has; export ARKit's 52 alone.")
            known |= {column: shape_named(column) is not None for column in inside if column not in known}
            own = [column for column in inside if known[column]]
            if number == 0:
                columns = own or list(shape_columns(name, list(inside))[1])  # which refuses a frame without a shape
            if set(own) != set(columns):
                lone = sorted(set(own) ^ set(columns))[:1]
                raise CurveFileError(
                    f"{name} names {listed(lone)} in some frames alone (see frame {number}); export every frame."
                )
        rows.append([inside[column] for column in columns])
    return columns, rows, times


def _checked_times(name: str, times: list) -> np.ndarray | None:
    """(T,) seconds; None where no frame has a time."""
    lacking = sum(time is None for time in times)
    if lacking == len(times):
        return None
    if lacking:
        raise CurveFileError(f"{name} has frames without a time; give all of them one, in seconds, or none and fps.")
    if set(map(type, times)) != {float}:
        raise CurveFileError(f"{name} has times that are no numbers; give seconds.")
    return np.array(times)

"""Recorded face curves: CSV, JSON and npz, columns by name, an even time line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from memorytalker.face.curve_files import CurveFileError, read_curves, shape_named
from memorytalker.face.head import ARKIT_NAMES


def test_a_phone_trackers_csv_is_read_by_name_on_an_even_time_line(tmp_path) -> None:
    lines = ["Timecode,BlendshapeCount,MouthSmileRight,JawOpen,HeadYaw"]
    for frame in range(120):
        second = "11:59:59" if frame < 60 else "12:00:00"
        if frame not in (50, 51):  # two frames the phone dropped
            lines.append(f"{second}:{frame % 60}.500,61,0.25,{frame / 200},-0.4")
    path = tmp_path / "take.csv"
    path.write_text("\n".join(lines) + "\n")
    curves = read_curves(path).curves
    assert curves.fps == 60 and curves.names == ("mouthSmileRight", "jawOpen")
    np.testing.assert_allclose(curves.curve("jawOpen"), np.arange(120) / 200, atol=1e-6)
    np.testing.assert_allclose(curves.curve("mouthSmileRight"), 0.25)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CurveFileError, match="Timecode"):
        read_curves(path)


NAMES, ROWS = ["MouthSmileRight", "jawOpen", "HeadYaw"], [[0.25, frame / 100, -9.0] for frame in range(60)]


def written(tmp_path, data, name: str = "take.json"):
    (tmp_path / name).write_text(data if isinstance(data, str) else json.dumps(data))
    return tmp_path / name


def frames(inside: str | None = None, step: float | None = None) -> list[dict]:
    rows = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
    rows = rows if inside is None else [{inside: row} for row in rows]
    return rows if step is None else [{"time": 100 + step * number, **row} for number, row in enumerate(rows)]


@pytest.mark.parametrize(
    "data",
    [
        {"fps": 60, "names": NAMES, "weights": ROWS},
        {"fps": 60, "frames": frames()},
        {"fps": 60.0, "frames": frames("weights")},
        {"frames": frames("blendShapes", 1 / 60)},
        {"fps": 7, "frames": frames(None, 1 / 60)},  # times are more than a rate
    ],
)
def test_both_forms_of_json_give_the_same_curves(tmp_path, data) -> None:
    curves = read_curves(written(tmp_path, data)).curves
    assert curves.fps == 60 and curves.names == ("mouthSmileRight", "jawOpen")
    np.testing.assert_allclose(curves.curve("jawOpen"), np.arange(60) / 100, atol=1e-6)
    np.testing.assert_allclose(curves.curve("mouthSmileRight"), 0.25)


def test_an_npz_is_read_by_name(tmp_path) -> None:
    np.savez(tmp_path / "take.npz", weights=np.array(ROWS), names=NAMES, fps=25.0)
    curves = read_curves(tmp_path / "take.npz").curves
    assert curves.fps == 25 and curves.names == ("mouthSmileRight", "jawOpen")


@pytest.mark.parametrize(
    ("column", "shape"),
    [
        ("JawOpen", "jawOpen"), ("jaw_open", "jawOpen"), ("mouthSmile_L", "mouthSmileLeft"),
        ("R_eyeBlink", "eyeBlinkRight"),
        ("RightEyeBlink", "eyeBlinkRight"), ("mouth_left", "mouthLeft"), ("face.mouthRight", "mouthRight"),
        ("head:BrowInnerUp", "browInnerUp"), ("mouthRollLower", "mouthRollLower"), ("mouthFunnel", "mouthFunnel"),
        ("HeadYaw", None), ("LeftEyeYaw", None), ("_neutral", None), ("", None), ("left", None),
    ],
)  # fmt: skip
def test_shapes_are_known_by_name(column: str, shape: str | None) -> None:
    assert shape_named(column) == shape


def test_every_shape_is_known_however_it_is_written() -> None:
    for name in ARKIT_NAMES:
        spaced = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        for column in (name, name.upper(), spaced, name[0].upper() + name[1:]):
            assert shape_named(column) == name


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "damaged"),
        ("[" * 100000, "not a recording"),
        ([1], '"names"'),
        ({"fps": 60}, '"names"'),
        ({"fps": 60, "names": NAMES}, '"names"'),
        ({"names": NAMES, "weights": ROWS}, '"fps"'),
        ({"fps": "fast", "names": NAMES, "weights": ROWS}, '"fps"'),
        ({"fps": 60, "names": NAMES[:2], "weights": ROWS}, "2 weights"),
        ({"fps": 60, "names": NAMES, "weights": [[1, 2], [3]]}, "damaged"),
        ({"fps": 60, "names": ["a", "b", "c"], "weights": ROWS}, "names no shape"),
        ({"fps": 60, "frames": []}, "holds no frame"),
        ({"fps": 60, "frames": [1]}, "damaged"),
        ({"fps": 60, "frames": [*frames(), {"jawOpen": 1}]}, "mouthSmileRight|MouthSmileRight"),
        ({"fps": 60, "frames": frames() + frames(None, 1.0)}, "without a time"),
        ({"frames": frames(None, 16.7)}, "in seconds"),
        ({"frames": frames(None, 1 / 60) + [{"time": 110, **frames()[0]}]}, "no rows for 9.0 s from 1.0 s"),
        ({"fps": 60, "names": ["jawOpen"], "weights": [[0.0], [87.0]]}, "from 0 to 1"),
        ({"fps": 60, "names": ["jawOpen", "JawOpen"], "weights": [[0, 0]]}, "jawOpen"),
        ('{"fps": 60, "names": ["jawOpen"], "weights": [[NaN]]}', "NaN"),
    ],
)
def test_bad_json_is_refused_in_one_sentence(tmp_path, data, message: str) -> None:
    with pytest.raises(CurveFileError, match=message):
        read_curves(written(tmp_path, data))


def test_other_files_are_refused(tmp_path) -> None:
    with pytest.raises(CurveFileError, match=".csv, .json, .npz"):
        read_curves(written(tmp_path, "x", "take.bvh"))
    with pytest.raises(CurveFileError, match="no recording"):
        read_curves(tmp_path / "none.csv")
    with pytest.raises(CurveFileError, match="not a readable npz"):
        read_curves(written(tmp_path, "x", "take.npz"))


def test_a_tracker_may_overshoot_a_little(tmp_path) -> None:
    path = written(tmp_path, {"fps": 60, "names": ["jawOpen"], "weights": [[-0.1], [1.2]]})
    assert read_curves(path).curves.weights.ravel().tolist() == [0.0, 1.0]

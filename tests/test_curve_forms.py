"""Every form of curve file gives the same curves, by name; anything else is refused with what it holds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from curve_writers import CURVE_FILES, live_link_csv, nim_csv, omniverse_json, rows_json
from hypothesis import given, settings
from hypothesis import strategies as st

from memorytalker.face import curve_csv, curve_json, curve_table
from memorytalker.face.curve_files import CurveFileError, RecordedCurves, read_curves
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.motion import FaceCurves

STEADY = settings(max_examples=40, deadline=None, derandomize=True, database=None)


@st.composite
def recordings(draw) -> FaceCurves:
    """Any curves: some of the shapes in any order, a rate that trackers have, 0.4 to 2 s."""
    names = draw(st.permutations(ARKIT_NAMES))[: draw(st.integers(1, 52))]
    fps = draw(st.sampled_from([20.0, 24.0, 25.0, 30.0, 50.0, 60.0, 120.0]))
    frames = round(fps * draw(st.floats(0.4, 2.0)))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    return FaceCurves(random.uniform(0, 1, (frames, len(names))), tuple(names), fps)


def read(folder: Path, content: bytes, ending: str, **options) -> RecordedCurves:
    path = folder / f"take{ending}"
    path.write_bytes(content)
    return read_curves(path, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("takes")


def some(frames: int = 30, names: tuple[str, ...] = ("mouthSmileRight", "jawOpen"), fps: float = 30.0) -> FaceCurves:
    return FaceCurves(np.linspace(0, 1, frames * len(names)).reshape(frames, -1), names, fps)


@pytest.mark.parametrize("kind", CURVE_FILES)
@STEADY
@given(curves=recordings())
def test_what_is_written_is_read_back_by_name(folder, kind: str, curves: FaceCurves) -> None:
    ending, write = CURVE_FILES[kind]
    result = read(folder, write(curves), ending)
    assert result.curves.names == curves.names and result.curves.fps == curves.fps
    assert result.curves.weights.shape == curves.weights.shape
    # a timecode has thousandths of sixtieths of a second, in which a curve moves by this much at the most
    np.testing.assert_allclose(result.curves.weights, curves.weights, atol=curves.fps / 60_000 + 1e-6)
    assert not [remark for remark in result.remarks if "uncertain" not in remark]


@pytest.mark.parametrize(
    "options",
    [
        {"counted": "BlendshapeCount"},
        {"camel": True},
        {"ending": "\r\n"},
        {"ending": "\r"},
        {"ending": "\n\n"},
        {"decimals": 0},
    ],
)
def test_the_phones_variants(folder, options: dict) -> None:
    sides = tuple(sorted(ARKIT_NAMES, key=lambda name: ("Left" in name, name)))  # right before left
    for curves in (some(), some(40, sides), some(40, tuple(name for name in sides if name != "tongueOut"))):
        result = read(folder, live_link_csv(curves, **options), ".csv")
        assert result.curves.names == curves.names and result.remarks == ()
        np.testing.assert_allclose(result.curves.weights, curves.weights, atol=1e-6)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("kind", ["Live Link Face", "NVIDIA NIM", "rows", "LAM"])
def test_text_with_a_mark_of_its_encoding(folder, encoding: str, kind: str) -> None:
    ending, write = CURVE_FILES[kind]
    result = read(folder, write(some()).decode().encode(encoding), ending)
    np.testing.assert_allclose(result.curves.weights, some().weights, atol=1e-6)


def test_a_rate_that_the_file_lacks_is_passed_or_requested(folder) -> None:
    bare = omniverse_json(some(), rate=False)
    with pytest.raises(CurveFileError, match='does not say its frames per second; write it into the file as "exportF'):
        read(folder, bare, ".json")
    assert read(folder, bare, ".json", fps=25.0).curves.fps == 25
    np.savez(folder / "bare.npz", weights=some().weights, names=np.array(some().names))
    assert read_curves(folder / "bare.npz", fps=25.0).curves.fps == 25
    with pytest.raises(CurveFileError, match="from 5 to 240"):
        read(folder, bare, ".json", fps=1000.0)


def changed(write, **values) -> bytes:
    return json.dumps({**json.loads(write(some())), **values}).encode()


def test_decisions_are_remarks(folder) -> None:
    lam = CURVE_FILES["LAM"][1]
    metadata = {"fps": 25.0, "frame_count": 31}
    remarks = read(folder, changed(lam, metadata=metadata), ".json").remarks
    assert remarks == (
        "The file says that it has 31 frames, but holds 30.",
        "The times in the file make 30 frames a second, not 25; the times are used.",
    )
    assert "31 frames" in read(folder, changed(omniverse_json, numFrames=31), ".json").remarks[0]
    lines = nim_csv(some()).decode().splitlines()
    assert read(folder, "\n".join(lines[:9] + lines[8:]).encode(), ".csv").remarks == (
        "Rows left out because they repeat an earlier time: 1.",
    )
    result = read(folder, "\n".join(lines[:9] + lines[18:]).encode(), ".csv")
    assert result.remarks == ("It has no rows for 0.33 s from 0.23 s on; the curves are interpolated there.",)
    np.testing.assert_allclose(result.curves.weights, some().weights, atol=1e-6)


HEADER = "Timecode,BlendShapeCount,JawOpen\n"
ROW = "00:00:00:00.000,61,0.5\n"


@pytest.mark.parametrize(
    ("ending", "content", "part"),
    [
        (".csv", b"", "begins with the columns nothing and has no column Timecode"),
        (".csv", b"a,b\n1,2\n", "begins with the columns a, b and has no column Timecode"),
        (".csv", HEADER, "no row below its header"),
        (".csv", HEADER.replace("JawOpen", "HeadYaw") + ROW, "names no shape of ARKit"),
        (".csv", HEADER + ROW + "00:00:00:01.000,61\n", "Line 3 of take.csv has 2 cells where its header has 3"),
        (".csv", HEADER + ROW + "00:00:00:01.000,61,\n", "Line 3 of take.csv holds no number for JawOpen"),
        (".csv", HEADER + ROW + "00:00:00:01.000,61,nan\n", "hold NaN or infinite values"),
        (".csv", HEADER + ROW + ",61,0.5\n", "row 2 of take.csv cannot be read"),
        (".csv", HEADER + ROW, "fewer than two moments"),
        (".csv", (HEADER + ROW).replace(",", ";"), "does not part its cells with commas"),
        (".csv", "Timecode,JawOpen,jaw_open\n" + ROW, "holds jawOpen twice, as JawOpen, jaw_open"),
        (".csv", "Timecode,timeCode,jawOpen\n" + ROW, "has more than one column Timecode"),
        (".csv", HEADER.encode() + b"\0" * 99, "Line 2 of take.csv is no row of a table"),
        (".csv", HEADER.encode() + b"\xff\n", "no CSV in UTF-8"),
        (".csv", HEADER + "x" * 70_000, "Line 2 of take.csv is no row of a table"),
        (".csv", ",timeCode,blendShapes.JawOpen\n0,soon,0.5\n", "neither hours:minutes:seconds:frames nor seconds"),
        (".csv", nim_csv(some()) + nim_csv(some()).partition(b"\n")[2], "go back by 0.967 s at row 31"),
        (".json", b"", "line 1 is no JSON"),
        (".json", b"\xff\xff", "no text in UTF-8"),
        (".json", b"7", "holds a single value"),
        (".json", {"a": 1, "<b>": 2}, "holds a, _b_, which is not a recording"),
        (".json", '{"fps": 30, "fps": 60}', "names fps twice in one object"),
        (".json", changed(rows_json, fps=True), "from 5 to 240"),
        (".json", changed(rows_json, fps=1e400), "Infinity, which is no number"),
        (".json", changed(rows_json, fps=10**400), "from 5 to 240"),
        (".json", changed(rows_json, fps=4.9), "from 5 to 240"),
        (".json", changed(rows_json, fps=241), "from 5 to 240"),
        (".json", changed(rows_json, weights=[[0.1, "0.2"]]), "frame 0 holds a weight that is no number"),
        (".json", changed(rows_json, weights=[[0.1, True]]), "frame 0 holds a weight that is no number"),
        (".json", changed(rows_json, weights=[[0.1, None]]), "frame 0 holds a weight that is no number"),
        (".json", changed(rows_json, weights=[[0.1, 10**400]]), "NaN or infinite"),
        (".json", changed(rows_json, weights=[]), "holds no frame"),
        (".json", changed(rows_json, weights="jaw"), "no list of frames"),
        (".json", changed(rows_json, names=[1, 2]), "no list of words"),
        (".json", changed(omniverse_json, facsNames=None), "no list of words"),
        (".json", {"facsNames": ["jawOpen"]}, "holds no weightMat"),
        (".json", changed(CURVE_FILES["LAM"][1], names=["jawOpen", "mouthLeft"]), "names its columns twice, and not"),
        (".json", {"frames": [{"weights": [0.1], "time": 0}]}, "frames of weights without"),
        (".json", {"names": ["jawOpen"], "frames": [{"weights": [0.1], "time": "0"}]}, "times that are no numbers"),
        (".json", {"names": ["jawOpen"], "frames": [{"weights": [0.1]}, {}]}, "frame 1 is no row of 1 weights"),
        (".json", {"frames": [{"HeadYaw": 0.1, "time": 0}]}, "names no shape of ARKit, such as jawOpen, but HeadYaw"),
        (".json", {"fps": 30, "frames": [{"jawOpen": {}}]}, "frame 0 holds a weight that is no number"),
        (".json", {"frames": [{"jawOpen": 0.1, "time": t / 1000} for t in range(20)]}, "1 ms apart"),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_refused_in_a_sentence(folder, ending: str, content, part: str) -> None:
    if isinstance(content, dict):
        content = json.dumps(content)
    with pytest.raises(CurveFileError) as refused:
        read(folder, content if isinstance(content, bytes) else content.encode(), ending)
    message = str(refused.value)
    assert part in message and message.endswith(".") and "\n" not in message and str(folder) not in message


NAMED = {"names": np.array(["jawOpen", "mouthLeft"]), "weights": np.zeros((30, 2)), "fps": 30.0}


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"names": np.array(["jawOpen", "jaw_open"])}, "holds jawOpen twice"),
        ({"names": np.array([b"jawOpen", b"\xff"])}, "no words"),
        ({"names": np.array([["jawOpen", "mouthLeft"]])}, "no list of words"),
        ({"names": np.zeros(2)}, "no list of words"),
        ({"names": np.array(["jawOpen"] * 600)}, "600 columns"),
        ({"weights": np.zeros((30, 3))}, "a row of 2 weights"),
        ({"weights": np.zeros((30, 2), complex)}, "a row of 2 weights"),
        ({"weights": np.zeros((30, 2), bool)}, "a row of 2 weights"),
        ({"weights": np.zeros((30, 2), "U9")}, "a row of 2 weights"),
        ({"weights": np.zeros((30, 2), [("a", "f4")])}, "not a readable npz"),
        ({"weights": np.zeros((0, 2))}, "holds no frame"),
        ({"weights": np.full((30, 2), 1e300)}, "NaN or infinite"),
        ({"fps": np.array([30, 30])}, "from 5 to 240"),
        ({"fps": np.array("30")}, "from 5 to 240"),
        ({"fps": np.inf}, "from 5 to 240"),
        ({"names": np.array(["jawOpen", None])}, "Python objects, which are never opened"),
        ({f"more{number}": 0 for number in range(40)}, "more than 32 arrays"),
    ],
)
def test_arrays_that_are_no_recording(folder, values: dict, part: str) -> None:
    np.savez(folder / "take.npz", **{**NAMED, **values})
    with pytest.raises(CurveFileError, match=part):
        read_curves(folder / "take.npz")


def test_names_in_bytes_are_names(folder) -> None:
    np.savez(folder / "take.npz", **{**NAMED, "names": np.array([b"jawOpen", b"mouthLeft"])})
    assert read_curves(folder / "take.npz").curves.names == ("jawOpen", "mouthLeft")


def test_a_path_that_is_no_file(folder) -> None:
    os.mkfifo(folder / "pipe.csv")
    (folder / "folder.json").mkdir()
    for path in (folder / "pipe.csv", folder / "folder.json", folder / "none.npz", "a\0.csv", f"{'x' * 300}.json"):
        with pytest.raises(CurveFileError, match="no ordinary file; check the path"):
            read_curves(path)
    (folder / "device.csv").symlink_to("/dev/zero")
    with pytest.raises(CurveFileError, match="no ordinary file"):
        read_curves(folder / "device.csv")


def test_length_and_size_are_found_before_anything_is_read(folder, monkeypatch) -> None:
    for ending, write in CURVE_FILES.values():
        with pytest.raises(CurveFileError, match="lasts 1.0 s; cut it and its sound to at most 0.9 s"):
            read(folder, write(some()), ending, longest_seconds=0.9)
    monkeypatch.setattr(curve_json, "LARGEST_JSON", 100)
    monkeypatch.setattr(curve_csv, "LARGEST_CSV", 100)
    for kind in ("rows", "Live Link Face"):
        with pytest.raises(CurveFileError, match="is larger than 0 MB"):
            read(folder, CURVE_FILES[kind][1](some()), CURVE_FILES[kind][0], longest_seconds=0.001)


@pytest.mark.parametrize("kind", CURVE_FILES)
def test_more_rows_than_may_be_held_are_refused(folder, monkeypatch, kind: str) -> None:
    for module in (curve_csv, curve_table):
        monkeypatch.setattr(module, "MOST_ROWS", 20)
    with pytest.raises(CurveFileError, match="rows of [245] columns, too many at once; cut it into takes"):
        read(folder, CURVE_FILES[kind][1](some()), CURVE_FILES[kind][0])

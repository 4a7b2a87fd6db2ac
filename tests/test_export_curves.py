"""Curves out and in again: Live Link Face CSV by the rules of Unreal's importer, three forms of JSON, and npz."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from take_case import planted_take

from memorytalker.exports.arkit_json import CURVES_JSON, LAM_JSON, OMNIVERSE_JSON
from memorytalker.exports.arrays import CURVES_NPZ, VERTICES_NPZ
from memorytalker.exports.livelink import LIVE_LINK, timecode, unreal_file_name
from memorytalker.exports.take import ExportError, ExportFormat, Take
from memorytalker.face.array_files import open_arrays
from memorytalker.face.curve_files import read_curves
from memorytalker.face.curve_json import LARGEST_PARSED, PARSED
from memorytalker.face.curve_table import LARGEST_CSV, LARGEST_JSON, MOST_ROWS, MOST_VALUES
from memorytalker.face.frame_rates import FRAME_RATES, at_frame_rate
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.motion import FaceCurves

CURVES = (LIVE_LINK, CURVES_JSON, LAM_JSON, OMNIVERSE_JSON, CURVES_NPZ)
#: The header of a file that the phone's app wrote.
HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,"
    "MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,"
    "MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,"
    "BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)


def at_rate(take: Take, fps: float) -> Take:
    assert take.curves is not None
    curves = at_frame_rate(take.curves, fps)
    return dataclasses.replace(
        take, curves=curves, fps=fps, frames=take.head.template + curves.to_motion(take.head).offsets
    )


def unreal_import(path: Path) -> tuple[str, list[float], dict[str, list[float]]]:
    """Subject, seconds and properties of a file, by the rules of Unreal's importer; ValueError where it would stop."""
    parts = path.stem.split("_")
    if len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] not in ("cal", "raw", "neutral")):
        raise ValueError("the name is not Slate_Take_Subject")
    lines = [line for line in path.read_text("utf-8").split("\n") if line]
    keys = [cell for cell in lines[0].split(",") if cell]
    if len(lines) < 2 or len(keys) < 3 or keys[0] != "Timecode" or keys[1] != "BlendShapeCount":
        raise ValueError("no header")
    seconds: list[float] = []
    properties: dict[str, list[float]] = {key: [] for key in keys[2:]}
    for line in lines[1:]:
        cells = [cell for cell in line.split(",") if cell]  # empty cells are dropped while parsing ...
        if len(cells) != len(keys):  # ... so that the counts differ
            raise ValueError("a row of another length than the header")
        hours, minutes, whole, frames = cells[0].split(":")
        seconds.append(int(hours) * 3600 + int(minutes) * 60 + int(whole) + float(frames) / 60.0)
        for key, cell in zip(keys[2:], cells[2:], strict=True):
            properties[key].append(float(cell))
    return parts[2], seconds, properties


# Live Link Face


@pytest.mark.parametrize("fps", FRAME_RATES)
def test_unreal_reads_names_times_and_weights_at_every_rate(tmp_path: Path, fps: int) -> None:
    take = at_rate(planted_take(70), fps)
    path = tmp_path / unreal_file_name("my voice_2.wav")
    assert LIVE_LINK.write(take, path) == (path,)
    subject, seconds, properties = unreal_import(path)
    assert subject == "my-voice-2-wav"
    np.testing.assert_allclose(seconds, np.arange(len(take.curves.weights)) / fps, atol=1e-9)
    assert len(properties) == 61
    for name in ARKIT_NAMES:
        np.testing.assert_allclose(properties.pop(name[0].upper() + name[1:]), take.curves.curve(name), atol=5e-11)
    assert len(properties) == 9 and all(not any(angles) for angles in properties.values())


def test_the_csv_looks_as_the_phone_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    LIVE_LINK.write(planted_take(40), path)
    lines = path.read_bytes().decode("ascii").split("\n")
    assert lines[0] == HEADER and lines[-1] == "" and len(lines) == 42
    row = re.compile(r"\d\d:\d\d:\d\d:[0-5]\d\.\d{3},61(,[01]\.\d{10}){61}")
    assert all(row.fullmatch(line) for line in lines[1:-1])
    assert [line.split(",")[0] for line in lines[1:4]] == ["00:00:00:00.000", "00:00:00:02.000", "00:00:00:04.000"]


def test_timecodes_carry_over_seconds_minutes_hours_and_midnight() -> None:
    assert timecode(29, 30) == "00:00:00:58.000" and timecode(30, 30) == "00:00:01:00.000"
    assert timecode(3, 24) == "00:00:00:07.500" and timecode(1, 25) == "00:00:00:02.400"
    assert timecode(60 * 3661 + 59, 60) == "01:01:01:59.000"
    assert timecode(30 * 86_400, 30) == "00:00:00:00.000"
    assert timecode(5_999_999, 600_000) == "00:00:10:00.000"  # rounds up to a whole second, not to 60 sixtieths


@pytest.mark.parametrize("subject", ["voice", "a_b_cal", "über/../x", "", "___", "x" * 300])
def test_any_subject_makes_a_name_of_three_parts(subject: str) -> None:
    name = unreal_file_name(subject)
    assert re.fullmatch(r"memorytalker_1_[A-Za-z0-9-]{1,60}\.csv", name)


def test_the_rules_of_the_importer_refuse_what_they_should(tmp_path: Path) -> None:
    path = tmp_path / unreal_file_name("x")
    LIVE_LINK.write(planted_take(5), path)
    whole = path.read_text()
    for broken in (whole.replace("0.0000000000,", ",", 1), whole.replace("Timecode", "timecode"), HEADER):
        path.write_text(broken)
        with pytest.raises(ValueError, match="row of another length|no header"):
            unreal_import(path)


# curves -> file -> curves


@pytest.mark.parametrize("fps", FRAME_RATES)
@pytest.mark.parametrize("form", CURVES, ids=lambda form: form.name)
def test_curves_come_back_by_name_and_exact_to_the_printed_digit(tmp_path: Path, form: ExportFormat, fps: int) -> None:
    take = at_rate(planted_take(70), fps)
    path = tmp_path / f"take{form.suffix}"
    assert form.write(take, path) == (path,)
    result = read_curves(path)
    assert result.remarks == () and result.curves.fps == fps
    read, written = result.curves.reordered(ARKIT_NAMES), take.curves.reordered(ARKIT_NAMES)
    assert set(result.curves.names) == set(ARKIT_NAMES)
    digit = {"livelink": 5e-11, "npz": 0}.get(form.name, 5e-8)
    assert np.abs(read.weights.astype(np.float64) - written.weights).max() <= digit + 6e-8 * (
        digit > 0
    )  # and half a step of float32


@pytest.mark.parametrize("form", [LIVE_LINK, LAM_JSON, OMNIVERSE_JSON], ids=lambda form: form.name)
def test_some_curves_in_any_order_become_all_52_the_others_still(tmp_path: Path, form: ExportFormat) -> None:
    curves = FaceCurves(np.tile([0.25, 0.75], (9, 1)), ("tongueOut", "eyeBlinkRight"), 30)
    path = tmp_path / f"take{form.suffix}"
    form.write(dataclasses.replace(planted_take(9), curves=curves), path)
    read = read_curves(path).curves
    assert set(read.names) == set(ARKIT_NAMES)
    expected = [{"tongueOut": 0.25, "eyeBlinkRight": 0.75}.get(name, 0.0) for name in read.names]
    np.testing.assert_allclose(read.weights, np.tile(expected, (9, 1)))


@pytest.mark.parametrize("form", [CURVES_JSON, LAM_JSON, OMNIVERSE_JSON, CURVES_NPZ], ids=lambda form: form.name)
def test_provenance_rate_and_units_are_inside(tmp_path: Path, form: ExportFormat) -> None:
    path = tmp_path / f"take{form.suffix}"
    form.write(dataclasses.replace(planted_take(), lip_residual_mm=0.25), path)
    if form.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            inside = json.loads(str(arrays["provenance"]))
    else:
        inside = json.loads(path.read_text())["provenance"]
    assert {key: inside[key] for key in ("source", "head", "model", "style", "seed", "generator", "fps")} == {
        "source": "planted.wav", "head": "ada", "model": "0" * 64, "style": "own voice", "seed": 7,
        "generator": "MemoryTalker test", "fps": 30,
    }  # fmt: skip
    assert "0 to 1" in inside["units"].values() and inside["lip_residual_mm"] == 0.25


def test_our_json_says_everything_before_the_weights_and_has_a_line_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "take.json"
    CURVES_JSON.write(dataclasses.replace(planted_take(40), lip_residual_mm=0.25), path)
    values = json.loads(path.read_text())
    assert list(values) == ["fps", "names", "units", "lip_residual_mm", "provenance", "weights"]
    assert values["fps"] == 30 and values["lip_residual_mm"] == 0.25 and len(values["weights"]) == 40
    assert path.read_text().count("\n") < 50


def test_lam_has_its_names_twice_a_time_in_every_frame_and_the_count(tmp_path: Path) -> None:
    path = tmp_path / "bsData.json"
    LAM_JSON.write(planted_take(40), path)
    values = json.loads(path.read_text())
    assert values["names"] == values["metadata"]["blendshape_names"] == list(ARKIT_NAMES) == sorted(ARKIT_NAMES)
    assert values["metadata"]["fps"] == 30.0 and values["metadata"]["frame_count"] == len(values["frames"]) == 40
    for index, frame in enumerate(values["frames"]):
        assert set(frame) == {"weights", "time", "rotation"} and frame["rotation"] == []
        assert len(frame["weights"]) == 52 and frame["time"] == pytest.approx(index / 30, abs=1e-8)


def test_omniverse_has_its_counts_and_no_joint_in_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "a2f.json"
    OMNIVERSE_JSON.write(planted_take(40), path)
    values = json.loads(path.read_text())
    assert (values["exportFps"], values["numPoses"], values["numFrames"]) == (30, 52, 40)
    assert np.shape(values["weightMat"]) == (40, 52) and len(values["facsNames"]) == 52
    assert values["joints"] == [] and values["rotations"] == values["translations"] == [[]] * 40


# arrays


def test_vertices_are_written_whole_and_without_curves_by_both_formats(tmp_path: Path) -> None:
    take = planted_take(70)
    for form, given in ((VERTICES_NPZ, take), (CURVES_NPZ, dataclasses.replace(take, curves=None))):
        path = tmp_path / f"{form.name}.npz"
        assert form.write(given, path) == (path,)
        with np.load(path, allow_pickle=False) as arrays:
            np.testing.assert_array_equal(arrays["vertices"], take.frames)
            assert arrays["vertices"].dtype == np.float32 and arrays["fps"] == 30
        assert set(open_arrays(path).headers) == {"vertices", "fps", "provenance"}


def test_a_head_of_unknown_neutral_face_gives_offsets(tmp_path: Path) -> None:
    take = planted_take(5)
    bare = dataclasses.replace(take.head, template=np.zeros_like(take.head.template))
    VERTICES_NPZ.write(dataclasses.replace(take, curves=None, head=bare), tmp_path / "take.npz")
    assert "offsets" in open_arrays(tmp_path / "take.npz").headers


# refusals, progress, failures


@pytest.mark.parametrize("form", [LIVE_LINK, CURVES_JSON, LAM_JSON, OMNIVERSE_JSON], ids=lambda form: form.name)
def test_a_head_without_blendshapes_is_refused_before_a_file_is_there(tmp_path: Path, form: ExportFormat) -> None:
    with pytest.raises(ExportError, match="no curves"):
        form.write(dataclasses.replace(planted_take(), curves=None), tmp_path / f"take{form.suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", [LIVE_LINK, LAM_JSON, OMNIVERSE_JSON], ids=lambda form: form.name)
def test_curves_that_arkit_does_not_have_are_refused_unless_still(tmp_path: Path, form: ExportFormat) -> None:
    path = tmp_path / f"take{form.suffix}"
    moving = FaceCurves(np.full((9, 2), 0.5), ("jawOpen", "hornLength"), 30)
    with pytest.raises(ExportError, match="hornLength"):
        form.write(dataclasses.replace(planted_take(9), curves=moving), path)
    still = FaceCurves([[0.5, 0.0]] * 9, ("jawOpen", "hornLength"), 30)
    form.write(dataclasses.replace(planted_take(9), curves=still), path)
    np.testing.assert_allclose(read_curves(path).curves.curve("jawOpen"), 0.5)


def test_our_json_keeps_any_name(tmp_path: Path) -> None:
    curves = FaceCurves(np.full((9, 2), 0.5), ("jawOpen", "hornLength"), 30)
    CURVES_JSON.write(dataclasses.replace(planted_take(9), curves=curves), tmp_path / "take.json")
    assert json.loads((tmp_path / "take.json").read_text())["names"] == ["jawOpen", "hornLength"]


@pytest.mark.parametrize("form", [LIVE_LINK, CURVES_JSON, LAM_JSON, OMNIVERSE_JSON, VERTICES_NPZ], ids=lambda f: f.name)
def test_progress_is_told_every_64_frames_and_cancelling_leaves_the_old_file(
    tmp_path: Path, form: ExportFormat
) -> None:
    told: list[tuple[int, int, str]] = []
    path = tmp_path / f"take{form.suffix}"
    form.write(dataclasses.replace(planted_take(130), progress=lambda *report: told.append(report)), path)
    assert [done for done, _, _ in told] == [0, 64, 128, 130] and {total for _, total, _ in told} == {130}
    before = path.read_bytes()

    def cancel(done: int, total: int, stage: str) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        form.write(dataclasses.replace(planted_take(131), progress=cancel), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("form", "fps", "most"),
    [(LIVE_LINK, 60, LARGEST_CSV), (CURVES_JSON, 30, LARGEST_JSON), (LAM_JSON, 30, LARGEST_JSON),
     (OMNIVERSE_JSON, 30, LARGEST_JSON)],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
def test_an_hour_of_any_form_is_no_larger_than_what_is_read(
    tmp_path: Path, form: ExportFormat, fps: int, most: int
) -> None:
    take, frames = planted_take(1), 1_000
    dense = np.random.default_rng(1).random((frames, 52)).astype(np.float32)  # every weight takes all its digits
    path = tmp_path / f"a_1_b{form.suffix}"
    form.write(dataclasses.replace(take, curves=FaceCurves(dense, ARKIT_NAMES, fps), fps=fps), path)
    hours = 3600 * fps / frames
    assert hours * path.stat().st_size < most
    text = path.read_bytes()
    if form is LIVE_LINK:
        columns = text.split(b"\n", 1)[0].count(b",") + 1
        assert 3600 * fps <= MOST_ROWS and 3600 * fps * columns <= MOST_VALUES
    else:
        assert hours * sum(each * text.count(mark) for mark, each in PARSED) < LARGEST_PARSED

"""The unit of a timecode's frame field, inferred from the whole column, with a remark."""

from __future__ import annotations

import numpy as np
import pytest
from curve_writers import live_link_csv, timecode
from hypothesis import given, settings
from hypothesis import strategies as st

from memorytalker.face.curve_files import CurveFileError, read_curves
from memorytalker.face.motion import FaceCurves
from memorytalker.face.timecodes import timecode_seconds

STEADY = settings(max_examples=80, deadline=None, derandomize=True, database=None)


def counted(rate: float, unit: float, seconds: float, start: float = 45_000.0, decimals: int = 0) -> list[str]:
    return [timecode(start + row / rate, unit, decimals) for row in range(round(seconds * rate))]


@pytest.mark.parametrize("unit", [24, 25, 30, 48, 50])
def test_a_field_that_counts_frames_is_read_at_their_rate_and_that_is_said(unit: int) -> None:
    times, remarks = timecode_seconds("take.csv", counted(unit, unit, 2.0))
    np.testing.assert_allclose(times - times[0], np.arange(2 * unit) / unit, atol=1e-9)
    assert remarks == (f"The frame field counts to {unit - 1}, so it is read as {unit} frames a second.",)


@pytest.mark.parametrize(("rate", "decimals"), [(60, 3), (30, 3), (24, 3), (25, 3), (30, 0), (60, 0), (59.94, 3)])
def test_sixtieths_as_the_phone_writes_them_need_no_word(rate: float, decimals: int) -> None:
    times, remarks = timecode_seconds("take.csv", counted(rate, 60, 3.0, decimals=decimals))
    np.testing.assert_allclose(times - times[0], np.arange(len(times)) / rate, atol=0.02)
    assert remarks == ()


@STEADY
@given(
    unit=st.sampled_from([24, 25, 30, 48, 50, 60]), seconds=st.floats(2.1, 6.0), start=st.integers(0, 86_390),
    first=st.integers(0, 23), lost=st.sets(st.integers(1, 400), max_size=5),
)  # fmt: skip
def test_times_are_right_whatever_rows_are_lost(unit, seconds, start, first, lost) -> None:
    rows = counted(unit, unit, seconds, start + first / unit)
    kept = [row for row in range(len(rows)) if row not in lost]
    times, remarks = timecode_seconds("take.csv", [rows[row] for row in kept])
    np.testing.assert_allclose(times - times[0], np.array(kept) / unit, atol=1e-9)
    assert len(remarks) == (unit != 60)


@STEADY
@given(
    rate=st.sampled_from([20, 24, 30, 59.94, 60]), seconds=st.floats(1.3, 40.0), begin=st.floats(0, 80_000),
    jitter=st.sampled_from([0, 0.1, 0.3]), lost=st.sampled_from([0, 0.05, 0.3]), decimals=st.sampled_from([0, 3]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_phones_jitter_and_lost_rows_leave_its_sixtieths(rate, seconds, begin, jitter, lost, decimals, seed) -> None:
    random = np.random.default_rng(seed)
    rows = np.arange(round(seconds * rate))
    true = begin + np.sort(rows + jitter * random.uniform(-1, 1, len(rows))) / rate
    true = true[random.uniform(size=len(true)) >= lost]
    times, remarks = timecode_seconds("take.csv", [timecode(time, 60, decimals) for time in true])
    np.testing.assert_allclose(times - times[0], true - true[0], atol=0.02)
    assert remarks == ()


def test_a_column_that_may_mean_two_things_is_said_to() -> None:
    times, remarks = timecode_seconds("take.csv", counted(24, 24, 0.9))
    np.testing.assert_allclose(np.diff(times), 1 / 60)
    assert len(remarks) == 1 and "counts to 21 and passes no whole second" in remarks[0] and "sixtieths" in remarks[0]
    assert timecode_seconds("take.csv", counted(60, 60, 0.95))[1] == ()


def test_midnight_does_not_end_a_recording() -> None:
    times, _ = timecode_seconds("take.csv", counted(60, 60, 2.0, start=86_399.0, decimals=3))
    np.testing.assert_allclose(times - times[0], np.arange(120) / 60, atol=1e-3)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([f"00:00:{row:02d}:00.000" for row in range(30)], "advances a second or more per row"),
        (counted(40, 40, 5.0), "counts to 39 and about 40 make a second, which is no known rate"),
        (["00:00:00:00", "00:00:00:xx"], "row 2 of take.csv cannot be read"),
        (["00:00:00:00", "00:00:01"], "row 2"),
        (["00:61:00:00"], "row 1"),
        (["00:00:00:-1"], "row 1"),
        (["nan:00:00:00"], "row 1"),
        (["1e300:00:00:00"], "row 1"),
    ],
)
def test_what_is_no_timecode_is_refused(column: list[str], message: str) -> None:
    with pytest.raises(CurveFileError, match=message):
        timecode_seconds("take.csv", column)


def test_a_video_of_thirty_frames_a_second_keeps_its_length(tmp_path) -> None:
    jaw = np.linspace(0, 1, 60, dtype=np.float32)[:, None]
    (tmp_path / "take.csv").write_bytes(live_link_csv(FaceCurves(jaw, ("jawOpen",), 30), unit=30, decimals=0))
    read = read_curves(tmp_path / "take.csv")
    assert read.curves.fps == 30 and read.curves.duration == 2.0
    assert read.remarks == ("The frame field counts to 29, so it is read as 30 frames a second.",)
    np.testing.assert_allclose(read.curves.weights, jaw, atol=1e-6)

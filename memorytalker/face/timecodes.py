"""Timecodes (hours:minutes:seconds:frames) to seconds; the unit of the frame field is inferred from the whole column.

Live Link Face writes sixtieths of a second, whatever its frame rate, and importers expect that. Other tools write the
frame number at the rate of the video, up to 23, 24 or 29, under the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from memorytalker.face.curve_table import CurveFileError

#: What Live Link Face divides a second into.
SIXTIETHS = 60
#: All units of a frame field, in parts of a second.
RATES = (24, 25, 30, 48, 50, SIXTIETHS, 100, 120, 1000)
#: A field that reaches this without completing a second counts sixtieths: no common rate lies between the two.
DECISIVE = 50
#: With at least this many whole seconds, a field that matches no known rate is refused.
ENOUGH_SECONDS = 3
_DAY = 86_400.0


def timecode_seconds(name: str, timecodes: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Convert timecodes to seconds. Time goes on counting after midnight.

    Args:
        name: of the file, for messages.
        timecodes: T texts, hours:minutes:seconds:frames.

    Returns:
        (T,) float64 seconds; and a remark that says how the frame field was read, unless it is certain that it counts
        sixtieths, as in Live Link Face.

    Raises:
        CurveFileError: a text is no timecode, or the frame field fits no known rate.
    """
    fields = _fields(name, timecodes)
    whole = np.unwrap(fields[:, :3] @ (3600.0, 60.0, 1.0), period=_DAY)
    rows = fields[:, 3]
    if len(rows) > 2 and np.median(np.diff(whole)) >= 1.0:
        raise CurveFileError(
            f"The timecode of {name} advances a second or more per row; export it with hours:minutes:seconds:frames."
        )
    rate, remarks = _frame_rate(name, whole, rows)
    return whole + rows / rate, remarks


def _fields(name: str, timecodes: Sequence[str]) -> np.ndarray:
    """Hours, minutes, seconds and frames (T, 4)."""
    fields = np.full((len(timecodes), 4), np.nan)
    for number, timecode in enumerate(timecodes):
        parts = timecode.replace(";", ":").split(":")  # a semicolon stands before frames that are counted with drops
        with suppress(ValueError):
            if len(parts) == 4:
                fields[number] = [*map(float, parts)]
    readable = ((fields >= 0) & (fields < (24 * 100, 60, 60, 1000))).all(axis=1)
    if not readable.all():
        raise CurveFileError(
            f"The timecode of row {int(readable.argmin()) + 1} of {name} cannot be read; export it as "
            "hours:minutes:seconds:frames."
        )
    return fields


def _frame_rate(name: str, whole: np.ndarray, frames: np.ndarray) -> tuple[int, tuple[str, ...]]:
    """Infer how many frames of the field make a second; return this rate, and remarks."""
    top = float(frames.max())
    later, turned = np.diff(whole), np.diff(frames)
    inside = turned[(later == 0) & (turned > 0)]
    step = float(np.median(inside)) if len(inside) else 1.0
    wraps = later == 1
    counted = f"The frame field counts to {int(top)}"
    if not wraps.any():
        possible = _possible(top)
        if top < DECISIVE:
            return SIXTIETHS, (
                f"{counted} and passes no whole second, so its unit is uncertain; it is read as sixtieths of a second.",
            )
        return possible[0], _remark(counted, possible[0])
    # Without missing rows the field drops at each whole second by its full range minus one step.
    period = float(np.median(step - turned[wraps]))
    # Missing rows make it drop by less; then the highest value plus one step gives the unit.
    near = _near(period, top, step) or _near(top + step, top, step)
    if near:
        rate, certain = near[0][1], len(near) == 1 or near[0][0] <= 0.25
    elif wraps.sum() >= ENOUGH_SECONDS or top > SIXTIETHS:
        raise CurveFileError(
            f"The frame field of {name} counts to {int(top)} and about {period:.3g} make a second, which is no known "
            f"rate; export it with {', '.join(map(str, RATES[:6]))} frames a second."
        )
    else:
        rate, certain = SIXTIETHS, top >= DECISIVE
    if not certain:
        return rate, (f"{counted}, which is uncertain; it is read as {rate} frames a second.",)
    return rate, _remark(counted, rate)


def _near(period: float, top: float, step: float) -> list[tuple[float, int]]:
    """Possible rates within one step of `period`, as (difference, rate), the nearest first."""
    return sorted((abs(rate - period), rate) for rate in _possible(top) if abs(rate - period) <= max(step, 0.5))


def _possible(top: float) -> list[int]:
    """Rates at which a field may count to `top`. Sixtieths are rounded, so the last may be written as 60."""
    return [rate for rate in RATES if top < rate or top == rate == SIXTIETHS]


def _remark(counted: str, rate: int) -> tuple[str, ...]:
    return () if rate == SIXTIETHS else (f"{counted}, so it is read as {rate} frames a second.",)

"""Frame rates, decided from what lies on disk: so many frames against so many seconds of sound."""

from __future__ import annotations

from collections.abc import Sequence

#: Motion and sound of a recording may differ by this share of its length, or by so many seconds.
TOLERANCE, SLACK_SECONDS = 0.15, 0.25


def fitting_rate(frames: int, seconds: float, rates: Sequence[int]) -> int | None:
    """The one of `rates` (frames a second) at which `frames` last about `seconds`; None if none does.

    At a rate that fits, motion and sound differ by at most 15 % of the sound or 0.25 s; the closest wins.
    """
    gaps = {rate: abs(frames / rate - seconds) for rate in rates}
    best = min(rates, key=lambda rate: gaps[rate])
    return best if gaps[best] <= max(SLACK_SECONDS, TOLERANCE * seconds) else None

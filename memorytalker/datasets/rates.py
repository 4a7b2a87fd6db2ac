"""Frame rates, found by comparing the number of frames with the seconds of sound."""

from __future__ import annotations

from collections.abc import Sequence

#: Motion and sound of a recording may differ by this share of its length, or by so many seconds.
TOLERANCE, SLACK_SECONDS = 0.15, 0.25


def fitting_rate(frames: int, seconds: float, rates: Sequence[int]) -> int | None:
    """Choose the frame rate at which a motion lasts as long as its sound.

    A rate fits if the two differ by at most 15 % of the sound or 0.25 s, whichever is more.

    Args:
        frames: number of motion frames.
        seconds: length of the sound.
        rates: candidates, in frames per second.

    Returns:
        The rate that fits best; None if none does.
    """
    gaps = {rate: abs(frames / rate - seconds) for rate in rates}
    best = min(rates, key=lambda rate: gaps[rate])
    return best if gaps[best] <= max(SLACK_SECONDS, TOLERANCE * seconds) else None

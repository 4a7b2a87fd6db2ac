"""The mouth of a held sound: reached in a tenth of a second, kept as long as it sounds, wider where it is louder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from memorytalker.articulation.coarticulation import (
    CLOSING,
    LIPS_MEET,
    MouthGeometry,
    TimedPhones,
    articulate,
    frame_times,
    with_contacts,
)
from memorytalker.articulation.speaker import ArticulationStyle
from memorytalker.articulation.visemes import VisemeTable
from memorytalker.phones import ENGLISH

#: Vowels that are held with a clearly open mouth, and those with a narrow one.
OPEN_VOWELS, CLOSE_VOWELS = ("aa", "ae", "ah", "ao", "aw", "ay", "eh"), ("ih", "iy", "uh", "uw")
#: Metres of lip opening of held vowels, least and most: open ones, close ones, all others. Chosen, not measured.
OPEN_GAP, CLOSE_GAP, OTHER_GAP = (0.009, 0.020), (0.003, 0.008), (0.003, 0.012)
#: Factor of the lip opening for ten decibels of effort; chosen.
WIDER = 1.3
#: Seconds in which the opening of a held vowel is reached, and left again where speech goes on.
REACHED, LEFT = 0.1, 0.08


def held_motion(
    phones: Sequence[tuple[float, float, str]],
    holds: Sequence[tuple[float, float, str]],
    effort: np.ndarray,
    table: VisemeTable,
    geometry: MouthGeometry,
    fps: float,
    style: ArticulationStyle | None = None,
) -> np.ndarray:
    """Synthesise the curves of speech in which phones are held.

    Args:
        phones: [start, end, label] of all phones, seconds.
        holds: those of them that are held.
        effort: (T,) as in `articulate`.
        table: targets and dominances.
        geometry: of the head, over `table.shapes`.
        fps: motion frames per second.
        style: articulation style of the speaker; None: as fitted.

    Returns:
        Curves (T, S) in [0, 1] over `table.shapes`.
    """
    timed, frames, times = TimedPhones.of(phones), len(effort), frame_times(len(effort), fps)
    curves = articulate(timed, table, geometry, frames, fps, effort, style)
    for hold in holds:
        pose = _pose(hold[2], effort, table, geometry, fps, style)
        weight = _weight(hold, times, _followed(phones, hold))[:, None]
        curves = (1.0 - weight) * curves + weight * pose
        if hold[2] in ENGLISH.bilabials:
            curves = with_contacts(curves, TimedPhones.of([hold]), geometry, fps, lips=replace(LIPS_MEET, share=1.0))
    return np.clip(curves, 0.0, 1.0)


def _weight(hold: tuple[float, float, str], times: np.ndarray, followed: bool) -> np.ndarray:
    """(T,) how much of the held pose is shown: all of it from `REACHED` on, as long as it sounds."""
    start, end, _ = hold
    left = _ease((end - times) / LEFT) if followed else 1.0 - _ease((times - end) / CLOSING)
    return _ease((times - start) / REACHED) * left


def _followed(phones: Sequence[tuple[float, float, str]], hold: tuple[float, float, str]) -> bool:
    """Whether speech follows a held phone."""
    return any(abs(start - hold[1]) < 0.02 and label != ENGLISH.silence for start, _, label in phones)


def _pose(
    label: str, effort: np.ndarray, table: VisemeTable, geometry: MouthGeometry, fps: float,
    style: ArticulationStyle | None,
) -> np.ndarray:  # fmt: skip
    """(T, S) the mouth of a phone that never ends; that of a vowel opens with the effort, by the jaw alone."""
    alone = articulate(TimedPhones.of([(0.0, 1.0, label)]), table, geometry, round(fps), fps, None, style)
    pose = np.repeat(alone[[len(alone) // 2]], len(effort), axis=0)
    if label not in ENGLISH.vowels:
        return pose
    jaw = geometry.shapes.index("jawOpen")
    least, most = OPEN_GAP if label in OPEN_VOWELS else CLOSE_GAP if label in CLOSE_VOWELS else OTHER_GAP
    gap = float(pose[0] @ geometry.gap)
    wanted = np.clip(np.clip(gap, least, most) * WIDER ** np.clip(effort, -1.5, 1.5), least, most)
    pose[:, jaw] += (wanted - gap) / geometry.gap[jaw]
    return np.clip(pose, 0.0, 1.0)


def _ease(value: np.ndarray) -> np.ndarray:
    """Smooth step of a value, 0 below 0 and 1 above 1."""
    value = np.clip(value, 0.0, 1.0)
    return value * value * (3.0 - 2.0 * value)

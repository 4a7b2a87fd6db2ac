"""Figures of what is seen of single phones on held-out voices: teeth, rounding, protrusion, openings, tongue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memorytalker.phones import ENGLISH
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure, Goal
from memorytalker.scorecard.held_out_voices import PredictedClip, by_speaker
from memorytalker.scorecard.visible import FILMED_WIDTH_CONTRAST, VisibleMouth, mean_of, phones_with

#: Which mouths of a clip are measured: the predicted one and that of the synthesised motion.
_WHOSE = ("seen", "true_seen")


def visible_figures(predicted: Sequence[PredictedClip], card: Scorecard, eyes: float) -> list[Figure]:
    """Teeth seen on f v, rounding and protrusion of uw against iy, openings of iy s z against aa, tongue on th dh.

    Args:
        predicted: the clips of the validation voices.
        card: with the goals.
        eyes: metres between the outer eye corners of the head, the unit of what is measured in video.

    Returns:
        The figures, each with that of the synthesised motion.
    """
    people = [clips for _, clips in by_speaker(predicted)]
    return [
        _share(people, "bites", ENGLISH.labiodentals, "lower lip at the upper teeth and teeth seen on f v",
               card.teeth_seen),
        _contrast(people, "width", "lip width of uw against iy, as a share of that in video",
                  FILMED_WIDTH_CONTRAST * eyes, card.rounding),
        _contrast(people, "forward", "protrusion of the lips on uw against iy in mm", 0.001, card.protrusion_mm),
        _opening(people, ("iy",), "lip opening of iy as a share of that of aa"),
        _opening(people, ("s", "z"), "lip opening of s z as a share of that of aa"),
        _share(people, "shows_tongue", ("th", "dh"), "tongue between the teeth on th dh", card.tongue_seen),
    ]  # fmt: skip


def _share(
    people: list[list[PredictedClip]], what: str, labels: tuple[str, ...], name: str, goal: Goal | None
) -> Figure:
    """Share of phones with a frame in which a mouth does something."""
    counts = {whose: np.zeros(2, int) for whose in _WHOSE}
    for whose, both in counts.items():
        for one in (one for clips in people for one in clips):
            mouth: VisibleMouth = getattr(one, whose)
            both += phones_with(getattr(mouth, what), one.clip.phones, mouth.fps, labels)
    value, reference = (both[0] / both[1] if both[1] else float("nan") for both in counts.values())
    return Figure(name, float(value), _measured_on(counts["seen"][1], "phones", len(people), reference), goal)


def _contrast(people: list[list[PredictedClip]], what: str, name: str, unit: float, goal: Goal | None) -> Figure:
    """Mean over speakers of a measure on uw less that on iy."""
    values, said, speakers = _over_speakers(
        people, what, lambda mean: (mean(("uw",))[0] - mean(("iy",))[0], mean(("uw", "iy"))[1])
    )
    return Figure(name, values[0] / unit, _measured_on(said, "phones", speakers, values[1] / unit), goal)


def _opening(people: list[list[PredictedClip]], labels: tuple[str, ...], name: str) -> Figure:
    """Mean over speakers of the lip opening of some phones as a share of that of aa."""
    values, said, speakers = _over_speakers(
        people, "gap", lambda mean: (mean(labels)[0] / max(mean(("aa",))[0], 1e-9), mean((*labels, "aa"))[1])
    )
    return Figure(name, values[0], _measured_on(said, "phones", speakers, values[1]))


def _over_speakers(people: list[list[PredictedClip]], what: str, compare) -> tuple[list[float], int, int]:  # noqa: ANN001
    """Means over speakers who said what is compared, of both mouths; the number of phones and of speakers."""
    values, said = [], 0
    for clips in people:
        pairs = []
        for whose in _WHOSE:
            mouths: list[VisibleMouth] = [getattr(one, whose) for one in clips]
            curves, spoken = [getattr(mouth, what) for mouth in mouths], [one.clip.phones for one in clips]
            pairs.append(compare(lambda labels, c=curves, s=spoken, f=mouths[0].fps: mean_of(c, s, f, labels)))
        if all(np.isfinite(value) for value, _ in pairs):
            values.append([value for value, _ in pairs])
            said += pairs[0][1]
    means = np.mean(values, axis=0).tolist() if values else [float("nan")] * 2
    return means, said, len(values)


def _measured_on(number: int, what: str, speakers: int, reference: float) -> str:
    return f"{number} {what}, {speakers} speakers; the synthesised motion itself {reference:.3f}"

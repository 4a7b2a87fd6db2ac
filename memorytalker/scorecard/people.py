"""A talker against the video of several people: per person, then averaged over persons, whatever their clips.

In two styles, that of the clip's own voice (stages 1 and 2) and the neutral one (stage 1), and for people with enough
clips in styles learned from half of them. docs/metrics.md defines every figure. All lengths are in eye distances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from memorytalker.articulation.coarticulation import frame_times
from memorytalker.evaluation import metrics
from memorytalker.evaluation.bootstrap import Interval, mean_interval
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import PeopleGoals, PersonGoals
from memorytalker.scorecard.goals import Figure, Goal
from memorytalker.scorecard.held_out_videos import Compared, TrackedVideo, compare_video
from memorytalker.scorecard.words import NARROW, OPEN, ROUNDED, SPREAD, WordContrast, share_of_film, word_contrast
from memorytalker.sound.decode import load_waveform


@dataclass(frozen=True)
class MouthAgreement:
    """How the predicted mouth agrees with the video of one person, or of several on average.

    Attributes:
        gap: correlation of the lip opening, mean over clips.
        width: correlation of the lip width, mean over clips.
        gap_amplitude: standard deviation over time of the predicted lip opening over that of the tracked one, each the
            root mean square over clips.
        width_amplitude: the same of the lip width.
        gap_error: root mean square difference of the lip openings over all frames, in eye distances. The tracked
            opening is taken as it is: a tracker gives closed lips 0.005 to 0.012, and the head 0.
        gap_residual: the same without the mean difference over all of the person's frames. Somebody whose lips are
            apart at rest has an error of level that no movement can change.
        spoken_gap: as `gap`, from the first to the last phone of each clip alone; nan where phone times are unknown.
            Many people part their lips half a second before they speak; this leaves that out.
        spoken_width: the same of the lip width.
    """

    gap: float
    width: float
    gap_amplitude: float
    width_amplitude: float
    gap_error: float
    gap_residual: float
    spoken_gap: float = float("nan")
    spoken_width: float = float("nan")


@dataclass(frozen=True)
class FittedStyle:
    """A style fitted to half of a person's clips, on the other half; both halves serve once each.

    Attributes:
        agreement: of all clips, each in the style fitted without it.
        clips: number of clips.
        refused: halves from which no style could be learned; the other half was then judged in the neutral style.
    """

    agreement: MouthAgreement
    clips: int
    refused: int = 0


@dataclass(frozen=True)
class Person:
    """One person's figures.

    Attributes:
        name: folder of the video.
        clips: number of clips.
        frames: number of video frames.
        own: in the style of each clip's own voice.
        neutral: in the neutral style.
        fitted: in fitted style weights; None for too few clips.
        adapted: in the styles that `Talker.adapt` learns; None for too few clips.
        judged_by: which weights, in a few words.
        words: how the vowels of some words differ, in the style of the own voice.
    """

    name: str
    clips: int
    frames: int
    own: MouthAgreement
    neutral: MouthAgreement
    fitted: FittedStyle | None = None
    judged_by: str = ""
    words: WordContrast = WordContrast(None, None)
    adapted: FittedStyle | None = None

    @property
    def change(self) -> float:
        """Change of the lip opening's error by the style of the own voice, in percent; below 0 is better."""
        return _change(self.own, self.neutral)

    @property
    def fitted_change(self) -> float:
        """Change of the lip opening's error by the fitted style, in percent; nan without one."""
        return float("nan") if self.fitted is None else _change(self.fitted.agreement, self.neutral)

    @property
    def adapted_change(self) -> float:
        """Change of the lip opening's error by the adapted style, in percent; nan without one."""
        return float("nan") if self.adapted is None else _change(self.adapted.agreement, self.neutral)


def _change(styled: MouthAgreement, neutral: MouthAgreement) -> float:
    return 100 * (styled.gap_error / neutral.gap_error - 1) if neutral.gap_error > 0 else float("nan")


def compare_person(
    talker: Talker, name: str, videos: Sequence[TrackedVideo], judged_by: str = "", progress: Progress | None = None
) -> Person:
    """Predict every clip of a person in both styles and set it beside the video.

    Args:
        talker: the model; it should not have been trained on this person.
        name: of the person.
        videos: the person's clips, at least one.
        judged_by: for `Person.judged_by`.
        progress: called with (done, total, stage).

    Returns:
        The person's figures, without a fitted style.
    """
    own, neutral = [], []
    for done, video in enumerate(videos, start=1):
        waveform = load_waveform(video.sound)
        own.append(compare_video(talker, video, waveform))
        neutral.append(compare_video(talker, video, waveform, style=None))
        if progress:
            progress(done, len(videos), name)
    frames = sum(len(video.gap) for video in videos)
    return Person(name, len(videos), frames, agreement(own), agreement(neutral), None, judged_by, word_contrast(own))


def agreement(compared: Sequence[Compared]) -> MouthAgreement:
    """Compute the figures of one person from the compared clips, at least one."""
    errors = np.concatenate([one.gap - one.video.gap for one in compared])
    return MouthAgreement(
        gap=float(np.mean([one.correlation for one in compared])),
        width=float(np.mean([metrics.correlation(one.width, one.video.width) for one in compared])),
        gap_amplitude=_amplitude([one.gap for one in compared], [one.video.gap for one in compared]),
        width_amplitude=_amplitude([one.width for one in compared], [one.video.width for one in compared]),
        gap_error=float(np.sqrt(np.mean(errors**2))),
        gap_residual=float(np.std(errors)),
        spoken_gap=_while_speaking([(one.video, one.gap, one.video.gap) for one in compared]),
        spoken_width=_while_speaking([(one.video, one.width, one.video.width) for one in compared]),
    )


def _while_speaking(curves: Sequence[tuple[TrackedVideo, np.ndarray, np.ndarray]]) -> float:
    """Mean over clips of the correlation of two curves while somebody speaks; nan where phone times are unknown."""
    found = []
    for video, predicted, tracked in curves:
        spoken = None if video.phones is None else video.phones.spoken
        if spoken is None:
            continue
        times = frame_times(len(tracked), video.fps)
        within = (times >= spoken[0]) & (times <= spoken[1])
        if within.sum() > 2:
            found.append(metrics.correlation(predicted[within], tracked[within]))
    return float(np.mean(found)) if found else float("nan")


def _amplitude(predicted: Sequence[np.ndarray], tracked: Sequence[np.ndarray]) -> float:
    """Ratio of the root mean squares over clips of the standard deviations over time; nan for a still video."""
    power = [float(np.mean([np.var(curve) for curve in curves])) for curves in (predicted, tracked)]
    return float(np.sqrt(power[0] / power[1])) if power[1] > 0 else float("nan")


def average(people: Sequence[Person], which: Callable[[Person], MouthAgreement]) -> MouthAgreement:
    """Average each figure over persons, whatever the number of their clips; `which` chooses the style."""
    values = [which(person) for person in people]
    return MouthAgreement(
        **{field.name: float(np.mean([getattr(one, field.name) for one in values])) for field in fields(MouthAgreement)}
    )


def own_against_neutral(people: Sequence[Person]) -> Interval:
    """Mean over persons of the change of error by the own voice, in percent, with its interval over draws of persons.

    The interval is nan for one person.
    """
    return mean_interval(np.array([person.change for person in people]))


def people_figures(people: Sequence[Person], goals: PeopleGoals) -> list[Figure]:
    """The lines of the table about people: averages in both styles, persons with goals, and what a style adds."""
    if not people:
        return []
    clips, frames = sum(person.clips for person in people), sum(person.frames for person in people)
    ways = ", ".join(dict.fromkeys(person.judged_by for person in people if person.judged_by))
    count = f"{len(people)} people, {clips} clips, {frames} video frames" + (f"; {ways}" if ways else "")
    own, neutral = average(people, lambda person: person.own), average(people, lambda person: person.neutral)
    rows: tuple[tuple[str, str, Goal | None], ...] = (
        ("gap", "lip opening, mean correlation with video", goals.gap),
        ("width", "lip width, mean correlation with video", goals.width),
        ("gap_amplitude", "lip opening, amplitude ratio to video", goals.gap_amplitude),
        ("width_amplitude", "lip width, amplitude ratio to video", goals.width_amplitude),
        ("gap_error", "lip opening, r.m.s. error in eye distances", goals.gap_error),
        ("gap_residual", "the same without each person's mean difference", None),
        ("spoken_gap", "lip opening, mean correlation with video while they speak", None),
        ("spoken_width", "lip width, mean correlation with video while they speak", None),
    )
    figures = [Figure(f"people: {words}", getattr(own, name), count, goal) for name, words, goal in rows]
    figures += [Figure(f"people, neutral style: {words}", getattr(neutral, name), count) for name, words, _ in rows]
    figures += [
        Figure(f"people: lip {what} of {' '.join(first)} against {' '.join(second)}, as a share of that in video",
               share_of_film(pairs), _said(pairs), goal)
        for what, first, second, pairs, goal in (
            ("width", ROUNDED, SPREAD, [person.words.width for person in people], goals.word_width),
            ("opening", OPEN, NARROW, [person.words.gap for person in people], goals.word_gap),
        )
    ]  # fmt: skip
    change, worst = own_against_neutral(people), max(people, key=lambda person: person.change)
    figures += [
        Figure("people: error of lip opening, own voice against neutral in %", change.value,
               f"draws of {len(people)} people", goals.own_voice, (change.low, change.high)),
        Figure(f"people: the same, worst person ({worst.name})", worst.change, f"{worst.clips} clips",
               goals.own_voice_worst),
    ]  # fmt: skip
    by_name = {goal.folder: goal for goal in goals.videos}
    for person in people:
        figures += _person_figures(person, by_name.get(person.name, PersonGoals(person.name)))
    return figures


def _said(pairs: Sequence[tuple[float, float] | None]) -> str:
    """For how many people a contrast is known, and the filmed one."""
    known = [pair for pair in pairs if pair is not None]
    filmed = f"; in video {np.mean([pair[1] for pair in known]):+.4f} eye distances" if known else ""
    return f"{len(known)} people{filmed}"


def _person_figures(person: Person, goals: PersonGoals) -> list[Figure]:
    count = f"{person.clips} clips, {person.frames} video frames"
    figures = [
        Figure(f"people, {person.name}: lip opening, mean correlation with video", person.own.gap, count, goals.gap),
        Figure(f"people, {person.name}: lip width, mean correlation with video", person.own.width, count, goals.width),
    ]
    ways = (
        ("slot weights fitted on", person.fitted, person.fitted_change, PersonGoals(person.name)),
        ("style that `adapt` learns from", person.adapted, person.adapted_change, goals),
    )
    for how, style, change, wanted in ways:
        if style is not None:
            words = f"people, {person.name}: {how} half of the clips, on the other half"
            refused = f"; {style.refused} of 2 halves refused" if style.refused else ""
            count, wide = f"{style.clips} clips{refused}", style.agreement.width_amplitude
            figures += [
                Figure(f"{words}: error against neutral in %", change, count, wanted.fitted_error),
                Figure(f"{words}: lip width, amplitude ratio to video", wide, count, wanted.fitted_width),
            ]
    return figures


def person_rows(people: Sequence[Person]) -> list[Figure]:
    """Every figure of every person in every style, without goals, for JSON."""
    rows = []
    for person in people:
        styles = {"neutral": person.neutral, "own voice": person.own}
        if person.fitted is not None:
            styles["fitted style"] = person.fitted.agreement
        if person.adapted is not None:
            styles["adapted style"] = person.adapted.agreement
        for style, values in styles.items():
            rows += [
                Figure(f"{person.name}, {style}: {field.name}", getattr(values, field.name), f"{person.clips} clips")
                for field in fields(MouthAgreement)
            ]
        rows.append(Figure(f"{person.name}: own voice against neutral in %", person.change, f"{person.clips} clips"))
    return rows


def people_table(people: Sequence[Person]) -> str:
    """Format a Markdown table with a row for each person and style, and the averages in its last rows."""
    head = ("person", "style", "gap r", "width r", "gap amplitude", "width amplitude", "gap error", "without its mean",
            "gap r while speaking", "width r while speaking", "gap error against neutral")  # fmt: skip
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for person in people:
        lines.append(_row(f"{person.name}, {person.clips} clips", "neutral", person.neutral))
        lines.append(_row("", "own voice", person.own, person.change))
        if person.fitted is not None:
            lines.append(_row("", "slot weights fitted", person.fitted.agreement, person.fitted_change))
        if person.adapted is not None:
            lines.append(_row("", "adapted", person.adapted.agreement, person.adapted_change))
    if people:
        change = own_against_neutral(people)
        lines.append(_row(f"mean of {len(people)}", "neutral", average(people, lambda person: person.neutral)))
        lines.append(_row("", "own voice", average(people, lambda person: person.own), change.value))
    return "\n".join(lines)


def _row(name: str, style: str, values: MouthAgreement, change: float | None = None) -> str:
    digits = {"gap_error": 4, "gap_residual": 4}
    known = {field.name: getattr(values, field.name) for field in fields(values)}
    cells = ["" if np.isnan(value) else f"{value:.{digits.get(name, 2)}f}" for name, value in known.items()]
    return f"| {' | '.join([name, style, *cells, '' if change is None else f'{change:+.1f} %'])} |"

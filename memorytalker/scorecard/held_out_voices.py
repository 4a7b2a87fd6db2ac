"""The validation speakers, spoken by the model in their own manner and in none: what each clip came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from memorytalker.articulation.coarticulation import frame_phones
from memorytalker.evaluation import metrics
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.evaluation.vertices import lip_vertex_error
from memorytalker.phones import ENGLISH
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure, Goal
from memorytalker.scorecard.mouth import Mouth, mouth_of, mouth_of_curves
from memorytalker.scorecard.synthesised_truth import ReferenceClip, source_note
from memorytalker.sound.acoustics import RATE, loudness_contour
from memorytalker.sound.decode import load_waveform

#: Decibels under the level of the clip's speech from which on a frame is quiet: nine in ten spoken frames are louder.
QUIET_DECIBELS = 20.0


@dataclass(frozen=True)
class Spoken:
    """One validation clip after the road, T frames.

    own, neutral: the predicted mouth in the style of the clip's own voice (stages 1 and 2) and in the neutral one
    (stage 1). true: the mouth of the synthesised motion. own_error, neutral_error: LVE, maximum form, in square metres
    against that motion. style: (n,) style weights. quiet: (T,) whether the frame's sound is quiet.
    """

    clip: ReferenceClip
    own: Mouth
    neutral: Mouth
    true: Mouth
    own_error: float
    neutral_error: float
    style: np.ndarray
    quiet: np.ndarray


def speak_all(talker: Talker, clips: Sequence[ReferenceClip], progress: Progress | None = None) -> list[Spoken]:
    """Every clip on the whole road, from its sound file to vertices, twice: in its own manner and in none."""
    spoken = []
    for done, clip in enumerate(clips, start=1):
        spoken.append(speak(talker, clip))
        if progress:
            progress(done, len(clips), "voices")
    return spoken


def speak(talker: Talker, clip: ReferenceClip) -> Spoken:
    """One clip. Raises EvaluationError if the model's frames are not those of the synthesised motion."""
    head, lips = talker.head, talker.head.regions["lips"]
    waveform = load_waveform(clip.sound)
    true = head.template[lips] + np.einsum("ts,svc->tvc", clip.weights, head.blendshapes[:, lips])
    mouths, errors, styles = [], [], []
    for style in ({}, {"style": None}):
        animation = talker.animate(waveform, **style)
        if animation.fps != clip.fps or len(animation.vertices) != len(true):
            raise EvaluationError(
                f"The model makes {len(animation.vertices)} frames at {animation.fps:g} fps of {clip.sound.name}, "
                f"but its motion has {len(true)} at {clip.fps:g}; only a model at {clip.fps:g} fps can be compared."
            )
        mouths.append(mouth_of(head, animation.vertices, animation.fps))
        errors.append(lip_vertex_error(animation.vertices[:, lips], true, np.arange(len(lips))))
        styles.append(animation.style_weights)
    mouth = mouth_of_curves(head, clip.weights, clip.fps)
    quiet = quiet_frames(waveform.samples, len(true), clip.fps)
    return Spoken(clip, mouths[0], mouths[1], mouth, errors[0], errors[1], styles[0], quiet)


def quiet_frames(samples: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """(T,) True where every 10 ms of a frame are at least `QUIET_DECIBELS` under the level of the clip's speech.

    That level is the median loudness of the 10 ms within 25 dB of the loudest, as in `corpus.hearing.effort`.
    """
    contour = loudness_contour(samples)
    speech = np.median(contour[contour > np.percentile(contour, 98) - 25])
    loudest = maximum_filter1d(contour, 2 * int(np.ceil(RATE / fps / 2)) - 1)
    middle = np.minimum(((np.arange(frames) + 0.5) / fps * RATE).astype(int), len(contour) - 1)
    return loudest[middle] <= speech - QUIET_DECIBELS


def by_speaker(spoken: Sequence[Spoken]) -> Iterator[tuple[str, list[Spoken]]]:
    """Every speaker with all of his or her clips."""
    for speaker in dict.fromkeys(one.clip.speaker for one in spoken):
        yield speaker, [one for one in spoken if one.clip.speaker == speaker]


def contact_figures(spoken: Sequence[Spoken], card: Scorecard) -> list[Figure]:
    """Lips on p b m, lip to teeth on f v, and the mouth in silence; beside each what the synthesised motion has."""
    groups = [clips for _, clips in by_speaker(spoken)]
    closed, met, shut, resting = (
        [np.sum([count(clips, [getattr(one, whose) for one in clips]) for clips in groups], axis=0) for whose in
         ("own", "true")] for count in (_closed, _met, _shut, _resting)
    )  # fmt: skip
    people = f"{len(groups)} speakers"

    def figure(name: str, counts: list[np.ndarray], what: str, goal: Goal | None) -> Figure:
        (did, should), true = counts
        share, itself = (hit / all_ if all_ else float("nan") for hit, all_ in (counts[0], true))
        said = f"{should} {what}, {people}; the synthesised motion itself {itself:.3f}"
        return Figure(name, float(share), said, goal)

    return [
        figure("lips closed on p b m", closed, "phones", card.lips_closed),
        figure("lower lip to upper teeth on f v", met, "phones", card.lip_to_teeth),
        figure("mouth closed in silence", shut, "frames of aligned silence", None),
        figure(
            f"mouth closed in silence, {QUIET_DECIBELS:g} dB below speech",
            resting,
            "quiet frames",
            card.closed_when_quiet,
        ),
    ]


def _closed(clips: list[Spoken], mouths: list[Mouth]) -> tuple[int, int]:
    """(closed, all) of one speaker's p b m, by that speaker's own vowels."""
    return _contacts(clips, [mouth.gap for mouth in mouths], ENGLISH.bilabials)


def _met(clips: list[Spoken], mouths: list[Mouth]) -> tuple[int, int]:
    """(met, all) of one speaker's f v."""
    return _contacts(clips, [mouth.bite for mouth in mouths], ENGLISH.labiodentals)


def _contacts(clips: list[Spoken], curves: list[np.ndarray], labels: tuple[str, ...]) -> tuple[int, int]:
    limit, wanted = _limit(clips, curves), ENGLISH.indices(labels)
    counts = np.zeros(2, int)
    for one, curve in zip(clips, curves, strict=True):
        phones = one.clip.phones
        those = np.isin(phones.index, wanted)
        counts += metrics.closures(curve, phones.start[those], phones.end[those], one.clip.fps, limit)
    return int(counts[0]), int(counts[1])


def _shut(clips: list[Spoken], mouths: list[Mouth], quiet_only: bool = False) -> tuple[int, int]:
    """(closed, all) frames of one speaker's aligned silences."""
    gaps = [mouth.gap for mouth in mouths]
    limit, counts = _limit(clips, gaps), np.zeros(2, int)
    for one, gap in zip(clips, gaps, strict=True):
        phones, silence = one.clip.phones, one.clip.phones.index == 0
        mask = metrics.silent_frames(phones.start[silence], phones.end[silence], len(gap), one.clip.fps)
        mask &= one.quiet if quiet_only else True
        counts += (int((gap[mask] < limit).sum()), int(mask.sum()))
    return int(counts[0]), int(counts[1])


def _resting(clips: list[Spoken], mouths: list[Mouth]) -> tuple[int, int]:
    """(closed, all) frames of one speaker's aligned silences that are also quiet."""
    return _shut(clips, mouths, quiet_only=True)


def _limit(clips: list[Spoken], curves: list[np.ndarray]) -> float:
    """Metres under which a distance of this speaker's mouth counts as closed."""
    frames = [frame_phones(one.clip.phones, len(one.true.gap), one.clip.fps) for one in clips]
    return metrics.CLOSED_SHARE * metrics.vowel_gap(curves, frames, np.array(ENGLISH.indices(ENGLISH.vowels)))


def timing_figure(spoken: Sequence[Spoken], card: Scorecard) -> Figure:
    """By how much the predicted lip gap lags behind that of the synthesised motion of the same phone times."""
    lags = [metrics.lag_seconds(one.own.gap, one.true.gap, one.clip.fps) for one in spoken]
    name = "timing: median lag behind phone times in ms"
    count = f"{len(lags)} clips of synthesised motion{source_note([one.clip for one in spoken])}"
    return Figure(name, 1000 * float(np.median(lags)), count, card.lag_ms)

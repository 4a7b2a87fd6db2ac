"""Held-out speakers: their clips predicted in the style of their own voice and in the neutral style."""

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
from memorytalker.scorecard.synthesised_reference import ReferenceClip, source_note
from memorytalker.scorecard.visible import VisibleMouth, visible_mouth, visible_mouth_of_curves
from memorytalker.sound.acoustics import RATE, loudness_contour
from memorytalker.sound.decode import load_waveform

#: A frame is quiet from this many decibels below the speech level of its clip; nine in ten spoken frames are louder.
QUIET_DECIBELS = 20.0


@dataclass(frozen=True)
class PredictedClip:
    """A validation clip with its predictions, T frames.

    own, neutral: the predicted mouth in the style of the clip's own voice (stages 1 and 2) and in the neutral style
    (stage 1). true: the mouth of the synthesised motion. own_error, neutral_error: LVE, maximum form, in square metres
    against that motion. style: (n,) style weights. quiet: (T,) whether the frame's sound is quiet. seen, true_seen:
    what a viewer sees of the mouths `own` and `true`.
    """

    clip: ReferenceClip
    own: Mouth
    neutral: Mouth
    true: Mouth
    own_error: float
    neutral_error: float
    style: np.ndarray
    quiet: np.ndarray
    seen: VisibleMouth | None = None
    true_seen: VisibleMouth | None = None


def predict_all(
    talker: Talker, clips: Sequence[ReferenceClip], progress: Progress | None = None
) -> list[PredictedClip]:
    """Predict every clip from its sound file to vertices, in the style of its own voice and in the neutral style."""
    predicted = []
    for done, clip in enumerate(clips, start=1):
        predicted.append(predict(talker, clip))
        if progress:
            progress(done, len(clips), "voices")
    return predicted


def predict(talker: Talker, clip: ReferenceClip) -> PredictedClip:
    """Predict one clip. Raises EvaluationError if its frames do not match those of the synthesised motion."""
    head, lips = talker.head, talker.head.regions["lips"]
    waveform = load_waveform(clip.sound)
    true = head.template[lips] + np.einsum("ts,svc->tvc", clip.weights, head.blendshapes[:, lips])
    mouths, errors, styles, seen = [], [], [], []
    for animation in (talker.animate(waveform), talker.animate(waveform, style=None)):
        if animation.fps != clip.fps or len(animation.motion) != len(true):
            raise EvaluationError(
                f"The model predicts {len(animation.motion)} frames at {animation.fps:g} fps for {clip.sound.name}, "
                f"but its motion has {len(true)} at {clip.fps:g}; only a model at {clip.fps:g} fps can be compared."
            )
        mouths.append(mouth_of(head, animation.motion, animation.fps))
        seen.append(visible_mouth(head, animation.motion, animation.fps))
        errors.append(lip_vertex_error(animation.motion.at(lips), true, np.arange(len(lips))))
        styles.append(animation.style_weights)
    mouth = mouth_of_curves(head, clip.weights, clip.fps)
    quiet = quiet_frames(waveform.samples, len(true), clip.fps)
    return PredictedClip(
        clip, mouths[0], mouths[1], mouth, errors[0], errors[1], styles[0], quiet, seen[0],
        visible_mouth_of_curves(head, clip.weights, clip.fps),
    )  # fmt: skip


def quiet_frames(samples: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """Mark the frames that are quiet throughout: `QUIET_DECIBELS` below the clip's speech level in every 10 ms.

    The speech level is the median loudness of the 10 ms steps within 25 dB of the loudest.

    Args:
        samples: (S,) float32 at 16 kHz.
        frames: number of frames T.
        fps: frames per second.

    Returns:
        (T,) bool.
    """
    contour = loudness_contour(samples)
    speech = np.median(contour[contour > np.percentile(contour, 98) - 25])
    loudest = maximum_filter1d(contour, 2 * int(np.ceil(RATE / fps / 2)) - 1)
    middle = np.minimum(((np.arange(frames) + 0.5) / fps * RATE).astype(int), len(contour) - 1)
    return loudest[middle] <= speech - QUIET_DECIBELS


def by_speaker(predicted: Sequence[PredictedClip]) -> Iterator[tuple[str, list[PredictedClip]]]:
    """Yield every speaker with all of the speaker's clips."""
    for speaker in dict.fromkeys(one.clip.speaker for one in predicted):
        yield speaker, [one for one in predicted if one.clip.speaker == speaker]


def contact_figures(predicted: Sequence[PredictedClip], card: Scorecard) -> list[Figure]:
    """Lip closure on p b m, lip-to-teeth contact on f v, and closure in silence, each with the synthesised value."""
    groups = [clips for _, clips in by_speaker(predicted)]
    bilabial, labiodental, silent, quiet = (
        [np.sum([count(clips, [getattr(one, whose) for one in clips]) for clips in groups], axis=0) for whose in
         ("own", "true")] for count in (_bilabial, _labiodental, _silent, _quiet)
    )  # fmt: skip
    people = f"{len(groups)} speakers"

    def figure(name: str, counts: list[np.ndarray], what: str, goal: Goal | None) -> Figure:
        share, reference = (hits / total if total else float("nan") for hits, total in counts)
        count = f"{counts[0][1]} {what}, {people}; the synthesised motion itself {reference:.3f}"
        return Figure(name, float(share), count, goal)

    return [
        figure("lips closed on p b m", bilabial, "phones", card.lips_closed),
        figure("lower lip to upper teeth on f v", labiodental, "phones", card.lip_to_teeth),
        figure("mouth closed in silence", silent, "frames of aligned silence", None),
        figure(
            f"mouth closed in silence, {QUIET_DECIBELS:g} dB below speech",
            quiet,
            "quiet frames",
            card.closed_when_quiet,
        ),
    ]


def _bilabial(clips: list[PredictedClip], mouths: list[Mouth]) -> tuple[int, int]:
    """(closed, all) of one speaker's p b m, relative to that speaker's vowels."""
    return _contacts(clips, [mouth.gap for mouth in mouths], ENGLISH.bilabials)


def _labiodental(clips: list[PredictedClip], mouths: list[Mouth]) -> tuple[int, int]:
    """(touching, all) of one speaker's f v, relative to that speaker's vowels."""
    return _contacts(clips, [mouth.lip_to_teeth for mouth in mouths], ENGLISH.labiodentals)


def _contacts(clips: list[PredictedClip], curves: list[np.ndarray], labels: tuple[str, ...]) -> tuple[int, int]:
    limit, wanted = _limit(clips, curves), ENGLISH.indices(labels)
    counts = np.zeros(2, int)
    for one, curve in zip(clips, curves, strict=True):
        phones = one.clip.phones
        those = np.isin(phones.index, wanted)
        counts += metrics.closures(curve, phones.start[those], phones.end[those], one.clip.fps, limit)
    return int(counts[0]), int(counts[1])


def _silent(clips: list[PredictedClip], mouths: list[Mouth], quiet_only: bool = False) -> tuple[int, int]:
    """(closed, all) frames of one speaker's aligned silences."""
    gaps = [mouth.gap for mouth in mouths]
    limit, counts = _limit(clips, gaps), np.zeros(2, int)
    for one, gap in zip(clips, gaps, strict=True):
        phones, silence = one.clip.phones, one.clip.phones.index == 0
        mask = metrics.silent_frames(phones.start[silence], phones.end[silence], len(gap), one.clip.fps)
        mask &= one.quiet if quiet_only else True
        counts += (int((gap[mask] < limit).sum()), int(mask.sum()))
    return int(counts[0]), int(counts[1])


def _quiet(clips: list[PredictedClip], mouths: list[Mouth]) -> tuple[int, int]:
    """(closed, all) quiet frames of one speaker's aligned silences."""
    return _silent(clips, mouths, quiet_only=True)


def _limit(clips: list[PredictedClip], curves: list[np.ndarray]) -> float:
    """The distance in metres below which this speaker's mouth counts as closed."""
    frames = [frame_phones(one.clip.phones, len(one.true.gap), one.clip.fps) for one in clips]
    return metrics.CLOSED_SHARE * metrics.vowel_median(curves, frames, np.array(ENGLISH.indices(ENGLISH.vowels)))


def timing_figure(predicted: Sequence[PredictedClip], card: Scorecard) -> Figure:
    """Median lag of the predicted lip opening behind the synthesised motion of the same phone times."""
    lags = [metrics.lag_seconds(one.own.gap, one.true.gap, one.clip.fps) for one in predicted]
    name = "timing: median lag behind phone times in ms"
    count = f"{len(lags)} clips of synthesised motion{source_note([one.clip for one in predicted])}"
    return Figure(name, 1000 * float(np.median(lags)), count, card.lag_ms)

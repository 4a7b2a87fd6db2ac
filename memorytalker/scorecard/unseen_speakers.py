"""The style encoder on unseen speakers: error against their motion, how wide they open, and speaker retrieval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memorytalker.articulation.coarticulation import frame_phones
from memorytalker.evaluation import metrics
from memorytalker.evaluation.bootstrap import Interval, mean_interval
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.held_out_voices import PredictedClip, by_speaker
from memorytalker.scorecard.mouth import Mouth
from memorytalker.scorecard.synthesised_reference import source_note


def unseen_speaker_figures(predicted: Sequence[PredictedClip], card: Scorecard) -> list[Figure]:
    """Compare stages 1 and 2 with stage 1 on the synthesised motion of unseen speakers, and retrieve them by style."""
    people = list(by_speaker(predicted))
    frames = np.array([len(one.quiet) for one in predicted])
    motion = f"synthesised motion{source_note([one.clip for one in predicted])}"
    count = f"{motion} of {len(people)} speakers, {len(predicted)} clips"
    own, neutral = (
        np.array([np.average([getattr(one, error) for one in clips], weights=[len(one.quiet) for one in clips])
                  for _, clips in people]) for error in ("own_error", "neutral_error")
    )  # fmt: skip
    reduction = relative_reduction(own, neutral)
    means = {which: np.array([mean_opening(clips, which) for _, clips in people]) for which in
             ("own", "neutral", "true")}  # fmt: skip
    speakers, styles = np.array([one.clip.speaker for one in predicted]), np.stack([one.style for one in predicted])
    clips = f"{len(predicted)} clips, {len(people)} speakers"
    draws = f"draws of {len(people)} speakers"
    correlations = {which: metrics.correlation(means[which], means["true"]) for which in ("own", "neutral")}
    return [
        Figure("unseen speakers: LVE reduction by the style in %", 100 * reduction.value,
               f"{count}, {frames.sum()} frames", card.error_lowered, (100 * reduction.low, 100 * reduction.high)),
        Figure("unseen speakers: the same, lower end of the 95 % interval", 100 * reduction.low, draws,
               card.error_lowered_low_end),
        Figure("unseen speakers: mean lip opening, correlation with true", correlations["own"], count,
               card.mean_opening),
        Figure("unseen speakers: mean lip opening in the neutral style, correlation with true",
               correlations["neutral"], count),
        Figure("style weights: nearest other clip is the same speaker's", metrics.nearest_is_same(styles, speakers),
               clips, card.same_speaker),
        Figure("style weights: nearest other clip, by chance", metrics.chance_of_same(speakers), clips),
    ]  # fmt: skip


def relative_reduction(own: np.ndarray, neutral: np.ndarray) -> Interval:
    """Compute by which share the mean of `own` is below that of `neutral`, with an interval over speakers.

    Speakers are weighted by their neutral error, which makes the mean share equal to the share of the means.

    Args:
        own: (S,) one error per speaker.
        neutral: (S,) one error per speaker.

    Returns:
        The share and its interval.
    """
    return mean_interval(1 - own / neutral, weights=neutral)


def mean_opening(clips: Sequence[PredictedClip], which: str) -> float:
    """Mean lip opening in metres over one speaker's spoken frames, of the mouths "own", "neutral" or "true"."""
    gaps = []
    for one in clips:
        mouth: Mouth = getattr(one, which)
        gaps.append(mouth.gap[frame_phones(one.clip.phones, len(mouth.gap), mouth.fps) != 0])
    return float(np.concatenate(gaps).mean())

"""What the style encoder makes of people it never heard: nearer to their own motion, as open as they are, and known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memorytalker.articulation.coarticulation import frame_phones
from memorytalker.evaluation import metrics
from memorytalker.evaluation.bootstrap import Interval, mean_interval
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.held_out_voices import Spoken, by_speaker
from memorytalker.scorecard.mouth import Mouth
from memorytalker.scorecard.synthesised_truth import source_note


def unseen_speaker_figures(spoken: Sequence[Spoken], card: Scorecard) -> list[Figure]:
    """Stages 1 and 2 against stage 1, on the synthesised motion of speakers never trained on; and their styles."""
    people = list(by_speaker(spoken))
    frames = np.array([len(one.quiet) for one in spoken])
    motion = f"synthesised motion{source_note([one.clip for one in spoken])}"
    count = f"{motion} of {len(people)} speakers, {len(spoken)} clips"
    own, neutral = (
        np.array([np.average([getattr(one, error) for one in clips], weights=[len(one.quiet) for one in clips])
                  for _, clips in people]) for error in ("own_error", "neutral_error")
    )  # fmt: skip
    less = lowered(own, neutral)
    means = {which: np.array([mean_opening(clips, which) for _, clips in people]) for which in
             ("own", "neutral", "true")}  # fmt: skip
    speakers, styles = np.array([one.clip.speaker for one in spoken]), np.stack([one.style for one in spoken])
    clips = f"{len(spoken)} clips, {len(people)} speakers"
    lower = f"draws of {len(people)} speakers"
    alike = {which: metrics.correlation(means[which], means["true"]) for which in ("own", "neutral")}
    return [
        Figure("unseen speakers: LVE lowered by the style in %", 100 * less.value, f"{count}, {frames.sum()} frames",
               card.error_lowered, (100 * less.low, 100 * less.high)),
        Figure("unseen speakers: the same, lower end of the 95 % interval", 100 * less.low, lower,
               card.error_lowered_low_end),
        Figure("unseen speakers: mean opening, predicted with true", alike["own"], count, card.mean_opening),
        Figure("unseen speakers: mean opening in the neutral style, with true", alike["neutral"], count),
        Figure("style weights: nearest other clip is the same speaker's", metrics.nearest_is_same(styles, speakers),
               clips, card.same_speaker),
        Figure("style weights: nearest other clip, by chance", metrics.chance_of_same(speakers), clips),
    ]  # fmt: skip


def lowered(own: np.ndarray, neutral: np.ndarray) -> Interval:
    """By which share the mean of `own` is below that of `neutral`, one error a speaker (S,), drawing speakers.

    A speaker's share weighs as much as the speaker's neutral error, so that the whole is the share of the means.
    """
    return mean_interval(1 - own / neutral, weights=neutral)


def mean_opening(clips: Sequence[Spoken], which: str) -> float:
    """Mean lip gap in metres of one speaker's spoken frames, of the mouths "own", "neutral" or "true"."""
    gaps = []
    for one in clips:
        mouth: Mouth = getattr(one, which)
        gaps.append(mouth.gap[frame_phones(one.clip.phones, len(mouth.gap), mouth.fps) != 0])
    return float(np.concatenate(gaps).mean())

"""Steadiness under cropping: the same sound with its beginning cut off must move the mouth in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.evaluation import metrics
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.mouth import mouth_of
from memorytalker.scorecard.synthesised_reference import ReferenceClip, subsample
from memorytalker.sound.decode import SAMPLE_RATE, Waveform, load_waveform

#: Motion frames that are cut off: at 30 a second from a thirtieth of a second to 5 seconds.
CUTS = (1, 2, 3, 7, 15, 30, 60, 90, 150)
#: Seconds after the cut that are not compared: what was said just before is no longer heard.
SETTLED = 0.5
#: Seconds that must be left to compare, and number of clips, the longest of every speaker first.
SHORTEST_COMPARED, CLIPS = 2.0, 16


@dataclass(frozen=True)
class Crop:
    """A clip with its beginning cut off against the whole clip.

    correlation: of the lip opening. distance: largest difference of the lip opening in a frame, metres.
    """

    correlation: float
    distance: float


def cropped(samples: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """The samples (S,) at 16 kHz without their first `frames` motion frames."""
    return samples[round(frames / fps * SAMPLE_RATE) :]


def compare_crop(whole: np.ndarray, crop: np.ndarray, frames: int, fps: float) -> Crop:
    """Compare two lip openings from `SETTLED` seconds after the cut on.

    Args:
        whole: (T,) lip opening of the whole clip, metres.
        crop: (T - frames,) of the cropped clip; one frame more or less is allowed.
        frames: that were cut off.
        fps: frames per second.

    Returns:
        Correlation and largest distance. Two mouths that stay still in the same way correlate at 1.
    """
    settled = round(SETTLED * fps)
    first, second = whole[frames + settled :], crop[settled:]
    count = min(len(first), len(second))
    first, second = first[:count], second[:count]
    distance = float(np.abs(first - second).max())
    return Crop(1.0 if distance < 1e-9 else metrics.correlation(first, second), distance)


def long_clips(clips: Sequence[ReferenceClip], limit: int = 0) -> list[Path]:
    """Select the sounds to crop: the longest clip of every speaker, at most `CLIPS`, or about `limit` of these."""
    longest: dict[str, ReferenceClip] = {}
    for clip in clips:
        if clip.speaker not in longest or len(clip.weights) > len(longest[clip.speaker].weights):
            longest[clip.speaker] = clip
    chosen = sorted(longest.values(), key=lambda clip: (-len(clip.weights), clip.sound.name))[:CLIPS]
    return [clip.sound for clip in subsample(chosen, limit)]


def crops_of(talker: Talker, samples: np.ndarray, style: np.ndarray | None = None) -> list[Crop]:
    """Cut a sound at all `CUTS` that leave enough to compare, and animate the whole and each rest.

    Args:
        talker: the model.
        samples: (S,) float32 at 16 kHz.
        style: style weights for all of them; None: each in the style of its own voice.

    Returns:
        One comparison for each cut.
    """

    def gap(part: np.ndarray) -> tuple[np.ndarray, float]:
        waveform = Waveform(np.ascontiguousarray(part, np.float32))
        animation = talker.animate(waveform) if style is None else talker.animate(waveform, style)
        return mouth_of(talker.head, animation.motion, animation.fps).gap, animation.fps

    whole, fps = gap(samples)
    needed = (SETTLED + SHORTEST_COMPARED) * fps
    return [
        compare_crop(whole, gap(cropped(samples, frames, fps))[0], frames, fps)
        for frames in CUTS
        if len(whole) - frames >= needed
    ]


def crop_figures(
    talker: Talker, sounds: Sequence[Path], card: Scorecard, progress: Progress | None = None
) -> list[Figure]:
    """Measure how steady the mouth is when sounds are cropped, each in the style of its own voice."""
    crops: list[Crop] = []
    for done, sound in enumerate(sounds, start=1):
        crops += crops_of(talker, load_waveform(sound).samples)
        if progress:
            progress(done, len(sounds), "crops")
    return figures_of_crops(crops, len(sounds), card)


def figures_of_crops(crops: Sequence[Crop], clips: int, card: Scorecard) -> list[Figure]:
    """Smallest and median correlation, and the largest distance, of comparisons of `clips` sounds."""
    count = f"{len(crops)} crops of {clips} clips"
    correlations = np.array([crop.correlation for crop in crops])
    worst = max((crop.distance for crop in crops), default=float("nan"))
    return [
        Figure("cropping: lip opening, smallest correlation with the whole clip's",
               float(correlations.min(initial=np.inf)) if crops else float("nan"), count, card.crop_correlation),
        Figure("cropping: lip opening, median correlation with the whole clip's",
               float(np.median(correlations)) if crops else float("nan"), count, card.crop_correlation),
        Figure("cropping: lip opening, largest distance of a frame in mm", 1000 * worst, count, card.crop_distance_mm),
    ]  # fmt: skip

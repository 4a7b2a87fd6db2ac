"""Held-out video-tracked faces: the predicted mouth against the tracked one, clip by clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from scipy.ndimage import gaussian_filter1d

from memorytalker.articulation.coarticulation import TimedPhones
from memorytalker.corpus.capture import video_openings
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.evaluation import metrics
from memorytalker.pipeline import OWN_VOICE, StyleSource, Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard, VideoGoals
from memorytalker.scorecard.goals import Figure, Goal
from memorytalker.scorecard.mouth import at_frames, eye_distance, mouth_of
from memorytalker.scorecard.synthesised_reference import subsample
from memorytalker.sound.acoustics import RATE, loudness_contour
from memorytalker.sound.decode import Waveform, load_waveform
from memorytalker.styles.style import Style

#: Seconds: standard deviation of the Gaussian on loudness before it is compared with the video.
LOUDNESS_SMOOTHING = 0.05


@dataclass(frozen=True)
class TrackedVideo:
    """A tracked clip: its sound, and the mouth as curves (T,) in eye distances at the video's frame rate.

    phones: what is said; None where it is not known.
    """

    sound: Path
    fps: float
    gap: np.ndarray
    width: np.ndarray
    jaw: np.ndarray
    phones: TimedPhones | None = None


@dataclass(frozen=True)
class Compared:
    """A tracked clip and the predicted mouth, in the video's frames and unit, and the loudness of its sound in dB."""

    video: TrackedVideo
    gap: np.ndarray
    width: np.ndarray
    jaw: np.ndarray
    loudness: np.ndarray

    @property
    def correlation(self) -> float:
        """Correlation of the predicted lip opening with the tracked one."""
        return metrics.correlation(self.gap, self.video.gap)


def tracked_videos(
    root: Path, source: CaptureSource, limit: int = 0, phones: Mapping[str, TimedPhones] = MappingProxyType({})
) -> list[TrackedVideo]:
    """Read the held-out clips of a source below `root`/capture.

    Args:
        root: the source folder.
        source: the recipe's source of landmarks.
        limit: about this many clips, evenly chosen; 0 for all.
        phones: of clips by name, where they are known.

    Returns:
        The clips.

    Raises:
        CaptureError: if the folder is missing or damaged.
    """
    tracked, folder = video_openings(root / "capture", (source.folder,)), root / "capture" / source.folder
    held = [name for number, name in enumerate(tracked) if source.holds_out(name, number, len(tracked))]
    videos = [TrackedVideo(folder / f"{name}.opus", *tracked[name], phones.get(name)) for name in held]
    return subsample(videos, limit)


def compare_videos(
    talker: Talker, videos: Sequence[TrackedVideo], name: str, progress: Progress | None = None
) -> list[Compared]:
    """Predict the mouth of every clip and set it beside the tracked one; `name` labels the progress."""
    compared = []
    for done, video in enumerate(videos, start=1):
        compared.append(compare_video(talker, video, load_waveform(video.sound)))
        if progress:
            progress(done, len(videos), name)
    return compared


def compare_video(
    talker: Talker,
    video: TrackedVideo,
    waveform: Waveform,
    style: np.ndarray | Style | StyleSource | None = OWN_VOICE,
) -> Compared:
    """Predict the mouth from `waveform`, the video's own sound or an augmented version of it.

    Args:
        talker: the model.
        video: the tracked clip.
        waveform: the sound to animate.
        style: as `Talker.animate` takes it: that of the sound itself, None for neutral, style weights (n,) or a style.

    Returns:
        Both mouths.
    """
    animation = talker.animate(waveform, style)
    mouth, eyes, frames = mouth_of(talker.head, animation.motion, animation.fps), eye_distance(talker.head), video.gap
    curves = (at_frames(c / eyes, mouth.fps, len(frames), video.fps) for c in (mouth.gap, mouth.width, mouth.jaw))
    gap, width, jaw = curves
    contour = gaussian_filter1d(loudness_contour(waveform.samples), LOUDNESS_SMOOTHING * RATE)
    return Compared(video, np.maximum(gap, 0.0), width, jaw, at_frames(contour, RATE, len(frames), video.fps))


def face_figures(video: VideoGoals, compared: Sequence[Compared], card: Scorecard) -> list[Figure]:
    """All figures of one folder of tracked video."""
    gaps = [one.correlation for one in compared]
    widths = [metrics.correlation(one.width, one.video.width) for one in compared]
    jaws = [metrics.correlation(one.jaw, one.video.jaw) for one in compared]
    loud = [metrics.correlation(one.loudness, one.video.gap) for one in compared]
    ratios = [metrics.amplitude_ratio(one.gap, one.video.gap) for one in compared]
    lags = [metrics.lag_seconds(one.gap, one.video.gap, one.video.fps) for one in compared]
    rows: list[tuple[str, float, Goal | None]] = [
        ("lip opening, median correlation with video", float(np.median(gaps)), video.gap),
        ("lip opening, mean correlation with video", float(np.mean(gaps)), video.gap),
        ("lip opening, median amplitude ratio to video", float(np.median(ratios)), video.amplitude),
        ("timing: median lag behind video in ms", 1000 * float(np.median(lags)), card.video_lag_ms),
        ("lip width, median correlation with video", float(np.median(widths)), video.width),
        ("lip width, mean correlation with video", float(np.mean(widths)), video.width),
        ("jaw, median correlation with video", float(np.median(jaws)), None),
        ("jitter: lip acceleration ratio to video", acceleration_ratio(compared), card.video_jitter),
        ("baseline: loudness alone, median correlation of lip opening", float(np.median(loud)), None),
        ("baseline: loudness alone, mean correlation of lip opening", float(np.mean(loud)), None),
    ]
    count = f"{len(compared)} clips, {sum(len(one.video.gap) for one in compared)} video frames"
    return [Figure(f"{video.folder}: {name}", value, count, goal) for name, value, goal in rows]


def acceleration_ratio(compared: Sequence[Compared]) -> float:
    """Compute the mean absolute second difference of the lip opening over all clips, predicted over tracked.

    Both are at the video's frame rate and smoothed by the same Gaussian of one frame, because tracking noise adds
    acceleration.
    """
    predicted, tracked = (
        float(np.mean([metrics.acceleration(curve, metrics.ACCELERATION_SMOOTHING)[0] for curve in curves]))
        for curves in ([one.gap for one in compared], [one.video.gap for one in compared])
    )
    return predicted / max(tracked, 1e-12)

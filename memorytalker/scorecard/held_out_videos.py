"""Filmed faces that were kept out of training: the predicted mouth against the filmed one, clip by clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from memorytalker.corpus.capture import video_openings
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.evaluation import metrics
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard, VideoGoals
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.mouth import at_frames, eye_distance, mouth_of
from memorytalker.scorecard.synthesised_truth import subsample
from memorytalker.sound.acoustics import RATE, loudness_contour
from memorytalker.sound.decode import Waveform, load_waveform

#: Seconds: standard deviation of the Gaussian on loudness before it is compared with film.
LOUDNESS_SMOOTHING = 0.05


@dataclass(frozen=True)
class TrackedVideo:
    """One filmed clip: its sound and its mouth, each curve (T,) in eye distances at the film's rate."""

    sound: Path
    fps: float
    gap: np.ndarray
    width: np.ndarray
    jaw: np.ndarray


@dataclass(frozen=True)
class Compared:
    """A filmed clip with the predicted mouth in the film's own time and unit, and the loudness of its sound in dB."""

    film: TrackedVideo
    gap: np.ndarray
    width: np.ndarray
    jaw: np.ndarray
    loudness: np.ndarray

    @property
    def correlation(self) -> float:
        """Correlation of the predicted lip gap with the filmed one."""
        return metrics.correlation(self.gap, self.film.gap)


def tracked_videos(root: Path, source: CaptureSource, limit: int = 0) -> list[TrackedVideo]:
    """The clips of a source below `root`/capture that nothing was trained on, or about `limit` of them, evenly chosen.

    Raises CaptureError when its folder is missing or damaged.
    """
    films, folder = video_openings(root / "capture", (source.folder,)), root / "capture" / source.folder
    held = [name for number, name in enumerate(films) if source.holds_out(name, number, len(films))]
    return subsample([TrackedVideo(folder / f"{name}.opus", *films[name]) for name in held], limit)


def compare_videos(
    talker: Talker, films: Sequence[TrackedVideo], name: str, progress: Progress | None = None
) -> list[Compared]:
    """The model's mouth beside the filmed one, for every clip."""
    compared = []
    for done, film in enumerate(films, start=1):
        compared.append(compare_video(talker, film, load_waveform(film.sound)))
        if progress:
            progress(done, len(films), name)
    return compared


def compare_video(talker: Talker, film: TrackedVideo, waveform: Waveform) -> Compared:
    """The mouth that the model makes of `waveform`, which may be the film's own sound or that sound disturbed."""
    animation = talker.animate(waveform)
    mouth, eyes, frames = mouth_of(talker.head, animation.vertices, animation.fps), eye_distance(talker.head), film.gap
    curves = (at_frames(c / eyes, mouth.fps, len(frames), film.fps) for c in (mouth.gap, mouth.width, mouth.jaw))
    gap, width, jaw = curves
    contour = gaussian_filter1d(loudness_contour(waveform.samples), LOUDNESS_SMOOTHING * RATE)
    return Compared(film, np.maximum(gap, 0.0), width, jaw, at_frames(contour, RATE, len(frames), film.fps))


def face_figures(video: VideoGoals, compared: Sequence[Compared], card: Scorecard) -> list[Figure]:
    """Everything that is said about the clips of one folder of video."""
    gaps = [one.correlation for one in compared]
    widths = [metrics.correlation(one.width, one.film.width) for one in compared]
    jaws = [metrics.correlation(one.jaw, one.film.jaw) for one in compared]
    loud = [metrics.correlation(one.loudness, one.film.gap) for one in compared]
    ratios = [metrics.amplitude_ratio(one.gap, one.film.gap) for one in compared]
    lags = [metrics.lag_seconds(one.gap, one.film.gap, one.film.fps) for one in compared]
    rows = [
        ("lip gap, median correlation with film", np.median(gaps), video.gap),
        ("lip gap, mean correlation with film", np.mean(gaps), video.gap),
        ("lip gap, median amplitude against film", np.median(ratios), video.amplitude),
        ("timing: median lag behind film in ms", 1000 * np.median(lags), card.video_lag_ms),
        ("lip width, median correlation with film", np.median(widths), video.width),
        ("lip width, mean correlation with film", np.mean(widths), video.width),
        ("jaw, median correlation with film", np.median(jaws), None),
        ("jitter: lip acceleration against film", acceleration_ratio(compared), card.video_jitter),
        ("for scale: loudness alone, median correlation of lip gap", np.median(loud), None),
        ("for scale: loudness alone, mean correlation of lip gap", np.mean(loud), None),
    ]
    count = f"{len(compared)} clips, {sum(len(one.film.gap) for one in compared)} film frames"
    return [Figure(f"{video.folder}: {name}", float(value), count, wanted) for name, value, wanted in rows]


def acceleration_ratio(compared: Sequence[Compared]) -> float:
    """Mean size of the lip gap's second difference over all clips, predicted over filmed.

    Both at the film's rate and through the same Gaussian of one frame, since a tracker's noise is acceleration too.
    """
    predicted, filmed = (
        np.mean([metrics.acceleration(curve, metrics.ACCELERATION_SMOOTHING)[0] for curve in curves])
        for curves in ([one.gap for one in compared], [one.film.gap for one in compared])
    )
    return float(predicted / max(filmed, 1e-12))

"""Comparing: a motion that is known and its sound become figures, curves and a film, one after the other."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memorytalker import HeadMesh
from memorytalker.comparison.arrays import GroundTruthError
from memorytalker.comparison.bundled import BundledClip, bundled_clips
from memorytalker.comparison.ground_truth import GroundTruth, read_ground_truth
from memorytalker.comparison.predictions import BOTH_STAGES, STAGE_ONE, Comparison, compare
from memorytalker.comparison.video import write_comparison
from memorytalker.figures import comparison_curves
from memorytalker.page.animation_run import Result
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PageError
from memorytalker.page.status import stream_progress
from memorytalker.page.worker import in_worker
from memorytalker.progress import Progress

STEPS = ("Listen", "Measure", "Video")
#: Instead of the name of a bundled clip: the visitor's own files.
OWN = "own"
SHOWN = (BOTH_STAGES, STAGE_ONE)
LONGEST_SECONDS = 20.0  # two heads are drawn
LARGEST_FPS = 1000


@dataclass(frozen=True)
class CompareRequest:
    """One comparison as asked for. `clip`: the name of a bundled clip, or OWN; motion and sound: paths of own files.

    shown: which prediction the film shows, one of SHOWN. fps: frames a second of a motion that does not say it.
    """

    clip: str
    identity: str
    shown: str = BOTH_STAGES
    motion: str | None = None
    sound: str | None = None
    fps: float | None = None

    def check(self, identities: Any) -> None:
        """Raise PageError, in plain words, for a choice that cannot be met; files are not yet opened."""
        if self.clip != OWN and self.clip not in [clip.name for clip in bundled_clips()]:
            raise PageError(f"There is no such clip; choose one of {', '.join(c.name for c in bundled_clips())}.")
        if not isinstance(self.identity, str) or self.identity not in identities:
            raise PageError(f"There is no such head; choose one of {', '.join(identities)}.")
        if self.shown not in SHOWN:
            raise PageError(f"The video shows one of: {', '.join(SHOWN)}.")
        if self.fps is not None and not (type(self.fps) in (int, float) and abs(self.fps) <= LARGEST_FPS):  # nan: no
            raise PageError("Frames a second are a number; leave the field empty where the file says it.")
        for path, what in ((self.motion, "motion"), (self.sound, "sound")):
            if self.clip == OWN and path and not Path(path).exists():
                raise PageError(f"The {what} is no longer on this server; please give it again.")

    def read(self, head: HeadMesh) -> GroundTruth:
        """The truth on `head`. Raises TruthError or AudioError in plain words."""
        if self.clip != OWN:
            return bundled(self.clip).read(head)
        # No file chosen is None, and the page's field of numbers cannot be empty: it is 0 there.
        return read_ground_truth(self.motion or None, self.sound or None, head, self.fps or None, LONGEST_SECONDS)


@dataclass(frozen=True, eq=False)
class ComparisonReady(Result):
    """The measures, and what they were measured on."""

    comparison: Comparison


@dataclass(frozen=True, eq=False)
class CurvesReady(Result):
    """A picture of the curves, where it lies until the next step."""

    path: Path


@dataclass(frozen=True, eq=False)
class VideoReady(Result):
    """The video of both heads, where it lies until the next step."""

    path: Path


def bundled(name: str) -> BundledClip:
    """The bundled clip of that name."""
    return next(clip for clip in bundled_clips() if clip.name == name)


def run_comparison(
    desk: JobRunner, trial: CompareRequest, steps: Sequence[str] = STEPS
) -> Generator[str | Result, None, None]:
    """Do what is asked: yields what can be said of the progress (HTML), and each result as soon as it is there.

    Results: ComparisonReady; CurvesReady, a PNG; VideoReady, an MP4. Both files lie in folders that go when this
    generator goes on. Closing it stops the work. Raises PageError or AudioError in plain words, TimeoutError, and
    whatever fails in the work.
    """
    try:
        trial.check(desk.head.identities)
        with desk.task(_measured, desk, trial) as measuring:
            comparison = yield from stream_progress(measuring, 0, "Reading the motion", steps)
        yield ComparisonReady(comparison)
        with desk.task(_drawn, comparison) as drawing:
            path = yield from stream_progress(drawing, 1, "Drawing the curves", steps)
            yield CurvesReady(path)
        with desk.task(_filmed, comparison, trial.shown) as filming:
            path = yield from stream_progress(filming, 2, "Drawing the video", steps)
            yield VideoReady(path)
    except GroundTruthError as error:
        raise PageError(str(error)) from None


@in_worker
def _measured(desk: JobRunner, trial: CompareRequest, progress: Progress) -> Comparison:
    truth = trial.read(desk.head.with_identity(trial.identity))
    return compare(truth, desk.animate, progress)


@in_worker
def _drawn(comparison: Comparison, folder: Path, progress: Progress) -> Path:
    path = folder / "curves.png"
    opened = {one.name: 1000 * one.opening for one in comparison.predictions}
    errors = {one.name: 1000 * one.lip_error for one in comparison.predictions}
    truth = comparison.ground_truth
    if not len(comparison.opening):
        raise PageError("This head does not name its lips, so nothing can be drawn of them; use the shipped head.")
    figure = comparison_curves(1000 * comparison.opening, opened, errors, truth.motion.fps, truth.waveform, dark=True)
    figure.savefig(path, dpi=140)
    return path


@in_worker
def _filmed(comparison: Comparison, shown: str, folder: Path, progress: Progress) -> Path:
    progress(0, 0, "render")
    prediction = next(one for one in comparison.predictions if one.name == shown)
    return write_comparison(folder / "comparison.mp4", comparison, prediction, progress=progress)

"""Carry out a CompareRequest: the measures, the curves and the video, each as soon as it is ready."""

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
from memorytalker.page.limits import READING_SECONDS, PageError
from memorytalker.page.status import stream_progress
from memorytalker.page.worker import in_worker
from memorytalker.progress import Progress

STEPS = ("Measure", "Curves", "Video")
#: In place of the name of a bundled clip: the visitor's own files.
OWN = "own"
SHOWN = (BOTH_STAGES, STAGE_ONE)
LONGEST_SECONDS = 20.0  # two heads are drawn
LARGEST_FPS = 1000


@dataclass(frozen=True)
class CompareRequest:
    """One comparison as asked for.

    Args:
        clip: name of a bundled clip, or OWN.
        identity: name of the head.
        shown: the prediction in the video, one of SHOWN.
        motion: path of the visitor's motion file, for OWN.
        sound: path of its sound, for OWN; None: that of the motion, if it is a video.
        fps: frames per second, if the motion file does not state them.
    """

    clip: str
    identity: str
    shown: str = BOTH_STAGES
    motion: str | None = None
    sound: str | None = None
    fps: float | None = None

    def check(self, identities: Any) -> None:
        """Raise PageError, in plain words, for a choice that does not exist; opens no file."""
        if self.clip != OWN and self.clip not in [clip.name for clip in bundled_clips()]:
            raise PageError(f"There is no such clip; choose one of {', '.join(c.name for c in bundled_clips())}.")
        if not isinstance(self.identity, str) or self.identity not in identities:
            raise PageError(f"There is no such head; choose one of {', '.join(identities)}.")
        if self.shown not in SHOWN:
            raise PageError(f"The video shows one of: {', '.join(SHOWN)}.")
        if self.fps is not None and not (type(self.fps) in (int, float) and abs(self.fps) <= LARGEST_FPS):  # nan: no
            raise PageError("Give the frames per second as a number; leave the field empty if the file states it.")
        for path, what in ((self.motion, "motion"), (self.sound, "sound")):
            if self.clip == OWN and path and not Path(path).exists():
                raise PageError(f"The {what} is no longer on this server; please give it again.")

    def read(self, head: HeadMesh) -> GroundTruth:
        """The ground truth on `head`. Raises GroundTruthError or AudioError, in plain words."""
        if self.clip != OWN:
            return bundled(self.clip).read(head)
        # The page's number field cannot be empty; 0 stands for None.
        return read_ground_truth(self.motion or None, self.sound or None, head, self.fps or None, LONGEST_SECONDS)


@dataclass(frozen=True, eq=False)
class ComparisonReady(Result):
    """The comparison with its measures."""

    comparison: Comparison


@dataclass(frozen=True, eq=False)
class CurvesReady(Result):
    """An image of the curves; it exists until the next step."""

    path: Path


@dataclass(frozen=True, eq=False)
class VideoReady(Result):
    """The video of both heads; it exists until the next step."""

    path: Path


def bundled(name: str) -> BundledClip:
    """The bundled clip of that name."""
    return next(clip for clip in bundled_clips() if clip.name == name)


def run_comparison(
    runner: JobRunner, request: CompareRequest, steps: Sequence[str] = STEPS
) -> Generator[str | Result, None, None]:
    """Carry out a comparison; closing the generator stops the work.

    Args:
        runner: does the work.
        request: what to compare.
        steps: names of the steps in the progress.

    Yields:
        The progress as HTML, and each result as soon as it is ready: ComparisonReady, CurvesReady (a PNG file),
        VideoReady (an MP4 file). A file is removed when the generator goes on.

    Raises:
        PageError, AudioError: the request cannot be met; in plain words.
        TimeoutError: the work took too long.
        Exception: what failed in the work.
    """
    try:
        request.check(runner.head.identities)
        with runner.job(_read, runner, request) as reading:
            ground_truth = yield from stream_progress(reading, 0, "Reading the motion", steps, READING_SECONDS)
        with runner.job(_compare, runner, ground_truth) as measuring:
            del ground_truth  # which is freed as soon as it has been resampled
            comparison = yield from stream_progress(measuring, 0, "Comparing", steps)
        yield ComparisonReady(comparison)
        with runner.job(_draw_curves, comparison) as drawing:
            path = yield from stream_progress(drawing, 1, "Drawing the curves", steps)
            yield CurvesReady(path)
        with runner.job(_write_video, comparison, request.shown) as rendering:
            path = yield from stream_progress(rendering, 2, "Drawing the video", steps)
            yield VideoReady(path)
    except GroundTruthError as error:
        raise PageError(str(error)) from None


@in_worker
def _read(runner: JobRunner, request: CompareRequest, progress: Progress) -> GroundTruth:
    return request.read(runner.head.with_identity(request.identity))


@in_worker
def _compare(runner: JobRunner, ground_truth: GroundTruth, progress: Progress) -> Comparison:
    return compare(ground_truth, runner.animate, progress)


@in_worker
def _draw_curves(comparison: Comparison, folder: Path, progress: Progress) -> Path:
    path = folder / "curves.png"
    openings = {one.name: 1000 * one.opening for one in comparison.predictions}
    errors = {one.name: 1000 * one.lip_error for one in comparison.predictions}
    reference = comparison.ground_truth
    if not len(comparison.opening):
        raise PageError("This head does not name its lips, so nothing can be drawn of them; use the shipped head.")
    figure = comparison_curves(
        1000 * comparison.opening, openings, errors, reference.motion.fps, reference.waveform, dark=True
    )
    figure.savefig(path, dpi=140)
    return path


@in_worker
def _write_video(comparison: Comparison, shown: str, folder: Path, progress: Progress) -> Path:
    progress(0, 0, "render")
    prediction = next(one for one in comparison.predictions if one.name == shown)
    return write_comparison(folder / "comparison.mp4", comparison, prediction, progress=progress)

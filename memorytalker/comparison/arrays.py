"""The error for ground truth that cannot be used. Every reader of ground truth raises it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memorytalker.errors import InputError
from memorytalker.face.array_files import ArrayFileError
from memorytalker.face.curve_files import CurveFileError
from memorytalker.face.head import HeadError
from memorytalker.face.motion import MotionError
from memorytalker.tracking.landmarks import CaptureError
from memorytalker.tracking.tracker import TrackerError
from memorytalker.tracking.video_frames import VideoError


class GroundTruthError(InputError):
    """Ground-truth motion that cannot be used; the message is one plain sentence that names the remedy."""


@contextmanager
def raised_as_ground_truth_error() -> Iterator[None]:
    """Raise the errors of the array, curve, motion and video readers as GroundTruthError, with the same message."""
    try:
        yield
    except (ArrayFileError, CaptureError, CurveFileError, HeadError, MotionError, TrackerError, VideoError) as error:
        raise GroundTruthError(str(error)) from None

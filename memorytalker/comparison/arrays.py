"""What is wrong with a file of known motion, in one plain sentence, whoever found it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memorytalker.errors import InputError
from memorytalker.face.array_files import ArrayFileError
from memorytalker.face.curve_files import CurveFileError
from memorytalker.face.head import HeadError
from memorytalker.face.motion import MotionError


class GroundTruthError(InputError):
    """Known motion that cannot be used; the message is one plain sentence that names the remedy."""


@contextmanager
def told_as_truth() -> Iterator[None]:
    """What the readers of arrays, curves and motion refuse is raised as TruthError, in their words."""
    try:
        yield
    except (ArrayFileError, CurveFileError, HeadError, MotionError) as error:
        raise GroundTruthError(str(error)) from None

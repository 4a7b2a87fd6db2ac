"""Predictions against ground truth: one sound through stage 1 and through stages 1 and 2, measured frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.comparison.ground_truth import GroundTruth
from memorytalker.datasets.sequences import FaceRegions
from memorytalker.evaluation.lip_opening import lip_opening
from memorytalker.evaluation.measures import measure_clip, missing
from memorytalker.evaluation.vertices import squared_distances
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import Motion
from memorytalker.progress import Progress

STAGE_ONE, BOTH_STAGES, STILL = "stage 1", "stages 1 + 2", "still face"


@dataclass(frozen=True, eq=False)
class Prediction:
    """One predicted motion, compared with the ground truth over T frames.

    offsets: (T, V, 3) metres from the head's template. lip_error: (T,) metres, the largest distance among the lip
    vertices of a frame; its mean is Lip-max. opening: (T,) metres, the height between the inner lips, below 0 where
    they press. Both are empty for a head that does not name its lips. values: the measures of the clip by name.
    """

    name: str
    offsets: np.ndarray
    lip_error: np.ndarray
    opening: np.ndarray
    values: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Ground truth at the model's frame rate, and the two predictions from its sound.

    opening: (T,) metres, lip opening of the ground truth. still: the metrics of a face that does not move, as a
    baseline. absent: metric -> why it cannot be computed. remarks: what was trimmed or resampled, in sentences.
    """

    ground_truth: GroundTruth
    opening: np.ndarray
    stage_one: Prediction
    both_stages: Prediction
    still: Mapping[str, float]
    absent: Mapping[str, str]
    remarks: tuple[str, ...]

    @property
    def predictions(self) -> tuple[Prediction, Prediction]:
        """Stage 1, and stages 1 and 2."""
        return self.stage_one, self.both_stages

    @property
    def seconds(self) -> float:
        """Duration of the compared motion."""
        return self.ground_truth.motion.duration


def compare(ground_truth: GroundTruth, animate: Callable[..., Any], progress: Progress | None = None) -> Comparison:
    """Predict the motion of the ground truth's sound, in the neutral style and in the voice's own, and measure both.

    The ground truth is resampled to the model's frame rate, and everything is cut to the shortest.

    Args:
        ground_truth: motion on a head, with its sound.
        animate: a function such as `Talker.animate`.
        progress: called with (done, total, stage).

    Returns:
        Ground truth, both predictions and their metrics.
    """
    head, animations = ground_truth.head, []
    for style in ({"style": None}, {}):
        animations.append(animate(ground_truth.waveform, identity=head.identity or None, progress=progress, **style))
        if progress is not None:
            progress(0, 0, "measures")
    fps = animations[0].fps
    ground_truth, remarks = _at_rate(ground_truth, fps)
    frames = min(len(ground_truth.motion.offsets), *map(len, animations))
    ground_truth = replace(ground_truth, motion=Motion(ground_truth.motion.offsets[:frames], fps))
    regions = regions_of(head)
    first, second = (
        _prediction(name, animation.vertices[:frames] - head.template, ground_truth, regions)
        for name, animation in zip((STAGE_ONE, BOTH_STAGES), animations, strict=True)
    )
    true = ground_truth.motion.offsets
    still = measure_clip(np.zeros_like(true), true, regions, fps)
    return Comparison(
        ground_truth, _opening(head, true, regions), first, second, MappingProxyType(still),
        MappingProxyType(missing(regions)), remarks,
    )  # fmt: skip


def _prediction(name: str, offsets: np.ndarray, ground_truth: GroundTruth, regions: FaceRegions) -> Prediction:
    """A predicted motion (T, V, 3), metres from the template, measured against ground truth of the same frames."""
    true = ground_truth.motion.offsets
    lips = np.zeros(0)
    if regions.lips is not None:
        lips = np.sqrt(squared_distances(offsets, true, regions.lips).max(axis=1))
    values = MappingProxyType(measure_clip(offsets, true, regions, ground_truth.motion.fps))
    return Prediction(name, offsets, lips, _opening(ground_truth.head, offsets, regions), values)


def regions_of(head: HeadMesh) -> FaceRegions:
    """The face regions that the metrics need, as far as the head names them; the others are None."""
    lips, upper = (np.unique(head.regions[name]) if name in head.regions else None for name in ("lips", "upper_face"))
    marks = ("inner_lip_upper", "inner_lip_lower")
    named = set(marks) <= set(head.landmarks)
    pair = (head.landmarks[marks[0]], head.landmarks[marks[1]]) if named else None
    return FaceRegions("the head", lips, upper, pair)


def _at_rate(ground_truth: GroundTruth, fps: float) -> tuple[GroundTruth, tuple[str, ...]]:
    """The ground truth resampled to `fps`, and its remarks."""
    own = ground_truth.motion.fps
    if own == fps:
        return ground_truth, ground_truth.remarks
    remark = f"The ground truth has {own:g} frames a second; it is resampled to the model's {fps:g}."
    return replace(ground_truth, motion=ground_truth.motion.resample(fps)), (*ground_truth.remarks, remark)


def _opening(head: HeadMesh, offsets: np.ndarray, regions: FaceRegions) -> np.ndarray:
    if regions.opening is None:
        return np.zeros(0)
    pair = list(regions.opening)
    return lip_opening(head.template[pair] + offsets[:, pair], (0, 1))

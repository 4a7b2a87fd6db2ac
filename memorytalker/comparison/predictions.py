"""Prediction against truth: the same sound through stage 1 and through stages 1 and 2, measured frame by frame."""

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
    """One predicted motion beside the truth, T frames.

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
    """A truth at the model's frame rate, and what was predicted of it.

    opening: (T,) metres, of the truth. still: the measures of a face that does not move, for scale. absent: measure ->
    why it cannot be taken. remarks: what was trimmed, resampled or must be known, in sentences.
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
        """What is compared."""
        return self.ground_truth.motion.duration


def compare(truth: GroundTruth, animate: Callable[..., Any], progress: Progress | None = None) -> Comparison:
    """What `animate` (as `Talker.animate`) makes of the truth's sound, in neutral style and in the voice's own.

    The truth is brought to the model's frame rate, and both end with the shorter one.
    """
    head, made = truth.head, []
    for style in ({"style": None}, {}):
        made.append(animate(truth.waveform, identity=head.identity or None, progress=progress, **style))
        if progress is not None:
            progress(0, 0, "measures")
    fps = made[0].fps
    truth, remarks = _at_rate(truth, fps)
    frames = min(len(truth.motion.offsets), *(len(animation.vertices) for animation in made))
    truth = replace(truth, motion=Motion(truth.motion.offsets[:frames], fps))
    regions = regions_of(head)
    first, second = (
        measured(name, animation.vertices[:frames] - head.template, truth, regions)
        for name, animation in zip((STAGE_ONE, BOTH_STAGES), made, strict=True)
    )
    true = truth.motion.offsets
    still = measure_clip(np.zeros_like(true), true, regions, fps)
    return Comparison(
        truth, _opening(head, true, regions), first, second, MappingProxyType(still),
        MappingProxyType(missing(regions)), remarks,
    )  # fmt: skip


def measured(name: str, offsets: np.ndarray, truth: GroundTruth, regions: FaceRegions) -> Prediction:
    """A predicted motion (T, V, 3), metres from the template, against a truth of the same frames."""
    true = truth.motion.offsets
    lips = np.zeros(0)
    if regions.lips is not None:
        lips = np.sqrt(squared_distances(offsets, true, regions.lips).max(axis=1))
    values = MappingProxyType(measure_clip(offsets, true, regions, truth.motion.fps))
    return Prediction(name, offsets, lips, _opening(truth.head, offsets, regions), values)


def regions_of(head: HeadMesh) -> FaceRegions:
    """The vertices that the measures speak of, as the head names them; None where it does not."""
    lips, upper = (np.unique(head.regions[name]) if name in head.regions else None for name in ("lips", "upper_face"))
    marks = ("inner_lip_upper", "inner_lip_lower")
    pair = tuple(head.landmarks[name] for name in marks) if set(marks) <= set(head.landmarks) else None
    return FaceRegions("the head", lips, upper, pair)


def _at_rate(truth: GroundTruth, fps: float) -> tuple[GroundTruth, tuple[str, ...]]:
    """The truth at the model's frame rate, and what is to be said of it."""
    own = truth.motion.fps
    if own == fps:
        return truth, truth.remarks
    said = f"The truth has {own:g} frames a second; it is resampled to the model's {fps:g}."
    return replace(truth, motion=truth.motion.resample(fps)), (*truth.remarks, said)


def _opening(head: HeadMesh, offsets: np.ndarray, regions: FaceRegions) -> np.ndarray:
    if regions.opening is None:
        return np.zeros(0)
    pair = list(regions.opening)
    return lip_opening(head.template[pair] + offsets[:, pair], (0, 1))

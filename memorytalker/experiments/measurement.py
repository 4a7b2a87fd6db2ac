"""Metrics of predictions for the evaluation clips, as in `evaluation`, without expanding the whole mesh.

A prediction is a list of coordinates (T, K), one array per evaluation clip. Metrics of a region need only its vertices,
and the error of the whole face is the same in orthonormal coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.datasets.sequences import DatasetError, FaceDataset, FaceRegions, Sequence
from memorytalker.evaluation.bootstrap import Interval, mean_interval
from memorytalker.evaluation.evaluate import ClipFigures, Evaluation, evaluate_all, region_records
from memorytalker.experiments.material import Material
from memorytalker.sound.decode import Waveform
from memorytalker.training.data import AnyClip

#: The measure of the whole face.
FACE = "fve"

Prediction = list[np.ndarray]


def measure(material: Material, predictions: Mapping[str, Prediction]) -> dict[str, Evaluation]:
    """Evaluate predictions, with the same result as `evaluation.evaluate` on whole faces.

    The upper face is evaluated in the first prediction only; the others are controls.

    Args:
        material: the evaluation clips.
        predictions: label -> prediction.

    Returns:
        Label -> Evaluation.
    """
    first, *others = predictions
    evaluations = {**_measure(material, {first: predictions[first]}, True)}
    if others:
        evaluations |= _measure(material, {label: predictions[label] for label in others}, False)
    return {label: _whole_face(material, evaluations[label], predictions[label]) for label in predictions}


def _measure(material: Material, predictions: Mapping[str, Prediction], upper_face: bool) -> dict[str, Evaluation]:
    numbers = {clip.name: number for number, clip in enumerate(material.evaluated)}
    small, offsets = _small_dataset(material, upper_face)

    def predictor(prediction: Prediction) -> Callable[[Sequence], np.ndarray]:
        return lambda sequence: offsets(prediction[numbers[sequence.name]])

    predictors = {label: predictor(prediction) for label, prediction in predictions.items()}
    return evaluate_all(predictors, small, material.split)


def _small_dataset(material: Material, upper_face: bool) -> tuple[FaceDataset, Callable[[np.ndarray], np.ndarray]]:
    """The evaluation clips reduced to the vertices of the regions, and a function from coordinates to their motion."""
    regions = material.dataset.regions
    regions = regions if upper_face else replace(regions, upper_face=None)
    named = [r for r in (regions.lips, regions.upper_face, regions.opening) if r is not None and len(r)]
    vertices = np.unique(np.concatenate(named)) if named else np.arange(1)
    renumbered = FaceRegions(
        regions.source,
        None if regions.lips is None else np.searchsorted(vertices, regions.lips),
        None if regions.upper_face is None else np.searchsorted(vertices, regions.upper_face),
        None if regions.opening is None else tuple(np.searchsorted(vertices, regions.opening).tolist()),
    )
    templates = {name: template[vertices] for name, template in material.dataset.templates.items()}
    offsets = material.to_offsets(vertices)

    def sequence(clip: AnyClip) -> Sequence:
        def read() -> np.ndarray:
            return templates[clip.speaker] + offsets(clip.motion.numpy())

        return Sequence(clip.name, clip.speaker, material.split, clip.frames, material.dataset.fps, _no_sound, read)

    sequences = tuple(sequence(clip) for clip in material.evaluated)
    small = replace(
        material.dataset, vertex_count=len(vertices), sequences=sequences, templates=templates, regions=renumbered
    )
    return small, offsets


def _no_sound() -> Waveform:
    raise DatasetError("The sound of a clip with cached features is not read again.")


def _whole_face(material: Material, evaluation: Evaluation, prediction: Prediction) -> Evaluation:
    """Add what concerns the whole mesh: its error, its size and the numbering of its regions."""
    errors = dict(zip((clip.name for clip in material.evaluated), face_errors(material, prediction), strict=True))
    clips = tuple(replace(c, values=MappingProxyType({**c.values, FACE: errors[c.name]})) for c in evaluation.clips)
    face = mean_interval(np.array([c.values[FACE] for c in clips]), np.array([c.frames for c in clips]))
    return replace(
        evaluation,
        clips=clips,
        pooled=MappingProxyType({**evaluation.pooled, FACE: face}),
        vertex_count=material.dataset.vertex_count,
        regions=region_records(material.dataset.regions),
    )


def face_errors(material: Material, prediction: Prediction) -> np.ndarray:
    """FVE of each clip (N,) in square metres, from orthonormal coordinates or from offsets."""
    count = material.dataset.vertex_count
    return np.array(
        [
            float(np.square(clip.motion.numpy().astype(np.float64) - own).sum(-1).mean()) / count
            for clip, own in zip(material.evaluated, prediction, strict=True)
        ]
    )


def lip_errors(material: Material, prediction: Prediction) -> np.ndarray:
    """LVE, mean form, of each clip (N,) in square metres; nan if the mesh does not name the lips."""
    lips = material.dataset.regions.lips
    if lips is None:
        return np.full(len(prediction), np.nan)
    offsets = material.to_offsets(np.unique(lips))
    return np.array(
        [
            float(np.square(offsets(clip.motion.numpy() - own)).mean(dtype=np.float64))
            for clip, own in zip(material.evaluated, prediction, strict=True)
        ]
    )


def pooled_over_frames(material: Material, errors: np.ndarray) -> float:
    """The mean over all frames of one value per clip."""
    return float(np.average(errors, weights=[clip.frames for clip in material.evaluated]))


@dataclass(frozen=True)
class SpeakerOpenings:
    """Mean lip opening of each speaker, true and predicted, in metres beyond the template's."""

    speakers: tuple[str, ...]
    true: tuple[float, ...]
    predicted: tuple[float, ...]

    @property
    def correlation(self) -> float | None:
        """Pearson correlation over speakers; None for fewer than three speakers or if a side does not vary."""
        if len(self.speakers) < 3 or np.std(self.true) < 1e-9 or np.std(self.predicted) < 1e-9:
            return None
        return float(np.corrcoef(self.true, self.predicted)[0, 1])


def speaker_openings(material: Material, prediction: Prediction) -> SpeakerOpenings | None:
    """Compute the mean lip opening of each speaker; None if the mesh does not name the pair of vertices."""
    pair = material.dataset.regions.opening
    if pair is None:
        return None
    speakers = tuple(sorted({clip.speaker for clip in material.evaluated}))
    offsets = material.to_offsets(np.array(pair))

    def means(motions: list[np.ndarray]) -> tuple[float, ...]:
        gaps: dict[str, list[np.ndarray]] = {name: [] for name in speakers}
        for clip, motion in zip(material.evaluated, motions, strict=True):
            ends = offsets(motion)[:, :, 1]
            gaps[clip.speaker].append(ends[:, 0] - ends[:, 1])
        return tuple(float(np.concatenate(gaps[name]).mean()) for name in speakers)

    return SpeakerOpenings(speakers, means([clip.motion.numpy() for clip in material.evaluated]), means(prediction))


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Convert an evaluation to the JSON values of a result file; nan becomes null."""
    plain = {key: getattr(evaluation, key) for key in ("label", "layout", "split", "digest", "fps", "vertex_count")}
    return {
        **plain,
        "region_source": evaluation.region_source,
        "absent": dict(evaluation.absent),
        "regions": [vars(record) for record in evaluation.regions],
        "pooled": {name: {k: _number(v) for k, v in vars(i).items()} for name, i in evaluation.pooled.items()},
        "clips": [
            {**vars(clip), "values": {name: _number(value) for name, value in clip.values.items()}}
            for clip in evaluation.clips
        ],
    }


def from_json(stored: Mapping[str, Any]) -> Evaluation:
    """Rebuild an evaluation from a result file, as far as it was kept; for comparisons."""
    keys = ("label", "layout", "split", "digest", "fps", "vertex_count", "region_source", "absent")
    return Evaluation(
        **{key: stored[key] for key in keys},
        clips=tuple(ClipFigures(**{**clip, "values": _numbers(clip["values"])}) for clip in stored["clips"]),
        pooled={name: _interval(interval) for name, interval in stored["pooled"].items()},
        regions=(),
    )


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _interval(stored: Mapping[str, Any]) -> Interval:
    values = _numbers(stored)
    return Interval(values["value"], values["low"], values["high"], int(values["clips"]))


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float("nan") if value is None else value for name, value in values.items()}

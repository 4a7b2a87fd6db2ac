"""Evaluate predictions on a data set: per clip, pooled with bootstrap intervals, and pairwise differences of models.

The ground truth of each clip is read once for all predictions. A prediction sees only sound and templates. The metrics
are those of `measures`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from memorytalker.datasets.sequences import SPLITS, DatasetError, FaceDataset, FaceRegions, Sequence, Skipped
from memorytalker.errors import InputError
from memorytalker.evaluation.bootstrap import DRAWS, Interval, mean_interval, paired_difference
from memorytalker.evaluation.measures import FRAMES, MEASURES, MISSING, measure_clip, missing, region
from memorytalker.progress import Progress
from memorytalker.sound.decode import AudioError

#: Bootstrap units: clips, or speakers with all of their clips.
RESAMPLE = ("clips", "speakers")


class EvaluationError(InputError):
    """Input that cannot be evaluated; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class ClipFigures:
    """The metrics of one clip: name -> value in its unit, nan where a clip has none."""

    name: str
    speaker: str
    frames: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class RegionRecord:
    """Identifies the vertices of a region: their number, and the sha256 of their sorted indices joined by commas.

    For `opening` the indices are (upper, lower), in this order.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Evaluation:
    """One prediction evaluated on one split. `pooled` and `absent` together name every metric of `measures`."""

    label: str
    layout: str
    split: str
    digest: str  # of the data set
    fps: int
    vertex_count: int
    clips: tuple[ClipFigures, ...]
    pooled: Mapping[str, Interval]
    absent: Mapping[str, str]  # metric -> why it has no value
    regions: tuple[RegionRecord, ...]
    region_source: str
    resample: str = "clips"
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    limit: int = 0
    details: Mapping[str, str] = field(default_factory=dict)  # free text of the caller, such as the hash of the weights

    @property
    def frames(self) -> int:
        """Number of evaluated frames."""
        return sum(clip.frames for clip in self.clips)

    @property
    def speakers(self) -> tuple[str, ...]:
        """The evaluated speakers, sorted."""
        return tuple(sorted({clip.speaker for clip in self.clips}))


def evaluate(
    predict: Callable[[Sequence], np.ndarray],
    dataset: FaceDataset,
    split: str = "test",
    limit: int = 0,
    progress: Progress | None = None,
    label: str = "model",
    resample: str = "clips",
) -> Evaluation:
    """Evaluate one prediction; see `evaluate_all`."""
    return evaluate_all({label: predict}, dataset, split, limit, progress, resample)[label]


def evaluate_all(
    predictions: Mapping[str, Callable[[Sequence], np.ndarray]],
    dataset: FaceDataset,
    split: str = "test",
    limit: int = 0,
    progress: Progress | None = None,
    resample: str = "clips",
) -> dict[str, Evaluation]:
    """Evaluate several predictions on the same clips.

    Sequences whose files cannot be read are skipped and listed.

    Args:
        predictions: label -> function of a sequence that returns offsets in metres from the template of its speaker,
            (T, V, 3), or (T, 1, 3) for the same offset at all vertices.
        dataset: the data set.
        split: one of SPLITS.
        limit: evaluate this many clips, evenly spread over the split; 0 for all.
        progress: called with (done, total, stage).
        resample: the bootstrap unit of the intervals, one of RESAMPLE.

    Returns:
        Label -> Evaluation, in the order of `predictions`.

    Raises:
        EvaluationError: if the split is empty or a prediction has another shape.
    """
    if resample not in RESAMPLE:
        raise EvaluationError(f"Intervals resample one of {', '.join(RESAMPLE)}, not {resample!r}.")
    chosen = choose(dataset, split, limit)
    rows: dict[str, list[ClipFigures]] = {label: [] for label in predictions}
    skipped = list(dataset.skipped)
    for done, sequence in enumerate(chosen, start=1):
        try:
            figures = _measure(predictions, dataset, sequence)
        except (DatasetError, AudioError) as error:
            skipped.append(Skipped(sequence.name, str(error)))
            figures = {}
        for label, clip in figures.items():
            rows[label].append(clip)
        if progress:
            progress(done, len(chosen), "clips")
    if not any(rows.values()):
        raise EvaluationError(f"No sequence of the {split} split could be read; first: {skipped[-1].reason}")
    return {
        label: _pool(label, clips, dataset, split, resample, limit, tuple(skipped)) for label, clips in rows.items()
    }


def choose(dataset: FaceDataset, split: str, limit: int = 0) -> list[Sequence]:
    """Select at most `limit` sequences of a split (0: all), evenly spread. Raises EvaluationError if there are none."""
    if split not in SPLITS:
        raise EvaluationError(f"There is no split {split!r}; choose one of {', '.join(SPLITS)}.")
    sequences = [sequence for sequence in dataset.sequences if sequence.split == split]
    if not sequences:
        counts = {name: sum(s.split == name for s in dataset.sequences) for name in SPLITS}
        others = ", ".join(f"{name} ({count})" for name, count in counts.items() if count) or "nothing at all"
        raise EvaluationError(f"{dataset.folder} has no sequences in its {split} split; it has {others}.")
    if limit and limit < len(sequences):
        sequences = [sequences[i * len(sequences) // limit] for i in range(limit)]
    return sequences


def _measure(
    predictions: Mapping[str, Callable[[Sequence], np.ndarray]], dataset: FaceDataset, sequence: Sequence
) -> dict[str, ClipFigures]:
    template = dataset.templates.get(sequence.speaker)
    if template is None:
        raise DatasetError(f"{sequence.name}: there is no neutral face of {sequence.speaker} in {dataset.folder}.")
    true = sequence.vertices() - template
    figures = {}
    for label, predict in predictions.items():
        offsets = np.asarray(predict(sequence))
        if offsets.shape == (len(true), 1, 3):
            offsets = np.broadcast_to(offsets, true.shape)
        if offsets.shape != true.shape:
            raise EvaluationError(
                f"{label} predicts {offsets.shape} for {sequence.name}, whose motion is {true.shape}; frames, vertices "
                "and coordinates must agree."
            )
        values = measure_clip(offsets, true, dataset.regions, sequence.fps)
        figures[label] = ClipFigures(sequence.name, sequence.speaker, len(true), MappingProxyType(values))
    return figures


def _pool(
    label: str, clips: list[ClipFigures], dataset: FaceDataset, split: str, resample: str, limit: int,
    skipped: tuple[Skipped, ...],
) -> Evaluation:  # fmt: skip
    absent = missing(dataset.regions)
    groups = _groups(clips, resample)
    pooled = {}
    for measure in MEASURES:
        if measure.name in absent:
            continue
        interval = mean_interval(_values(clips, measure.name), _weights(clips, measure.pooled), groups)
        if interval.clips:
            pooled[measure.name] = interval
        else:
            absent[measure.name] = "no extrema of the lip opening match in any clip, as with a face that does not move"
    return Evaluation(
        label=label,
        layout=dataset.layout,
        split=split,
        digest=dataset.digest,
        fps=dataset.fps,
        vertex_count=dataset.vertex_count,
        clips=tuple(clips),
        pooled=MappingProxyType(pooled),
        absent=MappingProxyType(absent),
        regions=region_records(dataset.regions),
        region_source=dataset.regions.source,
        resample=resample,
        skipped=skipped,
        notes=dataset.notes,
        limit=limit,
    )


def compare(first: Evaluation, second: Evaluation) -> dict[str, Interval]:
    """Compare two evaluations clip by clip; the intervals use the bootstrap unit of the first.

    Args:
        first: an evaluation.
        second: an evaluation of the same clips.

    Returns:
        Metric -> mean of first - second, for the metrics that both have.

    Raises:
        EvaluationError: if the clips differ.
    """
    if [(clip.name, clip.frames) for clip in first.clips] != [(clip.name, clip.frames) for clip in second.clips]:
        raise EvaluationError(
            f"{first.label} and {second.label} were not evaluated on the same clips; evaluate both on the same split "
            "and limit."
        )
    groups = _groups(first.clips, first.resample)
    return {
        measure.name: paired_difference(
            _values(first.clips, measure.name),
            _values(second.clips, measure.name),
            _weights(first.clips, measure.pooled),
            groups,
        )
        for measure in MEASURES
        if measure.name in first.pooled and measure.name in second.pooled
    }


def region_records(regions: FaceRegions) -> tuple[RegionRecord, ...]:
    """Size and hash of every region that the data set has."""
    records = []
    for name in MISSING:
        indices = region(regions, name)
        if indices is not None:
            text = ",".join(str(int(index)) for index in indices)
            records.append(RegionRecord(name, len(indices), hashlib.sha256(text.encode("ascii")).hexdigest()))
    return tuple(records)


def intervals_described(resample: str) -> str:
    """Describe the intervals in one phrase, for a report."""
    what = "clips" if resample == "clips" else "speakers with all of their clips"
    return f"95 % bootstrap intervals, {DRAWS} draws of {what}, fixed seed"


def _values(clips: tuple[ClipFigures, ...] | list[ClipFigures], name: str) -> np.ndarray:
    return np.array([clip.values[name] for clip in clips])


def _weights(clips: tuple[ClipFigures, ...] | list[ClipFigures], pooled: str) -> np.ndarray:
    return np.array([clip.frames if pooled == FRAMES else 1 for clip in clips], np.float64)


def _groups(clips: tuple[ClipFigures, ...] | list[ClipFigures], resample: str) -> np.ndarray | None:
    return np.array([clip.speaker for clip in clips]) if resample == "speakers" else None

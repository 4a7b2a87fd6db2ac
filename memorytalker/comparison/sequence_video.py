"""Film of a prediction beside the truth: the same face says the same sentence twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from memorytalker.datasets.sequences import FaceDataset, Sequence
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.face.head import HeadMesh
from memorytalker.options import RenderOptions
from memorytalker.progress import Progress


def find_sequence(dataset: FaceDataset, name: str) -> Sequence:
    """The sequence of that name. Raises EvaluationError naming some that there are."""
    for sequence in dataset.sequences:
        if sequence.name == name:
            return sequence
    some = ", ".join(sequence.name for sequence in [*dataset.split("test"), *dataset.sequences][:3])
    raise EvaluationError(f"{dataset.folder} has no usable sequence {name!r}; it has, among others, {some}.")


def write_sequence_video(
    path: Path,
    predict: Callable[[Sequence], np.ndarray],
    dataset: FaceDataset,
    sequence: Sequence,
    head: HeadMesh,
    options: RenderOptions | None = None,
    progress: Progress | None = None,
) -> Path:
    """An MP4 of `predict`ed (left) and recorded (right) motion of one sequence, with its sound, on its speaker's face.

    `options` are those of each half. Raises RenderError or VideoError if the video fails.
    """
    from memorytalker.face.motion import resampled
    from memorytalker.rendering import render_frames, side_by_side, write_video

    options = RenderOptions() if options is None else options
    template = dataset.templates[sequence.speaker]
    head = dataclasses.replace(head, template=template)
    motions = [template + predict(sequence), sequence.vertices()]
    if options.fps != sequence.fps:
        motions = [resampled(motion, sequence.fps, options.fps) for motion in motions]
    frames = side_by_side(*(render_frames(head, motion, options) for motion in motions))
    return write_video(path, frames, options.fps, sequence.waveform(), len(motions[0]), progress)

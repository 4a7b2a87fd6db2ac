"""A video of a prediction beside the recorded sequence of a data set, on the same face."""

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
    """The sequence called `name`. Raises EvaluationError, naming some that exist."""
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
    """Write an MP4 of the predicted (left) and recorded (right) motion of one sequence, with its sound.

    Args:
        path: the .mp4 to write.
        predict: offsets (T, V, 3) in metres from the speaker's template, for a sequence.
        dataset: supplies the speaker's neutral face.
        sequence: the sequence to show.
        head: triangles and appearance, with the data set's topology.
        options: image size and frame rate of each half; None for the defaults.
        progress: called with (done, total, stage).

    Returns:
        `path`.

    Raises:
        RenderError: if a frame cannot be drawn.
        VideoError: if the video cannot be written.
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

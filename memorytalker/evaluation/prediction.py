"""Predictors of a sequence's motion from its sound: a model, and the neutral face as a baseline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from memorytalker.datasets.sequences import FaceDataset, Sequence
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.face.motion_space import space_of
from memorytalker.models.talker import MemoryTalker
from memorytalker.windows import cut_windows, faded_motion, style_weights_of

#: Offsets (T, V, 3) in metres from the template of the sequence's speaker, for its T frames.
Predict = Callable[[Sequence], np.ndarray]
#: Source of the speaking style: OWN (the sequence's own sound), None (neutral, stage 1), the label of a training
#: speaker (its index in the configuration's `speakers`), style weights (n,), or a function from a sequence to these.
Style = str | int | np.ndarray | Callable[[Sequence], np.ndarray] | None
OWN = "own"


def neutral_predictor(vertex_count: int = 1) -> Predict:
    """Return the predictor of a face that never moves: zeros (T, vertex_count, 3); one vertex stands for all."""

    def predict(sequence: Sequence) -> np.ndarray:
        return np.zeros((sequence.frames, vertex_count, 3), np.float32)

    return predict


def model_predictor(model: MemoryTalker, dataset: FaceDataset | None = None, style: Style = OWN) -> Predict:
    """Return the predictor of a model, on the device that the model is on.

    Long sequences are processed in overlapping windows, exactly as in `Talker`. The speaker's face is not an input.

    Args:
        model: a model of vertices, or of coordinates in the shipped head's basis.
        dataset: the data set that the model must fit; None does not check.
        style: source of the speaking style.

    Returns:
        A function from a sequence to offsets (T, V, 3) in metres, of the sequence's own number of frames.

    Raises:
        EvaluationError: for an unknown style, or if vertices or frame rate differ from the data set's.
    """
    space = space_of(model.config.basis, model.config.coordinates)
    if dataset is not None:
        _check_fits(model, dataset, space.vertex_count)
    if isinstance(style, str) and style != OWN:
        raise EvaluationError(f"The style {style!r} is not known; use {OWN!r} for the clip's own voice or None.")
    speakers = model.config.speakers
    if isinstance(style, int) and not 0 <= style < len(speakers):
        raise EvaluationError(
            f"There is no speaker label {style}; these weights have labels for {len(speakers)} speakers."
        )
    if isinstance(style, str) and speakers:
        raise EvaluationError("These weights take a speaker label and no style from sound; use a label or None.")
    if isinstance(style, np.ndarray) and style.shape != (model.config.slot_count,):
        raise EvaluationError(f"Style weights are {model.config.slot_count} numbers, not an array of {style.shape}.")

    def predict(sequence: Sequence) -> np.ndarray:
        samples = sequence.waveform().samples
        training = model.training
        model.eval()
        try:
            with torch.inference_mode():
                weights = _weights(model, style, sequence, samples)
                windows = cut_windows([samples], model.config, sequence.frames)
                offsets = np.concatenate([offsets for _, offsets, _ in faded_motion(model, windows, weights)])
        finally:
            model.train(training)
        return space.offsets(offsets)

    return predict


def _check_fits(model: MemoryTalker, dataset: FaceDataset, vertex_count: int) -> None:
    config = model.config
    if vertex_count != dataset.vertex_count:
        raise EvaluationError(
            f"These weights move {vertex_count} vertices but the faces of {dataset.folder} have "
            f"{dataset.vertex_count}; give --weights that were trained on this mesh."
        )
    if config.fps != dataset.fps:
        raise EvaluationError(
            f"These weights predict {config.fps} frames a second but {dataset.folder} has {dataset.fps}; give weights "
            "trained at that rate."
        )


def _weights(model: MemoryTalker, style: Style, sequence: Sequence, samples: np.ndarray) -> torch.Tensor | None:
    """Style weights (1, n) for one sequence; None is neutral."""
    device = next(model.parameters()).device
    if style is None:
        return None
    if isinstance(style, str):
        return style_weights_of(model, samples)[None]
    if isinstance(style, int):
        label = torch.zeros(1, len(model.config.speakers), 1, device=device)
        label[0, style] = 1
        return model.style(label).weights
    weights = style if isinstance(style, np.ndarray) else style(sequence)
    return torch.as_tensor(np.asarray(weights, np.float32), device=device)[None]

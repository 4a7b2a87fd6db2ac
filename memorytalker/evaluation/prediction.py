"""What predicts the motion of a recorded sequence from its sound: a model, or the neutral face to compare it with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from memorytalker.datasets.sequences import FaceDataset, Sequence
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.models.talker import MemoryTalker
from memorytalker.windows import cut_windows, faded_motion, style_weights_of

#: Offsets (T, V, 3) in metres from the template of the sequence's speaker, for its T frames.
Predict = Callable[[Sequence], np.ndarray]
#: Where a model's manner of speaking comes from: the sequence's own sound, nowhere (None: neutral, stage 1), the label
#: of a training speaker (its place in the configuration's `speakers`), style weights (n,), or a function that gives the
#: weights of a sequence.
Style = str | int | np.ndarray | Callable[[Sequence], np.ndarray] | None
OWN = "own"


def neutral_predictor(vertex_count: int = 1) -> Predict:
    """A face that never moves: zeros (T, vertex_count, 3); one vertex stands for all, as `evaluate` takes it."""

    def predict(sequence: Sequence) -> np.ndarray:
        return np.zeros((sequence.frames, vertex_count, 3), np.float32)

    return predict


def model_predictor(model: MemoryTalker, dataset: FaceDataset | None = None, style: Style = OWN) -> Predict:
    """What a model of vertices makes of a sequence's sound, on the device the model is on.

    A sequence longer than the model's window is heard in overlapping windows, exactly as a Talker hears it. It gets
    exactly the sequence's frames. Only `style` and the sound go in: the face of the speaker is not known to the model.
    Raises EvaluationError, in plain words, for a style that it does not know, and if the model's vertices or frame rate
    are not those of `dataset` (None: not checked).
    """
    if dataset is not None:
        _check_fits(model, dataset)
    if isinstance(style, str) and style != OWN:
        raise EvaluationError(f"The style {style!r} is not known; use {OWN!r} for the clip's own voice or None.")
    speakers = model.config.speakers
    if isinstance(style, int) and not 0 <= style < len(speakers):
        raise EvaluationError(
            f"There is no speaker label {style}; these weights know {len(speakers)} speakers by label."
        )
    if isinstance(style, str) and speakers:
        raise EvaluationError("These weights know their speakers by label and hear no style; use a label or None.")
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
        return offsets.reshape(sequence.frames, -1, 3)

    return predict


def _check_fits(model: MemoryTalker, dataset: FaceDataset) -> None:
    config = model.config
    if config.coordinates != 3 * dataset.vertex_count:
        raise EvaluationError(
            f"These weights move {config.coordinates / 3:g} vertices but the faces of {dataset.folder} have "
            f"{dataset.vertex_count}; give --weights that were trained on this mesh."
        )
    if config.fps != dataset.fps:
        raise EvaluationError(
            f"These weights speak at {config.fps} frames a second but {dataset.folder} has {dataset.fps}; give weights "
            "trained at that rate."
        )


def _weights(model: MemoryTalker, style: Style, sequence: Sequence, samples: np.ndarray) -> torch.Tensor | None:
    """Style weights (1, n) for one sequence; None is neutral."""
    device = model.style_mean.device
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

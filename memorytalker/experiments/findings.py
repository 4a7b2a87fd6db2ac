"""Evaluation of one trained variant: its errors in the intended style, and in control styles."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from memorytalker.experiments.material import Material
from memorytalker.experiments.measurement import (
    Prediction,
    face_errors,
    lip_errors,
    measure,
    pooled_over_frames,
    speaker_openings,
    to_json,
)
from memorytalker.experiments.predict import (
    best_styles,
    clips_of_other_speakers,
    encode,
    encode_styles,
    predicted,
    still,
)
from memorytalker.experiments.variants import Variant
from memorytalker.models.talker import MemoryTalker

#: Labels of predictions: the intended style; then the controls: neutral, another speaker's, fitted, mean over labels.
MAIN, NEUTRAL, OTHER, ORACLE, MEAN_LABEL = "main", "neutral", "other speaker", "oracle", "mean label"


def evaluate_variant(
    material: Material, model: MemoryTalker | None, variant: Variant, speakers: int, oracle: bool = False
) -> dict[str, Any]:
    """Evaluate a trained variant.

    Args:
        material: the clips to evaluate on.
        model: the trained model; None for a face that never moves.
        variant: the variant.
        speakers: number of training speakers.
        oracle: also fit the best style weights to each speaker.

    Returns:
        JSON values for a result file: evaluations, mean lip openings, spread over labels, parameter counts.
    """
    clips = material.evaluated
    labels: dict[str, Any] | None = None
    if model is None:
        predictions = {MAIN: still(clips)}
    elif variant.style == "none":
        predictions = {MAIN: predicted(model, encode(model, clips))}
    elif variant.style == "labels":
        predictions, labels = _by_label(material, model)
    else:
        own, encoded = encode_styles(model, clips), encode(model, clips)
        predictions = {MAIN: predicted(model, encoded, own), NEUTRAL: predicted(model, encoded)}
        if len({clip.speaker for clip in clips}) > 1:
            predictions[OTHER] = predicted(model, encoded, own[clips_of_other_speakers(clips)])
        if oracle:
            predictions[ORACLE] = predicted(model, encoded, best_styles(model, clips))
    evaluations = measure(material, predictions)
    openings = {label: speaker_openings(material, prediction) for label, prediction in predictions.items()}
    return {
        "evaluations": {label: to_json(evaluation) for label, evaluation in evaluations.items()},
        "openings": {
            label: {**vars(value), "correlation": value.correlation} for label, value in openings.items() if value
        },
        "labels": labels,
        "parameters": _parameters(model),
    }


def _by_label(material: Material, model: MemoryTalker) -> tuple[dict[str, Prediction], dict[str, Any]]:
    """Try every label on every clip: predictions of the median label and of their mean, and the spread of errors.

    A labelled model has no label for an unseen speaker; the label of median error stands for a random choice.
    """
    encoded, count, slots = encode(model, material.evaluated), len(material.evaluated), model.config.slot_count
    speakers = model.config.speakers
    with torch.no_grad():
        each = model.style(torch.eye(len(speakers), device=next(model.parameters()).device)[:, :, None]).weights.cpu()
    face, lips = [], []
    for weights in each:
        prediction = predicted(model, encoded, weights.expand(count, slots))
        face.append(pooled_over_frames(material, face_errors(material, prediction)))
        lips.append(pooled_over_frames(material, lip_errors(material, prediction)))
    median = int(np.argsort(face)[(len(face) - 1) // 2])
    chosen = {MAIN: each[median], MEAN_LABEL: each.mean(0), NEUTRAL: torch.ones(slots)}
    predictions = {name: predicted(model, encoded, weights.expand(count, slots)) for name, weights in chosen.items()}
    spread = {"fve": _spread(face), "lve_mean": _spread(lips)}
    return predictions, {"tried": len(speakers), "middle": speakers[median], **spread}


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
    }


def _parameters(model: MemoryTalker | None) -> dict[str, int]:
    """Number of parameters by part, and in total."""
    counts: dict[str, int] = {}
    for name, value in () if model is None else model.named_parameters():
        part = name.split(".")[0]
        counts[part] = counts.get(part, 0) + value.numel()
    return {**counts, "all": sum(counts.values())}

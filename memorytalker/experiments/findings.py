"""What is found of one trained variant: its errors in the style it is meant for, and in others that are controls."""

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
    openness,
    pooled_over_frames,
    to_json,
)
from memorytalker.experiments.predict import best_styles, encode, of_unseen_speakers, predicted, still, styles_heard
from memorytalker.experiments.variants import Variant
from memorytalker.models.talker import MemoryTalker

#: The prediction that is the variant's own, and the controls beside it.
MAIN, NEUTRAL, UNSEEN, ORACLE, MEAN_LABEL = "main", "neutral", "stranger", "oracle", "mean label"


def evaluate_variant(
    material: Material, model: MemoryTalker | None, variant: Variant, speakers: int, oracle: bool = False
) -> dict[str, Any]:
    """Plain values for a result file: evaluations, how wide speakers open, spread over labels, parameters."""
    clips = material.judged
    labels: dict[str, Any] | None = None
    if model is None:
        made = {MAIN: still(clips)}
    elif variant.style == "none":
        made = {MAIN: predicted(model, encode(model, clips))}
    elif variant.style == "labels":
        made, labels = _by_label(material, model)
    else:
        own, heard = styles_heard(model, clips), encode(model, clips)
        made = {MAIN: predicted(model, heard, own), NEUTRAL: predicted(model, heard)}
        if len({clip.speaker for clip in clips}) > 1:
            made[UNSEEN] = predicted(model, heard, own[of_unseen_speakers(clips)])
        if oracle:
            made[ORACLE] = predicted(model, heard, best_styles(model, clips))
    evaluations = measure(material, made)
    opened = {label: openness(material, prediction) for label, prediction in made.items()}
    return {
        "evaluations": {label: to_json(evaluation) for label, evaluation in evaluations.items()},
        "openness": {
            label: {**vars(value), "correlation": value.correlation} for label, value in opened.items() if value
        },
        "labels": labels,
        "parameters": _parameters(model),
    }


def _by_label(material: Material, model: MemoryTalker) -> tuple[dict[str, Prediction], dict[str, Any]]:
    """Every label tried on every clip: its figures, and the predictions of the label in the middle and of their mean.

    A labelled model cannot tell which label an unseen speaker should have; the one in the middle by error stands for
    a choice at random.
    """
    heard, count, slots = encode(model, material.judged), len(material.judged), model.config.slot_count
    speakers = model.config.speakers
    with torch.no_grad():
        each = model.style(torch.eye(len(speakers), device=model.style_mean.device)[:, :, None]).weights.cpu()
    face, lips = [], []
    for weights in each:
        made = predicted(model, heard, weights.expand(count, slots))
        face.append(pooled_over_frames(material, face_errors(material, made)))
        lips.append(pooled_over_frames(material, lip_errors(material, made)))
    middle = int(np.argsort(face)[(len(face) - 1) // 2])
    chosen = {MAIN: each[middle], MEAN_LABEL: each.mean(0), NEUTRAL: torch.ones(slots)}
    made = {name: predicted(model, heard, weights.expand(count, slots)) for name, weights in chosen.items()}
    spread = {"fve": _spread(face), "lve_mean": _spread(lips)}
    return made, {"tried": len(speakers), "middle": speakers[middle], **spread}


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
    }


def _parameters(model: MemoryTalker | None) -> dict[str, int]:
    """Numbers of parameters by part, and of all."""
    counts: dict[str, int] = {}
    for name, value in () if model is None else model.named_parameters():
        part = name.split(".")[0]
        counts[part] = counts.get(part, 0) + value.numel()
    return {**counts, "all": sum(counts.values())}

"""The table of vertex metrics: names, units, required regions and pooling; and all of them for one clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from memorytalker.datasets.sequences import FaceRegions
from memorytalker.evaluation import lip_opening, vertices

FRAMES, CLIPS = "frames", "clips"


@dataclass(frozen=True)
class Measure:
    """One metric.

    unit: of its values; tables show multiples of `scale`. pooled: "frames" (mean over all frames of all clips) or
    "clips" (mean over clips). needs: the field of FaceRegions that it requires, or None. paper: its name in the paper's
    table, or None.
    """

    name: str
    title: str
    unit: str
    scale: float
    pooled: str
    needs: str | None
    definition: str
    paper: str | None = None


MEASURES: tuple[Measure, ...] = (
    Measure("fve", "FVE", "m2", 1e-6, FRAMES, None, "mean squared distance over all vertices", "FVE"),
    Measure("lve_max", "LVE, maximum form", "m2", 1e-5, FRAMES, "lips",
            "largest squared distance among the lip vertices of a frame, mean over frames", "LVE"),
    Measure("lve_mean", "LVE, mean form", "m2", 1e-5, FRAMES, "lips",
            "mean squared error over the lip coordinates", "LVE"),
    Measure("lip_max", "Lip-max", "m", 1e-4, FRAMES, "lips",
            "largest distance among the lip vertices of a frame, mean over frames", "Lip-max"),
    Measure("ldtw", "LDTW", "m", 1e-5, CLIPS, "opening",
            "cost of warping the predicted lip opening onto the true one, over the true frames", "LDTW"),
    Measure("fdd", "FDD, signed", "m2", 1e-7, CLIPS, "upper_face",
            "std over time of squared upper-face motion, true minus predicted (positive: moves too little)"),
    Measure("fdd_absolute", "FDD, absolute", "m2", 1e-7, CLIPS, "upper_face", "the same, absolute value of each clip"),
    Measure("mtm", "MTM", "ms", 1.0, CLIPS, "opening",
            "mean absolute offset of matched extrema of the lip opening; clips without a match are left out"),
    Measure("mtm_signed", "MTM, signed", "ms", 1.0, CLIPS, "opening", "the same with its sign (positive: late)"),
)  # fmt: skip

#: Field of FaceRegions -> what is missing and the remedy, for a data set without it.
MISSING: Mapping[str, str] = MappingProxyType(
    {
        "lips": "the data set does not say which vertices are the lips; for FLAME's mesh put FLAME_masks.pkl into its "
        "folder, for another give --regions FILE",
        "upper_face": "the data set does not say which vertices are the upper face; for FLAME's mesh put "
        "FLAME_masks.pkl into its folder, for another give --regions FILE",
        "opening": "the data set does not say between which two vertices the lips open; give --regions FILE",
    }
)


def region(regions: FaceRegions, name: str) -> np.ndarray | None:
    """Look up a region by its field name.

    Args:
        regions: the regions of a data set.
        name: "lips", "upper_face" or "opening".

    Returns:
        Its vertex indices, unique and sorted; for "opening" the (upper, lower) pair; None if empty or absent.
    """
    value = getattr(regions, name)
    if value is None or not len(value):
        return None
    return np.asarray(value) if name == "opening" else np.unique(value)


def missing(regions: FaceRegions) -> dict[str, str]:
    """Metric -> why it cannot be computed, for those whose region is absent."""
    absent = {name for name in MISSING if region(regions, name) is None}
    return {measure.name: MISSING[measure.needs] for measure in MEASURES if measure.needs in absent}


def measure_clip(predicted: np.ndarray, true: np.ndarray, regions: FaceRegions, fps: float) -> dict[str, float]:
    """Compute every metric that the regions allow, for one clip.

    Args:
        predicted: (T, V, 3) offsets in metres from the speaker's own template.
        true: (T, V, 3) the same, of the ground truth.
        regions: the vertex regions of the mesh.
        fps: frames per second.

    Returns:
        Metric -> value in its unit; mtm is nan if no extrema match.
    """
    values = {"fve": vertices.face_vertex_error(predicted, true)}
    lips, upper, pair = (region(regions, name) for name in ("lips", "upper_face", "opening"))
    if lips is not None:
        predicted_lips, true_lips = predicted[:, lips], true[:, lips]
        every = np.arange(len(lips))
        values["lve_max"] = vertices.lip_vertex_error(predicted_lips, true_lips, every)
        values["lve_mean"] = vertices.lip_mean_squared_error(predicted_lips, true_lips, every)
        values["lip_max"] = vertices.lip_max(predicted_lips, true_lips, every)
    if pair is not None:
        # Offsets lack the opening at rest, in both curves alike, so it cancels in LDTW and MTM.
        opening = int(pair[0]), int(pair[1])
        predicted_opening, true_opening = (lip_opening.lip_opening(offsets, opening) for offsets in (predicted, true))
        values["ldtw"] = lip_opening.lip_warping(predicted_opening, true_opening)
        absolute, signed = lip_opening.temporal_misalignment(predicted_opening, true_opening, fps)
        values["mtm"], values["mtm_signed"] = absolute, signed
    if upper is not None:
        values["fdd"] = vertices.upper_face_deviation(predicted, true, upper)
        values["fdd_absolute"] = abs(values["fdd"])
    return values

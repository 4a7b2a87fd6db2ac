"""The list of vertex measures: names, units, what each needs and how clips are pooled; all of them for one clip."""

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
    """One measure. `unit` is that of its values; a table shows them in multiples of `scale`.

    pooled: "frames" (the mean over all frames of all clips) or "clips" (the mean over clips). needs: the field of
    FaceRegions without which there is no value, or None. paper: what the paper's table calls it, or None.
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
            "std over time of squared upper-face motion, truth less prediction (positive: moves too little)"),
    Measure("fdd_absolute", "FDD, absolute", "m2", 1e-7, CLIPS, "upper_face", "the same, absolute value of each clip"),
    Measure("mtm", "MTM", "ms", 1.0, CLIPS, "opening",
            "mean absolute offset of matched extrema of the lip opening; clips without a match are left out"),
    Measure("mtm_signed", "MTM, signed", "ms", 1.0, CLIPS, "opening", "the same with its sign (positive: late)"),
)  # fmt: skip

#: Field of FaceRegions -> what is missing and what to do, where a data set does not name it.
MISSING: Mapping[str, str] = MappingProxyType(
    {
        "lips": "the data set does not say which vertices are the lips; for FLAME's mesh put FLAME_masks.pkl into its "
        "folder, for another give --regions FILE",
        "upper_face": "the data set does not say which vertices are the upper face; for FLAME's mesh put "
        "FLAME_masks.pkl into its folder, for another give --regions FILE",
        "opening": "the data set does not say between which two vertices the lips open; give --regions FILE",
    }
)


def region(regions: FaceRegions, name: str) -> np.ndarray | tuple[int, int] | None:
    """A region by its field name, each vertex once, sorted (the pair `opening` as it is); None if empty or absent."""
    value = getattr(regions, name)
    if value is None or not len(value):
        return None
    return tuple(value) if name == "opening" else np.unique(value)


def missing(regions: FaceRegions) -> dict[str, str]:
    """Measure -> why it cannot be taken, for all that lack their region."""
    absent = {name for name in MISSING if region(regions, name) is None}
    return {measure.name: MISSING[measure.needs] for measure in MEASURES if measure.needs in absent}


def measure_clip(predicted: np.ndarray, true: np.ndarray, regions: FaceRegions, fps: float) -> dict[str, float]:
    """Every measure that the regions allow for one clip, by name; mtm is nan where no extrema match.

    predicted, true (T, V, 3): offsets in metres from the speaker's own template.
    """
    values = {"fve": vertices.face_vertex_error(predicted, true)}
    lips, upper, pair = (region(regions, name) for name in ("lips", "upper_face", "opening"))
    if lips is not None:
        near, far = predicted[:, lips], true[:, lips]
        every = np.arange(len(lips))
        values["lve_max"] = vertices.lip_vertex_error(near, far, every)
        values["lve_mean"] = vertices.lip_mean_squared_error(near, far, every)
        values["lip_max"] = vertices.lip_max(near, far, every)
    if pair is not None:
        # The opening at rest is in both curves; neither measure sees what both have.
        curves = [lip_opening.lip_opening(offsets, pair) for offsets in (predicted, true)]
        values["ldtw"] = lip_opening.lip_warping(*curves)
        values["mtm"], values["mtm_signed"] = lip_opening.temporal_misalignment(*curves, fps)
    if upper is not None:
        values["fdd"] = vertices.upper_face_deviation(predicted, true, upper)
        values["fdd_absolute"] = abs(values["fdd"])
    return values

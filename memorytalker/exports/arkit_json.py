"""Face curves as JSON: names once and a row a frame, in our form, in LAM's and in Omniverse Audio2Face's.

All three have the top-level key "provenance", which their readers pass over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from memorytalker.exports.take import ExportFormat, Take
from memorytalker.exports.text import arkit_curves, number, provenance, residual, weight_rows, write_json
from memorytalker.face.motion import FaceCurves
from memorytalker.files import write_whole
from memorytalker.progress import Progress

#: What the numbers of our form are.
UNITS: Mapping[str, str] = MappingProxyType({"weights": "0 to 1", "lip_residual_mm": "millimetres"})


def curve_members(
    take: Take, curves: FaceCurves, lip_residual_mm: float | Mapping[str, float] | None
) -> dict[str, Any]:
    """Return the members of our JSON form, for `text.write_json`.

    Args:
        take: whose provenance and progress are used.
        curves: any named curves (T, n).
        lip_residual_mm: largest distance of a lip vertex from the predicted motion, or several such by name; None: the
            curves are the motion.

    Returns:
        fps, names, units, lip_residual_mm, provenance and, as an iterator of rows, weights.
    """
    return {
        "fps": number(curves.fps),
        "names": list(curves.names),
        "units": dict(UNITS),
        "lip_residual_mm": lip_residual_mm,
        "provenance": provenance(take, UNITS),
        "weights": weight_rows(curves.weights, take.progress),
    }


def _write_ours(take: Take, path: Path) -> tuple[Path, ...]:
    members = curve_members(take, take.need_curves(), residual(take))
    write_whole(path, lambda part: write_json(part, members))
    return (path,)


def _write_lam(take: Take, path: Path) -> tuple[Path, ...]:
    curves = arkit_curves(take)
    names = list(curves.names)
    members = {
        "names": names,
        "metadata": {"fps": float(curves.fps), "frame_count": len(curves.weights), "blendshape_names": names},
        "provenance": provenance(take, {"weights": "0 to 1", "time": "seconds"}),
        "frames": _lam_frames(curves, take.progress),
    }
    write_whole(path, lambda part: write_json(part, members))
    return (path,)


def _lam_frames(curves: FaceCurves, progress: Progress | None) -> Iterator[dict[str, Any]]:
    for frame, weights in enumerate(weight_rows(curves.weights, progress)):
        yield {"weights": weights, "time": round(frame / curves.fps, 9), "rotation": []}


def _write_omniverse(take: Take, path: Path) -> tuple[Path, ...]:
    curves = arkit_curves(take)
    members = {
        "exportFps": number(curves.fps),
        "trackPath": take.provenance.source,
        "numPoses": len(curves.names),
        "numFrames": len(curves.weights),
        "facsNames": list(curves.names),
        "provenance": provenance(take, {"weightMat": "0 to 1"}),
        "weightMat": weight_rows(curves.weights, take.progress),
        "joints": [],
        "rotations": ([] for _ in curves.weights),  # of no joint in each frame
        "translations": ([] for _ in curves.weights),
    }
    write_whole(path, lambda part: write_json(part, members))
    return (path,)


CURVES_JSON = ExportFormat(
    name="json",
    suffix=".json",
    title="Face curves (JSON)",
    summary="Scripts, and this program again: names, frame rate and weights.",
    write=_write_ours,
)
LAM_JSON = ExportFormat(
    name="lam",
    suffix=".json",
    title="Face curves of LAM (JSON)",
    summary="LAM and OpenAvatarChat, as bsData.json.",
    write=_write_lam,
)
OMNIVERSE_JSON = ExportFormat(
    name="omniverse",
    suffix=".json",
    title="Face curves of Audio2Face (JSON)",
    summary="NVIDIA Omniverse and the importers of Audio2Face.",
    write=_write_omniverse,
)

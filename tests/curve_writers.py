"""Files of face curves as each tool writes them, for the tests of the reader."""

from __future__ import annotations

import io
import json

import numpy as np

from memorytalker.face.motion import FaceCurves


def timecode(seconds: float, unit: float = 60, decimals: int = 3) -> str:
    """hours:minutes:seconds:frames, the frames in units of 1 / `unit` s."""
    whole, part = divmod(round(seconds * unit * 1000), round(unit * 1000))
    fields = f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{fields}:{part / 1000:0{3 + decimals if decimals else 2}.{decimals}f}"


def live_link_csv(
    curves: FaceCurves, start: float = 45_000.0, unit: float = 60, decimals: int = 3, counted: str = "BlendShapeCount",
    camel: bool = False, ending: str = "\n",
) -> bytes:  # fmt: skip
    """Live Link Face: a timecode, how many shapes, the shapes and a turn of the head."""
    names = [name if camel else name[0].upper() + name[1:] for name in curves.names]
    lines = [",".join(["Timecode", counted, *names, "HeadYaw"])]
    for frame, row in enumerate(curves.weights.tolist()):
        time = timecode(start + frame / curves.fps, unit, decimals)
        lines.append(",".join([time, "61", *(f"{value:.10f}" for value in row), "-0.4"]))
    return (ending.join(lines) + ending).encode()


def nim_csv(curves: FaceCurves) -> bytes:
    """NVIDIA's Audio2Face-3D NIM: an index without a name, seconds, and a prefix before each shape."""
    names = [f"blendShapes.{name[0].upper()}{name[1:]}" for name in curves.names]
    lines = [",".join(["", "timeCode", *names])]
    for frame, row in enumerate(curves.weights.tolist()):
        lines.append(",".join(map(str, [frame, frame / curves.fps, *row])))
    return ("\n".join(lines) + "\n").encode()


def rows_json(curves: FaceCurves) -> bytes:
    """Names once, a row a frame."""
    return json.dumps({"fps": curves.fps, "names": curves.names, "weights": curves.weights.tolist()}).encode()


def frames_json(curves: FaceCurves) -> bytes:
    """One object a frame, at an even rate."""
    frames = [dict(zip(curves.names, row, strict=True)) for row in curves.weights.tolist()]
    return json.dumps({"fps": curves.fps, "frames": frames}).encode()


def timed_json(curves: FaceCurves) -> bytes:
    """A time and an object of shapes in each frame; no rate."""
    frames = [dict(zip(curves.names, row, strict=True)) for row in curves.weights.tolist()]
    timed = [{"time": frame / curves.fps, "blendShapes": shapes} for frame, shapes in enumerate(frames)]
    return json.dumps({"frames": timed}).encode()


def lam_json(curves: FaceCurves) -> bytes:
    """LAM's bsData.json."""
    frames = [
        {"weights": row, "time": frame / curves.fps, "rotation": []}
        for frame, row in enumerate(curves.weights.tolist())
    ]
    metadata = {"fps": curves.fps, "frame_count": len(frames), "blendshape_names": curves.names}
    return json.dumps({"names": curves.names, "metadata": metadata, "frames": frames}, indent=2).encode()


def omniverse_json(curves: FaceCurves, rate: bool = True) -> bytes:
    """Omniverse Audio2Face; without a rate it is what SAiD writes."""
    data = {"facsNames": curves.names, "weightMat": curves.weights.tolist()}
    if rate:
        count = {"numPoses": len(curves.names), "numFrames": len(curves.weights)}
        data = {"exportFps": curves.fps, "trackPath": "a.wav", **count, **data, "joints": [], "rotations": [[[1, 0]]]}
    return json.dumps(data).encode()


def curves_npz(curves: FaceCurves) -> bytes:
    """weights, names, fps."""
    file = io.BytesIO()
    np.savez(file, weights=curves.weights, names=np.array(curves.names), fps=curves.fps)
    return file.getvalue()


#: Kind -> ending of its files, how curves are written.
CURVE_FILES = {
    "Live Link Face": (".csv", live_link_csv),
    "NVIDIA NIM": (".csv", nim_csv),
    "rows": (".json", rows_json),
    "frames": (".json", frames_json),
    "timed frames": (".json", timed_json),
    "LAM": (".json", lam_json),
    "Omniverse": (".json", omniverse_json),
    "npz": (".npz", curves_npz),
}

"""Arrays of numpy: face curves with their names, or the vertices of every frame."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from memorytalker.exports.take import ExportFormat, MemoryTrace, Take
from memorytalker.exports.text import REPORTED, provenance
from memorytalker.files import write_whole


def _write_curves(take: Take, path: Path) -> tuple[Path, ...]:
    if take.curves is None:
        return _write_vertices(take, path)
    curves = take.curves
    arrays = {
        "weights": curves.weights,
        "names": np.array(curves.names),
        "fps": np.array(curves.fps),
        "provenance": np.array(_described(take)),
    }
    if take.memory is not None:
        arrays |= _memory(take.memory)
    report = take.progress or (lambda *_: None)
    frames = len(curves.weights)
    report(0, frames, "export")
    write_whole(path, lambda part: np.savez_compressed(part, **arrays))  # type: ignore[arg-type]
    report(frames, frames, "export")
    return (path,)


def _write_vertices(take: Take, path: Path) -> tuple[Path, ...]:
    write_whole(path, lambda part: _write_frames(take, part))
    return (path,)


def _write_frames(take: Take, path: Path) -> None:
    """Vertices (T, V, 3); offsets for a head whose neutral face is unknown. A block of frames is held at a time."""
    name = "vertices" if take.head.template.any() else "offsets"
    frames = len(take.frames)
    shape = (frames, take.head.vertex_count, 3)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype("<f4")), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for begin in range(0, frames, REPORTED):
                if take.progress is not None:
                    take.progress(begin, frames, "export")
                block = np.asarray(take.frames[begin : begin + REPORTED])
                file.write(np.ascontiguousarray(block, "<f4").tobytes())
        more = {"fps": np.array(take.fps), "provenance": np.array(_described(take))}
        for name, value in (more | ({} if take.memory is None else _memory(take.memory))).items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, value)
    if take.progress is not None:
        take.progress(frames, frames, "export")


def _memory(trace: MemoryTrace) -> dict[str, np.ndarray]:
    """The memory address (T, n), the style weights (n,) and the names of the slots."""
    labels = np.array(trace.slot_labels)
    return {"memory_address": trace.address, "style_weights": trace.style_weights, "slot_labels": labels}


def _described(take: Take) -> str:
    units = {"weights": "0 to 1", "vertices": "metres", "offsets": "metres", "lip_residual_mm": "millimetres"}
    return json.dumps(provenance(take, units))


CURVES_NPZ = ExportFormat(
    name="npz-curves",
    suffix=".npz",
    title="Face curves (numpy)",
    summary="numpy, and this program again; vertices for a head without blendshapes.",
    write=_write_curves,
)
VERTICES_NPZ = ExportFormat(
    name="npz",
    suffix=".npz",
    title="Vertices of every frame (numpy)",
    summary="numpy: all vertices in metres; large.",
    write=_write_vertices,
)

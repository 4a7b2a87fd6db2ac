"""Write the head as `head.npz` and `head.json`, the same bytes for the same head."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

#: Offsets smaller than this (metres) are not stored: it is what a face unit file itself rounds away.
SMALLEST_OFFSET = 2e-5


def store(
    folder: Path, arrays: dict[str, np.ndarray], shapes: dict[str, np.ndarray], description: dict
) -> dict[str, str]:
    """Write both files into `folder`; returns file name -> sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = arrays | _sparse(list(shapes.values()))
    np.savez_compressed(folder / "head.npz", **{name: packed[name] for name in sorted(packed)})
    digest = _digest(folder / "head.npz")
    content = {"format": 1, **description, "blendshapes": list(shapes), "sha256": digest}
    (folder / "head.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return {"head.npz": digest, "head.json": _digest(folder / "head.json")}


def _sparse(shapes: list[np.ndarray]) -> dict[str, np.ndarray]:
    moving = [np.flatnonzero(np.abs(shape).max(axis=1) > SMALLEST_OFFSET) for shape in shapes]
    return {
        "shape_bounds": np.cumsum([0] + [len(m) for m in moving]).astype(np.int32),
        "shape_vertices": np.concatenate(moving).astype(np.int32),
        "shape_offsets": np.concatenate([shape[m] for shape, m in zip(shapes, moving, strict=True)]).astype(np.float16),
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

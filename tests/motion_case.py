"""A small moving surface and where its points belong, as tests/javascript/motion.json keeps it for the page's scripts.

`python tests/motion_case.py` writes that file again, after the format of packages or the rounding of surfaces changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from memorytalker.rendering.appearance import HeadAppearance  # noqa: E402
from memorytalker.rendering.lighting import Light  # noqa: E402
from memorytalker.rendering.scene import Camera  # noqa: E402
from memorytalker.rendering.surface import Surface  # noqa: E402
from memorytalker.rendering.web_package import Playback, _array  # noqa: E402

MOTION_FILE = Path(__file__).parent / "javascript" / "motion.json"
#: Whole frames, between two, and beyond both ends, where the first and the last stay.
MOMENTS = (0.0, 1.0, 1.25, 3.0, -2.0, 9.0)


def motion_case() -> dict[str, Any]:
    """{"package": a package without shader, "moments": [{frame, positions (V + E, 3), normals (V + E, 3)}]}."""
    rng = np.random.default_rng(5)
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.1)
    template = (ball.vertices * rng.uniform(0.8, 1.2, (len(ball.vertices), 1))).astype(np.float32)
    faces, count = np.asarray(ball.faces, np.int64), len(template)
    lengths = np.linalg.norm(template[faces] - template[np.roll(faces, 1, axis=1)], axis=2)
    surface = Surface(faces, template, float(np.median(lengths)))
    moving = np.sort(rng.choice(count, 9, replace=False))
    light = Light(np.ones(count, np.float32), (-90.0, 0.0), np.ones((2, count), np.float32))
    appearance = HeadAppearance(
        template, 1.0, faces, surface.edges, surface.fine_faces, np.zeros((count, 3), np.uint8),
        np.ones((count, 3), np.float32), light, {"front": Camera((0, 0, 1), (0, 0, 0), 20.0, 0.1, 2.0)},
    )  # fmt: skip
    shapes = rng.integers(-32767, 32767, (3, len(moving), 3)).astype(np.int16)
    weights = rng.normal(0, 1, (4, 3)).astype(np.float32)
    playback = Playback(appearance, 25.0, moving, shapes, np.full(3, 1e-6, np.float32), weights, 0.0)
    package = json.loads(playback.to_json())
    del package["material"]
    return {"package": package, "moments": [_moment(playback, surface, frame) for frame in MOMENTS]}


def _moment(playback: Playback, surface: Surface, frame: float) -> dict[str, Any]:
    at = min(max(frame, 0.0), len(playback.weights) - 1.0)
    first = int(at)
    second, share = min(first + 1, len(playback.weights) - 1), np.float32(at - first)
    offsets = (1 - share) * playback.offsets(first) + share * playback.offsets(second)
    vertices = playback.appearance.template + offsets
    positions, normals = surface.refine(vertices, surface.normals(vertices))
    return {"frame": frame, "positions": _array(positions), "normals": _array(normals)}


if __name__ == "__main__":
    MOTION_FILE.write_text(json.dumps(motion_case(), indent=1) + "\n", encoding="utf-8")

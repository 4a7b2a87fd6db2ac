"""Both eyes: spheroids with crisp rings for pupil, iris and white, turned rigidly by the eyeLook shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from tools.head.mesh import grid_faces

SPOKES = 24
#: Radii of the rings around the line of sight, metres on an eye of the usual size; repeated radii make a crisp edge.
PUPIL, IRIS = 0.0022, 0.0061
RINGS = (
    0.0012,
    PUPIL,
    PUPIL,
    0.0029,
    0.0038,
    0.0047,
    0.0055,
    IRIS,
    IRIS,
    0.0066,
    0.0080,
    0.0100,
    0.0122,
    0.0142,
    0.0158,
)
BACK_ANGLES = (np.radians(84.0), np.radians(105.0))
CORNEA = 0.00035  # the clear front bulges by this much over the iris
#: The eyes of the neutral face look at a camera this far in front of the ears.
CAMERA = np.array([0.0, 0.0, 1.1])
#: The face units turn the eyes by 9 to 13 degrees, an eye at its limit turns further; the lids follow at this rate.
TURN = {"Up": (14.0, 0.0), "Down": (-17.0, 0.0), "In": (0.0, -21.0), "Out": (0.0, 21.0)}


@dataclass(frozen=True)
class Eye:
    """One eye: rings of SPOKES vertices from the line of sight outwards, the first vertex in its middle."""

    faces: np.ndarray
    templates: dict[str, np.ndarray]
    shapes: dict[str, np.ndarray]
    radius: np.ndarray  # (V,) distance from the line of sight, metres, inside the iris and just beyond it
    angle: np.ndarray  # (V,) direction around the line of sight, radians


def make_eye(side: str, support: np.ndarray, identities: dict[str, np.ndarray], reference: str) -> Eye:
    """The eye on `side` ("left", "right") that replaces the helper vertices `support` of base.obj."""
    radii = np.r_[0.0, np.repeat(RINGS, SPOKES), np.full(SPOKES * len(BACK_ANGLES), RINGS[-1])]
    spokes = np.tile(2 * np.pi * np.arange(SPOKES) / SPOKES, len(RINGS) + len(BACK_ANGLES))
    angles = np.r_[0.0, spokes]
    templates = {name: _place(positions[support], radii, angles) for name, positions in identities.items()}
    rings = len(RINGS) + len(BACK_ANGLES)
    fan = np.stack([np.zeros(SPOKES, int), 1 + np.arange(SPOKES), 1 + (np.arange(SPOKES) + 1) % SPOKES], axis=1)
    bands = [grid_faces(2, SPOKES, True, 1 + k * SPOKES) for k in range(rings - 1) if k == rings - 1 or not _same(k)]
    faces = np.vstack([fan, *[band[:, [0, 2, 1]] for band in bands]])
    centre, _ = _spheroid(identities[reference][support])
    shapes = {}
    for direction, (up, left) in TURN.items():
        sign = 1.0 if side == "left" else -1.0
        turned = Rotation.from_euler("xy", [-up, sign * left], degrees=True)
        arm = templates[reference] - centre
        shapes[f"eyeLook{direction}{side.capitalize()}"] = turned.apply(arm) - arm
    return Eye(faces, templates, shapes, radii, angles)


def _same(ring: int) -> bool:
    return ring + 1 < len(RINGS) and RINGS[ring] == RINGS[ring + 1]


def _spheroid(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half axes of the spheroid with axes along x, y, z that best fits `points`."""
    middle = points.mean(axis=0)
    local = points - middle
    solution = np.linalg.lstsq(np.c_[local**2, local], np.ones(len(local)), rcond=None)[0]
    square, linear = solution[:3], solution[3:]
    centre = -linear / (2 * square)
    return middle + centre, np.sqrt((1 + (square * centre**2).sum()) / square)


def _place(points: np.ndarray, radii: np.ndarray, angles: np.ndarray) -> np.ndarray:
    centre, axes = _spheroid(points)
    size = axes[:2].mean()
    scale = size / 0.0171
    flat = np.stack([radii * scale * np.cos(angles), radii * scale * np.sin(angles)], axis=1)
    limit = np.clip(np.linalg.norm(flat / axes[:2], axis=1), 0, 0.97)
    grow = np.where(
        np.linalg.norm(flat / axes[:2], axis=1) > 0.97,
        limit / np.maximum(np.linalg.norm(flat / axes[:2], axis=1), 1e-9),
        1,
    )
    flat *= grow[:, None]
    inside = np.linalg.norm(flat / axes[:2], axis=1)
    bulge = CORNEA * np.clip(1 - (radii / (IRIS * 1.1)) ** 2, 0, None)
    front = np.c_[flat, axes[2] * np.sqrt(1 - inside**2) + bulge * scale]
    for k, angle in enumerate(BACK_ANGLES):
        ring = slice(
            len(front) - (len(BACK_ANGLES) - k) * SPOKES, len(front) - (len(BACK_ANGLES) - k - 1) * SPOKES or None
        )
        spoke = angles[ring]
        front[ring] = axes * np.stack(
            [np.sin(angle) * np.cos(spoke), np.sin(angle) * np.sin(spoke), np.full(SPOKES, np.cos(angle))], 1
        )
    sight = CAMERA - centre
    yaw, pitch = np.arctan2(sight[0], sight[2]), np.arctan2(sight[1], np.hypot(sight[0], sight[2]))
    return centre + Rotation.from_euler("xy", [-pitch, yaw]).apply(front)

"""The shirt: a closed surface of rings around the neck, laid on the body of every identity, with its own collar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.head.mesh import Piece, edges_of, grid_faces, normals
from tools.head.sections import section
from tools.head.skin import collar_level

COLUMNS = 48
#: z of the vertical axis of the rings, metres: the middle of the neck.
AXIS = -0.028
#: The cloth stands off the skin by this much, metres.
CLOTH = 0.0030
#: Rows below the collar, as shares of the way to the border of the shirt, and the rows of its closed underside.
BELOW = (0.03, 0.12, 0.27, 0.47, 0.72, 1.0)


@dataclass(frozen=True)
class Collar:
    """How high a collar stands and how wide and thick its band is, metres."""

    above: float = 0.0  # over a round neck
    front: float = 0.0  # more than that in front; less than 0 for a deeper neckline
    width: float = 0.013
    thick: float = 0.0016


COLLARS: dict[str, Collar] = {
    "ada": Collar(front=-0.004),
    "bruno": Collar(width=0.017),
    "efua": Collar(-0.002, -0.008, 0.010),
    "kenji": Collar(width=0.016),
    "greta": Collar(0.007, 0.0, 0.028, 0.0030),
    "omar": Collar(0.006, 0.0, 0.022, 0.0026),
    "mei": Collar(front=-0.006, width=0.010),
}


@dataclass(frozen=True)
class Shirt:
    """A shirt of V vertices."""

    faces: np.ndarray  # (F, 3)
    place: np.ndarray  # (V, 3) metres
    on_band: np.ndarray  # (V,) bool, its collar


def neck_level(place: np.ndarray) -> np.ndarray:
    """Metres below a round neckline on the reference head, which hides where the skin ends."""
    front = np.clip((place[:, 2] + 0.05) / 0.09, 0, 1)
    return collar_level(place) + 0.006 + 0.040 * front * front * (3 - 2 * front)


def lay_shirt(body: Piece, reference: np.ndarray, positions: np.ndarray, collar: Collar) -> Shirt:
    """The shirt of an identity.

    Args:
        body: from the neck to the shoulders and the breast.
        reference: (N, 3) the reference identity, on which the neckline is given.
        positions: (N, 3) the identity.
        collar: of the shirt.

    Returns:
        The shirt; the same topology for every identity.
    """
    known, place = body.blend @ reference, body.blend @ positions
    front = np.clip((known[:, 2] + 0.03) / 0.07, 0, 1)
    level = neck_level(known) + collar.above + collar.front * front
    values = np.c_[place, normals(place, body.faces), level]
    edges, kept = edges_of(body.faces), (known[:, 1] < -0.095) & (level > -0.03)
    columns = [_column(values, edges, kept, 360.0 * k / COLUMNS, collar) for k in range(COLUMNS)]
    rows = np.stack(columns, axis=1)  # (rows, columns, 3)
    for _ in range(2):  # hem and band run smoothly around the neck
        rows[:4] = 0.25 * np.roll(rows[:4], 1, axis=1) + 0.5 * rows[:4] + 0.25 * np.roll(rows[:4], -1, axis=1)
    middle = rows[-1].mean(axis=0)
    inner = 0.5 * rows[-1] + 0.5 * middle
    count = len(rows) + 1
    faces = grid_faces(count, COLUMNS, True)
    last = (count - 1) * COLUMNS + np.arange(COLUMNS)
    fan = np.stack([last, np.roll(last, -1), np.full(COLUMNS, count * COLUMNS)], axis=1)
    faces = np.vstack([faces, fan])[:, [0, 2, 1]]
    band = np.r_[np.full(4 * COLUMNS, True), np.full((count - 4) * COLUMNS + 1, False)]
    return Shirt(faces, np.vstack([rows.reshape(-1, 3), inner, middle]), band)


def _column(values: np.ndarray, edges: np.ndarray, kept: np.ndarray, degrees: float, collar: Collar) -> np.ndarray:
    """The rows of one direction, (rows, 3): the hem inside, the band, the cloth down to its border."""
    line = section(values, edges, degrees, AXIS, kept)
    begins = int(np.argmax(line[:, 6] >= 0))
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line[:, :3], axis=0), axis=1))]
    if begins:
        share = line[begins - 1, 6] / (line[begins - 1, 6] - line[begins, 6])
        start = along[begins - 1] + share * (along[begins] - along[begins - 1])
    else:
        start = 0.0
    rest = along[-1] - start - collar.width
    where = start + np.r_[0.004, 0.0, 0.35 * collar.width, collar.width, collar.width + rest * np.array(BELOW)]
    lift = np.r_[-0.0035, 0.6 * CLOTH, CLOTH + collar.thick, CLOTH + collar.thick, np.full(len(BELOW), CLOTH)]
    at = np.stack([np.interp(where, along, line[:, k]) for k in range(6)], axis=1)
    outward = at[:, 3:] / np.maximum(np.linalg.norm(at[:, 3:], axis=1, keepdims=True), 1e-12)
    return at[:, :3] + lift[:, None] * outward

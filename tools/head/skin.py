"""The skin of head and neck, the hair and the shirt, cut from the body of base.obj along smooth lines.

The lines are given on the reference identity (metres, origin between the ears) and move with every other one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import PchipInterpolator

from tools.head.mesh import Piece, boundary_loops, cut, grid_faces, keep, normals, refine

#: Height of the hair line (metres) over the direction around the head (degrees from straight ahead).
HAIR_LINE = {
    0: 0.106,
    14: 0.105,
    28: 0.099,
    38: 0.085,
    48: 0.066,
    57: 0.046,
    63: 0.020,
    67: 0.0,
    74: 0.0,
    80: 0.030,
    96: 0.036,
    104: 0.018,
    110: -0.012,
    117: -0.042,
    135: -0.066,
    160: -0.076,
    180: -0.078,
}
COLLAR_WIDTH = 0.013
CLOTH = 0.0030  # the shirt stands off the skin by this much, metres


@dataclass(frozen=True)
class Layer:
    """A piece and the offset of each of its vertices from the skin: `lift` (V, 3) metres on the reference."""

    piece: Piece
    lift: np.ndarray
    level: np.ndarray  # (V,) metres above the hair line, or below the neck line of the shirt


def hair_level(place: np.ndarray, ears: np.ndarray) -> np.ndarray:
    """Metres above the hair line, negative on bare skin; `ears` (V,) in 0..1 is MakeHuman's mask of the ears."""
    angle = np.degrees(np.arctan2(np.abs(place[:, 0]), place[:, 2] + 0.015))
    line = PchipInterpolator(list(HAIR_LINE), list(HAIR_LINE.values()))(angle)
    level = place[:, 1] - line
    return np.minimum(level, 0.03 * (0.25 - ears))


def collar_level(place: np.ndarray) -> np.ndarray:
    """Metres below the neck line of a round-necked shirt, negative on the neck."""
    line = -0.160 - 0.36 * (place[:, 2] + 0.099) + 8.0 * place[:, 0] ** 2
    return line - place[:, 1]


def make_skin(body: Piece, reference: np.ndarray, ears: np.ndarray) -> tuple[Piece, Layer, Layer]:
    """Skin, hair and clothing from the whole `body` of base.obj."""
    place = body.blend @ reference
    bust = 1 - np.abs(place[:, 0] / 0.205) ** 3 - np.abs((place[:, 1] + 0.05) / 0.285) ** 3
    bust = np.where(place[:, 1] > -0.1, 1.0, bust)
    body, bust = cut(body, bust)
    body, _ = keep(body, bust[body.faces].min(axis=1) >= 0)
    place = body.blend @ reference
    scalp = hair_level(place, body.blend @ ears)
    outside = place[:, 2] < 0.09  # not the inside of the head
    body = refine(body, ((np.abs(scalp) < 0.006) & outside)[body.faces].any(axis=1))
    scalp = hair_level(body.blend @ reference, np.clip(body.blend @ ears, 0, 1))
    body, scalp = cut(body, scalp)
    collar = collar_level(body.blend @ reference)
    body, collar = cut(body, np.where(collar < -0.08, -0.08, collar))
    scalp = np.r_[scalp, np.full(len(collar) - len(scalp), -0.1)]
    turned = normals(body.blend @ reference, body.faces)
    on_scalp = (scalp[body.faces].min(axis=1) >= 0) & (scalp[body.faces].max(axis=1) > 0)
    on_shirt = (collar[body.faces].min(axis=1) >= 0) & (collar[body.faces].max(axis=1) > 0)
    # the skin goes on a little under hair and collar, so that no gap shows between them
    under = (scalp[body.faces].min(axis=1) > 0) | (collar[body.faces].min(axis=1) > 0)
    skin, _ = keep(body, ~under)
    hair, used = keep(body, on_scalp)
    clothing, worn = keep(body, on_shirt)
    return skin, Layer(hair, turned[used], scalp[used]), _shirt(clothing, turned[worn], collar[worn])


def _shirt(piece: Piece, turned: np.ndarray, level: np.ndarray) -> Layer:
    """A shirt slightly above the skin: a sharp collar band, a rim down to the neck and a closed underside."""
    count = piece.blend.shape[0]
    piece, edge = cut(piece, level - COLLAR_WIDTH)
    turned, level = _extend(piece, count, turned, level)
    band = edge[piece.faces].max(axis=1) <= 0
    collar, on_band = keep(piece, band)
    cloth, on_cloth = keep(piece, ~band)
    skirt = min(boundary_loops(collar.faces), key=lambda ring: level[on_band][ring].mean())
    below = max(boundary_loops(cloth.faces), key=lambda ring: level[on_cloth][ring].mean())
    rim, outward = collar.blend[skirt], turned[on_band][skirt]
    top = np.clip(1 - level[on_band] / COLLAR_WIDTH, 0, 1)[:, None]
    under = _underside(cloth, below)
    under_lift = np.zeros((under.blend.shape[0], 3))
    under_lift[: len(below)] = CLOTH * turned[on_cloth][below]
    return _stack(
        Layer(collar, (CLOTH + 0.0014 * top) * turned[on_band], level[on_band]),
        Layer(cloth, CLOTH * turned[on_cloth], level[on_cloth]),
        Layer(
            Piece(sparse.vstack([rim, rim]).tocsr(), grid_faces(2, len(skirt), True)[:, [0, 2, 1]]),
            np.vstack([0.0044 * outward, -0.004 * outward + np.array([0, -0.004, 0])]),
            np.zeros(2 * len(skirt)),
        ),
        Layer(under, under_lift, np.full(len(under_lift), 1.0)),
    )


def _stack(*layers: Layer) -> Layer:
    starts = np.cumsum([0] + [len(layer.level) for layer in layers])
    faces = [layer.piece.faces + start for layer, start in zip(layers, starts[:-1], strict=True)]
    blend = sparse.vstack([layer.piece.blend for layer in layers]).tocsr()
    lift, level = (np.concatenate([getattr(layer, name) for layer in layers]) for name in ("lift", "level"))
    return Layer(Piece(blend, np.vstack(faces)), lift, level)


def _underside(cloth: Piece, ring: np.ndarray) -> Piece:
    """Close the border `ring` of the shirt from below: the ring again, a narrower one, and a middle."""
    first = cloth.blend[ring]
    middle = sparse.csr_matrix(first.mean(axis=0))
    inner = 0.5 * first + 0.5 * sparse.vstack([middle] * len(ring))
    count = len(ring)
    fan = np.stack(
        [count + np.arange(count), count + (np.arange(count) + 1) % count, np.full(count, 2 * count)], axis=1
    )
    faces = np.vstack([grid_faces(2, count, True), fan])
    return Piece(sparse.vstack([first, inner, middle]).tocsr(), faces[:, [0, 2, 1]])


def _extend(piece: Piece, count: int, turned: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normals and levels for the vertices that a cut added after the first `count`, taken from their neighbours."""
    total = piece.blend.shape[0]
    normal, value = np.zeros((total, 3)), np.full(total, COLLAR_WIDTH)
    normal[:count], value[:count] = turned, level
    for face in piece.faces:
        new = [v for v in face if v >= count]
        for v in new:
            for old in face:
                if old < count:
                    normal[v] += turned[old]
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12), value

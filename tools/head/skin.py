"""The skin of head and neck, and the scalp, cut from the body of base.obj along smooth lines.

The lines are given on the reference identity (metres, origin between the ears) and move with every other one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from tools.head.mesh import Piece, cut, keep, refine

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


@dataclass(frozen=True)
class Layer:
    """A piece of the scalp."""

    piece: Piece
    level: np.ndarray  # (V,) metres above the hair line


def over_hair_line(place: np.ndarray) -> np.ndarray:
    """Metres above the hair line, straight up, whatever the ears hide."""
    angle = np.degrees(np.arctan2(np.abs(place[:, 0]), place[:, 2] + 0.015))
    line = PchipInterpolator(list(HAIR_LINE), list(HAIR_LINE.values()))(angle)
    return place[:, 1] - line


def hair_level(place: np.ndarray, ears: np.ndarray) -> np.ndarray:
    """Where hair grows, as cut: positive there, at most 0.0075; about metres above its border, negative on bare skin.

    `ears` (V,) in 0..1 is MakeHuman's mask of the ears.
    """
    return np.minimum(over_hair_line(place), 0.03 * (0.25 - ears))


def collar_level(place: np.ndarray) -> np.ndarray:
    """Metres below the line at which the skin ends, hidden by every shirt; negative on the neck."""
    line = -0.160 - 0.36 * (place[:, 2] + 0.099) + 8.0 * place[:, 0] ** 2
    return line - place[:, 1]


def bust_of(body: Piece, reference: np.ndarray) -> Piece:
    """The whole `body` of base.obj cut off below head, shoulders and breast."""
    place = body.blend @ reference
    bust = 1 - np.abs(place[:, 0] / 0.205) ** 3 - np.abs((place[:, 1] + 0.05) / 0.285) ** 3
    bust = np.where(place[:, 1] > -0.1, 1.0, bust)
    body, bust = cut(body, bust)
    return keep(body, bust[body.faces].min(axis=1) >= 0)[0]


def make_skin(body: Piece, reference: np.ndarray, ears: np.ndarray) -> tuple[Piece, Layer]:
    """Skin and scalp from the `body` down to the breast."""
    place = body.blend @ reference
    scalp = hair_level(place, body.blend @ ears)
    outside = place[:, 2] < 0.09  # not the inside of the head
    body = refine(body, ((np.abs(scalp) < 0.006) & outside)[body.faces].any(axis=1))
    scalp = hair_level(body.blend @ reference, np.clip(body.blend @ ears, 0, 1))
    body, scalp = cut(body, scalp)
    collar = collar_level(body.blend @ reference)
    body, collar = cut(body, np.where(collar < -0.08, -0.08, collar))
    scalp = np.r_[scalp, np.full(len(collar) - len(scalp), -0.1)]
    on_scalp = (scalp[body.faces].min(axis=1) >= 0) & (scalp[body.faces].max(axis=1) > 0)
    # the skin goes on a little under hair and collar, so that no gap shows between them
    under = (scalp[body.faces].min(axis=1) > 0) | (collar[body.faces].min(axis=1) > 0)
    skin, _ = keep(body, ~under)
    hair, used = keep(body, on_scalp)
    return skin, Layer(hair, scalp[used])

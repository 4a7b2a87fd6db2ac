"""Hair: a cap that grows on the scalp, and for some people lengths, a bun or a fringe over it.

Lengths and fringe are two sheets of a fixed number of vertices in every identity. Where somebody has none, the sheet is
a speck inside the skull. Nothing of them moves with the face: they hang clear of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from tools.head.mesh import grid_faces
from tools.head.palette import smooth, waves
from tools.head.sections import direction, reach
from tools.head.skin import over_hair_line

#: z of the vertical axis around which hair hangs, metres.
AXIS = -0.018
#: Rows and columns of the two sheets; the last rows are the inside.
LENGTHS, LENGTHS_INSIDE = (13, 31), 4
FRINGE, FRINGE_INSIDE = (8, 16), 2
#: Where a sheet is hidden, and how large it is then, metres.
HIDDEN, SPECK = np.array([0.0, 0.03, -0.02]), 0.0003
#: The border of the cap stands off the skin by this much, metres.
BORDER = 0.0001
#: Hair hangs clear of what it hangs over by at least this much, metres.
CLEAR = 0.0035


@dataclass(frozen=True)
class Lengths:
    """Hair that hangs from the crown around the back of the head. Pairs are at the front edge and at the back.

    Heights in metres, angles in degrees from straight ahead.
    """

    edge: tuple[float, float, float]  # the front edge at its top, half-way and at its end
    ends: tuple[float, float]  # height of the ends
    inward: float  # metres by which a metre of hanging hair may draw in
    body: float = 0.007  # how far it stands off the cap
    top: float = 0.118
    wave: float = 0.0


@dataclass(frozen=True)
class Fringe:
    """Hair over the forehead: heights of its ends at equal steps from the head's own right to its left."""

    half: float  # degrees to either side of straight ahead
    ends: tuple[float, ...]
    body: float = 0.005
    ragged: float = 0.0015
    top: float = 0.136


@dataclass(frozen=True)
class Bun:
    """A knot of hair on the crown: how far back its middle is (z), and its radius, metres."""

    back: float
    radius: float


@dataclass(frozen=True)
class HairStyle:
    """How somebody's hair is worn."""

    volume: float = 0.012  # greatest height of the cap over the scalp, metres
    sides: float = 0.6  # its height at the sides, as a share of that
    front: float = 0.25  # how much higher it is on the left of a parting
    clumps: tuple[float, float] = (0.09, 0.014)  # depth as a share, and size in metres
    thin: float = 0.0  # 0..1: how much skin shows at temples and crown
    faded: float = 0.0  # 0..1: cut short towards ears and neck
    lengths: Lengths | None = None
    fringe: Fringe | None = None
    bun: Bun | None = None


STYLES: dict[str, HairStyle] = {
    "ada": HairStyle(
        0.010,
        0.7,
        lengths=Lengths((46.0, 60.0, 50.0), (-0.104, -0.118), 0.16, wave=0.003),
        fringe=Fringe(52.0, (0.104, 0.110, 0.106, 0.094, 0.079, 0.062, 0.040), 0.006, 0.001),
    ),
    "bruno": HairStyle(0.015, 0.35, 0.5, (0.13, 0.017), faded=0.8),
    "efua": HairStyle(0.024, 0.85, 0.0, (0.13, 0.009), faded=0.2),
    "kenji": HairStyle(
        0.013,
        0.4,
        0.1,
        (0.16, 0.013),
        faded=0.6,
        fringe=Fringe(48.0, (0.074, 0.082, 0.081, 0.087, 0.088, 0.089, 0.076), 0.005, 0.0022),
    ),
    "greta": HairStyle(0.009, 0.75, 0.4, (0.10, 0.012), bun=Bun(-0.062, 0.031)),
    "omar": HairStyle(0.0022, 0.9, 0.0, (0.05, 0.01), thin=0.68, faded=0.3),
    "mei": HairStyle(
        0.010,
        0.75,
        0.0,
        lengths=Lengths((50.0, 62.0, 60.0), (-0.140, -0.190), 0.05),
        fringe=Fringe(56.0, (0.050, 0.062, 0.064, 0.064, 0.064, 0.062, 0.050), 0.006, 0.0006),
    ),
}


@dataclass(frozen=True)
class Sheet:
    """A grid of hair: places (rows, columns, 3) in metres, and which of its rows are inside."""

    place: np.ndarray
    inside: int

    @property
    def faces(self) -> np.ndarray:
        """(F, 3), outwards."""
        return sheet_faces(self.place.shape[:2])


def sheet_faces(size: tuple[int, int]) -> np.ndarray:
    """Triangles of a sheet whose columns run towards the head's own left in front and whose rows run down."""
    return grid_faces(*size)[:, [0, 2, 1]]


def cap_height(style: HairStyle, place: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Height of the cap (V,) over the scalp in metres, at `place` (V, 3) on the reference head."""
    front, over = smooth(place[:, 2], -0.02, 0.06), over_hair_line(place)
    top = smooth(place[:, 1], 0.04, 0.115)
    rise = smooth(level, 0.0, 0.0074) * (0.4 + 0.6 * smooth(over, 0.0, 0.045 - 0.02 * front))
    rise *= style.sides + (1 - style.sides) * top
    rise *= 1 + style.front * front * smooth(place[:, 0], -0.06, 0.05)  # a parting on the right
    rise *= 1 - style.faded * smooth(over, 0.07, 0.0) * (1 - 0.7 * front)
    depth, size = style.clumps
    clumps = 1 + depth * waves(place * [1, 0.5, 1], size, 3) * smooth(level, 0.002, 0.007)
    return style.volume * rise * clumps + BORDER


def hang(style: Lengths, head: tuple[np.ndarray, np.ndarray], shirt: tuple[np.ndarray, np.ndarray]) -> Sheet:
    """Hair that hangs over skin and cap, `head`, and lies on the `shirt`: places (V, 3) and faces (F, 3) of each."""
    rows, columns = LENGTHS[0] - LENGTHS_INSIDE, LENGTHS[1]
    down, across = np.linspace(0, 1, rows), np.linspace(-1, 1, columns)
    edge = np.interp(down, [0, 0.5, 1], style.edge)[:, None]
    # columns run towards the head's own left in front, so behind they begin on its left
    degrees = 180 + np.sign(across) * (180 - edge) * np.abs(across) ** 1.15
    back = np.cos(0.5 * np.pi * across) ** 0.7
    ends = style.ends[0] + (style.ends[1] - style.ends[0]) * back
    heights = style.top + (ends - style.top) * down[:, None]
    over = reach(*head, degrees.ravel(), heights.ravel(), AXIS).reshape(degrees.shape)
    ears = (heights < 0.06) & (heights > -0.06)
    over = np.where(ears, np.maximum(over, _beside(*head, degrees, heights)), over)  # one lies between two columns
    cloth = reach(*shirt, degrees.ravel(), heights.ravel(), AXIS).reshape(degrees.shape)
    rim = np.clip((1 - np.abs(across)) / 0.16, 0, 1)
    emerge = np.clip(down / 0.36, 0, 1)[:, None]
    gap = -0.0035 + emerge * (0.0035 + CLEAR + (style.body - CLEAR) * rim)
    later = np.clip(down / 0.5 - 0.4, 0, 1)[:, None]
    gap = gap + later * 0.0014 * np.cos(np.pi * np.arange(columns)) * rim + style.wave * _waves(down, across) * later
    far = over + gap
    for k in range(1, rows):
        drop = heights[k - 1] - heights[k]
        far[k] = np.maximum(far[k], far[k - 1] - style.inward * drop)
        far[k] = np.maximum(far[k], np.minimum(cloth[k] + CLEAR, far[k - 1] + 0.35 * drop))
    far = np.maximum(
        gaussian_filter(far, (0.8, 0.7), mode="nearest"), over + np.where(emerge < 1, gap, 1.2 * CLEAR * rim)
    )
    thick = (0.002 + 0.012 * rim) * np.ones((rows, 1))
    back_up = rows - 1 - np.round(np.linspace(0.0, 0.62, LENGTHS_INSIDE) * (rows - 1)).astype(int)
    inner = np.maximum(far - thick, 0.03)[back_up]
    lifted = heights[back_up].copy()
    lifted[0] += 0.002
    everywhere = [np.vstack([outer, inside]) for outer, inside in ((far, inner), (heights, lifted))]
    turned = np.vstack([degrees, degrees[back_up]])
    return Sheet(_around(turned, *everywhere), LENGTHS_INSIDE)


def lay_fringe(style: Fringe, place: np.ndarray, faces: np.ndarray) -> Sheet:
    """Hair over the forehead of the surface `place` (V, 3), `faces` (F, 3): skin and cap."""
    rows, columns = FRINGE[0] - FRINGE_INSIDE, FRINGE[1]
    down, across = np.linspace(0, 1, rows), np.linspace(-1, 1, columns)
    degrees = np.tile(style.half * across, (rows, 1))
    ends = np.interp(across, np.linspace(-1, 1, len(style.ends)), style.ends)
    ends = ends + style.ragged * np.cos(np.pi * np.arange(columns))
    top = style.top - 0.030 * across**2
    heights = top + (ends - top) * down[:, None]
    over = reach(place, faces, degrees.ravel(), heights.ravel(), AXIS).reshape(degrees.shape)
    emerge = np.clip(down / 0.4, 0, 1)[:, None]
    rim = np.clip((1 - np.abs(across)) / 0.2, 0, 1)
    far = over - 0.003 + emerge * (0.003 + CLEAR + (style.body - CLEAR) * rim)
    far = far + emerge * 0.0009 * np.cos(np.pi * np.arange(columns))
    for k in range(1, rows):  # it falls from the cap and does not turn back to the forehead at once
        far[k] = np.maximum(far[k], far[k - 1] - 0.75 * (heights[k - 1] - heights[k]))
    inner = np.stack([over[-1] + 0.55 * (far[-1] - over[-1]), over[-2] - 0.001])
    lifted = np.stack([heights[-1] + 0.0012, heights[-2]])
    return Sheet(
        _around(np.vstack([degrees, degrees[-2:]]), np.vstack([far, inner]), np.vstack([heights, lifted])),
        FRINGE_INSIDE,
    )


def knot(bun: Bun, place: np.ndarray, size: tuple[int, int]) -> Sheet:
    """A bun on the crown of skin and cap `place` (V, 3): the sheet closed to a ball with twisted strands."""
    near = np.hypot(place[:, 0], place[:, 2] - bun.back) < 0.012
    crown = place[near, 1].max()
    turn = np.linspace(0, 2 * np.pi, size[1])
    polar = np.linspace(0, np.pi, size[0])[:, None]
    # the axis points up and back; rows run from its outer end to the head
    axis = np.array([0.0, 0.89, -0.45])
    right, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.45, 0.89])
    ring = np.cos(turn)[:, None] * right + np.sin(turn)[:, None] * up
    strands = 1 + 0.05 * np.sin(5 * turn + 2.2 * polar)
    radius = bun.radius * strands * np.sin(polar)
    place = np.array([0.0, crown + 0.42 * bun.radius, bun.back]) + radius[..., None] * ring
    place = place + (0.78 * bun.radius * np.cos(polar))[..., None] * axis
    return Sheet(_outwards(place), 0)


def hidden(size: tuple[int, int], inside: int) -> Sheet:
    """The sheet of somebody who has no such hair."""
    turn, polar = np.meshgrid(np.linspace(0, 2 * np.pi, size[1]), np.linspace(0.05, np.pi - 0.05, size[0]))
    ball = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)], axis=-1)
    return Sheet(_outwards(HIDDEN + SPECK * ball), inside)


def _outwards(place: np.ndarray) -> np.ndarray:
    """A ball with its columns in the order in which its triangles face outwards."""
    a, b, c = (place.reshape(-1, 3)[sheet_faces(place.shape[:2])[:, k]] - place.mean(axis=(0, 1)) for k in range(3))
    return place if np.einsum("ij,ij->", a, np.cross(b, c)) > 0 else place[:, ::-1]


def _beside(place: np.ndarray, faces: np.ndarray, degrees: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """The farthest reach half-way to the neighbours of each vertex of a grid."""
    between = np.zeros(degrees.shape)
    for rows, columns in ((0, 1), (1, 0)):
        one = (slice(0, degrees.shape[0] - rows), slice(0, degrees.shape[1] - columns))
        two = (slice(rows, None), slice(columns, None))
        middles = [0.5 * (grid[one] + grid[two]) for grid in (degrees, heights)]
        found = reach(place, faces, middles[0].ravel(), middles[1].ravel(), AXIS).reshape(middles[0].shape)
        for end in (one, two):
            between[end] = np.maximum(between[end], found)
    return between


def _around(degrees: np.ndarray, far: np.ndarray, heights: np.ndarray) -> np.ndarray:
    place = far[..., None] * direction(degrees)
    place[..., 1] = heights
    place[..., 2] += AXIS
    return place


def _waves(down: np.ndarray, across: np.ndarray) -> np.ndarray:
    return np.sin(9 * down[:, None] + 5 * np.abs(across)) * (0.3 + 0.7 * down[:, None])

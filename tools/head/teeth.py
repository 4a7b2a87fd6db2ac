"""Teeth and gums, tooth by tooth along the two strips that represent them in base.obj."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.head.mesh import Piece, affine_blend, grid_faces

#: Widths from the middle outwards in millimetres, in proportion (Wheeler's Dental Anatomy), and relative heights.
WIDTHS = {"upper": (8.6, 6.6, 7.6, 7.0, 6.8, 10.0), "lower": (5.4, 5.9, 6.9, 7.0, 7.1, 11.0)}
HEIGHTS = {"upper": (1.0, 0.9, 1.0, 0.86, 0.8, 0.72), "lower": (0.9, 0.92, 1.0, 0.9, 0.84, 0.76)}
RING = 8  # vertices around a tooth
#: Levels of a tooth from the gum to the edge: height, width, thickness at the level, as shares.
LEVELS = ((0.0, 0.80, 0.80), (0.3, 0.93, 0.95), (0.65, 1.0, 0.85), (0.9, 0.98, 0.55), (0.99, 0.88, 0.3))
CROWN = 0.0098  # height of the largest tooth, metres on the reference head
THICKNESS = 0.0062
#: From the strips of base.obj to where teeth show when someone speaks, metres.
SHIFT = {"upper": np.array([0.0, -0.0035, 0.0020]), "lower": np.array([0.0, -0.0034, 0.0002])}


@dataclass(frozen=True)
class Teeth:
    """One jaw: its vertices and what each of them belongs to."""

    piece: Piece
    gum: np.ndarray  # (V,) bool
    along: np.ndarray  # (V,) 0 at the gum, 1 at the edge
    tooth: np.ndarray  # (V,) number from the middle, 0..5


def make_teeth(jaw: str, support: np.ndarray, positions: np.ndarray) -> Teeth:
    """Teeth of the `jaw` ("upper", "lower") on the arch that the helper strip `support` describes."""
    arch = _Arch(jaw, positions[support])
    points, faces, gum, along, tooth = [], [], [], [], []
    length = arch.length
    share = length / sum(WIDTHS[jaw])
    count = 0
    for side in (1.0, -1.0):
        start = 0.0
        for number, (width, height) in enumerate(zip(WIDTHS[jaw], HEIGHTS[jaw], strict=True)):
            shell, levels = _tooth(arch, side, start, width * share, height, number)
            points.append(shell)
            faces.append(_tooth_faces(count, jaw == "upper", side))
            gum.append(np.zeros(len(shell), bool))
            along.append(levels)
            tooth.append(np.full(len(shell), number))
            count += len(shell)
            start += width * share
    band, band_faces = _gum(arch, count)
    points.append(band)
    faces.append(band_faces)
    gum.append(np.ones(len(band), bool))
    along.append(np.zeros(len(band)))
    tooth.append(np.zeros(len(band), int))
    blend = affine_blend(np.vstack(points) + SHIFT[jaw], support, positions)
    return Teeth(Piece(blend, np.vstack(faces)), *(np.concatenate(a) for a in (gum, along, tooth)))


class _Arch:
    """The arch in plan (x, z) with the heights of its biting edge and of the gum line along it."""

    def __init__(self, jaw: str, strip: np.ndarray) -> None:
        self.down = -1.0 if jaw == "upper" else 1.0  # from the gum to the edge
        half = strip[strip[:, 0] > -1e-5]
        bins = np.linspace(strip[:, 2].max(), strip[:, 2].min(), 7)
        outline = [(0.0, half[half[:, 0] < 1e-3][:, 2].max())]
        outline += [(x, z) for x, z in _outer(half)]
        plan = np.array(outline)
        steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(plan, axis=0), axis=1))]
        fine = np.linspace(0, steps[-1], 60)
        smooth = np.stack([np.interp(fine, steps, plan[:, k]) for k in range(2)], 1)
        for _ in range(30):  # round off the corners of the seven-sided strip
            smooth[1:-1] = 0.25 * smooth[:-2] + 0.5 * smooth[1:-1] + 0.25 * smooth[2:]
            smooth[0, 1] = 0.5 * smooth[0, 1] + 0.5 * smooth[1, 1]
        self.plan = smooth
        self.steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))]
        self.length = self.steps[-1] * 0.86
        front = half[half[:, 2] > bins[1]]
        back = half[half[:, 2] < bins[-2]]
        pick = np.min if jaw == "upper" else np.max
        self.edge = (pick(front[:, 1]), pick(back[:, 1]))
        self.depth = (strip[:, 2].max(), strip[:, 2].min())

    def at(self, distance: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points of the outer face at the biting edge, directions along the arch and outwards."""
        point = np.stack([np.interp(distance, self.steps, self.plan[:, k]) for k in range(2)], -1)
        ahead = np.stack([np.interp(distance + 1e-3, self.steps, self.plan[:, k]) for k in range(2)], -1)
        behind = np.stack([np.interp(distance - 1e-3, self.steps, self.plan[:, k]) for k in range(2)], -1)
        way = ahead - behind
        way /= np.linalg.norm(way, axis=-1, keepdims=True)
        height = np.interp(point[..., 1], self.depth[::-1], self.edge[::-1])
        zero = np.zeros_like(height)
        position = np.stack([side * point[..., 0], height, point[..., 1]], -1)
        along = np.stack([side * way[..., 0], zero, way[..., 1]], -1)
        outward = np.stack([-side * way[..., 1], zero, way[..., 0]], -1)
        return position, along, outward


def _outer(half: np.ndarray) -> list[tuple[float, float]]:
    """Outer corners of the strip in plan, from the front to the back."""
    keys = np.round(half[:, [0, 2]] / 2e-3).astype(int)
    order = np.lexsort((keys[:, 0], -keys[:, 1]))
    columns: list[np.ndarray] = []
    for point in half[order][:, [0, 2]]:
        if point[0] > 2e-3 and not any(np.linalg.norm(point - c) < 2.5e-3 for c in columns):
            columns.append(point)
    columns.sort(key=lambda p: np.arctan2(p[0], p[1] - half[:, 2].min() + 0.01))
    return [(float(x), float(z)) for x, z in columns]


def _tooth(
    arch: _Arch, side: float, start: float, width: float, height: float, number: int
) -> tuple[np.ndarray, np.ndarray]:
    middle = np.array(start + width / 2)
    position, along, outward = arch.at(middle, side)
    around = 2 * np.pi * (np.arange(RING) + 0.5) / RING
    # a rounded rectangle: the outer face nearly flat, the inner one round
    x = np.sign(np.cos(around)) * np.abs(np.cos(around)) ** 0.6
    z = np.sign(np.sin(around)) * np.abs(np.sin(around)) ** np.where(np.sin(around) > 0, 0.55, 0.9)
    deep = THICKNESS if number < 3 else 0.0085
    rows, levels = [], []
    for level, wide, thick in LEVELS:
        if number >= 3:  # molars keep their thickness up to the biting surface
            thick = 0.5 + 0.5 * thick if level < 0.95 else 0.7
        if number == 2 and level > 0.8:  # the canine is pointed
            wide *= 0.8 if level < 0.95 else 0.45
        back = 0.5 * deep * (1 - thick * z) - 0.0006 * np.sin(np.pi * level)
        shift = arch.down * (level - 1) * CROWN * height
        rows.append(
            position
            + np.outer(x * wide * width * 0.495, along)
            - np.outer(back - 0.5 * deep * (1 - thick), outward)
            + np.array([0, shift, 0])
        )
        levels.append(np.full(RING, level))
    tip = rows[-1].mean(axis=0) + np.array([0, arch.down * CROWN * 0.012, 0])
    return np.vstack([*rows, tip]), np.r_[np.concatenate(levels), 1.0]


def _tooth_faces(start: int, upper: bool, side: float) -> np.ndarray:
    rows = len(LEVELS)
    body = grid_faces(rows, RING, True, start)
    last = start + (rows - 1) * RING
    tip = start + rows * RING
    cap = np.stack([last + np.arange(RING), last + (np.arange(RING) + 1) % RING, np.full(RING, tip)], axis=1)
    faces = np.vstack([body, cap])
    return faces if upper == (side > 0) else faces[:, [0, 2, 1]]


def _gum(arch: _Arch, start: int) -> tuple[np.ndarray, np.ndarray]:
    """A rounded band over the roots, from the last tooth on the right to the last on the left."""
    distance = np.linspace(0, arch.length * 1.0, 12)
    rows = []
    # from the inside over the ridge to the outside: outwards, towards the biting edge (metres)
    profile = (
        (-0.0076, -0.007),
        (-0.0074, 0.0),
        (-0.0056, 0.0012),
        (-0.0018, 0.0012),
        (-0.0004, 0.0004),
        (0.0003, -0.003),
        (-0.0006, -0.008),
    )
    for side, steps in ((-1.0, distance[:0:-1]), (1.0, distance)):
        for d in steps:
            position, _, outward = arch.at(np.array(d), side)
            share = float(np.interp(d / arch.length, [0, 1], [1.0, 0.74]))
            root = position + np.array([0, -arch.down * CROWN * 0.88 * share, 0])
            rows.append(np.stack([root + out * outward + np.array([0, arch.down * up, 0]) for out, up in profile]))
    faces = grid_faces(len(rows), len(profile), False, start)
    return np.vstack(rows), faces if arch.down > 0 else faces[:, [0, 2, 1]]

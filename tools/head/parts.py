"""Every part of the head with its identities, blendshapes and colours, ready to be put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from tools.head import palette as paint
from tools.head.eyes import RINGS, SPOKES, make_eye
from tools.head.hair import (
    FRINGE,
    FRINGE_INSIDE,
    LENGTHS,
    LENGTHS_INSIDE,
    STYLES,
    Sheet,
    cap_height,
    hang,
    hidden,
    knot,
    lay_fringe,
)
from tools.head.light import open_sky
from tools.head.mesh import Piece, normals, piece_of, triangulate
from tools.head.shirt import COLLARS, lay_shirt
from tools.head.skin import Layer, bust_of, hair_level, make_skin, over_hair_line
from tools.head.source import REFERENCE, BaseMesh
from tools.head.strokes import make_brows, make_lashes
from tools.head.teeth import make_teeth

#: The teeth stand this far behind the lips, metres.
LIP_ROOM = 0.0020


@dataclass(frozen=True)
class Part:
    """One named part: V vertices, in every identity and under every blendshape."""

    faces: np.ndarray  # (F, 3)
    templates: dict[str, np.ndarray]  # identity -> (V, 3) metres
    shapes: dict[str, np.ndarray]  # blendshape -> (V, 3) metres; those that do not move it may be left out
    colors: dict[str, np.ndarray]  # identity -> (V, 3) in 0..255
    base_index: np.ndarray  # (V,) nearest vertex of base.obj


def make_parts(base: BaseMesh) -> dict[str, Part]:
    """All parts, in the order in which they are stored."""
    reference = base.identities[REFERENCE]
    ears = base.masks["ears"]
    body = bust_of(piece_of(triangulate(base.quads["body"], reference), len(reference)), reference)
    skin, hair = make_skin(body, reference, ears)
    parts = {"skin": _skin_part(base, skin)}
    for side, letter in (("left", "l"), ("right", "r")):
        parts[f"eye_{side}"] = _eye_part(base, side, np.unique(base.quads[f"helper-{letter}-eye"]))
    parts |= _teeth_parts(base)
    tongue = piece_of(triangulate(base.quads["helper-tongue"], reference), len(reference))
    parts["tongue"] = _part(base, tongue, lambda palette: paint.paint_tongue(tongue.blend @ reference))
    parts["hair"] = _cap_part(base, hair)
    parts["brows"] = _brow_part(base, skin, parts["skin"])
    lashes = _joined(
        [make_lashes(base.quads[f"helper-{letter}-eyelashes-2"], base.quads["body"], reference, 3) for letter in "lr"]
    )
    parts["lashes"] = _part(base, lashes, lambda palette: np.tile([34.0, 26.0, 24.0], (lashes.blend.shape[0], 1)))
    return dressed(base, parts, body)


def dressed(base: BaseMesh, parts: dict[str, Part], body: Piece) -> dict[str, Part]:
    """The `parts` with everybody's own shirt, and the hair over it; `body` reaches down to the breast."""
    parts = parts | {"clothing": _shirt_part(base, body)}
    below = [parts[name] for name in ("skin", "hair")]
    sheets = {name: _sheets(name, below, parts["clothing"]) for name in base.identities}
    for number, part in enumerate(("hair_lengths", "hair_fringe")):
        parts[part] = _sheet_part(base, {name: both[number] for name, both in sheets.items()})
    return parts


def _part(
    base: BaseMesh, piece: Piece, color: Callable[[paint.Palette], np.ndarray], lift: np.ndarray | float = 0.0
) -> Part:
    """A part whose vertices are blends of base.obj's, moved by `lift`; `color(palette)` gives its colours."""
    return Part(
        piece.faces,
        {name: piece.blend @ positions + lift for name, positions in base.identities.items()},
        {name: piece.blend @ offsets for name, offsets in base.blendshapes.items()},
        {name: color(palette) for name, palette in paint.PALETTES.items()},
        nearest_vertex(piece.blend @ base.identities[REFERENCE], piece.blend, base.identities[REFERENCE]),
    )


def nearest_vertex(place: np.ndarray, blend: sparse.csr_matrix, positions: np.ndarray) -> np.ndarray:
    """For each row of `blend` the vertex of base.obj, among those it blends, that lies nearest."""
    nearest = np.zeros(len(place), int)
    for row in range(len(place)):
        members = blend.indices[blend.indptr[row] : blend.indptr[row + 1]]
        nearest[row] = members[np.argmin(np.linalg.norm(positions[members] - place[row], axis=1))]
    return nearest


def _skin_part(base: BaseMesh, skin: Piece) -> Part:
    place = skin.blend @ base.identities[REFERENCE]
    masks = {name: np.clip(skin.blend @ mask, 0, 1) for name, mask in base.masks.items()}
    light = open_sky(place, normals(place, skin.faces), skin.faces)
    hair = hair_level(place, masks["ears"])
    plain = _part(base, skin, lambda palette: np.zeros_like(place))
    colors = {
        name: paint.paint_skin(palette, place, masks, light, hair, STYLES[name].thin)
        for name, palette in paint.PALETTES.items()
    }
    return replace(plain, colors=colors)


def _eye_part(base: BaseMesh, side: str, support: np.ndarray) -> Part:
    eye = make_eye(side, support, base.identities, REFERENCE)
    _, nearest = cKDTree(base.identities[REFERENCE][support]).query(eye.templates[REFERENCE])
    colors = {
        name: paint.paint_eye(palette, eye.radius, eye.angle, RINGS, SPOKES, eye.templates[REFERENCE])
        for name, palette in paint.PALETTES.items()
    }
    return Part(eye.faces, eye.templates, eye.shapes, colors, support[nearest])


def _teeth_parts(base: BaseMesh) -> dict[str, Part]:
    """Both jaws, in every identity as far forward as its lips allow."""
    reference = base.identities[REFERENCE]
    parts, crowns = {}, {}
    for jaw in ("upper", "lower"):
        teeth = make_teeth(jaw, np.unique(base.quads[f"helper-{jaw}-teeth"]), reference)
        crowns[jaw] = ~teeth.gum & (teeth.along > 0.5)
        parts[f"teeth_{jaw}"] = _part(
            base, teeth.piece, lambda palette, t=teeth: paint.paint_teeth(t.gum, t.along, t.tooth)
        )
    faces = triangulate(base.quads["body"], reference)
    faces = faces[(base.masks["lips"] + base.masks["inside-mouth"])[faces].max(axis=1) > 0.1]
    shift = {}
    for name, positions in base.identities.items():
        # gums and the necks of the lower teeth may sink into the flesh, which nobody sees
        upper, lower = (parts[f"teeth_{jaw}"].templates[name] for jaw in ("upper", "lower"))
        room = _room_ahead(upper, positions, faces) - LIP_ROOM
        shift[name] = {
            "upper": room,
            "lower": min(room, _room_ahead(lower[crowns["lower"]], positions, faces) - LIP_ROOM),
        }
    ahead = np.array([0.0, 0.0, 1.0])
    for jaw in ("upper", "lower"):
        part = parts[f"teeth_{jaw}"]
        templates = {name: place + shift[name][jaw] * ahead for name, place in part.templates.items()}
        parts[f"teeth_{jaw}"] = replace(part, templates=templates)
    return parts


def _room_ahead(teeth: np.ndarray, positions: np.ndarray, faces: np.ndarray) -> float:
    """The smallest distance (metres) from the front teeth straight ahead to the inside of the lips."""
    front = teeth[(teeth[:, 2] > teeth[:, 2].max() - 0.010)]
    a, b, c = (positions[faces[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (c - a)[:, 0] * (b - a)[:, 1]
    least = np.inf
    for point in front:
        with np.errstate(divide="ignore", invalid="ignore"):
            u = ((b - point)[:, 0] * (c - point)[:, 1] - (c - point)[:, 0] * (b - point)[:, 1]) / area
            v = ((c - point)[:, 0] * (a - point)[:, 1] - (a - point)[:, 0] * (c - point)[:, 1]) / area
        hit = (u >= 0) & (v >= 0) & (u + v <= 1)
        depth = (u * a[:, 2] + v * b[:, 2] + (1 - u - v) * c[:, 2])[hit] - point[2]
        least = min(least, depth[depth > -0.003].min(initial=np.inf))
    return float(least)


def _cap_part(base: BaseMesh, hair: Layer) -> Part:
    place = hair.piece.blend @ base.identities[REFERENCE]
    plain = _part(base, hair.piece, lambda palette: np.zeros((len(place), 3)))
    over = over_hair_line(place)
    templates, colors = {}, {}
    for name, template in plain.templates.items():
        turned = normals(template, hair.piece.faces)
        templates[name] = template + turned * cap_height(STYLES[name], place, hair.level)[:, None]
        colors[name] = paint.paint_hair(paint.PALETTES[name], STYLES[name], place, hair.level, over)
    return replace(plain, templates=templates, colors=colors)


def _shirt_part(base: BaseMesh, body: Piece) -> Part:
    reference = base.identities[REFERENCE]
    shirts = {name: lay_shirt(body, reference, positions, COLLARS[name]) for name, positions in base.identities.items()}
    known = shirts[REFERENCE]
    return Part(
        known.faces,
        {name: shirt.place for name, shirt in shirts.items()},
        {},
        {
            name: paint.paint_clothing(paint.PALETTES[name], shirt.on_band, shirt.place)
            for name, shirt in shirts.items()
        },
        cKDTree(reference).query(known.place)[1],
    )


def _sheets(name: str, below: list[Part], shirt: Part) -> tuple[Sheet, Sheet]:
    """Lengths (or a bun) and fringe of an identity."""
    style = STYLES[name]
    start = len(below[0].templates[name])
    place = np.vstack([part.templates[name] for part in below])
    faces = np.vstack([below[0].faces, below[1].faces + start])
    if style.bun is not None:
        lengths = knot(style.bun, place, LENGTHS)
    elif style.lengths is not None:
        lengths = hang(style.lengths, (place, faces), (shirt.templates[name], shirt.faces))
    else:
        lengths = hidden(LENGTHS, LENGTHS_INSIDE)
    fringe = hidden(FRINGE, FRINGE_INSIDE) if style.fringe is None else lay_fringe(style.fringe, place, faces)
    return lengths, fringe


def _sheet_part(base: BaseMesh, sheets: dict[str, Sheet]) -> Part:
    places = {name: sheet.place.reshape(-1, 3) for name, sheet in sheets.items()}
    colors = {name: paint.paint_strands(paint.PALETTES[name], sheet) for name, sheet in sheets.items()}
    nearest = cKDTree(base.identities[REFERENCE]).query(places[REFERENCE])[1]
    return Part(sheets[REFERENCE].faces, places, {}, colors, nearest)


def _brow_part(base: BaseMesh, skin: Piece, below: Part) -> Part:
    brows = make_brows(skin, base.identities[REFERENCE])
    plain = _part(base, brows.piece, lambda palette: np.zeros((len(brows.share), 3)), brows.lift)
    colors = {
        name: paint.paint_brows(palette, brows.on_skin @ below.colors[name], brows.share, brows.shade)
        for name, palette in paint.PALETTES.items()
    }
    return replace(plain, colors=colors)


def _joined(pieces: list[Piece]) -> Piece:
    starts = np.cumsum([0] + [piece.blend.shape[0] for piece in pieces])
    faces = [piece.faces + start for piece, start in zip(pieces, starts[:-1], strict=True)]
    return Piece(sparse.vstack([piece.blend for piece in pieces]).tocsr(), np.vstack(faces))

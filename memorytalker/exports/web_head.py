"""The head that the page's 3D player draws: a GLB file with all that the renderer of videos knows of it.

Its vertices are the V of the head, in their order, then the E that smooth subdivision adds. Every morph target has
offsets of positions and of normals, so that a program that plays morph targets draws what the videos show.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from memorytalker.exports.glb import COMPONENTS, TRIANGLES, VERTICES, GlbBuilder, bounds
from memorytalker.exports.gltf import linear_colors
from memorytalker.face.head import HeadMesh
from memorytalker.face.neck import neck_of
from memorytalker.rendering.appearance import HeadAppearance, head_appearance
from memorytalker.rendering.scene import fragment_body
from memorytalker.rendering.surface import Patch
from memorytalker.version import VERSION

#: The weight at which a shape is measured, for what subdivision adds is not linear in it: speech seldom exceeds a half,
#: but eyes close.
MEASURED_AT, CLOSED, CLOSING = np.float32(0.5), np.float32(1.0), "eyeBlink"
#: Offsets are multiples of these, of which few digits are left to compress: metres, and lengths of a normal.
STEP, NORMAL_STEP = np.float32(2.0**-20), np.float32(2.0**-10)
#: Unit of `_FINISH`, so that numbers up to 2 fit.
FINISH_UNIT = 2.0


def web_head(head: HeadMesh) -> bytes:
    """Make the GLB file of a head for the player. The same head gives the same bytes.

    Args:
        head: with its current identity; one in unknown units is scaled to the natural size of a head.

    Returns:
        The file: one mesh of one primitive, whose `extras.headVertices` is V, with a morph target for every blendshape.
        `_FINISH` is the finish in units of `FINISH_UNIT` and the share of sky light; `_KEYS_0` and so on are the
        shares of the key light for cameras at the azimuths of the scene's extras, four to an attribute. There lie the
        cameras, too, the statements of the fragment shader, and the pivot in metres about which the head turns, each
        vertex by its share `_NECK` from 0 to 1.

    Raises:
        HeadError: a head without triangles or without a neutral face.
    """
    look = head_appearance(head)
    builder, surface, count = GlbBuilder(), look.surface, len(look.template)
    summed = _summed(surface.faces, look.template)
    length = np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-20)
    positions, normals = surface.refine(look.template, (summed / length).astype(np.float32))
    index = "uint16" if len(positions) <= 65535 else "uint32"

    def add(values: np.ndarray, **more: Any) -> int:
        kind = f"VEC{values.shape[1]}" if values.shape[1] > 1 else "SCALAR"
        return builder.add_accessor(
            builder.add_array(values, VERTICES), kind, values.dtype.name, len(positions), **more
        )

    attributes = {"POSITION": add(positions, **bounds(positions)), "NORMAL": add(normals)}
    attributes |= {name: add(values, normalized=True) for name, values in _materials(look).items()}
    neck = neck_of(head)
    # A head of the user's own has its neck somewhere else, and is never turned.
    share = neck.share if head.rig is None and look.scale == 1 else np.zeros(count)
    attributes["_NECK"] = add(surface.spread(share[:, None].astype(np.float32)))
    triangles = surface.fine_faces.astype(index)
    indices = builder.add_accessor(builder.add_array(triangles, TRIANGLES), "SCALAR", index, triangles.size)
    zeros = builder.add_array(np.zeros_like(positions), VERTICES)
    targets = []
    for name, shape in zip(head.blendshape_names, head.blendshapes, strict=True):
        weight = CLOSED if name.startswith(CLOSING) else MEASURED_AT
        moved = _moved(look, shape * np.float32(look.scale), weight, summed / length, length, positions)
        places, turns = (_add_sparse(builder, zeros, values, index) for values in moved)
        targets.append({"POSITION": places, "NORMAL": turns})
    mesh: dict[str, Any] = {"attributes": attributes, "indices": indices, "material": 0}
    mesh |= {"targets": targets} if targets else {}
    weights = {"weights": [0.0] * len(targets), "extras": {"targetNames": list(head.blendshape_names)}}
    return builder.to_bytes(
        {
            "asset": {"version": "2.0", "generator": f"MemoryTalker {VERSION}"},
            "scene": 0,
            "scenes": [{"nodes": [0], "extras": _stage(look) | {"pivot": neck.pivot.tolist()}}],
            "nodes": [{"name": "Head", "mesh": 0}],
            "meshes": [
                {"name": "Head", "primitives": [mesh | {"extras": {"headVertices": count}}]}
                | (weights if targets else {})
            ],
            "materials": [{"name": "head"}],
        }
    )


def _materials(look: HeadAppearance) -> dict[str, np.ndarray]:
    """Colour, finish and light of every drawn vertex, as normalised integers."""
    spread = look.surface.spread
    colors = spread(look.colors.astype(np.float32)).round().astype(np.uint8)
    keys = look.light.keys
    keys = np.pad(keys, ((0, -len(keys) % 4), (0, 0))).T
    shares = np.concatenate([look.finishes / FINISH_UNIT, look.light.sky[:, None]], axis=1)
    found = {
        "COLOR_0": linear_colors(colors),
        "_FINISH": (65535 * np.clip(spread(shares), 0, 1)).round().astype(np.uint16),
    }
    light = (255 * spread(keys)).round().astype(np.uint8)
    return found | {f"_KEYS_{k}": light[:, 4 * k : 4 * k + 4] for k in range(light.shape[1] // 4)}


def _stage(look: HeadAppearance) -> dict[str, Any]:
    """What belongs to the whole scene: cameras for square frames, the azimuths of the key light, and the material."""
    return {
        "azimuths": list(look.light.azimuths),
        "cameras": {
            name: {"position": list(map(float, camera.position)), "target": list(map(float, camera.focal_point))}
            for name, camera in look.cameras.items()
        },
        "finishUnit": FINISH_UNIT,
        "fragment": fragment_body(),
        "viewAngle": next(iter(look.cameras.values())).view_angle,
    }


def _moved(
    look: HeadAppearance,
    shape: np.ndarray,
    weight: np.float32,
    normals: np.ndarray,
    length: np.ndarray,
    positions: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """What a blendshape (V, 3) in metres adds to positions and normals of the drawn vertices at weight 1, (V + E, 3).

    Normals are summed over triangles and brought to length 1 where the head is at rest, not where it moves: such sums
    are nearly linear in the weights.
    """
    surface, pose = look.surface, look.template + weight * shape
    moving = np.asarray(shape.any(axis=1))
    patch = Patch(surface, moving)
    places = np.zeros_like(positions)
    places[patch.fine] = (patch.refine(pose, normals.astype(np.float32))[0] - positions[patch.fine]) / weight
    places[: len(shape)] = shape
    faces = surface.faces[moving[surface.faces].any(axis=1)]
    turned = (_summed(faces, pose) - _summed(faces, look.template)) / length / weight
    first, second = surface.edges.T
    between = np.linalg.norm(normals[first] + normals[second], axis=1, keepdims=True)
    turns = np.concatenate([turned, (turned[first] + turned[second]) / np.maximum(between, 1e-20)])
    return _rounded(places, STEP), _rounded(turns, NORMAL_STEP)


def _rounded(values: np.ndarray, step: np.float32) -> np.ndarray:
    return ((values / step).round() * step).astype(np.float32) + np.float32(0.0)  # no negative zeros


def _summed(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """For every vertex (V,) the sum of its triangles' normals, each twice as long as the triangle's area, (V, 3)."""
    a, b, c = (vertices[corner].astype(np.float64) for corner in faces.T)
    across = np.cross(b - a, c - a)
    corners = faces.T.ravel()
    return np.stack([np.bincount(corners, np.tile(one, 3), len(vertices)) for one in across.T], axis=1)


def _add_sparse(builder: GlbBuilder, zeros: int, values: np.ndarray, index: str) -> int:
    """Add an accessor of `values` (V + E, 3) that stores the rows that are not zero."""
    rows = np.flatnonzero(values.any(axis=1))
    limits = bounds(values)
    if not len(rows):
        return builder.add_accessor(zeros, "VEC3", "float32", len(values), **limits)
    where = {"bufferView": builder.add_array(rows.astype(index)), "componentType": COMPONENTS[index]}
    sparse = {"count": len(rows), "indices": where, "values": {"bufferView": builder.add_array(values[rows])}}
    return builder.add_accessor(zeros, "VEC3", "float32", len(values), **limits, sparse=sparse)

"""Building a user's own head out of the parts of its scene: size, place, materials, and the points along seams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from memorytalker.face.gltf_file import GltfError, GltfFile
from memorytalker.face.gltf_scene import ScenePart
from memorytalker.face.head import HeadMesh, Landmarks, Regions
from memorytalker.face.rig import HeadRig, RigPart, kind_of, material_of
from memorytalker.face.shape_names import Control

#: Size in metres of what the shapes of a face move, from a baby's to a large cartoon's.
FACE_SIDES = (0.03, 1.0)
#: Sizes of a face in metres by which centimetres and millimetres are told, and what another is scaled to.
LIKELY_SIDES, NATURAL_FACE = (0.08, 0.35), 0.16
#: A scene with a longer side, in metres, shows more than a head and is cut to what lies around the face: so far from
#: its middle to the sides, down and up, to back and front, in metres for a face of `NATURAL_FACE`.
LARGEST_HEAD, AROUND = 0.7, ((-0.22, 0.22), (-0.22, 0.26), (-0.25, 0.25))
#: Largest offset of a shape in metres.
FARTHEST_OFFSET = 0.5
#: A vertex moves if it does so by this share of the farthest.
MOVES = 0.1
#: Numbers of all own shapes of a head at the most.
MOST_NUMBERS = 150_000_000


def check_room(file: GltfFile, parts: Iterable[ScenePart], gains: list[dict[tuple[int, int], float]]) -> None:
    sizes: dict[int, int] = {}
    for part in parts:
        sizes[part.mesh] = sizes.get(part.mesh, 0) + len(part.vertices)
    held = len(gains) * 3 * sum(sizes.values())
    read = 3 * sum(sizes.get(mesh, 0) for each in gains for mesh, _ in each)
    if held > MOST_NUMBERS or read > 2 * MOST_NUMBERS:
        raise GltfError(f"{file.name} has too many vertices for {len(gains)} shapes; reduce its meshes.")


def faces_backwards(file: GltfFile) -> bool:
    """Whether the head looks towards -z, as in VRM 0.x."""
    extensions = file.document.get("extensions")
    return isinstance(extensions, dict) and "VRM" in extensions and "VRMC_vrm" not in extensions


def stand(vectors: np.ndarray, turned: bool) -> np.ndarray:
    return vectors * np.array([-1, 1, -1], np.float32) if turned else vectors


def summed(triples: Iterable[tuple[int, int, float]]) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for mesh, target, gain in triples:
        found[mesh, target] = found.get((mesh, target), 0.0) + gain
    return found


def gains_of(controls: Iterable[Control], shape: str) -> dict[tuple[int, int], float]:
    """(mesh, target) -> weight of that morph target where the curve of an ARKit shape is 1."""
    each = ((control, control.recipe[shape]) for control in controls if shape in control.recipe)
    return summed((bind.mesh, bind.target, bind.gain * gain) for control, gain in each for bind in control.binds)


def resting_targets(
    file: GltfFile, parts: Iterable[ScenePart], controls: Iterable[Control]
) -> dict[tuple[int, int, int], float]:
    """(mesh, target, node) -> weight at rest of the morph targets that no curve moves, such as a chosen nose."""
    driven = {(bind.mesh, bind.target) for control in controls for bind in control.binds}
    found = {}
    for part in parts:
        for target, weight in enumerate(resting_weights(file, part.node, len(part.targets))):
            if weight and (part.mesh, target) not in driven:
                found[part.mesh, target, part.node] = weight
    return found


def resting_weights(file: GltfFile, node: int, count: int) -> list[float]:
    """Return the weights of the `count` morph targets of a node where nothing animates it."""
    holder = file.entry("nodes", node)
    weights = holder.get("weights", file.entry("meshes", holder["mesh"]).get("weights", []))
    fits = isinstance(weights, list) and len(weights) in (0, count)
    if not fits or not all(isinstance(one, (int, float)) and abs(one) <= 1e3 for one in weights):
        raise GltfError(f"The weights of a mesh of {file.name} are not one for each morph target; mend the file.")
    return [float(weight) for weight in weights] or [0.0] * count


def add_targets(
    total: np.ndarray, file: GltfFile, parts: Iterable[ScenePart], gains: Mapping[Any, float], turned: bool
) -> None:
    """Add morph targets to `total` (V, 3). gains: (mesh, target), or (mesh, target, node), -> weight."""
    start = 0
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused later
        for part in parts:
            stop = start + len(part.vertices)
            for (mesh, target, *node), gain in gains.items():
                if mesh == part.mesh and node in ([], [part.node]) and gain:
                    offsets = part.offsets(file, target)
                    if offsets is not None:
                        total[start:stop] += np.float32(gain) * stand(offsets, turned)
            start = stop


def scale_of(vertices: np.ndarray, shapes: np.ndarray, file: GltfFile) -> tuple[float, tuple[str, ...]]:
    """The factor to metres, by the size of what the shapes move, and what to say about it."""
    moved = vertices[_moved(shapes)]
    side = float(np.ptp(moved, axis=0).max()) if len(moved) else 0.0
    if not side > 0 or not np.isfinite(side):
        raise GltfError(f"The shapes of {file.name} move no vertex; export the head with its blendshapes (shape keys).")
    if FACE_SIDES[0] <= side <= FACE_SIDES[1]:
        return 1.0, ()
    for unit, factor in (("centimetres", 0.01), ("millimetres", 0.001)):
        if LIKELY_SIDES[0] <= side * factor <= LIKELY_SIDES[1]:
            return factor, (f"{file.name} is in {unit}; it is scaled to metres.",)
    return NATURAL_FACE / side, (f"{file.name} is not in metres; it is scaled to the size of a head.",)


def _moved(shapes: np.ndarray) -> np.ndarray:
    """(V,) bool: the vertices that any shape moves by more than a share of what moves farthest."""
    far = np.zeros(shapes.shape[1], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for shape in shapes:
            np.maximum(far, np.abs(shape).max(axis=1, initial=0), out=far)
    return far > MOVES * far.max(initial=0)


def around_face(
    vertices: np.ndarray, shapes: np.ndarray, parts: Iterable[ScenePart]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Which vertices are the head's, its faces over them, and what to say if the scene shows more than a head."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)])
    said: tuple[str, ...] = ()
    if np.ptp(vertices, axis=0).max() > LARGEST_HEAD:
        moved = vertices[_moved(shapes)]
        middle, side = (moved.min(axis=0) + moved.max(axis=0)) / 2, np.ptp(moved, axis=0).max()
        low, high = np.array(AROUND, np.float32).T * max(1.0, side / NATURAL_FACE)
        inside = ((vertices >= middle + low) & (vertices <= middle + high)).all(axis=1)
        faces = faces[inside[faces].all(axis=1)]
        said = ("The scene shows more than a head; only what lies around the face is drawn.",)
    kept, corners = np.unique(faces, return_inverse=True)
    return kept, corners.reshape(-1, 3).astype(np.int32), said


def dressed(
    file: GltfFile,
    parts: tuple[ScenePart, ...],
    controls: tuple[Control, ...],
    kept: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    shapes: np.ndarray,
) -> tuple[HeadRig, np.ndarray]:
    """The rig with its materials, and the colours (V, 3) uint8 sRGB of the vertices without textures."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    uv, light, dressed = np.zeros((starts[-1], 2), np.float32), np.ones((starts[-1], 3), np.float32), []
    for part, start, stop in zip(parts, starts, starts[1:], strict=False):
        material, places = material_of(file, part)
        uv[start:stop] = places
        light[start:stop] = np.array(material.color[:3]) * (1 if part.colors is None else np.clip(part.colors, 0, 1))
        inside = np.flatnonzero((kept >= start) & (kept < stop))
        if len(inside):
            dressed.append(RigPart(part.name, kind_of(part, material), material, _fixed(inside)))
    colors = np.where(light < 0.0031308, 12.92 * light, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    rig = HeadRig(
        file=file,
        controls=controls,
        parts=tuple(dressed),
        uv=_fixed(np.nan_to_num(uv[kept])),
        seam_groups=_fixed(_seam_groups(vertices, faces, shapes)),
        kept=_fixed(kept),
        scale=1.0,
        turned=False,
        missing=(),
        remarks=(),
    )
    return rig, _fixed((255 * np.clip(colors[kept], 0, 1)).round().astype(np.uint8))


def _seam_groups(vertices: np.ndarray, faces: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """(V,) int32: the first of the vertices that always stand in the same place and face the same way."""
    mixed = np.tensordot(np.cos(np.arange(len(shapes)) * 1.7 + 0.3).astype(np.float32), shapes, 1)
    key = np.concatenate([np.round(vertices * 2e6), np.round(mixed * 1e6)], axis=1) + 0.0  # no zero below zero
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    a, b, c = (vertices[corner] for corner in faces.T)
    normals = np.zeros_like(vertices)
    for corner in faces.T:
        np.add.at(normals, corner, np.cross(b - a, c - a))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    lead = first[group.ravel()]
    alike = np.einsum("vx,vx->v", normals, normals[lead]) > -0.5  # not the two sides of one sheet
    return np.where(alike, lead, np.arange(len(vertices))).astype(np.int32)


def mesh_of(
    name: str,
    rig: HeadRig,
    vertices: np.ndarray,
    faces: np.ndarray,
    colors: np.ndarray,
    names: tuple[str, ...],
    shapes: np.ndarray,
) -> HeadMesh:
    count = len(vertices)
    parts: dict[str, np.ndarray] = {}
    for part in rig.parts:
        parts[part.kind] = np.union1d(parts.get(part.kind, np.zeros(0, np.int64)), part.vertices)
    return HeadMesh(
        template=_fixed(vertices),
        faces=_fixed(faces),
        parts={kind: _fixed(indices) for kind, indices in parts.items()},
        colors=colors,
        blendshape_names=names,
        blendshapes=_fixed(shapes),
        regions=Regions({}),
        landmarks=Landmarks(_chin(vertices, names, shapes)),
        identities={name: vertices},
        identity_colors={name: colors},
        base_index=_fixed(np.full(count, -1, np.int32)),
        identity=name,
        rig=rig,
    )


def _chin(vertices: np.ndarray, names: tuple[str, ...], shapes: np.ndarray) -> dict[str, int]:
    """The chin, by which the camera frames a head: the lowest point on the mid-line that the jaw takes along."""
    if "jawOpen" not in names:
        return {}
    far = np.linalg.norm(shapes[names.index("jawOpen")], axis=1)
    along = np.flatnonzero(far > 0.6 * far.max())
    x = vertices[along, 0]
    middle = (x.min() + x.max()) / 2
    near = along[np.abs(x - middle) <= max(0.1 * np.ptp(x), np.abs(x - middle).min())]
    front = near[vertices[near, 2] >= np.quantile(vertices[near, 2], 0.3)]
    return {"chin": int(front[vertices[front, 1].argmin()])}


def _fixed(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array

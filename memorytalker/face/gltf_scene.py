"""The meshes of a glTF scene where they stand in the world: nodes, transforms and skins at rest applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from memorytalker.face.gltf_file import REMEDY, GltfError, GltfFile, refuse_compressed

#: Vertices and triangles of all meshes together.
MOST_VERTICES, MOST_TRIANGLES = 300_000, 1_000_000
#: Morph targets of one mesh, nodes, and primitives (parts with one material).
MOST_TARGETS, MOST_NODES, MOST_PARTS = 300, 20_000, 1_000
_TRIANGLES, _STRIPS = 4, (5, 6)


@dataclass(frozen=True, eq=False)
class ScenePart:
    """A primitive of a mesh at one node, in the world.

    Args:
        mesh: index in the document.
        node: index in the document.
        name: of the mesh, or of the node if the mesh has none.
        vertices: (V, 3) float32.
        faces: (F, 3) int64 over `vertices`, counter-clockwise seen from outside.
        linear: (3, 3), or (V, 3, 3) of a skinned mesh: turns an offset in the file into one in the world.
        uv: (V, 2) float32 of each set of texture coordinates.
        colors: (V, 3) float32 in linear light, or None.
        material: index in the document, or None.
        targets: accessor of the POSITION of each morph target; None where a target moves nothing.
    """

    mesh: int
    node: int
    name: str
    vertices: np.ndarray
    faces: np.ndarray
    linear: np.ndarray
    uv: tuple[np.ndarray, ...]
    colors: np.ndarray | None
    material: int | None
    targets: tuple[int | None, ...]

    def offsets(self, file: GltfFile, target: int) -> np.ndarray | None:
        """Return the offsets (V, 3) float32 of a morph target at weight 1, in the world; None: it moves nothing."""
        if self.targets[target] is None:
            return None
        values = file.accessor(self.targets[target], 3).astype(np.float32)
        if self.linear.ndim == 2:
            return values @ self.linear.T
        return np.einsum("vij,vj->vi", self.linear, values)


def mesh_targets(file: GltfFile, mesh: int) -> tuple[str, ...]:
    """Return the names of a mesh's morph targets, "" for those without; GltfError for unequal or too many targets."""
    described = file.entry("meshes", mesh)
    primitives = _primitives(file, described)
    counts = {len(_targets(file, one)) for one in primitives}
    if len(counts) > 1:
        raise GltfError(f"The parts of a mesh of {file.name} have different numbers of morph targets; {REMEDY}.")
    count = counts.pop() if counts else 0
    if count > MOST_TARGETS:
        raise GltfError(f"A mesh of {file.name} has {count} morph targets; keep at most {MOST_TARGETS}.")
    for holder in (described, *primitives):
        extras = holder.get("extras")
        names = extras.get("targetNames") if isinstance(extras, dict) else None
        if isinstance(names, list) and len(names) == count and all(isinstance(name, str) for name in names):
            return tuple(names)
    return ("",) * count


def read_scene(file: GltfFile) -> tuple[ScenePart, ...]:
    """Read the meshes of the document's scene.

    Args:
        file: a glTF file.

    Returns:
        Its parts, of triangles only; points and lines are left aside.

    Raises:
        GltfError: nodes in a circle, more than may be held, or a mesh that breaks the rules of the format.
    """
    places = _world(file)
    shown = _shown(file, places)
    used = []
    for node in shown:
        if "mesh" in file.entry("nodes", node):
            mesh = file.entry("nodes", node)["mesh"]
            used += [(node, mesh, one) for one in _primitives(file, file.entry("meshes", mesh))]
    kept = [(node, mesh, one) for node, mesh, one in used if _is_surface(file, one)]
    if len(kept) > MOST_PARTS:
        raise GltfError(f"{file.name} has {len(kept)} parts; join them to at most {MOST_PARTS}.")
    count = sum(file.count(one["attributes"]["POSITION"]) for _, _, one in kept)
    if count > MOST_VERTICES:
        raise GltfError(f"{file.name} has {count} vertices; reduce it to at most {MOST_VERTICES}.")
    corners = sum(file.count(one["indices"]) for _, _, one in kept if "indices" in one)
    if corners > 3 * MOST_TRIANGLES:
        raise GltfError(f"{file.name} has {corners // 3} triangles; reduce it to at most {MOST_TRIANGLES}.")
    if not kept:
        raise GltfError(f"{file.name} has no mesh of triangles in its scene; {REMEDY}.")
    for mesh in {mesh for _, mesh, _ in kept}:
        mesh_targets(file, mesh)
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused
        parts = tuple(_part(file, places, *one) for one in kept)
    if not all(np.isfinite(part.vertices).all() for part in parts):
        raise GltfError(f"{file.name} has vertices that are not finite; {REMEDY}.")
    return parts


def _world(file: GltfFile) -> list[np.ndarray]:
    """The matrix (4, 4) of each node, from its own space to the world."""
    nodes = file.listed("nodes")
    if len(nodes) > MOST_NODES:
        raise GltfError(f"{file.name} has {len(nodes)} nodes; keep at most {MOST_NODES}.")
    circle = GltfError(f"The nodes of {file.name} form a circle or share a child; {REMEDY}.")
    children = [_indices(file, node, "children", "nodes") for node in nodes]
    parents = [0] * len(nodes)
    for child in (child for each in children for child in each):
        parents[child] += 1
        if parents[child] > 1:
            raise circle
    places: list[Any] = [None] * len(nodes)
    waiting = [(index, np.eye(4)) for index, count in enumerate(parents) if not count]
    done = 0
    with np.errstate(over="ignore", invalid="ignore"):
        while waiting:
            index, above = waiting.pop()
            places[index] = above @ _local(file, nodes[index])
            done += 1
            waiting += [(child, places[index]) for child in children[index]]
    if done < len(nodes):
        raise circle
    return places


def _shown(file: GltfFile, places: list) -> list[int]:
    """The nodes of the default scene, in the document's order; all nodes if there is no scene."""
    scenes = file.listed("scenes")
    if not scenes:
        return list(range(len(places)))
    number = file.document.get("scene", 0)
    waiting = _indices(file, file.entry("scenes", number), "nodes", "nodes")
    found = set()
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += _indices(file, file.entry("nodes", index), "children", "nodes")
    return sorted(found)


def _indices(file: GltfFile, holder: Mapping, key: str, kind: str) -> list[int]:
    found = holder.get(key, [])
    if not isinstance(found, list):
        raise GltfError(f"The {key} of a node of {file.name} are no list; {REMEDY}.")
    for index in found:
        file.entry(kind, index)
    return list(found)


def _local(file: GltfFile, node: Mapping) -> np.ndarray:
    if "matrix" in node:
        return _numbers(file, node["matrix"], 16).reshape(4, 4).T
    x, y, z, w = _numbers(file, node.get("rotation", [0, 0, 0, 1]), 4)
    length = max(float(np.sqrt(x * x + y * y + z * z + w * w)), 1e-20)
    x, y, z, w = x / length, y / length, z / length, w / length
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    place = np.eye(4)
    place[:3, :3] = turned * _numbers(file, node.get("scale", [1, 1, 1]), 3)
    place[:3, 3] = _numbers(file, node.get("translation", [0, 0, 0]), 3)
    return place


def _numbers(file: GltfFile, values: Any, count: int) -> np.ndarray:
    plain = isinstance(values, list) and len(values) == count
    if not plain or not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in values):
        raise GltfError(f"A node of {file.name} stands nowhere; {REMEDY}.")
    try:
        found = np.array(values, np.float64)
    except OverflowError:  # a whole number of hundreds of digits
        raise GltfError(f"A node of {file.name} stands nowhere; {REMEDY}.") from None
    if not np.isfinite(found).all():
        raise GltfError(f"A node of {file.name} stands nowhere; {REMEDY}.")
    return found


def _primitives(file: GltfFile, mesh: Mapping) -> list[dict]:
    found = mesh.get("primitives")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found) or len(found) > MOST_PARTS:
        raise GltfError(f"A mesh of {file.name} has no list of parts, or too long a one; {REMEDY}.")
    return found


def _targets(file: GltfFile, primitive: Mapping) -> list[dict]:
    found = primitive.get("targets", [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise GltfError(f"The morph targets of {file.name} are no list; {REMEDY}.")
    return found


def _is_surface(file: GltfFile, primitive: Mapping) -> bool:
    attributes, mode = primitive.get("attributes"), primitive.get("mode", _TRIANGLES)
    if not isinstance(attributes, dict):
        raise GltfError(f"A mesh of {file.name} has no vertices; {REMEDY}.")
    refuse_compressed(primitive.get("extensions"), file.name)
    if mode in _STRIPS:
        raise GltfError(f"A mesh of {file.name} is made of strips or fans; export it as triangles.")
    return mode == _TRIANGLES and "POSITION" in attributes


def _part(file: GltfFile, places: list[np.ndarray], node: int, mesh: int, primitive: Mapping) -> ScenePart:
    attributes, holder = primitive["attributes"], file.entry("nodes", node)
    rest = file.accessor(attributes["POSITION"], 3).astype(np.float32)
    count = len(rest)
    targets = tuple(one.get("POSITION") for one in _targets(file, primitive))
    counts = {file.count(attributes[name]) for name in attributes if name.startswith(_PER_VERTEX)}
    if {file.count(one) for one in targets if one is not None} | counts > {count}:
        raise GltfError(f"A mesh of {file.name} has more or fewer values than vertices; {REMEDY}.")
    matrix = places[node].astype(np.float32)
    if "skin" in holder and "JOINTS_0" in attributes:
        matrix = _skinned(file, places, holder["skin"], attributes)
    linear, shift = matrix[..., :3, :3], matrix[..., :3, 3]
    vertices = np.einsum("...ij,vj->vi" if linear.ndim == 2 else "vij,vj->vi", linear, rest) + shift
    faces = _faces(file, primitive, count)
    if linear.ndim == 2 and np.linalg.det(linear.astype(np.float64)) < 0:
        faces = faces[:, ::-1]
    uv: list[np.ndarray] = []
    while f"TEXCOORD_{len(uv)}" in attributes and len(uv) < 4:
        uv.append(file.accessor(attributes[f"TEXCOORD_{len(uv)}"], 2).astype(np.float32))
    colors = None
    if "COLOR_0" in attributes:
        colors = file.accessor(attributes["COLOR_0"], file.width(attributes["COLOR_0"]))[:, :3].astype(np.float32)
    named = file.entry("meshes", mesh).get("name") or holder.get("name")
    material = primitive.get("material")
    return ScenePart(
        mesh, node, str(named or f"mesh {mesh}")[:100], vertices, faces, linear, tuple(uv), colors, material, targets
    )


_PER_VERTEX = ("POSITION", "NORMAL", "TEXCOORD_", "COLOR_", "JOINTS_", "WEIGHTS_")


def _faces(file: GltfFile, primitive: Mapping, count: int) -> np.ndarray:
    if "indices" in primitive:
        corners = file.accessor(primitive["indices"], 1)[:, 0]
        if corners.dtype.kind != "u":
            raise GltfError(f"A mesh of {file.name} counts its vertices in fractions; {REMEDY}.")
    else:
        corners = np.arange(count)
    faces = corners[: len(corners) // 3 * 3].reshape(-1, 3).astype(np.int64)
    if faces.size and faces.max() >= count:
        raise GltfError(f"A mesh of {file.name} joins vertices that it does not have; {REMEDY}.")
    return faces


def _skinned(file: GltfFile, places: list[np.ndarray], skin: Any, attributes: Mapping) -> np.ndarray:
    """Per vertex the matrix (V, 4, 4) from the mesh to the world, as its joints stand at rest."""
    described = file.entry("skins", skin)
    joints = _indices(file, described, "joints", "nodes")
    binds = np.tile(np.eye(4), (len(joints), 1, 1))
    if "inverseBindMatrices" in described:
        stored = file.accessor(described["inverseBindMatrices"], 16)
        if len(stored) < len(joints):
            raise GltfError(f"A skin of {file.name} has fewer matrices than joints; {REMEDY}.")
        binds = stored[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)
    if not joints:
        raise GltfError(f"A skin of {file.name} has no joints; {REMEDY}.")
    matrices = (np.array([places[joint] for joint in joints]) @ binds).astype(np.float32)
    total = np.zeros((file.count(attributes["POSITION"]), 4, 4), np.float32)
    share = np.zeros(len(total), np.float32)
    for number in range(4):
        if f"JOINTS_{number}" not in attributes or f"WEIGHTS_{number}" not in attributes:
            break
        chosen = file.accessor(attributes[f"JOINTS_{number}"], 4)
        weights = file.accessor(attributes[f"WEIGHTS_{number}"], 4).astype(np.float32)
        if chosen.dtype.kind != "u" or (chosen.size and chosen.max() >= len(joints)):
            raise GltfError(f"A skin of {file.name} follows joints that it does not have; {REMEDY}.")
        for index, weight in zip(chosen.T, weights.T, strict=True):
            total += weight[:, None, None] * matrices[index]
            share += weight
    return total / np.where(share > 1e-6, share, 1)[:, None, None]

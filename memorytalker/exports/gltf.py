"""glTF 2.0 binary (.glb): a head with its blendshapes as named morph targets, and motion as their animated weights.

Vertex i of the file is vertex i of the head: the primitives of the one mesh, one after the other, are stretches of the
head's vertices in their order. A head that turns has two joints, "Body" and within it "Neck", which is what rotates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.exports.glb import COMPONENTS, TRIANGLES, VERTICES, GlbBuilder, add_times, bounds
from memorytalker.exports.primitives import ROUGHNESS, Primitive, split_by_material
from memorytalker.exports.rig import SOUND
from memorytalker.exports.rig import write as write_rig
from memorytalker.exports.take import ExportError, ExportFormat, Take
from memorytalker.face.head import ARKIT_NAMES, HeadMesh
from memorytalker.face.neck import neck_of, quaternions
from memorytalker.face.visemes import VISEME_CURVES, viseme_poses
from memorytalker.files import write_together
from memorytalker.sound.decode import write_wav

#: Frames that are written at a time.
BLOCK = 64


def head_glb(
    head: HeadMesh,
    extra_targets: Mapping[str, np.ndarray] = MappingProxyType({}),
    generator: str = "MemoryTalker",
    copyright: str = "",
) -> bytes:
    """Make a GLB file of a head without motion. The same head gives the same bytes.

    Args:
        head: with its current identity.
        extra_targets: name -> offsets (V, 3) in metres: more morph targets after the blendshapes, such as visemes.
        generator: of the file.
        copyright: of the file; "": not stated.

    Returns:
        The file: one node and one mesh, both called "Head". `mesh.extras.targetNames` names the morph targets in the
        order of `head.blendshape_names`, then of `extra_targets`. `extras.firstVertex` of a primitive is the head's
        vertex that its first vertex is.

    Raises:
        ExportError: a head without triangles, an extra target of another shape, or one named like a blendshape.
    """
    builder = GlbBuilder()
    asset = {"version": "2.0", "generator": generator} | ({"copyright": copyright} if copyright else {})
    return builder.to_bytes({"asset": asset} | _add_head(builder, head, _targets(head, extra_targets)))


def write_glb(
    take: Take, path: Path, extra_targets: Mapping[str, np.ndarray] = MappingProxyType({})
) -> tuple[Path, ...]:
    """Write a take as a GLB file, with its sound beside it as NAME_sound.wav: NAME.wav may be the original sound.

    Args:
        take: with curves.
        path: the GLB file to write.
        extra_targets: as in `head_glb`; they stay at 0 in the animation.

    Returns:
        The files.

    Raises:
        ExportError: as in `head_glb`; a take without curves, or one that is too long for the format.
        MotionError: a curve without a blendshape on the head.
    """
    head = take.head
    weights = take.need_curves().reordered(head.blendshape_names).weights
    sound = path.with_name(f"{path.stem}{SOUND}") if take.waveform is not None else None
    targets = _targets(head, extra_targets)
    builder = GlbBuilder()
    document = {"asset": _asset(take, sound)} | _add_head(builder, head, targets)
    document["animations"] = [_add_animation(builder, take, weights, len(targets))]
    if take.turns is not None:
        _add_neck(builder, document, head, take.turns)

    def write(part: Path) -> None:
        with part.open("wb") as file:
            builder.write(document, file)

    writers: dict[Path, Callable[[Path], object]] = {path: write}
    if sound is not None and take.waveform is not None:
        waveform = take.waveform
        writers[sound] = lambda part: write_wav(part, waveform)
    write_together(writers)
    return tuple(writers)


def _asset(take: Take, sound: Path | None) -> dict[str, Any]:
    """What the file says of itself; glTF has no place of its own for a frame rate, sound or origin."""
    extras: dict[str, Any] = {"fps": take.fps, "units": "metres", "provenance": dataclasses.asdict(take.provenance)}
    if sound is not None:
        extras["sound"] = sound.name
    if take.lip_residual_mm is not None:
        extras["lipResidualMillimetres"] = take.lip_residual_mm
    return {"version": "2.0", "generator": take.provenance.generator, "extras": extras}


def _targets(head: HeadMesh, extra: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name -> offsets (V, 3) of all morph targets; raises ExportError for what is no target of this head."""
    if not len(head.faces):
        raise ExportError("This head has no triangles, so glTF cannot hold it; load it from its mesh file.")
    targets = dict(zip(head.blendshape_names, head.blendshapes, strict=True))
    for name, offsets in extra.items():
        if name in targets:
            raise ExportError(f"The morph target {name!r} is there twice; rename one of them.")
        if np.shape(offsets) != head.template.shape or not np.isfinite(offsets).all():
            raise ExportError(f"The morph target {name!r} needs a finite offset for each vertex of the head.")
        targets[name] = np.asarray(offsets, np.float32)
    return targets


def _add_head(builder: GlbBuilder, head: HeadMesh, targets: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Add the mesh of a head; returns the parts of the document that describe it."""
    primitives = split_by_material(head)
    template = np.asarray(head.template, np.float32)
    views = {
        "POSITION": builder.add_array(template, VERTICES),
        "NORMAL": builder.add_array(unit_normals(head.faces, template), VERTICES),
        "COLOR_0": builder.add_array(linear_colors(head.colors), VERTICES),
    }
    index = "uint16" if head.vertex_count <= 65535 else "uint32"
    triangles = builder.add_array(np.concatenate([each.faces for each in primitives]).astype(index), TRIANGLES)
    zeros = -1
    if targets:
        zeros = builder.add_array(np.zeros((max(each.count for each in primitives), 3), np.float32), VERTICES)
    used = tuple(dict.fromkeys(each.material for each in primitives))
    entries, done = [], 0
    for each in primitives:
        start, count = each.first, each.count
        places = builder.add_accessor(
            views["POSITION"], "VEC3", "float32", count, 12 * start, **bounds(template[each.span])
        )
        normals = builder.add_accessor(views["NORMAL"], "VEC3", "float32", count, 12 * start)
        colors = builder.add_accessor(views["COLOR_0"], "VEC4", "uint16", count, 8 * start, normalized=True)
        entry: dict[str, Any] = {
            "attributes": {"POSITION": places, "NORMAL": normals, "COLOR_0": colors},
            "indices": builder.add_accessor(triangles, "SCALAR", index, each.faces.size, done),
            "material": used.index(each.material),
            "extras": {"parts": list(each.parts), "firstVertex": start},
        }
        if targets:
            entry["targets"] = _add_targets(builder, each, targets, zeros, index)
        entries.append(entry)
        done += each.faces.size * np.dtype(index).itemsize
    mesh: dict[str, Any] = {"name": "Head", "primitives": entries}
    if targets:
        mesh |= {"weights": [0.0] * len(targets), "extras": {"targetNames": list(targets)}}
    return {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "Head", "mesh": 0}],
        "meshes": [mesh],
        "materials": [
            {"name": name, "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS[name]}}
            for name in used
        ],
    }


def _add_targets(
    builder: GlbBuilder, primitive: Primitive, targets: Mapping[str, np.ndarray], zeros: int, index: str
) -> list[dict[str, int]]:
    """Add the offsets of all targets at the vertices of a primitive; returns its `targets`.

    Where few vertices move only those are stored. Accessors lie upon `zeros`, a buffer view: accessors without one are
    allowed, but not every program reads them.
    """
    accessors, still = [], None
    for offsets in targets.values():
        piece = offsets[primitive.span] + np.float32(0.0)  # no negative zeros
        moving = np.flatnonzero(piece.any(axis=1))
        sparse, limits, count = len(moving) * (np.dtype(index).itemsize + 12), bounds(piece), primitive.count
        if not sparse:
            if still is None:
                still = builder.add_accessor(zeros, "VEC3", "float32", count, **limits)
            accessors.append(still)
        elif sparse < piece.nbytes:
            rows = {"bufferView": builder.add_array(moving.astype(index)), "componentType": COMPONENTS[index]}
            values = {"bufferView": builder.add_array(piece[moving])}
            changed = {"count": len(moving), "indices": rows, "values": values}
            accessors.append(builder.add_accessor(zeros, "VEC3", "float32", count, **limits, sparse=changed))
        else:
            accessors.append(
                builder.add_accessor(builder.add_array(piece, VERTICES), "VEC3", "float32", count, **limits)
            )
    return [{"POSITION": accessor} for accessor in accessors]


def _add_animation(builder: GlbBuilder, take: Take, weights: np.ndarray, targets: int) -> dict[str, Any]:
    """Add the weights (T, n) of the first n of all targets as an animation of node 0."""
    frames, moved = weights.shape

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, frames, BLOCK):
            some = weights[start : start + BLOCK]
            yield np.pad(some, ((0, 0), (0, targets - moved)))
            if take.progress is not None:
                take.progress(start + len(some), frames, "export")

    times = add_times(builder, frames, take.fps)
    values = builder.add_accessor(
        builder.add_blocks(4 * frames * targets, blocks), "SCALAR", "float32", frames * targets
    )
    return {
        "name": "Speech",
        "samplers": [{"input": times, "interpolation": "LINEAR", "output": values}],
        "channels": [{"sampler": 0, "target": {"node": 0, "path": "weights"}}],
        "extras": {"fps": take.fps, "frames": frames, "provenance": dataclasses.asdict(take.provenance)},
    }


def _add_neck(builder: GlbBuilder, document: dict[str, Any], head: HeadMesh, turns: np.ndarray) -> None:
    """Add the joints of a head that turns, how its vertices follow them, and their rotation over time."""
    neck = neck_of(head)
    share = neck.share.astype(np.float32)
    weights = np.zeros((len(share), 4), np.float32)
    weights[:, 0], weights[:, 1] = 1 - share, share
    numbers = (np.array([0, 1, 0, 0]) * (weights > 0)).astype(np.uint8)  # a joint without weight is not named
    joints, follow = builder.add_array(numbers, VERTICES), builder.add_array(weights, VERTICES)
    for entry in document["meshes"][0]["primitives"]:
        first, count = entry["extras"]["firstVertex"], builder.accessors[entry["attributes"]["POSITION"]]["count"]
        entry["attributes"] |= {
            "JOINTS_0": builder.add_accessor(joints, "VEC4", "uint8", count, 4 * first),
            "WEIGHTS_0": builder.add_accessor(follow, "VEC4", "float32", count, 16 * first),
        }
    bind = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    bind[1, 3, :3] = -neck.pivot  # columns first, as glTF stores matrices
    matrices = builder.add_accessor(builder.add_array(bind), "MAT4", "float32", 2)
    document["skins"] = [{"name": "Neck", "joints": [1, 2], "skeleton": 1, "inverseBindMatrices": matrices}]
    document["nodes"] += [
        {"name": "Body", "children": [2]},
        {"name": "Neck", "translation": neck.pivot.tolist()},
    ]
    document["nodes"][0]["skin"] = 0
    document["scenes"][0]["nodes"].append(1)
    animation = document["animations"][0]
    values = builder.add_accessor(builder.add_array(quaternions(turns)), "VEC4", "float32", len(turns))
    animation["samplers"].append(
        {"input": animation["samplers"][0]["input"], "interpolation": "LINEAR", "output": values}
    )
    animation["channels"].append({"sampler": 1, "target": {"node": 2, "path": "rotation"}})


def unit_normals(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Compute normals weighted by the area of the triangles around each vertex.

    Args:
        faces: (F, 3), counter-clockwise seen from outside.
        vertices: (V, 3).

    Returns:
        (V, 3) float32 of length 1, rounded so that the order of summation changes no bit; (0, 0, 1) where a vertex
        has no triangle with an area.
    """
    corners = np.asarray(vertices, np.float64)[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    np.add.at(total, faces, across[:, None])
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals = np.where(length > 1e-15, total / np.maximum(length, 1e-15), (0.0, 0.0, 1.0))
    return (np.round(normals, 5) + 0.0).astype(np.float32)


def linear_colors(colors: np.ndarray) -> np.ndarray:
    """Convert colours to those of glTF.

    Args:
        colors: (V, 3) uint8 sRGB.

    Returns:
        (V, 4) uint16, linear light, opaque.
    """
    share = np.arange(256) / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    table = np.round(65535 * linear).astype(np.uint16)
    return np.concatenate([table[colors], np.full((len(colors), 1), 65535, np.uint16)], axis=1)


def viseme_targets(head: HeadMesh) -> dict[str, np.ndarray]:
    """Return the 15 visemes as morph targets: name -> offsets (V, 3) in metres; none for a head without all shapes."""
    if set(head.blendshape_names) != set(ARKIT_NAMES):
        return {}
    return dict(zip(VISEME_CURVES, viseme_poses(head), strict=True))


def _write(take: Take, path: Path) -> tuple[Path, ...]:
    """A head of the user's own is written with its own names and materials, any other with the visemes as well."""
    if take.head.rig is not None:
        return write_rig(take, path)
    return write_glb(take, path, viseme_targets(take.head))


GLTF = ExportFormat(
    name="gltf",
    suffix=".glb",
    title="glTF 2.0 binary",
    summary="The head with its blendshapes and their motion, for Blender, Unreal, Unity, Godot and three.js.",
    write=_write,
    beside=(SOUND,),
)

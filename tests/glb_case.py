"""Heads of other topology and other names for tests: made of the open head, and written by a small writer of GLB files.

The writer is independent of the package: it follows the specification, section "GLB File Format Specification".
"""

from __future__ import annotations

import functools
import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from memorytalker.face.gltf_scene import read_scene
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.rig_mesh import add_targets, summed
from memorytalker.face.rigged_head import rig_of


@dataclass
class Glb:
    """A document that grows, and its bytes."""

    document: dict[str, Any] = field(default_factory=lambda: {"asset": {"version": "2.0", "generator": "test"}})
    data: bytearray = field(default_factory=bytearray)

    def view(self, data: bytes, **more: Any) -> int:
        self.data += bytes(-len(self.data) % 4)
        views = self.document.setdefault("bufferViews", [])
        views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **more})
        self.data += data
        return len(views) - 1

    def accessor(self, values: np.ndarray, kind: str, **more: Any) -> int:
        code = {"float32": 5126, "uint32": 5125, "uint16": 5123, "int16": 5122, "uint8": 5121, "int8": 5120}
        found = {"bufferView": self.view(values.tobytes()), "componentType": code[values.dtype.name], "type": kind}
        found |= {"count": len(values), **more}
        if kind == "VEC3" and values.dtype == np.float32:
            found |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.add("accessors", found)
        return len(self.document["accessors"]) - 1

    def add(self, kind: str, entry: Mapping[str, Any]) -> int:
        self.document.setdefault(kind, []).append(dict(entry))
        return len(self.document[kind]) - 1

    def bytes(self) -> bytes:
        self.document["buffers"] = [{"byteLength": len(self.data)}]
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        data = bytes(self.data) + bytes(-len(self.data) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


@dataclass(frozen=True)
class Piece:
    """A mesh: vertices (V, 3), faces (F, 3), texture coordinates (V, 2), and offsets (V, 3) by ARKit's names."""

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    shapes: Mapping[str, np.ndarray]


@functools.cache
def pieces() -> tuple[Piece, ...]:
    """The open head with a third of its triangles, its skin in other topology: skin, eyes and teeth apart."""
    import pyvista

    head = load_head()
    found = []
    for name, parts, share in (
        ("Wolf_Skin", ("skin",), 0.65),
        ("EyeLeft", ("eye_left",), 0.0),
        ("EyeRight", ("eye_right",), 0.0),
        ("Wolf_Teeth", ("teeth_upper", "teeth_lower", "tongue"), 0.0),
    ):
        own = np.unique(np.concatenate([head.parts[part] for part in parts]))
        faces = head.faces[np.isin(head.faces, own).all(axis=1)]
        vertices, faces = head.template[own], np.searchsorted(own, faces)
        if share:
            mesh = pyvista.PolyData.from_regular_faces(vertices, faces).decimate_pro(share, preserve_topology=True)
            vertices, faces = np.asarray(mesh.points, np.float32), mesh.regular_faces
        away, near = cKDTree(head.template[own]).query(vertices, k=3)
        weight = 1 / np.maximum(away, 1e-7)
        weight = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
        shapes = {
            shape: np.einsum("vk,vkx->vx", weight, head.blendshape(shape)[own][near]) for shape in head.blendshape_names
        }
        low, high = head.template.min(axis=0), head.template.max(axis=0)
        uv = ((vertices - low) / (high - low))[:, :2] * (1, -1) + (0, 1)
        found.append(Piece(name, vertices, faces, uv.astype(np.float32), shapes))
    return tuple(found)


def painted(size: int = 64) -> bytes:
    """A PNG: red above, green below, and a blue left third."""
    image = np.zeros((size, size, 3), np.uint8)
    image[: size // 2], image[size // 2 :] = (220, 60, 50), (60, 190, 80)
    image[:, : size // 3] = (40, 80, 220)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def build(
    names: Mapping[str, str],
    given: Sequence[Piece] | None = None,
    texture: bool = True,
    node: Mapping[str, Any] | None = None,
) -> Glb:
    """A head whose morph targets are those of `names`: ARKit name -> own name; in the order of `names`."""
    glb = Glb()
    image = glb.add("images", {"bufferView": glb.view(painted()), "mimeType": "image/png"}) if texture else None
    if image is not None:
        glb.add("textures", {"source": image})
    roots = []
    for piece in pieces() if given is None else given:
        look: dict[str, Any] = {"baseColorFactor": [1, 1, 1, 1] if piece.name == "Wolf_Skin" else [0.8, 0.8, 0.75, 1]}
        if image is not None and piece.name == "Wolf_Skin":
            look["baseColorTexture"] = {"index": 0}
        material = glb.add("materials", {"name": f"{piece.name} look", "pbrMetallicRoughness": look})
        shapes = {own: piece.shapes[arkit] for arkit, own in names.items()}
        primitive = {
            "attributes": {
                "POSITION": glb.accessor(piece.vertices, "VEC3"),
                "TEXCOORD_0": glb.accessor(piece.uv, "VEC2"),
            },
            "indices": glb.accessor(piece.faces.astype(np.uint32).ravel(), "SCALAR"),
            "material": material,
            "targets": [{"POSITION": glb.accessor(offsets, "VEC3")} for offsets in shapes.values()],
        }
        mesh = {"name": piece.name, "primitives": [primitive], "extras": {"targetNames": list(shapes), "note": "kept"}}
        roots.append(glb.add("nodes", {"name": piece.name, "mesh": glb.add("meshes", mesh), **(node or {})}))
    glb.add("scenes", {"nodes": roots})
    return glb


def write(path: Path, glb: Glb | bytes) -> Path:
    path.write_bytes(glb if isinstance(glb, bytes) else glb.bytes())
    return path


#: Own names of a VRM head's morph targets, by the ARKit shape that each looks like here.
VRM_TARGETS = {
    "jawOpen": "Fcl_MTH_A", "mouthSmileLeft": "Fcl_MTH_I", "mouthPucker": "Fcl_MTH_U", "mouthStretchLeft": "Fcl_MTH_E",
    "mouthFunnel": "Fcl_MTH_O", "eyeBlinkLeft": "Fcl_EYE_L", "eyeBlinkRight": "Fcl_EYE_R", "browInnerUp": "sleepy",
}  # fmt: skip
#: VRM's expression -> own name and weight.
VRM_BINDS = {
    "aa": ("Fcl_MTH_A", 0.8), "ih": ("Fcl_MTH_I", 1.0), "ou": ("Fcl_MTH_U", 1.0), "ee": ("Fcl_MTH_E", 1.0),
    "oh": ("Fcl_MTH_O", 1.0), "blinkLeft": ("Fcl_EYE_L", 1.0), "blinkRight": ("Fcl_EYE_R", 0.9),
}  # fmt: skip
_OLD = {"aa": "a", "ih": "i", "ou": "u", "ee": "e", "oh": "o", "blinkLeft": "blink_l", "blinkRight": "blink_r"}


def vrm_head(version: int, custom: Mapping[str, str] | None = None) -> Glb:
    """A head with the expressions of VRM 1 or 0, and with `custom` expressions: name -> own name of the target."""
    given = pieces()
    if version == 0:  # looks towards -z
        half = np.float32([-1, 1, -1])
        given = tuple(
            Piece(one.name, one.vertices * half, one.faces, one.uv, {k: v * half for k, v in one.shapes.items()})
            for one in given
        )
    glb = build(VRM_TARGETS, given)
    own = list(VRM_TARGETS.values())
    meshes = range(len(given))
    wanted = {**VRM_BINDS, **{name: (target, 1.0) for name, target in (custom or {}).items()}}
    if version == 1:
        each = {
            name: {"morphTargetBinds": [{"node": k, "index": own.index(target), "weight": weight} for k in meshes]}
            for name, (target, weight) in wanted.items()
        }
        preset = {name: one for name, one in each.items() if name in VRM_BINDS}
        rest = {name: one for name, one in each.items() if name not in VRM_BINDS}
        glb.document["extensions"] = {
            "VRMC_vrm": {"specVersion": "1.0", "expressions": {"preset": preset, "custom": rest}}
        }
    else:
        groups = [
            {
                "name": name.upper() if name in _OLD else name,
                "presetName": _OLD.get(name, "unknown"),
                "binds": [{"mesh": k, "index": own.index(target), "weight": 100 * weight} for k in meshes],
            }
            for name, (target, weight) in wanted.items()
        ]
        glb.document["extensions"] = {"VRM": {"blendShapeMaster": {"blendShapeGroups": groups}}}
    glb.document["extensionsUsed"] = list(glb.document["extensions"])
    return glb


def own_shapes_head(head: HeadMesh) -> HeadMesh:
    """The head with its own shapes as blendshapes, so that `offsets` takes the weights of `drive`."""
    rig = rig_of(head)
    parts = read_scene(rig.file)
    total = sum(len(part.vertices) for part in parts)
    shapes = np.zeros((len(rig.controls), head.vertex_count, 3), np.float32)
    for k, control in enumerate(rig.controls):
        moved = np.zeros((total, 3), np.float32)
        add_targets(moved, rig.file, parts, summed((b.mesh, b.target, b.gain) for b in control.binds), rig.turned)
        shapes[k] = moved[rig.kept] * np.float32(rig.scale)
    return replace(head, blendshape_names=tuple(control.name for control in rig.controls), blendshapes=shapes)

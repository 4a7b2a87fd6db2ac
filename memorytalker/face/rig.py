"""What a user's own head brings besides its mesh: its document, its own shapes, its materials and textures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from memorytalker.face.gltf_file import GltfFile
from memorytalker.face.gltf_scene import ScenePart
from memorytalker.face.shape_names import Control

#: Words in the name of a mesh or material -> the part of a head with that finish (`rendering.scene.FINISHES`).
_KINDS = (
    ("eye", {"eye", "eyes", "eyeball", "eyeballs", "iris", "sclera", "cornea"}),
    ("teeth", {"teeth", "tooth", "gums"}),
    ("tongue", {"tongue"}),
    ("lashes", {"lashes", "eyelash", "eyelashes", "eyeline"}),
    ("brows", {"brow", "brows", "eyebrow", "eyebrows"}),
    ("hair", {"hair", "beard"}),
    ("clothing", {"clothing", "clothes", "cloth", "outfit", "top", "shirt", "glasses", "headwear"}),
)


@dataclass(frozen=True)
class RigMaterial:
    """A material of the document, as far as it is drawn.

    Args:
        name: in the document.
        color: base colour factor in linear light, red, green, blue and opacity in [0, 1].
        image: index of the base colour texture among the document's images, or None.
        repeat: whether the texture repeats (True) or its border goes on, across and down.
        cutoff: opacity below which a point is not drawn; 0: all are. Points of blended materials are drawn in full
            where they are more than half opaque.
        two_sided: whether its triangles are seen from behind, too.
    """

    name: str = ""
    color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    image: int | None = None
    repeat: tuple[bool, bool] = (True, True)
    cutoff: float = 0.0
    two_sided: bool = False


@dataclass(frozen=True, eq=False)
class RigPart:
    """Vertices of the head with one material. vertices: indices (N,). kind: a name of `scene.FINISHES`."""

    name: str
    kind: str
    material: RigMaterial
    vertices: np.ndarray


@dataclass(frozen=True, eq=False)
class HeadRig:
    """A user's own head of V vertices, besides its mesh.

    Args:
        file: its document and buffers, unchanged.
        controls: its own shapes that curves move, n of them; the columns of `rigged_head.drive`.
        parts: its materials.
        uv: (V, 2) float32 texture coordinates, (0, 0) the upper left corner of the image.
        seam_groups: (V,) int32; vertices of one point of the surface, cut along a texture's seam, have the same number
            here: that of the first of them.
        kept: (V,) int64 place of each vertex among those of the scene (`gltf_scene.read_scene`), in its order.
        scale: factor from the document's units to metres.
        turned: whether the head was turned by half a circle, as heads of VRM 0.x look towards -z.
        missing: the ARKit names it lacks.
        remarks: what was decided, in sentences.
    """

    file: GltfFile
    controls: tuple[Control, ...]
    parts: tuple[RigPart, ...]
    uv: np.ndarray
    seam_groups: np.ndarray
    kept: np.ndarray
    scale: float
    turned: bool
    missing: tuple[str, ...]
    remarks: tuple[str, ...]


def material_of(file: GltfFile, part: ScenePart) -> tuple[RigMaterial, np.ndarray]:
    """Return the material of a part of the scene, and its texture coordinates (V, 2)."""
    bare = np.zeros((len(part.vertices), 2), np.float32)
    if part.material is None:
        return RigMaterial(), bare
    found = file.entry("materials", part.material)
    metallic, glossy = found.get("pbrMetallicRoughness"), _extension(found, "KHR_materials_pbrSpecularGlossiness")
    basic = metallic if isinstance(metallic, dict) and metallic else {}
    color = basic.get("baseColorFactor", glossy.get("diffuseFactor", [1, 1, 1, 1]))
    texture = basic.get("baseColorTexture", glossy.get("diffuseTexture"))
    image, repeat, uv = _texture(file, part, texture)
    mode = found.get("alphaMode", "OPAQUE")
    cutoff = {"MASK": _number(found.get("alphaCutoff"), 0.5), "BLEND": 0.5}.get(str(mode), 0.0)
    name = str(found.get("name", ""))[:100]
    return RigMaterial(
        name, _color(color), image, repeat, cutoff, found.get("doubleSided") is True
    ), bare if uv is None else uv


def kind_of(part: ScenePart, material: RigMaterial) -> str:
    """Return which part of a head this is, by the words in the names of its mesh and material; "skin" if by none."""
    words = {word for name in (part.name, material.name) for word in _words(name)}
    return next((kind for kind, known in _KINDS if known & words), "skin")


def _words(name: str) -> list[str]:
    """The words of a name like Wolf3D_EyeLeft, in lower case."""
    spaced = "".join(f" {c}" if c.isupper() and not before.isupper() else c for before, c in zip(" " + name, name))  # noqa: B905
    return "".join(c if c.isalpha() else " " for c in spaced).lower().split()


def _texture(file: GltfFile, part: ScenePart, texture: Any) -> tuple[int | None, tuple[bool, bool], np.ndarray | None]:
    """Image, whether it repeats across and down, and texture coordinates (V, 2)."""
    nothing = None, (True, True), None
    if not isinstance(texture, dict):
        return nothing
    place = _extension(texture, "KHR_texture_transform")
    number = place.get("texCoord", texture.get("texCoord", 0))
    if type(number) is not int or not 0 <= number < len(part.uv):
        return nothing
    described = file.entry("textures", texture.get("index"))
    image = described.get("source")
    for extension in ("EXT_texture_webp", "KHR_texture_basisu"):
        image = _extension(described, extension).get("source") if image is None else image
    if image is None:
        return nothing
    file.entry("images", image)
    sampler = file.entry("samplers", described["sampler"]) if "sampler" in described else {}
    repeat = sampler.get("wrapS", 10497) != 33071, sampler.get("wrapT", 10497) != 33071
    uv, angle = part.uv[number], _number(place.get("rotation"), 0.0)
    scale, offset = _pair(place.get("scale"), 1.0), _pair(place.get("offset"), 0.0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return image, repeat, ((uv * scale) @ turn.T + offset).astype(np.float32)


def _extension(holder: Mapping, name: str) -> Mapping:
    extensions = holder.get("extensions")
    found = extensions.get(name) if isinstance(extensions, dict) else None
    return found if isinstance(found, dict) else {}


def _number(value: Any, default: float) -> float:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e6
    return float(value) if plain else default


def _pair(values: Any, default: float) -> np.ndarray:
    values = values if isinstance(values, list) and len(values) == 2 else [None, None]
    return np.array([_number(value, default) for value in values])


def _color(values: Any) -> tuple[float, float, float, float]:
    values = values if isinstance(values, list) and len(values) == 4 else [None] * 4
    red, green, blue, opacity = (min(max(_number(value, 1.0), 0.0), 1.0) for value in values)
    return red, green, blue, opacity

"""The primitives of a head in glTF: stretches of its vertices, each with one material."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from memorytalker.face.head import HeadMesh

#: Part -> name of its material. Parts are matched by the beginning of their name; any other part is skin.
MATERIAL_OF_PART = MappingProxyType(
    {
        "eye": "eyes",
        "teeth": "teeth",
        "tongue": "tongue",
        "hair": "hair",
        "brows": "brows",
        "lashes": "lashes",
        "clothing": "clothing",
    }
)
#: Material -> roughness. Colours are those of the vertices; nothing is metal, and only the outside is seen.
ROUGHNESS = MappingProxyType(
    {
        "skin": 0.55,
        "eyes": 0.12,
        "teeth": 0.3,
        "tongue": 0.4,
        "hair": 0.65,
        "brows": 0.85,
        "lashes": 0.9,
        "clothing": 0.9,
    }
)


@dataclass(frozen=True, eq=False)
class Primitive:
    """A stretch of a head's vertices with one material.

    Args:
        material: a name in `ROUGHNESS`.
        parts: names of the head's parts in it.
        first: its first vertex.
        count: number of vertices.
        faces: (F, 3) triangles, counted from `first`.
    """

    material: str
    parts: tuple[str, ...]
    first: int
    count: int
    faces: np.ndarray

    @property
    def span(self) -> slice:
        """Its vertices among those of the head."""
        return slice(self.first, self.first + self.count)


def split_by_material(head: HeadMesh) -> tuple[Primitive, ...]:
    """Split a head into stretches of vertices of one material each, in the order of the vertices.

    Args:
        head: of any topology.

    Returns:
        Stretches that cover all vertices once. A head whose parts do not lie one after the other, or share triangles,
        is one stretch of skin.
    """
    parts = {name: np.asarray(vertices) for name, vertices in head.parts.items() if len(vertices)}
    runs: list[tuple[str, list[str], int, int]] = []  # material, parts, first vertex, the one after the last
    for name, vertices in sorted(parts.items(), key=lambda part: int(part[1].min())):
        material = next((word for start, word in MATERIAL_OF_PART.items() if name.startswith(start)), "skin")
        first = runs[-1][3] if runs else 0
        if not np.array_equal(np.sort(vertices), np.arange(first, first + len(vertices))):
            runs = []
            break
        if runs and runs[-1][0] == material:
            runs[-1] = (material, [*runs[-1][1], name], runs[-1][2], first + len(vertices))
        else:
            runs.append((material, [name], first, first + len(vertices)))
    split = [
        Primitive(material, tuple(names), first, end - first, faces - first)
        for material, names, first, end in runs
        for faces in [head.faces[((head.faces >= first) & (head.faces < end)).all(axis=1)]]
    ]
    whole = split and runs[-1][3] == head.vertex_count and all(len(each.faces) for each in split)
    if not whole or sum(len(each.faces) for each in split) != len(head.faces):
        return (Primitive("skin", tuple(parts), 0, head.vertex_count, head.faces),)
    return tuple(split)

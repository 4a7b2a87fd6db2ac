"""What a head looks like, as arrays for other renderers such as the browser, with the same materials."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from memorytalker.face.head import HeadError, HeadMesh
from memorytalker.options import RenderOptions
from memorytalker.rendering import scene
from memorytalker.rendering.lighting import Light, find_light, fingerprint, shipped_light
from memorytalker.rendering.renderer import FLATTEST, LONGEST_SIDE
from memorytalker.rendering.surface import Surface

#: Dressed heads that are remembered: the shipped people, and some more.
REMEMBERED = 16


@dataclass(frozen=True, eq=False)
class HeadAppearance:
    """A head of V vertices and F triangles, drawn as `fine_faces` over V + E vertices (`surface.Surface`)."""

    template: np.ndarray  # (V, 3) float32 metres
    scale: float  # what brings the head's own units to metres
    faces: np.ndarray  # (F, 3), what normals are made of
    edges: np.ndarray  # (E, 2) given vertices; between them lies fine vertex V, V + 1, ...
    fine_faces: np.ndarray  # (G, 3)
    colors: np.ndarray  # (V, 3) uint8 sRGB
    finishes: np.ndarray  # (V, 3) float32, as in `scene.FINISHES`
    light: Light
    cameras: Mapping[str, scene.Camera]  # by the names of `scene.AZIMUTHS`, for square pictures


@dataclass(frozen=True)
class _HeadKey:
    """A head that equals every other of the same form and colours."""

    key: str
    head: HeadMesh = field(compare=False)


def head_appearance(head: HeadMesh) -> HeadAppearance:
    """Return the appearance of `head`. The first time it takes seconds for a head that is not shipped, then nothing.

    Raises HeadError for a head without triangles or without a neutral face.
    """
    if not len(head.faces):
        raise HeadError("This head has no triangles to draw; load it from its mesh file (.ply or .obj).")
    if not head.template.any():
        raise HeadError("The neutral face of this head is unknown, so it cannot be drawn; give its template.")
    colors = hashlib.sha256(np.ascontiguousarray(head.colors)).hexdigest()
    return _cached_appearance(_HeadKey(fingerprint(head) + colors, head))


@functools.lru_cache(REMEMBERED)
def _cached_appearance(cached: _HeadKey) -> HeadAppearance:
    scale = scene.natural_scale(cached.head)
    head = dataclasses.replace(cached.head, template=cached.head.template * np.float32(scale))
    options = {name: RenderOptions(camera=name) for name in scene.AZIMUTHS}
    pixel = scene.metres_per_pixel(head, options["front"])
    surface = Surface(head.faces, head.template, LONGEST_SIDE * pixel, FLATTEST * pixel)
    appearance = HeadAppearance(
        template=head.template.astype(np.float32),
        scale=scale,
        faces=surface.faces,
        edges=surface.edges,
        fine_faces=surface.fine_faces,
        colors=head.colors,
        finishes=scene.vertex_finishes(head),
        light=shipped_light(head) or find_light(head, surface, (0.0,)),
        cameras=MappingProxyType({name: scene.frame_head(head, option) for name, option in options.items()}),
    )
    for array in (appearance.template, appearance.faces, appearance.edges, appearance.fine_faces, appearance.finishes):
        array.setflags(write=False)
    return appearance

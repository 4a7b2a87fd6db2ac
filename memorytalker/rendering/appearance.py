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
from memorytalker.rendering.stage import FLATTEST, LONGEST_SIDE
from memorytalker.rendering.surface import Surface
from memorytalker.rendering.textures import baked_colors

#: Number of cached appearances: the shipped identities, and some more.
CACHED = 16


@dataclass(frozen=True, eq=False)
class HeadAppearance:
    """What a renderer needs of a head of V vertices.

    Args:
        template: (V, 3) float32 in metres.
        scale: factor from the head's own units to metres.
        surface: its triangles, and those that are drawn.
        colors: (V, 3) uint8 sRGB.
        finishes: (V, 3) float32, as in `scene.FINISHES`.
        light: baked lighting.
        cameras: the cameras of `scene.AZIMUTHS` by name, for square frames.
    """

    template: np.ndarray
    scale: float
    surface: Surface
    colors: np.ndarray
    finishes: np.ndarray
    light: Light
    cameras: Mapping[str, scene.Camera]


@dataclass(frozen=True)
class _HeadKey:
    """A cache key: equal for all heads of the same mesh and colours."""

    key: str
    head: HeadMesh = field(compare=False)


def head_appearance(head: HeadMesh) -> HeadAppearance:
    """Compute the appearance of a head, cached. The first call takes seconds for a head that is not shipped.

    Args:
        head: the head, with its current identity.

    Returns:
        Its appearance; the arrays are read-only.

    Raises:
        HeadError: a head without triangles or without a neutral face.
    """
    if not len(head.faces):
        raise HeadError("This head has no triangles to draw; load it from its mesh file (.ply or .obj).")
    if not head.template.any():
        raise HeadError("The neutral face of this head is unknown, so it cannot be drawn; give its template.")
    return _cached_appearance(_HeadKey(look_of(head), head))


def look_of(head: HeadMesh) -> str:
    """Return a hash that is equal for heads of the same mesh, blendshapes and colours."""
    return fingerprint(head) + hashlib.sha256(np.ascontiguousarray(head.colors).data).hexdigest()


@functools.lru_cache(CACHED)
def _cached_appearance(key: _HeadKey) -> HeadAppearance:
    scale = scene.natural_scale(key.head)
    head = dataclasses.replace(key.head, template=key.head.template * np.float32(scale))
    options = {name: RenderOptions(camera=name) for name in scene.AZIMUTHS}
    pixel = scene.metres_per_pixel(head, options["front"])
    surface = Surface(head.faces, head.template, LONGEST_SIDE * pixel, FLATTEST * pixel, scene.seam_groups_of(head))
    appearance = HeadAppearance(
        template=head.template.astype(np.float32),
        scale=scale,
        surface=surface,
        colors=baked_colors(head),
        finishes=scene.vertex_finishes(head),
        light=shipped_light(head) or find_light(head, surface, (0.0,)),
        cameras=MappingProxyType({name: scene.frame_head(head, option) for name, option in options.items()}),
    )
    for array in (appearance.template, appearance.finishes, surface.faces, surface.edges, surface.fine_faces):
        array.setflags(write=False)
    return appearance

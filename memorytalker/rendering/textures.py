"""The textures of a user's own head: decoded by ffmpeg in a process of its own, and laid out in one image, the atlas.

ffmpeg reads an image from its standard input and may open nothing else; its time, its pixels and its output are
bounded, so that a damaged image ends that process and not this one.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from memorytalker.face.head import HeadError, HeadMesh
from memorytalker.face.rig import HeadRig
from memorytalker.rendering.surface import Surface

#: Pixels of an image at the most, side of the atlas, and side of a texture in it at the least, in pixels.
MOST_PIXELS, ATLAS_SIDE, SMALLEST_TILE = 8192 * 8192, 4096, 64
#: Side of a texture as a share of the frame's height, from which on more would not be seen.
DETAIL = 1.5
DECODE_SECONDS = 60.0
#: Side of the images from which colours per vertex are taken.
BAKED_SIDE = 256
#: First bytes of a file -> ffmpeg's name of the format.
_FORMATS = ((b"\x89PNG", "png_pipe"), (b"\xff\xd8\xff", "jpeg_pipe"), (b"RIFF", "webp_pipe"))

VERTEX_DECLARATIONS = """
in vec2 placeMC;
in vec4 tileMC;
in vec3 wrapMC;
out vec2 placeVS;
out vec4 tileVS;
out vec3 wrapVS;
"""
VERTEX_BODY = """
placeVS = placeMC;
tileVS = tileMC;
wrapVS = wrapMC;
"""
FRAGMENT_DECLARATIONS = """
in vec2 placeVS;  // texture coordinates
in vec4 tileVS;   // left, top, width, height of the texture in the atlas; width 0: no texture
in vec3 wrapVS;   // whether it repeats across and down, opacity below which nothing is drawn
"""
FRAGMENT_BODY = """
  vec2 inside = mix(clamp(placeVS, 0.0, 1.0), fract(placeVS), step(0.5, wrapVS.xy));
  vec4 texel = tileVS.z > 0.0 ? texture(actortexture, tileVS.xy + inside * tileVS.zw) : vec4(1.0);
  if (texel.a < wrapVS.z) discard;
  diffuseColor *= texel.rgb;
"""


@dataclass(frozen=True, eq=False)
class Atlas:
    """All textures of a head in one image.

    Args:
        image: (S, S, 4) uint8 sRGB with opacity, the first row on top.
        tiles: index of an image of the document -> left, top, width and height in `image`, as shares of its side.
    """

    image: np.ndarray
    tiles: Mapping[int, tuple[float, float, float, float]]


def is_textured(head: HeadMesh) -> bool:
    """Return whether a head has textures, or parts that are not drawn where they are transparent."""
    parts = head.rig.parts if head.rig else ()
    return any(part.material.image is not None or part.material.cutoff > 0 for part in parts)


def is_two_sided(head: HeadMesh) -> bool:
    """Return whether a head has triangles that are seen from behind, too, such as strands of hair."""
    return any(part.material.two_sided for part in (head.rig.parts if head.rig else ()))


def make_atlas(rig: HeadRig, height: int) -> Atlas:
    """Decode the textures of a head.

    Args:
        rig: of the head.
        height: of the frames, in pixels, which decides how fine the textures are.

    Returns:
        The atlas.

    Raises:
        HeadError: an image that cannot be decoded.
    """
    used = sorted({part.material.image for part in rig.parts if part.material.image is not None})
    if not used:
        return Atlas(np.full((2, 2, 4), 255, np.uint8), {})
    columns = math.ceil(math.sqrt(len(used)))
    side = min(2 ** math.ceil(math.log2(max(DETAIL * height, SMALLEST_TILE))), ATLAS_SIDE // columns)
    if side < SMALLEST_TILE:
        raise HeadError(f"{rig.file.name} has {len(used)} textures, too many to draw; join them.")
    image = np.zeros((columns * side, columns * side, 4), np.uint8)
    tiles = {}
    for place, number in enumerate(used):
        top, left = side * (place // columns), side * (place % columns)
        image[top : top + side, left : left + side] = decode_image(rig, number, side)
        # Half a pixel inside, so that no neighbour shines through.
        total = columns * side
        tiles[number] = ((left + 0.5) / total, (top + 0.5) / total, (side - 1) / total, (side - 1) / total)
    return Atlas(image, tiles)


def decode_image(rig: HeadRig, number: int, side: int) -> np.ndarray:
    """Decode an image of a head's document to (side, side, 4) uint8 sRGB; HeadError if it cannot be decoded."""
    import imageio_ffmpeg

    data, _ = rig.file.images[number]
    unreadable = HeadError(
        f"A texture of {rig.file.name} cannot be read; save it as PNG or JPEG of at most 8192 pixels."
    )
    format = next((name for start, name in _FORMATS if bytes(data[: len(start)]) == start), None)
    if format is None:
        raise unreadable
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-nostdin",
        "-protocol_whitelist",
        "pipe",
        "-threads",
        "1",
    ]
    command += ["-max_pixels", str(MOST_PIXELS), "-f", format, "-i", "pipe:0", "-frames:v", "1"]
    command += ["-vf", f"scale={side}:{side}:flags=area", "-f", "rawvideo", "-pix_fmt", "rgba", "pipe:1"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=DECODE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        raise unreadable from None
    if len(done.stdout) != side * side * 4:
        raise unreadable
    return np.frombuffer(done.stdout, np.uint8).reshape(side, side, 4)


def texture_attributes(head: HeadMesh, surface: Surface, atlas: Atlas) -> dict[str, np.ndarray]:
    """Compute what the shader needs of textures per fine vertex.

    Args:
        head: a head with a rig.
        surface: its surface.
        atlas: its textures.

    Returns:
        `place` (G, 2), `tile` (G, 4), `wrap` (G, 3) float32, see FRAGMENT_DECLARATIONS.
    """
    assert head.rig is not None
    tile, wrap = np.zeros((head.vertex_count, 4), np.float32), np.zeros((head.vertex_count, 3), np.float32)
    for part in head.rig.parts:
        material = part.material
        if material.image is not None:
            tile[part.vertices] = atlas.tiles[material.image]
        wrap[part.vertices] = (*material.repeat, material.cutoff / max(material.color[3], 1e-6))
    found = {"place": head.rig.uv, "tile": tile, "wrap": wrap}
    return {name: surface.spread(values).astype(np.float32) for name, values in found.items()}


def baked_colors(head: HeadMesh) -> np.ndarray:
    """Return the colours (V, 3) uint8 sRGB of a head with its textures sampled at the vertices, as far as it has any.

    Raises:
        HeadError: an image that cannot be decoded.
    """
    if head.rig is None or not is_textured(head):
        return head.colors
    colors = head.colors.astype(np.float32)
    for part in head.rig.parts:
        material = part.material
        if material.image is None:
            continue
        image = decode_image(head.rig, material.image, BAKED_SIDE)[..., :3].astype(np.float32) / 255
        places = head.rig.uv[part.vertices]
        places = np.where(material.repeat, places - np.floor(places), np.clip(places, 0, 1))
        colors[part.vertices] *= _sampled(image, places)
    return colors.round().astype(np.uint8)


def _sampled(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Interpolate an image (S, S, 3) at texture coordinates (N, 2) in [0, 1]."""
    spots = places * (len(image) - 1)
    low = np.clip(np.floor(spots).astype(int), 0, len(image) - 2)
    (x, y), share = low.T, spots - low
    across, down = share[:, :1], share[:, 1:]
    above = image[y, x] * (1 - across) + image[y, x + 1] * across
    below = image[y + 1, x] * (1 - across) + image[y + 1, x + 1] * across
    return above * (1 - down) + below * down

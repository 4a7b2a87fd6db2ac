"""The scene: camera, lights and materials of a talking head, as numbers and shader source. Needs no VTK.

Frame of reference of a head: metres, y up, face towards +z, x towards the head's own left. Colours are sRGB in and out;
light is summed in linear light.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from memorytalker.face.head import HeadMesh
from memorytalker.options import RenderOptions
from memorytalker.rendering import textures
from memorytalker.rendering.lighting import KEY, light_direction, light_of
from memorytalker.rendering.surface import Surface

#: Camera -> degrees by which it is turned about the vertical, towards the head's own left.
AZIMUTHS = {"front": 0.0, "three_quarter": 35.0, "profile": 82.0}
VIEW_ANGLE = 20.0  # degrees, vertical; small enough not to enlarge the nose
HEAD_SHARE = 0.75  # share of the frame's height from chin to crown
CHIN_BELOW_LIPS = 0.045  # metres, for a head with lip landmarks but without a chin
#: The longest side of a head's bounding box in metres, from a bare face to a head with shoulders.
SIDES, NATURAL_SIDE = (0.1, 1.0), 0.25
#: Share of the frame's height by which the head is above the middle.
RAISE = 0.055

#: Part -> material: subsurface scattering (as in skin), sheen (broad highlight), gloss (small highlight). Parts are
#: matched by the beginning of their name; any other part is skin.
FINISHES = MappingProxyType(
    {
        "skin": (1.0, 1.0, 0.0),
        "eye": (0.3, 0.0, 1.0),
        "teeth": (0.4, 0.8, 0.25),
        "tongue": (0.8, 1.2, 0.10),
        "hair": (0.0, 1.0, 0.0),
        "brows": (0.3, 0.2, 0.0),
        "lashes": (0.0, 0.0, 0.0),
        "clothing": (0.0, 0.15, 0.0),
    }
)


@dataclass(frozen=True)
class Camera:
    """A perspective camera.

    Args:
        position: in metres.
        focal_point: in metres.
        view_angle: vertical, in degrees.
        near: distance of the near clipping plane in metres.
        far: distance of the far clipping plane in metres.
    """

    position: tuple[float, float, float]
    focal_point: tuple[float, float, float]
    view_angle: float
    near: float
    far: float


def parse_color(text: str) -> tuple[float, float, float]:
    """Convert '#rrggbb' to red, green and blue in [0, 1]."""
    red, green, blue = (int(text[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue


def narrower(view_angle: float, share: float) -> float:
    """Return the view angle in degrees that shows only `share` of a frame's height."""
    return math.degrees(2 * math.atan(math.tan(math.radians(view_angle) / 2) * share))


def natural_scale(head: HeadMesh) -> float:
    """Return the factor that scales a head in unknown units to a head's size in metres; 1 if it has that size."""
    side = float(np.ptp(head.template, axis=0).max())
    return 1.0 if SIDES[0] <= side <= SIDES[1] or side == 0 else NATURAL_SIDE / side


def frame_head(head: HeadMesh, options: RenderOptions) -> Camera:
    """Place a camera so that heads of all identities appear at the same size and place.

    The head is framed from the chin up; a mesh with neither chin nor lip landmarks is framed as a whole.

    Args:
        head: in metres.
        options: size of the frames, and the camera's name.

    Returns:
        The camera.
    """
    above = head.template[head.template[:, 1] > _chin_height(head)]
    low, high = above.min(axis=0), above.max(axis=0)
    azimuth = math.radians(AZIMUTHS[options.camera])
    toward = np.array([math.sin(azimuth), 0.0, math.cos(azimuth)])
    aside = np.array([math.cos(azimuth), 0.0, -math.sin(azimuth)])
    across = above @ aside
    height = max((high[1] - low[1]) / HEAD_SHARE, np.ptp(across) / 0.86 / (options.width / options.height))
    focal = np.array([0.0, (low[1] + high[1]) / 2 - RAISE * height, 0.0])
    focal += aside * (across.min() + across.max()) / 2
    # The frame's height is measured at the face, not at the middle of the skull.
    depth = (above @ toward).max() - 0.03
    focal += toward * (depth - focal @ toward)
    distance = height / 2 / math.tan(math.radians(VIEW_ANGLE / 2))
    position = focal + toward * distance + np.array([0.0, 0.03 * height, 0.0])
    x, y, z = position
    a, b, c = focal
    return Camera((x, y, z), (a, b, c), VIEW_ANGLE, distance - 0.4, distance + 0.8)


def _chin_height(head: HeadMesh) -> float:
    heights = head.template[:, 1]
    if "chin" in head.landmarks:
        return heights[head.landmarks["chin"]]
    if "inner_lip_lower" in head.landmarks:
        return heights[head.landmarks["inner_lip_lower"]] - CHIN_BELOW_LIPS
    return np.nextafter(heights.min(), np.float32(-np.inf))


def metres_per_pixel(head: HeadMesh, options: RenderOptions) -> float:
    """Return the size of a pixel at the face, in metres."""
    camera = frame_head(head, options)
    distance = math.dist(camera.position, camera.focal_point)
    return 2 * distance * math.tan(math.radians(camera.view_angle / 2)) / options.height


def vertex_finishes(head: HeadMesh) -> np.ndarray:
    """Return the three numbers of FINISHES for every vertex, (V, 3) float32."""
    finishes = np.tile(np.array(FINISHES["skin"], np.float32), (head.vertex_count, 1))
    for part, vertices in head.parts.items():
        for name, finish in FINISHES.items():
            if part.startswith(name):
                finishes[vertices] = finish
    return finishes


#: Fill light from the left, rim light from behind: (azimuth, elevation) in degrees, seen from the camera.
FILL, RIM = (-55.0, 5.0), (-140.0, 25.0)
#: Colours in linear light: warm key, cool fill and rim, and ambient light from above and below.
KEY_COLOR, FILL_COLOR, RIM_COLOR = (1.72, 1.52, 1.30), (0.27, 0.31, 0.38), (0.95, 1.05, 1.20)
SKY, GROUND = (0.38, 0.39, 0.42), (0.20, 0.15, 0.12)
EXPOSURE = 0.58
#: Saturation before the tone curve, which lowers it.
SATURATION = 1.0
#: Direction of the key light's reflection in eyes and teeth; lower than KEY, or the upper lid would hide it.
GLINT = (15.0, 11.0)

VERTEX_DECLARATIONS = """
in vec2 lightMC;
in vec3 finishMC;
out vec2 lightVS;
out vec3 finishVS;
"""
VERTEX_BODY = """
lightVS = lightMC;
finishVS = finishMC;
"""
FRAGMENT_DECLARATIONS = """
in vec2 lightVS;   // shares of the sky light and of the key light that reach this point
in vec3 finishVS;  // subsurface scattering, sheen, gloss
"""
# Without powers and exponentials, which take most of the time on a CPU.
FRAGMENT_BODY = """
  vec3 N = normalize(normalVCVSOutput);
  float sky = 0.04 + 0.96 * lightVS.x, key = lightVS.y;
  // sRGB to linear light, to within half a percent.
  vec3 albedo = diffuseColor * (diffuseColor * (diffuseColor * 0.305306 + 0.682171) + 0.012523);
  // Light wraps around the terminator, in skin further in red than in blue.
  vec3 wrap = mix(vec3(0.12), vec3(0.34, 0.15, 0.11), finishVS.x);
  vec3 scale = vec3(1.0) / (vec3(1.0) + wrap);
  vec3 key_side = clamp((vec3(dot(N, KEY_AT)) + wrap) * scale, 0.0, 1.0);
  vec3 fill_side = clamp((vec3(dot(N, FILL_AT)) + wrap) * scale, 0.0, 1.0);
  vec3 light = mix(GROUND, SKY, 0.5 + 0.5 * N.y) * sky;
  // Light in a crease has bounced off skin, so creases turn red before they turn black.
  light *= mix(vec3(1.0), mix(vec3(1.0, 0.80, 0.72), vec3(1.0), sky), finishVS.x);
  light += KEY_COLOR * key * key_side * (key_side * 0.8 + 0.2);
  light += FILL_COLOR * sky * fill_side * (fill_side * 0.8 + 0.2);
  float edge = 1.0 - clamp(N.z, 0.0, 1.0);
  edge *= edge * edge;
  float behind = clamp(dot(N, RIM_AT) * 1.4, 0.0, 1.0);
  vec3 color = albedo * light;
  color += RIM_COLOR * (behind * behind * (0.25 + edge) * sky * sky * min(finishVS.y, 1.0)) * (0.25 + 0.75 * albedo);
  float sheen = max(dot(N, SHEEN_AT), 0.0);
  sheen *= sheen; sheen *= sheen; sheen *= sheen; sheen *= sheen;
  float glint = max(dot(N, GLINT_AT), 0.0);
  glint *= glint; glint *= glint; glint *= glint; glint *= glint; glint *= glint; glint *= glint; glint *= glint;
  color += KEY_COLOR * (finishVS.y * 0.06 * sheen * key * (0.6 + 1.4 * edge) + finishVS.z * 4.0 * glint * glint * sky);
  // Filmic tone curve and sRGB encoding in one (Hejl and Burgess-Dawson, 2010).
  color = mix(vec3(dot(color, vec3(0.2126, 0.7152, 0.0722))), color, SATURATION);
  vec3 x = max(color * EXPOSURE - 0.004, vec3(0.0));
  gl_FragData[0] = vec4((x * (6.2 * x + 0.5)) / (x * (6.2 * x + 1.7) + 0.06), 1.0);
"""
# Paint has a meaning: a plain light from the camera keeps its hue, and its full value where it faces the camera.
PAINT_BODY = """
  vec3 N = normalize(normalVCVSOutput);
  float sky = 0.35 + 0.65 * clamp(1.6 * lightVS.x, 0.0, 1.0);
  float shade = mix(0.34, 1.0, clamp(1.12 * dot(N, vec3(0.10, 0.24, 0.966)), 0.0, 1.0)) * sky;
  gl_FragData[0] = vec4(diffuseColor * shade, 1.0) + 0.0 * (finishVS.x + lightVS.y);
"""

# Without a background, a gap between hair and forehead is no hole through the head: its inside is there, in the dark.
INSIDE_BODY = """
  if (!gl_FrontFacing) gl_FragData[0] = vec4(0.08 * diffuseColor, 1.0);
"""


# Where the graphics library lets text into its shaders. It promises none of these; a test says when one is gone.
NORMAL_DECLARATIONS, NORMAL_STATEMENTS, LIGHT_STATEMENTS, TEXTURE_STATEMENTS = (
    "//VTK::Normal::Dec",
    "//VTK::Normal::Impl",
    "//VTK::Light::Impl",
    "//VTK::TCoord::Impl",
)


def fragment_body() -> str:
    """Return the GLSL statements that compute the colour of a point, with all lights as numbers.

    They read `normalVCVSOutput` (the normal, seen from the camera), `diffuseColor` (sRGB), `lightVS` and `finishVS`,
    and write `gl_FragData[0]`.
    """
    halfway = np.array(light_direction(*KEY)) + (0.0, 0.0, 1.0)
    values = {
        "KEY_AT": _vector(light_direction(*KEY)),
        "FILL_AT": _vector(light_direction(*FILL)),
        "RIM_AT": _vector(light_direction(*RIM)),
        "SHEEN_AT": _vector(halfway / np.linalg.norm(halfway)),
        "GLINT_AT": _vector(light_direction(*GLINT)),
        "KEY_COLOR": _vector(KEY_COLOR),
        "FILL_COLOR": _vector(FILL_COLOR),
        "RIM_COLOR": _vector(RIM_COLOR),
        "SKY": _vector(SKY),
        "GROUND": _vector(GROUND),
        "EXPOSURE": f"{EXPOSURE:.4f}",
        "SATURATION": f"{SATURATION:.4f}",
    }
    body = FRAGMENT_BODY
    for name, text in values.items():
        body = body.replace(name, text)
    return body


def shader_replacements(
    painted: bool = False, inside: bool = False, textured: bool = False
) -> list[tuple[str, str, str]]:
    """Return replacements in VTK's shaders: (stage, marker, text).

    Args:
        painted: paint in place of the materials.
        inside: back faces are drawn, dark.
        textured: the head has an atlas of textures.
    """
    declared, stated, read, used = VERTEX_DECLARATIONS, VERTEX_BODY, FRAGMENT_DECLARATIONS, ""
    if textured:
        declared, stated = declared + textures.VERTEX_DECLARATIONS, stated + textures.VERTEX_BODY
        read, used = read + textures.FRAGMENT_DECLARATIONS, textures.FRAGMENT_BODY
    body = (PAINT_BODY if painted else used + fragment_body()) + (INSIDE_BODY if inside else "")
    return [
        ("Vertex", NORMAL_DECLARATIONS, f"{NORMAL_DECLARATIONS}\n{declared}"),
        ("Vertex", NORMAL_STATEMENTS, f"{NORMAL_STATEMENTS}\n{stated}"),
        ("Fragment", NORMAL_DECLARATIONS, f"{NORMAL_DECLARATIONS}\n{read}"),
        ("Fragment", LIGHT_STATEMENTS, body),
        *([("Fragment", TEXTURE_STATEMENTS, "")] if textured else []),  # the body above reads the texture
    ]


def _vector(values: Iterable[float]) -> str:
    return "vec3(" + ", ".join(f"{value:.5f}" for value in values) + ")"


def seam_groups_of(head: HeadMesh) -> np.ndarray | None:
    """Return the vertices that share a normal, as `Surface` takes them; None for a head without a texture's seams."""
    return None if head.rig is None else head.rig.seam_groups


def vertex_attributes(head: HeadMesh, surface: Surface, options: RenderOptions) -> dict[str, np.ndarray]:
    """Compute what the shader needs per fine vertex.

    Args:
        head: in metres.
        surface: its surface.
        options: gives the camera.

    Returns:
        `color` (G, 3) uint8 sRGB, `light` (G, 2) float32 shares of sky and key light, `finish` (G, 3) float32, for the
        G vertices of the fine mesh.
    """
    azimuth = AZIMUTHS[options.camera]
    light = light_of(head, surface, azimuth)
    shares = np.stack([light.sky, light.keys[light.azimuths.index(azimuth)]], axis=1)
    return {
        "color": surface.spread(head.colors.astype(np.float32)).round().astype(np.uint8),
        "light": surface.spread(shares).astype(np.float32),
        "finish": surface.spread(vertex_finishes(head)).astype(np.float32),
    }

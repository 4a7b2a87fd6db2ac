"""The scene: camera, light and materials of a talking head, as numbers and shader text. No graphics library here.

Frame of reference of a head: metres, y up, face towards +z, x towards the head's own left. Colours are sRGB in and out;
light is added up in linear light between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from memorytalker.config import RenderOptions
from memorytalker.head import HeadMesh
from memorytalker.rendering.surface import Surface, sphere_directions, visibility

#: Degrees that the camera is turned about the vertical, towards the head's own left.
AZIMUTHS = {"front": 0.0, "three_quarter": 35.0, "profile": 82.0}
VIEW_ANGLE = 20.0  # degrees, vertical; long enough not to swell the nose
HEAD_SHARE = 0.70  # of the picture's height between chin and crown
#: Share of the picture's height by which the head sits above the middle.
RAISE = 0.045

MATERIALS = ("skin", "eye", "teeth", "tongue")


@dataclass(frozen=True)
class Camera:
    """A perspective camera: positions in metres, `view_angle` is vertical, in degrees."""

    position: tuple[float, float, float]
    focal_point: tuple[float, float, float]
    view_angle: float
    near: float
    far: float


def parse_color(text: str) -> tuple[float, float, float]:
    """'#rrggbb' as three numbers in [0, 1]."""
    return tuple(int(text[k : k + 2], 16) / 255 for k in (1, 3, 5))  # type: ignore[return-value]


def frame_head(head: HeadMesh, options: RenderOptions) -> Camera:
    """A camera that shows the head of this identity at the same size and place as every other's."""
    skin = head.template[head.parts["skin"]]
    chin = head.template[head.landmarks["chin"]][1]
    above = skin[skin[:, 1] > chin]
    low, high = above.min(axis=0), above.max(axis=0)
    azimuth = math.radians(AZIMUTHS[options.camera])
    toward = np.array([math.sin(azimuth), 0.0, math.cos(azimuth)])
    aside = np.array([math.cos(azimuth), 0.0, -math.sin(azimuth)])
    across = above @ aside
    height = max((high[1] - low[1]) / HEAD_SHARE, np.ptp(across) / 0.86 / (options.width / options.height))
    focal = np.array([0.0, (low[1] + high[1]) / 2 - RAISE * height, 0.0])
    focal += aside * (across.min() + across.max()) / 2
    # The picture's height is measured at the face, not at the middle of the skull.
    depth = (above @ toward).max() - 0.03
    focal += toward * (depth - focal @ toward)
    distance = height / 2 / math.tan(math.radians(VIEW_ANGLE / 2))
    position = focal + toward * distance + np.array([0.0, 0.03 * height, 0.0])
    return Camera(tuple(position), tuple(focal), VIEW_ANGLE, distance - 0.4, distance + 0.8)


def metres_per_pixel(head: HeadMesh, options: RenderOptions) -> float:
    """Size of a pixel at the face."""
    camera = frame_head(head, options)
    distance = math.dist(camera.position, camera.focal_point)
    return 2 * distance * math.tan(math.radians(camera.view_angle / 2)) / options.height


def vertex_materials(head: HeadMesh) -> np.ndarray:
    """Index into MATERIALS per vertex, (V,) float32."""
    materials = np.zeros(head.vertex_count, np.float32)
    for name, vertices in head.parts.items():
        for index, material in enumerate(MATERIALS):
            if name.startswith(material):
                materials[vertices] = index
    return materials


def eye_coordinates(head: HeadMesh) -> np.ndarray:
    """Position on the resting eyeball in units of its radius, (V, 3) float32; zero elsewhere. (0, 0, 1) looks ahead.

    They travel with the vertices, so that an iris drawn from them turns with the eye.
    """
    coordinates = np.zeros((head.vertex_count, 3), np.float32)
    for name in ("eye_left", "eye_right"):
        ball = head.template[head.parts[name]]
        middle = (ball.min(axis=0) + ball.max(axis=0)) / 2
        coordinates[head.parts[name]] = (ball - middle) / (np.ptp(ball, axis=0).max() / 2)
    return coordinates


def lamp_direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """Unit vector towards a lamp, seen from the camera: x right, y up, z towards the camera; degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)


#: Key from the upper right and in front, fill from the left, rim from behind: degrees seen from the camera.
KEY, FILL, RIM = (38.0, 36.0), (-60.0, 8.0), (-142.0, 28.0)
#: Linear light: a warm key, cool fill and rim, and what comes from above and below.
KEY_COLOR, FILL_COLOR, RIM_COLOR = (1.55, 1.38, 1.20), (0.30, 0.36, 0.45), (0.90, 1.00, 1.15)
SKY, GROUND = (0.42, 0.44, 0.48), (0.20, 0.16, 0.14)
EXPOSURE = 1.35

VERTEX_DECLARATIONS = """
in vec3 surfaceMC;
in vec3 eyeMC;
out vec3 surfaceVS;
out vec3 eyeVS;
"""
VERTEX_BODY = """
surfaceVS = surfaceMC;
eyeVS = eyeMC;
"""
FRAGMENT_DECLARATIONS = """
in vec3 surfaceVS;  // ambient visibility, key visibility, material
in vec3 eyeVS;      // position on the eyeball, radius 1

vec3 linear(vec3 c) { return pow(c, vec3(2.2)); }

// Light that wraps round the edge of the lit side, further in red than in blue, as it does in skin.
vec3 wrapped(float facing, vec3 wrap) {
  vec3 w = clamp((vec3(facing) + wrap) / (vec3(1.0) + wrap), 0.0, 1.0);
  return w * w * (vec3(1.0) + wrap) * 0.75 + w * 0.25;
}

float gloss(vec3 normal, vec3 light, vec3 eye, float power) {
  return (power + 2.0) / 8.0 * pow(max(dot(normal, normalize(light + eye)), 0.0), power);
}
"""
FRAGMENT_BODY = """
  vec3 N = normalize(normalVCVSOutput);
  vec3 E = normalize(-vertexVC.xyz);
  float open_sky = surfaceVS.x;
  float lit = surfaceVS.y;
  int material = int(surfaceVS.z + 0.5);
  vec3 albedo = linear(diffuseColor);
  vec3 wrap = vec3(0.0);
  float shine = 0.0, power = 20.0, grazing = 0.0;
  if (material == 0) {
    wrap = vec3(0.32, 0.14, 0.10);
    shine = 0.035; power = 14.0; grazing = 1.0;
  } else if (material == 1) {
    float axis = length(eyeVS.xy);
    wrap = vec3(0.25);
    shine = 0.9; power = 260.0;
  } else if (material == 2) {
    wrap = vec3(0.15);
    shine = 0.10; power = 60.0;
  } else {
    wrap = vec3(0.3, 0.1, 0.1);
    shine = 0.05; power = 30.0;
  }
  vec3 sky = mix(GROUND, SKY, 0.5 + 0.5 * N.y) * open_sky;
  // Light that enters a crease has bounced off skin: creases turn red before they turn black.
  sky = mix(sky * vec3(1.0, 0.82, 0.74), sky, open_sky);
  vec3 light = sky;
  light += KEY_COLOR * wrapped(dot(N, KEY_AT), wrap) * lit;
  light += FILL_COLOR * wrapped(dot(N, FILL_AT), wrap) * open_sky;
  vec3 color = albedo * light;
  float edge = pow(1.0 - max(dot(N, E), 0.0), 3.0);
  color += grazing * edge * 0.10 * SKY * open_sky;
  vec3 behind = RIM_COLOR * smoothstep(0.0, 0.7, dot(N, RIM_AT)) * (0.25 + edge);
  color += behind * open_sky * open_sky * mix(albedo, vec3(1.0), 0.3);
  float fresnel = 0.3 + 0.7 * edge;
  vec3 mirrored = KEY_COLOR * gloss(N, KEY_AT, E, power) * lit;
  mirrored += 0.4 * FILL_COLOR * gloss(N, FILL_AT, E, power) * open_sky;
  color += shine * mirrored * mix(1.0, fresnel * 2.0, grazing);
  color = vec3(1.0) - exp(-EXPOSURE * color);
  gl_FragData[0] = vec4(pow(color, vec3(1.0 / 2.2)), 1.0);
"""


def shader_replacements(head: HeadMesh) -> list[tuple[str, str, str]]:
    """(stage, marker in the graphics library's shader, text that takes its place), for the materials above."""
    values = {
        "KEY_AT": _vector(lamp_direction(*KEY)),
        "FILL_AT": _vector(lamp_direction(*FILL)),
        "RIM_AT": _vector(lamp_direction(*RIM)),
        "KEY_COLOR": _vector(KEY_COLOR),
        "FILL_COLOR": _vector(FILL_COLOR),
        "RIM_COLOR": _vector(RIM_COLOR),
        "SKY": _vector(SKY),
        "GROUND": _vector(GROUND),
        "EXPOSURE": f"{EXPOSURE:.4f}",
    }
    body = FRAGMENT_BODY
    for name, text in values.items():
        body = body.replace(name, text)
    return [
        ("Vertex", "//VTK::Normal::Dec", "//VTK::Normal::Dec\n" + VERTEX_DECLARATIONS),
        ("Vertex", "//VTK::Normal::Impl", "//VTK::Normal::Impl\n" + VERTEX_BODY),
        ("Fragment", "//VTK::Normal::Dec", "//VTK::Normal::Dec\n" + FRAGMENT_DECLARATIONS),
        ("Fragment", "//VTK::Light::Impl", body),
    ]


def _vector(values: tuple[float, float, float]) -> str:
    return "vec3(" + ", ".join(f"{value:.5f}" for value in values) + ")"


def vertex_attributes(head: HeadMesh, surface: Surface, options: RenderOptions) -> dict[str, np.ndarray]:
    """What every fine vertex carries for the shader: `color`, `surface` (visibilities, material) and `eye`.

    Visibility is the larger of the resting face and an open mouth, so that teeth and the inside of the lips are dark
    in proportion to how deep they lie and not for being behind closed lips.
    """
    turn = math.radians(AZIMUTHS[options.camera])
    to_world = np.array([[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]])
    cone = [lamp_direction(KEY[0] + a, KEY[1] + e) for a, e in ((0, 0), (12, 0), (-12, 0), (0, 10), (0, -10), (7, 7))]
    around, lamp = sphere_directions(32), np.array(cone) @ to_world.T
    opened = head.template + np.float32(0.6) * head.blendshape("jawOpen")
    ambient, key = np.zeros((2, head.vertex_count), np.float32)
    for vertices, directions in ((head.template, around), (opened, around[around[:, 2] > 0])):
        normals = surface.normals(vertices)
        ambient = np.maximum(ambient, visibility(vertices, head.faces, normals, directions))
        key = np.maximum(key, visibility(vertices, head.faces, normals, lamp))
    shown = np.stack([surface.smooth(ambient, 1), surface.smooth(key, 1), vertex_materials(head)], axis=1)
    return {
        "color": surface.spread(head.colors.astype(np.float32)).round().astype(np.uint8),
        "surface": surface.spread(shown).astype(np.float32),
        "eye": surface.spread(eye_coordinates(head)).astype(np.float32),
    }

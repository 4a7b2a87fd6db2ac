"""Light: the share of the sky and of the key lamp that reaches every vertex of a head.

Finding it takes seconds, so what the shipped people need lies in `assets/light`; any other head is looked at when it
is first drawn. Lamps turn with the camera: a share of the key belongs to the azimuth of a camera, in degrees about the
vertical towards the head's own left.
"""

from __future__ import annotations

import functools
import hashlib
import math
import zipfile
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from memorytalker.face.head import HeadMesh
from memorytalker.places import assets_folder
from memorytalker.rendering.surface import Surface, sphere_directions, visibility

#: The shares for the shipped people, made by tools/head/bake_lighting.py.
LIGHT_FILE = assets_folder("light") / "light.npz"
#: Where the key stands, seen from the camera: upper right and in front; degrees (azimuth, elevation).
KEY = (40.0, 32.0)
#: Parts that lie close over others.
LOOSE_PARTS = ("hair", "clothing", "lashes", "brows")
#: Side in metres over which one round of blurring takes the grain from light; shorter sides take more rounds.
SMOOTH_SIDE = 0.004
#: The mouth for which the light inside it is found.
OPEN_MOUTH = MappingProxyType(
    {
        "jawOpen": 0.55,
        "mouthUpperUpLeft": 0.6,
        "mouthUpperUpRight": 0.6,
        "mouthLowerDownLeft": 0.6,
        "mouthLowerDownRight": 0.6,
        "mouthStretchLeft": 0.4,
        "mouthStretchRight": 0.4,
    }
)


@dataclass(frozen=True, eq=False)
class Light:
    """Shares in [0, 1] of the light that reaches V vertices."""

    sky: np.ndarray  # (V,) float32
    azimuths: tuple[float, ...]  # degrees, ascending, in [-180, 180)
    keys: np.ndarray  # (len(azimuths), V) float32: the key of a camera at each azimuth


def lamp_direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """Unit vector towards a lamp, seen from the camera: x right, y up, z towards the camera; degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)


def find_light(head: HeadMesh, surface: Surface, azimuths: tuple[float, ...]) -> Light:
    """Look at `head`, whose surface is `surface`, from the sky and from the key of cameras at `azimuths`.

    A share is the larger of the resting face and, where the head has blendshapes, an open mouth, so that teeth and the
    inside of the lips are dark in proportion to how deep they lie and not for being behind closed lips.
    """
    cone = [lamp_direction(KEY[0] + a, KEY[1] + e) for a, e in ((0, 0), (12, 0), (-12, 0), (0, 10), (0, -10), (7, 7))]
    around = sphere_directions(32)
    poses = [(head.template, around)]
    if head.blendshape_names:
        opened = sum(np.float32(weight) * head.blendshape(name) for name, weight in OPEN_MOUTH.items())
        poses.append((head.template + opened, around[around[:, 2] > 0]))
    sky, keys = np.zeros(head.vertex_count, np.float32), np.zeros((len(azimuths), head.vertex_count), np.float32)
    for vertices, directions in poses:
        normals = surface.normals(vertices)
        sky = np.maximum(sky, visibility(vertices, head.faces, normals, directions))
        for key, azimuth in zip(keys, azimuths, strict=True):
            turn = math.radians(azimuth)
            to_world = np.array([[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]])
            np.maximum(key, visibility(vertices, head.faces, normals, np.array(cone) @ to_world.T), out=key)
    for part in LOOSE_PARTS:  # the depth pictures see nothing between cloth or hair and the skin close under it
        loose = head.parts.get(part, np.zeros(0, int))
        sky[loose] = np.maximum(sky[loose], 0.3)
    sides = np.linalg.norm(np.diff(head.template[surface.all_edges], axis=1)[:, 0], axis=1)
    rounds = max(1, min(round((SMOOTH_SIDE / max(np.median(sides), 1e-6)) ** 2), 16))
    keys = np.stack([surface.smooth(key, rounds) for key in keys])
    return Light(surface.smooth(sky, rounds).astype(np.float32), tuple(azimuths), keys.astype(np.float32))


def light_of(head: HeadMesh, surface: Surface, azimuth: float) -> Light:
    """The light of `head` before a camera at `azimuth`, and where it is shipped before all others."""
    shipped = shipped_light(head)
    return find_light(head, surface, (azimuth,)) if shipped is None or azimuth not in shipped.azimuths else shipped


def shipped_light(head: HeadMesh) -> Light | None:
    """The light that lies in `LIGHT_FILE` for this very head, or None."""
    return _shipped().get(fingerprint(head))


def fingerprint(head: HeadMesh) -> str:
    """What tells the form of one head from every other's; colours do not matter to light."""
    digest = hashlib.sha256(np.ascontiguousarray(head.template))
    digest.update(np.ascontiguousarray(head.faces))
    digest.update(np.ascontiguousarray(head.blendshapes[:, :: max(head.vertex_count // 64, 1)]))
    return digest.hexdigest()


@functools.cache
def _shipped() -> dict[str, Light]:
    """Every head's light by fingerprint; nothing where the file is missing or damaged, as it only saves time."""
    try:
        with np.load(LIGHT_FILE, allow_pickle=False) as file:
            names, azimuths = file["fingerprints"], tuple(float(azimuth) for azimuth in file["azimuths"])
            sky, keys = (file[name].astype(np.float32) / 255 for name in ("sky", "keys"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    for array in (sky, keys):
        array.setflags(write=False)
    return {str(name): Light(sky[k], azimuths, keys[k]) for k, name in enumerate(names)}

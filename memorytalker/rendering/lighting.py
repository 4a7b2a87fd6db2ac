"""Baked lighting: the share of the sky light and of the key light that reaches every vertex of a head.

Computing it takes seconds, so the shares of the shipped identities lie in `assets/light`; those of any other head are
computed when it is first drawn. The lights turn with the camera, so that shares of the key light belong to a camera
azimuth: degrees about the vertical, towards the head's own left.
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

#: The shares of the shipped identities, made by tools/head/bake_lighting.py.
LIGHT_FILE = assets_folder("light") / "baked_lighting.npz"
#: Direction of the key light seen from the camera, upper right and in front: (azimuth, elevation) in degrees.
KEY = (40.0, 32.0)
#: Parts that lie close above other parts.
LOOSE_PARTS = ("hair", "clothing", "lashes", "brows")
#: Edge length in metres at which one round of smoothing removes the noise; shorter edges need more rounds.
SMOOTH_SIDE = 0.004
#: The open mouth for which the light inside it is computed.
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
#: The mouth with the tongue between the teeth, for the light on the tongue alone, and the share of it that counts: all
#: of it would make a tongue that lies deep in the mouth as bright as the lips.
TONGUE_LIT = 0.6
TONGUE_OUT = MappingProxyType(
    {
        "jawOpen": 0.2,
        "tongueOut": 0.55,
        "mouthUpperUpLeft": 0.5,
        "mouthUpperUpRight": 0.5,
        "mouthLowerDownLeft": 0.6,
        "mouthLowerDownRight": 0.6,
    }
)


@dataclass(frozen=True, eq=False)
class Light:
    """Shares in [0, 1] of the light that reaches V vertices.

    Args:
        sky: (V,) float32, of the sky light.
        azimuths: of cameras, in degrees, ascending, in [-180, 180).
        keys: (len(azimuths), V) float32, of the key light for a camera at each azimuth.
    """

    sky: np.ndarray
    azimuths: tuple[float, ...]
    keys: np.ndarray


def light_direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """Return the unit vector towards a light at angles in degrees, seen from the camera: x right, y up, z back."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)


def find_light(head: HeadMesh, surface: Surface, azimuths: tuple[float, ...]) -> Light:
    """Compute the light that reaches every vertex of a head.

    A share is the larger of that of the neutral face and, if the head can open it, that of an open mouth. So teeth
    and the inside of the lips are dark because they lie deep, and not because closed lips cover them. A tongue gets
    at least `TONGUE_LIT` of the light that it has between the teeth.

    Args:
        head: the head, in metres.
        surface: its surface.
        azimuths: of cameras, in degrees, ascending.

    Returns:
        The shares.
    """
    cone = [light_direction(KEY[0] + a, KEY[1] + e) for a, e in ((0, 0), (12, 0), (-12, 0), (0, 10), (0, -10), (7, 7))]
    around = sphere_directions(32)
    everything = np.arange(head.vertex_count)
    poses = [(head.template, around, everything, 1.0)]
    tongue = head.parts.get("tongue", everything[:0])
    for pose, lit, share in ((OPEN_MOUTH, everything, 1.0), (TONGUE_OUT, tongue, TONGUE_LIT)):
        weights = {name: weight for name, weight in pose.items() if name in head.blendshape_names}
        if weights and len(lit):
            opened = sum(np.float32(weight) * head.blendshape(name) for name, weight in weights.items())
            poses.append((head.template + opened, around[around[:, 2] > 0], lit, share))
    sky, keys = np.zeros(head.vertex_count, np.float32), np.zeros((len(azimuths), head.vertex_count), np.float32)
    for vertices, directions, lit, share in poses:
        normals = surface.normals(vertices)
        seen = visibility(vertices, head.faces, normals, directions)
        sky[lit] = np.maximum(sky[lit], share * seen[lit])
        for key, azimuth in zip(keys, azimuths, strict=True):
            turn = math.radians(azimuth)
            to_world = np.array([[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]])
            seen = visibility(vertices, head.faces, normals, np.array(cone) @ to_world.T)
            key[lit] = np.maximum(key[lit], share * seen[lit])
    for part in LOOSE_PARTS:  # a depth map does not resolve the small distance from hair or cloth to the skin below
        loose = head.parts.get(part, np.zeros(0, int))
        sky[loose] = np.maximum(sky[loose], 0.3)
    sides = np.linalg.norm(np.diff(head.template[surface.all_edges], axis=1)[:, 0], axis=1)
    rounds = max(1, min(round((SMOOTH_SIDE / max(np.median(sides), 1e-6)) ** 2), 16))
    keys = np.stack([surface.smooth(key, rounds) for key in keys])
    return Light(surface.smooth(sky, rounds).astype(np.float32), tuple(azimuths), keys.astype(np.float32))


def light_of(head: HeadMesh, surface: Surface, azimuth: float) -> Light:
    """Return the light of `head` for a camera at `azimuth`: the shipped light if it has that azimuth."""
    shipped = shipped_light(head)
    return find_light(head, surface, (azimuth,)) if shipped is None or azimuth not in shipped.azimuths else shipped


def shipped_light(head: HeadMesh) -> Light | None:
    """Return the light that is stored in `LIGHT_FILE` for this head, or None."""
    return _shipped().get(fingerprint(head))


def fingerprint(head: HeadMesh) -> str:
    """Return a hash of a head's mesh and blendshapes, not of its colours, which have no influence on light."""
    digest = hashlib.sha256(np.ascontiguousarray(head.template).data)
    digest.update(np.ascontiguousarray(head.faces).data)
    digest.update(np.ascontiguousarray(head.blendshapes[:, :: max(head.vertex_count // 64, 1)]).data)
    return digest.hexdigest()


@functools.cache
def _shipped() -> dict[str, Light]:
    """The stored light by fingerprint; empty if the file is missing or damaged, as it only saves time."""
    try:
        with np.load(LIGHT_FILE, allow_pickle=False) as file:
            names, azimuths = file["fingerprints"], tuple(float(azimuth) for azimuth in file["azimuths"])
            sky, keys = (file[name].astype(np.float32) / 255 for name in ("sky", "keys"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    for array in (sky, keys):
        array.setflags(write=False)
    return {str(name): Light(sky[k], azimuths, keys[k]) for k, name in enumerate(names)}

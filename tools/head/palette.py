"""The base colours of every vertex: skin, lips, eyes, teeth, hair and shirt of each identity. sRGB, unlit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tools.head.hair import HairStyle, Sheet


@dataclass(frozen=True)
class Palette:
    """The colours of one identity, sRGB 0..255."""

    skin: tuple[int, int, int]
    lips: tuple[int, int, int]
    hair: tuple[int, int, int]
    iris: tuple[int, int, int]
    shirt: tuple[int, int, int]
    beard: float = 0.0  # 0..1: shadow of a shaven beard


PALETTES: dict[str, Palette] = {
    "ada": Palette((224, 178, 152), (192, 112, 106), (92, 60, 40), (92, 112, 92), (58, 72, 92)),
    "bruno": Palette((214, 168, 140), (182, 110, 100), (58, 42, 32), (96, 122, 140), (52, 58, 66), 0.5),
    "efua": Palette((128, 84, 62), (128, 66, 62), (30, 24, 22), (62, 40, 26), (120, 62, 54)),
    "kenji": Palette((222, 180, 146), (188, 116, 104), (28, 25, 26), (64, 42, 28), (70, 84, 74), 0.15),
    "greta": Palette((228, 188, 168), (186, 118, 112), (196, 192, 188), (112, 134, 152), (88, 78, 104)),
    "omar": Palette((176, 126, 96), (150, 88, 80), (92, 88, 86), (70, 46, 30), (60, 62, 60), 0.75),
    "mei": Palette((232, 192, 162), (202, 112, 110), (34, 26, 24), (72, 46, 30), (150, 140, 128)),
}
TEETH, GUM = (250, 245, 234), (196, 106, 104)
TONGUE = (192, 98, 96)
WHITE = (238, 235, 230)


def smooth(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, a smooth step between (either order)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(base: np.ndarray, color: tuple[int, int, int] | np.ndarray, share: np.ndarray) -> np.ndarray:
    """`base` (V, 3) moved towards `color` by `share` (V,) in 0..1."""
    return base + share[:, None] * (np.asarray(color, float) - base)


def blob(place: np.ndarray, centre: tuple[float, float, float], width: float) -> np.ndarray:
    """1 at `centre` and at its mirror image, falling off like a bell of the given width (metres)."""
    mirrored = np.c_[np.abs(place[:, 0]), place[:, 1:]]
    return np.exp(-0.5 * ((mirrored - np.array(centre)) ** 2).sum(1) / width**2)


def waves(place: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """Smooth noise in about -1..1 with features of `scale` metres."""
    random = np.random.default_rng(seed)
    directions = random.normal(size=(12, 3)) / scale
    return np.sin(place @ directions.T + random.uniform(0, 2 * np.pi, 12)).sum(1) / np.sqrt(12)


def paint_skin(
    palette: Palette,
    place: np.ndarray,
    masks: dict[str, np.ndarray],
    light: np.ndarray,
    hair: np.ndarray,
    thin: float = 0.0,
) -> np.ndarray:
    """Skin colours (V, 3) for vertices at `place` of the reference head.

    `masks` are MakeHuman's in 0..1, `light` the share of open sky (V,), `hair` metres above the hair line (V,),
    `thin` the share of hair that is gone on top.
    """
    skin = np.array(palette.skin, float)
    blush = np.clip(skin * [1.02, 0.86, 0.84], 0, 255)
    color = np.tile(skin, (len(place), 1))
    color *= 1 + 0.018 * waves(place, 0.012, 1)[:, None] + 0.012 * waves(place, 0.005, 2)[:, None] * [1, 1.4, 1.4]
    color = mix(color, blush, 0.75 * blob(place, (0.045, -0.018, 0.08), 0.019))  # cheeks
    color = mix(color, blush, 0.7 * blob(place, (0.0, -0.018, 0.13), 0.012))  # tip of the nose
    color = mix(color, blush, 0.5 * blob(place, (0.012, -0.024, 0.115), 0.009))  # wings of the nose
    color = mix(color, blush, 0.6 * masks["ears"])
    color = mix(color, blush, 0.35 * blob(place, (0.0, -0.085, 0.11), 0.014))  # chin
    color = mix(color, skin * [0.86, 0.80, 0.80], 0.5 * blob(place, (0.030, 0.022, 0.09), 0.013))  # around the eyes
    jaw = smooth(place[:, 1], -0.03, -0.055) * smooth(place[:, 1], -0.125, -0.1) * smooth(place[:, 2], 0.0, 0.03)
    cheek = np.clip(1 - blob(place, (0.05, -0.035, 0.07), 0.02) * 1.2, 0, 1)
    color = mix(color, 0.62 * skin + 0.3 * np.array(palette.hair), 0.42 * palette.beard * jaw * cheek)
    color = mix(color, palette.lips, smooth(masks["lips"], 0.15, 0.85))
    corner = blob(place, (0.0268, -0.0498, 0.0975), 0.0016)
    color = mix(color, 0.66 * np.array(palette.lips), 0.75 * corner)
    color = mix(
        color,
        0.6 * skin + 0.25 * np.array(palette.hair),
        0.62 * smooth(hair, -0.010, 0.0) * (1 - thin * smooth(place[:, 1], 0.06, 0.09)),
    )
    shade = (0.86 + 0.14 * light)[:, None] ** [0.75, 1.0, 1.05]
    inside = masks["inside-mouth"]
    color *= shade + (1 - shade) * np.maximum(inside, masks["lips"])[:, None]
    depth = smooth(place[:, 2], 0.085, 0.04)
    mouth = np.outer(1 - 0.72 * depth, [158, 72, 70])
    return mix(color, mouth, smooth(inside, 0.3, 0.9))


def paint_eye(
    palette: Palette, radius: np.ndarray, angle: np.ndarray, rings: tuple[float, ...], spokes: int, place: np.ndarray
) -> np.ndarray:
    """Pupil, iris and white of one eye; rings with the same radius differ in what lies inside and outside of them."""
    ring = np.r_[0, 1 + np.repeat(np.arange((len(radius) - 1) // spokes), spokes)]
    first_iris = 1 + [k for k in range(1, len(rings)) if rings[k] == rings[k - 1]][0]
    first_white = 1 + [k for k in range(1, len(rings)) if rings[k] == rings[k - 1]][1]
    pupil, iris = rings[first_iris - 1], rings[first_white - 1]
    share = np.clip((radius - pupil) / (iris - pupil), 0, 1)
    streak = 0.5 * np.sin(9 * angle + 1.0) + 0.5 * np.sin(14 * angle + 4 * share)
    tone = np.array(palette.iris, float) * (1.28 - 0.35 * share + 0.12 * streak * (1 - share))[:, None]
    tone *= (1 - 0.6 * smooth(share, 0.72, 1.0))[:, None]
    color = np.tile(np.array(WHITE, float), (len(radius), 1))
    color = mix(color, (222, 196, 186), smooth(radius, 0.0095, 0.0150))
    color = mix(color, (196, 192, 190), 0.8 * smooth(radius, iris * 1.09, iris) * (ring >= first_white))
    color = np.where((ring < first_white)[:, None], tone, color)
    color = np.where((ring < first_iris)[:, None], np.array([14.0, 12.0, 12.0]), color)
    height = place[:, 1] - place[0, 1]
    return color * (1 - 0.30 * smooth(height, 0.0005, 0.0065))[:, None]  # the upper lid's shadow


def paint_hair(
    palette: Palette, style: HairStyle, place: np.ndarray, level: np.ndarray, over: np.ndarray
) -> np.ndarray:
    """The cap of hair (V, 3) in strands that run from the crown.

    `level` (V,) tells how near its border is, `over` (V,) how high it lies above the hair line, metres.
    """
    crown = np.array([0.006, 0.145, -0.035])
    way = place - crown
    turn = np.arctan2(way[:, 0], way[:, 2])
    strand = np.sin(7 * turn + 2 * waves(place, 0.05, 5)) * 0.5 + 0.5 * np.sin(12 * turn + 2 * waves(place, 0.04, 6))
    strand *= smooth(np.linalg.norm(way[:, [0, 2]], axis=1), 0.01, 0.03)
    color = np.outer(1 + 0.13 * strand, palette.hair)
    color *= (0.78 + 0.22 * smooth(over, 0.0, 0.05))[:, None]
    front = smooth(place[:, 2], 0.0, 0.05)
    color = mix(
        color, 0.72 * np.array(palette.skin, float), 0.62 * style.faded * (1 - 0.8 * front) * smooth(over, 0.05, 0.0)
    )
    bare = smooth(place[:, 1] + 0.35 * place[:, 2], 0.075, 0.115)
    # the scalp has the finish of hair, which light does not redden as it does skin
    color = mix(color, np.array(palette.skin, float) * [1.0, 0.96, 0.93], style.thin * bare)
    return mix(color, palette.skin, 0.22 * smooth(level, 0.004, 0.0))  # thin at its border


def paint_strands(palette: Palette, sheet: Sheet) -> np.ndarray:
    """Hair of a sheet, (rows * columns, 3): strands along its columns, darker inside and towards the ends."""
    rows, columns = sheet.place.shape[:2]
    random = np.random.default_rng(columns)
    strand = 0.09 * np.cos(np.pi * np.arange(columns)) + random.normal(0, 0.05, columns)
    tone = 1 + strand[None] + random.normal(0, 0.02, (rows, columns))
    tone *= np.linspace(1.0, 0.88, rows)[:, None]
    if sheet.inside:
        tone[-sheet.inside :] *= 0.75
    return (tone[..., None] * np.array(palette.hair, float)).reshape(-1, 3)


def paint_teeth(gum: np.ndarray, along: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Teeth that are warmer near the gum and darker towards the back of the mouth."""
    color = np.tile(np.array(TEETH, float), (len(gum), 1))
    color = mix(color, (236, 222, 198), 0.6 * (1 - along))
    color *= (1 - 0.07 * number)[:, None]
    return np.where(gum[:, None], np.array(GUM, float), color)


def paint_tongue(place: np.ndarray) -> np.ndarray:
    """A tongue that is darker at its root and along its middle groove."""
    color = np.outer(1 - 0.55 * smooth(place[:, 2], place[:, 2].max() - 0.02, place[:, 2].min()), TONGUE)
    return (
        color
        * (1 - 0.12 * np.exp(-0.5 * (place[:, 0] / 0.0025) ** 2))[:, None]
        * (1 + 0.03 * waves(place, 0.003, 9))[:, None]
    )


def paint_brows(palette: Palette, skin: np.ndarray, share: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """Brows between the colour of the hair and a darker one, `share` (V,) of it over the colours `skin` (V, 3)."""
    tone = np.array(palette.hair, float) * 0.74 + 0.10 * np.array(palette.skin, float)
    return skin + share[:, None] * (np.outer(0.82 + 0.36 * shade, tone) - skin)


def paint_clothing(palette: Palette, on_band: np.ndarray, place: np.ndarray) -> np.ndarray:
    """A plain shirt with a slightly darker collar band that fades into the dark at its lower border."""
    color = np.tile(np.array(palette.shirt, float), (len(on_band), 1)) * (1 + 0.03 * waves(place, 0.006, 11))[:, None]
    color *= np.where(on_band, 0.86, 1.0)[:, None]
    return color * (1 - 0.55 * smooth(place[:, 1], -0.24, -0.33))[:, None]

"""The groups of shapes that a person's way of moving the face is told by: how far, how wide, how round, how lively.

A gain scales what a group's shapes do; an offset adds to them, a positive one to some and a negative one to others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

#: What a gain scales, in the order in which people think of it. "overall" is every shape of the lower face, "head" the
#: turns of the head, which are no shapes.
GAIN_GROUPS: tuple[str, ...] = tuple("overall jaw spread rounding upper_lip corners brows blinks head".split())
#: What an offset moves.
OFFSET_GROUPS: tuple[str, ...] = tuple("jaw spread rounding upper_lip corners brows blinks".split())
#: Shapes whose names begin so belong to the upper face; the others to the lower face.
UPPER_FACE = ("brow", "eye", "cheekSquint", "noseSneer")
#: Group -> the shapes that its gain scales; without a side: Left and Right. A smile both widens the mouth and raises
#: its corners, so it is in two groups. The lower lip goes with the jaw, as in people.
SHAPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "jaw": ("jawOpen", "jawForward", "mouthClose", "mouthLowerDown"),
        "spread": ("mouthStretch", "mouthSmile", "mouthDimple"),
        "rounding": ("mouthPucker", "mouthFunnel"),
        "upper_lip": ("mouthUpperUp", "mouthShrugUpper"),
        "corners": ("mouthSmile", "mouthFrown"),
        "brows": ("browDown", "browInnerUp", "browOuterUp"),
        "blinks": ("eyeBlink",),
    }
)
#: Group -> weights that an offset of 1 adds, and weights that an offset of -1 adds.
ADDED: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = MappingProxyType(
    {
        "jaw": ({"jawOpen": 0.5}, {"mouthClose": 0.5}),
        "spread": ({"mouthStretch": 0.7}, {"mouthPucker": 0.5}),
        "rounding": ({"mouthPucker": 0.7}, {"mouthStretch": 0.5}),
        "upper_lip": ({"mouthUpperUp": 0.7}, {"mouthRollUpper": 0.5}),
        "corners": ({"mouthSmile": 0.8}, {"mouthFrown": 1.0}),
        "brows": ({"browInnerUp": 0.8, "browOuterUp": 0.8}, {"browDown": 1.0}),
        "blinks": ({"eyeBlink": 0.6}, {"eyeWide": 0.8}),
    }
)


def sided(name: str, names: Sequence[str]) -> list[str]:
    """Return the shapes that `name` stands for among `names`: itself, or its left and right side."""
    return [one for one in (name, f"{name}Left", f"{name}Right") if one in names]


def group_rows(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return which shapes each group scales.

    Args:
        names: of S shapes.

    Returns:
        Group -> (S,) bool, for all of `GAIN_GROUPS` but "head".
    """
    lower = np.array([not name.startswith(UPPER_FACE) for name in names])
    rows = {"overall": lower}
    for group, shapes in SHAPES.items():
        scaled = {one for shape in shapes for one in sided(shape, names)}
        rows[group] = np.array([name in scaled for name in names])
    return rows


def weights_of(shapes: Mapping[str, float], names: Sequence[str]) -> np.ndarray:
    """Return weights (S,) over `names`; a shape without its side stands for both sides, an absent one is left out."""
    weights = np.zeros(len(names))
    for shape, weight in shapes.items():
        for one in sided(shape, names):
            weights[list(names).index(one)] += weight
    return weights


def added_rows(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return what offsets of 1 and of -1 add to the weights of `names`: (groups, S) each, by `OFFSET_GROUPS`."""
    up, down = (np.stack([weights_of(ADDED[group][way], names) for group in OFFSET_GROUPS]) for way in (0, 1))
    return up, down

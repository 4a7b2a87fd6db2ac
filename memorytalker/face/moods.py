"""Moods: six emotions and calm as poses of the 52 curves, laid over speech.

The poses are made of the action units that people use for an emotion (`ACTION_UNITS`), drawn with ARKit's shapes and
adjusted on the shipped head by eye. Speech has the mouth: while somebody speaks a mood's mouth counts by a third, lips
are parted by speech alone, and `mouth_contacts` keeps every contact. Brows, eyes, nose and cheeks follow in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from memorytalker.face.shape_groups import weights_of
from memorytalker.options import MOODS

#: Emotion -> action units that more than 70 % of 230 people show, and in brackets those that fewer show. Du, Tao and
#: Martinez 2014, doi:10.1073/pnas.1322355111, Table 1. "joy" is "happy" there. Calm is no row of it.
ACTION_UNITS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = MappingProxyType(
    {
        "joy": ((12, 25), (6,)),
        "sadness": ((4, 15), (1, 6, 11, 17)),
        "fear": ((1, 4, 20, 25), (2, 5, 26)),
        "anger": ((4, 7, 24), (10, 17, 23)),
        "surprise": ((1, 2, 25, 26), (5,)),
        "disgust": ((9, 10, 17), (4, 24)),
    }
)
#: Action unit -> the shapes that show it. What parts the lips (25, 26) and the chin (17) are left to speech.
SHAPES_OF_UNIT: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        1: ("browInnerUp",),
        2: ("browOuterUp",),
        4: ("browDown",),
        5: ("eyeWide",),
        6: ("cheekSquint",),
        7: ("eyeSquint",),
        9: ("noseSneer",),
        10: ("mouthUpperUp",),
        11: ("noseSneer",),
        12: ("mouthSmile",),
        15: ("mouthFrown",),
        20: ("mouthStretch",),
        23: ("mouthPress",),
        24: ("mouthPress",),
    }
)
#: Mood -> weights at full strength; a shape without its side stands for both sides.
POSES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        # Cheeks and lower lids carry it while the mouth speaks; stronger, the eyes look doubtful.
        "joy": {"mouthSmile": 0.6, "cheekSquint": 0.8, "eyeSquint": 0.45, "browOuterUp": 0.15, "browInnerUp": 0.1},
        "sadness": {"browInnerUp": 0.75, "browDown": 0.25, "mouthFrown": 0.7, "eyeBlink": 0.18, "cheekSquint": 0.1},
        "fear": {"browInnerUp": 0.8, "browOuterUp": 0.35, "browDown": 0.25, "eyeWide": 0.7, "mouthStretch": 0.55},
        "anger": {"browDown": 0.9, "eyeSquint": 0.5, "noseSneer": 0.25, "mouthPress": 0.35, "mouthFrown": 0.25},
        "surprise": {"browInnerUp": 0.8, "browOuterUp": 0.85, "eyeWide": 0.75},
        "disgust": {"noseSneer": 0.9, "mouthUpperUp": 0.45, "browDown": 0.45, "eyeSquint": 0.35, "cheekSquint": 0.3},
        "calm": {"eyeBlink": 0.1, "mouthSmile": 0.12, "browInnerUp": 0.05},
    }
)
#: Shapes of the mouth, by the beginnings of their names: while somebody speaks they count by `SPEAKING_SHARE`.
MOUTH = ("mouth", "jaw")
SPEAKING_SHARE = 1 / 3


def mood_weights(
    strengths: np.ndarray, speaking: np.ndarray, names: Sequence[str], moods: Sequence[str] = MOODS
) -> np.ndarray:
    """Compute what moods add to curves.

    Args:
        strengths: (T, m) of each of `moods`, 0 to 1.
        speaking: (T,) from 0, silence, to 1, speech.
        names: of the S shapes.
        moods: names of the m moods.

    Returns:
        (T, S) weights, 0 or more. Where moods are mixed and their strengths add up to more than 1, they share it.
    """
    poses = np.stack([weights_of(POSES[mood], names) for mood in moods])
    total = strengths.sum(axis=1, keepdims=True)
    weights = (strengths / np.maximum(total, 1.0)) @ poses
    mouth = np.array([name.startswith(MOUTH) for name in names])
    share = 1.0 - (1.0 - SPEAKING_SHARE) * np.asarray(speaking, float)
    return np.where(mouth, share[:, None] * weights, weights)


def with_moods(curves: np.ndarray, added: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Lay moods over curves.

    A lid that closes closes all the way: what a mood does to the eyes gives way to a blink.

    Args:
        curves: (T, S) weights in [0, 1].
        added: (T, S) as `mood_weights` returns it.
        names: of the shapes.

    Returns:
        (T, S) weights in [0, 1].
    """
    weights = curves + added
    for side in ("Left", "Right"):
        if f"eyeBlink{side}" not in names:
            continue
        lid = list(names).index(f"eyeBlink{side}")
        open_share = 1.0 - curves[:, lid]
        weights[:, lid] = curves[:, lid] + open_share * added[:, lid]
        for other in (f"eyeWide{side}", f"eyeSquint{side}"):
            if other in names:
                column = list(names).index(other)
                weights[:, column] = curves[:, column] + open_share * added[:, column]
    return np.clip(weights, 0.0, 1.0)

"""Write what the browser needs of the shipped head: `python -m tools.web.tables` makes the tables of web/src again.

viseme_table.js is for finding visemes, delivery_table.js for a style's gains, offsets and moods.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.face import moods, mouth_contacts
from memorytalker.face.head import load_head
from memorytalker.face.shape_groups import OFFSET_GROUPS, added_rows, group_rows
from memorytalker.face.visemes import VISEMES, VRM_PRESETS, VisemeSolver, vrm_presets
from memorytalker.phones import ENGLISH
from memorytalker.styles.arousal import REACH
from memorytalker.styles.delivery import EASE_SECONDS, LARGEST_GAIN
from memorytalker.styles.live_delivery import SPEAKING_SECONDS

SOURCES = Path(__file__).resolve().parents[2] / "web" / "src"
TABLE, DELIVERY_TABLE = SOURCES / "viseme_table.js", SOURCES / "delivery_table.js"
#: Digits of the numbers, which count metres on the head.
DIGITS = 12


def table() -> str:
    """Return the text of the file."""
    head = load_head()
    solver = VisemeSolver.on(head)
    vowels = vrm_presets(np.eye(len(VISEMES)))
    mix = {
        preset: {viseme: round(float(share), 4) for viseme, share in zip(VISEMES, column, strict=True) if share}
        for preset, column in zip(VRM_PRESETS, vowels.T, strict=True)
    }
    parts = {
        "SHAPES": list(head.blendshape_names),
        "VISEMES": list(VISEMES),
        "MEASURES": _rounded(solver.measures),
        "TRIANGLE": _rounded(solver.triangle),
        "VRM": mix,
    }
    return _text(parts, "visemes.js")


def delivery_table() -> str:
    """Return the text of the file for styles. Shapes are given by their place in NAMES; metres on the head."""
    contacts = mouth_contacts.mouth_contacts(load_head())
    names = contacts.names
    up, down = added_rows(names)
    poses = np.stack([moods.weights_of(moods.POSES[mood], names) for mood in moods.MOODS])
    parts = {
        "NAMES": list(names),
        "SCALED": {group: np.flatnonzero(row).tolist() for group, row in group_rows(names).items()},
        "ADDED": {group: [_pairs(up[k]), _pairs(down[k])] for k, group in enumerate(OFFSET_GROUPS)},
        "MOODS": {mood: _pairs(pose) for mood, pose in zip(moods.MOODS, poses, strict=True)},
        "MOUTH": _places(names, moods.MOUTH),
        "PARTING": _places(names, mouth_contacts.PARTING),
        "SPEAKING_SHARE": moods.SPEAKING_SHARE,
        "SPEAKING_SECONDS": SPEAKING_SECONDS,
        "EASE_SECONDS": EASE_SECONDS,
        "LARGEST_GAIN": LARGEST_GAIN,
        "AROUSAL_REACH": REACH,
        "SILENCE": ENGLISH.silence,
        "OPENINGS": _rounded(contacts.openings, 9),
        "MIDDLE": _rounded(contacts.middle[None], 9)[0],
        "LOWERING": _rounded(contacts.lowering[None], 9)[0],
        "TEETH_REST": round(contacts.teeth_rest, 9),
    }
    parts |= {name: getattr(mouth_contacts, name) for name in ("CLOSED", "FREE", "AT_TEETH", "OFF_TEETH")}
    return _text(parts, "delivery.js")


def _text(parts: dict[str, Any], reader: str) -> str:
    lines = [f"// Made by tools/web/tables.py from the shipped head; see {reader}."]
    lines += [f"export const {name} = {json.dumps(value, separators=(',', ':'))};" for name, value in parts.items()]
    return "\n".join(lines) + "\n"


def _places(names: Sequence[str], beginnings: tuple[str, ...]) -> list[int]:
    return [k for k, name in enumerate(names) if name.startswith(beginnings)]


def _pairs(weights: np.ndarray) -> list[list[float]]:
    return [[int(k), round(float(weights[k]), 6)] for k in np.flatnonzero(weights)]


def _rounded(values: np.ndarray, digits: int = DIGITS) -> list[list[float]]:
    return [[float(f"{value:.{digits}f}") + 0.0 for value in row] for row in values.tolist()]


def main() -> None:
    """Write the files."""
    TABLE.write_text(table(), encoding="utf-8")
    DELIVERY_TABLE.write_text(delivery_table(), encoding="utf-8")


if __name__ == "__main__":
    main()

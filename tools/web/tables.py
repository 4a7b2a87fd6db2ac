"""Write web/src/viseme_table.js, by which the browser finds visemes: `python -m tools.web.tables` makes it again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from memorytalker.face.head import load_head
from memorytalker.face.visemes import VISEMES, VRM_PRESETS, VisemeSolver, vrm_presets

TABLE = Path(__file__).resolve().parents[2] / "web" / "src" / "viseme_table.js"
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
    lines = ["// Made by tools/web/tables.py from the shipped head; see visemes.js."]
    lines += [f"export const {name} = {json.dumps(value, separators=(',', ':'))};" for name, value in parts.items()]
    return "\n".join(lines) + "\n"


def _rounded(values: np.ndarray) -> list[list[float]]:
    return [[float(f"{value:.{DIGITS}f}") + 0.0 for value in row] for row in values.tolist()]


def main() -> None:
    """Write the file."""
    TABLE.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()

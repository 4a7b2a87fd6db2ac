"""The list of the pictures in README: what each file of assets/readme is made by and of, with its sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "readme"
ORIGIN = """# The pictures of README

`talk.gif` is made by `tools/page/readme_video.py`, the others by `tools/page/screenshots.py`: with the product itself,
from the voices of assets/speech (CC0 and CC BY 4.0, as the README there says), the clips of assets/ground_truth and the
open head (CC0). CC0 as well.

```
{}
```
"""


def write_list() -> None:
    """Write assets/readme/README.md anew from the files that are there."""
    files = sorted(path for path in FOLDER.iterdir() if path.suffix in {".gif", ".webp", ".png"})
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files]
    (FOLDER / "README.md").write_text(ORIGIN.format("\n".join(lines)), encoding="utf-8")

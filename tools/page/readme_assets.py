"""The list of the images in README: what each file of assets/readme is made by and of, with its sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "readme"
ORIGIN = """# The images of README and of docs/styles.md

`tools/page/readme_video.py` makes `talk.gif`, `tools/page/style_pictures.py` what is called `style_*` (for
docs/styles.md), and `tools/page/screenshots.py` the others. They show the product itself
with the voices of assets/speech (CC0 and CC BY 4.0, as the README there says), the clips of assets/ground_truth and the
open head (CC0). The images are CC0 too.

```
{}
```
"""


def write_list() -> None:
    """Rewrite assets/readme/README.md from the files in its folder."""
    files = sorted(path for path in FOLDER.iterdir() if path.suffix in {".gif", ".webp", ".png"})
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files]
    (FOLDER / "README.md").write_text(ORIGIN.format("\n".join(lines)), encoding="utf-8")

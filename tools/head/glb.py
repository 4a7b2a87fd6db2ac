"""Make `assets/head/head.glb`, the open head for other programs, from `assets/head`. Run by hand after a change of it:

    python -m tools.head.glb [--output assets/head/head.glb]

Every run gives the same bytes. It also updates the digest of the file in the README beside it and in that of the
assets.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

from memorytalker.exports.gltf import head_glb
from memorytalker.face.head import HEAD_FOLDER, HeadMesh, load_head
from memorytalker.face.visemes import VISEME_CURVES, viseme_recipe
from memorytalker.files import write_whole
from tools.head.store import record, steady

COPYRIGHT = "No rights reserved: CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/"


def main() -> None:
    """Make the file, update the READMEs and print its digest."""
    parser = argparse.ArgumentParser(description="Make the GLB file of the open head.")
    parser.add_argument("--output", type=Path, default=HEAD_FOLDER / "head.glb")
    path = parser.parse_args().output
    data = shipped_glb()
    write_whole(path, lambda part: part.write_bytes(data))
    digest = hashlib.sha256(data).hexdigest()
    for page, name in ((path.parent / "README.md", ""), (path.parents[1] / "README.md", f"{path.parent.name}/")):
        record(page, f"{name}{path.name}", digest)
    print(digest, path.name)


def shipped_glb() -> bytes:
    """Return the content of `head.glb`: the head's default identity, the 52 shapes of ARKit and the 15 visemes."""
    head = load_head()
    return head_glb(head, _steady_visemes(head), "MemoryTalker, tools/head/glb.py", COPYRIGHT)


def _steady_visemes(head: HeadMesh) -> dict[str, np.ndarray]:
    """The visemes in double precision, rounded, so that the order of summation changes no byte on any processor."""
    recipe = viseme_recipe(head.blendshape_names)
    poses = np.einsum("ps,svx->pvx", recipe, head.blendshapes.astype(np.float64))
    return {name: steady(pose).astype(np.float32) for name, pose in zip(VISEME_CURVES, poses, strict=True)}


if __name__ == "__main__":
    main()

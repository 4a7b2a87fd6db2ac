"""Make `assets/head/head.glb`, the open head for other programs, from `assets/head`. Run by hand after a change of it:

    python -m tools.head.glb [--output assets/head/head.glb]

Every run gives the same bytes. It also updates the digest of the file in the README beside it and in that of the
assets.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from memorytalker.exports.gltf import head_glb
from memorytalker.face.head import HEAD_FOLDER, HeadMesh, load_head
from memorytalker.files import write_whole
from tools.head.store import record, steady

COPYRIGHT = "No rights reserved: CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/"
#: Viseme of Oculus and OpenXR -> weights of ARKit's shapes; a name without its side means both sides.
#: Source: the weights of build-visemes-from-arkit.py in https://github.com/met4citizen/TalkingHead (MIT).
POSES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "sil": {},
        "PP": {"mouthRollLower": 0.8, "mouthRollUpper": 0.8, "mouthUpperUp": 0.3},
        "FF": {
            "mouthPucker": 1.0,
            "mouthShrugUpper": 1.0,
            "mouthLowerDown": 0.2,
            "mouthDimple": 1.0,
            "mouthRollLower": 1.0,
        },
        "TH": {"mouthRollUpper": 0.6, "jawOpen": 0.2, "tongueOut": 0.4},
        "DD": {"mouthPress": 0.8, "mouthFunnel": 0.5, "jawOpen": 0.2},
        "kk": {"mouthLowerDown": 0.4, "mouthDimple": 0.3, "mouthFunnel": 0.3, "mouthPucker": 0.3, "jawOpen": 0.15},
        "CH": {"mouthPucker": 0.5, "jawOpen": 0.2},
        "SS": {"mouthPress": 0.8, "mouthLowerDown": 0.5, "jawOpen": 0.1},
        "nn": {
            "mouthLowerDown": 0.4,
            "mouthDimple": 0.3,
            "mouthFunnel": 0.3,
            "mouthPucker": 0.3,
            "jawOpen": 0.15,
            "tongueOut": 0.2,
        },
        "RR": {"mouthPucker": 0.5, "jawOpen": 0.2},
        "aa": {"jawOpen": 0.6},
        "E": {"mouthPress": 0.8, "mouthDimple": 1.0, "jawOpen": 0.3},
        "I": {"mouthPress": 0.6, "mouthDimple": 0.6, "jawOpen": 0.2},
        "O": {"mouthPucker": 1.0, "jawForward": 0.6, "jawOpen": 0.2},
        "U": {"mouthFunnel": 1.0},
    }
)


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
    return head_glb(head, viseme_targets(head), "MemoryTalker, tools/head/glb.py", COPYRIGHT)


def viseme_targets(head: HeadMesh) -> dict[str, np.ndarray]:
    """Return the offsets (V, 3) in metres of the visemes in the order of `POSES`, by names such as "viseme_aa"."""
    targets = {}
    for viseme, pose in POSES.items():
        offsets = np.zeros(head.template.shape, np.float64)
        for shape, weight in pose.items():
            sides = [shape] if shape in head.blendshape_names else [f"{shape}Left", f"{shape}Right"]
            for name in sides:
                offsets += weight * head.blendshape(name)
        targets[f"viseme_{viseme}"] = steady(offsets).astype(np.float32)
    return targets


if __name__ == "__main__":
    main()

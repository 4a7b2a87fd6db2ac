"""Small images of the shipped people, to be compared with stored ones: see fixtures/images/README.md.

`python tests/rendered_images.py` makes the stored ones again; look at every one of them before you keep it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from memorytalker.face.head import HeadMesh, load_head
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames

FOLDER = Path(__file__).resolve().parent / "fixtures" / "images"
#: A pixel is off where one of its channels differs by more than this, of 255.
FAR = 16


@dataclass(frozen=True)
class View:
    """One image: who, seen from where, with which blendshapes at which weights."""

    identity: str
    camera: str = "front"
    curves: Mapping[str, float] = field(default_factory=dict)


SMILE = {
    "mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6, "browInnerUp": 0.8,
    "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8, "eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5,
}  # fmt: skip
VIEWS = {
    "ada_front": View("ada"),
    "ada_front_open": View("ada", curves={"jawOpen": 0.8, "mouthUpperUpLeft": 0.5, "mouthUpperUpRight": 0.5}),
    "ada_profile": View("ada", "profile"),
    "omar_front": View("omar"),
    "omar_three_quarter_smile": View("omar", "three_quarter", SMILE),
}
OPTIONS = {"width": 144, "height": 144}


def image(view: View, head: HeadMesh | None = None) -> np.ndarray:
    """The image of a view, (H, W, 3) uint8."""
    person = (load_head() if head is None else head).with_identity(view.identity)
    moved = sum((np.float32(weight) * person.blendshape(name) for name, weight in view.curves.items()), np.float32(0))
    options = RenderOptions(**OPTIONS, camera=view.camera)
    return next(iter(render_frames(person, (person.template + moved)[None], options)))


def stored(name: str) -> np.ndarray:
    """The stored image of that name, (H, W, 3) uint8."""
    with Image.open(FOLDER / f"{name}.png") as image:
        return np.asarray(image.convert("RGB"))


def difference(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """How two images differ: mean of all channels in levels of 255, and the share of pixels that are off."""
    apart = np.abs(one.astype(int) - other.astype(int))
    return float(apart.mean()), float((apart.max(axis=-1) > FAR).mean())


def main() -> None:
    """Make the stored images again."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, view in VIEWS.items():
        Image.fromarray(image(view)).save(FOLDER / f"{name}.png", optimize=True)
        print(f"{FOLDER / name}.png")


if __name__ == "__main__":
    main()

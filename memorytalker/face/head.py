"""The head: a mesh with named parts, regions, landmarks, blendshapes and identities.

The shipped head is read from `assets/head` and validated. Frame of reference: metres, y up, the face towards +z, the
head's own left towards +x, the origin midway between the ear openings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memorytalker.errors import InputError
from memorytalker.face.array_files import ArrayFileError, open_arrays
from memorytalker.face.frames import frame_by_frame
from memorytalker.files import read_json
from memorytalker.places import assets_folder, remedy

if TYPE_CHECKING:
    from memorytalker.face.rig import HeadRig

_SHIPPED = "assets/head"
#: Folder of the shipped head.
HEAD_FOLDER = assets_folder("head")
#: The 52 blendshapes of ARKit, which the shipped head has.
ARKIT_NAMES: tuple[str, ...] = tuple(
    "browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft "
    "cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight "
    "eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft "
    "eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft "
    "mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight "
    "mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft "
    "mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft "
    "noseSneerRight tongueOut".split()
)
PART_NAMES = ("skin", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue")
REGION_NAMES = ("lips", "inner_lips", "outer_lips", "lower_face", "upper_face", "eyelids")
LANDMARK_NAMES = (
    "inner_lip_upper",
    "inner_lip_lower",
    "mouth_left",
    "mouth_right",
    "chin",
    "nose_bridge",
    "eye_left_outer",
    "eye_right_outer",
    "upper_teeth",
)
#: Largest coordinate of a head in metres, shoulders included.
LARGEST_EXTENT = 0.6
_FORMAT = 1


class HeadError(InputError):
    """A head that cannot be used; the message says in one sentence what is wrong."""


class Landmarks(dict[str, int]):
    """Landmark name -> vertex index. A missing name raises HeadError."""

    def __missing__(self, name: str) -> int:
        raise HeadError(f"This head has no landmark {name!r}; {_listed('landmarks', self)}")


class Regions(dict[str, np.ndarray]):
    """Region name -> vertex indices. A missing name raises HeadError."""

    def __missing__(self, name: str) -> np.ndarray:
        raise HeadError(f"This head has no region {name!r}; {_listed('regions', self)}")


def _listed(kind: str, names: Mapping[str, object]) -> str:
    return f"it has {', '.join(names)}." if names else f"it names no {kind}."


@dataclass(frozen=True, eq=False)
class HeadMesh:
    """A head of V vertices and F triangles, neutral, mouth closed. Arrays are read-only.

    A head made from a user's mesh (`mesh_files.load_mesh_head`) has one part, "skin", no blendshapes, and regions and
    landmarks only if they are known; asking for a missing one raises HeadError.

    Args:
        template: (V, 3) float32 in metres, the neutral face of `identity`.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        parts: part name -> vertex indices.
        colors: (V, 3) uint8 sRGB, unlit base colours of `identity`.
        blendshape_names: the 52 ARKit names, in the order of `blendshapes`; or none.
        blendshapes: (52, V, 3) float32, metres from the template at weight 1; or (0, V, 3).
        regions: region name -> vertex indices.
        landmarks: landmark name -> vertex index.
        identities: identity name -> template (V, 3); the first is the default.
        identity_colors: identity name -> colours (V, 3) uint8.
        base_index: (V,) nearest vertex in the numbering of MakeHuman's base.obj, -1 if there is none.
        descriptions: identity name -> a few words for readers.
        identity: the identity of `template` and `colors`.
        motion_mix: (K, 52) float64, the basis of speech motion as a mix of the blendshapes (`motion_space`); None if
            the head has none.
        rig: what a user's own head brings besides (`rigged_head.load_rigged_head`); None for any other.
    """

    template: np.ndarray
    faces: np.ndarray
    parts: Mapping[str, np.ndarray]
    colors: np.ndarray
    blendshape_names: tuple[str, ...]
    blendshapes: np.ndarray
    regions: Regions
    landmarks: Landmarks
    identities: Mapping[str, np.ndarray]
    identity_colors: Mapping[str, np.ndarray]
    base_index: np.ndarray
    descriptions: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    motion_mix: np.ndarray | None = None
    rig: HeadRig | None = None

    @property
    def vertex_count(self) -> int:
        """Number of vertices, V."""
        return len(self.template)

    def with_identity(self, name: str) -> HeadMesh:
        """Return the head with the template and colours of another identity; HeadError if there is none."""
        if name not in self.identities:
            raise HeadError(f"There is no identity {name!r}; choose one of {', '.join(self.identities)}.")
        return replace(self, template=self.identities[name], colors=self.identity_colors[name], identity=name)

    def blendshape(self, name: str) -> np.ndarray:
        """Return the offsets (V, 3) in metres of a blendshape at weight 1; HeadError if there is none."""
        if not self.blendshape_names:
            raise HeadError(f"This head has no blendshapes, so none called {name!r}; the shipped head has them.")
        if name not in self.blendshape_names:
            known = "it lacks that one" if name in ARKIT_NAMES else "the names are those of ARKit, such as 'jawOpen'"
            raise HeadError(f"This head has no blendshape {name!r}; {known}.")
        return self.blendshapes[self.blendshape_names.index(name)]

    def offsets(self, weights: np.ndarray) -> np.ndarray:
        """Apply blendshape weights.

        Args:
            weights: (T, 52), in the order of `blendshape_names`.

        Returns:
            Offsets (T, V, 3) float32 in metres from the template. A frame's bits do not depend on the other frames.

        Raises:
            HeadError: weights of another shape, or a head without blendshapes.
        """
        if not self.blendshape_names:
            raise HeadError("This head has no blendshapes, so face curves cannot move it; the shipped head has them.")
        weights = np.asarray(weights, np.float32)
        if weights.ndim != 2 or weights.shape[1] != len(self.blendshape_names):
            raise HeadError(f"Face curves need the shape (T, {len(self.blendshape_names)}), not {weights.shape}.")
        flat = self.blendshapes.reshape(len(self.blendshape_names), -1)
        return frame_by_frame(weights, flat).reshape(len(weights), self.vertex_count, 3)


def load_head(path: Path | None = None) -> HeadMesh:
    """Read and validate a head.

    Args:
        path: a folder with `head.npz` and `head.json`; None: the shipped head.

    Returns:
        The head, with its default identity.

    Raises:
        HeadError: a file that is missing or damaged, or does not describe a usable head.
    """
    folder = HEAD_FOLDER if path is None else Path(path)
    description, arrays = _read_description(folder / "head.json"), _read_arrays(folder / "head.npz")
    _check_digest(folder, description)
    try:
        head = _assemble(description, arrays, folder)
        _validate(head, folder)
    except HeadError:
        raise
    except KeyError as error:
        raise HeadError(f"The head in {folder} is incomplete ({error}); run tools/head/build.py again.") from None
    except (TypeError, IndexError, ValueError, AttributeError, OverflowError):
        raise HeadError(f"The head in {folder} is incomplete or damaged; run tools/head/build.py again.") from None
    return head


def _read_description(path: Path) -> dict:
    try:
        description = read_json(path)
    except FileNotFoundError:
        raise HeadError(f"There is no head description {path}; {remedy(_SHIPPED)}.") from None
    except (OSError, ValueError):
        raise HeadError(f"The head description {path} is not readable JSON; {remedy(_SHIPPED)}.") from None
    if not isinstance(description, dict) or description.get("format") != _FORMAT:
        raise HeadError(f"{path} does not describe a head of format {_FORMAT}; run tools/head/build.py again.")
    return description


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise HeadError(f"There is no head mesh {path}; {remedy(_SHIPPED)}.")
    try:
        archive = open_arrays(path)
        return {name: archive.read(name) for name in archive.headers}
    except ArrayFileError:
        raise HeadError(f"The head mesh {path} is damaged; {remedy(_SHIPPED)}.") from None


def _check_digest(folder: Path, description: dict) -> None:
    digest = hashlib.sha256((folder / "head.npz").read_bytes()).hexdigest()
    if description.get("sha256") != digest:
        raise HeadError(f"{folder / 'head.npz'} is not the file that head.json describes; restore both together.")


def _assemble(description: dict, arrays: dict[str, np.ndarray], folder: Path) -> HeadMesh:
    if not all(array.dtype.kind in "fiu" for array in arrays.values()):
        raise TypeError("arrays that are no numbers")
    count = len(arrays["base_index"])
    identities = {i["name"]: arrays["templates"][k] for k, i in enumerate(description["identities"])}
    palette = {i["name"]: arrays["colors"][k] for k, i in enumerate(description["identities"])}
    first = description["identities"][0]["name"]
    names = tuple(description["blendshapes"])
    if sorted(names) != sorted(ARKIT_NAMES):
        raise HeadError(f"The head in {folder} cannot be used: its blendshapes are not the 52 of ARKit.")
    if identities[first].shape != (count, 3):  # before memory is taken for so many
        raise HeadError(f"The head in {folder} cannot be used: identity {first} has the wrong shape.")
    shapes = np.zeros((len(names), count, 3), np.float32)
    bounds = arrays["shape_bounds"]
    for k in range(len(names)):  # stored sparse: indices and offsets of the vertices that move
        span = slice(int(bounds[k]), int(bounds[k + 1]))
        shapes[k, arrays["shape_vertices"][span]] = arrays["shape_offsets"][span]
    shapes.setflags(write=False)
    return HeadMesh(
        template=identities[first],
        faces=arrays["faces"],
        parts={name: arrays[f"part_{name}"] for name in description["parts"]},
        colors=palette[first],
        blendshape_names=names,
        blendshapes=shapes,
        regions=Regions({name: arrays[f"region_{name}"] for name in description["regions"]}),
        landmarks=Landmarks({name: int(index) for name, index in description["landmarks"].items()}),
        identities=identities,
        identity_colors=palette,
        base_index=arrays["base_index"],
        descriptions={i["name"]: i["description"] for i in description["identities"]},
        identity=first,
        motion_mix=arrays["motion_mix"],
    )


def _validate(head: HeadMesh, folder: Path) -> None:
    """Raise HeadError unless names, shapes, types and ranges are those a head must have."""
    count = len(head.base_index)

    def require(condition: bool, what: str) -> None:
        if not condition:
            raise HeadError(f"The head in {folder} cannot be used: {what}.")

    for kind, wanted, have in (
        ("part", PART_NAMES, head.parts),
        ("region", REGION_NAMES, head.regions),
        ("landmark", LANDMARK_NAMES, head.landmarks),
    ):
        missing = [name for name in wanted if name not in have]
        require(not missing, f"it has no {kind} {', '.join(missing)}")
    require(sorted(head.blendshape_names) == sorted(ARKIT_NAMES), "its blendshapes are not the 52 of ARKit")
    require(head.faces.ndim == 2 and head.faces.shape[1] == 3 and len(head.faces) > 0, "its faces are not triangles")
    for name, template in head.identities.items():
        require(template.shape == (count, 3) and template.dtype == np.float32, f"identity {name} has the wrong shape")
        require(bool(np.isfinite(template).all()), f"identity {name} has coordinates that are not finite")
        require(float(np.abs(template).max()) < LARGEST_EXTENT, f"identity {name} is not in metres around its ears")
        colors = head.identity_colors[name]
        require(colors.shape == (count, 3) and colors.dtype == np.uint8, f"identity {name} has no colour per vertex")
    require(bool(np.isfinite(head.blendshapes).all()), "a blendshape has offsets that are not finite")
    require(float(np.abs(head.blendshapes).max()) < 0.1, "a blendshape moves a vertex by more than ten centimetres")
    mix = head.motion_mix
    fits = mix is not None and mix.ndim == 2 and 0 < len(mix) <= mix.shape[1] == len(head.blendshape_names)
    require(bool(fits and np.isfinite(mix).all()), "its basis of motion does not fit its blendshapes")  # type: ignore[arg-type]
    sets = {"faces": head.faces, **head.parts, **head.regions, "landmarks": np.array(list(head.landmarks.values()))}
    for name, indices in sets.items():
        inside = np.issubdtype(indices.dtype, np.integer) and indices.size > 0
        inside = inside and 0 <= int(indices.min()) and int(indices.max()) < count
        require(bool(inside), f"{name} points at vertices that do not exist")

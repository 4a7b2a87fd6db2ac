"""A head from a user's own glTF or VRM file, which curves animate by its own morph targets.

`load_rigged_head` reads it, `drive` turns curves into the weights of its own shapes, `curves_for` leaves out what it
lacks, and `describe_missing` says what that is. Frame of reference: metres, y up, face towards +z, as the scene has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.face.gltf_file import GltfError, read_gltf
from memorytalker.face.gltf_scene import read_scene
from memorytalker.face.head import ARKIT_NAMES, HeadError, HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.face.rig import HeadRig
from memorytalker.face.rig_mesh import (
    FARTHEST_OFFSET,
    add_targets,
    around_face,
    check_room,
    dressed,
    faces_backwards,
    gains_of,
    mesh_of,
    resting_targets,
    scale_of,
    stand,
)
from memorytalker.face.shape_names import VISEME_NAMES, VISEMES, find_controls

#: Curves of ARKit -> curves of the 15 visemes by name, such as "aa" or "viseme_aa".
Visemes = Callable[[FaceCurves], FaceCurves]
#: What is missing -> in plain words, by the beginning of ARKit's names.
_GROUPS = (
    ("tongue", ("tongue",)),
    ("brows", ("brow",)),
    ("eyelids", ("eyeBlink", "eyeSquint", "eyeWide")),
    ("moving eyes", ("eyeLook",)),
    ("cheeks", ("cheek",)),
    ("nose", ("nose",)),
    ("jaw", ("jaw",)),
    ("mouth shapes", ("mouth",)),
)


def load_rigged_head(path: Path, mapping: Path | Mapping[str, Any] | None = None) -> HeadMesh:
    """Read a user's own head.

    Args:
        path: a .glb, .gltf or .vrm file whose morph targets or expressions have names of ARKit, Oculus or VRM.
        mapping: a JSON file, or its content: own name -> ARKit name, or -> {ARKit name: gain}. None: names alone.

    Returns:
        The head, with its `rig`. Its blendshapes are the ARKit shapes it has, in the order of `ARKIT_NAMES`; those that
        it makes out of visemes or vowels are among them (`shape_names.VISEME_RECIPES`). Its one identity has the
        name of the file.

    Raises:
        HeadError: a file that cannot be used, or a mapping with unknown names; the message is one plain sentence.
    """
    path = Path(path)
    file = read_gltf(path)
    parts = read_scene(file)
    controls = find_controls(file, mapping)
    shapes = tuple(name for name in ARKIT_NAMES if any(name in control.recipe for control in controls))
    gains = [gains_of(controls, name) for name in shapes]
    check_room(file, parts, gains)
    turned = faces_backwards(file)
    vertices = stand(np.concatenate([part.vertices for part in parts]), turned)
    blendshapes = np.zeros((len(shapes), *vertices.shape), np.float32)
    for shape, each in zip(blendshapes, gains, strict=True):
        add_targets(shape, file, parts, each, turned)
    add_targets(vertices, file, parts, resting_targets(file, parts, controls), turned)
    scale, remarks = scale_of(vertices, blendshapes, file)
    kept, faces, cut = around_face(vertices * scale, blendshapes, parts)
    vertices, blendshapes = vertices[kept] * scale, blendshapes[:, kept]
    blendshapes *= scale
    largest = [float(np.abs(shape).max()) if shape.size else 0.0 for shape in blendshapes]
    if not np.isfinite(vertices).all() or not all(far <= FARTHEST_OFFSET for far in largest):
        raise GltfError(f"A shape of {file.name} moves vertices by more than {FARTHEST_OFFSET} m; leave it out.")
    moving = [k for k, far in enumerate(largest) if far > 1e-6]
    names = tuple(shapes[k] for k in moving)
    if not names:
        raise GltfError(f"The shapes of {file.name} move no vertex; export the head with its blendshapes (shape keys).")
    if len(moving) < len(shapes):
        blendshapes = blendshapes[moving]
    rig, colors = dressed(file, parts, controls, kept, vertices, faces, blendshapes)
    missing = tuple(name for name in ARKIT_NAMES if name not in names)
    rig = replace(rig, scale=scale, turned=turned, missing=missing, remarks=(*remarks, *cut))
    return mesh_of(path.stem, rig, vertices, faces, colors, names, blendshapes)


def drive(head: HeadMesh, curves: FaceCurves, visemes: Visemes | None = None) -> np.ndarray:
    """Turn curves into the weights of a head's own shapes. Curves that the head lacks are left out (`lost_curves`).

    Args:
        head: a head of `load_rigged_head`.
        curves: by ARKit's names.
        visemes: turns curves into the 15 visemes, for a head that has those or VRM's vowels instead of ARKit's mouth;
            None: the tables of `shape_names`, with which the head's own blendshapes agree.

    Returns:
        (T, n) float32, in the order of `head.rig.controls`.

    Raises:
        HeadError: a head without a rig, or visemes of other names.
    """
    rig = rig_of(head)
    weights = np.zeros((len(curves.weights), len(rig.controls)), np.float32)
    poses = None
    if visemes is not None and any(control.visemes for control in rig.controls):
        poses = visemes(curves)
        short = {VISEME_NAMES.get(name, name): name for name in poses.names}
        if len(poses.weights) != len(weights) or not set(short) <= set(VISEMES):
            raise HeadError(f"Visemes need a weight per frame and the names {', '.join(VISEMES)}.")
    for k, control in enumerate(rig.controls):
        if poses is not None and control.visemes:
            for name, gain in control.visemes.items():
                weights[:, k] += np.float32(gain) * poses.curve(short[name]) if name in short else np.float32(0)
            continue
        for shape, gain in control.recipe.items():
            if shape in curves.names:
                weights[:, k] += np.float32(gain) * curves.curve(shape)
    return weights


def curves_for(head: HeadMesh, curves: FaceCurves) -> FaceCurves:
    """Return the curves in the order of the head's blendshapes, without those that it lacks (`lost_curves`)."""
    shared = [name for name in curves.names if name in head.blendshape_names]
    if not shared:
        return FaceCurves(
            np.zeros((len(curves.weights), len(head.blendshape_names)), np.float32), head.blendshape_names, curves.fps
        )
    columns = curves.weights[:, [curves.names.index(name) for name in shared]]
    return FaceCurves(columns, tuple(shared), curves.fps).reordered(head.blendshape_names)


def lost_curves(head: HeadMesh, curves: FaceCurves) -> tuple[str, ...]:
    """Return the names of the curves that move something, but not this head."""
    return tuple(name for name in curves.names if name not in head.blendshape_names and curves.curve(name).any())


def describe_missing(head: HeadMesh) -> str:
    """Say in plain words which shapes of ARKit a head lacks and what stands in for them; "" if it lacks none."""
    missing = [name for name in ARKIT_NAMES if name not in head.blendshape_names]
    spoken = [control.name for control in head.rig.controls if control.visemes] if head.rig else []
    if spoken:  # they stand in for the shapes of jaw and mouth
        missing = [name for name in missing if not name.startswith(("jaw", "mouth"))]
    whole, partly = [], []
    for words, beginnings in _GROUPS:
        group = [name for name in ARKIT_NAMES if name.startswith(beginnings)]
        lacking = [name for name in group if name in missing]
        if lacking and len(lacking) == len(group):
            whole.append(words)
        elif lacking:
            partly += lacking
    sentences = [f"This head has no shapes for: {', '.join(whole)}."] if whole else []
    if partly:
        sentences.append(f"It lacks {', '.join(partly)}." if whole else f"This head lacks {', '.join(partly)}.")
    if sentences:
        sentences.append("Those curves do not move it.")
    if spoken:
        sentences.append(f"Its mouth is made of {', '.join(spoken)}, so it speaks less exactly than ARKit's.")
    return " ".join(sentences)


def rig_of(head: HeadMesh) -> HeadRig:
    """Return the rig of a head; HeadError if it has none."""
    if head.rig is None:
        raise HeadError("This head has no shapes of its own; load it from a .glb, .gltf or .vrm file.")
    return head.rig

"""A head of the user's own from any kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memorytalker.face.head import HeadError, HeadMesh, load_head
from memorytalker.face.mesh_files import SUFFIXES, head_for, head_with_template
from memorytalker.face.rigged_head import load_rigged_head

#: Files that bring their own morph targets.
RIGGED = (".glb", ".gltf", ".vrm")


def load_own_head(path: str | Path, vertex_count: int, mapping: Path | Mapping[str, Any] | None = None) -> HeadMesh:
    """Read a head of the user's own.

    Args:
        path: .glb, .gltf or .vrm with morph targets, which curves move; or .ply or .obj in the vertex order of the mesh
            that the weights move. In the order of the shipped head it takes the shipped blendshapes.
        vertex_count: number of vertices that the weights move.
        mapping: names of the file's morph targets, as `rigged_head.load_rigged_head` takes them.

    Returns:
        The head.

    Raises:
        HeadError: a file that cannot be used; the message is one plain sentence.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in RIGGED:
        return load_rigged_head(path, mapping)
    if suffix not in SUFFIXES:
        raise HeadError(f"A head is read from {', '.join(RIGGED + SUFFIXES)}, not from {path.name}.")
    if mapping is not None:
        raise HeadError(f"A mapping names the morph targets of a .glb, .gltf or .vrm file, and {path.name} has none.")
    shipped = load_head()
    if shipped.vertex_count == vertex_count:
        return head_with_template(shipped, path)
    return head_for(vertex_count, path)

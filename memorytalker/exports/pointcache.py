"""PC2: a point cache, the places of all vertices in every frame, with the mesh that it moves as OBJ beside it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from memorytalker.exports.objects import check_mesh, write_rest
from memorytalker.exports.take import ExportError, ExportFormat, Take
from memorytalker.face.frames import BLOCK, blocks
from memorytalker.files import write_together

#: The stage that `progress` is called with.
STAGE = "PC2"
#: The header: signature, version, points, first frame, frames a sample, samples. Little-endian.
HEADER = struct.Struct("<12siiffi")
SIGNATURE, VERSION = b"POINTCACHE2\0", 1


def write_pc2(take: Take, path: Path) -> tuple[Path, ...]:
    """Write a take as a point cache, and the resting head in the same vertex order as OBJ.

    Sample k of the cache is frame k, which begins at frame 0 of the scene.

    Args:
        take: the motion.
        path: of the cache, such as talk.pc2; the mesh is talk.obj.

    Returns:
        The cache and the mesh.

    Raises:
        ExportError: a head that is no mesh with a neutral face, or frames that do not fit it.

    Source:
        The reader of Blender's mesh cache modifier, MOD_meshcache_pc2.
    """
    check_mesh(take.head)
    mesh = path.with_suffix(".obj")
    write_together({path: lambda part: _write_cache(take, part), mesh: lambda part: write_rest(take, part)})
    return path, mesh


def _write_cache(take: Take, path: Path) -> None:
    done, total, shape = 0, len(take.frames), take.head.template.shape
    with path.open("wb") as file:
        file.write(HEADER.pack(SIGNATURE, VERSION, take.head.vertex_count, 0.0, 1.0, total))
        for block in blocks(take.frames, BLOCK):
            if block.shape[1:] != shape:
                raise ExportError("The frames do not fit this head; use the head that the motion was made for.")
            file.write(np.ascontiguousarray(block, "<f4").data)
            done += len(block)
            if take.progress is not None:
                take.progress(done, total, STAGE)


PC2 = ExportFormat(
    "pc2",
    ".pc2",
    "PC2 point cache",
    "Blender, Maya, 3ds Max and Houdini move the mesh beside it with it.",
    write_pc2,
    beside=(".obj",),
)

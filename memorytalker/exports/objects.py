"""OBJ: a numbered sequence of files, one a frame, with the resting head beside it.

`talk.obj` is the resting head; the frames are `talk/talk_0001.obj` and so on, as Blender and Maya read a sequence. All
have the vertex order of the head.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from memorytalker.exports.notes import notes
from memorytalker.exports.take import ExportError, ExportFormat, Take
from memorytalker.face.frames import blocks
from memorytalker.face.head import HeadMesh
from memorytalker.files import write_together

#: The stage that `progress` is called with.
STAGE = "OBJ"
#: Frames of a sequence, at most: files of 0.8 MB each.
LONGEST_SEQUENCE = 3000
#: Progress is reported after every so many of them.
REPORT = 16


def write_sequence(take: Take, path: Path) -> tuple[Path, ...]:
    """Write a take as a sequence of OBJ files, and the resting head.

    Frames of an older and longer sequence of the same name are removed, so that nobody reads both as one.

    Args:
        take: the motion.
        path: of the resting head, such as talk.obj; the frames go into the folder talk beside it.

    Returns:
        The files: `path`, then talk/talk_0001.obj for the first frame, and so on.

    Raises:
        ExportError: more than LONGEST_SEQUENCE frames, a head that is no mesh with a neutral face, or a file where the
            folder should be.
    """
    check_mesh(take.head)
    count, folder = len(take.frames), path.with_suffix("")
    if count > LONGEST_SEQUENCE:
        raise ExportError(
            f"{count} frames would be as many OBJ files, and at most {LONGEST_SEQUENCE} are written; save it as .pc2."
        )
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder.name} is where the folder of the frames would be; choose another name.")
    files = [folder / f"{path.stem}_{number:04d}.obj" for number in range(1, count + 1)]
    header, faces, is_new = heading(take), face_lines(take.head), not folder.exists()
    frames = (frame for block in blocks(take.frames) for frame in block)

    def write_frame(number: int, part: Path) -> None:
        part.write_text(header + vertex_lines(next(frames)) + faces, encoding="utf-8")
        if take.progress is not None and (number % REPORT == 0 or number == count):
            take.progress(number, count, STAGE)

    writers: dict[Path, Callable[[Path], object]] = {path: lambda part: write_rest(take, part)}
    writers |= {file: functools.partial(write_frame, number) for number, file in enumerate(files, 1)}
    try:
        write_together(writers)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    _remove_later_frames(folder, path.stem, count)
    return (path, *files)


def write_rest(take: Take, path: Path) -> None:
    """Write the resting head as an OBJ file: comments, vertices in metres, y up, and triangles."""
    path.write_text(heading(take) + vertex_lines(take.head.template) + face_lines(take.head), encoding="utf-8")


def check_mesh(head: HeadMesh) -> None:
    """Raise ExportError for a head without triangles, or whose neutral face is unknown."""
    if not len(head.faces) or not head.template.any():
        raise ExportError(
            "This head has no triangles or no known neutral face, so it is no mesh to save; load it from its mesh "
            "file (.ply or .obj), or save the motion as .npz."
        )


def heading(take: Take) -> str:
    """The first lines of an OBJ file: comments that say where the motion comes from."""
    return "".join(f"# {name}: {text}\n" for name, text in notes(take).items())


def vertex_lines(vertices: np.ndarray) -> str:
    """The lines of an OBJ file for vertices (V, 3), to the micrometre."""
    return "v %.6f %.6f %.6f\n" * len(vertices) % tuple(np.asarray(vertices, np.float64).ravel().tolist())


def face_lines(head: HeadMesh) -> str:
    """The lines of an OBJ file for the triangles of a head, which count vertices from one."""
    return "f %d %d %d\n" * len(head.faces) % tuple((head.faces.astype(np.int64) + 1).ravel().tolist())


def _remove_later_frames(folder: Path, stem: str, count: int) -> None:
    pattern = re.compile(re.escape(stem) + r"_(\d{4})\.obj")
    for file in folder.iterdir():
        if (found := pattern.fullmatch(file.name)) and int(found[1]) > count:
            file.unlink(missing_ok=True)


OBJ = ExportFormat(
    "obj",
    ".obj",
    "OBJ sequence",
    "One mesh a frame, numbered, for any 3D program; short motion only.",
    write_sequence,
    vast=True,
    beside=("",),
)

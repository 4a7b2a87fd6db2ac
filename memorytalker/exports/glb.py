"""GLB, the binary container of glTF 2.0: buffer views, accessors and the two chunks of the file."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import numpy as np

from memorytalker.exports.take import ExportError

#: Component types of an accessor, by numpy type.
COMPONENTS = {"uint8": 5121, "uint16": 5123, "uint32": 5125, "float32": 5126}
#: What a buffer view is for: attributes of vertices, or indices of triangles.
VERTICES, TRIANGLES = 34962, 34963
#: A GLB file states its length in 32 bits.
LARGEST_FILE = 2**32 - 4
_MAGIC, _VERSION, _JSON, _BINARY = 0x46546C67, 2, 0x4E4F534A, 0x004E4942


class GlbBuilder:
    """Collects buffer views and accessors, and writes them with a glTF document as one GLB file.

    Arrays are written in the order in which they were added. The data of a view may be made while it is written, so
    that long motion is never held as a whole.
    """

    def __init__(self) -> None:
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self._sources: list[Callable[[], Iterable[np.ndarray]]] = []
        self._length = 0

    def add_array(self, values: np.ndarray, target: int | None = None) -> int:
        """Add a buffer view of an array.

        Args:
            values: (n, ...) of a type in `COMPONENTS`.
            target: VERTICES, TRIANGLES or None. For VERTICES the stride is that of a row, a multiple of four bytes.

        Returns:
            The index of the buffer view.
        """
        stride = values.nbytes // len(values) if target == VERTICES else None
        return self.add_blocks(values.nbytes, lambda: (values,), target, stride)

    def add_blocks(
        self,
        size: int,
        blocks: Callable[[], Iterable[np.ndarray]],
        target: int | None = None,
        stride: int | None = None,
    ) -> int:
        """Add a buffer view whose data come in blocks when the file is written.

        Args:
            size: of all blocks together, in bytes.
            blocks: called for every writing; yields arrays of types in `COMPONENTS`.
            target: VERTICES, TRIANGLES or None.
            stride: bytes from one vertex to the next; None: not stated.

        Returns:
            The index of the buffer view.
        """
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self._length, "byteLength": size}
        if stride is not None:
            view["byteStride"] = stride
        if target is not None:
            view["target"] = target
        self.views.append(view)
        self._sources.append(blocks)
        self._length += size + -size % 4  # every view begins at a multiple of four
        return len(self.views) - 1

    def add_accessor(self, view: int, kind: str, component: str, count: int, offset: int = 0, **more: Any) -> int:
        """Add an accessor.

        Args:
            view: index of its buffer view.
            kind: "SCALAR", "VEC3", "VEC4" or "MAT4".
            component: a name in `COMPONENTS`.
            count: number of elements.
            offset: where it begins in the view, in bytes.
            more: other properties of the accessor, such as `min`, `max`, `normalized` and `sparse`.

        Returns:
            The index of the accessor.
        """
        place = {"byteOffset": offset} if offset else {}
        self.accessors.append(
            {"bufferView": view, **place, "componentType": COMPONENTS[component], "count": count, "type": kind, **more}
        )
        return len(self.accessors) - 1

    def write(self, document: dict[str, Any], file: BinaryIO) -> None:
        """Write the GLB file.

        Args:
            document: the glTF without its buffers, buffer views and accessors.
            file: open for writing in binary.

        Raises:
            ExportError: more than 4 GB.
        """
        tables = {"accessors": self.accessors, "bufferViews": self.views, "buffers": [{"byteLength": self._length}]}
        text = json.dumps(document | tables, separators=(",", ":"), allow_nan=False).encode("ascii")
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + self._length
        if total > LARGEST_FILE:
            raise ExportError(
                "This motion is too long for one GLB file, which holds 4 GB; export it in parts or choose .csv."
            )
        file.write(struct.pack("<III", _MAGIC, _VERSION, total))
        file.write(struct.pack("<II", len(text), _JSON) + text)
        file.write(struct.pack("<II", self._length, _BINARY))
        for view, blocks in zip(self.views, self._sources, strict=True):
            written = 0
            for block in blocks():
                plain = np.ascontiguousarray(block, block.dtype.newbyteorder("<"))
                written += file.write(plain.data.cast("B"))
            if written != view["byteLength"]:
                raise ValueError(f"a buffer view of {view['byteLength']} bytes was given {written}")
            file.write(bytes(-written % 4))

    def to_bytes(self, document: dict[str, Any]) -> bytes:
        """Return what `write` writes."""
        file = io.BytesIO()
        self.write(document, file)
        return file.getvalue()


def bounds(values: np.ndarray) -> dict[str, Any]:
    """Return the `min` and `max` of an accessor: of every column of float32 `values` (n, k), exactly as stored."""
    return {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}


def add_times(builder: GlbBuilder, frames: int, fps: float) -> int:
    """Add the times of the frames as the input of animation samplers: k / fps seconds, beginning at 0.

    Args:
        builder: of the file.
        frames: number of frames, at least 1.
        fps: frames per second.

    Returns:
        The index of the accessor.

    Raises:
        ExportError: so many frames at such a rate that two have the same time in 32 bits.
    """
    times = (np.arange(frames) / fps).astype(np.float32)[:, None]
    if (np.diff(times[:, 0]) <= 0).any():
        raise ExportError("The frames follow so closely that glTF cannot tell their times; choose a lower frame rate.")
    return builder.add_accessor(builder.add_array(times), "SCALAR", "float32", frames, **bounds(times))

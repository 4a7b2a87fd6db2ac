"""A small reader of GLB files, written from the glTF 2.0 specification, for the tests of their writers."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True)
class Glb:
    """The document and the binary chunk of a GLB file."""

    document: dict[str, Any]
    binary: bytes

    def values(self, index: int) -> np.ndarray:
        """The elements (count, width) of an accessor."""
        accessor = self.document["accessors"][index]
        kind, width = _TYPES[accessor["componentType"]], _WIDTHS[accessor["type"]]
        found = self._rows(accessor, accessor["count"], kind, width).copy()
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            rows = self._rows(sparse["indices"], sparse["count"], _TYPES[sparse["indices"]["componentType"]], 1)[:, 0]
            found[rows] = self._rows(sparse["values"], sparse["count"], kind, width)
        return found

    def _rows(self, place: dict[str, Any], count: int, kind: str, width: int) -> np.ndarray:
        view = self.document["bufferViews"][place["bufferView"]]
        size = np.dtype(kind).itemsize * width
        stride = view.get("byteStride", size)
        start = view["byteOffset"] + place.get("byteOffset", 0)
        assert start + stride * (count - 1) + size <= view["byteOffset"] + view["byteLength"]
        return np.ndarray((count, width), kind, self.binary, start, (stride, np.dtype(kind).itemsize))


def read_glb(source: Path | bytes) -> Glb:
    """Read a GLB file; its lengths must agree."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    magic, version, total, length, kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, total, kind) == (b"glTF", 2, len(data), b"JSON")
    size, binary = struct.unpack_from("<I4s", data, 20 + length)
    assert binary == b"BIN\0" and 28 + length + size == len(data)
    return Glb(json.loads(data[20 : 20 + length]), data[28 + length :])


def write_again(glb: Glb) -> bytes:
    """The GLB file of a document and a binary chunk, such as of a document changed by a test."""
    text = json.dumps(glb.document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(glb.binary), len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(glb.binary), b"BIN\0") + glb.binary

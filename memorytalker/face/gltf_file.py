"""Reading glTF 2.0 files (.glb, .gltf) that anybody may have made: the document, its buffers, accessors and images.

Every size is checked before memory is taken. Buffers and images lie in the file, in data: URIs, or in files in the
folder of the document; nothing is fetched from a network.

Source:
    glTF 2.0, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from memorytalker.face.head import HeadError
from memorytalker.files import parse_json
from memorytalker.sound.decode import shown_name

#: Bytes at the most of a file with everything beside it, and of its JSON.
LARGEST_BYTES, LARGEST_DOCUMENT = 300_000_000, 16_000_000
#: Values of an accessor at the most: the corners of two million triangles.
MOST_VALUES = 6_000_000
SUFFIXES = (".glb", ".gltf", ".vrm")
#: Extensions that a file may require. Others change what its numbers mean.
UNDERSTOOD = (
    "KHR_materials_",
    "KHR_texture_",
    "KHR_lights_",
    "KHR_animation_pointer",
    "KHR_mesh_quantization",
    "KHR_xmp",
    "EXT_texture_",
    "VRM",
)
COMPRESSED = MappingProxyType(
    {
        "KHR_draco_mesh_compression": "Draco",
        "EXT_meshopt_compression": "meshopt",
        "KHR_meshopt_compression": "meshopt",
    }
)
_JSON, _BIN = 0x4E4F534A, 0x004E4942
_KINDS = MappingProxyType({5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"})
_WIDTHS = MappingProxyType({"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16})


class GltfError(HeadError):
    """A glTF file that cannot be used; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class GltfFile:
    """A glTF document and its bytes, which nobody changes.

    Args:
        name: of the file, for messages.
        document: the JSON.
        buffers: the bytes of each of the document's buffers.
        images: bytes of each of the document's images, not copied from the buffers, and their MIME type as far as the
            document gives it.
    """

    name: str
    document: Mapping[str, Any]
    buffers: tuple[bytes, ...]
    images: tuple[tuple[bytes | memoryview, str], ...]

    def listed(self, kind: str) -> list:
        """Return a list of the document, such as "meshes"; empty if it has none. GltfError if it is no list."""
        found = self.document.get(kind, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise GltfError(f"The {kind} of {self.name} are not a list of objects; {REMEDY}.")
        return found

    def entry(self, kind: str, index: Any) -> dict:
        """Return one object of a list of the document. GltfError for an index that points at nothing."""
        found: Any = self.document.get(kind)
        inside = isinstance(found, list) and type(index) is int and 0 <= index < len(found)
        if not inside or not isinstance(found[index], dict):
            raise GltfError(f"{self.name} points at one of its {kind} that it does not have; {REMEDY}.")
        return found[index]

    def count(self, index: Any) -> int:
        """Return the number of elements of an accessor, before any is read. GltfError for more than may be held."""
        count = _whole(self.entry("accessors", index).get("count"), self.name)
        if count * self.width(index) > MOST_VALUES:
            raise GltfError(f"{self.name} has a list of {count} values, which is too long; reduce the mesh.")
        return count

    def width(self, index: Any) -> int:
        """Return the number of values in an element of an accessor."""
        width = _WIDTHS.get(str(self.entry("accessors", index).get("type")))
        if width is None:
            raise GltfError(f"{self.name} has numbers of an unknown type; {REMEDY}.")
        return width

    def accessor(self, index: Any, width: int) -> np.ndarray:
        """Read an accessor.

        Args:
            index: in the document.
            width: values that an element must have, such as 3 for a VEC3.

        Returns:
            (count, width): float32 for floats and normalised integers, else the integers. It may be read-only.

        Raises:
            GltfError: another width, bytes that are not there, indices out of range, numbers that are not finite.
        """
        found, count = self.entry("accessors", index), self.count(index)
        if self.width(index) != width:
            raise GltfError(f"{self.name} has numbers of another type than their use needs; {REMEDY}.")
        kind = self._kind(found)
        values = np.zeros((count, width), kind)
        if "bufferView" in found:
            values = self._view(found, kind, count, width)
        if "sparse" in found:
            values = self._with_sparse(values, found["sparse"], kind)
        if found.get("normalized") is True and kind.kind in "iu":
            return np.maximum(values.astype(np.float32) / np.float32(np.iinfo(kind).max), np.float32(-1))
        if kind.kind == "f" and not np.isfinite(values).all():
            raise GltfError(f"{self.name} has numbers that are not finite; {REMEDY}.")
        return values

    def _kind(self, holder: Mapping) -> np.dtype:
        code = holder.get("componentType")
        kind = _KINDS.get(code) if type(code) is int else None
        if kind is None:
            raise GltfError(f"{self.name} has numbers of an unknown type; {REMEDY}.")
        return np.dtype(kind)

    def _view(self, holder: Any, kind: np.dtype, count: int, width: int) -> np.ndarray:
        """`count` elements of `width` values of an accessor or of a part of a sparse one."""
        if not isinstance(holder, dict):
            raise GltfError(f"The accessors of {self.name} are damaged; {REMEDY}.")
        view = self.entry("bufferViews", holder.get("bufferView"))
        data = self.view_bytes(view)
        offset, size = _whole(holder.get("byteOffset", 0), self.name), kind.itemsize * width
        stride = _whole(view.get("byteStride", size), self.name)
        if stride < size or offset + (count - 1) * stride + size > len(data):
            raise GltfError(f"{self.name} ends before its numbers do; get it again.")
        if not count:
            return np.zeros((0, width), kind)
        return np.ndarray((count, width), kind, data, offset, (stride, kind.itemsize))

    def view_bytes(self, view: Mapping) -> memoryview:
        """Return the bytes of a bufferView. GltfError if its buffer has not that many."""
        refuse_compressed(view.get("extensions"), self.name)
        self.entry("buffers", view.get("buffer"))
        data = memoryview(self.buffers[view["buffer"]])
        offset, length = _whole(view.get("byteOffset", 0), self.name), _whole(view.get("byteLength"), self.name)
        if offset + length > len(data):
            raise GltfError(f"{self.name} ends before its numbers do; get it again.")
        return data[offset : offset + length]

    def _with_sparse(self, values: np.ndarray, sparse: Any, kind: np.dtype) -> np.ndarray:
        if not isinstance(sparse, dict) or not isinstance(sparse.get("indices"), dict):
            raise GltfError(f"The accessors of {self.name} are damaged; {REMEDY}.")
        count = _whole(sparse.get("count"), self.name)
        if count > len(values):
            raise GltfError(f"{self.name} changes more numbers than it has; {REMEDY}.")
        rows = self._view(sparse["indices"], self._kind(sparse["indices"]), count, 1)[:, 0]
        if rows.dtype.kind != "u" or (count and int(rows.max()) >= len(values)):
            raise GltfError(f"{self.name} changes numbers that it does not have; {REMEDY}.")
        values = values.copy()
        values[rows] = self._view(sparse.get("values"), kind, count, values.shape[1])
        return values


#: What to do with a file that breaks the rules of the format.
REMEDY = "export it again as glTF 2.0"


def read_gltf(path: Path) -> GltfFile:
    """Read a glTF file with its buffers and images.

    Args:
        path: a .glb, .gltf or .vrm file.

    Returns:
        The file.

    Raises:
        GltfError: no such file, one that is damaged, too large, compressed, or needs files from elsewhere.
    """
    path = Path(path)
    name = shown_name(path)
    if path.suffix.lower() not in SUFFIXES:
        raise GltfError(f"A head with blendshapes is read from {' or '.join(SUFFIXES)}, not from {name}.")
    data = _bytes_of(path, name, LARGEST_BYTES)
    if data.startswith(b"version https://git-lfs"):
        raise GltfError(f"{name} is only a Git-LFS pointer; run 'git lfs pull' where it came from.")
    text, binary = _chunks(data, name) if data[:4] == b"glTF" else (data, None)
    if len(text) > LARGEST_DOCUMENT:
        raise GltfError(f"The description in {name} is larger than {LARGEST_DOCUMENT // 1_000_000} MB; reduce it.")
    try:
        document = parse_json(bytes(text).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise GltfError(f"{name} holds no readable glTF; get it again, or {REMEDY}.") from None
    version = document.get("asset") if isinstance(document, dict) else None
    if not isinstance(version, dict) or not str(version.get("version", "")).startswith("2."):
        raise GltfError(f"{name} is not glTF 2.0; {REMEDY}.")
    _check_extensions(document, name)
    bare = GltfFile(name, document, (), ())
    budget = _Budget(path.parent, name, LARGEST_BYTES - len(data))
    buffers = tuple(_buffer(one, k, binary, budget) for k, one in enumerate(bare.listed("buffers")))
    held = GltfFile(name, document, buffers, ())
    for view in held.listed("bufferViews"):
        held.view_bytes(view)
    held.listed("animations")
    return GltfFile(name, document, buffers, tuple(_image(held, one, budget) for one in bare.listed("images")))


def _bytes_of(path: Path, name: str, most: int) -> bytes:
    try:
        if not path.is_file():
            raise GltfError(f"There is no readable file {name}; check the path.")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(size + 1) if size <= most else b""  # reading takes the memory that it is asked for
    except (OSError, ValueError):
        raise GltfError(f"There is no readable file {name}; check the path.") from None
    if size > most or len(data) > most:
        raise GltfError(f"{name} is larger than {LARGEST_BYTES // 1_000_000} MB with all it needs; reduce it.")
    return data


def _chunks(data: bytes, name: str) -> tuple[bytes, bytes | None]:
    """The JSON chunk and the BIN chunk of a .glb file; other chunks are left aside."""
    cut = GltfError(f"{name} is cut off or damaged; get it again.")
    if len(data) < 20 or struct.unpack_from("<I", data, 4)[0] != 2:
        raise cut
    length = struct.unpack_from("<I", data, 8)[0]
    if length > len(data):
        raise cut
    at = 12
    found: list[tuple[int, bytes]] = []
    while at + 8 <= length and len(found) < 16:
        size, kind = struct.unpack_from("<II", data, at)
        if at + 8 + size > length:
            raise cut
        found.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size
    if not found or found[0][0] != _JSON:
        raise cut
    return found[0][1], found[1][1] if len(found) > 1 and found[1][0] == _BIN else None


def _check_extensions(document: Mapping, name: str) -> None:
    wanted = document.get("extensionsRequired", [])
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        raise GltfError(f"The extensions of {name} are not a list of names; {REMEDY}.")
    refuse_compressed(wanted, name)
    unknown = [one for one in wanted if not one.startswith(UNDERSTOOD)]
    if unknown:
        raise GltfError(f"{name} requires {shown_name(Path(unknown[0][:40]))}; export it without that extension.")


def refuse_compressed(extensions: Any, name: str) -> None:
    """Raise GltfError if a list or an object of extensions has one that compresses meshes."""
    for extension, kind in COMPRESSED.items():
        if isinstance(extensions, (list, dict)) and extension in extensions:
            raise GltfError(
                f"The meshes of {name} are compressed with {kind}; unpack it first with "
                "'npx @gltf-transform/cli copy in.glb out.glb', or export it without compression."
            )


class _Budget:
    """Bytes that may still be taken for the file `name` of `folder`."""

    def __init__(self, folder: Path, name: str, left: int) -> None:
        self.folder, self.name, self.left = folder, name, left

    def fetch(self, uri: Any) -> tuple[bytes, str]:
        """The bytes of a data: URI or of a file in the folder, and their MIME type if the URI gives it."""
        if not isinstance(uri, str):
            raise GltfError(f"{self.name} names a part of it by no address; {REMEDY}.")
        data, kind = self._inline(uri) if uri.startswith("data:") else (self._beside(uri), "")
        self.left -= len(data)
        return data, kind

    def _inline(self, uri: str) -> tuple[bytes, str]:
        head, _, text = uri[5:].partition(",")
        if not head.endswith(";base64"):
            raise GltfError(f"{self.name} holds data that are not base64; {REMEDY}.")
        try:
            return base64.b64decode(unquote(text), validate=True), head.split(";")[0]
        except (binascii.Error, ValueError):
            raise GltfError(f"{self.name} holds data that are not base64; {REMEDY}.") from None

    def _beside(self, uri: str) -> bytes:
        try:
            parts = urlsplit(uri)
            place = unquote(parts.path)
            if parts.scheme or parts.netloc or not place or "\\" in place or "\0" in place:
                raise ValueError
            folder = self.folder.resolve()
            path = (folder / place).resolve()
            if place.startswith("/") or not path.is_relative_to(folder):
                raise ValueError
        except (ValueError, OSError, RuntimeError):
            raise GltfError(
                f"{self.name} needs a file from outside its folder, which is never opened; save it as one .glb."
            ) from None
        if not path.is_file():
            raise GltfError(f"{self.name} needs {shown_name(path)} beside it; put it there, or save it as one .glb.")
        return _bytes_of(path, shown_name(path), self.left)


def _buffer(described: Mapping, number: int, binary: bytes | None, budget: _Budget) -> bytes:
    length = _whole(described.get("byteLength"), budget.name)
    if "uri" in described:
        data, _ = budget.fetch(described["uri"])
    elif number == 0 and binary is not None:
        data = binary
    else:
        raise GltfError(f"{budget.name} has a buffer without bytes; get it again, or {REMEDY}.")
    if len(data) < length:
        raise GltfError(f"{budget.name} ends before its numbers do; get it again.")
    return data


def _image(file: GltfFile, described: Mapping, budget: _Budget) -> tuple[bytes | memoryview, str]:
    """The bytes of an image, and its MIME type."""
    kind = str(described.get("mimeType", ""))
    if "bufferView" in described:
        return file.view_bytes(file.entry("bufferViews", described["bufferView"])), kind
    if "uri" not in described:
        return b"", kind
    data, named = budget.fetch(described["uri"])
    return data, kind or named


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value < 2**40:
        raise GltfError(f"{name} has a size that is no size; {REMEDY}.")
    return value

"""Reading glTF: every form in which numbers are stored, and whatever a stranger's file may be ends in one sentence."""

from __future__ import annotations

import base64
import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from glb_case import Glb, build, painted, pieces, write

from memorytalker.face import gltf_file, gltf_scene
from memorytalker.face.gltf_file import GltfError, read_gltf
from memorytalker.face.head import HeadError
from memorytalker.face.rigged_head import load_rigged_head

NAMES = {"jawOpen": "jawOpen", "mouthClose": "mouthClose"}


def refused(path: Path, words: str) -> str:
    with pytest.raises(HeadError, match=words) as error:
        load_rigged_head(path)
    said = str(error.value)
    assert said.endswith(".") and "\n" not in said and len(said) < 400, said
    return said


def stored(tmp_path: Path, glb: Glb, index: int, width: int) -> np.ndarray:
    return read_gltf(write(tmp_path / "numbers.glb", glb)).accessor(index, width)


def test_numbers_are_read_in_every_form(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    glb = Glb()
    plain = glb.accessor(values, "VEC3")
    table = np.zeros(20, [("before", "u1", 4), ("here", "<f4", 3), ("after", "u1", 4)])
    table["here"] = values
    view = glb.view(table.tobytes(), byteStride=20)
    row = {"componentType": 5126, "type": "VEC3", "count": 20}
    mixed = glb.add("accessors", {"bufferView": view, "byteOffset": 4, **row}), 3
    changed = {
        "count": 2,
        "indices": {"bufferView": glb.view(np.uint16([3, 17]).tobytes()), "componentType": 5123},
        "values": {"bufferView": glb.view(values[:2].tobytes())},
    }
    over, alone = (glb.add("accessors", {**base, **row, "sparse": changed}) for base in ({"bufferView": 0}, {}))
    short = glb.accessor(np.int16([[-32768, 0, 32767]]), "VEC3", normalized=True)
    byte = glb.accessor(np.uint8([[0, 51, 255]]), "VEC3", normalized=True)
    whole = glb.accessor(np.uint8([[0, 51, 255]]), "VEC3")
    np.testing.assert_array_equal(stored(tmp_path, glb, plain, 3), values)
    np.testing.assert_array_equal(stored(tmp_path, glb, *mixed), values)
    wanted = values.copy()
    wanted[[3, 17]] = values[:2]
    np.testing.assert_array_equal(stored(tmp_path, glb, over, 3), wanted)
    rest = np.zeros_like(values)
    rest[[3, 17]] = values[:2]
    np.testing.assert_array_equal(stored(tmp_path, glb, alone, 3), rest)
    np.testing.assert_allclose(stored(tmp_path, glb, short, 3), [[-1, 0, 1]], atol=1e-7)
    np.testing.assert_allclose(stored(tmp_path, glb, byte, 3), [[0, 0.2, 1]], atol=1e-7)
    assert stored(tmp_path, glb, whole, 3).tolist() == [[0, 51, 255]]
    with pytest.raises(GltfError, match="another type"):
        stored(tmp_path, glb, plain, 2)
    values[5, 1] = np.nan
    with pytest.raises(GltfError, match="not finite"):
        stored(tmp_path, glb, glb.accessor(values, "VEC3"), 3)


def split(tmp_path: Path, buffer: str = "parts/head.bin", image: str = "skin%20one.png") -> Path:
    """The head as a .gltf with its buffer and its image in other files, or at the addresses given."""
    glb = build(NAMES)
    glb.bytes()
    document = json.loads(json.dumps(glb.document))
    document["buffers"][0]["uri"] = buffer
    document["images"] = [{"uri": image}]
    (tmp_path / "parts").mkdir(exist_ok=True)
    (tmp_path / "parts" / "head.bin").write_bytes(bytes(glb.data))
    (tmp_path / "skin one.png").write_bytes(painted())
    path = tmp_path / "head.gltf"
    path.write_text(json.dumps(document))
    return path


def test_files_beside_and_data_in_the_document_are_one_head(tmp_path: Path) -> None:
    head = load_rigged_head(split(tmp_path))
    data = base64.b64encode((tmp_path / "parts" / "head.bin").read_bytes()).decode()
    inline = load_rigged_head(split(tmp_path, f"data:application/octet-stream;base64,{data}"))
    whole = load_rigged_head(write(tmp_path / "whole.glb", build(NAMES)))
    for one in (head, inline):
        np.testing.assert_array_equal(one.template, whole.template)
        np.testing.assert_array_equal(one.blendshapes, whole.blendshapes)
        assert bytes(one.rig.file.images[0][0]) == bytes(whole.rig.file.images[0][0]) == painted()


@pytest.mark.parametrize(
    "address",
    ["../secret.bin", "/etc/passwd", "file:///etc/passwd", "http://example.org/a.bin", "//example.org/a.bin",
     "parts/../../secret.bin", "%2e%2e/secret.bin", "link.bin", "..\\secret.bin", "a\0b", 7],
)  # fmt: skip
def test_nothing_outside_the_folder_is_opened(tmp_path: Path, address: Any) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(10_000_000))
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    refused(split(folder, buffer=address), "outside its folder|no address")
    refused(split(folder, image=address), "outside its folder|no address")


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    refused(split(tmp_path, buffer="gone.bin"), "needs gone.bin beside it")
    refused(split(tmp_path, buffer="parts"), "needs parts beside it")
    refused(split(tmp_path, buffer="data:application/octet-stream;base64,%%%"), "not base64")
    refused(split(tmp_path, buffer="data:text/plain,abc"), "not base64")


@pytest.mark.parametrize("extension", ["KHR_draco_mesh_compression", "EXT_meshopt_compression"])
def test_compressed_files_are_refused_with_the_remedy(tmp_path: Path, extension: str) -> None:
    glb = build(NAMES)
    glb.document["extensionsRequired"] = [extension]
    refused(write(tmp_path / "small.glb", glb), "compressed with (Draco|meshopt); unpack it first with 'npx @gltf-tr")
    del glb.document["extensionsRequired"]
    holder = glb.document["meshes"][0]["primitives"][0] if "draco" in extension else glb.document["bufferViews"][1]
    holder["extensions"] = {extension: {}}
    refused(write(tmp_path / "small.glb", glb), "compressed with")
    glb = build(NAMES)
    glb.document["extensionsRequired"] = ["KHR_mesh_quantization", "ACME_new_numbers"]
    refused(write(tmp_path / "new.glb", glb), "requires ACME_new_numbers; export it without")


@pytest.mark.parametrize("share", [0.0, 1e-5, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999999])
def test_a_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    data = build(NAMES).bytes()
    path = tmp_path / "cut.glb"
    path.write_bytes(data[: int(share * len(data))])
    refused(path, "get it again|export it again|check the path")


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    for name, data, words in (
        ("a.fbx", b"", "read from .glb or .gltf or .vrm, not from a.fbx"),
        ("a.glb", b"version https://git-lfs.github.com/spec/v1\n", "Git-LFS pointer"),
        ("a.gltf", b"{}", "is not glTF 2.0"),
        ("a.gltf", b'{"asset": {"version": "1.0"}}', "is not glTF 2.0"),
        ("a.gltf", b"[" * 100_000, "no readable glTF"),
        ("a.gltf", b'{"asset": {"version": "2.0"}}', "no mesh of triangles"),
        ("a.glb", struct.pack("<4sIIII", b"glTF", 1, 20, 0, 0), "cut off or damaged"),
        ("a.glb", struct.pack("<4sIIII", b"glTF", 2, 20, 4_000_000_000, 0x4E4F534A), "cut off or damaged"),
    ):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, words)
    refused(tmp_path / "none.glb", "no readable file")
    (tmp_path / "folder.glb").mkdir()
    refused(tmp_path / "folder.glb", "no readable file")


def edited(tmp_path: Path, edit) -> Path:
    glb = build(NAMES)
    edit(glb.document)
    return write(tmp_path / "edited.glb", glb)


def _set(*path: Any):
    *keys, last, value = path

    def edit(document: dict) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return edit


ATTRIBUTES = ("meshes", 0, "primitives", 0, "attributes")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_set("accessors", 0, "count", 10**9), "too long; reduce the mesh"),
        (_set("accessors", 0, "count", 2_000_000), "too long|ends before|more or fewer|vertices; reduce"),
        (_set("accessors", 0, "count", -1), "no size"),
        (_set("accessors", 0, "count", 1.5), "no size"),
        (_set("accessors", 0, "count", 10**30), "no size"),
        (_set("accessors", 0, "componentType", 5130), "unknown type"),
        (_set("accessors", 0, "componentType", []), "unknown type"),
        (_set("accessors", 0, "type", "VEC9"), "unknown type"),
        (_set("accessors", 0, "byteOffset", 10**11), "ends before"),
        (_set("accessors", 0, "bufferView", 999), "does not have"),
        (_set("accessors", 0, "bufferView", -1), "does not have"),
        (_set("accessors", 0, "sparse", {"count": 10**9}), "damaged"),
        (_set("accessors", 0, "sparse", {"count": 10**9, "indices": {"componentType": 5123}}), "more numbers than"),
        (_set("bufferViews", 0, "byteLength", 10**12), "ends before"),
        (_set("bufferViews", 0, "buffer", 3), "does not have"),
        (_set("bufferViews", 1, "byteStride", 1), "ends before"),
        (_set("bufferViews", 5), "not a list of objects"),
        (_set("nodes", 0, "children", [0]), "circle"),
        (_set("nodes", 0, "children", [1]), None),
        (_set("nodes", 0, "children", {}), "no list"),
        (_set("nodes", 0, "matrix", [1]), "stands nowhere"),
        (_set("nodes", 0, "scale", [float("inf"), 1, 1]), "stands nowhere"),
        (_set("nodes", 0, "translation", [1e39, 1, 1]), "not finite"),
        (_set("nodes", 0, "translation", [10**400, 1, 1]), "stands nowhere"),
        (_set("nodes", 0, "mesh", "head"), "does not have"),
        (_set("nodes", 0, "weights", [1, 2, 3]), "not one for each"),
        (_set("scenes", 0, "nodes", [77]), "does not have"),
        (_set("scene", 5), "does not have"),
        (_set("meshes", 0, "primitives", 3), "no list of parts"),
        (_set("meshes", 0, "primitives", [{}] * 2000), "no list of parts"),
        (_set("meshes", 0, "primitives", 0, "indices", 0), "another type"),
        (_set("meshes", 0, "primitives", 0, "mode", 5), "strips or fans"),
        (_set("meshes", 0, "primitives", 0, "targets", [{"POSITION": 0}]), None),
        (_set("meshes", 0, "primitives", 0, "targets", [{"POSITION": 2}] * 2), "more or fewer values"),
        (_set("meshes", 0, "primitives", 0, "targets", [{}] * 500), "500 morph targets; keep at most 300"),
        (_set("meshes", 0, "primitives", 0, "targets", 5), "no list"),
        (_set("meshes", 0, "primitives", 0, "material", 9), "does not have"),
        (_set(*ATTRIBUTES, "TEXCOORD_0", 2), "more or fewer values"),
        (_set(*ATTRIBUTES, "POSITION", None), "does not have"),
        (_set("materials", 0, "pbrMetallicRoughness", "baseColorTexture", {"index": 4}), "does not have"),
        (_set("images", 0, "bufferView", 999), "does not have"),
        (_set("extensions", {"VRMC_vrm": {"expressions": {"preset": {"aa": {"morphTargetBinds": [7]}}}}}), "as VRM"),
        (_set("extensions", {"VRM": {"blendShapeMaster": {"blendShapeGroups": 5}}}), "as VRM"),
        (_set("extensions", {"VRM": 5}), "as VRM"),
    ],
)
def test_a_document_that_breaks_the_rules_is_refused(tmp_path: Path, edit, words: str | None) -> None:
    """None: not against the rules of this reader, or only of another node."""
    path = edited(tmp_path, edit)
    if words is not None:
        refused(path, words)
        return
    try:
        load_rigged_head(path)
    except HeadError as error:
        assert str(error).endswith(".")


def test_nodes_in_a_circle_end(tmp_path: Path) -> None:
    def edit(document: dict) -> None:
        document["nodes"] += [{"children": [5]}, {"children": [4]}]

    refused(edited(tmp_path, edit), "form a circle")


def test_counts_are_refused_before_memory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros need no bytes in the file: a thousand parts of as many zeros as one list may have."""
    glb = build(NAMES)
    count = gltf_file.MOST_VALUES // 3
    zeros = glb.add("accessors", {"componentType": 5126, "type": "VEC3", "count": count})
    primitive = {"attributes": {"POSITION": zeros}, "targets": [{"POSITION": zeros}] * 2}
    glb.document["meshes"][0]["primitives"] = [primitive] * 500
    path = write(tmp_path / "zeros.glb", glb)
    tracemalloc.start()
    try:
        refused(path, "vertices; reduce it to at most 300000")
        assert tracemalloc.get_traced_memory()[1] < 30e6, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    corners = glb.add("accessors", {"componentType": 5125, "type": "SCALAR", "count": gltf_file.MOST_VALUES})
    primitive = {"attributes": {"POSITION": 0}, "targets": [{}, {}], "indices": corners}
    glb.document["meshes"][0]["primitives"] = [primitive] * 50
    refused(write(tmp_path / "zeros.glb", glb), "triangles; reduce it to at most 1000000")
    with monkeypatch.context() as smaller:
        smaller.setattr(gltf_scene, "MOST_NODES", 3)
        refused(path, "4 nodes; keep at most 3")
    monkeypatch.setattr(gltf_file, "LARGEST_BYTES", 1000)
    refused(path, "larger than")
    parts = split(tmp_path)
    beside = [tmp_path / name for name in ("head.gltf", "parts/head.bin", "skin one.png")]
    size = sum(file.stat().st_size for file in beside)
    monkeypatch.setattr(gltf_file, "LARGEST_BYTES", size)
    read_gltf(parts)
    monkeypatch.setattr(gltf_file, "LARGEST_BYTES", size - 1)
    refused(parts, "skin one.png is larger than")
    monkeypatch.setattr(gltf_file, "LARGEST_DOCUMENT", 1000)
    refused(parts, "description in head.gltf is larger than")


def test_broken_bytes_end_in_one_sentence_or_in_a_head(tmp_path: Path) -> None:
    """Bytes of the document and of the numbers replaced at random: never another error, never numbers not finite."""
    generator = np.random.default_rng(5)
    given = (pieces()[1],)
    data = np.frombuffer(build({"eyeLookUpLeft": "eyeLookUpLeft"}, given, texture=False).bytes(), np.uint8)
    length = struct.unpack_from("<I", data.tobytes(), 12)[0]
    heads = 0
    for trial in range(150):
        broken = data.copy()
        span = (20, 20 + length) if trial % 3 else (20 + length, len(data))
        where = generator.integers(*span, generator.integers(1, 6))
        broken[where] = generator.choice(np.frombuffer(b'0123456789-{}[]",:eE.\xff\x7f', np.uint8), len(where))
        path = tmp_path / "broken.glb"
        path.write_bytes(broken.tobytes())
        try:
            head = load_rigged_head(path)
        except HeadError as error:
            assert str(error).endswith(".") and "\n" not in str(error)
            continue
        heads += 1
        assert np.isfinite(head.template).all() and np.isfinite(head.blendshapes).all()
    assert 10 < heads < 140, heads

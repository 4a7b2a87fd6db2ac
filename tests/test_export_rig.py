"""A user's own head goes out as it came, with an animation of its own morph targets."""

from __future__ import annotations

import copy
import dataclasses
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from glb_case import Glb, build, own_shapes_head, painted, vrm_head, write
from take_case import planted_take

from memorytalker.exports.rig import export_rig
from memorytalker.exports.rig import write as write_take
from memorytalker.exports.take import ExportError
from memorytalker.face.gltf_file import GltfFile, read_gltf
from memorytalker.face.head import ARKIT_NAMES, HeadError, HeadMesh, load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.rigged_head import curves_for, drive, load_rigged_head

NAMES = {"tongueOut": "tongueOut", "jawOpen": "JawOpen", "mouthSmileLeft": "mouthSmileLeft", "browInnerUp": "Nose size"}


def wave(frames: int = 150, fps: float = 24.0) -> FaceCurves:
    weights = np.random.default_rng(3).random((frames, 52), dtype=np.float32)
    return FaceCurves(weights, ARKIT_NAMES, fps)


def head_of(tmp_path: Path, glb: Glb) -> HeadMesh:
    return load_rigged_head(write(tmp_path / "mine.glb", glb))


def played(file: GltfFile, node: int) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) and weights (T, targets) of a node, from the one animation channel that moves its weights."""
    found = [
        (animation["samplers"][channel["sampler"]])
        for animation in file.document["animations"]
        for channel in animation["channels"]
        if channel["target"] == {"node": node, "path": "weights"}
    ]
    assert len(found) == 1 and found[0]["interpolation"] == "LINEAR"
    times = file.accessor(found[0]["input"], 1)[:, 0]
    return times, file.accessor(found[0]["output"], 1).reshape(len(times), -1)


def test_exported_and_read_again_the_weights_are_the_same(tmp_path: Path) -> None:
    head, curves = head_of(tmp_path, build(NAMES)), wave()
    export_rig(head, curves, tmp_path / "out" / "talk.glb", about={"style": "own voice"})
    again = load_rigged_head(tmp_path / "out" / "talk.glb")
    np.testing.assert_array_equal(again.template, head.template)
    np.testing.assert_array_equal(again.blendshapes, head.blendshapes)
    for node in range(4):
        times, weights = played(again.rig.file, node)
        np.testing.assert_allclose(times, np.arange(150) / 24, atol=1e-5)
        wanted = [curves.curve(name) for name in ("tongueOut", "jawOpen", "mouthSmileLeft")]
        np.testing.assert_array_equal(weights, np.stack([*wanted, np.zeros(150)], axis=1))
    extras = again.rig.file.document["animations"][0]["extras"]
    assert extras == {"fps": 24.0, "style": "own voice"}
    # What the player of the file computes is what we draw.
    moved = sum(weights[7, k] * own for k, own in enumerate(targets(again.rig.file, 0)))
    count = len(targets(again.rig.file, 0)[0])
    np.testing.assert_allclose(moved, head.offsets(curves_for(head, curves).weights)[7, :count], atol=1e-6)


def targets(file: GltfFile, mesh: int) -> list[np.ndarray]:
    (primitive,) = file.document["meshes"][mesh]["primitives"]
    return [file.accessor(target["POSITION"], 3) for target in primitive["targets"]]


def test_the_document_is_kept_and_only_weights_are_replaced(tmp_path: Path) -> None:
    glb = build(NAMES)
    glb.document["extras"] = {"author": "somebody", "price": 1.5}
    glb.document["materials"][0]["extras"] = {"ours": True}
    clock, old, turn = (
        glb.accessor(np.arange(2, dtype=np.float32), "SCALAR", min=[0], max=[1]),
        glb.accessor(np.ones(8, np.float32), "SCALAR"),
        glb.accessor(np.tile(np.float32([0, 0, 0, 1]), (2, 1)), "VEC4"),
    )
    samplers = [{"input": clock, "output": old}, {"input": clock, "output": turn}]
    weights = {"sampler": 0, "target": {"node": 0, "path": "weights"}}
    nod = {"sampler": 1, "target": {"node": 0, "path": "rotation"}}
    glb.add("animations", {"name": "old words", "samplers": samplers, "channels": [weights]})
    glb.add("animations", {"name": "nod and words", "samplers": samplers, "channels": [weights, nod]})
    head = head_of(tmp_path, glb)
    before = copy.deepcopy(head.rig.file.document)
    export_rig(head, wave(), tmp_path / "once.glb")
    assert head.rig.file.document == before  # the head's own document is not touched
    export_rig(load_rigged_head(tmp_path / "once.glb"), wave(30), tmp_path / "twice.glb")
    after = read_gltf(tmp_path / "twice.glb").document
    for kind in ("asset", "extras", "materials", "textures", "images", "meshes", "nodes", "scenes"):
        assert after[kind] == before[kind], kind
    assert after["accessors"][: len(before["accessors"])] == before["accessors"]
    names = [animation["name"] for animation in after["animations"]]
    assert names == ["nod and words", "MemoryTalker"]
    assert after["animations"][0]["channels"] == [{**nod, "sampler": 0}]
    assert after["animations"][0]["samplers"] == [samplers[1]]
    times, weights = played(read_gltf(tmp_path / "twice.glb"), 0)
    assert weights.shape == (30, 4)
    data = (tmp_path / "twice.glb").read_bytes()
    assert struct.unpack_from("<I", data, 8)[0] == len(data) and len(data) % 4 == 0


def test_targets_that_no_curve_moves_keep_their_weight(tmp_path: Path) -> None:
    glb = build(NAMES)
    glb.document["meshes"][0]["weights"] = [0.2, 0.3, 0.1, 0.75]
    glb.document["nodes"][1]["weights"] = [0.0, 0.0, 0.0, 0.25]
    curves = wave(5)
    export_rig(head_of(tmp_path, glb), curves, tmp_path / "talk.glb")
    file = read_gltf(tmp_path / "talk.glb")
    for node, kept in ((0, 0.75), (1, 0.25), (2, 0.0)):
        weights = played(file, node)[1]
        np.testing.assert_array_equal(weights[:, 3], np.full(5, kept, np.float32))
        np.testing.assert_array_equal(weights[:, 1], curves.curve("jawOpen"))


def test_a_vrm_head_speaks_through_what_its_expressions_bind(tmp_path: Path) -> None:
    head, curves = head_of(tmp_path, vrm_head(1)), wave(20)
    export_rig(head, curves, tmp_path / "talk.vrm")
    file = read_gltf(tmp_path / "talk.vrm")
    assert file.document["extensions"] == head.rig.file.document["extensions"]
    own = dict(zip((control.name for control in head.rig.controls), drive(head, curves).T, strict=True))
    _, weights = played(file, 2)
    np.testing.assert_allclose(weights[:, 0], 0.8 * own["aa"], atol=1e-6)
    np.testing.assert_allclose(weights[:, 5], own["blinkLeft"], atol=1e-6)
    assert not weights[:, 7].any()  # sleepy
    whole = own_shapes_head(head).offsets(drive(head, curves))
    np.testing.assert_allclose(whole, head.offsets(curves_for(head, curves).weights), atol=1e-5)


def test_a_head_of_several_files_goes_out_as_one(tmp_path: Path) -> None:
    glb = build(NAMES)
    glb.bytes()
    document = copy.deepcopy(glb.document)
    half = len(glb.data) // 8 * 4 + 4
    # The vertices' numbers twice over in a second buffer, so that offsets must be moved.
    (tmp_path / "a.bin").write_bytes(bytes(glb.data) + b"x")
    (tmp_path / "b.bin").write_bytes(bytes(half) + bytes(glb.data))
    (tmp_path / "skin.png").write_bytes(painted())
    sizes = [(len(glb.data) + 1, "a.bin"), (half + len(glb.data), "b.bin")]
    document["buffers"] = [{"byteLength": size, "uri": uri} for size, uri in sizes]
    for number, view in enumerate(document["bufferViews"]):
        if number % 2:
            view.update(buffer=1, byteOffset=view["byteOffset"] + half)
    document["images"] = [{"uri": "skin.png", "name": "skin"}]
    (tmp_path / "mine.gltf").write_text(json.dumps(document))
    head = load_rigged_head(tmp_path / "mine.gltf")
    export_rig(head, wave(3), tmp_path / "moved" / "talk.glb")
    for name in ("a.bin", "b.bin", "skin.png"):
        (tmp_path / name).unlink()
    again = load_rigged_head(tmp_path / "moved" / "talk.glb")
    np.testing.assert_array_equal(again.blendshapes, head.blendshapes)
    np.testing.assert_array_equal(again.rig.uv, head.rig.uv)
    image = again.rig.file.document["images"][0]
    assert image["mimeType"] == "image/png" and image["name"] == "skin" and "uri" not in image
    assert bytes(again.rig.file.images[0][0]) == painted()
    assert len(again.rig.file.document["buffers"]) == 1


def test_a_take_is_written_with_where_it_comes_from_and_progress(tmp_path: Path) -> None:
    take, head, seen = planted_take(), head_of(tmp_path, build(NAMES)), []
    assert take.curves is not None
    own = dataclasses.replace(
        take,
        head=head,
        curves=curves_for(head, take.curves),
        lip_residual_mm=0.25,
        progress=lambda done, total, _: seen.append((done, total)),
    )
    assert write_take(own, tmp_path / "talk.glb") == (tmp_path / "talk.glb", tmp_path / "talk_sound.wav")
    extras = read_gltf(tmp_path / "talk.glb").document["animations"][0]["extras"]
    assert extras["memorytalker:source"] == "planted.wav" and extras["fps"] == 30.0
    assert extras["memorytalker:lipResidualMillimetres"] == 0.25
    assert seen[-1] == (40, 40) and seen == sorted(seen)
    with pytest.raises(ExportError, match="for a head of your own"):
        write_take(take, tmp_path / "talk.glb")


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    head, before = head_of(tmp_path, build(NAMES)), sorted(tmp_path.iterdir())

    def cancel(done: int, total: int, stage: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_rig(head, wave(), tmp_path / "talk.glb", progress=cancel)
    with pytest.raises(ExportError, match="saved as .glb, not as '.gltf'"):
        export_rig(head, wave(), tmp_path / "talk.gltf")
    with pytest.raises(HeadError, match="no shapes of its own"):
        export_rig(load_head(), wave(), tmp_path / "talk.glb")
    assert sorted(tmp_path.iterdir()) == before

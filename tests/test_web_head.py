"""The player's head: morph targets move its vertices and normals to where the renderer of videos has them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from glb_reader import Glb, read_glb
from node_reader import read_with_node
from test_gltf import complaints

from memorytalker.exports.web_head import FINISH_UNIT, STEP, web_head
from memorytalker.face.head import HeadError, HeadMesh, load_head
from memorytalker.options import RenderOptions
from memorytalker.rendering.appearance import head_appearance
from memorytalker.rendering.scene import AZIMUTHS, frame_head
from memorytalker.rendering.surface import Surface

#: A face in speech with a blink: the largest weights that speech makes.
POSE = {
    "jawOpen": 0.3, "mouthPucker": 0.2, "mouthSmileLeft": 0.3, "mouthSmileRight": 0.2, "browInnerUp": 0.5,
    "eyeBlinkLeft": 1.0, "mouthLowerDownLeft": 0.2, "mouthUpperUpRight": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def data(head: HeadMesh) -> bytes:
    return web_head(head)


@pytest.fixture(scope="module")
def file(data: bytes) -> Glb:
    return read_glb(data)


def posed(file: Glb, name: str, pose: dict[str, float]) -> np.ndarray:
    """An attribute with all targets of a pose summed, as a program that plays the file has it."""
    [mesh] = file.document["meshes"]
    [primitive] = mesh["primitives"]
    values = file.values(primitive["attributes"][name]).astype(np.float64)
    for target, offsets in zip(mesh["extras"]["targetNames"], primitive["targets"], strict=True):
        if pose.get(target):
            values += pose[target] * file.values(offsets[name])
    return values


def test_vertices_are_those_of_the_head_in_its_order(file: Glb, head: HeadMesh) -> None:
    [primitive] = file.document["meshes"][0]["primitives"]
    assert file.document["meshes"][0]["extras"]["targetNames"] == list(head.blendshape_names)
    assert primitive["extras"] == {"headVertices": head.vertex_count}
    weights = np.array([[POSE.get(name, 0.0) for name in head.blendshape_names]], np.float32)
    expected = head.template + head.offsets(weights)[0]
    found = posed(file, "POSITION", POSE)[: head.vertex_count]
    assert np.abs(found - expected).max() <= 0.5 * STEP * sum(POSE.values()) + 1e-7
    assert np.abs(expected - head.template).max() > 0.01  # the pose can be seen


def test_what_subdivision_adds_lies_and_faces_as_in_the_videos(file: Glb, head: HeadMesh) -> None:
    surface = head_appearance(head).surface
    weights = np.array([[POSE.get(name, 0.0) for name in head.blendshape_names]], np.float32)
    vertices = head.template + head.offsets(weights)[0]
    points, normals = surface.refine(vertices, surface.normals(vertices))
    assert np.linalg.norm(posed(file, "POSITION", POSE) - points, axis=1).max() < 6e-5
    found = posed(file, "NORMAL", POSE)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    apart = np.degrees(np.arccos(np.clip((found * normals).sum(axis=1), -1, 1)))
    moved = np.linalg.norm(points - surface.refine(head.template, surface.normals(head.template))[0], axis=1) > 1e-4
    assert moved.sum() > 3000 and apart[moved].mean() < 0.5 and np.percentile(apart, 99) < 3
    rest = posed(file, "NORMAL", {})
    turned = np.degrees(np.arccos(np.clip((rest * normals).sum(axis=1), -1, 1)))
    assert turned[moved].mean() > 10 * apart[moved].mean()  # without targets of normals it would look otherwise
    [primitive] = file.document["meshes"][0]["primitives"]
    np.testing.assert_array_equal(file.values(primitive["indices"])[:, 0].reshape(-1, 3), surface.fine_faces)


def test_the_file_says_all_that_a_player_needs(file: Glb, head: HeadMesh, data: bytes) -> None:
    look, document = head_appearance(head), file.document
    stage, attributes = document["scenes"][0]["extras"], document["meshes"][0]["primitives"][0]["attributes"]
    count = head.vertex_count
    share = file.values(attributes["COLOR_0"])[:count, :3] / 65535
    srgb = np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)
    np.testing.assert_array_equal((255 * srgb).round().astype(np.uint8), head.colors)
    finish = file.values(attributes["_FINISH"])[:count] / 65535
    np.testing.assert_allclose(FINISH_UNIT * finish[:, :3], look.finishes, atol=1e-4)
    np.testing.assert_allclose(finish[:, 3], look.light.sky, atol=1e-4)
    keyed = sum(name.startswith("_KEYS_") for name in attributes)
    groups = [file.values(attributes[f"_KEYS_{k}"])[:count] for k in range(keyed)]
    keys = np.concatenate(groups, axis=1)[:, : len(stage["azimuths"])] / 255
    np.testing.assert_allclose(keys, look.light.keys.T, atol=0.003)
    assert stage["azimuths"] == list(look.light.azimuths) and stage["finishUnit"] == FINISH_UNIT
    assert set(stage["cameras"]) == set(AZIMUTHS) and "gl_FragData[0]" in stage["fragment"]
    assert len(data) < 5_000_000


def test_the_validator_of_khronos_finds_nothing(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "head.glb"
    path.write_bytes(data)
    [report] = read_with_node("validate_gltf.js", path)
    assert report["issues"]["numErrors"] == report["issues"]["numWarnings"] == 0, complaints(report)


def test_the_same_head_gives_the_same_bytes(head: HeadMesh, data: bytes) -> None:
    assert web_head(dataclasses.replace(head)) == data


def test_a_head_in_millimetres_is_brought_to_metres(head: HeadMesh) -> None:
    large = dataclasses.replace(
        head, template=1000 * head.template, blendshapes=1000 * head.blendshapes[:1],
        blendshape_names=head.blendshape_names[:1],
    )  # fmt: skip
    file, look = read_glb(web_head(large)), head_appearance(large)
    places = posed(file, "POSITION", {large.blendshape_names[0]: 1.0})[: head.vertex_count]
    assert 0.2 < np.ptp(places, axis=0).max() < 0.3  # a natural size; the shipped head, with its shoulders, is larger
    np.testing.assert_allclose(places, (large.template + large.blendshapes[0]) * look.scale, atol=1e-6)
    assert file.document["scenes"][0]["extras"]["azimuths"] == [0.0]  # found, not shipped


def test_a_head_without_blendshapes_has_no_targets(head: HeadMesh) -> None:
    plain = dataclasses.replace(head, blendshapes=head.blendshapes[:0], blendshape_names=())
    [mesh] = read_glb(web_head(plain)).document["meshes"]
    assert "targets" not in mesh["primitives"][0] and "weights" not in mesh


def test_what_cannot_be_drawn_is_refused_in_words(head: HeadMesh) -> None:
    with pytest.raises(HeadError, match="no triangles"):
        web_head(dataclasses.replace(head, faces=head.faces[:0]))
    with pytest.raises(HeadError, match="neutral face"):
        web_head(dataclasses.replace(head, template=0 * head.template))


def test_an_appearance_is_that_of_the_head_and_is_cached(head: HeadMesh) -> None:
    omar = head.with_identity("omar")
    appearance = head_appearance(omar)
    assert head_appearance(head.with_identity("omar")) is appearance and head_appearance(head) is not appearance
    np.testing.assert_array_equal(appearance.template, omar.template)
    assert appearance.cameras["front"] == frame_head(omar, RenderOptions())
    surface = Surface(omar.faces, omar.template, np.inf)
    assert len(surface.edges) == 0 and len(appearance.surface.edges) > 1000  # long sides are rounded, as in videos
    repainted = head_appearance(dataclasses.replace(omar, colors=255 - omar.colors))
    assert (repainted.colors == 255 - omar.colors).all()

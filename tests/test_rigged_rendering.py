"""A user's own head is drawn with its own materials and textures."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from glb_case import Glb, Piece, build, pieces, vrm_head, write
from PIL import Image

from memorytalker.face.head import ARKIT_NAMES, HeadError, HeadMesh, load_head
from memorytalker.face.rigged_head import load_rigged_head
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames
from memorytalker.rendering.appearance import head_appearance
from memorytalker.rendering.scene import seam_groups_of
from memorytalker.rendering.surface import Patch, Surface
from memorytalker.rendering.textures import baked_colors, decode_image, make_atlas

NAMES = {name: name for name in ARKIT_NAMES}
SIZE = RenderOptions(width=160, height=160)


def head_of(tmp_path: Path, glb: Glb) -> HeadMesh:
    return load_rigged_head(write(tmp_path / "mine.glb", glb))


def drawn(head: HeadMesh, weights: dict[str, float] | None = None, options: RenderOptions = SIZE) -> np.ndarray:
    moved = sum((np.float32(w) * head.blendshape(name) for name, w in (weights or {}).items()), np.float32(0))
    return next(iter(render_frames(head, (head.template + moved)[None], options))).astype(int)


def share(image: np.ndarray, channel: int) -> float:
    """Share of the pixels in which one channel is far above the others."""
    others = np.delete(image, channel, axis=2).max(axis=2)
    return float((image[..., channel] > others + 40).mean())


def test_textures_lie_where_their_coordinates_say(tmp_path: Path) -> None:
    """Red above and green below; blue on the texture's left, which is the face's right and the viewer's left."""
    image = drawn(head_of(tmp_path, build(NAMES)))
    top, bottom = image[40:100], image[140:]
    assert share(top, 0) > 0.25 and share(top, 1) < 0.01
    assert share(bottom, 1) > 0.1 and share(bottom, 0) < 0.02
    assert share(image[:, :60], 2) > 0.005 > share(image[:, 100:], 2)
    plain = drawn(head_of(tmp_path, build(NAMES, texture=False)))
    assert share(plain, 0) < 0.05 and share(plain, 1) < 0.01  # white, however warm the light


def test_a_base_colour_multiplies_its_texture(tmp_path: Path) -> None:
    glb = build(NAMES)
    glb.document["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] = [0, 1, 1, 1]
    image = drawn(head_of(tmp_path, glb))
    assert share(image[40:100], 0) == 0 and share(image[140:], 1) > 0.1


def test_a_texture_repeats_or_is_moved_by_its_transform(tmp_path: Path) -> None:
    glb = build(NAMES)
    texture = glb.document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    texture["extensions"] = {"KHR_texture_transform": {"offset": [2, -1.5]}}
    moved = drawn(head_of(tmp_path, glb))
    assert share(moved[40:100], 1) > 0.25 and share(moved[140:], 0) > 0.05  # half a texture further down
    glb.document["samplers"] = [{"wrapS": 33071, "wrapT": 33071}]
    glb.document["textures"][0]["sampler"] = 0
    clamped = drawn(head_of(tmp_path, glb))
    assert share(clamped, 1) < 0.01 and share(clamped[40:100], 0) > 0.25


@pytest.mark.parametrize(("mode", "seen"), [("OPAQUE", True), ("MASK", False), ("BLEND", False)])
def test_what_is_transparent_is_not_drawn(tmp_path: Path, mode: str, seen: bool) -> None:
    """The upper half of the texture is clear: without that skin one looks through to the backdrop or the inside."""
    clear = np.full((32, 32, 4), (220, 60, 50, 255), np.uint8)
    clear[:16, :, 3] = 40
    file = io.BytesIO()
    Image.fromarray(clear).save(file, "PNG")
    glb = build(NAMES)
    glb.document["images"][0] = {"bufferView": glb.view(file.getvalue()), "mimeType": "image/png"}
    glb.document["materials"][0]["alphaMode"] = mode
    image = drawn(head_of(tmp_path, glb))
    assert (share(image[40:80], 0) > 0.2) == seen and share(image[140:], 0) > 0.1


@pytest.mark.parametrize("two_sided", [False, True])
def test_both_sides_of_a_material_are_drawn_where_it_has_two(tmp_path: Path, two_sided: bool) -> None:
    """A skin turned inside out: one looks through its forehead, or sees it from behind, and dark."""
    glb = build(NAMES, [dataclasses.replace(pieces()[0], faces=pieces()[0].faces[:, ::-1])])
    glb.document["materials"][0]["doubleSided"] = two_sided
    forehead = drawn(head_of(tmp_path, glb))[25:60, 65:95]
    assert ((forehead[..., 0] > forehead[..., 2] + 25).mean() > 0.9) == two_sided


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_images_of_every_kind_are_decoded(tmp_path: Path, kind: str) -> None:
    glb, file = build(NAMES), io.BytesIO()
    Image.new("RGB", (50, 30), (200, 100, 40)).save(file, kind)
    glb.document["images"][0] = {"bufferView": glb.view(file.getvalue())}
    image = decode_image(head_of(tmp_path, glb).rig, 0, 16)
    assert image.shape == (16, 16, 4) and np.abs(image.astype(int) - (200, 100, 40, 255)).max() < 8


def test_images_that_cannot_be_decoded_are_refused(tmp_path: Path) -> None:
    huge = io.BytesIO()
    Image.new("1", (9000, 9000)).save(huge, "PNG")
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, "PNG")
    playlist = b"#EXTM3U\nfile:///etc/passwd\n"
    for data in (b"", b"GIF89a" + bytes(50), whole.getvalue()[:200], huge.getvalue(), playlist, b"RIFF" + bytes(60)):
        glb = build(NAMES)
        glb.document["images"][0] = {"bufferView": glb.view(data or b"\0"), "mimeType": "image/png"}
        head = head_of(tmp_path, glb)  # only drawing needs the image
        with pytest.raises(HeadError, match="A texture of mine.glb cannot be read; save it as PNG or JPEG"):
            make_atlas(head.rig, 160)


def test_the_page_gets_the_texture_as_colours_of_the_vertices(tmp_path: Path) -> None:
    head = head_of(tmp_path, build(NAMES))
    colors, skin = baked_colors(head), np.arange(len(pieces()[0].vertices))
    up = head.template[skin, 1] > 0.02
    front = np.abs(head.template[skin, 0]) < 0.03
    assert np.abs(colors[skin][up & front].astype(int) - (220, 60, 50)).max() < 12
    assert np.abs(colors[skin][(head.template[skin, 1] < -0.1) & front].astype(int) - (60, 190, 80)).max() < 12
    np.testing.assert_array_equal(colors[len(skin) :], head.colors[len(skin) :])
    np.testing.assert_array_equal(head_appearance(head).colors, colors)
    np.testing.assert_array_equal(baked_colors(load_head()), load_head().colors)


def test_the_mouth_opens_and_the_rest_of_the_frame_stays(tmp_path: Path) -> None:
    head = head_of(tmp_path, build(NAMES))
    closed, opened = drawn(head), drawn(head, {"jawOpen": 0.8})
    changed = np.abs(opened - closed).max(axis=2) > 30
    assert changed.mean() > 0.01 and np.quantile(np.nonzero(changed)[0], 0.05) > 95


@pytest.mark.parametrize("version", [1, 0])
def test_a_vrm_head_looks_at_the_camera(tmp_path: Path, version: int) -> None:
    other = head_of(tmp_path, build(NAMES))
    image, wanted = drawn(head_of(tmp_path, vrm_head(version))), drawn(other)
    assert (np.abs(image - wanted).max(axis=2) > 30).mean() < 0.02


def cut_in_two() -> list[Piece]:
    """The skin, cut along the middle as along a texture's seam, and the other pieces."""
    skin, *others = pieces()
    left = skin.vertices[skin.faces].mean(axis=1)[:, 0] > 0
    halves = []
    for side in (left, ~left):
        own, corners = np.unique(skin.faces[side], return_inverse=True)
        shapes = {name: values[own] for name, values in skin.shapes.items()}
        halves.append(Piece("Wolf_Skin", skin.vertices[own], corners.reshape(-1, 3), skin.uv[own], shapes))
    return [*halves, *others]


def test_a_seam_is_not_seen(tmp_path: Path) -> None:
    whole, cut = head_of(tmp_path, build(NAMES)), head_of(tmp_path, build(NAMES, cut_in_two()))
    smile = {"jawOpen": 0.5, "mouthSmileLeft": 0.5}
    apart = np.abs(drawn(whole, smile) - drawn(cut, smile)).max(axis=2)
    assert (apart > 6).mean() < 0.002
    # Without a seam group the two sides have normals of their own, which is seen.
    alone = dataclasses.replace(cut.rig, seam_groups=np.arange(cut.vertex_count, dtype=np.int32))
    apart = np.abs(drawn(whole, smile) - drawn(dataclasses.replace(cut, rig=alone), smile)).max(axis=2)
    assert (apart > 6).mean() > 0.004


@pytest.mark.parametrize("one_side", [False, True])
def test_a_patch_of_a_cut_surface_is_the_surface(tmp_path: Path, one_side: bool) -> None:
    """Where only one side of the seam moves, the normals on the other side turn, too."""
    head = head_of(tmp_path, build(NAMES, cut_in_two()))
    surface = Surface(head.faces, head.template, 0.004, 0.0001, seam_groups_of(head))
    moved = np.where(head.template[:, :1] > 0.001 if one_side else True, head.blendshape("jawOpen"), 0)
    at_rest, vertices = surface.normals(head.template), (head.template + moved).astype(np.float32)
    patch = Patch(surface, np.abs(moved).max(axis=1) > 1e-6)
    points, normals = surface.refine(vertices, surface.normals(vertices))
    part, turned = patch.refine(vertices, at_rest)
    np.testing.assert_allclose(part, points[patch.fine], atol=1e-6)
    np.testing.assert_allclose(turned, normals[patch.fine], atol=3e-4)
    still = np.setdiff1d(np.arange(len(points)), patch.fine)
    np.testing.assert_allclose(surface.refine(head.template, at_rest)[1][still], normals[still], atol=3e-4)

"""A mesh in the order of a known head is one of its faces; the same mesh shuffled is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_datasets import FLAME_VERTICES, planted_face, write_faces

from memorytalker.face.head import HeadError, HeadMesh, load_head
from memorytalker.face.mesh_files import head_for, head_with_template, load_mesh_head
from memorytalker.face.mesh_order import check_likely_order


def write_mesh(path: Path, vertices: np.ndarray, faces: np.ndarray) -> Path:
    lines = [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    path.write_text("\n".join(lines) + "\n")
    return path


def shuffled(vertices: np.ndarray, faces: np.ndarray, some: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The same mesh with its vertices, or `some` of them, in another order."""
    generator = np.random.default_rng(2)
    order = np.arange(len(vertices))
    chosen = order if some is None else generator.choice(order, some, replace=False)
    order[chosen] = np.roll(chosen, 1) if some else generator.permutation(chosen)
    return vertices[order], np.argsort(order)[faces]


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def test_a_face_in_the_open_heads_order_takes_its_blendshapes(tmp_path: Path, head: HeadMesh) -> None:
    wide = head.template * np.float32([1.1, 1, 1])
    turned = np.roll(head.faces, 1, axis=1)[np.random.default_rng(0).permutation(len(head.faces))]
    own = head_with_template(head, write_mesh(tmp_path / "wide.obj", wide, turned))
    np.testing.assert_allclose(own.template, wide, atol=1e-6)
    assert own.identity == "wide" and list(own.identities) == [*head.identities, "wide"]
    assert own.blendshapes is head.blendshapes and own.with_identity("omar").identity == "omar"
    np.testing.assert_array_equal(own.faces, head.faces)


@pytest.mark.parametrize("some", [None, 2])
def test_a_shuffled_open_head_is_refused_with_the_reason(tmp_path: Path, head: HeadMesh, some: int | None) -> None:
    path = write_mesh(tmp_path / "mixed.obj", *shuffled(head.template, head.faces, some))
    for use in (lambda: head_with_template(head, path), lambda: head_for(head.vertex_count, path)):
        with pytest.raises(
            HeadError, match="as many vertices as the open head but in another order: .* triangles"
        ) as no:
            use()
        assert "mixed.obj" in str(no.value) and str(no.value).endswith(".") and "\n" not in str(no.value)


def test_other_meshes_are_no_face_of_the_open_head(tmp_path: Path, head: HeadMesh) -> None:
    def given(name: str, vertices: np.ndarray, faces: np.ndarray = head.faces) -> None:
        head_with_template(head, write_mesh(tmp_path / name, vertices, faces))

    with pytest.raises(HeadError, match="another order: 17041 of its 17041 triangles"):
        given("less.obj", head.template, head.faces[1:])
    with pytest.raises(HeadError, match="9647 vertices where the open head has 9648"):
        given("fewer.obj", head.template[:-1], head.faces[(head.faces < len(head.template) - 1).all(axis=1)])
    with pytest.raises(HeadError, match="neighbours lie far apart"):
        given("places.obj", shuffled(head.template, head.faces)[0])
    with pytest.raises(HeadError, match="y up and its left towards"):
        given("back.obj", head.template * np.float32([-1, 1, -1]))
    with pytest.raises(HeadError, match="centimetres"):
        given("large.obj", head.template * 100)


def test_weights_of_the_open_head_take_a_mesh_in_its_order_only(tmp_path: Path, head: HeadMesh) -> None:
    path = write_mesh(tmp_path / "own.obj", head.template, head.faces)
    assert head_for(head.vertex_count, path).vertex_count == head.vertex_count


def like_flame() -> tuple[np.ndarray, np.ndarray]:
    """A grid of 3931 vertices and two balls of 546, in FLAME's order: (V, 3), (F, 3)."""
    skin = planted_face(FLAME_VERTICES - 2 * 546)
    columns, rows = skin.columns, len(skin.template) // skin.columns
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    faces = [np.stack([corner, corner + columns, corner + 1], 1)]
    around, up = np.meshgrid(np.arange(26) * 2 * np.pi / 26, np.linspace(-0.99, 0.99, 21))
    flat = np.sqrt(1 - up**2)
    ball = 0.012 * np.stack([np.cos(around) * flat, np.sin(around) * flat, up], axis=-1).reshape(-1, 3)
    at = np.arange(20 * 26).reshape(20, 26)
    ring = np.stack([at, np.roll(at, -1, axis=1), at + 26], axis=-1).reshape(-1, 3)
    places = [skin.template, ball + (0.03, 0.03, 0.06), ball + (-0.03, 0.03, 0.06)]
    faces += [ring + len(skin.template), ring + len(skin.template) + 546]
    return np.concatenate(places), np.concatenate(faces)


def test_an_order_that_cannot_be_flames_is_refused(tmp_path: Path) -> None:
    vertices, faces = like_flame()
    assert len(vertices) == FLAME_VERTICES
    assert head_for(FLAME_VERTICES, write_mesh(tmp_path / "flame.obj", vertices, faces)).vertex_count == 5023
    mixed = write_mesh(tmp_path / "mixed.obj", *shuffled(vertices, faces))
    with pytest.raises(HeadError, match="vertices of an eyeball do not follow .* get FLAME's mesh"):
        head_for(FLAME_VERTICES, mixed)
    eyes = np.r_[: FLAME_VERTICES - 1092, np.arange(1092).reshape(2, 546).T.ravel() + FLAME_VERTICES - 1092]
    with pytest.raises(HeadError, match="eyeball"):  # only the two eyes are mixed
        check_likely_order(vertices[eyes], np.argsort(eyes)[faces], "eyes.obj", "FLAME's mesh")


def test_an_order_of_an_unknown_mesh_must_be_one(tmp_path: Path) -> None:
    faces, vertices = write_faces(tmp_path / "face.ply", 400), planted_face(400).template
    assert head_for(400, tmp_path / "face.ply").vertex_count == 400
    mixed, corners = shuffled(vertices, faces)
    with pytest.raises(
        HeadError, match="another order than the weights: vertices that follow each other lie no nearer"
    ):
        head_for(400, write_mesh(tmp_path / "mixed.obj", mixed, corners))
    with pytest.raises(HeadError, match="join vertices that lie far apart"):
        head_for(400, write_mesh(tmp_path / "places.obj", mixed, faces))
    # With a data set its neutral faces decide: the order of the triangles must be theirs, of 20 vertices as of all.
    assert load_mesh_head(tmp_path / "face.ply", {"a": vertices}).vertex_count == 400
    for some in (20, None):
        mixed, _ = shuffled(vertices, faces, some)
        with pytest.raises(HeadError, match="as many vertices as the templates but in another order"):
            load_mesh_head(tmp_path / "face.ply", {"a": mixed})

"""A head from a user's own mesh: vertices keep their number and order, and whatever does not fit is refused plainly."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_datasets import FLAME_VERTICES, planted_face, speaker_template, write_faces

from memorytalker.face.head import HeadError, HeadMesh, load_head
from memorytalker.face.mesh_files import bare_head, head_for, load_mesh_head

V = 60


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    """The planted face of V vertices as an ASCII .ply."""
    write_faces(tmp_path / "face.ply", V)
    return tmp_path / "face.ply"


@pytest.fixture(scope="module")
def regions() -> SimpleNamespace:
    face = planted_face(V)
    return SimpleNamespace(lips=face.lips[:4], upper_face=face.upper_face, opening=face.opening)


def write(path: Path, vertices: np.ndarray, faces: np.ndarray, form: str) -> Path:
    """A mesh in one of the forms that people have."""
    count, rows = len(vertices), [" ".join(f"{value:.6f}" for value in vertex) for vertex in vertices]
    header = f"element vertex {count}\nproperty float x\nproperty float y\nproperty float z\n"
    header += f"element face {len(faces)}\nproperty list uchar int vertex_indices\n"
    if form == "ascii.ply":
        body = [*rows, *(f"3 {a} {b} {c}" for a, b, c in faces)]
        path.write_text(f"ply\nformat ascii 1.0\n{header}end_header\n" + "\n".join(body) + "\n")
    elif form in ("little.ply", "big.ply", "textured.ply"):
        order = ">" if form == "big.ply" else "<"
        fields = [("n", "u1"), ("v", f"{order}i4", 3)]
        if form == "textured.ply":  # corners with places on a texture: readers are tempted to cut the mesh there
            header = header.rstrip("\n") + "\nproperty list uchar float texcoord\n"
            header = "comment TextureFile skin.png\n" + header
            fields += [("m", "u1"), ("t", f"{order}f4", 6)]
        table = np.zeros(len(faces), fields)
        table["n"], table["v"] = 3, faces
        if form == "textured.ply":
            table["m"], table["t"] = 6, np.random.default_rng(0).random((len(faces), 6))
        kind = "binary_big_endian" if form == "big.ply" else "binary_little_endian"
        data = vertices.astype(f"{order}f4").tobytes() + table.tobytes()
        path.write_bytes(f"ply\nformat {kind} 1.0\n{header}end_header\n".encode() + data)
    else:
        lines = [f"v {row}" for row in rows]
        if form == "plain.obj":
            lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]
        else:  # every corner has a place of its own on the texture, as at a seam, and there are two materials
            lines = ["mtllib skin.mtl", "o head", *lines]
            lines += [f"vt {k / 9:.3f} 0.5\nvn 0 0 1" for k in range(3 * len(faces))]
            for k, triangle in enumerate(faces):
                lines += [f"usemtl {'ab'[k % 2]}"] if k % 5 == 0 else []
                corners = (f"{v + 1}/{3 * k + j + 1}/{3 * k + j + 1}" for j, v in enumerate(triangle))
                lines.append("f " + " ".join(corners))
        path.write_text("\r\n".join(lines) + "\r\n")
    return path


@pytest.mark.parametrize("form", ["ascii.ply", "little.ply", "big.ply", "textured.ply", "plain.obj", "seams.obj"])
def test_vertices_keep_their_number_and_order(tmp_path: Path, form: str) -> None:
    """Two vertices share a place and one is in no triangle: none is merged, dropped or moved."""
    face = planted_face(V)
    places = face.template.astype(np.float32).copy()
    places[11] = places[10]
    faces = write_faces(tmp_path / "face.ply", V)
    faces = faces[(faces != 17).all(axis=1)]
    head = load_mesh_head(write(tmp_path / f"mesh.{form}", places, faces, form))
    np.testing.assert_allclose(head.template, places, atol=1e-6)
    assert {tuple(sorted(row)) for row in head.faces.tolist()} == {tuple(sorted(row)) for row in faces.tolist()}
    assert head.faces.dtype == np.int32 and head.template.dtype == np.float32


def test_a_mesh_wound_inwards_is_turned(tmp_path: Path) -> None:
    places, faces = planted_face(V).template, write_faces(tmp_path / "face.ply", V)
    head = load_mesh_head(write(tmp_path / "inwards.obj", places, faces[:, ::-1], "plain.obj"))
    a, b, c = (head.template[corner] for corner in head.faces.T)
    assert np.cross(b - a, c - a)[:, 2].mean() > 0  # the face looks towards +z


def test_quads_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "box.obj"
    path.write_text("v 0 0 0\nv .2 0 0\nv .2 .2 0\nv 0 .2 0\nv .1 .3 0\nf 1 2 3 4\nf 4 3 5\n")
    head = load_mesh_head(path)
    assert head.vertex_count == 5 and len(head.faces) == 3


def test_templates_become_identities(mesh: Path, regions: SimpleNamespace) -> None:
    face = planted_face(V)
    templates = {name: speaker_template(face, name) for name in ("first", "second")}
    head = load_mesh_head(mesh, templates, regions)
    assert list(head.identities) == ["first", "second"] and head.identity == "first"
    np.testing.assert_array_equal(head.template, templates["first"])
    np.testing.assert_array_equal(head.with_identity("second").template, templates["second"])
    assert head.landmarks == {"inner_lip_upper": face.opening[0], "inner_lip_lower": face.opening[1]}
    np.testing.assert_array_equal(head.regions["lips"], regions.lips)
    others = np.setdiff1d(np.arange(V), regions.lips)
    assert len(np.unique(head.colors[others], axis=0)) == 1
    assert (head.colors[regions.lips] != head.colors[others[0]]).any(axis=1).all()
    assert list(head.parts) == ["skin"] and np.array_equal(head.parts["skin"], np.arange(V))
    with pytest.raises(HeadError, match="no identity 'third'; choose one of first, second"):
        head.with_identity("third")


def test_a_region_larger_than_lips_is_not_painted(mesh: Path, regions: SimpleNamespace) -> None:
    wide = SimpleNamespace(lips=np.arange(20), upper_face=None, opening=None)
    head = load_mesh_head(mesh, regions=wide)
    assert len(np.unique(head.colors, axis=0)) == 1 and "upper_face" not in head.regions and not head.landmarks


def test_what_a_bare_mesh_lacks_is_named(mesh: Path) -> None:
    head = load_mesh_head(mesh)
    assert list(head.identities) == ["face"] and head.blendshape_names == () and head.blendshapes.shape == (0, V, 3)
    for ask, words in (
        (lambda: head.landmarks["chin"], "no landmark 'chin'; it names no landmarks"),
        (lambda: head.regions["lips"], "no region 'lips'"),
        (lambda: head.blendshape("jawOpen"), "no blendshapes.*'jawOpen'"),
        (lambda: head.offsets(np.zeros((2, 52))), "no blendshapes"),
    ):
        with pytest.raises(HeadError, match=words):
            ask()
    with pytest.raises(HeadError, match="no landmark 'ear'; it has inner_lip_upper"):
        load_head().landmarks["ear"]


def test_units_are_named_in_the_message(tmp_path: Path) -> None:
    places, faces = planted_face(V).template, write_faces(tmp_path / "face.ply", V)
    for factor, words in ((1000, "millimetres.* by 1000.*--data"), (100, "centimetres"), (1e5, "scale"), (0.01, "sc")):
        path = write(tmp_path / f"{factor}.obj", factor * places, faces, "plain.obj")
        with pytest.raises(HeadError, match=f"A head is measured in metres.*{words}"):
            load_mesh_head(path)
    # Of a file with templates beside it only the triangles count, and these are in the units of the data set.
    assert load_mesh_head(path, {"a": 1000 * places}).template.max() > 50
    with pytest.raises(HeadError, match="template of a has coordinates that are not finite"):
        load_mesh_head(path, {"a": places * np.nan})


def test_another_number_or_order_of_vertices_names_both_and_the_file(tmp_path: Path, mesh: Path) -> None:
    with pytest.raises(HeadError, match="has 60 vertices .* template of a has 5023; get FLAME's mesh.*FLAME_sample"):
        load_mesh_head(mesh, {"a": planted_face(FLAME_VERTICES).template})
    shuffled = planted_face(V).template[np.random.default_rng(0).permutation(V)]
    with pytest.raises(HeadError, match="in another order"):
        load_mesh_head(mesh, {"a": shuffled})
    with pytest.raises(HeadError, match="'lips' points at vertices"):
        load_mesh_head(mesh, regions=SimpleNamespace(lips=np.array([V]), opening=None))
    with pytest.raises(HeadError, match="60 vertices but these weights move 23370; get BIWI's mesh"):
        head_for(23370, mesh)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("face.stl", b"solid", "read from .ply or .obj"),
        ("face.ply", b"", "not a readable mesh"),
        ("face.ply", b"not a mesh\n" * 50, "not a readable mesh"),
        ("face.obj", b"not a mesh\n" * 50, "not a"),
        ("face.obj", b"v 0 0 0\nv 0 .2 0\n", "not a"),
        ("face.obj", b"v 0 0 0\nv 0 .2 0\nv .2 0 0\nf 1 2 9\n", "not a"),
        ("face.obj", b"v 0 0 0\nv 0 .2 0\nv .2 0 nan\nf 1 2 3\n", "not a mesh with triangles over finite vertices"),
        ("face.ply", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git-LFS pointer"),
    ],
)  # fmt: skip
def test_files_that_are_no_mesh_are_refused_in_one_sentence(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(HeadError, match=words) as refused:
        load_mesh_head(tmp_path / name)
    assert "\n" not in str(refused.value) and name in str(refused.value)


def test_missing_and_cut_files_are_refused(tmp_path: Path, mesh: Path) -> None:
    with pytest.raises(HeadError, match="no readable file"):
        load_mesh_head(tmp_path / "none.ply")
    stray = write(tmp_path / "stray.ply", planted_face(V).template, np.array([[0, 1, V]]), "little.ply")
    with pytest.raises(HeadError, match="not a mesh"):
        load_mesh_head(stray)
    mesh.write_bytes(mesh.read_bytes()[:700])
    with pytest.raises(HeadError, match="not a"):
        load_mesh_head(mesh)


def test_weights_without_their_head(mesh: Path) -> None:
    """The shipped head is taken where it fits; else rendering needs the file, and arrays do not."""
    assert head_for(load_head().vertex_count).blendshape_names
    assert head_for(V, mesh).vertex_count == V
    with pytest.raises(HeadError, match="5023 vertices.*--head.*FLAME_sample.ply.*evaluate.*npz"):
        head_for(5023)
    unknown = head_for(5023, drawn=False)
    assert len(unknown.faces) == 0 and not unknown.template.any() and unknown.vertex_count == 5023
    known = bare_head(V, {"a": planted_face(V).template})
    assert known.identity == "a" and known.template.any() and not len(known.faces)
    with pytest.raises(HeadError, match="move 61 vertices but the template of a has 60"):
        bare_head(61, {"a": planted_face(V).template})


def test_balls_of_eyes_look_like_eyes(tmp_path: Path) -> None:
    """Two round pieces of an eye's size beside the face, as in FLAME; one like a fist and a flat one stay skin."""
    places, faces = planted_face(V).template, write_faces(tmp_path / "face.ply", V)
    around, up = np.meshgrid(np.linspace(0, 2 * np.pi, 13)[:-1], np.linspace(-1, 1, 13))
    ball = np.stack([np.cos(around) * np.sqrt(1 - up**2), np.sin(around) * np.sqrt(1 - up**2), up], -1).reshape(-1, 3)
    corner = np.arange(144).reshape(12, 12)
    beside, above = np.roll(corner, -1, axis=1), corner + 12
    rings = np.stack([corner, beside, above], axis=-1).reshape(-1, 3)
    eye, fist, flat = 0.012, 0.04, (0.014, 0.014, 0.006)
    for radius, place in ((eye, (0.03, 0.03, 0.06)), (eye, (-0.03, 0.03, 0.06)), (fist, (0, 0, 0)), (flat, (0, 0, 0))):
        faces = np.concatenate([faces, rings + len(places)])
        places = np.concatenate([places, radius * ball + place])
    head = load_mesh_head(write(tmp_path / "eyes.ply", places, faces, "little.ply"))
    skin, ahead = head.colors[0], np.argsort(ball[:, 2])
    for eye in (head.colors[V : V + 156], head.colors[V + 156 : V + 312]):
        assert eye[ahead[-1]].max() < 40 < 200 < eye[ahead[0]].min()  # a dark pupil looks towards +z, white behind
    assert (head.colors[V + 312 :] == skin).all() and (head.colors[:V] == skin).all()


# Frames


def drawn(head: HeadMesh, *frames: np.ndarray, camera: str = "front") -> list[np.ndarray]:
    from memorytalker.options import RenderOptions
    from memorytalker.rendering import render_frames

    return list(render_frames(head, np.stack(frames), RenderOptions(width=96, height=96, camera=camera)))


def test_a_head_without_triangles_is_not_drawn() -> None:
    head = bare_head(V, {"a": planted_face(V).template})
    with pytest.raises(HeadError, match="no triangles"):
        drawn(head, head.template)


@pytest.mark.parametrize("camera", ["front", "three_quarter", "profile"])
def test_the_camera_follows_size_and_place(tmp_path: Path, camera: str) -> None:
    """A head half as large and elsewhere fills the same pixels; shading in metres may change them a little."""
    write_faces(tmp_path / "face.ply", 400)
    head = load_mesh_head(tmp_path / "face.ply")
    at_home = drawn(head, head.template, camera=camera)[0].astype(int)
    template = (0.6 * head.template + (0.3, -2.0, 5.0)).astype(np.float32)
    away = drawn(dataclasses.replace(head, template=template), template, camera=camera)[0].astype(int)
    backdrop = at_home[:, :1]
    inside = [np.abs(frame - backdrop).max(axis=2) > 12 for frame in (at_home, away)]
    assert (inside[0] == inside[1]).mean() > 0.97
    rows, columns = (np.flatnonzero(inside[0].any(axis=axis)) for axis in (1, 0))
    assert 60 < np.ptp(rows) < 85 and abs(columns.mean() - 47.5) < 8
    if camera == "front":
        assert np.abs(inside[0] ^ inside[0][:, ::-1]).mean() < 0.05  # in the middle


def test_a_head_in_other_units_is_drawn_at_its_natural_size(tmp_path: Path) -> None:
    write_faces(tmp_path / "face.ply", 400)
    small = load_mesh_head(tmp_path / "face.ply")
    large = load_mesh_head(tmp_path / "face.ply", {"a": 8 * small.template})
    moved = small.template + np.where(small.template[:, 1:2] < -0.045, np.float32([0, -0.01, 0]), np.float32(0))
    for one, other in zip(drawn(small, small.template, moved), drawn(large, large.template, 8 * moved), strict=True):
        assert np.abs(one.astype(int) - other).max(axis=2).mean() < 3


def test_a_known_mouth_keeps_neck_and_shoulders_out_of_the_frame(tmp_path: Path) -> None:
    """The shipped head as a bare mesh, neck and all, is framed almost as with its own chin."""
    from memorytalker.options import RenderOptions
    from memorytalker.rendering import scene

    head = load_head()
    path = write(tmp_path / "bust.ply", head.template, head.faces, "little.ply")
    marks = head.landmarks
    mouth = SimpleNamespace(lips=None, opening=(marks["inner_lip_upper"], marks["inner_lip_lower"]))
    heads = (head, load_mesh_head(path, regions=mouth), load_mesh_head(path))
    own, known, unknown = (scene.metres_per_pixel(each, RenderOptions()) for each in heads)
    assert known == pytest.approx(own, rel=0.05) and unknown > 1.5 * own


# The command line


@pytest.fixture(scope="module")
def other_weights(tmp_path_factory: pytest.TempPathFactory, make_model) -> Path:
    """Toy weights that move the planted face of V vertices."""
    from memorytalker.weights import save_weights

    folder = tmp_path_factory.mktemp("weights") / "other"
    save_weights(make_model(coordinates=3 * V), folder)
    return folder


@pytest.fixture
def animate(other_weights: Path, tmp_path: Path, voice, capsys: pytest.CaptureFixture[str]):
    """`animate(output, *flags)`: exit code and standard error of the command on a short sound."""
    import soundfile

    from memorytalker import cli

    soundfile.write(tmp_path / "clip.wav", voice(0.5), 16000)

    def call(output: str, *flags: str | Path) -> tuple[int, str]:
        given = ["animate", tmp_path / "clip.wav", "-o", tmp_path / output, "--weights", other_weights, *flags]
        code = cli.main([*map(str, given), "--device", "cpu", "--size", "64"])
        return code, capsys.readouterr().err

    return call


def test_weights_of_another_head_animate_its_mesh(animate, mesh: Path, tmp_path: Path) -> None:
    assert animate("talk.mp4", "--head", mesh) == (0, "") and (tmp_path / "talk.mp4").stat().st_size > 1000
    assert animate("talk.npz", "--head", mesh) == (0, "")
    with np.load(tmp_path / "talk.npz") as arrays:
        assert arrays["vertices"].shape == (15, V, 3) and "offsets" not in arrays
        vertices = arrays["vertices"]
    assert animate("bare.npz") == (0, "")  # without a mesh: how far every vertex moves
    with np.load(tmp_path / "bare.npz") as arrays:
        assert "vertices" not in arrays
        np.testing.assert_allclose(arrays["offsets"] + load_mesh_head(mesh).template, vertices, atol=1e-6)


def test_a_video_without_its_mesh_names_the_file_and_leaves_nothing(animate, mesh: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    for flags, words in (
        ([], ["These weights move 60 vertices", "--head", "evaluate", ".npz"]),
        (["--head", tmp_path / "none.ply"], ["no readable file"]),
        (["--head", mesh, "--identity", "nobody"], ["no identity 'nobody'", "face"]),
        (["--head", write(tmp_path / "small.obj", np.eye(3), np.eye(3, dtype=int), "plain.obj")], ["3 vertices", "60"]),
    ):
        code, error = animate("talk.mp4", *flags)
        assert code == 2 and error.startswith("memorytalker: ") and error.count("\n") == 1
        assert all(word in error for word in words), error
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "small.obj"])

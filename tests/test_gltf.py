"""glTF: files that the Khronos validator accepts and that three.js plays as the take moves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from glb_reader import Glb, read_glb, write_again
from node_reader import read_with_node
from take_case import planted_take

from memorytalker.exports import glb
from memorytalker.exports.glb import GlbBuilder, add_times
from memorytalker.exports.gltf import GLTF, head_glb, unit_normals, write_glb
from memorytalker.exports.primitives import ROUGHNESS, split_by_material
from memorytalker.exports.take import ExportError, Take
from memorytalker.face.head import ARKIT_NAMES, HEAD_FOLDER, HeadMesh, Landmarks, Regions, load_head
from memorytalker.face.motion import FaceCurves, MotionError
from memorytalker.sound.decode import load_waveform


@pytest.fixture(scope="module")
def take() -> Take:
    return planted_take()


@pytest.fixture(scope="module")
def written(take: Take, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted take with one more target, which stays still."""
    path = tmp_path_factory.mktemp("gltf") / "talk.glb"
    extra = {"viseme_aa": 0.5 * take.head.blendshape("jawOpen")}
    assert write_glb(take, path, extra) == (path, path.with_name("talk_sound.wav"))
    return path


def square(vertices: int = 4, parts: dict[str, Any] | None = None, shapes: tuple[str, ...] = ("up",)) -> HeadMesh:
    """A head of triangles in a row, all shapes the same."""
    template = np.zeros((vertices, 3), np.float32)
    template[:, 0], template[:, 1] = np.arange(vertices) / vertices, np.arange(vertices) % 2
    first = np.arange(vertices - 2)
    faces = np.stack([first, first + 1 + first % 2, first + 2 - first % 2], axis=1).astype(np.int32)
    moved = np.zeros((len(shapes), vertices, 3), np.float32)
    moved[:, -1, 1] = 0.25
    colors = np.full((vertices, 3), 200, np.uint8)
    return HeadMesh(
        template=template, faces=faces, parts={"skin": np.arange(vertices)} if parts is None else parts, colors=colors,
        blendshape_names=shapes, blendshapes=moved, regions=Regions(), landmarks=Landmarks(), identities={},
        identity_colors={}, base_index=np.full(vertices, -1),
    )  # fmt: skip


def complaints(report: dict[str, Any]) -> list[str]:
    return [f"{one['code']} {one.get('pointer', '')}" for one in report["issues"]["messages"]]


def test_the_khronos_validator_finds_nothing_at_all(written: Path, take: Take, tmp_path: Path) -> None:
    one_frame = dataclasses.replace(
        take, curves=FaceCurves(take.need_curves().weights[:1], take.need_curves().names, take.fps)
    )
    write_glb(dataclasses.replace(one_frame, waveform=None), tmp_path / "still.glb")
    (tmp_path / "wide.glb").write_bytes(head_glb(square(70_000)))
    (tmp_path / "bare.glb").write_bytes(head_glb(square(shapes=())))
    files = [written, HEAD_FOLDER / "head.glb", *(tmp_path / name for name in ("still.glb", "wide.glb", "bare.glb"))]
    reports = read_with_node("validate_gltf.js", *files)
    assert [complaints(report) for report in reports] == [[]] * 5
    assert [report["info"]["totalVertexCount"] for report in reports] == [9648, 9648, 9648, 70_000, 4]
    assert [report["info"]["animationCount"] for report in reports] == [1, 0, 1, 0, 0]


def broken_weights(document: dict[str, Any]) -> None:
    document["meshes"][0]["weights"].pop()


def broken_bounds(document: dict[str, Any]) -> None:
    document["accessors"][0]["min"][1] += 1e-3


def broken_output(document: dict[str, Any]) -> None:
    document["accessors"][document["animations"][0]["samplers"][0]["output"]]["count"] -= 1


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (broken_weights, "MESH_INVALID_WEIGHTS_COUNT"),
        (broken_bounds, "ACCESSOR_MIN_MISMATCH"),
        (broken_output, "ANIMATION_SAMPLER_OUTPUT_ACCESSOR_INVALID_COUNT"),
    ],
)
def test_the_validator_would_have_seen_it(
    written: Path, tmp_path: Path, spoil: Callable[[dict[str, Any]], None], code: str
) -> None:
    good = read_glb(written)
    spoil(good.document)
    (tmp_path / "bad.glb").write_bytes(write_again(good))
    [report] = read_with_node("validate_gltf.js", tmp_path / "bad.glb")
    assert code in [one["code"] for one in report["issues"]["messages"]]


def test_three_js_moves_every_vertex_as_the_take(written: Path, take: Take, tmp_path: Path) -> None:
    frames = [0, 3, 7, 11, 14, 20, 25, 29, 33, 38]
    found = read_with_node("play_glb.js", written, tmp_path / "places", *[str(frame / take.fps) for frame in frames])
    places = np.fromfile(tmp_path / "places", "<f4").reshape(len(frames), take.head.vertex_count, 3)
    assert np.abs(places - np.asarray(take.frames)[frames]).max() < 1e-5
    assert np.abs(np.diff(np.asarray(take.frames)[frames], axis=0)).max() > 0.01  # what was planted can be seen
    assert found["clips"][0]["duration"] == pytest.approx(39 / 30)
    for mesh in found["meshes"]:
        assert mesh["names"] == [*take.head.blendshape_names, "viseme_aa"]
        assert mesh["material"] in ROUGHNESS
    assert sum((mesh["parts"] for mesh in found["meshes"]), []) == list(take.head.parts)
    ends = np.cumsum([mesh["vertices"] for mesh in found["meshes"]])
    assert [mesh["firstVertex"] for mesh in found["meshes"]] == [0, *ends[:-1]] and ends[-1] == take.head.vertex_count


def test_the_arrays_are_those_of_the_head(written: Path, take: Take) -> None:
    file, head = read_glb(written), take.head
    [mesh] = file.document["meshes"]
    names = mesh["extras"]["targetNames"]
    assert names[:-1] == list(head.blendshape_names) and mesh["weights"] == [0.0] * len(names)
    whole = {name: joined(file, name) for name in ("POSITION", "NORMAL", "COLOR_0")}
    np.testing.assert_array_equal(whole["POSITION"], head.template)
    np.testing.assert_allclose(np.linalg.norm(whole["NORMAL"], axis=1), 1.0, atol=1e-4)
    for k in (names.index("jawOpen"), names.index("tongueOut"), names.index("eyeLookInLeft")):
        targets = [file.values(one["targets"][k]["POSITION"]) for one in mesh["primitives"]]
        np.testing.assert_array_equal(np.concatenate(targets), head.blendshape(names[k]))
    faces = [file.values(one["indices"]).reshape(-1, 3) + one["extras"]["firstVertex"] for one in mesh["primitives"]]
    assert sorted(map(tuple, np.concatenate(faces))) == sorted(map(tuple, head.faces))


def joined(file: Glb, name: str) -> np.ndarray:
    return np.concatenate([file.values(one["attributes"][name]) for one in file.document["meshes"][0]["primitives"]])


def test_colours_are_linear_and_come_back_as_they_were(take: Take) -> None:
    linear = joined(read_glb(head_glb(take.head)), "COLOR_0") / 65535
    assert (linear[:, 3] == 1).all()
    back = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)[:, :3]
    assert np.abs(255 * back - take.head.colors).max() < 0.05
    grey = square()
    assert joined(read_glb(head_glb(grey)), "COLOR_0")[0, 0] == round(65535 * 0.577580)  # 200 of 255, by the standard


def test_normals_point_outwards_from_a_surface() -> None:
    corners = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    np.testing.assert_allclose(unit_normals(faces, corners), corners / np.sqrt(3), atol=1e-5)
    alone = unit_normals(faces[:1], np.concatenate([corners, corners[:1]]))
    np.testing.assert_array_equal(alone[3:], [[0, 0, 1], [0, 0, 1]])


def test_the_animation_says_where_it_comes_from(written: Path, take: Take) -> None:
    document = read_glb(written).document
    about, animation = document["asset"]["extras"], document["animations"][0]["extras"]
    assert about["fps"] == animation["fps"] == take.fps and animation["frames"] == 40
    assert about["provenance"] == animation["provenance"] == dataclasses.asdict(take.provenance)
    assert about["sound"] == "talk_sound.wav"


def test_weights_stand_by_name_and_further_targets_stay_still(written: Path, take: Take) -> None:
    file = read_glb(written)
    [sampler] = file.document["animations"][0]["samplers"]
    names = file.document["meshes"][0]["extras"]["targetNames"]
    weights = file.values(sampler["output"]).reshape(40, len(names))
    for name in ARKIT_NAMES:
        np.testing.assert_array_equal(weights[:, names.index(name)], take.need_curves().curve(name))
    assert not weights[:, names.index("viseme_aa")].any() and sampler["interpolation"] == "LINEAR"
    np.testing.assert_allclose(file.values(sampler["input"])[:, 0], np.arange(40) / 30, atol=1e-6)


def test_curves_in_another_order_give_the_same_file(take: Take, tmp_path: Path) -> None:
    turned = FaceCurves(take.need_curves().weights[:, ::-1], take.need_curves().names[::-1], take.fps)
    for name, curves in (("a", take.need_curves()), ("b", turned)):
        write_glb(dataclasses.replace(take, curves=curves, waveform=None), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_sound_lies_beside_the_file(written: Path, take: Take, tmp_path: Path) -> None:
    back = load_waveform(written.with_name(f"{written.stem}_sound.wav"))
    assert take.waveform is not None and np.abs(back.samples - take.waveform.samples).max() < 1e-3
    assert GLTF.write(dataclasses.replace(take, waveform=None), tmp_path / "mute.glb") == (tmp_path / "mute.glb",)
    assert [path.name for path in tmp_path.iterdir()] == ["mute.glb"]
    assert "sound" not in read_glb(tmp_path / "mute.glb").document["asset"]["extras"]


def test_long_motion_is_written_in_blocks_with_progress(take: Take, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    weights = np.tile(take.need_curves().weights, (25, 1))
    long = dataclasses.replace(take, curves=FaceCurves(weights, take.need_curves().names, 30.0), waveform=None)
    write_glb(
        dataclasses.replace(long, progress=lambda done, total, _: steps.append((done, total))), tmp_path / "a.glb"
    )
    done = [step[0] for step in steps]
    assert done[-1] == 1000 and max(np.diff([0, *done])) <= 64 and {total for _, total in steps} == {1000}


def test_a_cancelled_export_leaves_nothing(take: Take, tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel(*_: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_glb(dataclasses.replace(take, progress=cancel), tmp_path / "talk.glb")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_refused_in_a_sentence(
    take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, bare = tmp_path / "talk.glb", take.head.template
    for extra, words in (
        ({"jawOpen": np.zeros_like(bare)}, "'jawOpen' is there twice"),
        ({"viseme_aa": bare[:-1]}, "offset for each vertex"),
        ({"viseme_aa": np.full_like(bare, np.nan)}, "finite offset"),
    ):
        with pytest.raises(ExportError, match=words):
            write_glb(take, path, extra)
    with pytest.raises(ExportError, match="no triangles"):
        head_glb(dataclasses.replace(square(), faces=np.zeros((0, 3), np.int32)))
    with pytest.raises(ExportError, match="no curves"):
        write_glb(dataclasses.replace(take, curves=None), path)
    with pytest.raises(MotionError, match="'smirk'"):
        write_glb(dataclasses.replace(take, curves=FaceCurves(np.ones((3, 1)), ("smirk",), 30.0)), path)
    with pytest.raises(ExportError, match="lower frame rate"):
        add_times(GlbBuilder(), 2, 1e300)
    monkeypatch.setattr(glb, "LARGEST_FILE", 1_000_000)
    with pytest.raises(ExportError, match="too long"):
        write_glb(take, path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "parts",
    [
        {"skin": np.array([0, 2]), "hair": np.array([1, 3])},
        {"skin": np.arange(4), "hair": np.arange(4, 8)},  # triangles in common
        {"skin": np.arange(4), "hair": np.arange(3, 8)},
        {},
    ],
)
def test_a_head_whose_parts_are_mixed_is_one_piece(parts: dict[str, np.ndarray]) -> None:
    [piece] = split_by_material(square(8, parts))
    assert (piece.material, piece.first, piece.count, len(piece.faces)) == ("skin", 0, 8, 6)


def test_parts_that_lie_one_after_the_other_are_pieces_and_must_cover_the_head() -> None:
    head = square(8, {"hair": np.arange(4, 8), "skin": np.arange(4)})
    apart = dataclasses.replace(head, faces=np.concatenate([head.faces[:2], head.faces[4:]]))
    skin, hair = split_by_material(apart)
    assert (skin.material, skin.first, skin.count, hair.material, hair.first, hair.count) == (
        "skin",
        0,
        4,
        "hair",
        4,
        4,
    )
    np.testing.assert_array_equal(hair.faces + 4, head.faces[4:])
    [piece] = split_by_material(dataclasses.replace(apart, parts={"skin": np.arange(4)}, faces=head.faces[:2]))
    assert piece.count == 8


def test_every_part_of_the_shipped_head_has_its_material() -> None:
    found = {part: piece.material for piece in split_by_material(load_head()) for part in piece.parts}
    assert found == {
        "skin": "skin", "eye_left": "eyes", "eye_right": "eyes", "teeth_upper": "teeth", "teeth_lower": "teeth",
        "tongue": "tongue", "hair": "hair", "hair_lengths": "hair", "hair_fringe": "hair", "brows": "brows",
        "lashes": "lashes", "clothing": "clothing",
    }  # fmt: skip


def test_names_of_any_script_survive() -> None:
    text = json.dumps(read_glb(head_glb(square(shapes=("口を開く", "😀", 'a"b')))).document["meshes"][0]["extras"])
    assert json.loads(text)["targetNames"] == ["口を開く", "😀", 'a"b']

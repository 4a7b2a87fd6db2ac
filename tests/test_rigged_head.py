"""A user's own head: its shapes are found by exact names, moved as planted, and what it lacks is said."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from glb_case import Glb, Piece, build, own_shapes_head, pieces, vrm_head, write

from memorytalker.face.head import ARKIT_NAMES, HeadError, HeadMesh, load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.rigged_head import (
    curves_for,
    describe_missing,
    drive,
    load_rigged_head,
    lost_curves,
)

ARKIT = {name: name for name in ARKIT_NAMES}
NO_TONGUE = {name: name for name in ARKIT_NAMES if not name.startswith(("tongue", "brow")) and name != "mouthLeft"}
VISEMES = {"jawOpen": "viseme_aa", "mouthPucker": "viseme_U", "mouthFunnel": "viseme_O", "tongueOut": "viseme_TH"}


def planted(shape: str) -> np.ndarray:
    """What a shape was planted to do, for all pieces one after another."""
    return np.concatenate([piece.shapes[shape] for piece in pieces()])


def neutral() -> np.ndarray:
    return np.concatenate([piece.vertices for piece in pieces()])


def head_of(tmp_path: Path, glb: Glb, **more) -> HeadMesh:
    return load_rigged_head(write(tmp_path / "mine.glb", glb), **more)


def wave(names: tuple[str, ...], frames: int = 9) -> FaceCurves:
    weights = np.random.default_rng(3).random((frames, len(names)), dtype=np.float32)
    return FaceCurves(weights, names, 30.0)


def test_arkit_names_move_the_planted_vertices(tmp_path: Path) -> None:
    order = list(ARKIT)
    np.random.default_rng(1).shuffle(order)
    head = head_of(tmp_path, build({name: name for name in order}))
    assert head.blendshape_names == ARKIT_NAMES and head.identity == "mine" and describe_missing(head) == ""
    assert head.vertex_count < load_head().vertex_count / 2
    np.testing.assert_allclose(head.template, neutral(), atol=1e-6)
    for name in ARKIT_NAMES:
        np.testing.assert_allclose(head.blendshape(name), planted(name), atol=1e-6)
    assert set(head.parts) == {"skin", "eye", "teeth"} and not head.template.flags.writeable


def test_the_chin_is_found_by_what_the_jaw_takes_along(tmp_path: Path) -> None:
    head, known = head_of(tmp_path, build(ARKIT)), load_head()
    chin, wanted = head.template[head.landmarks["chin"]], known.template[known.landmarks["chin"]]
    assert np.linalg.norm(chin - wanted) < 0.015


def test_pascal_case_is_a_name_and_a_part_of_a_name_is_none(tmp_path: Path) -> None:
    names = {
        "jawOpen": "JawOpen", "mouthClose": "mouthClose", "mouthPucker": "my_mouthPucker", "mouthFunnel": "Funnels",
        "jawLeft": "JAWLEFT", "eyeBlinkLeft": "blinkLeft", "mouthStretchLeft": "sleepy", "tongueOut": "viseme",
    }  # fmt: skip
    head = head_of(tmp_path, build(names))
    assert head.blendshape_names == ("jawOpen", "mouthClose")
    np.testing.assert_allclose(head.blendshape("jawOpen"), planted("jawOpen"), atol=1e-6)
    with pytest.raises(HeadError, match="The shapes of mine.glb are sleepy, ee; none is a name .* mapping file"):
        head_of(tmp_path, build({"jawOpen": "sleepy", "mouthSmileLeft": "ee"}))


def test_what_a_head_lacks_is_said_in_plain_words(tmp_path: Path) -> None:
    head = head_of(tmp_path, build(NO_TONGUE))
    said = describe_missing(head)
    assert said.startswith("This head has no shapes for: tongue, brows.") and "It lacks mouthLeft." in said
    assert head.rig is not None and set(head.rig.missing) == set(ARKIT_NAMES) - set(NO_TONGUE)
    with pytest.raises(HeadError, match="no blendshape 'tongueOut'; it lacks that one"):
        head.blendshape("tongueOut")
    assert describe_missing(load_head()) == ""


def test_lacking_shapes_contribute_nothing_and_are_listed(tmp_path: Path) -> None:
    head, curves = head_of(tmp_path, build(NO_TONGUE)), wave(ARKIT_NAMES[::-1])
    assert set(lost_curves(head, curves)) == set(ARKIT_NAMES) - set(NO_TONGUE)
    fitted = curves_for(head, curves)
    wanted = sum(np.einsum("t,vx->tvx", curves.curve(name), planted(name)) for name in NO_TONGUE)
    np.testing.assert_allclose(head.offsets(fitted.weights), wanted, atol=1e-5)
    weights = drive(head, curves)
    np.testing.assert_array_equal(weights, np.stack([curves.curve(c.name) for c in head.rig.controls], axis=1))
    np.testing.assert_allclose(own_shapes_head(head).offsets(weights), wanted, atol=1e-5)
    quiet = dataclasses.replace(curves, weights=np.zeros_like(curves.weights))
    assert lost_curves(head, quiet) == ()
    none = curves_for(head, FaceCurves(np.ones((2, 1)), ("tongueOut",), 25.0))
    assert none.names == head.blendshape_names and not none.weights.any() and none.fps == 25.0


def test_a_mapping_file_gives_names_and_gains(tmp_path: Path) -> None:
    own = {"jawOpen": "mouth_open", "mouthSmileLeft": "smile", "mouthPucker": "mouthPucker", "eyeBlinkLeft": "wink"}
    mapping = tmp_path / "names.json"
    both = {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.25}
    mapping.write_text(json.dumps({"mouth_open": "jawOpen", "smile": both, "wink": {"mouthPucker": 0.5}}))
    head = head_of(tmp_path, build(own), mapping=mapping)
    assert head.blendshape_names == ("jawOpen", "mouthPucker", "mouthSmileLeft", "mouthSmileRight")
    np.testing.assert_allclose(head.blendshape("mouthSmileRight"), 0.25 * planted("mouthSmileLeft"), atol=1e-6)
    # The mapping rules: a morph target called mouthPucker is left out where the mapping makes that shape.
    np.testing.assert_allclose(head.blendshape("mouthPucker"), 0.5 * planted("eyeBlinkLeft"), atol=1e-6)
    jaw = next(control for control in head.rig.controls if "jawOpen" in control.recipe)
    assert [(bind.mesh, bind.target) for bind in jaw.binds] == [(mesh, 0) for mesh in range(4)]
    for content, words in (
        ({"mouth": "jawOpen"}, "names 'mouth', but the shapes of mine.glb are mouth_open, smile, mouthPucker, wink"),
        (
            {"smile": "mouthSmile"},
            "names 'mouthSmile', which may mean mouthSmile.*; ARKit's names are browDownLeft.*ton",
        ),
        ({"smile": {"jawOpen": "much"}}, "gain of jawOpen for 'smile' is no number"),
        ({"smile": 3}, "gives 'smile' no shape"),
        (["smile"], "no mapping of names"),
    ):
        mapping.write_text(json.dumps(content))
        with pytest.raises(HeadError, match=words):
            head_of(tmp_path, build(own), mapping=mapping)
    with pytest.raises(HeadError, match="not a readable mapping"):
        head_of(tmp_path, build(own), mapping=tmp_path / "none.json")


@pytest.mark.parametrize("version", [1, 0])
def test_the_vowels_of_vrm_speak(tmp_path: Path, version: int) -> None:
    head = head_of(tmp_path, vrm_head(version))
    np.testing.assert_allclose(head.template, neutral(), atol=1e-6)  # whichever way the file looks
    np.testing.assert_allclose(head.blendshape("jawOpen"), 0.8 * planted("jawOpen"), atol=1e-6)
    np.testing.assert_allclose(head.blendshape("mouthClose"), -0.8 * planted("jawOpen"), atol=1e-6)
    np.testing.assert_allclose(head.blendshape("eyeBlinkRight"), 0.9 * planted("eyeBlinkRight"), atol=1e-6)
    assert "browInnerUp" not in head.blendshape_names  # sleepy is none, and holds no ee
    said = describe_missing(head)
    assert "no shapes for: tongue, brows, moving eyes, cheeks, nose." in said and "mouthLeft" not in said
    assert said.endswith("Its mouth is made of aa, ih, ou, ee, oh, so it speaks less exactly than ARKit's.")
    assert {control.name for control in head.rig.controls} == {"aa", "ih", "ou", "ee", "oh", "blinkLeft", "blinkRight"}


@pytest.mark.parametrize(("version", "spelt"), [(1, "jawOpen"), (0, "JawOpen")])
def test_custom_expressions_of_arkit_names_come_before_vowels(tmp_path: Path, version: int, spelt: str) -> None:
    head = head_of(tmp_path, vrm_head(version, {spelt: "Fcl_MTH_O", "browInnerUp": "sleepy"}))
    np.testing.assert_allclose(head.blendshape("jawOpen"), planted("mouthFunnel"), atol=1e-6)
    assert set(head.blendshape_names) == {"jawOpen", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight"}


def test_visemes_speak_by_the_table_or_by_a_function(tmp_path: Path) -> None:
    head = head_of(tmp_path, build({**VISEMES, "browInnerUp": "browInnerUp"}))
    np.testing.assert_allclose(head.blendshape("mouthPucker"), 0.8 * planted("mouthPucker"), atol=1e-6)
    np.testing.assert_allclose(head.blendshape("mouthClose"), -planted("jawOpen"), atol=1e-6)
    curves = wave(ARKIT_NAMES)
    own = own_shapes_head(head)
    np.testing.assert_allclose(
        own.offsets(drive(head, curves)), head.offsets(curves_for(head, curves).weights), atol=1e-5
    )

    def poses(given: FaceCurves) -> FaceCurves:
        assert given is curves
        return FaceCurves(np.tile(np.float32([0.5, 0.25]), (len(given.weights), 1)), ("ou", "viseme_aa"), given.fps)

    weights = dict(zip(own.blendshape_names, drive(head, curves, poses).T, strict=True))
    assert (weights["viseme_U"] == 0.5).all() and (weights["viseme_aa"] == 0.25).all()
    assert not weights["viseme_TH"].any()
    np.testing.assert_array_equal(weights["browInnerUp"], curves.curve("browInnerUp"))
    with pytest.raises(HeadError, match="Visemes need a weight per frame and the names sil, PP"):
        drive(head, curves, lambda given: given)


def test_visemes_stay_still_where_the_jaw_has_its_own_shape(tmp_path: Path) -> None:
    names = {"jawOpen": "jawOpen", "mouthPucker": "viseme_U", "mouthFunnel": "viseme_O"}
    head = head_of(tmp_path, build(names))
    assert head.blendshape_names == ("jawOpen",) and [c.name for c in head.rig.controls] == ["jawOpen"]


def test_nodes_place_turn_and_mirror_the_head(tmp_path: Path) -> None:
    """A quarter turn about y, a mirror and a shift, with a parent: offsets are turned, too, and faces stay outside."""
    glb = build(ARKIT, node={"rotation": [0, np.sqrt(0.5), 0, np.sqrt(0.5)], "scale": [-1, 1, 1]})
    parent = glb.add("nodes", {"children": [0, 1, 2, 3], "translation": [0.5, 1.5, 0.25], "scale": [1.1, 1.1, 1.1]})
    glb.document["scenes"][0]["nodes"] = [parent]
    head = head_of(tmp_path, glb)

    def turned(values: np.ndarray) -> np.ndarray:
        return 1.1 * np.stack([values[:, 2], values[:, 1], values[:, 0]], axis=1)

    np.testing.assert_allclose(head.template, turned(neutral()) + (0.5, 1.5, 0.25), atol=1e-5)
    np.testing.assert_allclose(head.blendshape("jawOpen"), turned(planted("jawOpen")), atol=1e-5)
    plain = head_of(tmp_path, build(ARKIT))
    assert np.sign(volume(head)) == np.sign(volume(plain))


def volume(head: HeadMesh) -> float:
    a, b, c = (head.template[corner].astype(float) - head.template.mean(axis=0) for corner in head.faces.T)
    return float(np.einsum("fx,fx->", a, np.cross(b, c)))


def test_a_skinned_head_stands_where_its_joints_stand(tmp_path: Path) -> None:
    """The mesh's own node is left aside; a joint moved by its bind matrix counts, with shares."""
    glb = build(ARKIT)
    count = len(pieces()[0].vertices)
    binds = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    binds[1, 3, :3] = (0.0, 0.2, 0.0)  # columns first
    joints = [glb.add("nodes", {"translation": [0, 0.1, 0]}), glb.add("nodes", {"scale": [2, 2, 2]})]
    skin = glb.add("skins", {"joints": joints, "inverseBindMatrices": glb.accessor(binds.reshape(2, 16), "MAT4")})
    glb.document["nodes"][0] |= {"skin": skin, "translation": [9, 9, 9]}
    attributes = glb.document["meshes"][0]["primitives"][0]["attributes"]
    attributes["JOINTS_0"] = glb.accessor(np.tile(np.uint8([0, 1, 0, 0]), (count, 1)), "VEC4")
    attributes["WEIGHTS_0"] = glb.accessor(np.tile(np.uint8([204, 51, 0, 0]), (count, 1)), "VEC4", normalized=True)
    head = head_of(tmp_path, glb)
    rest, moved = pieces()[0].vertices, planted("jawOpen")[:count]
    wanted = 0.8 * (rest + (0, 0.1, 0)) + 0.2 * 2 * (rest + (0, 0.2, 0))
    np.testing.assert_allclose(head.template[:count], wanted, atol=1e-5)
    np.testing.assert_allclose(head.blendshape("jawOpen")[:count], 1.2 * moved, atol=1e-5)


def test_a_head_in_centimetres_is_scaled_and_said(tmp_path: Path) -> None:
    head = head_of(tmp_path, build(ARKIT, node={"scale": [100, 100, 100]}))
    assert head.rig.remarks == ("mine.glb is in centimetres; it is scaled to metres.",)
    np.testing.assert_allclose(head.template, neutral(), atol=1e-5)
    np.testing.assert_allclose(head.blendshape("jawOpen"), planted("jawOpen"), atol=1e-5)
    assert "not in metres" in head_of(tmp_path, build(ARKIT, node={"scale": [1e4] * 3})).rig.remarks[0]


def test_a_body_is_left_out(tmp_path: Path) -> None:
    """A person of 1.7 m: what lies around the face is kept, and the shapes still fit it."""
    grid = np.stack(np.meshgrid(np.linspace(-0.3, 0.3, 20), np.linspace(-1.5, -0.2, 40)), axis=-1).reshape(-1, 2)
    body = np.column_stack([grid, np.zeros(len(grid))]).astype(np.float32)
    corner = (np.arange(39)[:, None] * 20 + np.arange(19)).ravel()
    faces = np.stack([corner, corner + 1, corner + 20], axis=1)
    still = dict.fromkeys(ARKIT_NAMES, np.zeros_like(body))
    given = (Piece("Body", body, faces, grid.astype(np.float32), still), *pieces())
    head = head_of(tmp_path, build(ARKIT, given))
    assert "more than a head" in head.rig.remarks[0] and np.ptp(head.template, axis=0).max() < 0.7
    own = head.rig.kept >= len(body)
    np.testing.assert_allclose(head.template[own], neutral()[head.rig.kept[own] - len(body)], atol=1e-6)
    np.testing.assert_allclose(
        own_shapes_head(head).blendshapes, head.blendshapes[[ARKIT_NAMES.index(c.name) for c in head.rig.controls]]
    )


def test_weights_at_rest_shape_the_face_unless_a_curve_moves_them(tmp_path: Path) -> None:
    glb = build({"jawOpen": "jawOpen", "cheekPuff": "a chubby face"})
    glb.document["meshes"][0]["weights"] = [0.9, 0.5]
    head = head_of(tmp_path, glb)
    count = len(pieces()[0].vertices)
    wanted = pieces()[0].vertices + 0.5 * planted("cheekPuff")[:count]
    np.testing.assert_allclose(head.template[:count], wanted, atol=1e-6)


def test_vertices_along_a_seam_share_a_group(tmp_path: Path) -> None:
    """A skin cut in two along a texture's seam has each vertex of the seam twice, which share a normal."""
    skin = pieces()[0]
    left = skin.vertices[skin.faces].mean(axis=1)[:, 0] > 0
    halves = []
    for side in (left, ~left):
        own, corners = np.unique(skin.faces[side], return_inverse=True)
        shapes = {name: values[own] for name, values in skin.shapes.items()}
        halves.append(Piece("Skin", skin.vertices[own], corners.reshape(-1, 3), skin.uv[own], shapes))
    head = head_of(tmp_path, build(ARKIT, halves))
    shared = len(head.template) - len(np.unique(head.rig.seam_groups))
    assert shared >= len(halves[0].vertices) + len(halves[1].vertices) - len(skin.vertices) > 30
    np.testing.assert_array_equal(head.template, head.template[head.rig.seam_groups])

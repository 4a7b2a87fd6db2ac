"""The shipped head keeps the promises others rely on, and a broken one is refused in one sentence."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memorytalker.face.head import ARKIT_NAMES, HEAD_FOLDER, HeadError, HeadMesh, load_head
from memorytalker.face.motion_space import speech_space


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def posed(head: HeadMesh, **weights: float) -> np.ndarray:
    """Vertices (V, 3) under face curves; a name without its side means both sides."""
    row = np.zeros((1, len(head.blendshape_names)), np.float32)
    for name, weight in weights.items():
        for k, shape in enumerate(head.blendshape_names):
            if shape in (name, f"{name}Left", f"{name}Right"):
                row[0, k] = weight
    return head.template + head.offsets(row)[0]


def lip_gap(head: HeadMesh, vertices: np.ndarray) -> float:
    """Millimetres between the inner lips in the middle of the mouth."""
    upper, lower = (head.landmarks[name] for name in ("inner_lip_upper", "inner_lip_lower"))
    return 1000 * float(vertices[upper, 1] - vertices[lower, 1])


def everyone(head: HeadMesh) -> list[HeadMesh]:
    return [head.with_identity(name) for name in head.identities]


def triangles_of(head: HeadMesh, part: str) -> np.ndarray:
    return head.faces[np.isin(head.faces, head.parts[part]).all(axis=1)]


def test_parts_cover_every_vertex_once_and_every_triangle_lies_in_one(head):
    together = np.concatenate(list(head.parts.values()))
    assert np.array_equal(np.sort(together), np.arange(head.vertex_count))
    assert sum(len(triangles_of(head, part)) for part in head.parts) == len(head.faces)
    assert np.array_equal(np.unique(head.faces), np.arange(head.vertex_count))


def test_units_and_frame_of_reference(head):
    for person in everyone(head):
        place, mark = person.template, person.landmarks
        skin = place[person.parts["skin"]]
        face = skin[:, 1].max() - place[mark["chin"], 1]
        assert 0.16 < face < 0.26, "a face is about 20 cm high, in metres"
        assert place[mark["chin"], 1] < place[mark["inner_lip_lower"], 1] < place[mark["nose_bridge"], 1]
        assert place[mark["mouth_left"], 0] > 0.015 and place[mark["mouth_right"], 0] < -0.015
        assert place[mark["eye_left_outer"], 0] > 0.03 and place[mark["eye_right_outer"], 0] < -0.03
        assert min(place[mark[name], 2] for name in ("chin", "nose_bridge", "inner_lip_upper")) > 0.04
        assert place[person.parts["eye_left"]].mean(axis=0)[0] > 0 > place[person.parts["eye_right"]].mean(axis=0)[0]


def test_inner_lips_lie_on_the_middle_line_and_touch_in_every_neutral_face(head):
    for person in everyone(head):
        for name in ("inner_lip_upper", "inner_lip_lower", "chin", "nose_bridge"):
            assert abs(person.template[person.landmarks[name], 0]) < 1e-4
        assert abs(lip_gap(person, person.template)) < 0.6


def test_jaw_opens_the_mouth_and_carries_lower_teeth_and_tongue_alone(head):
    moved = head.blendshape("jawOpen")
    assert lip_gap(head, posed(head, jawOpen=1.0)) > 20
    for part in ("teeth_lower", "tongue"):
        assert moved[head.parts[part], 1].mean() < -0.008
    for part in ("teeth_upper", "eye_left", "eye_right"):
        assert np.abs(moved[head.parts[part]]).max() < 1e-4
    teeth = head.template[head.parts["teeth_lower"]].astype(float)
    opened = teeth + moved[head.parts["teeth_lower"]]
    spread = [np.linalg.norm(jaw - jaw.mean(axis=0), axis=1) for jaw in (teeth, opened)]
    assert np.abs(spread[1] / spread[0] - 1).max() < 0.15, "the jaw turns, it does not melt"


@pytest.mark.parametrize("weight", [0.3, 0.6, 1.0])
def test_mouth_close_seals_the_lips_over_an_open_jaw(head, weight):
    for person in everyone(head):
        sealed = posed(person, jawOpen=weight, mouthClose=weight)
        assert -1.6 < lip_gap(person, sealed) < 0.1
        teeth = person.parts["teeth_lower"]
        assert (sealed[teeth, 1] - person.template[teeth, 1]).mean() < -0.008 * weight


def test_both_sides_of_a_smile_or_a_pucker_leave_the_lips_together(head):
    for shapes in ({"mouthSmile": 1.0}, {"mouthDimple": 1.0}, {"mouthPucker": 1.0}, {"mouthFrown": 0.5}):
        assert -1.2 < lip_gap(head, posed(head, **shapes)) < 0.3, shapes
    assert lip_gap(head, posed(head, mouthFunnel=1.0)) > 5


def test_neutral_teeth_stay_behind_the_lips(head):
    for person in everyone(head):
        place = person.template
        lips = min(place[person.landmarks[name], 2] for name in ("inner_lip_upper", "inner_lip_lower"))
        for part in ("teeth_upper", "teeth_lower"):
            assert place[person.parts[part], 2].max() < lips - 0.001
        edge = place[person.landmarks["upper_teeth"]]
        assert abs(edge[0]) < 0.005
        assert -0.008 < edge[1] - place[person.landmarks["inner_lip_upper"], 1] < 0.002


def test_eyes_turn_rigidly_and_to_the_side_that_the_name_says(head):
    ways = {"Up": (1, 1), "Down": (1, -1), "Out": (0, 1), "In": (0, -1)}
    for side, sign in (("Left", 1), ("Right", -1)):
        eye = head.parts[f"eye_{side.lower()}"]
        ball = head.template[eye].astype(float)
        pupil = eye[0]
        for way, (axis, direction) in ways.items():
            name = f"eyeLook{way}{side}"
            offset = head.blendshape(name)
            expected = direction * (sign if axis == 0 else 1)
            assert expected * offset[pupil, axis] > 0.002, name
            turned = ball + offset[eye]
            far = np.linalg.norm(ball[:, None] - ball[None, ::17], axis=-1)
            # eyes of different people differ a little in size, the shapes are shared
            assert np.abs(np.linalg.norm(turned[:, None] - turned[None, ::17], axis=-1) - far).max() < 6e-4
            other = head.parts["eye_right" if side == "Left" else "eye_left"]
            assert np.abs(offset[other]).max() == 0


def test_eyes_look_at_a_camera_in_front(head):
    for person in everyone(head):
        for side in ("left", "right"):
            ball = person.template[person.parts[f"eye_{side}"]].astype(float)
            rim = ball[1:25].mean(axis=0)  # the innermost ring of the pupil
            centre = ball.mean(axis=0)
            sight = ball[0] - (centre - [0, 0, 0.01])
            assert abs(sight[0]) < 0.004 and abs(ball[0, 0] - rim[0]) < 1e-3


def test_blink_brings_the_lashes_down_and_stays_on_its_side(head):
    for side, sign in (("Left", 1), ("Right", -1)):
        offset = head.blendshape(f"eyeBlink{side}")
        lashes = head.parts["lashes"]
        own = lashes[sign * head.template[lashes, 0] > 0]
        assert offset[own, 1].mean() < -0.004
        assert np.abs(offset[sign * head.template[:, 0] < -0.005]).max() < 5e-4


def test_tongue_comes_out(head):
    tongue = head.parts["tongue"]
    assert head.blendshape("tongueOut")[tongue, 2].max() > 0.015
    assert np.abs(head.blendshape("tongueOut")[head.parts["teeth_lower"]]).max() < 1e-4


def test_shapes_mirror_each_other(head):
    skin = head.parts["skin"]
    middle = skin[np.abs(head.template[skin, 0]) < 1e-5]
    assert len(middle) > 50
    for name in ("jawOpen", "mouthFunnel", "mouthClose", "browInnerUp"):
        assert np.abs(head.blendshape(name)[middle, 0]).max() < 1e-4, name
    left, right = head.blendshape("mouthSmileLeft"), head.blendshape("mouthSmileRight")
    corners = [head.landmarks[name] for name in ("mouth_left", "mouth_right")]
    assert np.allclose(left[corners[0]], right[corners[1]] * [-1, 1, 1], atol=3e-5)


def test_every_solid_part_faces_outwards(head):
    for part in ("eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue", "hair"):
        triangles = triangles_of(head, part)
        for shell in shells(triangles):
            corners = head.template[shell].astype(float)
            corners -= corners.reshape(-1, 3).mean(axis=0)
            volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
            assert volume > 0, f"{part} is inside out and would not be drawn"


def shells(triangles: np.ndarray) -> list[np.ndarray]:
    """The triangles of each connected piece."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    a, b = triangles[:, [0, 1]].ravel(), triangles[:, [1, 2]].ravel()
    size = int(triangles.max()) + 1
    _, label = connected_components(sparse.coo_matrix((np.ones(len(a)), (a, b)), shape=(size, size)), directed=False)
    return [triangles[label[triangles[:, 0]] == k] for k in np.unique(label[triangles[:, 0]])]


def test_regions(head):
    region = {name: set(indices.tolist()) for name, indices in head.regions.items()}
    skin = set(head.parts["skin"].tolist())
    assert all(indices <= skin for indices in region.values())
    assert region["inner_lips"] | region["outer_lips"] == region["lips"]
    assert not region["inner_lips"] & region["outer_lips"]
    assert not region["lower_face"] & region["upper_face"]
    assert {head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]} <= region["inner_lips"]
    assert region["eyelids"] <= region["upper_face"]
    assert head.landmarks["chin"] in region["lower_face"] and head.landmarks["nose_bridge"] in region["upper_face"]


def test_base_index_carries_the_shapes_of_the_base_mesh(head):
    skin = head.base_index[head.parts["skin"]]
    for name, vertex in (("inner_lip_upper", 520), ("inner_lip_lower", 523), ("chin", 5171), ("mouth_left", 10404)):
        assert head.base_index[head.landmarks[name]] == vertex
    assert head.base_index.min() >= 0 and len(np.unique(skin)) > 4000


def test_colors_are_where_they_belong(head):
    for person in everyone(head):
        color = person.colors.astype(float)
        lips, cheek = color[person.regions["outer_lips"]].mean(axis=0), color[person.landmarks["chin"]]
        assert lips[0] / lips[1] > 1.1 * cheek[0] / cheek[1], "lips are redder than skin"
        for side in ("left", "right"):
            eye = color[person.parts[f"eye_{side}"]]
            assert eye[0].max() < 30, "a pupil is black"
            assert eye.max(axis=0).min() > 200, "the white of an eye is white"
        assert color[person.parts["teeth_upper"]].max(axis=0).min() > 200


def test_the_basis_that_the_open_weights_speak_is_bit_for_bit_the_same(head):
    """Hair, shirts and resting faces belong to the people; what moves, and how, belongs to the weights."""
    assert speech_space(head).name == "speech-851cf152"
    sums = {
        "shapes": (head.blendshapes, "1fbec27668ac56634341aa57efbc6034286cff1398edbe790801fbdb2e510a78"),
        "basis": (head.motion_mix, "851cf152c6d1c9c47004e94ac3ac69a1e05b831ffb6eb7356713449180253547"),
        "face": (
            head.faces[(head.faces <= head.parts["tongue"].max()).all(axis=1)],
            "6615075dcdea96793536ef18be926631aa13a32609bd2d5c7501ce973d31d7b3",
        ),
    }
    for name, (array, known) in sums.items():
        assert hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() == known, name
    for part in ("clothing", "hair_lengths", "hair_fringe"):
        assert not head.blendshapes[:, head.parts[part]].any(), part


def hidden(person: HeadMesh, part: str) -> bool:
    return bool(np.ptp(person.template[person.parts[part]], axis=0).max() < 0.001)


def test_people_wear_their_hair_in_several_ways(head):
    worn = {
        person.identity: (
            hidden(person, "hair_lengths"),
            hidden(person, "hair_fringe"),
            bool(person.template[person.parts["hair_lengths"], 1].min() > 0.1),  # a bun
        )
        for person in everyone(head)
    }
    assert len(set(worn.values())) >= 4, worn
    for person in everyone(head):
        for part in ("hair_lengths", "hair_fringe"):
            place = person.template[person.parts[part]]
            if hidden(person, part):  # a speck that no camera sees: within the skull
                assert np.linalg.norm(place - [0, 0.03, -0.02], axis=1).max() < 0.001
            else:
                assert place[:, 1].min() > -0.22 and np.ptp(place[:, 0]) > 0.05


@pytest.mark.parametrize("pose", [{}, {"jawOpen": 1.0}, {"mouthSmile": 1.0}, {"browInnerUp": 1.0, "browOuterUp": 1.0}])
def test_no_face_comes_through_long_hair_or_a_fringe(head, pose):
    """Where hair lies over the face, seen from in front, no skin is in front of it."""
    for person in everyone(head):
        for part, height in (("hair_lengths", -0.09), ("hair_fringe", 0.0)):
            if hidden(person, part):
                continue
            moved = posed(person, **pose)
            rows = person.parts[part].reshape({"hair_lengths": (13, 31), "hair_fringe": (8, 16)}[part])
            outer = moved[
                rows[5 if part == "hair_fringe" else 6, 1:-1]
            ]  # the ends of the fringe, the middle of lengths
            outer = outer[outer[:, 1] > height]
            skin = moved[person.parts["skin"]]
            for point in outer:
                near = skin[np.abs(skin[:, 1] - point[1]) < 0.004]
                way = np.array([point[0], point[2] + 0.018])
                far = np.linalg.norm(way)
                flat = near[:, [0, 2]] + [0.0, 0.018]
                aside, along = np.abs(flat @ [-way[1], way[0]]) / far, flat @ way / far
                assert along[(aside < 0.004) & (along > 0)].max(initial=0.0) < far + 0.0005, (person.identity, part)


def test_a_shirt_hides_where_the_skin_ends_and_lies_on_it(head):
    for person in everyone(head):
        shirt = person.template[person.parts["clothing"]].astype(float)
        skin = person.template[person.parts["skin"]].astype(float)
        around = skin[np.abs(skin[:, 1] - skin[:, 1].min()) < 0.01]
        assert shirt[:, 1].max() > around[:, 1].max() + 0.01
        rings = shirt[:480].reshape(10, 48, 3)
        front = rings[1, 0]  # the top of the collar, straight ahead
        chin = person.template[person.landmarks["chin"]]
        assert -0.085 < front[1] - chin[1] < -0.02, (person.identity, front[1] - chin[1])
        for one, other in ((rings, np.roll(rings, 1, axis=1)), (rings[:-1], rings[1:])):
            assert 0.0002 < np.linalg.norm(one - other, axis=-1).max() < 0.09


def test_resting_faces_do_not_scowl(head):
    """Brows begin 15 mm and more above the middle of the eyes, and no corner of a mouth hangs."""
    for person in everyone(head):
        place, mark = person.template, person.landmarks
        ribbon = place[person.parts["brows"][:52]].reshape(4, 13, 3)[1:3].mean(axis=0)
        over = ribbon[1, 1] - place[person.parts["eye_left"], 1].mean()
        assert over > 0.015, (person.identity, over)
        corners = place[[mark["mouth_left"], mark["mouth_right"]], 1].mean()
        middle = place[[mark["inner_lip_upper"], mark["inner_lip_lower"]], 1].mean()
        assert corners - middle > -0.0005, (person.identity, corners - middle)


def test_everybody_has_a_small_picture(head):
    for name in head.identities:
        path = HEAD_FOLDER / "thumbnails" / f"{name}.webp"
        assert path.stat().st_size < 10_000
        with Image.open(path) as picture:
            assert picture.size == (160, 160)
            assert np.asarray(picture.convert("RGB")).astype(float).std() > 20


def test_six_and_more_people_of_the_same_topology_who_differ(head):
    assert len(head.identities) >= 6 and set(head.descriptions) == set(head.identities)
    people = everyone(head)
    for k, one in enumerate(people):
        for other in people[:k]:
            assert np.linalg.norm(one.template - other.template, axis=1)[head.regions["upper_face"]].mean() > 0.001
    assert people[1].identity == list(head.identities)[1]
    assert people[1].blendshapes is head.blendshapes and people[1].faces is head.faces
    with pytest.raises(HeadError, match="choose one of"):
        head.with_identity("nobody")


def test_offsets_add_up_and_name_the_wrong_shape(head):
    assert head.blendshape_names == ARKIT_NAMES
    weights = np.random.default_rng(0).uniform(size=(3, 52)).astype(np.float32)
    by_hand = sum(weights[:, k, None, None] * head.blendshapes[k] for k in range(52))
    assert head.offsets(weights).dtype == np.float32
    assert np.allclose(head.offsets(weights), by_hand, atol=1e-6)
    assert not head.offsets(np.zeros((2, 52))).any()
    with pytest.raises(HeadError, match="shape"):
        head.offsets(np.zeros((2, 51)))
    with pytest.raises(HeadError, match="jawOpen"):
        head.blendshape("jawopen")


def test_a_head_is_read_only_and_travels_between_processes(head):
    with pytest.raises(ValueError):
        head.template[0] = 0
    with pytest.raises(ValueError):
        head.blendshapes[0, 0] = 0
    assert np.array_equal(pickle.loads(pickle.dumps(head)).template, head.template)


def broken_copy(folder: Path, **changes: np.ndarray | None) -> Path:
    """A copy of the shipped head with arrays replaced (None: left out) and the digest made to fit."""
    with np.load(HEAD_FOLDER / "head.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays = {name: value for name, value in (arrays | changes).items() if value is not None}
    np.savez(folder / "head.npz", **arrays)
    description = json.loads((HEAD_FOLDER / "head.json").read_text())
    description["sha256"] = hashlib.sha256((folder / "head.npz").read_bytes()).hexdigest()
    (folder / "head.json").write_text(json.dumps(description))
    return folder


def shipped(name: str) -> np.ndarray:
    with np.load(HEAD_FOLDER / "head.npz") as archive:
        return archive[name].copy()


def test_a_rewritten_head_loads_when_nothing_is_wrong(tmp_path):
    assert load_head(broken_copy(tmp_path)).vertex_count == load_head().vertex_count


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("templates", lambda a: a * np.nan, "not finite"),
        ("templates", lambda a: a * 100, "not in metres"),
        ("templates", lambda a: a[:, :-1], "wrong shape"),
        ("templates", lambda a: a.astype(np.float64), "wrong shape"),
        ("colors", lambda a: a.astype(np.float32), "no colour per vertex"),
        ("faces", lambda a: a + 1, "faces points at vertices that do not exist"),
        ("faces", lambda a: a[:, :2], "not triangles"),
        ("region_lips", lambda a: a - 100000, "lips points at vertices that do not exist"),
        ("part_tongue", lambda a: a.astype(np.float32), "tongue points at vertices that do not exist"),
        ("shape_offsets", lambda a: a + np.float16(0.2), "more than ten centimetres"),
        ("shape_offsets", lambda a: a[:-5], "incomplete"),
        ("shape_vertices", lambda a: a + 10**6, "incomplete"),
        ("region_eyelids", lambda a: None, "incomplete"),
        ("templates", lambda a: a[:2], "incomplete"),
    ],
)
def test_a_damaged_head_is_refused_in_one_sentence(tmp_path, name, spoil, words):
    with pytest.raises(HeadError, match=words) as refusal:
        load_head(broken_copy(tmp_path, **{name: spoil(shipped(name))}))
    assert "\n" not in str(refusal.value) and str(tmp_path) in str(refusal.value)


def test_missing_and_unreadable_files_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(HeadError, match="no head description"):
        load_head(tmp_path)
    shutil.copy(HEAD_FOLDER / "head.json", tmp_path)
    with pytest.raises(HeadError, match="no head mesh"):
        load_head(tmp_path)
    (tmp_path / "head.npz").write_bytes((HEAD_FOLDER / "head.npz").read_bytes()[:5000])
    with pytest.raises(HeadError, match="damaged"):
        load_head(tmp_path)
    broken_copy(tmp_path)
    content = json.loads((tmp_path / "head.json").read_text())
    (tmp_path / "head.json").write_text(json.dumps(content | {"sha256": "0" * 64}))
    with pytest.raises(HeadError, match="not the file that head.json describes"):
        load_head(tmp_path)
    (tmp_path / "head.json").write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(HeadError, match="format"):
        load_head(tmp_path)
    (tmp_path / "head.json").write_text("{")
    with pytest.raises(HeadError, match="not readable JSON"):
        load_head(tmp_path)
    landmarks = {k: v for k, v in content["landmarks"].items() if k != "chin"}
    (tmp_path / "head.json").write_text(json.dumps(content | {"landmarks": landmarks}))
    with pytest.raises(HeadError, match="no landmark chin"):
        load_head(tmp_path)
    (tmp_path / "head.json").write_text(json.dumps(content | {"blendshapes": [*ARKIT_NAMES[:-1], "wink"]}))
    with pytest.raises(HeadError, match="not the 52 of ARKit"):
        load_head(tmp_path)


def test_no_pickle_is_ever_loaded(tmp_path):
    with pytest.raises(HeadError):
        load_head(broken_copy(tmp_path, templates=np.array([{"a": 1}], dtype=object)))


def test_files_beside_the_head_state_its_origin_and_digest():
    notes = (HEAD_FOLDER / "README.md").read_text(encoding="utf-8")
    assert "CC0" in notes and "MakeHuman" in notes
    for name in ("head.npz", "head.json"):
        assert hashlib.sha256((HEAD_FOLDER / name).read_bytes()).hexdigest() in notes
    assert sum(path.stat().st_size for path in HEAD_FOLDER.iterdir()) < 3_000_000

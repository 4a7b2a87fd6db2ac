"""A head that turns: rigid above the jaw, still at the collar; drawn by a seed, seen in frames and files."""

from __future__ import annotations

import csv
import dataclasses
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from node_reader import read_with_node

from memorytalker.exports.saving import save_motion
from memorytalker.exports.take import Provenance
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.head_motion import HeadMotion, motion_of_curves
from memorytalker.face.head_turns import HeadTurns
from memorytalker.face.motion import FaceCurves, MotionError
from memorytalker.face.neck import LARGEST_ANGLE, neck_of, quaternions, rotations
from memorytalker.sound.prosody import Prosody

ORIGIN = Provenance("clip.wav", "ada", "", "own voice", 3)


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def prosody() -> Prosody:
    """Ten seconds with a stressed syllable every second and a pause in the middle."""
    time = np.arange(300) / 30
    stressed = np.exp(-(((time % 1.0) - 0.5) ** 2) / 0.005)
    quiet = (time > 4.6) & (time < 5.4)
    loudness = np.where(quiet, -40.0, -12.0 + 14.0 * stressed)
    return Prosody(loudness, np.where(quiet, np.nan, 6.0 * stressed), quiet, 30.0)


def motion(head: HeadMesh, frames: int, turns: np.ndarray | None) -> HeadMotion:
    weights = np.zeros((frames, len(head.blendshape_names)), np.float32)
    weights[:, head.blendshape_names.index("jawOpen")] = np.linspace(0, 0.4, frames)
    return motion_of_curves(head, FaceCurves(weights, head.blendshape_names, 30.0), turns)


def test_the_head_turns_as_a_whole_and_the_shoulders_stay(head: HeadMesh) -> None:
    neck, degrees = neck_of(head), 12.0
    moving = [head.landmarks[name] for name in ("chin", "nose_bridge", "eye_left_outer", "mouth_right")]
    assert np.allclose(neck.share[moving], 1) and np.allclose(neck.share[head.parts["eye_left"]], 1)
    assert not neck.share[head.parts["clothing"]].any() and neck.share[head.parts["hair"]].min() > 0.4
    lowest = head.template[head.parts["skin"], 1].argmin()
    assert neck.share[head.parts["skin"][lowest]] < 0.01
    turned = motion(head, 1, np.radians([[degrees, 0, 0]]))[0]
    still = motion(head, 1, None)[0]
    chin = head.landmarks["chin"]
    pairs = np.array(moving)
    apart = np.linalg.norm(turned[pairs][:, None] - turned[pairs][None], axis=2)
    assert np.allclose(apart, np.linalg.norm(still[pairs][:, None] - still[pairs][None], axis=2), atol=1e-6)
    before, after = still[chin] - neck.pivot, turned[chin] - neck.pivot
    angle = np.degrees(np.arctan2(after[0], after[2]) - np.arctan2(before[0], before[2]))
    assert angle == pytest.approx(degrees, abs=1e-3)
    assert np.array_equal(turned[head.parts["clothing"]], still[head.parts["clothing"]])


@pytest.mark.parametrize(
    ("angles", "axis", "sign"),
    [((8, 0, 0), 0, 1), ((0, 8, 0), 1, -1), ((0, 0, 8), 0, -1)],
    ids=["yaw to its own left", "pitch nods down", "roll to its own right"],
)
def test_signs_are_as_documented(head: HeadMesh, angles: tuple, axis: int, sign: int) -> None:
    """The nose goes to the head's own left (+x) in yaw, down in pitch; the crown to its own right (-x) in roll."""
    turned, still = motion(head, 1, np.radians([angles]))[0], motion(head, 1, None)[0]
    place = still[:, 1].argmax() if angles[2] else still[:, 2].argmax()
    assert sign * (turned[place] - still[place])[axis] > 0.005


def test_quaternions_and_matrices_are_the_same_rotation() -> None:
    turns = np.random.default_rng(0).uniform(-0.6, 0.6, (20, 3))
    x, y, z, w = quaternions(turns).astype(float).T
    matrix = np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], -1),
            np.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], -1),
            np.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], -1),
        ],
        -2,
    )
    assert np.allclose(matrix, rotations(turns), atol=1e-6)


def test_the_same_seed_gives_the_same_head_piece_by_piece(prosody: Prosody) -> None:
    whole = HeadTurns(30.0, 5).angles(0, 300, prosody)
    again, pieces = HeadTurns(30.0, 5), []
    for first, frames in ((0, 70), (70, 130), (200, 100)):
        pieces.append(again.angles(first, frames, prosody))
    assert np.array_equal(np.concatenate(pieces), whole)
    assert not np.allclose(HeadTurns(30.0, 6).angles(0, 300, prosody), whole)
    later = HeadTurns(30.0, 5)
    early = Prosody(prosody.loudness[:160], prosody.pitch[:160], prosody.quiet[:160], 30.0)
    assert np.array_equal(later.angles(0, 100, early), whole[:100])  # what is to come changes nothing before


def test_turns_are_small_smooth_and_nod_on_stressed_syllables(prosody: Prosody) -> None:
    degrees = np.degrees(np.concatenate([HeadTurns(30.0, seed).angles(0, 300, prosody) for seed in range(8)]))
    assert (np.abs(degrees).max(axis=0) < (16, 12, 9)).all() and (degrees.std(axis=0) > (0.5, 0.5, 0.3)).all()
    for seed in range(3):
        turns = np.degrees(HeadTurns(30.0, seed).angles(0, 300, prosody))
        assert np.abs(np.diff(turns, axis=0)).max() * 30 < 80  # degrees a second
    pitch = np.mean([np.degrees(HeadTurns(30.0, seed).angles(0, 300, prosody))[:, 1] for seed in range(24)], axis=0)
    beats = np.arange(300) % 30
    loud = (prosody.quiet == 0) & (beats >= 13) & (beats <= 17)
    between = (prosody.quiet == 0) & ((beats <= 3) | (beats >= 28))
    assert pitch[loud].mean() > pitch[between].mean() + 1.0  # degrees further down on the syllable than between two


def test_a_motion_keeps_its_turns(head: HeadMesh) -> None:
    turns = np.radians(np.linspace([0, 0, 0], [8, -5, 3], 30))
    whole = motion(head, 30, turns)
    joined = HeadMotion.joined([motion(head, 30, turns)])
    assert joined.turns is not None
    first, second = (
        dataclasses.replace(
            motion_of_curves(head, FaceCurves(whole.curves.weights[part], whole.curves.names, 30.0)), turns=turns[part]
        )
        for part in (slice(0, 12), slice(12, 30))
    )
    assert np.allclose(HeadMotion.joined([first, second]).vertices, whole.vertices, atol=1e-6)
    marks = [head.landmarks["chin"], head.landmarks["mouth_left"]]
    assert np.allclose(whole.at(marks), whole.vertices[:, marks], atol=1e-6)
    faster = whole.resample(60.0)
    assert faster.turns.shape == (60, 3) and np.allclose(faster.turns[::2], turns, atol=1e-5)
    for wrong in (turns[:5], np.full((30, 3), np.nan), np.full((30, 3), 2 * LARGEST_ANGLE)):
        with pytest.raises(MotionError, match="urn"):
            motion(head, 30, wrong)


def read_glb(path: Path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def test_files_carry_the_turns(head: HeadMesh, tmp_path: Path) -> None:
    turns = np.radians(np.linspace([0, 0, 0], [8, -5, 3], 10)).astype(np.float32)
    save_motion(motion(head, 10, turns), tmp_path / "t.csv", provenance=ORIGIN)
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    found = np.array([[float(row[name]) for name in ("HeadYaw", "HeadPitch", "HeadRoll")] for row in rows])
    assert np.allclose(found, turns, atol=1e-9) and float(rows[-1]["LeftEyeYaw"]) == 0
    save_motion(motion(head, 10, turns), tmp_path / "t.glb", provenance=ORIGIN)
    document, binary = read_glb(tmp_path / "t.glb")
    channel = next(c for c in document["animations"][0]["channels"] if c["target"]["path"] == "rotation")
    assert document["nodes"][channel["target"]["node"]]["name"] == "Neck"
    accessor = document["accessors"][document["animations"][0]["samplers"][channel["sampler"]]["output"]]
    start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    values = np.frombuffer(binary, "<f4", 40, start).reshape(10, 4)
    assert np.allclose(values, quaternions(turns))
    posed = skinned(document, binary, rotations(turns)[-1])
    assert np.allclose(posed, neck_of(head).turned(head.template[None], turns[-1:])[0], atol=1e-6)


def test_other_programs_turn_the_head_as_we_do(head: HeadMesh, tmp_path: Path) -> None:
    """The Khronos validator finds nothing, and three.js moves every vertex to where our frames have it."""
    turns = np.radians(np.linspace([0, 0, 0], [8, -5, 3], 10)).astype(np.float32)
    take = motion(head, 10, turns)
    save_motion(take, tmp_path / "t.glb", provenance=ORIGIN)
    [report] = read_with_node("validate_gltf.js", tmp_path / "t.glb")
    assert not report["issues"]["messages"], report["issues"]["messages"][:3]
    found = read_with_node("play_glb.js", tmp_path / "t.glb", tmp_path / "places", "0", str(9 / 30))
    places = np.fromfile(tmp_path / "places", "<f4").reshape(2, -1, 3)
    assert found and np.abs(places[1] - take[9]).max() < 1e-5 and np.abs(places[0] - take[0]).max() < 1e-5


def skinned(document: dict, binary: bytes, rotation: np.ndarray) -> np.ndarray:
    """The vertices of the file's mesh at rest, with its second joint turned, as any viewer computes them."""

    def values(index: int, kind: str, columns: int) -> np.ndarray:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        offset = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        return np.frombuffer(binary, kind, accessor["count"] * columns, offset).reshape(-1, columns)

    skin = document["skins"][0]
    binds = values(skin["inverseBindMatrices"], "<f4", 16).reshape(2, 4, 4).transpose(0, 2, 1)
    neck = np.eye(4)
    neck[:3, :3], neck[:3, 3] = rotation, document["nodes"][skin["joints"][1]]["translation"]
    joints = [binds[0], neck @ binds[1]]
    result = []
    for entry in document["meshes"][0]["primitives"]:
        attributes = entry["attributes"]
        places = np.c_[values(attributes["POSITION"], "<f4", 3), np.ones(len(values(attributes["POSITION"], "<f4", 3)))]
        number, weight = values(attributes["JOINTS_0"], "u1", 4), values(attributes["WEIGHTS_0"], "<f4", 4)
        assert np.allclose(weight.sum(axis=1), 1)
        moved = sum(weight[:, [k]] * np.einsum("nij,nj->ni", np.array(joints)[number[:, k]], places) for k in range(2))
        result.append(moved[:, :3])
    return np.concatenate(result)


def test_a_head_that_does_not_turn_is_written_as_before(head: HeadMesh, tmp_path: Path) -> None:
    save_motion(motion(head, 4, None), tmp_path / "t.glb", provenance=ORIGIN)
    document, _ = read_glb(tmp_path / "t.glb")
    assert "skins" not in document and len(document["nodes"]) == 1
    assert all(
        set(entry["attributes"]) == {"POSITION", "NORMAL", "COLOR_0"} for entry in document["meshes"][0]["primitives"]
    )

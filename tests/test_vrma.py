"""VRM animation: expressions that three-vrm reads with the planted values, and that add up to the curves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from glb_reader import read_glb
from node_reader import read_with_node
from take_case import planted_take

from memorytalker.exports.take import ExportError, Take
from memorytalker.exports.vrma import (
    BLINKS,
    EXTENSION,
    VOWELS,
    VRMA,
    VRMA_PERFECT_SYNC,
    expressions,
    vowel_weights,
    write_vrma,
)
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.motion import FaceCurves
from memorytalker.face.visemes import VISEMES, viseme_recipe


@pytest.fixture(scope="module")
def take() -> Take:
    return planted_take(fps=24.0)


@pytest.fixture(scope="module")
def played(take: Take, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What three-vrm reads of the planted take."""
    path = tmp_path_factory.mktemp("vrma") / "talk.vrma"
    assert VRMA.write(take, path) == (path,)
    return read_with_node("play_vrma.js", path)


def posed(**weights: float) -> FaceCurves:
    """One frame of ARKit's shapes; a name without its side means both."""
    row = np.zeros((1, len(ARKIT_NAMES)), np.float32)
    for k, name in enumerate(ARKIT_NAMES):
        row[0, k] = weights.get(name, weights.get(name.removesuffix("Left").removesuffix("Right"), 0.0))
    return FaceCurves(row, ARKIT_NAMES, 30.0)


def test_three_vrm_reads_every_curve_as_planted(played: dict[str, Any], take: Take) -> None:
    assert set(played["custom"]) == set(ARKIT_NAMES) and set(played["preset"]) == {*VOWELS, *BLINKS}
    for name in ARKIT_NAMES:
        np.testing.assert_array_equal(np.float32(played["custom"][name]["values"]), take.need_curves().curve(name))
        np.testing.assert_allclose(played["custom"][name]["times"], np.arange(40) / 24, atol=1e-6)
    for k, name in enumerate(VOWELS):
        np.testing.assert_array_equal(
            np.float32(played["preset"][name]["values"]), vowel_weights(take.need_curves())[:, k]
        )
    assert len(played["played"]) == 60 and played["duration"] == pytest.approx(39 / 24)


def test_blinks_add_up_to_the_lids(played: dict[str, Any], take: Take) -> None:
    blinks = {name: np.float32(played["preset"][name]["values"]) for name in BLINKS}
    for side in ("Left", "Right"):
        lid = take.need_curves().curve(f"eyeBlink{side}")
        np.testing.assert_allclose(blinks["blink"] + blinks[f"blink{side}"], lid, atol=1e-6)
        assert lid.any() and (blinks[f"blink{side}"] >= 0).all()
    both, _ = expressions(posed(eyeBlinkLeft=1.0, eyeBlinkRight=0.75))
    assert [float(both[name][0]) for name in BLINKS] == [0.75, 0.25, 0.0]


def test_the_khronos_validator_finds_no_error_and_no_warning(take: Take, tmp_path: Path) -> None:
    write_vrma(take, tmp_path / "talk.vrma")
    one = dataclasses.replace(take, curves=FaceCurves(take.need_curves().weights[:1], take.need_curves().names, 24.0))
    VRMA_PERFECT_SYNC.write(one, tmp_path / "still.vrma")
    for report in read_with_node("validate_gltf.js", tmp_path / "talk.vrma", tmp_path / "still.vrma"):
        assert report["issues"]["numErrors"] == report["issues"]["numWarnings"] == 0
        assert {message["code"] for message in report["issues"]["messages"]} <= {"UNSUPPORTED_EXTENSION", "NODE_EMPTY"}


@pytest.mark.parametrize(("viseme", "vowel"), [("aa", "aa"), ("I", "ih"), ("U", "ou"), ("E", "ee"), ("O", "oh")])
def test_each_vowel_is_the_strongest_in_its_pose(viseme: str, vowel: str) -> None:
    pose = viseme_recipe()[VISEMES.index(viseme)]
    [row] = vowel_weights(FaceCurves(pose[None].astype(np.float32), ARKIT_NAMES, 30.0))
    assert VOWELS[int(row.argmax())] == vowel and row.max() > 0.5


def test_vowels_never_add_up_to_more_than_one() -> None:
    rng = np.random.default_rng(3)
    rows = vowel_weights(FaceCurves(rng.random((500, 52)) ** 2, ARKIT_NAMES, 30.0))
    assert rows.min() >= 0 and rows.sum(axis=1).max() <= 1 + 1e-6
    assert vowel_weights(posed(jawOpen=0.4, mouthClose=0.4)).max() < 1e-5  # lips together over an open jaw
    assert not vowel_weights(posed(browInnerUp=1.0)).any()


def test_vowels_of_ones_own_are_used(take: Take) -> None:
    mine = np.linspace(0, 1.5, 200, dtype=np.float32).reshape(40, 5)
    presets, _ = expressions(take.need_curves(), vowels=lambda curves: mine)
    np.testing.assert_array_equal(np.stack([presets[name] for name in VOWELS], axis=1), mine.clip(0, 1))


def test_curves_of_an_avatars_own_expressions_stay_what_they_are() -> None:
    names = ("aa", "blink", "lookUp", "smirk")
    curves = FaceCurves(np.array([[0.1, 0.2, 0.3, 0.4]], np.float32), names, 30.0)
    presets, custom = expressions(curves)
    assert {name: float(values[0]) for name, values in presets.items()} == pytest.approx({"aa": 0.1, "blink": 0.2})
    assert {name: float(values[0]) for name, values in custom.items()} == pytest.approx({"smirk": 0.4})
    with pytest.raises(ExportError, match="gaze"):
        expressions(FaceCurves(np.ones((1, 1)), ("lookUp",), 30.0), presets=False)


def test_perfect_sync_has_the_shapes_alone(take: Take, tmp_path: Path) -> None:
    VRMA_PERFECT_SYNC.write(take, tmp_path / "talk.vrma")
    held = read_glb(tmp_path / "talk.vrma").document["extensions"][EXTENSION]
    assert set(held["expressions"]) == {"custom"} and set(held["expressions"]["custom"]) == set(ARKIT_NAMES)
    assert held["specVersion"] == "1.0" and "humanoid" not in held


def test_the_first_node_of_the_scene_is_no_expression(take: Take, tmp_path: Path) -> None:
    write_vrma(take, tmp_path / "talk.vrma")
    document = read_glb(tmp_path / "talk.vrma").document
    kinds = document["extensions"][EXTENSION]["expressions"]
    nodes = {name: one["node"] for kind in kinds.values() for name, one in kind.items()}
    assert document["scenes"][0]["nodes"] == list(range(61)) and sorted(nodes.values()) == list(range(1, 61))
    assert all(document["nodes"][node]["name"] == name for name, node in nodes.items())
    assert document["asset"]["extras"]["fps"] == 24.0
    assert document["asset"]["extras"]["provenance"]["source"] == "planted.wav"


def test_a_cancelled_export_leaves_nothing(take: Take, tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    steps: list[int] = []

    def count(done: int, total: int, _: str) -> None:
        steps.append(done)
        if len(steps) == 30 and len(list(tmp_path.iterdir())) == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_vrma(dataclasses.replace(take, progress=count), tmp_path / "talk.vrma")
    assert not list(tmp_path.iterdir()) and steps == sorted(steps)
    with pytest.raises(ExportError, match="no curves"):
        write_vrma(dataclasses.replace(take, curves=None), tmp_path / "talk.vrma")

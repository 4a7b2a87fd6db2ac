"""Moods: poses of action units of a cited table, full in the upper face and a third of it at the mouth in speech."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.face.head import ARKIT_NAMES, HeadMesh, load_head
from memorytalker.face.moods import (
    ACTION_UNITS,
    MOUTH,
    POSES,
    SHAPES_OF_UNIT,
    SPEAKING_SHARE,
    mood_weights,
    with_moods,
)
from memorytalker.face.shape_groups import sided
from memorytalker.options import MOODS


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def pose(mood: str, strength: float = 1.0, speaking: float = 0.0) -> np.ndarray:
    strengths = np.array([[strength * (mood == one) for one in MOODS]])
    return mood_weights(strengths, np.array([speaking]), ARKIT_NAMES)[0]


def test_every_mood_has_a_pose_of_known_shapes() -> None:
    assert set(POSES) == set(MOODS) == set(ACTION_UNITS) | {"calm"}
    for weights in POSES.values():
        assert all(sided(name, ARKIT_NAMES) and 0 < weight <= 1 for name, weight in weights.items())


@pytest.mark.parametrize("mood", sorted(ACTION_UNITS))
def test_poses_show_the_action_units_of_the_table(mood: str) -> None:
    """Every unit that most people show is in the pose, but for those of lips and chin, which are left to speech."""
    usual, _ = ACTION_UNITS[mood]
    for unit in usual:
        shapes = SHAPES_OF_UNIT.get(unit)
        assert (shapes is None) == (unit in (17, 25, 26))
        assert shapes is None or any(POSES[mood].get(shape, 0) >= 0.2 for shape in shapes), (mood, unit)
    upper = {unit for units in ACTION_UNITS[mood] for unit in units if unit in (1, 2, 4, 5, 6, 7, 9)}
    assert upper


def test_the_table_is_the_papers() -> None:
    """Du, Tao and Martinez 2014, Table 1."""
    assert ACTION_UNITS["joy"] == ((12, 25), (6,)) and ACTION_UNITS["surprise"] == ((1, 2, 25, 26), (5,))
    assert ACTION_UNITS["sadness"] == ((4, 15), (1, 6, 11, 17)) and ACTION_UNITS["anger"] == ((4, 7, 24), (10, 17, 23))
    assert ACTION_UNITS["fear"] == ((1, 4, 20, 25), (2, 5, 26)) and ACTION_UNITS["disgust"] == ((9, 10, 17), (4, 24))


def test_the_mouth_of_a_mood_counts_by_a_third_in_speech() -> None:
    mouth = np.array([name.startswith(MOUTH) for name in ARKIT_NAMES])
    for mood in MOODS:
        silent, speaking = pose(mood), pose(mood, speaking=1.0)
        assert np.allclose(speaking[mouth], SPEAKING_SHARE * silent[mouth]) and SPEAKING_SHARE == pytest.approx(1 / 3)
        assert np.array_equal(speaking[~mouth], silent[~mouth])


def test_strength_is_linear_and_mixed_moods_share_a_face() -> None:
    assert np.allclose(pose("anger", 0.5), 0.5 * pose("anger"))
    both = mood_weights(np.array([[1.0 * (one in ("joy", "surprise")) for one in MOODS]]), np.zeros(1), ARKIT_NAMES)[0]
    assert np.allclose(both, (pose("joy") + pose("surprise")) / 2)


def test_moods_are_seen_in_millimetres_and_differ(head: HeadMesh) -> None:
    shapes = head.blendshapes
    moved = {mood: np.einsum("s,svc->vc", pose(mood), shapes) for mood in MOODS}
    brows, lids = head.parts["brows"], head.regions["eyelids"]
    corner = head.landmarks["mouth_left"]
    assert 1000 * moved["joy"][corner, 1] > 3 and 1000 * moved["sadness"][corner, 1] < -2
    in_speech = np.einsum("s,svc->vc", pose("joy", speaking=1.0), shapes)[head.regions["upper_face"]]
    assert 1000 * np.linalg.norm(in_speech, axis=1).max() > 7  # the cheeks under the eyes tell it meanwhile
    assert 1000 * moved["anger"][brows, 1].mean() < -2 and 1000 * moved["surprise"][brows, 1].mean() > 3
    assert 1000 * moved["fear"][lids, 1].mean() > 0 > 1000 * moved["sadness"][lids, 1].mean()
    for one in MOODS:
        for other in MOODS:
            if one < other:
                apart = 1000 * np.linalg.norm(moved[one] - moved[other], axis=1).max()
                assert apart > 2, (one, other)


def test_lids_close_all_the_way_in_a_blink_under_any_mood(head: HeadMesh) -> None:
    closed = np.zeros((1, len(ARKIT_NAMES)))
    for side in ("Left", "Right"):
        closed[0, ARKIT_NAMES.index(f"eyeBlink{side}")] = 1.0
    eyes = [index for index, name in enumerate(ARKIT_NAMES) if name.startswith(("eyeBlink", "eyeWide", "eyeSquint"))]
    for mood in MOODS:
        found = with_moods(closed, pose(mood)[None], ARKIT_NAMES)
        assert np.array_equal(found[:, eyes], closed[:, eyes]), mood

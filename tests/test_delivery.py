"""What a style does to curves, in millimetres: every group goes one way only, and what touches goes on touching."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.face.curve_files import read_curves
from memorytalker.face.head import ARKIT_NAMES, HeadMesh, load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.mouth_contacts import AT_TEETH, CLOSED, MouthContacts, mouth_contacts
from memorytalker.face.shape_groups import GAIN_GROUPS, OFFSET_GROUPS, SHAPES, group_rows, sided, weights_of
from memorytalker.options import MOODS
from memorytalker.places import assets_folder
from memorytalker.styles.delivery import (
    EASE_SECONDS,
    Delivery,
    DeliveryTrack,
    StyleError,
    check_order,
    delivered,
    delivery_of,
)
from memorytalker.styles.style import PRESETS

CLIPS = ("s1_pbbc7a", "s4_bbilzs", "facegood_1114_3_15_1")


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def contacts(head: HeadMesh) -> MouthContacts:
    return mouth_contacts(head)


@pytest.fixture(scope="module")
def speech(head: HeadMesh) -> FaceCurves:
    """Three recorded mouths one after the other, with brows and blinks, which recordings of mouths lack."""
    rows = [read_curves(assets_folder("ground_truth") / f"{name}.npz").curves for name in CLIPS]
    weights = np.concatenate([one.reordered(head.blendshape_names).weights for one in rows]).astype(np.float64)
    time = np.arange(len(weights)) / 30
    weights += np.clip(np.sin(2 * np.pi * 0.5 * time), 0, 1)[:, None] * weights_of(
        {"browInnerUp": 0.3, "browOuterUp": 0.3, "eyeBlink": 0.5}, head.blendshape_names
    )
    return FaceCurves(np.clip(weights, 0, 1), head.blendshape_names, 30.0)


def changed(speech: FaceCurves, contacts: MouthContacts, delivery: Delivery, speaking: float = 1.0) -> np.ndarray:
    frames = len(speech.weights)
    values = np.repeat(delivery.values[None], frames, axis=0)
    return delivered(values, speech, contacts, np.full(frames, speaking)).weights


def effects(head: HeadMesh, contacts: MouthContacts, weights: np.ndarray) -> dict[str, float]:
    """What a viewer would measure on the head, in millimetres, on the mean over all frames."""
    marks = head.landmarks

    def mean(vertex: int, axis: int) -> float:
        return 1000 * float((weights @ head.blendshapes[:, vertex, axis]).mean())

    brows = head.parts["brows"]
    lids = head.regions["eyelids"]
    corner = marks["mouth_left"]
    return {
        "opening": 1000 * float((weights @ contacts.middle).mean()),
        "width": mean(corner, 0) - mean(marks["mouth_right"], 0),
        "corner": mean(corner, 1),
        "upper_lip": mean(marks["inner_lip_upper"], 1),
        "brow": 1000 * float((weights @ head.blendshapes[:, brows, 1].mean(axis=1)).mean()),
        "lid": 1000 * float((weights @ head.blendshapes[:, lids, 1].mean(axis=1)).mean()),
    }


#: Group -> the distance by which its gain is seen, and its sign.
SEEN = {
    "overall": ("opening", 1), "jaw": ("opening", 1), "spread": ("width", 1), "rounding": ("width", -1),
    "upper_lip": ("upper_lip", 1), "corners": ("corner", 1), "brows": ("brow", 1), "blinks": ("lid", -1),
}  # fmt: skip
#: The same for offsets.
MOVED = {
    "jaw": ("opening", 1), "spread": ("width", 1), "rounding": ("width", -1), "upper_lip": ("upper_lip", 1),
    "corners": ("corner", 1), "brows": ("brow", 1), "blinks": ("lid", -1),
}  # fmt: skip


@pytest.mark.parametrize("group", SEEN)
def test_a_gain_goes_one_way_in_millimetres(group: str, head, contacts, speech) -> None:
    measure, sign = SEEN[group]
    gains = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
    values = [effects(head, contacts, changed(speech, contacts, Delivery(gains={group: g})))[measure] for g in gains]
    steps = sign * np.diff(values)
    assert (steps > 0.001).all(), values
    assert sign * (values[-1] - values[0]) > 0.1  # a tenth of a millimetre on the mean


@pytest.mark.parametrize("group", MOVED)
def test_an_offset_goes_one_way_in_millimetres(group: str, head, contacts, speech) -> None:
    measure, sign = MOVED[group]
    offsets = (-1.0, -0.5, 0.0, 0.5, 1.0)
    values = [
        effects(head, contacts, changed(speech, contacts, Delivery(offsets={group: o})))[measure] for o in offsets
    ]
    assert (sign * np.diff(values) > 0.001).all(), values


def test_groups_name_shapes_of_the_head_and_every_group_has_an_effect_here(head) -> None:
    rows = group_rows(ARKIT_NAMES)
    assert set(rows) == set(GAIN_GROUPS) - {"head"} == set(SEEN) and set(MOVED) == set(OFFSET_GROUPS)
    for group, names in SHAPES.items():
        found = {one for name in names for one in sided(name, ARKIT_NAMES)}
        assert {name for name, inside in zip(ARKIT_NAMES, rows[group], strict=True) if inside} == found
        assert all(sided(name, ARKIT_NAMES) for name in names)
    upper = rows["brows"] | rows["blinks"]
    assert not (rows["overall"] & upper).any()


EXTREMES = [
    Delivery(gains={"jaw": 4.0}), Delivery(gains={"jaw": 0.0}), Delivery(gains={"overall": 3.0, "upper_lip": 3.0}),
    Delivery(offsets={"jaw": 1.0}), Delivery(offsets={"corners": 1.0}), Delivery(offsets={"upper_lip": 1.0}),
    Delivery(offsets={"corners": -1.0, "rounding": 1.0}), *(Delivery(moods={mood: 1.0}) for mood in MOODS),
    Delivery(gains={"spread": 4.0, "jaw": 3.0}, moods={"joy": 1.0}), *PRESETS.values(),
]  # fmt: skip


@pytest.mark.parametrize("speaking", [0.0, 1.0])
def test_lips_that_were_closed_stay_closed_whatever_a_style_does(contacts, speech, speaking: float) -> None:
    before = contacts.opening(speech.weights.astype(float))
    closed = before <= CLOSED
    assert 0.05 < closed.mean() < 0.9
    for delivery in EXTREMES:
        after = contacts.opening(changed(speech, contacts, delivery, speaking).astype(float))
        assert after[closed].max() <= CLOSED + 2e-5, delivery  # metres


def bites(head: HeadMesh, contacts: MouthContacts) -> np.ndarray:
    """Mouths of f and v: upper lip raised, lower lip rolled in, the jaw as open as brings it to the teeth."""
    poses = []
    for raised, rolled, spread in ((0.45, 0.6, 0.0), (0.3, 0.4, 0.1), (0.6, 0.5, 0.2)):
        pose = weights_of({"mouthUpperUp": raised, "mouthRollLower": rolled, "mouthSmile": spread}, contacts.names)
        jaw = contacts.names.index("jawOpen")
        pose[jaw] = max(0.0, -contacts.below_teeth(pose[None])[0] / contacts.lowering[jaw])
        poses.append(pose)
    return np.array(poses)


def test_a_lip_at_the_teeth_stays_there_whatever_a_style_does(head, contacts) -> None:
    poses = bites(head, contacts)
    before = contacts.below_teeth(poses)
    assert (np.abs(before) <= AT_TEETH).all() and (contacts.opening(poses) > 3 * CLOSED).all()
    curves = FaceCurves(poses, contacts.names, 30.0)
    upper = contacts.names.index("mouthUpperUpLeft")
    for delivery in EXTREMES:
        after = changed(curves, contacts, delivery)
        assert np.abs(contacts.below_teeth(after.astype(float)) - before).max() <= 5e-4, delivery  # metres
        assert np.allclose(after[:, upper], poses[:, upper], atol=1e-6)  # the teeth are seen as before


def test_what_touches_nothing_is_scaled_exactly(contacts, speech) -> None:
    """Away from contacts a gain is a gain, so that one that was planted can be found again."""
    before = speech.weights.astype(float)
    free = (contacts.closed(before) == 0) & (contacts.at_teeth(before) == 0)
    assert free.mean() > 0.2
    jaw = contacts.names.index("jawOpen")
    after = changed(speech, contacts, Delivery(gains={"jaw": 1.3}))
    assert np.allclose(after[free, jaw], np.clip(1.3 * before[free, jaw], 0, 1), atol=1e-6)


def test_a_delivery_that_changes_nothing_changes_nothing(contacts, speech) -> None:
    assert np.allclose(changed(speech, contacts, Delivery()), speech.weights, atol=1e-7)
    assert Delivery(gains={"jaw": 1.0}, offsets={"corners": 0.0}, moods={"joy": 0}) == Delivery()
    assert not DeliveryTrack((Delivery(),)).changes_curves and not DeliveryTrack((Delivery(),)).turns


def test_numbers_make_the_same_delivery_again() -> None:
    delivery = Delivery(2.5, {"jaw": 1.2, "head": 0.5}, {"corners": -0.2}, {"joy": 0.4, "fear": 0.1}, 0.3)
    assert delivery_of(delivery.values, 2.5) == delivery
    assert not Delivery(gains={"head": 0.5}).changes_curves


def test_deliveries_are_eased_from_one_to_the_next() -> None:
    track = DeliveryTrack(check_order((Delivery(), Delivery(2.0, moods={"joy": 1.0}), Delivery(4.0, gains={"jaw": 2}))))
    values = track.values(0, 180, 30.0)
    joy = values[:, len(GAIN_GROUPS) + len(OFFSET_GROUPS) + MOODS.index("joy")]
    jaw = values[:, GAIN_GROUPS.index("jaw")]
    assert joy[: round(30 * (2 - EASE_SECONDS / 2))].max() == 0 and joy[60] == pytest.approx(0.5)
    assert joy[round(30 * (2 + EASE_SECONDS / 2)) + 1 : 100].min() == 1 and joy[-1] == pytest.approx(0)
    assert jaw[0] == 1 and jaw[-1] == pytest.approx(2)
    rising = (joy[40:80] > 0) & (joy[40:80] < 1)
    assert 0.3 <= rising.sum() / 30 + 1 / 30 <= 0.6  # seconds
    assert np.array_equal(values[50:70], track.values(50, 20, 30.0))  # a stream sees the same


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gains": {"chin": 1.2}}, "no gain of 'chin'; there are overall, jaw"),
        ({"gains": {"jaw": 5}}, "gains: jaw goes from 0 to 4, not 5"),
        ({"gains": {"jaw": float("nan")}}, "gains: jaw goes from 0 to 4"),
        ({"gains": {"jaw": True}}, "gains: jaw goes from 0 to 4"),
        ({"gains": 3}, "gains are pairs of a name and a number"),
        ({"offsets": {"head": 0.1}}, "no offset of 'head'"),
        ({"offsets": {"jaw": -2}}, "from -1 to 1, not -2"),
        ({"moods": {"bliss": 1}}, "no mood of 'bliss'"),
        ({"moods": {"joy": 1.5}}, "from 0 to 1, not 1.5"),
        ({"head_motion": -1}, "head_motion goes from 0 to 1"),
        ({"start": -1}, "start of a delivery, in seconds, goes from 0"),
        ({"start": 10**400}, "start of a delivery"),
    ],
)
def test_what_no_delivery_can_have_is_refused_in_one_sentence(fields: dict, words: str) -> None:
    with pytest.raises(StyleError, match=words) as refused:
        Delivery(**fields)
    assert len(str(refused.value)) < 300 and str(refused.value).endswith(".")


def test_deliveries_follow_each_other() -> None:
    for wrong in ((), (Delivery(1.0),), (Delivery(), Delivery()), (Delivery(), Delivery(3.0), Delivery(2.0))):
        with pytest.raises(StyleError, match="the first from 0 s on"):
            check_order(wrong)

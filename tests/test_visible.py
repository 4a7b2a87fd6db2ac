"""Poses that a viewer sees, on the shipped head: teeth, rounding, near teeth, tongue; closures and silence unharmed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memorytalker.articulation.coarticulation import Contact, TimedPhones, contact_window, with_contacts
from memorytalker.articulation.speaker import ArticulationStyle
from memorytalker.articulation.visemes import load_visemes
from memorytalker.articulation.visible import (
    ROUNDED,
    SPREAD,
    TONGUE,
    Pose,
    speaking_mouth,
    with_poses,
    with_unseen_contacts,
)
from memorytalker.corpus.build import mouth_geometry, synthesise
from memorytalker.face.head import load_head
from memorytalker.scorecard.mouth import eye_distance
from memorytalker.scorecard.visible import VisibleMouth, visible_mouth_of_curves
from memorytalker.training.open_recipe import read_recipe

FPS = 30.0
HEAD = load_head()
NAMES = HEAD.blendshape_names
GEOMETRY = mouth_geometry(HEAD, NAMES)
STYLES = {
    "neutral": ArticulationStyle(),
    "wide": ArticulationStyle(jaw=1.8, rounding=0.6, spreading=0.7, lifting=0.6, lowering=1.6),
    "small": ArticulationStyle(jaw=0.5, rounding=1.7, spreading=1.6, lifting=1.4, lowering=0.6, lean=0.1),
}
#: The rules as they were fitted, and a regressor that has the whole share where there is one.
RULES = replace(read_recipe().corpus, regressed_share=1.0, regressed_gains=(1.0, 1.0), rule_gains=(1.0, 1.0))
#: Seconds of every phone of `word`.
LONG = 0.13


def word(*phones: str) -> list[tuple[float, float, str]]:
    """The phones one after the other between half a second of silence."""
    times = [(0.5 + LONG * n, 0.5 + LONG * (n + 1), phone) for n, phone in enumerate(phones)]
    return [(0.0, 0.5, "sil"), *times, (0.5 + LONG * len(phones), 1.0 + LONG * len(phones), "sil")]


def spoken(
    *phones: str, style: ArticulationStyle = STYLES["neutral"], hanging: bool = False
) -> tuple[np.ndarray, VisibleMouth]:
    """Curves (T, 52) of synthesised motion, by rules alone, and what is seen of them.

    With `hanging` a regressor lets the jaw hang half open throughout, and the rules have no share.
    """
    table, times = load_visemes(), word(*phones)
    row = {"file": "a.wav", "speaker": "s", "split": "train", "source": "x", "sound": "a.wav", "text": ""}
    loud = np.zeros(round(times[-1][1] * FPS))
    regressed = np.zeros((len(loud), len(table.shapes))) if hanging else None
    if regressed is not None:
        regressed[:, table.shapes.index("jawOpen")] = 0.4
    geometry = mouth_geometry(HEAD, table.shapes)
    _, curves, _ = synthesise(row, loud, times, table, geometry, HEAD, style, RULES, regressed)
    return curves.weights, visible_mouth_of_curves(HEAD, curves.weights, FPS)


def during(number: int) -> slice:
    """The frames that overlap phone `number` of a word."""
    start = 0.5 + LONG * number
    return slice(int(start * FPS), int(np.ceil((start + LONG) * FPS)))


def middle(number: int) -> int:
    """The frame in the middle of phone `number` of a word."""
    return int((0.5 + LONG * (number + 0.5)) * FPS)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("phone", ["f", "v"])
@pytest.mark.parametrize("vowel", ["aa", "iy", "uw"])
def test_the_teeth_are_seen_on_f_with_the_lip_at_them(phone: str, vowel: str, style: ArticulationStyle) -> None:
    _, mouth = spoken(vowel, phone, vowel, style=style)
    assert mouth.bites[middle(1)]
    assert mouth.teeth[middle(1)] > 0.002 and not mouth.bites[middle(0)]


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("beside", ["f", "w", "uw", "iy", "s", "sh", "th", "l", "aa"])
def test_lips_still_close_beside_every_pose(beside: str, style: ArticulationStyle) -> None:
    curves, mouth = spoken(beside, "b", beside, style=style, hanging=True)
    assert mouth.gap[during(1)].min() < 1e-4 and mouth.gap[: int(0.4 * FPS)].max() < 1e-4
    assert curves[during(1), NAMES.index("tongueOut")].min() < 1e-6 and not mouth.bites[middle(1)]


@pytest.mark.parametrize("phone", ["f", "w", "uw", "iy", "s", "th", "l"])
def test_silence_beside_every_pose_is_a_face_at_rest(phone: str) -> None:
    curves, mouth = spoken(phone)
    assert curves[: int(0.3 * FPS)].max() < 1e-6 and mouth.gap[: int(0.45 * FPS)].max() < 1e-4
    assert curves[int((0.5 + LONG + 0.2) * FPS) :].max() < 1e-6


def test_rounded_lips_are_narrow_and_forward_and_spread_ones_neither() -> None:
    seen = {vowel: spoken("t", vowel, "t")[1] for vowel in ("uw", "iy")}
    width, forward = ([getattr(seen[v], what)[middle(1)] for v in seen] for what in ("width", "forward"))
    contrast = (width[0] - width[1]) / eye_distance(HEAD)
    assert -0.045 < contrast < -0.02, "as of people in video"
    assert forward[0] - forward[1] > 0.004
    _, glide = spoken("aa", "w", "aa")
    assert glide.width[middle(1)] < width[0], "w is narrower than uw"


def test_teeth_are_near_on_iy_and_s_and_the_lips_part() -> None:
    """Spread vowels and hisses open the lips and not the jaw: less than an open vowel, and the teeth are seen."""
    open_vowel = spoken("t", "aa", "t")
    for phone, most, jaw in (("iy", 0.75, 0.18), ("s", 0.6, 0.08), ("z", 0.6, 0.08)):
        curves, mouth = spoken("aa", phone, "aa")
        at = middle(1)
        assert mouth.gap[at] < most * open_vowel[1].gap.max() and mouth.gap[at] > 0.003
        assert curves[at, NAMES.index("jawOpen")] < jaw and mouth.teeth[at] > 0.0015


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_the_tongue_is_between_the_teeth_on_th_and_behind_them_elsewhere(style: ArticulationStyle) -> None:
    for phone in ("th", "dh"):
        _, mouth = spoken("aa", phone, "aa", style=style)
        assert mouth.shows_tongue[middle(1)]
        assert not mouth.shows_tongue[during(2)][2:].any() and not mouth.shows_tongue[: int(0.5 * FPS)].any()
    curves, mouth = spoken("aa", "l", "aa", style=style)
    assert curves[middle(1), NAMES.index("tongueOut")] > 0.2 and not mouth.shows_tongue.any()


def test_the_style_scales_rounding_and_no_contact() -> None:
    pucker, tongue = NAMES.index("mouthPucker"), NAMES.index("tongueOut")
    plain, strong = (
        with_poses(np.zeros((60, 52)), NAMES, TimedPhones.of(word("uw", "aa", "th")), FPS, (*ROUNDED, *TONGUE), style)
        for style in (None, ArticulationStyle(rounding=1.5))
    )
    assert strong[middle(0), pucker] == pytest.approx(1.5 * plain[middle(0), pucker])
    assert strong[middle(2), tongue] == plain[middle(2), tongue] > 0.3
    jaws = [with_poses(np.full((60, 52), 0.3), NAMES, TimedPhones.of(word("th")), FPS, TONGUE, style)[middle(0)]
            for style in (None, ArticulationStyle(jaw=2.0))]  # fmt: skip
    assert jaws[0][NAMES.index("jawOpen")] == jaws[1][NAMES.index("jawOpen")] == pytest.approx(0.12)
    curves = [spoken("uw", style=style)[0][middle(0), pucker] for style in (STYLES["neutral"], STYLES["small"])]
    assert curves[1] == pytest.approx(1.7 * curves[0], rel=0.01)


def test_poses_give_way_to_closed_lips_and_so_does_a_tongue() -> None:
    phones = TimedPhones.of([(0.0, 0.3, "l"), (0.3, 0.34, "b"), (0.34, 0.64, "w")])
    posed = with_poses(np.zeros((19, 52)), NAMES, phones, FPS, (*ROUNDED, *TONGUE))
    assert posed[4].max() > 0.2 and posed[9].max() == 0 and posed[14].max() > 0.5
    shown = np.zeros((19, 52))
    shown[:, NAMES.index("tongueOut")] = 0.5
    assert with_contacts(shown, phones, GEOMETRY, FPS)[[4, 9], NAMES.index("tongueOut")].tolist() == [0.5, 0.0]


def test_poses_that_meet_share_a_shape_and_a_weak_one_goes_part_of_the_way() -> None:
    timing = Contact(("s",), shift=0.0, share=1.0, shortest=0.1, ramp=0.05)
    one, other = Pose(timing, {"jawOpen": 0.2}), Pose(timing, {"jawOpen": 0.6, "mouthSmile": 1.0})
    phones, still = TimedPhones.of([(0.0, 1.0, "s")]), np.full((30, 52), 0.1)
    jaw, left = NAMES.index("jawOpen"), NAMES.index("mouthSmileLeft")
    both = with_poses(still, NAMES, phones, FPS, (one, other))
    assert both[15, jaw] == pytest.approx(0.4) and both[15, left] == pytest.approx(1.0)
    assert with_poses(still, NAMES, phones, FPS, (replace(one, strength=0.5),))[15, jaw] == pytest.approx(0.15)
    raised = with_poses(still, NAMES, phones, FPS, (Pose(timing, least={"jawOpen": 0.05, "tongueOut": 0.3}),))
    assert raised[15, jaw] == pytest.approx(0.1) and raised[15, NAMES.index("tongueOut")] == pytest.approx(0.3)


def test_poses_ease_in_and_out() -> None:
    """No frame of a word of all poses moves a curve by more than a hard contact does."""
    curves = spoken("w", "iy", "s", "uw", "l", "iy", "z", "ow", "th", "iy", "sh", "uw")[0]
    assert np.abs(np.diff(curves[:, NAMES.index("mouthPucker")])).max() < 0.4
    window = contact_window(TimedPhones.of(word("uw")), ROUNDED[0].timing, 60, FPS)
    assert window.max() == 1.0 and ((window > 0.05) & (window < 0.95)).sum() >= 4


def test_shapes_that_a_head_lacks_are_left_out() -> None:
    shapes = load_visemes().shapes
    curves = speaking_mouth(
        np.full((50, len(shapes)), 0.2), TimedPhones.of(word("th", "uw")), mouth_geometry(HEAD, shapes), FPS
    )
    assert curves.shape == (50, len(shapes)) and curves.min() >= 0 and curves.max() <= 1


def test_curves_of_every_style_are_weights() -> None:
    for style in STYLES.values():
        curves = spoken("f", "iy", "w", "uw", "v", "s", "th", "l", style=style)[0]
        assert curves.min() >= 0 and curves.max() <= 1


def test_captured_curves_gain_teeth_tongue_and_forward_lips_and_nothing_else() -> None:
    """A tracked mouth that hangs half open: changed on f, uw and th, and to the bit as it was on all other phones."""
    tracked = np.zeros((90, 52))
    tracked[:, NAMES.index("jawOpen")], tracked[:, NAMES.index("mouthPucker")] = 0.3, 0.1
    said = word("aa", "f", "aa", "b", "uw", "s", "aa", "th", "aa")
    seen = with_unseen_contacts(tracked, TimedPhones.of(said), GEOMETRY, FPS)
    mouth = visible_mouth_of_curves(HEAD, seen, FPS)
    assert mouth.bites[middle(1)] and mouth.shows_tongue[middle(7)]
    moved = np.abs(seen - tracked).max(axis=1) > 0
    assert moved[during(1)].any() and not moved[: middle(0)].any() and not moved[middle(2) + 1 : middle(3)].any()
    assert not moved[middle(5) : middle(6)].any()
    before = visible_mouth_of_curves(HEAD, tracked, FPS)
    assert mouth.forward[middle(4)] - before.forward[middle(4)] > 0.002
    assert np.abs(mouth.width - before.width)[middle(3) : middle(5)].max() < 1e-6, "forward, but as wide as it was seen"
    assert seen[middle(7), NAMES.index("jawOpen")] == 0.3, "a mouth open enough stays as it was tracked"
    shut = with_unseen_contacts(np.zeros((90, 52)), TimedPhones.of(said), GEOMETRY, FPS)
    assert visible_mouth_of_curves(HEAD, shut, FPS).shows_tongue[middle(7)], "a shut one opens for the tongue"


def test_every_pose_names_shapes_of_the_head() -> None:
    for pose in (*ROUNDED, *SPREAD, *TONGUE):
        for name in (*pose.shapes, *pose.least):
            assert name in NAMES or f"{name}Left" in NAMES

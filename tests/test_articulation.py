"""Phones to curves: shares sum to one, contacts hold, silence is closed, styles do what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memorytalker.articulation.coarticulation import TimedPhones, activations, articulate, frame_phones, with_contacts
from memorytalker.articulation.speaker import ORDINARY, SPREAD, ArticulationStyle, Voice, style_from_voice
from memorytalker.articulation.visemes import VisemeTable, load_visemes
from memorytalker.config import ConfigError
from memorytalker.corpus.build import mouth_geometry
from memorytalker.face.head import load_head
from memorytalker.phones import ENGLISH

FPS = 30.0
#: "a bamafa" between half-second silences: every contact between open vowels.
WORD = [
    (0.0, 0.5, "sil"), (0.5, 0.7, "aa"), (0.7, 0.78, "b"), (0.78, 1.0, "aa"), (1.0, 1.07, "m"), (1.07, 1.3, "aa"),
    (1.3, 1.4, "f"), (1.4, 1.6, "aa"), (1.6, 1.66, "p"), (1.66, 1.9, "aa"), (1.9, 2.5, "sil"),
]  # fmt: skip


@pytest.fixture(scope="module")
def table() -> VisemeTable:
    return load_visemes()


@pytest.fixture(scope="module")
def geometry(table: VisemeTable):
    return mouth_geometry(load_head(), table.shapes)


@pytest.fixture(scope="module")
def gap(table: VisemeTable, geometry) -> np.ndarray:
    curves = articulate(TimedPhones.of(WORD), table, geometry, 75, FPS)
    return np.maximum(curves @ geometry.gap, 0)


def frames(start: float, end: float) -> slice:
    return slice(int(start * FPS), int(np.ceil(end * FPS)))


def test_shares_sum_to_one_and_a_lone_phone_has_all(table: VisemeTable) -> None:
    shares = activations(TimedPhones.of(WORD), table, 75, FPS)
    np.testing.assert_allclose(shares.sum(-1), 1.0, atol=1e-9)
    alone = activations(TimedPhones.of([(0.0, 1.0, "iy")]), table, 30, FPS)
    np.testing.assert_allclose(alone[..., ENGLISH.index("iy")], 1.0, atol=1e-6)


@pytest.mark.parametrize("start, end", [(0.7, 0.78), (1.0, 1.07), (1.6, 1.66)])
def test_lips_meet_on_bilabials_between_open_vowels(gap: np.ndarray, start: float, end: float) -> None:
    vowel = np.median(gap[frames(0.82, 0.98)])
    assert vowel > 0.003, "an open vowel opens some millimetres even between two contacts"
    assert gap[frames(start, end)].min() < 0.02 * vowel


def test_lower_lip_meets_the_teeth_on_labiodentals(table: VisemeTable, geometry) -> None:
    curves = articulate(TimedPhones.of(WORD), table, geometry, 75, FPS)
    lip_to_teeth = curves @ geometry.lip_to_teeth + geometry.lip_to_teeth_rest
    assert lip_to_teeth[frames(1.3, 1.4)].min() < 0.002
    assert lip_to_teeth[frames(1.2, 1.28)].max() > 0.005


def test_silence_is_shut_and_speech_is_not(gap: np.ndarray) -> None:
    assert gap[: int(0.45 * FPS)].max() < 1e-4
    assert gap[int(2.05 * FPS) :].max() < 1e-4
    assert gap[frames(0.55, 0.65)].max() > 0.005


def test_contacts_hold_whatever_the_curves_want(table: VisemeTable, geometry) -> None:
    """A jaw that hangs half open throughout: still closed in silence, lips closed on b m p, lip to teeth on f."""
    hanging = np.zeros((75, len(table.shapes)))
    hanging[:, table.shapes.index("jawOpen")] = 0.5
    curves = with_contacts(hanging, TimedPhones.of(WORD), geometry, FPS)
    gap, lip_to_teeth = curves @ geometry.gap, curves @ geometry.lip_to_teeth + geometry.lip_to_teeth_rest
    assert gap[frames(0.85, 0.95)].min() > 0.01
    assert np.abs(gap[: int(0.4 * FPS)]).max() < 1e-4 and np.abs(gap[int(2.1 * FPS) :]).max() < 1e-4
    for start, end in ((0.7, 0.78), (1.0, 1.07), (1.6, 1.66)):
        assert gap[frames(start, end)].min() < 1e-4
    assert lip_to_teeth[frames(1.3, 1.4)].min() < 1e-4 < 0.01 < lip_to_teeth[frames(1.45, 1.55)].max()


def test_contacts_survive_a_large_jaw_and_let_go_at_once(table: VisemeTable, geometry) -> None:
    """Lips closed and lip at the teeth in a style whose jaw drops twice as far, wide open a tenth of a second on."""
    wide = ArticulationStyle(jaw=2.0, lowering=1.5, lifting=1.3)
    curves = articulate(TimedPhones.of(WORD), table, geometry, 75, FPS, np.full(75, 0.5), wide)
    gap, lip_to_teeth = curves @ geometry.gap, curves @ geometry.lip_to_teeth + geometry.lip_to_teeth_rest
    for start, end in ((0.7, 0.78), (1.0, 1.07), (1.6, 1.66)):
        middle = (start + end) / 2
        assert gap[frames(start, end)].min() < 1e-4
        assert gap[frames(middle + 0.08, middle + 0.14)].max() > 0.008
    assert lip_to_teeth[frames(1.3, 1.4)].min() < 1e-3


def test_a_short_phone_is_reduced(table: VisemeTable) -> None:
    """With the power of duration above zero a short vowel keeps less than a share of what a table without it gives."""
    spoken = TimedPhones.of([(0.0, 0.5, "s"), (0.5, 0.55, "aa"), (0.55, 1.0, "s")])
    steady, power = np.zeros_like(table.reduction), np.zeros_like(table.reduction)
    power[ENGLISH.index("aa")] = 1.0
    shares = [activations(spoken, replace(table, reduction=value), 30, FPS)[..., ENGLISH.index("aa")].max(axis=1)
              for value in (steady, power)]  # fmt: skip
    assert (shares[1] < shares[0] - 0.05).all()


def test_a_shift_moves_the_phone(table: VisemeTable) -> None:
    spoken = TimedPhones.of([(0.0, 0.5, "s"), (0.5, 0.6, "aa"), (0.6, 1.0, "s")])
    middles = []
    for shift in (0.0, -0.04):
        moved = replace(table, shift=np.full_like(table.shift, shift))
        share = activations(spoken, moved, 1000, 1000.0)[0, :, ENGLISH.index("aa")]
        middles.append((share * np.arange(1000)).sum() / share.sum())
    assert middles[1] - middles[0] == pytest.approx(-40.0, abs=2.0)


def test_rounding_shows_before_the_word_while_the_lips_are_shut(table: VisemeTable, geometry) -> None:
    spoken = TimedPhones.of([(0.0, 1.0, "sil"), (1.0, 1.2, "w"), (1.2, 1.6, "aa")])
    curves = articulate(spoken, table, geometry, 48, FPS)
    pucker, gap = curves[:, table.shapes.index("mouthPucker")], curves @ geometry.gap
    assert pucker[28] > 0.1 and gap[28] < 3e-4, "60 ms before the word"
    assert pucker[: int(0.85 * FPS)].max() < 1e-6


def test_far_from_every_phone_shares_are_still_shares(table: VisemeTable) -> None:
    spoken = TimedPhones.of([(0.0, 0.1, "aa"), (0.1, 0.2, "iy")])
    shares = activations(spoken, table, 3000, FPS)[:, -1]
    np.testing.assert_allclose(shares[:, [ENGLISH.index("aa"), ENGLISH.index("iy")]].sum(-1), 1.0)


def test_curves_are_weights(table: VisemeTable, geometry) -> None:
    effort = np.linspace(-1.5, 1.5, 75)
    curves = articulate(TimedPhones.of(WORD), table, geometry, 75, FPS, effort, ArticulationStyle(jaw=3.0, lean=0.15))
    assert curves.min() >= 0 and curves.max() <= 1


def test_frame_phones_says_what_is_spoken() -> None:
    labels = frame_phones(TimedPhones.of(WORD), 90, FPS)
    assert ENGLISH.phones[labels[int(0.6 * FPS)]] == "aa" and ENGLISH.phones[labels[int(0.74 * FPS)]] == "b"
    assert (labels[75:] == 0).all(), "after the last phone there is silence"


def test_jaw_gain_opens_the_mouth_and_neutral_style_changes_nothing(table: VisemeTable, geometry) -> None:
    def opening(style: ArticulationStyle | None) -> np.ndarray:
        return articulate(TimedPhones.of(WORD), table, geometry, 75, FPS, None, style) @ geometry.gap

    np.testing.assert_allclose(opening(ArticulationStyle()), opening(None), atol=1e-12)
    vowel = frames(0.85, 0.95)
    assert opening(ArticulationStyle(jaw=1.4))[vowel].mean() > 1.2 * opening(None)[vowel].mean()


@pytest.mark.parametrize(
    "field, shape",
    [
        ("jaw", "jawOpen"),
        ("rounding", "mouthPucker"),
        ("spreading", "mouthSmileLeft"),
        ("lifting", "mouthUpperUpRight"),
        ("lowering", "mouthLowerDownLeft"),
    ],
)
def test_each_gain_moves_its_own_shapes(field: str, shape: str) -> None:
    shapes = ("jawOpen", "mouthPucker", "mouthSmileLeft", "mouthUpperUpRight", "mouthLowerDownLeft")
    curves = ArticulationStyle(**{field: 2.0}).apply(np.full((3, 5), 0.2), shapes, FPS)
    np.testing.assert_allclose(curves[0], [0.4 if name == shape else 0.2 for name in shapes])


def test_slurring_softens_and_keeps_the_mean() -> None:
    step = np.repeat([[0.0], [1.0]], 30, axis=0)
    soft = ArticulationStyle(slurring=0.03).apply(step, ("jawOpen",), FPS)
    assert np.abs(np.diff(soft[:, 0])).max() < 0.8 and soft.mean() == pytest.approx(0.5)


def test_lean_favours_the_named_side(table: VisemeTable, geometry) -> None:
    curves = articulate(TimedPhones.of([(0, 1, "s")]), table, geometry, 30, FPS, None, ArticulationStyle(lean=0.15))
    left, right = (curves[:, table.shapes.index(f"mouthUpperUp{side}")].mean() for side in ("Left", "Right"))
    assert left > right


def test_style_follows_the_voice_and_belongs_to_the_seed() -> None:
    quiet, loud = Voice(14.0, 12.0, 120.0), Voice(30.0, 12.0, 120.0)
    assert style_from_voice(loud, 7).jaw > style_from_voice(quiet, 7).jaw
    assert style_from_voice(loud, 7) == style_from_voice(loud, 7) != style_from_voice(loud, 8)
    assert style_from_voice(Voice(22.0, 9.0, 120.0, 1.0), 7).jaw > style_from_voice(Voice(22.0, 9.0, 120.0, 0.5), 7).jaw
    assert style_from_voice(Voice(22.0, 7.0, 120.0), 7).jaw > style_from_voice(Voice(22.0, 12.0, 120.0), 7).jaw


def test_most_of_a_style_follows_from_the_voice() -> None:
    """Over many ordinary voices, the part that follows from the voice explains most of how far jaws drop."""
    random = np.random.default_rng(0)
    voices = [
        Voice(*(random.normal(getattr(ORDINARY, k), getattr(SPREAD, k)) for k in ("loudness_range", "rate")),
              180.0 * 2 ** random.normal(0, SPREAD.pitch), random.normal(ORDINARY.vowel_space, SPREAD.vowel_space),
              random.normal(ORDINARY.brightness, SPREAD.brightness))
        for _ in range(300)
    ]  # fmt: skip
    spoken = np.log([style_from_voice(voice, seed).jaw for seed, voice in enumerate(voices)])
    from_voice = np.log([style_from_voice(voice, 0).jaw for voice in voices])
    assert 0.7 < np.corrcoef(spoken, from_voice)[0, 1] < 0.99
    assert 2.0 < np.exp(np.ptp(np.percentile(spoken, [4, 96]))) < 4.0, "people differ about threefold"


def test_table_round_trip_and_missing_phone(table: VisemeTable) -> None:
    values = table.to_json()
    again = VisemeTable.from_json(values)
    np.testing.assert_allclose(again.target, table.target, atol=1e-4)
    del values["phones"]["zh"]
    with pytest.raises(ConfigError, match="zh"):
        VisemeTable.from_json(values)

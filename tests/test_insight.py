"""Planted addresses, openings and weights come back, in numbers and in sentences."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.face.head import Landmarks, load_head
from memorytalker.page import insight
from memorytalker.phones import CHARACTERS, ENGLISH

TIMES = "{:.2f}\N{NO-BREAK SPACE}×"


def planted(**factors: float) -> np.ndarray:
    weights = np.full(40, 1.0)
    for phone, value in factors.items():
        weights[ENGLISH.index(phone)] = value
    return weights


def test_readings_are_the_stretches_of_one_strongest_slot() -> None:
    top = [0, 0, 0, 5, 5, 2, 2, 2, 2, 0]
    address = np.full((10, 6), 0.02)
    address[np.arange(10), top] = 0.9
    address[3, 5] = 0.7
    found = insight.readings(address, fps=10)
    assert [one.slot for one in found] == [0, 5, 2, 0]
    assert [one.start for one in found] == [0.0, 0.3, 0.5, 0.9] and found[-1].end == 1.0
    assert all(a.end == b.start for a, b in zip(found, found[1:], strict=False))
    assert found[1].share == pytest.approx(0.8)
    text = insight.reading_text(found, ["sil", "b", "c", "d", "e", "f"], 1.0)
    assert (
        "3 of 6 slots are the strongest at some moment, in 4 stretches" in text
        and "silence for 0.40 s, /c/ for 0.40 s, /f/ for 0.20 s" in text
    )


def test_the_mouth_opens_by_the_millimetres_that_were_planted() -> None:
    head = load_head()
    marks = head.landmarks
    faces = np.repeat(head.template[None], 3, axis=0)
    lower, upper = marks["inner_lip_lower"], marks["inner_lip_upper"]
    faces[1, lower, 1] = faces[1, upper, 1] - 0.004
    faces[2, lower, 1] = faces[2, upper, 1] + 0.004  # lips pressed through each other are closed, not less than closed
    opening, width = insight.mouth_opening(faces, head), insight.mouth_width(faces, head)
    assert opening[1] == pytest.approx(4.0, abs=0.01) and opening[2] == 0
    faces[0, marks["mouth_left"], 0] += 0.003
    assert insight.mouth_width(faces, head)[0] - width[0] == pytest.approx(3.0, abs=0.05)


def test_a_head_that_does_not_name_its_lips_has_no_curve() -> None:
    class Bare:
        landmarks = Landmarks()

    faces = np.zeros((2, 4, 3))
    assert insight.mouth_opening(faces, Bare()) is None and insight.mouth_width(faces, Bare()) is None


def test_the_envelope_holds_every_peak_of_the_sound() -> None:
    samples = np.zeros(1000, np.float32)
    samples[[3, 500, 999]] = 0.9, -0.8, 0.7
    found = insight.envelope(samples, 100)
    assert found.shape == (100, 2)
    assert (found[0, 1], found[50, 0], found[99, 1]) == pytest.approx((0.9, -0.8, 0.7))
    assert np.count_nonzero(found) == 3 and insight.envelope(samples[:4], 100).shape == (4, 2)


def test_the_neutral_style_has_no_emphasis() -> None:
    assert insight.style_emphasis(np.ones(40, np.float32), np.full(40, 0.97)) is None
    assert insight.style_emphasis(np.full(40, 0.97), np.full(40, 0.97)) is not None  # average is not neutral


def test_emphasis_is_measured_against_the_average_speaker() -> None:
    average = np.linspace(0.5, 2.0, 40)
    emphasis = insight.style_emphasis(average * planted(ow=1.3, uw=1.3, m=0.5), average)
    assert emphasis.order[0] == ENGLISH.index("ow") and emphasis.order[-1] == ENGLISH.index("m")
    assert emphasis.relative[ENGLISH.index("s")] == pytest.approx(1.0)
    assert emphasis.overall == pytest.approx((1.3 * 1.3 * 0.5) ** (1 / 40))
    assert "some slots more and some less than the average training speaker" in insight.strength_text(emphasis)
    emphasised, suppressed = insight.extremes(emphasis, ENGLISH.phones)
    assert f"rounds /ow uw/ {TIMES.format(1.3)}" in emphasised
    assert f"closes the lips for /m/ {TIMES.format(0.5)}" in suppressed


def test_without_an_average_the_reference_is_the_neutral_style() -> None:
    emphasis = insight.style_emphasis(planted(aa=2.0), None)
    assert not emphasis.average_known and "neutral style" in insight.strength_text(emphasis)


def test_five_and_five_and_all_phones_once() -> None:
    emphasis = insight.style_emphasis(np.linspace(0.9, 1.1, 40) * 1.01, np.ones(40))
    for lines, slots in zip(insight.extremes(emphasis, ENGLISH.phones), (range(39, 34, -1), range(5)), strict=True):
        named = " ".join(line[line.index("/") + 1 : line.rindex("/")] if "/" in line else "sil" for line in lines)
        assert sorted(named.split()) == sorted(ENGLISH.phones[slot] for slot in slots)


def test_a_uniform_style_is_described_as_one_of_size() -> None:
    emphasis = insight.style_emphasis(0.85 * np.linspace(0.99, 1.01, 40), np.ones(40))
    text = insight.strength_text(emphasis)
    assert "every slot less" in text and "0.85 × overall" in text and "how much the face moves" in text
    assert "how much the face moves" not in insight.strength_text(insight.style_emphasis(planted(aa=1.5), np.ones(40)))
    assert insight.factor(0.8567, emphasis) == "0.857\N{NO-BREAK SPACE}×" and insight.factor(1.3) == TIMES.format(1.3)


@pytest.mark.parametrize("weights", [planted(aa=-0.1), planted(aa=np.nan), np.full(39, 2.0)])
def test_weights_that_have_no_logarithm_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match="positive"):
        insight.style_emphasis(weights, np.ones(40))


def test_characters_are_named_without_groups() -> None:
    emphasis = insight.style_emphasis(np.linspace(0.8, 1.2, 32), np.ones(32))
    emphasised, _ = insight.extremes(emphasis, CHARACTERS)
    assert emphasised == [f"/{' '.join(CHARACTERS[:-6:-1])}/ 1.17\N{NO-BREAK SPACE}×"]


def test_silence_is_a_word_and_phones_stand_between_slashes() -> None:
    names = {("ow", "uw"): "/ow uw/", ("sil",): "silence", ("ay", "sil", "aa"): "silence and /ay aa/"}
    for phones, written in names.items():
        assert insight.slot_names(ENGLISH.phones, ENGLISH.indices(phones)) == written


def test_the_difference_of_two_voices_is_of_the_second_against_the_first() -> None:
    first, second = planted(), 1.2 * planted(ow=1.1, m=0.9)
    text = insight.difference_text(first, second, ENGLISH.phones)
    assert "1.20 × as strongly as the first: its face moves more" in text
    assert "stresses silence and /ow " in text
    assert "(up to +10.0 %)" in text and "/m " in text and "(down to -10.0 %)" in text
    back = insight.difference_text(second, first, ENGLISH.phones)
    assert "0.83 ×" in back and "moves less" in back and "stresses silence and /m " in back
    assert "alike" in insight.difference_text(first, first, ENGLISH.phones)
    assert "no slot differs by half a percent" in insight.difference_text(first, 1.3 * first, ENGLISH.phones)

"""What words do to the sliders of the page: what they name moves, the rest stays, and words read again replace."""

from __future__ import annotations

import pytest

from memorytalker.page.describe import described, laid_over
from memorytalker.page.sliders import SliderValues, slider_values
from memorytalker.styles.delivery import Delivery, StyleError
from memorytalker.styles.style import Style

LEARNED = Delivery(gains={"jaw": 0.9, "spread": 2.2}, offsets={"jaw": 0.3}, moods={"joy": 1.0}, head_motion=0.25)
SLIDERS = SliderValues((LEARNED,), voice_arousal=True).to_json()


def read(words: str, sliders: str = SLIDERS, last=None) -> tuple[SliderValues, str, object]:
    after, told, kept = described(words, sliders, last)
    return slider_values(after), told, kept


def test_sliders_that_words_do_not_name_stay() -> None:
    values, _, _ = read("blinks a lot")
    (found,) = values.deliveries
    assert dict(found.gains)["blinks"] > 1.2 and values.voice_arousal
    assert {**dict(found.gains), "blinks": 1.0} == {**dict(LEARNED.gains), "blinks": 1.0}
    assert (found.offsets, found.moods, found.head_motion) == (LEARNED.offsets, LEARNED.moods, LEARNED.head_motion)


def test_a_named_mood_replaces_the_mood_and_a_denied_one_ends_it() -> None:
    (sad,) = read("a bit sad")[0].deliveries
    assert set(dict(sad.moods)) == {"sadness"} and sad.gains == LEARNED.gains
    (none,) = read("not happy")[0].deliveries
    assert not none.moods and none.gains == LEARNED.gains


def test_a_moment_is_laid_over_what_holds_then() -> None:
    values, _, _ = read("from 4 s: nods a lot")
    first, second = values.deliveries
    assert first == LEARNED, "before the moment nothing is described"
    assert second.start == 4 and second.head_motion > 0.5 and second.gains == LEARNED.gains
    moments = (LEARNED, Delivery(2.0, gains={"jaw": 2.0}))
    starts = [(each.start, dict(each.gains).get("jaw")) for each in laid_over(moments, Style.describe("blinks a lot"))]
    assert starts == [(0.0, 0.9), (2.0, 2.0)]


def test_words_that_are_read_again_replace_what_they_said() -> None:
    first, _, last = read("hardly opens her mouth")
    assert dict(first.deliveries[0].gains)["jaw"] < 0.6
    again, _, last = read("blinks a lot", first.to_json(), last)
    assert dict(again.deliveries[0].gains)["jaw"] == pytest.approx(0.9), "the words before are no longer there"
    moved = SliderValues((Delivery(gains={"jaw": 0.5, "spread": 3.0}),)).to_json()
    kept, _, _ = read("a bit sad", moved, last)
    assert dict(kept.deliveries[0].gains)["spread"] == 3.0, "what the visitor moved since then stays"


def test_a_head_that_was_held_still_stays_so() -> None:
    still = SliderValues((Delivery(),)).to_json()
    assert read("a bit sad", still)[0].deliveries[0].head_motion == 0
    assert read("holds her head still")[0].deliveries[0].head_motion == 0


def test_what_is_not_understood_moves_nothing() -> None:
    after, told, last = described("quux", SLIDERS, None)
    assert not isinstance(after, str) and "Not understood: quux" in told and last is None
    for words in ("", " \n", None):
        after, told, _ = described(words, SLIDERS, None)
        assert not isinstance(after, str) and "Write how somebody speaks first" in told
    after, told, _ = described("a bit sad", "{", None)
    assert not isinstance(after, str) and "load the page again" in told


def test_more_moments_than_a_style_may_have_are_refused() -> None:
    moments = [Delivery(float(second), gains={"jaw": 1 + second / 100}) for second in range(64)]
    with pytest.raises(StyleError, match="1 to 64 deliveries"):
        laid_over(moments, Style.describe("a bit sad; from 4.5 s: shouting"))

"""Words to a style: sentences with the dimensions that they mean, and what changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memorytalker import Style, StyleError
from memorytalker.face.shape_groups import GAIN_GROUPS, OFFSET_GROUPS
from memorytalker.options import MOODS
from memorytalker.styles.choosing import described_style, understood_words
from memorytalker.styles.lexicon import DIMENSIONS, load_lexicon

SENTENCES = json.loads((Path(__file__).parent / "fixtures" / "described_styles.json").read_text(encoding="utf-8"))


def directions(style: Style) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in style.understood:
        found[each.dimension] = found.get(each.dimension, 0.0) + each.amount
    return found


def test_sentences_move_what_they_mean_in_the_right_direction() -> None:
    """At least 95 in 100 of the developers' own sentences, and no mood that a sentence does not speak of."""
    assert len(SENTENCES) >= 120
    wrong = []
    for text, meant in SENTENCES:
        found = directions(Style.describe(text))
        moods = [mood for mood in MOODS if found.get(mood, 0) > 0.45 and meant.get(mood, 0) <= 0]
        if moods or any(found.get(dimension, 0) * sign <= 0 for dimension, sign in meant.items()):
            wrong.append((text, found))
    assert len(wrong) <= 0.05 * len(SENTENCES), wrong


@pytest.mark.parametrize(
    "text",
    [
        "colourless green ideas sleep furiously", "asdf qwer zxcv", "my hovercraft is full of eels", "",
        "   ", "42", "!!!",
        "the quick brown fox jumps over the lazy dog", "sehr lebhaft und ein bisschen traurig",
        "sie ist sehr happy und spricht laut", "elle parle très vite et sourit beaucoup",
        "habla con la boca cerrada", "parla piano, molto triste", "hij is erg boos", "笑顔で話す",
        "er redet gern und viel, happy",
        "SELECT * FROM styles", "der Mund bleibt fast zu", "elle parle doucement", "purple monkey dishwasher",
    ],
)  # fmt: skip
def test_nonsense_and_other_languages_change_nothing_and_say_so(text: str) -> None:
    style = Style.describe(text)
    assert style.deliveries == Style().deliveries and not style.understood
    assert any("nothing is changed" in remark for remark in style.remarks)
    with pytest.raises(StyleError, match="nothing is changed"):
        described_style(text)


@pytest.mark.parametrize(
    "text",
    [
        "very lively and not lively at all", "very lively and completely lifeless",
        "opens the mouth wide, hardly opens the mouth", "happy and sad",
        "smiles a lot and never smiles", "calm and furious", "shouting and whispering", "blinks often, does not blink",
        "keeps the head still and nods a lot", "raised eyebrows, lowered eyebrows", "eyes wide open and half closed",
        "rounds the lips strongly without rounding the lips",
    ],
)  # fmt: skip
def test_contradictions_change_nothing_and_say_so(text: str) -> None:
    style = Style.describe(text)
    assert all(each.values.tolist() == Style().deliveries[0].values.tolist() for each in style.deliveries)
    assert any("contradict each other" in remark for remark in style.remarks)


def test_degree_and_negation() -> None:
    def amount(text: str, dimension: str) -> float:
        return directions(Style.describe(text)).get(dimension, 0.0)

    for less, more in (("a bit sad", "sad"), ("sad", "very sad"), ("slightly lively", "lively")):
        dimension = "overall" if "lively" in more else "sadness"
        assert 0 < amount(less, dimension) < amount(more, dimension) <= 1
    assert amount("hardly smiles", "corners") < 0 < amount("smiles", "corners")
    assert amount("not very lively", "overall") < 0 and amount("not at all lively", "overall") < 0
    assert amount("not at all lively", "overall") < amount("not very lively", "overall")
    assert Style.describe("not sad").moods == {}  # a mood that is denied is not there
    assert Style.describe("very sad").moods["sadness"] > Style.describe("a bit sad").moods["sadness"]


def test_words_become_gains_offsets_moods_and_turns() -> None:
    style = Style.describe("hardly opens her mouth, very lively, a bit sad, smiles, nods a lot")
    assert style.gains["jaw"] < 0.7 and style.gains["overall"] > 1.3 and 0 < style.moods["sadness"] < 0.5
    assert style.offsets["corners"] > 0.1 and style.head_motion > 0.5
    first = style.understood[0]
    assert (first.words, first.dimension) == ("hardly opens her mouth", "jaw") and first.amount < 0


def test_times_inside_a_clip() -> None:
    style = Style.describe("very lively, from 4 s: shouting")
    assert [each.start for each in style.deliveries] == [0.0, 4.0]
    early, late = (dict(each.gains) for each in style.deliveries)
    assert "jaw" not in early and late["jaw"] > 1.3 and early["overall"] > 1.2
    style = Style.describe("calm until 3 seconds, then furious")
    assert [(each.start, dict(each.moods).keys()) for each in style.deliveries] == [(0.0, {"calm"}), (3.0, {"anger"})]
    style = Style.describe("Sad for the first two seconds. Between 5 and 6.5 s surprised.")
    assert [each.start for each in style.deliveries] == [0.0, 2.0, 5.0, 6.5]
    assert [set(dict(each.moods)) for each in style.deliveries] == [{"sadness"}, set(), {"surprise"}, set()]
    style = Style.describe("happy; angry from 1.5 s on")
    assert [set(dict(each.moods)) for each in style.deliveries] == [{"joy"}, {"anger"}]
    assert {each.start for each in style.understood} == {0.0, 1.5}
    vague = Style.describe("lively, at the end angry")
    assert not vague.moods and any("in seconds" in remark for remark in vague.remarks)
    with pytest.raises(StyleError, match="changes at most"):
        Style.describe(" ".join(f"From {k} s: happy." for k in range(1, 90)))


def test_unknown_words_are_told_and_the_rest_is_kept() -> None:
    style = Style.describe("very lively, wearing a zorbling hat")
    assert style.gains["overall"] > 1.2
    assert "zorbling" in style.unknown and any("zorbling" in remark for remark in style.remarks)
    assert any("very lively: overall" in words for words in understood_words(style))


def test_a_description_is_bounded() -> None:
    with pytest.raises(StyleError, match="at most 2000 letters"):
        Style.describe("happy " * 1000)
    with pytest.raises(StyleError, match="at most 2000 letters"):
        Style.describe(None)
    Style.describe("very " * 300 + "happy")
    Style.describe(", ".join(["from 1 s: §0"] * 30))


def test_the_lexicon_names_known_dimensions() -> None:
    lexicon = load_lexicon()
    for pattern in lexicon.patterns:
        assert pattern.moves and set(pattern.moves) <= set(DIMENSIONS), pattern
        assert all(0 < abs(amount) <= 1.3 for amount in pattern.moves.values())
    assert all(value < 0 for value in lexicon.negators.values())
    assert all(0 < value < 2 for value in lexicon.degrees.values())
    assert set(DIMENSIONS) - set(MOODS) - set(GAIN_GROUPS) <= {"corners", "brow_height", "eyelids", "head_motion"}
    assert {mood for pair in lexicon.opposites for mood in pair} <= set(MOODS) and OFFSET_GROUPS

"""A style is a value: saved, loaded, mixed and refused in plain words, whoever wrote its file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from memorytalker import Style, StyleError
from memorytalker.styles.choosing import FORMER_WORDS, OWN_VOICE, PRESET_NAMES, chosen_style, named_style
from memorytalker.styles.delivery import Delivery
from memorytalker.styles.style import FORMAT, PRESETS, VERSION, AdaptationReport, style_of_values

LABELS = ("aa", "sil", "uw")
REPORT = AdaptationReport(20.0, 10.0, 3.0, 2.0, 0.7, 0.9, "gains")
RICH = Style(
    name="me",
    deliveries=(
        Delivery(gains={"jaw": 0.8, "head": 1.5}, offsets={"corners": 0.1}, head_motion=0.4),
        Delivery(2.5, moods={"joy": 0.6}),
    ),
    slot_weights={"aa": 1.25, "sil": 0.5, "uw": 1.0},
    slot_share=0.75,
    source="Learned from recordings of somebody.",
    report=REPORT,
)


def test_a_style_comes_back_from_its_file(tmp_path: Path) -> None:
    path = RICH.save(tmp_path / "me.json")
    assert Style.load(path) == RICH and path.stat().st_size < 2000
    assert Style.load(Style().save(tmp_path / "empty.json")) == Style()
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values["format"] == FORMAT and values["version"] == VERSION
    for preset in PRESETS:
        style = Style.preset(preset)
        assert Style.load(style.save(tmp_path / "preset.json")) == style


def test_slot_weights_go_by_name() -> None:
    assert np.array_equal(RICH.weights_for(("uw", "aa", "sil")), np.float32([1.0, 1.25, 0.5]))
    assert Style().weights_for(LABELS) is None
    assert dataclasses.replace(RICH, slot_share=0).weights_for(LABELS) is None
    with pytest.raises(StyleError, match="3 memory slots that are not the 2"):
        RICH.weights_for(("aa", "uw"))


def test_a_mix_lies_between() -> None:
    other = Style(name="b", deliveries=(Delivery(gains={"jaw": 1.2}, moods={"anger": 1.0}),))
    assert RICH.blended(other, 0.0).deliveries == RICH.deliveries
    assert RICH.blended(other, 1.0).deliveries[0] == other.deliveries[0]
    half = RICH.blended(other, 0.5)
    assert "jaw" not in half.gains  # 0.8 and 1.2 make 1, which changes nothing
    assert half.gains["head"] == pytest.approx(1.25) and half.offsets["corners"] == pytest.approx(0.05)
    assert half.moods["anger"] == pytest.approx(0.5) and half.head_motion == pytest.approx(0.2)
    assert [each.start for each in half.deliveries] == [0.0, 2.5]
    assert dict(half.deliveries[1].moods) == pytest.approx({"joy": 0.3, "anger": 0.5})
    assert dict(half.slot_weights) == pytest.approx(dict(RICH.slot_weights)) and half.slot_share == 0.375
    third = Style(slot_weights={"aa": 2.0, "sil": 2.0, "uw": 2.0})
    mixed = RICH.blended(third, 0.5)  # each counts by its share
    assert dict(mixed.slot_weights)["aa"] == pytest.approx((0.375 * 1.25 + 0.5 * 2.0) / 0.875)
    assert mixed.slot_share == pytest.approx(0.875)
    with pytest.raises(StyleError, match="different memory slots"):
        RICH.blended(Style(slot_weights={"zz": 1.0}))
    for share in (-0.1, 1.1, True, "half"):
        with pytest.raises(StyleError, match="from 0 to 1"):
            RICH.blended(other, share)


def test_changes_of_every_delivery_keep_the_rest() -> None:
    changed = RICH.with_delivery(gains={"jaw": 2.0}, head_motion=0.9)
    assert all(dict(each.gains)["jaw"] == 2.0 and each.head_motion == 0.9 for each in changed.deliveries)
    assert changed.gains["head"] == 1.5 and dict(changed.deliveries[1].moods) == {"joy": 0.6}


GOOD = {"format": FORMAT, "version": VERSION}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "no style; save one"),
        ({"format": "other"}, "no style"),
        (GOOD | {"version": 2}, "another version"),
        (GOOD | {"surprise": 1}, "unknown key surprise"),
        (GOOD | {"deliveries": 3}, "deliveries are objects"),
        (GOOD | {"deliveries": [{"begin": 0}]}, "deliveries are objects"),
        (GOOD | {"deliveries": []}, "1 to 64 deliveries"),
        (GOOD | {"deliveries": [{"start": k} for k in range(200)]}, "1 to 64 deliveries"),
        (GOOD | {"deliveries": [{"gains": {"jaw": 1e9}}]}, "from 0 to 4"),
        (GOOD | {"deliveries": [{"gains": [["jaw", 2, 3]]}]}, "pairs of a name"),
        (GOOD | {"slot_weights": [1, 2]}, "slot_weights names each slot"),
        (GOOD | {"slot_weights": {"aa": -1}}, "a weight from 0 to 100"),
        (GOOD | {"slot_weights": {"aa": "1"}}, "a weight from 0 to 100"),
        (GOOD | {"slot_weights": {str(k): 1 for k in range(1001)}}, "at most 1000 memory slots"),
        (GOOD | {"slot_share": 2}, "slot_share"),
        (GOOD | {"name": 3}, "name of a style is a text"),
        (GOOD | {"name": "x" * 501}, "name of a style is a text"),
        (GOOD | {"report": {"seconds": 1}}, "report needs seconds"),
        (GOOD | {"report": dataclasses.asdict(REPORT) | {"seconds": "1"}}, "report needs seconds"),
    ],
)
def test_what_is_no_style_is_refused_in_one_sentence(values: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(StyleError, match=words):
        style_of_values(values)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(StyleError, match=words) as refused:
        Style.load(path)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_files_that_are_no_json_or_too_large_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StyleError, match="There is no style nowhere.json"):
        Style.load(tmp_path / "nowhere.json")
    for name, data in (("a.json", b"{"), ("b.json", b"\xff\xfe"), ("c.json", b"[" * 5000), ("d.json", b" " * 300_000)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(StyleError, match="is no style"):
            Style.load(tmp_path / name)
    with pytest.raises(StyleError, match="cannot be written"):
        Style().save(tmp_path / "no" / "such.json")
    with pytest.raises(StyleError, match="no preset nobody; there are neutral"):
        Style.preset("nobody")


def test_what_the_command_line_calls_a_style(tmp_path: Path) -> None:
    assert named_style("lively") == Style.preset("lively")
    assert named_style(str(RICH.save(tmp_path / "me.json"))) == RICH
    assert named_style("own") is OWN_VOICE and named_style("neutral") is None


def test_former_words_are_refused_with_the_present_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for word, present in FORMER_WORDS.items():
        for reads in (chosen_style, named_style):
            with pytest.raises(StyleError) as refused:
                reads(word)
            message = str(refused.value)
            assert f"'{word}' is called {present} now" in message and message.endswith(".") and "\n" not in message
            assert all(name in message for name in ("'own'", "'neutral'", *PRESET_NAMES, ".json", "a sound"))
    (tmp_path / "self").write_bytes(b"")
    assert chosen_style("self") == "self", "a sound of that name is still a sound"

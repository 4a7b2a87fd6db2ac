"""Styles on the page without a browser: sliders, words, a style of one's own, and what they make of an animation."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from stub_talker import StubTalker
from test_javascript import node

from memorytalker import Style
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.mouth_contacts import mouth_contacts
from memorytalker.options import MOODS, AnimateOptions
from memorytalker.page.animate import moved_by, own_style
from memorytalker.page.animation_run import FileReady, PlainReady, delivered_style, run_animation
from memorytalker.page.describe import described, understood_html
from memorytalker.page.fit_view import fit_html
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PageError
from memorytalker.page.own_style import loaded_style, saved_file
from memorytalker.page.playback import plain_motion_json, playback_json
from memorytalker.page.request import ANOTHER_VOICE, MY_OWN, NEUTRAL, AnimateRequest
from memorytalker.page.settings import changes_text, settings_line
from memorytalker.page.sliders import HEAD_MOTION, SliderValues, delivery_values, slider_values, sliders_of
from memorytalker.styles.arousal import arousal_curve, with_arousal
from memorytalker.styles.choosing import OWN_VOICE
from memorytalker.styles.delivery import Delivery, DeliveryTrack, StyleError, delivered
from memorytalker.styles.style import AdaptationReport, KeptBackCurves

ROOT = Path(__file__).resolve().parents[1]
CLIP = str(ROOT / "assets" / "speech" / "woman_farming.wav")
OTHER = str(ROOT / "assets" / "speech" / "man_dove.wav")
SAD = (Delivery(gains={"jaw": 0.5}, moods={"sadness": 0.4}), Delivery(4.0, gains={"jaw": 1.8}, head_motion=0.3))


@pytest.fixture
def talker() -> StubTalker:
    return StubTalker()


@pytest.fixture
def runner(talker: StubTalker) -> JobRunner:
    return JobRunner(talker)


def test_the_sliders_say_what_they_were_given() -> None:
    for values in (SliderValues(), SliderValues(SAD, True)):
        assert slider_values(values.to_json()) == values
    assert slider_values("") == slider_values(None) == SliderValues()
    turning = (dataclasses.replace(SAD[0], head_motion=HEAD_MOTION), SAD[1])  # the second turns the head already
    assert slider_values(sliders_of(SAD, turns=True)).deliveries == turning
    assert slider_values(sliders_of(SAD[:1], turns=True)).deliveries[0].head_motion == HEAD_MOTION
    for still in ({"turns": False}, {"turns": True, "keep_still": True}):
        assert slider_values(sliders_of(SAD[:1], **still)).deliveries == SAD[:1]


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"deliveries": 3}', '{"deliveries": [{"gain": 1}]}', '{"deliveries": [{}], "arousal": 2}', 7]
)
def test_what_no_slider_writes_is_refused(text: object) -> None:
    with pytest.raises(PageError, match="load the page again"):
        slider_values(text)


def test_values_out_of_range_and_too_many_moments_are_refused() -> None:
    many = [{"start": float(k)} for k in range(1000)]
    for deliveries in ([{"gains": {"jaw": 40}}], [{"moods": {"envy": 1}}], [{"start": 3}], [], many):
        with pytest.raises(StyleError):
            slider_values(json.dumps({"deliveries": deliveries}))


def test_sliders_as_the_page_begins_change_no_curve() -> None:
    assert moved_by(SliderValues(), True, False) == (None, HEAD_MOTION)
    assert moved_by(SliderValues(), False, False) == (None, None)  # without expression the head is still
    assert moved_by(SliderValues(SAD), True, False) == (SAD, None)
    still, motion = moved_by(SliderValues(SAD), False, False)
    assert motion is None and [each.head_motion for each in still] == [0, 0] and still[0] == SAD[0]
    given, _ = moved_by(SliderValues((Delivery(),)), True, True)
    assert given == (Delivery(),)  # a style's own deliveries give way to what the sliders show


def test_words_set_the_sliders_and_say_which() -> None:
    sliders, told, _ = described(
        "hardly opens her mouth, a bit sad, quux; from 4 s: shouting", SliderValues().to_json(), None
    )
    first, second = slider_values(sliders).deliveries
    assert dict(first.gains)["jaw"] < 0.6 and dict(first.moods)["sadness"] > 0 and second.start == 4
    assert dict(second.gains)["jaw"] > 1.3
    for words in ("hardly opens her mouth", "Jaw much less", "Sadness", "from 4 s", "Not understood: quux."):
        assert words in told, told
    nodding = slider_values(described("keeps the head still, sad", None, None)[0]).deliveries[0]
    assert nodding.head_motion == 0
    kept = described("very happy", SliderValues(voice_arousal=True).to_json(), None)[0]
    assert slider_values(kept).voice_arousal and slider_values(kept).deliveries[0].head_motion == HEAD_MOTION


@pytest.mark.parametrize("words", ["", "Der Mund bleibt fast geschlossen", "x" * 3000, "<b>ärgerlich</b> <script>"])
def test_words_that_are_not_understood_leave_the_sliders(words: str) -> None:
    sliders, told, _ = described(words, SliderValues(SAD).to_json(), None)
    assert sliders == gr.skip() and len(told) > 40 and "<script>" not in told and "<b>" not in told


def test_every_dimension_of_the_lexicon_has_a_slider() -> None:
    text = (
        "opens the mouth wide, a wide mouth, rounds his lips, shows the upper teeth, smiling, raises the brows, "
        "lively, sleepy eyes, nods a lot, joyful"
    )
    style = Style.describe(text)
    told = understood_html(style)
    assert len({each.dimension for each in style.understood}) > 6
    for each in style.understood:
        assert f"> {each.dimension} " not in told and f", {each.dimension} " not in told, each


def test_sliders_are_laid_over_a_style_from_anywhere(talker: StubTalker) -> None:
    slots, weigh = talker.config.slots, talker.style_of
    own = delivered_style(OWN_VOICE, SAD, slots, weigh)
    assert own.deliveries == SAD and not own.slot_weights  # those of the voice itself
    assert set(dict(delivered_style(None, SAD, slots, weigh).slot_weights).values()) == {1.0}
    voice = dict(delivered_style(OTHER, SAD, slots, weigh).slot_weights)
    assert [voice[slot] for slot in slots] == pytest.approx(talker.style_of(OTHER).tolist())
    lively = Style.preset("lively")
    assert delivered_style(lively, SAD, slots, weigh) == dataclasses.replace(lively, deliveries=SAD)


def calls_of(runner: JobRunner, talker: StubTalker, request: AnimateRequest) -> tuple[list[dict], dict]:
    """What the talker was asked for, and the motion before the sliders."""
    talker.calls.clear()
    steps = [step for step in run_animation(runner, request) if isinstance(step, (PlainReady, FileReady))]
    return list(talker.calls), json.loads(steps[0].package)


def test_the_talker_is_asked_for_what_the_sliders_say_and_for_the_motion_before_them(
    runner: JobRunner, talker: StubTalker
) -> None:
    options = AnimateOptions(expression=True, voice_arousal=True)
    request = AnimateRequest(CLIP, "woman", options=options, deliveries=SAD)
    (whole, plain, neutral), package = calls_of(runner, talker, request)
    assert whole["style"].deliveries == SAD and whole["voice_arousal"] and whole["expression"]
    assert plain["style"].tolist() == talker.style_of(CLIP).tolist() and neutral["style"] is None
    assert whole["encoded"] is None and plain["encoded"] is neutral["encoded"] is not None
    for call in (plain, neutral):
        assert not call["voice_arousal"] and call["mood"] is None and call["expression"]
    assert plain["head_motion"] == 1 and package["deliveries"] == [delivery_values(each) for each in SAD]
    assert package["frames"] == 137 and package["heard"] is True
    curve = np.frombuffer(base64.b64decode(package["arousal"]), "<f4")
    assert len(curve) == 137 and curve[:46] == pytest.approx(-0.4) and curve[80:] == pytest.approx(0.9)
    # As the page begins, one animation is both.
    calls, package = calls_of(runner, talker, AnimateRequest(CLIP, "woman", options=AnimateOptions(head_motion=0.5)))
    assert len(calls) == 2 and package["deliveries"][0]["head_motion"] == 0.5 and package["heard"] is False


def test_the_strength_of_a_neutral_style_takes_nothing_from_the_sliders(runner: JobRunner, talker: StubTalker) -> None:
    options = AnimateOptions(style_blend=0.2)
    calls, _ = calls_of(runner, talker, AnimateRequest(CLIP, "woman", style=NEUTRAL, options=options, deliveries=SAD))
    assert calls[0]["style_blend"] == 1 and calls[0]["style"].deliveries == SAD
    request = AnimateRequest(CLIP, "woman", style=ANOTHER_VOICE, style_file=OTHER, options=options, deliveries=SAD)
    calls, _ = calls_of(runner, talker, request)
    assert calls[0]["style_blend"] == 0.2 and calls[0]["style"].slot_weights
    weakened = 1 + 0.2 * (talker.style_of(OTHER) - 1)  # what the first was animated with
    assert calls[1]["style"].tolist() == pytest.approx(weakened.tolist()) and calls[1]["style_blend"] == 1


def learned() -> Style:
    recorded = np.abs(np.sin(np.arange(300) / 5)) * 8
    return Style(
        "My own style",
        SAD[:1],
        {"aa": 1.0},
        report=AdaptationReport(20.0, 10.0, 2.31, 1.42, 0.81, 0.97, "gains"),
        kept_back=KeptBackCurves(30.0, recorded, recorded / 2, recorded * 0.9, (100, 290)),
    )


def test_a_learned_style_shows_its_error_and_both_curves() -> None:
    style = learned()
    told = fit_html(style)
    for words in ("2.31 mm", "1.42 mm", "correlation 0.81", "recorded", "after learning", "10 s kept back"):
        assert words in told
    assert told.count("<polyline") == 2 and told.count('class="join"') == 1  # eight seconds are drawn
    points = told.split('class="after" points="')[1].split('"')[0].split()
    assert len(points) == 240 and all(6 <= float(one.split(",")[1]) <= 102 for one in points)
    loaded = dataclasses.replace(style, kept_back=None)
    assert loaded == style and "<svg" not in fit_html(loaded) and "2.31 mm" in fit_html(loaded)
    assert "<i>" not in fit_html(Style("<i>")) and "nothing was measured" in fit_html(Style())
    gains = Style(deliveries=(Delivery(gains={"jaw": 1.3}),))
    assert "a reset replaces it" in fit_html(gains) and "reset" not in fit_html(Style())


def test_what_was_decided_about_a_film_stands_beside_the_style_in_a_sentence_each() -> None:
    told = fit_html(dataclasses.replace(learned(), remarks=("The face in <b>.mp4 is dark.", "For 1.2 s it is lost.")))
    assert '<p class="small">The face in &lt;b&gt;.mp4 is dark.</p><p class="small">For 1.2 s it is lost.</p>' in told
    many = fit_html(dataclasses.replace(learned(), remarks=tuple(f"Film {k} is dark." for k in range(40))))
    assert many.count("is dark.") == 8 and "Further remarks are left out here." in many


def test_a_style_is_saved_for_its_visitor_and_goes_with_them(runner: JobRunner, tmp_path: Path) -> None:
    visitor = SimpleNamespace(session_hash="one")
    path = Path(saved_file(runner, learned(), visitor))
    assert loaded_style([str(path)]) == learned() and path.name == "my_style.json"
    runner.session_files.leave(visitor)
    assert not path.exists()
    (tmp_path / "curves.json").write_text('{"weightMat": [[0]]}')
    assert loaded_style([str(tmp_path / "curves.json")]) is None and loaded_style(["a.json", "b.json"]) is None
    (tmp_path / "bad.json").write_text(
        '{"format": "memorytalker-style", "version": 1, "deliveries": [{"gains": {"jaw": 99}}]}'
    )
    with pytest.raises(StyleError, match="gains: jaw"):
        loaded_style([str(tmp_path / "bad.json")])


def test_ones_own_style_is_asked_for_in_words_where_there_is_none() -> None:
    with pytest.raises(PageError, match="no style of your own yet"):
        own_style(MY_OWN, None)
    assert own_style(MY_OWN, learned()) == learned() and own_style(NEUTRAL, learned()) is None


def test_settings_and_captions_say_how_it_moves_and_feels() -> None:
    shown = AnimateRequest(CLIP, "woman")
    moved = AnimateRequest(CLIP, "woman", deliveries=SAD, options=AnimateOptions(voice_arousal=True))
    assert "sadness 40 %, jaw × 0.50" in settings_line(moved) and "arousal" in settings_line(moved)
    caption = moved.caption("Woman")
    assert "sadness 40 %, jaw × 0.50; from 4 s jaw × 1.80" in caption and "follow the voice" in caption
    assert "how it moves and feels" in changes_text(moved, shown)
    own = AnimateRequest(CLIP, "woman", given=learned())
    assert "learned from recordings 100 %" in settings_line(own) and "own style" in changes_text(own, shown)
    assert "learned from recordings" in own.caption("Woman")


@pytest.mark.parametrize("heard", [False, True])
def test_the_browser_moves_the_head_as_python_does(tmp_path: Path, heard: bool) -> None:
    """The curves that the sliders make at once are those that the video will have, also where it follows the voice."""
    head = load_head()
    contacts, rng = mouth_contacts(head), np.random.default_rng(3)
    names = tuple(name for name in head.blendshape_names if name != "cheekPuff")
    smooth = np.cumsum(rng.normal(size=(60, len(names))), axis=0)
    smooth = np.clip(0.5 * (smooth - smooth.min(0)) / np.ptp(smooth, axis=0), 0, 1)
    curves = FaceCurves(smooth.astype(np.float32), names, 30.0)
    speaking = np.clip(np.linspace(-0.5, 1.5, 60), 0, 1)
    deliveries = (
        Delivery(
            gains={"jaw": 1.6, "spread": 0.5, "overall": 0.9}, offsets={"corners": 0.2, "blinks": 0.1}, head_motion=0.2
        ),
        Delivery(1.0, gains={"jaw": 0.4, "head": 0.5}, moods={mood: 0.3 for mood in MOODS[:3]}, head_motion=1.0),
    )
    turns = rng.normal(size=(60, 3)) * 0.2
    arousal = arousal_curve(((0, -0.7), (20, 1.0)), 0, 60, 30.0)
    plain = json.loads(plain_motion_json(curves, turns, speaking, [delivery_values(Delivery())], arousal))
    content = json.loads(playback_json("head", curves, turns=turns))
    times = [0.0, 0.5, 0.9, 1.0, 1.1, 1.5, 59 / 30]
    asked = {
        "content": content,
        "plain": plain,
        "deliveries": [delivery_values(one) for one in deliveries],
        "heard": heard,
        "times": times,
    }
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    done = node(str(ROOT / "tests" / "javascript" / "delivered_rows.js"), str(tmp_path / "asked.json"))
    assert done.returncode == 0, done.stderr
    track = DeliveryTrack(deliveries)
    values = track.values(0, 60, 30.0)
    expected = delivered(with_arousal(values, arousal) if heard else values, curves, contacts, speaking)
    wanted = expected.reordered(names).weights
    strength = track.head_strength(0, 60, 30.0)
    for seconds, (weights, turn) in zip(times, json.loads(done.stdout), strict=True):
        frame = round(30 * seconds)
        assert weights == pytest.approx(wanted[frame].tolist(), abs=1e-3), seconds
        assert turn == pytest.approx((strength[frame] * turns[frame]).tolist(), abs=1e-3), seconds

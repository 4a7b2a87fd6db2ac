"""The Memory section without a browser: its values, texts and bars."""

from __future__ import annotations

import base64
import html
import json
import re
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from animation_case import planted_animation

from memorytalker import Waveform, load_head
from memorytalker.page import memory, slot_view
from memorytalker.page.jobs import JobRunner
from memorytalker.page.style_view import Scale, style_html, voices_html
from memorytalker.phones import ENGLISH

AVERAGE = np.full(40, 0.9)


def weights(**factors: float) -> np.ndarray:
    return AVERAGE * [factors.get(phone, 1.02) for phone in ENGLISH.phones]


def bars(page: str, view: str = "by-average") -> list[tuple[str, str, float]]:
    """(phone, kind, width in percent) of each bar, in order."""
    listed = page[page.index(f'class="bars {view}"') :]
    listed = listed[: listed.index("</ol>")]
    found = re.findall(r'class="phone">(\w+)<.*?class="bar (\w+)" style="left:[-\d.]+%;width:([-\d.]+)%', listed)
    return [(phone, kind, float(width)) for phone, kind, width in found]


def test_bars_are_signed_sorted_and_named() -> None:
    page = style_html(weights(ow=1.3, m=0.7), AVERAGE, ENGLISH.phones, "measure")
    found = bars(page)
    assert [found[0][:2], found[-1][:2]] == [("ow", "more"), ("m", "less")] and len(found) == 40
    assert [kind for _, kind, _ in found] == ["more"] + ["close"] * 38 + ["less"]  # 1.02 is close to average
    assert found[0][2] / found[1][2] == pytest.approx(np.log(1.3) / np.log(1.02), rel=0.01)
    assert "rounds /ow" in page and "closes the lips for /m/" in page
    assert 'aria-label="/m/, as in me, lips closed: 0.70 times' in page


def test_what_is_close_to_the_average_is_neither_emphasised_nor_suppressed() -> None:
    page = style_html(weights(ow=1.06, m=0.96), AVERAGE, ENGLISH.phones, "measure")
    most, least = re.search("Most emphasised(.*?)Most suppressed(.*?)</div></div>", page, re.S).groups()
    assert "/ow/" in most and most.count("<li>") == 1 and "close to average" in least and "<li>" not in least


def test_against_the_voice_itself_what_all_slots_share_is_gone() -> None:
    page = style_html(weights(ow=1.3, m=0.7) * 0.5, AVERAGE, ENGLISH.phones, "measure")
    assert {kind for _, kind, _ in bars(page)} == {"less"}
    own = bars(page, "by-own")
    assert own[0][:2] == ("ow", "more") and own[-1][:2] == ("m", "less") and "None: all are close to average" in page


def test_the_neutral_style_has_a_sentence_and_no_bars() -> None:
    page = style_html(np.ones(40), AVERAGE, ENGLISH.phones, "measure")
    assert "neutral style" in page and "data-slot" not in page and "<ol" not in page


def test_scales_keep_their_data_within_their_ends() -> None:
    for values in ([0.5, 0.9], [1.2, 3.0], [1.0, 1.0], [0.99, 1.01]):
        scale = Scale(values)
        places = [scale.place(value) for value in (*values, 1.0)]
        assert min(places) > 1 and max(places) < 99
    assert Scale([0.5, 2.0]).place(1.0) == pytest.approx(50)


def test_two_voices_have_two_marks_each_in_its_place() -> None:
    page = voices_html(weights(), weights(ow=1.3), AVERAGE, ENGLISH.phones)
    row = re.search(r'<li><button[^>]*data-slot="\d+".*?</li>', page).group()
    marks = {who: float(place) for who, place in re.findall(r'mark (\w+)" style="left:([\d.]+)%', row)}
    assert 'phone">ow<' in row and marks["second"] > marks["first"] and "1.020 / 1.300" in row
    assert "Apart from that, it stresses silence and /ow" in page and "neutral" not in page
    assert "The first is the neutral style." in voices_html(np.ones(40), weights(), AVERAGE, ENGLISH.phones)


def test_labels_with_markup_are_text() -> None:
    labels = [*ENGLISH.phones[:-1], "<b>"]
    for page in (style_html(weights(), AVERAGE, labels, "m"), voices_html(weights(), AVERAGE, AVERAGE, labels)):
        assert "<b>" not in page and "&lt;b&gt;" in page


def test_the_heatmap_gets_every_frame_and_slot() -> None:
    head = load_head()
    address = np.random.default_rng(0).dirichlet(np.full(40, 0.1), 45).astype(np.float32)
    vertices = np.repeat(head.template[None], 45, axis=0)
    vertices[30:, head.landmarks["inner_lip_lower"], 1] -= 0.010
    sound = Waveform(np.sin(np.arange(24000) / 9).astype(np.float32), 16000)
    value = memory.memory_value(
        planted_animation(head, vertices, address, np.ones(40, np.float32), ENGLISH.phones, sound)
    )
    sent = np.frombuffer(base64.b64decode(value["address"]), np.uint8).reshape(45, 40)
    np.testing.assert_allclose(sent / 255, address, atol=0.002)
    opening = np.frombuffer(base64.b64decode(value["opening"]), "<f4")
    assert len(opening) == 45 and opening[30] - opening[29] == pytest.approx(9.6, abs=0.5)
    wave = np.frombuffer(base64.b64decode(value["wave"]), np.int8)
    assert wave.max() == 127 and wave.min() == -127 and len(wave) == 2 * memory.WAVE_BINS
    kinds = {type(number) for reading in value["readings"] for number in reading} | {type(value["seconds"])}
    assert kinds == {int, float}, "plain numbers: those of numpy arrive in the browser as text"
    assert value["seconds"] == 1.5 and sorted(slot for _, slots in value["groups"] for slot in slots) == list(range(40))


@pytest.fixture(scope="module")
def runner() -> JobRunner:
    head = load_head()

    def slot_face(slot: int, style_weights: np.ndarray | None = None) -> np.ndarray:
        return head.template + np.float32(0.5 if style_weights is None else 1.0) * head.blendshape("jawOpen")

    talker = SimpleNamespace(
        head=head, config=SimpleNamespace(slots=ENGLISH.phones), mean_style=AVERAGE, slot_face=slot_face, animate=None,
        style_of=None, arousal_of=None, adapt=None,
    )  # fmt: skip
    return JobRunner(talker)


def state(value: float) -> slot_view.MemoryState:
    return slot_view.MemoryState(list(load_head().identities)[-1], (value,) * 40, ("In this sound: nothing.",) * 40)


def test_a_slot_is_measured_at_once_and_rendered_neutral_and_in_style(runner: JobRunner) -> None:
    steps = list(slot_view.slot_steps(runner, state(1.2), ENGLISH.index("aa")))
    assert "The face of /aa/, as in father <small>open</small>" in steps[0] and "<img" not in steps[0]
    captions = [re.findall(r"<figcaption>(.*?)</figcaption>", step) for step in (steps[0], steps[-1])]
    assert captions[0] == captions[1] and [one.split(":")[0] for one in captions[0]] == ["Neutral", "In this style"]
    neutral, styled = (float(re.search(r"lips ([\d.]+) mm", one).group(1)) for one in captions[0])
    assert styled > 1.8 * neutral > 5
    assert steps[-1].count('<img src="data:image/jpeg;base64,') == 2
    assert steps[-1].count('alt="The mouth that slot aa') == 2


def test_the_part_of_a_slot_in_this_sound_is_beside_it(runner: JobRunner) -> None:
    head = load_head()
    address = np.full((30, 40), 0.01, np.float32)
    address[:20, 3], address[20:, 7] = 0.9, 0.9
    vertices = np.repeat(head.template[None], 30, axis=0)
    upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
    vertices[:, lower, 1] = vertices[:, upper, 1] - np.repeat([0.002, 0.006, 0.010], 10)
    sound = Waveform(np.zeros(16000, np.float32), 16000)
    animation = planted_animation(head, vertices, address, np.full(40, 1.2, np.float32), ENGLISH.phones, sound)
    found = slot_view.memory_state(animation, next(iter(head.identities)))
    assert found.in_speech[3] == "In this sound it is the strongest slot for 0.67 s, lips 4.0 mm apart on average."
    assert "for 0.33 s, lips 10.0 mm" in found.in_speech[7] and "never the strongest" in found.in_speech[5]
    assert all(
        "In this sound it is the strongest slot for 0.67 s" in step for step in slot_view.slot_steps(runner, found, 3)
    )


def test_a_slot_comes_with_the_pose_that_the_head_holds(runner: JobRunner) -> None:
    step = list(slot_view.slot_steps(runner, state(1.2), ENGLISH.index("aa")))[0]
    pose = json.loads(html.unescape(re.search("data-pose='(.*?)'", step).group(1)))
    jaw = pose["names"].index("jawOpen")
    assert pose["neutral"][jaw] == pytest.approx(0.5, abs=1e-3) and pose["own"][jaw] == pytest.approx(1.0, abs=1e-3)
    assert sum(pose["neutral"]) == pytest.approx(0.5, abs=0.01) and pose["label"] == "The memory of aa, as in father"


def test_the_heatmap_gets_words_and_the_style_against_the_average() -> None:
    head = load_head()
    sound = Waveform(np.zeros(16000, np.float32), 16000)
    vertices, address = np.repeat(head.template[None], 30, axis=0), np.full((30, 40), 1 / 40, np.float32)
    animation = planted_animation(head, vertices, address, weights(ow=1.3, m=0.7), ENGLISH.phones, sound)
    value = memory.memory_value(animation, AVERAGE)
    style = dict(zip(value["labels"], value["style"], strict=True))
    assert (style["ow"], style["m"], style["t"]) == pytest.approx((1.3, 0.7, 1.02), abs=1e-3)
    words = dict(zip(value["labels"], value["words"], strict=True))
    assert words["ow"] == "goat" and words["sil"] == "" and set(words) == set(ENGLISH.phones)
    neutral = planted_animation(head, vertices, address, np.ones(40, np.float32), ENGLISH.phones, sound)
    assert memory.memory_value(neutral, AVERAGE)["style"] is None


def test_in_the_neutral_style_a_slot_has_one_face(runner: JobRunner) -> None:
    last = list(slot_view.slot_steps(runner, state(1.0), 3))[-1]
    assert last.count("<img") == 1 and "neutral style, so there is one face" in last


@pytest.mark.parametrize("slot", [None, 40, -1, "3", 2.5, [1]])
def test_slots_that_do_not_exist_are_refused(runner: JobRunner, slot) -> None:
    with pytest.raises(gr.Error, match="no such slot"):
        list(slot_view.slot_steps(runner, state(1.2), slot))


def test_before_any_result_a_slot_has_no_face(runner: JobRunner) -> None:
    assert "Choose a slot" in list(slot_view.slot_steps(runner, None, 3))[-1]


def test_a_failure_of_the_renderer_leaves_the_measures(runner: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no context at /secret/place")

    monkeypatch.setattr(slot_view, "mouth_images", broken)
    steps = []
    with pytest.raises(gr.Error) as refused:
        for step in slot_view.slot_steps(runner, state(1.2), 3):
            steps.append(step)
    assert "our side" in str(refused.value) and "secret" not in str(refused.value) + steps[-1]
    assert "could not be drawn" in steps[-1] and "mm apart" in steps[-1]

"""Styles through a talker: off unless asked for, the same in a stream, and kept through files and own heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from memorytalker import Style, StyleError, Talker, TalkerError
from memorytalker.face.mouth_contacts import CLOSED, mouth_contacts
from memorytalker.styles.delivery import Delivery

RATE = 16000
MOVING = Style(
    "planted",
    (
        Delivery(gains={"jaw": 1.5, "brows": 0.5, "blinks": 0.0}, offsets={"corners": 0.2}, head_motion=0.8),
        Delivery(1.2, gains={"jaw": 0.5}, moods={"sadness": 1.0}, head_motion=0.4),
    ),
)


def test_nothing_of_it_is_on_unless_asked_for(tiny_talker: Talker, voice) -> None:
    """Evaluations call `animate` without a style: its motion is the network's, to the last bit, and never turns."""
    sound = (voice(2.6), RATE)
    plain = tiny_talker.animate(sound)
    empty = tiny_talker.animate(sound, Style())
    assert plain.motion.turns is None and plain.motion.driving is None
    assert plain.coordinates.tobytes() == empty.coordinates.tobytes()
    assert np.array_equal(plain.style_weights, tiny_talker.style_of(sound))
    still = tiny_talker.animate(sound, MOVING, style_blend=0.0)
    neutral = tiny_talker.animate(sound, None)
    assert still.coordinates.tobytes() == neutral.coordinates.tobytes() and still.motion.turns is None


def test_a_stream_gives_the_same_frames_in_the_style(tiny_talker: Talker, voice) -> None:
    samples = voice(5.2)
    options = {"expression": True, "seed": 3, "mood": "joy", "mood_strength": 0.7}
    weights = dict.fromkeys(tiny_talker.config.slots, 1.1)
    style = Style("w", MOVING.deliveries, weights)
    whole = tiny_talker.animate((samples, RATE), style, **options)
    pieces = list(tiny_talker.stream(np.array_split(samples, 7), style, **options))
    assert len(pieces) > 1
    assert np.concatenate([piece.vertices for piece in pieces]).tobytes() == whole.vertices.tobytes()
    assert np.array_equal(np.concatenate([piece.motion.turns for piece in pieces]), whole.motion.turns)
    assert whole.provenance.style == "w" and whole.provenance.seed == 3
    other = tiny_talker.animate((samples, RATE), style, **options | {"seed": 4})
    assert not np.allclose(other.motion.turns, whole.motion.turns)


def test_the_weights_of_a_style_are_used_by_its_share(tiny_talker: Talker, voice) -> None:
    sound, slots = (voice(1.5), RATE), tiny_talker.config.slots
    own, given = tiny_talker.style_of(sound), np.linspace(0.5, 1.5, len(slots)).astype(np.float32)
    style = Style(slot_weights=dict(zip(slots, given.tolist(), strict=True)))
    assert np.allclose(tiny_talker.animate(sound, style).style_weights, given)
    half = Style(slot_weights=style.slot_weights, slot_share=0.5)
    assert np.allclose(tiny_talker.animate(sound, half).style_weights, (own + given) / 2, atol=1e-6)
    assert np.allclose(tiny_talker.animate(sound, Style()).style_weights, own)
    assert np.allclose(tiny_talker.style_of(style), given)
    with pytest.raises(StyleError, match="from the voice"):
        tiny_talker.style_of(half)
    with pytest.raises(StyleError, match="memory slots that are not"):
        tiny_talker.animate(sound, Style(slot_weights={"other": 1.0}))


def test_a_mood_moves_the_face_and_keeps_the_lips(tiny_talker: Talker, voice) -> None:
    sound = (voice(2.6), RATE)
    contacts = mouth_contacts(tiny_talker.head)
    before = tiny_talker.animate(sound, None).curves.weights.astype(float)
    shut = contacts.opening(before) <= CLOSED
    for mood in ("joy", "disgust", "surprise"):
        animation = tiny_talker.animate(sound, None, mood=mood)
        after = animation.curves.weights.astype(float)
        upper = [name.startswith(("brow", "eye", "cheek", "nose")) for name in animation.curves.names]
        assert np.abs(after - before)[:, upper].max() > 0.1
        assert contacts.opening(after)[shut].max(initial=0.0) <= CLOSED + 2e-5
    named = tiny_talker.animate(sound, MOVING, mood="anger", mood_strength=1.0)
    assert named.curves.curve("browDownLeft").min() > 0.5  # the option replaces the style's moods in all deliveries


def test_the_gain_of_the_head_turns_it_further_in_degrees(tiny_talker: Talker, voice) -> None:
    sound, reach = (voice(2.6), RATE), []
    for gain in (0.0, 0.5, 1.0, 2.0):
        animation = tiny_talker.animate(sound, Style().with_delivery(gains={"head": gain}), head_motion=0.6)
        turns = animation.motion.turns
        reach.append(0.0 if turns is None else np.degrees(np.abs(turns).max()))
    assert reach[0] == 0 and (np.diff(reach) > 0.1).all()
    strength = [np.abs(tiny_talker.animate(sound, head_motion=share).motion.turns).max() for share in (0.3, 0.6, 1.0)]
    assert np.allclose(np.array(strength) / strength[-1], (0.3, 0.6, 1.0), atol=1e-5)


def test_a_style_in_words_and_its_file_move_alike(tiny_talker: Talker, voice, tmp_path: Path) -> None:
    sound = (voice(1.5), RATE)
    style = Style.describe("opens the mouth wide, raised eyebrows, nods a lot")
    loaded = Style.load(style.save(tmp_path / "words.json"))
    first, second = (tiny_talker.animate(sound, one) for one in (style, loaded))
    assert np.allclose(first.vertices, second.vertices, atol=1e-7)
    assert first.motion.turns is not None and first.curves.curve("browInnerUp").min() > 0.1
    adjusted = first.adjusted(gains={"jawOpen": 0.5})
    assert np.array_equal(adjusted.motion.turns, first.motion.turns)  # corrections leave the head's turns


def test_only_the_shipped_head_turns(tiny_talker: Talker, voice, make_model) -> None:
    from memorytalker.face.mesh_files import head_for

    model = make_model("vocaset")
    vertices = Talker(model, head_for(model.config.coordinates // 3, drawn=False), "cpu")
    with pytest.raises(TalkerError, match="only a voice can give it a style"):
        vertices.animate((voice(1.0), RATE), None, mood="joy")
    with pytest.raises(TalkerError, match="Only the shipped head turns"):
        vertices.animate((voice(1.0), RATE), None, head_motion=1.0)
    with pytest.raises(TalkerError, match="cannot teach them a style"):
        vertices.adapt("nowhere")

"""A style over live motion: gains, offsets and moods frame by frame, with the mouth's contacts, whatever the chunks."""

from __future__ import annotations

import numpy as np
import pytest
from live_case import random_network

from memorytalker import Style, StyleError
from memorytalker.face.head import ARKIT_NAMES, load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.mouth_contacts import CLOSED, mouth_contacts
from memorytalker.live_motion import live_pieces
from memorytalker.phones import ENGLISH
from memorytalker.styles.delivery import Delivery, delivered
from memorytalker.styles.live_delivery import LiveDelivery, live_style

RICH = Style(
    deliveries=(
        Delivery(gains={"jaw": 1.8, "overall": 0.7}, offsets={"corners": 0.2}),
        Delivery(0.5, gains={"jaw": 0.4}, moods={"joy": 0.8, "surprise": 0.5}, head_motion=0.5),
    )
)


def spoken(style: Style, sound: np.ndarray, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """Curves (T, 52) and address (T, n)."""
    head, network = load_head(), random_network()
    weights, delivery = live_style(style, head, network.config.slots)
    chunks = [sound[k : k + chunk] for k in range(0, len(sound), chunk)]
    pieces = list(live_pieces(network, head, chunks, weights, delivery))
    assert [piece.first_frame for piece in pieces] == np.cumsum([0, *(len(p.motion) for p in pieces[:-1])]).tolist()
    return np.concatenate([p.curves.weights for p in pieces]), np.concatenate([p.memory_address for p in pieces])


def test_a_style_gives_the_same_bytes_in_chunks_of_any_size(voice) -> None:
    sound = voice(1.2)
    curves, _ = spoken(RICH, sound, 320)
    assert np.array_equal(curves, spoken(RICH, sound, 7001)[0]) and np.array_equal(
        curves, spoken(RICH, sound, 10**6)[0]
    )
    assert not np.array_equal(curves, spoken(Style(), sound, 320)[0])


def test_a_style_does_what_it_does_to_a_whole_sound(voice) -> None:
    """But for how much somebody speaks, which a live mood can only know from the sound so far."""
    sound = voice(1.0)
    still = Style(deliveries=(Delivery(gains={"jaw": 1.8, "spread": 0.5}, offsets={"rounding": 0.1}),))
    plain, styled = spoken(Style(), sound, 320)[0], spoken(still, sound, 320)[0]
    head = load_head()
    values = still.track.values(0, len(plain), 30.0)
    expected = delivered(values, FaceCurves(plain, ARKIT_NAMES, 30.0), mouth_contacts(head), np.ones(len(plain)))
    np.testing.assert_allclose(styled, expected.reordered(ARKIT_NAMES).weights, atol=1e-6)


def test_a_style_begins_at_its_moment(voice) -> None:
    sound = voice(1.2)
    late = Style(deliveries=(Delivery(), Delivery(0.6, gains={"spread": 0.2})))
    plain, styled = spoken(Style(), sound, 320)[0], spoken(late, sound, 320)[0]
    same = np.isclose(plain, styled, atol=1e-6).all(axis=1)
    assert same[:10].all() and not same[27:].any()


def of_silence(slots: tuple[str, ...], share: float, frames: int) -> np.ndarray:
    address = np.full((frames, len(slots)), (1 - share) / (len(slots) - 1))
    address[:, slots.index(ENGLISH.silence)] = share
    return address


def test_a_mood_leaves_the_mouth_to_speech_and_takes_it_back_in_silence() -> None:
    head, slots, frames = load_head(), ENGLISH.phones, 40
    delivery = live_style(Style(deliveries=(Delivery(moods={"joy": 1.0}),)), head, slots)[1]
    assert isinstance(delivery, LiveDelivery)
    still = FaceCurves(np.zeros((frames, len(ARKIT_NAMES)), np.float32), ARKIT_NAMES, 30.0)
    quiet, after = delivery.apply(0, still, of_silence(slots, 1.0, frames), 0.0)
    loud, speaking = delivery.apply(frames, still, of_silence(slots, 0.0, frames), after)
    again, _ = delivery.apply(2 * frames, still, of_silence(slots, 1.0, frames), speaking)
    smile, brow = (quiet.names.index(name) for name in ("mouthSmileLeft", "browInnerUp"))
    assert after == 0 and speaking > 0.99
    np.testing.assert_allclose(loud.weights[-1, smile], quiet.weights[0, smile] / 3, rtol=0.02)
    np.testing.assert_allclose(again.weights[-1, smile], quiet.weights[0, smile], rtol=0.02)
    assert np.abs(np.diff(loud.weights[:, smile])).max() < 0.1 and np.ptp(loud.weights[:, brow]) < 1e-6


def test_closed_lips_stay_closed() -> None:
    head = load_head()
    contacts = mouth_contacts(head)
    weights, delivery = live_style(Style.preset("shouting"), head, ENGLISH.phones)
    assert (weights == 1).all() and delivery is not None
    pressed = FaceCurves(np.zeros((5, len(ARKIT_NAMES)), np.float32), ARKIT_NAMES, 30.0)
    after, _ = delivery.apply(0, pressed, of_silence(ENGLISH.phones, 0.1, 5), 0.0)
    assert contacts.opening(after.weights.astype(float)).max() <= 2 * CLOSED


def test_what_a_style_leaves_to_the_voice_is_neutral() -> None:
    head, slots = load_head(), ("sil", "aa")
    weights, delivery = live_style(Style(slot_weights={"aa": 2.0, "sil": 1.0}, slot_share=0.25), head, slots)
    np.testing.assert_allclose(weights, [1.0, 1.25])
    assert delivery is None
    with pytest.raises(StyleError, match="memory slots"):
        live_style(Style(slot_weights={"aa": 2.0}), head, slots)


def test_the_talker_takes_a_style(tiny_talker, voice) -> None:
    network = random_network()
    (piece, *_) = tiny_talker.live([voice(0.6)], RICH, weights=network)
    plain = next(tiny_talker.live([voice(0.6)], weights=network))
    assert piece.curves.names == plain.curves.names and not np.array_equal(piece.curves.weights, plain.curves.weights)
    assert (piece.style_weights == 1).all()
    for word, style in (("neutral", None), ("friendly", Style.preset("friendly"))):
        named, given = (next(tiny_talker.live([voice(0.6)], one, weights=network)) for one in (word, style))
        assert np.array_equal(named.curves.weights, given.curves.weights), word
    with pytest.raises(StyleError, match="'own'"):
        tiny_talker.live([], "own", weights=network)

"""A sound that was encoded once is animated again without the encoder, bit for bit as it would be anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_arousal import HEARS

from memorytalker import Animation, Style, Talker, windows
from memorytalker.face.head import load_head
from memorytalker.page.animation_run import AnimationReady, NeutralReady, PlainReady, Result, run_animation
from memorytalker.page.jobs import JobRunner
from memorytalker.page.request import AnimateRequest
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.styles import arousal
from memorytalker.styles.delivery import Delivery

MOVED = (Delivery(gains={"jaw": 0.6}, moods={"sadness": 0.4}), Delivery(1.0, gains={"jaw": 1.8}, head_motion=0.3))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The frames of every window that the speech encoder hears."""
    heard, encode = [], windows.window_logits
    monkeypatch.setattr(windows, "window_logits", lambda *call: heard.append(call[2]) or encode(*call))
    return heard


def assert_same(one: Animation, other: Animation) -> None:
    for name in ("coordinates", "memory_address", "style_weights"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.curves.weights, other.curves.weights)
    assert (one.motion.turns is None) == (other.motion.turns is None)
    if one.motion.turns is not None:
        np.testing.assert_array_equal(one.motion.turns, other.motion.turns)


def weighted(talker: Talker) -> Style:
    weights = np.linspace(0.6, 1.5, len(talker.config.slots)).tolist()
    return Style("somebody", MOVED, dict(zip(talker.config.slots, weights, strict=True)))


@pytest.mark.parametrize(
    ("style", "changes"),
    [
        ("own", {"expression": True, "mood": "joy", "mood_strength": 0.7, "head_motion": 0.5, "seed": 3}),
        ("saved", {"expression": True, "close_in_silence": True}),
        (None, {"close_in_silence": True}),
    ],
)
def test_it_is_bit_for_bit_a_new_animation(
    tiny_talker: Talker, voice: Callable, encoded: list[int], style: str | None, changes: dict[str, Any]
) -> None:
    sound = (voice(4.0), 16000)
    first = tiny_talker.animate(sound, None, expression=True)
    assert len(encoded) == len(first.encoded.logits) == 3
    given = weighted(tiny_talker) if style == "saved" else style
    again = tiny_talker.animate(sound, given, encoded=first.encoded, **changes)
    assert len(encoded) == 3  # the encoder rested
    assert_same(again, tiny_talker.animate(sound, given, **changes))
    assert len(encoded) == 6 and not np.array_equal(again.curves.weights, first.curves.weights)


def test_what_is_known_of_another_sound_or_model_is_left_aside(
    tiny_talker: Talker, voice: Callable, encoded: list[int]
) -> None:
    sound = (voice(1.0), 16000)
    other = tiny_talker.animate((voice(1.0, seed=1), 16000)).encoded
    assert_same(tiny_talker.animate(sound, encoded=other), tiny_talker.animate(sound))
    nameless = Talker(tiny_talker.model, load_head(), "cpu")
    known = nameless.animate(sound).encoded
    assert known.digest == "" and len(encoded) == 4
    nameless.animate(sound, encoded=known)
    assert len(encoded) == 5


def test_how_excited_a_voice_sounds_is_estimated_once(
    tiny_talker: Talker, voice: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    monkeypatch.setattr("memorytalker.pipeline.load_arousal", lambda model: HEARS)
    monkeypatch.setattr(
        arousal, "voice_features", lambda model, samples: heard.append(1) or np.array([1.5 / len(heard) - 0.7])
    )
    sound, chosen = (voice(4.0), 16000), {"mood": "joy", "voice_arousal": True}
    first = tiny_talker.animate(sound, None, **chosen)
    assert [begin for begin, _ in first.encoded.arousal] == [0, 45] and len(heard) == 2
    assert_same(tiny_talker.animate(sound, None, encoded=first.encoded, **chosen), first)
    kept = tiny_talker.animate(sound, None, encoded=first.encoded).encoded  # also where nobody asks for it
    assert kept.arousal == first.encoded.arousal and len(heard) == 2


def test_the_page_encodes_a_voice_once(
    tiny_talker: Talker, voice: Callable, encoded: list[int], tmp_path: Path
) -> None:
    """For the motion, for that before the sliders and for the neutral style; and not again for other sliders."""
    write_wav(tmp_path / "voice.wav", Waveform(voice(1.0)))
    runner = JobRunner(tiny_talker)
    asked = {"sound": str(tmp_path / "voice.wav"), "identity": next(iter(tiny_talker.head.identities))}
    style, known = weighted(tiny_talker), None
    for deliveries in (MOVED, MOVED[:1]):
        steps = run_animation(runner, AnimateRequest(**asked, given=style, deliveries=deliveries, encoded=known))
        kinds: list[type] = []
        while NeutralReady not in kinds:
            step = next(steps)
            if isinstance(step, Result):
                kinds.append(type(step))
            if isinstance(step, AnimationReady):
                known = step.animation.encoded
        steps.close()
        assert PlainReady in kinds and encoded == [30]
    runner.close()

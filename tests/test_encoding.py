"""Sounds that pass the speech encoder together: each is animated as it is alone, in order, a few at a time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memorytalker import Animation, AudioError, ConfigError, HeadError, Style, Talker, encoding, windows
from memorytalker.config import ModelConfig
from memorytalker.encoding import LEAST_SHARE, MOST_WINDOWS, encode_sounds, in_groups, window_count
from memorytalker.face.head import load_head
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.sound.mel import loudness

RATE = 16000
#: Metres, within which a sound among others moves as it does alone.
NEAR = 1e-6


@pytest.fixture
def sounds(voice: Callable) -> list[Waveform]:
    """Of very different lengths for windows of two seconds: one far below a second, one of silence, two of several."""
    fading = np.concatenate([voice(2.4, 5), 0.01 * voice(2.9, 6)])
    waves = [
        voice(0.9),
        voice(0.11, 1),
        np.zeros(RATE, np.float32),
        voice(2.0, 2),
        voice(7.3, 3),
        voice(1.3, 4),
        fading,
    ]
    return [Waveform(wave, name=f"{number}.wav") for number, wave in enumerate(waves)]


def assert_near(many: Animation, one: Animation) -> None:
    np.testing.assert_allclose(many.coordinates, one.coordinates, atol=NEAR, rtol=0)
    np.testing.assert_allclose(many.vertices, one.vertices, atol=NEAR, rtol=0)
    np.testing.assert_allclose(many.memory_address, one.memory_address, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(many.style_weights, one.style_weights)
    np.testing.assert_array_equal(many.waveform.samples, one.waveform.samples)
    assert many.provenance == one.provenance
    assert [len(each) for each in many.encoded.logits] == [len(each) for each in one.encoded.logits]
    assert [begin for begin, _ in many.encoded.arousal] == [begin for begin, _ in one.encoded.arousal]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [4, 6, 1, 5, 3, 0, 2]])
@pytest.mark.parametrize(
    ("style", "changes"),
    [
        ("own", {}),
        (None, {"close_in_silence": True}),
        ("lively", {"expression": True, "seed": 3, "mood": "joy", "head_motion": 0.5, "identity": "identity"}),
    ],
)
def test_a_sound_among_others_moves_as_it_does_alone(
    tiny_talker: Talker, sounds: list[Waveform], order: list[int], style: str | None, changes: dict[str, Any]
) -> None:
    if "identity" in changes:
        changes = changes | {"identity": next(iter(tiny_talker.head.identities))}
    chosen = [sounds[place] for place in order]
    many = list(tiny_talker.animate_many(chosen, style, **changes))
    assert len(many) == len(chosen)
    for sound, found in zip(chosen, many, strict=True):
        assert_near(found, tiny_talker.animate(sound, style, **changes))


@pytest.mark.parametrize("order", [1, -1])
def test_so_it_is_with_the_shipped_weights(shipped_talker: Talker, order: int) -> None:
    speech = [shipped_speech(name) for name in ("man_dove", "woman_blue", "woman_farming")]
    long = np.concatenate([speech[1], speech[0], speech[2][: RATE // 2]])
    assert len(long) > 12 * RATE
    waves = [long, speech[2][RATE : RATE + 6000], np.zeros(3 * RATE, np.float32), 0.1 * speech[0], speech[2]][::order]
    many = shipped_talker.animate_many([(wave, RATE) for wave in waves], mood="joy", voice_arousal=True)
    for wave, found in zip(waves, many, strict=True):
        assert_near(found, shipped_talker.animate((wave, RATE), mood="joy", voice_arousal=True))


def shipped_speech(name: str) -> np.ndarray:
    from memorytalker import load_waveform

    return load_waveform(Path(__file__).resolve().parents[1] / "assets" / "speech" / f"{name}.wav").samples


@pytest.mark.parametrize("family", ["open", "vocaset", "biwi"])
def test_every_encoder_masks_the_padding(make_model: Callable, sounds: list[Waveform], family: str) -> None:
    model = make_model(family, window_seconds=2.0, overlap_seconds=0.48)
    found = encode_sounds(model, [sound.samples for sound in sounds], "")
    for sound, encoded in zip(sounds, found, strict=True):
        level, logits = 0.0, []
        for window in windows.cut_windows([sound.samples], model.config):
            waveform = windows.padded(model, window.samples)
            level = max(level, float(loudness(waveform)))
            logits.append(windows.window_logits(model, waveform, window.frames, level))
        assert len(encoded.logits) == len(logits)
        for together, alone in zip(encoded.logits, logits, strict=True):
            np.testing.assert_allclose(together, alone, atol=2e-5, rtol=0)


def test_weights_without_a_digest_will_do(tiny_talker: Talker, sounds: list[Waveform]) -> None:
    nameless = Talker(tiny_talker.model, load_head(), "cpu")
    for sound, found in zip(sounds[:3], nameless.animate_many(sounds[:3]), strict=True):
        assert found.encoded.digest == ""
        assert_near(found, nameless.animate(sound))


def test_the_encoder_hears_a_few_windows_of_like_length_once(
    tiny_talker: Talker, sounds: list[Waveform], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, encode = [], encoding._logits
    monkeypatch.setattr(
        encoding,
        "_logits",
        lambda model, own: batches.append([len(one.samples) for one in own]) or encode(model, own),
    )
    monkeypatch.setattr(windows, "window_logits", lambda *call: pytest.fail("a window is encoded twice"))
    list(tiny_talker.animate_many(sounds * 2))
    assert sum(map(len, batches)) == 2 * sum(window_count(len(sound.samples), tiny_talker.config) for sound in sounds)
    assert all(len(batch) <= MOST_WINDOWS and min(batch) >= LEAST_SHARE * max(batch) for batch in batches)
    assert max(map(len, batches)) > 1


def test_few_sounds_are_held_and_none_is_taken_too_early(tiny_talker: Talker, voice: Callable) -> None:
    taken: list[int] = []

    def endless() -> Iterator[tuple[np.ndarray, int]]:
        while True:
            taken.append(1)
            yield voice(0.3), RATE

    many = tiny_talker.animate_many(endless())
    assert not taken
    for number in range(20):
        next(many)
        assert number < len(taken) <= number + 1 + MOST_WINDOWS


def test_a_long_sound_keeps_none_of_its_windows(tiny_talker: Talker, voice: Callable, monkeypatch) -> None:
    long, heard, encode = (voice(15.0), RATE), [], windows.window_logits
    alone = tiny_talker.animate(long)
    assert len(alone.encoded.logits) > MOST_WINDOWS
    monkeypatch.setattr(windows, "window_logits", lambda *call: heard.append(1) or encode(*call))
    short, found = tiny_talker.animate_many([(voice(0.5), RATE), long])
    assert len(heard) == len(alone.encoded.logits) and len(short.encoded.logits) == 1
    np.testing.assert_array_equal(found.coordinates, alone.coordinates)


def test_a_broken_sound_costs_none_before_it(tiny_talker: Talker, voice: Callable, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "d.wav"):
        write_wav(tmp_path / name, Waveform(voice(0.4)))
    (tmp_path / "c.wav").write_bytes(b"RIFF broken")
    many = tiny_talker.animate_many(tmp_path / f"{name}.wav" for name in "abcd")
    assert [next(many).provenance.source for _ in range(2)] == ["a.wav", "b.wav"]
    with pytest.raises(AudioError, match="^c.wav"):
        next(many)


@pytest.mark.parametrize(
    ("style", "changes", "error"),
    [
        ("own", {"identity": "nobody"}, HeadError),
        ("own", {"style_blend": 9.0}, ConfigError),
        ("own", {"loud": True}, TypeError),
        (Path("nowhere.wav"), {}, AudioError),
    ],
)
def test_what_no_sound_could_use_is_refused_before_any_is_taken(
    tiny_talker: Talker, style: Any, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        tiny_talker.animate_many((pytest.fail("taken") for _ in range(1)), style, **changes)


def test_a_style_from_another_sound_is_encoded_once(tiny_talker: Talker, voice: Callable, monkeypatch) -> None:
    heard, encode = [], tiny_talker.model.style_of
    monkeypatch.setattr(tiny_talker.model, "style_of", lambda *call: heard.append(1) or encode(*call))
    given, alike = list(tiny_talker.animate_many([(voice(0.5), RATE)] * 2, (voice(2.0, 1), RATE)))
    assert len(heard) == 1
    np.testing.assert_array_equal(given.style_weights, alike.style_weights)
    assert list(tiny_talker.animate_many([], Style.preset("lively"))) == []


CONFIGS = [
    ModelConfig(window_seconds=2.0, overlap_seconds=0.5),
    ModelConfig(window_seconds=12.0, overlap_seconds=2.0),
    ModelConfig(window_seconds=1.0, overlap_seconds=0.48, fps=25, period=25),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_windows_are_counted_as_they_are_cut(config: ModelConfig) -> None:
    edges = [round(frame * RATE / config.fps) + off for frame in range(1, 200, 3) for off in (-267, -1, 0, 1, 266)]
    for length in (*range(1, 60000, 4999), *edges):
        assert window_count(length, config) == len(list(windows.cut_windows([np.zeros(max(length, 1))], config)))


def test_groups_keep_the_order_and_their_bound() -> None:
    config = CONFIGS[0]
    sizes = np.random.default_rng(0).choice([1000, 30000, 60000, 100000, 700000], 200).tolist()
    groups = list(in_groups(sizes, lambda size: size, config))
    assert [size for group in groups for size in group] == sizes and list(in_groups([], len, config)) == []
    counts = [[window_count(size, config) for size in group] for group in groups]
    assert all(sum(group) <= MOST_WINDOWS or len(group) == 1 for group in counts)
    for group, after in zip(counts, counts[1:], strict=False):
        assert sum(group) + after[0] > MOST_WINDOWS


def test_no_long_sound_is_held_while_the_next_is_read() -> None:
    held: list[weakref.ref] = []

    def read() -> Iterator[np.ndarray]:
        for _ in range(3):
            assert not any(one() is not None for one in held)
            samples = np.zeros(700000, np.float32)
            held.append(weakref.ref(samples))
            yield samples
            del samples

    for group in in_groups(read(), len, CONFIGS[0]):
        assert len(group) == 1
        group.clear()
    assert len(held) == 3

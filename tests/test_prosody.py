"""Prosody per frame: planted tones, pauses and noise."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.sound.prosody import CLICK_FRAMES, Prosody, ProsodyTracker

RATE, FPS = 16000, 30


def tone(seconds: float, hertz: float = 150.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    edges = np.clip(np.minimum(time, time[-1] - time) / 0.005, 0, 1)  # no step where it begins or ends
    return (edges * sum(0.1 / k * np.sin(2 * np.pi * k * hertz * time) for k in range(1, 10))).astype(np.float32)


def tracked(samples: np.ndarray) -> Prosody:
    return ProsodyTracker(FPS).track(samples, 0, round(len(samples) * FPS / RATE))


def spoken() -> np.ndarray:
    """Two seconds of voice, one of a room, one of voice."""
    room = 1e-4 * np.random.default_rng(0).standard_normal(RATE)
    return np.concatenate([tone(2.0), room, tone(1.0)]).astype(np.float32)


def test_a_pause_is_quiet_and_speech_is_not() -> None:
    expected = np.zeros(120, bool)
    expected[60:90] = True
    assert np.array_equal(tracked(spoken()).quiet, expected)
    assert np.array_equal(tracked(0.05 * spoken()).quiet, expected)  # the distance from the microphone does not matter


def test_a_click_in_a_pause_is_no_word_but_a_short_word_is() -> None:
    for frames, quiet in ((CLICK_FRAMES, True), (CLICK_FRAMES + 3, False)):
        samples = spoken()
        word = 0.05 * tone(frames / FPS)
        samples[75 * RATE // FPS :][: len(word)] += word
        assert tracked(samples).quiet[75 : 75 + frames].all() == quiet


def test_a_pause_that_noise_fills_is_not_called_silent() -> None:
    """The mouth is left to the network where silence cannot be separated from speech."""
    samples = spoken()
    noise = np.random.default_rng(1).standard_normal(len(samples)).astype(np.float32)
    for level in (0.0016, 0.01):  # 15 dB below the voice, when both are emphasised, and as loud
        assert not tracked(samples + np.float32(level) * noise).quiet.any()
    assert not tracked(np.float32(0.01) * noise).quiet.any()
    assert tracked(np.zeros(RATE, np.float32)).quiet.all()


def test_pitch_is_in_semitones_above_the_voice_and_absent_in_noise() -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(RATE // 2).astype(np.float32)
    prosody = tracked(np.concatenate([tone(2.0, 120.0), tone(0.5, 120.0 * 2 ** (4 / 12)), noise]))
    np.testing.assert_allclose(prosody.pitch[2:58], 0.0, atol=0.2)
    np.testing.assert_allclose(prosody.pitch[62:73], 4.0, atol=0.2)
    assert np.isnan(prosody.pitch[77:]).mean() > 0.8


def test_a_frame_is_tracked_once() -> None:
    """What comes later and louder does not change earlier frames, and overlapping windows give what one would."""
    samples, tracker = spoken(), ProsodyTracker(FPS)
    first = tracker.track(samples[: 2 * RATE], 0, 60)
    later = tracker.track(4 * samples[RATE : 4 * RATE], 30, 90)
    for field in ("loudness", "pitch", "quiet"):
        assert np.array_equal(getattr(later, field)[:60], getattr(first, field), equal_nan=True)
        assert len(getattr(later, field)) == 120
    assert later.quiet[60:90].all() and not later.quiet[90:].any()
    with pytest.raises(ValueError, match="do not follow"):
        tracker.track(samples[:RATE], 150, 30)

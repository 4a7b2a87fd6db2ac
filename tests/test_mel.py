"""The spectrograms agree with the definitions they are named after, and the level with what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from memorytalker.models.style import voice_statistics
from memorytalker.sound.mel import (
    LEVEL_FLOOR,
    loudness,
    mel_brightness,
    mel_filters,
    normalise_level,
    speech_log_mel,
    style_log_mel,
)


def tone(hertz: float, seconds: float = 1.0, amplitude: float = 0.5) -> torch.Tensor:
    time = torch.arange(round(16000 * seconds)) / 16000
    return (amplitude * torch.sin(2 * math.pi * hertz * time))[None]


def test_speech_log_mel_is_that_of_whisper(voice) -> None:
    from transformers import WhisperFeatureExtractor

    sound = voice(3.2)
    extractor = WhisperFeatureExtractor(feature_size=80)
    expected = extractor(sound, sampling_rate=16000, padding=False, return_tensors="np").input_features[0]
    ours = speech_log_mel(torch.from_numpy(sound)[None])[0].numpy()
    assert ours.shape == expected.shape == (80, 320)
    np.testing.assert_allclose(ours, expected, atol=2e-4)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_mel_filters_are_those_of_the_library(scale: str) -> None:
    from transformers.audio_utils import mel_filter_bank

    norm = "slaney" if scale == "slaney" else None
    expected = mel_filter_bank(201, 80, 0.0, 8000.0, 16000, norm=norm, mel_scale=scale).T
    np.testing.assert_allclose(mel_filters(80, 400, scale).numpy(), expected, atol=1e-5)


def test_a_tone_lights_the_mel_of_its_frequency() -> None:
    for hertz in (300.0, 1000.0, 3000.0):
        loudest = int(style_log_mel(tone(hertz))[0, :, 50].argmax())
        peaks = mel_filters(80, 400, "htk").argmax(dim=1) * 40.0  # Hz of each filter's peak
        assert abs(float(peaks[loudest]) - hertz) < 60


def test_style_log_mel_is_in_decibels() -> None:
    sound = tone(440.0, amplitude=0.1)
    quiet, loud = style_log_mel(sound)[0, :, 10], style_log_mel(10 * sound)[0, :, 10]
    above_floor = quiet > -40  # what lies far below the tone is rounding
    assert above_floor.sum() > 3
    assert torch.allclose((loud - quiet)[above_floor], torch.tensor(20.0), atol=0.01)
    assert style_log_mel(torch.zeros(1, 4000)).eq(-100.0).all()


def test_frame_counts() -> None:
    assert style_log_mel(torch.zeros(2, 16000)).shape == (2, 80, 101)
    assert speech_log_mel(torch.zeros(2, 16000)).shape == (2, 80, 100)
    assert style_log_mel(torch.zeros(1, 10)).shape[2] == 2  # shorter than one window: still a frame


def test_each_item_of_a_batch_has_its_own_floor() -> None:
    loud, quiet = tone(500.0), tone(700.0, amplitude=1e-3)
    together = speech_log_mel(torch.cat([loud, quiet]))
    assert torch.allclose(together[1:], speech_log_mel(quiet), atol=1e-6)
    assert torch.allclose(together[:1], speech_log_mel(loud), atol=1e-6)


def test_loudness_is_that_of_the_loud_frames() -> None:
    sound = torch.cat([torch.zeros(1, 16000), tone(200.0, 1.0, amplitude=0.4)], dim=1)
    assert float(loudness(sound)) == pytest.approx(0.4 / math.sqrt(2), rel=0.01)


def test_level_is_the_target_whatever_the_microphone() -> None:
    sound = tone(200.0, 2.0, amplitude=0.3)
    for gain in (1.0, 0.2, 0.05):
        assert float(loudness(normalise_level(gain * sound, 0.1))) == pytest.approx(0.1, rel=1e-4)
    assert torch.allclose(normalise_level(sound, 0.1, torch.tensor([0.2])), sound * 0.5)


def test_silence_is_not_amplified_to_speech() -> None:
    hiss = 1e-5 * torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    assert float(normalise_level(hiss, 0.1).abs().max()) < 1e-2
    assert normalise_level(torch.zeros(1, 16000), 0.1).eq(0).all()
    assert LEVEL_FLOOR == pytest.approx(0.00316, rel=0.01)


def test_target_zero_is_unit_variance() -> None:
    sound = normalise_level(0.3 + 0.01 * tone(300.0), 0.0)
    assert float(sound.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(sound.std()) == pytest.approx(1.0, rel=0.01)
    assert torch.isfinite(normalise_level(torch.zeros(1, 400), 0.0)).all()


def test_brightness_is_that_of_loud_speech() -> None:
    """Planted tones below and above 1 kHz, one 6 dB under the other; what is soft, or over, has no say in it."""
    low, high = tone(400.0, amplitude=1.0)[0], tone(2500.0)[0]
    waveform = torch.cat([low + high, 0.1 * low.repeat(15), 30 * high])[None]  # soft and dark, then padding: bright
    mel = style_log_mel(waveform)[..., :-1]
    valid = torch.arange(mel.shape[2])[None] < 1598
    brightness = mel_brightness(mel, valid)
    torch.testing.assert_close(brightness, torch.tensor([[-6.0]]), atol=0.3, rtol=0)
    torch.testing.assert_close(mel_brightness(mel - 30.0, valid), brightness, atol=1e-3, rtol=0)
    torch.testing.assert_close(voice_statistics(mel, torch.tensor([1598]))[:, -1:], brightness)
    darker = style_log_mel((low + 0.1 * high)[None])
    far = mel_brightness(darker, torch.ones(1, darker.shape[2], dtype=torch.bool))
    torch.testing.assert_close(far, torch.tensor([[-26.0]]), atol=0.5, rtol=0)

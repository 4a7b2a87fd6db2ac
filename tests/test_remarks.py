"""Remarks on sound without speech are true of the motion, and the same everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from animation_case import planted_animation

from memorytalker import Animation, Talker, Waveform, load_waveform
from memorytalker.face.head import Landmarks
from memorytalker.page.insight import mouth_opening
from memorytalker.remarks import remarks_on, speech_remark

ROOT = Path(__file__).resolve().parents[1]
RATE = 16000
SILENT = "The sound is silent, so the mouth stays closed."
SILENT_BUT = "The sound is silent, yet the mouth opens by {:.1f} mm; have it closed in silence."
NO_SPEECH = "No speech was found in this sound, so the mouth stays closed."


def animation(tiny_talker: Talker, samples: np.ndarray, opened: float, resting: float) -> Animation:
    """A second of motion: the lips `opened` metres apart in one frame, the address on silence in a share of frames."""
    head = tiny_talker.head
    vertices = np.repeat(head.template[None], 100, axis=0)
    gap = head.template[head.landmarks["inner_lip_upper"], 1] - head.template[head.landmarks["inner_lip_lower"], 1]
    vertices[50, head.landmarks["inner_lip_lower"], 1] += gap - opened
    labels = tiny_talker.config.slots
    address = np.zeros((100, len(labels)), np.float32)
    silence = labels.index("sil")
    address[:, silence] = np.arange(100) < 100 * resting
    address[:, silence - 1] = 1 - address[:, silence]
    waveform = Waveform(np.asarray(samples, np.float32))
    return planted_animation(head, vertices, address, np.ones(len(labels), np.float32), labels, waveform)


@pytest.mark.parametrize(
    ("level", "opened", "resting", "remark"),
    [
        (0.0, 0.0, 1.0, SILENT),
        (0.0, 0.0027, 0.7, SILENT_BUT.format(2.7)),
        (0.1, 0.0, 1.0, NO_SPEECH),
        (0.1, 0.0005, 0.95, NO_SPEECH),
        (0.1, 0.003, 0.95, None),  # a word in a long silence
        (0.1, 0.0, 0.3, None),  # somebody hums with the lips closed
        (0.0005, 0.009, 0.0, None),  # a faint voice is a voice
    ],
)
def test_a_remark_is_measured(
    tiny_talker: Talker, level: float, opened: float, resting: float, remark: str | None
) -> None:
    samples = level * np.sin(np.arange(RATE))
    assert speech_remark(animation(tiny_talker, samples, opened, resting)) == remark


def test_a_head_without_lips_is_promised_nothing(tiny_talker: Talker) -> None:
    for level, remark in ((0.0, "The sound is silent."), (0.1, None)):
        made = animation(tiny_talker, np.full(RATE, level), 0.0, 1.0)
        bare = replace(made, motion=replace(made.motion, head=replace(made.head, landmarks=Landmarks())))
        assert speech_remark(bare) == remark


def test_what_was_decided_while_reading_comes_first(tiny_talker: Talker) -> None:
    made = animation(tiny_talker, np.zeros(RATE), 0.0, 1.0)
    made = replace(made, waveform=replace(made.waveform, remarks=("The first.",)))
    other = Waveform(np.zeros(RATE, np.float32), remarks=("The right one is used.",))
    assert remarks_on(made, other) == ("The first.", "Of the second sound: The right one is used.", SILENT)
    assert remarks_on(made) == remarks_on(made, None) == ("The first.", SILENT)


@pytest.fixture(scope="module")
def talker(shipped_talker: Talker) -> Talker:
    return shipped_talker


def sound(kind: str) -> np.ndarray:
    rng, time = np.random.default_rng(0), np.arange(3 * RATE) / RATE
    return {
        "silence": np.zeros(3 * RATE),
        "white noise": 0.05 * rng.normal(size=3 * RATE).clip(-4, 4),
        "faint noise": 1e-4 * rng.normal(size=3 * RATE),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * time),
    }[kind].astype(np.float32)


@pytest.mark.parametrize("kind", ["silence", "white noise", "faint noise", "hum"])
def test_the_shipped_network_finds_no_speech_where_there_is_none(talker: Talker, kind: str) -> None:
    assert speech_remark(talker.animate((sound(kind), RATE))) == (SILENT if kind == "silence" else NO_SPEECH)


@pytest.mark.parametrize("peak", [0.5, 0.0009])
@pytest.mark.parametrize("clip", ["woman_farming", "man_dove"])
def test_the_shipped_network_finds_a_voice_however_faint(talker: Talker, clip: str, peak: float) -> None:
    samples = load_waveform(ROOT / "assets" / "speech" / f"{clip}.wav").samples
    faint = np.round(samples / np.abs(samples).max() * peak * 32768).astype(np.int16)
    assert speech_remark(talker.animate((faint, RATE))) is None


@pytest.mark.parametrize("seconds", [3, 12, 30])
def test_a_remark_on_silence_says_what_the_mouth_does(talker: Talker, seconds: int) -> None:
    silence = (np.zeros(seconds * RATE, np.float32), RATE)
    made = talker.animate(silence)
    opening = mouth_opening(made.vertices, made.head).max()  # in millimetres; these weights open it after 10 s
    remark = speech_remark(made)
    assert remark == (SILENT if opening < 1 else SILENT_BUT.format(opening))
    assert speech_remark(talker.animate(silence, close_in_silence=True)) == SILENT

"""Windows: they miss no sample, are faded frame by frame, and are the same for a stream, a whole and a measurement."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from memorytalker import windows
from memorytalker.config import ModelConfig
from memorytalker.pipeline import Talker
from memorytalker.windows import cut_windows, faded_motion, frame_count

RATE = 16000
CONFIG = ModelConfig(window_seconds=2.0, overlap_seconds=0.5)  # 60 and 15 frames of 30 a second


def cut(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[i : i + size] for i in range(0, len(samples), size)]


def ramp(seconds: float) -> np.ndarray:
    """Every sample says its own number."""
    return np.arange(round(seconds * RATE), dtype=np.float32)


def spans(found: list[windows.Window]) -> list[tuple[int, int]]:
    return [(window.first, window.first + window.frames) for window in found]


def test_frame_count_rounds_and_is_at_least_one() -> None:
    assert [frame_count(n, CONFIG) for n in (1, 16000, 16000 + 266, 16000 + 267)] == [1, 30, 30, 31]


@pytest.mark.parametrize(("fps", "shared"), [(30, 15), (25, 12), (30, 14)])
def test_windows_begin_at_the_sample_of_their_frame_and_miss_none(fps: int, shared: int) -> None:
    """With 14 shared frames windows begin 46 frames apart, which is no whole number of samples."""
    config, samples = dataclasses.replace(CONFIG, fps=fps, overlap_seconds=shared / fps), ramp(7.123)
    found = list(cut_windows(cut(samples, 997), config))
    size, overlap = windows.window_frames(config)
    assert overlap == shared
    for number, window in enumerate(found):
        begin = round(number * (size - overlap) * RATE / fps)
        assert window.first == number * (size - overlap)
        assert np.array_equal(window.samples, samples[begin : begin + len(window.samples)])
        assert abs(len(window.samples) / RATE - window.frames / fps) < 0.5 / fps + 1e-6
    assert found[-1].samples[-1] == samples[-1] and len(found) == 5


@pytest.mark.parametrize("seconds", [0.01, 1.99, 2.0, 2.01, 2.05, 3.5, 3.5334, 7.123])
def test_windows_do_not_depend_on_how_the_sound_arrives(seconds: float) -> None:
    samples = ramp(seconds)
    whole = list(cut_windows([samples], CONFIG))
    for size in (1, 777, 16001) if seconds < 1 else (777, 16001):
        pieces = list(cut_windows(cut(samples, size), CONFIG))
        assert spans(pieces) == spans(whole)
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(pieces, whole, strict=True))
    assert spans(whole)[-1][1] == frame_count(len(samples), CONFIG)


def test_a_window_is_given_out_as_soon_as_its_last_sample_is_there() -> None:
    taken = []

    def arriving() -> object:
        for chunk in cut(ramp(6.0), 1600):
            taken.append(chunk)
            yield chunk

    first = next(cut_windows(arriving(), CONFIG))
    assert (first.first, first.frames, len(taken)) == (0, 60, 20)


@pytest.mark.parametrize(
    ("seconds", "frames", "expected"),
    [
        (2.0, 60, [(0, 60)]),
        (2.0, 37, [(0, 37)]),  # fewer frames than the sound lasts: all of it is used
        (3.0, 60, [(0, 60)]),
        (3.0, 61, [(0, 60), (45, 61)]),
        (1.0, 61, [(0, 60), (45, 61)]),  # more frames than that: silence follows
        (0.5, 130, [(0, 60), (45, 105), (90, 130)]),
    ],
)
def test_frames_known_beforehand_are_those_that_are_made(seconds: float, frames: int, expected: list) -> None:
    samples = ramp(seconds)
    found = list(cut_windows([samples], CONFIG, frames))
    assert spans(found) == expected
    begin = round(found[-1].first * RATE / 30)
    assert np.array_equal(found[-1].samples, samples[begin:])  # to the end of the sound


def test_no_sound_has_no_windows() -> None:
    assert list(cut_windows([], CONFIG)) == list(cut_windows([np.zeros(0, np.float32)], CONFIG, 10)) == []


def test_windows_are_faded_into_each_other(
    tiny_talker: Talker, voice: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the overlap the result moves from the first window's answer to the second's, frame by frame."""
    predicted, motion = [], windows.window_motion
    monkeypatch.setattr(windows, "window_motion", lambda *call: predicted.append(motion(*call)) or predicted[-1])
    pieces = list(faded_motion(tiny_talker.model, cut_windows([voice(3.0)], tiny_talker.config), None))
    assert [first for first, _, _ in pieces] == [0, 45, 75]
    assert [len(offsets) for _, offsets, _ in pieces] == [45, 30, 15]
    for kind in (0, 1):  # offsets and address
        whole = np.concatenate([piece[1 + kind] for piece in pieces])
        first, second = (window[kind] for window in predicted)
        share = (np.arange(1, 16) / 16)[:, None]
        np.testing.assert_allclose(whole[:45], first[:45], atol=1e-6)
        np.testing.assert_allclose(whole[45:60], (1 - share) * first[45:] + share * second[:15], atol=1e-6)
        np.testing.assert_allclose(whole[60:], second[15:], atol=1e-6)


def test_silence_after_speech_is_encoded_as_quiet(
    tiny_talker: Talker, voice: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window of silence is normalised by the level of the speech before it, never amplified to it."""
    levels, encode = [], windows.window_logits
    monkeypatch.setattr(windows, "window_logits", lambda *call: levels.append(call[-1]) or encode(*call))
    samples = np.concatenate([voice(2.0), 1e-4 * voice(4.0)])
    list(faded_motion(tiny_talker.model, cut_windows([samples], tiny_talker.config), None))
    assert len(levels) == 4 and levels == [levels[0]] * 4


def test_the_style_of_more_than_a_minute_is_the_mean_of_its_pieces(tiny_talker: Talker, voice: Callable) -> None:
    model, samples = tiny_talker.model, voice(62.0)
    with torch.inference_mode():
        halves = [model.style_of(torch.from_numpy(half)[None]).weights[0] for half in np.array_split(samples, 2)]
    np.testing.assert_array_equal(windows.style_weights_of(model, samples), torch.stack(halves).mean(0))

"""Whatever array is given ends in a waveform that keeps its promise, or in one plain sentence."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from memorytalker.sound.decode import SAMPLE_RATE, AudioError, Waveform, load_waveform
from memorytalker.sound.mixing import CANCELLED, voice_power

#: The same examples each time, however long the machine takes for one.
STEADY = settings(max_examples=150, deadline=None, derandomize=True, database=None)
KINDS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SHAPES = st.one_of(
    st.tuples(st.integers(0, 6000)),
    st.tuples(st.integers(0, 6000), st.integers(0, 12)),
    st.tuples(st.integers(0, 12), st.integers(0, 6000)),
    arrays.array_shapes(min_dims=3, max_dims=3, max_side=9),
)
RATES = st.one_of(
    st.sampled_from([SAMPLE_RATE] * 6 + [8000, 44100, 1000, 768000]),
    st.sampled_from([0, -1, 44100.5, np.nan, np.inf, None, "44100", 1 << 40, np.complex64(16000), True]),
)


@st.composite
def sounds(draw: st.DrawFn) -> np.ndarray:
    """Arrays of every kind and shape: noise of any level, with a few values that hypothesis thinks up."""
    kind, shape = np.dtype(draw(st.sampled_from(KINDS))), draw(SHAPES)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            array = (rng.normal(size=shape) * 10.0 ** draw(st.integers(-9, 6))).astype(kind)
    else:
        limits = np.iinfo(kind)
        array = rng.integers(limits.min, limits.max, shape, kind, endpoint=True)
    for value in draw(st.lists(arrays.from_dtype(kind), max_size=3)) if array.size else ():
        array.flat[rng.integers(array.size)] = value
    return array


@STEADY
@given(sounds(), RATES)
def test_any_array_is_a_waveform_or_one_sentence(array: np.ndarray, rate: object) -> None:
    try:
        waveform = load_waveform((array, rate), longest_seconds=2)
    except AudioError as error:
        assert re.fullmatch(r"[A-Z][^\n]+\.", str(error))
        return
    samples = waveform.samples
    assert samples.dtype == np.float32 and samples.ndim == 1 and np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1 and 0.1 <= waveform.seconds <= 2
    assert all(re.fullmatch(r"[A-Z][^\n]+\.", remark) for remark in waveform.remarks)
    again = load_waveform(waveform, longest_seconds=2)
    assert again.samples.tobytes() == samples.tobytes() and again.remarks == waveform.remarks


@STEADY
@given(st.integers(0, 99), st.lists(st.floats(-1, 1, width=16), min_size=2, max_size=6), st.integers(0, 40))
def test_no_mix_loses_the_voice(seed: int, gains: list[float], delay: int) -> None:
    rng = np.random.default_rng(seed)
    voice = np.convolve(rng.normal(size=8000), np.hanning(20), "same")
    voice = 0.1 * voice / voice.std()
    channels = np.stack([gain * np.roll(voice, number * delay) for number, gain in enumerate(gains)], 1)
    channels = channels.astype(np.float32)
    mixed = load_waveform((channels, SAMPLE_RATE)).samples
    brought = voice_power(channels, SAMPLE_RATE).sum() / len(gains) ** 2
    assert voice_power(mixed[:, None], SAMPLE_RATE)[0] >= 0.99 * CANCELLED * brought


@STEADY
@given(st.integers(0, 99), st.floats(-0.5, 0.5), st.integers(1, 8))
def test_an_offset_changes_nothing_else(seed: int, offset: float, channels: int) -> None:
    rng = np.random.default_rng(seed)
    voice = 0.1 * rng.normal(size=(4000, 1)).clip(-3, 3)
    voice -= voice.mean()
    decoded = load_waveform((np.repeat(voice + offset, channels, 1), SAMPLE_RATE)).samples
    left = decoded - voice[:, 0]
    assert np.ptp(left) < 1e-5, "nothing but a constant was taken"
    assert abs(left.mean()) <= 0.1 * voice.std() + 1e-6


def test_a_waveform_keeps_its_remarks() -> None:
    waveform = Waveform(np.zeros(1600, np.float32), remarks=("A remark.",))
    assert load_waveform(waveform).remarks == ("A remark.",)

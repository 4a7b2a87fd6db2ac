"""Log-mel and rate of arriving sound: planted tones, causality, and chunks of any size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from memorytalker.sound.decode import AudioError
from memorytalker.sound.live_mel import MelBlock, MelGrid, levels, mel_blocks, mel_start, whole_mel
from memorytalker.sound.resampling import resampled, resampler_start

GRID = MelGrid()
SIZES = ([10**6], [160], [1, 7, 533, 4000])


def followed(samples: np.ndarray, sizes: list[int], grid: MelGrid = GRID) -> list[MelBlock]:
    state, blocks, place = mel_start(grid), [], 0
    while place < len(samples):
        size = sizes[len(blocks) % len(sizes)]
        state, new = mel_blocks(grid, state, samples[place : place + size])
        blocks, place = blocks + new, place + size
    return blocks


def test_the_look_ahead_is_the_sum_of_its_parts() -> None:
    """A mel window of 25 ms, the frame of 33.3 ms it lies in, and 58.3 ms of frames that follow: 116.7 ms in all."""
    assert GRID.lookahead == pytest.approx(0.025 + 1 / 30 + 0.0583333) and GRID.lookahead <= 0.12
    for frame in (0, 1, 29, 108_000):  # after an hour as at the beginning: no drift
        assert GRID.block_end(frame) / 16000 - frame / 30 == pytest.approx(GRID.lookahead, abs=1 / 16000)


def test_chunks_of_any_size_give_the_same_bytes(voice) -> None:
    sound = voice(1.5)
    whole, *others = (followed(sound, sizes) for sizes in SIZES)
    assert [block.frame for block in whole] == list(range(GRID.first, 42))
    for blocks in others:
        assert [(b.frame, b.level, b.mel.tobytes()) for b in blocks] == [
            (b.frame, b.level, b.mel.tobytes()) for b in whole
        ]


def test_training_reads_the_same_numbers(voice) -> None:
    sound = voice(1.5)
    blocks = followed(sound, [160])
    mel, energy = whole_mel(GRID, sound, 42)
    np.testing.assert_array_equal(mel, np.stack([block.mel for block in blocks]))
    np.testing.assert_allclose(levels(GRID, energy), [block.level for block in blocks], atol=1e-4)


def test_a_block_sees_no_further_than_it_says(voice) -> None:
    sound, frame = voice(1.5), 20
    changed, end = sound.copy(), GRID.block_end(frame)
    changed[end:] = 0.3
    before, after = followed(sound, [160]), followed(changed, [160])
    at = frame - GRID.first
    assert all(np.array_equal(a.mel, b.mel) for a, b in zip(before[: at + 1], after[: at + 1], strict=True))
    assert not np.array_equal(before[at + 1].mel, after[at + 1].mel)
    changed = sound.copy()
    changed[end - 40 :] += 0.3 * np.sin(np.arange(len(sound) - end + 40))  # the last 2.5 ms of what it may see
    assert not np.array_equal(before[at].mel, followed(changed, [160])[at].mel)


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 3000.0])
def test_a_tone_is_found_in_its_band(hertz: float) -> None:
    sound = 0.5 * np.sin(2 * np.pi * hertz * np.arange(16000) / 16000)
    block = followed(sound, [160])[15]
    mel = hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)  # Slaney's scale
    top = 15 + 27 * np.log(8) / np.log(6.4)
    loudest = round(mel / top * (GRID.bins + 1)) - 1
    assert abs(int(block.mel[0].argmax()) - loudest) <= 1
    assert np.ptp(block.mel[:, loudest]) < 1.0, "the same in all mel frames of a block"


def test_the_level_rises_at_once_and_falls_slowly() -> None:
    energy = np.array([-80.0, -20.0, -50.0, -50.0, -80.0])
    fall = GRID.release / GRID.fps
    np.testing.assert_allclose(levels(GRID, energy), [GRID.quietest, -20, -20 - fall, -20 - 2 * fall, -20 - 3 * fall])
    np.testing.assert_allclose(levels(GRID, energy, before=0.0), -fall * np.arange(1, 6))
    quick = dataclasses.replace(GRID, release=3000.0)
    assert levels(quick, energy)[-1] == GRID.quietest, "no lower than that"


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_a_tone_keeps_its_pitch_and_its_time_at_every_rate(rate: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    results = []
    for size in (rate, 37, 441):
        state, pieces = resampler_start(rate), []
        for first in range(0, rate, size):
            state, made = resampled(state, tone[first : first + size], rate)
            pieces.append(made)
        results.append(np.concatenate(pieces))
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()
    assert 15950 <= len(results[0]) <= 16000, "less than 3 ms wait for what follows"
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(results[0])) / 16000)
    np.testing.assert_allclose(results[0][50:], wanted[50:], atol=1e-3)
    assert len(state.kept) < 100, "no sound is kept"


def test_tones_that_the_new_rate_cannot_hold_are_gone() -> None:
    tone = np.sin(2 * np.pi * 12_000 * np.arange(24_000) / 48_000)
    assert np.abs(resampled(resampler_start(48_000), tone, 48_000)[1][100:]).max() < 0.002


@pytest.mark.parametrize("rate", [0, 4000, 1_000_000])
def test_rates_of_no_sound_card_are_refused(rate: int) -> None:
    with pytest.raises(AudioError, match="from 8000 to 192000"):
        resampler_start(rate)

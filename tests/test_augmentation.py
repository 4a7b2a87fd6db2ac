"""Noise, rooms, codecs and gain: planted levels come out, and nothing moves in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memorytalker.corpus import augmentation as hall
from memorytalker.corpus.clips import (
    Clip,
    CorpusError,
    augmented_version,
    load_clip,
    read_clips,
    save_clip,
    write_clips,
)
from memorytalker.datasets.corpus import open_corpus
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform, load_waveform, write_wav

RATE = 16000
SPEECH = Path(__file__).resolve().parents[1] / "assets" / "speech"


def spoken(seconds: float = 2.0) -> np.ndarray:
    """Syllables of a buzzing voice with noise in it and pauses between them."""
    random = np.random.default_rng(3)
    times = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * h * times + h) / h for h in range(1, 30))
    gate = np.clip(np.sin(2 * np.pi * 2.3 * times) * 3, 0, 1)
    return (0.1 * gate * (buzz + 0.3 * random.standard_normal(len(times)))).astype(np.float32)


def lag(first: np.ndarray, second: np.ndarray) -> int:
    """Samples by which `second` comes later, by cross-correlation."""
    size = 2 * len(first)
    product = np.fft.irfft(np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size)))
    best = int(np.argmax(product))
    return best if best < size // 2 else best - size


@pytest.fixture
def root(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for kind in ("noise", "room"):
        (tmp_path / "noise" / kind).mkdir(parents=True)
        for number in range(4):
            sound = random.standard_normal(8000) * 0.1
            if kind == "room":
                sound *= np.exp(-np.arange(8000) / 800) * 0.3
                sound[40 + number] = 0.9
            write_wav(tmp_path / "noise" / kind / f"{number}.wav", Waveform(np.clip(sound, -1, 1).astype(np.float32)))
    return tmp_path


def check_promise(samples: np.ndarray, before: np.ndarray) -> None:
    assert samples.shape == before.shape and samples.dtype == np.float32
    assert np.isfinite(samples).all() and np.abs(samples).max() <= 1


def test_every_other_sound_is_held_back(root: Path) -> None:
    assert [path.stem for path in hall.training_noises(root)] == ["1", "3"]
    assert [path.stem for path in hall.held_noises(root)] == ["0", "2"]
    assert [path.stem for path in hall.training_rooms(root)] == ["1", "3"]
    assert [path.stem for path in hall.held_rooms(str(root))] == ["0", "2"]
    assert hall.training_noises(root / "none") == ()


@pytest.mark.parametrize("snr", [0.0, 10.0, 25.0])
def test_noise_lies_as_far_below_speech_as_asked(snr: float) -> None:
    speech, noise = spoken(), np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    noisy = hall.with_noise(speech, noise, snr, np.random.default_rng(2))
    added = noisy - speech
    loud = np.concatenate([speech[i : i + 320] for i in range(0, len(speech), 320) if speech[i : i + 320].std() > 0.05])
    assert 10 * np.log10(np.mean(loud**2) / np.mean(added**2)) == pytest.approx(snr, abs=0.7)
    check_promise(noisy, speech)


def test_pauses_do_not_change_the_level_of_speech() -> None:
    speech = spoken()
    for pause in (1, 5):
        padded = np.concatenate([speech, np.zeros(pause * len(speech), np.float32)])
        assert hall.speech_level(padded) == pytest.approx(hall.speech_level(speech), rel=0.1)


def test_loud_noise_is_turned_down_and_not_clipped() -> None:
    speech = 5 * spoken()
    noise = np.ones(10, np.float32)
    noisy = hall.with_noise(speech, noise, -10.0, np.random.default_rng(0))
    check_promise(noisy, speech)
    assert np.corrcoef(noisy, speech)[0, 1] > 0.999


def test_a_room_keeps_the_direct_sound_in_time_and_at_its_level(root: Path) -> None:
    click = np.zeros(4000, np.float32)
    click[1000] = 0.5
    for path in hall.held_rooms(root):
        impulse = load_waveform(path).samples
        assert int(np.abs(impulse).argmax()) >= 40  # the planted delay
        for sign in (1, -1):
            augmented = hall.with_room(click, sign * impulse)
            assert augmented.argmax() == 1000 and np.abs(augmented[1100:2000]).max() > 0.01
    augmented = hall.with_room(spoken(), impulse)
    assert hall.speech_level(augmented) == pytest.approx(hall.speech_level(spoken()), rel=1e-3)
    check_promise(augmented, spoken())


@pytest.mark.parametrize("kind", hall.CODECS)
@pytest.mark.parametrize("size", [32000, 12345, 500])
def test_a_codec_keeps_time_and_length(kind: str, size: int) -> None:
    speech = load_waveform(SPEECH / "woman_blue.wav").samples[8000 : 8000 + size]
    augmented = hall.through_codec(speech, kind)
    check_promise(augmented, speech)
    assert not np.array_equal(augmented, speech)
    if size > 1000:
        assert abs(lag(speech, augmented)) <= 16  # 1 ms
        assert hall.speech_level(augmented) == pytest.approx(hall.speech_level(speech), rel=0.3)


def test_a_telephone_has_a_narrow_band() -> None:
    noise = (0.05 * np.random.default_rng(0).standard_normal(32000)).astype(np.float32)
    augmented = np.abs(np.fft.rfft(hall.through_codec(noise, "telephone")))
    band = np.fft.rfftfreq(32000, 1 / RATE)
    inside = augmented[(band > 500) & (band < 3000)].mean()
    for outside in (band < 150, band > 4200):
        assert augmented[outside].mean() < 0.1 * inside


def test_gain_clips_and_tilt_turns_the_spectrum_about_1_khz() -> None:
    speech = spoken()
    np.testing.assert_allclose(hall.with_gain(speech, -6.0206), speech / 2, rtol=1e-4)
    assert np.mean(np.abs(hall.with_gain(speech, 40.0)) == 1.0) > 0.2
    noise = (0.05 * np.random.default_rng(0).standard_normal(64000)).astype(np.float32)
    tilted = np.abs(np.fft.rfft(hall.with_tilt(noise, 3.0))) / np.abs(np.fft.rfft(noise))
    hertz = [round(f * 64000 / RATE) for f in (500, 1000, 2000)]
    np.testing.assert_allclose(20 * np.log10(tilted[hertz] / tilted[hertz[1]]), [-3, 0, 3], atol=0.05)
    assert lag(speech, hall.with_tilt(speech, 3.0)) == 0


def test_a_version_is_decided_by_its_seed_and_name(root: Path) -> None:
    speech = spoken(1.0)
    first = hall.augmented(speech, root, 1, "clip")
    np.testing.assert_array_equal(first, hall.augmented(speech, str(root), 1, "clip"))
    for seed, name in ((2, "clip"), (1, "other")):
        assert not np.array_equal(first, hall.augmented(speech, root, seed, name))


def test_many_versions_keep_the_promise_and_time(root: Path) -> None:
    speech = spoken(1.0)
    before = speech.copy()
    for seed in range(60):
        augmented = hall.augmented(speech, root, seed, "clip")
        check_promise(augmented, speech)
        assert abs(lag(speech, augmented)) <= 32, seed
        assert not np.array_equal(augmented, speech)
    np.testing.assert_array_equal(speech, before)


@pytest.mark.parametrize("size", [1600, 16000])
def test_silence_stays_finite(root: Path, size: int) -> None:
    silence = np.zeros(size, np.float32)
    for seed in range(20):
        check_promise(hall.augmented(silence, root, seed, "silence"), silence)
    check_promise(hall.with_noise(silence, np.zeros(10, np.float32), 5.0, np.random.default_rng(0)), silence)


def test_held_sounds_are_never_drawn(root: Path) -> None:
    for path in (*hall.held_noises(root), *hall.held_rooms(root)):
        path.write_bytes(b"not a sound")
    for seed in range(20):
        hall.augmented(spoken(0.3), root, seed, "clip")


def test_a_clip_is_augmented_as_it_says(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    (folder / "voices").mkdir(parents=True)
    speech = Waveform(spoken(1.0))
    write_wav(root / "a.wav", speech)
    write_wav(folder / "voices" / "b.wav", speech)
    plain = Clip("a", "one", "train", "test", "captured", "a.wav", 30, 30)
    again = augmented_version(plain, 2)
    assert again.name == "a+2" and plain.as_recorded and not again.as_recorded
    curves = FaceCurves(np.zeros((30, 1)), ("jawOpen",), 30.0)
    for clip in (plain, again):
        save_clip(folder, clip, curves, np.zeros(30))
    write_clips(folder, [plain, again], ("jawOpen",))
    assert read_clips(folder)[0] == [plain, again] and len(load_clip(folder, again)[0]) == 30
    sound = hall.clip_samples(root, folder, plain)
    np.testing.assert_allclose(sound, speech.samples, atol=1e-4)
    np.testing.assert_array_equal(hall.clip_samples(root, folder, again), hall.augmented(sound, root, 2, "a+2"))
    own = replace(plain, sound="voices/b.wav", base="corpus")
    np.testing.assert_array_equal(hall.clip_samples(None, folder, own), sound)
    for clip in (plain, replace(own, augmentation=1)):
        with pytest.raises(CorpusError, match="--root"):
            hall.clip_samples(None, folder, clip)


def test_a_data_set_has_augmented_versions_in_training_alone(root: Path, tmp_path: Path) -> None:
    folder, names = tmp_path / "corpus", load_head().blendshape_names
    write_wav(root / "a.wav", Waveform(spoken(1.0)))
    clips = [Clip(split, "one", split, "test", "captured", "a.wav", 30, 30) for split in ("train", "validation")]
    clips += [augmented_version(clip, 1) for clip in clips]
    for clip in clips:
        save_clip(folder, clip, FaceCurves(np.zeros((30, len(names))), names, 30.0), np.zeros(30))
    write_clips(folder, clips, names)
    augmented = {one.name: one.waveform().samples for one in open_corpus(folder, root).sequences}
    assert set(augmented) == {"train", "validation", "train+1"}
    np.testing.assert_array_equal(augmented["train+1"], hall.augmented(augmented["train"], root, 1, "train+1"))


def test_what_is_lacking_or_unknown_is_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="noise/noise"):
        hall.augmented(spoken(0.2), tmp_path, 1, "clip")
    with pytest.raises(ValueError, match="telephone"):
        hall.through_codec(spoken(0.2), "fax")

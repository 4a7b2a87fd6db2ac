"""Corpus: pitch shifts that keep the time, synthetic speakers, acoustics, phone times, a corpus from a folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memorytalker.corpus import build
from memorytalker.corpus.build import BuildContext
from memorytalker.corpus.clips import Clip, CorpusError, load_clip, read_clips, save_clip, write_clips
from memorytalker.corpus.speakers import speaker_voices
from memorytalker.corpus.synthetic_speakers import SYNTHETIC_MARK, draw_change
from memorytalker.corpus.voice_augmentation import changed_voice, shifted_voice
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.phones import ENGLISH
from memorytalker.sound.acoustics import brightness, effort, first_formants, loudness_range, pitch
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.training.open_recipe import read_recipe

RATE = 16000
CORPUS = read_recipe().corpus


def tone(hertz: float, seconds: float, level: float = 0.3) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * times) / k for k in (1, 2, 3))
    return (level * wave / 2).astype(np.float32)


def bursts() -> np.ndarray:
    samples = np.zeros(3 * RATE, np.float32)
    for start in (0.5, 1.5, 2.5):
        samples[round(start * RATE) : round((start + 0.2) * RATE)] = tone(220, 0.2)
    return samples


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25, 1.5])
def test_shifted_voice_moves_pitch_and_keeps_length(factor: float) -> None:
    shifted = shifted_voice(Waveform(tone(160, 2.0)), factor)
    assert len(shifted.samples) == 2 * RATE
    spectrum = np.abs(np.fft.rfft(shifted.samples))
    assert spectrum.argmax() / 2 == pytest.approx(160 * factor, rel=0.02)


@pytest.mark.parametrize("factor", [0.8, 1.3])
def test_shifted_voice_stays_in_time(factor: float) -> None:
    shifted = shifted_voice(Waveform(bursts()), factor).samples
    energy = np.convolve(shifted**2, np.ones(160), "same")
    for start in (0.5, 1.5, 2.5):
        piece = energy[round((start - 0.1) * RATE) : round((start + 0.1) * RATE)]
        onset = start - 0.1 + np.flatnonzero(piece > 0.3 * piece.max())[0] / RATE
        assert onset == pytest.approx(start, abs=0.016)  # half a window of the vocoder


@pytest.mark.parametrize("speed", [0.75, 1.3])
def test_a_faster_voice_keeps_its_pitch_and_its_events_come_sooner(speed: float) -> None:
    tune = changed_voice(Waveform(tone(160, 2.0)), speed=speed)
    assert len(tune.samples) == round(2 * RATE / speed)
    assert np.abs(np.fft.rfft(tune.samples)).argmax() * RATE / len(tune.samples) == pytest.approx(160, rel=0.02)
    energy = np.convolve(changed_voice(Waveform(bursts()), speed=speed).samples ** 2, np.ones(160), "same")
    loud = np.flatnonzero(energy > 0.3 * energy.max()) / RATE
    assert loud[0] == pytest.approx(0.5 / speed, abs=0.02) and loud[-1] == pytest.approx(2.7 / speed, abs=0.02)


def test_a_livelier_voice_has_a_wider_loudness_range_at_the_same_times() -> None:
    swell = 10 ** (np.repeat([-16.0, -8.0, 0.0, -8.0], RATE // 2) / 20) * tone(160, 2.0)
    calm, lively = (changed_voice(Waveform(swell.astype(np.float32)), dynamics=k).samples for k in (0.6, 1.4))
    assert loudness_range(calm) + 4 < loudness_range(swell) < loudness_range(lively) - 4
    same = changed_voice(Waveform(swell.astype(np.float32))).samples
    assert len(calm) == len(lively) == len(same) == 2 * RATE
    with pytest.raises(ValueError, match="dynamics 3"):
        changed_voice(Waveform(swell.astype(np.float32)), dynamics=3)


@pytest.mark.parametrize("formant", [350.0, 500.0, 800.0])
def test_first_formant_of_a_made_vowel(formant: float) -> None:
    times = np.arange(RATE) / RATE
    pulses = np.zeros(RATE)
    pulses[:: RATE // 110] = 1.0
    vowel = pulses
    for hertz, width in ((formant, 60.0), (1500.0, 90.0), (2600.0, 120.0)):
        ringing = np.exp(-np.pi * width * times[:800]) * np.sin(2 * np.pi * hertz * times[:800])
        vowel = np.convolve(vowel, ringing)[:RATE]
    found = first_formants(vowel, np.array([0.3, 0.5, 0.7, 5.0]))
    np.testing.assert_allclose(found[:3], formant, rtol=0.12)  # harmonics pull it
    assert np.isnan(found[3]), "nothing is measured after the end"


def test_a_voice_is_the_median_of_its_sentences_and_ordinary_where_nothing_is_measured() -> None:
    acoustics = {"a": {"range": 20.0, "brightness": -5.0, "pitch": 100.0, "open": [800.0] * 6, "close": [400.0] * 6},
             "b": {"range": 30.0, "brightness": -9.0, "pitch": 0.0, "open": [], "close": []}}  # fmt: skip
    phones = {"a": [[0.0, 0.5, "sil"], [0.5, 0.6, "aa"], [0.6, 0.7, "m"]], "b": [[0.0, 0.2, "aa"]]}
    found = speaker_voices([{"speaker": "x", "sound": "a"}, {"speaker": "y", "sound": "b"}], acoustics, phones)
    assert found["x"].vowel_space == pytest.approx(1.0) and found["x"].rate == pytest.approx(10.0)
    assert found["x"].pitch == 100.0 and found["y"].pitch == 180.0 and found["y"].vowel_space == 0.72


def test_brightness_is_the_ratio_of_two_tones_and_does_not_care_about_the_level() -> None:
    times = np.arange(RATE) / RATE
    low, high = np.sin(2 * np.pi * 500 * times), np.sin(2 * np.pi * 2000 * times)
    assert brightness(0.3 * low + 0.03 * high) == pytest.approx(-20.0, abs=0.3)
    assert brightness(0.03 * low + 0.03 * high) == pytest.approx(0.0, abs=0.3)


def test_synthetic_speakers_are_drawn_by_name_and_seed() -> None:
    assert draw_change("anna", 200.0, 0) == draw_change("anna", 200.0, 0)
    changes = {draw_change(name, 150.0, seed) for name in ("anna", "bert") for seed in (0, 1)}
    assert len(changes) == 4 and all(0.75 <= change.pitch <= 1.5 for change in changes)


def test_pitch_of_a_tone_and_of_noise() -> None:
    assert pitch(tone(125, 1.0)) == pytest.approx(125, rel=0.02)
    assert pitch(np.random.default_rng(0).standard_normal(RATE).astype(np.float32)) == 0.0


def test_loudness_does_not_care_about_the_recording_level() -> None:
    samples = bursts() + 1e-4 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    np.testing.assert_allclose(effort(samples, 90, 30.0), effort(0.1 * samples, 90, 30.0), atol=0.05)
    assert loudness_range(samples) == pytest.approx(loudness_range(0.1 * samples), abs=0.5)
    loud = effort(samples, 90, 30.0)
    assert loud[17] > loud[30] + 1.0, "speech is louder than the pause"


def test_clips_come_back_as_saved(tmp_path: Path) -> None:
    names = load_head().blendshape_names
    clip = Clip("a", "someone", "train", "here", "captured", "a.wav", 4, 30)
    weights = np.random.default_rng(0).uniform(0, 1, (4, 52)).astype(np.float32)
    save_clip(tmp_path, clip, FaceCurves(weights, names, 30), np.array([-1, 0, 1, 2]))
    write_clips(tmp_path, [clip], names)
    clips, columns = read_clips(tmp_path)
    assert clips == [clip] and columns == names
    again, phones = load_clip(tmp_path, clip)
    np.testing.assert_allclose(again, weights, atol=1e-3)
    np.testing.assert_array_equal(phones, [-1, 0, 1, 2])


def test_missing_corpus_and_missing_source_say_so(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no corpus"):
        read_clips(tmp_path)
    with pytest.raises(CorpusError, match="manifest"):
        build.build_corpus(BuildContext(tmp_path, tmp_path / "out", CORPUS), load_head())


def test_a_corpus_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two speakers and no videos; the aligner is replaced, so that the test needs no speech."""
    root, out = tmp_path / "root", tmp_path / "out"
    (root / "speech").mkdir(parents=True)
    (root / "capture" / "of-somebody-else").mkdir(parents=True)  # none of the videos that are known
    rows = []
    for number in range(4):
        write_wav(root / "speech" / f"{number}.wav", Waveform(tone(110 + 60 * (number % 2), 1.0 + 0.2 * number)))
        rows.append({"file": f"{number}.wav", "speaker": f"s{number % 2}", "split": "train", "source": "test",
                     "text": "ma" if number else "unknown"})  # fmt: skip
    (root / "speech" / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    times = [[0.0, 0.2, "sil"], [0.2, 0.4, "m"], [0.4, 0.8, "aa"], [0.8, 1.0, "sil"]]
    monkeypatch.setattr(build, "_align_one", lambda job: {"sound": job[1], "phones": times if job[2] == "ma" else None})
    context = BuildContext(root, out, replace(CORPUS, held_vowel_clips=0), workers=1)
    counts = build.build_corpus(context, load_head())
    assert counts["synthesised train"] == 2 * 3 and counts["not aligned"] == 1
    clips, names = read_clips(out)
    spoken = [clip for clip in clips if clip.kind == "synthesised"]
    assert {clip.speaker for clip in spoken} == {"s0", "s1", "s0" + SYNTHETIC_MARK, "s1" + SYNTHETIC_MARK}
    synthetic = next(clip for clip in spoken if clip.speaker == "s1" + SYNTHETIC_MARK)
    own = next(clip for clip in spoken if clip.name + SYNTHETIC_MARK == synthetic.name)
    change = draw_change("s1", pitch(tone(170, 1.0)), 0)
    assert synthetic.base == "corpus" and (out / synthetic.sound).is_file() and own.base == "root"
    assert synthetic.frames == pytest.approx(own.frames / change.speed, abs=1.5), (
        "the face keeps the time of the synthetic voice"
    )
    weights, phones = load_clip(out, spoken[0])
    assert len(weights) == spoken[0].frames == round(1.2 * 30)
    jaw = weights[:, names.index("jawOpen")]
    assert jaw[phones == ENGLISH.index("aa")].max() > 0.1
    speakers = json.loads((out / "speakers.json").read_text())
    assert speakers["s0"]["style"] != speakers["s1"]["style"]
    silent = next(clip for clip in clips if clip.kind == "silence")
    assert not load_clip(out, silent)[0].any()
    assert not any(clip.augmentation for clip in clips), "there is nothing to augment them with"

    (root / "noise" / "noise").mkdir(parents=True)
    for name in ("a", "b"):
        write_wav(root / "noise" / "noise" / f"{name}.wav", Waveform(tone(700, 1.0)))
    for clip in spoken[1:]:
        build.save_curves(
            out / "curves", clip.name, np.tile(np.eye(len(build.synthesised_shapes()))[0], (clip.frames, 1))
        )
    again = replace(
        context, config=replace(CORPUS, augmented_share=1.0, silent_clips=3, held_vowel_clips=0), curves=out / "curves"
    )
    with pytest.raises(CorpusError, match=f"no curves of the clip {spoken[0].name}; delete the folder"):
        build.build_corpus(again, load_head())
    wide = np.tile(np.eye(len(build.synthesised_shapes()))[0], (spoken[0].frames, 1))
    build.save_curves(out / "curves", spoken[0].name, wide[1:])
    with pytest.raises(CorpusError, match=f"holds {len(wide) - 1} x 22 numbers, but its clip has {len(wide)} frames"):
        build.build_corpus(again, load_head())
    build.save_curves(out / "curves", spoken[0].name, wide)
    assert build.build_corpus(again, load_head())["silence train"] == 3
    again = {clip.name: clip for clip in read_clips(out)[0]}
    versions = [clip for clip in again.values() if clip.augmentation]
    assert len(versions) == len(spoken) and all(not clip.as_recorded for clip in versions)
    for version in versions:
        same = [load_clip(out, clip) for clip in (version, again[version.name.partition("+")[0]])]
        assert np.array_equal(same[0][0], same[1][0]) and version.sound == again[version.name.partition("+")[0]].sound
    louder, phones = load_clip(out, again[spoken[0].name])
    shape = names.index(build.synthesised_shapes()[0])
    speaking = phones == ENGLISH.index("aa")
    assert louder[speaking, shape].max() > weights[speaking, shape].max(), "predicted curves enter the motion"
    assert louder[0].max() < 0.05, "silence stays closed whatever is predicted"


def test_alignment_recovers_given_phone_times(shared: Path) -> None:
    pytest.importorskip("pocketsphinx")
    from memorytalker.corpus.align import Aligner, AlignmentError
    from memorytalker.sound.decode import load_waveform

    aligner, errors = Aligner(), []
    for row in [row for row in build.read_manifest(shared) if row["source"] == "librispeech-aligned"][4:40:2]:
        given = [(p[0], p[2].rstrip("012").lower()) for p in row["phones"] if p[2] not in ("sil", "sp", "spn", "")]
        try:
            found = [p for p in aligner.align(load_waveform(shared / row["sound"]).samples, row["text"])]
        except AlignmentError:
            continue
        assert found[0].start == 0.0 and all(a.end == b.start for a, b in zip(found, found[1:], strict=False))
        spoken = [p for p in found if p.label != "sil"]
        if [p.label for p in spoken] == [label for _, label in given]:
            errors += [abs(p.start - start) for p, (start, _) in zip(spoken, given, strict=True)]
    assert len(errors) > 100, "too few sentences align with the given phones"
    assert np.median(errors) <= 0.02


def test_words_outside_the_dictionary_are_named() -> None:
    pytest.importorskip("pocketsphinx")
    from memorytalker.corpus.align import Aligner, AlignmentError

    with pytest.raises(AlignmentError, match="zyxgrob"):
        Aligner().align(tone(120, 1.0), "the zyxgrob")

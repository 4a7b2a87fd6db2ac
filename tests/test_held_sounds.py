"""Held and sung sounds: their pitch, their length, no clicks; the mouth that goes with them; clips of a corpus."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memorytalker.articulation.coarticulation import MouthGeometry
from memorytalker.articulation.visemes import load_visemes
from memorytalker.config import ConfigError
from memorytalker.corpus import build, held_vowels
from memorytalker.corpus.build import BuildContext, mouth_geometry
from memorytalker.corpus.clips import CorpusError, load_clip, read_clips
from memorytalker.corpus.held_motion import OPEN_VOWELS, held_motion
from memorytalker.corpus.held_sound import AFTER, ALONE, JOIN, MIDDLE, PLACES, WITHIN, HeldPlan, Recording, held_sound
from memorytalker.corpus.held_vowels import HELD_MARK, LABELS, draw_plan, held_from, phones_by_speaker
from memorytalker.corpus.steady_voice import SteadyVoice, steady_voice
from memorytalker.corpus.sustained_sound import Colour, looped_noise, sustained, wander
from memorytalker.corpus.tune import KINDS, SUNG_PITCHES, draw_tune
from memorytalker.face.head import load_head
from memorytalker.phones import ENGLISH
from memorytalker.sound.acoustics import first_formants, pitch
from memorytalker.sound.decode import Waveform, load_waveform, write_wav
from memorytalker.training.open_recipe import read_recipe

RATE, FPS = 16000, 30
FORMANTS = (700.0, 1200.0, 2600.0)
#: A pause, a nasal, a vowel, a fricative, a vowel, a pause.
PHONES = (
    (0.0, 0.3, "sil"),
    (0.3, 0.45, "m"),
    (0.45, 0.7, "aa"),
    (0.7, 0.85, "s"),
    (0.85, 1.1, "iy"),
    (1.1, 1.4, "sil"),
)
VOWEL, HUM, FRICATIVE = 2, 1, 3
PLAIN = Colour(breath_db=-40.0, jitter=0.0, shimmer=0.0, drift=0.0)


def spoken(hertz: float, seconds: float, formants: tuple[float, ...] = FORMANTS) -> np.ndarray:
    """Pulses of a voice through resonances."""
    size = round(seconds * RATE)
    phase = np.cumsum(np.full(size, hertz / RATE))
    sound = (np.diff(np.floor(phase), prepend=0.0) > 0).astype(float)
    times = np.arange(600) / RATE
    for formant in formants:
        sound = np.convolve(sound, np.exp(-np.pi * 90 * times) * np.sin(2 * np.pi * formant * times))[:size]
    return 0.3 * sound / np.abs(sound).max()


@pytest.fixture(scope="module")
def recording() -> Recording:
    random = np.random.default_rng(0)
    samples = 1e-4 * random.standard_normal(round(1.4 * RATE))
    samples[round(0.3 * RATE) : round(0.45 * RATE)] += 0.5 * spoken(150.0, 0.15, (250.0,))
    samples[round(0.45 * RATE) : round(0.7 * RATE)] += spoken(150.0, 0.25)
    samples[round(0.7 * RATE) : round(0.85 * RATE)] += 0.05 * random.standard_normal(round(0.15 * RATE))
    samples[round(0.85 * RATE) : round(1.1 * RATE)] += spoken(150.0, 0.25, (350.0, 2200.0, 2900.0))
    return Recording(samples.astype(np.float32), PHONES)


@pytest.fixture(scope="module")
def voice(recording: Recording) -> SteadyVoice:
    found = steady_voice(recording.samples, 0.5, 0.65)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def geometry() -> MouthGeometry:
    return mouth_geometry(load_head(), load_visemes().shapes)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_steady_voice_has_the_pitch_that_was_spoken(voice: SteadyVoice) -> None:
    assert voice.pitch == pytest.approx(150.0, rel=0.01)
    peak = voice.log_envelope.mean(axis=0)[20:150].argmax() + 20
    assert peak * RATE / 2048 == pytest.approx(FORMANTS[0], rel=0.15)


@pytest.mark.parametrize("hertz", [85.0, 130.0, 210.0, 330.0, 430.0])
@pytest.mark.parametrize("formant", [300.0, 850.0])
def test_no_octave_of_a_voice_is_taken_for_its_pitch(hertz: float, formant: float) -> None:
    found = steady_voice(spoken(hertz, 0.4, (formant, 1500.0)), 0.15, 0.3)
    assert found is not None and found.pitch == pytest.approx(hertz, rel=0.01)


@pytest.mark.parametrize("start, end", [(0.72, 0.83), (0.02, 0.25), (0.0, 0.0), (1.36, 1.4)])
def test_noise_and_the_edge_of_a_recording_are_no_steady_voice(recording: Recording, start: float, end: float) -> None:
    assert steady_voice(recording.samples, start, end) is None


@pytest.mark.parametrize("way, hertz", [("looped", 120.0), ("looped", 240.0), ("resynthesised", 110.0),
                                        ("resynthesised", 320.0)])  # fmt: skip
def test_the_note_that_is_asked_for_sounds_at_its_length_and_loudness(voice, way: str, hertz: float) -> None:
    made = sustained(voice, np.full(2 * RATE, hertz), PLAIN, random(), way)
    assert len(made) == 2 * RATE and np.isfinite(made).all()
    assert pitch(made[4000:]) == pytest.approx(hertz, rel=0.015)
    assert np.sqrt(np.mean(made**2)) == pytest.approx(1.0)
    loud = np.sqrt(np.mean(made[: RATE // 4 * 8].reshape(8, -1) ** 2, axis=1))
    assert loud.min() > 0.6 and loud.max() < 1.6, "it neither fades nor swells by itself"


def test_a_high_note_is_sung_at_its_pitch(voice: SteadyVoice) -> None:
    made = sustained(voice, np.full(RATE, 600.0), PLAIN, random(), "resynthesised")
    spectrum = np.abs(np.fft.rfft(made * np.hanning(RATE)))
    peaks = np.flatnonzero(spectrum > 0.05 * spectrum.max())
    assert np.all(np.abs(peaks - 600 * np.rint(peaks / 600)) <= 4), "there is nothing between the harmonics"


@pytest.mark.parametrize("way", ["looped", "resynthesised"])
def test_a_held_vowel_keeps_its_first_formant(voice: SteadyVoice, way: str) -> None:
    made = sustained(voice, np.full(RATE, 190.0), PLAIN, random(), way)
    found = np.nanmedian(first_formants(made, np.linspace(0.2, 0.8, 12)))
    assert found == pytest.approx(FORMANTS[0], rel=0.2)


@pytest.mark.parametrize("way", ["looped", "resynthesised"])
def test_a_held_vowel_does_not_repeat_itself(voice: SteadyVoice, way: str) -> None:
    colour = Colour(breath_db=-25.0)
    made = sustained(voice, np.full(RATE, 160.0), colour, random(), way)
    again = sustained(voice, np.full(RATE, 160.0), colour, random(), way)
    other = sustained(voice, np.full(RATE, 160.0), colour, random(1), way)
    assert (made == again).all() and not np.allclose(made, other)
    first, second = made[2000:6000], made[9000:13000]
    assert max(float(first[k : k + 3800] @ second[:3800]) for k in range(120)) < 0.999 * float(
        first[:3800] @ first[:3800]
    )


def test_only_the_two_ways_are_known(voice: SteadyVoice) -> None:
    with pytest.raises(ValueError, match="no way 'hummed'"):
        sustained(voice, np.full(RATE, 160.0), PLAIN, random(), "hummed")


def test_a_looped_noise_keeps_its_spectrum_and_has_no_period() -> None:
    noise = np.diff(random().standard_normal(1601))
    made = looped_noise(noise, 2 * RATE, random(1))
    assert len(made) == 2 * RATE and made.std() == pytest.approx(noise.std(), rel=0.1)
    spectrum = np.abs(np.fft.rfft(made)) ** 2
    lags = np.fft.irfft(np.abs(np.fft.rfft(made, 4 * RATE)) ** 2)[:RATE]
    assert np.abs(lags[200:]).max() < 0.1 * lags[0]
    assert spectrum[-RATE // 4 :].mean() > 3 * spectrum[: RATE // 4].mean(), "a bright noise stays bright"
    assert len(looped_noise(np.ones(3), 100, random())) == 100
    with pytest.raises(ValueError, match="no noise"):
        looped_noise(np.zeros(0), 100, random())


def test_a_walk_stays_within_its_places_and_reaches_them_all() -> None:
    places = wander(4000, 7, 0.4, random())
    assert places.min() >= 0 and places.max() <= 6 and np.abs(np.diff(places)).max() < 2.5
    assert set(np.rint(places).astype(int)) == set(range(7)) and not wander(9, 1, 0.4, random()).any()


@pytest.mark.parametrize("kind", list(KINDS))
def test_tunes_are_as_long_as_they_should_be_and_sung_ones_lie_in_their_range(kind: str) -> None:
    for seed in range(12):
        for own in (90.0, 180.0, 300.0):
            tune = draw_tune(kind, 2.5, own, random(seed))
            assert len(tune.pitch) == len(tune.gain) == round(2.5 * RATE)
            assert tune.gain.max() == pytest.approx(0) and tune.gain.min() > -25
            if kind != "spoken":
                assert SUNG_PITCHES[0] - 1e-6 <= tune.pitch.min() and tune.pitch.max() <= SUNG_PITCHES[1] + 1e-6
            assert np.abs(np.diff(np.log2(tune.pitch))).max() < 0.002, "a voice slides, it does not jump"


def test_a_note_is_steady_but_for_its_vibrato_and_a_scale_has_several() -> None:
    with_vibrato = 0
    for seed in range(12):
        octaves = np.log2(draw_tune("note", 4.0, 160.0, random(seed)).pitch[RATE:])
        assert np.ptp(octaves) < 0.16
        slow = octaves - np.convolve(octaves, np.ones(RATE // 2) / (RATE // 2), "same")
        spectrum = np.abs(np.fft.rfft(slow[RATE // 2 : -RATE // 2] * np.hanning(len(slow) - RATE)))
        hertz = spectrum.argmax() * RATE / (len(slow) - RATE)
        with_vibrato += bool(slow[RATE // 2 : -RATE // 2].std() > 0.007 and 4.0 <= hertz <= 7.0)
        scale = np.log2(draw_tune("scale", 4.0, 160.0, random(seed)).pitch)
        assert np.ptp(scale) > 2.5 / 12
    assert 3 <= with_vibrato <= 11
    with pytest.raises(ValueError, match="no tune of kind 'opera'"):
        draw_tune("opera", 1.0, 160.0, random())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", ["looped", "resynthesised"])
def test_a_held_vowel_lasts_as_long_as_asked(recording: Recording, place: str, way: str) -> None:
    made = held_sound(recording, VOWEL, HeldPlan(place, "note", 1.5, way=way), FPS, random(3))
    assert made is not None and len(made.holds) == 1
    start, end, label = made.holds[0]
    extra = 0.0 if place == ALONE else 0.25 * (0.3 if place == AFTER else 0.58)  # what is left of the recorded vowel
    assert label == "aa" and end - start == pytest.approx(1.5 + extra, abs=0.025)
    assert made.samples.dtype == np.float32 and np.abs(made.samples).max() <= 0.95 + 1e-6
    assert pitch(made.samples[round((start + 0.2) * RATE) : round((end - 0.2) * RATE)]) > 0, "it is voiced"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seed", range(4))
def test_nothing_clicks_where_a_held_vowel_begins_and_ends(place: str, seed: int) -> None:
    """A voice without high harmonics, so that a jump of the samples stands out."""
    times = np.arange(round(0.8 * RATE)) / RATE
    tones = 0.1 * sum(np.sin(2 * np.pi * 150 * k * times + k) / k for k in (1, 2, 3))
    eased = tones * np.clip(times / 0.05, 0, 1) * np.clip((0.8 - times) / 0.05, 0, 1)
    smooth = Recording(eased.astype(np.float32), ((0.0, 0.25, "iy"), (0.25, 0.55, "aa"), (0.55, 0.8, "iy")))
    made = held_sound(
        smooth, 1, HeldPlan(place, "spoken", 1.0, breath_db=-90.0, way="resynthesised"), FPS, random(seed)
    )
    assert made is not None
    start, end, _ = made.holds[0]
    bends = np.abs(np.diff(made.samples.astype(float), 2))
    inside = bends[round((start + 0.3) * RATE) : round((end - 0.3) * RATE)].max()
    assert bends.max() < 1.6 * max(inside, np.abs(np.diff(eased, 2)).max() if place != ALONE else 0.0)


def test_a_held_vowel_is_in_step_with_the_recording_where_they_join() -> None:
    """Out of step the two would cancel each other in the cross-fade."""
    times = np.arange(round(0.8 * RATE)) / RATE
    tone = Recording((0.2 * np.sin(2 * np.pi * 150 * times)).astype(np.float32), ((0.0, 0.8, "aa"),))
    for seed in range(8):
        start = 0.25 + 0.001 * seed
        phones = ((0.0, start, "iy"), (start, 0.55, "aa"), (0.55, 0.8, "iy"))
        plan = HeldPlan(WITHIN, "spoken", 1.0, breath_db=-90.0, way="resynthesised")
        made = held_sound(replace(tone, phones=phones), 1, plan, FPS, random(seed))
        assert made is not None
        hold, before, after = made.holds[0], MIDDLE[0] * (0.55 - start), (1 - MIDDLE[1]) * (0.55 - start)
        for join in (hold[0] + before + JOIN / 2, hold[1] - after - JOIN / 2):
            around = made.samples[round((join - 0.03) * RATE) : round((join + 0.03) * RATE)]
            loud = np.sqrt(np.convolve(around**2, np.ones(107) / 107, "valid"))  # over one period
            assert loud.min() > 0.9 * min(loud[0], loud[-1]), "nothing is cancelled"


@pytest.mark.parametrize("place", PLACES)
def test_phones_and_sound_of_a_held_vowel_are_in_step(recording: Recording, place: str) -> None:
    made = held_sound(recording, VOWEL, HeldPlan(place, "spoken", 1.0), FPS, random(1))
    assert made is not None
    ends = [end for _, end, _ in made.phones]
    assert [start for start, _, _ in made.phones] == pytest.approx([0.0, *ends[:-1]])
    assert ends[-1] == pytest.approx(len(made.samples) / RATE, abs=1e-3)
    assert len(made.effort) == round(len(made.samples) / RATE * FPS)
    labels = [label for _, _, label in made.phones]
    assert labels == {ALONE: ["sil", "aa", "sil"], AFTER: ["sil", "m", "aa", "sil"],
                      WITHIN: ["sil", "m", "aa", "s", "iy", "sil"]}[place]  # fmt: skip
    if place == WITHIN:
        start, end, _ = made.phones[3]
        hiss = made.samples[round(start * RATE) : round(end * RATE)]
        crossings = np.mean(np.diff(np.sign(hiss)) != 0)
        assert crossings > 0.35, "the fricative sounds where its label says"
    silent = made.samples[round((made.holds[0][1] + 0.02) * RATE) :][: RATE // 10]
    if place != WITHIN:
        assert np.abs(silent).max() < 0.01, "where the label says silence nothing sounds"


def test_hums_and_fricatives_are_held_and_a_short_or_unsteady_phone_is_not(recording: Recording) -> None:
    hum = held_sound(recording, HUM, HeldPlan(ALONE, "note", 1.0), FPS, random())
    hiss = held_sound(recording, FRICATIVE, HeldPlan(ALONE, "note", 1.0), FPS, random())
    assert hum is not None and hum.holds[0][2] == "m" and hiss is not None and hiss.holds[0][2] == "s"
    inside = hiss.samples[round((hiss.holds[0][0] + 0.1) * RATE) :][: RATE // 2]
    assert pitch(inside) == 0
    short = replace(recording, phones=((0.0, 0.45, "sil"), (0.45, 0.5, "aa"), (0.5, 1.4, "sil")))
    assert held_sound(short, 1, HeldPlan(ALONE, "note", 1.0), FPS, random()) is None
    wrong = replace(recording, phones=((0.0, 0.7, "sil"), (0.7, 0.85, "aa"), (0.85, 1.4, "sil")))
    assert held_sound(wrong, 1, HeldPlan(ALONE, "note", 1.0), FPS, random()) is None, "the aligner was wrong"
    for label, start, end in (("s", 0.46, 0.69), ("m", 0.71, 0.84), ("aa", 0.0, 0.29)):
        wrong = replace(recording, phones=((0.0, start, "sil"), (start, end, label)))
        assert held_sound(wrong, 1, HeldPlan(ALONE, "note", 1.0), FPS, random()) is None, f"this is no {label}"
    with pytest.raises(ValueError, match="no place 'on stage'"):
        held_sound(recording, VOWEL, HeldPlan("on stage", "note", 1.0), FPS, random())


def test_a_loud_held_vowel_is_louder_and_brighter(recording: Recording) -> None:
    soft, loud = (
        held_sound(recording, VOWEL, HeldPlan(AFTER, "note", 1.5, effort, way="resynthesised"), FPS, random(2))
        for effort in (-0.8, 0.8)
    )
    assert soft is not None and loud is not None

    def tail(made) -> np.ndarray:
        start, end, _ = made.holds[0]
        return made.samples[round((start + 0.5) * RATE) : round((end - 0.3) * RATE)]

    assert tail(loud).std() > 2.5 * tail(soft).std()
    assert np.diff(tail(loud)).std() / tail(loud).std() > 1.1 * np.diff(tail(soft)).std() / tail(soft).std()
    assert loud.effort[-20] > soft.effort[-20] + 1.0


def gap_of(label: str, geometry: MouthGeometry, effort: float = 0.0, follows: str = "sil") -> tuple[np.ndarray, ...]:
    """(T,) lip opening in millimetres of a phone held from 1 to 3 s, and the times of the frames."""
    phones = [(0.0, 1.0, "sil"), (1.0, 3.0, label), (3.0, 4.0, follows)]
    curves = held_motion(phones, phones[1:2], np.full(4 * FPS, effort), load_visemes(), geometry, FPS)
    assert curves.min() >= 0 and curves.max() <= 1
    return 1000 * np.maximum(curves @ geometry.gap, 0.0), (np.arange(4 * FPS) + 0.5) / FPS


@pytest.mark.parametrize("label", [label for label in LABELS if label in ENGLISH.vowels])
@pytest.mark.parametrize("effort", [-0.8, 0.0, 1.0])
def test_a_held_vowel_opens_the_mouth_as_long_as_it_sounds(label: str, effort: float, geometry) -> None:
    gap, times = gap_of(label, geometry, effort)
    held = gap[(times >= 1.1) & (times < 3.0)]
    assert held.min() >= (6.0 if label in OPEN_VOWELS else 2.5) and held.max() <= 20.5
    assert np.ptp(gap[(times >= 1.3) & (times < 2.8)]) < 0.3, "it is held"
    assert gap[(times < 0.9) | (times >= 3.15)].max() < 0.3, "before and after the mouth is closed"


def test_a_held_mouth_opens_wider_for_open_vowels_and_louder_ones(geometry: MouthGeometry) -> None:
    middle = {label: gap_of(label, geometry)[0][60] for label in ("aa", "iy", "uw")}
    assert middle["aa"] > middle["iy"] + 2 and middle["aa"] > middle["uw"] + 2
    soft, loud = (gap_of("aa", geometry, effort)[0][60] for effort in (-0.5, 0.5))
    assert loud > 1.2 * soft
    gap, times = gap_of("aa", geometry, follows="m")
    assert gap[(times >= 3.4) & (times < 3.6)].max() < 0.5, "what follows has its own mouth"


def test_what_stands_before_and_after_a_hold_keeps_its_own_mouth(geometry: MouthGeometry) -> None:
    phones = [
        (0.0, 1.0, "sil"),
        (1.0, 2.0, "aa"),
        (2.0, 2.1, "m"),
        (2.1, 2.4, "aa"),
        (2.4, 3.5, "m"),
        (3.5, 4.0, "sil"),
    ]
    curves = held_motion(phones, [phones[1], phones[4]], np.zeros(120), load_visemes(), geometry, FPS)
    gap, times = 1000 * np.maximum(curves @ geometry.gap, 0.0), (np.arange(120) + 0.5) / FPS
    assert gap[(times >= 2.0) & (times < 2.1)].min() < 0.5 < gap[(times >= 2.1) & (times < 2.4)].max()
    assert gap[(times >= 2.4) & (times < 3.5)].max() < 0.3, "the hum is shut from its first frame on"


def test_a_hum_stays_shut_and_a_held_fricative_stays_as_it_is(geometry: MouthGeometry) -> None:
    assert gap_of("m", geometry)[0].max() < 0.3
    gap, times = gap_of("s", geometry)
    assert np.ptp(gap[(times >= 1.4) & (times < 2.6)]) < 0.5


def source(folder: Path, recording: Recording, held_back: str = "validation") -> Path:
    """Three sentences: two training speakers and one who is held back."""
    speech = folder / "root" / "speech"
    speech.mkdir(parents=True)
    rows = []
    for number, split in enumerate(("train", "train", held_back)):
        write_wav(speech / f"{number}.wav", Waveform(recording.samples))
        rows.append({"file": f"{number}.wav", "speaker": f"s{number}", "split": split, "source": "t", "text": "ma"})
    (speech / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "root"


def test_clips_of_a_corpus(tmp_path: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    root, times = source(tmp_path, recording), [list(phone) for phone in PHONES]
    monkeypatch.setattr(build, "_align_one", lambda job: {"sound": job[1], "phones": times})
    config = replace(
        read_recipe().corpus, held_vowel_clips=7, held_vowel_seconds=(0.5, 1.5), silent_clips=0,
        synthetic_speaker_clips=0,
    )  # fmt: skip
    context = BuildContext(root, tmp_path / "out", config, workers=1)
    build.build_corpus(context, load_head())
    clips, names = read_clips(tmp_path / "out")
    held = [clip for clip in clips if HELD_MARK in clip.name]
    assert len(held) == 7 and {clip.speaker for clip in held} == {"s0", "s1"} and len({clip.name for clip in held}) == 7
    for clip in held:
        assert (clip.kind, clip.split, clip.base) == ("synthesised", "train", "corpus")
        waveform = load_waveform(tmp_path / "out" / clip.sound)
        weights, phones = load_clip(tmp_path / "out", clip)
        assert len(weights) == clip.frames == round(waveform.seconds * FPS)
        longest = np.bincount(phones[phones > 0]).argmax()
        assert ENGLISH.phones[longest] in LABELS
        if ENGLISH.phones[longest] in OPEN_VOWELS:
            assert weights[phones == longest, names.index("jawOpen")].max() > 0.1
    monkeypatch.setattr(held_vowels, "make_held", None)  # no sound is made twice
    build.build_corpus(context, load_head())
    assert [clip for clip in read_clips(tmp_path / "out")[0] if HELD_MARK in clip.name] == held


def test_a_corpus_without_held_vowels_has_none_and_needs_no_styles(tmp_path: Path, recording: Recording) -> None:
    config = read_recipe().corpus
    assert replace(config, held_vowel_clips=0).held_vowel_clips == 0
    root = source(tmp_path, recording)
    table = load_visemes()
    rows = build.read_manifest(root)
    made = held_vowels.held_vowel_clips(
        root, tmp_path, rows, {row["sound"]: list(PHONES) for row in rows}, replace(config, held_vowel_clips=0), table,
        mouth_geometry(load_head(), table.shapes), load_head(), FPS, 1,
    )  # fmt: skip
    assert made == [] and not (tmp_path / "held").exists()
    for wrong in ((2.0, 1.0), (1.0,), (0.0, 1.0)):
        with pytest.raises(ConfigError, match="held_vowel_seconds"):
            replace(config, held_vowel_seconds=wrong)


def test_a_store_that_does_not_say_what_is_held_says_so(tmp_path: Path) -> None:
    from memorytalker.corpus.store import stored_held

    good = {"name": "a", "sound": "x", "phones": [[0, 1, "aa"]], "holds": [[0, 1, "aa"]], "effort": [0.0]}
    empty = {"name": "b", "sound": "", "phones": [], "holds": [], "effort": []}
    store = tmp_path / "held.jsonl"
    store.write_text("".join(json.dumps(entry) + "\n" for entry in (good, empty)))
    assert set(stored_held(store)) == {"a", "b"}
    for wrong in ({"holds": []}, {"phones": [[1, 0, "aa"]]}, {"effort": ["loud"]}, {"holds": [[0, 1, "xx"]]}):
        store.write_text(json.dumps({**good, **wrong}) + "\n")
        with pytest.raises(CorpusError, match="does not say what 'a' holds; delete it"):
            stored_held(store)


def test_a_name_and_a_seed_give_the_same_sound(tmp_path: Path, recording: Recording) -> None:
    write_wav(tmp_path / "a.wav", Waveform(recording.samples))
    candidates = [("a.wav", [[0.7, 0.85, "aa"]], 0), ("a.wav", [list(phone) for phone in PHONES], VOWEL)]
    plan = HeldPlan(ALONE, "note", 1.0)
    found = [
        held_from(tmp_path, candidates, plan, FPS, seed, name)
        for seed, name in ((0, "a"), (0, "a"), (0, "b"), (1, "a"))
    ]
    first, again, other, seeded = (made.samples for _, made in found if made is not None)
    assert np.array_equal(first, again), "and what is not steady is passed over"
    assert not np.array_equal(first, other) and not np.array_equal(first, seeded)
    assert held_from(tmp_path, candidates[:1], plan, FPS, 0, "a") == ("", None)


def test_only_long_phones_are_held_the_longest_first(recording: Recording) -> None:
    rows = [{"speaker": "s", "sound": "one"}, {"speaker": "s", "sound": "two"}]
    phones = {"one": [(0.0, 0.12, "aa"), (0.12, 0.2, "aa"), (0.2, 0.5, "k")], "two": [(0.0, 0.3, "aa")]}
    assert phones_by_speaker(rows, phones) == {"s": {"aa": [("two", 0), ("one", 0)]}}


def test_plans_lie_in_their_ranges_and_consonants_are_not_held_within_a_sentence() -> None:
    plans = [(label, draw_plan(label, (0.5, 10.0), random(seed))) for label in LABELS for seed in range(60)]
    assert all(0.5 <= plan.seconds <= 10.0 for _, plan in plans) and max(plan.seconds for _, plan in plans) > 8
    assert {plan.place for label, plan in plans if label in ("m", "s", "sh")} == {ALONE, AFTER}
    assert {plan.tune for _, plan in plans} == set(KINDS)

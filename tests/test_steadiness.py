"""The figures of held sounds and of cropping, for stub talkers with a known mouth."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from memorytalker.articulation.coarticulation import TimedPhones
from memorytalker.corpus.held_motion import OPEN_VOWELS
from memorytalker.corpus.held_sound import HeldSound
from memorytalker.phones import ENGLISH
from memorytalker.scorecard import cropping, held_sounds
from memorytalker.scorecard.card import read_scorecard
from memorytalker.scorecard.cropping import Crop, compare_crop, crop_figures, cropped, crops_of, figures_of_crops
from memorytalker.scorecard.held_sounds import HeldClip, held_clips, held_figures
from memorytalker.scorecard.mouth import MARKS
from memorytalker.scorecard.synthesised_reference import ReferenceClip
from memorytalker.sound.decode import Waveform, write_wav

CARD, FPS, RATE = read_scorecard(), 30, 16000


class Listener:
    """A talker whose lip opening is a function of the samples of each frame, in metres, and so is its slot's label."""

    def __init__(self, gap, label=lambda frame: "aa") -> None:
        template = np.zeros((len(MARKS), 3), np.float32)
        self.head = SimpleNamespace(template=template, landmarks={name: at for at, name in enumerate(MARKS)})
        self.gap, self.label, self.config = gap, label, SimpleNamespace(fps=FPS)

    def animate(self, waveform: Waveform, style: object = "own") -> SimpleNamespace:
        count = round(len(waveform.samples) / RATE * FPS)
        frames = [waveform.samples[round(i * RATE / FPS) : round((i + 1) * RATE / FPS)] for i in range(count)]
        vertices = np.tile(self.head.template, (count, 1, 1))
        vertices[:, self.head.landmarks["inner_lip_lower"], 1] = [-self.gap(frame) for frame in frames]
        address = np.zeros((count, len(ENGLISH.phones)), np.float32)
        address[np.arange(count), [ENGLISH.index(self.label(frame)) for frame in frames]] = 1.0
        motion = SimpleNamespace(vertices=vertices, at=lambda marks: vertices[:, marks])
        return SimpleNamespace(motion=motion, fps=FPS, memory_address=address, slot_labels=ENGLISH.phones)


def loudness(frame: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(frame)))) if len(frame) else 0.0


def held(label: str, kind: str = "sung, alone", speaker: str = "s") -> HeldClip:
    """A tone from 0.5 to 2.5 s of 3 s."""
    times = np.arange(3 * RATE) / RATE
    samples = 0.3 * np.sin(2 * np.pi * 200 * times) * ((times >= 0.5) & (times < 2.5))
    hold = (0.5, 2.5, label)
    sound = HeldSound(samples.astype(np.float32), ((0, 0.5, "sil"), hold, (2.5, 3, "sil")), (hold,), np.zeros(90))
    return HeldClip(label, kind, speaker, sound)


def figures(talker: Listener, clips: list[HeldClip]) -> dict[str, float]:
    return {figure.name.removeprefix("held vowels: lips more than 5 mm apart"): figure.value
            for figure in held_figures(talker, clips, CARD)}  # fmt: skip


def test_a_mouth_that_follows_the_sound_is_open_and_one_that_stays_shut_is_not() -> None:
    clips = [held(label) for label in (*OPEN_VOWELS, "iy")]
    follows = figures(Listener(lambda frame: 0.012 if loudness(frame) > 0.01 else 0.0), clips)
    assert follows[", least of the open vowels"] == 1.0 and follows[": sung, alone"] == 1.0
    assert np.isnan(follows[": spoken, alone"]) and not any("iy" in name for name in follows)
    shut = held_figures(Listener(lambda frame: 0.0), clips, CARD)
    assert shut[0].value == 0.0 and shut[0].reached is False
    assert shut[0].count == "385 frames, 7 sounds, 1 speakers", "iy need not open"
    assert {figure.count for figure in shut[1:8]} == {"55 frames, 1 sounds, 1 speakers"}  # from 0.6 to 2.45 s


def test_the_worst_vowel_counts_and_what_happens_outside_of_it_does_not() -> None:
    clips = [held("aa"), held("eh")]
    clips[1] = HeldClip("eh", "sung, alone", "t", HeldSound(clips[1].sound.samples, clips[1].sound.phones,
                                                            ((0.5, 1.5, "eh"),), np.zeros(90)))  # fmt: skip
    count = iter(range(10**6))
    opens = Listener(lambda frame: 0.012 if next(count) % 90 < 60 else 0.0)  # the first two seconds
    found = figures(opens, clips)
    assert found[": eh"] == 1.0 and found[": aa"] == pytest.approx(42 / 55) == found[", least of the open vowels"]


def test_loud_frames_on_silence_and_hums_that_open_are_counted() -> None:
    clips = [held("aa"), held("m")]
    quiet = figures(Listener(loudness, lambda frame: "aa" if loudness(frame) > 0.01 else "sil"), clips)
    assert quiet["held sounds: loud voiced frames on the slot of silence"] == 0.0, "quiet frames may rest on it"
    assert quiet["held m: lips less than 1 mm apart"] == 0.0
    silent = held_figures(Listener(lambda frame: 0.0, lambda frame: "sil"), clips, CARD)
    assert silent[-2].value == 1.0 and silent[-2].reached is False and silent[-1].value == 1.0


def test_no_sounds_give_no_figures_that_look_good() -> None:
    assert not any(figure.reached for figure in held_figures(Listener(loudness), [], CARD))
    assert not any(figure.reached for figure in figures_of_crops([], 0, CARD))


def recorded(folder: Path, speaker: str, seconds: float = 1.2) -> ReferenceClip:
    """A voice of 140 Hz that says aa and m, a quarter of a second each, again and again."""
    size = round(seconds * RATE)
    phase = np.cumsum(np.full(size, 140 / RATE))
    pulses = (np.diff(np.floor(phase), prepend=0.0) > 0).astype(float)
    ring = np.exp(-np.pi * 90 * np.arange(500) / RATE) * np.sin(2 * np.pi * 700 * np.arange(500) / RATE)
    samples = np.convolve(pulses, ring)[:size]
    write_wav(folder / f"{speaker}.wav", Waveform((0.3 * samples / np.abs(samples).max()).astype(np.float32)))
    starts = np.arange(0, seconds - 0.25, 0.25)
    labels = [("aa", "m")[at % 2] for at in range(len(starts))]
    phones = TimedPhones.of([(start, start + 0.25, label) for start, label in zip(starts, labels, strict=True)])
    return ReferenceClip(folder / f"{speaker}.wav", speaker, "here", phones, np.zeros((round(30 * seconds), 52)), FPS)


def test_sounds_are_held_in_every_kind_by_different_speakers_and_the_same_every_time(tmp_path: Path) -> None:
    clips = [recorded(tmp_path, name) for name in ("a", "b", "c")]
    made = held_clips(clips, FPS)
    few, again = held_clips(clips, FPS, limit=20), held_clips(clips, FPS, limit=20)
    vowels = [clip for clip in made if clip.label == "aa"]
    assert [(clip.kind, clip.speaker) for clip in few] == [(clip.kind, clip.speaker) for clip in again]
    assert all(np.array_equal(a.sound.samples, b.sound.samples) for a, b in zip(few, again, strict=True))
    assert {clip.kind for clip in vowels} == set(held_sounds.KINDS) and len(vowels) == 4 * held_sounds.EACH
    assert {clip.speaker for clip in vowels} == {"a", "b", "c"}
    for clip in vowels:
        start, end, label = clip.sound.holds[0]
        assert label == "aa" and 1.0 <= end - start <= 5.3
    assert len(few) < len(made)


def song(seconds: float = 9.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 180 * times) * (1.1 + np.sin(2 * np.pi * 1.3 * times)) / 2.1).astype(np.float32)


def test_a_mouth_that_follows_the_sound_is_steady_under_cropping() -> None:
    crops = crops_of(Listener(lambda frame: 0.02 * loudness(frame)), song())
    assert len(crops) == len(cropping.CUTS) and min(crop.correlation for crop in crops) > 0.99
    assert max(crop.distance for crop in crops) < 2e-4  # a frame has 533 or 534 samples
    assert len(crops_of(Listener(loudness), song(4.0))) == 6, "two seconds must be left to compare"


def test_a_mouth_that_depends_on_what_was_cut_off_is_not() -> None:
    whole = Listener(lambda frame: 0.0)
    plain = whole.animate
    seen = []

    def counts(waveform: Waveform, style: object = "own") -> SimpleNamespace:
        animation = plain(waveform)
        size = len(animation.motion.vertices)
        seen.append(size)
        gap = 0.01 * (1 + np.sin(np.arange(size) / 4))
        animation.motion.vertices[:, whole.head.landmarks["inner_lip_lower"], 1] = -gap
        return animation

    whole.animate = counts
    crops = crops_of(whole, song())
    assert min(crop.correlation for crop in crops) < 0 and max(crop.distance for crop in crops) > 0.015
    found = figures_of_crops(crops, 1, CARD)
    assert [figure.reached for figure in found] == [False, False, False] and found[2].value > 15
    assert seen == [270, *(270 - cut for cut in cropping.CUTS)]


def test_the_first_half_second_after_a_cut_is_not_compared() -> None:
    gap = 0.01 * (1 + np.sin(np.arange(120) / 5))
    crop = gap[30:].copy()
    crop[:15] += 0.02
    assert compare_crop(gap, crop, 30, FPS) == Crop(1.0, 0.0)
    crop[15] += 0.004
    late = compare_crop(gap, crop, 30, FPS)
    assert late.distance == pytest.approx(0.004) and late.correlation < 1
    assert compare_crop(gap, gap[29:], 29, FPS).distance == 0.0
    assert compare_crop(0 * gap, 0 * gap[30:], 30, FPS) == Crop(1.0, 0.0)
    assert len(cropped(song(3.0), 3, FPS)) == 3 * RATE - 1600


def test_the_longest_clip_of_every_speaker_is_cropped(tmp_path: Path) -> None:
    clips = [recorded(tmp_path, "a", 1.0), recorded(tmp_path, "b", 2.0), recorded(tmp_path, "b2", 3.0)]
    clips[2] = ReferenceClip(clips[2].sound, "b", "here", clips[2].phones, clips[2].weights, FPS)
    assert [path.stem for path in cropping.long_clips(clips)] == ["b2", "a"]
    assert len(cropping.long_clips(clips, limit=1)) == 1
    names = [figure.name for figure in crop_figures(Listener(loudness), cropping.long_clips(clips[2:]), CARD)]
    assert len(names) == 3 and all(name.startswith("cropping: lip opening") for name in names)

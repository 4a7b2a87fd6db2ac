"""Figures on people in video, for puppets whose mouth is known, and who is judged by which weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from test_evaluation import EYES, Puppet, middles, wave

from memorytalker.articulation.coarticulation import TimedPhones
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.face.motion import FaceCurves
from memorytalker.pipeline import OWN_VOICE
from memorytalker.scorecard import held_out_videos, left_out, people, style_fit, words
from memorytalker.scorecard.card import PeopleGoals, PersonGoals, Scorecard, read_scorecard
from memorytalker.scorecard.goals import Goal, markdown
from memorytalker.scorecard.held_out_videos import Compared, TrackedVideo
from memorytalker.scorecard.people import MouthAgreement, Person
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.styles.recordings import AdaptError, Recording


class Actor(Puppet):
    """A puppet that speaks `own` times as wide in the style of the voice, and `neutral` times in the neutral style."""

    config = "toy"

    def __init__(self, own: float = 1.0, neutral: float = 1.0) -> None:
        super().__init__(wave)
        self.factors = {"own": own, "neutral": neutral}

    def animate(self, sound, style=OWN_VOICE):
        factor = self.factors["neutral" if style is None else "own"]
        self.gap = lambda times: factor * wave(times)
        return super().animate(sound)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    write_wav(tmp_path / "a.wav", Waveform(np.zeros(64000, np.float32)))
    return tmp_path / "a.wav"


def video(sound: Path, scale: float = 1.0, offset: float = 0.0) -> TrackedVideo:
    """What a camera sees of a face that moves `scale` times like `wave`: eye distances, with a tracker's offset."""
    gap = scale * wave(middles(100, 25)) / EYES
    return TrackedVideo(sound, 25.0, gap + offset, 0.3 + gap, 1.0 + gap)


def test_a_face_that_does_as_the_film_gets_full_marks_in_both_styles(sound: Path) -> None:
    person = people.compare_person(Actor(), "p", [video(sound), video(sound)])
    assert (person.clips, person.frames) == (2, 200)
    for values in (person.own, person.neutral):
        assert dataclasses.astuple(values)[:4] == pytest.approx((1, 1, 1, 1), abs=1e-3)
        assert values.gap_error < 1e-3
    assert person.change == pytest.approx(0, abs=1e-9)


def test_amplitude_is_a_ratio_of_movement_and_error_counts_the_offset(sound: Path) -> None:
    """Half as wide: ratio 1/2, correlation 1. An offset of the tracker changes the error alone."""
    person = people.compare_person(Actor(own=0.5), "p", [video(sound)])
    plain = person.own
    assert person.neutral.gap_amplitude == pytest.approx(1, abs=2e-3), "the neutral style is not that of the voice"
    assert (plain.gap, plain.gap_amplitude, plain.width_amplitude) == pytest.approx((1, 0.5, 0.5), abs=2e-3)
    film = wave(middles(100, 25)) / EYES
    assert plain.gap_error == pytest.approx(0.5 * np.sqrt(np.mean(film**2)), rel=0.01)
    shifted = people.compare_person(Actor(0.5), "p", [video(sound, offset=0.01)]).own
    assert shifted.gap_amplitude == pytest.approx(plain.gap_amplitude)
    assert shifted.gap_residual == pytest.approx(plain.gap_residual) == pytest.approx(0.5 * np.std(film), rel=0.01)
    assert shifted.gap_error == pytest.approx(np.sqrt(np.mean((0.5 * film + 0.01) ** 2)), rel=0.01)


def test_clips_are_pooled_by_power_and_people_alike(sound: Path) -> None:
    """Clips that move 1 and 3 times as much: r.m.s. sqrt(5), not the mean of the ratios; people count once each."""
    person = people.compare_person(Actor(), "p", [video(sound, 1.0), video(sound, 3.0)])
    assert person.own.gap_amplitude == pytest.approx(1 / np.sqrt(5), rel=0.01)
    many = people.compare_person(Actor(), "q", [video(sound)] * 5)
    mean = people.average([person, many], lambda one: one.own)
    assert mean.gap_amplitude == pytest.approx((1 / np.sqrt(5) + 1) / 2, rel=0.01)


def test_what_lies_outside_the_speech_does_not_count_while_speaking(sound: Path) -> None:
    """A prediction that is right in speech and wrong before it: correlation 1 while speaking, less over all."""
    speech, before = np.sin(np.arange(15.0)), np.linspace(0, 4, 10)
    phones = TimedPhones.of([(0.0, 0.4, "sil"), (0.4, 0.7, "aa"), (0.7, 1.0, "m")])
    clip = TrackedVideo(sound, 25.0, *3 * [np.concatenate([before, speech])], phones)
    shown = np.concatenate([before[::-1], 0.5 * speech])
    one = Compared(clip, shown, -shown, shown, shown)
    found = people.agreement([one])
    assert found.gap < 0.5 and (found.spoken_gap, found.spoken_width) == pytest.approx((1.0, -1.0))
    silent = dataclasses.replace(one, video=dataclasses.replace(clip, phones=None))
    assert np.isnan(people.agreement([silent]).spoken_gap), "unknown, not 0"
    assert people.agreement([one, silent]).spoken_gap == pytest.approx(1.0)


def made(
    name: str, own: float, neutral: float = 0.04, fitted: float | None = None, adapted: float | None = None
) -> Person:
    """A person with errors of the lip opening."""
    values = [MouthAgreement(0.9, 0.6, 1.0, 0.5, error, 0.02) for error in (own, neutral)]
    tried, learned = (
        None if error is None else people.FittedStyle(MouthAgreement(0.9, 0.6, 1.0, 0.9, error, 0.02), 4, refused)
        for error, refused in ((fitted, 0), (adapted, 1))
    )
    return Person(name, 4, 300, values[0], values[1], tried, "leave-one-person-out", adapted=learned)


def test_what_the_voice_adds_is_told_with_its_interval_and_its_worst_person() -> None:
    group = [made("a", 0.036), made("b", 0.038), made("c", 0.042)]  # -10, -5 and +5 %
    change = people.own_against_neutral(group)
    assert change.value == pytest.approx(-10 / 3) and -10.01 < change.low < change.value < change.high < 5.01
    goals = PeopleGoals(own_voice=Goal(most=-5), own_voice_worst=Goal(most=3))
    figures = {figure.name: figure for figure in people.people_figures(group, goals)}
    told = figures["people: error of lip opening, own voice against neutral in %"]
    assert told.interval == (change.low, change.high) and told.reached is False
    worst = figures["people: the same, worst person (c)"]
    assert worst.value == pytest.approx(5) and worst.reached is False
    assert not np.isfinite(people.own_against_neutral(group[:1]).low), "one person gives no interval"
    assert people.people_figures([], goals) == [] and "3 people, 12 clips, 900 video frames" in told_count(figures)


def told_count(figures: dict) -> str:
    return figures["people: lip width, mean correlation with video"].count


def test_a_persons_goals_and_learned_styles_are_in_the_table() -> None:
    """The goals are of what `adapt` learns; slot weights alone are told beside it."""
    goals = PersonGoals("b", width=Goal(least=0.7), fitted_error=Goal(most=-25), fitted_width=Goal(0.8, 1.2))
    group = [made("a", 0.04), made("b", 0.04, fitted=0.036, adapted=0.028)]
    figures = {figure.name: figure for figure in people.people_figures(group, PeopleGoals((goals,)))}
    how = "people, b: slot weights fitted on half of the clips, on the other half"
    slots = figures[f"{how}: error against neutral in %"]
    assert slots.value == pytest.approx(-10) and slots.goal is None and slots.count == "4 clips"
    how = "people, b: style that `adapt` learns from half of the clips, on the other half"
    assert figures[f"{how}: error against neutral in %"].count == "4 clips; 1 of 2 halves refused"
    assert figures["people, b: lip width, mean correlation with video"].reached is False
    assert figures["people, a: lip width, mean correlation with video"].goal is None
    assert figures[f"{how}: error against neutral in %"].value == pytest.approx(-30)
    assert figures[f"{how}: error against neutral in %"].reached is True
    assert figures[f"{how}: lip width, amplitude ratio to video"].reached is True
    assert "-30.000" in markdown(list(figures.values()))
    lines = people.people_table(group).splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == [
        "neutral", "own voice", "neutral", "own voice", "slot weights fitted", "adapted", "neutral", "own voice",
    ]  # fmt: skip
    assert "-10.0 %" in lines[6] and "-30.0 %" in lines[7] and len({line.count("|") for line in lines}) == 1
    rows = {row.name: row.value for row in people.person_rows(group)}
    assert rows["b, adapted style: gap_error"] == 0.028 and rows["a, neutral: width"] == 0.6
    assert rows["b, fitted style: gap_error"] == 0.036


class Pupil(Actor):
    """An actor that moves half as much as the film, until it has learned from recordings; it notes what it was asked.

    Args:
        refusing: numbers of the lessons that it refuses.
    """

    def __init__(self, refusing: tuple[int, ...] = ()) -> None:
        super().__init__(own=1.0, neutral=0.5)
        self.refusing, self.lessons, self.shown = refusing, [], []

    def adapt(self, recordings, progress=None):
        self.lessons.append([one.name for one in recordings])
        if len(self.lessons) - 1 in self.refusing:
            raise AdaptError("Give more.")
        return f"lesson {len(self.lessons) - 1}"

    def animate(self, sound, style=OWN_VOICE):
        self.shown.append(style)
        return super().animate(sound, style)


def test_a_learned_style_is_judged_on_what_it_was_not_learned_from(sound: Path) -> None:
    clips = [video(sound) for _ in range(5)]
    curves = FaceCurves(np.zeros((10, 1), np.float32), ("jawOpen",), 30.0)
    recordings = [Recording(f"r{n}", curves, Waveform(np.zeros(64000, np.float32))) for n in range(5)]
    pupil = Pupil()
    found = style_fit.adapted_halves(pupil, clips, recordings)
    assert pupil.lessons == [["r0", "r2", "r4"], ["r1", "r3"]] and pupil.shown == ["lesson 0"] * 2 + ["lesson 1"] * 3
    assert found is not None and (found.clips, found.refused) == (5, 0)
    assert found.agreement.gap_amplitude == pytest.approx(1, abs=2e-3)
    pupil = Pupil(refusing=(1,))
    found = style_fit.adapted_halves(pupil, clips, recordings)
    assert pupil.shown == ["lesson 0"] * 2 + [None] * 3, "the neutral style is what one has after a refusal"
    assert found is not None and found.refused == 1 and 0.5 < found.agreement.gap_amplitude < 1
    assert style_fit.adapted_halves(Pupil(refusing=(0, 1)), clips, recordings) is None


@pytest.fixture
def folders(tmp_path: Path, monkeypatch) -> Path:
    """A folder of folds with that of "b" alone; every person has three clips in video."""
    curves = (25.0, np.zeros(3), np.zeros(3), np.zeros(3))
    monkeypatch.setattr(
        held_out_videos, "video_openings", lambda root, which: {f"{which[0]}{n}": curves for n in range(3)}
    )
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "config.json").write_text("{}")
    return tmp_path


def test_nobody_is_judged_by_weights_that_saw_them(folders: Path) -> None:
    card = Scorecard(people=PeopleGoals(tuple(PersonGoals(name) for name in "abcd")))
    known = [
        CaptureSource("a", "landmarks"),
        CaptureSource("b", "landmarks", held_out_last=1),
        CaptureSource("c", "landmarks", train=False),
    ]  # and "d" is in no recipe
    group = left_out.left_out_people(folders, card, known, folders)
    assert [(one.source.folder, one.fold) for one in group] == [("b", folders / "b"), ("c", None), ("d", None)]
    assert all(len(one.videos) == 3 for one in group), "all clips count, since none were trained on"
    assert [one.source.folder for one in left_out.left_out_people(folders, card, known, folders / "x")] == ["c", "d"]
    (folders / "a+b").mkdir()
    (folders / "a+b" / "config.json").write_text("{}")
    group = left_out.left_out_people(folders, card, known, folders)
    own = [("a", folders / "a+b"), ("b", folders / "b"), ("c", None), ("d", None)]
    assert [(one.source.folder, one.fold) for one in group] == own, "alone is preferred to together"


def test_everybody_is_judged_by_their_own_weights(folders: Path, sound: Path, monkeypatch) -> None:
    asked = []

    def fold_talker(folder: Path, shared: Path, device: str | None) -> Actor:
        asked.append((folder, shared, device))
        return Actor(0.5)

    monkeypatch.setattr(left_out, "fold_talker", fold_talker)
    clips = tuple(video(sound) for _ in range(3))
    source = CaptureSource("b", "landmarks", train=False)
    group = [
        left_out.LeftOutPerson(source, clips, folders / "b"),
        left_out.LeftOutPerson(dataclasses.replace(source, folder="c"), clips, None),
    ]
    found = list(left_out.measure_people(Actor(), Path("open"), group, "cpu"))
    assert asked == [(folders / "b", Path("open"), "cpu")]
    assert [one.judged_by for one in found] == [left_out.BY_FOLD, left_out.BY_HELD_OUT]
    assert [one.own.gap_amplitude for one in found] == pytest.approx([0.5, 1.0], abs=2e-3)
    assert [one.fitted for one in found] == [None, None], "three clips are too few for a fit"
    monkeypatch.setattr(Actor, "config", "newer")
    judged = Actor()
    judged.config = "toy"
    with pytest.raises(EvaluationError, match="b is another network than open; make it again with train folds, or"):
        list(left_out.measure_people(judged, Path("open"), group, "cpu"))


def test_the_shipped_scorecard_names_its_people() -> None:
    named = [goals.folder for goals in read_scorecard().people.videos]
    assert named == ["grid_s4", "grid_s26", "grid_s2", "grid_s23", "grid_s30"]


def said(labels: str, film: list[float], predicted: list[float]) -> Compared:
    """A clip of 0.2 s phones whose mouth is that of the phone throughout, at 25 fps; its opening is twice its width."""
    phones = TimedPhones.of([(0.2 * n, 0.2 * (n + 1), label) for n, label in enumerate(labels.split())])
    filmed, shown = np.repeat(film, 5), np.repeat(predicted, 5)
    clip = TrackedVideo(Path("a.wav"), 25.0, 2 * filmed, filmed, filmed, phones)
    return Compared(clip, 2 * shown, shown, shown, shown)


def test_words_are_compared_with_the_film_by_their_vowels() -> None:
    """uw of "two" 0.3 narrower than iy of "three" in the film and half as much in the prediction; "six", no "at"."""
    clip = said("sil t uw th r iy s ih k s", [9, 9, 0.1, 9, 9, 0.4, 9, 0.2, 9, 9], [5, 5, 0.2, 5, 5, 0.35, 5, 1, 5, 5])
    found = words.word_contrast([clip, dataclasses.replace(clip, video=dataclasses.replace(clip.video, phones=None))])
    assert found.width == pytest.approx((-0.15, -0.3)) and found.gap is None
    both = words.word_contrast([clip, said("ae t", [0.5, 9], [0.6, 9])])
    assert both.gap == pytest.approx((2 * (0.6 - 1), 2 * (0.5 - 0.2)))
    assert words.share_of_film([found.width, None, (-0.05, -0.1)]) == pytest.approx(0.5)
    assert np.isnan(words.share_of_film([None])) and np.isnan(words.share_of_film([]))


def test_words_are_in_the_table_with_their_goal() -> None:
    one = dataclasses.replace(made("a", 0.04), words=words.WordContrast((-0.02, -0.04), None))
    other = dataclasses.replace(made("b", 0.04), words=words.WordContrast((-0.03, 0.0), None))
    figures = {
        figure.name: figure for figure in people.people_figures([one, other], PeopleGoals(word_width=Goal(0.8, 1.2)))
    }
    width = figures["people: lip width of two blue soon against three green please, as a share of that in video"]
    assert width.value == pytest.approx(1.25) and width.reached is False, "the mean over people, not that of ratios"
    assert width.count == "2 people; in video -0.0200 eye distances"
    assert (
        figures["people: lip opening of at again against six please, as a share of that in video"].count == "0 people"
    )

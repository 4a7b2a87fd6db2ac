"""The open model's figures on voices and tracked videos, for stub talkers with a known mouth."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from memorytalker.articulation.coarticulation import TimedPhones
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.face.head import load_head
from memorytalker.scorecard import (
    held_out_videos,
    held_out_voices,
    mouth,
    robustness,
    scorecard,
    speech_modes,
    synthesised_reference,
    unseen_speakers,
)
from memorytalker.scorecard.card import read_scorecard
from memorytalker.scorecard.goals import Figure, Goal, markdown, to_json
from memorytalker.scorecard.mouth import MARKS, Mouth, at_frames, mouth_of, mouth_of_curves
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.training.open_recipe import read_recipe

CARD = read_scorecard()
VIDEOS = {video.folder: video for video in CARD.videos}
SOURCES = {source.folder: source for source in read_recipe().corpus.sources}
FPS, SECONDS = 30, 4.0
FRAMES = round(FPS * SECONDS)
TIMES = [[0.0, 0.5, "sil"], [0.5, 1.0, "aa"], [1.0, 1.1, "b"], [1.1, 1.6, "aa"], [1.6, 1.7, "f"], [1.7, 2.0, "iy"],
         [2.0, 4.0, "sil"]]  # fmt: skip
EYES = 0.1


def phone_at(times: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    inside = np.zeros(len(times), bool)
    for start, end, label in TIMES:
        inside |= (times >= start) & (times < end) & (label in labels)
    return inside


def speaking(times: np.ndarray) -> np.ndarray:
    """Open by a centimetre on vowels, a little on f, closed otherwise."""
    return 0.01 * phone_at(times, ("aa", "iy")) + 0.002 * phone_at(times, ("f",))


def biting(times: np.ndarray) -> np.ndarray:
    """The lower lip a centimetre under the teeth on vowels, at them otherwise."""
    return 0.01 * phone_at(times, ("aa", "iy"))


def middles(frames: int = FRAMES, fps: float = FPS) -> np.ndarray:
    return (np.arange(frames) + 0.5) / fps


class Points:
    """A motion given by its vertices (T, V, 3)."""

    def __init__(self, vertices: np.ndarray) -> None:
        self.vertices = vertices

    def __len__(self) -> int:
        return len(self.vertices)

    def at(self, vertices: list[int] | np.ndarray) -> np.ndarray:
        return self.vertices[:, vertices]


class Puppet:
    """A talker whose lip opening is given as a function of time in metres; the neutral style opens it by `neutral`."""

    def __init__(self, gap=speaking, lip_to_teeth=biting, neutral: float = 1.0) -> None:
        self.gap, self.lip_to_teeth, self.neutral = gap, lip_to_teeth, neutral
        template = np.zeros((len(MARKS) + 2, 3), np.float32)
        template[-2, 0], template[-1, 0] = EYES / 2, -EYES / 2
        names = (*MARKS, "eye_left_outer", "eye_right_outer")
        self.head = SimpleNamespace(
            template=template,
            landmarks={name: index for index, name in enumerate(names)},
            regions={"lips": np.array([0, 1])},
            parts={},
            blendshapes=np.zeros((1, len(template), 3), np.float32),
            blendshape_names=("jawOpen",),
        )
        self.head.blendshapes[0, 1, 1] = -1.0  # the curve is the gap in metres

    def animate(self, sound, style="own") -> SimpleNamespace:
        times = middles()
        vertices = np.tile(self.head.template, (len(times), 1, 1))
        at = self.head.landmarks
        gap = self.gap(times) * (1.0 if style == "own" else self.neutral)
        vertices[:, at["inner_lip_lower"], 1] = -gap
        vertices[:, at["upper_teeth"], 1] = self.lip_to_teeth(times) - gap
        vertices[:, at["mouth_left"], 0] = 0.03 + gap
        vertices[:, at["chin"], 1] = -0.1 - gap
        return SimpleNamespace(motion=Points(vertices), fps=FPS, style_weights=np.ones(3))


@pytest.fixture
def clip(tmp_path: Path) -> synthesised_reference.ReferenceClip:
    """A clip that is loud where TIMES speaks and silent elsewhere; its true motion is what `speaking` does."""
    times = np.arange(round(SECONDS * 16000)) / 16000
    loud = 0.3 * np.sin(2 * np.pi * 200 * times) * ~phone_at(times, ("sil",))
    write_wav(tmp_path / "a.wav", Waveform(loud.astype(np.float32)))
    weights = speaking(middles())[:, None]
    return synthesised_reference.ReferenceClip(tmp_path / "a.wav", "s", "here", TimedPhones.of(TIMES), weights, FPS)


def contacts(talker: Puppet, clip: synthesised_reference.ReferenceClip) -> list[float]:
    return [figure.value for figure in held_out_voices.contact_figures([held_out_voices.predict(talker, clip)], CARD)]


def test_a_mouth_that_does_right_gets_full_marks(clip: synthesised_reference.ReferenceClip) -> None:
    assert contacts(Puppet(), clip) == [1.0, 1.0, 1.0, 1.0]
    assert held_out_voices.timing_figure([held_out_voices.predict(Puppet(), clip)], CARD).value == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize("gap", [lambda times: speaking(times) + 0.002, lambda times: np.zeros_like(times)])
def test_a_mouth_that_never_closes_and_one_that_never_opens_get_none(
    clip: synthesised_reference.ReferenceClip, gap
) -> None:
    assert contacts(Puppet(gap, lambda times: 0 * times), clip) == [0.0, 0.0, 0.0, 0.0]


def test_a_lower_lip_that_keeps_away_from_the_teeth_meets_none(clip: synthesised_reference.ReferenceClip) -> None:
    assert contacts(Puppet(lip_to_teeth=lambda times: biting(times) + 0.0015), clip)[1] == 0.0


def test_a_mouth_that_moves_where_the_aligner_was_wrong_counts_in_quiet_frames_alone(
    clip: synthesised_reference.ReferenceClip,
) -> None:
    wrong = [[0.0, 1.5, "sil"], *TIMES[3:]]  # half a second of vowel and a b are called silence

    late = synthesised_reference.ReferenceClip(clip.sound, "s", "here", TimedPhones.of(wrong), clip.weights, FPS)
    _, _, aligned, quiet = contacts(Puppet(), late)
    assert aligned < 0.9 and quiet == 1.0


def test_lateness_is_measured_in_milliseconds(clip: synthesised_reference.ReferenceClip) -> None:
    late = Puppet(lambda times: speaking(times - 2 / FPS))
    assert held_out_voices.timing_figure([held_out_voices.predict(late, clip)], CARD).value == pytest.approx(
        2000 / FPS, abs=3
    )


def test_quiet_is_relative_to_the_speech_of_the_clip(clip: synthesised_reference.ReferenceClip) -> None:
    from memorytalker.sound.decode import load_waveform

    samples = load_waveform(clip.sound).samples
    quiet = held_out_voices.quiet_frames(samples, FRAMES, FPS)
    silent = phone_at(middles(), ("sil",))
    assert quiet[:14].all() and quiet[62:].all() and not quiet[~silent].any()
    assert (held_out_voices.quiet_frames(samples / 100, FRAMES, FPS) == quiet).all()


def test_both_styles_are_measured_against_the_true_motion(clip: synthesised_reference.ReferenceClip) -> None:
    predicted = held_out_voices.predict(Puppet(neutral=0.5), clip)
    assert predicted.own.gap == pytest.approx(predicted.true.gap, abs=1e-7)
    assert predicted.neutral.gap == pytest.approx(predicted.true.gap / 2, abs=1e-7)
    assert predicted.own_error == pytest.approx(0, abs=1e-12)
    assert predicted.neutral_error == pytest.approx(np.mean((speaking(middles()) / 2) ** 2), rel=1e-4)


def test_frames_that_do_not_match_are_refused(clip: synthesised_reference.ReferenceClip) -> None:
    longer = synthesised_reference.ReferenceClip(clip.sound, "s", "here", clip.phones, np.zeros((FRAMES + 2, 1)), FPS)
    with pytest.raises(EvaluationError, match="only a model at 30 fps"):
        held_out_voices.predict(Puppet(), longer)


def unseen(
    clip: synthesised_reference.ReferenceClip, speaker: str, size: float, own: float, neutral: float, style
) -> held_out_voices.PredictedClip:
    """A speaker who opens `size` times as wide as `speaking`, predicted `own` and `neutral` times as wide."""

    def a_mouth(factor: float) -> Mouth:
        gap = factor * speaking(middles())
        return Mouth(FPS, gap, gap, gap, gap)

    renamed = synthesised_reference.ReferenceClip(clip.sound, speaker, "here", clip.phones, clip.weights, FPS)
    error, other = (size - own) ** 2, (size - neutral) ** 2
    mouths = a_mouth(own), a_mouth(neutral), a_mouth(size)
    return held_out_voices.PredictedClip(renamed, *mouths, error, other, np.asarray(style), np.ones(FRAMES, bool))


def test_unseen_speakers_are_compared_speaker_by_speaker(clip: synthesised_reference.ReferenceClip) -> None:
    people = [unseen(clip, name, size, 1 + (size - 1) / 2, 1.0, [size, 0])
              for name, size in (("a", 0.5), ("b", 1.5), ("c", 2.0)) for _ in range(2)]  # fmt: skip
    figures = {figure.name: figure for figure in unseen_speakers.unseen_speaker_figures(people, CARD)}
    less = figures["unseen speakers: LVE reduction by the style in %"]
    assert less.value == pytest.approx(75) and less.interval == pytest.approx((75, 75)) and less.reached
    assert figures["unseen speakers: mean lip opening, correlation with true"].value == pytest.approx(1)
    assert figures["unseen speakers: mean lip opening in the neutral style, correlation with true"].value == 0
    assert figures["style weights: nearest other clip is the same speaker's"].value == 1
    assert figures["style weights: nearest other clip, by chance"].value == pytest.approx(0.2)


def test_the_same_model_twice_lowers_nothing() -> None:
    errors = np.array([1.0, 2.0, 5.0])
    assert vars(unseen_speakers.relative_reduction(errors, errors)) == {
        "value": 0.0,
        "low": 0.0,
        "high": 0.0,
        "clips": 3,
    }
    assert unseen_speakers.relative_reduction(np.array([1.0, 2.0, 3.0]), errors).value == pytest.approx(1 - 6 / 8)


def wave(times: np.ndarray) -> np.ndarray:
    return 0.005 + 0.004 * np.sin(2 * np.pi * 0.9 * times) + 0.001 * np.sin(2 * np.pi * 2.3 * times)


def tracked(
    clip: synthesised_reference.ReferenceClip, delay: float = 0.0, scale: float = 1.0
) -> held_out_videos.TrackedVideo:
    """What a camera sees of a puppet that moves like `wave`, at 25 fps in eye distances."""
    gap = wave(middles(100, 25) + delay) / scale
    return held_out_videos.TrackedVideo(clip.sound, 25.0, gap / EYES, (0.03 + gap) / EYES, (0.1 + gap) / EYES)


def test_a_face_against_its_own_video(clip: synthesised_reference.ReferenceClip) -> None:
    compared = held_out_videos.compare_videos(Puppet(wave), [tracked(clip)], "grid_s1")
    figures_of_folder = held_out_videos.face_figures(VIDEOS["grid_s1"], compared, CARD)
    figures = {figure.name.removeprefix("grid_s1: "): figure for figure in figures_of_folder}
    for what in ("lip opening", "lip width", "jaw"):
        assert figures[f"{what}, median correlation with video"].value == pytest.approx(1.0, abs=1e-4)
    assert figures["timing: median lag behind video in ms"].value == pytest.approx(0, abs=0.5)
    assert figures["jitter: lip acceleration ratio to video"].value == pytest.approx(1, abs=0.02)
    assert figures["lip opening, median amplitude ratio to video"].value == pytest.approx(1, abs=1e-3)
    assert all(figure.reached is not False for figure in figures.values())


def test_a_late_small_face_against_video(clip: synthesised_reference.ReferenceClip) -> None:
    compared = held_out_videos.compare_videos(Puppet(wave), [tracked(clip, delay=0.12, scale=0.5)], "grid_s1")
    figures_of_folder = held_out_videos.face_figures(VIDEOS["grid_s1"], compared, CARD)
    figures = {figure.name.removeprefix("grid_s1: "): figure.value for figure in figures_of_folder}
    assert figures["lip opening, median amplitude ratio to video"] == pytest.approx(0.5, rel=0.02)
    assert figures["jitter: lip acceleration ratio to video"] == pytest.approx(0.5, rel=0.05)
    assert figures["timing: median lag behind video in ms"] == pytest.approx(120, abs=15)
    assert figures["lip opening, median correlation with video"] < 0.9


def test_only_what_was_kept_out_of_training_is_compared(tmp_path: Path, monkeypatch) -> None:
    curves = (25.0, np.zeros(3), np.zeros(3), np.zeros(3))
    monkeypatch.setattr(held_out_videos, "video_openings", lambda root, which: {f"clip{n}": curves for n in range(100)})
    names = [one.sound.stem for one in held_out_videos.tracked_videos(tmp_path, SOURCES["grid_s1"])]
    assert names == [f"clip{n}" for n in range(9, 100)]
    assert len(held_out_videos.tracked_videos(tmp_path, dataclasses.replace(SOURCES["grid_s4"], train=False))) == 100
    assert len(held_out_videos.tracked_videos(tmp_path, SOURCES["grid_s1"], limit=7)) == 7


def test_what_changes_nothing_costs_nothing(clip: synthesised_reference.ReferenceClip) -> None:
    clean = held_out_videos.compare_videos(Puppet(wave), [tracked(clip)], "grid_s1")
    kinds = {"nothing": {"a": lambda samples, random: samples, "b": lambda samples, random: 0 * samples}, "none": {}}
    figures = robustness.condition_figures(Puppet(wave), clean, kinds, CARD)
    assert [figure.value for figure in figures] == [0.0, 0.0, 0.0] and figures[0].reached is True
    assert [figure.reached for figure in figures[1:]] == [None, None]


def test_a_shifted_mouth_costs_the_correlation(clip: synthesised_reference.ReferenceClip) -> None:
    clean = held_out_videos.compare_video(Puppet(wave), tracked(clip), Waveform(np.zeros(64000, np.float32)))
    lost = robustness.drop(Puppet(lambda times: wave(times + 0.5)), clean, lambda samples, random: samples, "a")
    assert lost > 0.5


def test_robustness_needs_noises_and_rooms(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="noise/noise and noise/room"):
        robustness.conditions(tmp_path)


def test_noises_of_training_are_not_measured(shared: Path) -> None:
    from memorytalker.corpus.augmentation import training_noises, training_rooms

    kinds = robustness.conditions(shared)
    used = {name for recordings in kinds.values() for name in recordings}
    assert not used & {path.stem for path in (*training_noises(shared), *training_rooms(shared))}
    assert [len(recordings) for recordings in kinds.values()] == [1, 6, 4]


def test_steady_jittery_and_frozen_mouths_are_told_apart() -> None:
    plain = [wave(middles()), wave(middles() + 1)]
    same, jitter, frozen = (
        [figure.value for figure in speech_modes.steadiness("x", plain, gaps, CARD)]
        for gaps in (plain, [gap + 0.002 * (-1) ** np.arange(FRAMES) for gap in plain], [0.1 * gap for gap in plain])
    )
    assert same == [1, 1, 1]
    assert jitter[0] > 2 and jitter[2] == 0
    assert frozen[1] == pytest.approx(0.1) and frozen[2] == 0


def test_simulations_keep_their_time(voice) -> None:
    samples = voice(1.0)
    for name, imitate in speech_modes.IMITATIONS.items():
        made = imitate(samples)
        assert made.dtype == np.float32 and np.isfinite(made).all() and np.abs(made).max() <= 1, name
        assert len(made) == len(samples) * (2 if name == "singing" else 1), name
    assert (speech_modes.whispered(samples) == speech_modes.whispered(samples)).all()


def test_a_whisper_has_no_voice_and_a_song_one_note() -> None:
    from memorytalker.sound.acoustics import pitch

    times = np.arange(32000) / 16000
    turns = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 0.8 * times)) / 16000
    samples = (0.2 * sum(np.sin(k * turns) / k for k in range(1, 12))).astype(np.float32)
    assert pitch(samples) > 0 and pitch(speech_modes.whispered(samples)) == 0
    song = speech_modes.sung(samples)
    notes = [pitch(song[start : start + 16000]) for start in (16000, 32000, 48000)]
    assert max(notes) / min(notes) < 1.06 and notes[0] == pytest.approx(pitch(samples), rel=0.08)


def test_mouth_of_curves_is_that_of_the_vertices() -> None:
    head = load_head()
    weights = np.random.default_rng(0).uniform(0, 0.5, (3, 52))
    mine, other = mouth_of_curves(head, weights, 30), mouth_of(head, Points(head.template + head.offsets(weights)), 30)
    for name in ("gap", "width", "jaw", "lip_to_teeth"):
        assert getattr(mine, name) == pytest.approx(getattr(other, name), abs=1e-6)
    still = mouth_of_curves(head, np.zeros((1, 52)), 30)
    assert still.gap[0] == 0 and still.lip_to_teeth[0] == 0
    jaw = np.eye(52)[[head.blendshape_names.index("jawOpen")]]
    assert mouth_of_curves(head, jaw, 30).lip_to_teeth[0] > 0.02 and mouth.eye_distance(head) == pytest.approx(
        0.09, abs=0.03
    )


def test_curves_are_read_at_the_middles_of_frames() -> None:
    assert at_frames(np.arange(30.0), 30, 25, 25) == pytest.approx(np.clip(1.2 * np.arange(25) + 0.1, 0, 29))
    assert at_frames(np.array([2.0]), 30, 3, 25).tolist() == [2, 2, 2]


def test_every_takes_even_steps() -> None:
    assert synthesised_reference.subsample(range(10), 0) == list(range(10)) and synthesised_reference.subsample(
        range(10), 5
    ) == [0, 2, 4, 6, 8]


def test_two_clips_of_every_speaker_are_simulated(clip: synthesised_reference.ReferenceClip) -> None:
    people = [
        synthesised_reference.ReferenceClip(clip.sound, name, "here", clip.phones, clip.weights, FPS)
        for name in "aaaaabc"
    ]
    assert [one.speaker for one in scorecard.imitated(people)] == ["a", "a", "b", "c"]
    assert len(scorecard.imitated(people, 2)) == 2


def test_report_says_what_is_reached() -> None:
    figures = [Figure("a", 0.9, "3 clips", Goal(least=0.85)), Figure("b", 0.5, "3 clips", Goal(least=0.85)),
               Figure("c", 1.0, "3 clips"), Figure("d", -9.0, "", Goal(-17, 17), (-11.0, -7.0)),
               Figure("e", 1.2, "", Goal(0.85, 1.15)), Figure("f", 0.09, "", Goal(most=0.08)),
               Figure("g", float("nan"), "", Goal(most=0.08))]  # fmt: skip
    rows = markdown(figures).splitlines()
    figures_of_folder = [row.split(" | ")[3].strip() for row in rows[2:9]]
    assert figures_of_folder == ["yes", "no", "", "yes", "no", "no", "no"]
    assert "| -9.000 [-11.000, -7.000] | -17 to 17 |" in rows[5] and "| – |" in rows[8]
    assert rows[-1] == "Reached: 2 of 6 goals."
    read = json.loads(to_json(figures))
    assert read[0]["value"] == 0.9 and read[0]["goal"] == {"least": 0.85, "most": None} and read[0]["reached"] is True
    assert read[6]["value"] is None and read[6]["reached"] is False and read[3]["interval"] == [-11, -7]

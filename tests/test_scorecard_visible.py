"""What is seen of single phones, measured: planted mouths get the figures they deserve, on heads and in video."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from memorytalker.articulation.coarticulation import TimedPhones
from memorytalker.face.head import load_head
from memorytalker.scorecard.card import read_scorecard
from memorytalker.scorecard.held_out_voices import PredictedClip
from memorytalker.scorecard.mouth import Mouth
from memorytalker.scorecard.synthesised_reference import ReferenceClip
from memorytalker.scorecard.visible import (
    FILMED_WIDTH_CONTRAST,
    VisibleMouth,
    mean_of,
    phone_means,
    phones_with,
    visible_mouth,
    visible_mouth_of_curves,
)
from memorytalker.scorecard.visible_phones import visible_figures
from memorytalker.scorecard.words import vowel_words

CARD, FPS, EYES = read_scorecard(), 30.0, 0.09
TIMES = [(0.0, 0.5, "sil"), (0.5, 0.7, "uw"), (0.7, 0.8, "f"), (0.8, 1.0, "iy"), (1.0, 1.1, "th"), (1.1, 1.3, "aa"),
         (1.3, 1.4, "v"), (1.4, 1.5, "s"), (1.5, 2.0, "sil")]  # fmt: skip
FRAMES = 60


def on(label: str, value: float) -> np.ndarray:
    """(60,) `value` in the frames that lie wholly in the phones of that label, 0 elsewhere."""
    times = (np.arange(FRAMES) + 0.5) / FPS
    curve = np.zeros(FRAMES)
    for start, end, phone in TIMES:
        if phone == label:
            curve[(times > start + 0.5 / FPS - 1e-6) & (times < end - 0.5 / FPS + 1e-6)] = value
    return curve


def a_mouth(teeth: float = 0.002, under: float = 0.0, rounding: float = 1.0, tongue: float = 0.0) -> VisibleMouth:
    """A mouth that bites on f alone, whose uw is narrower by that share of people's and 5 mm forward."""
    width = 0.05 + on("uw", rounding * FILMED_WIDTH_CONTRAST * EYES)
    gap = on("aa", 0.012) + on("iy", 0.006) + on("s", 0.003) + on("th", 0.003)
    off = np.full(FRAMES, -0.02)
    return VisibleMouth(FPS, on("f", teeth), under + on("v", 0.01), gap, width, on("uw", 0.005),
                        off + on("th", 0.02 + tongue))  # fmt: skip


def predicted(seen: VisibleMouth, speaker: str = "s", truth: VisibleMouth | None = None) -> PredictedClip:
    clip = ReferenceClip(Path("a.wav"), speaker, "here", TimedPhones.of(TIMES), np.zeros((FRAMES, 1)), FPS)
    plain = Mouth(FPS, *(np.zeros(FRAMES) for _ in range(4)))
    return PredictedClip(clip, plain, plain, plain, 0.0, 0.0, np.ones(2), np.ones(FRAMES, bool), seen, truth or seen)


def values(*clips: PredictedClip) -> list[float]:
    return [figure.value for figure in visible_figures(clips, CARD, EYES)]


def test_a_planted_mouth_gets_what_it_does() -> None:
    assert values(predicted(a_mouth())) == pytest.approx([0.5, 1.0, 5.0, 0.5, 0.25, 1.0])


def test_teeth_without_the_lip_and_the_lip_without_teeth_are_no_bite() -> None:
    assert values(predicted(a_mouth(teeth=0.001)))[0] == 0
    assert values(predicted(a_mouth(under=0.002)))[0] == 0
    assert values(predicted(a_mouth(under=-0.002)))[0] == 0, "a lip that covers the teeth"
    assert values(predicted(a_mouth(under=-0.0005)))[0] == 0.5


def test_a_tongue_behind_the_teeth_is_not_seen() -> None:
    assert values(predicted(a_mouth(tongue=-0.002)))[5] == 0 and values(predicted(a_mouth(tongue=-0.0005)))[5] == 1


def test_every_speaker_counts_once_and_the_synthesised_motion_stands_beside() -> None:
    clips = [predicted(a_mouth(rounding=1.0), "a", a_mouth(rounding=0.5)),
             *(predicted(a_mouth(rounding=0.4), "b", a_mouth(rounding=0.5)) for _ in range(3))]  # fmt: skip
    figure = visible_figures(clips, CARD, EYES)[1]
    assert figure.value == pytest.approx(0.7) and figure.goal == CARD.rounding and not figure.reached
    assert figure.count == "8 phones, 2 speakers; the synthesised motion itself 0.500"


def test_a_card_has_its_goals() -> None:
    figures = visible_figures([predicted(a_mouth())], CARD, EYES)
    assert [figure.reached for figure in figures] == [False, True, True, None, None, None]


def test_without_the_phones_there_is_no_figure() -> None:
    silent = predicted(a_mouth())
    silent = PredictedClip(**{**vars(silent), "clip": ReferenceClip(
        Path("a.wav"), "s", "here", TimedPhones.of([(0.0, 2.0, "sil")]), np.zeros((FRAMES, 1)), FPS)})  # fmt: skip
    assert np.isnan(values(silent)).all()


def test_means_are_taken_in_the_middle_of_a_phone() -> None:
    curve = np.r_[np.zeros(10), 5.0, np.ones(3), 5.0, np.zeros(5)]
    phones = TimedPhones.of([(10 / FPS, 15 / FPS, "aa"), (15.4 / FPS, 15.45 / FPS, "t")])
    assert phone_means(curve, phones, FPS) == pytest.approx([1.0, 0.0])
    assert mean_of([curve, curve + 2], [phones, phones], FPS, ("aa",)) == (pytest.approx(2.0), 2)
    nothing, count = mean_of([curve], [phones], FPS, ("iy",))
    assert np.isnan(nothing) and count == 0


def test_a_phone_counts_with_one_marked_frame() -> None:
    mask = np.zeros(FRAMES, bool)
    mask[21] = True  # the first frame of f
    phones = TimedPhones.of(TIMES)
    assert phones_with(mask, phones, FPS, ("f", "v")) == (1, 2) and phones_with(mask, phones, FPS, ("iy",)) == (0, 1)


def test_curves_and_vertices_are_measured_alike() -> None:
    head = load_head()
    weights = np.random.default_rng(0).uniform(0, 0.5, (3, 52))
    one = visible_mouth_of_curves(head, weights, FPS)
    vertices = head.template + head.offsets(weights)
    other = visible_mouth(head, SimpleNamespace(at=lambda which: vertices[:, which]), FPS)
    for name in ("teeth", "under_teeth", "gap", "width", "forward", "tongue"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-6)
    still = visible_mouth_of_curves(head, np.zeros((1, 52)), FPS)
    assert not still.bites[0] and not still.shows_tongue[0]


def test_a_shut_mouth_is_no_bite_and_a_raised_upper_lip_over_a_hanging_one_neither() -> None:
    head, names = load_head(), load_head().blendshape_names
    raised = np.zeros((2, 52))
    raised[:, [names.index("mouthUpperUpLeft"), names.index("mouthUpperUpRight")]] = 0.5
    raised[1, names.index("jawOpen")] = 0.2
    assert visible_mouth_of_curves(head, raised, FPS).bites.tolist() == [True, False]


@pytest.fixture(scope="module")
def film() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[1]))
        yield importlib.import_module("tools.articulation.film")


def filmed(film: ModuleType, person: str, labels: str, widths: list[float]):
    """A clip of 0.2 s phones whose width is that of the phone throughout, at 25 fps."""
    phones = TimedPhones.of([(0.2 * n, 0.2 * (n + 1), label) for n, label in enumerate(labels.split())])
    width = np.repeat(widths, 5)
    return film.FilmedClip(person, phones, width, 2 * width, 25.0)


def test_words_are_found_by_their_phones() -> None:
    said = "sil b l uw ae t th r iy s uw n t uw ah g eh n".split()
    phones = TimedPhones.of([(n, n + 1, label) for n, label in enumerate(said)])
    assert [word for word in vowel_words(phones) if word] == ["blue", "at", "three", "soon", "two", "again"]
    assert vowel_words(phones)[3] == "blue"


def test_a_person_is_measured_against_their_own_mean_over_speech(film: ModuleType) -> None:
    clips = [
        filmed(film, "a", "sil t uw iy", [9.0, 0.2, 0.1, 0.3]),
        filmed(film, "b", "sil t uw iy", [9.0, 5.0, 4.0, 6.0]),
    ]
    rows = film.by_phone(clips)
    assert rows["width"]["a"]["uw"] == (pytest.approx(-0.1), 1) and rows["width"]["b"]["iy"] == (pytest.approx(1.0), 1)
    assert rows["gap"]["b"]["iy"][0] == pytest.approx(2.0), "silence is in no mean"
    assert film.contrasts(rows["width"], "uw", "iy") == {"a": pytest.approx(-0.2), "b": pytest.approx(-2.0)}
    words = film.by_word(clips)
    assert words["width"]["a"] == {"two": (pytest.approx(-0.1), 1)} and film.word_contrasts(words["width"]) == {}
    assert "| uw | -0.5500 | 0.4500 | -1.1000 | 0.9000 | 2 | 2 |" in film.table("phone", rows)

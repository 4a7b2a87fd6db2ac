"""The figures of `evaluate`, on talkers whose mouths are planted."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from memorytalker.audio import Waveform, write_wav
from memorytalker.evaluation import speech
from memorytalker.evaluation.report import Figure, markdown, to_json

FPS, SECONDS = 30, 4.0
TIMES = [[0.0, 0.5, "sil"], [0.5, 1.0, "aa"], [1.0, 1.1, "b"], [1.1, 1.6, "aa"], [1.6, 1.7, "m"], [1.7, 2.0, "iy"],
         [2.0, 4.0, "sil"]]  # fmt: skip


class Puppet:
    """A talker whose lip gap is given as a function of time in metres."""

    def __init__(self, gap) -> None:
        self.gap = gap
        template = np.zeros((4, 3), np.float32)
        template[2, 0], template[3, 0] = 0.05, -0.05
        marks = {"inner_lip_upper": 0, "inner_lip_lower": 1, "eye_left_outer": 2, "eye_right_outer": 3}
        self.head = SimpleNamespace(template=template, landmarks=marks)

    def animate(self, sound: Path) -> SimpleNamespace:
        times = (np.arange(round(SECONDS * FPS)) + 0.5) / FPS
        vertices = np.tile(self.head.template, (len(times), 1, 1))
        vertices[:, 1, 1] = -self.gap(times)
        return SimpleNamespace(vertices=vertices, fps=FPS)


def speaking(times: np.ndarray) -> np.ndarray:
    """Open by a centimetre on vowels, shut otherwise."""
    gap = np.zeros_like(times)
    for start, end, label in TIMES:
        gap[(times >= start) & (times < end)] = 0.01 if label in ("aa", "iy") else 0.0
    return gap


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "speech").mkdir()
    rows = [{"file": "a.wav", "speaker": "s", "split": "validation", "text": "ah"}]
    (tmp_path / "speech" / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_wav(tmp_path / "speech" / "a.wav", Waveform(np.zeros(round(SECONDS * 16000), np.float32)))
    monkeypatch.setattr(speech, "align_all", lambda root, work, rows: {row["sound"]: TIMES for row in rows})
    return tmp_path


def values(figures: list[Figure]) -> list[float]:
    return [figure.value for figure in figures]


def test_a_mouth_that_does_right_gets_full_marks(root: Path) -> None:
    assert values(speech.voices(Puppet(speaking), root, root / "work")) == [1.0, 1.0]


def test_a_mouth_that_never_shuts_gets_none(root: Path) -> None:
    assert values(speech.voices(Puppet(lambda times: speaking(times) + 0.002), root, root / "work")) == [0.0, 0.0]


def test_one_missed_closure_counts_as_half(root: Path) -> None:
    def open_on_m(times: np.ndarray) -> np.ndarray:
        return np.where((times > 1.55) & (times < 1.75), 0.01, speaking(times))

    assert values(speech.voices(Puppet(open_on_m), root, root / "work")) == [0.5, 1.0]


@pytest.mark.parametrize("delay, scale", [(0.0, 1.0), (0.12, 0.5)])
def test_film_is_compared_in_its_own_time_and_size(root: Path, monkeypatch, delay: float, scale: float) -> None:
    def motion(times: np.ndarray) -> np.ndarray:
        return 0.005 + 0.004 * np.sin(2 * np.pi * 0.9 * times) + 0.001 * np.sin(2 * np.pi * 2.3 * times)

    film_times = (np.arange(round(SECONDS * 25)) + 0.5) / 25
    film = motion(film_times + delay) / 0.1 / scale  # eye distances; the eyes are 0.1 m apart
    monkeypatch.setattr(speech, "film_openings", lambda root, which: {"clip": (25.0, film, film, film)})
    figures = {figure.name: figure.value for figure in speech.faces(Puppet(motion), root)}
    if delay == 0:
        assert figures["grid_s1: lip gap, median correlation with film"] == pytest.approx(1.0, abs=2e-3)
    assert figures["grid_s1: lip gap, median amplitude against film"] == pytest.approx(scale, rel=0.02)
    assert figures["grid_s4: median lag behind film in ms"] == pytest.approx(1000 * delay, abs=15)


def test_report_says_what_is_reached() -> None:
    figures = [Figure("a", 0.9, "3 clips", 0.85), Figure("b", 0.5, "3 clips", 0.85), Figure("c", 1.0, "3 clips")]
    rows = markdown(figures).splitlines()
    assert "| yes |" in rows[2] and "| no |" in rows[3] and ">=" not in rows[4]
    assert json.loads(to_json(figures))[0]["value"] == 0.9

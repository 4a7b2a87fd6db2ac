"""The command `evaluate`: source folders and data sets, files it writes, and what it refuses before any work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from memorytalker.cli import main
from memorytalker.config import ConfigError
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.datasets import opening
from memorytalker.datasets.sequences import FaceDataset, FaceRegions, Sequence
from memorytalker.scorecard import left_out, scorecard
from memorytalker.scorecard.card import Scorecard, VideoGoals, read_scorecard
from memorytalker.scorecard.goals import Figure, Goal
from memorytalker.scorecard.people import MouthAgreement, Person
from memorytalker.sound.decode import Waveform
from memorytalker.training.open_recipe import read_recipe
from memorytalker.weights import read_manifest, save_weights


@pytest.fixture
def weights(tmp_path: Path, make_model: Callable) -> Path:
    save_weights(make_model(), tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture
def faces(tmp_path: Path, voice: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that opens as three sequences of 20 vertices; what it was opened with lies in `opened.json`."""
    folder = tmp_path / "faces"
    folder.mkdir()

    def read(frames: int) -> np.ndarray:
        return 0.001 * np.random.default_rng(frames).standard_normal((frames, 20, 3)).astype(np.float32)

    def sequence(frames: int) -> Sequence:
        sound = Waveform(voice(frames / 30))
        return Sequence(f"s{frames}", "ann", "validation", frames, 30, lambda: sound, lambda: read(frames))

    def open_dataset(path: Path, layout, splits, regions, root) -> FaceDataset:
        named = {"layout": layout, "splits": splits, "regions": regions, "root": root}
        (folder / "opened.json").write_text(json.dumps({k: v and str(v) for k, v in named.items()}))
        lips = FaceRegions("by hand", np.arange(4), np.arange(10, 20), (0, 1))
        sequences = tuple(sequence(frames) for frames in (30, 36, 42))
        return FaceDataset(path, "biwi", 30, 20, sequences, {"ann": np.zeros((20, 3), np.float32)}, lips)

    monkeypatch.setattr(opening, "open_dataset", open_dataset)
    return folder


def test_data_set_is_measured_beside_the_neutral_face(faces: Path, weights: Path, tmp_path: Path, capsys) -> None:
    out, table = tmp_path / "out.json", tmp_path / "out.md"
    line = ["evaluate", str(faces), "--weights", str(weights), "--split", "validation", "--device", "cpu"]
    assert main([*line, "--json", str(out), "--markdown", str(table), "--label", "mine", "--limit", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed == table.read_text()
    assert printed.splitlines()[0] == "| measure | unit | neutral face | mine | mine − neutral face |"
    assert f"mine, weights: sha256 {read_manifest(weights).sha256}" in printed
    still, mine = json.loads(out.read_text())["evaluations"]
    assert len(mine["clips"]) == 2 and mine["resample"] == "clips"
    assert still["details"] == {} and mine["details"]["weights"].endswith(read_manifest(weights).sha256)
    assert set(json.loads((faces / "opened.json").read_text()).values()) == {None}


def test_both_styles_stand_side_by_side(faces: Path, weights: Path, capsys) -> None:
    line = ["evaluate", str(faces), "--weights", str(weights), "--split", "validation", "--device", "cpu"]
    read = "--layout biwi --regions r.json --splits s.json --root sounds"
    assert main([*line, "--style", "both", "--resample", "speakers", *read.split()]) == 0
    printed = capsys.readouterr().out
    assert "| neutral face | open, neutral style | open | open − neutral face | open − open, neutral style |" in printed
    assert "draws of speakers" in printed
    opened = json.loads((faces / "opened.json").read_text())
    assert opened == {"layout": "biwi", "splits": "s.json", "regions": "r.json", "root": "sounds"}


def test_source_folder_gives_the_open_figures(tmp_path: Path, tiny_weights: Path, monkeypatch, capsys) -> None:
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "manifest.jsonl").write_text("")
    calls = []

    def evaluate_open(talker, root, work, card, config, limit, progress) -> list[Figure]:
        calls.append((root, work, card, config, limit))
        return [Figure("lips closed on p b m", 0.9, "3 phones", Goal(least=0.85))]

    def left_out_people(root, card, known, folds, limit, store) -> list[str]:
        asked.append((root, folds, limit))
        return [goals.folder for goals in card.people.videos]

    def measure_people(talker, weights, people, device, progress) -> Iterator[Person]:
        assert weights == tiny_weights and device == "cpu"
        for name in people:
            yield Person(name, 2, 150, *2 * [MouthAgreement(0.8, 0.5, 0.9, 0.4, 0.04, 0.03)], judged_by="somehow")

    asked: list[tuple] = []
    monkeypatch.setattr(scorecard, "evaluate_open", evaluate_open)
    monkeypatch.setattr(left_out, "left_out_people", left_out_people)
    monkeypatch.setattr(left_out, "measure_people", measure_people)
    out = tmp_path / "figures.json"
    line = ["evaluate", str(tmp_path), "--work", str(tmp_path / "work"), "--weights", str(tiny_weights)]
    assert main([*line, "--device", "cpu", "--limit", "3", "--json", str(out)]) == 0
    assert calls == [(tmp_path, tmp_path / "work", read_scorecard(), read_recipe().corpus, 3)]
    printed = capsys.readouterr().out
    assert "| lips closed on p b m | 0.900 | >= 0.85 | yes | 3 phones |" in printed
    assert "| 0.900 | 0.9 to 1.1 | yes | 5 people, 10 clips, 750 video frames; somehow |" in printed
    assert "| mean of 5 | neutral | 0.80 | 0.50 | 0.90 | 0.40 | 0.0400 | 0.0300 |  |  |  |" in printed
    figures = json.loads(out.read_text())
    assert figures[0]["value"] == 0.9 and {"grid_s2, neutral: width"} < {figure["name"] for figure in figures}
    assert asked == [(tmp_path, tiny_weights.parent / "left_out", 3)]

    (tmp_path / "mine.json").write_text('{"videos": [{"folder": "my_videos", "gap": {"least": 0.5}}]}')
    (tmp_path / "recipe.json").write_text('{"corpus": {"sources": [{"folder": "my_videos", "kind": "landmarks"}]}}')
    own = ["--scorecard", str(tmp_path / "mine.json"), "--recipe", str(tmp_path / "recipe.json")]
    assert main([*line, "--device", "cpu", *own]) == 0
    assert main([*line, "--device", "cpu", *own, "--left-out", str(tmp_path / "folds")]) == 0
    assert asked[-1][1] == tmp_path / "folds"
    card, config = calls[-1][2:4]
    assert [video.folder for video in card.videos] == [source.folder for source in config.sources] == ["my_videos"]
    assert card.videos[0].gap == Goal(least=0.5) and card.lips_closed is None
    capsys.readouterr()
    (tmp_path / "mine.json").write_text('{"movies": []}')
    assert main([*line, "--device", "cpu", *own]) == 2 and len(calls) == 3
    assert "Unknown key 'movies' in Scorecard; valid keys: closed_when_quiet," in capsys.readouterr().err


def test_a_scorecard_names_only_what_it_can_measure() -> None:
    known = [CaptureSource("a", "landmarks"), CaptureSource("b", "curves"), CaptureSource("c", "landmarks")]
    card = Scorecard((VideoGoals("c"), VideoGoals("a")), robust="a")
    assert [source.folder for source in card.sources(known)] == ["c", "a"]
    with pytest.raises(ConfigError, match="video folder 'b' and the recipe does not; add it"):
        Scorecard((VideoGoals("b"),)).sources(known)
    with pytest.raises(ConfigError, match="'b' for noise.*lists c, a"):
        Scorecard(card.videos, robust="b")


def test_bad_input_is_refused_in_a_sentence(faces: Path, weights: Path, tmp_path: Path, make_model, capsys) -> None:
    line = ["evaluate", str(faces), "--weights", str(weights), "--device", "cpu"]

    def refusal(*more: str) -> str:
        assert main([*line, *more]) == 2
        captured = capsys.readouterr()
        assert not captured.out and "Traceback" not in captured.err
        return captured.err

    assert "There is no folder" in refusal("--json", str(tmp_path / "no" / "out.json"))
    assert not (faces / "opened.json").exists()  # refused before any work
    assert "no sequences in its test split; it has validation (3)" in refusal()
    assert "There is no split 'dev'" in refusal("--split", "dev")
    assert "--limit counts clips" in refusal("--limit", "-1")
    save_weights(make_model(coordinates=63), weights)
    assert "move 21 vertices but the faces" in refusal("--split", "validation")

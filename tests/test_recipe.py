"""How the corpus of the open weights comes about: which step follows which, what is kept, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from memorytalker.cli import main
from memorytalker.config import CurveRegressorConfig, ModelConfig
from memorytalker.corpus.capture import RECORDINGS
from memorytalker.corpus.clips import Clip, write_clips
from memorytalker.models.audio_to_curves import CurveRegressor
from memorytalker.training import recipe
from memorytalker.training.data import TrainingError
from memorytalker.training.recipe import make_corpus
from memorytalker.weights import load_curve_regressor

FILMED = Clip("f", "s", "train", "film", "captured", "f.wav", 30, 30, text="words")


@pytest.fixture
def steps(monkeypatch) -> list[str]:
    """The steps in the order they were taken; none of them takes time."""
    taken: list[str] = []
    clips = [FILMED]

    def build(root, folder, head, workers, seed, progress=None, heard=None, recordings=None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        own = [replace(FILMED, name="own", source=RECORDINGS, text="")] if recordings else []
        write_clips(folder, clips + own, ())
        taken.append("corpus" if heard is None else f"corpus of what is heard, {heard('f', 3).shape[0]} frames")

    def train(folder, space, head, config, training, progress) -> CurveRegressor:
        taken.append("listener")
        return CurveRegressor(
            CurveRegressorConfig(("jawOpen", "mouthClose"), hidden_size=4, channels=4, layers=1, members=1)
        )

    model = SimpleNamespace(config=ModelConfig())
    model.to = lambda device: model
    monkeypatch.setattr(recipe, "build_corpus", build)
    monkeypatch.setattr(recipe, "train_curve_regressor", train)
    monkeypatch.setattr(recipe, "agreement", lambda *about: {"film": {"gap": 0.9}})
    monkeypatch.setattr(recipe, "fresh_model", lambda *about: (model, None))
    monkeypatch.setattr(recipe, "cache_features", lambda *about: taken.append("features"))
    monkeypatch.setattr(recipe, "cached_states", lambda folder, clip: np.zeros((5, 4)))
    monkeypatch.setattr(recipe, "video_words", lambda found: [clip for clip in found if clip.text])
    monkeypatch.setattr(recipe, "load_head", lambda: None)
    return taken


def test_a_corpus_is_made_again_of_what_film_teaches_to_hear(steps: list[str], tmp_path: Path) -> None:
    make_corpus(tmp_path, tmp_path / "work")
    assert steps == ["corpus", "features", "listener", "corpus of what is heard, 3 frames"]
    assert json.loads((tmp_path / "work" / "listener.json").read_text())["agreement"] == {"film": {"gap": 0.9}}
    assert load_curve_regressor(tmp_path / "work" / "listener").config.shapes == ("jawOpen", "mouthClose")
    steps.clear()
    make_corpus(tmp_path, tmp_path / "work")
    assert steps == ["features"], "what is done is not done again"
    steps.clear()
    (tmp_path / "work" / "corpus" / "clips.jsonl").unlink()
    make_corpus(tmp_path, tmp_path / "work")
    assert steps == ["corpus", "features", "listener", "corpus of what is heard, 3 frames"]


def test_a_run_broken_off_goes_on_with_the_listener(steps: list[str], tmp_path: Path, monkeypatch) -> None:
    def broken(*about, **more) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "agreement", broken)
        with pytest.raises(KeyboardInterrupt):
            make_corpus(tmp_path, tmp_path / "work")
    steps.clear()
    make_corpus(tmp_path, tmp_path / "work")
    assert steps == ["features", "listener", "corpus of what is heard, 3 frames"]


def test_without_filmed_words_motion_is_of_phone_times_alone(steps: list[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recipe, "video_words", lambda clips: [])
    make_corpus(tmp_path, tmp_path / "work")
    make_corpus(tmp_path, tmp_path / "work")
    assert steps == ["corpus", "features", "features"]
    assert json.loads((tmp_path / "work" / "listener.json").read_text()) == {"listener": None}
    assert not (tmp_path / "work" / "listener").exists()


def test_takes_of_ones_own_are_neither_lost_nor_left_out(steps: list[str], tmp_path: Path) -> None:
    takes, work = tmp_path / "takes", tmp_path / "work"
    make_corpus(tmp_path, work, recordings=takes)
    assert steps[-1].startswith("corpus of what is heard")
    assert '"own"' in (work / "corpus" / "clips.jsonl").read_text()
    make_corpus(tmp_path, work)  # finished: the takes are in it
    (work / "listener.json").unlink()
    with pytest.raises(TrainingError, match="name their folder: --recordings"):
        make_corpus(tmp_path, work)
    make_corpus(tmp_path, tmp_path / "other")
    with pytest.raises(TrainingError, match="made without takes"):
        make_corpus(tmp_path, tmp_path / "other", recordings=takes)


def test_train_corpus_makes_the_corpus_alone(steps: list[str], tmp_path: Path, capsys) -> None:
    work = tmp_path / "work"
    assert main(["train", "corpus", str(tmp_path), "--work", str(work), "--recordings", str(tmp_path / "takes")]) == 0
    assert steps[-1].startswith("corpus of what is heard")
    assert "2 clips" in capsys.readouterr().out
    assert sorted(path.name for path in work.iterdir()) == ["corpus", "listener", "listener.json"]


def test_only_the_shipped_weights_bring_their_listener(steps: list[str], tmp_path: Path) -> None:
    make_corpus(tmp_path, tmp_path / "work")
    recipe.ship_curve_regressor(tmp_path / "work", tmp_path / "weights" / "mine")
    assert not (tmp_path / "weights").exists()
    recipe.ship_curve_regressor(tmp_path / "work", tmp_path / "weights" / "open")
    own, shipped = tmp_path / "work" / "listener", tmp_path / "weights" / "listener"
    assert load_curve_regressor(shipped).config == load_curve_regressor(own).config
    assert sorted(path.name for path in shipped.iterdir()) == sorted(path.name for path in own.iterdir())

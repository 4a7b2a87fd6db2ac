"""How the corpus of the open weights comes about: which step follows which, what is kept, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from memorytalker.cli import main
from memorytalker.config import CurveRegressorConfig, ModelConfig, to_dict
from memorytalker.corpus.build import BuildContext
from memorytalker.corpus.capture import RECORDINGS
from memorytalker.corpus.clips import Clip, augmented_version, write_clips
from memorytalker.models.audio_to_curves import CurveRegressor
from memorytalker.training import recipe
from memorytalker.training.context import WeightsContext
from memorytalker.training.data import TrainingError
from memorytalker.training.open_recipe import OPEN_RECIPE, read_recipe
from memorytalker.training.recipe import make_corpus
from memorytalker.weights import load_curve_regressor

SPOKEN = Clip("s", "s", "train", "read", "synthesised", "s.wav", 3, 30, text="words")
TRACKED = Clip("f", "s", "train", "video", "captured", "f.wav", 30, 30, text="words")


@pytest.fixture
def steps(monkeypatch) -> list[str]:
    """The steps in the order they were taken; none of them takes time."""
    taken: list[str] = []
    clips = [TRACKED, SPOKEN, augmented_version(SPOKEN, 1)]

    def build(context, head) -> None:
        own = [replace(TRACKED, name="own", source=RECORDINGS, text="")] if context.recordings else []
        write_clips(context.folder, clips + own, ())
        if context.curves is None:
            taken.append("corpus")
            return
        predicted = sorted(context.curves.iterdir())
        assert [path.name for path in predicted] == ["s.npy"], "only what is synthesised is made of curves"
        taken.append(f"corpus of predicted curves, {len(np.load(predicted[0]))} frames")

    def train(folder, space, head, config, training, progress) -> CurveRegressor:
        taken.append("curve regressor")
        return CurveRegressor(
            CurveRegressorConfig(("jawOpen", "mouthClose"), hidden_size=4, channels=4, layers=1, members=1)
        )

    model = SimpleNamespace(config=ModelConfig())
    model.to = lambda device: model
    monkeypatch.setattr(recipe, "build_corpus", build)
    monkeypatch.setattr(recipe, "train_curve_regressor", train)
    monkeypatch.setattr(recipe, "agreement", lambda *about: {"video": {"gap": 0.9}})
    monkeypatch.setattr(recipe, "fresh_model", lambda *about: (model, None))
    monkeypatch.setattr(recipe, "cache_features", lambda *about: taken.append("features"))
    monkeypatch.setattr(recipe, "cached_states", lambda folder, clip: np.zeros((5, 4)))
    monkeypatch.setattr(
        recipe, "regressor_clips", lambda found: [clip for clip in found if clip.kind == "captured" and clip.text]
    )
    monkeypatch.setattr(recipe, "load_head", lambda: None)
    return taken


def test_a_corpus_is_made_again_of_what_the_regressor_predicts(steps: list[str], tmp_path: Path) -> None:
    make_corpus(WeightsContext(tmp_path, tmp_path / "work"))
    assert steps == ["corpus", "features", "curve regressor", "corpus of predicted curves, 3 frames"]
    assert json.loads((tmp_path / "work" / "audio_to_curves.json").read_text())["agreement"] == {"video": {"gap": 0.9}}
    assert load_curve_regressor(tmp_path / "work" / "audio_to_curves").config.shapes == ("jawOpen", "mouthClose")
    steps.clear()
    make_corpus(WeightsContext(tmp_path, tmp_path / "work"))
    assert steps == ["features"], "what is done is not done again"
    steps.clear()
    (tmp_path / "work" / "corpus" / "clips.jsonl").unlink()
    make_corpus(WeightsContext(tmp_path, tmp_path / "work"))
    assert steps == ["corpus", "features", "curve regressor", "corpus of predicted curves, 3 frames"]


def test_a_run_broken_off_goes_on_with_the_curve_regressor(steps: list[str], tmp_path: Path, monkeypatch) -> None:
    def broken(*about, **more) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "agreement", broken)
        with pytest.raises(KeyboardInterrupt):
            make_corpus(WeightsContext(tmp_path, tmp_path / "work"))
    steps.clear()
    make_corpus(WeightsContext(tmp_path, tmp_path / "work"))
    assert steps == ["features", "curve regressor", "corpus of predicted curves, 3 frames"]


def test_without_words_in_video_motion_is_of_phone_times_alone(steps: list[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recipe, "regressor_clips", lambda clips: [])
    make_corpus(WeightsContext(tmp_path, tmp_path / "work"))
    make_corpus(WeightsContext(tmp_path, tmp_path / "work"))
    assert steps == ["corpus", "features", "features"]
    assert json.loads((tmp_path / "work" / "audio_to_curves.json").read_text()) == {"curve_regressor": None}
    assert not (tmp_path / "work" / "audio_to_curves").exists()


def test_takes_of_ones_own_are_neither_lost_nor_left_out(steps: list[str], tmp_path: Path) -> None:
    takes, work = tmp_path / "takes", tmp_path / "work"
    make_corpus(WeightsContext(tmp_path, work, recordings=takes))
    assert steps[-1].startswith("corpus of predicted curves")
    assert '"own"' in (work / "corpus" / "clips.jsonl").read_text()
    make_corpus(WeightsContext(tmp_path, work))  # finished: the takes are in it
    (work / "audio_to_curves.json").unlink()
    with pytest.raises(TrainingError, match="name their folder: --recordings"):
        make_corpus(WeightsContext(tmp_path, work))
    make_corpus(WeightsContext(tmp_path, tmp_path / "other"))
    with pytest.raises(TrainingError, match="made without takes"):
        make_corpus(WeightsContext(tmp_path, tmp_path / "other", recordings=takes))


def test_train_corpus_makes_the_corpus_alone(steps: list[str], tmp_path: Path, capsys) -> None:
    work = tmp_path / "work"
    assert main(["train", "corpus", str(tmp_path), "--work", str(work), "--recordings", str(tmp_path / "takes")]) == 0
    assert steps[-1].startswith("corpus of predicted curves")
    assert "4 clips" in capsys.readouterr().out
    assert sorted(path.name for path in work.iterdir()) == ["audio_to_curves", "audio_to_curves.json", "corpus"]


def test_only_the_shipped_weights_bring_their_curve_regressor(steps: list[str], tmp_path: Path) -> None:
    make_corpus(WeightsContext(tmp_path, tmp_path / "work"))
    recipe.ship_curve_regressor(tmp_path / "work", tmp_path / "weights" / "mine")
    assert not (tmp_path / "weights").exists()
    recipe.ship_curve_regressor(tmp_path / "work", tmp_path / "weights" / "open")
    own, shipped = tmp_path / "work" / "audio_to_curves", tmp_path / "weights" / "audio_to_curves"
    assert load_curve_regressor(shipped).config == load_curve_regressor(own).config
    assert sorted(path.name for path in shipped.iterdir()) == sorted(path.name for path in own.iterdir())


def test_a_recipe_of_ones_own_is_laid_over_the_shipped_one(tmp_path: Path) -> None:
    shipped, path = read_recipe(), tmp_path / "mine.json"
    path.write_text('{"memorize": {"epochs": 3, "losses": {"closed_weight": 1.0}}, "corpus": {"augmented_voices": 0}}')
    own = read_recipe(path)
    losses = replace(shipped.memorize.losses, closed_weight=1.0)
    assert own.memorize == replace(shipped.memorize, epochs=3, losses=losses)
    assert own.corpus == replace(shipped.corpus, augmented_voices=0)
    assert (
        own.model == shipped.model
        and own.style_regression == shipped.style_regression
        and own.curve_regressor == shipped.curve_regressor
    )


def test_the_shipped_recipe_says_everything_itself() -> None:
    """So that a default changed in a class does not change what made the weights."""
    written = json.loads(OPEN_RECIPE.read_text())
    whole = to_dict(read_recipe())
    assert len(written["corpus"].pop("sources")) == len(whole["corpus"].pop("sources")) == 7
    assert written == whole


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{"memorise": {}}',
            "Unknown key 'memorise' in Recipe; valid keys: about, corpus, curve_regressor, folds, memorize,",
        ),
        ('{"model": {"style": {"bank": 1}}}', "Unknown key 'bank' in StyleConfig; valid keys: channels,"),
        ('{"corpus": {"voices": 1}}', "Unknown key 'voices' in CorpusConfig; valid keys: augmented_share,"),
        ('{"corpus": {"voice_pitches": [95]}}', "voice_pitches needs two positive numbers, smallest first, not [95"),
        ('{"corpus": {"regressed_share": 70}}', "regressed_share is 70.0; choose a share from 0 to 1."),
        ('{"corpus": {"sources": [{"folder": "a"}]}}', "CaptureSource needs the key 'kind'; add it."),
        ("[]", "needs to hold a JSON object, not list."),
    ],
)
def test_a_slip_in_a_recipe_is_refused_in_a_sentence(content: str, said: str, tmp_path: Path, capsys) -> None:
    slip, work = tmp_path / "slip.json", tmp_path / "work"
    slip.write_text(content)
    assert main(["train", "corpus", str(tmp_path), "--work", str(work), "--recipe", str(slip)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not work.exists()


def test_a_corpus_of_another_recipe_is_not_taken_for_ones_own(steps: list[str], tmp_path: Path) -> None:
    context = WeightsContext(tmp_path, tmp_path / "work")
    make_corpus(context)
    other = replace(context.recipe, corpus=replace(context.recipe.corpus, silent_clips=3, seed=1))
    with pytest.raises(TrainingError, match=r"with another recipe \(seed, silent_clips\); choose another work folder"):
        make_corpus(replace(context, recipe=other))
    (context.corpus / "recipe.json").unlink()  # as a corpus that was made before recipes were kept beside it
    make_corpus(replace(context, recipe=other))


def test_what_a_context_holds_reaches_the_corpus(tmp_path: Path) -> None:
    def told(*about: object) -> None: ...

    context = WeightsContext(
        tmp_path, tmp_path / "work", recordings=tmp_path / "takes", workers=5, progress=told, device="cuda"
    )
    assert context.build(tmp_path / "curves") == BuildContext(
        tmp_path, tmp_path / "work" / "corpus", read_recipe().corpus, tmp_path / "takes", tmp_path / "curves", 5, told
    )

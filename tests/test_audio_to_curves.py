"""The audio-to-curves regressor: it learns a planted link, from video with known words alone, and is saved as is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from memorytalker.config import ConfigError
from memorytalker.corpus.clips import Clip, save_clip, write_clips
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.motion_space import speech_space
from memorytalker.models.audio_to_curves import CurveRegressor
from memorytalker.training.audio_to_curves import (
    CurveRegressorTraining,
    agreement,
    curve_regressor_for,
    train_curve_regressor,
)
from memorytalker.training.cache import encode
from memorytalker.training.data import TrainingError
from memorytalker.weights import WeightsError, load_curve_regressor, save_curve_regressor

SHAPES = ("jawOpen", "mouthFunnel", "mouthStretchLeft", "mouthStretchRight")
TRAINING = CurveRegressorTraining(epochs=40, batch_size=4, learning_rate=1e-2, weight_decay=1e-2, seed=0)


@pytest.fixture
def model_config(make_model):
    return make_model().config


def make_corpus(folder: Path, hidden: int, text: str = "words") -> None:
    """Twelve clips whose jaw and whose stretched lips follow one hidden channel each, the last three kept for the test.

    A thirteenth, without words, says the opposite.
    """
    head, clips = load_head(), []
    (folder / "features").mkdir(parents=True)
    for number in range(13):
        random = np.random.default_rng(number)
        states = random.standard_normal((100, hidden))
        jaw, stretch = (np.convolve(random.standard_normal(100), np.ones(9) / 3, "same") for _ in range(2))
        states[:, 0], states[:, 1] = jaw, stretch
        at = np.arange(60) * 100 / 60
        weights = np.zeros((60, len(head.blendshape_names)), np.float32)
        sign = -1.0 if number == 12 else 1.0
        weights[:, head.blendshape_names.index("jawOpen")] = 0.3 + 0.1 * sign * np.interp(at, np.arange(100), jaw)
        for side in ("Left", "Right"):
            column = head.blendshape_names.index(f"mouthStretch{side}")
            weights[:, column] = 0.3 + 0.1 * sign * np.interp(at, np.arange(100), stretch)
        split = "test" if number in (9, 10, 11) else "train"
        clip = Clip(f"c{number}", "s", split, "video", "captured", "", 60, 30, text="" if number == 12 else text)
        save_clip(folder, clip, FaceCurves(np.clip(weights, 0, 1), head.blendshape_names, 30), np.zeros(60))
        np.savez(folder / "features" / f"c{number}.npz", states=states.astype(np.float16), mel=np.zeros((200, 80)))
        clips.append(clip)
    write_clips(folder, clips, head.blendshape_names)


def trained(folder: Path, model_config, training: CurveRegressorTraining = TRAINING, **changed) -> CurveRegressor:
    head = load_head()
    sizes = {"channels": 16, "layers": 1, "dropout": 0.0, **changed}
    config = dataclasses.replace(curve_regressor_for(model_config, SHAPES), **sizes)
    return train_curve_regressor(folder, speech_space(head), head, config, training)


def test_a_planted_link_is_found_in_held_out_clips(tmp_path: Path, model_config) -> None:
    make_corpus(tmp_path, model_config.speech.hidden_size)
    regressor = trained(tmp_path, model_config)
    found = agreement(regressor, tmp_path, load_head())
    assert set(found) == {"video"} and found["video"]["clips"] == 3
    assert found["video"]["gap"] > 0.8 and found["video"]["width"] > 0.8
    curves = regressor.curves(np.zeros((100, model_config.speech.hidden_size)), 60)
    assert curves.shape == (60, 4) and curves.min() >= 0 and curves.max() <= 1
    assert curves[:, 1].max() < 1e-3, "what moves in no video is not moved"

    same = trained(tmp_path, model_config, members=1).curves(np.ones((50, model_config.speech.hidden_size)), 30)
    again = trained(tmp_path, model_config, members=1).curves(np.ones((50, model_config.speech.hidden_size)), 30)
    assert np.array_equal(same, again)


def test_without_words_in_video_there_is_nothing_to_learn(tmp_path: Path, model_config) -> None:
    make_corpus(tmp_path, model_config.speech.hidden_size, text="")
    with pytest.raises(TrainingError, match="leave the curve regressor out"):
        trained(tmp_path, model_config)


@pytest.fixture
def saved(tmp_path: Path, model_config) -> tuple[CurveRegressor, Path]:
    make_corpus(tmp_path / "corpus", model_config.speech.hidden_size)
    regressor = trained(tmp_path / "corpus", model_config, dataclasses.replace(TRAINING, epochs=1))
    save_curve_regressor(regressor, tmp_path / "regressor", {"seed": 3})
    return regressor, tmp_path / "regressor"


def test_saved_equals_loaded(saved: tuple[CurveRegressor, Path], tmp_path: Path) -> None:
    regressor, folder = saved
    states = np.random.default_rng(0).standard_normal((50, regressor.config.hidden_size))
    loaded = load_curve_regressor(folder)
    assert loaded.config == regressor.config and not loaded.training
    assert loaded.curves(states, 30) == pytest.approx(regressor.curves(states, 30), abs=2e-3)
    assert loaded.curves(states, 30).std() > 0.01, "the states say something"
    save_curve_regressor(loaded, tmp_path / "again")
    again = load_curve_regressor(tmp_path / "again")
    assert np.array_equal(again.curves(states, 30), loaded.curves(states, 30)), "what was stored loses no more"
    assert json.loads((folder / "config.json").read_text())["extra"] == {"seed": 3}


def test_a_missing_or_changed_curve_regressor_is_refused(saved: tuple[CurveRegressor, Path], tmp_path: Path) -> None:
    _, folder = saved
    with pytest.raises(WeightsError, match="does not describe a curve regressor"):
        load_curve_regressor(tmp_path / "absent")
    config = json.loads((folder / "config.json").read_text())
    tensors = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(tensors[:-1] + bytes([tensors[-1] ^ 1]))
    with pytest.raises(WeightsError, match="sha256 differs"):
        load_curve_regressor(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="fetch both"):
        load_curve_regressor(folder)
    (folder / "model.safetensors").write_bytes(tensors)
    config["curve_regressor"]["members"] = 3
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="missing members.2"):
        load_curve_regressor(folder)
    config["curve_regressor"]["unknown"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="'unknown'"):
        load_curve_regressor(folder)


def test_a_curve_regressor_needs_the_encoder_it_was_trained_with(
    saved: tuple[CurveRegressor, Path], make_model
) -> None:
    regressor, _ = saved
    model, samples = make_model(), 0.1 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    states, _ = encode(model, samples)
    assert np.array_equal(regressor.curves_of(model.speech, samples, 30), regressor.curves(states, 30))
    other = dataclasses.replace(model.config.speech, mixed_layers=2)
    with pytest.raises(ConfigError, match="mixed_layers 0, not 2"):
        regressor.curves_of(make_model(speech=other).speech, samples, 30)

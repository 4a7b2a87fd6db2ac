"""What film teaches about sound: a planted link between states and curves is found, and only where film says so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from memorytalker.corpus.clips import Clip, save_clip, write_clips
from memorytalker.head import load_head
from memorytalker.motion import FaceCurves
from memorytalker.training.data import TrainingError
from memorytalker.training.listener import Listener, ListenerConfig, agreement, train_listener
from memorytalker.training.space import blendshape_space

SHAPES = ("jawOpen", "mouthFunnel", "mouthStretchLeft", "mouthStretchRight")
CONFIG = ListenerConfig(channels=16, layers=1, dropout=0.0, epochs=40, batch_size=4, learning_rate=1e-2, members=2)


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
        clip = Clip(f"c{number}", "s", split, "film", "captured", "", 60, 30, text="" if number == 12 else text)
        save_clip(folder, clip, FaceCurves(np.clip(weights, 0, 1), head.blendshape_names, 30), np.zeros(60))
        np.savez(folder / "features" / f"c{number}.npz", states=states.astype(np.float16), mel=np.zeros((200, 80)))
        clips.append(clip)
    write_clips(folder, clips, head.blendshape_names)


def trained(folder: Path, model_config, **changed) -> Listener:
    head = load_head()
    config = dataclasses.replace(CONFIG, **changed)
    return train_listener(folder, blendshape_space(head), head, SHAPES, model_config, config)


def test_a_planted_link_is_heard_in_clips_left_out(tmp_path: Path, model_config) -> None:
    make_corpus(tmp_path, model_config.speech.hidden_size)
    listener = trained(tmp_path, model_config)
    found = agreement(listener, tmp_path, load_head())
    assert set(found) == {"film"} and found["film"]["clips"] == 3
    assert found["film"]["gap"] > 0.8 and found["film"]["width"] > 0.8
    curves = listener.curves(np.zeros((100, model_config.speech.hidden_size)), 60)
    assert curves.shape == (60, 4) and curves.min() >= 0 and curves.max() <= 1
    assert curves[:, 1].max() < 1e-3, "what no film moves is not moved"

    same = trained(tmp_path, model_config, members=1).curves(np.ones((50, model_config.speech.hidden_size)), 30)
    again = trained(tmp_path, model_config, members=1).curves(np.ones((50, model_config.speech.hidden_size)), 30)
    assert np.array_equal(same, again)


def test_without_filmed_words_there_is_nothing_to_learn(tmp_path: Path, model_config) -> None:
    make_corpus(tmp_path, model_config.speech.hidden_size, text="")
    with pytest.raises(TrainingError, match="leave the listener out"):
        trained(tmp_path, model_config)

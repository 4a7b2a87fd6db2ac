"""What is measured is what the product does: predictions against the Talker, in every style and across windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from memorytalker.datasets.sequences import FaceDataset, FaceRegions, Sequence
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.evaluation.prediction import model_predictor, neutral_predictor
from memorytalker.models.talker import MemoryTalker
from memorytalker.sound.decode import Waveform

RATE = 16000


def with_sound(samples: np.ndarray, frames: int, fps: int = 30) -> Sequence:
    def never() -> np.ndarray:
        raise AssertionError("a prediction must not read the ground truth")

    return Sequence("clip", "speaker", "test", frames, fps, lambda: Waveform(samples), never)


@pytest.mark.parametrize("seconds", [0.12, 1.0, 2.0, 2.04, 5.3])
def test_predicts_what_the_talker_animates(tiny_talker, voice: Callable, seconds: float) -> None:
    samples = voice(seconds)
    animation = tiny_talker.animate((samples, RATE))
    frames = len(animation.vertices)
    expected = animation.vertices - tiny_talker.head.template
    made = model_predictor(tiny_talker.model)(with_sound(samples, frames))
    assert made.shape == expected.shape and made.dtype == np.float32
    np.testing.assert_allclose(made, expected, atol=1e-6)
    assert np.array_equal(tiny_talker.head.template + made, animation.vertices)  # to the last bit, across windows too


def test_styles(tiny_talker, voice: Callable) -> None:
    samples, other = voice(3.0), voice(2.0, seed=1)
    sequence = with_sound(samples, 90)
    template = tiny_talker.head.template
    weights = tiny_talker.style_of((other, RATE))
    neutral = model_predictor(tiny_talker.model, style=None)(sequence)
    np.testing.assert_allclose(neutral, tiny_talker.animate((samples, RATE), style=None).vertices - template, atol=1e-6)
    given = model_predictor(tiny_talker.model, style=weights)(sequence)
    by_function = model_predictor(tiny_talker.model, style=lambda s: weights if s is sequence else None)(sequence)
    expected = tiny_talker.animate((samples, RATE), style=(other, RATE)).vertices - template
    np.testing.assert_allclose(given, expected, atol=1e-6)
    np.testing.assert_array_equal(by_function, given)
    own = model_predictor(tiny_talker.model)(sequence)
    assert np.abs(own - neutral).max() > 1e-5 and np.abs(own - given).max() > 1e-7


@pytest.mark.parametrize("family, fps", [("open", 30), ("vocaset", 30), ("biwi", 25)])
@pytest.mark.parametrize("frames", [37, 49, 50, 53])
def test_frames_are_those_of_the_sequence_even_where_the_sound_is_a_little_off(
    make_model: Callable, voice: Callable, family: str, fps: int, frames: int
) -> None:
    made = model_predictor(make_model(family))(with_sound(voice(50 / fps), frames, fps))
    assert made.shape == (frames, 20, 3) and np.isfinite(made).all()


def test_a_model_in_training_is_measured_without_dropout_and_goes_on_training(make_model, voice: Callable) -> None:
    model = make_model().train()
    sequence = with_sound(voice(1.0), 30)
    predict = model_predictor(model)
    np.testing.assert_array_equal(predict(sequence), predict(sequence))
    assert model.training


def dataset(vertices: int, fps: int) -> FaceDataset:
    return FaceDataset(Path("faces"), "vocaset", fps, vertices, (), {}, FaceRegions("none"))


def test_weights_that_do_not_fit_the_faces_are_refused(make_model: Callable) -> None:
    model = make_model()
    model_predictor(model, dataset(20, 30))
    with pytest.raises(EvaluationError, match="move 20 vertices but the faces of faces have 21"):
        model_predictor(model, dataset(21, 30))
    with pytest.raises(EvaluationError, match="30 frames a second but faces has 25"):
        model_predictor(model, dataset(20, 25))
    with pytest.raises(EvaluationError, match="'loud' is not known"):
        model_predictor(model, style="loud")
    with pytest.raises(EvaluationError, match="Style weights are"):
        model_predictor(model, style=np.ones(3))


def test_a_model_of_labels_speaks_as_one_of_its_speakers(make_model: Callable, voice: Callable) -> None:
    plain = make_model()
    model = MemoryTalker(dataclasses.replace(plain.config, speakers=("ann", "bob"))).eval()
    model.load_state_dict({k: v for k, v in plain.state_dict().items() if not k.startswith("style.")}, strict=False)
    with torch.no_grad():
        model.style.weights.weight[:, 1] = 0.5
    sequence = with_sound(voice(1.0), 30)
    neutral, ann, bob = (model_predictor(model, style=style)(sequence) for style in (None, 0, 1))
    np.testing.assert_allclose(ann, neutral, atol=1e-7)  # her vector is zero
    given = model_predictor(model, style=np.full(model.config.slot_count, 1.5, np.float32))(sequence)
    np.testing.assert_allclose(bob, given, atol=1e-7)
    assert np.abs(bob - ann).max() > 1e-6
    with pytest.raises(EvaluationError, match="no speaker label 2"):
        model_predictor(model, style=2)
    with pytest.raises(EvaluationError, match="speaker label and no style from sound"):
        model_predictor(model)


def test_neutral_face_is_still() -> None:
    assert not neutral_predictor()(with_sound(np.zeros(RATE, np.float32), 30)).any()
    assert neutral_predictor(5)(with_sound(np.zeros(RATE, np.float32), 30)).shape == (30, 5, 3)

"""Weights without the encoder they share: what is stored, what comes back, and whose encoder they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from memorytalker.face.head import load_head
from memorytalker.face.motion_space import speech_space
from memorytalker.folds import ENCODER, encoder_sha256, fold_talker, read_fold, save_fold
from memorytalker.pipeline import Talker
from memorytalker.weights import WeightsError, load_weights, save_weights


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_model, tiny_weights: Path) -> Path:
    """Weights of another training on the encoder of `tiny_weights`, with another head of the speech encoder."""
    space, shared = speech_space(load_head()), load_weights(tiny_weights)
    model = make_model(seed=7, **{**_config(shared), "coordinates": space.coordinates})
    model.speech.encoder.load_state_dict(shared.speech.encoder.state_dict())
    folder = tmp_path_factory.mktemp("trained") / "weights"
    save_weights(model, folder, stored_as="float16")
    return folder


def _config(model) -> dict:
    return {
        name: getattr(model.config, name) for name in ("basis", "motion_scale", "window_seconds", "overlap_seconds")
    }


def test_a_fold_moves_as_the_weights_it_was_made_of(trained: Path, tiny_weights: Path, tmp_path: Path, voice) -> None:
    manifest = save_fold(trained, "grid_s4", tmp_path / "fold", tiny_weights, {"epochs": 3})
    stored = load_file(tmp_path / "fold" / "model.safetensors")
    whole = load_weights(trained).state_dict()
    assert {name for name in whole if name not in stored} == {name for name in whole if name.startswith(ENCODER)}
    assert any(name.startswith("speech.head") for name in stored), "the trained part of the speech encoder is kept"
    assert {value.dtype for value in stored.values()} == {torch.float16}
    assert read_fold(tmp_path / "fold") == manifest and manifest.left_out == "grid_s4"
    assert manifest.extra == {"epochs": 3} and manifest.encoder == encoder_sha256(load_weights(tiny_weights))
    sound = (voice(1.0), 16000)
    found = fold_talker(tmp_path / "fold", tiny_weights, "cpu").animate(sound)
    expected = Talker.from_pretrained(trained, "cpu").animate(sound)
    np.testing.assert_allclose(found.coordinates, expected.coordinates, atol=1e-4)
    shared = Talker.from_pretrained(tiny_weights, "cpu").animate(sound)
    assert np.abs(found.coordinates - shared.coordinates).max() > 1e-3, "and not as those it shares the encoder with"
    assert found.provenance.model == manifest.sha256


def test_another_encoder_is_refused(trained: Path, tiny_weights: Path, tmp_path: Path, make_model) -> None:
    other = load_weights(tiny_weights)
    next(other.speech.encoder.parameters()).data += 0.01
    save_weights(other, tmp_path / "other")
    with pytest.raises(WeightsError, match="has another speech encoder than .*other; train it with that encoder"):
        save_fold(trained, "p", tmp_path / "fold", tmp_path / "other")
    assert not (tmp_path / "fold").exists()
    save_fold(trained, "p", tmp_path / "fold", tiny_weights)
    with pytest.raises(WeightsError, match="goes with another speech encoder than that of .*other; make it again"):
        fold_talker(tmp_path / "fold", tmp_path / "other")


def test_a_damaged_fold_is_refused_in_a_sentence(trained: Path, tiny_weights: Path, tmp_path: Path) -> None:
    fold = tmp_path / "fold"
    with pytest.raises(WeightsError, match="does not describe weights with a person left out: There is no"):
        fold_talker(fold, tiny_weights)
    save_fold(trained, "p", fold, tiny_weights)
    config = json.loads((fold / "config.json").read_text())
    for change, said in (
        ({"format": 2}, "is of format 2; this version reads format 1"),
        ({"person": "p"}, "Unknown key 'person' in FoldManifest"),
        ({"sha256": "0" * 64}, "sha256 differs"),
        ({"model": config["model"] | {"width": 32}}, "does not fit its configuration|is larger than"),
    ):
        (fold / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(WeightsError, match=said):
            fold_talker(fold, tiny_weights)
    (fold / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="does not describe weights: Unknown key 'encoder', 'left_out'"):
        load_weights(fold)


def test_weights_beyond_float16_are_not_written(trained: Path, tiny_weights: Path, tmp_path: Path) -> None:
    model = load_weights(trained)
    model.text.bias.data[0] = 1e6
    save_weights(model, tmp_path / "large")
    with pytest.raises(WeightsError, match=r"text\.bias.*float16"):
        save_fold(tmp_path / "large", "p", tmp_path / "fold", tiny_weights)
    assert not (tmp_path / "fold").exists()

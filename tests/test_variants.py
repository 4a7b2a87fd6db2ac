"""The switches of the model: no memory, style by label, both stages at once; and that none of them is on by itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from memorytalker.config import ConfigError, LossConfig, TrainingConfig, from_dict, to_dict
from memorytalker.models.style import SpeakerLabels, StyleEncoder
from memorytalker.training.data import TrainingClip
from memorytalker.training.losses import Losses, MouthVertices, memorizing_loss, together_loss
from memorytalker.training.memorize import memorize
from memorytalker.training.stylize import stylize
from memorytalker.training.together import train_together
from memorytalker.training.trainer import StageInputs
from memorytalker.weights import load_weights, save_weights

CONFIG = TrainingConfig(epochs=2, batch_size=3, learning_rate=1e-3, losses=LossConfig(slots=0.1, opening=0.1))


def clip(number: int, speaker: str, mel: torch.Tensor | None = None) -> TrainingClip:
    random = torch.Generator().manual_seed(number)
    return TrainingClip(
        name=f"clip{number}",
        speaker=speaker,
        captured=False,
        states=torch.randn(40, 32, generator=random).half(),
        mel=torch.randn(80, 80, generator=random).half() if mel is None else mel,
        motion=0.01 * torch.randn(24, 60, generator=random),
        labels=torch.randint(0, 40, (24,), generator=random),
    )


@pytest.fixture
def clips() -> list[TrainingClip]:
    return [clip(i, f"speaker{i % 3}") for i in range(9)]


@pytest.fixture
def mouth() -> MouthVertices:
    return MouthVertices(lips=torch.eye(60)[:, :12], opening=torch.eye(60)[0])


def changed(model: torch.nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_model_without_memory_reads_the_text_alone(make_model) -> None:
    with_memory, without = make_model(), make_model(use_memory=False)
    without.load_state_dict(with_memory.state_dict())
    logits, motion = torch.randn(2, 9, 40), 0.01 * torch.randn(2, 9, 60)
    style = torch.rand(2, 40)
    with torch.no_grad():
        plain = without(logits, motion=motion)
        assert plain.given is None and not plain.retrieved_feature.any() and not plain.has_memory
        torch.testing.assert_close(without(logits, style_weights=style).offsets, plain.offsets)
        without.memory.slots.normal_()
        torch.testing.assert_close(without(logits).offsets, plain.offsets)
        assert not torch.allclose(with_memory(logits).offsets, plain.offsets), "with the memory it does read it"


def test_without_memory_there_are_no_losses_of_the_memory(make_model, mouth: MouthVertices) -> None:
    motion, logits = 0.01 * torch.randn(2, 9, 60), torch.randn(2, 9, 40)
    output = make_model(use_memory=False)(logits, motion=motion)
    losses = memorizing_loss(output, motion, weights=LossConfig(opening=0.1), mouth=mouth)
    assert set(losses.parts) == {"motion", "velocity", "opening"}
    expected = (output.offsets - motion).square().mean()
    torch.testing.assert_close(losses.parts["motion"], expected)
    with pytest.raises(ValueError, match="pass motion"):
        memorizing_loss(make_model()(logits), motion)


def test_without_memory_stage_one_trains_all_but_the_memory(make_model, clips, mouth, tmp_path: Path) -> None:
    model = make_model(use_memory=False)
    before = state(model)
    memorize(model, StageInputs(clips, clips[:3], mouth, tmp_path), CONFIG)
    names = changed(model, before)
    assert "decoder.output.weight" in names and not names & {"memory.slots", "motion.weight"}


def test_labels_start_neutral_and_take_the_style_encoders_place(make_model) -> None:
    labels = SpeakerLabels(3, 5)
    one_hot = torch.eye(3)[:, :, None]
    torch.testing.assert_close(labels(one_hot).weights, torch.ones(3, 5))
    torch.nn.init.normal_(labels.weights.weight)
    each = labels(one_hot).weights
    torch.testing.assert_close(each[1], 1 + labels.weights.weight[:, 1])
    mean = labels(torch.full((1, 3, 1), 1 / 3)).weights[0]
    torch.testing.assert_close(mean, each.mean(0), msg="a mean of labels is the mean of their styles")


def test_a_labelled_model_learns_a_vector_for_each_speaker(make_model, clips, mouth, tmp_path: Path) -> None:
    speakers = ("speaker0", "speaker1", "speaker2")
    own = [dataclasses.replace(c, mel=torch.eye(3)[speakers.index(c.speaker)][None].half()) for c in clips[:6]]
    own = [c for c in own if c.speaker != "speaker2"]
    model = labelled(make_model, speakers)
    before = state(model)
    config = dataclasses.replace(CONFIG, stage="stylize", losses=LossConfig(style=0.0), crop_seconds=0.5)
    stylize(model, StageInputs(own, own, mouth, tmp_path), config)
    assert changed(model, before) == {"style.weights.weight", "style_mean"}
    moved = torch.linalg.vector_norm(model.style.weights.weight.detach(), dim=0) > 0
    assert moved.tolist() == [True, True, False], "a speaker without clips stays neutral"


def test_a_labelled_model_is_stored_and_cannot_hear_a_style(make_model, tmp_path: Path) -> None:
    model = labelled(make_model, ("Ann", "Bob"))
    torch.nn.init.normal_(model.style.weights.weight)
    save_weights(model, tmp_path / "weights")
    loaded = load_weights(tmp_path / "weights")
    assert loaded.config.speakers == ("Ann", "Bob")
    torch.testing.assert_close(loaded.style.weights.weight, model.style.weights.weight)
    assert isinstance(loaded.style, SpeakerLabels)
    with pytest.raises(ConfigError, match="by label"):
        loaded.style_of(torch.zeros(1, 16000))


def labelled(make_model, speakers: tuple[str, ...]):
    from memorytalker.models.talker import MemoryTalker

    plain = make_model()
    model = MemoryTalker(dataclasses.replace(plain.config, speakers=speakers))
    model.load_state_dict({k: v for k, v in plain.state_dict().items() if not k.startswith("style.")}, strict=False)
    return model.eval()


def test_together_everything_learns_that_is_not_frozen(make_model, clips, mouth, tmp_path: Path) -> None:
    model = make_model()
    model.requires_grad_(False)  # as stage 2 leaves it
    before = state(model)
    train_together(model, StageInputs(clips, clips, mouth, tmp_path), dataclasses.replace(CONFIG, stage="together"))
    names = changed(model, before)
    assert {"memory.slots", "motion.weight", "decoder.output.weight", "style.feature.weight", "style_mean"} <= names
    assert not any(name.startswith("speech.encoder") for name in names)


def test_together_counts_every_loss_once() -> None:
    def parts(**values: float) -> Losses:
        return Losses(torch.tensor(0.0), {name: torch.tensor(value) for name, value in values.items()})

    first, second = parts(motion=3.0, velocity=2.0, memory=5.0, align=7.0), parts(motion=1.0, lip=11.0, style=13.0)
    both = together_loss(first, second)
    assert set(both.parts) == {"motion", "velocity", "memory", "align", "lip", "style"}
    assert float(both.total) == pytest.approx(3.0 + 2.0 + 0.01 * (5.0 + 7.0 + 11.0 + 13.0))


def test_the_switches_are_off_unless_asked_for(make_model) -> None:
    config = make_model().config
    values = to_dict(config)
    del values["use_memory"], values["speakers"]  # a configuration written before there were switches
    assert from_dict(type(config), values) == config
    assert isinstance(make_model().style, StyleEncoder) and config.use_memory
    with pytest.raises(ConfigError):
        from_dict(type(config), {**values, "speakers": "Ann"})


def test_paper_variant_without_memory_reads_two_text_frames(make_model) -> None:
    model = make_model("biwi", use_memory=False)
    output = model(torch.randn(1, 10, model.config.slot_count))
    assert output.offsets.shape == (1, 5, 60) and np.isfinite(output.offsets.detach().numpy()).all()

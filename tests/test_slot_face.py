"""The face that a memory slot stores: stage 1's answer while speech dwells on the slot, lips as they should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import toy_training
from safetensors.torch import load_file

from memorytalker.config import ConfigError
from memorytalker.evaluation.metrics import lip_gap
from memorytalker.models.talker import HELD_SHARE
from memorytalker.phones import ENGLISH
from memorytalker.pipeline import Talker, TalkerError
from memorytalker.training import memorize
from memorytalker.training.trainer import StageInputs


def test_before_training_the_face_is_the_answer_to_that_slot_alone(tiny_talker: Talker) -> None:
    model, period, slot = tiny_talker.model, tiny_talker.config.period, ENGLISH.index("ow")
    address = torch.full((1, period, 40), (1 - HELD_SHARE) / 39)
    address[..., slot] = HELD_SHARE
    logits = (address.log() - address.log().min()) / tiny_talker.config.scaling
    with torch.inference_mode():
        output = model(logits)
    np.testing.assert_allclose(output.key_address, address, atol=1e-5)
    wanted = tiny_talker.head.template + tiny_talker.space.offsets(output.offsets[0].mean(0).numpy()[None])[0]
    np.testing.assert_allclose(tiny_talker.slot_face("ow"), wanted, atol=1e-6)


def test_a_trained_slot_is_held_as_training_speech_reads_it(make_model) -> None:
    """Planted: every frame is slot 3 with some of slot 5, but for one of slot 7; the others never win."""
    model = make_model("open").eval()
    planted = torch.zeros(1, 50, 40)
    planted[..., 3], planted[..., 5], planted[:, 30:, 5] = 2.0, 1.0, 0.0
    planted[:, 9, 7] = 3.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memorize, "batch_logits", lambda model, batch: planted)
        memorize.set_slot_logits(model, toy_training.clips()[:1])
    assert model.slot_logits[3, 3] == 2.0 and model.slot_logits[3, 5] == pytest.approx(29 / 49)
    torch.testing.assert_close(model.slot_logits[7], planted[0, 9])
    silent = planted[0].mean(0)
    silent[9] = (49 * 2.0 + 3.0) / 50
    torch.testing.assert_close(model.slot_logits[9], silent)
    assert model.slot_logits.argmax(1).tolist() == list(range(40))
    held = model.slot_logits[3].expand(1, model.config.period, 40)
    with torch.no_grad():
        torch.testing.assert_close(model.slot_coordinates(3), model(held).offsets[0].mean(0))
        assert not torch.allclose(model.slot_coordinates(3), model.slot_coordinates(7))


def test_training_finds_how_speech_reads_the_slots(tmp_path: Path, make_model) -> None:
    model = make_model("open")
    before = model.slot_logits.clone()
    inputs = StageInputs(toy_training.clips(), toy_training.clips()[:3], toy_training.MOUTH, tmp_path)
    memorize.memorize(model, inputs, toy_training.CONFIG)
    assert not torch.equal(model.slot_logits, before)
    assert torch.equal(load_file(tmp_path / "best.safetensors")["slot_logits"], model.slot_logits), "for stage 2"
    kept = load_file(tmp_path / "weights" / "model.safetensors")["slot_logits"]
    torch.testing.assert_close(kept.float(), model.slot_logits, atol=1e-3, rtol=1e-3)


def test_names_and_numbers_name_the_same_slot(tiny_talker: Talker) -> None:
    by_name, by_number = tiny_talker.slot_face("uw"), tiny_talker.slot_face(ENGLISH.index("uw"))
    assert np.array_equal(by_name, by_number) and np.array_equal(by_name, tiny_talker.slot_face(np.int64(34)))
    assert by_name.shape == tiny_talker.head.template.shape and by_name.dtype == np.float32
    assert np.abs(by_name - tiny_talker.slot_face("aa")).max() > 1e-5


def test_a_style_moves_the_face_of_the_slot_that_it_weighs(tiny_talker: Talker) -> None:
    neutral, ones = tiny_talker.slot_face("ow"), np.ones(40, np.float32)
    assert np.array_equal(tiny_talker.slot_face("ow", ones), neutral)
    own, other = ones.copy(), ones.copy()
    own[ENGLISH.index("ow")] = other[ENGLISH.index("s")] = 1.5
    by_own, by_other = (np.abs(tiny_talker.slot_face("ow", style) - neutral).max() for style in (own, other))
    assert by_own > 20 * by_other > 0


@pytest.mark.parametrize("slot", ["ax", "", 40, -1, True, 1.5])
def test_a_slot_that_is_not_there_is_one_plain_sentence(tiny_talker: Talker, slot) -> None:
    with pytest.raises(ConfigError) as refused:
        tiny_talker.slot_face(slot)
    message = str(refused.value)
    assert repr(slot) in message and "from 0 to 39" in message and " uw " in message and message.count(". ") == 0


def test_other_weights_than_one_for_each_slot_are_refused(tiny_talker: Talker) -> None:
    with pytest.raises(TalkerError, match="40 finite numbers"):
        tiny_talker.slot_face("ow", np.ones(3))


def test_shipped_slots_store_the_faces_they_are_named_after(shipped_talker: Talker) -> None:
    talker = shipped_talker
    marks = talker.head.landmarks
    upper, lower = marks["inner_lip_upper"], marks["inner_lip_lower"]
    gap = {phone: float(lip_gap(talker.slot_face(phone)[None], upper, lower)[0]) for phone in ENGLISH.phones}
    assert max(gap[phone] for phone in "pbm") < 0.001, "lips closed"
    assert min(gap[phone] for phone in ("aa", "ae", "ay")) > 0.006, "mouth open"
    assert gap["ao"] > 0.003, "open and rounded"
    assert gap["sil"] < 0.0005, "mouth at rest"

    def width(phone: str) -> float:
        face = talker.slot_face(phone)
        return float(face[marks["mouth_left"], 0] - face[marks["mouth_right"], 0])

    rounded, spread = (np.mean([width(phone) for phone in phones.split()]) for phones in ("w uw ow", "iy ey eh"))
    assert rounded < spread - 0.001

"""Each loss on planted numbers, and the rule that a padded batch is the mean of its clips."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from memorytalker.config import LossConfig
from memorytalker.models.layers import length_mask
from memorytalker.models.style import StyleOutput
from memorytalker.models.talker import GivenMotion, TalkerOutput
from memorytalker.training.losses import (
    MouthVertices,
    SlotGroups,
    align_loss,
    estimated_style,
    lip_loss,
    memorizing_loss,
    memory_loss,
    motion_loss,
    motion_losses,
    opening_loss,
    select_lips,
    slot_loss,
    style_loss,
    stylizing_loss,
    velocity_loss,
)

LENGTHS = torch.tensor([9, 4, 6])
EVERYTHING = LossConfig(slots=0.3, opening=0.2, lips_in_stage_one=0.1)


def of_clip(value: object, i: int, frames: int) -> object:
    """Item i of whatever a forward pass returned, without its padding."""
    if isinstance(value, Tensor):
        return value[i : i + 1, :frames] if value.dim() == 3 else value[i : i + 1]
    if dataclasses.is_dataclass(value):
        fields = {f.name: of_clip(getattr(value, f.name), i, frames) for f in dataclasses.fields(value)}
        return type(value)(**fields)
    return value


def batch(make_model, family: str) -> tuple[TalkerOutput, Tensor, Tensor, Tensor, tuple[StyleOutput, ...]]:
    model, size = make_model(family), int(LENGTHS.max())
    mask = length_mask(LENGTHS, size)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, size * model.config.text_frames, model.config.slot_count, generator=generator)
    motion = 0.01 * torch.randn(3, size, 60, generator=generator)
    labels = torch.randint(-1, model.config.slot_count, (3, size), generator=generator)
    styles = tuple(model.style(torch.randn(3, 80, 30, generator=generator)) for _ in range(3))
    return model(logits, mask, styles[0].weights, motion), motion, mask, labels, styles


@pytest.mark.parametrize("family", ["open", "vocaset", "biwi"])
def test_a_padded_batch_is_the_mean_of_its_clips(make_model, family: str) -> None:
    output, motion, mask, labels, styles = batch(make_model, family)
    mouth = MouthVertices(torch.tensor([2, 5, 11]), torch.linspace(-1, 1, 60))
    rubbish = torch.where(mask[..., None], motion, torch.tensor(50.0))  # what lies in the padding does not matter
    together = (
        memorizing_loss(output, rubbish, mask, EVERYTHING, 20.0, labels, mouth),
        stylizing_loss(output, rubbish, styles, mouth, mask, EVERYTHING, 20.0),
    )
    alone = []
    for i, frames in enumerate(LENGTHS.tolist()):
        clip, moved = of_clip(output, i, frames), motion[i : i + 1, :frames]
        style = tuple(of_clip(s, i, frames) for s in styles)
        alone.append(
            (
                memorizing_loss(clip, moved, None, EVERYTHING, 20.0, labels[i : i + 1, :frames], mouth),
                stylizing_loss(clip, moved, style, mouth, None, EVERYTHING, 20.0),
            )
        )
    for stage in (0, 1):
        assert together[stage].parts.keys() == alone[0][stage].parts.keys()
        for name, value in together[stage].parts.items():
            mean = torch.stack([clips[stage].parts[name] for clips in alone]).mean()
            torch.testing.assert_close(value, mean, rtol=1e-5, atol=1e-7, msg=name)
        mean = torch.stack([clips[stage].total for clips in alone]).mean()
        torch.testing.assert_close(together[stage].total, mean, rtol=1e-5, atol=1e-7)


def test_totals_are_the_papers_sums(make_model) -> None:
    output, motion, mask, labels, styles = batch(make_model, "open")
    first = memorizing_loss(output, motion, mask)
    p = first.parts
    assert set(p) == {"motion", "velocity", "memory", "align"}
    torch.testing.assert_close(first.total, p["motion"] + p["velocity"] + 0.01 * (p["memory"] + p["align"]))
    second = stylizing_loss(output, motion, styles, MouthVertices(torch.tensor([0, 1])), mask)
    p = second.parts
    assert set(p) == {"motion", "velocity", "lip", "style"}
    torch.testing.assert_close(second.total, p["motion"] + p["velocity"] + 0.01 * (p["lip"] + p["style"]))


def test_stage_1_counts_both_decoder_passes(make_model) -> None:
    output, motion, mask, *_ = batch(make_model, "open")
    expected = motion_loss(output.offsets, motion, mask) + motion_loss(output.given.offsets, motion, mask)
    torch.testing.assert_close(memorizing_loss(output, motion, mask).parts["motion"], expected)
    with pytest.raises(ValueError, match="pass motion"):
        memorizing_loss(dataclasses.replace(output, given=None), motion, mask)


def test_motion_and_velocity_of_a_planted_error() -> None:
    target = torch.zeros(1, 5, 6)
    drift = torch.arange(5.0)[None, :, None].expand(1, 5, 6)  # error t in frame t: squares 0 1 4 9 16, steps 1
    assert float(motion_loss(drift, target)) == pytest.approx(6.0)
    assert float(velocity_loss(drift, target)) == pytest.approx(1.0)
    assert float(velocity_loss(drift + 3.0, target)) == pytest.approx(1.0)  # a constant error has no velocity
    assert float(velocity_loss(drift[:, :1], target[:, :1])) == 0.0
    mask = torch.tensor([[True, True, True, False, False]])
    assert float(motion_loss(drift, target, mask)) == pytest.approx(5 / 3)


def test_scale_compares_in_its_own_units(make_model) -> None:
    output, motion, mask, *_ = batch(make_model, "open")
    metres, millimetres = (memorizing_loss(output, motion, mask, scale=s).parts for s in (1.0, 1000.0))
    torch.testing.assert_close(millimetres["motion"], 1e6 * metres["motion"])
    torch.testing.assert_close(millimetres["align"], metres["align"])


def test_align_is_the_divergence_and_grows_with_frames() -> None:
    key, value = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    for frames in (1, 3):
        found = align_loss(key.expand(1, frames, 3), value.expand(1, frames, 3))
        assert float(found) == pytest.approx(frames * math.log(2), rel=1e-5)
    assert float(align_loss(key.expand(1, 2, 3), key.expand(1, 2, 3))) == pytest.approx(0.0, abs=1e-6)
    assert torch.isfinite(align_loss(torch.eye(3)[None], torch.eye(3).flip(0)[None]))  # certain, and certainly wrong


def test_detachments() -> None:
    """The memory losses teach the memory: neither the motion's feature nor the text learns from them."""
    feature, recalled = torch.randn(1, 3, 4, requires_grad=True), torch.randn(1, 3, 4, requires_grad=True)
    memory_loss(feature, recalled).backward()
    assert feature.grad is None and recalled.grad.abs().sum() > 0
    key, value = (torch.softmax(torch.randn(1, 3, 4), -1).requires_grad_() for _ in range(2))
    align_loss(key, value).backward()
    assert key.grad is None and value.grad.abs().sum() > 0


def test_style_triplet_counts_the_margin() -> None:
    anchor = torch.zeros(1, 4)
    far = torch.tensor([[7.0, 0, 0, 0]])
    assert float(style_loss(anchor, anchor, far)) == pytest.approx(0.0)
    assert float(style_loss(anchor, far, anchor)) == pytest.approx(12.0, abs=1e-4)
    assert float(style_loss(anchor, anchor, anchor)) == pytest.approx(5.0, abs=1e-4)


def test_lips_are_the_named_vertices_alone() -> None:
    target, prediction = torch.zeros(1, 2, 12), torch.zeros(1, 2, 12)
    prediction[..., 3:6] = 2.0  # vertex 1
    prediction[..., 9] = 100.0  # vertex 3
    assert float(lip_loss(prediction, target, torch.tensor([1]))) == pytest.approx(4.0)
    assert float(lip_loss(prediction, target, torch.tensor([0, 2]))) == 0.0
    rows = torch.zeros(12, 3)
    rows[3:6] = torch.eye(3)
    torch.testing.assert_close(select_lips(prediction, rows), select_lips(prediction, torch.tensor([1])))


def test_slot_loss_reads_the_label_and_skips_the_unknown() -> None:
    logits = torch.tensor([[[1.0, 0, 0], [0, 1.0, 0]]])
    right = slot_loss(logits, torch.tensor([[0, 1]]), scaling=4.0)
    wrong = slot_loss(logits, torch.tensor([[2, 2]]), scaling=4.0)
    expected = -torch.softmax(4.0 * logits, -1)[0, 0].log()
    torch.testing.assert_close(right, expected[0])
    torch.testing.assert_close(wrong, expected[2])
    torch.testing.assert_close(slot_loss(logits, torch.tensor([[0, -1]]), scaling=4.0), right)


def test_slot_loss_teaches_where_the_address_is_saturated() -> None:
    logits = torch.tensor([[[50.0, 0.0]]], requires_grad=True)
    slot_loss(logits, torch.tensor([[1]]), scaling=16.0).backward()
    assert logits.grad[0, 0, 1] < -1


def test_opening_counts_closing_as_much_as_opening() -> None:
    """A millimetre too much on closed lips costs far more than on a wide open mouth."""
    opening = torch.ones(1)
    gap = torch.tensor([0.0, 0.02])[:, None, None]  # metres: closed, wide open
    closed, wide = (opening_loss(g[None] + 0.001, g[None], opening, 0.001) for g in gap)
    assert float(closed) > 50 * float(wide) > 0
    closed_twice, open_wide = (opening_loss(g[None] + 0.001, g[None], opening, 0.001, closed_weight=3.0) for g in gap)
    torch.testing.assert_close(closed_twice, 4 * closed)
    torch.testing.assert_close(open_wide, wide, rtol=0.01, atol=0)


def test_a_gap_that_is_not_zero_at_rest_is_counted_from_its_rest() -> None:
    """Lip on teeth: the template lies 2 mm under them, so a motion of 2 mm upwards really closes."""
    row, rest = torch.ones(1), 0.002
    true, short = torch.tensor([[[-0.002]]]), torch.tensor([[[-0.001]]])
    from_rest = opening_loss(short, true, row, 0.001, closed_weight=3.0, rest=rest)
    torch.testing.assert_close(from_rest, opening_loss(short + rest, true + rest, row, 0.001, closed_weight=3.0))
    assert float(opening_loss(true, true, row, 0.001, rest=rest)) == 0


def test_the_bite_counts_only_with_a_weight_and_a_head_that_has_teeth() -> None:
    motion = 0.01 * torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(3))
    lips = torch.eye(6)[:, :2]
    mouth = MouthVertices(lips, torch.eye(6)[0], lip_to_teeth=torch.eye(6)[1], lip_to_teeth_rest=-0.0004)

    def loss(weights: LossConfig, mouth: MouthVertices) -> float:
        return float(motion_losses(motion * 0.5, motion, None, weights, 1.0, mouth, None))

    plain, bitten = LossConfig(), LossConfig(lip_to_teeth=0.3)
    expected = opening_loss(motion * 0.5, motion, mouth.lip_to_teeth, mouth.softness, rest=mouth.lip_to_teeth_rest)
    assert loss(bitten, mouth) - loss(plain, mouth) == pytest.approx(0.3 * float(expected), rel=1e-4)
    assert loss(bitten, MouthVertices(lips, torch.eye(6)[0])) == loss(plain, mouth)


def test_estimated_style_is_the_factor_that_each_slot_was_given() -> None:
    """Motion made from the general one by a factor per slot gives the factors back, once there are enough frames."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.tensor([[0.5, 1.0, 2.0], [1.5, 1.5, 1.5]])
    slots = torch.randint(3, (2, 900), generator=generator)
    address = F.one_hot(slots, 3).float()
    general = torch.randn(2, 900, 6, generator=generator)
    motion = general * factors.gather(1, slots).unsqueeze(-1)
    torch.testing.assert_close(estimated_style(address, general, motion), factors, atol=0.05, rtol=0)
    torch.testing.assert_close(estimated_style(address, general, general), torch.ones(2, 3))


def test_estimated_style_ignores_padding_and_shrinks_an_unspoken_slot() -> None:
    generator = torch.Generator().manual_seed(1)
    address = F.one_hot(torch.randint(2, (1, 60), generator=generator), 3).float()
    general = torch.randn(1, 60, 4, generator=generator)
    mask = torch.arange(60)[None] < 40
    motion = torch.where(mask[..., None], 1.4 * general, 99.0)
    weights = estimated_style(address, general, motion, mask)
    torch.testing.assert_close(weights, estimated_style(address[:, :40], general[:, :40], motion[:, :40]))
    assert 1.0 < float(weights[0, 2]) < 1.4, "a slot that nobody spoke takes the clip's own factor, shrunk towards 1"
    assert torch.equal(estimated_style(address, torch.zeros_like(general), motion, mask), torch.ones(1, 3))


def test_the_shown_pass_counts_as_the_general_one_does() -> None:
    """A styled pass that equals the general one adds the same visible losses once more, by its weight."""
    generator = torch.Generator().manual_seed(2)
    motion, offsets = torch.randn(3, 9, 6, generator=generator), torch.randn(3, 9, 6, generator=generator)
    weights = dataclasses.replace(EVERYTHING, slots=0.0, memory=0.0, align=0.0, style_consistency=0.5)
    mouth, mask = MouthVertices(torch.eye(6)[:, :3], torch.eye(6)[0]), length_mask(LENGTHS, 9)
    address = torch.full((3, 9, 2), 0.5)
    still = GivenMotion(torch.zeros(3, 9, 4), address, torch.zeros(3, 9, 4), motion)  # the given pass is perfect
    output = TalkerOutput(offsets, torch.zeros(3, 9, 2), address, motion, motion, None, still)
    without = memorizing_loss(output, motion, mask, weights, 1.0, None, mouth)
    with_shown = memorizing_loss(output, motion, mask, weights, 1.0, None, mouth, styled=offsets)
    torch.testing.assert_close(with_shown.parts["style_consistency"], without.total)
    torch.testing.assert_close(with_shown.total, 1.5 * without.total)


def test_a_slots_weight_is_measured_by_the_movement_of_its_group() -> None:
    """Where one group of measures is doubled and the other halved, every slot gets the factor of its own group."""
    generator = torch.Generator().manual_seed(3)
    address = F.one_hot(torch.randint(3, (1, 900), generator=generator), 3).float()
    general = torch.randn(1, 900, 4, generator=generator)
    motion = general * torch.tensor([2.0, 2.0, 0.5, 0.5])
    measures = torch.eye(4)[:, :2], torch.eye(4)[:, 2:]
    weights = estimated_style(address, general, motion, groups=SlotGroups(measures, torch.tensor([0, 1, 0])))
    torch.testing.assert_close(weights, torch.tensor([[2.0, 0.5, 2.0]]), atol=0.05, rtol=0)

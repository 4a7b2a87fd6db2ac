"""The paper authors' own numbers: with their weights under their names, the outputs and every loss are theirs.

The reference was computed once with their public code at toy size; tests/fixtures/parity holds what is needed of it and
says where it comes from. Outputs agree to 1e-5 of values near 1 and losses to 1e-5 of themselves (`align` reaches 200):
two orders of sums in float32 differ by some 1e-6. What depends on the log-mel agrees to 1e-4, because theirs was
computed with other filters in the last digits, and the style weights multiply that by 110.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from paper_reference import DRAWN_SUM, SETS, Reference, drawn_inputs, drawn_sum, load_reference, style_state
from torch import Tensor

from memorytalker.config import ModelConfig, SpeechConfig
from memorytalker.models.talker import MemoryTalker
from memorytalker.phones import CHARACTERS
from memorytalker.sound.mel import style_log_mel
from memorytalker.training.losses import MouthVertices, memorizing_loss, stylizing_loss
from memorytalker.weights import import_paper_checkpoint

#: Theirs at toy size: 20 vertices, 16 features. Speech does not enter: the reference starts at the logits.
SIZES = dict(
    coordinates=60, width=16, slots=CHARACTERS, dropout=0.0,
    speech=SpeechConfig(hidden_size=8, layers=1, heads=1, feedforward=8, head_channels=0, target_level=0.0),
)  # fmt: skip
CONFIGS = {
    "vocaset": ModelConfig(name="vocaset", fps=30, period=30, text_frames=1, **SIZES),
    "biwi": ModelConfig(name="biwi", fps=25, period=25, text_frames=2, **SIZES),
}


@pytest.fixture(params=SETS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def model_of(reference: Reference, name: str) -> MemoryTalker:
    without = ("speech", "style") if reference.style_weights is None else ("speech",)
    return import_paper_checkpoint(reference.state, CONFIGS[name], without)


def test_what_is_drawn_anew_is_what_was_drawn() -> None:
    assert drawn_sum() == DRAWN_SUM, "this torch draws other numbers; the parity fixture must be made again"


def test_stage_1_is_theirs(name: str) -> None:
    reference = load_reference(name, 1)
    model, template = model_of(reference, name), reference.template[:, None]
    motion = reference.vertices - template
    output = model(reference.logits, motion=motion)
    close(output.offsets + template, reference.out_vertices)
    close(model(reference.logits).offsets + template, reference.out_vertices)
    parts = memorizing_loss(output, motion).parts
    for ours, theirs in (("motion", "mse"), ("velocity", "velocity"), ("memory", "memory"), ("align", "align")):
        close(parts[ours], reference.losses[theirs], relative=1e-5)


def test_stage_2_is_theirs(name: str) -> None:
    reference = load_reference(name, 2)
    model, template = model_of(reference, name), reference.template[:, None]
    motion = reference.vertices - template
    anchor, positive, negative = (reference.audio[who] for who in ("anchor", "positive", "negative"))
    styles = tuple(model.style(style_log_mel(audio)) for audio in (anchor, positive, negative))
    close(styles[0].weights, reference.style_weights, absolute=1e-4, relative=1e-5)
    output = model(reference.logits, style_weights=styles[0].weights)
    close(output.offsets + template, reference.out_vertices)
    parts = stylizing_loss(output, motion, styles, MouthVertices(reference.lips)).parts
    for ours, theirs in (("motion", "mse"), ("velocity", "velocity"), ("lip", "lip")):
        close(parts[ours], reference.losses[theirs], relative=1e-5)
    close(parts["style"], reference.losses["style"], absolute=1e-4)


@pytest.mark.gpu
def test_an_accelerator_computes_the_same(name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no accelerator here")
    on_a_device(name, "cuda")


def test_a_device_is_only_a_place(name: str) -> None:
    on_a_device(name, "cpu")


def on_a_device(name: str, device: str) -> None:
    """Sums come in another order there, so that the last digits differ more than between processors."""
    reference = load_reference(name, 2)
    model, template = model_of(reference, name).to(device), reference.template[:, None].to(device)
    style = model.style(style_log_mel(reference.audio["anchor"].to(device))).weights
    close(style.cpu(), reference.style_weights, absolute=1e-3, relative=1e-4)
    output = model(reference.logits.to(device), style_weights=style)
    close((output.offsets + template).cpu(), reference.out_vertices, absolute=1e-4)


def test_the_fixture_is_the_full_reference(shared: Path) -> None:
    with np.load(shared / "parity" / "memorytalker_parity.npz", allow_pickle=False) as archive:
        for name, value in style_state().items():
            close(value, torch.from_numpy(archive[f"style.state.{name}"]), absolute=1e-7)
        for name in SETS:
            for stage in (1, 2):
                prefix, reference = f"{name}.stage{stage}.", load_reference(name, stage)
                for key, value in drawn_inputs(name, stage).items():
                    close(value, torch.from_numpy(archive[f"{prefix}in.{key}"]), absolute=1e-6)
                for key in [key for key in archive.files if key.startswith(f"{prefix}state.")]:
                    ours, theirs = reference.state[key.removeprefix(f"{prefix}state.")].numpy(), archive[key]
                    theirs = theirs[:, : ours.shape[1]] if key.endswith("PPE.pe") else theirs
                    np.testing.assert_array_equal(ours, theirs)
                np.testing.assert_array_equal(reference.out_vertices.numpy(), archive[f"{prefix}out.vertices"])
                for loss, value in reference.losses.items():
                    assert value.item() == archive[f"{prefix}out.loss_{loss}"]


def close(ours: Tensor, theirs: Tensor, absolute: float = 1e-5, relative: float = 0.0) -> None:
    torch.testing.assert_close(ours.detach(), theirs, atol=absolute, rtol=relative)

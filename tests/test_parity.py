"""The paper authors' own numbers: with their weights under their names, the outputs and every loss are theirs.

The reference was computed once with their public code at toy size. Everything agrees to 1e-5 (relative for losses,
which reach 200), what depends on the log-mel to 1e-4.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
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
SETS = {
    "vocaset": ModelConfig(name="vocaset", fps=30, period=30, text_frames=1, **SIZES),
    "biwi": ModelConfig(name="biwi", fps=25, period=25, text_frames=2, **SIZES),
}


class Reference:
    """The numbers of one stage of one set."""

    def __init__(self, arrays: dict[str, Tensor], name: str, stage: int) -> None:
        self.arrays, self.prefix, self.stage = arrays, f"{name}.stage{stage}.", stage

    def __getitem__(self, key: str) -> Tensor:
        return self.arrays[self.prefix + key]

    def state(self) -> dict[str, Tensor]:
        prefixes = (self.prefix + "state.",) + (("style.state.",) if self.stage == 2 else ())
        return {k.removeprefix(p): v for p in prefixes for k, v in self.arrays.items() if k.startswith(p)}


@pytest.fixture(scope="module")
def arrays(shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "parity" / "memorytalker_parity.npz", allow_pickle=False) as archive:
        return {name: torch.from_numpy(archive[name].copy()) for name in archive.files}


@pytest.fixture(params=sorted(SETS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def load(reference: Reference, name: str) -> MemoryTalker:
    without = ("speech",) if reference.stage == 2 else ("speech", "style")
    return import_paper_checkpoint(reference.state(), SETS[name], without)


def test_stage_1_is_theirs(arrays: dict[str, Tensor], name: str) -> None:
    reference = Reference(arrays, name, 1)
    model = load(reference, name)
    template, motion = reference["in.template"][:, None], reference["in.vertices"] - reference["in.template"][:, None]
    output = model(reference["in.text_logits"], motion=motion)
    close(output.offsets + template, reference["out.vertices"])
    close(model(reference["in.text_logits"]).offsets + template, reference["out.vertices_inference"])
    parts = memorizing_loss(output, motion).parts
    for ours, theirs in (("motion", "mse"), ("velocity", "velocity"), ("memory", "memory"), ("align", "align")):
        close(parts[ours], reference[f"out.loss_{theirs}"], relative=1e-5)


def test_stage_2_is_theirs(arrays: dict[str, Tensor], name: str) -> None:
    reference = Reference(arrays, name, 2)
    model = load(reference, name)
    template, motion = reference["in.template"][:, None], reference["in.vertices"] - reference["in.template"][:, None]
    styles = tuple(
        model.style(style_log_mel(reference[f"in.audio_{who}"])) for who in ("anchor", "positive", "negative")
    )
    close(styles[0].weights, reference["out.style_weights"], absolute=1e-4, relative=1e-5)
    output = model(reference["in.text_logits"], style_weights=styles[0].weights)
    close(output.offsets + template, reference["out.vertices"])
    close(output.offsets + template, reference["out.vertices_inference"])
    parts = stylizing_loss(output, motion, styles, MouthVertices(reference["in.lip_indices"])).parts
    for ours, theirs in (("motion", "mse"), ("velocity", "velocity"), ("lip", "lip")):
        close(parts[ours], reference[f"out.loss_{theirs}"], relative=1e-5)
    close(parts["style"], reference["out.loss_style"], absolute=1e-4)


def close(ours: Tensor, theirs: Tensor, absolute: float = 1e-5, relative: float = 0.0) -> None:
    torch.testing.assert_close(ours.detach(), theirs, atol=absolute, rtol=relative)

"""The encoder of Whisper beside that of transformers: the same names, the same states, and quicker to import."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from memorytalker.models.whisper import WhisperEncoder

WIDTH, LAYERS, HEADS, FEEDFORWARD, MEL_BINS = 24, 3, 4, 40, 8


@pytest.fixture(scope="module")
def theirs() -> torch.nn.Module:
    """An untrained encoder of transformers whose every parameter is random."""
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Published

    config = WhisperConfig(
        d_model=WIDTH,
        encoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        encoder_ffn_dim=FEEDFORWARD,
        num_mel_bins=MEL_BINS,
    )
    encoder = Published(config).eval()
    generator = torch.Generator().manual_seed(0)
    for name, value in encoder.named_parameters():
        if name != "embed_positions.weight":
            value.data = torch.randn(value.shape, generator=generator) * 0.3
    return encoder


@pytest.fixture(scope="module")
def ours() -> WhisperEncoder:
    return WhisperEncoder(WIDTH, LAYERS, HEADS, FEEDFORWARD, MEL_BINS).eval()


def sound(frames: int) -> Tensor:
    return torch.randn(2, MEL_BINS, frames, generator=torch.Generator().manual_seed(1))


def test_the_parameters_are_those_of_published_checkpoints(theirs: torch.nn.Module, ours: WhisperEncoder) -> None:
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == shapes
    assert torch.allclose(ours.embed_positions.weight, theirs.embed_positions.weight, atol=1e-4), "position table"
    assert not ours.embed_positions.weight.requires_grad


def test_the_states_of_a_whole_window_are_those_of_transformers(theirs: torch.nn.Module, ours: WhisperEncoder) -> None:
    """Its public forward takes windows of 30 s alone, without a mask."""
    ours.load_state_dict(theirs.state_dict())
    mel = sound(3000)
    with torch.no_grad():
        published = theirs(mel, output_hidden_states=True)
        found = ours(mel)
    assert torch.allclose(found[-1], published.last_hidden_state, atol=1e-5)
    for mine, state in zip(found[:-1], published.hidden_states[1:-1], strict=True):
        assert torch.allclose(mine, state, atol=1e-5)


def test_positions_and_mask_count(ours: WhisperEncoder) -> None:
    """A state that is masked changes no other; and the same sound elsewhere in the window has other states."""
    mel = sound(20)
    mask = torch.zeros(1, 1, 10, 10)
    mask[..., 7:] = torch.finfo(torch.float32).min
    changed = mel.clone()
    changed[..., 16:] = -changed[..., 16:]
    with torch.no_grad():
        first, other = ours(mel, mask)[-1], ours(changed, mask)[-1]
        assert torch.equal(first[:, :7], other[:, :7])
        assert not torch.allclose(ours(mel)[-1][:, :7], ours(changed)[-1][:, :7], atol=1e-3)
        assert not torch.allclose(ours(mel, first=100)[-1], ours(mel)[-1], atol=1e-3)


def test_the_open_model_is_loaded_without_transformers() -> None:
    code = (
        "import sys; from memorytalker import Talker; talker = Talker.from_pretrained(); "
        "print([name for name in ('transformers', 'torch._dynamo', 'sympy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]", found.stdout

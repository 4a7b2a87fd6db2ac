"""Layers of a shared speech encoder: their outputs belong to the calling thread, in any thread, after any error."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from memorytalker.models.speech import SpeechEncoder

SAMPLES = 8000


@pytest.fixture
def encoder(make_model: Callable) -> SpeechEncoder:
    """A HuBERT of three layers whose states are the mean of the last two."""
    speech = dataclasses.replace(make_model("biwi").config.speech, layers=3, mixed_layers=2)
    return make_model("biwi", speech=speech).eval().speech


def sound(seed: int) -> Tensor:
    return 0.1 * torch.randn(1, SAMPLES, generator=torch.Generator().manual_seed(seed))


def states(encoder: SpeechEncoder, seed: int) -> Tensor:
    with torch.inference_mode():
        return encoder.states(sound(seed))


def hooks(encoder: SpeechEncoder) -> int:
    return sum(len(layer._forward_hooks) for layer in encoder.encoder.encoder.layers)


def test_an_error_inside_leaves_nothing_behind(encoder: SpeechEncoder) -> None:
    expected, before = states(encoder, 0), hooks(encoder)

    def broken(*_: object) -> None:
        raise RuntimeError("the layer broke")

    breaking = encoder.encoder.encoder.layers[1].register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="the layer broke"):
        states(encoder, 0)
    breaking.remove()
    assert hooks(encoder) == before
    assert torch.equal(states(encoder, 0), expected)


def test_two_threads_in_the_same_layers_get_their_own_outputs(encoder: SpeechEncoder) -> None:
    expected = [states(encoder, seed) for seed in (0, 1)]
    together = threading.Barrier(2, timeout=30)

    def meet(*_: object) -> None:  # both are always in the same layer
        together.wait()

    for layer in encoder.encoder.encoder.layers:
        layer.register_forward_pre_hook(meet)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda seed: states(encoder, seed), (0, 1)))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))

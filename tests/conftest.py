"""What several tests need: small random models that compute everything the shipped one does, in milliseconds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach the network

import numpy as np
import pytest
from toy_models import FAMILIES, random_model

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside the repository; its tests are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the folder `shared` beside the repository is absent")
    return SHARED


@pytest.fixture(scope="session")
def make_model() -> Callable:
    """`make_model(family, seed=0, **changes)`: a toy MemoryTalker of "open", "vocaset" or "biwi"."""
    return lambda family="open", seed=0, **changes: random_model(dataclasses.replace(FAMILIES[family], **changes), seed)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory, make_model: Callable) -> Path:
    """A weights folder of a toy model that moves the shipped head; its windows are 2 s with 0.5 s of overlap."""
    from memorytalker.face.head import load_head
    from memorytalker.weights import save_weights

    folder = tmp_path_factory.mktemp("weights") / "tiny"
    size = load_head().template.size
    save_weights(make_model(coordinates=size, window_seconds=2.0, overlap_seconds=0.5), folder)
    return folder


@pytest.fixture(scope="session")
def tiny_talker(tiny_weights: Path):
    """A Talker of `tiny_weights` on the CPU."""
    from memorytalker.pipeline import Talker

    return Talker.from_pretrained(tiny_weights, device="cpu")


@pytest.fixture
def voice() -> Callable[..., np.ndarray]:
    """`voice(seconds, seed=0)`: a buzz with syllables, (S,) float32 at 16 kHz. Not speech, but not noise either."""

    def make(seconds: float, seed: int = 0, rate: int = 16000) -> np.ndarray:
        rng = np.random.default_rng(seed)
        time = np.arange(round(seconds * rate)) / rate
        pitch = 2 * np.pi * (110 + 20 * rng.random()) * time + 2 * np.sin(2 * np.pi * 0.7 * time)
        buzz = sum(np.sin(k * pitch) / k for k in range(1, 12))
        syllables = np.clip(np.sin(2 * np.pi * (3 + rng.random()) * time) + 0.2, 0, None)
        return (0.1 * syllables * buzz + 0.001 * rng.standard_normal(time.size)).astype(np.float32)

    return make


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Toy models are faster on one thread, and the machine is shared."""
    import sys

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    yield

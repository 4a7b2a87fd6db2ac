"""A small live network with random weights, and frames as they go to other programs."""

from __future__ import annotations

import dataclasses

import numpy as np

from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.motion_space import STILL
from memorytalker.face.visemes import VISEMES
from memorytalker.live.frame import LiveFrame
from memorytalker.models.live_config import LiveConfig
from memorytalker.sound.live_mel import MelGrid

CONFIG = LiveConfig(
    tuple(name for name in ARKIT_NAMES if not name.startswith(STILL)),
    grid=MelGrid(bins=16), channels=16, dilations=(1, 3), width=8, hidden=12, scaling=2.0,
)  # fmt: skip


def random_network(seed: int = 0, **changes: object):
    """A live network of which every curve moves within its limits for ordinary sound."""
    import torch

    from memorytalker.models.live import LiveNetwork

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = LiveNetwork(dataclasses.replace(CONFIG, **changes))
        torch.nn.init.constant_(network.curves.bias, 0.4)
    return network.eval()


def lively_network():
    """A live network whose mouth opens and closes with the sound."""
    import torch

    network = random_network(3)
    with torch.no_grad():
        network.curves.bias[:] = 0.05
        network.curves.weight *= 12
    return network


def live_frame(number: int = 7, clock: float = 1_700_000_000.25, **curves: float) -> LiveFrame:
    """A frame with a value of its own for each curve and viseme, but for those that are given."""
    weights = {name: round((k + 1) / 100, 4) for k, name in enumerate(ARKIT_NAMES)} | curves
    shares = np.arange(1, len(VISEMES) + 1) / sum(range(1, len(VISEMES) + 1))
    return LiveFrame(number, 30.0, weights, dict(zip(VISEMES, shares.tolist(), strict=True)), clock, 0.125)

"""Small random models that compute everything the shipped one does, in milliseconds."""

from __future__ import annotations

import dataclasses

from memorytalker.config import ModelConfig, SpeechConfig, StyleConfig
from memorytalker.phones import CHARACTERS

STYLE = StyleConfig(channels=12, strides=(1, 2, 2), embedding=10)
WHISPER = SpeechConfig(hidden_size=32, layers=2, heads=2, feedforward=48, head_channels=24, head_layers=2)
HUBERT = SpeechConfig(
    form="hubert", hidden_size=32, layers=1, heads=2, feedforward=48, head_channels=0, target_level=0.0, frozen=False
)
#: The three families at toy size: what differs between them is numbers and names, as in the real ones.
FAMILIES = {
    "open": ModelConfig(coordinates=60, width=16, style=STYLE, speech=WHISPER),
    "vocaset": ModelConfig(
        name="vocaset", coordinates=60, width=16, slots=CHARACTERS, style=STYLE,
        speech=dataclasses.replace(HUBERT, resample="before"),
    ),
    "biwi": ModelConfig(
        name="biwi", coordinates=60, width=16, slots=CHARACTERS, style=STYLE, fps=25, period=25, text_frames=2,
        speech=HUBERT,
    ),
}  # fmt: skip


def random_model(config: ModelConfig, seed: int = 0):
    """A MemoryTalker with no layer left at zero or neutral, so that every path shows in its outputs."""
    import torch

    from memorytalker.models.talker import MemoryTalker

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MemoryTalker(config)
        for name, value in model.named_parameters():
            if name.startswith(("decoder.output", "style.feature", "style.scale")):
                torch.nn.init.normal_(value, std=0.005 if name.startswith("decoder") else 0.2)
        if model.style.scale is not None:
            torch.nn.init.constant_(model.style.scale.weight, 0.3)
    return model.eval()

"""What hears a mouth in speech: hidden states of a speech encoder -> curves of a face's shapes, as film taught it.

It serves to make the motion of voices that nobody filmed (`corpus/build.py`), and the truth that such motion is
judged by. It is no part of MemoryTalker and never heard when a face is animated.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from memorytalker.config import ConfigError, CurveRegressorConfig
from memorytalker.models.layers import sample_between
from memorytalker.models.speech import SlotHead, SpeechEncoder
from memorytalker.models.states import instance_normalise, states_in_windows


class CurveRegressor(nn.Module):
    """Members whose answers are averaged, and the space they speak in: curves = mean (S,) + answer (K,) @ directions.

    `directions` (K, S) are those in which the filmed mouths moved, strongest first.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, config: CurveRegressorConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(fresh_member(config) for _ in range(config.members))
        self.register_buffer("mean", torch.zeros(len(config.shapes)))
        self.register_buffer("directions", torch.zeros(config.directions, len(config.shapes)))

    def answer(self, member: int, states: Tensor, frames: int) -> Tensor:
        """What one member says: states (B, N, hidden) at the state rate -> (B, frames, K) at the motion rate."""
        said = self.members[member](instance_normalise(states, None, self.config.normalise))
        times = torch.arange(frames, device=states.device) * (self.config.state_rate / self.config.fps)
        return sample_between(said, times[None].expand(len(states), -1).clamp(max=states.shape[1] - 1))

    @torch.inference_mode()
    def curves(self, states: np.ndarray, frames: int) -> np.ndarray:
        """Curves (T, S) in [0, 1] over `config.shapes` of one clip's hidden states (N, hidden)."""
        heard = torch.from_numpy(np.asarray(states, np.float32))[None]
        answers = [self.answer(member, heard, frames)[0] for member in range(len(self.members))]
        return (self.mean + torch.stack(answers).mean(0) @ self.directions).clamp(0.0, 1.0).numpy()

    @torch.inference_mode()
    def curves_of(self, speech: SpeechEncoder, samples: np.ndarray, frames: int) -> np.ndarray:
        """Curves (T, S) of a sound, samples (A,) at 16 kHz, as `speech` hears it. Raises ConfigError as `check`."""
        self.check(speech)
        states = states_in_windows(speech, torch.from_numpy(samples)[None])
        return self.curves(states.half().numpy(), frames)  # half: as training keeps them

    def check(self, speech: SpeechEncoder, shapes: tuple[str, ...] | None = None) -> None:
        """Raise ConfigError if `speech` makes other states than it learned from, or its curves are not `shapes`."""
        for name in ("hidden_size", "state_rate", "mixed_layers"):
            own, given = getattr(self.config, name), getattr(speech.config, name)
            if own != given:
                raise ConfigError(
                    f"This listener learned from a speech encoder with {name} {own}, not {given}; train it anew."
                )
        if shapes is not None and shapes != self.config.shapes:
            raise ConfigError("This listener answers with other shapes than articulation moves; train it anew.")


def fresh_member(config: CurveRegressorConfig) -> SlotHead:
    """One untrained network of a listener."""
    return SlotHead(config.hidden_size, config.directions, config.channels, config.layers, config.dropout)

"""Curve regressor: hidden states of a speech encoder -> mouth blendshape curves, trained on video-tracked motion.

It synthesises training motion for recordings without video (`corpus/build.py`), and the reference motion that
predictions for such recordings are measured against. It is no part of MemoryTalker and does not run in inference.
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
    """An ensemble that predicts S curves in K directions: curves = mean (S,) + coefficients (K,) @ directions.

    `directions` (K, S) are the principal directions of the tracked motion, strongest first; the coefficients are the
    average over the members.

    Args:
        config: sizes and the names of the curves.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, config: CurveRegressorConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(fresh_member(config) for _ in range(config.members))
        self.register_buffer("mean", torch.zeros(len(config.shapes)))
        self.register_buffer("directions", torch.zeros(config.directions, len(config.shapes)))

    def coefficients(self, member: int, states: Tensor, frames: int) -> Tensor:
        """Predict with one member.

        Args:
            member: its number.
            states: (B, N, hidden) at the state rate.
            frames: number of motion frames.

        Returns:
            Coefficients (B, frames, K) at the motion rate.
        """
        values = self.members[member](instance_normalise(states, None, self.config.normalise))
        times = torch.arange(frames, device=states.device) * (self.config.state_rate / self.config.fps)
        return sample_between(values, times[None].expand(len(states), -1).clamp(max=states.shape[1] - 1))

    @torch.inference_mode()
    def curves(self, states: np.ndarray, frames: int) -> np.ndarray:
        """Predict the curves of one clip from its hidden states.

        Args:
            states: (N, hidden).
            frames: number of motion frames, T.

        Returns:
            Curves (T, S) float32 in [0, 1], in the order of `config.shapes`.
        """
        batch = torch.from_numpy(np.asarray(states, np.float32))[None]
        predictions = [self.coefficients(member, batch, frames)[0] for member in range(len(self.members))]
        return (self.mean + torch.stack(predictions).mean(0) @ self.directions).clamp(0.0, 1.0).numpy()

    @torch.inference_mode()
    def curves_of(self, speech: SpeechEncoder, samples: np.ndarray, frames: int) -> np.ndarray:
        """Predict the curves of a sound.

        Args:
            speech: the speech encoder, as in training.
            samples: (A,) float32 at 16 kHz.
            frames: number of motion frames, T.

        Returns:
            Curves (T, S) float32 in [0, 1], in the order of `config.shapes`.

        Raises:
            ConfigError: as `check`.
        """
        self.check(speech)
        states = states_in_windows(speech, torch.from_numpy(samples)[None])
        return self.curves(states.half().numpy(), frames)  # half precision, as in the training cache

    def check(self, speech: SpeechEncoder, shapes: tuple[str, ...] | None = None) -> None:
        """Check that a speech encoder, and optionally a list of curves, are those of training.

        Args:
            speech: the speech encoder.
            shapes: names of the curves that the caller needs.

        Raises:
            ConfigError: the encoder's states or the curves differ.
        """
        for name in ("hidden_size", "state_rate", "mixed_layers"):
            own, given = getattr(self.config, name), getattr(speech.config, name)
            if own != given:
                raise ConfigError(
                    f"This curve regressor was trained with a speech encoder of {name} {own}, not {given}; "
                    "train it again."
                )
        if shapes is not None and shapes != self.config.shapes:
            raise ConfigError("This curve regressor predicts other shapes than articulation moves; train it again.")


def fresh_member(config: CurveRegressorConfig) -> SlotHead:
    """Return one untrained member of a curve regressor."""
    return SlotHead(config.hidden_size, config.directions, config.channels, config.layers, config.dropout)

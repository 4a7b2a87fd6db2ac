"""Hidden states of a pretrained speech encoder: averaging layers, normalising per clip, encoding long sound."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class HasStates(Protocol):
    """The part of `speech.SpeechEncoder` that is used here."""

    def states(self, waveform: Tensor) -> Tensor:
        """Waveform (B, A) -> hidden states (B, N, hidden)."""
        ...


def mean_of_layers(outputs: Sequence[Tensor], count: int) -> Tensor:
    """Average the last layers of a transformer, each normalised over its channels.

    Args:
        outputs: (B, S, hidden) of every layer.
        count: how many layers to average; 0: return the last layer as it is.

    Returns:
        (B, S, hidden).

    Source:
        SUPERB (Yang et al. 2021, arXiv 2105.01051), which learns the weights of the layers.
    """
    if not count:
        return outputs[-1]
    normalised = [F.layer_norm(output, output.shape[-1:]) for output in outputs[-count:]]
    return functools.reduce(torch.add, normalised) / len(normalised)


def states_in_windows(
    speech: HasStates, waveform: Tensor, sample_rate: int = 16000, window_seconds: float = 28.0
) -> Tensor:
    """Encode a waveform of any length in windows without overlap, as Whisper takes at most 30 s at once.

    Args:
        speech: a speech encoder that resamples "after", so that it needs no number of frames.
        waveform: (1, A).
        sample_rate: in Hz.
        window_seconds: length of a window.

    Returns:
        States (N, hidden).
    """
    step = int(window_seconds * sample_rate)
    pieces = [waveform[:, start : start + step] for start in range(0, max(waveform.shape[1] - 3200, 1), step)]
    if sum(piece.shape[1] for piece in pieces) < waveform.shape[1]:  # a tail too short to stand alone joins the last
        pieces[-1] = waveform[:, (len(pieces) - 1) * step :]
    return torch.cat([speech.states(piece)[0] for piece in pieces])


def instance_normalise(states: Tensor, mask: Tensor | None, floor: float) -> Tensor:
    """Normalise the states of each clip over time: subtract the mean, divide by the standard deviation plus `floor`.

    This removes what is constant in a clip, which is the speaker, and keeps what changes, which is the speech.

    Args:
        states: (B, S, hidden).
        mask: (B, S), True on valid states; None: all are valid.
        floor: added to the standard deviation.

    Returns:
        (B, S, hidden); zeros where the mask is False.

    Source:
        Instance normalisation in the content encoder of AdaIN-VC (Chou and Lee 2019, arXiv 1904.05742).
    """
    valid = torch.ones_like(states[..., :1]) if mask is None else mask.unsqueeze(-1).to(states)
    count = valid.sum(1, keepdim=True).clamp_min(1.0)
    centred = (states - (states * valid).sum(1, keepdim=True) / count) * valid
    spread = (centred.square().sum(1, keepdim=True) / count + 1e-8).sqrt()  # the gradient of a root is infinite at 0
    return centred / (spread + floor)


def corpus_normalise(states: Tensor, mean: Tensor, spread: Tensor, mask: Tensor | None, floor: float) -> Tensor:
    """Normalise states by the mean and standard deviation of the training speech.

    Unlike `instance_normalise` it takes nothing away from a sound that is steady, such as a sung vowel, and a frame's
    states do not depend on the rest of the clip.

    Args:
        states: (B, S, hidden).
        mean: (hidden,).
        spread: (hidden,) standard deviation.
        mask: (B, S), True on valid states; None: all are valid.
        floor: added to the standard deviation.

    Returns:
        (B, S, hidden); zeros where the mask is False.
    """
    normalised = (states - mean) / (spread + floor)
    return normalised if mask is None else normalised * mask.unsqueeze(-1).to(states)


#: The list that this thread's call fills; calls of other threads through the same layers have their own.
_KEPT: ContextVar[list[Tensor] | None] = ContextVar("kept", default=None)


@contextmanager
def kept_outputs() -> Iterator[list[Tensor]]:
    """Yield a list to which `keep_output` appends the output of every hooked layer that runs inside the block.

    The list belongs to the calling thread, so that threads may share a module.
    """
    outputs: list[Tensor] = []
    token = _KEPT.set(outputs)
    try:
        yield outputs
    finally:
        _KEPT.reset(token)


def keep_output(layer: nn.Module, inputs: tuple, output: Any) -> None:
    """Forward hook, registered once per layer: append the layer's output to the list of `kept_outputs`.

    Versions of transformers differ in how they return hidden states; a hook works with all of them.
    """
    kept = _KEPT.get()
    if kept is not None:
        kept.append(output[0] if isinstance(output, tuple) else output)

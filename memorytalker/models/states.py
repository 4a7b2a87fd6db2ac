"""Hidden states of a pretrained speech encoder, made fit for what comes after: layers mixed, the voice taken out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def mean_of_layers(outputs: Sequence[Tensor], count: int) -> Tensor:
    """The mean of the last `count` layers (B, S, hidden), each normalised over its channels; 0: the last alone.

    Lower layers know more of how something sounds and upper ones more of what it means; a task that needs both does
    better on a mixture (SUPERB, Yang et al. 2021, arXiv 2105.01051, which learns its weights).
    """
    if not count:
        return outputs[-1]
    chosen = outputs[-count:]
    return sum(F.layer_norm(output, output.shape[-1:]) for output in chosen) / len(chosen)


def states_in_windows(
    speech: nn.Module, waveform: Tensor, sample_rate: int = 16000, window_seconds: float = 28.0
) -> Tensor:
    """States (N, hidden) of one waveform (1, A) of any length, heard in windows side by side.

    `speech` is a `speech.SpeechEncoder` that needs no count of frames; Whisper hears at most 30 s at once.
    """
    step = int(window_seconds * sample_rate)
    pieces = [waveform[:, start : start + step] for start in range(0, max(waveform.shape[1] - 3200, 1), step)]
    if sum(piece.shape[1] for piece in pieces) < waveform.shape[1]:  # a tail too short to stand alone joins the last
        pieces[-1] = waveform[:, (len(pieces) - 1) * step :]
    return torch.cat([speech.states(piece)[0] for piece in pieces])


def instance_normalise(states: Tensor, mask: Tensor | None, floor: float) -> Tensor:
    """States (B, S, hidden) less their mean over each clip's valid frames, divided by their spread plus `floor`.

    What stays the same through a clip is the voice; what changes is the speech (instance normalisation, as the content
    encoder of AdaIN-VC has it, arXiv 1904.05742). How somebody speaks is left to the style encoder.
    """
    valid = torch.ones_like(states[..., :1]) if mask is None else mask.unsqueeze(-1).to(states)
    count = valid.sum(1, keepdim=True).clamp_min(1.0)
    centred = (states - (states * valid).sum(1, keepdim=True) / count) * valid
    spread = (centred.square().sum(1, keepdim=True) / count + 1e-8).sqrt()  # the root of nothing has no gradient
    return centred / (spread + floor)


#: The list of the call that is under way in this thread; a call elsewhere through the same layers has its own.
_KEPT: ContextVar[list[Tensor] | None] = ContextVar("kept", default=None)


@contextmanager
def kept_outputs() -> Iterator[list[Tensor]]:
    """A list that fills with the outputs of all layers with the hook `keep_output` that run inside the block.

    It belongs to the calling thread, so that a module which several threads share keeps their outputs apart. After an
    error inside the block nothing is kept any more.
    """
    outputs: list[Tensor] = []
    token = _KEPT.set(outputs)
    try:
        yield outputs
    finally:
        _KEPT.reset(token)


def keep_output(layer: nn.Module, given: tuple, output: Any) -> None:
    """A forward hook, registered once and for good: hands a layer's output to the `kept_outputs` of its own thread.

    A hook is used because how transformers itself gives out what its layers make differs between its versions.
    """
    kept = _KEPT.get()
    if kept is not None:
        kept.append(output[0] if isinstance(output, tuple) else output)

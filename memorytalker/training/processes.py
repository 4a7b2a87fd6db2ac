"""Devices, mixed precision and several processes, with Hugging Face Accelerate.

`accelerate launch` starts several processes; otherwise there is one. Accelerate is imported when training starts.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import torch

from memorytalker.config import ConfigError
from memorytalker.extras import to_install
from memorytalker.training.data import TrainingError

if TYPE_CHECKING:
    from accelerate import Accelerator

PRECISIONS = ("no", "bf16", "fp16")


def start_processes(mixed_precision: str, device: torch.device) -> Accelerator:
    """Set up this process for training.

    Args:
        mixed_precision: one of `PRECISIONS`.
        device: where to train.

    Returns:
        Accelerate's handle of this process.

    Raises:
        ConfigError: the precision is unknown, or not possible on the device.
        TrainingError: accelerate is not installed.
    """
    if mixed_precision not in PRECISIONS:
        raise ConfigError(f"Unknown mixed_precision {mixed_precision!r}; choose one of {', '.join(PRECISIONS)}.")
    if mixed_precision == "fp16" and device.type == "cpu":
        raise ConfigError('The CPU cannot train in "fp16"; set mixed_precision to "bf16" or "no".')
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
    except ImportError:
        raise TrainingError(to_install("accelerate")) from None
    _forget_precision()
    return Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=mixed_precision,
        device_placement=False,
        kwargs_handlers=[
            # Layers that a step leaves out (HuBERT drops some by chance) have no gradient.
            DistributedDataParallelKwargs(find_unused_parameters=True),
            InitProcessGroupKwargs(timeout=timedelta(hours=6)),  # the other processes wait while the first validates
        ],
    )


def _forget_precision() -> None:
    """Reset the precision, which Accelerate keeps for the life of the process.

    Accelerate has no public way to do so: these two names are its own, and a test says when they move.
    """
    from accelerate.state import AcceleratorState, PartialState

    alone = not PartialState._shared_state or PartialState().num_processes == 1
    AcceleratorState._reset_state(reset_partial_state=alone)


def device_of(name: str) -> torch.device:
    """The device that a command line names; under `accelerate launch` each process has its own."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.split(":")[0] == "cuda" and not torch.cuda.is_available():
        raise ConfigError("There is no CUDA device here; choose --device cpu.")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if name == "cuda" else torch.device(name)


def share(count: int, processes: int, rank: int) -> tuple[range, float]:
    """Divide a batch among processes.

    Gradients are averaged over processes; the weight makes the result the mean over the whole batch. A process without
    clips computes the first one with weight 0, because the others wait for it.

    Args:
        count: number of clips in the batch.
        processes: number of processes.
        rank: of this process.

    Returns:
        The places of this process's clips in the batch, and the weight of their mean loss.
    """
    own = range(count * rank // processes, count * (rank + 1) // processes)
    return (own, len(own) * processes / count) if own else (range(1), 0.0)

"""Hugging Face Accelerate behind one door: devices, mixed precision, and several processes with a share each.

Several processes are started by `accelerate launch`; by oneself there is one. Imported only when training starts.
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
    """This process's part in a training on `device`. Raises ConfigError or TrainingError in plain words."""
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
            InitProcessGroupKwargs(timeout=timedelta(hours=6)),  # the others wait while the first validates
        ],
    )


def _forget_precision() -> None:
    """Let this process train in another precision than before, which Accelerate remembers.

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
    """Which clips of a batch of `count` one of several processes takes: (places in the batch, weight of their mean).

    Gradients are averaged over processes; the weights make the result the mean over the whole batch, however it is
    divided. A process with nothing to do goes through the first clip with weight 0, because the others wait for it.
    """
    own = range(count * rank // processes, count * (rank + 1) // processes)
    return (own, len(own) * processes / count) if own else (range(1), 0.0)

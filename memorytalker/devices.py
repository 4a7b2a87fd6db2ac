"""The device that a talker computes on."""

from __future__ import annotations

import torch

from memorytalker.errors import TalkerError


def choose_device(name: str | None = None) -> torch.device:
    """Return the device to compute on.

    Args:
        name: "cuda", "cuda:1", "mps" or "cpu"; None: the first of cuda, mps and cpu that is available.

    Returns:
        The device.

    Raises:
        TalkerError: a device that is not available.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return torch.device(next(kind for kind, there in present.items() if there))
    try:
        device: torch.device | None = torch.device(name)
    except RuntimeError:
        device = None
    missing = device is not None and device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    if device is None or missing or not present.get(device.type):
        available = ", ".join(kind for kind, there in present.items() if there)
        raise TalkerError(f"There is no device {name!r} here; available: {available}.")
    return device

"""The weights of a live network: a folder with config.json and model.safetensors, as of the other weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from memorytalker.models.live import LiveNetwork
from memorytalker.models.live_config import LiveConfig
from memorytalker.weights import (
    CONFIG_FILE,
    LIVE_NAME,
    TENSOR_FILE,
    WEIGHTS_FOLDER,
    WeightsError,
    filled,
    read_manifest_of,
    save_network,
)

#: Bytes of model.safetensors at the most, which a browser has to fetch.
LARGEST_LIVE = 4_000_000
_FORMAT = 1


@dataclass(frozen=True)
class LiveManifest:
    """The content of config.json in the folder of a live network; see `weights.Manifest`."""

    live: LiveConfig
    sha256: str
    stored_as: str = "float16"
    format: int = _FORMAT
    extra: dict = field(default_factory=dict)


def save_live(network: LiveNetwork, folder: str | Path, extra: dict | None = None) -> LiveManifest:
    """Write a live network to a folder, in float16; arguments and errors as `weights.save_weights`."""
    return save_network(LiveManifest, network, Path(folder), extra, "float16")


def load_live(folder: str | Path | None = None) -> LiveNetwork:
    """Load a live network.

    Args:
        folder: of its weights, or the name of a folder in `weights/`; None: the shipped one.

    Returns:
        The network, on the CPU, in float32 and evaluation mode.

    Raises:
        WeightsError: there are no such weights, or they do not fit their configuration.
    """
    found = find_live(folder)
    manifest = read_manifest_of(LiveManifest, found, "a live network")
    return filled(lambda: LiveNetwork(manifest.live), found, manifest.sha256).eval()


def find_live(folder: str | Path | None = None) -> Path:
    """Find the folder of a live network, as `load_live` takes it. Raises WeightsError if there is none."""
    source = LIVE_NAME if folder is None else folder
    shipped = WEIGHTS_FOLDER / str(source)
    for place in (shipped,) if folder is None else (Path(source), shipped):
        if (place / CONFIG_FILE).is_file():
            return place
    raise WeightsError(
        f"There are no live weights {str(source)!r}; give a folder with {CONFIG_FILE} and {TENSOR_FILE}, or make them "
        "with: python -m memorytalker train live SOURCE"
    )

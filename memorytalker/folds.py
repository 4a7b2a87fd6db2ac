"""Weights that never saw somebody, stored without the frozen speech encoder, which they share with other weights.

A fold is the open model trained once more with somebody left out, so that it can be judged on them. People of whom
there is little film are left out together, because each fold costs a training. Nine tenths of its tensors are the
pretrained encoder, which is the same in all of them; a fold keeps the rest, and the sha256 of the encoder that it
goes with.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from memorytalker.config import ConfigError, ModelConfig, read, write
from memorytalker.devices import choose_device
from memorytalker.face.mesh_files import head_for
from memorytalker.face.motion_space import space_of
from memorytalker.files import write_together
from memorytalker.models.talker import MemoryTalker
from memorytalker.pipeline import Talker
from memorytalker.weights import CONFIG_FILE, TENSOR_FILE, WeightsError, filled, find_weights, load_weights

#: Folder beside the open weights with one folder for each fold, named after the capture sources that are left out.
FOLDS_NAME = "left_out"
#: Between the names of sources that are left out together.
TOGETHER = "+"
#: How the names of the tensors begin that a fold shares.
ENCODER = "speech.encoder."
_FORMAT = 1


@dataclass(frozen=True)
class FoldManifest:
    """The content of config.json of a fold.

    Attributes:
        model: the configuration of the whole model.
        left_out: the capture source that it never saw, or several joined by `TOGETHER`.
        encoder: sha256 of the shared encoder; see `encoder_sha256`.
        sha256: of model.safetensors.
        stored_as: the tensors' type.
        format: of this file.
        extra: notes of the training.
    """

    model: ModelConfig
    left_out: str
    encoder: str
    sha256: str
    stored_as: str = "float16"
    format: int = _FORMAT
    extra: dict = field(default_factory=dict)


def fold_of(folds: Path, person: str) -> Path | None:
    """Return the folder of the fold that leaves out a person, alone if there is one; None if there is none.

    Args:
        folds: folder with one folder for each fold.
        person: the capture source.
    """
    if (folds / person / CONFIG_FILE).is_file():
        return folds / person
    found = sorted(path.parent for path in folds.glob(f"*{TOGETHER}*/{CONFIG_FILE}"))
    return next((folder for folder in found if person in folder.name.split(TOGETHER)), None)


def save_fold(
    trained: str | Path, left_out: str, folder: str | Path, shared: str | Path | None = None,
    extra: dict[str, Any] | None = None,
) -> FoldManifest:  # fmt: skip
    """Write trained weights as a fold: everything but the encoder, in float16.

    Args:
        trained: weights folder.
        left_out: the capture source that they never saw, or several joined by `TOGETHER`.
        folder: of the fold; made if need be, files in it are replaced together.
        shared: the weights whose encoder it shares, as `load_weights` takes them; None: the shipped open weights.
        extra: notes of the training.

    Returns:
        The manifest written to config.json.

    Raises:
        WeightsError: the two have different encoders, or a weight is not finite in float16; nothing is written.
    """
    folder, model, other = Path(folder), load_weights(trained), load_weights(shared)
    encoder = _encoder(other)
    if encoder_sha256(model) != (digest := encoder_sha256(other)):
        raise WeightsError(
            f"{trained} has another speech encoder than {find_weights(shared)}; train it with that encoder frozen."
        )
    state = {}
    for name, value in model.state_dict().items():
        if name not in encoder:
            state[name] = _half(value)
            if not torch.isfinite(state[name]).all():
                raise WeightsError(f"The weights {name!r} are not finite when stored as float16; nothing was written.")
    data = save(state)
    sha256 = hashlib.sha256(data).hexdigest()
    manifest = FoldManifest(model.config, left_out, digest, sha256, extra=extra or {})
    write_together(
        {folder / TENSOR_FILE: lambda part: part.write_bytes(data), folder / CONFIG_FILE: partial(write, manifest)}
    )
    return manifest


def read_fold(folder: str | Path) -> FoldManifest:
    """Read config.json of a fold. Raises WeightsError if it is missing or not understood."""
    path = Path(folder) / CONFIG_FILE
    try:
        manifest = read(FoldManifest, path)
    except (ConfigError, OSError, TypeError) as error:
        raise WeightsError(f"{path} does not describe weights with a person left out: {error}") from None
    if manifest.format != _FORMAT:
        raise WeightsError(f"{path} is of format {manifest.format}; this version reads format {_FORMAT}.")
    return manifest


def fold_talker(folder: str | Path, shared: str | Path | None = None, device: str | None = None) -> Talker:
    """Load a fold, with the speech encoder of the weights that it goes with.

    Args:
        folder: of the fold.
        shared: the weights whose encoder it shares, as `load_weights` takes them; None: the shipped open weights.
        device: where the network runs; None chooses.

    Returns:
        A talker with the head that the weights move.

    Raises:
        WeightsError: the fold is missing or damaged, or goes with another encoder.
        HeadError: it does not fit the shipped head.
        TalkerError: the device is not available.
    """
    folder, manifest = Path(folder), read_fold(folder)
    other = load_weights(shared)
    if encoder_sha256(other) != manifest.encoder:
        raise WeightsError(
            f"{folder} goes with another speech encoder than that of {find_weights(shared)}; make it again with: "
            "python -m memorytalker train folds SOURCE"
        )
    model = filled(lambda: MemoryTalker(manifest.model), folder, manifest.sha256, _encoder(other)).eval()
    count = space_of(manifest.model.basis, manifest.model.coordinates).vertex_count
    return Talker(model, head_for(count), choose_device(device), manifest.sha256)


def encoder_sha256(model: MemoryTalker) -> str:
    """Return the sha256 of the names, shapes and values of a model's speech encoder, its values in float16."""
    digest = hashlib.sha256()
    for name, value in sorted(_encoder(model).items()):
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(_half(value).numpy().tobytes())
    return digest.hexdigest()


def _encoder(model: MemoryTalker) -> dict[str, Tensor]:
    """The tensors of the speech encoder by their names in the whole model."""
    return {name: value for name, value in model.state_dict().items() if name.startswith(ENCODER)}


def _half(value: Tensor) -> Tensor:
    value = value.detach().cpu()
    return (value.half() if value.is_floating_point() else value).contiguous().clone()

"""Weights on disk: a folder with config.json and model.safetensors, checked when it is read.

config.json holds the model's configuration, the sha256 of the tensors, how they are stored and, under `extra`, notes of
the training. A curve regressor, which makes training motion, is stored in the same way.
Nothing here unpickles: safetensors, or torch.load with weights_only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from memorytalker.config import ConfigError, CurveRegressorConfig, ModelConfig, read, write
from memorytalker.errors import InputError
from memorytalker.files import check_unpacked, read_bounded, write_together
from memorytalker.hub import HubError, fetch, hub_address
from memorytalker.models.audio_to_curves import CurveRegressor
from memorytalker.models.layers import periodic_positions
from memorytalker.models.talker import MemoryTalker
from memorytalker.places import remedy, weights_folder

#: Where the shipped weights lie, one folder for each.
WEIGHTS_FOLDER = weights_folder()
DEFAULT_NAME = "open"
CURVE_REGRESSOR_NAME = "audio_to_curves"
LIVE_NAME = "live"  # the live network, see live_weights.py
CONFIG_FILE = "config.json"
TENSOR_FILE = "model.safetensors"
STORED_AS = {"float32": torch.float32, "float16": torch.float16}
_FORMAT = 1
#: Bytes of the header of a safetensors file at the most.
LARGEST_HEADER = 10_000_000
_Network = TypeVar("_Network", bound=nn.Module)
_AnyManifest = TypeVar("_AnyManifest")

#: Prefixes of tensor names in the paper's public code -> ours.
PAPER_NAMES: tuple[tuple[str, str], ...] = (
    ("audio_encoder.hubert.", "speech.encoder."),
    ("audio_encoder.lm_head.", "speech.head.output."),
    ("audio_encoder.", "speech.encoder."),
    ("txt_proj.", "text."),
    ("E_m.", "motion."),
    ("memory_net.M_m", "memory.slots"),
    ("fusion_layer.", "decoder.fusion."),
    ("D_m.", "decoder.transformer."),
    ("output_proj.", "decoder.output."),
    ("style_encoder.audio_encoder.conv_bank.", "style.bank."),
    ("style_encoder.audio_encoder.in_conv_layer.", "style.gather."),
    ("style_encoder.audio_encoder.first_conv_layers.", "style.first_convolutions."),
    ("style_encoder.audio_encoder.second_conv_layers.", "style.second_convolutions."),
    ("style_encoder.audio_encoder.first_dense_layers.", "style.first_dense."),
    ("style_encoder.audio_encoder.second_dense_layers.", "style.second_dense."),
    ("style_encoder.audio_encoder.output_layer.", "style.embedding."),
    ("style_encoder.to_style_emb.", "style.feature."),
    ("style_encoder.to_scale.", "style.scale."),
    ("style_encoder.style_mlp.", "style.projection."),
)
#: Older torch spells the two halves of a weight-normalised convolution differently.
_OLD_SPELLINGS = (
    ("pos_conv_embed.conv.weight_g", "pos_conv_embed.conv.parametrizations.weight.original0"),
    ("pos_conv_embed.conv.weight_v", "pos_conv_embed.conv.parametrizations.weight.original1"),
)


class WeightsError(InputError):
    """Weights that cannot be used; the message says what was expected and what was found."""


@dataclass(frozen=True)
class Manifest:
    """The content of config.json in a weights folder."""

    model: ModelConfig
    sha256: str  # of model.safetensors
    stored_as: str = "float32"  # or float16, which halves the file; computation is always in float32
    format: int = _FORMAT
    extra: dict = field(default_factory=dict)  # notes of training: data, seeds, metrics with units


@dataclass(frozen=True)
class CurveRegressorManifest:
    """The content of config.json in a curve regressor's folder; see `Manifest`."""

    curve_regressor: CurveRegressorConfig
    sha256: str
    stored_as: str = "float16"
    format: int = _FORMAT
    extra: dict = field(default_factory=dict)


def save_weights(
    model: MemoryTalker, folder: str | Path, extra: dict | None = None, stored_as: str = "float32"
) -> Manifest:
    """Write a model to a weights folder.

    Args:
        model: the model to store.
        folder: created if need be; files in it are replaced together.
        extra: notes of the training, stored in config.json.
        stored_as: "float32" or "float16", which halves the file.

    Returns:
        The manifest written to config.json.

    Raises:
        WeightsError: `stored_as` is unknown, or a weight is not finite as stored; nothing is written.
    """
    return save_network(Manifest, model, Path(folder), extra, stored_as)


def save_curve_regressor(
    regressor: CurveRegressor, folder: str | Path, extra: dict | None = None
) -> CurveRegressorManifest:
    """Write a curve regressor to a folder, in float16; arguments and errors as `save_weights`."""
    return save_network(CurveRegressorManifest, regressor, Path(folder), extra, "float16")


def load_weights(source: str | Path | None = None) -> MemoryTalker:
    """Load the model of a weights folder.

    Args:
        source: a folder, the name of a folder in `weights/`, or an address on the model hub, "owner/name@commit"
            (downloaded only if no such folder exists); None is the shipped open model.

    Returns:
        The model, on the CPU, in float32 and evaluation mode.

    Raises:
        WeightsError: there are no such weights, or they do not fit their configuration.
    """
    folder = find_weights(source)
    manifest = read_manifest(folder)
    return filled(lambda: MemoryTalker(manifest.model), folder, manifest.sha256).eval()


def load_curve_regressor(folder: str | Path | None = None) -> CurveRegressor:
    """Load a curve regressor.

    Args:
        folder: of its weights; None is the shipped one.

    Returns:
        The curve regressor, on the CPU, in float32 and evaluation mode.

    Raises:
        WeightsError: as `load_weights`.
    """
    folder = WEIGHTS_FOLDER / CURVE_REGRESSOR_NAME if folder is None else Path(folder)
    manifest = read_manifest_of(CurveRegressorManifest, folder, "a curve regressor")
    return filled(lambda: CurveRegressor(manifest.curve_regressor), folder, manifest.sha256).eval()


def find_weights(source: str | Path | None = None) -> Path:
    """Find the local folder of weights, and fetch it from the model hub only if there is none.

    Args:
        source: as in `load_weights`.

    Returns:
        A folder with config.json and model.safetensors.

    Raises:
        WeightsError: there is no such folder and no such model on the hub.
    """
    source = DEFAULT_NAME if source is None else source
    for folder in (Path(source), WEIGHTS_FOLDER / str(source)):
        if (folder / CONFIG_FILE).is_file():
            return folder
    if Path(source).is_dir():
        raise WeightsError(f"{source} holds no weights; it needs {CONFIG_FILE} and {TENSOR_FILE}.")
    try:
        if not Path(source).exists() and (address := hub_address(str(source))) is not None:
            return fetch(address, (CONFIG_FILE, TENSOR_FILE))
    except HubError as error:
        raise WeightsError(str(error)) from None
    shipped = sorted({path.parent.name for path in WEIGHTS_FOLDER.glob(f"*/{CONFIG_FILE}")})
    there = (
        ", ".join(name for name in shipped if name not in (CURVE_REGRESSOR_NAME, LIVE_NAME))
        or f"none are installed; {remedy('weights')}"
    )
    raise WeightsError(
        f"There are no weights {str(source)!r}; give a folder with {CONFIG_FILE} and {TENSOR_FILE}, an address on "
        f"the model hub, owner/name@commit, or one of the shipped: {there}."
    )


def read_manifest(folder: str | Path) -> Manifest:
    """Read config.json of a weights folder. Raises WeightsError if it is missing or not understood."""
    return read_manifest_of(Manifest, Path(folder), "weights")


def initialise_speech(model: MemoryTalker, source: str | Path | None = None) -> None:
    """Load pretrained weights into a model's speech encoder, in place.

    Args:
        model: a fresh model.
        source: a folder with one .safetensors file in the encoder's own names, or a transformers model: a folder with
            config.json, or an address on the model hub, "owner/name@commit". None: `config.speech.initialise_from`.

    Raises:
        WeightsError: no source is named, or it cannot be read.
    """
    source = source or model.config.speech.initialise_from
    if source is None:
        raise WeightsError("No pretrained speech encoder is named; set speech.initialise_from to one.")
    try:
        if (folder := Path(source)).is_dir() and not (folder / CONFIG_FILE).is_file():
            found = sorted(folder.glob("*.safetensors"))
            if len(found) != 1 or not found[0].is_file():
                raise WeightsError(f"{folder} needs a {CONFIG_FILE} or one .safetensors file; it has {len(found)}.")
            state = load_file(found[0])
        else:
            address = None if folder.is_dir() else hub_address(str(source))
            named = (str(source), None) if address is None else (address.name, address.commit)
            state = model.speech.pretrained_state(*named)
        model.speech.load_pretrained(state, str(source))
    except (ConfigError, HubError, OSError, SafetensorError) as error:
        raise WeightsError(f"The speech encoder cannot be read from {source}: {error}") from None


def import_paper_checkpoint(
    source: str | Path | Mapping[str, Tensor], config: ModelConfig, without: Collection[str] = ()
) -> MemoryTalker:
    """Load a checkpoint that was trained with the paper's public code.

    Args:
        source: a .safetensors file, a torch checkpoint (read with weights_only) or its state.
        config: a configuration of the same sizes.
        without: parts that the checkpoint may lack and that keep their initial values: "style" for a checkpoint of
            stage 1 (an untrained style encoder gives the neutral style) and "speech".

    Returns:
        The model in evaluation mode.

    Raises:
        WeightsError: lists every tensor that does not fit.
    """
    state = read_checkpoint(source) if isinstance(source, (str, Path)) else dict(source)
    state = {name.removeprefix("module."): value for name, value in state.items()}
    renamed, unknown = {}, []
    for name, value in state.items():
        if name == "PPE.pe":
            _check_positions(value, config)
        elif not name.endswith("masked_spec_embed"):  # HuBERT's training mask, which nothing here uses
            own = paper_name(name)
            if own is None:
                unknown.append(name)
            else:
                renamed[own] = _float(value)
    if unknown:
        raise WeightsError(f"The checkpoint has names that are not MemoryTalker's: {', '.join(sorted(unknown))}.")
    model = MemoryTalker(config)
    absent = {name for name in model.state_dict() if name.split(".")[0] in without} - set(renamed)
    _load_strictly(model, renamed, "The checkpoint", absent | {"style_mean", "slot_logits"})
    return model.eval()


def paper_name(name: str) -> str | None:
    """Return our name of a tensor of the paper's public code, None if we have none."""
    for theirs, ours in PAPER_NAMES:
        if name.startswith(theirs):
            name = ours + name[len(theirs) :]
            for old, new in _OLD_SPELLINGS:
                name = name.replace(old, new)
            return name
    return None


def _check_positions(table: Tensor, config: ModelConfig) -> None:
    """The repeated sinusoid is computed, not stored; a table that differs means another period or width."""
    own = periodic_positions(config.period, config.width)
    rows = table.reshape(-1, table.shape[-1])
    repeated = own.repeat(-(-len(rows) // len(own)), 1)[: len(rows)]
    if rows.shape != repeated.shape or not torch.allclose(rows.float(), repeated, atol=1e-5):
        raise WeightsError(
            f"The checkpoint's positions do not repeat every {config.period} frames at width {config.width}; "
            "set period (30 for VOCASET, 25 for BIWI) and width as it was trained."
        )


def save_network(kind: type, model: nn.Module, folder: Path, extra: dict | None, stored_as: str) -> Any:
    """Write a network and its manifest of a given kind; arguments, result and errors as `save_weights`."""
    if stored_as not in STORED_AS:
        raise WeightsError(f"Weights are stored as one of {', '.join(STORED_AS)}, not {stored_as!r}.")
    state = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu()
        state[name] = (value.to(STORED_AS[stored_as]) if value.is_floating_point() else value).contiguous().clone()
        if not torch.isfinite(state[name]).all():
            raise WeightsError(f"The weights {name!r} are not finite when stored as {stored_as}; nothing was written.")
    data = save(state)
    manifest = kind(model.config, hashlib.sha256(data).hexdigest(), stored_as, extra=extra or {})
    write_together(
        {folder / TENSOR_FILE: lambda part: part.write_bytes(data), folder / CONFIG_FILE: partial(write, manifest)}
    )
    return manifest


def read_manifest_of(kind: type[_AnyManifest], folder: Path, what: str) -> _AnyManifest:
    """Read config.json as a manifest of some kind. Raises WeightsError if it is missing or does not describe `what`."""
    path = folder / CONFIG_FILE
    try:
        manifest: Any = read(cast(Any, kind), path)
    except (ConfigError, OSError, TypeError) as error:
        raise WeightsError(f"{path} does not describe {what}: {error}") from None
    if manifest.format != _FORMAT:
        raise WeightsError(f"{path} is of format {manifest.format}; this version reads format {_FORMAT}.")
    return manifest


def filled(
    build: Callable[[], _Network], folder: Path, sha256: str, shared: Mapping[str, Tensor] = MappingProxyType({})
) -> _Network:
    """Build a network and fill it with the tensors of a folder, and with `shared` ones that lie elsewhere.

    Memory is allocated only if the tensors fit. Raises WeightsError otherwise, or if the file has another sha256.
    """
    try:
        with _Unfilled("meta"):  # names and shapes, without the numbers
            outline = build()
        own = outline.state_dict()
    except (RuntimeError, ValueError, AssertionError) as error:
        if isinstance(error, InputError):
            raise
        raise WeightsError(f"No network can be built as {folder / CONFIG_FILE} says; fetch it again.") from None
    largest = sum(value.numel() * value.element_size() for value in own.values()) + LARGEST_HEADER
    state = {**_tensors(folder, sha256, largest), **shared}
    _check_fit(own, state, str(folder))
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise WeightsError(
                f"{folder / TENSOR_FILE} holds {name!r} with numbers that are not finite; fetch it again."
            )
    with _Unfilled("cpu"):
        network = build()
    network.load_state_dict(state, strict=False)
    return network


class _Unfilled(TorchFunctionMode):
    """Layers are built here on a device of their own, and their random numbers are not drawn: a file has them.

    `torch.device("meta")` alone would do for the outline. But it also takes the few tables that a network computes
    there, and for each such sum torch loads its compiler, which takes longer than all else.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = self.device
        elif getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def _tensors(folder: Path, sha256: str, largest: int) -> dict[str, Tensor]:
    """Read the tensors of a folder as float32. Refuses another sha256, or more bytes than `largest`."""
    try:
        data = read_bounded(folder / TENSOR_FILE, largest)
    except ValueError:
        raise WeightsError(
            f"{folder / TENSOR_FILE} is larger than the network that {CONFIG_FILE} describes, or no ordinary file; "
            "fetch both again."
        ) from None
    except OSError:
        raise WeightsError(f"{folder} has no readable {TENSOR_FILE} beside its {CONFIG_FILE}; fetch both.") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise WeightsError(
            f"{folder / TENSOR_FILE} is not the file that {CONFIG_FILE} describes (sha256 differs); fetch both again."
        )
    try:
        return {name: _float(value) for name, value in load(data).items()}
    except Exception:  # an untrusted file can make the reader raise anything, such as for dtypes torch lacks
        raise WeightsError(f"{folder / TENSOR_FILE} is not a safetensors file; fetch it again.") from None


def _load_strictly(model: nn.Module, state: dict[str, Tensor], origin: str, absent: Collection[str] = ()) -> None:
    _check_fit(model.state_dict(), state, origin, absent)
    model.load_state_dict(state, strict=False)


def _check_fit(
    own: Mapping[str, Tensor], state: Mapping[str, Tensor], origin: str, absent: Collection[str] = ()
) -> None:
    """Raise WeightsError, naming the first problems, unless names and shapes of `state` are those of `own`."""
    problems = [f"missing {name}" for name in sorted(set(own) - set(state) - set(absent))]
    problems += [f"unexpected {name}" for name in sorted(set(state) - set(own))]
    problems += [
        f"{name} is {tuple(state[name].shape)} where the configuration needs {tuple(own[name].shape)}"
        for name in sorted(set(own) & set(state))
        if own[name].shape != state[name].shape
    ]
    if problems:
        raise WeightsError(f"{origin} does not fit its configuration: {'; '.join(problems)}.")


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read a .safetensors file or a torch checkpoint; nothing is unpickled but tensors (weights_only).

    Args:
        path: the file.

    Returns:
        Its tensors by name.

    Raises:
        WeightsError: there is no such file, or it holds anything else.
    """
    path = Path(path)
    try:
        check_unpacked(path)
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"There is no checkpoint {path}.") from None
    except Exception:  # whatever an untrusted file makes the readers raise, it is not a checkpoint
        raise WeightsError(f"{path} is not a checkpoint of plain tensors (.pth, .pt or .safetensors).") from None
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} holds no state of named tensors.")
    return dict(state)


def _float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value

"""Conversion of a checkpoint of the paper's public code: `convert --checkpoint FILE --out FOLDER`."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from memorytalker.config import ConfigError


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `convert` for a checkpoint."""
    group = parser.add_argument_group("checkpoint of the paper's public code, instead of a data set")
    file = ".pth, .pt or .safetensors; no code in it is run"
    group.add_argument("--checkpoint", type=Path, metavar="FILE", help=file)
    group.add_argument("--out", dest="weights_out", type=Path, metavar="FOLDER", help="a new folder for the weights")
    group.add_argument(
        "--config",
        default="vocaset",
        metavar="NAME",
        help="vocaset, biwi or a JSON file with its sizes (default: %(default)s)",
    )


def run_checkpoint(chosen: argparse.Namespace) -> None:
    """Write the weights folder of a checkpoint and print what it holds. Raises WeightsError and ConfigError."""
    from memorytalker.training.settings import read_settings
    from memorytalker.weights import CONFIG_FILE, TENSOR_FILE, import_paper_checkpoint, read_checkpoint, save_weights

    if chosen.weights_out is None:
        raise ConfigError("Name the new folder for the weights with --out.")
    if any((chosen.weights_out / name).exists() for name in (CONFIG_FILE, TENSOR_FILE)):
        raise ConfigError(f"{chosen.weights_out} holds weights already; name a new folder with --out.")
    state = read_checkpoint(chosen.checkpoint)
    names = [name.removeprefix("module.") for name in state]
    config = read_settings("memorize", chosen.config).model
    output = state.get("output_proj.bias", state.get("module.output_proj.bias"))
    if output is not None:  # how many vertices it moves, the checkpoint itself says
        config = dataclasses.replace(config, coordinates=len(output))
    styled = any(name.startswith("style_encoder.") for name in names)
    model = import_paper_checkpoint(state, config, () if styled else ("style",))
    source = f"{chosen.checkpoint.name}, a checkpoint of the paper's public code"
    notes = {"source": source, "stage": 2 if styled else 1}
    save_weights(model, chosen.weights_out, notes)
    said = "" if styled else " It holds no style encoder (stage 1), so every voice is given the neutral style."
    print(f"{chosen.weights_out}: weights of a model of {config.coordinates // 3} vertices.{said}")

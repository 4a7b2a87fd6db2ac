"""From a folder on disk to the material of experiments: a corpus with its cached features, or any data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from memorytalker.config import ConfigError
from memorytalker.datasets.opening import open_dataset
from memorytalker.experiments.material import Material, at_most, corpus_material, hold_out, joined, material_digest
from memorytalker.experiments.plan import Plan, digest
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.training.cache import StateCache, cache_features
from memorytalker.training.memorize import freeze_speech
from memorytalker.training.sources import open_source
from memorytalker.training.space import in_space
from memorytalker.weights import initialise_speech

#: The name of a speech encoder that nobody has trained.
RANDOM_ENCODER = "random"


@dataclass(frozen=True)
class DatasetLocation:
    """A data set on disk and how to read it; the fields are the flags of `doctor`."""

    folder: Path
    layout: str | None = None
    splits: str | None = None
    regions: Path | None = None
    root: Path | None = None


def open_material(
    location: DatasetLocation, plan: Plan, out: Path, encoder: str | None = None, device: str = "cpu",
    progress: Progress | None = None,
) -> Material:  # fmt: skip
    """Load the clips of a plan, with the features of a frozen encoder.

    Args:
        location: the corpus or data set.
        plan: the plan.
        out: features are cached in `out`/features, unless the corpus has them already.
        encoder: folder or hub address of the pretrained speech encoder; None takes the plan's.
        device: where the encoder runs.
        progress: called with (done, total, stage).

    Returns:
        The material.

    Raises:
        ConfigError: if plan and data do not fit.
        DatasetError: if the data set cannot be used.
    """
    if (location.folder / "clips.jsonl").is_file():
        if location.root is not None and encoder is not None:
            _cache_features(location.folder, location.root, plan, encoder, device, progress)
        if (location.folder / "features").is_dir():
            return corpus_material(location.folder, plan)
    dataset = open_dataset(location.folder, location.layout, location.splits, location.regions, location.root)
    source = open_source(dataset, plan.model.slots)
    if dataset.fps != plan.model.fps:
        raise ConfigError(
            f"{location.folder} has {dataset.fps} frames a second and the plan's model {plan.model.fps}; set "
            "model.fps and model.period in the plan."
        )
    if source.mouth is None:
        raise ConfigError(
            f"{location.folder} does not name its lips, on which variants are evaluated; give --regions FILE."
        )
    splits = dict.fromkeys(("train", "validation", plan.split))
    empty = [split for split in splits if not dataset.split(split)]
    if empty:
        raise ConfigError(f"{location.folder} has no {empty[0]} sequences; check its splits with doctor.")
    torch.manual_seed(plan.seeds[0])
    model = MemoryTalker(in_space(plan.model, source.space))
    if encoder is None and plan.model.speech.initialise_from is None:
        raise ConfigError(
            f"No pretrained speech encoder is named; give its folder or owner/name@commit with --encoder, or --encoder "
            f"{RANDOM_ENCODER} to start from random weights."
        )
    start_encoder(model, encoder)
    freeze_speech(model.to(device))
    cache = StateCache(model, out / "features", source.digest, plan.model.speech.frozen)
    cache.fill([one for split in splits for one in dataset.split(split)], progress)
    names = ("train", "validation", plan.split)
    known, validation, evaluated = (source.clips(split, cache, plan.model) for split in names)
    known, selection = hold_out(known, plan.held_speakers) if plan.held_speakers else (known, validation)
    pool, training = known, at_most(known, plan.most_clips)
    return Material(
        tuple(training), tuple(selection), tuple(joined(evaluated)), source.mouth, source.space, dataset, plan.split,
        digest(source.digest, material_digest(training, selection, evaluated)), tuple(pool),
    )  # fmt: skip


def _cache_features(folder: Path, root: Path, plan: Plan, encoder: str, device: str, progress: Progress | None) -> None:
    """Compute the features that a corpus lacks, with a pretrained, frozen encoder."""
    torch.manual_seed(plan.seeds[0])
    model = MemoryTalker(replace(plan.model, coordinates=3))  # only its speech encoder is used
    start_encoder(model, encoder)
    cache_features(model.to(device), folder, root, progress)


def start_encoder(model: MemoryTalker, encoder: str | None) -> None:
    """Load the pretrained part of the speech encoder, if `encoder` or the model's configuration names one."""
    source = encoder or model.config.speech.initialise_from
    if source is not None and source != RANDOM_ENCODER:
        initialise_speech(model, source)

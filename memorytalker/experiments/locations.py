"""From a folder on disk to the material of experiments: our corpus with its cached features, or any data set."""

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
from memorytalker.weights import initialise_speech

#: The name of a speech encoder that nobody has trained.
RANDOM_ENCODER = "random"


@dataclass(frozen=True)
class DatasetLocation:
    """Where a data set lies and how it is read, as the flags of `doctor` say it."""

    folder: Path
    layout: str | None = None
    splits: str | None = None
    regions: Path | None = None
    root: Path | None = None


def open_material(
    place: DatasetLocation, plan: Plan, out: Path, encoder: str | None = None, device: str = "cpu",
    progress: Progress | None = None,
) -> Material:  # fmt: skip
    """The material of a plan. What a frozen encoder hears is kept in `out`/heard, unless the corpus has it already.

    Raises ConfigError where plan and data do not fit, and what opening a data set raises.
    """
    if (place.folder / "clips.jsonl").is_file():
        if place.root is not None and encoder is not None:
            _listen(place, plan, encoder, device, progress)
        if (place.folder / "features").is_dir():
            return corpus_material(place.folder, plan)
    dataset = open_dataset(place.folder, place.layout, place.splits, place.regions, place.root)
    source = open_source(dataset, plan.model.slots)
    if dataset.fps != plan.model.fps:
        raise ConfigError(
            f"{place.folder} has {dataset.fps} frames a second and the plan's model {plan.model.fps}; set "
            "model.fps and model.period in the plan."
        )
    if source.mouth is None:
        raise ConfigError(f"{place.folder} does not name its lips, by which variants are judged; give --regions FILE.")
    splits = dict.fromkeys(("train", "validation", plan.split))
    empty = [split for split in splits if not dataset.split(split)]
    if empty:
        raise ConfigError(f"{place.folder} has no {empty[0]} sequences; check its splits with doctor.")
    torch.manual_seed(plan.seeds[0])
    model = MemoryTalker(replace(plan.model, coordinates=source.coordinates))
    if encoder is None and plan.model.speech.initialise_from is None:
        raise ConfigError(
            f"No pretrained speech encoder is named; give its folder or owner/name@commit with --encoder, or --encoder "
            f"{RANDOM_ENCODER} to start from random weights."
        )
    start_encoder(model, encoder)
    freeze_speech(model.to(device))
    cache = StateCache(model, out / "heard", source.digest, plan.model.speech.frozen)
    cache.fill([one for split in splits for one in dataset.split(split)], progress)
    names = ("train", "validation", plan.split)
    known, validation, judged = (source.clips(split, cache, plan.model) for split in names)
    known, selection = hold_out(known, plan.held_speakers) if plan.held_speakers else (known, validation)
    pool, training = known, at_most(known, plan.most_clips)
    return Material(
        tuple(training), tuple(selection), tuple(joined(judged)), source.mouth, None, dataset, plan.split,
        digest(source.digest, material_digest(training, selection, judged)), tuple(pool),
    )  # fmt: skip


def _listen(place: DatasetLocation, plan: Plan, encoder: str, device: str, progress: Progress | None) -> None:
    """Let a pretrained, frozen encoder hear what of our corpus has not been heard yet."""
    torch.manual_seed(plan.seeds[0])
    model = MemoryTalker(replace(plan.model, coordinates=3))  # only its ears are used
    start_encoder(model, encoder)
    cache_features(model.to(device), place.folder, place.root, progress)


def start_encoder(model: MemoryTalker, encoder: str | None) -> None:
    """Fill the pretrained half of the speech encoder, if one is named here or in the model's configuration."""
    source = encoder or model.config.speech.initialise_from
    if source is not None and source != RANDOM_ENCODER:
        initialise_speech(model, source)

"""Both stages on a data set: from its folder to a run folder with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from memorytalker.config import ConfigError, ModelConfig, TrainingConfig, to_dict
from memorytalker.datasets.sequences import FaceDataset
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress, announce
from memorytalker.training.cache import StateCache
from memorytalker.training.data import AnyClip, TrainingError, Triplets
from memorytalker.training.folder import RunFolder, parameter_counts, session
from memorytalker.training.losses import MouthVertices
from memorytalker.training.memorize import freeze_speech, memorize
from memorytalker.training.processes import start_processes
from memorytalker.training.settings import MemorizeSettings, StylizeSettings
from memorytalker.training.sources import Source, mouth_on, open_source
from memorytalker.training.space import in_space
from memorytalker.training.style_regression import StyleRegression, fit_style_encoder, style_clips
from memorytalker.training.stylize import stylize
from memorytalker.training.trainer import StageInputs
from memorytalker.weights import (
    WEIGHTS_FOLDER,
    WeightsError,
    initialise_speech,
    load_weights,
    read_manifest,
    save_weights,
)

#: Number of parameters of the paper's model, in millions (arXiv 2507.20562).
PAPER_PARAMETERS = 94


@dataclass(frozen=True)
class DatasetLocation:
    """Where a run happens.

    Attributes:
        out: folder of the run.
        device: where to train.
        cache: folder of cached features; None: beside the run.
    """

    out: Path
    device: torch.device
    cache: Path | None = None

    @property
    def cache_folder(self) -> Path:
        """The folder of cached features, by default shared by runs in the same folder."""
        return self.out.parent / "features" if self.cache is None else self.cache


def memorize_dataset(
    dataset: FaceDataset,
    settings: MemorizeSettings,
    place: DatasetLocation,
    encoder: str | None = None,
    random_encoder: bool = False,
    say: Callable[[str], None] = announce,
    progress: Progress | None = None,
) -> None:
    """Train stage 1 on a data set, resuming the run in `place.out` if there is one.

    Args:
        dataset: the data set.
        settings: of the stage.
        place: run folder, device and cache.
        encoder: folder, hub address or weights folder with the pretrained speech encoder; None: that of the settings.
        random_encoder: start the speech encoder from random weights instead.
        say: receives lines for the user.
        progress: called after each step.

    Raises:
        TrainingError, ConfigError, DatasetError, WeightsError: the message names the remedy.
    """
    config = settings.training
    say = _first_only(say, config.mixed_precision, place)
    source = open_source(dataset, settings.model.slots)
    _check(dataset, settings.model, source.mouth, config)
    torch.manual_seed(config.seed)
    model = MemoryTalker(in_space(settings.model, source.space))
    start = _start_encoder(model, encoder, random_encoder)
    model.to(place.device)
    freeze_speech(model)
    model.style.requires_grad_(False)
    say(describe_parameters(model))
    say(f"Speech encoder: {start}.")
    frozen = model.config.speech.frozen
    say(f"Features of the sound are encoded once and kept in {place.cache_folder}.")
    clips = _encoded_clips(model, source, config.mixed_precision, place, frozen, progress)
    provenance = {"data": source.digest, "encoder": start}
    mouth = mouth_on(source.mouth, place.device)
    memorize(model, StageInputs(*clips, mouth, place.out, provenance, progress, say), config)


def stylize_dataset(
    dataset: FaceDataset,
    settings: StylizeSettings,
    place: DatasetLocation,
    stage_one: Path,
    say: Callable[[str], None] = announce,
    progress: Progress | None = None,
) -> None:
    """Train stage 2 on a data set, resuming the run in `place.out` if there is one.

    In closed form (`settings.style_regression`) it runs in one process and needs no validation clips.

    Args:
        dataset: the data set of stage 1.
        settings: of the stage.
        place: run folder, device and cache.
        stage_one: folder of the finished run of stage 1.
        say: receives lines for the user.
        progress: called after each step.

    Raises:
        TrainingError, ConfigError, DatasetError, WeightsError: the message names the remedy.
    """
    config = settings.training or settings.style_regression
    assert config is not None  # the settings fill it in
    precision = "no" if settings.training is None else settings.training.mixed_precision
    say = _first_only(say, precision, place)
    if place.out.resolve() == stage_one.resolve():
        raise TrainingError(f"{place.out} is the run of stage 1; give stage 2 another folder with --out.")
    model, start = load_run(stage_one)
    source = open_source(dataset, model.config.slots)
    _check(dataset, model.config, source.mouth, config)
    if (model.config.coordinates, model.config.basis) != (source.space.coordinates, source.space.name):
        raise TrainingError(
            f"{stage_one} was trained on {model.config.coordinates} coordinates a frame, and {dataset.folder} has "
            f"{source.space.coordinates}; use the data set of stage 1."
        )
    model.to(place.device)
    say(describe_parameters(model))
    clips = _encoded_clips(model, source, precision, place, True, progress)
    provenance = {"data": source.digest, "stage_one": start}
    mouth = mouth_on(source.mouth, place.device)
    if settings.style_regression is not None:
        inputs = StageInputs(*clips, mouth, place.out, provenance, progress)
        return run_style_regression(model, inputs, settings.style_regression)
    if single := Triplets(clips[0]).single:
        say(f"Speakers with a single clip, who serve as negatives only: {', '.join(single)}.")
    if mouth is None:  # its weight is 0, see _check
        mouth = MouthVertices(torch.arange(dataset.vertex_count, device=place.device))
    assert settings.training is not None
    stylize(model, StageInputs(*clips, mouth, place.out, provenance, progress, say), settings.training)


def run_style_regression(model: MemoryTalker, inputs: StageInputs, config: StyleRegression) -> None:
    """Run stage 2 in closed form; its folder has the files of any run, but no log, since there are no epochs.

    Args:
        model: after stage 1; trained in place.
        inputs: clips and run folder.
        config: the settings.

    Raises:
        TrainingError: as `fit_style_encoder`, and for several processes.
        ConfigError: the folder holds another run.
    """
    device = next(model.parameters()).device
    if start_processes("no", device).num_processes > 1:
        raise TrainingError("Stage 2 in closed form runs in one process; start it without accelerate launch.")
    run = RunFolder(inputs.folder)
    claim = {"style_regression": to_dict(config), "model": to_dict(model.config), **inputs.provenance}
    run.check(claim)
    run.describe(claim, session(model, 1, 0))
    fit_style_encoder(model, style_clips(inputs.clips), inputs.mouth, config, run.path / "last.pt", inputs.progress)
    run.save_best(model.state_dict())
    notes = {"stage": config.stage, **inputs.provenance}
    save_weights(model, run.path / "weights", notes)


def load_run(folder: Path) -> tuple[MemoryTalker, str]:
    """Load the best model of a finished run, in the coordinates it was trained in.

    Args:
        folder: of the run.

    Returns:
        The model in evaluation mode, and the sha256 of the tensors in `weights/`.

    Raises:
        TrainingError: the folder holds no run, or the run is not finished.
    """
    run = RunFolder(folder)
    run.about()
    if not (folder / "weights" / "config.json").is_file():
        raise TrainingError(f"The run in {folder} has not come to its end; give its command again to go on with it.")
    return run.model().eval(), read_manifest(folder / "weights").sha256


def describe_parameters(model: MemoryTalker) -> str:
    """Describe the numbers of parameters of a model, by part; for HuBERT beside the paper's number."""
    counts = parameter_counts(model)
    parts = ", ".join(f"{name} {n / 1e6:.2f} M" for name, n in counts.items() if name not in ("all", "learning"))
    text = f"Parameters: {counts['all'] / 1e6:.1f} M in all ({parts})"
    if model.config.speech.form == "hubert":
        text += f"; the paper says {PAPER_PARAMETERS} M, about what the speech encoder alone has"
    return text + "."


def _start_encoder(model: MemoryTalker, encoder: str | None, random_encoder: bool) -> str:
    """Load the speech encoder's weights; return where they come from."""
    source = encoder or model.config.speech.initialise_from
    if random_encoder:
        if encoder is not None:
            raise TrainingError("--encoder and --random-encoder exclude each other; leave one away.")
        return "random weights, not pretrained"
    if source is None:
        raise TrainingError(
            "No pretrained speech encoder is named; give its folder or owner/name@commit with --encoder, or start "
            "from random weights with --random-encoder."
        )
    try:
        if (shipped := _weights_folder(source)) is not None:
            trained = load_weights(shipped)
            model.speech.load_pretrained(trained.speech.encoder.state_dict(), source)
            return f"that of the weights {source}"
        initialise_speech(model, source)
    except (WeightsError, ConfigError) as error:
        words = str(error).splitlines()[0].rstrip(".")
        raise TrainingError(
            f"{words}. Give a folder that has it with --encoder, or start from random weights with --random-encoder."
        ) from None
    return str(source)


def _weights_folder(source: str) -> Path | None:
    """The folder of MemoryTalker weights that a source names, None if it is something else."""
    for folder in (Path(source), WEIGHTS_FOLDER / source):
        if (folder / "config.json").is_file():
            try:
                read_manifest(folder)
            except WeightsError:  # a transformers model has a config.json too
                continue
            return folder
    return None


def _check(
    dataset: FaceDataset, model: ModelConfig, mouth: MouthVertices | None, config: TrainingConfig | StyleRegression
) -> None:
    """Raise ConfigError or TrainingError for settings that the data set cannot serve."""
    if dataset.fps != model.fps:
        raise ConfigError(
            f"{dataset.folder} has {dataset.fps} frames a second and the model {model.fps}; set model.fps and "
            "model.period, or choose the preset of the data set."
        )
    needed = ["lip"] if config.stage == "stylize" else ["lips_in_stage_one"]
    needed = [name for name in needed if getattr(config.losses, name) and mouth is None]
    if config.losses.opening and (mouth is None or mouth.opening is None):
        needed.append("opening")
    if needed:
        raise TrainingError(
            f"{dataset.folder} does not name its lips, which {', '.join('losses.' + name for name in needed)} needs; "
            "give them with --regions, or set that weight to 0."
        )


def _encoded_clips(
    model: MemoryTalker, source: Source, precision: str, place: DatasetLocation, states: bool, progress: Progress | None
) -> tuple[list[AnyClip], list[AnyClip]]:
    """Training and validation clips; the first process fills the cache."""
    splits = ("train", "validation")
    for split in splits:
        if not source.dataset.split(split):
            raise TrainingError(f"{source.dataset.folder} has no {split} sequences; check its splits with doctor.")
    cache = StateCache(model, place.cache_folder, source.digest, states)
    with start_processes(precision, place.device).main_process_first():
        cache.fill([one for split in splits for one in source.dataset.split(split)], progress)
    training, validation = (source.clips(split, cache, model.config) for split in splits)
    return training, validation


def _first_only(say: Callable[[str], None], precision: str, place: DatasetLocation) -> Callable[[str], None]:
    """`say` in the first process, nothing in the others."""
    return say if start_processes(precision, place.device).is_main_process else lambda line: None

"""Train and evaluate every variant of a plan. Finished work is skipped, interrupted work is resumed.

`out/stages/<stage>-<key>/` holds one training; the key is a hash of everything it depends on, so variants share common
stages. `out/results/seed<seed>/<variant>.json` holds the results.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from memorytalker.config import ModelConfig, TrainingConfig, read_values, to_dict
from memorytalker.experiments.findings import evaluate_variant
from memorytalker.experiments.locations import start_encoder
from memorytalker.experiments.material import Material, material_digest, nested_speakers
from memorytalker.experiments.plan import Plan, digest, settings
from memorytalker.experiments.results import Trained, last_step, read_trained
from memorytalker.experiments.variants import Variant
from memorytalker.files import write_whole
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.training.data import AnyClip, StoredClip
from memorytalker.training.folder import RunFolder
from memorytalker.training.memorize import memorize
from memorytalker.training.run import run_style_regression
from memorytalker.training.sources import mouth_on
from memorytalker.training.space import in_space
from memorytalker.training.style_regression import StyleRegression
from memorytalker.training.stylize import stylize
from memorytalker.training.together import train_together
from memorytalker.training.trainer import StageInputs

#: Takes one line of a log.
Log = Callable[[str], None]
#: The configuration of one stage.
Stage = TrainingConfig | StyleRegression


def run_experiments(
    material: Material,
    out: Path,
    plan: Plan,
    only: tuple[str, ...] = (),
    encoder: str | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    log: Log = print,
) -> list[Path]:
    """Train and evaluate the variants of a plan, for every seed that the plan gives them.

    Args:
        material: the clips.
        out: where stages and results are written.
        plan: the plan.
        only: names of variants; empty for all.
        encoder: folder or hub address of the pretrained speech encoder; cached features do without.
        device: where to train.
        progress: called with (done, total, stage).
        log: called with one line per finished variant.

    Returns:
        The result files.

    Raises:
        ConfigError: for names and fields that do not exist, before anything is trained.
    """
    variants = plan.variants(only)
    groups = {variant.name: training_clips(material, plan, variant) for variant in variants}
    for variant in variants:  # errors in the plan show before the first training
        settings(plan, variant, plan.seeds[0], len(groups[variant.name]))
    files = []
    for seed, variant in plan.work(only):
        job = _Job(material, plan, variant, seed, tuple(groups[variant.name]), out, encoder, device)
        files.append(_result(job, progress, log))
    return files


def training_clips(material: Material, plan: Plan, variant: Variant) -> list[AnyClip]:
    """Select the training clips of a variant: all, or those of a limited number of speakers."""
    if not variant.limited:
        return list(material.training)
    counts = tuple(dict.fromkeys((*plan.speaker_counts, variant.speakers)))
    return nested_speakers(material.pool or material.training, counts, plan.speaker_clips)[variant.speakers]


@dataclass(frozen=True)
class _Job:
    material: Material
    plan: Plan
    variant: Variant
    seed: int
    clips: tuple[AnyClip, ...]
    out: Path
    encoder: str | None
    device: str

    @property
    def speakers(self) -> tuple[str, ...]:
        return tuple(sorted({clip.speaker for clip in self.clips}))


def _result(job: _Job, progress: Progress | None, log: Log) -> Path:
    """Train and evaluate one variant, unless its result exists."""
    variant, plan = job.variant, job.plan
    configs = settings(plan, variant, job.seed, len(job.clips))
    stages = _keys(job, configs.model, configs.stages)
    oracle = variant.name in plan.oracle
    key = digest(stages, job.material.digest, plan.split, variant.style, oracle)
    path = job.out / "results" / f"seed{job.seed}" / f"{variant.name}.json"
    if path.is_file() and read_values(path).get("key") == key:
        log(f"{variant.name} (seed {job.seed}): done before")
        return path
    model, trained = _train(job, configs.model, configs.stages, stages, progress)
    started = time.monotonic()
    result = {
        "name": variant.name,
        "shows": variant.shows,
        "about": plan.about,
        "group": variant.group,
        "order": plan.order_of(variant.name),
        "seed": job.seed,
        "key": key,
        "style": variant.style,
        "stages": [vars(stage) for stage in trained],
        "configs": {"model": to_dict(configs.model), "stages": [to_dict(config) for config in configs.stages]},
        "clips": len(job.clips) if trained else 0,
        "speakers": len(job.speakers) if trained else 0,
        **evaluate_variant(job.material, model, variant, len(job.speakers), oracle),
    }
    seconds = time.monotonic() - started
    result["evaluation_seconds"] = seconds
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda part: part.write_text(json.dumps(result) + "\n", encoding="utf-8"))
    took = ", ".join(
        f"{done.stage} {done.steps} steps of {_clips_a_step(config)} clips in {done.seconds:.0f} s"
        for done, config in zip(trained, configs.stages, strict=True)
    )
    log(f"{variant.name} (seed {job.seed}): {took or 'nothing to train'}; evaluated in {seconds:.0f} s")
    return path


def _clips_a_step(config: Stage) -> int:
    return 2 * config.fit_speakers if isinstance(config, StyleRegression) else config.batch_size


def _keys(job: _Job, model: ModelConfig, configs: tuple[Stage, ...]) -> list[str]:
    """A hash for each stage, of everything that its training depends on."""
    data = material_digest(list(job.clips), list(job.material.selection))
    before, keys = job.encoder or "", []
    for config in configs:
        # Only the stage that learns labels depends on them; stage 1 is the same with and without.
        labels = job.speakers if job.variant.style == "labels" and config.stage != "memorize" else ()
        described = to_dict(in_space(replace(model, name=""), job.material.space))
        before = digest(before, described, to_dict(config), data, labels)
        keys.append(before)
    return keys


def _train(
    job: _Job, config: ModelConfig, configs: tuple[Stage, ...], keys: list[str], progress: Progress | None
) -> tuple[MemoryTalker | None, list[Trained]]:
    """The variant's model, each stage trained or loaded from `out/stages`, and the cost of the stages."""
    if not configs:
        return None, []
    torch.manual_seed(job.seed)
    model = MemoryTalker(in_space(replace(config, speakers=()), job.material.space))
    start_encoder(model, job.encoder)
    trained = []
    for stage, key in zip(configs, keys, strict=True):
        if job.variant.style == "labels" and stage.stage != "memorize":
            model = labelled(model, job.speakers)
        model.to(job.device)
        folder = job.out / "stages" / f"{stage.stage}-{key}"
        if (folder / "done.json").is_file():
            RunFolder(folder).fill(model)
            done = read_trained(folder / "done.json")
        else:
            done = _train_stage(job, model, stage, key, folder, progress)
        trained.append(done)
    return model.eval(), trained


def _train_stage(
    job: _Job, model: MemoryTalker, config: Stage, key: str, folder: Path, progress: Progress | None
) -> Trained:
    trainers: dict[str, Callable[..., Any]] = {
        "memorize": memorize,
        "stylize": stylize,
        "together": train_together,
        "style_regression": run_style_regression,
    }
    clips, selection = list(job.clips), list(job.material.selection)
    if model.config.speakers:
        clips = with_labels(clips, model.config.speakers)
        selection = with_labels(selection, model.config.speakers)
    started, resumed = time.monotonic(), (folder / "last.pt").is_file()
    mouth = mouth_on(job.material.mouth, torch.device(job.device))
    provenance = {"data": job.material.digest, "key": key}
    trainers[config.stage](model, StageInputs(clips, selection, mouth, folder, provenance, progress), config)
    seconds = time.monotonic() - started
    if isinstance(config, StyleRegression):
        steps = config.fit_steps
    else:
        steps = last_step(folder / "log.jsonl")
    done = Trained(key, config.stage, seconds, steps, len(clips), len(job.speakers), resumed)
    write_whole(folder / "done.json", lambda part: part.write_text(json.dumps(vars(done)) + "\n", encoding="utf-8"))
    for left in ("last.pt", "weights"):  # keep the best weights; delete the other large files
        shutil.rmtree(folder / left) if (folder / left).is_dir() else (folder / left).unlink(missing_ok=True)
    return done


def labelled(model: MemoryTalker, speakers: tuple[str, ...]) -> MemoryTalker:
    """Copy a model, with a neutral style vector for each speaker in place of the style encoder."""
    other = MemoryTalker(replace(model.config, speakers=speakers))
    other.load_state_dict(
        {name: value for name, value in model.state_dict().items() if not name.startswith("style.")}, strict=False
    )
    return other


def with_labels(clips: list[AnyClip], speakers: tuple[str, ...]) -> list[AnyClip]:
    """Replace the style encoder's input of each clip by the one-hot label (1, speakers) of its speaker.

    A speaker without a label gets the mean of all labels.
    """
    rows = torch.eye(len(speakers)).half()
    unknown = torch.full((len(speakers),), 1 / len(speakers)).half()
    labels = {name: rows[number] for number, name in enumerate(speakers)}

    def with_label(clip: AnyClip) -> AnyClip:
        row = labels.get(clip.speaker, unknown)[None]
        return replace(clip, read_mel=lambda *_: row) if isinstance(clip, StoredClip) else replace(clip, mel=row)

    return [with_label(clip) for clip in clips]

"""Stage 1 of the open weights from several seeds, of which film that nobody trained on chooses one.

Seeds are trained side by side, each by one process with its share of the cores: a model this small gains little from a
second thread, and one thread rounds in the same way each time. The film is of people who are trained on, but of other
clips, and judges nothing else: those who judge the weights take no part in the choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from memorytalker.corpus.clips import Clip
from memorytalker.face.head import load_head
from memorytalker.face.motion_space import MotionSpace, speech_space
from memorytalker.models.talker import MemoryTalker
from memorytalker.training.cache import load_training_clips
from memorytalker.training.context import WeightsContext, digest, digest_head, fresh_model
from memorytalker.training.data import AnyClip, TrainingError
from memorytalker.training.folder import RunFolder
from memorytalker.training.losses import MouthVertices
from memorytalker.training.memorize import mean_losses, memorize, memorizing
from memorytalker.training.sources import mouth_on
from memorytalker.training.space import mouth_in_space
from memorytalker.training.trainer import StageInputs

#: Clips shorter than half a second are mostly their edges.
SHORTEST_FRAMES = 15


@dataclass(frozen=True)
class Memorized:
    """The stage 1 that was chosen.

    Attributes:
        seed: of its training.
        model: after stage 1.
        clips: the training clips.
        mouth: of the head, in the model's coordinates.
        provenance: what stage 1 was made from.
        notes: for the weights' configuration: the seeds and their losses on the film, if there were several.
    """

    seed: int
    model: MemoryTalker
    clips: list[AnyClip]
    mouth: MouthVertices
    provenance: dict[str, Any]
    notes: dict[str, Any]


def memorize_seeds(context: WeightsContext) -> Memorized:
    """Train stage 1 from each seed of the recipe and choose the one with the lowest loss on the recipe's film.

    Args:
        context: whose corpus is finished.

    Returns:
        The chosen stage 1.

    Raises:
        TrainingError: there are no training clips, or no film to choose by.
        ConfigError: a run of stage 1 in the work folder has other settings.
    """
    seeds = (context.recipe.memorize.seed, *context.recipe.seeds.more)
    film = film_clips(context) if len(seeds) > 1 else []  # a film that is missing is told before hours of training
    workers = min(max(context.workers, 1), len(seeds))
    if workers < 2 or context.device != "cpu":
        for seed in seeds:
            memorize_seed(context, seed)
    else:
        quiet, threads = replace(context, progress=None), max(torch.get_num_threads() // workers, 1)
        with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
            list(pool.map(partial(memorize_seed, quiet), seeds))
    losses = {seed: film_loss(context, seed, film) for seed in seeds} if film else {}
    chosen = min(losses, key=losses.__getitem__) if losses else seeds[0]
    model, mouth, space = _begin(context, chosen)
    RunFolder(seed_folder(context, chosen)).fill(model)
    clips = load_training_clips(context.corpus, "train", space, model.config, speaking)
    return Memorized(chosen, model, clips, mouth, _provenance(context, chosen), _notes(losses, chosen))


def memorize_seed(context: WeightsContext, seed: int) -> None:
    """Train stage 1 from one seed into its folder, or go on where it was broken off.

    Args:
        context: whose corpus is finished.
        seed: of the untrained model and of the training.

    Raises:
        TrainingError, ConfigError: as `memorize_seeds`.
    """
    model, mouth, space = _begin(context, seed)
    clips, validation = (
        load_training_clips(context.corpus, split, space, model.config, speaking) for split in ("train", "validation")
    )
    folder, provenance = seed_folder(context, seed), _provenance(context, seed)
    inputs = StageInputs(clips, validation, mouth, folder, provenance, context.progress)
    memorize(model, inputs, seeded(context, seed).recipe.memorize)


def film_loss(context: WeightsContext, seed: int, film: Sequence[AnyClip]) -> float:
    """Return the loss of a finished stage 1 on some clips.

    Args:
        context: as for `memorize_seed`.
        seed: of a finished training.
        film: the clips, by which seeds are chosen.
    """
    model, mouth, _ = _begin(context, seed)
    RunFolder(seed_folder(context, seed)).fill(model)
    model.eval()
    config, device = context.recipe.memorize, torch.device(context.device)
    with torch.no_grad():
        figures = mean_losses(
            lambda batch: memorizing(model, batch, mouth, config), film, config.batch_size, device, config.losses
        )
    return figures["loss"]


def film_clips(context: WeightsContext) -> list[AnyClip]:
    """Load the clips of the recipe's `seeds.film` that nobody trains on.

    Raises:
        TrainingError: there is none.
    """
    space = speech_space(load_head())
    folders = context.recipe.seeds.film
    clips = load_training_clips(
        context.corpus, "test", space, context.recipe.model, lambda clip: clip.source in folders and speaking(clip)
    )
    if not clips:
        raise TrainingError(
            f"No clip of {', '.join(folders)} is left to choose a seed by; hold one out, or take seeds.more out of the "
            "recipe."
        )
    return clips


def seeded(context: WeightsContext, seed: int) -> WeightsContext:
    """Return the context of one seed; that of the recipe's own seed is the context itself."""
    recipe = context.recipe
    if seed == recipe.memorize.seed:
        return context
    return replace(context, recipe=replace(recipe, seed=seed, memorize=replace(recipe.memorize, seed=seed)))


def seed_folder(context: WeightsContext, seed: int, stage: str = "memorize") -> Path:
    """Return where a stage of one seed lies: `work`/memorize, or `work`/memorize-seed-1 for a further seed."""
    return context.work / (stage if seed == context.recipe.memorize.seed else f"{stage}-seed-{seed}")


def speaking(clip: Clip) -> bool:
    """Whether a clip is long enough to be trained on."""
    return clip.frames >= SHORTEST_FRAMES


def _begin(context: WeightsContext, seed: int) -> tuple[MemoryTalker, MouthVertices, MotionSpace]:
    """The untrained model of a seed, the mouth on which it is judged, and the space in which it moves."""
    head = load_head()
    model, space = fresh_model(head, seeded(context, seed))
    mouth = mouth_on(mouth_in_space(space, head, model.config.slots), torch.device(context.device))
    assert mouth is not None  # the open head has one
    return model.to(context.device), mouth, space


def _provenance(context: WeightsContext, seed: int) -> dict[str, Any]:
    corpus = digest(context.corpus / "clips.jsonl")
    return {"corpus": corpus, "head": digest_head(load_head()), "seed": seeded(context, seed).recipe.seed}


def _notes(losses: Mapping[int, float], chosen: int) -> dict[str, Any]:
    if not losses:
        return {}
    return {"seeds": {"chosen": chosen, "film_loss": {str(seed): round(loss, 4) for seed, loss in losses.items()}}}

"""Make the open weights from a source folder: corpus, curve regressor, both stages, conversion to vertices.

Every step writes its result to the work folder and is skipped if it is there, so that an interrupted run goes on.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from memorytalker.config import read_values, to_dict, write
from memorytalker.corpus.build import build_corpus, save_curves, synthesised_shapes
from memorytalker.corpus.capture import RECORDINGS
from memorytalker.corpus.clips import VOICE_MARK, Clip, read_clips
from memorytalker.face.head import load_head
from memorytalker.files import write_whole
from memorytalker.training.audio_to_curves import (
    agreement,
    curve_regressor_for,
    regressor_clips,
    train_curve_regressor,
)
from memorytalker.training.cache import cache_features, cached_states
from memorytalker.training.context import WeightsContext, digest, fresh_model
from memorytalker.training.data import TrainingError
from memorytalker.training.seeds import memorize_seeds, seed_folder
from memorytalker.training.style_regression import fit_style_encoder, style_clips
from memorytalker.weights import (
    CONFIG_FILE,
    CURVE_REGRESSOR_NAME,
    DEFAULT_NAME,
    TENSOR_FILE,
    load_curve_regressor,
    save_curve_regressor,
    save_weights,
)

#: In the folder of a corpus: the configuration that it was made with.
RECIPE_FILE = "recipe.json"
#: In the work folder: how the curve regressor was trained and how well it agrees with tracked motion.
REPORT_FILE = "audio_to_curves.json"


def make_corpus(context: WeightsContext) -> None:
    """Make the corpus, its features and the curve regressor.

    They lie in `work`/corpus, `work`/audio_to_curves and `work`/audio_to_curves.json. Motion is synthesised first from
    phone times alone. If there are captured clips with a transcript, a curve regressor is trained on them, its curves
    are written to `work`/corpus/curves, and the motion is synthesised again from both.

    Args:
        context: the source, the work folder and the recipe.

    Raises:
        TrainingError: `recordings` would be left out of the corpus that is there, or lost from it, or that corpus was
            made with another recipe.
    """
    head, corpus, report_file = load_head(), context.corpus, context.work / REPORT_FILE
    _check_recipe(context)
    if not (corpus / "clips.jsonl").is_file():
        report_file.unlink(missing_ok=True)  # the new corpus is made from phone times alone
        corpus.mkdir(parents=True, exist_ok=True)
        write(context.recipe.corpus, corpus / RECIPE_FILE)
        build_corpus(context.build(), head)
    model, space = fresh_model(head, context)
    cache_features(model.to(context.device), corpus, context.root, context.progress, context.workers)
    clips = read_clips(corpus)[0]
    own = any(clip.source == RECORDINGS for clip in clips)
    if context.recordings is not None and not own:
        raise TrainingError(f"{corpus} was made without takes of your own; choose another work folder, or delete it.")
    if _has_curve_regressor(context.work):
        return
    if context.recordings is None and own:
        raise TrainingError(f"{corpus} holds takes of your own and is made again; name their folder: --recordings.")
    report: dict[str, Any] = {"curve_regressor": None}
    if regressor_clips(clips):
        settings = context.recipe.curve_regressor
        config = curve_regressor_for(model.config, synthesised_shapes())
        trained = train_curve_regressor(corpus, space, head, config, settings, context.progress)
        report = {"curve_regressor": asdict(settings), "agreement": agreement(trained, corpus, head)}
        save_curve_regressor(trained, context.work / CURVE_REGRESSOR_NAME, report)
        build_corpus(context.build(_write_curves(context, clips)), head)
    write_whole(report_file, lambda part: part.write_text(json.dumps(report, indent=1) + "\n", "utf-8"))


def _write_curves(context: WeightsContext, clips: list[Clip]) -> Path:
    """Predict the curves of every synthesised clip into one file each; return their folder."""
    regressor, folder = load_curve_regressor(context.work / CURVE_REGRESSOR_NAME), context.corpus / "curves"
    spoken = [clip for clip in clips if clip.kind == "synthesised" and not clip.augmentation]
    for done, clip in enumerate(spoken, start=1):
        save_curves(folder, clip.name, regressor.curves(cached_states(context.corpus, clip), clip.frames))
        if context.progress:
            context.progress(done, len(spoken), "curves")
    return folder


def _check_recipe(context: WeightsContext) -> None:
    """Raise TrainingError if the corpus was made with another recipe; older ones do not say with which."""
    recipe_file = context.corpus / RECIPE_FILE
    if not recipe_file.is_file():
        return
    made, wanted = read_values(recipe_file), to_dict(context.recipe.corpus)
    if changed := sorted(key for key in {*made, *wanted} if made.get(key) != wanted.get(key)):
        raise TrainingError(
            f"{context.corpus} was made with another recipe ({', '.join(changed)}); choose another work folder, or "
            "delete it."
        )


def _has_curve_regressor(work: Path) -> bool:
    """Whether the curve regressor's step is done; without captured clips with a transcript there is none."""
    report_file = work / REPORT_FILE
    if not report_file.is_file():
        return False
    report = read_values(report_file)
    if "curve_regressor" not in report:
        raise TrainingError(f"{report_file} does not say what a curve regressor was made of; delete it to go on.")
    return report["curve_regressor"] is None or (work / CURVE_REGRESSOR_NAME / CONFIG_FILE).is_file()


def make_weights(context: WeightsContext, out: Path) -> None:
    """Train a model with the recipe on the source folder and write its weights.

    Beside weights of the shipped name the curve regressor is written too; otherwise it stays in the work folder.

    Args:
        context: the source, the work folder and the recipe.
        out: the weights folder.

    Raises:
        TrainingError: as `make_corpus` and `memorize_seeds`.
        ConfigError: as `memorize_seeds`.
    """
    make_corpus(context)
    recipe, work, progress = context.recipe, context.work, context.progress
    memorized = memorize_seeds(context)
    model, clips, mouth = memorized.model, memorized.clips, memorized.mouth
    spoken = style_clips(clips)
    style_file = seed_folder(context, memorized.seed, "style_regression") / "style.pt"
    fit_style_encoder(model, spoken, mouth, recipe.style_regression, style_file, progress)
    hours = sum(len(clip.motion) for clip in clips) / recipe.model.fps / 3600
    notes = {
        "training_hours": round(hours, 2),
        "training_speakers": len({clip.speaker for clip in spoken if VOICE_MARK not in clip.speaker}),
        "motion": "synthesised from phone times and by a curve regressor trained on video-tracked motion; "
        "video-tracked people, a motion-captured woman",
        "curve_regressor": digest(work / CURVE_REGRESSOR_NAME / TENSOR_FILE)
        if (work / CURVE_REGRESSOR_NAME).is_dir()
        else None,
        **memorized.provenance,
        **memorized.notes,
    }
    save_weights(model, out, extra=notes, stored_as="float16")
    ship_curve_regressor(work, out)


def ship_curve_regressor(work: Path, out: Path) -> None:
    """Copy the curve regressor beside the shipped weights, where evaluation needs it; other weights do not replace it.

    Args:
        work: the work folder.
        out: the weights folder; nothing is copied unless it has the shipped name.
    """
    if out.name != DEFAULT_NAME or not (work / CURVE_REGRESSOR_NAME).is_dir():
        return
    target = out.parent / CURVE_REGRESSOR_NAME
    target.mkdir(parents=True, exist_ok=True)
    for name in (TENSOR_FILE, CONFIG_FILE):
        write_whole(target / name, partial(shutil.copyfile, work / CURVE_REGRESSOR_NAME / name))

"""Make the open weights from a source folder: corpus, curve regressor, both stages, conversion to vertices.

Every step writes its result to the work folder and is skipped if it is there, so that an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from memorytalker.config import read_values, to_dict, write
from memorytalker.corpus.build import BuildContext, build_corpus, save_curves, synthesised_shapes
from memorytalker.corpus.capture import RECORDINGS
from memorytalker.corpus.clips import VOICE_MARK, Clip, read_clips
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion_space import MotionSpace, speech_space
from memorytalker.files import write_whole
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.training.audio_to_curves import (
    agreement,
    curve_regressor_for,
    regressor_clips,
    train_curve_regressor,
)
from memorytalker.training.cache import cache_features, cached_states, load_training_clips
from memorytalker.training.data import TrainingError
from memorytalker.training.memorize import memorize
from memorytalker.training.open_recipe import Recipe, read_recipe
from memorytalker.training.sources import mouth_on
from memorytalker.training.space import in_space, mouth_in_space
from memorytalker.training.style_regression import fit_style_encoder, style_clips
from memorytalker.training.trainer import StageInputs
from memorytalker.weights import (
    CONFIG_FILE,
    CURVE_REGRESSOR_NAME,
    DEFAULT_NAME,
    TENSOR_FILE,
    initialise_speech,
    load_curve_regressor,
    save_curve_regressor,
    save_weights,
)

#: In the folder of a corpus: the configuration that it was made with.
RECIPE_FILE = "recipe.json"
#: In the work folder: how the curve regressor was trained and how well it agrees with tracked motion.
REPORT_FILE = "audio_to_curves.json"


@dataclass(frozen=True)
class WeightsContext:
    """What the weights are made from, and with which resources; passed through all steps unchanged.

    Attributes:
        root: the source folder.
        work: folder for the corpus and the runs.
        recipe: by default the shipped one.
        encoder: folder with the pretrained speech encoder, by default `root`/encoder.
        recordings: a folder of a user's own takes.
        device: where to train.
        workers: clips processed in parallel.
        progress: called as the steps proceed.
    """

    root: Path
    work: Path
    recipe: Recipe = field(default_factory=read_recipe)
    encoder: Path | None = None
    recordings: Path | None = None
    device: str = "cpu"
    workers: int = 2
    progress: Progress | None = None

    @property
    def corpus(self) -> Path:
        """The folder of the corpus."""
        return self.work / "corpus"

    def build(self, curves: Path | None = None) -> BuildContext:
        """Return the settings of the corpus; `curves` as in `BuildContext`."""
        return BuildContext(
            self.root, self.corpus, self.recipe.corpus, self.recordings, curves, self.workers, self.progress
        )


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
        TrainingError: as `make_corpus`.
    """
    make_corpus(context)
    recipe, work, device, progress = context.recipe, context.work, context.device, context.progress
    head, corpus = load_head(), context.corpus
    model, space = fresh_model(head, context)
    model.to(device)
    clips = load_training_clips(corpus, "train", space, model.config, _speaking)
    validation = load_training_clips(corpus, "validation", space, model.config, _speaking)
    mouth = mouth_on(mouth_in_space(space, head, model.config.slots), torch.device(device))
    provenance = {"corpus": _digest(corpus / "clips.jsonl"), "head": _digest_head(head), "seed": recipe.seed}
    inputs = StageInputs(clips, validation, mouth, work / "memorize", provenance, progress)
    memorize(model, inputs, recipe.memorize)
    spoken = style_clips(clips)
    style_file = work / "style_regression" / "style.pt"
    fit_style_encoder(model, spoken, mouth, recipe.style_regression, style_file, progress)
    hours = sum(len(clip.motion) for clip in clips) / recipe.model.fps / 3600
    notes = {
        "training_hours": round(hours, 2),
        "training_speakers": len({clip.speaker for clip in spoken if VOICE_MARK not in clip.speaker}),
        "motion": "synthesised from phone times and by a curve regressor trained on video-tracked motion; "
        "video-tracked people, a motion-captured woman",
        "curve_regressor": _digest(work / CURVE_REGRESSOR_NAME / TENSOR_FILE)
        if (work / CURVE_REGRESSOR_NAME).is_dir()
        else None,
        **provenance,
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


def fresh_model(head: HeadMesh, context: WeightsContext) -> tuple[MemoryTalker, MotionSpace]:
    """Create an untrained model with a pretrained speech encoder.

    Args:
        head: the head whose speech shapes span the motion space.
        context: gives the recipe and the encoder's folder.

    Returns:
        The model, and the motion space whose coordinates it predicts.
    """
    space = speech_space(head)
    torch.manual_seed(context.recipe.seed)
    model = MemoryTalker(in_space(context.recipe.model, space))
    initialise_speech(model, context.encoder or context.root / "encoder")
    return model, space


def _speaking(clip: Clip) -> bool:
    return clip.frames >= 15  # half a second: shorter clips are mostly their edges


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_head(head: HeadMesh) -> str:
    return hashlib.sha256(head.template.tobytes() + head.blendshapes.tobytes()).hexdigest()

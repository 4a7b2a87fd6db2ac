"""How the open weights are made, from a source folder to a weights folder: corpus, listener, both stages, folding.

Every step leaves its result in the work folder and is skipped when found there, so that a broken run goes on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from memorytalker.config import read_values, to_dict, write
from memorytalker.corpus.build import BuildContext, build_corpus, save_curves, synthesised_shapes
from memorytalker.corpus.capture import RECORDINGS
from memorytalker.corpus.clips import VOICE_MARK, Clip, read_clips
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.files import write_whole
from memorytalker.models.talker import MemoryTalker, to_vertex_model
from memorytalker.progress import Progress
from memorytalker.training.audio_to_curves import agreement, curve_regressor_for, train_curve_regressor, video_words
from memorytalker.training.cache import cache_features, cached_states, load_training_clips
from memorytalker.training.data import TrainingError
from memorytalker.training.losses import MouthVertices
from memorytalker.training.memorize import memorize
from memorytalker.training.open_recipe import Recipe, read_recipe
from memorytalker.training.space import MotionSpace, blendshape_space
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

#: In the folder of a corpus: by which figures it was made.
RECIPE_FILE = "recipe.json"


@dataclass(frozen=True)
class WeightsContext:
    """From what weights are made, and with how much help; handed through all steps unchanged.

    root: the source folder. work: keeps the corpus and the runs. recipe: by default the shipped one. encoder: the
    folder with the pretrained speech encoder, by default `root`/encoder. recordings: a folder of a user's own takes.
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
        """What the corpus is made of; `curves` as in `BuildContext`."""
        return BuildContext(
            self.root, self.corpus, self.recipe.corpus, self.recordings, curves, self.workers, self.progress
        )


def make_corpus(context: WeightsContext) -> None:
    """The corpus in `work`/corpus, its features, and what film teaches to hear: `work`/listener, `work`/listener.json.

    Motion is synthesised twice: of phone times alone, and, when a listener has been trained on the filmed part, of
    what it hears too, handed over as files in `work`/corpus/curves. Raises TrainingError if `recordings` would be left
    out of the corpus, or lost from it, or if the corpus there is of another recipe.
    """
    head, corpus, told = load_head(), context.corpus, context.work / "listener.json"
    _check_recipe(context)
    if not (corpus / "clips.jsonl").is_file():
        told.unlink(missing_ok=True)  # what is made anew is of phone times alone
        corpus.mkdir(parents=True, exist_ok=True)
        write(context.recipe.corpus, corpus / RECIPE_FILE)
        build_corpus(context.build(), head)
    model, space = fresh_model(head, context)
    cache_features(model.to(context.device), corpus, context.root, context.progress, context.workers)
    clips = read_clips(corpus)[0]
    own = any(clip.source == RECORDINGS for clip in clips)
    if context.recordings is not None and not own:
        raise TrainingError(f"{corpus} was made without takes of your own; choose another work folder, or delete it.")
    if _is_heard(context.work):
        return
    if context.recordings is None and own:
        raise TrainingError(f"{corpus} holds takes of your own and is made once more; name their folder: --recordings.")
    report = {"listener": None}
    if video_words(clips):
        settings = context.recipe.listener
        config = curve_regressor_for(model.config, synthesised_shapes())
        trained = train_curve_regressor(corpus, space, head, config, settings, context.progress)
        report = {"listener": asdict(settings), "agreement": agreement(trained, corpus, head)}
        save_curve_regressor(trained, context.work / CURVE_REGRESSOR_NAME, report)
        build_corpus(context.build(_write_curves(context, clips)), head)
    write_whole(told, lambda part: part.write_text(json.dumps(report, indent=1) + "\n", "utf-8"))


def _write_curves(context: WeightsContext, clips: list[Clip]) -> Path:
    """What the trained listener hears in every synthesised clip, as one file each; their folder."""
    listener, folder = load_curve_regressor(context.work / CURVE_REGRESSOR_NAME), context.corpus / "curves"
    spoken = [clip for clip in clips if clip.kind == "synthesised" and not clip.disturbed]
    for done, clip in enumerate(spoken, start=1):
        save_curves(folder, clip.name, listener.curves(cached_states(context.corpus, clip), clip.frames))
        if context.progress:
            context.progress(done, len(spoken), "curves")
    return folder


def _check_recipe(context: WeightsContext) -> None:
    """Raise TrainingError where the corpus is known to be of another recipe; an older one does not say of which."""
    told = context.corpus / RECIPE_FILE
    if not told.is_file():
        return
    made, wanted = read_values(told), to_dict(context.recipe.corpus)
    if changed := sorted(key for key in {*made, *wanted} if made.get(key) != wanted.get(key)):
        raise TrainingError(
            f"{context.corpus} was made by another recipe ({', '.join(changed)}); choose another work folder, or "
            "delete it."
        )


def _is_heard(work: Path) -> bool:
    """Whether the step of the listener is done; a source without filmed words has none."""
    told = work / "listener.json"
    if not told.is_file():
        return False
    return (
        json.loads(told.read_text("utf-8"))["listener"] is None or (work / CURVE_REGRESSOR_NAME / CONFIG_FILE).is_file()
    )


def make_weights(context: WeightsContext, out: Path) -> None:
    """Train a model of `context`'s recipe on its source folder and write the weights to `out`.

    Weights of the shipped name get the listener beside them; that of others stays in the work folder. Raises
    TrainingError as `make_corpus`.
    """
    make_corpus(context)
    recipe, work, device, progress = context.recipe, context.work, context.device, context.progress
    head, corpus = load_head(), context.corpus
    model, space = fresh_model(head, context)
    model.to(device)
    clips = load_training_clips(corpus, "train", space, model.config, _speaking)
    validation = load_training_clips(corpus, "validation", space, model.config, _speaking)
    mouth = _on_device(space.mouth(head), device)
    provenance = {"corpus": _digest(corpus / "clips.jsonl"), "head": _digest_head(head), "seed": recipe.seed}
    basis = torch.from_numpy(space.basis.copy()).float()

    def fold(trained: MemoryTalker) -> MemoryTalker:
        return to_vertex_model(trained, basis)

    inputs = StageInputs(clips, validation, mouth, work / "memorize", provenance, progress, fold)
    memorize(model, inputs, recipe.memorize)
    voices = style_clips(clips)
    fit_style_encoder(model, voices, mouth, recipe.manners, work / "manners" / "style.pt", progress)
    hours = sum(len(clip.motion) for clip in clips) / recipe.model.fps / 3600
    notes = {
        "training_hours": round(hours, 2),
        "training_speakers": len({clip.speaker for clip in voices if VOICE_MARK not in clip.speaker}),
        "motion": "synthesised from phone times and what film taught to hear; a filmed man, a captured woman",
        "listener": _digest(work / CURVE_REGRESSOR_NAME / TENSOR_FILE)
        if (work / CURVE_REGRESSOR_NAME).is_dir()
        else None,
        **provenance,
    }
    save_weights(fold(model), out, extra=notes, stored_as="float16")
    ship_curve_regressor(work, out)


def ship_curve_regressor(work: Path, out: Path) -> None:
    """Beside the shipped weights lies the listener that their corpus was made with; nobody else's replaces it."""
    if out.name != DEFAULT_NAME or not (work / CURVE_REGRESSOR_NAME).is_dir():
        return
    target = out.parent / CURVE_REGRESSOR_NAME
    target.mkdir(parents=True, exist_ok=True)
    for name in (TENSOR_FILE, CONFIG_FILE):
        write_whole(target / name, lambda part, name=name: shutil.copyfile(work / CURVE_REGRESSOR_NAME / name, part))


def fresh_model(head: HeadMesh, context: WeightsContext) -> tuple[MemoryTalker, MotionSpace]:
    """An untrained model over the coordinates of a head's speech shapes, its encoder pretrained, and that space."""
    space = blendshape_space(head)
    torch.manual_seed(context.recipe.seed)
    model = MemoryTalker(replace(context.recipe.model, coordinates=space.coordinates))
    initialise_speech(model, context.encoder or context.root / "encoder")
    return model, space


def _on_device(mouth: MouthVertices, device: str) -> MouthVertices:
    """The mouth's rows on the training device."""
    return replace(mouth, lips=mouth.lips.to(device), opening=mouth.opening.to(device), bite=mouth.bite.to(device))


def _speaking(clip: Clip) -> bool:
    return clip.frames >= 15  # half a second: shorter ones teach the edges of clips


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_head(head: HeadMesh) -> str:
    return hashlib.sha256(head.template.tobytes() + head.blendshapes.tobytes()).hexdigest()

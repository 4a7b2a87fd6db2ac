"""How the open weights are made, from a source folder to a weights folder: corpus, listener, both stages, folding.

Every step leaves its result in the work folder and is skipped when found there, so that a broken run goes on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from memorytalker.config import LossConfig, ModelConfig, Progress, SpeechConfig, StyleConfig, TrainingConfig
from memorytalker.corpus.build import build_corpus, synthesised_shapes
from memorytalker.corpus.capture import RECORDINGS
from memorytalker.corpus.clips import VOICE_MARK, Clip, read_clips
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.models.talker import MemoryTalker, to_vertex_model
from memorytalker.training.audio_to_curves import (
    CurveRegressorTraining,
    agreement,
    curve_regressor_for,
    train_curve_regressor,
    video_words,
)
from memorytalker.training.cache import cache_features, cached_states, load_training_clips
from memorytalker.training.data import TrainingClip, TrainingError
from memorytalker.training.folder import write_whole
from memorytalker.training.losses import MouthVertices
from memorytalker.training.memorize import memorize
from memorytalker.training.space import MotionSpace, blendshape_space
from memorytalker.training.style_regression import StyleRegression, fit_style_encoder
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

#: The coordinates of a talking face (root of the sum of squares over all vertices) are of the size of 3 cm.
MODEL = ModelConfig(
    name="open", motion_scale=30.0, speech=SpeechConfig(mixed_layers=3, normalise=0.3),
    style=StyleConfig(statistics=True, convolutions=False, mel_mean=-35.0, mel_spread=20.0),
)  # fmt: skip
#: Stage 1 of the open model. Where it leaves the paper (batches, a falling rate, the slots' names, the closed mouth,
#: the style that motion shows, the share of filmed clips) MODEL_CARD.md says so.
MEMORIZE = TrainingConfig(
    stage="memorize", epochs=8, batch_size=16, learning_rate=1e-3, warmup_steps=200, final_rate=0.02,
    weight_decay=1e-4, clip_norm=50.0, crop_seconds=4.0, captured_share=0.5, validate_every=8,
    losses=LossConfig(slots=0.2, opening=0.3, bite=0.3, shut=8.0, lips_in_stage_one=20.0, shown=1.0),
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what the weights become, apart from the source folder."""

    model: ModelConfig = MODEL
    listener: CurveRegressorTraining = CurveRegressorTraining()
    memorize: TrainingConfig = MEMORIZE
    manners: StyleRegression = StyleRegression()
    seed: int = 0


def make_corpus(
    root: Path,
    work: Path,
    encoder: Path | None = None,
    recipe: Recipe = Recipe(),
    device: str = "cpu",
    workers: int = 2,
    progress: Progress | None = None,
    recordings: Path | None = None,
) -> None:
    """The corpus in `work`/corpus, its features, and what film teaches to hear: `work`/listener, `work`/listener.json.

    Motion is synthesised twice: of phone times alone, and, when a listener has been trained on the filmed part, of
    what it hears too. The arguments are those of `make_weights`. Raises TrainingError if `recordings` would be left
    out of the corpus, or lost from it.
    """
    head, corpus, told = load_head(), work / "corpus", work / "listener.json"
    if not (corpus / "clips.jsonl").is_file():
        told.unlink(missing_ok=True)  # what is made anew is of phone times alone
        build_corpus(root, corpus, head, workers, recipe.seed, progress=progress, recordings=recordings)
    model, space = fresh_model(head, recipe, encoder or root / "encoder")
    cache_features(model.to(device), corpus, root, progress, workers)
    clips = read_clips(corpus)[0]
    own = any(clip.source == RECORDINGS for clip in clips)
    if recordings is not None and not own:
        raise TrainingError(f"{corpus} was made without takes of your own; choose another work folder, or delete it.")
    if _is_heard(work):
        return
    if recordings is None and own:
        raise TrainingError(f"{corpus} holds takes of your own and is made once more; name their folder: --recordings.")
    report = {"listener": None}
    if video_words(clips):
        config = curve_regressor_for(model.config, synthesised_shapes())
        trained = train_curve_regressor(corpus, space, head, config, recipe.listener, progress)
        report = {"listener": asdict(recipe.listener), "agreement": agreement(trained, corpus, head)}
        save_curve_regressor(trained, work / CURVE_REGRESSOR_NAME, report)
        listener, by_name = load_curve_regressor(work / CURVE_REGRESSOR_NAME), {clip.name: clip for clip in clips}

        def heard(name: str, frames: int) -> np.ndarray:
            return listener.curves(cached_states(corpus, by_name[name]), frames)

        build_corpus(root, corpus, head, workers, recipe.seed, progress=progress, heard=heard, recordings=recordings)
    write_whole(told, lambda part: part.write_text(json.dumps(report, indent=1) + "\n", "utf-8"))


def _is_heard(work: Path) -> bool:
    """Whether the step of the listener is done; a source without filmed words has none."""
    told = work / "listener.json"
    if not told.is_file():
        return False
    return (
        json.loads(told.read_text("utf-8"))["listener"] is None or (work / CURVE_REGRESSOR_NAME / CONFIG_FILE).is_file()
    )


def make_weights(
    root: Path,
    work: Path,
    out: Path,
    encoder: Path | None = None,
    recipe: Recipe = Recipe(),
    device: str = "cpu",
    workers: int = 2,
    progress: Progress | None = None,
    recordings: Path | None = None,
) -> None:
    """Train the open model on the source folder `root` and write its weights to `out`.

    `work` keeps the corpus and the runs; `encoder` is the folder with the pretrained speech encoder, by default
    `root`/encoder; `recordings` a folder of a user's own takes. Weights of the shipped name get the listener beside
    them; that of others stays in `work`. Raises TrainingError as `make_corpus`.
    """
    make_corpus(root, work, encoder, recipe, device, workers, progress, recordings)
    head, corpus = load_head(), work / "corpus"
    model, space = fresh_model(head, recipe, encoder or root / "encoder")
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
    voices = [_as_somebody_else(clip) for clip in clips if clip.speaker != "nobody"]
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


def fresh_model(head: HeadMesh, recipe: Recipe, encoder: Path) -> tuple[MemoryTalker, MotionSpace]:
    """An untrained model over the coordinates of a head's speech shapes, its encoder pretrained, and that space."""
    space = blendshape_space(head)
    torch.manual_seed(recipe.seed)
    model = MemoryTalker(replace(recipe.model, coordinates=space.coordinates))
    initialise_speech(model, encoder)
    return model, space


def _as_somebody_else(clip: TrainingClip) -> TrainingClip:
    """Stage 2 hears a filmed face in other throats too, which are not that person's."""
    return replace(clip, speaker=clip.speaker + VOICE_MARK) if VOICE_MARK in clip.name else clip


def _on_device(mouth: MouthVertices, device: str) -> MouthVertices:
    """The mouth's rows on the training device."""
    return replace(mouth, lips=mouth.lips.to(device), opening=mouth.opening.to(device), bite=mouth.bite.to(device))


def _speaking(clip: Clip) -> bool:
    return clip.frames >= 15  # half a second: shorter ones teach the edges of clips


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_head(head: HeadMesh) -> str:
    return hashlib.sha256(head.template.tobytes() + head.blendshapes.tobytes()).hexdigest()

"""How the open weights are made, from a source folder to a weights folder: corpus, features, both stages, folding.

Every step leaves its result in the work folder and is skipped when found there, so that a broken run goes on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..config import LossConfig, ModelConfig, Progress, SpeechConfig, StyleConfig, TrainingConfig
from ..corpus.build import build_corpus, synthesised_shapes
from ..corpus.clips import VOICE_MARK, Clip, read_clips
from ..head import HeadMesh, load_head
from ..models.talker import MemoryTalker, expand_coordinates
from ..weights import initialise_speech, save_weights
from .cache import cache_features, cached_states, load_training_clips
from .folder import write_whole
from .listener import ListenerConfig, agreement, train_listener
from .losses import Mouth
from .memorize import memorize
from .space import MotionSpace, blendshape_space
from .stylize import stylize

#: The coordinates of a talking face (root of the sum of squares over all vertices) are of the size of 3 cm.
MODEL = ModelConfig(
    name="open", motion_scale=30.0, speech=SpeechConfig(mixed_layers=3, normalise=0.3),
    style=StyleConfig(channels=64, mel_mean=-35.0, mel_spread=20.0),
)  # fmt: skip
#: Stage 1 of the open model. Where it leaves the paper (batches, a falling rate, the slots' names, the closed mouth,
#: the style that motion shows, the share of filmed clips) MODEL_CARD.md says so.
MEMORIZE = TrainingConfig(
    stage="memorize", epochs=6, batch_size=16, learning_rate=1e-3, warmup_steps=200, final_rate=0.02,
    weight_decay=1e-4, clip_norm=50.0, crop_seconds=5.0, captured_share=0.4, validate_every=2,
    losses=LossConfig(slots=0.2, opening=0.3, lips_in_stage_one=20.0, shown=1.0),
)  # fmt: skip
#: Stage 2 of the open model.
STYLIZE = TrainingConfig(
    stage="stylize", epochs=3, batch_size=8, learning_rate=1e-3, warmup_steps=100, final_rate=0.03, weight_decay=1e-3,
    clip_norm=50.0, crop_seconds=4.0, captured_share=0.1, style_seconds=4.0, strangers_in_batch=True,
    losses=LossConfig(lip=20.0, opening=0.3, style=0.002),
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what the weights become, apart from the source folder."""

    model: ModelConfig = MODEL
    listener: ListenerConfig = ListenerConfig()
    memorize: TrainingConfig = MEMORIZE
    stylize: TrainingConfig = STYLIZE
    seed: int = 0


def make_weights(
    root: Path,
    work: Path,
    out: Path,
    encoder: Path | None = None,
    recipe: Recipe = Recipe(),
    device: str = "cpu",
    workers: int = 2,
    progress: Progress | None = None,
) -> None:
    """Train the open model on the source folder `root` and write its weights to `out`.

    `work` keeps the corpus and the runs; `encoder` is the folder with the pretrained speech encoder, by default
    `root`/encoder.
    """
    head = load_head()
    corpus = work / "corpus"
    if not (corpus / "clips.jsonl").is_file():
        build_corpus(root, corpus, head, workers, recipe.seed, progress=progress)
    model, space = fresh_model(head, recipe, encoder or root / "encoder")
    model.to(device)
    cache_features(model, corpus, root, progress)
    if not (work / "listener.json").is_file():
        report = _hear_film(root, corpus, head, model, space, recipe, workers, progress)
        write_whole(work / "listener.json", lambda part: part.write_text(json.dumps(report, indent=1) + "\n", "utf-8"))
    clips = load_training_clips(corpus, "train", space, model.config, _speaking)
    validation = load_training_clips(corpus, "validation", space, model.config, _speaking)
    mouth = _on_device(space.mouth(head), device)
    provenance = {"corpus": _digest(corpus / "clips.jsonl"), "head": _digest_head(head), "seed": recipe.seed}
    basis = torch.from_numpy(space.basis.copy()).float()

    def fold(trained: MemoryTalker) -> MemoryTalker:
        return expand_coordinates(trained, basis)

    memorize(model, clips, validation, mouth, recipe.memorize, work / "memorize", provenance, progress, fold)
    voices = [clip for clip in clips if clip.speaker != "nobody" and VOICE_MARK not in clip.name]
    held = [clip for clip in validation if clip.speaker != "nobody"]
    stylize(model, voices, held, mouth, recipe.stylize, work / "stylize", provenance, progress, fold)
    hours = sum(len(clip.motion) for clip in clips) / recipe.model.fps / 3600
    notes = {
        "training_hours": round(hours, 2),
        "training_speakers": len({clip.speaker for clip in voices}),
        "motion": "synthesised from phone times, with filmed clips of one man and captured clips of one woman",
        **provenance,
    }
    save_weights(fold(model), out, extra=notes, stored_as="float16")


def _hear_film(
    root: Path, corpus: Path, head: HeadMesh, model: MemoryTalker, space: MotionSpace, recipe: Recipe, workers: int,
    progress: Progress | None,
) -> dict:  # fmt: skip
    """Make the synthesised motion again, of what film teaches to hear too; how well that agrees with held film.

    A source without filmed words keeps motion of phone times alone.
    """
    by_name = {clip.name: clip for clip in read_clips(corpus)[0]}
    if not any(clip.kind == "captured" and clip.split == "train" and clip.text for clip in by_name.values()):
        return {"listener": None}
    listener = train_listener(corpus, space, head, synthesised_shapes(), model.config, recipe.listener, progress)

    def heard(name: str, frames: int) -> np.ndarray:
        return listener.curves(cached_states(corpus, by_name[name]), frames)

    build_corpus(root, corpus, head, workers, recipe.seed, progress=progress, heard=heard)
    return {"listener": asdict(recipe.listener), "agreement": agreement(listener, corpus, head)}


def fresh_model(head: HeadMesh, recipe: Recipe, encoder: Path) -> tuple[MemoryTalker, MotionSpace]:
    """An untrained model over the coordinates of a head's speech shapes, its encoder pretrained, and that space."""
    space = blendshape_space(head)
    torch.manual_seed(recipe.seed)
    model = MemoryTalker(replace(recipe.model, coordinates=space.coordinates))
    initialise_speech(model, encoder)
    return model, space


def _on_device(mouth: Mouth, device: str) -> Mouth:
    """The mouth's rows on the training device."""
    return replace(mouth, lips=mouth.lips.to(device), opening=mouth.opening.to(device))


def _speaking(clip: Clip) -> bool:
    return clip.frames >= 15  # half a second: shorter ones teach the edges of clips


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_head(head: HeadMesh) -> str:
    return hashlib.sha256(head.template.tobytes() + head.blendshapes.tobytes()).hexdigest()


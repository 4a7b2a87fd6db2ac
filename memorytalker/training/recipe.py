"""How the open weights are made, from a source folder to a weights folder: corpus, features, both stages, folding.

Every step leaves its result in the work folder and is skipped when found there, so that a broken run goes on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from ..config import LossConfig, ModelConfig, Progress, TrainingConfig
from ..corpus.build import build_corpus
from ..corpus.clips import VOICE_MARK, Clip
from ..head import HeadMesh, load_head
from ..models.talker import MemoryTalker, expand_coordinates
from ..weights import initialise_speech, save_weights
from .cache import cache_features, load_training_clips
from .losses import Mouth
from .memorize import memorize
from .space import MotionSpace, blendshape_space
from .stylize import stylize

#: Stage 1 of the open model. Where it leaves the paper (batches, a falling rate, the slots' names, the closed mouth,
#: the share of filmed clips) MODEL_CARD.md says so.
MEMORIZE = TrainingConfig(
    stage="memorize", epochs=7, batch_size=16, learning_rate=1e-3, warmup_steps=200, final_rate=0.02,
    weight_decay=1e-4, clip_norm=50.0, crop_seconds=6.0, captured_share=0.45, validate_every=2,
    losses=LossConfig(slots=0.2, opening=0.3, lips_in_stage_one=20.0),
)  # fmt: skip
#: Stage 2 of the open model.
STYLIZE = TrainingConfig(
    stage="stylize", epochs=2, batch_size=16, learning_rate=5e-4, warmup_steps=100, final_rate=0.05,
    clip_norm=50.0, crop_seconds=6.0, captured_share=0.1, style_seconds=3.0, validate_every=1,
    losses=LossConfig(lip=20.0, opening=0.3),
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what the weights become, apart from the source folder."""

    #: The coordinates of a talking face (root of the sum of squares over all vertices) are of the size of 3 cm.
    model: ModelConfig = field(default_factory=lambda: ModelConfig(name="open", motion_scale=30.0))
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


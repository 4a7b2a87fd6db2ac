"""What weights are made from, and the untrained model that all their steps begin with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch

from memorytalker.corpus.build import BuildContext
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion_space import MotionSpace, speech_space
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.training.open_recipe import Recipe, read_recipe
from memorytalker.training.space import in_space
from memorytalker.weights import initialise_speech


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


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest_head(head: HeadMesh) -> str:
    """Return the sha256 of the shapes of a head."""
    return hashlib.sha256(head.template.tobytes() + head.blendshapes.tobytes()).hexdigest()

"""The clips of an experiment: training clips, clips to select weights by, and evaluation clips of unseen speakers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from memorytalker.config import ConfigError
from memorytalker.corpus.clips import Clip
from memorytalker.corpus.synthetic_speakers import SYNTHETIC_MARK
from memorytalker.datasets.sequences import FaceDataset, FaceRegions
from memorytalker.experiments.plan import Plan, digest
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion_space import MotionSpace, speech_space
from memorytalker.training.cache import load_training_clips
from memorytalker.training.data import AnyClip, StoredClip, TrainingClip
from memorytalker.training.losses import MouthVertices
from memorytalker.training.space import mouth_in_space

#: Shorter clips, in frames, are left out: they would mostly train the edges of clips.
SHORTEST_FRAMES = 15
#: The speaker of clips without a voice.
NOBODY = "nobody"


@dataclass(frozen=True)
class Material:
    """Clips with cached features. No speaker of `evaluated` is in `training` or `selection`.

    evaluated: whole clips. dataset: supplies mesh, regions and templates; its sequences are not used.
    """

    training: tuple[AnyClip, ...]
    selection: tuple[AnyClip, ...]  # for choosing the best weights of a run
    evaluated: tuple[AnyClip, ...]
    mouth: MouthVertices
    space: MotionSpace  # that the motion's coordinates are in
    dataset: FaceDataset
    split: str
    digest: str
    pool: tuple[AnyClip, ...] = ()  # all training clips without a limit per speaker, for variants with few speakers

    def to_offsets(self, vertices: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function from coordinates (T, K) to offsets of these vertices, (T, len(vertices), 3) metres."""
        basis = self.space.basis
        if basis is None:
            return lambda coordinates: coordinates.reshape(len(coordinates), -1, 3)[:, vertices]
        rows = basis.astype(np.float32).reshape(len(basis), -1, 3)[:, vertices].reshape(len(basis), -1)
        return lambda coordinates: (coordinates @ rows).reshape(len(coordinates), -1, 3)


def corpus_material(folder: Path, plan: Plan, head: HeadMesh | None = None) -> Material:
    """Load a corpus with cached features, in the coordinates of the open head's speech shapes.

    Args:
        folder: the corpus.
        plan: which clips to use.
        head: the head; None loads the shipped one.

    Returns:
        The material.

    Raises:
        ConfigError: if the plan's kinds and splits leave no clips.
    """
    head = load_head() if head is None else head
    space = speech_space(head)

    def wanted(clip: Clip) -> bool:
        own = clip.as_recorded or (clip.kind != "captured" and not clip.augmentation)
        named = clip.speaker != NOBODY and own
        return clip.frames >= SHORTEST_FRAMES and named and (not plan.kinds or clip.kind in plan.kinds)

    known: list[AnyClip] = list(load_training_clips(folder, "train", space, plan.model, wanted))
    evaluated = joined(load_training_clips(folder, plan.split, space, plan.model, wanted))
    if plan.held_speakers:
        training, selection = hold_out(known, plan.held_speakers)
    else:
        training, selection = known, list(load_training_clips(folder, "validation", space, plan.model, wanted))
    if not training or not evaluated or not selection:
        kinds = ", ".join(plan.kinds) or "any kind"
        raise ConfigError(f"{folder} has no clips of {kinds} to train on, to choose by or in its {plan.split} split.")
    pool, training = training, at_most(training, plan.most_clips)
    landmarks, regions = head.landmarks, head.regions
    mouth = (landmarks["inner_lip_upper"], landmarks["inner_lip_lower"])
    dataset = FaceDataset(
        folder, "corpus", plan.model.fps, head.vertex_count, (), {clip.speaker: head.template for clip in evaluated},
        FaceRegions("the open head", regions["lips"], regions["upper_face"], mouth),
    )  # fmt: skip
    return Material(
        tuple(training), tuple(selection), tuple(evaluated), mouth_in_space(space, head), space, dataset, plan.split,
        material_digest(training, selection, evaluated), tuple(pool),
    )  # fmt: skip


def material_digest(*groups: Sequence[AnyClip]) -> str:
    """Compute a digest that changes with the set of clips, and with the motion of those in memory."""
    rows = []
    for clips in groups:
        amounts = [float(c.motion.abs().sum()) if isinstance(c, TrainingClip) else 0.0 for c in clips]
        rows.append([(c.name, c.speaker, c.frames, amount) for c, amount in zip(clips, amounts, strict=True)])
    return digest(rows)


def joined(pieces: Sequence[AnyClip]) -> list[AnyClip]:
    """Join clips that were cut into pieces."""
    whole: list[AnyClip] = []
    for _, group in groupby(pieces, key=lambda clip: clip.name):
        parts = list(group)
        if isinstance(parts[0], StoredClip):
            whole.append(replace(parts[0], frames=sum(part.frames for part in parts)))
            continue
        tensors: dict[str, Any] = {
            key: torch.cat([getattr(part, key) for part in parts]) for key in ("states", "mel", "motion", "labels")
        }
        whole.append(replace(parts[0], **tensors) if len(parts) > 1 else parts[0])
    return whole


def by_speaker(clips: list[AnyClip] | tuple[AnyClip, ...]) -> dict[str, list[AnyClip]]:
    """Group clips by speaker, sorted by name."""
    groups: dict[str, list[AnyClip]] = defaultdict(list)
    for clip in clips:
        groups[clip.speaker].append(clip)
    return dict(sorted(groups.items()))


def hold_out(clips: list[AnyClip], count: int, seed: int = 0) -> tuple[list[AnyClip], list[AnyClip]]:
    """Hold out the clips of `count` speakers; synthetic speakers made from them are dropped from training too.

    The quarter of the speakers with the most clips stays in training.

    Args:
        clips: training clips.
        count: number of speakers to hold out.
        seed: seed of the draw.

    Returns:
        Training clips, and held-out clips to select weights by.

    Raises:
        ConfigError: if there are too few speakers.
    """
    groups = {name: own for name, own in by_speaker(clips).items() if not name.endswith(SYNTHETIC_MARK)}
    if count > len(groups) - 2:
        raise ConfigError(f"{count} speakers cannot be set aside of {len(groups)}; lower held_speakers in the plan.")
    middle = sorted(groups, key=lambda name: (len(groups[name]), name))[: max(count, (3 * len(groups)) // 4)]
    held = set(np.random.default_rng(seed).permutation(sorted(middle))[:count])
    rest = [clip for clip in clips if clip.speaker.removesuffix(SYNTHETIC_MARK) not in held]
    return rest, [clip for clip in clips if clip.speaker in held]


def at_most(clips: list[AnyClip], most: int, seed: int = 0) -> list[AnyClip]:
    """Draw at most `most` clips of each speaker, by seed; 0 keeps all."""
    if not most:
        return clips
    return [clip for own in by_speaker(clips).values() for clip in _drawn(own, most, seed)]


def nested_speakers(
    clips: tuple[AnyClip, ...], counts: tuple[int, ...], total: int, seed: int = 0
) -> dict[int, list[AnyClip]]:
    """Draw nested sets of speakers, with the same total number of clips in each set.

    Speakers have equal shares of the clips; where one has too few, others fill up. Smaller sets of speakers, and
    smaller shares of a speaker, are contained in the larger ones.

    Args:
        clips: training clips.
        counts: numbers of speakers; 0 means all.
        total: number of clips in each set.
        seed: seed of the draw.

    Returns:
        Count -> clips.

    Raises:
        ConfigError: if there are too few speakers or clips.
    """
    groups = by_speaker(clips)
    order: list[str] = []
    shuffled = [str(name) for name in np.random.default_rng(seed).permutation(list(groups))]
    sizes = {count: count or len(groups) for count in counts}
    for size in sorted(sizes.values()):
        rest = [name for name in shuffled if name not in order]
        # In small sets each speaker needs many clips: speakers with enough come first, in the drawn order.
        rest.sort(key=lambda name: len(groups[name]) < total / size)
        order += rest[: size - len(order)]
    if max(sizes.values()) > len(groups):
        raise ConfigError(f"The plan counts {max(sizes.values())} training speakers; there are {len(groups)}.")
    return {count: _shared(order[:size], groups, total, seed) for count, size in sizes.items()}


def _shared(names: list[str], groups: dict[str, list[AnyClip]], total: int, seed: int) -> list[AnyClip]:
    """`total` clips of these speakers in equal shares, until a speaker's clips run out."""
    given, left = dict.fromkeys(names, 0), total
    while left:
        able = [name for name in names if given[name] < len(groups[name])]
        if not able:
            raise ConfigError(f"{len(names)} speakers have {total - left} clips, not {total}; lower speaker_clips.")
        for name in able[:left]:
            given[name] += 1
        left -= len(able[:left])
    return [clip for name in sorted(names) for clip in _drawn(groups[name], given[name], seed)]


def _drawn(clips: list[AnyClip], count: int, seed: int) -> list[AnyClip]:
    order = np.random.default_rng((seed, len(clips))).permutation(len(clips))[:count]
    return [clips[i] for i in order]

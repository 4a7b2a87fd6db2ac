"""Training of the live network by distillation: it learns the open model's answers from sound that is still arriving.

What it learns from is prepared once (`live_clips.py`). The training itself goes on from the last epoch that was
finished.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import LARGEST_SEED, ConfigError, check_ranges, from_dict, merged, read_values, to_dict
from memorytalker.corpus.clips import read_clips
from memorytalker.evaluation.metrics import correlation
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion_space import STILL, MotionSpace, speech_space
from memorytalker.live_weights import save_live
from memorytalker.models.live import LiveNetwork
from memorytalker.models.live_config import LiveConfig
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.sound.live_mel import levels
from memorytalker.training.cache import cache_features
from memorytalker.training.data import TrainingError
from memorytalker.training.folder import RunFolder, read_saved
from memorytalker.training.live_clips import (
    LOWEST,
    STEP,
    WARM,
    LiveBatch,
    LiveClips,
    LiveContext,
    live_batch,
    live_clips,
)
from memorytalker.training.losses import lip_loss, motion_loss, opening_loss, velocity_loss
from memorytalker.training.space import mouth_in_space
from memorytalker.weights import find_weights, load_weights, read_manifest

#: Validation clips that are measured after each epoch.
MEASURED = 60


@dataclass(frozen=True)
class LiveTraining:
    """How a live network is trained. The losses are those of `losses`, against the open model's answers."""

    epochs: int = 24
    batch_size: int = 24
    crop_seconds: float = 5.0
    learning_rate: float = 1.5e-3
    warmup_steps: int = 300
    final_rate: float = 0.01  # the rate decays along a cosine to this share
    weight_decay: float = 1e-3
    clip_norm: float = 10.0
    captured_share: float = 0.3  # share of each epoch drawn from captured clips
    neutral_share: float = 0.5  # share of pieces in the neutral style
    average: float = 0.999  # of the running mean over steps, which is the result
    velocity: float = 1.0
    lips: float = 20.0
    opening: float = 0.3
    closed_weight: float = 8.0
    lip_to_teeth: float = 0.3
    address: float = 0.1  # cross entropy with the open model's address
    motion_scale: float = 30.0
    precision: str = "bfloat16"  # of the matrix products on a processor, or "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that no training can have."""
        check_ranges(
            self, epochs=(1, 1e4), batch_size=(1, 1e4), crop_seconds=(0.5, 60), learning_rate=(0, 1),
            warmup_steps=(0, 1e6), final_rate=(0, 1), weight_decay=(0, 10), clip_norm=(1e-6, 1e6),
            captured_share=(0, 1), neutral_share=(0, 1), average=(0, 1), velocity=(0, 1e6), lips=(0, 1e6),
            opening=(0, 1e6), closed_weight=(0, 1e6), lip_to_teeth=(0, 1e6), address=(0, 1e6),
            motion_scale=(1e-3, 1e3), seed=(0, LARGEST_SEED),
        )  # fmt: skip
        if self.precision not in ("bfloat16", "float32"):
            raise ConfigError('LiveTraining.precision is "bfloat16" or "float32".')


@dataclass(frozen=True)
class LiveSettings:
    """The network and its training; a JSON file may override any of it."""

    network: LiveConfig
    training: LiveTraining = LiveTraining()


def live_settings(model: MemoryTalker, path: Path | None = None) -> LiveSettings:
    """The settings for what a model teaches, overridden by a JSON file. Raises ConfigError for one that is unusable."""
    shapes = tuple(name for name in load_head().blendshape_names if not name.startswith(STILL))
    settings = LiveSettings(LiveConfig(shapes, model.config.slots))
    return settings if path is None else from_dict(LiveSettings, merged(to_dict(settings), read_values(path)))


def make_live(context: LiveContext, out: Path, say: Callable[[str], None] = print) -> None:
    """Make the weights of a live network, or go on where it was interrupted.

    Args:
        context: corpus, teacher and settings.
        out: the folder for the weights.
        say: called with a line after each epoch.

    Raises:
        TrainingError: there is no corpus, or the teacher does not fit it.
        ConfigError: settings that cannot be used, or a run with other settings in the work folder.
    """
    folder = find_weights(context.weights)
    model, teacher = load_weights(folder), read_manifest(folder).sha256
    settings, head = live_settings(model, context.settings), load_head()
    space = speech_space(head)
    if (model.config.basis, model.config.fps) != (space.name, settings.network.grid.fps):
        raise TrainingError(f"The model in {folder} does not speak the shipped head's basis at the network's rate.")
    clips, names = read_clips(context.corpus)
    if names != space.shapes:
        raise TrainingError("The corpus was made for another head: its curves have other names. Make it again.")
    cache_features(model, context.corpus, context.root, context.progress, context.workers)
    data = live_clips(context, clips, settings.network, model, teacher)
    corpus = hashlib.sha256((context.corpus / "clips.jsonl").read_bytes()).hexdigest()
    claim = {"settings": to_dict(settings), "teacher": teacher, "corpus": corpus}
    network, figures = train_live(
        data, settings, space, head, RunFolder(context.work / "live" / "run"), claim, say, context.progress
    )
    hours = sum(clip.seconds for clip in clips if clip.split == "train") / 3600
    notes = {**claim, "settings": to_dict(settings.training), "training_hours": round(hours, 2), **figures}
    save_live(network, out, notes)


def train_live(
    data: LiveClips, settings: LiveSettings, space: MotionSpace, head: HeadMesh, run: RunFolder, claim: dict,
    say: Callable[[str], None] = print, progress: Progress | None = None,
) -> tuple[LiveNetwork, dict[str, float]]:  # fmt: skip
    """Train on the clips of the split "train"; see `LiveTraining`.

    Args:
        data: all clips.
        settings: of the network and the training.
        space: of the answers' coordinates.
        head: whose mouth the losses look at.
        run: folder of the run, from whose checkpoint training goes on.
        claim: settings and digests that the run belongs to.
        say: called with a line after each epoch.
        progress: called after each step.

    Returns:
        The mean network of the last steps, in evaluation mode, and how it agrees with the answers.
    """
    training = settings.training
    run.check(claim)
    torch.manual_seed(training.seed)
    network = LiveNetwork(settings.network)
    fitting = [k for k, clip in enumerate(data.clips) if clip.split == "train"]
    if not fitting:
        raise TrainingError("The corpus has no training clips; make it again.")
    _set_ranges(network, data, fitting)
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    frames = round(training.crop_seconds * settings.network.grid.fps)
    per_epoch = max(1, sum(data.clips[k].frames for k in fitting) // (training.batch_size * frames))
    losses = _losses(space, head, settings)
    done, figures = _resumed(run, network, mean, optimizer), {}
    run.describe(claim, {"resumed_after": done})
    for epoch in range(done, training.epochs):
        network.train()
        random = np.random.default_rng([training.seed, epoch])
        total = 0.0
        for step in range(per_epoch):
            chosen = _drawn(data, fitting, training, random)
            batch = live_batch(data, chosen, frames, settings.network, training.neutral_share, random)
            for group in optimizer.param_groups:
                group["lr"] = _rate(training, epoch * per_epoch + step, training.epochs * per_epoch)
            loss = losses(network, batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
            optimizer.step()
            total += float(loss.detach())
            share = min(training.average, (epoch * per_epoch + step + 1) / (epoch * per_epoch + step + 10))
            for name, value in network.state_dict().items():
                mean[name].lerp_(value, 1 - share)
            if progress:
                progress(epoch * per_epoch + step + 1, training.epochs * per_epoch, "live network")
        figures = agreement(_with(settings.network, mean), data, space, head, settings)
        state = {"epoch": epoch + 1, "model": network.state_dict(), "mean": mean, "optimizer": optimizer.state_dict()}
        run.save(state)
        run.log({"epoch": epoch + 1, "step": (epoch + 1) * per_epoch, "loss": total / per_epoch, **figures})
        say(f"epoch {epoch + 1} of {training.epochs}: loss {total / per_epoch:.4f}, {_told(figures)}")
    network = _with(settings.network, mean)
    return network, figures or agreement(network, data, space, head, settings)


def _set_ranges(network: LiveNetwork, data: LiveClips, fitting: list[int]) -> None:
    """Set the means and spreads that the network's input is normalised by, from some clips."""
    grid, some = network.config.grid, fitting[:: max(1, len(fitting) // 400)]
    mels, found = [], []
    for number in some:
        blocks = slice(data.first[number], data.first[number + 1])
        level = levels(grid, data.energy[blocks])
        mel = data.mel[blocks].reshape(len(level), grid.per_frame, grid.bins) * STEP + LOWEST
        mels.append((mel - level[:, None, None]).reshape(-1, grid.bins))
        found.append(level)
    mel, level = np.concatenate(mels), np.concatenate(found)
    network.mel_mean.copy_(torch.from_numpy(mel.mean(0)))
    network.mel_spread.copy_(torch.from_numpy(mel.std(0).clip(1.0)))
    network.level_range.copy_(torch.tensor([level.mean(), max(level.std(), 1.0)]))


def _drawn(data: LiveClips, fitting: list[int], training: LiveTraining, random: np.random.Generator) -> list[int]:
    """Numbers of the clips of a batch: by their length, with a share of captured ones."""
    captured = [k for k in fitting if data.clips[k].kind == "captured"]
    others = [k for k in fitting if data.clips[k].kind != "captured"]
    count = round(training.captured_share * training.batch_size) if captured and others else 0
    pools = ((captured, count), (others or captured, training.batch_size - count))
    chosen: list[int] = []
    for pool, size in pools:
        lengths = np.array([data.clips[k].frames for k in pool], float)
        chosen += random.choice(pool, size, p=lengths / lengths.sum()).tolist() if size else []
    return chosen


def _rate(training: LiveTraining, step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / max(1, training.warmup_steps))
    fallen = training.final_rate + (1 - training.final_rate) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))
    return training.learning_rate * warm * fallen


def _losses(space: MotionSpace, head: HeadMesh, settings: LiveSettings) -> Callable[[LiveNetwork, LiveBatch], Tensor]:
    """The loss of a batch: how far the curves' motion is from the answers, above all at the lips."""
    training, mouth = settings.training, mouth_in_space(space, head)
    encode = _encoder(space, settings.network)
    assert mouth.opening is not None and mouth.lip_to_teeth is not None
    scale, opening, teeth = training.motion_scale, mouth.opening, mouth.lip_to_teeth

    def loss(network: LiveNetwork, batch: LiveBatch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=training.precision == "bfloat16"):
            output = network(batch.mel, batch.level, batch.style)
        said = output.curves[:, WARM:].float() @ encode
        logits = settings.network.scaling * output.logits[:, WARM:].float()
        entropy = -(batch.address * torch.log_softmax(logits, -1)).sum(-1)
        heights = [
            opening_loss(said, batch.motion, row, mouth.softness, batch.mask, training.closed_weight, rest)
            for row, rest in ((opening, 0.0), (teeth, mouth.lip_to_teeth_rest))
        ]
        far, near = said * scale, batch.motion * scale
        return (
            motion_loss(far, near, batch.mask)
            + training.velocity * velocity_loss(far, near, batch.mask)
            + training.lips * lip_loss(far, near, mouth.lips, batch.mask)
            + training.opening * heights[0]
            + training.lip_to_teeth * heights[1]
            + training.address * (entropy * batch.mask).sum() / batch.mask.sum()
        )

    return loss


def _encoder(space: MotionSpace, config: LiveConfig) -> Tensor:
    """(S, K) from the network's curves to coordinates in metres."""
    assert space.from_weights is not None
    return torch.from_numpy(space.from_weights[[space.shapes.index(name) for name in config.shapes]]).float()


def _resumed(run: RunFolder, network: LiveNetwork, mean: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> int:
    """Fill everything from the checkpoint of a run, and return the epochs that are done."""
    path = run.path / "last.pt"
    if not path.is_file():
        return 0
    state = read_saved(path)
    try:
        network.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for name in mean:
            mean[name].copy_(state["mean"][name])
        return int(state["epoch"])
    except Exception:  # whatever another file makes the readers raise
        raise TrainingError(f"{path} is damaged; delete {run.path} to start again.") from None


def _with(config: LiveConfig, state: dict[str, Tensor]) -> LiveNetwork:
    network = LiveNetwork(config)
    network.load_state_dict(state)
    return network.eval()


@torch.inference_mode()
def agreement(
    network: LiveNetwork, data: LiveClips, space: MotionSpace, head: HeadMesh, settings: LiveSettings,
    split: str = "validation",
) -> dict[str, float]:  # fmt: skip
    """Measure how a network agrees with the answers to clips that it did not learn from.

    Args:
        network: in evaluation mode.
        data: all clips.
        space: of the answers' coordinates.
        head: whose mouth is measured.
        settings: of the network and its training.
        split: which clips.

    Returns:
        The median over clips of the correlation of lip opening ("gap_r") and of lip width ("width_r"), and the ratio of
        their standard deviations ("gap_size", "width_size"); nothing without such clips.
    """
    assert space.basis is not None
    vertices, marks = space.basis.reshape(space.coordinates, -1, 3), head.landmarks
    gap = vertices[:, marks["inner_lip_upper"], 1] - vertices[:, marks["inner_lip_lower"], 1]
    width = vertices[:, marks["mouth_left"], 0] - vertices[:, marks["mouth_right"], 0]
    encode, rows = _encoder(space, settings.network), []
    heard = [k for k, clip in enumerate(data.clips) if clip.split == split and data.answer[k] >= 0]
    for number in heard[:: max(1, len(heard) // MEASURED)]:
        batch = live_batch(data, [number], data.clips[number].frames, settings.network)
        said = (network(batch.mel, batch.level, batch.style).curves[0, WARM:] @ encode).numpy()
        pairs = [(said @ row, batch.motion[0].numpy() @ row) for row in (gap, width)]
        sizes = [one.std() / max(float(other.std()), 1e-9) for one, other in pairs]
        rows.append([*(correlation(*pair) for pair in pairs), *sizes])
    names = ("gap_r", "width_r", "gap_size", "width_size")
    return dict(zip(names, np.median(rows, axis=0).round(4).tolist(), strict=True)) if rows else {}


def _told(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in figures.items())

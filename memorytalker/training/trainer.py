"""The training loop of all stages: seeded steps, checkpoints that resume to the same result, the best weights kept.

`folder.py` describes the files of a run, `processes.py` several processes and mixed precision.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memorytalker.config import LossConfig, TrainingConfig, to_dict
from memorytalker.extras import to_install
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress, announce
from memorytalker.training.data import AnyClip, Sampler, TrainingError
from memorytalker.training.folder import RunFolder, check_fit, session
from memorytalker.training.losses import Losses, MouthVertices
from memorytalker.training.pace import Pace
from memorytalker.training.processes import share, start_processes
from memorytalker.weights import save_weights

#: step number, clip numbers -> losses: their mean over these clips
Step = Callable[[int, list[int]], Losses]
#: -> losses of the validation clips, of which "loss" selects the best weights
Validate = Callable[[], dict[str, float]]


#: A checkpoint is written after so many steps, and at least so often (seconds).
CHECKPOINT_STEPS, CHECKPOINT_SECONDS = 500, 600.0
#: Losses of the motion; those of the memory and the style do not select weights.
VISIBLE = ("motion", "velocity", "lip", "lips_in_stage_one", "opening", "lip_to_teeth")


class Means:
    """Averages losses over clips; "loss" is the weighted sum of those of the motion."""

    def __init__(self, weights: LossConfig) -> None:
        self._weights, self._count = weights, 0
        self._sums: dict[str, float] = defaultdict(float)

    def add(self, losses: Losses, clips: int) -> None:
        """Count the mean losses of a batch of `clips`."""
        for name, value in losses.parts.items():
            self._sums[name] += float(value) * clips
        self._count += clips

    def figures(self) -> dict[str, float]:
        """Return the mean of every loss, and as "loss" the weighted sum of those of the motion."""
        means = {name: value / max(self._count, 1) for name, value in self._sums.items()}
        return {"loss": sum(getattr(self._weights, name) * means.get(name, 0.0) for name in VISIBLE), **means}


@dataclass(frozen=True)
class StageInputs:
    """What every stage needs beside the model and its settings.

    Attributes:
        clips: for training.
        validation: clips that select the best weights.
        mouth: for the losses of the lips; None if the data set does not name the lips.
        folder: of the run.
        provenance: identifies the data; a folder with a run on other data is refused.
        progress: called after each step.
        say: receives a line about what the run will take, and one for each epoch.
    """

    clips: Sequence[AnyClip]
    validation: Sequence[AnyClip]
    mouth: MouthVertices | None
    folder: Path
    provenance: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress | None = None
    say: Callable[[str], None] = announce

    def __post_init__(self) -> None:
        """Raise TrainingError without validation clips."""
        if not self.validation:
            raise TrainingError(
                "There are no validation clips to select the weights with: check the data and its splits."
            )


class _Stepper(nn.Module):
    """A step as a module, so that Accelerate can add mixed precision and the averaging of gradients."""

    def __init__(self, model: MemoryTalker, step: Step) -> None:
        super().__init__()
        self.model, self.step = model, step

    def forward(self, number: int, clips: list[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the losses as plain tensors."""
        losses = self.step(number, clips)
        return losses.total, losses.parts


class Trainer:
    """Trains the parameters of a model that require gradients.

    Args:
        model: trained in place.
        inputs: clips and run folder.
        config: of the stage.
        sampler: draws the batches.
    """

    def __init__(self, model: MemoryTalker, inputs: StageInputs, config: TrainingConfig, sampler: Sampler) -> None:
        self.model, self.inputs, self.config, self.sampler = model, inputs, config, sampler
        self.folder = RunFolder(inputs.folder)
        self.processes = start_processes(config.mixed_precision, next(model.parameters()).device)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            self.parameters, lr=config.learning_rate, weight_decay=config.weight_decay
        )  # with weight_decay 0 this is Adam, the paper's
        self.total = config.epochs * sampler.steps_per_epoch
        warmup, final = config.warmup_steps, config.final_rate
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: _rate(step, self.total, warmup, final)
        )
        self.optimizer = self.processes.prepare(optimizer)
        self.step, self.best = 0, float("inf")
        self.sums: dict[str, float] = defaultdict(float)  # of the present epoch
        self._pace: Pace | None = None  # of this session, in the first process
        self._places = range(0)

    def run(self, step: Step, validate: Validate, finish: Callable[[], None] | None = None) -> None:
        """Train to the end, resuming from the folder's checkpoint; then load the best weights into the model.

        Args:
            step: computes the losses of a batch.
            validate: computes the validation losses.
            finish: completes the best model before it is written to `weights/`.

        Raises:
            ConfigError: the folder holds a run on other data or with another configuration.
            TrainingError: the validation loss is not finite.
        """
        provenance = self.inputs.provenance
        claim = {"training": to_dict(self.config), "model": to_dict(self.model.config), **provenance}
        self.folder.check(claim)
        self.processes.wait_for_everyone()
        self._resume()
        if self.processes.is_main_process:
            self.folder.describe(claim, session(self.model, self.processes.num_processes, self.step))
            self.folder.trim(self.step)
            stage, epochs, say = self.config.stage, self.config.epochs, self.inputs.say
            self._pace = Pace(stage, epochs, self.sampler.steps_per_epoch, self.step, say)
            self._pace.begin(len(self.inputs.clips), len(self.inputs.validation), str(self.folder.path))
        self.processes.wait_for_everyone()
        stepper, per_epoch = self.processes.prepare(_Stepper(self.model, step)), self.sampler.steps_per_epoch
        for epoch in range(self.step // per_epoch, self.config.epochs):
            self._epoch(epoch, stepper)
            last = epoch + 1 == self.config.epochs
            if last or (epoch + 1) % self.config.validate_every == 0:
                self._validate(epoch, validate)
        self.processes.wait_for_everyone()
        self.folder.fill(self.model)
        self.model.eval()
        if finish:
            finish()
        if self.processes.is_main_process:
            if finish:
                self.folder.save_best(self.model.state_dict())
            notes = {"stage": self.config.stage, "validation_loss": self.best, **provenance}
            save_weights(self.model, self.folder.path / "weights", notes)
        self.processes.wait_for_everyone()

    def draws(self, purpose: int) -> list[np.random.Generator]:
        """Return one random generator per clip of this step, seeded by the clip's place in the whole batch."""
        return [np.random.default_rng((self.config.seed, self.step, place, purpose)) for place in self._places]

    def _epoch(self, epoch: int, stepper: nn.Module) -> None:
        done_before = self.step - epoch * self.sampler.steps_per_epoch
        if not done_before:
            self.sums = defaultdict(float)
        saved = time.monotonic()
        for number, clips in enumerate(self.sampler.epoch(epoch)):
            if number < done_before:  # trained before the interruption
                continue
            started = time.monotonic()
            self._train(stepper, clips)
            self.sums["seconds"] += time.monotonic() - started
            if self._pace is not None:
                self._pace.stepped(self.step)
            due = self.step % CHECKPOINT_STEPS == 0
            due |= CHECKPOINT_SECONDS <= time.monotonic() - saved
            # Not at an epoch's end: a run interrupted there would resume after the validation of that epoch.
            if due and self.step % self.sampler.steps_per_epoch:
                self._save()
                saved = time.monotonic()
            if self.inputs.progress and self.processes.is_main_process:
                self.inputs.progress(self.step, self.total, f"{self.config.stage} {epoch + 1}/{self.config.epochs}")

    def _train(self, stepper: nn.Module, clips: list[int]) -> None:
        """One step on a batch, of which this process takes its share."""
        processes, rank = self.processes.num_processes, self.processes.process_index
        # Dropout is seeded by the step, so that a resumed run draws the same as an uninterrupted one.
        torch.manual_seed(self.config.seed * 1_000_003 + self.step + rank * 7_919_000_029)
        self.optimizer.zero_grad(set_to_none=True)
        self._places, weight = share(len(clips), processes, rank)
        total, parts = stepper(self.step, [clips[place] for place in self._places])
        self.processes.backward(total * weight)
        sums = {name: value.detach().float() * weight for name, value in {"total": total, **parts}.items()}
        if self.config.clip_norm:
            self.processes.clip_grad_norm_(self.parameters, self.config.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        means = torch.stack(list(sums.values()))
        if processes > 1:
            means = self.processes.reduce(means, "mean")
        for name, value in zip(sums, means.tolist(), strict=True):
            self.sums[name] += value
        self.sums["steps"] += 1

    def _validate(self, epoch: int, validate: Validate) -> None:
        """Validate, log, keep the best weights and save, in the first process; the others wait."""
        self.model.eval()
        if self.processes.is_main_process:
            with torch.no_grad():
                figures = validate()
            if not math.isfinite(figures["loss"]):
                raise TrainingError(
                    f"The validation loss after epoch {epoch + 1} is {figures['loss']}; lower learning_rate, or set "
                    "clip_norm, and train in another folder."
                )
            steps = max(self.sums["steps"], 1)
            means = {k: v / steps for k, v in self.sums.items() if k not in ("steps", "seconds")}
            line = {"epoch": epoch + 1, "step": self.step, "seconds": self.sums["seconds"], "train": means,
                    "validation": figures}  # fmt: skip
            self.folder.log(line)
            self._plot(line)
            better = figures["loss"] < self.best
            if better:
                self.best = figures["loss"]
                self.folder.save_best(self.model.state_dict())
            self._save()
            if self._pace is not None:
                self._pace.epoch(epoch + 1, self.step, means.get("total", math.nan), figures["loss"], better)
        self.processes.wait_for_everyone()

    def _plot(self, line: dict) -> None:
        """Write a line of the log to TensorBoard."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise TrainingError(to_install("tensorboard")) from None
        with SummaryWriter(str(self.folder.path / "tensorboard"), purge_step=self.step) as curves:
            for group in ("train", "validation"):
                for name, value in line[group].items():
                    curves.add_scalar(f"{group}/{name}", value, self.step)
            curves.add_scalar("train/learning_rate", self.schedule.get_last_lr()[0], self.step)

    def _save(self) -> None:
        if not self.processes.is_main_process:
            return
        scaler = self.processes.scaler
        self.folder.save(
            {
                "step": self.step,
                "best": self.best,
                "sums": dict(self.sums),
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
            }
        )

    def _resume(self) -> None:
        state = self.folder.load()
        if state is None:
            return
        path = self.folder.path / "last.pt"
        check_fit(self.model, state["model"], path)
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            if self.processes.scaler is not None and state.get("scaler"):
                self.processes.scaler.load_state_dict(state["scaler"])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise TrainingError(f"{path} is not the checkpoint of this run; delete it to start again.") from None
        self.step, self.best, self.sums = state["step"], state["best"], defaultdict(float, state["sums"])


def _rate(step: int, total: int, warmup: int, final: float) -> float:
    """Factor of the learning rate: linear warm-up, then cosine decay to `final`."""
    if step < warmup:
        return (step + 1) / warmup
    through = (step - warmup) / max(total - warmup, 1)
    return final + (1.0 - final) * 0.5 * (1.0 + float(torch.cos(torch.tensor(torch.pi * min(through, 1.0)))))

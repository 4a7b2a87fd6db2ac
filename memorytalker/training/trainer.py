"""The loop that both stages share: steps by seed, checkpoints that resume to the same result, the best weights kept.

A run folder holds `run.json` (configuration and where it came from), `log.jsonl` (one line an epoch), `last.pt`
(everything needed to go on) and `best.safetensors` (the weights with the lowest validation loss).
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from ..config import ConfigError, LossConfig, Progress, TrainingConfig, to_dict
from ..models.talker import MemoryTalker
from .data import Sampler
from .losses import Losses

#: step number, clip numbers -> losses
Step = Callable[[int, list[int]], Losses]
#: -> figures of the validation clips, of which "loss" chooses the best weights
Validate = Callable[[], dict[str, float]]


#: What a visitor sees; the other losses shape the memory and the style and do not choose between weights.
VISIBLE = ("motion", "velocity", "lip", "lips_in_stage_one", "opening")


class Means:
    """Losses averaged over clips; their "loss" is the weighted sum of those that show in the motion."""

    def __init__(self, weights: LossConfig) -> None:
        self._weights, self._sums, self._count = weights, defaultdict(float), 0

    def add(self, losses: Losses, clips: int) -> None:
        """Count the mean losses of a batch of `clips`."""
        for name, value in losses.parts.items():
            self._sums[name] += float(value) * clips
        self._count += clips

    def figures(self) -> dict[str, float]:
        """The mean of every loss, and "loss"."""
        means = {name: value / max(self._count, 1) for name, value in self._sums.items()}
        return {"loss": sum(getattr(self._weights, name) * means.get(name, 0.0) for name in VISIBLE), **means}


class Trainer:
    """Trains the parameters of `model` that require gradients, in `folder`."""

    def __init__(self, model: MemoryTalker, config: TrainingConfig, folder: Path, sampler: Sampler) -> None:
        self.model, self.config, self.folder, self.sampler = model, config, folder, sampler
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=config.learning_rate, weight_decay=config.weight_decay
        )  # with weight_decay 0 this is Adam, the paper's
        self.total = config.epochs * sampler.steps_per_epoch
        warmup, final = config.warmup_steps, config.final_rate
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _rate(step, self.total, warmup, final)
        )
        self.step = 0
        self.best = float("inf")

    def run(self, step: Step, validate: Validate, provenance: dict, progress: Progress | None = None) -> None:
        """Train to the end, or from where `folder` stands; then load the best weights into the model."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim({"training": to_dict(self.config), "model": to_dict(self.model.config), **provenance})
        self._resume()
        per_epoch = self.sampler.steps_per_epoch
        for epoch in range(self.step // per_epoch, self.config.epochs):
            self._epoch(epoch, step, progress)
            last = epoch + 1 == self.config.epochs
            if last or (epoch + 1) % self.config.validate_every == 0:
                self._judge(epoch, validate)
        self.model.load_state_dict(load_file(self.folder / "best.safetensors"))

    def _claim(self, about: dict) -> None:
        """Note in the folder what this run is. Raises ConfigError if another run began there: two would be mixed."""
        path = self.folder / "run.json"
        if (self.folder / "last.pt").is_file() and path.is_file():
            other = json.loads(path.read_text(encoding="utf-8"))
            changed = sorted(key for key in {*about, *other} if about.get(key) != other.get(key))
            if changed:
                raise ConfigError(
                    f"{self.folder} holds a run with other settings ({', '.join(changed)}); "
                    "choose another work folder, or delete this one to start anew."
                )
        path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    def _epoch(self, epoch: int, step: Step, progress: Progress | None) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        done_before = self.step - epoch * self.sampler.steps_per_epoch
        started = time.monotonic()
        for number, clips in enumerate(self.sampler.epoch(epoch)):
            if number < done_before:  # these were trained before the break
                continue
            # Dropout is drawn from the step's own number, so that a resumed run draws what an unbroken one would.
            torch.manual_seed(self.config.seed * 1_000_003 + self.step)
            losses = step(self.step, clips)
            self.optimizer.zero_grad(set_to_none=True)
            losses.total.backward()
            if self.config.clip_norm:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)
            self.optimizer.step()
            self.schedule.step()
            self.step += 1
            for name, value in {"total": losses.total, **losses.parts}.items():
                self.sums[name] += float(value.detach())
            self.sums["steps"] += 1
            # Not at an epoch's end: a run broken off there would resume past the judgement of that epoch.
            if self.step % self.config.checkpoint_every == 0 and self.step % self.sampler.steps_per_epoch:
                self._save()
            if progress:
                progress(self.step, self.total, f"{self.config.stage} {epoch + 1}/{self.config.epochs}")
        self.sums["seconds"] = time.monotonic() - started

    def _judge(self, epoch: int, validate: Validate) -> None:
        self.model.eval()
        with torch.no_grad():
            figures = validate()
        steps = max(self.sums["steps"], 1)
        means = {k: v / steps for k, v in self.sums.items() if k not in ("steps", "seconds")}
        line = {"epoch": epoch + 1, "step": self.step, "seconds": self.sums["seconds"], "train": means,
                "validation": figures}  # fmt: skip
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        if figures["loss"] < self.best:
            self.best = figures["loss"]
            part = self.folder / "best.part"
            save_file({name: value.contiguous() for name, value in self.model.state_dict().items()}, part)
            os.replace(part, self.folder / "best.safetensors")
        self._save()

    def _save(self) -> None:
        state = {
            "step": self.step,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        part = self.folder / "last.part"
        torch.save(state, part)
        os.replace(part, self.folder / "last.pt")

    def _resume(self) -> None:
        path = self.folder / "last.pt"
        if not path.is_file():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.best = state["step"], state["best"]


def _rate(step: int, total: int, warmup: int, final: float) -> float:
    """Share of the learning rate at a step: up a ramp, then down a cosine to `final`."""
    if step < warmup:
        return (step + 1) / warmup
    through = (step - warmup) / max(total - warmup, 1)
    return final + (1.0 - final) * 0.5 * (1.0 + float(torch.cos(torch.tensor(torch.pi * min(through, 1.0)))))

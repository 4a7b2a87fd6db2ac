"""A toy training as a process of its own, so that tests can kill it, or let several share it."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
from pathlib import Path

import accelerate  # noqa: F401  (loaded once, before the processes fork)
import torch
import torch.utils.tensorboard  # noqa: F401
from toy_models import FAMILIES, random_model
from transformers.models.hubert import modeling_hubert  # noqa: F401

from memorytalker.config import LossConfig, TrainingConfig
from memorytalker.training import folder as run_folder
from memorytalker.training import trainer
from memorytalker.training.data import TrainingClip
from memorytalker.training.folder import RunFolder
from memorytalker.training.losses import MouthVertices
from memorytalker.training.memorize import memorize
from memorytalker.training.stylize import stylize
from memorytalker.training.trainer import StageInputs

CONFIG = TrainingConfig(
    epochs=3, batch_size=3, learning_rate=1e-3, captured_share=0.4, crop_seconds=1.0,
    clip_norm=1.0, losses=LossConfig(slots=0.1, opening=0.1, lips_in_stage_one=1.0),
)  # fmt: skip
MOUTH = MouthVertices(lips=torch.eye(60)[:, :12], opening=torch.eye(60)[0])
#: Where a training can be killed.
MOMENTS = ("in_a_step", "writing_a_checkpoint", "writing_the_log", "before_the_best", "before_the_checkpoint")


def clip(number: int, frames: int, speaker: str, captured: bool = False) -> TrainingClip:
    """Noise of the right shapes for the toy model of the family "open"."""
    random = torch.Generator().manual_seed(number)
    states = round(frames / 30 * 50)
    return TrainingClip(
        name=f"clip{number}",
        speaker=speaker,
        captured=captured,
        states=torch.randn(states, 32, generator=random).half(),
        mel=torch.randn(2 * states, 80, generator=random).half(),
        motion=0.01 * torch.randn(frames, 60, generator=random),
        labels=torch.randint(0, 40, (frames,), generator=random),
    )


def clips() -> list[TrainingClip]:
    """Twelve clips of three speakers, of four lengths."""
    return [clip(i, 24 + 9 * (i % 4), f"speaker{i % 3}", captured=i % 4 == 0) for i in range(12)]


def train(folder: Path, moment: str | None = None, seed: int = 0) -> None:
    """Stage 1 from weights of `seed`, with dropout and a checkpoint every third step; killed at `moment`."""
    torch.set_num_threads(1)
    trainer.CHECKPOINT_STEPS = 3
    if moment:
        _die_at(moment)
    memorize(random_model(FAMILIES["open"], seed), StageInputs(clips(), clips()[:3], MOUTH, folder), CONFIG)


def train_shared(folder: Path, stage: str, rank: int, processes: int, port: int) -> None:
    """One of several processes that train together; without dropout, which every process draws for itself."""
    torch.set_num_threads(1)
    if processes > 1:
        os.environ |= {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
    # Where a gradient is zero but for rounding, Adam would divide that noise by itself and step in any direction.
    torch.optim.AdamW = functools.partial(torch.optim.AdamW, eps=1e-4)
    model = random_model(dataclasses.replace(FAMILIES["open"], dropout=0.0))
    config = dataclasses.replace(CONFIG, stage=stage, epochs=2, style_seconds=0.5)
    inputs = StageInputs(clips(), clips()[:5], MOUTH, folder)
    {"memorize": memorize, "stylize": stylize}[stage](model, inputs, config)
    torch.save(model.state_dict(), folder / f"rank{rank}.pt")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(moment: str) -> None:
    """Kill this process the way the machine would: at once, with nothing tidied."""
    if moment == "in_a_step":
        real, steps = torch.optim.AdamW.step, iter(range(6))
        torch.optim.AdamW.step = lambda *a, **k: _die() if next(steps, None) is None else real(*a, **k)
    elif moment == "writing_a_checkpoint":
        written, save = iter(range(2)), torch.save

        def half(state: dict, path: Path) -> None:
            save(state, path)
            if next(written, None) is None:
                os.truncate(path, path.stat().st_size // 2)
                _die()

        torch.save = half
    elif moment == "writing_the_log":
        written_lines, dumps = iter(range(1)), run_folder.json.dumps

        def log(self: RunFolder, line: dict) -> None:
            text, second = dumps(line), next(written_lines, None) is None
            with (self.path / "log.jsonl").open("a", encoding="utf-8") as out:
                out.write(text[: len(text) // 2] if second else text + "\n")
            if second:
                _die()

        RunFolder.log = log
    elif moment == "before_the_best":
        RunFolder.save_best = lambda self, state: _die()
    elif moment == "before_the_checkpoint":
        best = RunFolder.save_best

        def kept(self: RunFolder, state: dict) -> None:
            best(self, state)
            _die()

        RunFolder.save_best = kept

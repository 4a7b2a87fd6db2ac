"""The folder of a run: its description, checkpoint and best weights; an interruption leaves no partial files.

`run.json` configuration, data and where it ran; `log.jsonl` one line per validated epoch; `tensorboard/` the same as
curves; `last.pt` the checkpoint; `best.safetensors` the weights with the lowest validation loss; `weights/`
the finished model.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from memorytalker import __version__
from memorytalker.config import ConfigError, ModelConfig, TrainingConfig, from_dict
from memorytalker.files import remove_unfinished, write_whole
from memorytalker.training.data import TrainingError

_CONFIGS = {"training": TrainingConfig, "model": ModelConfig}


class RunFolder:
    """The folder of one run. Every file is written under another name and then moved to its place.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    # Description

    def check(self, claim: dict) -> None:
        """Raise ConfigError if the folder holds a run with another configuration or other data."""
        if not (self.path / "last.pt").is_file() or not (self.path / "run.json").is_file():
            return
        other = {key: value for key, value in self.about().items() if key != "sessions"}
        changed = sorted(k for k in {*claim, *other} if _complete(k, claim.get(k)) != _complete(k, other.get(k)))
        if changed:
            raise ConfigError(
                f"{self.path} holds a run with other settings ({', '.join(changed)}); "
                "choose another work folder, or delete this one to start again."
            )

    def describe(self, claim: dict, session: dict) -> None:
        """Write configuration and data of the run, and add a session."""
        self.path.mkdir(parents=True, exist_ok=True)
        remove_unfinished(self.path)
        resumed = (self.path / "last.pt").is_file() and (self.path / "run.json").is_file()
        sessions = [*(self.about().get("sessions", []) if resumed else []), session]
        text = json.dumps({**claim, "sessions": sessions}, indent=1) + "\n"
        write_whole(self.path / "run.json", lambda part: part.write_text(text, encoding="utf-8"))

    def about(self) -> dict:
        """Read `run.json`. Raises TrainingError if there is none."""
        try:
            return json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise TrainingError(f"{self.path} is not the folder of a run: it has no run.json.") from None
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise TrainingError(f"{self.path / 'run.json'} is not readable JSON: {error}.") from None

    # Checkpoint

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint."""
        write_whole(self.path / "last.pt", lambda part: torch.save(state, part))

    def load(self) -> dict[str, Any] | None:
        """Load the checkpoint to the CPU, None if there is none yet."""
        path = self.path / "last.pt"
        return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None

    def trim(self, step: int) -> None:
        """Drop the lines of the log after a step: they will be logged again."""
        path, kept = self.path / "log.jsonl", []
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []:
            try:
                known = json.loads(line)["step"] <= step
            except json.JSONDecodeError:  # interrupted while it was written
                known = False
            kept += [line] if known else []
        write_whole(path, lambda part: part.write_text("".join(kept), encoding="utf-8"))

    def log(self, line: dict) -> None:
        """Append a line to the log and flush it to the disk."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
            log.flush()
            os.fsync(log.fileno())

    # Best weights

    def save_best(self, state: dict[str, Tensor]) -> None:
        """Write the best weights so far."""
        whole = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        write_whole(self.path / "best.safetensors", lambda part: save_file(whole, part))

    def best(self) -> dict[str, Tensor]:
        """Load the best weights so far. Raises TrainingError if no epoch has been validated."""
        path = self.path / "best.safetensors"
        if not path.is_file():
            raise TrainingError(f"{self.path} has no best weights yet; let its training come to the end first.")
        return load_file(path)


def session(model: torch.nn.Module, processes: int, step: int) -> dict:
    """Describe where and with what a run starts or resumes; for readers, never checked."""
    device = next(model.parameters()).device
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "from_step": step,
        "memorytalker": __version__,
        "commit": commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processes": processes,
        "parameters": parameter_counts(model),
    }


def commit(root: Path | None = None) -> str:
    """Return the commit of the checkout of this code, with "+" if files were changed, or "unknown"."""
    root = Path(__file__).resolve().parents[2] if root is None else root
    if not (root / ".git").exists():
        return "unknown"

    def ask(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    try:
        return ask("rev-parse", "HEAD") + ("+" if ask("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def parameter_counts(model: torch.nn.Module) -> dict[str, int]:
    """Count the parameters of each part of a model, of all, and of those that are trained."""
    counts: dict[str, int] = {}
    for name, value in model.named_parameters():
        part = name.split(".")[0]
        counts[part] = counts.get(part, 0) + value.numel()
    learning = sum(value.numel() for value in model.parameters() if value.requires_grad)
    return {**counts, "all": sum(counts.values()), "learning": learning}


def _complete(key: str, value: Any) -> Any:
    """A configuration of an older run, with defaults for the fields that it lacks."""
    if key not in _CONFIGS or not isinstance(value, dict):
        return value
    try:
        return dataclasses.asdict(from_dict(_CONFIGS[key], value))
    except ConfigError:
        return value

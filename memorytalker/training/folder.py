"""The folder of a run: what it is, how far it came, its best weights; whole files only, whenever it is broken off.

`run.json` configuration, data and where it ran; `log.jsonl` one line a judged epoch; `tensorboard/` the same as
curves; `last.pt` everything needed to go on; `best.safetensors` the weights with the lowest validation loss; `weights/`
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
    """One run's folder. Every file is written beside its place and then moved there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # What the run is

    def check(self, claim: dict) -> None:
        """Raise ConfigError if a run with another claim (configuration and data) began here: two would be mixed."""
        if not (self.path / "last.pt").is_file() or not (self.path / "run.json").is_file():
            return
        other = {key: value for key, value in self.about().items() if key != "sessions"}
        changed = sorted(k for k in {*claim, *other} if _complete(k, claim.get(k)) != _complete(k, other.get(k)))
        if changed:
            raise ConfigError(
                f"{self.path} holds a run with other settings ({', '.join(changed)}); "
                "choose another work folder, or delete this one to start anew."
            )

    def describe(self, claim: dict, session: dict) -> None:
        """Note what this run is, and add where and with what it is started or goes on."""
        self.path.mkdir(parents=True, exist_ok=True)
        remove_unfinished(self.path)
        resumed = (self.path / "last.pt").is_file() and (self.path / "run.json").is_file()
        sessions = [*(self.about().get("sessions", []) if resumed else []), session]
        text = json.dumps({**claim, "sessions": sessions}, indent=1) + "\n"
        write_whole(self.path / "run.json", lambda part: part.write_text(text, encoding="utf-8"))

    def about(self) -> dict:
        """What `run.json` says. Raises TrainingError if there is none."""
        try:
            return json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise TrainingError(f"{self.path} is not the folder of a run: it has no run.json.") from None
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise TrainingError(f"{self.path / 'run.json'} is not readable JSON: {error}.") from None

    # How far it came

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint."""
        write_whole(self.path / "last.pt", lambda part: torch.save(state, part))

    def load(self) -> dict[str, Any] | None:
        """The checkpoint on the CPU, None if there is none yet."""
        path = self.path / "last.pt"
        return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None

    def trim(self, step: int) -> None:
        """Keep the lines of the log up to a step, that of the checkpoint: what came after it comes again."""
        path, kept = self.path / "log.jsonl", []
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []:
            try:
                known = json.loads(line)["step"] <= step
            except json.JSONDecodeError:  # broken off while it was written
                known = False
            kept += [line] if known else []
        write_whole(path, lambda part: part.write_text("".join(kept), encoding="utf-8"))

    def log(self, line: dict) -> None:
        """Add a line to the log, and see it to the disk."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
            log.flush()
            os.fsync(log.fileno())

    # Its best weights

    def save_best(self, state: dict[str, Tensor]) -> None:
        """Write the best weights so far."""
        whole = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        write_whole(self.path / "best.safetensors", lambda part: save_file(whole, part))

    def best(self) -> dict[str, Tensor]:
        """The best weights so far. Raises TrainingError if no epoch has been judged."""
        path = self.path / "best.safetensors"
        if not path.is_file():
            raise TrainingError(f"{self.path} has no best weights yet; let its training come to the end first.")
        return load_file(path)


def session(model: torch.nn.Module, processes: int, step: int) -> dict:
    """Where and with what a run is started or goes on: for people to read; going on elsewhere is allowed."""
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
    """The commit of the checkout that this code lies in, with "+" after it when files were changed; or "unknown"."""
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
    """Numbers of parameters of each part of a model, of all, and of those that learn."""
    counts: dict[str, int] = {}
    for name, value in model.named_parameters():
        part = name.split(".")[0]
        counts[part] = counts.get(part, 0) + value.numel()
    learning = sum(value.numel() for value in model.parameters() if value.requires_grad)
    return {**counts, "all": sum(counts.values()), "learning": learning}


def _complete(key: str, value: Any) -> Any:
    """A configuration with the defaults of fields that an older run did not know."""
    if key not in _CONFIGS or not isinstance(value, dict):
        return value
    try:
        return dataclasses.asdict(from_dict(_CONFIGS[key], value))
    except ConfigError:
        return value

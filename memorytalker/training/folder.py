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
from memorytalker.errors import InputError
from memorytalker.files import (
    LARGEST_LINES,
    check_unpacked,
    is_number,
    parse_json,
    read_bounded,
    read_json,
    remove_unfinished,
    write_whole,
)
from memorytalker.models.talker import MemoryTalker
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
        """Read `run.json`. Raises TrainingError if there is none, or it is damaged."""
        path = self.path / "run.json"
        try:
            about = read_json(path)
        except (FileNotFoundError, NotADirectoryError):
            raise TrainingError(f"{self.path} is not the folder of a run: it has no run.json.") from None
        except OSError:
            raise TrainingError(f"{path} cannot be read; check who may read it.") from None
        except ValueError as error:
            raise TrainingError(f"{path} is not readable JSON: {error}.") from None
        if not isinstance(about, dict) or not isinstance(about.get("sessions", []), list):
            raise TrainingError(f"{path} does not describe a run; choose another folder, or delete this one.")
        return about

    # Checkpoint

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint."""
        write_whole(self.path / "last.pt", lambda part: torch.save(state, part))

    def load(self) -> dict[str, Any] | None:
        """Load the checkpoint to the CPU, None if there is none yet. Raises TrainingError if it is damaged."""
        path = self.path / "last.pt"
        if not path.is_file():
            return None
        state = read_saved(path)
        if not isinstance(state, dict) or not _is_checkpoint(state):
            raise TrainingError(f"{path} is not the checkpoint of a run; delete {self.path} to start again.")
        return state

    def trim(self, step: int) -> None:
        """Drop the lines of the log after a step, which will be logged again, and lines that are none of the log."""
        path, kept = self.path / "log.jsonl", []
        try:
            data = read_bounded(path, LARGEST_LINES) if path.is_file() else b""
        except (OSError, ValueError):
            raise TrainingError(f"{path} cannot be read, or is too large; move it away to go on.") from None
        for line in data.splitlines(keepends=True):
            try:
                entry = parse_json(line.decode("utf-8"))
            except ValueError:  # interrupted while it was written
                continue
            known = isinstance(entry, dict) and is_number(entry.get("step")) and entry["step"] <= step
            kept += [line] if known and line.endswith(b"\n") else []
        write_whole(path, lambda part: part.write_bytes(b"".join(kept)))

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
        """Load the best weights so far. Raises TrainingError if no epoch has been validated, or they are damaged."""
        path = self.path / "best.safetensors"
        if not path.is_file():
            raise TrainingError(f"{self.path} has no best weights yet; let its training come to the end first.")
        try:
            return load_file(path)
        except Exception:  # whatever a damaged file makes the reader raise
            raise TrainingError(f"{path} is damaged; delete {self.path} and train again.") from None

    def fill(self, model: MemoryTalker) -> None:
        """Load the best weights into a model. Raises TrainingError if they are damaged, or those of another model."""
        state = self.best()
        check_fit(model, state, self.path / "best.safetensors")
        model.load_state_dict(state)

    def model(self) -> MemoryTalker:
        """The best model; memory is taken only for one that the weights fit. Raises TrainingError as `fill`."""
        try:
            config = from_dict(ModelConfig, self.about().get("model"))
            with torch.device("meta"):  # names and shapes, without the numbers
                outline = MemoryTalker(config)
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = f": {error}" if isinstance(error, InputError) else "; train again."
            raise TrainingError(f"{self.path / 'run.json'} describes no model that can be built{reason}") from None
        state = self.best()
        check_fit(outline, state, self.path / "best.safetensors")
        model = MemoryTalker(config)
        model.load_state_dict(state)
        return model


def read_saved(path: Path) -> Any:
    """The plain values and tensors that torch.save wrote, on the CPU. Raises TrainingError for any other file."""
    try:
        check_unpacked(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # whatever a damaged file makes the reader raise
        raise TrainingError(f"{path} is damaged; delete it and train again.") from None


def check_fit(model: torch.nn.Module, state: Any, path: Path, part: str = "") -> None:
    """Raise TrainingError unless `state`, read from `path`, holds finite tensors for a model, or for a part of it."""
    own = {name: value.shape for name, value in model.state_dict().items() if name.startswith(part)}
    right = isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())
    if not right or {name: value.shape for name, value in state.items()} != own:
        raise TrainingError(f"{path} holds other weights than run.json describes; delete it and train again.")
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise TrainingError(f"{path} holds weights that are not finite; delete it and train again.")


def _is_checkpoint(state: dict[str, Any]) -> bool:
    numbers = type(state.get("step")) is int and state["step"] >= 0 and isinstance(state.get("best"), float)
    parts = all(isinstance(state.get(name), dict) for name in ("model", "optimizer", "schedule", "sums"))
    return numbers and parts


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

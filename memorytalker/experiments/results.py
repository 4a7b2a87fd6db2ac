"""Result files and finished stages of experiments, read back; nothing in them is trusted to be as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from memorytalker.config import ConfigError, check_ranges, from_dict, read_values, shown
from memorytalker.evaluation.evaluate import RegionRecord
from memorytalker.experiments.findings import MAIN, MEAN_LABEL
from memorytalker.experiments.variants import GROUPS
from memorytalker.files import is_number, read_lines

#: Of a spread over labels, by measure.
_SPREAD, _SPREAD_OF = ("mean", "std", "min", "max"), ("fve", "lve_mean")

S = TypeVar("S", bound="Trained | StoredResult")


@dataclass(frozen=True)
class Trained:
    """A trained stage: its key in `out/stages`, and its cost."""

    key: str
    stage: str
    seconds: float
    steps: int
    clips: int
    speakers: int
    resumed: bool

    def __post_init__(self) -> None:
        """Raise ConfigError for a cost that cannot be."""
        check_ranges(self, seconds=(0, 1e9), steps=(0, 1e12), clips=(0, 1e9), speakers=(0, 1e9))


@dataclass(frozen=True)
class StoredClip:
    """The metrics of one clip as `measurement.to_json` writes them: numbers, null where a clip has none."""

    name: str
    speaker: str
    frames: int
    values: dict

    def __post_init__(self) -> None:
        """Raise ConfigError for a length or values that cannot be."""
        check_ranges(self, frames=(1, 1e9))
        _numbers(f"the clip {shown(self.name)}", self.values)


@dataclass(frozen=True)
class StoredEvaluation:
    """An evaluation as `measurement.to_json` writes it."""

    label: str
    layout: str
    split: str
    digest: str
    fps: int
    vertex_count: int
    region_source: str
    absent: dict
    regions: tuple[RegionRecord, ...]
    pooled: dict
    clips: tuple[StoredClip, ...]

    def __post_init__(self) -> None:
        """Raise ConfigError for an evaluation whose metrics are not those of all its clips."""
        check_ranges(self, fps=(1, 240), vertex_count=(1, 3_000_000))
        lacking = [clip for clip in self.clips if not set(self.pooled) <= set(clip.values)]
        if lacking or not self.clips:
            raise ConfigError(f"The evaluation {shown(self.label)} has no clips, or not every metric of each.")
        for name, interval in self.pooled.items():
            if not isinstance(interval, dict) or set(interval) != {"value", "low", "high", "clips"}:
                raise ConfigError(f"The metric {shown(name)} needs value, low, high and clips.")
            _numbers(f"the metric {shown(name)}", interval)
            if type(interval["clips"]) is not int:
                raise ConfigError(f"The metric {shown(name)} needs a number of clips.")


@dataclass(frozen=True)
class StoredResult:
    """A result file: one variant, trained from one seed."""

    name: str
    shows: str
    group: str
    seed: int
    key: str
    style: str
    stages: tuple[Trained, ...]
    configs: dict
    clips: int
    speakers: int
    evaluations: dict
    openings: dict
    parameters: dict
    evaluation_seconds: float
    labels: dict | None = None
    about: str = ""
    order: int = field(default=0)

    def __post_init__(self) -> None:
        """Raise ConfigError for what no experiment finds."""
        check_ranges(self, order=(-1e6, 1e6), clips=(0, 1e9), speakers=(0, 1e9))
        if self.group not in GROUPS:
            raise ConfigError(f"There is no group {shown(self.group)}; there are {', '.join(GROUPS)}.")
        if MAIN not in self.evaluations or not isinstance(self.configs.get("model"), dict):
            raise ConfigError(f"A result needs an evaluation {MAIN!r} and the configuration of its model.")
        for evaluation in self.evaluations.values():
            from_dict(StoredEvaluation, evaluation)
        for label, opening in self.openings.items():
            _check_opening(label, opening)
        if self.labels is not None:
            spreads = [self.labels.get(name) for name in _SPREAD_OF]
            right = all(isinstance(one, dict) and all(_may_lack(one.get(key)) for key in _SPREAD) for one in spreads)
            if not right or MEAN_LABEL not in self.evaluations or "tried" not in self.labels:
                raise ConfigError("The spread over labels is not that of an experiment.")
        if type(self.parameters.get("all")) is not int:
            raise ConfigError("A result needs the number of all parameters.")


def read_result(path: Path) -> dict[str, Any]:
    """The values of a result file. Raises ConfigError, in a sentence that names it, for one that is damaged."""
    values = read_values(path)
    _named(StoredResult, path, values)
    return values


def read_trained(path: Path) -> Trained:
    """What `done.json` says of a finished stage. Raises ConfigError likewise."""
    return _named(Trained, path, read_values(path))


def last_step(path: Path) -> int:
    """The step of the last line of a log. Raises ConfigError likewise."""
    try:
        return read_lines(path, {"step": int}, growing=True)[-1]["step"]
    except (OSError, ValueError, IndexError):
        raise ConfigError(
            f"{path} does not say how many steps were trained; delete its folder to train again."
        ) from None


def _named(kind: type[S], path: Path, values: Any) -> S:
    try:
        return from_dict(kind, values)
    except ConfigError as error:
        raise ConfigError(f"{path} cannot be used; delete it to make it again: {error}") from None


def _numbers(whose: str, values: Mapping[str, Any]) -> None:
    if not all(value is None or is_number(value) for value in values.values()):
        raise ConfigError(f"The values of {whose} need to be numbers, or null.")


def _may_lack(value: Any) -> bool:
    """Whether a value is a number, or the nan of a mesh that does not name its lips."""
    return is_number(value) or (isinstance(value, float) and value != value)


def _check_opening(label: str, opening: Any) -> None:
    right = isinstance(opening, dict) and all(
        isinstance(opening.get(one), list) for one in ("speakers", "true", "predicted")
    )
    if right:
        right = len(opening["speakers"]) == len(opening["true"]) == len(opening["predicted"])
        right &= all(map(is_number, [*opening["true"], *opening["predicted"]]))
        right &= opening.get("correlation") is None or is_number(opening["correlation"])
    if not right:
        raise ConfigError(f"The mean lip openings of {shown(label)} are not a number for each speaker.")

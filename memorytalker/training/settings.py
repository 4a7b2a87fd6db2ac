"""What a run is told: a shipped preset or a JSON file, for one stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from memorytalker.config import ConfigError, ModelConfig, TrainingConfig, read

#: Presets shipped beside this file as <stage>_<name>.json; "vocaset" and "biwi" are the paper's.
PRESETS = ("open", "vocaset", "biwi")


@dataclass(frozen=True)
class MemorizeSettings:
    """Stage 1. The model's `coordinates` come from the data set, whatever is written here."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


@dataclass(frozen=True)
class StylizeSettings:
    """Stage 2. Its model is that of stage 1."""

    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(stage="stylize"))


def read_settings(stage: str, name: str) -> MemorizeSettings | StylizeSettings:
    """The settings of a stage: the preset of that name, else the JSON file.

    Raises ConfigError if there is neither, for unknown keys, and if the file is for another stage.
    """
    kind = {"memorize": MemorizeSettings, "stylize": StylizeSettings}[stage]
    path = Path(__file__).with_name(f"{stage}_{name}.json") if name in PRESETS else Path(name)
    if not path.is_file():
        raise ConfigError(f"There is no configuration file {name}; name one, or a preset: {', '.join(PRESETS)}.")
    settings = read(kind, path)
    if settings.training.stage != stage:
        raise ConfigError(
            f'{name} is for the stage "{settings.training.stage}"; set training.stage to "{stage}", or use the other '
            "command."
        )
    return settings

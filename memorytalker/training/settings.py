"""The settings of a run: a shipped preset or a JSON file, for one stage.

The preset "open" is the recipe of the shipped weights; "vocaset" and "biwi" are the paper's settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, overload

from memorytalker.config import ConfigError, ModelConfig, TrainingConfig, read
from memorytalker.training.open_recipe import read_recipe
from memorytalker.training.style_regression import StyleRegression

#: The preset that is the shipped recipe, and those of the paper, beside this file as <stage>_<name>.json.
OPEN = "open"
PRESETS = (OPEN, "vocaset", "biwi")


@dataclass(frozen=True)
class MemorizeSettings:
    """Settings of stage 1. The model's `coordinates` are replaced by those of the data set."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


@dataclass(frozen=True)
class StylizeSettings:
    """Settings of stage 2; its model is that of stage 1.

    At most one of its two fields is given. If neither is, the paper's training is used. Raises ConfigError for both.

    Attributes:
        training: by gradient, as in the paper.
        style_regression: in closed form, as for the open weights.
    """

    training: TrainingConfig | None = None
    style_regression: StyleRegression | None = None

    def __post_init__(self) -> None:
        """Fill in the paper's training if neither field is given, and refuse both."""
        if self.training is not None and self.style_regression is not None:
            raise ConfigError("Stage 2 is given both training and style_regression; leave one of them out.")
        if self.training is None and self.style_regression is None:
            object.__setattr__(self, "training", TrainingConfig(stage="stylize"))


@overload
def read_settings(stage: Literal["memorize"], name: str) -> MemorizeSettings: ...
@overload
def read_settings(stage: Literal["stylize"], name: str) -> StylizeSettings: ...
def read_settings(stage: str, name: str) -> MemorizeSettings | StylizeSettings:
    """Read the settings of a stage.

    Args:
        stage: "memorize" or "stylize".
        name: of a preset, or path of a JSON file.

    Returns:
        The settings.

    Raises:
        ConfigError: there is neither, a key is unknown, or the file is for another stage.
    """
    kinds: dict[str, type[MemorizeSettings | StylizeSettings]] = {
        "memorize": MemorizeSettings,
        "stylize": StylizeSettings,
    }
    kind = kinds[stage]
    if name == OPEN:
        return _open_settings(kind)
    path = Path(__file__).with_name(f"{stage}_{name}.json") if name in PRESETS else Path(name)
    if not path.is_file():
        raise ConfigError(f"There is no configuration file {name}; name one, or a preset: {', '.join(PRESETS)}.")
    settings = read(kind, path)
    if settings.training is not None and settings.training.stage != stage:
        raise ConfigError(
            f'{name} is for the stage "{settings.training.stage}"; set training.stage to "{stage}", or use the other '
            "command."
        )
    return settings


def _open_settings(kind: type[MemorizeSettings | StylizeSettings]) -> MemorizeSettings | StylizeSettings:
    """A stage of the shipped recipe, with the encoder of the shipped weights: the pretrained one is not shipped."""
    recipe = read_recipe()
    if kind is StylizeSettings:
        return StylizeSettings(style_regression=recipe.style_regression)
    speech = replace(recipe.model.speech, initialise_from=OPEN)
    return MemorizeSettings(replace(recipe.model, speech=speech), recipe.memorize)

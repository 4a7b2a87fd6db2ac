"""The recipe of weights: everything that decides what they become, apart from the source folder, as one JSON file.

`open_recipe.json` made the shipped weights, weights/open. Commands, the presets named "open" and the plan of the
experiments read it, so that "open" means one model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memorytalker.config import LARGEST_SEED, ModelConfig, TrainingConfig, check_ranges, from_dict, merged, read_values
from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.training.audio_to_curves import CurveRegressorTraining
from memorytalker.training.style_regression import StyleRegression

OPEN_RECIPE = Path(__file__).with_name("open_recipe.json")


@dataclass(frozen=True)
class Recipe:
    """What weights are made of.

    about: for people to read. model: its `coordinates` come from the head, whatever is written here. memorize: stage 1;
    style_regression: stage 2. seed: of the untrained model.
    """

    about: str
    model: ModelConfig
    corpus: CorpusConfig
    curve_regressor: CurveRegressorTraining
    memorize: TrainingConfig
    style_regression: StyleRegression
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ConfigError for a seed that cannot be one."""
        check_ranges(self, seed=(0, LARGEST_SEED))


def read_recipe(path: Path | None = None) -> Recipe:
    """The shipped recipe, with the fields of the JSON file `path` put in, objects in depth; lists as a whole.

    Raises ConfigError for an unknown key, naming the valid ones, and for a value of the wrong kind.
    """
    values = read_values(OPEN_RECIPE)
    return from_dict(Recipe, values if path is None else merged(values, read_values(path)))

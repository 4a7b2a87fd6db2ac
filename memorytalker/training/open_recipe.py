"""The recipe of weights: all settings of their training, apart from the source folder, as one JSON file.

`open_recipe.json` is that of the shipped weights, weights/open. The commands, the preset "open" and the plan of the
experiments read it, so that "open" means one model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memorytalker.config import (
    LARGEST_SEED,
    ConfigError,
    ModelConfig,
    TrainingConfig,
    check_names,
    check_ranges,
    from_dict,
    merged,
    read_values,
)
from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.training.audio_to_curves import CurveRegressorTraining
from memorytalker.training.style_regression import StyleRegression

OPEN_RECIPE = Path(__file__).with_name("open_recipe.json")


@dataclass(frozen=True)
class FoldSettings:
    """Weights that never see one person, to judge the model on that person (`folds.py`).

    Attributes:
        people: folders of landmark sources; each is left out once. Those joined by "+" are left out together.
        epochs: of stage 1 in a fold; None: as many as for the weights themselves.
    """

    people: tuple[str, ...] = ()
    epochs: int | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for names that repeat and a number of epochs that cannot be."""
        check_names(self, "people")
        if self.epochs is not None:
            check_ranges(self, epochs=(0, 1e6))


@dataclass(frozen=True)
class SeedSettings:
    """Stage 1 from several seeds, of which film chooses one (`stage_one.py`).

    Attributes:
        more: seeds beside that of `Recipe.memorize`.
        film: folders of landmark sources whose clips that are not trained on choose. None of them should judge the
            finished weights.
    """

    more: tuple[int, ...] = ()
    film: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ConfigError for names and seeds that repeat, for seeds that cannot be, and for no film to choose by."""
        check_names(self, "more")
        check_names(self, "film")
        check_ranges(self, more=(0, LARGEST_SEED))
        if self.more and not self.film:
            raise ConfigError("Several seeds need film to choose by; name landmark sources in seeds.film.")


@dataclass(frozen=True)
class Recipe:
    """All settings of the training of weights.

    Attributes:
        about: a description for readers.
        model: its `coordinates` are replaced by those of the head.
        corpus: settings of the corpus.
        curve_regressor: training of the curve regressor.
        memorize: stage 1.
        style_regression: stage 2.
        seed: of the untrained model.
        folds: weights that never see one person.
        seeds: further seeds of stage 1.
    """

    about: str
    model: ModelConfig
    corpus: CorpusConfig
    curve_regressor: CurveRegressorTraining
    memorize: TrainingConfig
    style_regression: StyleRegression
    seed: int = 0
    folds: FoldSettings = FoldSettings()
    seeds: SeedSettings = SeedSettings()

    def __post_init__(self) -> None:
        """Raise ConfigError for a seed that cannot be one."""
        check_ranges(self, seed=(0, LARGEST_SEED))


def read_recipe(path: Path | None = None) -> Recipe:
    """Read the shipped recipe, or a recipe that is based on it.

    Args:
        path: JSON file whose fields replace those of the shipped recipe; objects are merged, lists are replaced.

    Returns:
        The recipe.

    Raises:
        ConfigError: a key is unknown or a value is of the wrong kind.
    """
    values = read_values(OPEN_RECIPE)
    return from_dict(Recipe, values if path is None else merged(values, read_values(path)))

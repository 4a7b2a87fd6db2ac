"""A plan of experiments, read from JSON: which variants, with which model, recipe and budget.

A plan that names a recipe takes model, stage 1 and stage 2 from it and merges its own fields into them. Stages that the
recipe lacks (stage 2 by gradient descent, both stages at once) start from its stage 1.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

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
    shown,
    to_dict,
)
from memorytalker.experiments.variants import STAGES, STYLE_REGRESSION, Variant, all_variants
from memorytalker.training.open_recipe import read_recipe
from memorytalker.training.style_regression import StyleRegression

#: The name of the shipped recipe.
RECIPE = "open"


@dataclass(frozen=True)
class Budget:
    """Training length of each stage in steps, equal for every variant; 0 uses the epochs of the stage."""

    memorize: int = 0
    stylize: int = 0
    together: int = 0
    style_regression: int = 0  # steps of its fit
    validations: int = 4  # how many times a run validates on the selection clips, if steps are given

    def __post_init__(self) -> None:
        """Raise ConfigError for a number of steps out of range."""
        steps = (0, 1e9)
        check_ranges(self, memorize=steps, stylize=steps, together=steps, style_regression=steps, validations=(0, 1e6))


@dataclass(frozen=True)
class Plan:
    """Settings of a comparison. Stage fields are those of training; `edits` are per variant, as in `Variant.edits`.

    style_regression: a stage 2 in closed form; if given it replaces `stylize` in every variant except those by label.
    """

    about: str = ""
    recipe: str = ""  # "open": the recipe of the shipped weights, into which the fields below are merged
    model: ModelConfig = field(default_factory=ModelConfig)
    memorize: TrainingConfig = field(default_factory=TrainingConfig)
    stylize: TrainingConfig = field(default_factory=lambda: TrainingConfig(stage="stylize", learning_rate=5e-5))
    together: TrainingConfig = field(default_factory=lambda: TrainingConfig(stage="together"))
    style_regression: StyleRegression | None = None
    budget: Budget = field(default_factory=Budget)
    split: str = "test"  # the evaluation split; its speakers are never trained on
    held_speakers: int = 0  # training speakers held out for validation; 0: the validation split is used
    kinds: tuple[str, ...] = ()  # kinds of clips of a corpus; empty: all
    most_clips: int = 0  # training clips per speaker at the most; 0: all
    seeds: tuple[int, ...] = (0,)
    more_seeds: tuple[int, ...] = ()  # further seeds, of the variants in `repeated` alone
    repeated: tuple[str, ...] = ()
    only: tuple[str, ...] = ()  # names of variants; empty: all
    without: tuple[str, ...] = ()  # names of variants that change nothing in this plan
    slot_counts: tuple[int, ...] = (8, 16, 32, 64)
    speaker_counts: tuple[int, ...] = ()  # 0: all
    speaker_clips: int = 200  # training clips in all, whatever the number of speakers
    oracle: tuple[str, ...] = ()  # variants for which the best slot weights are fitted to each evaluated speaker
    edits: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that no plan can have, and for edits of what is not there."""
        check_ranges(
            self, held_speakers=(0, 1e6), most_clips=(0, 1e9), seeds=(0, LARGEST_SEED),
            more_seeds=(0, LARGEST_SEED), slot_counts=(2, 10_000), speaker_counts=(0, 1e6), speaker_clips=(1, 1e9),
        )  # fmt: skip
        lists = "kinds seeds more_seeds repeated only without slot_counts speaker_counts oracle"
        for name in lists.split():
            check_names(self, name)
        for variant, edit in self.edits.items():
            if not isinstance(edit, dict) or set(edit) - {"model", *STAGES}:
                raise ConfigError(
                    f"The edits of {shown(variant)} need an object with the keys {', '.join(('model', *STAGES))}."
                )
            if not all(isinstance(fields, dict) for fields in edit.values()):
                raise ConfigError(f"The edits of {shown(variant)} need an object of fields under every key.")

    def variants(self, only: tuple[str, ...] = ()) -> tuple[Variant, ...]:
        """The variants of this plan in the table's order. Raises ConfigError for a name that does not exist."""
        table = all_variants(self.slot_counts, self.speaker_counts)
        known = [variant.name for variant in table]
        wanted = only or self.only or tuple(known)
        unknown = [
            name for name in (*wanted, *self.without, *self.edits, *self.oracle, *self.repeated) if name not in known
        ]
        if unknown:
            raise ConfigError(f"There is no variant {unknown[0]!r}; this plan knows: {', '.join(known)}.")
        if pointless := [name for name in only if name in self.without]:
            raise ConfigError(f"The variant {pointless[0]!r} changes nothing in this plan; leave it out.")
        return tuple(variant for variant in table if variant.name in wanted and variant.name not in self.without)

    def work(self, only: tuple[str, ...] = ()) -> tuple[tuple[int, Variant], ...]:
        """Every (seed, variant) to train, the plan's seeds first. Raises ConfigError for a name that does not exist."""
        variants = self.variants(only)
        again = [variant for variant in variants if variant.name in self.repeated]
        return tuple(
            [(seed, variant) for seed in self.seeds for variant in variants]
            + [(seed, variant) for seed in self.more_seeds if seed not in self.seeds for variant in again]
        )

    def order_of(self, name: str) -> int:
        """Position of a variant in the table."""
        return [variant.name for variant in all_variants(self.slot_counts, self.speaker_counts)].index(name)


@dataclass(frozen=True)
class Settings:
    """The configurations of one variant: the model, and each of its stages in order."""

    model: ModelConfig
    stages: tuple[TrainingConfig | StyleRegression, ...]


def load_plan(source: str | Path) -> Plan:
    """Read a shipped plan by name ("open", "paper") or a JSON file. Raises ConfigError."""
    shipped = Path(__file__).parent / f"{source}_plan.json"
    if shipped.is_file():
        return _read(shipped)
    if not Path(source).is_file():
        names = sorted(path.name.removesuffix("_plan.json") for path in Path(__file__).parent.glob("*_plan.json"))
        raise ConfigError(f"There is no plan {str(source)!r}; name a JSON file or a shipped one: {', '.join(names)}.")
    return _read(Path(source))


def _read(path: Path) -> Plan:
    values = read_values(path)
    if not values.get("recipe"):
        return from_dict(Plan, values)
    if values["recipe"] != RECIPE:
        raise ConfigError(f"{path} names the recipe {shown(values['recipe'])}; the only one shipped is {RECIPE!r}.")
    recipe = to_dict(read_recipe())
    stages = {stage: recipe["memorize"] | {"stage": stage} for stage in ("memorize", "stylize", "together")}
    return from_dict(
        Plan, merged({"model": recipe["model"], "style_regression": recipe["style_regression"], **stages}, values)
    )


def settings(plan: Plan, variant: Variant, seed: int, clips: int) -> Settings:
    """Configure the training of `variant` on `clips` clips. Raises ConfigError for an edit of an unknown field."""
    edits = [variant.edits, plan.edits.get(variant.name, {})]

    def edited(name: str) -> Any:
        values = to_dict(getattr(plan, name))
        for edit in edits:
            values = merged(values, edit.get(name, {}))
        return from_dict(type(getattr(plan, name)), values)

    closed = plan.style_regression is not None and variant.style != "labels"
    names = [STYLE_REGRESSION if closed and stage == "stylize" else stage for stage in variant.stages]
    stages = tuple(
        _budgeted(replace(edited(name), seed=seed), getattr(plan.budget, name), plan.budget, clips) for name in names
    )
    return Settings(edited("model"), stages)


def _budgeted(
    config: TrainingConfig | StyleRegression, steps: int, budget: Budget, clips: int
) -> TrainingConfig | StyleRegression:
    if not steps:
        return config
    if isinstance(config, StyleRegression):
        return replace(config, fit_steps=steps)
    epochs = max(1, round(steps / max(1, clips // config.batch_size)))
    return replace(config, epochs=epochs, validate_every=max(1, round(epochs / max(1, budget.validations))))


def digest(*parts: Any) -> str:
    """Compute a short hash of JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

"""Every configuration: what is written is read, and what cannot be is refused in a sentence before it is built."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from reader_checks import ABSURD_VALUES, ANY_BYTES, STEADY, cut_or_changed, json_of, other_values, outcome

from memorytalker import config as configs
from memorytalker.articulation.visemes import VisemeTable, load_visemes
from memorytalker.config import ConfigError, from_dict, read, to_dict, write
from memorytalker.corpus.corpus_config import CaptureSource, CorpusConfig
from memorytalker.experiments import plan as plans
from memorytalker.files import parse_json, read_json
from memorytalker.folds import FoldManifest
from memorytalker.options import AnimateOptions, RenderOptions
from memorytalker.scorecard.card import SHIPPED, Scorecard, read_scorecard
from memorytalker.scorecard.goals import Goal
from memorytalker.training.audio_to_curves import CurveRegressorTraining
from memorytalker.training.open_recipe import OPEN_RECIPE, Recipe, read_recipe
from memorytalker.training.settings import PRESETS, MemorizeSettings, StylizeSettings, read_settings
from memorytalker.training.style_regression import StyleRegression
from memorytalker.weights import WEIGHTS_FOLDER, CurveRegressorManifest, Manifest

RECIPE = read_recipe()
#: A good example of every class that is read from JSON.
GOOD = (
    configs.SpeechConfig(), configs.StyleConfig(), configs.ModelConfig(), configs.CurveRegressorConfig(("jawOpen",)),
    configs.LossConfig(), configs.TrainingConfig(), RenderOptions(), AnimateOptions(), RECIPE, RECIPE.corpus,
    RECIPE.curve_regressor, RECIPE.style_regression, CaptureSource("grid", "curves"), Goal(0.1, 0.2), read_scorecard(),
    plans.load_plan("open"), plans.load_plan("paper"), plans.Budget(), MemorizeSettings(), StylizeSettings(),
    Manifest(configs.ModelConfig(), "0" * 64), FoldManifest(configs.ModelConfig(), "grid_s4", "0" * 64, "0" * 64),
    read(CurveRegressorManifest, WEIGHTS_FOLDER / "audio_to_curves" / "config.json"),
)  # fmt: skip
NAMES = [f"{number}-{type(good).__name__}" for number, good in enumerate(GOOD)]
assert {Recipe, CorpusConfig, CurveRegressorTraining, StyleRegression, Scorecard} <= set(map(type, GOOD))


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("config") / "some.json"


@pytest.mark.parametrize("good", GOOD, ids=NAMES)
def test_what_is_written_is_read(path: Path, good: Any) -> None:
    write(good, path)
    assert read(type(good), path) == good == from_dict(type(good), to_dict(good))


@pytest.mark.parametrize("good", GOOD, ids=NAMES)
@pytest.mark.parametrize("absurd", ABSURD_VALUES, ids=range(len(ABSURD_VALUES)))
def test_any_field_may_hold_any_value(good: Any, absurd: Any) -> None:
    """No number that is read is nan, infinite or beyond all sizes, and what is refused is told in a sentence."""
    values = to_dict(good)
    for field in dataclasses.fields(good):
        made = outcome(lambda field=field: from_dict(type(good), values | {field.name: absurd}))
        number = getattr(made, field.name, None)
        if isinstance(number, float) and not isinstance(good, Goal):
            assert -1e10 < number < 1e10, field.name
        if isinstance(number, int) and not isinstance(
            good, (AnimateOptions, Manifest, FoldManifest, CurveRegressorManifest)
        ):
            assert 0 <= number < 1e10, field.name


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (configs.TrainingConfig, {"batch_size": -1}), (configs.TrainingConfig, {"batch_size": 0}),
        (configs.TrainingConfig, {"learning_rate": float("nan")}), (configs.TrainingConfig, {"captured_share": 1.1}),
        (configs.TrainingConfig, {"validate_every": 0}), (configs.TrainingConfig, {"seed": -1}),
        (configs.TrainingConfig, {"losses": {"lip": -1.0}}), (configs.LossConfig, {"motion": float("inf")}),
        (configs.ModelConfig, {"fps": 0}), (configs.ModelConfig, {"width": 10**9}),
        (configs.ModelConfig, {"width": 97}), (configs.ModelConfig, {"decoder_layers": 10**6}),
        (configs.ModelConfig, {"window_seconds": float("nan")}), (configs.ModelConfig, {"sample_rate": 8000}),
        (configs.ModelConfig, {"slots": ["a"]}), (configs.ModelConfig, {"slots": ["a", "a"]}),
        (configs.ModelConfig, {"motion_scale": 0}), (configs.ModelConfig, {"scaling": 0.0}),
        (configs.ModelConfig, {"speech": {"layers": 10**6}}), (configs.ModelConfig, {"style": {"hop": 0}}),
        (configs.SpeechConfig, {"heads": 5}), (configs.StyleConfig, {"strides": [0]}),
        (configs.StyleConfig, {"strides": [1] * 65}), (configs.StyleConfig, {"mel_spread": 0}),
        (Goal, {"least": 2, "most": 1}), (Goal, {"most": float("nan")}), (plans.Plan, {"slot_counts": [10**9]}),
        (plans.Plan, {"edits": {"one-hot": {"nothing": {}}}}), (plans.Plan, {"edits": {"one-hot": {"model": 3}}}),
        (plans.Plan, {"budget": {"memorize": -1}}),
        (CaptureSource, {"folder": "../x", "kind": "curves"}), (AnimateOptions, {"style_blend": float("nan")}),
        (AnimateOptions, {"seed": -(10**5000)}), (RenderOptions, {"width": 10**9}),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(kind: type, change: dict) -> None:
    with pytest.raises(ConfigError) as refusal:
        from_dict(kind, change)
    assert outcome(lambda: from_dict(kind, change)) is None and len(str(refusal.value)) < 400


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"ModelConfig\.fps is 0; choose a number from 1 to 240\."):
        dataclasses.replace(configs.ModelConfig(), fps=0)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_shipped_presets_are_read(preset: str) -> None:
    for stage in ("memorize", "stylize"):
        assert read_settings(stage, preset)


SHIPPED_FILES = {
    "weights": (WEIGHTS_FOLDER / "open/config.json", lambda path: read(Manifest, path)),
    "recipe": (OPEN_RECIPE, read_recipe),
    "open plan": (Path(plans.__file__).with_name("open_plan.json"), plans.load_plan),
    "paper plan": (Path(plans.__file__).with_name("paper_plan.json"), plans.load_plan),
    "scorecard": (SHIPPED, read_scorecard),
    "visemes": (
        Path(plans.__file__).parents[1] / "articulation/visemes.json",
        lambda path: VisemeTable.from_json(_plain(path)),
    ),
    "stage 1": (Path(plans.__file__).parents[1] / "training/memorize_biwi.json", lambda p: read(MemorizeSettings, p)),
    "stage 2": (Path(plans.__file__).parents[1] / "training/stylize_biwi.json", lambda p: read(StylizeSettings, p)),
}


def _plain(path: Path) -> Any:
    try:
        return read_json(path)
    except ValueError:  # no JSON at all
        return None


@pytest.mark.parametrize("kind", SHIPPED_FILES)
def test_a_shipped_file_that_was_changed_a_little(path: Path, kind: str) -> None:
    source, reader = SHIPPED_FILES[kind]
    good = source.read_bytes()
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=3), *other_values(good, seed=4)):
        path.write_bytes(changed)
        read_as.append(outcome(lambda: reader(path)) is not None)
    assert read_as[0] and 5 < sum(read_as) < 195, "some changes matter and some do not"


@STEADY
@given(content=ANY_BYTES)
def test_any_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for reader in (read_recipe, plans.load_plan, read_scorecard, lambda path: read(Manifest, path)):
        outcome(lambda reader=reader: reader(path))


WORDS = (
    "model memorize stylize together styles budget recipe open edits one-hot losses speech style slots seeds fps "
    "width videos folder gap least most robust grid_s1 groups phones target effort strength before after "
    "shift reduction sil"
)


@STEADY
@given(values=json_of(WORDS))
def test_any_json_with_our_words(path: Path, values: dict) -> None:
    try:
        path.write_text(json.dumps(values))
    except ValueError:  # a whole number of too many digits
        return
    for kind in (Scorecard, plans.Plan, Recipe, MemorizeSettings, configs.ModelConfig, Manifest):
        outcome(lambda kind=kind: read(kind, path))
    outcome(lambda: plans.load_plan(path))
    outcome(lambda: read_recipe(path))
    outcome(lambda: VisemeTable.from_json(values))


def test_the_viseme_table_is_read_as_it_is_written() -> None:
    table = load_visemes()
    again = VisemeTable.from_json(parse_json(json.dumps(table.to_json())))
    for field in dataclasses.fields(table):
        assert (getattr(table, field.name) == getattr(again, field.name)).all() if field.name != "shapes" else True
    for key, absurd in (("strength", float("nan")), ("shift", float("inf")), ("before", -1.0), ("target", "0.5")):
        values = table.to_json()
        row = values["phones"]["aa"]
        row[key] = {"jawOpen": absurd} if key == "target" else [absurd] * 3
        assert outcome(lambda values=values: VisemeTable.from_json(values)) is None, key


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "1" * 5000, "[" * 60 + "]" * 60, "{", "", '{"a": ' * 51 + "1" + "}" * 51]
)
def test_json_beyond_bounds_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_json(text)
    assert "\n" not in str(refusal.value) and not str(refusal.value).endswith(".")


def test_a_file_is_not_read_beyond_its_bound(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memorytalker.files.LARGEST_JSON", 1_000_000)
    path.write_bytes(b'{"a": "' + b"x" * 1_000_000 + b'"}')
    with pytest.raises(ConfigError, match=r"larger than 1 MB\.$"):
        read(configs.ModelConfig, path)
    for place in (path.parent, path.with_name("x" * 300)):
        with pytest.raises(ConfigError):
            read(configs.ModelConfig, place)

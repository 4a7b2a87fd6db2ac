"""Experiments at toy size: shared stages, skipped results, equal budgets, and figures that mean what they say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_models import FAMILIES, random_model

from memorytalker.config import ConfigError, LossConfig, TrainingConfig, merged
from memorytalker.datasets.sequences import FaceDataset, FaceRegions, Sequence
from memorytalker.evaluation.evaluate import evaluate
from memorytalker.experiments import plan as planning
from memorytalker.experiments import run as running
from memorytalker.experiments.material import Material, hold_out, joined, nested_speakers
from memorytalker.experiments.measurement import face_errors, from_json, lip_errors, measure, speaker_openings, to_json
from memorytalker.experiments.plan import Budget, Plan, load_plan, settings
from memorytalker.experiments.predict import (
    batches,
    best_styles,
    clips_of_other_speakers,
    encode,
    encode_styles,
    predicted,
    still,
)
from memorytalker.experiments.run import run_experiments
from memorytalker.experiments.variants import BASELINES, GROUPS
from memorytalker.face.motion_space import MotionSpace, vertex_space
from memorytalker.training.data import TrainingClip, split_long
from memorytalker.training.losses import MouthVertices
from memorytalker.training.open_recipe import read_recipe

VERTICES = 20
REGIONS = FaceRegions("planted", np.array([3, 1, 7]), np.array([10, 12]), (1, 7))
TRAINING = TrainingConfig(epochs=1, batch_size=4, learning_rate=1e-3, losses=LossConfig(slots=0.1))
PLAN = Plan(
    model=FAMILIES["open"], memorize=TRAINING, stylize=dataclasses.replace(TRAINING, stage="stylize"),
    together=dataclasses.replace(TRAINING, stage="together"), slot_counts=(8,), speaker_counts=(2, 0), speaker_clips=6,
    oracle=("stages-1-2",), edits={"one-hot": {"stylize": {"learning_rate": 0.05}}},
)  # fmt: skip


def clip(number: int, speaker: str, frames: int = 24) -> TrainingClip:
    random = torch.Generator().manual_seed(number)
    states = round(frames / 30 * 50)
    return TrainingClip(
        name=f"{speaker}-{number}",
        speaker=speaker,
        captured=False,
        states=torch.randn(states, 32, generator=random).half(),
        mel=torch.randn(2 * states, 80, generator=random).half(),
        motion=0.01 * torch.randn(frames, 3 * VERTICES, generator=random),
        labels=torch.randint(0, 40, (frames,), generator=random),
    )


def clips_of(speakers: str, each: int, first: int = 0) -> tuple[TrainingClip, ...]:
    return tuple(clip(first + 10 * s + i, name, 20 + 5 * i) for s, name in enumerate(speakers) for i in range(each))


@pytest.fixture(scope="module")
def material() -> Material:
    evaluated = clips_of("XYZ", 2, 500)
    random = np.random.default_rng(0)
    templates = {name: random.standard_normal((VERTICES, 3)).astype(np.float32) for name in "XYZ"}
    dataset = FaceDataset(Path("toy"), "converted", 30, VERTICES, (), templates, REGIONS, digest="toy")
    mouth = MouthVertices(torch.tensor([3, 1, 7]))
    return Material(
        clips_of("ABCD", 3), clips_of("PQ", 2, 300), evaluated, mouth, vertex_space(VERTICES), dataset, "test", "digest"
    )


# plans and variants


@pytest.mark.parametrize("name", ["open", "paper"])
def test_shipped_plans_configure_every_variant(name: str) -> None:
    plan = load_plan(name)
    for variant in plan.variants():
        configured = settings(plan, variant, 3, 2000)
        closed = plan.style_regression is not None and variant.style != "labels"
        wanted = ["style_regression" if closed and stage == "stylize" else stage for stage in variant.stages]
        assert [stage.stage for stage in configured.stages] == wanted
        assert all(stage.seed == 3 for stage in configured.stages)
    assert {variant.group for variant in plan.variants()} == set(GROUPS)


def test_the_open_plan_is_the_shipped_recipe_with_other_budgets() -> None:
    recipe, plan = read_recipe(), load_plan("open")
    (whole,) = plan.variants(("stages-1-2",))
    first, second = settings(plan, whole, recipe.memorize.seed, 2000).stages
    spent = {"epochs": first.epochs, "validate_every": first.validate_every, "warmup_steps": first.warmup_steps}
    assert plan.model == recipe.model
    assert first == dataclasses.replace(recipe.memorize, **spent)
    assert second == dataclasses.replace(recipe.style_regression, fit_steps=plan.budget.style_regression)
    written = json.loads((Path(planning.__file__).parent / "open_plan.json").read_text())
    assert "model" not in written and "style_regression" not in written, "a second place that says it would drift away"


def test_a_plan_of_a_recipe_is_refused_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for content, said in (
        ({"recipe": "mine"}, "names the recipe 'mine'; the only one shipped is 'open'"),
        ({"recipe": "open", "memorize": {"epoch": 1}}, "Unknown key 'epoch' in TrainingConfig; valid keys: "),
        ({"recipe": "open", "receipt": 1}, "Unknown key 'receipt' in Plan; valid keys: about,"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=said):
            load_plan(path)
    plan = load_plan("open")
    with pytest.raises(ConfigError, match="'without-style-loss' changes nothing in this plan; leave it out"):
        plan.variants(("without-style-loss",))
    with pytest.raises(ConfigError, match="no variant 'nothing'"):
        dataclasses.replace(plan, without=("nothing",)).variants()


def test_a_stage_two_in_closed_form_takes_the_place_of_gradients(material: Material, tmp_path: Path) -> None:
    style = dataclasses.replace(PLAN.model.style, statistics=True, convolutions=False)
    style_regression = dataclasses.replace(read_recipe().style_regression, fit_steps=7, losses=LossConfig())
    plan = dataclasses.replace(
        PLAN,
        model=dataclasses.replace(PLAN.model, style=style),
        style_regression=style_regression,
        budget=Budget(style_regression=5),
    )
    lines: list[str] = []
    run_experiments(material, tmp_path, plan, (*BASELINES, "one-hot"), log=lines.append)
    kinds = sorted(path.name.split("-")[0] for path in (tmp_path / "stages").iterdir())
    assert kinds == ["memorize", "style_regression", "stylize"], "labels are learned by gradient even so"
    whole = result(tmp_path, "stages-1-2")
    assert whole["stages"][1]["steps"] == 5 and "style_regression 5 steps of 32 clips" in lines[1]
    assert whole["evaluations"]["main"] != whole["evaluations"]["neutral"], "a style was taught"
    assert not list((tmp_path / "stages").glob("*/last.pt"))
    again: list[str] = []
    for path in (tmp_path / "results").rglob("*.json"):
        path.unlink()
    run_experiments(material, tmp_path, plan, ("stages-1-2",), log=again.append)
    assert result(tmp_path, "stages-1-2")["evaluations"] == whole["evaluations"], "not taught again"


def test_a_variant_changes_what_it_says_and_nothing_else() -> None:
    plan = load_plan("open")
    variants = {variant.name: settings(plan, variant, 0, 2000) for variant in plan.variants()}
    whole = variants["stages-1-2"]
    without = variants["without-align-loss"]
    assert without.stages[0].losses == dataclasses.replace(whole.stages[0].losses, align=0.0)
    assert without.model == whole.model
    assert not variants["no-memory"].model.use_memory and whole.model.use_memory
    assert variants["slots-16"].model.slot_count == 16 and variants["slots-16"].stages[0].losses.slots == 0.0
    assert variants["one-hot"].stages[0] == whole.stages[0], "labels change nothing in stage 1"


def test_a_budget_in_steps_is_the_same_for_few_clips_and_many() -> None:
    plan = dataclasses.replace(PLAN, budget=Budget(memorize=60, validations=3))
    variant = plan.variants(("stage-1",))[0]
    for clips in (40, 80, 120):
        config = settings(plan, variant, 0, clips).stages[0]
        assert config.epochs * (clips // config.batch_size) == 60
        assert config.epochs // config.validate_every == 3 or config.epochs < 3
    assert settings(PLAN, variant, 0, 40).stages[0].epochs == PLAN.memorize.epochs, "without steps its own epochs"


def test_more_seeds_are_for_the_named_variants_alone() -> None:
    plan = dataclasses.replace(PLAN, more_seeds=(0, 1, 2), repeated=BASELINES)
    work = [(seed, variant.name) for seed, variant in plan.work()]
    assert work[: -2 * len(BASELINES)] == [(0, variant.name) for variant in PLAN.variants()]
    assert work[-2 * len(BASELINES) :] == [(seed, name) for seed in (1, 2) for name in BASELINES]
    assert [(seed, variant.name) for seed, variant in plan.work(("one-hot",))] == [(0, "one-hot")]
    with pytest.raises(ConfigError, match="no variant 'stage-3'"):
        dataclasses.replace(plan, repeated=("stage-3",)).work()


def test_slips_in_a_plan_are_refused_before_anything_is_trained(material: Material, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no variant 'stage-3'.*stages-1-2"):
        PLAN.variants(("stage-3",))
    with pytest.raises(ConfigError, match="no variant"):
        dataclasses.replace(PLAN, edits={"stage-3": {}}).variants()
    slip = dataclasses.replace(PLAN, edits={"stage-1": {"memorize": {"epoch": 3}}})
    with pytest.raises(ConfigError, match="Unknown key 'epoch'"):
        run_experiments(material, tmp_path, slip, ("neutral-face", "stage-1"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="no plan 'closed'.*open, paper"):
        load_plan("closed")


def test_edits_go_in_depth() -> None:
    values = {"a": 1, "b": {"c": 2, "d": 3}}
    assert merged(values, {"b": {"c": 5}}) == {"a": 1, "b": {"c": 5, "d": 3}}
    assert values["b"]["c"] == 2


# material


def test_sets_of_speakers_are_nested_and_equal_in_clips() -> None:
    clips = tuple(clip(100 * s + i, f"s{s:02d}") for s in range(12) for i in range(3 if s % 3 else 20))
    sets = nested_speakers(clips, (2, 4, 8, 0), 36)
    people = {count: {c.speaker for c in own} for count, own in sets.items()}
    assert [len(people[count]) for count in (2, 4, 8, 0)] == [2, 4, 8, 12]
    assert people[2] < people[4] < people[8] < people[0]
    for own in sets.values():
        assert len(own) == 36 == len({c.name for c in own})
    shares = [sum(c.speaker == name for c in sets[2]) for name in people[2]]
    assert shares == [18, 18], "those who are rich in clips come first, so that shares are equal"
    held = {c.name for c in sets[0] if c.speaker in people[2]}
    assert held <= {c.name for c in sets[2]}, "a smaller share is part of the larger"
    with pytest.raises(ConfigError, match="there are 12"):
        nested_speakers(clips, (13,), 36)
    with pytest.raises(ConfigError, match="lower speaker_clips"):
        nested_speakers(clips, (2,), 50)


def test_selection_speakers_and_their_synthetic_versions_are_not_trained_on() -> None:
    clips = list(clips_of("ABCDEFGH", 3)) + [clip(900 + i, f"{name}.twin") for i, name in enumerate("ABCDEFGH")]
    training, selection = hold_out(clips, 2)
    chosen = {c.speaker for c in selection}
    assert len(chosen) == 2 and not any(name.endswith(".twin") for name in chosen)
    assert not {c.speaker.removesuffix(".twin") for c in training} & chosen
    with pytest.raises(ConfigError, match="lower held_speakers"):
        hold_out(clips, 7)


def test_pieces_are_joined_to_the_clips_they_came_from() -> None:
    config = FAMILIES["open"]
    whole = [clip(1, "A", 300), clip(2, "A", 30)]
    again = joined([piece for one in whole for piece in split_long(one, 2.0, config)])
    assert [c.name for c in again] == [c.name for c in whole]
    for one, other in zip(again, whole, strict=True):
        assert all(torch.equal(getattr(one, key), getattr(other, key)) for key in ("states", "mel", "motion", "labels"))


# predictions and their evaluation


def test_batches_hold_every_clip_once_and_are_not_too_large(material: Material) -> None:
    groups = list(batches(material.evaluated, frames=60))
    assert sorted(sum(groups, [])) == list(range(6))
    sizes = [len(g) * max(material.evaluated[i].frames for i in g) for g in groups]
    assert max(sizes) <= 60 < sum(sizes)


def test_predictions_are_those_of_each_clip_alone(material: Material) -> None:
    model = random_model(FAMILIES["open"])
    styles = encode_styles(model, material.evaluated)
    together = predicted(model, encode(model, material.evaluated), styles)
    for number, one in enumerate(material.evaluated):
        torch.testing.assert_close(styles[number : number + 1], encode_styles(model, [one]), atol=1e-5, rtol=0)
        alone = predicted(model, encode(model, [one]), styles[number : number + 1])[0]
        assert alone.shape == (one.frames, 3 * VERTICES)
        np.testing.assert_allclose(together[number], alone, atol=1e-6)
    assert np.abs(together[0] - predicted(model, encode(model, material.evaluated))[0]).max() > 1e-6, "style shows"


def test_measures_are_those_of_evaluation_on_whole_faces(material: Material) -> None:
    made = [0.5 * c.motion.numpy() for c in material.evaluated]
    by_name = {c.name: (c, m) for c, m in zip(material.evaluated, made, strict=True)}
    templates = material.dataset.templates

    def sequence(c: TrainingClip) -> Sequence:
        return Sequence(c.name, c.speaker, "test", c.frames, 30, lambda: None,
                        lambda: templates[c.speaker] + c.motion.numpy().reshape(-1, VERTICES, 3))  # fmt: skip

    whole = dataclasses.replace(material.dataset, sequences=tuple(sequence(c) for c in material.evaluated))
    expected = evaluate(lambda s: by_name[s.name][1].reshape(-1, VERTICES, 3), whole, "test")
    measured = measure(material, {"half": made, "control": made})
    for one, other in zip(measured["half"].clips, expected.clips, strict=True):
        assert (one.name, one.frames) == (other.name, other.frames)
        for name, value in other.values.items():
            np.testing.assert_allclose(one.values[name], value, rtol=2e-5, err_msg=name)
    assert measured["half"].regions == expected.regions and measured["half"].vertex_count == VERTICES
    for name, interval in expected.pooled.items():
        np.testing.assert_allclose(dataclasses.astuple(measured["half"].pooled[name]), dataclasses.astuple(interval),
                                   rtol=2e-5)  # fmt: skip
    assert "fdd" not in measured["control"].pooled and "lve_max" in measured["control"].pooled
    np.testing.assert_allclose(lip_errors(material, made), [c.values["lve_mean"] for c in expected.clips], rtol=2e-5)


def test_errors_in_orthonormal_coordinates_are_those_of_the_vertices(material: Material) -> None:
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((3 * VERTICES, 5)))[0].T.astype(np.float32)
    small = [dataclasses.replace(c, motion=torch.from_numpy(c.motion.numpy() @ basis.T)) for c in material.evaluated]
    wide = [dataclasses.replace(c, motion=torch.from_numpy(s.motion.numpy() @ basis))
            for c, s in zip(material.evaluated, small, strict=True)]  # fmt: skip
    narrow = dataclasses.replace(material, evaluated=tuple(small), space=MotionSpace("toy", VERTICES, basis))
    plain = dataclasses.replace(material, evaluated=tuple(wide))
    made = still(small)
    for function in (face_errors, lip_errors):
        np.testing.assert_allclose(function(narrow, made), function(plain, still(wide)), rtol=1e-4)
    assert speaker_openings(narrow, made).true == pytest.approx(speaker_openings(plain, still(wide)).true, rel=1e-3)


def test_openings_show_who_opens_wide(material: Material) -> None:
    wide = {"X": 0.001, "Y": 0.004, "Z": 0.010}

    def opened(factor: float, reverse: bool = False) -> list[np.ndarray]:
        made = []
        for c in material.evaluated:
            offsets = np.zeros((c.frames, VERTICES, 3), np.float32)
            offsets[:, 1, 1] = factor * (0.011 - wide[c.speaker] if reverse else wide[c.speaker])
            made.append(offsets.reshape(c.frames, -1))
        return made

    evaluated = tuple(dataclasses.replace(c, motion=torch.from_numpy(m))
                   for c, m in zip(material.evaluated, opened(1.0), strict=True))  # fmt: skip
    planted = dataclasses.replace(material, evaluated=evaluated)
    assert speaker_openings(planted, opened(0.5)).correlation == pytest.approx(1.0)
    assert speaker_openings(planted, opened(0.5, reverse=True)).correlation == pytest.approx(-1.0)
    assert speaker_openings(planted, opened(0.0)).correlation is None, "a face that never opens tells no speakers apart"
    assert speaker_openings(planted, opened(0.5)).true == pytest.approx((0.001, 0.004, 0.010), rel=1e-5)


def test_another_speakers_style_is_another_speakers(material: Material) -> None:
    other = clips_of_other_speakers(material.evaluated)
    assert all(material.evaluated[i].speaker != c.speaker for i, c in zip(other, material.evaluated, strict=True))
    assert other == clips_of_other_speakers(material.evaluated)
    with pytest.raises(ValueError, match="two speakers"):
        clips_of_other_speakers(material.evaluated[:2])


def test_fitted_styles_find_the_planted_ones(material: Material) -> None:
    model = random_model(FAMILIES["open"])
    planted = {name: torch.full((1, 40), value) for name, value in (("X", 0.4), ("Y", 1.7), ("Z", 1.0))}
    styles = torch.cat([planted[c.speaker] for c in material.evaluated])
    encoded = encode(model, material.evaluated)
    targets = predicted(model, encoded, styles)
    clips = [
        dataclasses.replace(c, motion=torch.from_numpy(t)) for c, t in zip(material.evaluated, targets, strict=True)
    ]
    own = dataclasses.replace(material, evaluated=tuple(clips))
    neutral = face_errors(own, predicted(model, encoded)).sum()
    assert face_errors(own, predicted(model, encoded, best_styles(model, clips))).sum() < 0.2 * neutral


def test_evaluations_survive_being_stored(material: Material) -> None:
    measured = measure(material, {"still": still(material.evaluated)})["still"]
    again = from_json(json.loads(json.dumps(to_json(measured))))
    assert [vars(c) | {"values": None} for c in again.clips] == [vars(c) | {"values": None} for c in measured.clips]
    for one, other in zip(again.clips, measured.clips, strict=True):
        np.testing.assert_equal(dict(one.values), dict(other.values))
    pooled = [{name: vars(interval) for name, interval in one.pooled.items()} for one in (again, measured)]
    np.testing.assert_equal(*pooled)


# running


@pytest.fixture(scope="module")
def finished(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every kind of variant."""
    out = tmp_path_factory.mktemp("experiments")
    names = ("neutral-face", "no-memory", *BASELINES, "one-hot", "end-to-end", "slots-8", "speakers-2", "speakers-all")
    torch.set_num_threads(1)
    run_experiments(material, out, PLAN, names, log=lambda line: None)
    return out


def result(out: Path, name: str) -> dict:
    return json.loads((out / "results" / "seed0" / f"{name}.json").read_text(encoding="utf-8"))


def test_what_variants_have_in_common_is_trained_once(finished: Path) -> None:
    kinds = [path.name.split("-")[0] for path in (finished / "stages").iterdir()]
    # stage 1: no-memory, the whole model (shared by three variants), 8 slots, two sets of speakers
    assert sorted(kinds) == ["memorize"] * 5 + ["stylize"] * 5 + ["together"]
    keys = {name: result(finished, name)["stages"][0]["key"] for name in (*BASELINES, "one-hot", "no-memory")}
    assert keys["stage-1"] == keys["stages-1-2"] == keys["one-hot"] != keys["no-memory"]


def test_results_hold_controls_beside_the_variant(finished: Path) -> None:
    assert set(result(finished, "stages-1-2")["evaluations"]) == {"main", "neutral", "other speaker", "oracle"}
    assert set(result(finished, "stage-1")["evaluations"]) == {"main"}
    whole, first = result(finished, "stages-1-2"), result(finished, "stage-1")
    assert whole["evaluations"]["neutral"]["pooled"]["fve"] == first["evaluations"]["main"]["pooled"]["fve"]
    labels = result(finished, "one-hot")["labels"]
    assert labels["tried"] == 4 and labels["fve"]["min"] <= labels["fve"]["mean"] <= labels["fve"]["max"]
    assert labels["fve"]["std"] > 0, "labels differ"
    assert result(finished, "neutral-face")["stages"] == []
    assert result(finished, "speakers-2")["speakers"] == 2 and result(finished, "speakers-all")["speakers"] == 4
    counts = [result(finished, f"speakers-{name}")["clips"] for name in (2, "all")]
    assert counts == [6, 6]


def test_nothing_is_done_twice(finished: Path, material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("this was done before")

    for name in ("memorize", "stylize", "train_together", "evaluate_variant"):
        monkeypatch.setattr(running, name, never)
    before = (finished / "results/seed0/stages-1-2.json").stat().st_mtime_ns
    lines: list[str] = []
    run_experiments(material, finished, PLAN, ("neutral-face", *BASELINES, "one-hot", "end-to-end"), log=lines.append)
    assert all("done before" in line for line in lines) and len(lines) == 5
    assert (finished / "results/seed0/stages-1-2.json").stat().st_mtime_ns == before


def test_a_changed_recipe_is_not_mistaken_for_the_old_one(
    finished: Path, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def note(model, inputs, config) -> None:
        trained.append(inputs.folder.name)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "memorize", note)
    changed = dataclasses.replace(PLAN, memorize=dataclasses.replace(PLAN.memorize, learning_rate=2e-3))
    for plan, own in ((changed, material), (PLAN, dataclasses.replace(material, selection=material.selection[:3]))):
        with pytest.raises(KeyboardInterrupt):
            run_experiments(own, finished, plan, ("stage-1",), log=lambda line: None)
    assert len(set(trained)) == 2
    assert not {path.name for path in (finished / "stages").iterdir()} & set(trained)

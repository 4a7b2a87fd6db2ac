"""What is written of experiments: tables that say what was planted, plots with named axes, text that stays."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_datasets import VOCASET_SUBJECTS, write_vocaset
from test_experiments import PLAN, finished, material  # noqa: F401  (fixtures)
from toy_models import FAMILIES

from memorytalker import cli
from memorytalker.config import ConfigError, LossConfig, TrainingConfig, write
from memorytalker.evaluation.bootstrap import Interval
from memorytalker.evaluation.evaluate import ClipFigures, Evaluation
from memorytalker.experiments import plots, tables
from memorytalker.experiments.measurement import to_json
from memorytalker.experiments.plan import Plan
from memorytalker.experiments.report import read_results, seeds_sentence, with_sections, write_report
from memorytalker.experiments.slot_maps import feature_map


def evaluation(errors: list[float]) -> Evaluation:
    """Two clips each of three speakers, their largest lip error planted in 1e-5 square metres."""
    clips = tuple(
        ClipFigures(f"c{i}", "ABC"[i // 2], 10 + i, {"fve": 1e-6, "lve_max": error * 1e-5, "mtm": float("nan")})
        for i, error in enumerate(errors)
    )
    value = float(np.average(errors, weights=[10 + i for i in range(6)])) * 1e-5
    pooled = {"fve": Interval(1e-6, 1e-6, 1e-6, 6), "lve_max": Interval(value, value, value, 6)}
    return Evaluation("main", "converted", "test", "d", 30, 20, clips, pooled, {}, (), "planted")


def result(name: str, *seeds: list[float]) -> tables.Result:
    return tables.result_of(
        [{"name": name, "seed": i, "evaluations": {"main": to_json(evaluation(e))}} for i, e in enumerate(seeds)]
    )


WORSE, BETTER = [4.0, 5.0, 6.0, 7.0, 8.0, 9.0], [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]


def test_pairs_show_the_planted_difference_with_its_sign() -> None:
    first, second = result("no-memory", WORSE), result("stage-1", BETTER)
    lines = tables.paired_table([first, second], [second]).splitlines()
    row = next(line for line in lines if "`no-memory`" in line and "maximum form" in line)
    assert row.count("+1.000 [+1.000, +1.000]") == 2, "over clips and over speakers"
    assert "| – | – |" in next(line for line in lines if line.startswith("| `stage-1`"))


def test_the_order_is_reported_as_it_is() -> None:
    better, worse = result("stage-1", BETTER), result("no-memory", WORSE)
    assert "`no-memory` > `stage-1` holds: difference +1.000" in tables.order_sentence([worse, better])
    turned = [result("stage-1", WORSE), result("no-memory", BETTER)]
    assert "is reversed: difference -1.000" in tables.order_sentence(turned)
    mixed = [result("no-memory", [4.0, 4.0, 6.0, 6.0, 8.0, 8.0]), result("stage-1", [5.0, 5.0, 5.0, 5.0, 8.1, 8.1])]
    assert "is not decided" in tables.order_sentence(mixed)


def test_the_order_is_told_seed_by_seed() -> None:
    worse, better = result("no-memory", WORSE, WORSE, BETTER), result("stage-1", BETTER, WORSE, WORSE)
    told = tables.order_sentence([worse, better])
    assert told.endswith("One seed at a time: +1.000 in seed 0, +0.000 in seed 1, -1.000 in seed 2.")
    assert "seed" not in tables.order_sentence([result("no-memory", WORSE), better]), "seed 0 is all that both have"


def test_conditions_say_which_variants_had_more_seeds() -> None:
    few, many = result("one-hot", WORSE), result("stage-1", BETTER, WORSE, WORSE)
    assert seeds_sentence([few, many]) == "Seeds: 0; the mean of 0, 1, 2 for `stage-1`."
    assert seeds_sentence([many]) == "Seeds: 0, 1, 2."


def test_seeds_are_averaged_clip_by_clip() -> None:
    both = result("stage-1", [1.0] * 6, [3.0] * 6)
    assert both.main.pooled["lve_max"].value == pytest.approx(2e-5)
    assert [c.values["lve_max"] for c in both.main.clips] == pytest.approx([2e-5] * 6)
    assert np.isnan(both.main.clips[0].values["mtm"])
    other = evaluation(BETTER)
    renamed = dataclasses.replace(other, clips=tuple(dataclasses.replace(c, name="x" + c.name) for c in other.clips))
    with pytest.raises(ValueError, match="different clips"):
        tables.mean_over_seeds([other, renamed])


def test_text_around_the_markers_stays() -> None:
    text = "# Mine\n\nbefore\n<!-- experiments budget -->\nold\n<!-- /experiments budget -->\nafter\n"
    found = with_sections(text, {"budget": "new", "order": "- holds"})
    assert "# Mine\n\nbefore\n<!-- experiments budget -->\nnew\n<!-- /experiments budget -->\nafter\n" in found
    assert "\nold" not in found and found.rstrip().endswith("- holds\n<!-- /experiments order -->")
    assert with_sections(found, {"budget": "new", "order": "- holds"}) == found
    with pytest.raises(ConfigError, match="has no <!-- /experiments budget"):
        with_sections("<!-- experiments budget -->\n", {"budget": "new"})


def test_a_report_is_written_whole_and_again_the_same(finished: Path, material, tmp_path: Path) -> None:  # noqa: F811
    to, plots_folder = tmp_path / "EXPERIMENTS.md", tmp_path / "docs" / "experiments"
    written = write_report(finished, to, plots_folder, material)
    names = {path.name for path in written}
    assert names == {"EXPERIMENTS.md", "variants.png", "speakers.png", "openness.png", "features-by-speaker.png"}
    text = to.read_text(encoding="utf-8")
    for variant in read_results(finished):
        assert f"`{variant}`" in text
    speakers = text.split("<!-- experiments speakers -->")[1].split("<!-- /experiments speakers -->")[0]
    assert "| variant |" in speakers, "the plot of the same name does not take the table's place"
    assert "(docs/experiments/speakers.png)" in text and "nearest clip" in text and "labels tried" in text
    for path in written[1:]:
        assert path.stat().st_size < 100_000
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 5, f"{path.name} is not empty"
    write_report(finished, to, plots_folder, material)
    assert to.read_text(encoding="utf-8") == text
    with pytest.raises(ConfigError, match="no results"):
        write_report(tmp_path / "nowhere", to, plots_folder)


def test_results_stand_in_the_order_of_the_plan(finished: Path) -> None:  # noqa: F811
    known = [variant.name for variant in PLAN.variants()]
    found = list(read_results(finished))
    assert found == sorted(found, key=known.index)


def test_features_of_planted_speakers_are_found() -> None:
    random = np.random.default_rng(0)
    speakers = ["A"] * 12 + ["B"] * 12 + ["C"] * 12
    centres = {name: 5 * random.standard_normal(8) for name in "ABC"}
    apart = np.stack([centres[s] + 0.1 * random.standard_normal(8) for s in speakers])
    found = feature_map(apart, speakers)
    assert found.neighbour == 1.0 and found.silhouette > 0.9 and found.chance == pytest.approx(11 / 35)
    assert found.pca.shape == found.tsne.shape == (36, 2)
    mixed = feature_map(random.standard_normal((36, 8)), speakers)
    assert mixed.neighbour < 0.7 and mixed.silhouette < 0.1
    np.testing.assert_allclose(feature_map(apart, speakers).tsne, found.tsne, err_msg="the seed is fixed")


def test_every_speaker_has_a_mark_of_their_own() -> None:
    names = [f"s{i:02d}" for i in range(24)]
    axes = plots.speaker_maps([("PCA", np.zeros((24, 2)))], names).axes[0]
    looks = {(one.get_facecolor().tobytes(), one.get_paths()[0].vertices.tobytes()) for one in axes.collections}
    assert len(looks) == 24


def test_plots_name_their_axes_and_units() -> None:
    one, two = Interval(2.0, 1.5, 2.5, 9), Interval(3.0, 2.0, 4.0, 9)
    bars = plots.interval_bars([("stage-1", one, 0), ("no-memory", two, 1)], "LVE, 1e-5 m²").axes[0]
    assert bars.get_xlabel() == "LVE, 1e-5 m²"
    assert [label.get_text() for label in bars.get_yticklabels()] == ["stage-1", "no-memory"]
    grown = plots.growth({"stage 1": [(4, two), (8, one)], "both": [(4, one), (8, one)]}, "LVE, 1e-5 m²").axes[0]
    assert grown.get_xscale() == "log" and "speakers" in grown.get_xlabel() and grown.get_ylabel() == "LVE, 1e-5 m²"
    opened = plots.opening_plot([("stage-1", [0.001, 0.002], [0.001, 0.001], None)]).axes[0]
    assert "mm" in opened.get_xlabel() and "mm" in opened.get_ylabel() and "undefined" in opened.get_title()
    points = opened.collections[0].get_offsets()
    np.testing.assert_allclose(points, [[1.0, 1.0], [2.0, 1.0]], err_msg="metres are drawn as millimetres")


def test_the_same_command_takes_another_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = ("FaceTalk_170908_03277_TA", "FaceTalk_170731_00024_TA")  # of validation and test
    subjects = [*VOCASET_SUBJECTS, *others]
    write_vocaset(tmp_path / "data", subjects, seconds=0.4)
    losses = LossConfig(lips_in_stage_one=0.0)
    training = TrainingConfig(epochs=1, batch_size=2, learning_rate=1e-3, losses=losses)
    plan = Plan(
        model=FAMILIES["vocaset"], memorize=training, stylize=dataclasses.replace(training, stage="stylize"),
        together=dataclasses.replace(training, stage="together"), speaker_counts=(2,), speaker_clips=4, slot_counts=(),
    )  # fmt: skip
    write(plan, tmp_path / "plan.json")
    words = ["experiments", "run", tmp_path / "data", "--out", tmp_path / "runs", "--plan", tmp_path / "plan.json"]
    assert cli.main([str(word) for word in words]) == 2
    assert "--encoder random" in capsys.readouterr().err
    words += ["--encoder", "random", "--only", "neutral-face", "one-hot", "end-to-end"]
    assert cli.main([str(word) for word in words]) == 0
    printed = capsys.readouterr().out
    assert "one-hot (seed 0): memorize" in printed and "experiments report" in printed
    runs = read_results(tmp_path / "runs")
    assert set(runs) == {"neutral-face", "one-hot", "end-to-end"}
    for name in runs:
        assert runs[name].main.speakers == tuple(sorted((subjects[3], subjects[5]))), "unseen speakers judge"
    assert runs["one-hot"].first["labels"]["tried"] == 2
    words = ["experiments", "report", tmp_path / "runs", "--to", tmp_path / "E.md", "--plots", tmp_path / "plots"]
    assert cli.main([str(word) for word in words]) == 0
    assert "5023 vertices" in (tmp_path / "E.md").read_text(encoding="utf-8")

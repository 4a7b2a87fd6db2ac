"""Results of experiments and the list of bundled clips: what was written, or one sentence that names the file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from reader_checks import ABSURD_VALUES, ANY_BYTES, STEADY, cut_or_changed, json_of, other_values, outcome, refused_well
from test_experiments_report import BETTER, WORSE, evaluation
from toy_models import FAMILIES

from memorytalker.comparison import bundled
from memorytalker.comparison.arrays import GroundTruthError
from memorytalker.config import ConfigError, to_dict
from memorytalker.evaluation import bootstrap
from memorytalker.experiments import report, tables
from memorytalker.experiments.measurement import to_json
from memorytalker.experiments.report import _tables, read_results, write_report
from memorytalker.experiments.results import Trained, last_step, read_result, read_trained

FEWER = settings(STEADY, max_examples=20)
DONE = {"key": "k", "stage": "memorize", "seconds": 1.5, "steps": 9, "clips": 6, "speakers": 3, "resumed": False}
SPREAD = {"mean": 1e-5, "std": 0.0, "min": 1e-5, "max": 2e-5}
RESULT = {
    "name": "stages-1-2", "shows": "The whole model.", "about": "", "group": "parts", "order": 2, "seed": 0, "key": "k",
    "style": "own", "stages": [DONE, DONE | {"stage": "stylize"}],
    "configs": {"model": to_dict(FAMILIES["open"]), "stages": []}, "clips": 6, "speakers": 3,
    "evaluations": {name: to_json(evaluation(BETTER)) for name in ("main", "neutral", "mean label", "other speaker")},
    "openings": {"main": {"speakers": ["A", "B"], "true": [0.1, 0.2], "predicted": [0.1, 0.3], "correlation": None}},
    "labels": {"tried": 3, "middle": "A", "fve": SPREAD, "lve_mean": SPREAD | {"mean": float("nan")}},
    "parameters": {"all": 5}, "evaluation_seconds": 0.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Results of two variants and two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        for name, errors in (("stages-1-2", BETTER), ("stage-1", WORSE)):
            path = folder / "results" / f"seed{seed}" / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            main = {"main": to_json(evaluation([error + seed for error in errors]))}
            changed = {"name": name, "seed": seed, "evaluations": RESULT["evaluations"] | main}
            path.write_text(json.dumps(RESULT | changed) + "\n")
    return folder


@pytest.fixture
def path(runs: Path):
    """One of the result files, put back afterwards."""
    path = runs / "results" / "seed1" / "stage-1.json"
    good = path.read_bytes()
    yield path
    path.write_bytes(good)


def named(path: Path, read: Callable[[], Any]) -> Any:
    """What is read, or None for a refusal in one sentence that names the file."""
    try:
        return read()
    except ConfigError as error:
        refused_well(error)
        assert str(path) in str(error) or "Results of different seeds" in str(error), error
        return None


def places(value: Any, at: tuple = ()) -> list[tuple]:
    """Where the values of a result lie; of a list only the first, as the others are alike."""
    inside = list(value.items()) if isinstance(value, dict) else list(enumerate(value))[:1]
    found = []
    for key, one in inside:
        found.append((*at, key))
        if isinstance(one, (dict, list)):
            found += places(one, (*at, key))
    return found


def test_results_are_read_as_they_were_written(runs: Path, path: Path) -> None:
    assert read_result(path)["evaluations"]["neutral"] == RESULT["evaluations"]["neutral"]
    results = read_results(runs)
    assert [run["seed"] for run in results["stage-1"].runs] == [0, 1]
    found = [clip.values["lve_max"] for clip in results["stage-1"].main.clips]
    assert found == pytest.approx([(error + 0.5) * 1e-5 for error in WORSE])
    assert results["stages-1-2"].evaluations["neutral"].pooled["lve_max"].value == pytest.approx(
        evaluation(BETTER).pooled["lve_max"].value
    )


def test_results_that_were_changed_a_little(path: Path) -> None:
    good, read_as = path.read_bytes(), []
    for changed in (good, *cut_or_changed(good, seed=1), *other_values(good, seed=2)):
        path.write_bytes(changed)
        read_as.append(named(path, lambda: read_result(path)) is not None)
    assert read_as[0] and 5 < sum(read_as) < 195


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals from few draws: not their figures are asked for here."""
    few = tuple({bootstrap.DRAWS: 4}.get(value, value) for value in bootstrap.mean_interval.__defaults__)
    monkeypatch.setattr(bootstrap.mean_interval, "__defaults__", few)


def test_any_value_anywhere_in_a_result(path: Path, few_draws) -> None:
    """Of what is read, tables can be written."""
    spots = [at for at in places(RESULT) if at[:2] != ("configs", "model") or len(at) == 2]
    assert len(spots) > 60
    for number, at in enumerate(spots):
        for absurd in ABSURD_VALUES[number % 5 :: 5]:
            if isinstance(absurd, int) and abs(absurd) > 10**300:
                continue
            values = copy.deepcopy(RESULT)
            holder = values
            for key in at[:-1]:
                holder = holder[key]
            holder[at[-1]] = absurd
            path.write_text(json.dumps(values))
            made = named(path, lambda: read_result(path))
            if made is not None:
                written = outcome(lambda made=made: _tables({"any": tables.result_of([made])}))
                assert written is None or "Evaluated on 6 clips" in written["conditions"]


@pytest.mark.parametrize("key", RESULT)
def test_a_result_without_a_key_or_with_one_more(path: Path, key: str) -> None:
    path.write_text(json.dumps({name: value for name, value in RESULT.items() if name != key}))
    made = named(path, lambda: read_result(path))
    assert (made is None) == (key not in ("about", "order", "labels"))
    path.write_text(json.dumps(RESULT | {key + "x": 1}))
    with pytest.raises(ConfigError, match=f"Unknown key '{key}x' in StoredResult; valid keys: about, clips, "):
        read_result(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"group": "nobody"}, "no group 'nobody'; there are parts, losses, slots, speakers"),
        ({"evaluations": {}}, "needs an evaluation 'main'"),
        ({"parameters": {}}, "number of all parameters"),
        ({"openings": {"main": {"speakers": ["A"], "true": [], "predicted": []}}}, "not a number for each speaker"),
        ({"labels": {"tried": 1}}, "spread over labels"),
        ({"stages": [DONE | {"steps": -1}]}, "Trained.steps is -1"),
        ({"evaluations": {"main": RESULT["evaluations"]["main"] | {"clips": []}}}, "has no clips"),
        ({"evaluations": {"main": RESULT["evaluations"]["main"] | {"fps": 0}}}, "StoredEvaluation.fps is 0"),
    ],
)
def test_what_no_experiment_finds_is_refused(path: Path, changes: dict, words: str) -> None:
    path.write_text(json.dumps(RESULT | changes))
    with pytest.raises(ConfigError, match=words) as refusal:
        read_result(path)
    assert str(path) in str(refusal.value)


@FEWER
@given(
    values=json_of("name group stages evaluations main clips values pooled value low high labels openings parts all")
)
def test_any_json_as_a_result(runs: Path, values: dict) -> None:
    path = runs / "any.json"
    for whole in (values, RESULT | {"evaluations": {"main": RESULT["evaluations"]["main"] | values}}):
        try:
            path.write_text(json.dumps(whole))
        except ValueError:  # a whole number of too many digits
            return
        named(path, lambda: read_result(path))
        named(path, lambda: read_trained(path))


@FEWER
@given(content=ANY_BYTES)
def test_any_bytes_as_a_result(runs: Path, content: bytes) -> None:
    path = runs / "any.json"
    path.write_bytes(content)
    for read in (read_result, read_trained, last_step):
        named(path, lambda read=read: read(path))


def test_a_finished_stage_is_read_as_it_was_written_and_changed_a_little(runs: Path) -> None:
    path = runs / "done.json"
    path.write_text(json.dumps(DONE) + "\n")
    assert read_trained(path) == Trained(**DONE) and vars(read_trained(path)) == DONE
    good, read_as = path.read_bytes(), []
    for changed in (*cut_or_changed(good, seed=3), *other_values(good, seed=4)):
        path.write_bytes(changed)
        read_as.append(named(path, lambda: read_trained(path)) is not None)
    assert 0 < sum(read_as) < 195


def test_the_last_step_of_a_log_that_was_changed_a_little(runs: Path) -> None:
    path = runs / "log.jsonl"
    good = b'{"step": 1, "loss": 0.5}\n{"step": 20, "loss": 0.25}\n'
    path.write_bytes(good)
    assert last_step(path) == 20
    read_as = []
    for changed in (*cut_or_changed(good, seed=5), *other_values(good, seed=6)):
        path.write_bytes(changed)
        found = named(path, lambda: last_step(path))
        assert found is None or type(found) is int
        read_as.append(found is not None)
    assert 0 < sum(read_as) < 200


def test_a_report_is_not_written_over_what_is_no_text(
    runs: Path, tmp_path: Path, few_draws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_plots", lambda results, folder: [])
    (tmp_path / "report.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"report.md is no text that can be read; name another file\.$"):
        write_report(runs, tmp_path / "report.md", tmp_path)
    assert (tmp_path / "report.md").read_bytes() == b"\xff\xfe"


# Bundled clips


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the list of clips."""
    good = (bundled.FOLDER / "clips.json").read_bytes()
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    (tmp_path / "clips.json").write_bytes(good)
    return tmp_path / "clips.json"


def test_the_list_of_clips_that_was_changed_a_little(listed: Path) -> None:
    good, read_as = listed.read_bytes(), []
    for changed in (good, *cut_or_changed(good, seed=7), *other_values(good, seed=8)):
        listed.write_bytes(changed)
        clips = outcome(bundled.bundled_clips)
        read_as.append(clips is not None)
        for clip in clips or ():
            assert all(isinstance(value, str) for value in vars(clip).values()) and clip.kind in bundled.KINDS
            assert (listed.parent / clip.motion).parent == (listed.parent / clip.sound).parent == listed.parent
    assert read_as[0] and 5 < sum(read_as) < 195


@pytest.mark.parametrize("key", ["name", "words", "kind", "training", "motion", "sound"])
def test_any_value_in_the_list_of_clips(listed: Path, key: str) -> None:
    first = json.loads(listed.read_bytes())[0]
    for absurd in (*ABSURD_VALUES, "/etc/x", "..", "a/b", "a\\b"):
        if not (isinstance(absurd, int) and abs(absurd) > 10**300):
            listed.write_text(json.dumps([first | {key: absurd}]))
            made = outcome(bundled.bundled_clips)
            assert made is None or isinstance(absurd, str)
            if key in ("motion", "sound", "kind"):
                assert made is None or absurd in ("5", "x" * 5000)
    for entries in ([first | {key + "x": 1}], [{name: value for name, value in first.items() if name != key}]):
        listed.write_text(json.dumps(entries))
        with pytest.raises(GroundTruthError, match="not here"):
            bundled.bundled_clips()


@FEWER
@given(content=ANY_BYTES)
def test_any_bytes_as_the_list_of_clips(tmp_path_factory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("clips")
    (folder / "clips.json").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundled, "FOLDER", folder)
        outcome(bundled.bundled_clips)

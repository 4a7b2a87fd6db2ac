"""Every file that a training keeps and reads again: what was kept, or one sentence that names it."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_checks import ABSURD_VALUES, ANY_BYTES, STEADY, cut_or_changed, json_of, other_values, refused_well
from safetensors.torch import save
from test_cache import make_corpus
from toy_models import FAMILIES, random_model

from memorytalker.config import ConfigError, ModelConfig, StyleConfig, to_dict
from memorytalker.corpus.clips import read_clips
from memorytalker.errors import InputError
from memorytalker.models.talker import MemoryTalker
from memorytalker.training import folder as run_folder
from memorytalker.training import recipe
from memorytalker.training.cache import StateCache, cache_features, cached_states, load_training_clips
from memorytalker.training.data import TrainingError
from memorytalker.training.folder import RunFolder, read_saved
from memorytalker.training.open_recipe import read_recipe
from memorytalker.training.recipe import REPORT_FILE
from memorytalker.training.space import MotionSpace
from memorytalker.training.style_regression import fit_style_encoder
from memorytalker.weights import WeightsError, read_checkpoint

FEWER = settings(STEADY, max_examples=25)
CONFIG = FAMILIES["open"]
STATISTICS = dataclasses.replace(CONFIG, style=StyleConfig(convolutions=False, statistics=True))
CHECKPOINT = {"step": 7, "best": 0.5, "sums": {"total": 1.0}, "model": {"a": torch.arange(3.0)}, "optimizer": {},
              "schedule": {}, "scaler": None}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def run(folder: Path) -> RunFolder:
    """A run with everything that it can hold."""
    kept = RunFolder(folder)
    kept.describe({"model": to_dict(CONFIG), "data": "a"}, {"commit": "one"})
    kept.save(CHECKPOINT)
    kept.save_best(random_model(CONFIG).state_dict())
    return kept


def named(path: Path, read: Callable[[], Any]) -> Any:
    """What is read, or None for a refusal in one sentence that names the file."""
    try:
        return read()
    except InputError as error:
        refused_well(error)
        assert str(path) in str(error) or path.name in str(error), error
        return None


def changed_a_little(path: Path, read: Callable[[], Any], seed: int, values: bool = False, step: int = 1) -> list[bool]:
    """Whether each of many files near to `path` was read, the file itself first; it is put back."""
    good, read_as = path.read_bytes(), []
    near = [*cut_or_changed(good, seed), *(other_values(good, seed + 1) if values else ())]
    for changed in (good, *near[::step]):
        path.write_bytes(changed)
        read_as.append(named(path, read) is not None)
    path.write_bytes(good)
    return read_as


# The description


@FEWER
@given(claim=st.dictionaries(st.sampled_from("model data seed notes".split()), st.text() | st.integers() | st.none()))
def test_a_run_is_described_as_it_was_claimed(tmp_path_factory, claim: dict) -> None:
    run = RunFolder(tmp_path_factory.mktemp("described"))
    run.describe(claim, {"commit": "one"})
    assert run.about() == {**claim, "sessions": [{"commit": "one"}]}
    run.save(CHECKPOINT)
    run.check(claim)
    with pytest.raises(ConfigError, match="other settings .data"):
        run.check({**claim, "data": "something else"})


def test_a_description_that_was_changed_a_little(folder: Path, run: RunFolder) -> None:
    path = folder / "run.json"
    read_as = changed_a_little(path, run.about, seed=1, values=True)
    assert read_as[0] and 5 < sum(read_as) < 195
    read_as = changed_a_little(path, run.model, seed=3, values=True, step=3)
    assert read_as[0] and 0 < sum(read_as) < 67

    def check() -> bool:
        try:
            run.check({"model": to_dict(CONFIG), "data": "a"})
        except ConfigError as error:  # another run, as it seems
            assert str(folder) in str(error)
        return True

    assert changed_a_little(path, check, seed=5, values=True, step=3)[0]


@FEWER
@given(values=json_of("model sessions training data name fps width slots speech style layers"))
def test_any_description(folder: Path, run: RunFolder, values: dict) -> None:
    path = folder / "run.json"
    good = path.read_bytes()
    try:
        path.write_text(json.dumps(values))
        for read in (run.about, run.model):
            named(path, read)
    except ValueError as error:  # a whole number of too many digits
        assert "digits" in str(error)
    finally:
        path.write_bytes(good)


def test_sessions_of_any_kind(folder: Path, run: RunFolder) -> None:
    path = folder / "run.json"
    good = path.read_bytes()
    for absurd in (None, 5, "x", {"a": 1}, True):
        path.write_text(json.dumps({"sessions": absurd}))
        with pytest.raises(TrainingError, match="run.json does not describe a run"):
            run.describe({}, {})
    path.write_bytes(good)


def test_a_large_model_is_not_built_of_small_weights(
    folder: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tens of gigabytes: only the outline is made, which has no numbers."""
    path, made, init = folder / "run.json", [], MemoryTalker.__init__

    def noted(self, config: ModelConfig) -> None:
        init(self, config)
        made.append({value.device.type for value in self.parameters()})

    monkeypatch.setattr(MemoryTalker, "__init__", noted)
    good = path.read_bytes()
    path.write_text(json.dumps({"model": to_dict(CONFIG) | {"coordinates": 3_000_000, "width": 8192}}))
    with pytest.raises(TrainingError, match="other weights than run.json"):
        run.model()
    path.write_bytes(good)
    assert made == [{"meta"}]


# The log


@FEWER
@given(steps=st.lists(st.integers(0, 20)), last=st.integers(0, 20), cut=ANY_BYTES)
def test_a_log_is_trimmed_to_what_was_logged_before(folder: Path, steps: list[int], last: int, cut: bytes) -> None:
    run, path = RunFolder(folder / "logged"), folder / "logged" / "log.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    for step in steps:
        run.log({"step": step, "loss": 0.5})
    path.write_bytes(path.read_bytes() + cut.replace(b"\n", b"").replace(b"\r", b""))
    run.trim(last)
    assert [json.loads(line)["step"] for line in path.read_bytes().splitlines()] == [s for s in steps if s <= last]


@pytest.mark.parametrize("line", ["5", "[]", "{}", '{"step": null}', '{"step": "1"}', '{"step": NaN}', "[" * 100_000,
                                  '{"step": 9999999999999}', "\udcff"])  # fmt: skip
def test_lines_that_no_log_has_are_dropped(folder: Path, line: str) -> None:
    path = folder / "log.jsonl"
    path.write_bytes(b'{"step": 1}\n' + line.encode(errors="surrogateescape") + b'\n{"step": 2}\n')
    RunFolder(folder).trim(10)
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n'


def test_a_log_is_not_read_beyond_its_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "LARGEST_LINES", 10)
    (folder / "log.jsonl").write_bytes(b'{"step": 1}\n')
    with pytest.raises(TrainingError, match=r"log.jsonl cannot be read, or is too large"):
        RunFolder(folder).trim(10)
    (folder / "log.jsonl").unlink()


# Tensors


def test_a_checkpoint_is_read_as_it_was_kept_and_changed_a_little(folder: Path, run: RunFolder) -> None:
    found = run.load()
    assert found is not None and (found.pop("model")["a"] == CHECKPOINT["model"]["a"]).all()
    assert found == {key: value for key, value in CHECKPOINT.items() if key != "model"}
    read_as = changed_a_little(folder / "last.pt", run.load, seed=7)
    assert read_as[0] and 0 < sum(read_as) < 101


def test_a_checkpoint_with_any_value(folder: Path, run: RunFolder) -> None:
    good = (folder / "last.pt").read_bytes()
    for key in ("step", "best", "model", "sums"):
        for absurd in ABSURD_VALUES[::2]:
            run.save(CHECKPOINT | {key: absurd})
            found = named(folder / "last.pt", run.load)
            if found is not None:
                assert type(found[key]) is type(CHECKPOINT[key]) and (key != "step" or found[key] >= 0)
        run.save({name: value for name, value in CHECKPOINT.items() if name != key})
        assert named(folder / "last.pt", run.load) is None
    for whole in (5, [1], torch.zeros(2), "step"):
        torch.save(whole, folder / "last.pt")
        assert named(folder / "last.pt", run.load) is None
    (folder / "last.pt").write_bytes(good)


def test_best_weights_that_were_changed_a_little(folder: Path, run: RunFolder) -> None:
    model, path = random_model(CONFIG, seed=1), folder / "best.safetensors"

    def fill() -> MemoryTalker:
        run.fill(model)
        return model

    fill()
    for name, value in random_model(CONFIG).state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0)
    read_as = changed_a_little(path, fill, seed=9, step=3)
    assert read_as[0] and 0 < sum(read_as) < 35
    good, state = path.read_bytes(), random_model(CONFIG).state_dict()
    for change in ({"text.bias": torch.full_like(state["text.bias"], torch.nan)}, {"text.bias": torch.zeros(1)},
                   {"more": torch.zeros(1)}):  # fmt: skip
        path.write_bytes(save(state | change))
        assert named(path, fill) is None and named(path, run.model) is None
    path.write_bytes(good)


@pytest.mark.parametrize("read", [read_saved, read_checkpoint], ids=["of a run", "of the paper's code"])
def test_an_archive_that_grows_is_not_unpacked(folder: Path, read, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"a": torch.zeros(100_000)}, folder / "plain.pt")
    assert set(read(folder / "plain.pt")) == {"a"}
    with (
        zipfile.ZipFile(folder / "plain.pt") as plain,
        zipfile.ZipFile(folder / "x.pt", "w", zipfile.ZIP_DEFLATED) as x,
    ):
        for name in plain.namelist():
            x.writestr(name, plain.read(name))
    assert (folder / "x.pt").stat().st_size < 20_000
    unpacked: list[Any] = []
    monkeypatch.setattr(torch, "load", lambda *given, **more: unpacked.append(given))
    with pytest.raises((TrainingError, WeightsError), match="x.pt is"):
        read(folder / "x.pt")
    assert not unpacked


def test_a_public_checkpoint_that_was_changed_a_little(folder: Path) -> None:
    path = folder / "paper.pt"
    torch.save({"model": {"a.b": torch.arange(3.0)}}, path)
    assert (read_checkpoint(path)["a.b"] == torch.arange(3.0)).all()
    assert 0 < sum(changed_a_little(path, lambda: read_checkpoint(path), seed=11)) < 101


@FEWER
@given(content=ANY_BYTES)
def test_any_bytes_as_tensors(folder: Path, content: bytes) -> None:
    path = folder / "any.pt"
    path.write_bytes(content)
    for read in (read_saved, read_checkpoint):
        assert named(path, lambda read=read: read(path)) is None
    other = path.with_suffix(".safetensors")
    other.write_bytes(content)
    named(other, lambda: read_checkpoint(other))


def test_a_fitted_style_encoder_that_was_changed_a_little(folder: Path) -> None:
    fitted, model, path = random_model(STATISTICS), random_model(STATISTICS, seed=1), folder / "style.pt"
    kept = {name: value for name, value in fitted.state_dict().items() if name.startswith("style")}
    torch.save(kept, path)

    def fill() -> bool:
        fit_style_encoder(model, [], None, read_recipe().style_regression, path)
        return True

    assert fill() and all((model.state_dict()[name] == value).all() for name, value in kept.items())
    read_as = changed_a_little(path, fill, seed=13)
    assert read_as[0] and 0 < sum(read_as) < 101
    first = next(iter(kept))
    for other in (kept | {first: torch.zeros(3)}, kept | {first: torch.full_like(kept[first], torch.nan)},
                  kept | {"text.bias": torch.zeros(3)}, {first: kept[first]}, kept | {first: 5}, [1], {}):  # fmt: skip
        torch.save(other, path)
        assert named(path, fill) is None


# The cache


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, 1)
    cache_features(random_model(CONFIG), folder, folder)
    return folder


def test_features_are_read_as_they_were_stored_and_changed_a_little(corpus: Path) -> None:
    path, [clip] = corpus / "features" / "c0.npz", read_clips(corpus)[0]
    space = MotionSpace("toy", 20, np.eye(1, 60), np.ones((1, 1)), ("jawOpen",))
    arrays = dict(np.load(path))

    def load() -> Any:
        [loaded] = load_training_clips(corpus, "train", space, CONFIG)
        return loaded

    loaded = load()
    np.testing.assert_array_equal(loaded.states, arrays["states"])
    np.testing.assert_array_equal(loaded.mel, arrays["mel"])
    np.testing.assert_array_equal(cached_states(corpus, clip), arrays["states"])
    cached_states(corpus, clip)[0] = 0  # may be written to
    for read in (load, lambda: cached_states(corpus, clip)):
        read_as = changed_a_little(path, read, seed=15)
        assert read_as[0] and 0 < sum(read_as) < 101
    for name, array in arrays.items():
        for other in (array[:0], array.ravel(), array * np.nan, np.array(["x"] * 3), array.astype(complex), np.array(3),
                      np.array([{}], object)):  # fmt: skip
            np.savez(path, **arrays | {name: other})
            assert named(path, load) is None, (name, other.dtype, other.shape)
    np.savez(path, **arrays)


def test_a_mark_that_was_changed_a_little(corpus: Path) -> None:
    """Whatever it says, it is not taken for another encoder's without being readable."""
    path, model = corpus / "features" / "encoder.json", random_model(CONFIG)

    def claim() -> bool:
        try:
            cache_features(model, corpus, corpus)
        except TrainingError as error:
            if "made with another speech encoder" not in str(error):
                raise
        return True

    read_as = changed_a_little(path, claim, seed=17, values=True)
    assert read_as[0] and 5 < sum(read_as) < 195
    good = path.read_bytes()
    for absurd in ("[]", "5", '{"encoder": 5}', "{}", '{"encoder": null}'):
        path.write_text(absurd)
        with pytest.raises(TrainingError, match=r"encoder.json is damaged; delete it"):
            cache_features(model, corpus, corpus)
    path.write_bytes(good)


@pytest.mark.parametrize("states", [True, False], ids=["states", "sound"])
def test_pieces_of_a_cache_that_was_changed_a_little(tmp_path: Path, states: bool) -> None:
    model = random_model(CONFIG)
    cache, kind = StateCache(model, tmp_path, "a", states), "states" if states else "waveform"
    cache.folder.mkdir()
    random = np.random.default_rng(0)
    arrays = {"states": random.normal(size=(50, 32)).astype(np.float16), "mel": random.normal(size=(100, 80)),
              "waveform": random.normal(size=16000).astype(np.float32)}  # fmt: skip
    for name in (kind, "mel"):
        np.save(cache.folder / f"s.{name}.npy", arrays[name])
    assert (cache.read("s", 0, 30)[kind].numpy() == arrays[kind]).all()
    assert (cache.read_mel("s", 15, 15).numpy() == arrays["mel"][50:]).all()
    for name in (kind, "mel"):
        path, array = cache.folder / f"s.{name}.npy", arrays[name]
        read_as = changed_a_little(path, lambda: cache.read("s", 0, 30), seed=19)
        assert read_as[0] and 0 < sum(read_as) < 101
        for other in (array[:0], array.reshape(1, -1), array * np.nan, np.array(["x"] * 3), np.array(3.0),
                      array.astype(complex), np.array([{}], object)):  # fmt: skip
            np.save(path, other)
            assert named(path, lambda: cache.read("s", 0, 30)) is None, (name, other.dtype, other.shape)
        np.save(path, array)


# The report of a recipe


def test_a_report_that_was_changed_a_little(folder: Path) -> None:
    path = folder / REPORT_FILE
    path.write_text(json.dumps({"curve_regressor": None}))
    assert recipe._has_curve_regressor(folder)
    read_as = changed_a_little(path, lambda: recipe._has_curve_regressor(folder), seed=21, values=False)
    assert 0 < sum(read_as) < 101
    for absurd in ABSURD_VALUES:
        if not (isinstance(absurd, int) and abs(absurd) > 10**300):
            path.write_text(json.dumps(absurd))
            assert named(path, lambda: recipe._has_curve_regressor(folder)) is None
    path.unlink()
    assert not recipe._has_curve_regressor(folder)

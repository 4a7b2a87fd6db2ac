"""`train memorize` and `train stylize`: settings, both stages from the command line, refusals, the HuBERT preset."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic_datasets import write_vocaset

from memorytalker.cli import main
from memorytalker.config import ConfigError, to_dict
from memorytalker.datasets.sequences import FaceDataset, FaceRegions, Sequence
from memorytalker.phones import CHARACTERS
from memorytalker.sound.decode import Waveform
from memorytalker.training import settings
from memorytalker.training import style_regression as style_regression_module
from memorytalker.training.data import TrainingError
from memorytalker.training.folder import RunFolder
from memorytalker.training.open_recipe import read_recipe
from memorytalker.training.processes import device_of
from memorytalker.training.run import DatasetLocation, load_run, memorize_dataset
from memorytalker.training.settings import read_settings
from memorytalker.weights import load_weights

VERTICES = 40
STYLE = {"channels": 12, "strides": [1, 2, 2], "embedding": 10}
HUBERT = {"form": "hubert", "hidden_size": 16, "layers": 2, "heads": 2, "feedforward": 24, "head_channels": 0,
          "target_level": 0.0, "frozen": False, "resample": "before"}  # fmt: skip
MODEL = {"name": "toy", "width": 16, "slots": list(CHARACTERS), "style": STYLE, "speech": HUBERT}


@pytest.fixture(scope="module")
def vocaset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocaset")
    write_vocaset(folder, sentences=(1, 21), seconds=0.7, vertex_count=VERTICES)
    return folder


def settings_file(folder: Path, stage: str, **changes: object) -> Path:
    content: dict = {"training": {"stage": stage, "epochs": 2, "batch_size": 2, "learning_rate": 1e-3}}
    if stage == "memorize":
        content["model"] = MODEL
    path = folder / f"{stage}.json"
    path.write_text(json.dumps(content | changes))
    return path


@pytest.fixture(scope="module")
def stage_one(vocaset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    settings = settings_file(folder, "memorize")
    code = main([
        "train", "memorize", str(vocaset), "--config", str(settings), "--out", str(folder / "one"), "--random-encoder",
        "--device", "cpu",
    ])  # fmt: skip
    assert code == 0
    return folder / "one"


def test_both_stages_from_the_command_line(vocaset: Path, stage_one: Path, capsys) -> None:
    about = json.loads((stage_one / "run.json").read_text())
    assert about["encoder"] == "random weights, not pretrained"
    assert about["model"]["coordinates"] == 3 * VERTICES
    assert about["sessions"][0]["parameters"]["learning"] < about["sessions"][0]["parameters"]["all"]
    first = load_weights(stage_one / "weights")
    settings = settings_file(stage_one.parent, "stylize")
    out = stage_one.parent / "two"
    arguments = ["train", "stylize", str(vocaset), "--from", str(stage_one), "--config", str(settings)]
    arguments += ["--out", str(out)]
    assert main([*arguments, "--device", "cpu"]) == 0
    assert "Parameters" in capsys.readouterr().out
    second = load_weights(out / "weights")
    assert not torch.equal(second.style_mean, first.style_mean)
    for name, value in first.state_dict().items():
        assert name.startswith("style") or torch.equal(second.state_dict()[name], value), name
    for run in (stage_one, out):
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == [1, 2]
        assert list((run / "tensorboard").glob("events*"))
    assert main([*arguments, "--device", "cpu"]) == 0, "a finished run stays as it is"
    assert len((out / "log.jsonl").read_text().splitlines()) == 2


def test_the_trained_part_of_hubert_is_its_transformer(vocaset: Path, stage_one: Path) -> None:
    model, _ = load_run(stage_one)
    torch.manual_seed(0)
    fresh = type(model)(model.config).state_dict()
    last = torch.load(stage_one / "last.pt", weights_only=True)["model"]
    moved = {name for name, value in last.items() if not torch.equal(value, fresh[name])}
    assert "speech.encoder.feature_projection.projection.weight" in moved
    assert any(name.startswith("speech.encoder.encoder.layers.1") for name in moved)
    assert not any(name.startswith(("speech.encoder.feature_extractor", "style")) for name in moved)


def test_refusals_are_one_plain_sentence(vocaset: Path, stage_one: Path, tmp_path: Path, capsys) -> None:
    def refused(*words: object) -> str:
        assert main(["train", *map(str, words), "--device", "cpu"]) == 2
        return capsys.readouterr().err

    memorize = settings_file(tmp_path, "memorize")
    stylize = settings_file(tmp_path, "stylize")
    out = ("--out", tmp_path / "run")
    assert "stage" in refused("memorize", vocaset, "--config", stylize, *out)
    assert "--random-encoder" in refused("memorize", vocaset, "--config", memorize, *out)
    absent = tmp_path / "absent"
    assert "--random-encoder" in refused("memorize", vocaset, "--config", memorize, "--encoder", absent, *out)
    assert "open, vocaset, biwi" in refused("memorize", vocaset, "--config", "none", *out)
    assert "run.json" in refused("stylize", vocaset, "--from", tmp_path, "--config", stylize, *out)
    assert "frames a second" in refused("memorize", vocaset, "--config", "biwi", "--random-encoder", *out)
    again = ("--from", stage_one, "--config", stylize, "--out", stage_one)
    assert "another folder" in refused("stylize", vocaset, *again)
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "run.json").write_text((stage_one / "run.json").read_text())
    assert "to its end" in refused("stylize", vocaset, "--from", unfinished, "--config", stylize, *out)
    wrong = settings_file(tmp_path, "memorize", trainin={})
    assert "valid keys: model, training" in refused("memorize", vocaset, "--config", wrong, *out)
    assert not (tmp_path / "run").exists()


def test_the_open_preset_is_the_recipe_of_the_shipped_weights() -> None:
    recipe = read_recipe()
    first, second = read_settings("memorize", "open"), read_settings("stylize", "open")
    assert first.training == recipe.memorize
    assert second.style_regression == recipe.style_regression and second.training is None
    speech = dataclasses.replace(recipe.model.speech, initialise_from="open")
    assert first.model == dataclasses.replace(recipe.model, speech=speech), "only whose encoder it starts from is added"
    assert not list(Path(settings.__file__).parent.glob("*_open.json")), "there is no second place that says it"


@pytest.mark.parametrize("name", ["vocaset", "biwi"])
def test_presets_read_and_are_the_papers(name: str) -> None:
    first, second = read_settings("memorize", name), read_settings("stylize", name)
    assert second.training.stage == "stylize" and second.style_regression is None
    model = first.model
    assert (model.width, model.scaling, model.attention_heads) == (96, 16.0, 4)
    assert (first.training.learning_rate, second.training.learning_rate) == (1e-4, 5e-5)
    for training in (first.training, second.training):
        assert (training.epochs, training.batch_size, training.weight_decay) == (100, 1, 0.0)
    assert model.slots == CHARACTERS and not model.speech.frozen and model.motion_scale == 1.0
    rates = {"vocaset": (30, 30, 1, "before"), "biwi": (25, 25, 2, "after")}
    assert (model.fps, model.period, model.text_frames, model.speech.resample) == rates[name]


def test_a_stage_two_in_closed_form_is_a_run_as_any(vocaset: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """What the recipe of the open weights does in stage 2, on a data set and at toy size."""

    def train(*words: object) -> int:
        return main(["train", *map(str, words), "--device", "cpu"])

    style = {"statistics": True, "convolutions": False}
    first = settings_file(tmp_path, "memorize", model={**MODEL, "style": style},
                          training={"stage": "memorize", "epochs": 1, "batch_size": 2})  # fmt: skip
    one, two = tmp_path / "one", tmp_path / "two"
    assert train("memorize", vocaset, "--config", first, "--out", one, "--random-encoder") == 0
    style_regression = to_dict(read_recipe().style_regression) | {"fit_steps": 3, "losses": {}}
    second = settings_file(tmp_path, "stylize", training=None, style_regression=style_regression)
    given = ("stylize", vocaset, "--from", one, "--config", second, "--out", two)
    assert train(*given) == 0
    before, after = load_weights(one / "weights").state_dict(), load_weights(two / "weights").state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {"style.feature.weight", "style_mean"} <= changed and all(name.startswith("style") for name in changed)
    assert json.loads((two / "run.json").read_text())["style_regression"]["fit_steps"] == 3
    loaded, _ = load_run(two)
    torch.testing.assert_close(loaded.style.feature.weight, load_weights(two / "weights").style.feature.weight)

    monkeypatch.setattr(style_regression_module, "fitted_styles", lambda *about: pytest.fail("it was taught before"))
    assert train(*given) == 0
    changed = settings_file(tmp_path, "stylize", training=None, style_regression=style_regression | {"fit_steps": 4})
    capsys.readouterr()
    assert train(*given[:4], "--config", changed, "--out", two) == 2
    assert "other settings (style_regression)" in capsys.readouterr().err
    both = settings_file(tmp_path, "stylize", style_regression=style_regression)
    assert train(*given[:4], "--config", both, "--out", tmp_path / "three") == 2
    assert "leave one of them out" in capsys.readouterr().err


def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"training": {"stage": "memorize", "rate": 1}}')
    with pytest.raises(ConfigError, match="learning_rate"):
        read_settings("memorize", str(tmp_path / "a.json"))
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="CUDA"):
            device_of("cuda")


def half_second(voice: np.ndarray) -> FaceDataset:
    """One clip for training and one for validation, of 50 vertices."""
    motion = np.random.default_rng(0).normal(0, 0.001, (15, 50, 3)).astype(np.float32)
    sequences = tuple(
        Sequence(split, split, split, 15, 30, lambda: Waveform(voice), lambda: motion)
        for split in ("train", "validation")
    )
    templates = {one.speaker: np.zeros((50, 3), np.float32) for one in sequences}
    return FaceDataset(Path("planted"), "vocaset", 30, 50, sequences, templates, FaceRegions("none"), digest="planted")


def test_the_papers_model_builds_trains_a_step_and_infers(
    voice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A gigabyte of the optimizer's state; toy models show what becomes of checkpoints.
    monkeypatch.setattr(RunFolder, "save", lambda folder, state: None)
    preset = read_settings("memorize", "vocaset")
    once = dataclasses.replace(preset, training=dataclasses.replace(preset.training, epochs=1))
    said: list[str] = []
    place = DatasetLocation(tmp_path / "run", torch.device("cpu"))
    data = half_second(voice(0.5))
    flat = dataclasses.replace(preset.model, speech=dataclasses.replace(preset.model.speech, layers=1))
    with pytest.raises(TrainingError, match="--random-encoder"):  # no hub is reachable here
        memorize_dataset(data, dataclasses.replace(once, model=flat), place, say=said.append)
    said.clear()
    memorize_dataset(data, once, place, random_encoder=True, say=said.append)
    assert any("94 M" in line for line in said) and any("random weights" in line for line in said)
    counts = json.loads((place.out / "run.json").read_text())["sessions"][0]["parameters"]
    assert counts["speech"] == pytest.approx(94.4e6, rel=0.01)
    assert counts["learning"] == counts["all"] - counts["style"] - 4_200_448, "HuBERT's convolutions are fixed"
    model = load_weights(place.out / "weights")
    shutil.rmtree(tmp_path)  # a gigabyte
    with torch.inference_mode():
        output = model(model.text_logits(torch.from_numpy(voice(0.5))[None], torch.tensor([15])))
    assert output.offsets.shape == (1, 15, 150) and bool(output.offsets.abs().sum() > 0)

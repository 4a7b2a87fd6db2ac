"""`convert --checkpoint`: the weights that the paper's public code trained become a weights folder."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from test_weights import paper_state

from memorytalker import cli
from memorytalker.config import write
from memorytalker.training.settings import MemorizeSettings
from memorytalker.weights import load_weights


@pytest.fixture
def model(make_model):
    return make_model("vocaset")


@pytest.fixture
def command(tmp_path: Path, model, capsys: pytest.CaptureFixture[str]):
    """`command(state, *more)`: exit code, standard output and standard error of converting a state."""
    config = tmp_path / "sizes.json"
    write(MemorizeSettings(model.config), config)

    def call(state: dict[str, torch.Tensor], *more: str | Path) -> tuple[int, str, str]:
        torch.save({"epoch": 99, "model": state}, tmp_path / "model_99.pth")
        given = ["--checkpoint", tmp_path / "model_99.pth", "--config", config, *more]
        code = cli.main(["convert", *map(str, given)])
        return code, *capsys.readouterr()

    return call


def test_a_checkpoint_becomes_weights_that_move_as_it_does(command, model, tmp_path: Path) -> None:
    state = {f"module.{name}": value for name, value in paper_state(model).items()}
    code, out, err = command(state, "--out", tmp_path / "theirs")
    assert (code, err) == (cli.DONE, "") and "style" not in out
    loaded, waveform = load_weights(tmp_path / "theirs"), 0.1 * torch.randn(1, 8000)
    results = [
        each(each.text_logits(waveform, torch.tensor([15])), style_weights=each.style_of(waveform).weights).offsets
        for each in (model, loaded)
    ]
    assert torch.equal(*results)
    assert json.loads((tmp_path / "theirs" / "config.json").read_text())["extra"]["stage"] == 2


def test_a_checkpoint_of_stage_1_is_neutral_and_that_is_said(command, model, tmp_path: Path) -> None:
    state = {name: value for name, value in paper_state(model).items() if not name.startswith("style_encoder")}
    code, out, _ = command(state, "--out", tmp_path / "theirs")
    assert code == cli.DONE and "neutral style" in out
    weights = load_weights(tmp_path / "theirs").style_of(torch.randn(1, 8000)).weights
    torch.testing.assert_close(weights, torch.ones_like(weights), atol=1e-6, rtol=0)


def test_the_vertices_are_those_of_the_checkpoint(command, model, tmp_path: Path) -> None:
    state = paper_state(model)
    for name in ("E_m.weight", "output_proj.weight", "output_proj.bias"):
        state[name] = state[name][:, :6] if name == "E_m.weight" else state[name][:6]
    code, out, _ = command(state, "--out", tmp_path / "theirs")
    assert code == cli.DONE and "2 vertices" in out


def test_what_does_not_fit_is_refused_in_a_sentence(command, model, tmp_path: Path, capsys) -> None:
    state, out = paper_state(model), tmp_path / "theirs"
    for changed, words in (
        ({**state, "lip_sync.weight": torch.zeros(1)}, "lip_sync.weight"),
        ({name: value for name, value in state.items() if name != "E_m.bias"}, "motion.bias"),
        ({**state, "memory_net.M_m": torch.zeros(3, 3)}, "memory.slots"),
    ):
        code, _, err = command(changed, "--out", out)
        assert code == cli.BAD_INPUT and words in err and err.count("\n") == 1 and not out.exists()
    assert command(state)[0] == cli.BAD_INPUT  # no --out
    assert command(state, "--out", out)[0] == cli.DONE
    before = (out / "model.safetensors").read_bytes()
    code, _, err = command(state, "--out", out)
    assert code == cli.BAD_INPUT and "already" in err and (out / "model.safetensors").read_bytes() == before


class Harm:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("harm"),)


def test_a_checkpoint_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.pth").write_bytes(pickle.dumps({"model": Harm()}))
    assert cli.main(["convert", "--checkpoint", "model.pth", "--out", "theirs"]) == cli.BAD_INPUT
    assert not Path("harm").exists() and "plain tensors" in capsys.readouterr().err


@pytest.mark.parametrize("given", [[], ["folder"], ["folder", "out", "--checkpoint", "x.pth"], ["--out", "x"]])
def test_half_a_command_is_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["convert", *given]) == cli.BAD_INPUT
    assert "FOLDER" in capsys.readouterr().err

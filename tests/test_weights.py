"""Weights come back as they were saved, and whatever does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from memorytalker import weights
from memorytalker.config import CurveRegressorConfig, ModelConfig
from memorytalker.models.audio_to_curves import CurveRegressor
from memorytalker.models.talker import MemoryTalker
from memorytalker.weights import (
    PAPER_NAMES,
    WeightsError,
    find_weights,
    import_paper_checkpoint,
    initialise_speech,
    load_curve_regressor,
    load_weights,
    paper_name,
    read_manifest,
    save_curve_regressor,
    save_weights,
)


@pytest.fixture
def saved(make_model, tmp_path: Path) -> tuple[MemoryTalker, Path]:
    model = make_model("open")
    model.style_mean.copy_(torch.linspace(0.5, 1.5, 40))
    save_weights(model, tmp_path / "toy", {"seed": 3, "note": "a toy"})
    return model, tmp_path / "toy"


def test_saved_equals_loaded(saved: tuple[MemoryTalker, Path]) -> None:
    model, folder = saved
    loaded = load_weights(folder)
    assert loaded.config == model.config and not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    logits = torch.randn(1, 10, 40)
    assert torch.equal(model(logits).offsets, loaded(logits).offsets)
    torch.testing.assert_close(loaded.style_mean, torch.linspace(0.5, 1.5, 40))
    assert read_manifest(folder).extra == {"seed": 3, "note": "a toy"}
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_float16_halves_the_file_and_keeps_the_motion(make_model, tmp_path: Path) -> None:
    model = make_model("open")
    save_weights(model, tmp_path / "full")
    save_weights(model, tmp_path / "half", stored_as="float16")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    loaded, logits = load_weights(tmp_path / "half"), torch.randn(1, 10, 40)
    assert loaded.text.weight.dtype == torch.float32
    torch.testing.assert_close(loaded(logits).offsets, model(logits).offsets, atol=5e-5, rtol=0)
    with pytest.raises(WeightsError, match="float32, float16"):
        save_weights(model, tmp_path / "int8", stored_as="int8")


def test_weights_that_are_not_finite_are_not_written(make_model, tmp_path: Path) -> None:
    model = make_model("open")
    model.text.bias.data[0] = 1e6  # beyond float16
    with pytest.raises(WeightsError, match=r"text\.bias.*float16"):
        save_weights(model, tmp_path / "toy", stored_as="float16")
    assert not (tmp_path / "toy").exists()


def test_another_file_than_described_is_refused(saved: tuple[MemoryTalker, Path]) -> None:
    _, folder = saved
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="sha256 differs"):
        load_weights(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"no readable model\.safetensors"):
        load_weights(folder)


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_config_that_does_not_fit_lists_what_differs(saved: tuple[MemoryTalker, Path]) -> None:
    model, folder = saved
    config = json.loads((folder / "config.json").read_text())["model"]
    rewrite(folder, model=config | {"coordinates": 63, "decoder_layers": 2})
    with pytest.raises(WeightsError) as caught:
        load_weights(folder)
    message = str(caught.value)
    assert "missing decoder.transformer.layers.1.norm1.bias" in message
    assert "decoder.output.bias is (60,) where the configuration needs (63,)" in message
    rewrite(folder, model=config | {"colour": "green"})
    with pytest.raises(WeightsError, match="'colour'.*valid keys"):
        load_weights(folder)
    rewrite(folder, model=config, format=7)
    with pytest.raises(WeightsError, match="format 7"):
        load_weights(folder)
    (folder / "config.json").write_text("not json")
    with pytest.raises(WeightsError, match="not readable JSON"):
        load_weights(folder)


def test_sources_are_found_in_order(saved: tuple[MemoryTalker, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = saved
    monkeypatch.setattr(weights, "WEIGHTS_FOLDER", folder.parent)
    asked: list[str] = []
    monkeypatch.setattr(weights, "fetch", lambda address, _: asked.append(str(address)) or folder)
    monkeypatch.chdir(folder.parent)
    assert find_weights(folder) == find_weights("toy").resolve() == folder
    assert find_weights("toy").is_dir() and not asked
    there = f"someone/toy@{40 * 'a'}"
    assert find_weights(there) == folder and asked == [there]
    with pytest.raises(WeightsError, match="no weights 'open'.*shipped: toy"):
        find_weights()
    (folder.parent / "empty" / "below").mkdir(parents=True)
    for place in ("empty", "empty/below"):  # a folder that is there is never looked up on the hub
        with pytest.raises(WeightsError, match="holds no weights"):
            find_weights(place)
    assert asked == [there]


def test_the_hub_out_of_reach_is_one_sentence() -> None:
    with pytest.raises(WeightsError, match="no local folder 'nobody-here/nothing'.*hub did not give it"):
        load_weights(f"nobody-here/nothing@{40 * 'a'}")


def paper_state(model: MemoryTalker) -> dict[str, torch.Tensor]:
    """A model's state under the public code's names, as their training would have written it."""
    back = {ours: theirs for theirs, ours in reversed(PAPER_NAMES)}
    state = {}
    for name, value in model.state_dict().items():
        prefix = max((ours for ours in back if name.startswith(ours)), key=len, default=None)
        if prefix is not None:
            state[back[prefix] + name[len(prefix) :]] = value.clone()
    state["PPE.pe"] = model.decoder.positions.repeat(21, 1)[None]
    return state


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("family", ["vocaset", "biwi"])
def test_a_paper_checkpoint_speaks_as_its_model(make_model, tmp_path: Path, family: str, suffix: str) -> None:
    model = make_model(family)
    state = paper_state(model)
    assert (
        "audio_encoder.hubert.encoder.layers.0.attention.q_proj.weight" in state
        and "audio_encoder.lm_head.bias" in state
    )
    state = {"module." + name: value.contiguous() for name, value in state.items()}  # as DataParallel names them
    state["module.audio_encoder.hubert.masked_spec_embed"] = torch.zeros(32)
    path = tmp_path / f"model_99{suffix}"
    if suffix == ".pth":
        for half, old in (("original0", "weight_g"), ("original1", "weight_v")):  # as older torch spells them
            prefix = "module.audio_encoder.hubert.encoder.pos_conv_embed.conv."
            state[prefix + old] = state.pop(f"{prefix}parametrizations.weight.{half}")
        torch.save({"epoch": 99, "model": state}, path)
    else:
        save_file(state, path)
    imported = import_paper_checkpoint(path, model.config)
    waveform, frames = 0.1 * torch.randn(1, 8000), torch.tensor([round(0.5 * model.config.fps)])
    for each in (model, imported):
        each.result = each(
            each.text_logits(waveform, frames), style_weights=each.style_of(waveform).weights
        ).offsets.detach()
    assert torch.equal(model.result, imported.result)


def test_import_is_strict_and_lists_names(make_model) -> None:
    model = make_model("vocaset")
    state, config = paper_state(model), model.config
    with pytest.raises(WeightsError, match="not MemoryTalker's: lip_sync.weight, zzz"):
        import_paper_checkpoint(state | {"zzz": torch.zeros(1), "lip_sync.weight": torch.zeros(1)}, config)
    del state["E_m.bias"]
    with pytest.raises(WeightsError, match=r"missing motion\.bias"):
        import_paper_checkpoint(state, config)


def test_a_stage_1_checkpoint_is_neutral_if_that_is_said(make_model) -> None:
    model = make_model("vocaset")
    state = {name: value for name, value in paper_state(model).items() if not name.startswith("style_encoder")}
    with pytest.raises(WeightsError, match="missing style.bank.0.bias"):
        import_paper_checkpoint(state, model.config)
    imported = import_paper_checkpoint(state, model.config, without=("style",))
    w = imported.style_of(torch.randn(1, 8000)).weights
    torch.testing.assert_close(w, torch.ones_like(w), atol=1e-6, rtol=0)


def test_positions_of_another_period_are_refused(make_model) -> None:
    model = make_model("vocaset")
    state = paper_state(model)
    state["PPE.pe"] = state["PPE.pe"][:, :25].repeat(1, 25, 1)
    with pytest.raises(WeightsError, match="every 30 frames"):
        import_paper_checkpoint(state, model.config)


def test_a_checkpoint_never_runs_code(tmp_path: Path, make_model) -> None:
    import pickle

    class Harm:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "harm",)

    (tmp_path / "model.pth").write_bytes(pickle.dumps(Harm()))
    torch.save({"model": Harm()}, tmp_path / "wrapped.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    for name in ("model.pth", "wrapped.pth", "text.pth", "numbers.pth", "absent.pth"):
        with pytest.raises(WeightsError):
            import_paper_checkpoint(tmp_path / name, make_model("vocaset").config)
    assert not (tmp_path / "harm").exists()


def test_names_map_one_to_one() -> None:
    assert paper_name("E_m.weight") == "motion.weight" and paper_name("memory_net.M_m") == "memory.slots"
    assert paper_name("optimizer.step") is None
    assert len({ours for _, ours in PAPER_NAMES}) == len(PAPER_NAMES) - 1  # the speech encoder has two spellings


def test_a_speech_encoder_is_read_from_a_folder(make_model, tmp_path: Path) -> None:
    source, model = make_model("open", seed=1), make_model("open", seed=2)
    name = "layers.1.fc1.weight"
    assert not torch.equal(source.speech.encoder.state_dict()[name], model.speech.encoder.state_dict()[name])
    state = {k: v.half().contiguous() for k, v in source.speech.encoder.state_dict().items()}
    save_file(state, tmp_path / "encoder.safetensors")
    initialise_speech(model, tmp_path)
    torch.testing.assert_close(
        model.speech.encoder.state_dict()[name], source.speech.encoder.state_dict()[name], atol=1e-3, rtol=1e-3
    )
    with pytest.raises(WeightsError, match="initialise_from"):
        initialise_speech(model)
    save_file({"other": torch.zeros(1)}, tmp_path / "encoder.safetensors")
    with pytest.raises(WeightsError, match="not this encoder"):
        initialise_speech(model, tmp_path)
    save_file({"other": torch.zeros(1)}, tmp_path / "second.safetensors")
    with pytest.raises(WeightsError, match="it has 2"):
        initialise_speech(model, tmp_path)


def test_a_hubert_folder_of_transformers_is_read(make_model, tmp_path: Path) -> None:
    source, model = make_model("vocaset", seed=1), make_model("vocaset", seed=2)
    source.speech.encoder.save_pretrained(tmp_path)
    initialise_speech(model, tmp_path)
    for name, value in source.speech.encoder.state_dict().items():
        torch.testing.assert_close(model.speech.encoder.state_dict()[name], value, msg=name)


def test_the_shipped_encoder_fits_the_open_configuration(shared: Path) -> None:
    model = MemoryTalker(ModelConfig(coordinates=6))
    initialise_speech(model, shared / "encoder")
    assert torch.isfinite(model.speech.states(0.1 * torch.randn(1, 16000))).all()


def test_the_shipped_weights_are_what_they_say() -> None:
    places = {path.parent for path in weights.WEIGHTS_FOLDER.glob("*/config.json")}
    others = (weights.CURVE_REGRESSOR_NAME, "live", "arousal")
    folders = sorted(places - {weights.WEIGHTS_FOLDER / name for name in others})
    if not folders:
        pytest.skip("no weights are shipped yet")
    for folder in folders:
        model = load_weights(folder)
        assert (folder / "model.safetensors").stat().st_size <= 40e6
        assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_the_shipped_curve_regressor_fits_the_shipped_encoder() -> None:
    if not (weights.WEIGHTS_FOLDER / weights.CURVE_REGRESSOR_NAME).is_dir():
        pytest.skip("weights/audio_to_curves is not in this checkout")
    regressor = load_curve_regressor()
    regressor.check(load_weights().speech)
    assert (weights.WEIGHTS_FOLDER / weights.CURVE_REGRESSOR_NAME / "model.safetensors").stat().st_size <= 1e6
    assert all(torch.isfinite(value).all() for value in regressor.state_dict().values())


def test_a_curve_regressor_is_no_model(tmp_path: Path, monkeypatch) -> None:
    save_curve_regressor(
        CurveRegressor(CurveRegressorConfig(("jawOpen",), channels=4, hidden_size=4)), tmp_path / "audio_to_curves"
    )
    monkeypatch.setattr(weights, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(WeightsError, match="none are installed"):
        load_weights("nobody")
    with pytest.raises(WeightsError, match="does not describe weights"):
        load_weights("audio_to_curves")
    assert load_curve_regressor().config.shapes == ("jawOpen",)

"""Training of the live network: what it learns from lies in the right place, it learns, and it can be interrupted."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from memorytalker.config import ConfigError
from memorytalker.corpus.clips import Clip, augmented_version, save_clip, write_clips
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.live_weights import load_live
from memorytalker.sound.live_mel import levels, whole_mel
from memorytalker.training import live
from memorytalker.training.cache import cache_features
from memorytalker.training.data import TrainingError
from memorytalker.training.live_clips import LOWEST, STEP, WARM, LiveContext, answer, live_batch, live_clips
from memorytalker.weights import load_weights

SETTINGS = {
    "network": {"channels": 16, "dilations": [1, 3], "width": 8, "hidden": 12, "grid": {"bins": 16}},
    "training": {
        "epochs": 3, "batch_size": 4, "crop_seconds": 0.8, "warmup_steps": 2, "learning_rate": 0.01,
        "precision": "float32", "captured_share": 0.5, "average": 0.5,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Path:
    """A work folder with a corpus of eight clips: noise, a captured one, an augmented one, one of validation."""
    work = tmp_path_factory.mktemp("work")
    folder, random, names = work / "corpus", np.random.default_rng(0), load_head().blendshape_names
    (folder / "sounds").mkdir(parents=True)
    clips = []
    for number in range(8):
        frames = 30 + 6 * number
        time = np.arange(round(frames / 30 * 16000)) / 16000
        sound = 0.2 * np.sin(2 * np.pi * (150 + 40 * number) * time) * np.clip(np.sin(2 * np.pi * 3 * time), 0, 1)
        soundfile.write(folder / "sounds" / f"{number}.wav", sound + 0.001 * random.standard_normal(len(time)), 16000)
        kind = "silence" if number == 0 else "captured" if number == 1 else "synthesised"
        split = "validation" if number == 7 else "train"
        clip = Clip(f"c{number}", "ann", split, "x", kind, f"sounds/{number}.wav", frames, 30, "corpus")
        clips.append(clip)
        curves = FaceCurves(np.zeros((frames, len(names)), np.float32), names, 30)
        save_clip(folder, clip, curves, np.full(frames, -1))
    twin = augmented_version(clips[2], 1)
    save_clip(folder, twin, FaceCurves(np.zeros((twin.frames, len(names)), np.float32), names, 30), np.full(42, -1))
    write_clips(folder, [*clips, twin], names)
    noises = work / "root" / "noise" / "noise"
    noises.mkdir(parents=True)
    for name in ("held", "noise"):
        soundfile.write(noises / f"{name}.wav", 0.1 * random.standard_normal(16000), 16000)
    (work / "settings.json").write_text(json.dumps(SETTINGS))
    return work


@pytest.fixture(scope="module")
def context(work: Path, tiny_weights: Path) -> LiveContext:
    return LiveContext(work / "root", work, str(tiny_weights), work / "settings.json", workers=1)


@pytest.fixture(scope="module")
def data(context: LiveContext, tiny_weights: Path):
    from memorytalker.corpus.clips import read_clips

    model = load_weights(tiny_weights)
    clips, _ = read_clips(context.corpus)
    cache_features(model, context.corpus, context.root)
    config = live.live_settings(model, context.settings).network
    return live_clips(context, clips, config, model, "teacher"), config, model


def test_an_answer_is_that_of_the_open_model(data, context: LiveContext) -> None:
    clips, _, model = data
    neutral, styled, address, style = answer(model, context.corpus, clips.clips[3])
    features = np.load(context.corpus / "features" / "c3.npz")
    with torch.inference_mode():
        states = torch.from_numpy(features["states"]).float()[None]
        output = model(model.speech.logits(states, 48))
        other = model(model.speech.logits(states, 48), style_weights=torch.from_numpy(style)[None])
    np.testing.assert_allclose(neutral, output.offsets[0].half().numpy(), atol=1e-4)
    np.testing.assert_allclose(styled, other.offsets[0].half().numpy(), atol=1e-4)
    np.testing.assert_allclose(address, output.key_address[0].half().numpy(), atol=1e-3)
    assert (style != 1).any() and not np.array_equal(neutral, styled)


def test_a_piece_has_its_sound_and_its_answer_at_the_same_frames(data) -> None:
    clips, config, model = data
    number, frames = 3, 20
    for random in (None, np.random.default_rng(5)):
        batch = live_batch(clips, [number], frames, config, 1.0, random)
        answers = clips.neutral[clips.answer[number] :][:48].astype(np.float32)
        begins = [b for b in range(29) if np.array_equal(answers[b : b + frames], batch.motion[0].numpy())]
        assert len(begins) == 1 and batch.mask.all() and (batch.style == 1).all()
        mel = clips.mel[clips.first[number] : clips.first[number + 1]].astype(np.float32) * STEP + LOWEST
        given = batch.mel[0, WARM:].flatten(1).numpy()
        wanted = mel[clips.ahead + begins[0] :][:frames]
        gain = np.median(given - wanted)
        np.testing.assert_allclose(given, np.maximum(wanted + gain, LOWEST), atol=1e-3)
        assert (gain == 0) == (random is None)
    before = live_batch(clips, [number], frames, config).mel[0, : WARM - clips.ahead]
    assert (before == LOWEST).all(), "silence went before the clip"


def test_stored_sound_is_that_of_the_live_features(data, context: LiveContext) -> None:
    from memorytalker.corpus.augmentation import clip_samples

    clips, config, _ = data
    mel, energy = whole_mel(config.grid, clip_samples(context.root, context.corpus, clips.clips[4]), 54)
    kept = slice(clips.first[4], clips.first[5])
    np.testing.assert_allclose(clips.mel[kept] * STEP + LOWEST, mel.reshape(len(mel), -1), atol=STEP / 2 + 1e-4)
    np.testing.assert_allclose(levels(config.grid, clips.energy[kept]), levels(config.grid, energy), atol=1e-3)


def test_augmented_sound_is_taught_the_answer_to_the_plain_one_and_noise_the_still_face(data) -> None:
    clips, config, _ = data
    batch = live_batch(clips, [2, 8, 0], 36, config)
    assert clips.clips[8].augmentation == 1 and not torch.equal(batch.mel[0], batch.mel[1])
    assert torch.equal(batch.motion[0], batch.motion[1]) and batch.motion[0].abs().max() > 0
    assert batch.motion[2].abs().max() == 0 and (batch.address[2, :30].argmax(-1) == config.slots.index("sil")).all()
    assert batch.mask.sum(1).tolist() == [36, 36, 30]
    styled = live_batch(clips, [2, 8, 0], 36, config, 0.0, np.random.default_rng(0))
    assert torch.equal(styled.style[0], styled.style[1]) and (styled.style[0] != 1).any()
    assert (styled.style[2] == 1).all()


def test_it_learns_goes_on_after_an_interruption_and_keeps_what_it_has(
    context: LiveContext, work: Path, tmp_path: Path, capsys
) -> None:
    lines: list[str] = []
    live.make_live(context, tmp_path / "whole", lines.append)
    assert [line.split(":")[0] for line in lines] == [f"epoch {k} of 3" for k in (1, 2, 3)]
    log = [json.loads(line) for line in (work / "live" / "run" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < 0.8 * log[0]["loss"] and {"gap_r", "width_r"} <= set(log[0])
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    about = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert about["extra"]["corpus"] and about["extra"]["settings"]["epochs"] == 3
    assert load_live(tmp_path / "whole").config.grid.bins == 16

    made = {path: path.stat().st_mtime_ns for path in (work / "live").rglob("*.npz")}
    (work / "live" / "run").rename(work / "live" / "kept")

    def interrupted(line: str) -> None:
        if line.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live.make_live(context, tmp_path / "again", interrupted)
    assert not (tmp_path / "again").exists()
    live.make_live(context, tmp_path / "again", lines.append)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == whole
    assert lines[-1].startswith("epoch 3") and len(lines) == 4
    assert made == {path: path.stat().st_mtime_ns for path in (work / "live").rglob("*.npz")}, "nothing is made twice"

    other = dataclasses.replace(context, settings=tmp_path / "other.json")
    (tmp_path / "other.json").write_text(json.dumps({**SETTINGS, "training": {**SETTINGS["training"], "seed": 1}}))
    with pytest.raises(ConfigError, match="other settings"):
        live.make_live(other, tmp_path / "again")


def test_refusals(context: LiveContext, tmp_path: Path, tiny_weights: Path) -> None:
    with pytest.raises(ConfigError, match="LiveTraining.epochs"):
        live.LiveTraining(epochs=0)
    with pytest.raises(ConfigError, match="bfloat16"):
        live.LiveTraining(precision="int8")
    with pytest.raises(TrainingError, match="does not speak"):
        (tmp_path / "x.json").write_text(json.dumps({"network": {"grid": {"fps": 25}}}))
        live.make_live(dataclasses.replace(context, settings=tmp_path / "x.json"), tmp_path / "out")

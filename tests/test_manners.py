"""Stage 2 of the open weights: two clips of a speaker come to sound like the manner that all their motion shows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import clips as toy_clips

from memorytalker.config import LossConfig, TrainingConfig
from memorytalker.training.data import TrainingClip, TrainingError, collate
from memorytalker.training.manners import (
    MannerTraining,
    _pairs,
    felt_distance,
    fitted_manners,
    sensitivity,
    teach_manners,
)
from memorytalker.training.memorize import batch_logits
from memorytalker.training.stylize import style_of

CONFIG = MannerTraining(
    fit_steps=250, fit_speakers=3, fit_rate=0.03, fit_pull=0.0, crop_seconds=0.0, losses=LossConfig(), steps=60,
    speakers=4, learning_rate=5e-3, ramp_steps=30, restraint=0.0, style_seconds=0.0,
)  # fmt: skip


@pytest.fixture
def clips(make_model) -> list[TrainingClip]:
    """The toy clips, each speaker at a pitch of their own, moving as the model does at slot weights of 1.5 or 0.7."""
    model, made = make_model(motion_scale=30.0).eval(), []
    speakers = sorted({clip.speaker for clip in toy_clips()})
    for clip in toy_clips():
        place = speakers.index(clip.speaker)
        mel = 0.1 * clip.mel.float().clone()
        mel[:, 5 * place : 5 * place + 5] += 3.0
        clip = dataclasses.replace(clip, mel=mel)
        batch = collate([clip])
        with torch.no_grad():
            weights = torch.full((1, model.config.slot_count), 1.5 if place % 2 else 0.7)
            motion = model(batch_logits(model, batch), batch.mask, weights).offsets[0]
        made.append(dataclasses.replace(clip, motion=motion))
    return made


def heard(model, clips: list[TrainingClip]) -> torch.Tensor:
    with torch.no_grad():
        return style_of(model, clips, TrainingConfig(), np.random.default_rng(0)).weights


def test_a_planted_manner_is_fitted(make_model, clips: list[TrainingClip]) -> None:
    """The fitted weights move as the planted ones do, as far as the motion feels the difference."""
    model = make_model(motion_scale=30.0).eval()
    felt = sensitivity(model, clips, None, CONFIG)
    for speaker, weights in fitted_manners(model, clips, None, CONFIG).items():
        planted = torch.full_like(weights, 1.5 if int(speaker[-1]) % 2 else 0.7)
        far = felt_distance(torch.ones_like(weights)[None], planted[None], felt)
        assert felt_distance(weights[None], planted[None], felt) < 0.1 * far


def test_sensitivity_is_the_squared_change_of_the_motion(make_model, clips: list[TrainingClip]) -> None:
    model, config = make_model(motion_scale=30.0).eval(), dataclasses.replace(CONFIG, ground=0.0)
    felt = sensitivity(model, clips, None, config)
    torch.testing.assert_close(felt, felt.T)
    assert float(felt.diagonal().mean()) == pytest.approx(1.0, rel=1e-4)
    one = torch.ones(1, 40)
    changes, distances = [], []
    for seed in range(4):
        other = one + 0.05 * torch.randn(1, 40, generator=torch.Generator().manual_seed(seed))
        total = 0.0
        for clip in clips:
            batch = collate([clip])
            with torch.no_grad():
                logits = batch_logits(model, batch)
                moved = model(logits, batch.mask, other).offsets - model(logits, batch.mask, one).offsets
            total += float(moved.square().sum())
        changes.append(total)
        distances.append(float(felt_distance(other, one, felt)))
    ratios = np.array(changes) / np.array(distances)
    assert ratios.std() < 0.15 * ratios.mean()


@pytest.mark.parametrize("convolutions", [True, False])
def test_manners_are_read_from_motion_and_heard(
    make_model, clips: list[TrainingClip], tmp_path: Path, convolutions: bool
) -> None:
    """By the whole style encoder, and by one that is given a voice's statistics alone."""
    style = dataclasses.replace(make_model().config.style, statistics=True, convolutions=convolutions)
    model = make_model(style=style, motion_scale=30.0).eval()
    kept = {name: value for name, value in make_model().state_dict().items() if not name.startswith("style.")}
    model.load_state_dict(kept, strict=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    manners, felt = fitted_manners(model, clips, None, CONFIG), sensitivity(model, clips, None, CONFIG)
    fitted = torch.stack([manners[clip.speaker] for clip in clips])

    teach_manners(model, clips, None, CONFIG, tmp_path / "style.pt")
    weights = heard(model, clips)
    assert felt_distance(weights, fitted, felt) < 0.3 * felt_distance(torch.ones_like(fitted), fitted, felt)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("style") for name in changed)

    other = make_model(style=model.config.style, motion_scale=30.0).eval()
    other.load_state_dict({k: v for k, v in before.items() if not k.startswith("style")}, strict=False)
    teach_manners(other, clips, None, dataclasses.replace(CONFIG, steps=0), tmp_path / "style.pt")
    assert torch.equal(heard(other, clips), weights), "what was done is read back"
    assert torch.equal(other.style_mean, model.style_mean)


def test_restraint_draws_the_style_to_the_neutral_one(make_model, clips: list[TrainingClip], tmp_path: Path) -> None:
    style = dataclasses.replace(make_model().config.style, statistics=True, convolutions=False)
    spreads = []
    for restraint in (0.0, 100.0):
        model = make_model(style=style, motion_scale=30.0).eval()
        config = dataclasses.replace(CONFIG, restraint=restraint, identity=0.0)
        teach_manners(model, clips, None, config, tmp_path / f"{restraint}.pt")
        spreads.append(float(heard(model, clips).std(0).mean()))
    assert spreads[1] < 0.2 * spreads[0]


def test_undisturbed_clips_are_heard_more_often() -> None:
    by_speaker, chances = {"a": [0, 1, 2, 3], "b": [4, 5, 6, 7]}, np.array([1.0, 1.0, 9.0, 9.0] * 2)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(200):
        order, positives = _pairs(by_speaker, 2, random, chances)
        assert all(order[i] != order[positives[i]] and order[i] // 4 == order[positives[i]] // 4 for i in range(4))
        drawn += order
    assert np.mean([i % 4 >= 2 for i in drawn]) > 0.8


def test_teaching_knows_disturbed_clips_by_name(
    make_model, clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def pairs(by_speaker, count, random, chances=None):
        seen.append(chances)
        return _pairs(by_speaker, count, random, chances)

    monkeypatch.setattr("memorytalker.training.manners._pairs", pairs)
    config = dataclasses.replace(CONFIG, fit_steps=0, steps=1, undisturbed=5.0)
    worse = [dataclasses.replace(clip, name=f"{clip.name}+1") for clip in clips]
    teach_manners(make_model().eval(), [*clips, *worse], None, config, tmp_path / "style.pt")
    assert seen[-1].tolist() == [5.0] * len(clips) + [1.0] * len(clips)


def test_one_speaker_has_nobody_to_be_told_from(make_model, clips: list[TrainingClip], tmp_path: Path) -> None:
    alone = [clip for clip in clips if clip.speaker == clips[0].speaker]
    with pytest.raises(TrainingError, match="two speakers"):
        teach_manners(make_model().eval(), alone, None, CONFIG, tmp_path / "style.pt")

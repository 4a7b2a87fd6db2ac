"""Stage 2 of the open weights: two clips of a speaker come to sound like the manner that all their motion shows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import clips as toy_clips

from memorytalker.config import TrainingConfig
from memorytalker.training.data import TrainingClip, TrainingError, collate
from memorytalker.training.manners import MannerTraining, shown_manners, teach_manners
from memorytalker.training.memorize import batch_logits
from memorytalker.training.stylize import style_of

CONFIG = MannerTraining(steps=60, speakers=4, learning_rate=5e-3, identity_from=30, ramp_steps=10, style_seconds=0.0)


@pytest.fixture
def clips(make_model) -> list[TrainingClip]:
    """The toy clips, each speaker at a pitch of their own, moving 1.5 or 0.7 times as far as the model would."""
    model, made = make_model().eval(), []
    speakers = sorted({clip.speaker for clip in toy_clips()})
    for clip in toy_clips():
        place = speakers.index(clip.speaker)
        batch = collate([clip])
        with torch.no_grad():
            general = model(batch_logits(model, batch), batch.mask).offsets[0]
        mel = 0.1 * clip.mel.float().clone()
        mel[:, 5 * place : 5 * place + 5] += 3.0
        made.append(dataclasses.replace(clip, mel=mel, motion=(1.5 if place % 2 else 0.7) * general))
    return made


def heard(model, clips: list[TrainingClip]) -> torch.Tensor:
    with torch.no_grad():
        return style_of(model, clips, TrainingConfig(), np.random.default_rng(0)).weights


def test_manners_are_read_from_motion_and_heard(make_model, clips: list[TrainingClip], tmp_path: Path) -> None:
    model = make_model(style=dataclasses.replace(make_model().config.style, statistics=True)).eval()
    model.load_state_dict(make_model().state_dict(), strict=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    manners = shown_manners(model, clips)
    shown = torch.stack([manners[clip.speaker] for clip in clips])
    assert {float(m.mean()) > 1 for m in manners.values()} == {True, False}

    teach_manners(model, clips, CONFIG, tmp_path / "style.pt")
    weights = heard(model, clips)
    assert (weights - shown).square().mean() < 0.3 * (1.0 - shown).square().mean()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("style") for name in changed)

    other = make_model(style=model.config.style).eval()
    other.load_state_dict({k: v for k, v in before.items() if not k.startswith("style")}, strict=False)
    teach_manners(other, clips, dataclasses.replace(CONFIG, steps=0), tmp_path / "style.pt")
    assert torch.equal(heard(other, clips), weights), "what was done is read back"
    assert torch.equal(other.style_mean, model.style_mean)


def test_one_speaker_has_nobody_to_be_told_from(make_model, clips: list[TrainingClip], tmp_path: Path) -> None:
    alone = [clip for clip in clips if clip.speaker == clips[0].speaker]
    with pytest.raises(TrainingError, match="two speakers"):
        teach_manners(make_model().eval(), alone, CONFIG, tmp_path / "style.pt")

"""Stage 2 of the open weights: clips of a speaker give the style that was fitted to all of their motion."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import clips as toy_clips

from memorytalker.config import LossConfig, TrainingConfig
from memorytalker.models.style import GLOBAL_STATISTICS
from memorytalker.training.data import TrainingClip, TrainingError, collate
from memorytalker.training.memorize import batch_logits
from memorytalker.training.style_regression import (
    StyleRegression,
    _regress,
    fit_style_encoder,
    fitted_styles,
    style_clips,
)
from memorytalker.training.stylize import style_of

CONFIG = StyleRegression(
    fit_steps=250, fit_speakers=3, fit_rate=0.03, fit_regularization=0.0, crop_seconds=0.0, losses=LossConfig(),
    ridge=0.01, ridge_of_measures=0.01, style_seconds=0.0,
    unaugmented_weight=8.0, seed=0,
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


@pytest.fixture
def talker(make_model):
    """The model that the clips move like, its style encoder one that reads statistics alone."""
    style = dataclasses.replace(make_model().config.style, statistics=True, convolutions=False)
    model = make_model(style=style, motion_scale=30.0)
    kept = {name: value for name, value in make_model().state_dict().items() if not name.startswith("style.")}
    model.load_state_dict(kept, strict=False)
    return model.eval()


def predicted_styles(model, clips: list[TrainingClip]) -> torch.Tensor:
    with torch.no_grad():
        return style_of(model, clips, TrainingConfig(), np.random.default_rng(0)).weights


def moved(model, clips: list[TrainingClip], weights: torch.Tensor, others: torch.Tensor) -> float:
    """The squared difference of the motion of all clips in two styles, a row or one for each clip."""
    total = 0.0
    for i, clip in enumerate(clips):
        batch = collate([clip])
        with torch.no_grad():
            logits = batch_logits(model, batch)
            pair = [model(logits, batch.mask, rows[i : i + 1]).offsets for rows in (weights, others)]
        total += float((pair[0] - pair[1]).square().sum())
    return total


def test_a_planted_style_is_fitted(talker, clips: list[TrainingClip]) -> None:
    """The fitted weights move as the planted ones do."""
    fitted = fitted_styles(talker, clips, None, CONFIG)
    found = torch.stack([fitted[clip.speaker] for clip in clips])
    planted = torch.stack([torch.full((40,), 1.5 if int(clip.speaker[-1]) % 2 else 0.7) for clip in clips])
    assert moved(talker, clips, found, planted) < 0.1 * moved(talker, clips, torch.ones_like(planted), planted)


def test_styles_are_fitted_to_motion_and_predicted_from_sound(
    talker, clips: list[TrainingClip], tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in talker.state_dict().items()}
    styles = fitted_styles(talker, clips, None, CONFIG)
    fitted = torch.stack([styles[clip.speaker] for clip in clips])

    fit_style_encoder(talker, clips, None, CONFIG, tmp_path / "style.pt")
    weights = predicted_styles(talker, clips)
    assert moved(talker, clips, weights, fitted) < 0.1 * moved(talker, clips, torch.ones_like(fitted), fitted)
    changed = {name for name, value in talker.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("style") for name in changed)
    spoken = style_mean_of(clips, weights)
    torch.testing.assert_close(talker.style_mean, spoken, atol=1e-5, rtol=1e-4)

    talker.load_state_dict(before)
    fit_style_encoder(talker, clips, None, dataclasses.replace(CONFIG, ridge=9.0), tmp_path / "style.pt")
    assert torch.equal(predicted_styles(talker, clips), weights), "what was done is read back"
    torch.testing.assert_close(talker.style_mean, spoken, atol=1e-5, rtol=1e-4)


def style_mean_of(clips: list[TrainingClip], weights: torch.Tensor) -> torch.Tensor:
    """The mean of the speakers' mean style weights."""
    names = [clip.speaker for clip in clips]
    rows = [torch.stack([w for w, own in zip(weights, names, strict=True) if own == name]) for name in set(names)]
    return torch.stack([row.mean(0) for row in rows]).mean(0)


def regressed(talker, clips: list[TrainingClip], seed: int = 0, **options: float) -> tuple[torch.Tensor, torch.Tensor]:
    """What is made of planted statistics (N, features): those, and the weights that are taught to be slopes @ them."""
    random = torch.Generator().manual_seed(seed)
    width = talker.style.feature.in_features
    found = torch.randn(len(clips), width, generator=random) * torch.rand(width, generator=random) * 9.0 + 5.0
    styles = {clip.speaker: torch.full((40,), 1.0) for clip in clips}
    for place, name in enumerate(sorted(styles)):
        styles[name] += 0.1 * place
        own = [i for i, clip in enumerate(clips) if clip.speaker == name]
        found[own, -1] = 7.0 + 2.0 * place  # the last measure says it all
        found[own, 3] = -4.0 + 3.0 * place  # and so does a band
    _regress(talker.style, found[None], clips, styles, dataclasses.replace(CONFIG, **options))
    return found, torch.stack([styles[clip.speaker] for clip in clips])


def test_of_a_band_and_a_measure_that_say_the_same_the_less_restrained_is_believed(
    talker, clips: list[TrainingClip]
) -> None:
    for options, (band, measure) in (
        ({"ridge": 1000.0, "ridge_of_measures": 1e-6}, (False, True)),
        ({"ridge": 1e-6, "ridge_of_measures": 1000.0}, (True, False)),
    ):
        _, wanted = regressed(talker, clips, **options)
        slopes = talker.style.feature.weight.abs().mean(0)
        assert (slopes[3] > 50 * slopes[-1]) == band and (slopes[-1] > 50 * slopes[3]) == measure
        assert slopes[-GLOBAL_STATISTICS:].max() == slopes[-1] or band
    assert wanted.std() > 0


def test_restraint_draws_the_style_to_that_of_everybody(talker, clips: list[TrainingClip]) -> None:
    spreads = []
    for ridge in (1e-6, 100.0):
        found, wanted = regressed(talker, clips, ridge=ridge, ridge_of_measures=ridge)
        with torch.no_grad():
            weights = talker.style.weigh(talker.style.statistics(found)).weights
        spreads.append(float((weights - wanted).square().mean() / wanted.var(0).mean()))
    assert spreads[0] < 1e-3 and 0.5 < spreads[1] < 1.5


def test_statistics_are_clipped_alike_in_training_and_inference(talker, clips: list[TrainingClip]) -> None:
    """A hundred clips agree in one style and one is far off: it counts up to the limit of the features."""
    many = [clips[i % len(clips)] for i in range(100)]
    random = torch.Generator().manual_seed(0)
    found = torch.randn(100, talker.style.feature.in_features, generator=random)
    found[0] = 1e4
    styles = {clip.speaker: torch.full((40,), 1.0 + 0.1 * int(clip.speaker[-1])) for clip in many}
    _regress(talker.style, found[None], many, styles, CONFIG)
    style = talker.style
    with torch.no_grad():
        heard_now = style.weigh(style.statistics(found)).weights
        rows = style.statistics(found).clamp(-3.0, 3.0)
    assert torch.isfinite(heard_now).all()
    shares = torch.tensor([1 / sum(c.speaker == clip.speaker for c in many) ** 0.5 for clip in many])
    wanted = torch.stack([styles[clip.speaker] for clip in many])
    mean = (shares[:, None] * (rows @ style.feature.weight.T + style.feature.bias)).sum(0) / shares.sum()
    expected = (shares[:, None] * wanted).sum(0) / shares.sum()
    torch.testing.assert_close(mean.detach(), expected, atol=1e-4, rtol=1e-4)


def test_unaugmented_clips_count_more(talker, clips: list[TrainingClip]) -> None:
    """Where the recording and its augmented version sound alike, the styles of both are averaged as they count."""
    one = dataclasses.replace(clips[0], speaker="a", name="clear")
    worse = dataclasses.replace(clips[0], speaker="b", name="clear+1")
    styles = {"a": torch.full((40,), 1.0), "b": torch.full((40,), 2.0)}
    same = torch.ones(1, 2, talker.style.feature.in_features)
    for unaugmented_weight in (1.0, 9.0):
        _regress(
            talker.style, same, [one, worse], styles, dataclasses.replace(CONFIG, unaugmented_weight=unaugmented_weight)
        )
        with torch.no_grad():
            weights = talker.style.weigh(talker.style.statistics(same[0])).weights
        torch.testing.assert_close(weights, torch.full((2, 40), 1.0 + 1.0 / (1.0 + unaugmented_weight)))


def test_only_a_style_encoder_of_statistics_is_taught(make_model, clips: list[TrainingClip], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"style\.convolutions"):
        fit_style_encoder(make_model().eval(), clips, None, CONFIG, tmp_path / "style.pt")


def test_one_speaker_has_nobody_to_be_told_from(talker, clips: list[TrainingClip], tmp_path: Path) -> None:
    alone = [clip for clip in clips if clip.speaker == clips[0].speaker]
    with pytest.raises(TrainingError, match="two speakers"):
        fit_style_encoder(talker, alone, None, CONFIG, tmp_path / "style.pt")


def test_a_face_in_another_voice_says_nothing_of_a_style(clips: list[TrainingClip]) -> None:
    own, voice, silent = (dataclasses.replace(clips[0], name=name) for name in ("a", "a~1", "b"))
    silent = dataclasses.replace(silent, speaker="nobody")
    found = style_clips([own, voice, silent])
    assert [(clip.name, clip.speaker) for clip in found] == [("a", own.speaker)]

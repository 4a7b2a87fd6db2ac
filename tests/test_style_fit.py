"""A planted style is found again from a person's motion, within its limits, and too little motion is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from memorytalker.config import ConfigError
from memorytalker.face.head import load_head
from memorytalker.face.motion_space import speech_space
from memorytalker.scorecard import style_fit
from memorytalker.scorecard.held_out_videos import TrackedVideo
from memorytalker.scorecard.mouth import at_frames, eye_distance
from memorytalker.scorecard.style_fit import coordinates_of_video
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.styles.slot_fit import StyleFit, StyleFitError, clip_logits, fit_style, mouth_measure

EASY = StyleFit(steps=80, rate=0.15, pull=0.0, amplitude=0.0)


@pytest.fixture
def model(make_model):
    return make_model(motion_scale=30.0)


@pytest.fixture
def sounds() -> list[torch.Tensor]:
    """Slot logits of four clips of two lengths, each frame addressing one slot clearly."""
    random = torch.Generator().manual_seed(0)
    return [torch.randn(frames, 40, generator=random) for frames in (60, 45, 60, 45)]


def motions(model, sounds: list[torch.Tensor], weights: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return [model(one[None], style_weights=weights[None]).offsets[0] for one in sounds]


def error(model, sounds, weights, planted) -> float:
    """How far motion in one style is from that in another, over that of the neutral style."""
    found, true, neutral = (motions(model, sounds, one) for one in (weights, planted, torch.ones(40)))
    rows = zip(found, true, neutral, strict=True)
    parts = np.array([[float((a - b).square().sum()), float((c - b).square().sum())] for a, b, c in rows])
    return float(np.sqrt(parts[:, 0].sum() / parts[:, 1].sum()))


@pytest.fixture
def planted() -> torch.Tensor:
    return torch.where(torch.arange(40) % 2 == 0, 1.8, 0.5)


def test_a_planted_style_is_found_on_clips_it_was_not_fitted_to(model, sounds, planted) -> None:
    """Clips are of different lengths, so that padding must not count."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    true = motions(model, sounds, planted)
    found = torch.from_numpy(
        fit_style(model, sounds[:2], true[:2], settings=dataclasses.replace(EASY, shortest_seconds=3))
    )
    assert error(model, sounds[2:], found, planted) < 0.15
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(value.grad is None for value in model.parameters())
    scaled = [torch.cat([one, torch.zeros(3, 60)]) for one in true]  # frames after the end of the sound
    with pytest.raises(StyleFitError, match="48 frames needs slot logits 48 x 40, not 45 x 40; cut sound and motion"):
        fit_style(model, sounds[1:2], scaled[1:2])


def test_weights_stay_within_their_limits_and_near_neutral_when_pulled(model, sounds) -> None:
    far = motions(model, sounds, torch.full((40,), 9.0))
    found = fit_style(model, sounds, far, settings=EASY)
    assert found.dtype == np.float32 and found.min() >= 0.0 and found.max() <= 3.0 and found.max() > 2.5
    against = motions(model, sounds, torch.full((40,), -2.0))
    assert fit_style(model, sounds, against, settings=EASY).min() == 0.0
    pulled = fit_style(model, sounds, far, settings=dataclasses.replace(EASY, pull=1e4))
    assert np.abs(pulled - 1).max() < 0.2
    assert (fit_style(model, sounds, far, settings=dataclasses.replace(EASY, steps=0)) == 1).all()


def test_only_what_is_measured_must_agree(model, sounds, planted) -> None:
    """Coordinates outside the measure are arbitrary, and change nothing."""
    true, measure = motions(model, sounds, planted), torch.eye(60)[:, :5]
    other = [one + torch.cat([torch.zeros(5), torch.full((55,), 0.3)]) for one in true]
    few = dataclasses.replace(EASY, steps=30)
    assert np.array_equal(fit_style(model, sounds, true, measure, few), fit_style(model, sounds, other, measure, few))
    assert not np.array_equal(fit_style(model, sounds, true, None, few), fit_style(model, sounds, other, None, few))
    scaled = measure * torch.tensor([1024.0, 1, 1, 1, 1])  # in another unit: a measure counts over its own variance
    assert fit_style(model, sounds, true, scaled, few) == pytest.approx(
        fit_style(model, sounds, true, measure, few), abs=1e-3
    )


def test_amplitude_is_kept_where_least_squares_would_damp_it(model, sounds, planted) -> None:
    """Half of the recorded motion is noise that no style can follow."""
    true, random = motions(model, sounds, planted), torch.Generator().manual_seed(1)
    noisy = [one + one.std(0) * torch.randn(one.shape, generator=random) for one in true]
    spread = torch.cat(noisy).std(0)

    def size(amplitude: float) -> float:
        settings = dataclasses.replace(EASY, amplitude=amplitude)
        style = torch.from_numpy(fit_style(model, sounds, noisy, settings=settings))
        return float((torch.cat(motions(model, sounds, style)).std(0) / spread).log().mean().exp())

    assert size(0.0) < 0.75 and size(3.0) > 1.04 * size(0.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda logits, motion: (logits[:1], [motion[0][:60]]), "2.0 s of recorded motion; a style needs 5 s"),
        (lambda logits, motion: (logits, motion[:2]), "4 sounds and 2 motions"),
        (lambda logits, motion: ([], []), "0 sounds and 0 motions"),
        (lambda logits, motion: (logits, [one[:, :59] for one in motion]), "needs 60 coordinates"),
        (lambda logits, motion: (logits, [one / 0 for one in motion]), "not finite"),
        (lambda logits, motion: (logits, [0 * one for one in motion]), "never moves"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_a_sentence(model, sounds, planted, change, said: str) -> None:
    with pytest.raises(StyleFitError, match=said) as refusal:
        fit_style(model, *change(sounds, motions(model, sounds, planted)))
    assert str(refusal.value).count(".") - str(refusal.value).count(".0 s") == 1


def test_settings_that_no_fit_can_have_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"StyleFit\.most is 0"):
        StyleFit(most=0)


def test_a_mouth_is_measured_in_coordinates_as_on_the_head() -> None:
    head = load_head()
    space = speech_space(head)
    weights = np.random.default_rng(0).uniform(0, 0.4, (5, 52)).astype(np.float32)
    weights[:, [name.startswith(("eye", "brow", "noseSneer")) for name in head.blendshape_names]] = 0
    found = torch.from_numpy(space.encode(weights)) @ mouth_measure(space, head)
    offsets, marks = head.offsets(weights), head.landmarks
    gap = offsets[:, marks["inner_lip_upper"], 1] - offsets[:, marks["inner_lip_lower"], 1]
    width = offsets[:, marks["mouth_left"], 0] - offsets[:, marks["mouth_right"], 0]
    np.testing.assert_allclose(found, np.stack([gap, width, -offsets[:, marks["chin"], 1]], 1), atol=1e-5)
    assert np.ptp(found.numpy(), axis=0).min() > 1e-4


def test_logits_are_those_that_animate_the_sound(tiny_talker, voice) -> None:
    """The address in an animation is the softmax of these logits."""
    waveform = Waveform(voice(1.5))
    logits = clip_logits(tiny_talker.model, waveform, 40)
    assert logits.shape == (40, 40) and not logits.is_inference()
    address = tiny_talker.model.memory.key_address(logits[None])[0]
    np.testing.assert_allclose(address, tiny_talker.animate(waveform).memory_address[:40], atol=1e-5)


@pytest.fixture
def filmed(tmp_path, voice) -> list[TrackedVideo]:
    """Five clips of 1.2 s of one person whose lips, as tracked, never come nearer than 0.02 eye distances."""
    random, videos = np.random.default_rng(0), []
    for number in range(5):
        write_wav(tmp_path / f"{number}.wav", Waveform(voice(1.2, number)))
        curve = np.convolve(random.uniform(0, 1, 34), np.full(5, 0.2), "valid")
        curve[:2] = 0.0
        videos.append(TrackedVideo(tmp_path / f"{number}.wav", 25.0, 0.02 + 0.1 * curve, 0.5 + 0.05 * curve, 1 - curve))
    return videos


def test_target_coordinates_have_the_tracked_mouth_without_what_a_video_does_not_tell(
    tiny_talker, filmed: list[TrackedVideo]
) -> None:
    """The opening counts from closed lips; width and jaw move as tracked, around where the model has them."""
    head, eyes, random = tiny_talker.head, 0.1, torch.Generator().manual_seed(0)
    measure = mouth_measure(speech_space(head), head)
    neutral = [0.01 * torch.randn(36, len(measure), generator=random) for _ in filmed]
    found = torch.cat(coordinates_of_video(filmed, neutral, measure, eyes, 30)) @ measure
    gap, width, jaw = (np.concatenate([at_frames(curve(one), 25, 36, 30) for one in filmed]) for curve in (
        lambda one: one.gap, lambda one: one.width, lambda one: one.jaw))  # fmt: skip
    np.testing.assert_allclose(found[:, 0], eyes * np.maximum(gap - 0.02, 0), atol=2e-4)
    for column, curve in ((1, width), (2, jaw)):
        np.testing.assert_allclose(found[:, column] - found[:, column].mean(), eyes * (curve - curve.mean()), atol=1e-5)
    level = (torch.cat(neutral) @ measure).mean(0)
    np.testing.assert_allclose(found.mean(0)[1:], level[1:], atol=1e-5)


def test_a_person_is_judged_only_on_clips_that_the_style_was_not_fitted_to(
    tiny_talker, filmed: list[TrackedVideo], monkeypatch
) -> None:
    fitted, judged, compare = [], [], style_fit.compare_video

    def fit(model, logits, targets, measure, settings, progress) -> np.ndarray:
        assert [len(one) for one in logits] == [len(one) for one in targets] == [36] * len(logits)
        fitted.append([float((one @ measure)[:, 0].sum()) for one in targets])
        return np.full(40, 1.0 + len(fitted), np.float32)

    def compared(talker, video, waveform, style):
        judged.append((int(video.sound.stem), float(style[0])))
        return compare(talker, video, waveform, style)

    monkeypatch.setattr(style_fit, "fit_style", fit)
    monkeypatch.setattr(style_fit, "compare_video", compared)
    result = style_fit.fitted_halves(tiny_talker, filmed)
    assert judged == [(1, 2.0), (3, 2.0), (0, 3.0), (2, 3.0), (4, 3.0)] and result.clips == 5
    opened = [sum(one.gap - 0.02) * eye_distance(tiny_talker.head) * 30 / 25 for one in filmed]
    assert fitted[0] == pytest.approx([opened[i] for i in (0, 2, 4)], rel=0.03)
    assert fitted[1] == pytest.approx([opened[i] for i in (1, 3)], rel=0.03)
    with pytest.raises(StyleFitError, match="There are 3 clips of this person; a style fit needs 4"):
        style_fit.fitted_halves(tiny_talker, filmed[:3])

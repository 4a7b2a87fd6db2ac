"""Invariants of the network: what travels together must not change what each clip says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from memorytalker.config import ConfigError, ModelConfig, SpeechConfig
from memorytalker.models.layers import alignment_mask, length_mask, periodic_positions, sample_between, stretch
from memorytalker.models.states import instance_normalise, mean_of_layers
from memorytalker.models.style import (
    CHANGE_FRAMES,
    GLOBAL_STATISTICS,
    LARGEST_WEIGHT,
    SMALLEST_WEIGHT,
    voice_statistics,
)
from memorytalker.models.talker import MemoryTalker, TalkerOutput

FAMILIES = ("open", "vocaset", "biwi")
SAMPLES = torch.tensor([16000, 9123, 21001])


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, make_model) -> MemoryTalker:
    return make_model(request.param)


def speak(model: MemoryTalker, waveform: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None):
    """The whole network: sound to motion in its own style. Returns logits, style, output and the frame counts."""
    sizes = torch.tensor([waveform.shape[1]]) if lengths is None else lengths
    frames = (sizes * model.config.fps / 16000).round().long()
    with torch.no_grad():
        logits = model.text_logits(waveform, frames, lengths)
        style = model.style_of(waveform, lengths)
        mask = None if lengths is None else length_mask(frames, int(frames.max()))
        return logits, style, model(logits, mask, style.weights, motion), frames


def sounds(seed: int = 0) -> Tensor:
    """Three clips padded to one length, with rubbish and not silence in the padding."""
    waveform = 0.1 * torch.randn(3, int(SAMPLES.max()), generator=torch.Generator().manual_seed(seed))
    return torch.where(length_mask(SAMPLES, waveform.shape[1]), waveform, torch.tensor(0.7))


def test_a_padded_batch_is_its_clips_one_by_one(model: MemoryTalker) -> None:
    waveform = sounds()
    k, longest = model.config.text_frames, round(int(SAMPLES.max()) * model.config.fps / 16000)
    motion = 0.01 * torch.randn(3, longest, model.config.coordinates, generator=torch.Generator().manual_seed(1))
    logits, style, output, frames = speak(model, waveform, SAMPLES, motion)
    for i, (samples, count) in enumerate(zip(SAMPLES, frames, strict=True)):
        alone = speak(model, waveform[i : i + 1, :samples], motion=motion[i : i + 1, :count])
        assert alone[3] == count
        same(logits[i, : k * count], alone[0][0])
        for field in ("weights", "feature", "projection"):
            same(getattr(style, field)[i], getattr(alone[1], field)[0], 1e-4)
        for field in ("offsets", "text_logits", "key_address", "text_feature", "retrieved_feature"):
            same(getattr(output, field)[i, :count], getattr(alone[2], field)[0])
        for field in ("offsets", "motion_feature", "value_address", "recalled_feature"):
            same(getattr(output.given, field)[i, :count], getattr(alone[2].given, field)[0])


def test_style_belongs_to_each_item(model: MemoryTalker) -> None:
    """The style weights are never averaged over the batch: exchanging two neighbours exchanges their motions."""
    waveform = sounds()
    weights = model.style_of(waveform, SAMPLES).weights.detach()
    assert (weights[0] - weights[1]).abs().max() > 1e-3
    logits = torch.randn(1, 20 * model.config.text_frames, model.config.slot_count).expand(2, -1, -1)
    a = model(logits, style_weights=weights[:2]).offsets
    b = model(logits, style_weights=weights[[1, 0]]).offsets
    same(a, b[[1, 0]], 1e-6)
    assert (a[0] - a[1]).abs().max() > 1e-5


def test_neutral_style_is_stage_1(model: MemoryTalker) -> None:
    logits = torch.randn(2, 12 * model.config.text_frames, model.config.slot_count)
    stage_1 = model(logits)
    neutral = model(logits, style_weights=torch.ones(2, model.config.slot_count))
    assert torch.equal(stage_1.offsets, neutral.offsets)
    assert stage_1.given is None and stage_1.style_weights is None


def test_a_fresh_style_encoder_is_neutral_and_a_fresh_face_at_rest(make_model) -> None:
    fresh = MemoryTalker(make_model("open").config).eval()
    weights = fresh.style_of(sounds(), SAMPLES).weights
    torch.testing.assert_close(weights, torch.ones_like(weights), atol=1e-6, rtol=0)
    assert fresh(torch.randn(1, 9, fresh.config.slot_count)).offsets.eq(0).all()


def test_addresses_sum_to_one(model: MemoryTalker) -> None:
    motion = 0.01 * torch.randn(3, 40, model.config.coordinates)
    output = model(10 * torch.randn(3, 40 * model.config.text_frames, model.config.slot_count), motion=motion)
    for address in (output.key_address, output.given.value_address):
        torch.testing.assert_close(address.sum(-1), torch.ones(3, 40))


def test_a_planted_motion_is_found_in_its_slot(make_model) -> None:
    memory = make_model("open").memory
    address = memory.value_address(3.0 * memory.slots[None, [4, 1, 7]])
    assert address.argmax(-1).tolist() == [[4, 1, 7]]


def test_what_learns_from_which_loss(make_model) -> None:
    """The slots learn only as what the memory recalls, the motion encoder only through the decoder's second pass."""
    model = make_model("open")
    output = model(torch.randn(1, 8, model.config.slot_count), motion=0.01 * torch.randn(1, 8, 60))
    assert touched(model, output.offsets.sum()).isdisjoint({"memory.slots", "motion.weight"})
    assert touched(model, output.given.recalled_feature.sum()) == {"memory.slots"}
    assert touched(model, output.given.value_address.square().sum()) == {"memory.slots"}
    second = touched(model, output.given.offsets.square().sum())
    assert "motion.weight" in second and "memory.slots" not in second


def test_motion_scale_is_inside_only(make_model) -> None:
    """A model in millimetres with weights scaled to match says the same in metres."""
    model = make_model("open")
    scaled = MemoryTalker(dataclasses.replace(model.config, motion_scale=1000.0)).eval()
    state = model.state_dict()
    state["motion.weight"] = state["motion.weight"] / 1000
    for name in ("decoder.output.weight", "decoder.output.bias"):
        state[name] = state[name] * 1000
    scaled.load_state_dict(state)
    logits, motion = torch.randn(1, 15, model.config.slot_count), 0.01 * torch.randn(1, 15, 60)
    metres, millimetres = model(logits, motion=motion), scaled(logits, motion=motion)
    same(metres.offsets, millimetres.offsets)
    same(metres.given.offsets, millimetres.given.offsets)


def test_a_motion_frame_sees_its_own_text_only() -> None:
    seen = ~alignment_mask(3, 2, torch.device("cpu"))
    assert seen.nonzero().tolist() == [[0, 0], [0, 1], [1, 2], [1, 3], [2, 4], [2, 5]]


def test_positions_repeat_every_period(make_model) -> None:
    table = periodic_positions(30, 16)
    assert table.shape == (30, 16) and table[0, 0] == 0 and table[0, 1] == 1
    logits = torch.zeros(1, 60, 40)
    offsets = make_model("open", dropout=0.0)(logits).offsets[0]
    same(offsets[:30], offsets[30:])


def test_stretching_is_align_corners_for_each_item() -> None:
    values = torch.randn(2, 20, 3)
    ours = stretch(values, torch.tensor([20, 11]), torch.tensor([12, 7]), 12)
    for i, (source, target) in enumerate(((20, 12), (11, 7))):
        theirs = torch.nn.functional.interpolate(
            values[i : i + 1, :source].mT, target, mode="linear", align_corners=True
        ).mT[0]
        same(ours[i, :target], theirs)


def test_sampling_between_frames_is_linear_in_time() -> None:
    ramp = torch.arange(10.0)[None, :, None].expand(1, 10, 2)
    at = torch.tensor([[0.0, 2.25, 8.9, 9.0]])
    same(sample_between(ramp, at), at[..., None].expand(1, 4, 2))


def test_text_frames_are_read_at_their_own_time(make_model) -> None:
    """State s lies at s / 50 s and text frame t at t / 30 s: a ramp over the states stays a ramp of time."""
    speech = make_model("open").speech
    speech.head = torch.nn.Module()
    speech.head.forward = lambda states, mask: states
    ramp = (torch.arange(100.0) / 50)[None, :, None]
    same(speech.logits(ramp, 60)[0, :, 0], (torch.arange(60.0) / 30).clamp_max(99 / 50))
    mask = length_mask(torch.tensor([40]), 100)
    assert speech.logits(ramp, 60, mask).max() == pytest.approx(39 / 50)


def test_state_counts_are_what_states_returns(model: MemoryTalker) -> None:
    for samples in (1600, 1601, 4799, 16000):
        for share in (1.0, 0.5):  # the whole clip's frames, and only half of them
            frames = torch.tensor([max(1, round(share * samples * model.speech.text_rate / 16000))])
            states = model.speech.states(torch.randn(1, samples), frames=frames)
            assert states.shape[1] == model.speech.state_count(samples, int(frames))


def test_hubert_sees_no_further_than_the_motion(make_model) -> None:
    """For BIWI the transformer sees 2 T frames; for VOCASET the T frames after resampling."""
    for family, expected in (("biwi", 20), ("vocaset", 12)):
        model = make_model(family)
        frames = torch.tensor([expected])
        assert model.speech.states(torch.randn(1, 16000), frames=frames).shape[1] == expected


def test_a_frozen_encoder_gets_no_gradient_and_stays_in_evaluation(make_model) -> None:
    frozen, trained = make_model("open").speech.train(), make_model("vocaset").speech.train()
    assert not frozen.encoder.training and frozen.head.training and trained.encoder.training
    assert not any(p.requires_grad for p in frozen.encoder.parameters())
    learns = {name.split(".")[0] for name, p in trained.encoder.named_parameters() if p.requires_grad}
    assert "encoder" in learns and "feature_extractor" not in learns
    frozen.eval(), trained.eval()


def test_what_stays_the_same_through_a_clip_is_normalised_away(make_model) -> None:
    """With normalised states a shift and a gain of every channel, another voice, leave the address as it was."""
    random = torch.Generator().manual_seed(0)
    states = torch.randn(2, 30, 6, generator=random)
    mask = torch.arange(30)[None] < torch.tensor([30, 20])[:, None]
    voice, gain = torch.randn(2, 1, 6, generator=random), 0.5 + torch.rand(2, 1, 6, generator=random)
    plain = instance_normalise(states, mask, 1e-6)
    torch.testing.assert_close(instance_normalise(gain * states + voice, mask, 1e-6), plain, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        instance_normalise(states[1:, :20], None, 0.3), instance_normalise(states, mask, 0.3)[1:, :20]
    )
    assert instance_normalise(torch.ones(1, 5, 6), None, 0.3).abs().max() == 0.0

    speech = dataclasses.replace(make_model().config.speech, normalise=0.3)
    model = make_model(speech=speech).eval()
    states = torch.randn(1, 30, speech.hidden_size, generator=random)
    shifted, same = model.speech.logits(states + 2.0, 18), model.speech.logits(states, 18)
    torch.testing.assert_close(shifted, same, atol=1e-4, rtol=0)


@pytest.mark.parametrize("family", ["open", "vocaset"])
def test_the_states_can_be_the_mean_of_several_layers(make_model, family: str) -> None:
    """Each layer counts alike whatever its size; padding changes nothing; more layers than there are is an error."""
    layers = [scale * torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(scale)) for scale in (1, 50, 3)]
    alike = [layer / layer.std(-1, correction=0, keepdim=True) for layer in layers]
    assert mean_of_layers(layers, 0) is layers[-1]
    torch.testing.assert_close(mean_of_layers(layers, 2), mean_of_layers(alike, 2), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(mean_of_layers(layers, 2), mean_of_layers(layers, 3), atol=0.1)

    speech = dataclasses.replace(make_model(family).config.speech, mixed_layers=1)
    mixed = make_model(family, speech=speech).eval().speech
    plain = make_model(family).eval().speech
    mixed.load_state_dict(plain.state_dict())
    waveform, frames = sounds(), (SAMPLES * plain.text_rate / 16000).round().long()
    with torch.no_grad():
        last = plain.states(waveform, SAMPLES, frames=frames)
        states = mixed.states(waveform, SAMPLES, frames=frames)
        alone = mixed.states(waveform[1:2, : SAMPLES[1]], frames=frames[1:2])
    torch.testing.assert_close(states[1:2, : alone.shape[1]], alone, atol=1e-4, rtol=1e-4)
    same = torch.nn.functional.layer_norm(last, last.shape[-1:])
    torch.testing.assert_close(states[0, :20], same[0, :20], atol=1e-4, rtol=1e-4)
    with pytest.raises(ConfigError, match="mixed_layers"):
        make_model(family, speech=dataclasses.replace(speech, mixed_layers=99))


def test_statistics_are_of_the_frames_in_which_somebody_speaks() -> None:
    """Padding changes nothing, and neither does a louder pause as long as it is one; planted ranges are found."""
    random = torch.Generator().manual_seed(0)
    mel, lengths = 5.0 + torch.randn(2, 5, 60, generator=random), torch.tensor([60, 41])
    mel[1, :, 31:41] -= 60.0
    found = voice_statistics(mel, lengths)
    torch.testing.assert_close(voice_statistics(mel[1:, :, :41], lengths[1:]), found[1:])
    own = mel[1, :, :31]
    change = (mel[1, :, CHANGE_FRAMES:41] - mel[1, :, : 41 - CHANGE_FRAMES]).abs().mean(1)
    planted = torch.cat([own.mean(1), own.std(1, correction=0), change])
    torch.testing.assert_close(found[1, :-GLOBAL_STATISTICS], planted, atol=1e-3, rtol=1e-3)
    mel[1, :, 31:41] += 20.0
    torch.testing.assert_close(voice_statistics(mel[1:], lengths[1:])[0, :10], found[1, :10], atol=1e-3, rtol=1e-3)

    levels = torch.cat(
        [torch.full((30,), -10.0), torch.full((30,), -16.0), torch.full((30,), -30.0), -80.0 * torch.ones(60)]
    )
    for order in (torch.arange(150), torch.randperm(150, generator=random)):
        steps = voice_statistics(levels[order].expand(1, 3, -1), torch.tensor([150]))
        torch.testing.assert_close(steps[0, -GLOBAL_STATISTICS:-1], torch.tensor([20.0, 6.0]), atol=1e-3, rtol=0)


def test_statistics_of_a_moment_and_of_nothing_are_numbers() -> None:
    for frames in (1, 3, 4, 5):
        assert voice_statistics(torch.full((1, 5, frames), -100.0), torch.tensor([frames])).isfinite().all()


def test_statistics_of_the_log_mel_join_the_style(make_model) -> None:
    random = torch.Generator().manual_seed(0)
    config = make_model().config.style
    model = make_model(style=dataclasses.replace(config, statistics=True))
    mel = torch.randn(1, config.mel_bins, 50, generator=random)
    louder = model.style(mel + 1.0).feature - model.style(mel).feature
    model.style.statistics = None
    assert not torch.allclose(model.style(mel + 1.0).feature - model.style(mel).feature, louder, atol=1e-3)


def test_statistics_alone_can_be_the_style(make_model) -> None:
    """Then each item is by itself, and there are no convolutions."""
    config = dataclasses.replace(make_model().config.style, statistics=True, convolutions=False)
    style = make_model(style=config).style.eval()
    random = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(style.feature.weight, std=0.01, generator=random)
    mel, lengths = torch.randn(2, config.mel_bins, 50, generator=random), torch.tensor([50, 31])
    encoded = style(mel, lengths)
    torch.testing.assert_close(style(mel[1:, :, :31]).weights, encoded.weights[1:], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(style(mel[:1] * 2).weights, encoded.weights[:1], atol=1e-2)
    assert torch.equal(encoded.weights, encoded.feature.clamp(SMALLEST_WEIGHT, LARGEST_WEIGHT)), (
        "the feature is the weights"
    )
    with torch.no_grad():
        style.feature.weight.mul_(50.0)
    wild = style(mel, lengths).weights.detach()
    limits = torch.tensor([SMALLEST_WEIGHT, LARGEST_WEIGHT])
    assert torch.equal(torch.stack([wild.min(), wild.max()]), limits), "no slot is turned round"
    with torch.no_grad():
        style.feature.weight.div_(50.0)
    far = torch.full((1, style.feature.in_features), 9.0)
    assert torch.equal(style.weigh(far).weights, style.weigh(far / 3).weights), "no voice is further than this"
    assert not torch.allclose(style.weigh(far / 9).weights, style.weigh(far / 3).weights)
    assert not [name for name, _ in style.named_parameters() if "convolution" in name or "bank" in name]
    with pytest.raises(ConfigError, match=r"style\.statistics"):
        make_model(style=dataclasses.replace(config, statistics=False))


def test_the_log_mel_can_be_brought_to_size_before_it_is_encoded(make_model) -> None:
    style = make_model().config.style
    plain, sized = make_model(), make_model(style=dataclasses.replace(style, mel_mean=-35.0, mel_spread=20.0))
    mel = torch.randn(1, style.mel_bins, 50, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sized.style(20.0 * mel - 35.0).feature, plain.style(mel).feature, atol=1e-4, rtol=1e-4)


def test_too_long_a_window_is_refused(make_model) -> None:
    with pytest.raises(ValueError, match="at most 30 s"):
        make_model("open").speech.states(torch.zeros(1, 31 * 16000))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"form": "wav2vec"}, "hubert, whisper"), ({"resample": "during"}, "before"), ({"resample": "before"}, "after")],
)
def test_unknown_encoders_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MemoryTalker(ModelConfig(coordinates=6, speech=dataclasses.replace(SpeechConfig(layers=1), **change)))


def test_the_shipped_encoder_finds_speech(shared: Path) -> None:
    """Real states of real speech: one pass over half a minute agrees with the library's own padded forward."""
    import soundfile
    from safetensors.torch import load_file
    from transformers import WhisperFeatureExtractor

    files = sorted((shared / "encoder").glob("*.safetensors"))
    clips = sorted((shared / "speech").glob("librispeech/**/*.*"))
    clips = [clip for clip in clips if clip.suffix in (".flac", ".opus", ".ogg", ".wav")]
    if not files or not clips:
        pytest.skip("no pretrained encoder or no speech in `shared`")
    speech = MemoryTalker(ModelConfig(coordinates=6)).eval().speech
    speech.load_pretrained(load_file(files[0]), "the shipped encoder")
    samples, rate = soundfile.read(clips[0], dtype="float32")
    samples = torch.nn.functional.interpolate(
        torch.from_numpy(samples)[None, None], scale_factor=16000 / rate, mode="linear"
    )[0]
    samples = samples / samples.abs().max()
    padded = torch.nn.functional.pad(samples, (0, 30 * 16000 - samples.shape[1]))
    extractor = WhisperFeatureExtractor(feature_size=80)
    mel = extractor(padded[0].numpy(), sampling_rate=16000, return_tensors="pt").input_features
    with torch.no_grad():
        theirs = speech.encoder(mel)[-1]
        level = torch.tensor([speech.config.target_level])  # leave the sound as it is
        same(speech.states(padded, levels=level), theirs, 2e-2)
        cut = speech.states(samples, levels=level)
    likeness = torch.cosine_similarity(cut[0, 5:-5], theirs[0, 5 : cut.shape[1] - 5], dim=-1)
    assert likeness.median() > 0.9  # without the silence of the padding the states are nearly the same


def touched(model: MemoryTalker, loss: Tensor) -> set[str]:
    names, parameters = zip(*[(n, p) for n, p in model.named_parameters() if p.requires_grad], strict=True)
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return {n for n, g in zip(names, gradients, strict=True) if g is not None and g.abs().max() > 0}


def same(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)


def test_the_output_is_frozen(make_model) -> None:
    output = make_model("open")(torch.zeros(1, 2, 40))
    assert isinstance(output, TalkerOutput)
    with pytest.raises(dataclasses.FrozenInstanceError):
        output.offsets = None

"""What training reads: masks, clips on disk, caches that are never stale, data sets as clips."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from memorytalker.config import TrainingConfig
from memorytalker.datasets.sequences import FaceDataset, FaceRegions, Sequence
from memorytalker.sound.decode import Waveform
from memorytalker.training.cache import StateCache, encode
from memorytalker.training.data import (
    AnyClip,
    TrainingClip,
    TrainingError,
    Triplets,
    collate,
    cropped,
    piece,
    split_long,
    states_per_frame,
)
from memorytalker.training.losses import MouthVertices
from memorytalker.training.memorize import memorizing
from memorytalker.training.sources import open_source, vertex_mouth
from memorytalker.training.stylize import stylizing

FAMILIES = ("open", "vocaset", "biwi")
MOUTH = MouthVertices(lips=torch.arange(5), opening=torch.eye(60)[0])
CONFIG = TrainingConfig(
    losses=dataclasses.replace(TrainingConfig().losses, slots=0.1, opening=0.1, lips_in_stage_one=1.0)
)


def make_clip(model, number: int, frames: int, online: bool, voice: Callable) -> TrainingClip:
    """A clip of noise for a face and a buzz for a voice, with the encoder's states or with the sound."""
    random = torch.Generator().manual_seed(number)
    samples = voice(frames / model.config.fps, seed=number)
    states, mel = encode(model, samples, frames)
    return TrainingClip(
        f"clip{number}", f"speaker{number % 2}", True, None if online else torch.from_numpy(states).float(),
        torch.from_numpy(mel), 0.01 * torch.randn(frames, 60, generator=random),
        torch.randint(0, 30, (frames,), generator=random), torch.from_numpy(samples) if online else None,
    )  # fmt: skip


@pytest.mark.parametrize("online", [False, True], ids=["cached", "online"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_of_a_padded_batch_is_the_mean_of_its_clips_losses(family, online, make_model, voice) -> None:
    model = make_model(family)
    clips = [make_clip(model, i, frames, online, voice) for i, frames in enumerate((31, 12, 50, 23))]
    chosen = list(range(4))

    def stage_two(numbers: list[int]):
        randoms = [np.random.default_rng((5, i)) for i in numbers]
        return stylizing(model, clips, numbers, Triplets(clips), MOUTH, CONFIG, randoms)

    with torch.no_grad():
        together = memorizing(model, collate(clips), MOUTH, CONFIG), stage_two(chosen)
        alone = [(memorizing(model, collate([clips[i]]), MOUTH, CONFIG), stage_two([i])) for i in chosen]
    for stage in (0, 1):
        singles = [one[stage] for one in alone]
        for name, value in {"total": together[stage].total, **together[stage].parts}.items():
            values = [one.total if name == "total" else one.parts[name] for one in singles]
            assert float(value) == pytest.approx(float(torch.stack(values).mean()), abs=1e-5, rel=1e-5), name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_of_a_padded_batch_is_the_mean_of_its_clips_gradients(family, make_model, voice) -> None:
    model = make_model(family)  # in evaluation mode: dropout off
    clips = [make_clip(model, i, frames, True, voice) for i, frames in enumerate((31, 12, 23))]

    def gradients(batch: list[TrainingClip]) -> dict[str, torch.Tensor]:
        model.zero_grad()
        memorizing(model, collate(batch), MOUTH, CONFIG).total.backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    together, alone = gradients(clips), [gradients([clip]) for clip in clips]
    assert family == "open" or any(name.startswith("speech.encoder") for name in together), "the encoder learns"
    for name, value in together.items():
        mean = torch.stack([one[name] for one in alone]).mean(0)
        torch.testing.assert_close(value, mean, msg=name, atol=1e-5 * (1 + float(mean.abs().max())), rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_piece_holds_the_sound_of_its_motion(family, make_model) -> None:
    model = make_model(family)
    config, frames = model.config, 10 * model.config.fps
    rate = states_per_frame(config)
    clip = TrainingClip(
        "a", "a", True, torch.arange(round(frames * rate))[:, None] / rate, torch.arange(1000)[:, None] / 100,
        torch.arange(frames)[:, None] / config.fps, torch.zeros(frames), torch.arange(160000) / 16000,
    )  # fmt: skip
    part = cropped(clip, 2 * config.fps, np.random.default_rng(1), config)
    start = float(part.motion[0])
    assert 0 < start == pytest.approx(float(part.waveform[0])) == pytest.approx(float(part.states[0]) / config.fps)
    assert float(part.mel[0]) == pytest.approx(start, abs=0.02)
    assert len(part.waveform) == 32000 and len(part.states) == round(2 * config.fps * rate)


def test_clips_with_and_without_states_do_not_mix(make_model, voice) -> None:
    model = make_model()
    clips = [make_clip(model, i, 20, bool(i), voice) for i in range(2)]
    with pytest.raises(TrainingError, match="states of every clip"):
        collate(clips)


def test_a_speaker_with_one_clip_is_a_negative_only(make_model, voice) -> None:
    model = make_model()
    clips = [make_clip(model, i, 20, False, voice) for i in range(3)]
    triplets = Triplets(clips)
    assert triplets.single == ("speaker1",) and triplets.anchors() == [0, 2]
    assert all(triplets.draw(0, np.random.default_rng(i)) == (2, 1) for i in range(5))
    with pytest.raises(TrainingError, match="two clips"):
        Triplets(clips[:2])


# Data sets


@pytest.fixture
def dataset(voice: Callable, tmp_path: Path) -> FaceDataset:
    """Six sequences of two speakers with 20 vertices at 25 frames a second."""
    random = np.random.default_rng(0)
    templates = {name: random.normal(size=(20, 3)).astype(np.float32) for name in "ab"}

    def sequence(i: int) -> Sequence:
        speaker, frames = "ab"[i % 2], 25 + 5 * i
        motion = np.random.default_rng(i).normal(0, 0.01, (frames, 20, 3)).astype(np.float32)
        return Sequence(
            f"{speaker}/{i}", speaker, "train" if i < 4 else "validation", frames, 25,
            lambda: Waveform(voice(frames / 25, seed=i)), lambda: templates[speaker] + motion,
        )  # fmt: skip

    regions = FaceRegions("planted", lips=np.array([1, 2, 3]), opening=(1, 2))
    sequences = tuple(sequence(i) for i in range(6))
    return FaceDataset(tmp_path, "biwi", 25, 20, sequences, templates, regions, digest="planted")


def clips_of(dataset: FaceDataset, model, folder: Path, states: bool) -> list[AnyClip]:
    source = open_source(dataset, model.config.slots)
    cache = StateCache(model, folder, source.digest, states)
    cache.fill(dataset.sequences)
    return source.clips("train", cache, model.config)


def test_a_data_set_becomes_clips_on_disk(dataset: FaceDataset, make_model, tmp_path: Path) -> None:
    model = make_model("biwi")
    clips = clips_of(dataset, model, tmp_path, states=False)
    assert [clip.frames for clip in clips] == [25, 30, 35, 40]
    loaded = clips[2].load()
    one = dataset.sequences[2]
    np.testing.assert_allclose(
        loaded.motion.numpy(), (one.vertices() - dataset.templates["a"]).reshape(35, 60), atol=1e-7
    )
    np.testing.assert_array_equal(loaded.waveform.numpy(), one.waveform().samples)
    assert loaded.states is None and (loaded.labels == -1).all() and loaded.captured
    part = piece(piece(clips[2], 5, 25, model.config), 5, 10, model.config).load()
    torch.testing.assert_close(part.motion, loaded.motion[10:20])
    torch.testing.assert_close(part.waveform, loaded.waveform[6400:12800])
    halves = split_long(clips[3], 1.0, model.config)
    torch.testing.assert_close(torch.cat([half.motion for half in halves]), clips[3].motion)


@pytest.mark.parametrize("family", ["vocaset", "biwi"])
def test_cached_states_give_what_the_sound_gives(family, dataset: FaceDataset, make_model, tmp_path: Path) -> None:
    model = make_model(family, fps=25)
    cached, online = (clips_of(dataset, model, tmp_path, states) for states in (True, False))
    with torch.no_grad():
        a, b = (memorizing(model, collate(clips), MOUTH, CONFIG).total for clips in (cached, online))
    assert float(a) == pytest.approx(float(b), rel=2e-3), "states are kept in half precision"


def test_a_cache_of_another_encoder_or_data_set_is_never_used(dataset, make_model, tmp_path: Path) -> None:
    model = make_model("biwi")
    first = StateCache(model, tmp_path, "data", states=True).folder
    assert StateCache(make_model("biwi"), tmp_path, "data", states=True).folder == first
    with torch.no_grad():
        next(model.speech.encoder.parameters()).add_(1e-3)
    assert StateCache(model, tmp_path, "data", states=True).folder != first
    assert StateCache(make_model("biwi"), tmp_path, "other", states=True).folder != first
    assert StateCache(make_model("biwi"), tmp_path, "data", states=False).folder != first


def test_nothing_is_read_before_a_batch_needs_it(dataset: FaceDataset, make_model, tmp_path: Path) -> None:
    model = make_model("biwi")
    read: list[str] = []

    def watched(one: Sequence) -> Sequence:
        return dataclasses.replace(one, read_vertices=lambda: read.append(one.name) or one.read_vertices())

    seen = dataclasses.replace(dataset, sequences=tuple(map(watched, dataset.sequences)))
    clips = clips_of(seen, model, tmp_path, states=True)
    assert not read
    collate(clips[1:2])
    assert read == ["b/1"]


def test_the_mouth_of_a_data_set(dataset: FaceDataset) -> None:
    mouth = vertex_mouth(dataset)
    motion = torch.zeros(1, 1, 60)
    motion[0, 0, 3 * 1 + 1], motion[0, 0, 3 * 2 + 1] = 0.003, -0.004
    assert float(motion @ mouth.opening) == pytest.approx(0.007)
    assert mouth.lips.tolist() == [1, 2, 3]
    assert vertex_mouth(dataclasses.replace(dataset, regions=FaceRegions("none"))) is None


def test_a_speaker_without_a_neutral_face_is_named(dataset: FaceDataset) -> None:
    with pytest.raises(TrainingError, match="neutral face .template. of b"):
        open_source(dataclasses.replace(dataset, templates={"a": dataset.templates["a"]}), ())

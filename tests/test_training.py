"""Training: drawn by seed, resumed to the same end, each stage teaching only what it should."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import clip
from toy_training import clips as toy_clips

from memorytalker.config import ConfigError, LossConfig, TrainingConfig
from memorytalker.face.head import load_head
from memorytalker.face.motion_space import speech_space
from memorytalker.training import trainer
from memorytalker.training.data import Sampler, TrainingClip, Triplets, collate, cropped, split_long
from memorytalker.training.losses import MouthVertices
from memorytalker.training.memorize import memorize, stage_one
from memorytalker.training.space import mouth_in_space
from memorytalker.training.stylize import stylize
from memorytalker.training.trainer import StageInputs, Trainer

LOSSES = LossConfig(slots=0.1, opening=0.1, lips_in_stage_one=1.0)
CONFIG = TrainingConfig(epochs=2, batch_size=3, learning_rate=1e-3, captured_share=0.4, crop_seconds=1.0,
                        losses=LOSSES)  # fmt: skip


@pytest.fixture
def clips() -> list[TrainingClip]:
    return toy_clips()


@pytest.fixture
def mouth() -> MouthVertices:
    return MouthVertices(lips=torch.eye(60)[:, :12], opening=torch.eye(60)[0])


def test_sampler_is_decided_by_seed_and_epoch(clips: list[TrainingClip]) -> None:
    def drawn(seed: int, epoch: int) -> list[list[int]]:
        return list(Sampler(clips, dataclasses.replace(CONFIG, seed=seed)).epoch(epoch))

    assert drawn(1, 0) == drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)
    plain = dataclasses.replace(CONFIG, captured_share=0.0)
    assert sorted(sum(Sampler(clips, plain).epoch(0), [])) == list(range(12)), "every clip once"


def test_sampler_gives_captured_clips_their_share(clips: list[TrainingClip]) -> None:
    batches = list(Sampler(clips, dataclasses.replace(CONFIG, captured_share=0.5, batch_size=1)).epoch(0))
    assert sum(clips[b[0]].captured for b in batches) == 6


def test_people_are_drawn_by_a_root_of_their_recorded_time(clips: list[TrainingClip]) -> None:
    """Nine times as much video of one person is drawn about twice as often, and long clips more than short ones."""
    much = [dataclasses.replace(clip(i, 90, "much"), captured=True) for i in range(9)]
    little = [dataclasses.replace(clip(9 + i, n, "little"), captured=True) for i, n in enumerate((60, 30))]
    pool = much + little + [dataclasses.replace(one, captured=False) for one in clips]
    config = dataclasses.replace(CONFIG, captured_share=0.5, batch_size=1)
    drawn = [pool[b[0]] for epoch in range(150) for b in Sampler(pool, config).epoch(epoch) if pool[b[0]].captured]
    of_much = sum(one.speaker == "much" for one in drawn)
    long, short = (sum(one.frames == frames for one in drawn) for frames in (60, 30))
    assert of_much / (len(drawn) - of_much) == pytest.approx(9**0.35, rel=0.15)
    assert long / short == pytest.approx(2.0, rel=0.2)


def test_triplets_never_hold_the_clip_itself(clips: list[TrainingClip]) -> None:
    pieces = clips + [dataclasses.replace(clips[0])]  # a second piece of the first take
    triplets, random = Triplets(pieces), np.random.default_rng(0)
    for index in range(len(pieces)):
        for _ in range(20):
            positive, negative = triplets.draw(index, random)
            assert pieces[positive].name != pieces[index].name
            assert pieces[positive].speaker == pieces[index].speaker != pieces[negative].speaker


def test_one_speaker_makes_no_triplets(clips: list[TrainingClip]) -> None:
    with pytest.raises(ValueError, match="at least two speakers"):
        Triplets([c for c in clips if c.speaker == "speaker0"])


def test_crops_begin_where_states_and_frames_do(make_model) -> None:
    config = make_model().config
    long = dataclasses.replace(clip(0, 300, "a"), motion=torch.arange(300.0)[:, None].expand(300, 60))
    long = dataclasses.replace(long, states=torch.arange(500.0)[:, None].expand(500, 32))
    for seed in range(10):
        piece = cropped(long, 60, np.random.default_rng(seed), config)
        assert len(piece.motion) == 60 and len(piece.states) == 100
        assert float(piece.motion[0, 0]) / 30 == pytest.approx(float(piece.states[0, 0]) / 50)


def test_long_takes_are_cut_without_loss(make_model) -> None:
    config = make_model().config
    long = clip(0, 1000, "a")
    pieces = split_long(long, 10.0, config)
    assert len(pieces) == 4
    torch.testing.assert_close(torch.cat([p.motion for p in pieces]), long.motion)
    torch.testing.assert_close(torch.cat([p.states for p in pieces]), long.states)
    assert split_long(clip(1, 200, "a"), 10.0, config)[0].motion.shape[0] == 200


def test_padded_batch_equals_single_clips(make_model, clips: list[TrainingClip]) -> None:
    model = make_model()
    with torch.no_grad():
        together = stage_one(model, collate(clips[:4]))
        for i, one in enumerate(clips[:4]):
            alone = stage_one(model, collate([one]))
            frames = len(one.motion)
            torch.testing.assert_close(together.offsets[i, :frames], alone.offsets[0], atol=1e-5, rtol=0)
            torch.testing.assert_close(together.key_address[i, :frames], alone.key_address[0], atol=1e-5, rtol=0)


def test_broken_run_ends_where_an_unbroken_one_does(make_model, clips, mouth, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(trainer, "CHECKPOINT_STEPS", 1)
    whole = make_model()
    memorize(whole, StageInputs(clips, clips[:3], mouth, tmp_path / "whole"), CONFIG)
    broken = make_model()
    real = torch.optim.AdamW.step
    steps = iter(range(5))

    def stops(self, *args, **kwargs):
        next(steps)  # the sixth step is never made
        return real(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", stops)
    with pytest.raises((StopIteration, RuntimeError)):
        memorize(broken, StageInputs(clips, clips[:3], mouth, tmp_path / "broken"), CONFIG)
    monkeypatch.setattr(torch.optim.AdamW, "step", real)
    resumed = make_model(seed=3)  # whatever it starts from, the checkpoint decides
    memorize(resumed, StageInputs(clips, clips[:3], mouth, tmp_path / "broken"), CONFIG)
    ends = [torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("whole", "broken")]
    assert ends[0]["step"] == ends[1]["step"] == 8
    for name, value in ends[0]["model"].items():  # the last weights, not only the best
        torch.testing.assert_close(ends[1]["model"][name], value, msg=name, atol=1e-6, rtol=1e-5)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, msg=name, atol=1e-6, rtol=1e-5)


def test_a_run_broken_off_before_its_judgement_is_judged_when_resumed(
    make_model, clips, mouth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(self, epoch, validate):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "CHECKPOINT_STEPS", 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "_validate", dies)
        memorize(make_model(), StageInputs(clips, clips[:3], mouth, tmp_path), CONFIG)
    memorize(make_model(), StageInputs(clips, clips[:3], mouth, tmp_path), CONFIG)
    judged = [json.loads(line)["epoch"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert judged == [1, 2]


def test_a_folder_with_another_run_is_refused(make_model, clips, mouth, tmp_path: Path) -> None:
    memorize(make_model(), StageInputs(clips, clips[:3], mouth, tmp_path), CONFIG)
    with pytest.raises(ConfigError, match="other settings .training"):
        memorize(make_model(), StageInputs(clips, clips[:3], mouth, tmp_path), dataclasses.replace(CONFIG, seed=1))


def test_stage_one_learns_and_leaves_style_and_frozen_encoder_alone(make_model, clips, mouth, tmp_path) -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    config = dataclasses.replace(CONFIG, epochs=12, learning_rate=5e-3)
    memorize(model, StageInputs(clips, clips, mouth, tmp_path / "run"), config)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert not {name for name in changed if name.startswith(("style", "speech.encoder"))}
    assert {"memory.slots", "motion.weight", "decoder.output.weight"} <= changed
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    losses = [json.loads(line)["train"]["total"] for line in log]
    assert losses[-1] < losses[0]


def test_stage_two_teaches_the_style_encoder_alone(make_model, clips, mouth, tmp_path) -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    config = dataclasses.replace(CONFIG, stage="stylize", style_seconds=0.5)
    stylize(model, StageInputs(clips, clips, mouth, tmp_path / "run"), config)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("style") for name in changed)
    assert "style_mean" in changed
    figures = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])["validation"]
    assert figures["neutral_motion"] > 0, "stage 1 stands beside stage 2"


def test_coordinates_keep_distances_and_openings() -> None:
    head = load_head()
    space = speech_space(head)
    random = np.random.default_rng(0)
    speaking = np.array([not name.startswith(("eye", "brow", "noseSneer")) for name in head.blendshape_names])
    weights = random.uniform(0, 1, (5, 52)).astype(np.float32) * speaking
    offsets = head.offsets(weights).reshape(5, -1)
    coordinates = space.encode(weights)
    np.testing.assert_allclose(np.linalg.norm(coordinates, axis=1), np.linalg.norm(offsets, axis=1), rtol=1e-3)
    upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
    lips = offsets.reshape(5, -1, 3)
    gap = lips[:, upper, 1] - lips[:, lower, 1]
    mouth = mouth_in_space(space, head)
    np.testing.assert_allclose(coordinates @ mouth.opening.numpy(), gap, atol=2e-5)


def test_empty_corpus_is_refused(make_model, clips, mouth, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no training clips"):
        Trainer(make_model(), StageInputs([], clips, mouth, tmp_path), CONFIG, Sampler([], CONFIG))
    with pytest.raises(ValueError, match="no validation clips"):
        StageInputs(clips, [], mouth, tmp_path)


def test_silence_in_video_need_not_be_closed(clips: list[TrainingClip]) -> None:
    tracked, made = clips[0], clips[1]
    assert tracked.captured and not made.captured
    labels = torch.tensor([0, 5]).repeat(50)
    tracked, made = (dataclasses.replace(c, labels=labels[: len(c.labels)]) for c in (tracked, made))
    batch = collate([tracked, made])
    assert not batch.opening_mask[0, 0] and batch.opening_mask[0, 1], "recorded silence does not count, speech does"
    assert batch.opening_mask[1, : len(made.motion)].all(), "synthesised silence is closed"
    assert not (batch.opening_mask & ~batch.mask).any()

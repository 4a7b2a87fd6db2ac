"""Arousal from the voice: a planted voice is learned, moods and brows follow, and a stream gives the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memorytalker import Talker
from memorytalker.face.shape_groups import GAIN_GROUPS
from memorytalker.options import MOODS
from memorytalker.styles import arousal
from memorytalker.styles.arousal import ArousalError, ArousalEstimate, VoiceArousal
from memorytalker.styles.delivery import Delivery, mood_columns
from tools import arousal as maker


def test_a_planted_voice_is_learned_across_speakers() -> None:
    """One feature of many tells the arousal, and every speaker has an own level of all."""
    rng = np.random.default_rng(0)
    levels = np.repeat([1.0, 0.0, -1.0], 20)
    speakers = np.tile(np.array(["03", "08", "09", "10"]), 15)
    features = rng.normal(0, 1, (60, 50)) + np.array([int(one) % 5 for one in speakers])[:, None] * 0.1
    features[:, 7] += 3.0 * levels
    judged = maker.leave_speakers_out(features, levels, speakers)
    assert maker.spearmanr(judged, levels)[0] > 0.65  # three levels have many ties
    rng.shuffle(levels)
    assert abs(maker.spearmanr(maker.leave_speakers_out(features, levels, speakers), levels)[0]) < 0.4


def test_moods_and_brows_follow_and_nothing_else() -> None:
    delivery = Delivery(gains={"jaw": 1.3, "brows": 1.2}, offsets={"brows": 0.1}, moods={"joy": 0.8}, head_motion=0.5)
    values = np.repeat(delivery.values[None], 3, axis=0)
    changed = arousal.with_arousal(values, np.array([-1.0, 0.0, 1.0]))
    joy, brows = mood_columns().start + MOODS.index("joy"), GAIN_GROUPS.index("brows")
    np.testing.assert_allclose(changed[:, joy], [0.4, 0.8, 1.0])
    np.testing.assert_allclose(changed[:, brows], [0.6, 1.2, 1.8])
    rest = np.delete(np.arange(values.shape[1]), [joy, brows])
    np.testing.assert_array_equal(changed[:, rest], values[:, rest])


class Planted(ArousalEstimate):
    """Hears the mean of the features."""

    def of(self, features: np.ndarray) -> float:
        return float(np.clip(features, -1, 1).mean())


HEARS = Planted(mean=np.zeros(1), spread=np.ones(1), weights=np.zeros(1), level=0.0)


def test_an_estimate_takes_over_softly_and_is_not_revised(monkeypatch, tiny_talker: Talker) -> None:
    monkeypatch.setattr(arousal, "voice_features", lambda model, samples: samples[:1])
    voice = VoiceArousal(tiny_talker.model, HEARS, 30.0)
    voice.follow(0, np.full(32000, -0.5))
    before = voice.values(0, 60)
    np.testing.assert_allclose(before, -0.5)
    voice.follow(60, np.full(32000, 0.5))
    voice.follow(105, np.full(100, 1.0))  # too short to tell
    after = voice.values(0, 150)
    np.testing.assert_array_equal(after[:60], before)
    np.testing.assert_allclose(after[90:], 0.5)
    assert (np.diff(after) >= 0).all() and np.diff(after).max() < 0.06
    np.testing.assert_array_equal(voice.values(70, 30), after[70:100])


def test_a_stream_is_as_the_whole_and_off_is_off(monkeypatch, tiny_talker: Talker, voice) -> None:
    samples = voice(5.0)
    monkeypatch.setattr("memorytalker.pipeline.load_arousal", lambda model: HEARS)
    excited = lambda model, samples: np.array([0.9 if samples[:400].any() else 0.0])  # noqa: E731
    monkeypatch.setattr(arousal, "voice_features", excited)
    chosen: dict[str, Any] = {"mood": "joy", "mood_strength": 0.5, "expression": True}
    plain = tiny_talker.animate((samples, 16000), None, **chosen).curves
    livelier = tiny_talker.animate((samples, 16000), None, **chosen, voice_arousal=True).curves
    pieces = tiny_talker.stream(np.array_split(samples, 7), None, **chosen, voice_arousal=True)
    np.testing.assert_array_equal(np.concatenate([piece.curves.weights for piece in pieces]), livelier.weights)
    assert livelier.curve("cheekSquintLeft").mean() > 1.3 * plain.curve("cheekSquintLeft").mean() > 0
    monkeypatch.setattr(arousal, "voice_features", lambda model, samples: np.zeros(1))
    calm = tiny_talker.animate((samples, 16000), None, **chosen, voice_arousal=True).curves
    np.testing.assert_allclose(calm.weights, plain.weights, atol=1e-6)


def test_the_estimate_is_read_strictly(tmp_path: Path, tiny_talker: Talker) -> None:
    model = tiny_talker.model
    speech = model.config.speech
    notes = {"speech": {"form": speech.form, "hidden_size": speech.hidden_size}}
    size = 2 * speech.hidden_size
    rng = np.random.default_rng(0)
    estimate = ArousalEstimate(rng.normal(size=size), rng.random(size) + 0.1, rng.normal(size=size) / size, 0.2)
    maker.write_estimate(estimate, notes, tmp_path)
    read = arousal.load_arousal(model, tmp_path)
    np.testing.assert_allclose(read.weights, estimate.weights, rtol=1e-6)
    features = arousal.voice_features(model, rng.normal(0, 0.1, 16000).astype(np.float32))
    assert features.shape == (size,) and -1 <= read.of(features) <= 1
    maker.write_estimate(estimate, {"speech": {"form": speech.form, "hidden_size": size}}, tmp_path)
    with pytest.raises(ArousalError, match="damaged"):
        arousal.load_arousal(model, tmp_path)
    for broken in (b"", b"{}", json.dumps({"level": 0, "speech": []}).encode()):
        (tmp_path / arousal.CONFIG).write_bytes(broken)
        with pytest.raises(ArousalError, match="is damaged"):
            arousal.load_arousal(model, tmp_path)
    with pytest.raises(ArousalError, match="is damaged"):
        arousal.load_arousal(model, tmp_path / "none")


def test_an_estimate_of_other_states_or_another_file_is_refused(tmp_path: Path, tiny_talker: Talker) -> None:
    speech = tiny_talker.model.config.speech
    size = 2 * speech.hidden_size
    estimate = ArousalEstimate(np.zeros(size), np.ones(size), np.zeros(size), 0.0)
    maker.write_estimate(estimate, {"speech": {"form": "other", "hidden_size": speech.hidden_size}}, tmp_path)
    with pytest.raises(ArousalError, match="encode speech otherwise"):
        arousal.load_arousal(tiny_talker.model, tmp_path)
    notes = {"speech": {"form": speech.form, "hidden_size": speech.hidden_size}}
    maker.write_estimate(estimate, notes, tmp_path)
    config = (tmp_path / arousal.CONFIG).read_bytes()
    louder = ArousalEstimate(np.zeros(size), np.ones(size), np.ones(size), 0.0)
    maker.write_estimate(louder, notes, tmp_path)
    (tmp_path / arousal.CONFIG).write_bytes(config)
    with pytest.raises(ArousalError, match="is damaged"):  # another sha256
        arousal.load_arousal(tiny_talker.model, tmp_path)

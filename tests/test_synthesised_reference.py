"""What the figures of the open model are measured against: synthesised motion, captured curves; and their metrics."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from memorytalker import weights
from memorytalker.config import ConfigError, CurveRegressorConfig, SpeechConfig
from memorytalker.corpus.build import read_manifest, synthesised_shapes
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.corpus.speakers import articulation_styles, speaker_voices
from memorytalker.evaluation import metrics
from memorytalker.face.head import load_head
from memorytalker.models.audio_to_curves import CurveRegressor
from memorytalker.scorecard import held_out_takes, synthesised_reference
from memorytalker.scorecard.card import read_scorecard
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.training.open_recipe import read_recipe
from memorytalker.weights import save_curve_regressor

CORPUS = read_recipe().corpus


@pytest.mark.parametrize("sign, expected, reached", [(1, 1.0, True), (-1, -1.0, False)])
def test_a_take_predicted_perfectly_correlates_with_itself(
    tmp_path: Path, monkeypatch, sign: int, expected: float, reached: bool
) -> None:
    head = load_head()
    captured = (0.4 + 0.3 * np.sin(np.arange(60) / 5)).astype(np.float32)
    folder = tmp_path / "capture" / "facegood"
    folder.mkdir(parents=True)
    names = np.array(["jawOpen", "mouthFunnel"])
    np.savez(folder / "take.npz", weights=np.stack([captured, 1 - captured], 1), names=names, fps=np.float32(30))
    sources = [CaptureSource("facegood", "curves", held_out=("take",)), CaptureSource("other", "landmarks")]
    monkeypatch.setattr(held_out_takes, "load_waveform", lambda path: path)
    weights = np.zeros((60, 52), np.float32)
    weights[:, head.blendshape_names.index("jawOpen")] = 0.4 + sign * (captured - 0.4)
    weights[:, head.blendshape_names.index("mouthFunnel")] = 0.5
    moved = SimpleNamespace(vertices=head.template + head.offsets(weights), fps=30)
    talker = SimpleNamespace(head=head, animate=lambda sound: moved)
    (figure,) = held_out_takes.take_figures(talker, tmp_path, sources, read_scorecard())
    assert figure.value == pytest.approx(expected, abs=1e-4) and figure.reached is reached
    assert figure.count == "60 frames"


def test_clusters_are_found_and_their_mixture_is_chance() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 8)
    centres = random.standard_normal((6, 5))
    clustered = centres[labels] + 0.01 * random.standard_normal((48, 5))
    clustered[:, 0] = 100 * random.standard_normal(48)  # in large units, it says nothing and must not outweigh the rest
    assert metrics.nearest_is_same(clustered, labels) == 1.0
    shuffled = [metrics.nearest_is_same(clustered, random.permutation(labels)) for _ in range(60)]
    assert metrics.chance_of_same(labels) == pytest.approx(7 / 47)
    assert np.mean(shuffled) == pytest.approx(7 / 47, abs=0.03)


def test_a_speaker_of_one_clip_is_not_counted() -> None:
    features = np.array([[0.0, 1], [0, 1.1], [9, 5]])
    assert metrics.nearest_is_same(features, np.array(["a", "a", "b"])) == 1.0
    assert np.isnan(metrics.nearest_is_same(features, np.array(["a", "b", "c"])))
    assert np.isnan(metrics.chance_of_same(np.array(["a", "b", "c"])))


def test_acceleration_is_that_of_a_parabola_and_smoothing_takes_noise_away() -> None:
    times = np.arange(50.0)
    assert metrics.acceleration(0.5 * times**2) == pytest.approx((1, 1))
    assert metrics.acceleration(3 * times) == pytest.approx((0, 0), abs=1e-9)
    noise = (-1.0) ** np.arange(50)
    assert metrics.acceleration(noise)[0] == pytest.approx(4)
    assert metrics.acceleration(noise, 1.0)[0] < 0.5 and metrics.acceleration(noise[:2]) == (0, 0)


@pytest.fixture
def source(tmp_path: Path, monkeypatch) -> Path:
    """Four validation clips of two speakers and a training clip, with a corpus that has their prosody.

    No weights and no regressor are shipped.
    """
    for module in (synthesised_reference, weights):
        monkeypatch.setattr(module, "WEIGHTS_FOLDER", tmp_path / "weights")
    corpus = tmp_path / "work" / "corpus"
    corpus.mkdir(parents=True)
    (tmp_path / "speech").mkdir()
    rows = [("a", "ann", "validation"), ("b", "ann", "validation"), ("c", "bob", "validation"),
            ("d", "bob", "validation"), ("e", "eve", "train")]  # fmt: skip
    manifest, phones, prosody = [], [], []
    for number, (name, speaker, split) in enumerate(rows):
        sound = f"speech/{name}.wav"
        manifest.append({"file": f"{name}.wav", "speaker": speaker, "split": split, "text": "f", "source": "here"})
        spoken = None if name == "d" else [[0, 0.2, "sil"], [0.2, 0.5, "aa"], [0.5, 0.7, "b"], [0.7, 1.0, "iy"]]
        phones.append({"sound": sound, "phones": spoken})
        if spoken:
            prosody.append({"sound": sound, "effort": [0.1] * 30, "range": 18.0 + number, "brightness": -9.0 + number,
                          "pitch": 120.0 + 20 * number, "open": [700.0] * 4, "close": [400.0] * 4})  # fmt: skip
    for path, entries in ((tmp_path / "speech" / "manifest.jsonl", manifest), (corpus / "phones.jsonl", phones),
                          (corpus / "acoustics.jsonl", prosody)):  # fmt: skip
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return tmp_path


def test_ground_truth_comes_from_what_a_corpus_has(source: Path) -> None:
    head = load_head()
    clips = synthesised_reference.reference_clips(source, source / "work", head, CORPUS)
    assert [(clip.sound.name, clip.speaker) for clip in clips] == [("a.wav", "ann"), ("b.wav", "ann"), ("c.wav", "bob")]
    assert all(clip.weights.shape == (30, 52) and clip.weights.max() > 0.05 for clip in clips)
    assert not (clips[0].weights == clips[2].weights).all()  # each has an articulation style of their own
    assert not (source / "work" / "evaluation").exists()
    some = synthesised_reference.reference_clips(source, source / "work", head, CORPUS, limit=1)
    assert len(some) == 1 and (some[0].weights == clips[0].weights).all()  # from all of her clips


def test_the_shipped_regressor_contributes_to_the_ground_truth(source: Path, monkeypatch) -> None:
    head, shapes = load_head(), synthesised_shapes()
    states = lambda sound: torch.zeros(1, sound.shape[1] // 320, 8)  # noqa: E731
    speech = SimpleNamespace(config=SpeechConfig(hidden_size=8, heads=2), states=states)
    monkeypatch.setattr(synthesised_reference, "load_weights", lambda: SimpleNamespace(speech=speech))
    alone = synthesised_reference.reference_clips(source, source / "work", head, CORPUS)
    assert (
        not any(clip.regressed for clip in alone)
        and synthesised_reference.source_note(alone) == " from phone times alone"
    )
    sizes = {"channels": 4, "layers": 1, "directions": 2, "members": 1}
    regressor = CurveRegressor(CurveRegressorConfig(shapes, hidden_size=8, **sizes))
    regressor.mean[shapes.index("mouthPucker")] = 0.5  # rules alone never hold a pucker through all of a clip
    save_curve_regressor(regressor, source / "weights" / "audio_to_curves")
    for name in "abc":
        samples = 0.1 * np.random.default_rng(0).standard_normal(16000)
        write_wav(source / "speech" / f"{name}.wav", Waveform(samples.astype(np.float32)))
    informed = synthesised_reference.reference_clips(source, source / "work", head, CORPUS)
    assert all(clip.regressed for clip in informed) and synthesised_reference.source_note(informed) == ""
    pucker = head.blendshape_names.index("mouthPucker")
    for with_sound, without in zip(informed, alone, strict=True):
        assert np.median(with_sound.weights[:, pucker]) > 0.25 > np.median(without.weights[:, pucker])
    save_curve_regressor(
        CurveRegressor(dataclasses.replace(regressor.config, mixed_layers=2)), source / "weights" / "audio_to_curves"
    )
    with pytest.raises(ConfigError, match="mixed_layers"):
        synthesised_reference.reference_clips(source, source / "work", head, CORPUS)


def test_a_corpus_that_does_not_know_a_clip_is_left_alone(source: Path, monkeypatch) -> None:
    store = source / "work" / "corpus" / "phones.jsonl"
    kept = store.read_text().splitlines(keepends=True)
    requested = []

    def align(root: Path, folder: Path, rows: list[dict], workers: int, progress) -> dict:
        requested.append(folder)
        return {row["sound"]: None for row in rows}

    monkeypatch.setattr(synthesised_reference, "align_all", align)
    synthesised_reference.reference_clips(source, source / "work", load_head(), CORPUS)
    store.write_text("".join(kept[1:]))
    synthesised_reference.reference_clips(source, source / "work", load_head(), CORPUS)
    assert requested == [source / "work" / "corpus", source / "work" / "evaluation"]


def test_a_style_does_not_depend_on_who_else_is_in_the_corpus(source: Path) -> None:
    corpus = source / "work" / "corpus"
    phones, prosody = ({entry["sound"]: entry for entry in map(json.loads, (corpus / name).read_text().splitlines())}
                     for name in ("phones.jsonl", "acoustics.jsonl"))  # fmt: skip
    times = {sound: entry["phones"] for sound, entry in phones.items()}
    rows = [row for row in read_manifest(source) if times[row["sound"]]]
    everybody = articulation_styles(speaker_voices(rows, prosody, times), CORPUS.seed)
    for speaker in ("ann", "bob"):
        own = [row for row in rows if row["speaker"] == speaker]
        assert articulation_styles(speaker_voices(own, prosody, times), CORPUS.seed) == {speaker: everybody[speaker]}

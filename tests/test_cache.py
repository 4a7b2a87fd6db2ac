"""Cached features do not depend on the number of processes, and an interruption loses none that are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from memorytalker.corpus.clips import Clip, read_clips, save_clip, write_clips
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.training import cache
from memorytalker.training.cache import cache_features
from memorytalker.training.data import TrainingError

NAMES = ("jawOpen",)


def make_corpus(folder: Path, count: int = 5) -> None:
    clips = []
    for number in range(count):
        sound = np.random.default_rng(number).uniform(-0.3, 0.3, 8000 + 1600 * (number % 5)).astype(np.float32)
        write_wav(folder / f"c{number}.wav", Waveform(sound))
        clips.append(Clip(f"c{number}", "s", "train", "here", "synthesised", f"c{number}.wav", 15, 30, base="corpus"))
        save_clip(folder, clips[-1], FaceCurves(np.zeros((15, 1), np.float32), NAMES, 30), np.zeros(15))
    write_clips(folder, clips, NAMES)


def stored(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: dict(np.load(path)) for path in sorted((folder / "features").glob("*.npz"))}


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_two_processes_compute_what_one_does(tmp_path: Path, make_model, two_threads) -> None:
    model = make_model()
    for workers in (0, 1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        make_corpus(folder)
        cache_features(model, folder, folder, workers=workers)
    assert torch.get_num_threads() == 2
    one, two = stored(tmp_path / "1"), stored(tmp_path / "2")
    assert set(one) == set(two) == {clip.name for clip in read_clips(tmp_path / "1")[0]}
    for name in one:
        for kind in ("states", "mel"):
            np.testing.assert_allclose(one[name][kind], two[name][kind], atol=1e-2)


def test_features_stored_before_an_interruption_are_kept(tmp_path: Path, make_model) -> None:
    make_corpus(tmp_path, many := 80)

    def broken(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache_features(make_model(), tmp_path, tmp_path, broken)
    there = stored(tmp_path)
    assert 1 <= len(there) < many
    reports: list[tuple[int, int]] = []
    cache_features(make_model(), tmp_path, tmp_path, lambda done, total, what: reports.append((done, total)), workers=2)
    assert reports == [(number, many - len(there)) for number in range(1, many + 1 - len(there))]
    assert len(stored(tmp_path)) == many


def test_a_marked_corpus_is_only_read(tmp_path: Path, make_model, monkeypatch) -> None:
    """So that several runs may share it; features that were deleted to be made by another encoder are its own."""
    make_corpus(tmp_path)
    cache_features(make_model(), tmp_path, tmp_path)
    mark = (tmp_path / "features" / "encoder.json").read_text()
    with monkeypatch.context() as patch:
        patch.setattr(cache, "write_whole", None)
        cache_features(make_model(), tmp_path, tmp_path)
    with pytest.raises(TrainingError, match="another speech encoder"):
        cache_features(make_model(seed=1), tmp_path, tmp_path)
    for path in (tmp_path / "features").glob("*.npz"):
        path.unlink()
    cache_features(make_model(seed=1), tmp_path, tmp_path)
    assert (tmp_path / "features" / "encoder.json").read_text() != mark

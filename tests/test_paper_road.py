"""The paper's road from end to end: a data set in its form on disk, by commands alone, to figures and a video.

The faces are planted and the model is small, but every file, every command and every vertex count is the real one.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from synthetic_datasets import (
    BIWI_VERTICES,
    FLAME_VERTICES,
    SOUND_RATE,
    VOCASET_SUBJECTS,
    Planted,
    write_biwi,
    write_faces,
    write_vocaset_raw,
)
from toy_models import FAMILIES

from memorytalker import cli
from memorytalker.config import LossConfig, TrainingConfig, write

SIZE = 128
PLANTED_SECONDS, SECONDS = 0.8, 0.63  # of each sequence, and of the sound that is animated


@dataclass(frozen=True)
class Family:
    """A data set of the paper, as it is planted and as it is trained on."""

    plant: Callable[..., Planted]
    missing: tuple[str, ...]  # left: two speakers to train on, one of them with two sentences, and a sentence a split
    vertices: int
    mesh: str  # the file of triangles that people have beside it
    fps: int
    epochs: int


ONE_SENTENCE = tuple(f"{subject}_sentence22" for subject in VOCASET_SUBJECTS[1:])
ROADS = {
    "vocaset": Family(write_vocaset_raw, ONE_SENTENCE, FLAME_VERTICES, "FLAME_sample.ply", 30, 40),
    "biwi": Family(write_biwi, ("M3_e02", "M3_e33"), BIWI_VERTICES, "BIWI.ply", 25, 40),
}


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`call(*words)`: exit code, standard output and standard error of a command."""

    def run(*words: object) -> tuple[int, str, str]:
        code = cli.main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


def write_settings(folder: Path, kind: str, epochs: int) -> None:
    """Settings of both stages: the paper's form at toy size."""
    from memorytalker.training.settings import MemorizeSettings, StylizeSettings

    training = TrainingConfig(epochs=epochs, batch_size=4, learning_rate=3e-3, validate_every=10)
    speech = dataclasses.replace(FAMILIES[kind].speech, frozen=True)
    model = dataclasses.replace(FAMILIES[kind], speech=speech, motion_scale=100.0, dropout=0.0)
    write(MemorizeSettings(model, training), folder / "memorize.json")
    style = dataclasses.replace(training, stage="stylize", epochs=2, learning_rate=1e-4, losses=LossConfig())
    write(StylizeSettings(style), folder / "stylize.json")


def decoded(path: Path, width: int = SIZE) -> np.ndarray:
    """The frames of a video, (T, SIZE, width, 3) uint8."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path), "-f", "rawvideo"]
    raw = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, SIZE, width, 3)


def sound_seconds(path: Path) -> float:
    """Seconds of sound in a video."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path), "-f", "s16le", "-ac", "1"]
    raw = subprocess.run([*command, "-ar", "16000", "-"], capture_output=True, check=True).stdout
    return len(raw) / 2 / 16000


@pytest.mark.parametrize("kind", list(ROADS))
def test_the_road_of_the_paper(kind: str, tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    family = ROADS[kind]
    planted = family.plant(tmp_path / "data", missing=family.missing, seconds=PLANTED_SECONDS)
    write_settings(tmp_path, kind, family.epochs)

    code, said, _ = call("doctor", tmp_path / "data")
    assert code == 0 and f"{family.vertices} vertices, {family.fps} frames a second" in said
    assert re.search("found +templates.pkl", said) and f"absent   {family.mesh}" in said

    data = tmp_path / "converted"
    assert call("convert", tmp_path / "data", data)[0] == 0
    assert not list(data.rglob("*.pkl"))

    one, two = tmp_path / "one", tmp_path / "two"
    code, said, error = call(
        "train", "memorize", data, "--config", tmp_path / "memorize.json", "--out", one, "--random-encoder",
        "--device", "cpu",
    )  # fmt: skip
    assert code == 0, error
    assert "random weights" in said and "Parameters:" in said
    code, said, error = call(
        "train", "stylize", data, "--config", tmp_path / "stylize.json", "--out", two, "--from", one, "--device", "cpu"
    )
    assert code == 0, error

    check_figures(call, data, one / "weights", two / "weights", tmp_path)
    check_video(call, family, planted, two / "weights", tmp_path)


def check_figures(call: Callable, data: Path, one: Path, two: Path, folder: Path) -> None:
    """Both splits are measured; on its training split, stage 1 is nearer the ground truth than a still face."""
    for split, weights in (("test", two), ("train", one)):
        code, said, error = call(
            "evaluate", data, "--weights", weights, "--device", "cpu", "--split", split, "--style", "both",
            "--json", folder / f"{split}.json",
        )  # fmt: skip
        assert code == 0 and "LVE, maximum form" in said, error
        measured = json.loads((folder / f"{split}.json").read_text())["evaluations"]
        assert len(measured) == 3 and all(one["pooled"]["fve"]["value"] > 0 for one in measured)
    neutral, *models = (one["pooled"] for one in measured)
    for model in models:
        for measure in ("fve", "lve_max", "lip_max"):
            assert model[measure]["value"] < 0.7 * neutral[measure]["value"], measure


def check_video(call: Callable, family: Family, planted: Planted, weights: Path, folder: Path) -> None:
    """A sound becomes a video once the mesh is there; without it, arrays, and a word about the mesh."""
    name, speaker = next(iter(planted.speakers.items()))
    sound, video = folder / "clip.wav", folder / "talk.mp4"
    soundfile.write(sound, planted.sounds[name][: round(SECONDS * SOUND_RATE)], SOUND_RATE)
    common = ["--weights", weights, "--device", "cpu"]
    face = ["--data", planted.folder, "--identity", speaker]

    code, _, error = call("animate", sound, "-o", video, *common, *face)
    assert code == 2 and str(family.vertices) in error and family.mesh in error and error.count("\n") == 1
    assert not video.exists()
    assert call("animate", sound, "-o", folder / "talk.npz", *common, *face)[0] == 0
    with np.load(folder / "talk.npz") as arrays:
        vertices, fps = arrays["vertices"], int(arrays["fps"])
    assert fps == family.fps and vertices.shape == (round(SECONDS * fps), family.vertices, 3)
    true = planted.vertices[name][:: round(len(planted.vertices[name]) / fps)][: len(vertices)]
    upper, lower = planted.face.opening
    gaps = [motion[:, upper, 1] - motion[:, lower, 1] for motion in (vertices, true)]
    assert np.corrcoef(*gaps)[0, 1] > 0.7  # the mouth opens when it did

    write_faces(planted.folder / family.mesh, family.vertices)
    code, _, error = call("animate", sound, "-o", video, *common, *face, "--size", SIZE)
    assert code == 0, error
    frames = decoded(video).astype(int)
    assert len(frames) == round(SECONDS * 30) and abs(sound_seconds(video) - len(frames) / 30) < 1 / 30
    skin = frames[:, 20:60, 40:88].mean(axis=(0, 1, 2))
    assert 90 < skin[2] < skin[1] < skin[0]  # in the light, and the colour of skin
    change = np.ptp(frames.max(axis=3), axis=0)
    assert (change[70:110, 45:83] > 30).mean() > 0.05 > 10 * (change[10:50] > 30).mean()  # the mouth moves

    refused = {".mp4 file": (name, "-o", folder / "beside.npz"), f"'nobody'; it has.* {name}": ("nobody",)}
    for said, words in refused.items():
        code, _, error = call("compare", planted.folder, *words, *common)
        assert code == 2 and re.search(said, error), error
    code, _, error = call("compare", planted.folder, name, "-o", folder / "beside.mp4", *common, "--size", SIZE)
    assert code == 0, error
    assert decoded(folder / "beside.mp4", 2 * SIZE).shape[0] == round(PLANTED_SECONDS * 30)

"""A user's own recordings: pairs of motion and sound, checked, and made into clips of a corpus."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from curve_writers import live_link_csv

from memorytalker.cli import main
from memorytalker.corpus import build, commands
from memorytalker.corpus.capture import keep_recording, recorded_clips
from memorytalker.corpus.clips import load_clip, save_clip
from memorytalker.corpus.takes import find_takes, read_take
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform, load_waveform, write_wav
from memorytalker.tracking.landmarks import CaptureError
from memorytalker.training.open_recipe import read_recipe

RATE, FPS = 16000, 60


def talk(seconds: float, fps: float = FPS, late: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Sound (S,) and a jaw (T,) that opens with its loudness, `late` seconds after it, in no steady rhythm."""
    random = np.random.default_rng(5)
    marks = np.arange(0.0, seconds + 3, 0.25)
    loud = random.uniform(0, 1, len(marks)) * (random.uniform(size=len(marks)) > 0.4)

    def envelope(times: np.ndarray) -> np.ndarray:
        return np.interp(times, marks, loud)

    sound = 0.3 * envelope(np.arange(int(seconds * RATE)) / RATE) * random.standard_normal(int(seconds * RATE))
    jaw = 0.6 * envelope(np.arange(int(seconds * fps)) / fps - late)
    return np.clip(sound, -1, 1).astype(np.float32), jaw


def record(
    folder: Path, name: str = "take", seconds: float = 2.0, late: float = 0.0, cut: float = 0.0, start: float = 0.0
) -> None:
    """A take; `cut` seconds of its sound lack at the end, `start` seconds at the beginning."""
    folder.mkdir(parents=True, exist_ok=True)
    sound, jaw = talk(seconds, late=late)
    sound = sound[int(start * RATE) : len(sound) - int(cut * RATE)]
    write_wav(folder / f"{name}.wav", Waveform(sound))
    rows = [[0.1, float(value)] for value in jaw]
    data = {"fps": FPS, "names": ["mouthPucker", "jawOpen"], "weights": rows}
    (folder / f"{name}.json").write_text(json.dumps(data))


def only(folder: Path):
    return read_take(find_takes(folder)[0][0])


def test_speakers_are_folders_and_the_last_of_three_takes_is_held_out(tmp_path: Path) -> None:
    for name in ("3", "1", "2"):
        record(tmp_path / "dir" / "anna", name)
    record(tmp_path / "dir" / "bob" / "monday", "slate~1 a+2")
    record(tmp_path / "dir", "own")
    (tmp_path / "dir" / "anna" / "notes.csv").write_text("x")
    (tmp_path / "dir" / "anna" / "._1.json").write_text("x")
    write_wav(tmp_path / "dir" / "bob" / "alone.wav", Waveform(talk(1.0)[0]))
    takes, alone = find_takes(tmp_path / "dir")
    assert [(take.name, take.speaker, take.split) for take in takes] == [
        ("anna_1", "anna", "train"), ("anna_2", "anna", "train"), ("anna_3", "anna", "test"),
        ("bob_monday_slate-1-a-2", "bob", "train"), ("dir_own", "dir", "train"),
    ]  # fmt: skip
    assert takes[0].motion.name == "1.json" and takes[0].sound.name == "1.wav"
    assert len(alone) == 2 and "notes.csv has no sound" in alone[0] and "alone.wav has no motion" in alone[1]


@pytest.mark.parametrize("late", [-0.4, -0.05, 0.0, 0.3])
def test_a_planted_lag_between_jaw_and_voice_is_found(tmp_path: Path, late: float) -> None:
    record(tmp_path, seconds=20.0, late=late)
    take = only(tmp_path)
    lag, fit = take.follow
    assert lag == pytest.approx(late, abs=0.03) and fit > 0.5
    wrong = [remark for remark in take.remarks if "late" in remark]
    assert len(wrong) == (abs(late) > 0.15)
    assert all(("motion" if late > 0 else "sound") in remark for remark in wrong)


def test_another_sound_is_noticed(tmp_path: Path) -> None:
    record(tmp_path, seconds=20.0)
    noise = np.random.default_rng(9).standard_normal(20 * RATE) * np.repeat(np.random.default_rng(8).random(80), 4000)
    write_wav(tmp_path / "take.wav", Waveform((0.1 * noise).astype(np.float32)))
    assert any("hardly follows" in remark for remark in only(tmp_path).remarks)
    write_wav(tmp_path / "take.wav", Waveform(np.zeros(20 * RATE, np.float32)))
    assert any("hardly follows" in remark for remark in only(tmp_path).remarks)


def test_lengths_that_differ_are_cut_and_said_or_refused(tmp_path: Path) -> None:
    for folder, cut, said in (("little", 0.1, 0), ("some", 0.4, 1)):
        record(tmp_path / folder, seconds=6.0, cut=cut)
        take = only(tmp_path / folder)
        assert len(take.samples) == round((6 - cut) * RATE) and take.seconds == pytest.approx(6 - cut)
        assert len(take.curves.weights) == round((6 - cut) * FPS)
        assert len(take.remarks) == said and all("motion is 0.40 s longer" in remark for remark in take.remarks)
    record(tmp_path / "much", seconds=6.0, cut=0.8)
    with pytest.raises(CaptureError, match="lasts 6.0 s but take.wav 5.2 s"):
        only(tmp_path / "much")
    record(tmp_path / "other", seconds=6.0)
    data = json.loads((tmp_path / "other" / "take.json").read_text())
    data["weights"] = data["weights"][: int(5.6 * FPS)]
    (tmp_path / "other" / "take.json").write_text(json.dumps(data))
    take = only(tmp_path / "other")
    assert len(take.samples) == round(5.6 * RATE) and "sound is 0.40 s longer" in take.remarks[0]


def test_recorded_clips_become_clips_of_the_corpus(tmp_path: Path) -> None:
    record(tmp_path / "dir", seconds=6.0, cut=0.4)
    head = load_head()
    (recorded,) = recorded_clips(tmp_path / "dir", head)
    assert recorded.curves.names == head.blendshape_names and recorded.curves.fps == 30
    assert len(recorded.curves.weights) == len(recorded.tracked_gap) == 168  # 5.6 s
    np.testing.assert_allclose(recorded.curves.curve("jawOpen"), talk(6.0, 30)[1][:168], atol=0.06)
    clip = keep_recording(recorded, tmp_path / "corpus")
    save_clip(tmp_path / "corpus", clip, recorded.curves, np.full(168, -1))
    assert (clip.name, clip.speaker, clip.kind, clip.base) == ("dir_take", "dir", "captured", "corpus")
    assert clip.frames == 168 and load_clip(tmp_path / "corpus", clip)[0].shape == (168, 52)
    sound = load_waveform(tmp_path / "corpus" / clip.sound).samples
    assert len(sound) == 168 * RATE // 30
    np.testing.assert_allclose(sound[:RATE], talk(6.0)[0][:RATE], atol=1e-3)


def test_the_sound_of_a_recorded_clip_ends_with_its_motion(tmp_path: Path) -> None:
    record(tmp_path / "dir", seconds=6.0)
    data = json.loads((tmp_path / "dir" / "take.json").read_text())
    (tmp_path / "dir" / "take.json").write_text(json.dumps({**data, "weights": data["weights"][:336]}))
    (recorded,) = recorded_clips(tmp_path / "dir", load_head())
    clip = keep_recording(recorded, tmp_path / "corpus")
    assert clip.frames == 168 and load_waveform(tmp_path / "corpus" / clip.sound).samples.size == 168 * RATE // 30


def test_takes_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no folder"):
        find_takes(tmp_path / "none")
    with pytest.raises(CaptureError, match="holds no take"):
        find_takes(tmp_path)
    record(tmp_path / "twice")
    (tmp_path / "twice" / "take.mp3").write_bytes(b"")
    with pytest.raises(CaptureError, match="more than once"):
        find_takes(tmp_path / "twice")
    record(tmp_path / "same", "a b")
    record(tmp_path / "same", "a-b")
    with pytest.raises(CaptureError, match="rename one"):
        find_takes(tmp_path / "same")
    record(tmp_path / "short", seconds=0.5)
    with pytest.raises(CaptureError, match="less than 1 s"):
        only(tmp_path / "short")
    record(tmp_path / "still")
    data = {"fps": 60, "names": ["jawOpen"], "weights": [[0.1]] * 120}
    (tmp_path / "still" / "take.json").write_text(json.dumps(data))
    with pytest.raises(CaptureError, match="never moves"):
        only(tmp_path / "still")
    record(tmp_path / "broken")
    (tmp_path / "broken" / "take.wav").write_bytes(b"no sound")
    with pytest.raises(CaptureError, match="take.json cannot be read: take.wav"):
        only(tmp_path / "broken")


def test_how_a_timecode_was_read_is_told_with_the_take(tmp_path: Path, capsys) -> None:
    record(tmp_path / "dir", seconds=3.0)
    (tmp_path / "dir" / "take.json").unlink()
    jaw = talk(3.0, 30)[1][:, None]
    rows = live_link_csv(FaceCurves(jaw, ("jawOpen",), 30), unit=30, decimals=0)
    (tmp_path / "dir" / "take.csv").write_bytes(rows)
    assert only(tmp_path / "dir").motion_seconds == 3.0
    assert main(["corpus", "root", "out", "--check", "--recordings", str(tmp_path / "dir")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "  The frame field counts to 29, so it is read as 30 frames a second." in told
    (tmp_path / "dir" / "take.csv").write_bytes(rows[:-9])
    with pytest.raises(CaptureError, match="The motion of the take dir_take cannot be used: Line 91 of take.csv"):
        only(tmp_path / "dir")


def test_the_command_tells_what_the_takes_hold(tmp_path: Path, capsys) -> None:
    for number in range(3):
        record(tmp_path / "dir" / "anna", f"take{number}", seconds=3.0)
    record(tmp_path / "dir" / "bob", "late", seconds=15.0, late=0.3, cut=0.5)
    given = ["corpus", str(tmp_path), str(tmp_path / "out"), "--check"]
    assert main([*given, "--recordings", str(tmp_path / "dir")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["anna_take0", "3.0", "2", "-", "-", "train"] and lines[3].split()[-1] == "test"
    assert lines[4].split()[:3] == ["bob_late", "14.5", "2"] and "ms" in lines[4]
    assert "0.50 s longer" in lines[5] and "motion seems to be 0.3" in lines[6]
    assert "anna_take2 is kept for the test" in lines[7] and lines[8].startswith("bob: 1 of the 3 takes")
    assert not (tmp_path / "out").exists()
    assert main(given) == 2 and "--recordings" in capsys.readouterr().err
    assert main([*given, "--recordings", str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert "no folder" in error and error.count("\n") == 1


def test_the_command_hands_the_recordings_on(tmp_path: Path, monkeypatch, capsys) -> None:
    record(tmp_path / "dir")
    told = {}

    def make(context, head):
        told.update(vars(context))
        return {"captured train": 1}

    monkeypatch.setattr(build, "build_corpus", make)
    parser = argparse.ArgumentParser()
    commands.add_corpus(parser)
    given = parser.parse_args(["root", "out", "--recordings", str(tmp_path / "dir"), "--seed", "7"])
    config = read_recipe().corpus
    commands.run_corpus(given, config, None)
    assert told["recordings"] == tmp_path / "dir" and told["config"] == dataclasses.replace(config, seed=7)
    assert "1 captured train" in capsys.readouterr().out

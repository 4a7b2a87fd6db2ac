"""What a command may not write over: its inputs, wherever a format writes, and what is refused before any work."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import memorytalker
from memorytalker import cli
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.sound.decode import Waveform, write_wav

HEAD = Path(__file__).resolve().parents[1] / "assets" / "head" / "head.glb"
PRESENT = Path(__file__).resolve().parents[1] / "weights" / "open"


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """Three frames of curves."""
    names = np.array(ARKIT_NAMES)
    np.savez(tmp_path / "take.npz", weights=np.full((3, len(names)), 0.1, np.float32), names=names, fps=np.array(30))
    return tmp_path / "take.npz"


@pytest.fixture
def head(tmp_path: Path) -> Path:
    return Path(shutil.copy(HEAD, tmp_path / "mine.glb"))


@pytest.fixture
def sound(tmp_path: Path, voice) -> Path:
    write_wav(tmp_path / "talk_sound.wav", Waveform(voice(0.4)))
    return tmp_path / "talk_sound.wav"


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert cli.main([str(one) for one in arguments]) == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert said.startswith("memorytalker: ") and said.count("\n") == 1
    return said


def test_the_files_of_a_head_are_inputs_too(tmp_path: Path, take: Path, head: Path, capsys) -> None:
    mapping = tmp_path / "names.json"
    mapping.write_text('{"jawOpen": "jawOpen"}')
    before = head.read_bytes(), mapping.read_bytes()
    assert "also the input" in refused(capsys, "export", take, "--head", head, "-o", head)
    assert "also the input" in refused(capsys, "export", take, "--head", head, "--mapping", mapping, "-o", mapping)
    assert (head.read_bytes(), mapping.read_bytes()) == before


def test_files_beside_an_output_overwrite_no_input(tmp_path: Path, take: Path, sound: Path, capsys) -> None:
    mesh, frame = tmp_path / "face.obj", tmp_path / "run" / "run_0001.obj"
    frame.parent.mkdir()
    for path in (mesh, frame):
        path.write_text("v 0 0 0\n")
    before = sound.read_bytes()
    for given, output in (
        (["--sound", sound], "talk.glb"),
        (["--head", mesh], "face.pc2"),
        (["--head", frame], "run.obj"),
    ):
        said = refused(capsys, "export", take, *given, "-o", tmp_path / output)
        assert "would be overwritten" in said and given[1].name in said
    assert "would be overwritten" in refused(capsys, "animate", sound, "-o", tmp_path / "talk.glb")
    assert sound.read_bytes() == before and mesh.read_text() == frame.read_text() == "v 0 0 0\n"


def test_frames_may_go_where_other_inputs_lie(tmp_path: Path, take: Path, capsys) -> None:
    (tmp_path / "run").mkdir()
    moved = Path(shutil.move(take, tmp_path / "run" / "take.npz"))
    assert cli.main(["export", str(moved), "-o", str(tmp_path / "run.obj")]) == cli.DONE
    assert capsys.readouterr().out == f"{tmp_path / 'run.obj'}: 0.1 s of motion.\n"
    assert moved.exists() and len(list((tmp_path / "run").glob("run_*.obj"))) == 3


def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, take: Path, sound: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(memorytalker.Talker, "from_pretrained", lambda *_: pytest.fail("the model was loaded"))
    before = sorted(tmp_path.iterdir())
    for command in (("export", take), ("animate", sound)):
        assert "--head" in refused(capsys, *command, "-o", tmp_path / "one.json", "--mapping", take)
    assert sorted(tmp_path.iterdir()) == before


def test_a_head_of_ones_own_has_its_sound_beside_it(tmp_path: Path, take: Path, head: Path, sound: Path) -> None:
    assert (
        cli.main(["export", str(take), "--head", str(head), "--sound", str(sound), "-o", str(tmp_path / "own.glb")])
        == 0
    )
    assert (tmp_path / "own_sound.wav").read_bytes() == sound.read_bytes()


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorytalker.Talker, "from_pretrained", lambda *_: pytest.fail("the model was loaded"))


def test_no_command_writes_over_its_inputs(tmp_path: Path, take: Path, voice, capsys, monkeypatch, no_model) -> None:
    """`compare take.csv take.mp4` once replaced the recording by its result, and `bench --sound x --json x` lost x."""
    write_wav(tmp_path / "take.wav", Waveform(voice(0.4)))
    recording = tmp_path / "take.mp4"
    shutil.copy(tmp_path / "take.wav", recording)
    weights = tmp_path / "mine"
    shutil.copytree(PRESENT, weights, ignore=shutil.ignore_patterns("*.safetensors"))
    link = tmp_path / "other.json"
    link.symlink_to(recording)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.chdir(tmp_path)
    for command in (
        ("compare", take.name, recording.name),
        ("compare", take.name, recording.name, "-o", recording),
        ("bench", "--sound", recording, "--json", recording),
        ("bench", "--sound", recording, "--json", link),
        ("bench", "--weights", weights, "--json", weights / "config.json"),
        ("evaluate", weights, "--json", weights / "config.json"),
        ("evaluate", tmp_path, "--weights", weights, "--markdown", weights / "config.json"),
        ("animate", recording, "--weights", weights, "-o", weights / "config.json"),
    ):
        assert "would be overwritten" in refused(capsys, *command), command
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_batch_keeps_the_files_that_its_clips_share(tmp_path: Path, head: Path, voice, capsys) -> None:
    write_wav(tmp_path / "sounds.wav", Waveform(voice(0.3)))
    (tmp_path / "list.txt").write_text("sounds.wav\n")
    taken = head.rename(tmp_path / "sounds.glb")
    before = taken.read_bytes()
    said = refused(capsys, "batch", tmp_path / "list.txt", tmp_path, "--format", "gltf", "--head", taken)
    assert "sounds.glb would be overwritten" in said and taken.read_bytes() == before


def test_places_where_nothing_can_be_written_are_named_at_once(tmp_path: Path, take: Path, capsys, monkeypatch) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for output, words in (
        ("a" * 240 + ".json", "is too long; choose one of at most 200 letters"),
        ("a" * 5000 + "/b.json", "cannot be the name of a file here"),
        ("nu\0l.json", "cannot be the name of a file here"),
        ("file/b.json", "is a file, not a folder"),
        ("none/b.json", "does not exist; make it first"),
        ("folder.json", "is a folder; name a file in it"),
        ("pipe.json", "is no ordinary file and cannot be replaced"),
        (".json", "is an ending without a name before it; write, for example, talk.json"),
    ):
        for command in (("export", take, "-o"), ("bench", "--json")):
            if output != ".json" or command[0] == "export":
                said = refused(capsys, *command, tmp_path / output)
                assert words in said and len(said) < 400, said
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "Nothing may be written in the folder" in refused(capsys, "export", take, "-o", tmp_path / "b.json")
    monkeypatch.undo()
    assert "an ending without a name" in refused(capsys, "compare", take, take, "-o", tmp_path / ".mp4")
    said = refused(capsys, "evaluate", tmp_path, "--json", tmp_path / "x", "--markdown", tmp_path / "." / "x")
    assert "Two outputs have the same name" in said

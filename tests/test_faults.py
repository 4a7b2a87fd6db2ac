"""The machine's faults, the user's and ours are told apart, early, in a true sentence."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from reader_checks import refused_well

import memorytalker
from memorytalker import Talker, cli, load_waveform
from memorytalker.config import ConfigError, ModelConfig
from memorytalker.faults import NO_MEMORY, machine_fault
from memorytalker.pipeline import TalkerError
from memorytalker.rendering.video import VideoError, write_video
from memorytalker.sound.ffmpeg import AudioError, DecoderError

RATE = 16000


def system(number: int, name: str | None = "/home/x/talk.mp4") -> OSError:
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (system(errno.ENOSPC), "The disk is full"),
        (system(errno.EDQUOT, None), "The disk is full"),
        (system(errno.EACCES), "talk.mp4 may not be opened or written here (Permission denied)"),
        (system(errno.EROFS), "talk.mp4 may not be opened or written here (Read-only file system)"),
        (system(errno.ENAMETOOLONG, "a" * 5000), "is too long; choose a shorter one"),
        (system(errno.ENOENT), "talk.mp4 cannot be used (No such file or directory)"),
        (system(errno.EMFILE, None), "Too many files are open"),
        (system(errno.EIO, b"/x/\xff\n<b>"), "cannot be used (Input/output error)"),
        (MemoryError(), NO_MEMORY),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"), NO_MEMORY),
        (ImportError("libvtkFiltersGeneral.so: failed to map segment from shared object"), NO_MEMORY),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_machine_lacks_is_named(error: Exception, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = machine_fault(error)
    assert sentence is not None and words in sentence and "/home" not in sentence and len(sentence) < 200
    refused_well(Exception(sentence))
    assert cli._tell(error) == cli.OUR_FAULT and capsys.readouterr().err == f"memorytalker: {sentence}\n"


@pytest.mark.parametrize("error", [ValueError("a"), RuntimeError("shape mismatch"), KeyError("b"), OSError("odd")])
def test_mistakes_of_ours_are_no_faults_of_the_machine(error: Exception) -> None:
    assert machine_fault(error) is None


# ffmpeg


@pytest.fixture
def voice_file(tmp_path: Path, voice: Callable) -> Path:
    soundfile.write(tmp_path / "voice.wav", voice(0.5), RATE)
    return tmp_path / "voice.wav"


@pytest.mark.parametrize("broken", ["/bin/false", "/nowhere/ffmpeg", "text", None])
def test_an_ffmpeg_that_does_not_work_is_no_damaged_file(
    broken: str | None, tmp_path: Path, voice_file: Path, voice: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def path() -> str:
        if broken is None:
            raise RuntimeError("No ffmpeg exe could be found.")
        return str(voice_file) if broken == "text" else broken

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", path)
    for sound in (voice_file, (voice(0.5), 22050)):
        with pytest.raises(DecoderError, match="^ffmpeg, which decodes sound, does not work on this machine"):
            load_waveform(sound)
    frames = (np.zeros((64, 64, 3), np.uint8) for _ in range(2))
    with pytest.raises(VideoError) as refused:
        write_video(tmp_path / "talk.mp4", frames, 30, None, 2)
    assert "choose another folder" not in str(refused.value) and "doctor" in str(refused.value)
    assert sorted(tmp_path.iterdir()) == [voice_file]


def test_a_damaged_file_is_still_one(tmp_path: Path) -> None:
    (tmp_path / "voice.mp3").write_bytes(b"ID3" + bytes(range(256)) * 20)
    with pytest.raises(AudioError, match="is not a sound file that can be read, or it is damaged"):
        load_waveform(tmp_path / "voice.mp3")


# what never ends


@pytest.mark.parametrize("kind", ["pipe", "zero"])
def test_pipes_and_devices_are_no_files(kind: str, tmp_path: Path, tiny_weights: Path) -> None:
    """Each of them would be waited for, or read, without end; in a process of its own, with a second of patience."""
    from memorytalker.batch.clips import find_clips
    from memorytalker.config import read_values
    from memorytalker.face.mesh_files import load_mesh_head
    from memorytalker.weights import load_weights, read_checkpoint

    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "config.json").write_bytes((tiny_weights / "config.json").read_bytes())
    for path in (weights / "model.safetensors", *(tmp_path / f"x.{end}" for end in ("ply", "json", "pth", "txt"))):
        os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    reading: list[Callable[[], object]] = [
        lambda: load_weights(weights),
        lambda: load_mesh_head(tmp_path / "x.ply"),
        lambda: read_values(tmp_path / "x.json"),
        lambda: read_checkpoint(tmp_path / "x.pth"),
        lambda: find_clips(tmp_path / "x.txt"),
    ]
    for read in reading:
        outcome: list[Exception] = []

        def attempt(read: Callable[[], object] = read, outcome: list[Exception] = outcome) -> None:
            try:
                read()
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(20)
        assert outcome and isinstance(outcome[0], memorytalker.InputError), "it is still read"
        refused_well(outcome[0])


# early


def test_choices_are_refused_before_the_model_is_loaded(voice_file: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(Talker, "from_pretrained", lambda *_: pytest.fail("the model was loaded"))
    for flags, words in (
        (("--identity", "nobody"), "nobody"),
        (("--gain", "jawOpenn=1.2"), "perhaps jawOpen is meant"),
        (("--device", "mps"), "There is no device 'mps' here"),
    ):
        assert cli.main(["animate", str(voice_file), "-o", str(tmp_path / "talk.csv"), *flags]) == cli.BAD_INPUT
        assert words in capsys.readouterr().err
    for seconds in ("0", "nan", "99999"):
        assert cli.main(["bench", "--seconds", seconds]) == cli.BAD_INPUT
        assert "cannot be measured; choose 0.1 to 3600" in capsys.readouterr().err


# numbers that no face has


@pytest.mark.parametrize(
    "weights", [np.full(40, np.nan), np.full(40, 1e30), np.full(40, np.inf), np.array(["a"] * 40), np.ones(40, complex)]
)
def test_styles_that_are_none_are_refused(tiny_talker: Talker, weights: np.ndarray) -> None:
    with pytest.raises(TalkerError, match="^Style weights are 40 finite numbers of at most 100"):
        tiny_talker.style_of(weights)
    assert tiny_talker.style_of(np.ones(40, int)).dtype == np.float32


@pytest.mark.parametrize("value", [1e30, 1e4, np.nan])
def test_motion_by_metres_is_never_written(tiny_talker: Talker, voice: Callable, monkeypatch, value: float) -> None:
    from memorytalker import pipeline

    moved = pipeline.faded_motion

    def absurd(*arguments: object):
        for first, coordinates, address in moved(*arguments):
            coordinates[3, 0] = value
            yield first, coordinates, address

    monkeypatch.setattr(pipeline, "faded_motion", absurd)
    with pytest.raises(TalkerError, match="^These weights move the face by metres"):
        tiny_talker.animate((voice(0.5), RATE))


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_slots_have_names_that_can_be_shown(name: str) -> None:
    with pytest.raises(ConfigError, match=r"ModelConfig.slots has the name .*; give names of 1 to 200 letters"):
        ModelConfig(slots=("sil", name))


def test_a_label_of_foreign_weights_is_no_markup() -> None:
    pytest.importorskip("gradio")
    from memorytalker.page.slot_view import faces_html

    shown = faces_html(("sil", "<img src=x>"), 1, None, SimpleNamespace())
    assert "<img" not in shown and "&lt;img src=x&gt;" in shown


def test_what_is_free_is_told_in_a_unit_that_shows_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It said: needs 0.0 GB and 0.0 GB are free."""
    from memorytalker.datasets import convert

    monkeypatch.setattr(convert.shutil, "disk_usage", lambda _: SimpleNamespace(free=300_000))
    small = SimpleNamespace(sequences=[SimpleNamespace(frames=10)], vertex_count=5023)
    with pytest.raises(ValueError, match=r"needs 0\.6 MB and 0\.3 MB are free"):
        convert.check_space(small, tmp_path)

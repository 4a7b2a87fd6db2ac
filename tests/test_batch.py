"""Batches: what is found, resumed, reported, and spread over processes and Ray."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from memorytalker import cli
from memorytalker.batch import run, workers
from memorytalker.batch.clip_run import BatchSettings, ClipReport, run_clip
from memorytalker.batch.clips import BatchClip, BatchError, find_clips
from memorytalker.batch.run import MANIFEST, run_batch
from memorytalker.files import PART
from memorytalker.options import AnimateOptions, CurveOptions
from memorytalker.sound.decode import Waveform, write_wav

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def sounds(tmp_path: Path, voice) -> Path:
    """A folder with three voices, one of them in a folder of its own, and a text."""
    folder = tmp_path / "sounds"
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("b.wav", "a.wav", "deep/c.wav")):
        write_wav(folder / name, Waveform(voice(0.4 + 0.1 * number, number)))
    (folder / "notes.txt").write_text("nothing")
    return folder


def settings(out: Path, weights: Path, *formats: str, **more) -> BatchSettings:
    return BatchSettings(out, formats or ("livelink",), weights=str(weights), device="cpu", **more)


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / MANIFEST).read_text("utf-8").splitlines()]


def test_sounds_are_found_at_any_depth_in_the_order_of_their_names(sounds: Path):
    assert [clip.name for clip in find_clips(sounds)] == ["a", "b", "deep/c"]


def test_a_list_names_any_files(sounds: Path, tmp_path: Path, voice):
    write_wav(tmp_path / "outside.wav", Waveform(voice(0.3)))
    (sounds / "list.txt").write_text(f"# two of them\na.wav\n\n../outside.wav\n{sounds}/b.wav\ndeep/c.wav\n")
    found = find_clips(sounds / "list.txt")
    assert [clip.name for clip in found] == ["a", "outside", "b", "deep/c"]
    assert all(clip.sound.is_file() for clip in found)


def test_sounds_of_one_name_keep_apart_and_what_cannot_is_refused(tmp_path: Path, sounds: Path):
    (sounds / "a.mp3").write_bytes(b"x")
    assert [clip.name for clip in find_clips(sounds)] == ["a_mp3", "a_wav", "b", "deep/c"]
    (tmp_path / "twice.txt").write_text("sounds/b.wav\n/elsewhere/b.wav\nother/../b.wav\n")
    with pytest.raises(BatchError, match="Two sounds"):
        find_clips(tmp_path / "twice.txt")
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(BatchError):
            find_clips(source)
    with pytest.raises(BatchError, match="no format 'hologram'"):
        BatchSettings(tmp_path, ("hologram",))
    with pytest.raises(BatchError, match="1 to 256"):
        run_batch([], BatchSettings(tmp_path, ("gltf",)), jobs=0)


def test_outputs_and_hidden_files_are_no_sounds(sounds: Path, voice):
    out = sounds / "out"
    for name in ("out/a_sound.wav", "deep/._c.wav", ".trash/old.wav"):
        (sounds / name).parent.mkdir(exist_ok=True)
        write_wav(sounds / name, Waveform(voice(0.3)))
    assert [clip.name for clip in find_clips(sounds, out)] == ["a", "b", "deep/c"]
    with pytest.raises(BatchError, match="choose another folder"):
        find_clips(sounds, sounds / "deep" / "..")


def test_a_list_may_begin_with_a_mark_and_name_what_no_file_is_called(sounds: Path, tmp_path: Path, tiny_weights: Path):
    (sounds / "list.txt").write_bytes("\ufeffa.wav\r\nnu\0l.wav\r\ndeep/c.wav\r\n".encode())
    reports = run_batch(find_clips(sounds / "list.txt"), settings(tmp_path / "out", tiny_weights))
    assert [report.error is None for report in reports] == [True, False, True]


def test_no_output_overwrites_a_sound_or_another_output(sounds: Path, tmp_path: Path, tiny_weights: Path, voice):
    write_wav(sounds / "b_sound.wav", Waveform(voice(0.3)))
    (sounds / "list.txt").write_text("b.wav\nb_sound.wav\n")
    before = (sounds / "b_sound.wav").read_bytes()
    with pytest.raises(BatchError, match="b_sound.wav would be overwritten"):
        run_batch(find_clips(sounds / "list.txt"), settings(sounds, tiny_weights, "gltf"))
    assert (sounds / "b_sound.wav").read_bytes() == before
    clips = [BatchClip("a", sounds / "a.wav"), BatchClip("a_lam", sounds / "b.wav")]
    with pytest.raises(BatchError, match="a and a_lam"):
        run_batch(clips, settings(tmp_path / "out", tiny_weights, "json", "lam"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--style", "none.wav"], "none.wav"),
        (["--head", "none.glb"], "none.glb"),
        (["--mapping", "none.json"], "--head"),
        (["--identity", "nobody"], "nobody"),
        (["--gain", "JawOpen=1"], "perhaps jawOpen is meant"),
    ],
)
def test_what_would_fail_for_every_clip_is_not_begun(sounds: Path, tmp_path: Path, flags: list[str], said: str, capsys):
    out = tmp_path / "out"
    assert cli.main(["batch", str(sounds), str(out), "--format", "livelink", *flags]) == cli.BAD_INPUT
    assert said in (told := capsys.readouterr().err) and told.count("\n") == 1
    assert not list(out.glob("*")) or not lines(out)


def test_another_head_under_the_same_name_is_animated_anew(sounds: Path, tmp_path: Path, tiny_weights: Path):
    head = Path(shutil.copy(ROOT / "assets" / "head" / "head.glb", tmp_path / "mine.glb"))
    before = settings(tmp_path / "out", tiny_weights, head=head).digest
    assert settings(tmp_path / "elsewhere", tiny_weights, head=head).digest == before
    os.utime(head, ns=(1, 1))
    assert settings(tmp_path / "out", tiny_weights, head=head).digest != before


def test_what_a_killed_batch_left_unfinished_goes_with_the_next(sounds: Path, tmp_path: Path, tiny_weights: Path):
    (out := tmp_path / "out").mkdir()
    for name in (f"{PART}1-0a1b2c3d-a.csv", f"{PART}1-0a1b2c3d-mine.csv"):
        (out / name).touch()
    run_batch(find_clips(sounds), settings(out, tiny_weights))
    assert [path.name for path in out.glob(f"{PART}*")] == [f"{PART}1-0a1b2c3d-mine.csv"]


def test_a_full_disk_ends_a_batch_in_one_sentence(sounds: Path, tmp_path: Path, tiny_weights: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run, "append_lines", full)
    with pytest.raises(BatchError, match="make room, and run the same command again"):
        run_batch(find_clips(sounds), settings(tmp_path / "out", tiny_weights))


def test_every_clip_has_its_files_and_one_line(sounds: Path, tmp_path: Path, tiny_weights: Path):
    out, calls = tmp_path / "out", []
    reports = run_batch(
        find_clips(sounds), settings(out, tiny_weights, "livelink", "lam", "json"), progress=lambda *c: calls.append(c)
    )
    assert [report.error for report in reports] == [None] * 3 and calls[-1] == (3, 3, "batch")
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == sorted(
        [MANIFEST, *(f"{name}{end}" for name in ("a", "b", "deep/c") for end in (".csv", ".json", "_lam.json"))]
    )
    assert [line["name"] for line in lines(out)] == ["a", "b", "deep/c"]
    assert reports[0].frames == 15 and reports[0].seconds == 0.5 and reports[0].lip_residual_mm is not None


def test_a_corrupt_clip_costs_one_line_and_no_other_clip(sounds: Path, tmp_path: Path, tiny_weights: Path):
    (sounds / "aa.wav").write_bytes(b"RIFF broken")
    out = tmp_path / "out"
    for _ in range(2):  # the second time nothing is done: the broken sound is the same
        reports = run_batch(find_clips(sounds), settings(out, tiny_weights))
        assert [report.error is None for report in reports] == [True, False, True, True]
        assert reports[1].error.startswith("aa.wav") and reports[1].error.endswith(".") and not reports[1].files
        assert len(lines(out)) == 4
    run_batch(find_clips(sounds), settings(out, tiny_weights), retry=True)
    assert [line["name"] for line in lines(out)] == ["a", "aa", "b", "deep/c", "aa"]


def test_what_is_done_is_not_done_again_unless_it_changed(sounds: Path, tmp_path: Path, tiny_weights: Path, voice):
    out = tmp_path / "out"
    run_batch(find_clips(sounds), settings(out, tiny_weights))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.csv")}
    write_wav(sounds / "b.wav", Waveform(voice(0.8, 5)))
    (out / "deep" / "c.csv").unlink()
    with (out / MANIFEST).open("a") as file:
        file.write('{"name": "a", "sou')  # what a killed process leaves
    run_batch(find_clips(sounds), settings(out, tiny_weights))
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.csv")}
    assert {path.name for path in after if after[path] != before[path]} == {"b.csv", "c.csv"}
    run_batch(find_clips(sounds), settings(out, tiny_weights, curves=CurveOptions(lower_face=0.5)))
    assert all(path.stat().st_mtime_ns != after[path] for path in out.rglob("*.csv"))


def test_another_manifest_is_left_alone(sounds: Path, tmp_path: Path, tiny_weights: Path):
    out = tmp_path / "out"
    out.mkdir()
    for text in ("a list of mine\n", '{"name": 3}\n', '{"name": "a", "sound": "a", "fingerprint": "f", "loud": 1}\n'):
        (out / MANIFEST).write_text(text)
        with pytest.raises(BatchError, match="no manifest of a batch"):
            run_batch(find_clips(sounds), settings(out, tiny_weights))
        assert (out / MANIFEST).read_text() == text


def test_processes_give_the_same_files(sounds: Path, tmp_path: Path, tiny_weights: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    run_batch(find_clips(sounds), settings(one, tiny_weights, options=AnimateOptions(expression=True)))
    run_batch(find_clips(sounds), settings(two, tiny_weights, options=AnimateOptions(expression=True)), jobs=2)
    assert sorted(line["name"] for line in lines(two)) == ["a", "b", "deep/c"]
    for path in one.rglob("*.csv"):
        assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


def die(clip: BatchClip, wanted: BatchSettings) -> ClipReport:
    """What a sound that takes too much memory does to its process."""
    if clip.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return ClipReport(clip.name, str(clip.sound), "f")


def nothing_is_loaded(threads: int) -> None:
    """In place of what makes a worker ready, which loads the network's library: `die` needs none."""


def test_a_process_that_dies_costs_its_clip_alone(sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run, "run_clip", die)
    monkeypatch.setattr(workers, "_prepare_worker", nothing_is_loaded)
    many = [*find_clips(sounds), *(BatchClip(f"more{k}", sounds / "a.wav") for k in range(6))]
    reports = run_batch(many, BatchSettings(tmp_path / "out", ("livelink",)), jobs=2)
    assert [report.name for report in reports if report.error] == ["b"] and len(reports) == 9
    assert "died" in next(report.error for report in reports if report.error)


def test_a_broken_off_batch_goes_on_without_redoing_or_losing_a_clip(tmp_path: Path, tiny_weights: Path, voice):
    folder, out = tmp_path / "sounds", tmp_path / "out"
    folder.mkdir()
    for number in range(12):
        write_wav(folder / f"{number:03}.wav", Waveform(voice(0.3, number)))
    command = [sys.executable, "-m", "memorytalker", "batch", folder, out, "--format", "livelink", "--device", "cpu"]
    command += ["--weights", tiny_weights]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (out / MANIFEST).is_file() or len((out / MANIFEST).read_bytes().splitlines()) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    done = {line["name"] for line in lines(out) if line}
    assert 3 <= len(done) < 12
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.csv") if path.stem in done}
    assert cli.main([str(part) for part in command[3:]]) == 0
    assert sorted(line["name"] for line in lines(out)) == [f"{number:03}" for number in range(12)]
    assert len(list(out.glob("[0-9]*.csv"))) == 12
    assert all(path.stat().st_mtime_ns == before for path, before in times.items())


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the children of a process are read in /proc")
def test_the_workers_of_a_killed_batch_leave_too(sounds: Path, tmp_path: Path, tiny_weights: Path):
    command = [sys.executable, "-m", "memorytalker", "batch", sounds, tmp_path / "out", "--format", "livelink"]
    command += ["--weights", tiny_weights, "--device", "cpu", "--jobs", "2"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        await_(lambda: len(children.read_text().split()) > 2)  # two workers, and what keeps their shared resources
        time.sleep(0.5)
        workers = children.read_text().split()
        assert len(workers) > 2
    finally:
        process.kill()
        process.wait()
    await_(lambda: not any(Path(f"/proc/{number}").exists() for number in workers))


def await_(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_command_says_how_it_ended(sounds: Path, tmp_path: Path, tiny_weights: Path, capsys):
    flags = ["--weights", str(tiny_weights), "--device", "cpu", "--format", "livelink"]
    assert cli.main(["batch", str(sounds), str(tmp_path / "out"), *flags]) == 0
    assert "3 of 3 clips" in capsys.readouterr().out
    (sounds / "z.wav").write_bytes(b"no sound")
    assert cli.main(["batch", str(sounds), str(tmp_path / "out"), *flags]) == 2
    assert "3 of 4 clips" in (said := capsys.readouterr().out) and "1 could not be used, see manifest.jsonl" in said
    assert cli.main(["batch", str(tmp_path / "nowhere"), str(tmp_path / "out"), *flags]) == 2


def test_a_style_is_that_of_another_sound_in_every_clip(sounds: Path, tmp_path: Path, tiny_weights: Path):
    wanted = {"neutral": "neutral", str(sounds / "b.wav"): "b.wav"}
    for number, (style, named) in enumerate(wanted.items()):
        out = tmp_path / f"out{number}"
        clip = BatchClip("a", sounds / "a.wav")
        assert run_clip(clip, settings(out, tiny_weights, "json", style=style)).error is None
        assert json.loads((out / "a.json").read_text())["provenance"]["style"] == named


def test_ray_gives_the_same_files(sounds: Path, tmp_path: Path, tiny_weights: Path):
    pytest.importorskip("ray")
    here, there = tmp_path / "here", tmp_path / "there"
    run_batch(find_clips(sounds), settings(here, tiny_weights))
    run_batch(find_clips(sounds), settings(there, tiny_weights), jobs=2, ray_address="local")
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    for path in here.rglob("*.csv"):
        assert path.read_bytes() == (there / path.relative_to(here)).read_bytes()

"""The command line: what it makes, what it refuses, how it says so, and what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

import memorytalker
from memorytalker import cli

SMALL = ["--size", "64"]


@pytest.fixture
def clip(tmp_path: Path, voice) -> Path:
    path = tmp_path / "clip.wav"
    soundfile.write(path, voice(0.7), 16000)
    return path


@pytest.fixture
def run(tiny_weights: Path, capsys: pytest.CaptureFixture[str]):
    """`run(*arguments)`: exit code, standard output and standard error of a command with the toy weights."""

    def call(*arguments: str | Path, weights: bool = True) -> tuple[int, str, str]:
        chosen = ["--weights", str(tiny_weights), "--device", "cpu"] if weights else []
        code = cli.main([*map(str, arguments), *chosen])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def assert_refused(result: tuple[int, str, str], *words: str) -> None:
    """Exit code 2 and one plain sentence that holds `words`."""
    code, _, err = result
    assert code == cli.BAD_INPUT
    assert re.fullmatch(r"memorytalker: [^\n]+\.\n", err)
    assert "Traceback" not in err
    for word in words:
        assert word in err


def described(path: Path) -> str:
    """What ffmpeg says about a file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_a_clip_becomes_a_video(run, clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "talk.mp4"
    code, out, err = run("animate", clip, "-o", output, *SMALL)
    assert (code, err) == (0, "")
    assert "talk.mp4" in out and "0.7 s" in out
    assert re.search(r"h264.*64x64.*30 fps", described(output)) and "Audio: aac" in described(output)
    assert "Duration: 00:00:00.70" in described(output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.wav", "talk.mp4"]


def test_rate_style_and_head_are_chosen(run, clip: Path, tmp_path: Path, tiny_talker) -> None:
    saved = {}
    other = list(tiny_talker.head.identities)[1]
    for name, flags in {
        "own": ["--style", "own"],
        "neutral": ["--style", "neutral"],
        "same": ["--style", clip],
        "other": ["--identity", other],
    }.items():
        assert run("animate", clip, "-o", tmp_path / f"{name}.npz", *flags)[0] == 0
        with np.load(tmp_path / f"{name}.npz") as arrays:
            saved[name] = {key: arrays[key] for key in ("vertices", "style_weights")}
    assert (saved["neutral"]["style_weights"] == 1).all() and (saved["own"]["style_weights"] != 1).any()
    np.testing.assert_array_equal(saved["same"]["vertices"], saved["own"]["vertices"])
    moved = saved["other"]["vertices"] - saved["own"]["vertices"]
    change = tiny_talker.head.identities[other] - tiny_talker.head.template
    np.testing.assert_allclose(moved, np.broadcast_to(change, moved.shape), atol=1e-5)


def test_expression_and_a_shut_mouth_are_chosen(run, tmp_path: Path, voice, tiny_talker) -> None:
    clip = tmp_path / "paused.wav"
    soundfile.write(clip, np.concatenate([voice(0.5), np.zeros(16000, np.float32)]), 16000)
    saved = {}
    for name, flags in {
        "plain": [],
        "seeded": ["--seed", "4"],
        "lively": ["--expression", "--seed", "4"],
        "closed": ["--close-in-silence"],
        "half": ["--style-blend", "0.5"],
    }.items():
        assert run("animate", clip, "-o", tmp_path / f"{name}.npz", *flags)[0] == 0
        with np.load(tmp_path / f"{name}.npz") as arrays:
            assert sorted(arrays) == ["fps", "memory_address", "provenance", "slot_labels", "style_weights", "vertices"]
            saved[name] = arrays["vertices"]
    np.testing.assert_array_equal(saved["seeded"], saved["plain"])
    np.testing.assert_array_equal(saved["lively"], tiny_talker.animate(clip, expression=True, seed=4).vertices)
    np.testing.assert_array_equal(saved["half"], tiny_talker.animate(clip, style_blend=0.5).vertices)
    assert np.abs(saved["lively"] - saved["plain"]).max() > 1e-4
    np.testing.assert_allclose(
        saved["closed"][25:], np.broadcast_to(tiny_talker.head.template, (20, 9648, 3)), atol=1e-7
    )
    assert_refused(run("animate", clip, "-o", tmp_path / "x.npz", "--expression", "--seed", "-1"), "seed", "-1")
    assert_refused(run("animate", clip, "-o", tmp_path / "x.npz", "--style-blend", "3.5"), "style_blend", "3.5")


def test_the_output_is_named_after_the_sound(run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("animate", clip.name, *SMALL, "--fps", "10")[0] == 0
    assert " 10 fps" in described(tmp_path / "clip.mp4")


def make_bad_sound(kind: str, folder: Path, good: Path) -> Path:
    path = folder / f"{kind}.wav"
    samples, rate = soundfile.read(good, dtype="float32")
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not sound\n" * 500)
    elif kind == "header":
        path.write_bytes(good.read_bytes()[:30])
    elif kind == "short":
        soundfile.write(path, samples[: rate // 20], rate)
    elif kind in ("nan", "infinite"):
        samples[500] = {"nan": np.nan, "infinite": np.inf}[kind]
        soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "header", "short", "nan", "infinite"])
@pytest.mark.parametrize("role", ["sound", "style"])
def test_refused_sounds(run, clip: Path, tmp_path: Path, kind: str, role: str) -> None:
    bad = make_bad_sound(kind, tmp_path, clip)
    before = sorted(tmp_path.iterdir())
    given = [bad] if role == "sound" else [clip, "--style", bad]
    assert_refused(run("animate", *given, "-o", tmp_path / "talk.mp4", *SMALL), bad.name)
    assert sorted(tmp_path.iterdir()) == before


def test_refused_requests(run, clip: Path, tmp_path: Path) -> None:
    output = ["-o", tmp_path / "talk.mp4"]
    copy = tmp_path / "clip.mp4"
    copy.write_bytes(clip.read_bytes())
    (tmp_path / "folder.mp4").mkdir()
    before = sorted(tmp_path.iterdir())
    assert_refused(run("animate", clip, "-o", tmp_path / "missing" / "talk.mp4"), "There is no folder")
    assert_refused(run("animate", clip, "-o", tmp_path / "talk.xyz"), ".mp4")
    assert_refused(run("animate", clip, "-o", tmp_path / "folder.mp4"), "is a folder")
    assert_refused(run("animate", copy, "-o", copy), "also the input")
    assert_refused(run("animate", clip, "--style", copy, "-o", copy), "also the input")
    assert_refused(run("animate", clip, *output, "--identity", "nobody"), "nobody")
    assert_refused(run("animate", clip, *output, "--size", "63"), "even")
    assert_refused(run("animate", clip, *output, "--camera", "behind"), "front")
    assert_refused(run("animate", clip, *output, "--background-top", "blue"), "#rrggbb")
    assert_refused(run("animate", clip, *output, "--weights", str(tmp_path / "none"), weights=False), "weights")
    assert copy.read_bytes() == clip.read_bytes()
    assert sorted(tmp_path.iterdir()) == before


def test_refusals_come_before_the_model_is_loaded(run, clip: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(memorytalker.Talker, "from_pretrained", lambda *_: pytest.fail("the model was loaded"))
    assert_refused(run("animate", tmp_path / "none.wav"))
    assert_refused(run("animate", clip, "-o", tmp_path / "missing" / "talk.mp4"))
    assert_refused(run("animate", clip, "--style", tmp_path / "none.wav"))
    assert_refused(run("animate", clip, "--size", "1"))
    assert_refused(run("animate", clip, "--style-blend", "nan"))


def test_without_opengl_nothing_is_begun(run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from memorytalker.rendering import renderer

    renderer.check_graphics.cache_clear()
    monkeypatch.setattr(renderer, "_PROBE", "raise SystemExit(1)")
    monkeypatch.setattr(memorytalker.Talker, "from_pretrained", lambda *_: pytest.fail("the model was loaded"))
    code, _, err = run("animate", clip, "-o", tmp_path / "talk.mp4")
    assert code == cli.OUR_FAULT and "apt-get install libegl1" in err and err.count("\n") == 1
    monkeypatch.undo()
    renderer.check_graphics()


def test_our_own_faults_exit_with_1_and_leave_nothing(run, clip: Path, tmp_path: Path, monkeypatch) -> None:
    from memorytalker import rendering
    from memorytalker.rendering import RenderError

    def broken(*_: object, **__: object) -> None:
        raise RenderError("No working OpenGL was found.")

    monkeypatch.setattr(rendering, "render_frames", broken)
    code, _, err = run("animate", clip, "-o", tmp_path / "talk.mp4")
    assert (code, err) == (cli.OUR_FAULT, "memorytalker: No working OpenGL was found.\n")
    monkeypatch.setattr(rendering, "render_frames", lambda *_, **__: 1 / 0)
    code, _, err = run("animate", clip, "-o", tmp_path / "talk.mp4")
    assert code == cli.OUR_FAULT and "ZeroDivisionError" in err and "Traceback" not in err
    with pytest.raises(ZeroDivisionError):
        run("--debug", "animate", clip, "-o", tmp_path / "talk.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.wav"]


def test_stopping_leaves_nothing(run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from memorytalker import rendering

    def stopped(head, vertices, options, progress):
        yield np.zeros((64, 64, 3), np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(rendering, "render_frames", stopped)
    assert run("animate", clip, "-o", tmp_path / "talk.mp4")[0] == cli.STOPPED
    assert [path.name for path in tmp_path.iterdir()] == ["clip.wav"]


def test_as_a_process() -> None:
    """Exit codes and streams as a shell sees them."""
    command = [sys.executable, "-m", "memorytalker"]
    done = subprocess.run([*command, "animate", "none.wav"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "memorytalker: There is no file none.wav; check the path.\n"
    listed = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    for name, entry in cli.COMMANDS.items():
        assert name in listed and entry.help.split()[0] in listed
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit) as left:
            cli.main([name, "--help"])
        assert left.value.code == 0
        assert cli.COMMANDS[name].help in " ".join(capsys.readouterr().out.split())


def test_bench_adds_up(run, tmp_path: Path) -> None:
    code, out, _ = run("bench", "--seconds", "0.5", "--runs", "2", "--json", tmp_path / "bench.json", *SMALL)
    figures = json.loads((tmp_path / "bench.json").read_text())
    assert code == 0 and "render" in out and "3D head after" in out and "; goal for" not in out
    assert "of real time" in out and "look-ahead 117 ms" in out
    runs = {name: stage["runs"] for name, stage in figures["stages"].items()}
    for number in range(2):
        parts = [runs[name][number] for name in ("encode", "decode", "pack", "render", "write")]
        assert sum(parts) == pytest.approx(runs["total"][number], abs=0.01) and min(parts) > 0
    for stage in figures["stages"].values():
        assert 0 < stage["least"] <= stage["median"] <= stage["most"] and len(stage["runs"]) == 2 and stage["inside"]
    assert figures["machine"]["processors"] > 0 and figures["warm_up"] == 1
    assert figures["frames"] == 15 and figures["seconds_of_speech"] == 0.5 and figures["width"] == 64
    assert_refused(run("bench", "--seconds", "0", *SMALL))
    assert_refused(run("bench", "--json", tmp_path / "none" / "bench.json", *SMALL))


def test_doctor_names_what_is_missing(run, tmp_path: Path) -> None:
    code, out, _ = run("doctor")
    assert code == 0 and "MISSING" not in out
    for name in ("python", "ffmpeg", "opengl", "head", "weights", "device"):
        assert re.search(rf"^found +{name} ", out, re.M)
    code, out, _ = run("doctor", "--weights", tmp_path / "none", weights=False)
    assert code == cli.OUR_FAULT and re.search("^MISSING +weights ", out, re.M)


def test_progress_has_one_bar_per_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    import tqdm

    bars = []

    class Bar:
        def __init__(self, desc: str, total: int, **_: object) -> None:
            self.desc, self.total, self.n, self.closed = desc, total, 0, False
            bars.append(self)

        def update(self, count: int) -> None:
            assert not self.closed and count >= 0
            self.n += count

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    with cli.progress_bar() as progress:
        for call in [(1, 2, "motion"), (2, 2, "motion"), (1, 9, "render"), (9, 9, "render"), (1, 9, "render")]:
            progress(*call)
    assert [(bar.desc, bar.total, bar.n, bar.closed) for bar in bars] == [
        ("motion", 2, 2, True), ("render", 9, 9, True), ("render", 9, 1, True),
    ]  # fmt: skip


def test_what_was_decided_for_the_user_is_said(run, tmp_path: Path, voice) -> None:
    pair = tmp_path / "pair.wav"
    soundfile.write(pair, np.stack([voice(0.7), -voice(0.7)], 1), 16000)
    code, out, err = run("animate", pair, "-o", tmp_path / "pair.npz", "--style", pair)
    cancel = "The two channels cancel each other, so the left one is used."
    assert code == 0 and "pair.npz" in out
    assert err == f"memorytalker: {cancel}\nmemorytalker: Of the second sound: {cancel}\n"
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    code, _, err = run("animate", tmp_path / "silence.wav", "-o", tmp_path / "silence.npz", "--close-in-silence")
    assert (code, err) == (0, "memorytalker: The sound is silent, so the mouth stays closed.\n")

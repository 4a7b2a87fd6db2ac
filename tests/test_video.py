"""A video is decoded back: frames, sound, their lengths and their times are what went in; failures leave nothing."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from memorytalker.rendering import VideoError, video, write_video
from memorytalker.sound.decode import SAMPLE_RATE, Waveform, load_waveform

SIZE = (96, 128)  # height, width
COLORS = np.array([[200, 60, 40], [50, 160, 80], [40, 70, 190], [230, 230, 230], [15, 15, 15]], np.uint8)


def flat(count: int) -> Iterator[np.ndarray]:
    """Frames of one colour each, so that every one can be told from its neighbours."""
    for k in range(count):
        yield np.broadcast_to(COLORS[k % len(COLORS)], (*SIZE, 3)).copy()


def click(seconds: float, at: float) -> Waveform:
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    start = round(at * SAMPLE_RATE)
    samples[start : start + 40] = np.sin(np.arange(40)) * 0.9
    return Waveform(samples)


def ffmpeg(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def decoded(path: Path) -> np.ndarray:
    raw = ffmpeg("-v", "error", "-i", str(path), "-map", "0:v", "-f", "rawvideo", "-pix_fmt", "rgb24", "-").stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, *SIZE, 3)


def sound_seconds(path: Path) -> float:
    """Length of the decoded sound track."""
    raw = ffmpeg("-v", "error", "-i", str(path), "-map", "0:a", "-f", "s16le", "-").stdout
    return len(raw) / 2 / video.AUDIO_RATE


def stated_seconds(path: Path) -> float:
    """Length that the container states: that of its longest track."""
    log = ffmpeg("-i", str(path)).stderr.decode()
    hours, minutes, seconds = re.search(r"Duration: (\d+):(\d+):([\d.]+)", log).groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


@pytest.mark.parametrize(("fps", "count"), [(30, 47), (25, 30), (60, 31), (30, 1)])
@pytest.mark.parametrize("sound_share", [0.4, 1.0, 1.7], ids=["short sound", "same", "long sound"])
def test_frames_and_sound_end_together(tmp_path: Path, fps: int, count: int, sound_share: float) -> None:
    sound = Waveform(np.full(round(sound_share * count / fps * SAMPLE_RATE), 0.1, np.float32))
    path = write_video(tmp_path / "talk.mp4", flat(count), fps, sound, count)
    assert len(decoded(path)) == count
    assert sound_seconds(path) == pytest.approx(count / fps, abs=0.5 / fps)
    assert stated_seconds(path) == pytest.approx(count / fps, abs=0.5 / fps)
    assert [entry.name for entry in tmp_path.iterdir()] == ["talk.mp4"]


def test_format(tmp_path: Path) -> None:
    path = write_video(tmp_path / "talk.mp4", flat(12), 30, click(0.4, 0.1), 12)
    log = ffmpeg("-i", str(path)).stderr.decode()
    assert re.search(r"Video: h264 .*yuv420p\(tv, bt709, .*128x96.* 30 fps", log)
    assert re.search(r"Audio: aac .*48000 Hz", log)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it loads
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_colors_and_order_survive(tmp_path: Path) -> None:
    frames = decoded(write_video(tmp_path / "talk.mp4", flat(25), 30, click(1, 0.5), 25))
    means = frames.reshape(25, -1, 3).mean(axis=1)
    np.testing.assert_allclose(means, COLORS[np.arange(25) % 5], atol=6)


def test_left_is_left_and_up_is_up(tmp_path: Path) -> None:
    frame = np.zeros((*SIZE, 3), np.uint8)
    frame[:48, :64] = 220
    shown = decoded(write_video(tmp_path / "talk.mp4", [frame] * 3, 30, click(0.1, 0), 3))[1].mean(axis=2)
    assert shown[8:40, 8:56].min() > 200 and shown[56:, :].max() < 20 and shown[:, 72:].max() < 20


def test_a_click_is_at_its_frame(tmp_path: Path) -> None:
    def flash() -> Iterator[np.ndarray]:
        for k in range(60):
            yield np.full((*SIZE, 3), 240 if k == 37 else 20, np.uint8)

    path = write_video(tmp_path / "talk.mp4", flash(), 30, click(2, 37 / 30), 60)
    bright = int(decoded(path).mean(axis=(1, 2, 3)).argmax())
    clicked = np.flatnonzero(np.abs(load_waveform(path).samples) > 0.3)[0] / SAMPLE_RATE
    assert bright == 37
    assert clicked == pytest.approx(37 / 30, abs=0.010)


def test_without_sound(tmp_path: Path) -> None:
    path = write_video(tmp_path / "mute.mp4", flat(10), 30, None, 10)
    assert len(decoded(path)) == 10 and b"mp4a" not in path.read_bytes()


def test_progress_counts_every_frame(tmp_path: Path) -> None:
    calls: list[tuple[int, int, str]] = []
    write_video(tmp_path / "talk.mp4", flat(7), 30, click(0.3, 0), 7, lambda *call: calls.append(call))
    assert calls == [(k, 7, "render") for k in range(1, 8)]


class Broken(Exception):
    pass


def encoders() -> list[int]:
    """Process numbers of encoders started here that still run."""
    me, running = os.getpid(), []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = entry.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if name.startswith("ffmpeg") and int(rest.split()[1]) == me:
            running.append(int(entry.parent.name))
    return running


def failing(kind: str) -> tuple[Iterator[np.ndarray], dict]:
    def drawn() -> Iterator[np.ndarray]:
        for number, frame in enumerate(flat({"too many": 9, "too few": 6}.get(kind, 8))):
            if kind == "drawing" and number == 4:
                raise Broken
            if kind == "size" and number == 5:
                frame = frame[:, :-2]
            yield frame.astype(float) if kind == "kind" else frame

    def watch(done: int, total: int, stage: str) -> None:
        if kind == "stopped" and done == 3:
            raise KeyboardInterrupt

    return drawn(), {"progress": watch}


@pytest.mark.parametrize("kind", ["drawing", "too many", "too few", "size", "kind", "stopped"])
def test_a_failure_leaves_no_file_and_no_process(tmp_path: Path, kind: str) -> None:
    frames, options = failing(kind)
    expected = {"drawing": Broken, "stopped": KeyboardInterrupt}.get(kind, VideoError)
    with pytest.raises(expected):
        write_video(tmp_path / "talk.mp4", frames, 30, click(1, 0), 8, **options)
    assert list(tmp_path.iterdir()) == []
    assert encoders() == []
    assert next(frames, None) is None  # the source is closed: it does not go on drawing


def test_a_failure_keeps_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    path.write_bytes(b"older")
    frames, options = failing("drawing")
    with pytest.raises(Broken):
        write_video(path, frames, 30, click(1, 0), 8, **options)
    assert path.read_bytes() == b"older"


def test_a_dying_encoder_is_a_plain_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = video._command
    monkeypatch.setattr(video, "_command", lambda *given: [*right(*given)[:-1], "-c:v", "no_such_codec", "file:x.mp4"])
    with pytest.raises(VideoError, match="encoder stopped") as caught:
        write_video(tmp_path / "talk.mp4", flat(200), 30, click(7, 0), 200)
    assert "no_such_codec" in caught.value.__notes__[0] and "no_such_codec" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_full_for_the_log_of_the_encoder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot_write(*_: Any) -> list[str]:
        raise OSError(errno.ENOSPC, "No space left on device")

    right, free = video._command, SimpleNamespace(free=4096)
    monkeypatch.setattr(video.shutil, "disk_usage", lambda _: free)
    monkeypatch.setattr(video, "_command", lambda *given: [*right(*given)[:-1], "-c:v", "no_such_codec", "file:x.mp4"])
    with pytest.raises(VideoError, match="because the disk is full"):
        write_video(tmp_path / "talk.mp4", flat(200), 30, click(7, 0), 200)
    monkeypatch.setattr(video, "_sound_input", cannot_write)
    with pytest.raises(VideoError, match="because the disk is full"):
        write_video(tmp_path / "talk.mp4", flat(2), 30, click(7, 0), 2)


def test_many_messages_of_the_encoder_do_not_block_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = video._command
    monkeypatch.setattr(video, "_command", lambda *given: [("trace" if a == "error" else a) for a in right(*given)])
    done = threading.Event()

    def work() -> None:
        write_video(tmp_path / "talk.mp4", flat(60), 30, click(2, 0), 60)
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(60)


@pytest.mark.parametrize(
    ("name", "fps", "total"),
    [("talk.avi", 30, 5), ("missing/talk.mp4", 30, 5), ("talk.mp4", 0, 5), ("talk.mp4", 30, 0), ("folder.mp4", 30, 5)],
)
def test_refused_requests(tmp_path: Path, name: str, fps: int, total: int) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(VideoError, match=r"\w.*\.$"):
        write_video(tmp_path / name, flat(5), fps, click(1, 0), total)


def test_odd_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="even"):
        write_video(tmp_path / "talk.mp4", [np.zeros((95, 128, 3), np.uint8)], 30, None, 1)
    assert list(tmp_path.iterdir()) == []

"""Videos of a take: MP4 as it was, WebM whose alpha is decoded back; motion that never lies in memory as a whole."""

from __future__ import annotations

import argparse
import dataclasses
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion
from take_case import planted_take

from memorytalker.comparison.commands import run_compare
from memorytalker.config import ConfigError
from memorytalker.errors import InputError
from memorytalker.exports.take import ExportError, Take
from memorytalker.exports.video import MP4, WEBM
from memorytalker.face.frames import BLOCK, blocks
from memorytalker.options import CAMERAS, RenderOptions
from memorytalker.rendering import RenderError, VideoError, render_frames, renderer, stage, write_video
from memorytalker.rendering.alpha import extend_colors
from memorytalker.rendering.edges import soften_edges

SIZE, COUNT, GREEN = 192, 24, np.array([0.0, 200.0, 0.0])


@pytest.fixture(scope="module")
def take() -> Take:
    return dataclasses.replace(planted_take(COUNT), render=RenderOptions(width=SIZE, height=SIZE))


@pytest.fixture(scope="module")
def webm(take: Take, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "talk.webm"
    assert WEBM.write(take, path) == (path,)
    assert [entry.name for entry in path.parent.iterdir()] == ["talk.webm"]
    return path


@pytest.fixture(scope="module")
def drawn(take: Take) -> np.ndarray:
    return np.stack(list(render_frames(take.head, take.frames, dataclasses.replace(take.render, transparent=True))))


def ffmpeg(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", *arguments], capture_output=True)


def decoded(path: Path, codec: str = "libvpx-vp9") -> np.ndarray:
    """Frames (T, H, W, 4), by the decoder that reads VP9's alpha."""
    options = ["-v", "error", "-c:v", codec, "-i", str(path), "-map", "0:v", "-f", "rawvideo", "-pix_fmt", "rgba", "-"]
    return np.frombuffer(ffmpeg(*options).stdout, np.uint8).reshape(-1, SIZE, SIZE, 4)


def over(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    share = frame[..., 3:] / 255.0
    return frame[..., :3] * share + background * (1 - share)


def test_the_alpha_of_a_webm_is_that_of_the_head(webm: Path, drawn: np.ndarray) -> None:
    alpha, meant = decoded(webm)[..., 3], drawn[..., 3]
    corners = np.concatenate([alpha[:, :12, :12], alpha[:, :12, -12:]])
    middle = alpha[:, SIZE // 2 - 6 : SIZE // 2 + 6, SIZE // 2 - 6 : SIZE // 2 + 6]
    assert len(alpha) == COUNT and np.median(corners) == 0 and corners.max() <= 2
    assert np.median(middle) == 255 and middle.min() >= 253
    for number in (0, COUNT // 2, COUNT - 1):
        inside = binary_erosion(meant[number] == 255, iterations=3)
        outside = ~binary_dilation(meant[number] > 0, iterations=3)
        assert alpha[number][inside].min() > 240 and alpha[number][outside].max() < 15
        between = (meant[number] > 60) & (meant[number] < 195)
        assert between.sum() > 50
        assert 40 < alpha[number][between].mean() < 215


def test_no_dark_fringe_shows_over_green(webm: Path, drawn: np.ndarray) -> None:
    """At the outline the colours are the head's own, and over a background they are what was drawn."""
    frames = decoded(webm)
    for number in (0, COUNT - 1):
        meant, shown = drawn[number].astype(float), frames[number].astype(float)
        rim = binary_dilation(meant[..., 3] == 0, iterations=3) & (meant[..., 3] > 0)
        assert np.sqrt(np.square(shown[..., :3] - meant[..., :3])[rim].mean()) < 3.8
        assert np.abs((over(shown, GREEN) - over(meant, GREEN))[rim].mean(axis=0)).max() < 3
        edge = (meant[..., 3] > 40) & (meant[..., 3] < 215)
        beside = binary_dilation(edge, iterations=2) & (meant[..., 3] == 255)
        np.testing.assert_allclose(shown[edge][:, :3].mean(axis=0), meant[beside][:, :3].mean(axis=0), atol=10)


def test_the_sound_of_a_webm_is_there_and_ends_with_its_frames(webm: Path) -> None:
    log = ffmpeg("-i", str(webm)).stderr.decode()
    assert re.search(r"Video: vp9 .*bt709.*30 fps", log) and re.search(r"alpha_mode\s*: 1", log)
    assert re.search(r"Audio: opus, 48000 Hz", log)
    stated = re.search(r"Duration: 00:00:([\d.]+)", log)
    assert stated and float(stated[1]) == pytest.approx(COUNT / 30, abs=0.5 / 30)
    sound = np.frombuffer(ffmpeg("-v", "error", "-i", str(webm), "-map", "0:a", "-f", "s16le", "-").stdout, "<i2")
    assert len(sound) / 48000 == pytest.approx(COUNT / 30, abs=0.5 / 30)
    strongest = np.abs(np.fft.rfft(sound[4800:24000])).argmax() * 48000 / 19200
    assert strongest == pytest.approx(16000 / 11 / 2 / np.pi, abs=5)  # the planted sine


def test_an_mp4_shows_the_same_face_and_is_never_transparent(take: Take, tmp_path: Path, drawn: np.ndarray) -> None:
    path = tmp_path / "talk.mp4"
    assert MP4.write(dataclasses.replace(take, waveform=None), path) == (path,)
    shown = decoded(path, "h264")
    inside = binary_erosion(drawn[3, ..., 3] == 255, iterations=3)
    assert len(shown) == COUNT
    assert np.abs(shown[3][inside][:, :3].astype(float) - drawn[3][inside][:, :3]).mean() < 4
    clear = dataclasses.replace(take, render=dataclasses.replace(take.render, transparent=True))
    with pytest.raises(ExportError, match=r"save it as \.webm") as refused:
        MP4.write(clear, tmp_path / "clear.mp4")
    assert str(refused.value).count(".") == 2 and [entry.name for entry in tmp_path.iterdir()] == ["talk.mp4"]


def test_a_comparison_cannot_be_transparent(tmp_path: Path) -> None:
    chosen = argparse.Namespace(folder=tmp_path / "nothing")
    with pytest.raises(InputError, match="leave transparency out"):
        run_compare(chosen, None, RenderOptions(transparent=True), lambda *_: None)


def test_frames_and_the_kind_of_video_must_agree(tmp_path: Path) -> None:
    for name, channels, words in (("a.mp4", 4, r"\.webm"), ("a.webm", 3, r"\.mp4")):
        with pytest.raises(VideoError, match=words):
            write_video(tmp_path / name, [np.zeros((64, 64, channels), np.uint8)], 30, None, 1)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="either True or False"):
        RenderOptions(transparent="yes")  # type: ignore[arg-type]


# Alpha of the renderer


@pytest.mark.parametrize("camera", CAMERAS)
def test_alpha_is_the_share_that_the_head_covers(take: Take, camera: str) -> None:
    """Against the same view with sixteen samples a pixel, with and without antialiasing."""
    face = np.asarray(take.frames[3:4])
    options = RenderOptions(width=SIZE, height=SIZE, camera=camera, transparent=True)
    fine = dataclasses.replace(options, width=4 * SIZE, height=4 * SIZE, antialias=False)
    (soft,) = render_frames(take.head, face, options)
    (hard,) = render_frames(take.head, face, dataclasses.replace(options, antialias=False))
    (many,) = render_frames(take.head, face, fine)
    assert set(np.unique(hard[..., 3])) == {0, 255} and not hard[hard[..., 3] == 0].any()
    many = many.reshape(SIZE, 4, SIZE, 4, 4).astype(float)
    share = many[..., 3].mean(axis=(1, 3))
    color = (many[..., :3] * many[..., 3:]).sum(axis=(1, 3)) / np.maximum(many[..., 3:].sum(axis=(1, 3)), 1)
    edge = (share > 0) & (share < 255)

    def miss(image: np.ndarray) -> float:
        return float(np.sqrt(np.square(image[..., 3] - share)[edge].mean()))

    assert miss(soft) < 0.7 * miss(hard)
    shown = edge & (soft[..., 3] > 20)
    assert np.abs((soft[..., :3] - color)[shown].mean(axis=0)).max() < 5  # neither darker nor brighter
    # No hole shows the background through the head, between hair and forehead for example.
    inside = binary_erosion(share == 255, iterations=2)
    assert soft[..., 3][inside].min() == 255


def test_what_is_transparent_covers_what_the_opaque_frame_shows(take: Take) -> None:
    options = RenderOptions(width=SIZE, height=SIZE, background_top="#00c800", background_bottom="#00c800")
    frames = np.asarray(take.frames[0:10])
    clear = np.stack(list(render_frames(take.head, frames, dataclasses.replace(options, transparent=True))))
    opaque = np.stack(list(render_frames(take.head, frames, options)))
    differs = np.abs(over(clear, GREEN) - opaque).max(axis=3)
    inside = binary_erosion(clear[..., 3] == 255, np.ones((1, 3, 3)), iterations=3)
    assert (differs[inside] > 2).mean() < 0.02 and (differs[clear[..., 3] == 0] > 90).mean() < 0.002
    assert (differs > 60).mean() < 0.004


def test_a_box_with_alpha_and_the_whole_are_the_same(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    options, frames = RenderOptions(width=SIZE, height=SIZE, transparent=True), np.asarray(take.frames[0:12])
    boxes: list = []
    read = stage.Stage._read
    monkeypatch.setattr(stage.Stage, "_read", lambda self: (boxes.append(self.box), read(self))[1])
    some = np.stack(list(render_frames(take.head, frames, options)))
    assert boxes[-1] is not None
    monkeypatch.setattr(renderer, "FEW", len(frames))
    whole = np.stack(list(render_frames(take.head, frames, options)))
    assert boxes[-1] is None
    assert (np.abs(some.astype(int) - whole) > 1).mean() < 5e-4


def test_an_outline_is_softened_whatever_its_colour_and_keeps_it() -> None:
    """A slanted black body, which over black has no edge at all."""
    for color in (0, 128, 255):
        body = np.arange(40)[:, None] > 12 + 0.3 * np.arange(40)
        image = np.zeros((40, 40, 4), np.uint8)
        image[body] = (color, color, color, 255)
        soft = soften_edges(image)
        between = (soft[..., 3] > 0) & (soft[..., 3] < 255)
        assert between.sum() > 20
        assert (soft[..., :3][between] == color).all()


def test_colors_are_continued_behind_the_outline_only() -> None:
    frame = np.zeros((50, 70, 4), np.uint8)
    frame[10:30, 20:40] = (200, 100, 50, 255)
    frame[9, 20:40] = (10, 20, 30, 77)
    extended = extend_colors(frame)
    np.testing.assert_array_equal(extended[frame[..., 3] > 0], frame[frame[..., 3] > 0])
    np.testing.assert_array_equal(extended[..., 3], frame[..., 3])
    assert (extended[31, 25, :3] == (200, 100, 50)).all() and extended[..., :3].max(axis=2).min() > 0
    assert not extend_colors(np.zeros((4, 4, 4), np.uint8)).any()


# Motion that is computed when asked for


class Computed:
    """Frames that are made when they are asked for, and remember the largest number asked for at once."""

    def __init__(self, base: np.ndarray, step: np.ndarray, count: int) -> None:
        self.base, self.step, self.count, self.largest = base, step, count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, span: slice) -> np.ndarray:
        numbers = np.arange(self.count)[span]
        self.largest = max(self.largest, len(numbers))
        gains = (0.3 - 0.3 * np.cos(numbers / 4)).astype(np.float32)
        return self.base + gains[:, None, None] * self.step

    def __iter__(self) -> Iterator[np.ndarray]:
        for number in range(self.count):
            yield self[number : number + 1][0]


def test_computed_motion_gives_the_frames_of_an_array_a_block_at_a_time(take: Take) -> None:
    head, options = take.head, RenderOptions(width=64, height=64)
    computed = Computed(head.template, head.blendshape("jawOpen"), 2 * BLOCK + 9)
    array = computed[0 : len(computed)]
    computed.largest = 0
    frames = list(render_frames(head, computed, options))
    assert len(frames) == len(computed) and computed.largest <= BLOCK
    np.testing.assert_array_equal(frames, list(render_frames(head, array, options)))
    np.testing.assert_array_equal(np.concatenate(list(blocks(computed, 50))), array)


def test_what_is_wrong_in_a_later_block_is_found_before_drawing(take: Take) -> None:
    template = take.head.template
    broken = np.repeat(template[None], BLOCK + 10, axis=0)
    broken[BLOCK + 3, 5, 1] = np.nan
    with pytest.raises(RenderError, match=f"Frame {BLOCK + 3} of"):
        render_frames(take.head, broken)
    with pytest.raises(RenderError, match="no frames"):
        render_frames(take.head, broken[:0])
    with pytest.raises(RenderError, match=r"shape \(3, 7, 3\)"):
        render_frames(take.head, broken[:3, :7])


def test_a_face_that_only_turns_late_is_drawn_whole(take: Take) -> None:
    """What faces the camera in the last block only, and moves there only, is drawn there."""
    head, options = take.head, RenderOptions(width=96, height=96, antialias=False)
    frames = np.repeat(head.template[None], BLOCK + 2, axis=0)
    frames[-1] = head.template * np.float32([-1, 1, -1])  # the back of the head
    last = list(render_frames(head, frames, options))[-1]
    (alone,) = render_frames(head, frames[-1:], options)
    np.testing.assert_array_equal(last, alone)

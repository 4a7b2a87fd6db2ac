"""Every choice reaches the result, and the same choices give the same result."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import imageio_ffmpeg
import pytest

from tools.page.browser import Visit

pytestmark = pytest.mark.walk

SPEECH = Path(__file__).resolve().parents[2] / "assets" / "speech"


def video_bytes(visit: Visit) -> bytes:
    visit.video("video")
    with urllib.request.urlopen(visit.page.get_attribute("#video video", "src"), timeout=30) as answer:
        return answer.read()


def first_pixel(video: bytes, path: Path) -> tuple[int, int, int]:
    path.write_bytes(video)
    frames = imageio_ffmpeg.read_frames(str(path))
    next(frames)
    pixel = tuple(next(frames)[:3])
    frames.close()
    return pixel


def weights(visit: Visit) -> str:
    """The style weights as they are written beside the bars."""
    visit.page.wait_for_selector("#style-words .style-view")
    return "|".join(visit.page.locator("#style-words .bars li").all_text_contents())


def test_head_and_camera_are_drawn_as_chosen(visit: Visit, short_clip: Path, tmp_path: Path):
    page = visit.page
    visit.upload(short_clip)
    visit.animated()
    plain = first_pixel(video_bytes(visit), tmp_path / "plain.mp4")
    page.locator("#head input[value=old_man]").check(force=True)
    visit.unfold("settings")
    page.get_by_role("radio", name="Profile").check()
    visit.animated()
    chosen = first_pixel(video_bytes(visit), tmp_path / "chosen.mp4")
    assert chosen[0] - plain[0] > 100 and chosen[1] - plain[1] > 50  # the stub's colours of heads and cameras
    caption = page.inner_text("#caption")
    assert "Old man" in caption and "camera profile" in caption


def test_a_blend_goes_from_neutral_to_the_full_style(visit: Visit, short_clip: Path):
    page, found = visit.page, {}
    visit.upload(short_clip)
    visit.unfold("settings")
    page.get_by_role("radio", name="Of another voice").check()
    visit.upload(SPEECH / "man_dove.wav", "second-voice")
    for blend in ("1", "0.5", "0"):
        page.locator("#style-blend input[type=number]").fill(blend)
        page.locator("#style-blend input[type=number]").press("Tab")
        visit.animated()
        found[blend] = weights(visit)
        assert f"{100 * float(blend):.0f} %" in page.inner_text("#caption")
    assert len(set(found.values())) == 3
    page.get_by_role("radio", name="Neutral").check()
    visit.animated()
    assert "neutral style" in page.inner_text("#caption")
    assert weights(visit) == found["0"]  # a style of strength 0 is the neutral one


def test_the_same_choice_gives_the_same_result(visit: Visit, short_clip: Path):
    page = visit.page
    visit.unfold("settings")
    assert page.get_by_role("checkbox", name="Expression").is_checked()  # alive by default
    page.get_by_role("checkbox", name="Close the mouth in silence").check()
    page.locator("#seed input").fill("7")
    visit.upload(short_clip)
    visit.animated()
    caption = page.inner_text("#caption")
    assert "expression on, seed 7" in caption and "kept closed in pauses" in caption
    first = video_bytes(visit), weights(visit), visit.inside("memory", ".summary")
    visit.animated()
    assert (video_bytes(visit), weights(visit), visit.inside("memory", ".summary")) == first
    assert page.inner_text("#caption") == caption


def test_usual_formats_are_taken(visit: Visit, tmp_path: Path):
    video = ["-f", "lavfi", "-i", "color=s=64x64:d=1", "-pix_fmt", "yuv420p"]
    kinds = {".m4a": [], ".webm": ["-c:a", "libopus"], ".mp3": [], ".mp4": video, ".mov": video, ".oga": []}
    for ending, more in kinds.items():
        path = tmp_path / f"voice{ending}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", SPEECH / "man_dove.wav"]
        subprocess.run([*command, *more, "-t", "1.0", path], check=True)
        visit.upload(path)
        visit.animated()
        assert visit.video("video")[0] == pytest.approx(1.0, abs=0.15), ending


def test_a_dropped_video_is_used_for_its_sound_and_a_dropped_text_is_refused(visit: Visit, tmp_path: Path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", SPEECH / "man_dove.wav", "-t", "1.0"]
    subprocess.run([*command, "-c:a", "libopus", tmp_path / "talk.webm"], check=True)
    (tmp_path / "talk.txt").write_text("only words\n" * 20)
    for name, kind in {"talk.webm": "video/webm", "talk.txt": "text/plain"}.items():
        visit.drop(tmp_path / name, kind)
        if kind == "video/webm":
            visit.press("run")
            assert visit.video("video")[0] == pytest.approx(1.0, abs=0.15)
    visit.says("voice-note", "is not a sound file that can")
    visit.faults = [fault for fault in visit.faults if "talk.txt" not in fault]  # the browser cannot read it either

"""Mistakes: each ends in one plain sentence that names the remedy, and the page goes on."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from tools.page.browser import Visit

RATE = 16000
CLIP = Path(__file__).resolve().parents[2] / "assets" / "speech" / "woman_farming.wav"


def written(path: Path, samples: np.ndarray, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, RATE, subtype=subtype)
    return path


def speech(seconds: float) -> np.ndarray:
    return 0.3 * np.sin(np.arange(round(seconds * RATE)) * 0.05).astype(np.float32)


def content(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


MISTAKES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "text": (lambda f: content(f / "list <b>of<i> words.wav", b"no sound\n" * 40), "is not a sound file that can"),
    "empty": (lambda f: content(f / "empty.wav", b""), "is empty"),
    "damaged": (lambda f: content(f / "header.wav", CLIP.read_bytes()[:30]), "damaged"),
    "short": (lambda f: written(f / "short.wav", speech(0.05)), "at least 0.1 s"),
    "long": (lambda f: written(f / "long.wav", speech(61)), "at most 60 seconds"),
    "nan": (lambda f: written(f / "nan.wav", speech(1) * np.nan, "FLOAT"), "NaN"),
}


def refused(visit: Visit, words: str) -> str:
    """The sentence of the pop-up; the status says the same, and the page may be used again."""
    toast = visit.page.get_by_test_id("toast-body").filter(has_text=words).first
    visit.says("status", words)
    visit.page.wait_for_function("!document.getElementById('run').disabled")
    sentence = visit.page.inner_text("#status p")
    assert words in toast.inner_text() and sentence.endswith(".") and len(sentence) < 200
    assert "/" not in sentence.replace("WAV/", "")
    return sentence


def test_sounds_that_cannot_be_used(visit: Visit, short_clip: Path, tmp_path: Path):
    """They are refused when they arrive, and never become a player of nothing."""
    page = visit.page
    for name, (make, words) in MISTAKES.items():
        visit.upload(make(tmp_path))
        visit.says("voice-note", words)
        page.wait_for_selector("#sound input[type=file]", state="attached")
        page.wait_for_function("document.getElementById('run').disabled")
        assert not page.query_selector("#voice-note b, #voice-note i, #sound audio")
        assert page.is_visible("#trim") == (name == "long")
        if name == "long":  # its beginning is offered
            page.click("#trim")
            visit.says("voice-note", "The first 60 s")
            page.wait_for_function("!document.getElementById('run').disabled")
    visit.faults = [fault for fault in visit.faults if ".wav" not in fault]  # the browser cannot read them either
    visit.upload(short_clip)  # and on it goes
    visit.animated()
    visit.video("video")


def test_choices_that_cannot_be_met(visit: Visit, short_clip: Path, tmp_path: Path):
    visit.upload(short_clip)
    visit.unfold("settings")
    visit.page.locator("#seed input").fill("-3")
    visit.press("run")
    refused(visit, "is a whole number from 0 on")
    visit.page.locator("#seed input").fill("3")
    visit.page.get_by_role("radio", name="Of another voice").check()
    visit.press("run")
    refused(visit, "There is no second clip yet")
    visit.upload(written(tmp_path / "still.wav", speech(1) * 0), "second-voice")
    visit.press("run")
    refused(visit, "has no speaking style")


def test_a_file_too_large(visit: Visit, tmp_path: Path):
    path = tmp_path / "large.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(bytes(21 * 1024 * 1024))
    visit.upload(path)
    toast = visit.page.wait_for_selector("[data-testid=toast-body]")
    assert "20" in toast.inner_text() and "MB" in toast.inner_text().upper()
    visit.faults.clear()  # the browser reports the refused upload itself
    assert visit.page.is_disabled("#run")


def test_silence_is_animated_and_a_failure_of_ours_is_owned(visit: Visit, tmp_path: Path):
    """The stub breaks for a clip of 1.25 s; the log says where, the page does not."""
    visit.upload(written(tmp_path / "still.wav", speech(1) * 0))
    visit.animated()
    visit.video("video")
    assert "silent, so the mouth stays closed" in visit.page.inner_text("#status")
    visit.may_log_failure = True
    visit.upload(written(tmp_path / "breaks.wav", speech(1.25)))
    visit.press("run")
    sentence = refused(visit, "on our side")
    assert "secret" not in sentence and "try again" in sentence

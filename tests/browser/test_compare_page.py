"""Compare with ground truth: bundled and own, every refusal, and stopping."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from stub_talker import envelope, stub_head

from memorytalker.sound.decode import load_waveform
from tools.page.browser import Site, Visit

pytestmark = pytest.mark.walk

TAB = "How accurate is it?"
SPEECH = Path(__file__).resolve().parents[2] / "assets" / "speech"
FPS, SECONDS = 30, 1.2


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A short clip and its ground truth in every format: the jaw of the shipped head, opened by loudness."""
    folder = tmp_path_factory.mktemp("ground-truth")
    waveform = load_waveform(SPEECH / "man_dove.wav")
    sound = folder / "sound.wav"
    soundfile.write(sound, waveform.samples[: int(SECONDS * 16000)], 16000)
    head, frames = stub_head(), round(SECONDS * FPS)
    opened = envelope(load_waveform(sound), frames)
    vertices = (head.template + opened[:, None, None] * head.blendshape("jawOpen")).astype(np.float32)
    paths = {name: folder / name for name in ("motion.npz", "motion.npy", "motion.json", "motion.csv", "wrong.npz")}
    np.savez(paths["motion.npz"], vertices=vertices, fps=FPS)
    np.save(paths["motion.npy"], vertices)
    np.savez(paths["wrong.npz"], vertices=vertices[:, :100], fps=FPS)
    names = list(head.blendshape_names)
    weights = np.zeros((frames, len(names)))
    weights[:, names.index("jawOpen")] = opened
    paths["motion.json"].write_text(json.dumps({"fps": FPS, "names": names, "weights": weights.tolist()}))
    with paths["motion.csv"].open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Timecode", "BlendshapeCount", *(name[0].upper() + name[1:] for name in names)])
        for frame, row in enumerate(weights):
            table.writerow([f"00:00:{frame // FPS:02d}:{frame % FPS:02d}.000", len(names), *row])
    return paths | {"sound": sound}


def entered(visit: Visit) -> Visit:
    visit.tab(TAB)
    return visit


def give(visit: Visit, motion: Path | None, sound: Path | None) -> Visit:
    entered(visit).page.get_by_role("radio", name="My own recording").check()
    if motion:
        visit.upload(motion, "ground-truth-motion")
        visit.says("ground-truth-motion", motion.stem)
    if sound:
        visit.upload(sound, "ground-truth-sound")
        visit.page.wait_for_selector("#ground-truth-sound button[aria-label='Clear']")
    return visit


def check_comparison(visit: Visit) -> list[float]:
    """Video, curves and measures of both stages are there; returns seconds, width and height of the video."""
    video, page = visit.video("compare-video"), visit.page
    assert video[1] > 1.1 * video[2]  # two heads side by side, the curves below them
    page.wait_for_function("document.querySelector('#compare-curves img').naturalWidth > 600")
    assert "lip error" in page.get_attribute("#compare-curves img", "alt")
    measures = page.inner_text("#compare-metrics")
    for name in ("LVE", "FVE", "Lip-max", "LDTW", "FDD", "MTM", "mm", "Stage 1", "Stages 1 + 2"):
        assert name.lower() in measures.lower(), name
    assert "Video after" in page.inner_text("#compare-status") or "video after" in page.inner_text("#compare-status")
    return video


@pytest.mark.parametrize("kind", ["stub", "real"])
def test_a_bundled_clip(enter: Callable[..., Visit], request: pytest.FixtureRequest, kind: str):
    visit = entered(enter(request.getfixturevalue(f"{kind}_site"), calm=True))
    visit.press("compare-run")
    video = check_comparison(visit)
    assert 2 < video[0] < 4  # a sentence of GRID
    assert visit.page.is_enabled("#compare-run") and visit.page.is_disabled("#compare-stop")


@pytest.mark.parametrize("form", ["motion.npz", "motion.npy", "motion.csv", "motion.json"])
def test_own_ground_truth(visit: Visit, own: dict[str, Path], form: str):
    give(visit, own[form], own["sound"])
    if form == "motion.npy":
        visit.press("compare-run")
        visit.says("compare-status", "does not say its frames per second")
        visit.page.locator("#ground-truth-fps input").fill(str(FPS))
        visit.page.locator("#ground-truth-fps input").press("Tab")
    visit.press("compare-run")
    assert check_comparison(visit)[0] == pytest.approx(SECONDS, abs=0.1)


def test_a_length_that_differs_a_little_is_trimmed_with_a_remark(visit: Visit, own: dict[str, Path], tmp_path: Path):
    samples, rate = soundfile.read(own["sound"])
    longer = tmp_path / "longer.wav"
    soundfile.write(longer, np.concatenate([samples, np.zeros(rate // 10)]), rate)
    give(visit, own["motion.npz"], longer).press("compare-run")
    assert check_comparison(visit)[0] == pytest.approx(SECONDS, abs=0.1)
    assert "left out" in visit.page.inner_text("#compare-words").lower()


def refused(visit: Visit, words: str) -> None:
    visit.press("compare-run")
    visit.says("compare-status", words)
    visit.page.wait_for_function("!document.getElementById('compare-run').disabled")
    sentence = visit.page.inner_text("#compare-status p")
    assert sentence.endswith(".") and len(sentence) < 250 and not visit.page.query_selector("#compare-video video")


def test_what_cannot_be_compared(visit: Visit, own: dict[str, Path], tmp_path: Path):
    give(visit, None, None)
    refused(visit, "There is no motion yet")
    visit.upload(own["motion.npz"], "ground-truth-motion")
    visit.says("ground-truth-motion", "motion")
    refused(visit, "There is no sound yet")
    visit.upload(SPEECH / "woman_farming.wav", "ground-truth-sound")
    visit.page.wait_for_selector("#ground-truth-sound button[aria-label='Clear']")
    refused(visit, "give the sound of this motion")
    visit.upload(own["sound"], "ground-truth-sound")
    visit.page.wait_for_selector("#ground-truth-sound button[aria-label='Clear']")
    visit.upload(own["wrong.npz"], "ground-truth-motion")
    visit.says("ground-truth-motion", "wrong")
    refused(visit, "moves 100 vertices but this head has 9648")
    large = tmp_path / "millimetres.npz"
    with np.load(own["motion.npz"]) as arrays:
        np.savez(large, vertices=1000 * arrays["vertices"], fps=FPS)
    visit.upload(large, "ground-truth-motion")
    visit.says("ground-truth-motion", "millimetres")
    refused(visit, "millimetres")
    pickled = tmp_path / "objects.npy"
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    visit.upload(pickled, "ground-truth-motion")
    visit.says("ground-truth-motion", "objects")
    refused(visit, "never opened")


def test_stopped(visit: Visit, stub_site: Site):
    entered(visit)
    with stub_site.held("network"):
        visit.press("compare-run")
        visit.page.wait_for_selector("#compare-status progress")
        visit.press("compare-stop")
        visit.says("compare-status", "Stopped")
    visit.press("compare-run")
    visit.says("compare-status", "Drawing the video")
    visit.press("compare-stop")
    visit.says("compare-status", "Stopped")
    visit.page.wait_for_timeout(1000)
    assert not visit.page.query_selector("#compare-video video") and visit.page.is_enabled("#compare-run")


def test_results_go_with_their_clip_and_stay_through_a_mistake(visit: Visit):
    page = entered(visit).page
    visit.press("compare-run")
    check_comparison(visit)
    page.locator("#ground-truth-example input").nth(1).check()
    page.wait_for_selector("#compare-video video", state="detached")
    page.wait_for_function("!document.querySelector('#compare-metrics').innerText.trim()")
    assert page.inner_text("#compare-words").strip() == "" and page.is_hidden("#compare-curves")
    assert "Choose a clip" in page.inner_text("#compare-status")

"""The shipped weights keep their promises: a still, closed mouth in silence, lips that meet on p b m, named slots."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from memorytalker import Talker, load_waveform
from memorytalker.config import to_dict
from memorytalker.evaluation.metrics import lip_gap
from memorytalker.face.head_motion import motion_of_curves
from memorytalker.phones import ENGLISH
from memorytalker.scorecard.mouth import mouth_of
from memorytalker.training.audio_to_curves import curve_regressor_for
from memorytalker.training.open_recipe import OPEN_RECIPE, read_recipe
from memorytalker.weights import read_manifest

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS, SPEECH = ROOT / "weights" / "open", ROOT / "assets" / "speech"
#: Middles of bilabials and of open vowels in the example clips, seconds, by forced alignment.
BILABIALS = {
    "woman_blue.wav": (0.65, 2.15, 2.63, 3.46, 4.38, 6.30, 6.61, 6.97),
    "woman_farming.wav": (0.99, 1.69, 4.27),
    "man_dove.wav": (0.60,),
}
OPEN_VOWELS = {
    "woman_blue.wav": (0.49, 1.33, 2.77, 5.51, 5.89),
    "woman_farming.wav": (1.11, 1.54, 2.03, 2.88),
    "man_dove.wav": (0.83, 1.07, 1.53),
}

pytestmark = pytest.mark.skipif(not (WEIGHTS / "config.json").is_file(), reason="weights/open is not in this checkout")


@pytest.fixture(scope="module")
def talker(shipped_talker: Talker) -> Talker:
    return shipped_talker


def gap_of(talker: Talker, sound, **options) -> np.ndarray:
    marks = talker.head.landmarks
    return lip_gap(talker.animate(sound, **options).vertices, marks["inner_lip_upper"], marks["inner_lip_lower"])


def near(gap: np.ndarray, second: float, frames: int = 2) -> np.ndarray:
    middle = int(second * 30)
    return gap[max(middle - frames, 0) : middle + frames + 1]


@pytest.mark.parametrize("name", sorted(BILABIALS))
def test_lips_meet_on_bilabials_and_part_on_open_vowels(talker: Talker, name: str) -> None:
    gap = gap_of(talker, SPEECH / name)
    vowels = [near(gap, second).max() for second in OPEN_VOWELS[name]]
    assert np.median(vowels) > 0.004, "an open vowel parts the lips by more than 4 mm"
    closed = [near(gap, second).min() < 0.15 * np.median(vowels) for second in BILABIALS[name]]
    assert np.mean(closed) >= 0.85


def test_pure_silence_is_a_shut_still_mouth(talker: Talker) -> None:
    animation = talker.animate((np.zeros(3 * 16000, np.float32), 16000))
    marks = talker.head.landmarks
    assert lip_gap(animation.vertices, marks["inner_lip_upper"], marks["inner_lip_lower"]).max() < 0.0005
    assert np.ptp(animation.vertices, axis=0).max() < 0.001, "nothing moves by a millimetre"


def test_the_recording_level_does_not_matter(talker: Talker) -> None:
    waveform = load_waveform(SPEECH / "woman_farming.wav")
    loud, quiet = (gap_of(talker, (level * waveform.samples, 16000)) for level in (1.0, 0.1))
    np.testing.assert_allclose(loud, quiet, atol=2e-4)


def test_slots_recall_the_phones_they_are_named_after(talker: Talker) -> None:
    animation = talker.animate(SPEECH / "woman_blue.wav")
    assert animation.slot_labels == ENGLISH.phones
    chosen = {animation.slot_labels[i] for i in animation.memory_address.argmax(1)}
    assert {"sil", "b", "uw", "s", "l", "k"} <= chosen
    spoken = [near(animation.memory_address, second, 1)[:, [ENGLISH.index(p) for p in "pbm"]].sum(1).max()
              for second in BILABIALS["woman_blue.wav"]]  # fmt: skip
    assert np.mean(np.array(spoken) > 0.5) >= 0.7


def test_voices_differ_in_style_and_neutral_is_stage_one(talker: Talker) -> None:
    names = sorted(BILABIALS)
    weights = {name: talker.style_of(SPEECH / name) for name in names}
    assert all(np.abs(weights[a] - weights[b]).max() > 0.01 for a in names for b in names if a < b)
    neutral = talker.animate(SPEECH / names[0], style=None)
    np.testing.assert_array_equal(neutral.style_weights, 1.0)
    blended = talker.animate(SPEECH / names[0], style_blend=0.0)
    np.testing.assert_array_equal(neutral.vertices, blended.vertices)


def test_weights_are_small_and_say_what_taught_them() -> None:
    assert (WEIGHTS / "model.safetensors").stat().st_size <= 40_000_000
    notes = json.loads((WEIGHTS / "config.json").read_text())["extra"]
    assert "synthesised" in notes["motion"] and notes["training_hours"] >= 2


def test_long_sound_keeps_its_mouth_moving_across_windows(talker: Talker) -> None:
    clip = load_waveform(SPEECH / "woman_blue.wav").samples
    whole = gap_of(talker, (np.tile(clip, 4), 16000))
    assert len(whole) == round(4 * len(clip) / 16000 * 30)
    period = len(clip) / 16000 * 30
    parts = [whole[round(i * period) : round((i + 1) * period) - 1] for i in range(4)]
    assert min(np.corrcoef(parts[0][15:220], part[15:220])[0, 1] for part in parts[1:]) > 0.9
    sharpest, bends = (np.abs(np.diff(gap, 2)) for gap in (gap_of(talker, (clip, 16000)), whole))
    config = talker.config
    step, fade = config.window_seconds - config.overlap_seconds, config.overlap_seconds
    meetings = [bends[round(start * 30) - 2 : round((start + fade) * 30)] for start in np.arange(step, 30, step)]
    assert len(meetings) == 2
    assert np.concatenate(meetings).max() < 1.25 * sharpest.max(), "no jump where windows meet"


def test_curves_lose_little_of_the_predicted_motion(talker: Talker) -> None:
    """The figures of README and docs/exports.md, on the example clips."""
    mean, largest, lips = [], [], talker.head.regions["lips"]
    for clip in sorted((ROOT / "assets" / "speech").glob("*.wav")):
        animation = talker.animate(clip)
        made = motion_of_curves(talker.head, animation.curves)
        far = 1000 * np.linalg.norm(made.at(lips) - animation.motion.at(lips), axis=2)
        assert animation.lip_residual_mm == pytest.approx(far.max(), abs=2e-3)
        mean.append(far.mean())
        largest.append(far.max())
    assert max(mean) < 0.035 and max(largest) < 0.55


def test_another_frame_rate_and_back_changes_the_lips_little(talker: Talker) -> None:
    lips = talker.head.regions["lips"]
    motion = talker.animate(ROOT / "assets" / "speech" / "man_dove.wav").motion.resample(24)
    for fps in (48, 50, 60):
        back = motion.resample(fps).resample(24)
        assert 1000 * np.linalg.norm(back.at(lips) - motion.at(lips), axis=2).max() < 0.2


def test_the_recipe_names_every_figure_of_the_shipped_model() -> None:
    """Field by field, with speech and style inside; nothing of a configuration is computed from data."""
    shipped = json.loads((WEIGHTS / "config.json").read_text())["model"]
    written = json.loads(OPEN_RECIPE.read_text())["model"]
    assert written == shipped, "the file itself says all of it, not the defaults of a class"
    assert read_recipe().model == read_manifest(WEIGHTS).model


def test_the_recipe_is_that_of_the_shipped_curve_regressor_and_notes() -> None:
    recipe, notes = read_recipe(), json.loads((WEIGHTS / "config.json").read_text())["extra"]
    written = json.loads((WEIGHTS.parent / "audio_to_curves" / "config.json").read_text())
    assert dataclasses.asdict(recipe.curve_regressor) == written["extra"]["curve_regressor"]
    assert notes["seed"] == recipe.seed
    made = curve_regressor_for(recipe.model, tuple(written["curve_regressor"]["shapes"]))
    assert to_dict(made) == written["curve_regressor"]


def test_style_weights_of_one_group_of_slots_move_that_group(talker: Talker) -> None:
    """Doubling the rounded and spread slots widens the movement of the width and hardly opens more, and the reverse."""
    wide = np.isin(ENGLISH.phones, ENGLISH.wide)
    spans = {}
    for name, chosen in (("neutral", np.zeros_like(wide)), ("wide", wide), ("open", ~wide)):
        motion = talker.animate(SPEECH / "woman_blue.wav", style=np.where(chosen, 2.0, 1.0).astype(np.float32)).motion
        mouth = mouth_of(talker.head, motion, 30)
        spans[name] = np.array([mouth.width.std(), mouth.gap.std()])
    widened, opened = spans["wide"] / spans["neutral"], spans["open"] / spans["neutral"]
    assert widened[0] > 1.15 and widened[0] > 1.1 * widened[1], widened
    assert opened[1] > 1.3 and opened[1] > 1.2 * opened[0], opened

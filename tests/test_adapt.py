"""Learning a style: a planted manner is found again, and what teaches nothing is refused in words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from memorytalker import Style, Talker
from memorytalker.config import ConfigError
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.styles.adapt import GROUPS, AdaptSettings, adapt_style
from memorytalker.styles.recordings import AdaptError, Recording, find_recordings, read_recordings
from memorytalker.styles.slot_fit import StyleFit

SHORT = AdaptSettings(slots=StyleFit(steps=8, rate=0.2, shortest_seconds=1.0))
PLANTED = {"jaw": 1.5, "spread": 0.6, "rounding": 1.4}


@pytest.fixture(scope="module")
def sounds() -> list[Waveform]:
    """Four clips of 3 s of buzzes, noises and pauses in another order each, which a toy network tells apart."""
    result = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        time = np.arange(3 * 16000) / 16000
        parts = rng.permutation(np.repeat(np.arange(4), 5))  # of 0.15 s: pause, buzz, high buzz, noise
        kind = parts[(time / 0.15).astype(int)]
        buzz = [sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 9)) for pitch in (110, 240)]
        samples = np.select([kind == 1, kind == 2, kind == 3], [buzz[0], buzz[1], rng.standard_normal(time.size)], 0.0)
        result.append(Waveform((0.1 * samples + 0.0005 * rng.standard_normal(time.size)).astype(np.float32)))
    return result


def recordings(talker: Talker, sounds: list[Waveform], style: Style | None, order: tuple[int, ...] = (0, 1, 2, 3)):
    curves = [talker.animate(sound, style).curves for sound in sounds]
    return [Recording(f"take{k}", curves[k], sounds[other]) for k, other in enumerate(order)]


def learn(talker: Talker, takes: list[Recording], settings: AdaptSettings = SHORT) -> Style:
    return adapt_style(talker.model, talker.head, talker.space, takes, "somebody", settings)


def neutral_with(talker: Talker, gains: dict[str, float]) -> Style:
    weights = dict.fromkeys(talker.config.slots, 1.0)
    return Style(slot_weights=weights).with_delivery(gains=gains)


def test_a_planted_manner_is_found_again(tiny_talker: Talker, sounds) -> None:
    """Gains within ten per cent of those planted, and a report of frames that were kept back."""
    style = learn(tiny_talker, recordings(tiny_talker, sounds, neutral_with(tiny_talker, PLANTED)))
    for group in GROUPS:
        assert style.gains.get(group, 1.0) == pytest.approx(PLANTED.get(group, 1.0), rel=0.1), group
    report = style.report
    assert report.error_after < 0.2 * report.error_before and report.correlation > 0.99
    assert report.seconds == pytest.approx(8, abs=1.5) and report.checked_seconds == pytest.approx(4, abs=1.5)
    assert report.amplitude == pytest.approx(1, abs=0.1)
    assert f"{report.error_after:.2f} mm instead of {report.error_before:.2f} mm" in report.words


def test_planted_slot_weights_lower_the_error(tiny_talker: Talker, sounds) -> None:
    weights = np.where(np.arange(len(tiny_talker.config.slots)) % 2, 1.8, 0.4)
    planted = Style(slot_weights=dict(zip(tiny_talker.config.slots, weights.tolist(), strict=True)))
    longer = dataclasses.replace(SHORT, slots=StyleFit(steps=60, rate=0.15, shortest_seconds=1.0, pull=0.0))
    style = learn(tiny_talker, recordings(tiny_talker, sounds, planted), longer)
    assert style.report.fitted == "slot weights and gains"
    assert style.report.error_after < 0.7 * style.report.error_before


def test_nothing_to_learn_is_refused(tiny_talker: Talker, sounds) -> None:
    with pytest.raises(AdaptError, match="The learned style is not better: on recordings that were kept back"):
        learn(tiny_talker, recordings(tiny_talker, sounds, neutral_with(tiny_talker, {})))


def test_sound_of_other_takes_is_refused(tiny_talker: Talker, sounds) -> None:
    for order in ((1, 2, 3, 0), (2, 3, 0, 1)):
        with pytest.raises(AdaptError, match=r"The mouth does not follow this sound \(correlation"):
            learn(tiny_talker, recordings(tiny_talker, sounds, neutral_with(tiny_talker, PLANTED), order))


def test_too_little_and_a_still_mouth_are_refused(tiny_talker: Talker, sounds) -> None:
    takes = recordings(tiny_talker, sounds[:1], None, (0,))
    with pytest.raises(AdaptError, match=r"There are 3\.0 s of recordings; a style needs 9 s"):
        learn(tiny_talker, takes)
    still = FaceCurves(np.zeros((90, 52)), tiny_talker.head.blendshape_names, 30.0)
    with pytest.raises(AdaptError, match="mouth never moves"):
        learn(tiny_talker, [Recording("still", still, sound) for sound in sounds])
    with pytest.raises(ConfigError, match="better"):
        AdaptSettings(better=2.0)


def test_recordings_are_found_and_bounded(tmp_path: Path, sounds) -> None:
    weights = np.random.default_rng(0).random((90, 2))
    rows = {"fps": 30, "names": ["jawOpen", "mouthSmileLeft"], "weights": weights.round(4).tolist()}
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    write_wav(tmp_path / "a.wav", sounds[0])
    assert find_recordings(tmp_path) == (tmp_path / "a.json",)
    read = read_recordings(tmp_path)
    assert len(read) == 1 and read[0].seconds == pytest.approx(3.0) and read[0].curves.names == tuple(rows["names"])
    with pytest.raises(AdaptError, match=r"b\.json has no sound of its name"):
        read_recordings([tmp_path / "b.json"])
    write_wav(tmp_path / "b.wav", Waveform(np.tile(sounds[0].samples, 3)))
    with pytest.raises(AdaptError, match=r"lasts 3\.0 s and its sound 9\.0 s"):
        read_recordings(tmp_path)
    (tmp_path / "b.flac").write_bytes(b"")
    with pytest.raises(AdaptError, match="more than one sound"):
        read_recordings([tmp_path / "b.json"])
    with pytest.raises(AdaptError, match="no folder"):
        find_recordings(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", []):
        with pytest.raises(AdaptError, match="no recording"):
            read_recordings(nothing)
    with pytest.raises(AdaptError, match="at most 200 recordings"):
        read_recordings([read[0]] * 201)
    long = Recording(
        "long", FaceCurves(np.zeros((400, 1)), ("jawOpen",), 1.0), Waveform(np.zeros(400 * 16000, np.float32))
    )
    with pytest.raises(AdaptError, match="10 minutes; a minute is enough"):
        read_recordings([long, long])

"""Learning a style: a planted manner is found again, and what teaches nothing is refused in words."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy_models import FAMILIES

from memorytalker import Style, Talker
from memorytalker.config import ConfigError
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.motion_space import speech_space
from memorytalker.face.shape_groups import weights_of
from memorytalker.page.adaptation_run import learned_style
from memorytalker.page.jobs import JobRunner
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.styles.adapt import AdaptSettings, adapt_style
from memorytalker.styles.commands import run_adapt
from memorytalker.styles.heard import GROUPS
from memorytalker.styles.recordings import AdaptError, Recording, find_recordings, read_recordings
from memorytalker.styles.slot_fit import StyleFit

SHORT = AdaptSettings(slots=StyleFit(steps=8, rate=0.2, shortest_seconds=1.0))
PLANTED = {"jaw": 1.5, "spread": 0.6, "rounding": 1.4}


class PlantedNetwork(torch.nn.Module):
    """A network whose slots are plainly heard and plainly shown: one tone and one mouth each.

    A random toy model hardly opens the mouth, and moves it by its position more than by its sound.
    """

    def __init__(self) -> None:
        super().__init__()
        space, rng = speech_space(load_head()), np.random.default_rng(0)
        self.config = dataclasses.replace(
            FAMILIES["open"], coordinates=space.coordinates, basis=space.name, window_seconds=4.0, overlap_seconds=0.5
        )
        names = space.shapes
        faces = np.zeros((len(self.config.slots), len(names)))
        for number, row in enumerate(faces[1:], start=1):  # the first is silence, with a closed mouth
            for shape, most in (("jawOpen", 0.4), ("mouthSmile", 0.3), ("mouthPucker", 0.35), ("mouthUpperUp", 0.25)):
                row += weights_of({shape: most * rng.random() * ((number + len(shape)) % 3 > 0)}, names)
        self.faces = torch.nn.Parameter(torch.from_numpy(space.encode(faces)))
        self.style_mean = torch.ones(len(self.config.slots))

    @property
    def device(self) -> torch.device:
        return self.faces.device

    def text_logits(self, waveform, frames, lengths=None, levels=None):
        """(1, T, n): which tone is heard in each frame; the first slot where nothing is."""
        count, size = int(frames.max()), 16000 / 30
        rows = []
        for frame in range(count):
            piece = waveform[0, round(frame * size) : round((frame + 1) * size)].numpy()
            spectrum = np.abs(np.fft.rfft(np.pad(piece, (0, 1600 - len(piece))))) / 1600
            tones = spectrum[TONES // 10]
            rows.append(np.r_[-4.0 if tones.max() > 0.003 else 4.0, 12.0 * tones / max(tones.max(), 0.003) - 8.0])
        return torch.tensor(np.array(rows)[None], dtype=torch.float32)

    def forward(self, logits, mask=None, style_weights=None):
        address = torch.softmax(logits, dim=-1)
        weights = torch.ones(1, logits.shape[2]) if style_weights is None else style_weights
        shown = (address * weights[:, None]) @ self.faces
        kernel = torch.tensor([0.25, 0.5, 0.25])[None, None]
        smooth = torch.nn.functional.conv1d(shown.transpose(1, 2).flatten(0, 1)[:, None], kernel, padding=1)
        offsets = smooth[:, 0].reshape(len(shown), -1, shown.shape[1]).transpose(1, 2)
        return SimpleNamespace(offsets=offsets, key_address=address)

    def style_of(self, waveform):
        return SimpleNamespace(weights=torch.full((1, self.config.slot_count), 0.9))


#: Frequencies of the tones in Hz, one for each slot but silence.
TONES = 200 + 60 * np.arange(39)


@pytest.fixture(scope="module")
def talker() -> Talker:
    return Talker(PlantedNetwork(), load_head(), "cpu")


@pytest.fixture(scope="module")
def sounds() -> list[Waveform]:
    """Four clips of 3 s of tones and pauses, in another order each."""
    result = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        time = np.arange(3 * 16000) / 16000
        parts = (time / 0.15).astype(int)
        tones = np.where(rng.random(20) < 0.25, 0, rng.choice(TONES[::4], 20))[parts]
        result.append(Waveform((0.1 * np.sin(2 * np.pi * tones * time)).astype(np.float32)))
    return result


def recordings(talker: Talker, sounds: list[Waveform], style: Style | None, order: tuple[int, ...] = (0, 1, 2, 3)):
    curves = [talker.animate(sound, style).curves for sound in sounds]
    return [Recording(f"take{k}", curves[k], sounds[other]) for k, other in enumerate(order)]


def learn(talker: Talker, takes: list[Recording], settings: AdaptSettings = SHORT) -> Style:
    return adapt_style(talker.model, talker.head, talker.space, takes, "somebody", settings)


def neutral_with(talker: Talker, gains: dict[str, float]) -> Style:
    weights = dict.fromkeys(talker.config.slots, 1.0)
    return Style(slot_weights=weights).with_delivery(gains=gains)


def test_a_planted_manner_is_found_again(talker: Talker, sounds) -> None:
    """Gains within ten per cent of those planted, and a report of frames that were kept back."""
    takes = recordings(talker, sounds, neutral_with(talker, PLANTED))
    takes[1] = dataclasses.replace(takes[1], remarks=("The face is dark.",))
    told: list[tuple[int, int, str]] = []
    style = adapt_style(
        talker.model, talker.head, talker.space, takes, "somebody", SHORT, lambda *step: told.append(step)
    )
    assert told == sorted(told) and {step[1:] for step in told} == {(16, "adapt")}  # one bar, and never back
    assert style.remarks == ("The face is dark.",)
    for group in GROUPS:
        assert style.gains.get(group, 1.0) == pytest.approx(PLANTED.get(group, 1.0), rel=0.1), group
    report = style.report
    assert report.error_after < 0.2 * report.error_before and report.correlation > 0.99
    assert report.seconds == pytest.approx(8, abs=1.5) and report.checked_seconds == pytest.approx(4, abs=1.5)
    assert report.amplitude == pytest.approx(1, abs=0.1)
    assert f"{report.error_after:.2f} mm instead of {report.error_before:.2f} mm" in report.words


def test_a_mouth_that_is_held_open_is_found_again(talker: Talker, sounds) -> None:
    """A planted offset of the jaw comes back as one, and not as a gain."""
    style = learn(talker, recordings(talker, sounds, neutral_with(talker, {}).with_delivery(offsets={"jaw": 0.2})))
    assert style.offsets["jaw"] == pytest.approx(0.2, abs=0.04)
    for group in GROUPS:
        assert style.gains.get(group, 1.0) == pytest.approx(1.0, rel=0.1), group
    assert style.report.error_after < 0.3 * style.report.error_before


def test_planted_slot_weights_lower_the_error(talker: Talker, sounds) -> None:
    weights = np.where(np.arange(len(talker.config.slots)) % 2, 1.8, 0.4)
    planted = Style(slot_weights=dict(zip(talker.config.slots, weights.tolist(), strict=True)))
    longer = dataclasses.replace(SHORT, slots=StyleFit(steps=60, rate=0.15, shortest_seconds=1.0, pull=0.0))
    style = learn(talker, recordings(talker, sounds, planted), longer)
    assert style.report.fitted == "slot weights and gains"
    assert style.report.error_after < 0.7 * style.report.error_before


def test_nothing_to_learn_is_refused(talker: Talker, sounds) -> None:
    with pytest.raises(AdaptError, match="The learned style is not better: on recordings that were kept back"):
        learn(talker, recordings(talker, sounds, neutral_with(talker, {})))


def test_a_refusal_says_what_was_remarked_on_while_reading(talker: Talker, sounds) -> None:
    takes = recordings(talker, sounds, neutral_with(talker, {}))
    takes[1] = dataclasses.replace(takes[1], remarks=("For 2.0 s the face is turned away.", "The face is dark."))
    with pytest.raises(AdaptError, match=r"is not better: .* recordings\. For 2\.0 s .* away\. The face is dark\.$"):
        learn(talker, takes)
    with pytest.raises(AdaptError, match=r"a style needs 9 s\. For 2\.0 s .* The face is dark\.$"):
        learn(talker, takes[1:2])
    takes[1] = dataclasses.replace(takes[1], remarks=tuple(f"Remark {number}." for number in range(200)))
    with pytest.raises(AdaptError, match=r"Remark 7\. Further remarks are left out here\.$"):
        learn(talker, takes[1:2])


def test_page_and_command_line_refuse_with_the_remarks(talker: Talker, sounds, tmp_path: Path) -> None:
    """A file that states another number of frames than it holds, of which there are too few."""
    (take,) = recordings(talker, sounds[:1], None, (0,))
    rows = [dict(zip(take.curves.names, row, strict=True)) for row in take.curves.weights.round(5).tolist()]
    frames = [{"timestamp": number / 30, "blendShapes": row} for number, row in enumerate(rows)]
    (tmp_path / "take.json").write_text(json.dumps({"metadata": {"frame_count": 7}, "frames": frames}))
    write_wav(tmp_path / "take.wav", sounds[0])
    words = r"a style needs 9 s\. The file says that it has 7 frames, but holds 90\.$"
    chosen = argparse.Namespace(folder=tmp_path, out=tmp_path / "style.json", name="", weights=None)
    with pytest.raises(AdaptError, match=words):
        run_adapt(chosen, lambda weights: talker, lambda done, total, stage: None)
    assert not chosen.out.exists()
    runner = JobRunner(talker)
    with runner.job(learned_style, runner, [str(one) for one in tmp_path.iterdir()], "me") as job:
        assert job.wait(60)
        with pytest.raises(AdaptError, match=words):
            print(job.result)
    runner.close()


def test_sound_of_other_takes_is_refused(talker: Talker, sounds) -> None:
    for order in ((1, 2, 3, 0), (2, 3, 0, 1)):
        with pytest.raises(AdaptError, match=r"The mouth does not follow this sound \(correlation"):
            learn(talker, recordings(talker, sounds, neutral_with(talker, PLANTED), order))


def test_too_little_and_a_still_mouth_are_refused(talker: Talker, sounds) -> None:
    takes = recordings(talker, sounds[:1], None, (0,))
    with pytest.raises(AdaptError, match=r"There are 3\.0 s of recordings; a style needs 9 s"):
        learn(talker, takes)
    still = FaceCurves(np.zeros((90, 52)), talker.head.blendshape_names, 30.0)
    with pytest.raises(AdaptError, match="mouth never moves"):
        learn(talker, [Recording("still", still, sound) for sound in sounds])
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
    (tmp_path / "video.mp4").write_bytes(b"no video")
    with pytest.raises(AdaptError, match=r"video\.mp4"):  # the page shows no other errors of recordings
        read_recordings([tmp_path / "video.mp4"])
    long = Recording(
        "long", FaceCurves(np.zeros((400, 1)), ("jawOpen",), 1.0), Waveform(np.zeros(400 * 16000, np.float32))
    )
    with pytest.raises(AdaptError, match="600 s; half a minute is enough"):
        read_recordings([long, long])
    assert read_recordings([long], longest_seconds=400) == (long,)
    with pytest.raises(AdaptError, match="60 s; half a minute"):
        read_recordings([long], longest_seconds=60)

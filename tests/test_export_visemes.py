"""Visemes as files: our list, TalkingHead's call, Rhubarb's cues, and curves."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from node_reader import read_with_node
from take_case import planted_take

from memorytalker.exports.take import ExportError, ExportFormat, Take
from memorytalker.exports.visemes import (
    RHUBARB,
    RHUBARB_JSON,
    RHUBARB_TSV,
    TALKING_HEAD,
    VISEME_CURVES_JSON,
    VISEME_LIST,
)
from memorytalker.face.head import ARKIT_NAMES, HEAD_FOLDER
from memorytalker.face.motion import FaceCurves
from memorytalker.face.visemes import VISEME_CURVES, VISEMES, viseme_recipe

FORMATS = (VISEME_LIST, TALKING_HEAD, RHUBARB_JSON, RHUBARB_TSV, VISEME_CURVES_JSON)
#: Visemes and their frames; at 30 frames a second 1.2 s.
SPOKEN = (("sil", 6), ("PP", 5), ("aa", 9), ("nn", 3), ("SS", 4), ("FF", 4), ("sil", 5))
EDGES = np.cumsum([0] + [frames for _, frames in SPOKEN]) / 30


def spoken_take() -> Take:
    recipe = viseme_recipe(ARKIT_NAMES)
    weights = np.concatenate([np.tile(recipe[VISEMES.index(name)], (frames, 1)) for name, frames in SPOKEN])
    take = planted_take(len(weights))
    return dataclasses.replace(take, curves=FaceCurves(weights, ARKIT_NAMES, 30), frames=take.frames)


def written(folder: Path, form: ExportFormat) -> str:
    path = folder / f"take{form.suffix}"
    assert form.write(spoken_take(), path) == (path,)
    return path.read_bytes().decode("utf-8")


def test_the_list_says_what_was_spoken_without_gaps_to_the_end(tmp_path: Path) -> None:
    values = json.loads(written(tmp_path, VISEME_LIST))
    cues = values["visemes"]
    assert [cue["viseme"] for cue in cues] == [name for name, _ in SPOKEN]
    assert all(set(cue) == {"t", "d", "viseme"} for cue in cues)
    np.testing.assert_allclose([cue["t"] for cue in cues], EDGES[:-1], atol=1.01 / 30)
    ends = [round(cue["t"] + cue["d"], 4) for cue in cues]
    assert cues[0]["t"] == 0 and ends[:-1] == [cue["t"] for cue in cues[1:]] and ends[-1] == values["duration"] == 1.2
    assert values["fps"] == 30 and set(values["lip_residual_mm"]) == {"mean", "largest"}
    assert values["provenance"]["source"] == "planted.wav" and values["provenance"]["seed"] == 7


def test_talking_head_gets_what_its_speak_audio_takes_in_milliseconds(tmp_path: Path) -> None:
    values = json.loads(written(tmp_path, TALKING_HEAD))
    assert values["words"] == values["wtimes"] == values["wdurations"] == []  # there, or no viseme is looked at
    # Silence before the first sound is left out, for which the player would hold the sound back.
    assert values["visemes"] == [name for name, _ in SPOKEN[1:]]
    assert set(values["visemes"]) <= set("aa E I O U PP SS TH DD FF kk nn RR CH sil".split())
    np.testing.assert_allclose(values["vtimes"], 1000 * EDGES[1:-1], atol=34)
    ends = np.add(values["vtimes"], values["vdurations"])
    np.testing.assert_allclose(ends, [*values["vtimes"][1:], 1200.0], atol=1e-6)


def test_talking_head_plays_every_viseme_on_our_head_in_time_with_the_sound(tmp_path: Path) -> None:
    call = json.loads(written(tmp_path, TALKING_HEAD))
    found = read_with_node("play_talkinghead.js", HEAD_FOLDER / "head.glb", tmp_path / "take.json")
    whole = found["whole"]
    assert set(VISEME_CURVES) | set(ARKIT_NAMES) <= set(whole["names"])  # it adds five of its own
    assert whole["wait"] == 0  # the sound begins at once
    middles = {}
    spans = zip(call["visemes"], call["vtimes"], call["vdurations"], strict=True)
    for (name, begin, lasts), key in zip(spans, whole["keyed"], strict=True):
        strength = 0.9 if name in ("PP", "FF") else 0.6
        assert key["values"] == {f"viseme_{name}": [None, strength, 0]}
        times = [begin - 2 * lasts / 3, begin + lasts / 2, begin + 1.5 * lasts]
        np.testing.assert_allclose(key["times"], times, atol=0.01)
        middles[f"viseme_{name}"] = strength, times[1]
    assert set(middles) < set(whole["weights"]) == set(VISEME_CURVES)
    for name, weight in whole["weights"].items():
        strength, middle = middles.get(name, (0, None))
        assert weight["largest"] == pytest.approx(strength, abs=0.01) and weight["last"] == 0
        assert middle is None or weight["time"] == pytest.approx(middle, abs=5)  # it is looked at every 5 ms


def test_talking_head_needs_lists_of_words_and_a_skeleton(tmp_path: Path) -> None:
    written(tmp_path, TALKING_HEAD)
    found = read_with_node("play_talkinghead.js", HEAD_FOLDER / "head.glb", tmp_path / "take.json")
    assert not found["withoutWords"]["keyed"]
    assert {weight["largest"] for weight in found["withoutWords"]["weights"].values()} == {0}
    # Why docs/exports.md says that it shows no head alone.
    assert found["alone"] == "Avatar object Armature not found"
    assert {"Hips", "Spine", "LeftHandThumb1", "RightToeBase"} <= set(found["bones"])


def test_rhubarb_json_has_its_layout_and_joins_like_shapes(tmp_path: Path) -> None:
    values = json.loads(written(tmp_path, RHUBARB_JSON))
    assert values["metadata"] == {"soundFile": "planted.wav", "duration": 1.2}
    cues = values["mouthCues"]
    assert [cue["value"] for cue in cues] == list("XADBGX")  # nn and SS look alike
    assert all(list(cue) == ["start", "end", "value"] for cue in cues)
    assert [cue["end"] for cue in cues] == [cue["start"] for cue in cues[1:]] + [1.2]
    assert cues[0]["start"] == 0 and all(round(cue["start"], 2) == cue["start"] for cue in cues)
    assert values["provenance"]["model"] == "0" * 64
    assert set(values["provenance"]["lip_residual_mm"]) == {"mean", "largest"}


def test_rhubarb_tsv_is_the_same_cues_and_ends_at_rest(tmp_path: Path) -> None:
    lines = written(tmp_path, RHUBARB_TSV).split("\n")
    cues = json.loads(written(tmp_path, RHUBARB_JSON))["mouthCues"]
    assert lines[:-2] == [f"{cue['start']:.2f}\t{cue['value']}" for cue in cues]
    assert lines[0] == "0.00\tX" and lines[-2:] == ["1.20\tX", ""]


def test_every_viseme_has_a_shape_of_rhubarb() -> None:
    assert tuple(RHUBARB) == VISEMES and set(RHUBARB.values()) <= set("ABCDEFGHX")
    assert [RHUBARB[name] for name in ("sil", "PP", "FF", "aa", "U")] == ["X", "A", "G", "D", "F"]


def test_viseme_curves_have_the_form_of_our_curves(tmp_path: Path) -> None:
    values = json.loads(written(tmp_path, VISEME_CURVES_JSON))
    assert values["names"] == list(VISEME_CURVES) and values["fps"] == 30
    weights = np.array(values["weights"])
    assert weights.shape == (36, 15)
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-6)
    assert weights[15, VISEMES.index("aa")] > 0.99
    assert set(values["lip_residual_mm"]) == {"mean", "largest"} and values["provenance"]["head"] == "ada"


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_head_without_blendshapes_is_refused_and_cancelling_leaves_nothing(
    tmp_path: Path, form: ExportFormat
) -> None:
    def cancel(done: int, total: int, stage: str) -> None:
        raise KeyboardInterrupt

    path = tmp_path / f"take{form.suffix}"
    with pytest.raises(ExportError, match="no curves"):
        form.write(dataclasses.replace(spoken_take(), curves=None), path)
    with pytest.raises(KeyboardInterrupt):
        form.write(dataclasses.replace(spoken_take(), progress=cancel), path)
    assert not list(tmp_path.iterdir())


def test_names_and_titles_are_of_the_form_that_the_registry_asks_for() -> None:
    assert len({form.name for form in FORMATS}) == len(FORMATS)
    for form in FORMATS:
        assert form.name == form.name.lower() and " " not in form.name and len(form.title) <= 40

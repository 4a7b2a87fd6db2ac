"""Evaluating predictions against a data set made by hand, whose answers are known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_datasets import write_vocaset

from memorytalker.datasets.opening import open_dataset
from memorytalker.datasets.sequences import DatasetError, FaceDataset, FaceRegions, Sequence, Skipped
from memorytalker.evaluation.evaluate import EvaluationError, choose, compare, evaluate, evaluate_all
from memorytalker.evaluation.measures import MEASURES
from memorytalker.evaluation.prediction import neutral_predictor
from memorytalker.evaluation.table import REPORTED, evaluations_json, evaluations_markdown
from memorytalker.sound.decode import Waveform

V, FPS = 12, 30
REGIONS = FaceRegions("by hand", np.array([4, 3, 2, 2]), np.array([8, 9]), (2, 3))
SPEAKERS = {"ann": 0.0, "bob": 0.1}


def template(speaker: str) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(V, 3)).astype(np.float32) * 0.05 + np.float32(SPEAKERS[speaker])


def true_offsets(index: int, frames: int) -> np.ndarray:
    """A mouth that opens, the more the later the clip, and a forehead that trembles."""
    times = np.arange(frames) / FPS
    offsets = np.zeros((frames, V, 3), np.float32)
    wave = np.sin(2 * np.pi * 2.1 * times + index) + 0.4 * np.sin(2 * np.pi * 3.7 * times)
    offsets[:, 3, 1] = -0.002 * (1 + index) * (1.4 + wave)
    offsets[:, 8:10, 2] = 0.001 * wave[:, None]
    return offsets


def sequence(index: int, speaker: str, split: str, frames: int, broken: bool = False) -> Sequence:
    def read() -> np.ndarray:
        if broken:
            raise DatasetError(f"s{index}.npy ends early; fetch it again.")
        return template(speaker) + true_offsets(index, frames)

    def sound() -> Waveform:
        return Waveform(np.zeros(frames * 16000 // FPS, np.float32))

    return Sequence(f"s{index}", speaker, split, frames, FPS, sound, read)


@pytest.fixture
def dataset() -> FaceDataset:
    sequences = [sequence(i, "ann" if i < 3 else "bob", "test", 60 + 15 * i) for i in range(6)]
    sequences.append(sequence(6, "ann", "train", 30))
    return FaceDataset(
        folder=Path("faces"),
        layout="vocaset",
        fps=FPS,
        vertex_count=V,
        sequences=tuple(sequences),
        templates={speaker: template(speaker) for speaker in SPEAKERS},
        regions=REGIONS,
        skipped=(Skipped("s9", "no sound"),),
        notes=("60 -> 30 fps in 7 of 7 sequences",),
        digest="abc123",
    )


def perfect(sequence: Sequence) -> np.ndarray:
    return true_offsets(int(sequence.name[1:]), sequence.frames)


def shifted(sequence: Sequence) -> np.ndarray:
    """Right but for the lips, a millimetre too far forward."""
    offsets = perfect(sequence)
    offsets[:, 2:5, 2] += 0.001
    return offsets


def test_a_perfect_prediction_has_no_error(dataset: FaceDataset) -> None:
    result = evaluate(perfect, dataset)
    assert {measure.name for measure in MEASURES} == set(result.pooled)
    for name, interval in result.pooled.items():
        assert interval.value == pytest.approx(0, abs=1e-8 if name in ("ldtw", "lip_max") else 1e-12), name  # m, or m2
        assert interval.clips == 6
    assert not result.absent
    assert (result.frames, result.speakers) == (sum(60 + 15 * i for i in range(6)), ("ann", "bob"))


def test_lips_a_millimetre_too_far(dataset: FaceDataset) -> None:
    result = evaluate(shifted, dataset)
    values = {name: interval.value for name, interval in result.pooled.items()}
    assert values["lve_max"] == pytest.approx(1e-6, rel=1e-3)
    assert values["lve_mean"] == pytest.approx(1e-6 / 3, rel=1e-3)
    assert values["lip_max"] == pytest.approx(1e-3, rel=1e-3)
    assert values["fve"] == pytest.approx(1e-6 * 3 / V, rel=1e-3)
    assert values["ldtw"] == pytest.approx(0, abs=1e-8)  # the opening is a height; depth does not change it
    assert values["fdd"] == pytest.approx(0, abs=1e-12)


def test_frames_weigh_where_frames_are_pooled_and_clips_where_clips_are(dataset: FaceDataset) -> None:
    result = evaluate(neutral_predictor(), dataset)
    frames = [clip.frames for clip in result.clips]
    for measure in MEASURES:
        if measure.name in result.absent:
            continue
        values = [clip.values[measure.name] for clip in result.clips]
        weights = frames if measure.pooled == "frames" else None
        assert result.pooled[measure.name].value == pytest.approx(np.average(values, weights=weights)), measure.name
    everything = np.concatenate([true_offsets(i, 60 + 15 * i) for i in range(6)]).astype(float)
    assert result.pooled["fve"].value == pytest.approx(np.square(everything).sum(-1).mean(), rel=1e-4)
    opened = np.square(everything[:, 2:5]).sum(-1).max(1).mean()
    assert result.pooled["lve_max"].value == pytest.approx(opened, rel=1e-4)


def test_neutral_face_moves_too_little_and_has_no_timing(dataset: FaceDataset) -> None:
    result = evaluate(neutral_predictor(), dataset)
    assert result.pooled["fdd"].value > 0
    assert result.pooled["fdd"].value == pytest.approx(result.pooled["fdd_absolute"].value)
    assert set(result.absent) == {"mtm", "mtm_signed"} and "does not move" in result.absent["mtm"]
    spread = evaluate(neutral_predictor(V), dataset)
    assert spread.pooled == result.pooled


def test_too_lively_and_too_stiff_cancel_in_the_signed_form_only(dataset: FaceDataset) -> None:
    def uneven(sequence: Sequence) -> np.ndarray:
        return perfect(sequence) * np.float32(np.sqrt(2) if int(sequence.name[1:]) % 2 else 0)

    result = evaluate(uneven, replace(dataset, sequences=tuple(sequence(i, "ann", "test", 600) for i in range(2))))
    stiff, lively = (clip.values["fdd"] for clip in result.clips)
    assert stiff > 0 > lively
    assert result.pooled["fdd"].value == pytest.approx((stiff + lively) / 2)
    assert result.pooled["fdd_absolute"].value == pytest.approx((stiff - lively) / 2)
    assert abs(result.pooled["fdd"].value) < 0.1 * result.pooled["fdd_absolute"].value


def test_missing_regions_are_absent_with_a_reason_never_replaced(dataset: FaceDataset) -> None:
    bare = replace(dataset, regions=FaceRegions("none", lips=np.array([], int)))
    result = evaluate(perfect, bare)
    assert set(result.pooled) == {"fve"}
    assert "FLAME_masks.pkl" in result.absent["lve_max"] and "FLAME_masks.pkl" in result.absent["fdd"]
    assert "--regions" in result.absent["ldtw"]
    assert set(result.pooled) | set(result.absent) == {measure.name for measure in MEASURES}
    assert result.regions == ()
    assert "LVE" in evaluations_markdown([result]).split("Not given")[1]


def test_regions_are_published_with_size_and_hash(dataset: FaceDataset) -> None:
    lips, upper, opening = evaluate(perfect, dataset, limit=1).regions
    assert (lips.name, lips.size) == ("lips", 3)  # a vertex named twice counts once
    assert lips.sha256 == hashlib.sha256(b"2,3,4").hexdigest()
    assert (upper.size, opening.size) == (2, 2)


def test_limit_spreads_over_the_split(dataset: FaceDataset) -> None:
    assert [s.name for s in choose(dataset, "test", 3)] == ["s0", "s2", "s4"]
    assert len(choose(dataset, "test", 99)) == 6
    assert len(evaluate(perfect, dataset, limit=2).clips) == 2


def test_what_cannot_be_evaluated_is_said_plainly(dataset: FaceDataset) -> None:
    with pytest.raises(EvaluationError, match=r"no sequences in its validation split; it has train \(1\), test \(6\)"):
        evaluate(perfect, dataset, "validation")
    with pytest.raises(EvaluationError, match="choose one of train, validation, test"):
        evaluate(perfect, dataset, "dev")
    with pytest.raises(EvaluationError, match="model predicts .* for s0"):
        evaluate(lambda sequence: perfect(sequence)[1:], dataset)
    with pytest.raises(EvaluationError, match="clips, speakers"):
        evaluate(perfect, dataset, resample="frames")


def test_unreadable_sequences_are_listed_and_the_rest_measured(dataset: FaceDataset) -> None:
    broken = replace(dataset, sequences=(*dataset.sequences[:2], sequence(7, "bob", "test", 30, broken=True)))
    result = evaluate(perfect, broken)
    assert [clip.name for clip in result.clips] == ["s0", "s1"]
    assert [skipped.name for skipped in result.skipped] == ["s9", "s7"]
    assert "fetch it again" in result.skipped[1].reason
    with pytest.raises(EvaluationError, match="fetch it again"):
        evaluate(perfect, replace(dataset, sequences=broken.sequences[2:]))


def test_ground_truth_is_read_once_for_all_predictions(dataset: FaceDataset) -> None:
    read = []

    def counted(s: Sequence) -> Sequence:
        return replace(s, read_vertices=lambda: read.append(s.name) or s.read_vertices())

    counting = replace(dataset, sequences=tuple(counted(s) for s in dataset.sequences))
    seen = []
    results = evaluate_all(
        {"still": neutral_predictor(), "right": perfect}, counting, progress=lambda *state: seen.append(state)
    )
    assert read == [f"s{i}" for i in range(6)]
    assert list(results) == ["still", "right"]
    assert seen[-1] == (6, 6, "clips")


def test_two_predictions_compared_in_pairs(dataset: FaceDataset) -> None:
    still, near = evaluate(neutral_predictor(), dataset, label="still"), evaluate(shifted, dataset, label="near")
    difference = compare(near, still)
    assert set(difference) == set(still.pooled) & set(near.pooled)
    for name in ("fve", "lip_max"):
        assert difference[name].value == pytest.approx(near.pooled[name].value - still.pooled[name].value)
    assert difference["lip_max"].high < 0
    assert all(interval.low == interval.high == 0 for interval in compare(near, near).values())
    with pytest.raises(EvaluationError, match="same clips"):
        compare(near, evaluate(shifted, dataset, limit=2))


def test_intervals_by_speaker_are_wider_here(dataset: FaceDataset) -> None:
    by_clip = evaluate(neutral_predictor(), dataset).pooled["fve"]
    by_speaker = evaluate(neutral_predictor(), dataset, resample="speakers").pooled["fve"]
    assert by_speaker.value == pytest.approx(by_clip.value)
    assert (by_speaker.low, by_speaker.high) != (by_clip.low, by_clip.high)


def test_table_has_the_units_of_the_paper_and_says_what_was_measured(dataset: FaceDataset) -> None:
    results = list(evaluate_all({"neutral face": neutral_predictor(), "mine": shifted}, dataset).values())
    table = evaluations_markdown(results)
    rows = {row.split(" | ")[0].strip("| "): row for row in table.splitlines() if row.startswith("|")}
    assert "1e-6 m²" in rows["FVE"] and " 0.250 [0.250, 0.250] " in rows["FVE"]
    assert "1e-5 m²" in rows["LVE, maximum form"] and " 0.100 [" in rows["LVE, maximum form"]
    assert "1e-4 m" in rows["Lip-max"] and " 10.000 [" in rows["Lip-max"]
    assert "ms" in rows["MTM"]
    assert "mine − neutral face" in rows["measure"]
    for part in (
        "6 clips of 2 speakers",
        "585 frames at 30 fps",
        "12 vertices",
        "abc123",
        "Regions (by hand): lips 3 vertices, sha256",
        "60 -> 30 fps",
        "Skipped: 1 sequence, ",
        "no sound",
        "2000 draws of clips",
    ):
        assert part in table, part
    width = rows["measure"].count("|")
    assert all(row.count("|") == width for row in rows.values())


def test_the_papers_figures_stand_beside_vocaset_only_and_say_whose_they_are(dataset: FaceDataset) -> None:
    ours = evaluate(shifted, dataset)
    assert "reported by the paper" in evaluations_markdown([ours])
    for name, value in REPORTED.items():
        row = next(r for r in evaluations_markdown([ours]).splitlines() if r.startswith(f"| {name}"))
        assert row.endswith(f"| {value:.3f} |")
    for other in (replace(ours, layout="biwi"), replace(ours, layout="corpus"), replace(ours, split="validation")):
        assert "paper" not in evaluations_markdown([other])


def test_a_synthetic_vocaset_from_its_files(tmp_path: Path) -> None:
    test, validation = "FaceTalk_170809_00138_TA", "FaceTalk_170811_03275_TA"
    planted = write_vocaset(tmp_path, (validation, test), (21, 22), seconds=0.5)
    voca = open_dataset(tmp_path)
    ground_truth = {s.name: s.vertices() - planted.templates[s.speaker] for s in voca.sequences}
    results = evaluate_all({"still": neutral_predictor(), "half": lambda s: ground_truth[s.name] / 2}, voca)
    still, half = ({name: i.value for name, i in result.pooled.items()} for result in results.values())
    assert results["half"].speakers == (test,) and results["half"].frames == 30 and results["half"].fps == 30
    for name in ("fve", "lve_max", "lve_mean"):
        assert half[name] == pytest.approx(still[name] / 4, rel=1e-3) and still[name] > 0, name
    assert half["lip_max"] == pytest.approx(still["lip_max"] / 2, rel=1e-3)
    assert half["fdd"] == pytest.approx(0.75 * still["fdd"], rel=1e-3)  # a quarter of the squared motion is there
    sizes = {record.name: record.size for record in results["half"].regions}
    assert (sizes["lips"], sizes["upper_face"]) == (len(planted.face.lips), len(planted.face.upper_face))


def test_json_has_every_clip_and_no_nan(dataset: FaceDataset) -> None:
    results = evaluate_all({"still": neutral_predictor(), "near": shifted}, dataset)
    whole = json.loads(evaluations_json(list(results.values())))
    still, near = whole["evaluations"]
    assert [clip["name"] for clip in near["clips"]] == [f"s{i}" for i in range(6)]
    assert still["clips"][0]["mtm"] is None and near["clips"][0]["mtm"] == 0
    assert near["pooled"]["fve"]["clips"] == 6 and near["digest"] == "abc123"
    assert near["regions"][0]["sha256"] == hashlib.sha256(b"2,3,4").hexdigest()
    assert whole["measures"]["fve"]["unit"] == "m2"
    (difference,) = whole["differences"]
    assert (difference["first"], difference["second"]) == ("near", "still")
    assert difference["measures"]["lip_max"]["high"] < 0

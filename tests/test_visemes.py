"""Visemes: poses that close where they must, planted answers of the fit, and the timed list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import nnls

from memorytalker.face.curve_files import read_curves
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import FaceCurves, MotionError
from memorytalker.face.visemes import (
    SHORTEST,
    VISEME_CURVES,
    VISEMES,
    VRM_PRESETS,
    VisemeError,
    fit_visemes,
    viseme_cues,
    viseme_poses,
    viseme_recipe,
    vrm_presets,
)

CLIPS = sorted((Path(__file__).parents[1] / "assets" / "ground_truth").glob("*.npz"))


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def faces(head: HeadMesh) -> dict[str, np.ndarray]:
    """Viseme -> the vertices (V, 3) of its pose."""
    return dict(zip(VISEMES, head.template + viseme_poses(head), strict=True))


def opening(head: HeadMesh, face: np.ndarray) -> float:
    """The height of the inner upper above the inner lower lip, in millimetres."""
    return 1000.0 * float(face[head.landmarks["inner_lip_upper"], 1] - face[head.landmarks["inner_lip_lower"], 1])


def held(weights: np.ndarray, frames: int = 30) -> FaceCurves:
    """Weights (52,) of the head's shapes, held for some frames."""
    return FaceCurves(np.repeat(weights[None], frames, axis=0), load_head().blendshape_names, 30)


# poses


def test_the_names_are_those_of_openxr_in_its_order() -> None:
    assert ",".join(VISEME_CURVES) == (
        "viseme_sil,viseme_PP,viseme_FF,viseme_TH,viseme_DD,viseme_kk,viseme_CH,viseme_SS,viseme_nn,viseme_RR,"
        "viseme_aa,viseme_E,viseme_I,viseme_O,viseme_U"
    )


def test_pp_closes_the_lips_of_every_identity(head: HeadMesh) -> None:
    pose = viseme_poses(head)[VISEMES.index("PP")]
    for template in head.identities.values():
        neutral, closed = opening(head, template), opening(head, template + pose)
        assert neutral - 1.5 < closed < neutral + 0.3


def test_ff_brings_the_lower_lip_to_the_upper_teeth_and_bares_them(head: HeadMesh, faces: dict) -> None:
    teeth, lower, upper = (
        faces["FF"][head.landmarks[name]] for name in ("upper_teeth", "inner_lip_lower", "inner_lip_upper")
    )
    rest = head.template[head.landmarks["inner_lip_lower"]] - head.template[head.landmarks["upper_teeth"]]
    assert 0.0 <= 1000.0 * (lower[1] - teeth[1]) < 2.0  # its edge covers that of the teeth by this many millimetres
    assert 0.0 < 1000.0 * (lower[2] - teeth[2]) < 3.0 < 1000.0 * rest[2]  # it lies before them, nearer than at rest
    assert 1000.0 * (upper[1] - lower[1]) > 1.0


def test_the_other_poses_open_the_lips_and_vowels_differ_as_they_sound(head: HeadMesh, faces: dict) -> None:
    openings = {name: opening(head, face) for name, face in faces.items()}
    assert all(openings[name] > 1.5 for name in VISEMES if name not in ("sil", "PP"))
    assert openings["aa"] > openings["O"] > openings["E"] > openings["I"] > openings["U"] > 2.5
    left, right = head.landmarks["mouth_left"], head.landmarks["mouth_right"]
    width = {name: float(face[left, 0] - face[right, 0]) for name, face in faces.items()}
    assert width["I"] > width["E"] > width["sil"] > width["aa"] > width["O"] > width["U"]


def test_poses_are_symmetric_made_of_shapes_that_exist_and_silence_is_the_neutral_face(head: HeadMesh) -> None:
    recipe = viseme_recipe(head.blendshape_names)
    assert not recipe[0].any() and recipe.min() == 0 and recipe.max() <= 1
    for name in head.blendshape_names:
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            left, right = (head.blendshape_names.index(side) for side in (name, name[:-4] + "Right"))
            np.testing.assert_array_equal(recipe[:, left], recipe[:, right])
    backwards = viseme_recipe(head.blendshape_names[::-1])
    np.testing.assert_array_equal(backwards, recipe[:, ::-1])
    assert not viseme_recipe(("jawOpen", "other"))[:, 1].any()


# fit


@pytest.mark.parametrize("viseme", VISEMES)
def test_a_frame_that_is_a_pose_gives_that_viseme_alone(viseme: str) -> None:
    pose = viseme_recipe()[VISEMES.index(viseme)]
    fit = fit_visemes(held(pose))
    expected = np.eye(len(VISEMES))[VISEMES.index(viseme)]
    np.testing.assert_allclose(fit.curves.weights, np.tile(expected, (30, 1)), atol=1e-3)
    assert fit.largest_mm < 0.01


def test_a_mixture_gives_both_visemes_and_silence_takes_the_rest() -> None:
    recipe = viseme_recipe()
    mixed = 0.5 * recipe[VISEMES.index("aa")] + 0.3 * recipe[VISEMES.index("U")]
    curves = fit_visemes(held(mixed)).curves
    for name, share in (("aa", 0.5), ("U", 0.3), ("sil", 0.2)):
        np.testing.assert_allclose(curves.curve(f"viseme_{name}"), share, atol=2e-3)


def test_more_than_a_pose_is_held_at_the_pose_and_the_loss_is_told(head: HeadMesh) -> None:
    wide = held(np.array([0.9 if name == "jawOpen" else 0.0 for name in head.blendshape_names]))
    fit = fit_visemes(wide)
    np.testing.assert_allclose(fit.curves.weights.sum(1), 1.0, atol=1e-5)
    np.testing.assert_allclose(fit.curves.curve("viseme_sil"), 0.0, atol=1e-3)
    shown = head.offsets((fit.curves.weights @ viseme_recipe(head.blendshape_names)).astype(np.float32))
    apart = 1000.0 * np.linalg.norm(head.offsets(wide.weights) - shown, axis=2)[:, head.regions["lips"]]
    assert fit.largest_mm == pytest.approx(apart.max(), abs=1e-3) and fit.largest_mm > 3.0
    assert fit.mean_mm == pytest.approx(apart.mean(), abs=1e-3)


def test_curves_are_taken_by_name_and_eyes_do_not_speak() -> None:
    pose = dict(zip(load_head().blendshape_names, viseme_recipe()[VISEMES.index("O")], strict=True))
    names = tuple(name for name in sorted(pose) if pose[name]) + ("eyeBlinkLeft", "browInnerUp")
    curves = FaceCurves(np.tile([pose.get(name) or 0.7 for name in names], (9, 1)), names, 30)
    np.testing.assert_allclose(fit_visemes(curves).curves.curve("viseme_O"), 1.0, atol=1e-3)


def test_curves_without_a_shape_of_arkit_or_with_an_unknown_one_are_refused() -> None:
    with pytest.raises(VisemeError, match="rename"):
        fit_visemes(FaceCurves(np.ones((3, 1)), ("Fcl_MTH_A",), 30))
    with pytest.raises(MotionError, match="Fcl_MTH_A"):
        fit_visemes(FaceCurves(np.ones((3, 2)), ("jawOpen", "Fcl_MTH_A"), 30))


def test_progress_is_told_and_can_cancel() -> None:
    told: list[tuple[int, int, str]] = []
    fit_visemes(held(np.zeros(52), 130), progress=lambda *report: told.append(report))
    assert [done for done, _, _ in told] == [0, 64, 128, 130] and {total for _, total, _ in told} == {130}

    def cancel(done: int, total: int, stage: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_visemes(held(np.zeros(52)), progress=cancel)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.stem)
def test_recorded_speech_loses_about_a_millimetre_on_average_and_little_of_the_lip_opening(
    head: HeadMesh, clip: Path
) -> None:
    recorded = read_curves(clip).curves.reordered(head.blendshape_names)
    fit = fit_visemes(recorded, head)
    wide = clip.stem.startswith("s26")  # he keeps his mouth further open than any viseme has it
    assert fit.mean_mm < (1.4 if wide else 0.7) and fit.largest_mm < 4.6
    upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
    opened = 1000.0 * (head.blendshapes[:, upper, 1] - head.blendshapes[:, lower, 1])
    difference = (recorded.weights - fit.curves.weights @ viseme_recipe(head.blendshape_names)) @ opened
    assert np.abs(difference).mean() < (3.0 if wide else 1.4)
    np.testing.assert_allclose(fit.curves.weights.sum(1), 1.0, atol=1e-5)
    cues = viseme_cues(fit.curves)
    assert len({cue.viseme for cue in cues}) >= 6 and 3 < len(cues) / fit.curves.duration < 12


# list


def viseme_curves(runs: list[tuple[str, int, float]], fps: float = 30) -> FaceCurves:
    """Runs of (viseme, frames, weight), the rest being silence."""
    rows = []
    for viseme, frames, weight in runs:
        row = np.zeros(len(VISEMES))
        row[0] = 1.0 - weight
        row[VISEMES.index(viseme)] += weight
        rows += [row] * frames
    return FaceCurves(np.array(rows), VISEME_CURVES, fps)


def test_the_list_has_the_runs_of_the_strongest_viseme_and_silence_where_little_moves() -> None:
    cues = viseme_cues(viseme_curves([("aa", 5, 0.1), ("PP", 3, 0.9), ("O", 6, 0.3), ("SS", 2, 0.4), ("U", 9, 0.05)]))
    assert [cue.viseme for cue in cues] == ["sil", "PP", "O", "SS", "sil"]
    np.testing.assert_allclose([cue.start * 30 for cue in cues], [0, 5, 8, 14, 16], atol=1e-9)
    np.testing.assert_allclose([cue.duration * 30 for cue in cues], [5, 3, 6, 2, 9], atol=1e-9)


def test_a_viseme_of_one_frame_is_lost_if_weak_and_lasts_two_if_strong() -> None:
    weak = viseme_cues(viseme_curves([("aa", 5, 0.8), ("PP", 1, 0.7), ("aa", 5, 0.8), ("FF", 2, 0.7), ("aa", 4, 0.8)]))
    assert [cue.viseme for cue in weak] == ["aa", "FF", "aa"]
    strong = viseme_cues(viseme_curves([("aa", 5, 0.5), ("PP", 1, 0.9), ("aa", 5, 0.5)]))
    assert [cue.viseme for cue in strong] == ["aa", "PP", "aa"]
    assert strong[1].duration == pytest.approx(2 / 30) and strong[1].start <= 5 / 30 + 1e-9


@pytest.mark.parametrize("fps", [24, 30, 60])
@pytest.mark.parametrize("frames", [1, 2, 3, 5, 200])
def test_any_list_is_without_gaps_from_the_beginning_to_the_end(frames: int, fps: float) -> None:
    weights = np.random.default_rng(frames).dirichlet(np.full(15, 0.2), frames)
    curves = FaceCurves(weights, VISEME_CURVES, fps)
    cues = viseme_cues(curves)
    assert cues[0].start == 0 and cues[-1].start + cues[-1].duration == pytest.approx(curves.duration)
    for cue, following in zip(cues[:-1], cues[1:], strict=True):
        assert cue.start + cue.duration == pytest.approx(following.start) and cue.viseme != following.viseme
    if frames > 3:
        assert min(cue.duration for cue in cues) > min(SHORTEST, 2 / fps) - 1e-9


def test_a_p_is_told_only_where_the_lips_are_closed() -> None:
    weights = np.zeros((20, len(VISEMES)))
    weights[:10, [VISEMES.index("PP"), VISEMES.index("aa")]] = 0.6, 0.3  # five millimetres open
    weights[10:, [VISEMES.index("PP"), VISEMES.index("U")]] = 0.6, 0.3
    cues = viseme_cues(FaceCurves(weights, VISEME_CURVES, 30))
    assert [(cue.viseme, round(30 * cue.duration)) for cue in cues] == [("aa", 10), ("PP", 10)]


def lists_of(frames: int) -> Iterator[list[tuple[int, int, int]]]:
    """All lists of (begin, end, index of three) over so many frames, each run of two frames or more."""
    starts: list[list[tuple[int, int, int]]] = [[]]
    while starts:
        runs = starts.pop()
        begin, last = (runs[-1][1], runs[-1][2]) if runs else (0, -1)
        if begin == frames:
            yield runs
        for end in range(begin + min(2, frames), frames + 1):
            starts += [[*runs, (begin, end, index)] for index in range(3) if index != last]


@pytest.mark.parametrize("frames", [1, 2, 3, 6, 8])
def test_no_other_list_has_a_larger_sum_of_weights(frames: int) -> None:
    three = [VISEMES.index(name) for name in ("FF", "aa", "U")]
    for seed in range(8):
        weights = np.zeros((frames, len(VISEMES)))
        weights[:, three] = np.random.default_rng(seed).dirichlet(np.full(3, 0.3), frames)
        cues = viseme_cues(FaceCurves(weights, VISEME_CURVES, 30))
        edges = [round(cue.start * 30) for cue in cues] + [frames]
        found = sum(
            weights[begin:end, VISEMES.index(cue.viseme)].sum()
            for cue, begin, end in zip(cues, edges[:-1], edges[1:], strict=True)
        )
        best = max(sum(weights[begin:end, three[k]].sum() for begin, end, k in runs) for runs in lists_of(frames))
        assert found == pytest.approx(best, abs=1e-5)


def test_neighbours_differ_however_their_sums_round(head: HeadMesh) -> None:
    for seed in range(300):
        weights = np.random.default_rng(seed).dirichlet(np.full(15, 0.05), 12)
        cues = viseme_cues(FaceCurves(weights, VISEME_CURVES, 30), head)
        assert all(cue.viseme != after.viseme for cue, after in zip(cues[:-1], cues[1:], strict=True))


# VRM


def test_vowels_become_vrm_presets_and_closed_lips_none() -> None:
    mouths = vrm_presets(np.eye(len(VISEMES), dtype=np.float32))
    assert mouths.shape == (15, 5) and mouths.min() >= 0 and mouths.max() <= 1
    for viseme, preset in (("aa", "aa"), ("I", "ih"), ("U", "ou"), ("E", "ee"), ("O", "oh")):
        expected = [float(name == preset) for name in VRM_PRESETS]
        np.testing.assert_array_equal(mouths[VISEMES.index(viseme)], expected)
    for closed in ("sil", "PP"):
        assert not mouths[VISEMES.index(closed)].any()
    assert (mouths.sum(1) <= 1.0 + 1e-6).all()


def test_other_visemes_become_the_vowels_that_move_the_lips_most_alike(head: HeadMesh) -> None:
    lips = viseme_poses(head)[:, head.regions["lips"]].reshape(len(VISEMES), -1).astype(np.float64)
    vowels = lips[[VISEMES.index(name) for name in ("aa", "I", "U", "E", "O")]]  # of aa, ih, ou, ee, oh
    nearest = np.array([nnls(vowels.T, pose)[0] for pose in lips])
    np.testing.assert_allclose(vrm_presets(np.eye(len(VISEMES))), nearest, atol=0.1)

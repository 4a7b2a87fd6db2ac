"""Landmarks tracked in video: head turns, rest face, lost frames, closed lips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_tracker import planted, toy_basis, tracked_video, turned

from memorytalker.corpus.landmark_files import LandmarkClip
from memorytalker.face.head import load_head
from memorytalker.tracking import landmark_solver, landmarks
from memorytalker.tracking.landmarks import CaptureError


@pytest.fixture(scope="module")
def basis() -> landmark_solver.Basis:
    return toy_basis(load_head())


def test_turns_of_the_head_are_not_taken_for_speech(basis) -> None:
    """A rest face seen from many sides: points shift by their depth, and nothing of it may reach the mouth."""
    rng = np.random.default_rng(3)
    depth = 0.6 - 1.2 * (basis.neutral**2).sum(1) + rng.normal(0, 0.02, len(basis.index))
    clips = [tracked_video(turned(basis.neutral, depth, rng), noise=0.05, seed=seed) for seed in range(12)]
    neutral = landmarks.find_neutral(clips, basis.index)
    assert len(neutral.turns) == 2
    aligned, rest = neutral.place(clips[0])
    mouth = landmarks.columns(basis.index, landmarks.LIPS)
    assert np.sqrt(((aligned - rest)[:, mouth] ** 2).mean()) < 0.006
    assert landmark_solver.solve_landmarks(clips[0], basis, neutral).weights.max() < 0.12


def test_short_gaps_are_filled_and_long_ones_drop_the_clip() -> None:
    line = np.arange(50.0)[:, None, None] * np.ones((1, 3, 2))
    short = line.copy()
    short[[0, 10, 11]] = np.nan
    np.testing.assert_allclose(landmarks.fill_missing(short, 25)[1:], line[1:])
    long = line.copy()
    long[10:20] = np.nan
    assert landmarks.fill_missing(long, 25) is None


def test_openings_do_not_depend_on_place_size_or_roll(basis) -> None:
    points = basis.neutral + basis.displacements(planted(basis))
    moved_points = tracked_video(points)
    both = zip(landmarks.openings(points, basis.index), landmarks.openings(moved_points, basis.index), strict=True)
    for plain, moved in both:
        np.testing.assert_allclose(plain, moved, rtol=1e-9)


def test_a_mouth_that_never_closes_has_no_rest_face(basis) -> None:
    weights = np.zeros((30, len(landmark_solver.CONTROLS)))
    weights[:, 0] = 0.4
    with pytest.raises(CaptureError, match="never closed"):
        landmarks.find_neutral([tracked_video(basis.neutral + basis.displacements(weights))], basis.index)


def test_lips_that_are_tracked_as_open_when_they_are_closed_have_a_rest_face(basis) -> None:
    """As under a dark moustache: never below 0.014, at rest neither."""
    time = np.arange(120)
    weights = np.zeros((120, len(landmark_solver.CONTROLS)))
    weights[:, landmark_solver._JAW] = 0.4 * np.abs(np.sin(time * np.pi / 12)) * (time < 96)
    lower, closed = landmarks.columns(basis.index, (14,)), landmarks.openings(basis.neutral[None], basis.index)[0][0]
    clips = []
    for seed in range(3):
        points = basis.neutral + basis.displacements(weights)
        points[:, lower, 1] += (0.014 + 0.002 * (time % 2))[:, None] - closed
        clips.append(tracked_video(points, noise=0.02, seed=seed))
    neutral = landmarks.find_neutral(clips, basis.index)
    assert 0.016 < neutral.closed_level < 0.035
    assert landmarks.refine_neutral(neutral, clips[0]).closed_level == neutral.closed_level
    gap = landmarks.openings(clips[0], basis.index)[0]
    assert (landmark_solver.open_gap(gap, neutral.closed_level)[time > 97] == 0).all()
    joined = np.concatenate(clips)  # one video of the same, in which the tracker once saw the lips quite closed
    joined[110, lower] = joined[110, landmarks.columns(basis.index, (13,))]
    assert landmarks.find_neutral([joined], basis.index).closed_level == pytest.approx(neutral.closed_level, abs=2e-3)


def test_a_clip_gives_the_points_that_are_asked_for(basis) -> None:
    points = np.arange(2.0 * 3 * 2).reshape(2, 3, 2)
    clip = LandmarkClip("a", "b", points, np.array([13, 14, 61]), 25.0, Path("a.wav"))
    other = clip.at(np.array([61, 13]))
    np.testing.assert_array_equal(other.points, points[:, [2, 0]])
    assert other.index.tolist() == [61, 13]
    with pytest.raises(CaptureError, match=r"lack the points \[291\]"):
        clip.at(np.array([61, 291]))


def test_the_closed_level_is_that_of_the_lips_between_open_sounds(basis) -> None:
    time = np.arange(160)  # eight times open, then at rest with lips that touch more firmly and tremble
    speaking = time < 96
    weights = np.zeros((160, len(landmark_solver.CONTROLS)))
    weights[:, landmark_solver._JAW] = 0.2 * np.abs(np.sin(time * np.pi / 12)) * speaking
    lower, closed = landmarks.columns(basis.index, (14,)), landmarks.openings(basis.neutral[None], basis.index)[0][0]
    levels = []
    for seen_closed in (0.001, 0.007):
        points = basis.neutral + basis.displacements(weights)
        gap = np.where(speaking, seen_closed, 0.001 + 0.0005 * (time % 2))
        points[:, lower, 1] += gap[:, None] - closed
        levels.append(landmarks.find_neutral([tracked_video(points)], basis.index).closed_level)
    assert levels == pytest.approx([0.005, 1.2 * 0.007], rel=0.02)  # 0.005: the least

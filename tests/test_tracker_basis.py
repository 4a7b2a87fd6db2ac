"""How the open head looks to the face tracker: the shipped basis, its maker, and how well it solves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memorytalker.corpus import capture
from memorytalker.corpus.capture import CapturedClip
from memorytalker.corpus.landmark_files import read_landmark_clips
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.tracking import landmark_solver, landmarks, tracker
from tools.tracking import agreement, basis


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def shipped(head) -> landmark_solver.Basis:
    return landmark_solver.read_basis(tracker.BASIS_FILE, head)


def test_the_shipped_basis_is_of_this_head(head, shipped) -> None:
    """Tracked, the head moves as it does: what opens, widens or narrows the lips does so by about as much."""
    assert shipped.index.tolist() == list(basis.INDEX)
    with np.load(tracker.BASIS_FILE) as stored:
        assert set(stored["shapes"].tolist()) == {"+".join(row) for row in basis.poses(head)}
    upper, lower, left, right = landmarks.columns(shipped.index, (13, 14, 61, 291))
    gap = (shipped.full[:, lower] - shipped.full[:, upper])[:, 1]
    width = (shipped.full[:, right] - shipped.full[:, left])[:, 0]
    names = list(landmark_solver.CONTROLS)
    assert gap[names.index("jawOpen")] == pytest.approx(shipped.gap[names.index("jawOpen")], rel=0.15)
    for name in ("pucker", "smile", "dimple", "press", "stretch"):
        assert width[names.index(name)] == pytest.approx(shipped.width[names.index(name)], rel=0.25), name
    assert np.abs(gap[names.index("jawClosed")]) < 0.01
    np.testing.assert_allclose(
        shipped.neutral[landmarks.columns(shipped.index, (33, 263))], [[-0.5, 0], [0.5, 0]], atol=0.01
    )


def test_the_points_of_the_basis_are_those_that_were_captured(shared: Path, shipped) -> None:
    clip = next(read_landmark_clips(shared / "capture" / "grid_s2"))
    assert clip.index.tolist() == shipped.index.tolist()


def test_frames_are_placed_by_what_speech_does_not_move(shipped) -> None:
    """However a frame lies in the image, its lips come back in the eye distances of the first."""
    moved = np.repeat(shipped.neutral[None], 5, 0)
    lips = landmarks.columns(shipped.index, landmarks.LIPS)
    moved[1:, lips, 1] += 0.1
    factor = 70 * np.exp(1j * np.linspace(0.1, -0.2, 5))[:, None]
    pixels = factor * (moved @ (1, 1j)) + np.linspace(100, 120, 5)[:, None]
    placed = basis.placed(np.stack([pixels.real, pixels.imag], -1))
    eyes = landmarks.columns(shipped.index, landmarks.EYE_CORNERS)
    np.testing.assert_allclose(placed[0, eyes], [[-0.5, 0], [0.5, 0]], atol=1e-9)
    expected = moved - moved[:1]
    scale = np.linalg.norm(np.diff(shipped.neutral[eyes], axis=0))
    far = np.linalg.norm(placed - placed[:1], axis=-1)
    np.testing.assert_allclose(far, np.linalg.norm(expected, axis=-1) / scale, atol=1e-9)
    pixels[3, eyes] += 70 * np.array([-0.03, 0.03j])  # an error of the tracker at the eyes alone
    noisy = basis.placed(np.stack([pixels.real, pixels.imag], -1))
    np.testing.assert_allclose(noisy[3, lips], placed[3, lips], atol=0.01)


def test_a_turn_is_to_the_heads_left_and_a_nod_downwards() -> None:
    nose = (0.0, 0.0, 1.0)
    np.testing.assert_allclose(basis.turned(90, 0) @ nose, (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(basis.turned(0, 90) @ nose, (0, -1, 0), atol=1e-12)


class Prepared(tracker.FaceTracker):
    """A tracker that answers with prepared faces, one an image."""

    def __init__(self, faces: Iterator[np.ndarray]) -> None:
        self.faces = faces

    def track(self, image: np.ndarray) -> tracker.TrackedFace:
        assert image.shape == (64, 64, 3)
        return tracker.TrackedFace(next(self.faces), np.zeros(tracker.POINTS), 1.0, 1.0)


def test_poses_are_averaged_over_views_and_told_apart(head, monkeypatch) -> None:
    """Drawn as plain images: each pose must come back under its own name, at full and at half weight."""
    rng = np.random.default_rng(0)
    face, size = rng.uniform(0, 1, (tracker.POINTS, 2)), {name: rng.normal(0, 0.1, 2) for name in head.blendshape_names}
    rigid, lip = list(landmarks.RIGID), 13

    poses = []

    def drawn(head_, vertices, options):
        poses.append(vertices)
        return (np.zeros((options.height, options.width, 3), np.uint8) for _ in vertices)

    rows = (("jawOpen",), ("mouthSmileLeft",), ("jawOpen", "mouthClose"))
    views = (basis.View(0, 0, 64, "#000000"), basis.View(3, -2, 64, "#ffffff"))
    faces = []
    for _ in views:
        for names, weight in [((), 1.0), *((row, 1.0) for row in rows), *((row, 0.5) for row in rows)]:
            moved = face.copy()
            for name in names:
                moved[lip] += weight * size[name]
            faces.append(100 * moved)
    monkeypatch.setattr(basis, "render_frames", drawn)
    neutral, displaced = basis.tracked_poses(head, Prepared(iter(faces)), rows, views)
    for number, row in enumerate(rows):  # of the first view, which is not turned
        offsets = np.sum([head.blendshape(name) for name in row], axis=0)
        np.testing.assert_allclose(poses[0][1 + number], head.template + offsets, atol=1e-6)
        np.testing.assert_allclose(poses[0][4 + number], head.template + offsets / 2, atol=1e-6)
    eyes = face[33], face[263]
    column = landmarks.columns(np.array(basis.INDEX), (lip,))[0]
    for number, row in enumerate(rows):
        far = np.linalg.norm(sum(size[name] for name in row)) / np.linalg.norm(eyes[1] - eyes[0])
        assert np.linalg.norm(displaced[0, number, column]) == pytest.approx(far)
        assert np.linalg.norm(displaced[1, number, column]) == pytest.approx(far / 2)
    still = landmarks.columns(np.array(basis.INDEX), tuple(rigid))
    np.testing.assert_allclose(displaced[:, :, still], 0, atol=1e-9)
    assert neutral.shape == (len(basis.INDEX), 2)


def test_agreement_tells_correlation_size_and_limits(head) -> None:
    time = np.arange(60) / 30
    weights = np.zeros((60, len(head.blendshape_names)), np.float32)
    limit = landmark_solver.CONTROLS["pucker"].limit
    weights[:, head.blendshape_names.index("jawOpen")] = 0.2 + 0.2 * np.sin(9 * time)
    weights[:, head.blendshape_names.index("mouthPucker")] = np.where(time < 0.5, limit, 0.5 * limit)
    curves = FaceCurves(weights, head.blendshape_names, 30.0)
    gap, width = capture.head_openings(head, curves)
    clip = CapturedClip("a", "b", "c", "train", curves, Path("a.wav"), None, gap * 2 + 0.1, 0.5 - width / 4)
    assert agreement.agreement(head, clip) == pytest.approx((1.0, 0.5, -1.0, 4.0), rel=1e-4)
    shares = agreement.at_limits([clip])
    assert shares["pucker"] == pytest.approx(0.25) and shares["smile"] == 0

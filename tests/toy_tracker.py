"""A tracker that sees the head's own vertices, and videos of planted motion, so that tests need no recording."""

from __future__ import annotations

import numpy as np

from memorytalker.face.head import HeadMesh
from memorytalker.tracking import landmark_solver, landmarks
from memorytalker.tracking.landmarks import Neutral

UPPER_LIP = (185, 40, 39, 37, 0, 267, 269, 270, 409, 191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP = (146, 91, 181, 84, 17, 314, 405, 321, 375, 95, 88, 178, 87, 14, 317, 402, 318, 324)
CHIN = (152, 175, 199, 200, 18, 83, 313, 148, 176, 149, 150, 377, 400, 378, 379)


def toy_basis(head: HeadMesh) -> landmark_solver.Basis:
    """Lips as two arcs over the head's mouth, each point moving with the nearest vertex of its own lip."""
    mark, template = head.landmarks, head.template
    corners = template[[mark["eye_left_outer"], mark["eye_right_outer"]]]
    eyes, middle = np.linalg.norm(corners[0] - corners[1]), corners[:, :2].mean(0)
    place = (template[:, :2] - middle) * [1, -1] / eyes
    mouth, half_width = place[mark["inner_lip_upper"], 1], place[mark["mouth_left"], 0]
    points: dict[int, tuple[float, float]] = {33: (-0.5, 0.0), 263: (0.5, 0.0), 61: (-half_width, mouth)}
    points |= {291: (half_width, mouth), 78: (-0.9 * half_width, mouth), 308: (0.9 * half_width, mouth)}
    for lip, side in ((UPPER_LIP, -1), (LOWER_LIP, 1)):
        for rim, height in ((lip[:9], 0.09), (lip[9:], 0.002)):
            for number, x in zip(rim, np.linspace(-0.8, 0.8, 9), strict=True):
                points[number] = (x * half_width, mouth + side * height * (1 - x * x))
    chin = place[mark["chin"], 1]
    sides = (0, 0, 0, 0, 0, -1, 1, -2, -3, -4, -5, 2, 3, 4, 5)
    for number, side in zip(CHIN, sides, strict=True):
        points[number] = (0.06 * side, chin - 0.02 * abs(side) - (0.1 if number in (18, 83, 313, 200) else 0.0))
    rigid = [number for number in landmarks.RIGID if number not in points]
    for number, angle in zip(rigid, np.linspace(0, 2 * np.pi, len(rigid), endpoint=False), strict=True):
        points[number] = (0.6 * np.sin(angle), 0.1 + 0.5 * np.cos(angle))
    index = np.array(sorted(points))
    neutral = np.array([points[number] for number in index])
    opening = head.blendshape("jawOpen")[:, 1]
    skin, full = head.parts["skin"], np.zeros((len(head.blendshape_names), len(index), 2))
    front = skin[template[skin, 2] > template[mark["mouth_left"], 2] - 0.03]
    for column, number in enumerate(index):
        low = opening[front] < 0.4 * opening.min()
        pool = front[low] if number in LOWER_LIP else front[~low] if number in UPPER_LIP else front
        vertex = pool[np.linalg.norm(place[pool] - neutral[column], axis=-1).argmin()]
        vertex = {13: mark["inner_lip_upper"], 14: mark["inner_lip_lower"]}.get(int(number), vertex)
        if number not in landmarks.RIGID:
            full[:, column] = head.blendshapes[:, vertex, :2] * [1, -1] / eyes
    return landmark_solver.make_basis(index, neutral, head.blendshape_names, full, full / 2, head)


def rest_of(basis: landmark_solver.Basis) -> Neutral:
    turns = np.zeros((0, len(landmarks.RIGID), 2))
    return Neutral(basis.index, basis.neutral, turns, basis.neutral[None], closed_level=0.006)


def planted(basis: landmark_solver.Basis, frames: int = 90) -> np.ndarray:
    """(T, K) a mouth that opens and closes, rounds, and smiles."""
    weights, time = np.zeros((frames, len(landmark_solver.CONTROLS))), np.arange(frames) / 30
    names = list(landmark_solver.CONTROLS)
    weights[:, names.index("jawOpen")] = np.clip(0.35 * np.sin(2 * np.pi * 1.5 * time), 0, None)
    weights[:, names.index("pucker")] = np.clip(0.5 * np.sin(2 * np.pi * 0.7 * time + 2), 0, None)
    weights[:, names.index("smile")] = np.clip(0.4 * np.sin(2 * np.pi * 0.7 * time - 1), 0, None)
    return weights


def tracked_video(points: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Eye-distance points -> pixels of a head that moves: turned in the image, scaled and shifted over time."""
    rng, time = np.random.default_rng(seed), np.linspace(0, 1, len(points))
    factor = (66 + 5 * time) * np.exp(1j * 0.1 * np.sin(5 * time))
    moved = factor[:, None] * (points[..., 0] + 1j * points[..., 1]) + (180 + 9j * time[:, None] + 120j)
    return np.stack([moved.real, moved.imag], -1) + rng.normal(0, noise, points.shape)


def turned(face: np.ndarray, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """40 frames of `face` (P, 2) turning slowly from one small yaw and pitch to another."""
    yaw_and_pitch = rng.normal(0, 0.08, 2) + np.linspace(0, 1, 40)[:, None] * rng.normal(0, 0.04, 2)
    return face + yaw_and_pitch[:, None, :] * depth[:, None]

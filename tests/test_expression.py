"""Blinks, gaze and brows: planted pauses and accents are found, the mouth is left alone, a stream is the whole."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from memorytalker.face.expression import CLOSING, NAMES, OPENING, Expression, missing_shapes
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.sound.prosody import Prosody

FPS = 30


def sound(seconds: float, pauses: tuple[float, ...] = (), accents: tuple[float, ...] = ()) -> Prosody:
    """A level voice with pauses of half a second and accents of 0.15 s: louder by 6 dB and higher by 5 semitones."""
    frames = round(seconds * FPS)
    loudness, pitch, quiet = np.full(frames, -8.0), np.zeros(frames), np.zeros(frames, bool)
    for begin in pauses:
        quiet[round(begin * FPS) : round((begin + 0.5) * FPS)] = True
    for middle in accents:
        loud = slice(round((middle - 0.07) * FPS), round((middle + 0.07) * FPS) + 1)
        loudness[loud], pitch[loud] = -2.0, 5.0
    loudness[quiet], pitch[quiet] = -60.0, np.nan
    return Prosody(loudness, pitch, quiet, FPS)


def weights(prosody: Prosody, seed: int = 0, piece: int | None = None, ahead: int | None = None) -> np.ndarray:
    """(T, n) weights, computed in pieces, with the sound known `ahead` frames beyond each."""
    total, expression, found = len(prosody.loudness), Expression(FPS, seed), []
    for first in range(0, total, piece or total):
        frames = min(piece or total, total - first)
        known = total if ahead is None else first + frames + ahead
        part = Prosody(prosody.loudness[:known], prosody.pitch[:known], prosody.quiet[:known], FPS)
        found.append(expression.curves(first, frames, part).weights)
    return np.concatenate(found)


def curve(values: np.ndarray, name: str) -> np.ndarray:
    return values[:, NAMES.index(name)]


def blinks(values: np.ndarray) -> np.ndarray:
    """Frames at which an eye is closed."""
    lid = np.pad(curve(values, "eyeBlinkLeft"), 1)
    return np.flatnonzero((lid[1:-1] > 0.8) & (lid[1:-1] >= lid[:-2]) & (lid[1:-1] > lid[2:]))


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def test_a_seed_is_a_performance() -> None:
    prosody = sound(20.0, (4.0, 11.0), (2.0, 7.0))
    assert weights(prosody, 1).tobytes() == weights(prosody, 1).tobytes()
    assert not np.array_equal(blinks(weights(prosody, 1)), blinks(weights(prosody, 2)))


@pytest.mark.parametrize("piece", [45, 300])
def test_pieces_are_the_whole(piece: int) -> None:
    """Nothing that was shown is taken back, and two seconds of sound ahead are all that is ever looked at."""
    prosody = sound(40.0, (3.3, 9.7, 17.0, 29.9, 30.6), tuple(np.arange(1.0, 40.0, 1.7)))
    for seed in range(5):
        assert np.array_equal(weights(prosody, seed), weights(prosody, seed, piece, ahead=60))


def test_people_blink_as_people_do() -> None:
    values = weights(sound(600.0), seed=3)
    found = blinks(values)
    assert 10.5 < len(found) / 10 < 32.5
    between = np.diff(found) / FPS
    assert between.min() >= 0.99 and 2.5 < np.median(between) < 4.0 and between.std() > 1.0
    lid = curve(values, "eyeBlinkLeft")
    assert (lid[found] > 0.85).all()
    closing = np.mean([np.sum(lid[f - 8 : f] > 0.2) for f in found[1:-1]]) / FPS
    opening = np.mean([np.sum(lid[f + 1 : f + 12] > 0.2) for f in found[1:-1]]) / FPS
    assert closing < CLOSING and closing < opening < OPENING * 1.2
    assert np.median(lid) < 0.06  # between blinks eyes are open


def test_blinks_wait_for_a_pause() -> None:
    pauses = tuple(np.arange(2.0, 600.0, 4.0))
    found = blinks(weights(sound(600.0, pauses))) / FPS
    into = (found[:, None] - np.array(pauses)).ravel()
    share = np.sum((into >= 0) & (into < 0.2)) / len(found)
    assert share > 0.3  # 0.05 by chance


def test_brows_rise_just_before_accents_and_only_there() -> None:
    accents = tuple(np.arange(1.5, 60.0, 2.0))
    brow = curve(weights(sound(60.0, accents=accents)), "browInnerUp")
    rests = curve(weights(sound(60.0)), "browInnerUp")
    raised = brow - rests  # the idle motion is the same
    assert raised.min() > -1e-6 and 0.1 < raised.max() < 0.4
    peaks = np.flatnonzero((raised[1:-1] > 0.05) & (raised[1:-1] >= raised[:-2]) & (raised[1:-1] > raised[2:])) + 1
    nearest = (peaks[:, None] / FPS - np.array(accents))[np.arange(len(peaks)), :]
    ahead = nearest[np.arange(len(peaks)), np.abs(nearest).argmin(axis=1)]
    assert 15 <= len(peaks) <= 29  # most of them, not all
    assert (ahead <= 0.02).all() and (ahead >= -0.12).all()
    np.testing.assert_allclose(raised[np.abs(np.arange(1800)[:, None] / FPS - accents).min(axis=1) > 0.6], 0, atol=1e-6)


def test_eyes_jump_and_rest_together() -> None:
    values = weights(sound(120.0), seed=1)
    for one, other in (("Left", "Right"), ("Right", "Left")):
        assert np.array_equal(curve(values, f"eyeLookOut{one}"), curve(values, f"eyeLookIn{other}"))
    left = curve(values, "eyeLookOutLeft") - curve(values, "eyeLookInLeft")
    still = np.abs(np.diff(left)) < 1e-6
    assert still.mean() > 0.85  # fixations, with jumps of a frame or two between them
    aside = np.abs(left) > 4.0 / 21.0 * 0.9
    assert 0.1 < aside.mean() < 0.4 and left.max() > 0.2 and left.min() < -0.2


def test_the_layer_leaves_the_mouth_alone(head: HeadMesh) -> None:
    for name in NAMES:
        shape = np.linalg.norm(head.blendshape(name), axis=1)
        mouth = [head.landmarks[k] for k in ("inner_lip_upper", "inner_lip_lower", "mouth_left", "mouth_right", "chin")]
        assert shape.max() > 1e-3 and shape[head.regions["lips"]].max() < 1e-6 and shape[mouth].max() < 1e-6, name
        for part in ("teeth_upper", "teeth_lower", "tongue"):
            assert shape[head.parts[part]].max() < 1e-6, name


def test_eyes_turn_to_the_side_they_look_to_and_lids_follow(head: HeadMesh) -> None:
    """The front of both eyes goes to the head's own left (+x); looking down takes the upper lids with it."""
    from memorytalker.face.motion import FaceCurves

    row = np.zeros((1, len(NAMES)), np.float32)
    row[0, [NAMES.index("eyeLookOutLeft"), NAMES.index("eyeLookInRight")]] = 0.4
    offsets = FaceCurves(row, NAMES, FPS).to_motion(head).offsets[0]
    for part in ("eye_left", "eye_right"):
        eye = head.parts[part]
        front = eye[head.template[eye, 2] > np.percentile(head.template[eye, 2], 90)]
        assert offsets[front, 0].mean() > 0.002
    lids = head.regions["eyelids"]
    down, blink = head.blendshape("eyeLookDownLeft")[lids, 1], head.blendshape("eyeBlinkLeft")[lids, 1]
    upper = blink < 0.5 * blink.min()
    assert down[upper].mean() < 0.2 * blink[upper].mean() < 0


def test_a_bare_head_lacks_the_shapes(head: HeadMesh) -> None:
    assert missing_shapes(head) == []
    assert missing_shapes(dataclasses.replace(head, blendshape_names=())) == list(NAMES)

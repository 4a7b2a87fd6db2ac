"""What is packed is what moved, to within the tolerance, and small; what cannot be packed is refused in words."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import wave

import numpy as np
import pytest

from memorytalker.face.head import HeadError, HeadMesh, load_head
from memorytalker.options import RenderOptions
from memorytalker.rendering.appearance import head_appearance
from memorytalker.rendering.scene import AZIMUTHS, frame_head
from memorytalker.rendering.surface import Surface
from memorytalker.rendering.web_package import TOLERANCE, Playback, PlaybackError, pack
from memorytalker.sound.decode import Waveform

DIMENSIONS = 12


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def motion(head: HeadMesh) -> np.ndarray:
    """Ninety frames in which twelve face curves wander, each in its own way."""
    rng = np.random.default_rng(3)
    weights = np.zeros((90, 52), np.float32)
    chosen = rng.choice(52, DIMENSIONS, replace=False)
    weights[:, chosen] = np.clip(np.cumsum(rng.normal(0, 0.08, (90, DIMENSIONS)), axis=0), 0, 1)
    return head.template + head.offsets(weights)


def decoded(array: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array["data"]), array["type"]).reshape(array["shape"])


def distances(packed: Playback, motion: np.ndarray) -> np.ndarray:
    """How far every vertex of every frame is from where it should be, (T, V) metres."""
    offsets = np.stack([packed.offsets(frame) for frame in range(len(motion))])
    return np.linalg.norm(packed.appearance.template + offsets - motion, axis=2)


def test_every_vertex_of_every_frame_is_where_it_was(head: HeadMesh, motion: np.ndarray) -> None:
    packed = pack(head, motion, 30)
    furthest = distances(packed, motion).max()
    assert furthest <= TOLERANCE
    assert packed.error <= TOLERANCE and furthest <= packed.error + 2e-7  # what is promised is what was measured
    assert len(packed.shapes) <= DIMENSIONS and packed.seconds == 3.0


def test_only_what_moves_is_stored(head: HeadMesh, motion: np.ndarray) -> None:
    packed = pack(head, motion, 30)
    moved = np.abs(motion - head.template).max(axis=(0, 2))
    assert set(packed.moving) >= set(np.flatnonzero(moved > TOLERANCE))
    assert set(packed.moving) <= set(np.flatnonzero(moved > 0)) and len(packed.moving) < head.vertex_count


def test_a_tighter_tolerance_takes_more(head: HeadMesh, motion: np.ndarray) -> None:
    rough, fine = pack(head, motion, 30, tolerance=1e-3), pack(head, motion, 30, tolerance=5e-6)
    assert len(rough.shapes) < len(fine.shapes)
    assert 5e-6 < rough.error <= 1e-3 and fine.error <= 5e-6
    assert distances(fine, motion).max() <= 5.5e-6


def test_motion_without_few_dimensions_is_kept_whole(head: HeadMesh, motion: np.ndarray) -> None:
    noisy = motion + np.random.default_rng(0).normal(0, 3e-4, motion.shape).astype(np.float32)
    packed = pack(head, noisy, 30)
    assert len(packed.shapes) > 60 and distances(packed, noisy).max() <= TOLERANCE


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_short_and_still_motion(head: HeadMesh, motion: np.ndarray, frames: int) -> None:
    assert distances(pack(head, motion[40 : 40 + frames], 25), motion[40 : 40 + frames]).max() <= TOLERANCE
    still = pack(head, np.repeat(head.template[None], frames, axis=0), 25)
    assert len(still.moving) == 0 and still.weights.shape == (frames, 0) and still.error == 0
    assert json.loads(still.to_json())["motion"]["weights"]["shape"] == [frames, 0]


def test_the_same_motion_gives_the_same_package(head: HeadMesh, motion: np.ndarray) -> None:
    assert pack(head, motion, 30).to_json() == pack(head, motion.copy(), 30).to_json()


def test_the_package_says_all_that_a_browser_needs(head: HeadMesh, motion: np.ndarray) -> None:
    samples = (0.3 * np.sin(np.arange(48000) / 20)).astype(np.float32)
    packed = pack(head, motion, 30)
    text = packed.to_json(Waveform(samples))
    content = json.loads(text)
    assert len(text) < 3_000_000
    assert (content["format"], content["fps"], content["seconds"]) == (2, 30, 3.0)
    moved, appearance = content["motion"], content["appearance"]
    offsets = np.einsum("tk,kmx->tmx", decoded(moved["weights"]), decoded(moved["shapes"]).astype(np.float32))
    places = decoded(appearance["template"])[decoded(moved["moving"])] + offsets
    assert np.linalg.norm(places - motion[:, decoded(moved["moving"])], axis=2).max() <= TOLERANCE
    np.testing.assert_array_equal(decoded(appearance["colors"]), head.colors)
    assert decoded(appearance["fineFaces"]).max() == len(head.template) + len(decoded(appearance["edges"])) - 1
    assert decoded(appearance["keys"]).shape == (len(appearance["azimuths"]), head.vertex_count)
    assert set(appearance["cameras"]) == set(AZIMUTHS) and "gl_FragData[0]" in content["material"]
    with wave.open(io.BytesIO(base64.b64decode(content["sound"]))) as sound:
        assert sound.getparams()[:4] == (1, 2, 16000, 48000)
        decoded_sound = np.frombuffer(sound.readframes(48000), "<i2") / 32767
    np.testing.assert_allclose(decoded_sound, samples, atol=2 / 32767)


def test_what_cannot_be_played_is_refused_in_words(head: HeadMesh, motion: np.ndarray) -> None:
    broken = motion.copy()
    broken[5, 100] = np.nan
    for wrong, words in ((motion[:, :-1], "use the head"), (motion[0], "use the head"), (motion[:0], "use the head"),
                         (broken, "not finite")):  # fmt: skip
        with pytest.raises(PlaybackError, match=words):
            pack(head, wrong, 30)
    with pytest.raises(PlaybackError, match="1 to 240"):
        pack(head, motion, 0)
    with pytest.raises(HeadError, match="no triangles"):
        pack(dataclasses.replace(head, faces=head.faces[:0]), motion, 30)
    with pytest.raises(HeadError, match="neutral face"):
        pack(dataclasses.replace(head, template=0 * head.template), motion, 30)


def test_a_head_in_millimetres_is_brought_to_metres(head: HeadMesh, motion: np.ndarray) -> None:
    few = dataclasses.replace(head, template=1000 * head.template, blendshapes=head.blendshapes[:0],
                              blendshape_names=())  # fmt: skip
    packed = pack(few, 1000 * motion[:5], 30)
    size = np.ptp(packed.appearance.template, axis=0).max()
    assert 0.2 < size < 0.3  # a natural size; the shipped head, with its shoulders, is larger
    expected = 1000 * motion[:5] * np.float32(packed.appearance.scale)
    assert distances(packed, expected).max() <= TOLERANCE
    assert packed.appearance.light.azimuths == (0.0,)  # found, not shipped


def test_an_appearance_is_that_of_the_head_and_is_cached(head: HeadMesh) -> None:
    omar = head.with_identity("omar")
    appearance = head_appearance(omar)
    assert head_appearance(head.with_identity("omar")) is appearance and head_appearance(head) is not appearance
    np.testing.assert_array_equal(appearance.template, omar.template)
    assert appearance.cameras["front"] == frame_head(omar, RenderOptions())
    surface = Surface(omar.faces, omar.template, np.inf)
    assert len(surface.edges) == 0 and len(appearance.edges) > 1000  # long sides are rounded, as in videos
    repainted = head_appearance(dataclasses.replace(omar, colors=255 - omar.colors))
    assert (repainted.colors == 255 - omar.colors).all()

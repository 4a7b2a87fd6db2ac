"""What the page's player is given: curves and sound as JSON, and heads under addresses that name their content."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import wave
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

pytest.importorskip("gradio", reason="the page needs gradio")
from memorytalker.exports.web_head import web_head  # noqa: E402
from memorytalker.face.adjust import adjusted_curves  # noqa: E402
from memorytalker.face.head import HeadMesh, load_head  # noqa: E402
from memorytalker.face.motion import FaceCurves  # noqa: E402
from memorytalker.options import CurveOptions  # noqa: E402
from memorytalker.page.head_files import ROUTE, HeadFiles, head_address, heads_route  # noqa: E402
from memorytalker.page.playback import FORMAT, playback_json  # noqa: E402
from memorytalker.page.player import coming_value, player_value  # noqa: E402
from memorytalker.sound.decode import Waveform  # noqa: E402


@pytest.fixture(scope="module")
def small() -> HeadMesh:
    """A head with two shapes, which is made quickly."""
    head = load_head()
    return dataclasses.replace(head, blendshapes=head.blendshapes[:2], blendshape_names=head.blendshape_names[:2])


def test_curves_and_sound_are_what_they_were() -> None:
    weights = np.random.default_rng(1).uniform(0, 1, (90, 3)).astype(np.float32)
    weights[0] = (0, 1, 0.5)
    samples = (0.3 * np.sin(np.arange(48000) / 20)).astype(np.float32)
    curves = FaceCurves(weights, ("jawOpen", "browInnerUp", "noseSneerLeft"), 30.0)
    content = json.loads(playback_json("/heads/x.glb", curves, Waveform(samples)))
    assert (content["format"], content["fps"], content["seconds"]) == (FORMAT, 30, 3.0)
    assert content["head"] == "/heads/x.glb" and content["names"] == list(curves.names)
    found = np.frombuffer(base64.b64decode(content["weights"]), "<u2").reshape(90, 3) / 65535
    assert np.abs(found - weights).max() <= 0.5 / 65535 + 1e-7
    with wave.open(io.BytesIO(base64.b64decode(content["sound"]))) as sound:
        assert sound.getparams()[:4] == (1, 2, 16000, 48000)
        decoded = np.frombuffer(sound.readframes(48000), "<i2") / 32767
    np.testing.assert_allclose(decoded, samples, atol=2 / 32767)


def test_the_upper_face_is_that_of_the_command_line() -> None:
    names = load_head().blendshape_names
    curves = FaceCurves(np.full((1, len(names)), 0.5, np.float32), names, 30.0)
    still = adjusted_curves(curves, CurveOptions(upper_face=0.0))
    upper = [name for name, weight in zip(names, still.weights[0], strict=True) if weight == 0]
    assert json.loads(playback_json("", curves))["upper"] == upper and 5 < len(upper) < 40


def test_ten_seconds_are_small() -> None:
    names = load_head().blendshape_names
    weights = np.random.default_rng(2).uniform(0, 1, (300, len(names))).astype(np.float32)
    assert len(playback_json("/x.glb", FaceCurves(weights, names, 30.0))) < 50_000  # without the sound


def test_a_head_without_curves_has_its_sound_and_no_address() -> None:
    animation = SimpleNamespace(
        motion=SimpleNamespace(has_curves=False), waveform=Waveform(np.zeros(32000, np.float32))
    )
    content = json.loads(player_value(animation))
    assert content["head"] is None and "names" not in content and content["seconds"] == 2 and content["sound"]


def test_a_coming_head_is_only_an_address(small: HeadMesh) -> None:
    assert json.loads(coming_value(small)) == {"format": FORMAT, "head": head_address(small)}


def test_an_address_names_the_content_and_is_kept(small: HeadMesh) -> None:
    files = HeadFiles()
    client = TestClient(Starlette(routes=[heads_route(files)]))
    name = files.name_of(small)
    answer = client.get(f"{ROUTE}/{name}")
    assert answer.status_code == 200 and answer.content == web_head(small)
    assert name == f"{hashlib.sha256(answer.content).hexdigest()[:16]}.glb"
    assert answer.headers["content-type"] == "model/gltf-binary" and "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip" and int(answer.headers["content-length"]) < len(answer.content)
    plain = client.get(f"{ROUTE}/{name}", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content and "content-encoding" not in plain.headers
    for wrong in ("0123.glb", "", f"x/{name}", "..%2f..%2fetc%2fpasswd"):
        assert client.get(f"{ROUTE}/{wrong}").status_code == 404, wrong


def test_heads_differ_in_their_addresses_and_the_oldest_goes(small: HeadMesh) -> None:
    files = HeadFiles(most=2)
    heads = [small.with_identity(name) for name in list(small.identities)[:3]]
    names = [files.name_of(head) for head in heads[:2]]
    assert names[0] != names[1] and files.name_of(heads[0]) == names[0]  # which is now the younger one
    last = files.name_of(heads[2])
    assert files.get(names[1]) is None and files.get(names[0]) is not None and files.get(last) is not None
    assert files.name_of(heads[1]) == names[1]  # it is made again

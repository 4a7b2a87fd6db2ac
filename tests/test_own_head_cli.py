"""A head of the user's own on the command line: it speaks, goes out as it came, and what it lacks is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from glb_case import VRM_TARGETS, build, vrm_head, write

from memorytalker import cli
from memorytalker.face.curve_files import read_curves
from memorytalker.face.head import ARKIT_NAMES, HeadMesh, load_head
from memorytalker.face.rigged_head import drive, load_rigged_head

#: Names of a head whose modeller wrote a capital first, and had no tongue and no cheeks.
LACKING = ("tongueOut", "cheekPuff")
OWN_NAMES = {name: name[0].upper() + name[1:] for name in reversed(ARKIT_NAMES) if name not in LACKING}


@pytest.fixture
def clip(tmp_path: Path, voice: Callable[[float], np.ndarray]) -> Path:
    path = tmp_path / "clip.wav"
    soundfile.write(path, voice(0.5), 16000)
    return path


@pytest.fixture
def speak(clip: Path, tmp_path: Path, tiny_weights: Path, capsys: pytest.CaptureFixture[str]):
    """`speak(head, *flags, to=suffixes)`: exit code and standard error of a command that animates the clip."""

    def call(head: Path, *flags: str | Path, to: tuple[str, ...] = (".glb", ".csv")) -> tuple[int, str]:
        outputs = [word for suffix in to for word in ("-o", str(tmp_path / f"out{suffix}"))]
        given = ["--head", str(head), "--weights", str(tiny_weights), "--device", "cpu", "--size", "64"]
        code = cli.main(["animate", str(clip), *given, *map(str, flags), *outputs])
        return code, capsys.readouterr().err

    return call


def assert_the_head_was_driven(
    folder: Path, given: HeadMesh, own_names: list[str], mapping: Mapping[str, Any] | None = None
) -> None:
    """out.glb is the head `given` with its own names, moved by the curves of out.csv."""
    curves = read_curves(folder / "out.csv").curves
    again = load_rigged_head(folder / "out.glb", mapping)
    np.testing.assert_array_equal(again.template, given.template)
    assert given.rig is not None and again.rig is not None
    document = again.rig.file.document
    assert all(mesh["extras"]["targetNames"] == own_names for mesh in document["meshes"])
    rows = drive(given, curves)
    assert rows.shape == (15, len(given.rig.controls)) and np.ptp(rows, axis=0).max() > 0.005
    [animation] = document["animations"]
    assert len(animation["channels"]) == len(document["meshes"])
    for channel in animation["channels"]:
        mesh = document["nodes"][channel["target"]["node"]]["mesh"]
        expected = np.zeros((len(rows), len(own_names)))
        for row, control in zip(rows.T, given.rig.controls, strict=True):
            for bind in control.binds:
                if bind.mesh == mesh:
                    expected[:, bind.target] += bind.gain * row
        output = animation["samplers"][channel["sampler"]]["output"]
        written = again.rig.file.accessor(output, 1).reshape(-1, len(own_names))
        np.testing.assert_allclose(written, expected, atol=1e-6)


def test_a_head_of_other_topology_and_other_names_speaks_in_every_file(speak, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.glb", build(OWN_NAMES))
    code, err = speak(path, to=(".glb", ".csv", ".mp4"))
    assert code == 0 and (tmp_path / "out.mp4").stat().st_size > 1000
    assert "memorytalker: This head has no shapes for: tongue." in err and "cheekPuff" in err
    assert err.count("Those curves do not move it.") == 1
    assert_the_head_was_driven(tmp_path, load_rigged_head(path), list(OWN_NAMES.values()))


@pytest.mark.parametrize("version", [0, 1])
def test_a_head_with_the_names_of_vrm_speaks_in_every_file(speak, tmp_path: Path, version: int) -> None:
    path = write(tmp_path / "mine.vrm", vrm_head(version))
    code, err = speak(path, to=(".glb", ".csv", ".mp4") if version else (".glb", ".csv"))
    assert code == 0 and (tmp_path / "out.mp4").exists() == bool(version)
    assert "This head has no shapes for: " in err and "Its mouth is made of aa, ih, ou, ee, oh, so it speaks" in err
    assert_the_head_was_driven(tmp_path, load_rigged_head(path), list(VRM_TARGETS.values()))


def test_a_mapping_names_what_the_head_does_not(speak, tmp_path: Path) -> None:
    names = {"jawOpen": "mund auf", "mouthPucker": "kuss", "browInnerUp": "laune"}
    path = write(tmp_path / "mine.glb", build(names))
    assert speak(path)[0] == cli.BAD_INPUT and not (tmp_path / "out.glb").exists()
    mapping = {"mund auf": "jawOpen", "kuss": {"mouthPucker": 0.8, "mouthFunnel": 0.2}}
    (tmp_path / "names.json").write_text(json.dumps(mapping), encoding="utf-8")
    code, err = speak(path, "--mapping", tmp_path / "names.json")
    assert code == 0 and "This head has no shapes for: " in err
    given = load_rigged_head(path, mapping)
    assert [control.recipe for control in given.rig.controls] == [{"jawOpen": 1.0}, mapping["kuss"]]
    assert_the_head_was_driven(tmp_path, given, list(names.values()), mapping)


def test_the_open_head_with_its_vertices_shuffled_is_refused_in_one_sentence(speak, tmp_path: Path) -> None:
    head = load_head()
    order = np.random.default_rng(2).permutation(head.vertex_count)
    places = "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in head.template[order])
    corners = "".join(f"f {a} {b} {c}\n" for a, b, c in np.argsort(order)[head.faces] + 1)
    (tmp_path / "mixed.obj").write_text(places + corners, encoding="ascii")
    code, err = speak(tmp_path / "mixed.obj", to=(".npz",))
    assert code == cli.BAD_INPUT and not (tmp_path / "out.npz").exists()
    assert err.startswith("memorytalker: mixed.obj has as many vertices as the open head but in another order")
    assert err.count("\n") == 1 and err.endswith(".\n")

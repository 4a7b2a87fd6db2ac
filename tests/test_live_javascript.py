"""The browser's live talker gives what Python gives: features, network, resampling and visemes, with any weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from live_case import CONFIG, lively_network, random_network
from test_javascript import node

from memorytalker import Style, load_head, load_waveform
from memorytalker.face.visemes import VISEMES, VisemeSolver, viseme_recipe, vrm_presets
from memorytalker.live_motion import live_end, live_frames, live_pieces, live_start
from memorytalker.live_weights import load_live, save_live
from memorytalker.models.live_config import LiveConfig
from memorytalker.phones import ENGLISH
from memorytalker.sound.resampling import resampled, resampler_start
from memorytalker.styles.delivery import Delivery
from memorytalker.styles.live_delivery import live_style
from tools.web.tables import DELIVERY_TABLE, TABLE, delivery_table, table

ROOT = Path(__file__).resolve().parents[1]
CLIPS = sorted((ROOT / "assets" / "speech").glob("*.wav"))
CLIPS += sorted(path for path in (ROOT / "assets" / "ground_truth").iterdir() if path.suffix in (".flac", ".opus"))[:7]
#: A style that changes everything that a style can change, and does so in the middle of a clip.
RICH = Style(
    deliveries=(
        Delivery(gains={"overall": 1.3, "jaw": 0.6, "upper_lip": 1.7}, offsets={"corners": 0.2, "blinks": 0.3}),
        Delivery(0.7, gains={"spread": 0.3}, offsets={"jaw": -0.2}, moods={"joy": 0.9, "fear": 0.6}, head_motion=0.5),
    ),
    slot_weights=dict(zip(ENGLISH.phones, np.linspace(0.6, 1.7, len(ENGLISH.phones)).tolist(), strict=True)),
    slot_share=0.5,
)


def in_javascript(folder: Path, file: Path, samples: np.ndarray, rate: int, chunk: int, style=None) -> dict:
    file.write_bytes(samples.astype("<f4").tobytes())
    given = [] if style is None else [json.dumps(style.to_json() if isinstance(style, Style) else style.tolist())]
    script = str(ROOT / "tests" / "javascript" / "live_curves.js")
    done = node(script, str(folder), str(file), str(rate), str(chunk), *given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_python(folder: Path, samples: np.ndarray, rate: int, style=None) -> tuple[np.ndarray, np.ndarray]:
    import torch

    network = load_live(folder)
    given = None if style is None else torch.from_numpy(style)[None]
    samples = resampled(resampler_start(rate), samples, rate)[1]
    state, first = live_frames(network, live_start(network), samples, given)
    _, rest = live_end(network, state, given)
    found = [one for one in (first, rest) if one is not None]
    return np.concatenate([one.curves for one in found]), np.concatenate([one.address for one in found])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live")
    save_live(random_network(), folder)
    return folder


@pytest.mark.parametrize(("rate", "chunk"), [(16000, 320), (8000, 7), (44100, 882), (48000, 100_000)])
def test_curves_agree_at_every_rate_and_chunk(folder: Path, tmp_path: Path, voice, rate: int, chunk: int) -> None:
    samples = voice(1.2, rate=rate)
    found = in_javascript(folder, tmp_path / "sound", samples, rate, chunk)
    curves, address = in_python(folder, samples, rate)
    assert found["numbers"] == list(range(36)) and tuple(found["shapes"]) == CONFIG.shapes
    np.testing.assert_allclose(found["curves"], curves, atol=1e-4)
    np.testing.assert_allclose(found["address"], address, atol=1e-4)
    assert np.std(curves, axis=0).max() > 0.005


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_curves_agree_on_ten_clips_with_a_network_of_full_size(tmp_path: Path, clip: Path) -> None:
    """Within a thousandth, however the weights are; silence, gain and a style among the clips."""
    number = CLIPS.index(clip)
    full = {name: getattr(LiveConfig(CONFIG.shapes), name) for name in ("grid", "channels", "width", "hidden")}
    save_live(random_network(number, **full), tmp_path / "live")
    samples = load_waveform(clip).samples[:20_000] * (1.0, 0.02)[number == 1]
    samples[5000 : 5000 + 4000 * (number % 3)] = 0
    style = np.linspace(0.5, 2.0, 40, dtype=np.float32) if number % 2 else None
    found = in_javascript(tmp_path / "live", tmp_path / "sound", samples, 16000, 512, style)
    curves, _ = in_python(tmp_path / "live", samples, 16000, style)
    np.testing.assert_allclose(found["curves"], curves, atol=1e-3)


def test_there_are_ten_clips() -> None:
    assert len(CLIPS) == 10


def test_a_style_changes_the_same_curves(tmp_path: Path, voice) -> None:
    """Lips close, part and touch the teeth in these frames, so that every rule of the mouth's contacts acts."""
    network, head, samples = lively_network(), load_head(), voice(1.6)
    save_live(network, tmp_path / "live")
    network = load_live(tmp_path / "live")
    weights, delivery = live_style(RICH, head, network.config.slots)
    pieces = list(live_pieces(network, head, [samples], weights, delivery))
    expected = np.concatenate([piece.curves.weights for piece in pieces])
    plain = np.concatenate([piece.curves.weights for piece in live_pieces(network, head, [samples], weights)])
    found = in_javascript(tmp_path / "live", tmp_path / "sound", samples, 16000, 320, RICH)
    order = [found["shapes"].index(name) for name in pieces[0].curves.names]
    np.testing.assert_allclose(np.array(found["curves"])[:, order], expected, atol=1e-4)
    contacts = delivery.contacts
    lips, teeth = contacts.closed(plain), contacts.at_teeth(plain)
    assert np.ptp(lips) > 0.3 and np.ptp(teeth) > 0.3 and np.abs(expected - plain).max() > 0.3


def test_visemes_make_the_same_mouth(folder: Path, tmp_path: Path, voice) -> None:
    """Some visemes look alike, so that their weights may differ where the mouth that they make does not."""
    found = in_javascript(folder, tmp_path / "sound", voice(1.2), 16000, 320)
    head = load_head()
    solver, names = VisemeSolver.on(head), head.blendshape_names
    weights = np.zeros((36, len(names)))
    weights[:, [names.index(name) for name in found["shapes"]]] = found["curves"]
    wanted, given = solver.solve(weights), np.array(found["visemes"])
    assert tuple(found["names"]) == VISEMES
    np.testing.assert_allclose(given.sum(1), 1, atol=1e-9)
    assert given.min() >= 0 and (wanted > 0.02).sum(1).min() >= 2
    poses = viseme_recipe(names) @ solver.measures
    np.testing.assert_allclose(given @ poses, wanted @ poses, atol=1e-6)  # metres
    np.testing.assert_allclose(found["vowels"], vrm_presets(given), atol=1e-4)


def test_the_tables_are_those_of_the_head() -> None:
    """`python -m tools.web.tables` makes it again; other libraries may round the last digits differently."""

    def read(text: str) -> dict:
        rows = [line.removeprefix("export const ").rstrip(";").split(" = ", 1) for line in text.splitlines()[1:]]
        return {name: json.loads(value) for name, value in rows}

    kept, made = read(TABLE.read_text(encoding="utf-8")), read(table())
    assert (kept["SHAPES"], kept["VISEMES"], kept["VRM"]) == (made["SHAPES"], made["VISEMES"], made["VRM"])
    styles, again = read(DELIVERY_TABLE.read_text(encoding="utf-8")), read(delivery_table())
    assert styles.keys() == again.keys()
    for name, value in styles.items():
        if name in ("OPENINGS", "MIDDLE", "LOWERING", "TEETH_REST"):
            np.testing.assert_allclose(value, again[name], atol=1e-7)
        else:
            assert value == again[name], name
    for one, other in ((kept, made), (made, kept)):
        gram = np.array(one["TRIANGLE"]).T @ np.array(one["TRIANGLE"])
        np.testing.assert_allclose(gram, np.array(other["TRIANGLE"]).T @ np.array(other["TRIANGLE"]), atol=1e-8)
    seen = [np.array(one["MEASURES"]) @ np.array(one["TRIANGLE"]) for one in (kept, made)]
    np.testing.assert_allclose(*seen, atol=1e-8)

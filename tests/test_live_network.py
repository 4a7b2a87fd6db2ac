"""The live network: the same bytes in chunks of any size, causal, led by the style, stored like other weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from live_case import CONFIG, random_network

from memorytalker import AudioError, ConfigError, FaceCurves, TalkerError, WeightsError
from memorytalker.animation import MotionPiece
from memorytalker.live_motion import live_end, live_frames, live_start
from memorytalker.live_weights import LARGEST_LIVE, load_live, save_live
from memorytalker.models.live import LiveNetwork
from memorytalker.models.live_config import LiveConfig


@pytest.fixture(scope="module")
def network() -> LiveNetwork:
    return random_network()


def pieces_of(talker, network: LiveNetwork, sound: np.ndarray, size: int, style=None, **more) -> list[MotionPiece]:
    chunks = (sound[first : first + size] for first in range(0, len(sound), size))
    return list(talker.live(chunks, style, weights=network, **more))


def joined(pieces: list[MotionPiece]) -> tuple[np.ndarray, np.ndarray]:
    assert [piece.first_frame for piece in pieces] == np.cumsum([0, *(len(p.motion) for p in pieces[:-1])]).tolist()
    return (
        np.concatenate([piece.curves.weights for piece in pieces]),
        np.concatenate([piece.memory_address for piece in pieces]),
    )


def test_chunks_of_any_size_give_the_same_bytes(tiny_talker, network, voice) -> None:
    sound = voice(1.3)
    whole = joined(pieces_of(tiny_talker, network, sound, len(sound)))
    assert whole[0].shape == (39, 52) and whole[0].std(0).max() > 0.005
    np.testing.assert_allclose(whole[1].sum(1), 1, atol=1e-5)
    for size in (160, 533, 5000):
        again = joined(pieces_of(tiny_talker, network, sound, size))
        assert [one.tobytes() for one in again] == [one.tobytes() for one in whole]


def test_frames_come_as_soon_as_their_look_ahead_is_there(network, voice) -> None:
    sound, state, seen = voice(1.0), live_start(network), []
    for first in range(0, len(sound), 80):
        state, frames = live_frames(network, state, sound[first : first + 80])
        if frames is not None:
            assert len(frames.curves) == 1
            seen.append((state.received / 16000, frames.first))
    assert [frame for _, frame in seen] == list(range(len(seen)))
    waits = np.array([heard - frame / 30 for heard, frame in seen])
    assert waits.min() >= CONFIG.grid.lookahead - 1e-4 and waits.max() <= CONFIG.grid.lookahead + 0.005 + 1e-4
    _, rest = live_end(network, state)
    assert rest is not None and rest.first + len(rest.curves) == 30


def test_a_frame_hears_nothing_after_its_look_ahead(tiny_talker, network, voice) -> None:
    sound, frame = voice(1.3), 21
    changed = sound.copy()
    changed[CONFIG.grid.block_end(frame) :] *= -0.2
    before, after = (joined(pieces_of(tiny_talker, network, one, 800))[0] for one in (sound, changed))
    assert np.array_equal(before[: frame + 1], after[: frame + 1])
    assert not np.array_equal(before[frame + 1], after[frame + 1])


def test_a_sequence_gives_what_its_frames_give(network) -> None:
    random = torch.Generator().manual_seed(0)
    mel = torch.randn(2, 20, 4, 16, generator=random) * 10 - 40
    level, style = torch.full((2, 20), -30.0), torch.rand(2, 40, generator=random) + 0.5
    with torch.no_grad():
        whole, state, found = network(mel, level, style), None, []
        for t in range(20):
            output = network(mel[:, t : t + 1], level[:, t : t + 1], style, state)
            state = output.state
            found.append(output.curves)
    torch.testing.assert_close(torch.cat(found, 1), whole.curves)
    for one, other in zip(state.layers, whole.state.layers, strict=True):
        torch.testing.assert_close(one, other)


def test_curves_beyond_their_limits_come_back_in_training_only(network) -> None:
    mel, level = torch.zeros(1, 3, 4, 16), torch.zeros(1, 3)
    beyond = random_network()
    torch.nn.init.constant_(beyond.curves.bias, -3.0)
    assert beyond(mel, level).curves.max() == 0
    output = beyond.train()(mel, level)
    assert output.curves.max() < 0
    output.curves.sum().backward()
    assert beyond.curves.bias.grad.abs().min() > 0


def test_the_style_scales_the_slots(tiny_talker, network, voice) -> None:
    sound = voice(0.5)
    neutral = joined(pieces_of(tiny_talker, network, sound, 800))[0]
    ones = joined(pieces_of(tiny_talker, network, sound, 800, np.ones(40, np.float32)))[0]
    strong = pieces_of(tiny_talker, network, sound, 800, np.full(40, 2.0, np.float32))
    assert np.array_equal(neutral, ones) and not np.array_equal(neutral, joined(strong)[0])
    assert (strong[0].style_weights == 2).all()
    voiced = pieces_of(tiny_talker, network, sound, 800, (sound, 16000))
    np.testing.assert_array_equal(voiced[0].style_weights, tiny_talker.style_of((sound, 16000)))


def test_another_head_moves_by_the_same_curves(tiny_talker, network, voice) -> None:
    other = list(tiny_talker.head.identities)[1]
    head = tiny_talker.head.with_identity(other)
    (piece, *_) = pieces_of(tiny_talker, network, voice(0.5), 8000, head=head)
    assert piece.motion.head.identity == other and piece.fps == 30
    expected = FaceCurves(piece.curves.weights, piece.curves.names, 30).to_motion(head)
    np.testing.assert_allclose(piece.vertices, head.template + expected.offsets, atol=1e-6)


def test_refusals(tiny_talker, network, voice) -> None:
    with pytest.raises(AudioError, match="without any sound"):
        list(tiny_talker.live([], weights=network))
    with pytest.raises(AudioError, match="finite float samples"):
        list(tiny_talker.live([np.zeros(10, np.int16)], weights=network))
    with pytest.raises(TalkerError, match="Style weights are 40"):
        tiny_talker.live([], np.ones(3, np.float32), weights=network)
    with pytest.raises(TalkerError, match="other memory slots"):
        tiny_talker.live([], weights=random_network(slots=("sil", "aa")))
    with pytest.raises(TalkerError, match="no blendshapes"):
        bare = dataclasses.replace(tiny_talker.head, blendshape_names=(), blendshapes=np.zeros((0, 1, 3), np.float32))
        tiny_talker.live([], weights=network, head=bare)


def test_weights_are_stored_and_checked(network, tmp_path: Path) -> None:
    about = save_live(network, tmp_path / "live", {"why": "a test"})
    again = load_live(tmp_path / "live")
    assert again.config == network.config and about.stored_as == "float16"
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value.half().float())
    tensors = tmp_path / "live" / "model.safetensors"
    data = bytearray(tensors.read_bytes())
    data[-1] ^= 1
    tensors.write_bytes(data)
    with pytest.raises(WeightsError, match="sha256 differs"):
        load_live(tmp_path / "live")
    with pytest.raises(WeightsError, match="train live"):
        load_live(tmp_path / "absent")
    config = tmp_path / "live" / "config.json"
    values = json.loads(config.read_text())
    values["live"]["grid"]["ahead"] = 100_000
    config.write_text(json.dumps(values))
    with pytest.raises(WeightsError, match="MelGrid.ahead"):
        load_live(tmp_path / "live")


def test_the_shipped_size_is_small_enough_for_a_browser() -> None:
    with torch.device("meta"):
        network = LiveNetwork(LiveConfig(CONFIG.shapes))
    assert 2 * sum(value.numel() for value in network.state_dict().values()) + 10_000 < LARGEST_LIVE
    assert network.config.grid.lookahead <= 0.12


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": 0}, "LiveConfig.channels"),
        ({"dilations": ()}, "1 to 64"),
        ({"shapes": ("jawOpen", "jawOpen")}, "each only once"),
        ({"grid": dataclasses.replace(CONFIG.grid, transform=500)}, "power of two"),
        ({"grid": dataclasses.replace(CONFIG.grid, transform=256)}, "power of two"),
        ({"grid": dataclasses.replace(CONFIG.grid, ahead=200)}, "at most 0.5 s"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(CONFIG, **changes)

"""The road from sound to motion: nothing truncated, streams equal wholes, styles belong to their owners."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from memorytalker.config import ConfigError
from memorytalker.devices import choose_device
from memorytalker.exports.take import ExportError
from memorytalker.face.head import HeadError, load_head
from memorytalker.options import RenderOptions
from memorytalker.phones import ENGLISH
from memorytalker.pipeline import OWN_VOICE, Talker, TalkerError
from memorytalker.sound.decode import AudioError, Waveform
from memorytalker.styles.style import Style, StyleError

RATE = 16000


def collect(pieces) -> tuple[np.ndarray, np.ndarray]:
    """Pieces joined, after checking that each begins where the one before ended."""
    pieces = list(pieces)
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    assert [piece.first_frame for piece in pieces] == starts[:-1].tolist()
    return tuple(np.concatenate([getattr(p, field) for p in pieces]) for field in ("vertices", "memory_address"))


def cut(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[i : i + size] for i in range(0, len(samples), size)]


# The tiny talker's windows are 2 s with 0.5 s of overlap: 60 and 15 frames. 3.6 s leaves a tail window whose new part
# (0.1 s) is shorter than the overlap; 3.5 s ends with a window, 3.5334 s is one frame longer.
@pytest.mark.parametrize("seconds", [0.11, 0.7, 2.0, 2.01, 2.05, 3.5, 3.5334, 3.6, 7.123])
@pytest.mark.parametrize("size", [777, 16001, 1_000_000])
def test_a_stream_is_the_whole(tiny_talker: Talker, voice, seconds: float, size: int) -> None:
    samples = voice(seconds)
    whole = tiny_talker.animate((samples, RATE), style=None)
    vertices, address = collect(tiny_talker.stream(cut(samples, size), style=None))
    assert np.array_equal(vertices, whole.vertices) and np.array_equal(address, whole.memory_address)


@pytest.mark.parametrize("seconds", [0.1, 0.73, 2.0, 2.02, 5.01, 9.0])
def test_nothing_is_truncated(tiny_talker: Talker, voice, seconds: float) -> None:
    animation = tiny_talker.animate((voice(seconds), RATE))
    assert abs(len(animation.vertices) / animation.fps - seconds) < 1 / animation.fps
    assert animation.vertices.shape[1:] == tiny_talker.head.template.shape
    assert animation.vertices.dtype == np.float32 and np.isfinite(animation.vertices).all()
    assert animation.memory_address.shape == (len(animation.vertices), len(animation.slot_labels))
    np.testing.assert_allclose(animation.memory_address.sum(1), 1.0, atol=1e-5)


def test_the_default_style_is_the_sound_itself(tiny_talker: Talker, voice) -> None:
    sound, other = (voice(2.5, 1), RATE), (0.2 * np.random.default_rng(0).standard_normal(40000), RATE)
    own, same = tiny_talker.animate(sound), tiny_talker.animate(sound, style=sound)
    assert np.array_equal(own.vertices, same.vertices)
    assert np.array_equal(own.vertices, tiny_talker.animate(sound, style=OWN_VOICE).vertices)
    borrowed = tiny_talker.animate(sound, style=other)
    assert np.array_equal(borrowed.style_weights, tiny_talker.style_of(other))
    assert np.abs(borrowed.vertices - own.vertices).max() > 1e-6
    np.testing.assert_array_equal(borrowed.memory_address, own.memory_address)  # the style does not change the content


def test_styles_have_the_same_names_in_python_as_everywhere(tiny_talker: Talker, voice, tmp_path: Path) -> None:
    sound, lively = (voice(1.0), RATE), Style.preset("lively")
    meant = {"own": OWN_VOICE, "neutral": None, "lively": lively, str(lively.save(tmp_path / "a.json")): lively}
    for word, style in meant.items():
        named, given = (tiny_talker.animate(sound, style=one) for one in (word, style))
        assert named.vertices.tobytes() == given.vertices.tobytes() and named.provenance == given.provenance, word
    streamed = next(tiny_talker.stream([sound[0]], "neutral"))
    assert (streamed.style_weights == 1).all() and (tiny_talker.style_of("neutral") == 1).all()
    with pytest.raises(StyleError, match="called 'own' now"):
        tiny_talker.animate(sound, "this voice")
    with pytest.raises(StyleError, match="the voice that is animated"):
        tiny_talker.style_of("own")


def test_neutral_style_is_one_for_every_slot_and_stage_1(tiny_talker: Talker, voice) -> None:
    sound = (voice(1.0), RATE)
    neutral = tiny_talker.animate(sound, style=None)
    assert (neutral.style_weights == 1).all()
    with torch.no_grad():
        logits = tiny_talker.model.text_logits(torch.from_numpy(sound[0])[None], torch.tensor([30]))
        offsets = tiny_talker.model(logits).offsets[0].numpy()
    np.testing.assert_allclose(
        neutral.vertices, tiny_talker.head.template + tiny_talker.space.offsets(offsets), atol=1e-6
    )


def test_style_blend_goes_from_neutral_to_style(tiny_talker: Talker, voice) -> None:
    sound = (voice(1.0), RATE)
    styled = tiny_talker.animate(sound)
    assert np.array_equal(
        tiny_talker.animate(sound, style_blend=0.0).vertices, tiny_talker.animate(sound, style=None).vertices
    )
    half = tiny_talker.animate(sound, style_blend=0.5).style_weights
    np.testing.assert_allclose(half, (1 + styled.style_weights) / 2, rtol=1e-6)
    with pytest.raises(ConfigError, match="style_blend"):
        tiny_talker.animate(sound, style_blend=3.5)


def test_a_stream_takes_its_style_from_the_first_window_or_as_given(tiny_talker: Talker, voice) -> None:
    samples = voice(3.0)
    first = next(tiny_talker.stream(cut(samples, 5000)))
    np.testing.assert_array_equal(first.style_weights, tiny_talker.style_of((samples[:32000], RATE)))
    given = next(tiny_talker.stream(cut(samples, 5000), style=np.full(40, 0.5, np.float32)))
    assert (given.style_weights == 0.5).all()
    with pytest.raises(TalkerError, match="40 finite numbers"):
        next(tiny_talker.stream(cut(samples, 5000), style=samples))


def test_the_style_of_a_long_sound_is_the_mean_of_its_pieces(tiny_talker: Talker, voice) -> None:
    samples = voice(62.0)
    halves = [tiny_talker.style_of((half, RATE)) for half in np.array_split(samples, 2)]
    np.testing.assert_allclose(tiny_talker.style_of((samples, RATE)), np.mean(halves, 0), rtol=1e-4)


def test_the_distance_from_the_microphone_does_not_matter(tiny_talker: Talker, voice) -> None:
    near = tiny_talker.animate((voice(3.0), RATE))
    far = tiny_talker.animate((voice(3.0) * np.float32(0.25), RATE))
    np.testing.assert_allclose(far.vertices, near.vertices, atol=1e-5)


def test_the_first_sound_does_not_stay_in_the_talker(tiny_talker: Talker, voice) -> None:
    a, b = (voice(2.5, 1), RATE), (voice(2.5, 2) * np.float32(0.1), RATE)
    before = tiny_talker.animate(b).vertices
    tiny_talker.animate(a, identity=list(tiny_talker.head.identities)[-1], style=None)
    assert np.array_equal(tiny_talker.animate(b).vertices, before)


def test_identities_share_the_motion(tiny_talker: Talker, voice) -> None:
    sound, head = (voice(1.0), RATE), tiny_talker.head
    name = list(head.identities)[1]
    default, other = tiny_talker.animate(sound), tiny_talker.animate(sound, identity=name)
    assert other.head.identity == name
    np.testing.assert_allclose(other.vertices - head.identities[name], default.vertices - head.template, atol=1e-6)
    with pytest.raises(HeadError, match="nobody"):
        tiny_talker.animate(sound, identity="nobody")


def test_progress_arrives_at_its_total(tiny_talker: Talker, voice) -> None:
    calls = []
    animation = tiny_talker.animate((voice(5.0), RATE), progress=lambda *call: calls.append(call))
    assert [done for done, _, _ in calls] == sorted({done for done, _, _ in calls})
    assert calls[-1] == (len(animation.vertices), len(animation.vertices), "motion")


def test_the_result_says_what_it_is(tiny_talker: Talker, voice) -> None:
    animation = tiny_talker.animate((voice(1.0), RATE))
    assert animation.fps == 30 and animation.slot_labels == ENGLISH.phones
    assert isinstance(animation.waveform, Waveform) and animation.waveform.seconds == 1.0
    assert animation.style_weights.shape == tiny_talker.mean_style.shape == (40,)
    with pytest.raises(dataclasses.FrozenInstanceError):
        animation.fps = 25


@pytest.mark.parametrize("family", ["vocaset", "biwi"])
def test_the_paper_families_speak_through_the_same_road(make_model, voice, family: str) -> None:
    head = load_head()
    model = make_model(family, coordinates=head.template.size, window_seconds=2.0, overlap_seconds=0.5)
    talker = Talker(model, head)
    samples = voice(3.3)
    whole = talker.animate((samples, RATE))
    assert len(whole.vertices) == round(3.3 * model.config.fps)
    vertices, address = collect(talker.stream(cut(samples, 999), style=whole.style_weights))
    assert np.array_equal(vertices, whole.vertices)
    np.testing.assert_allclose(address.sum(1), 1.0, atol=1e-5)


def test_requests_that_cannot_be_met_are_refused(tiny_talker: Talker, voice, make_model) -> None:
    with pytest.raises(AudioError, match="no file"):
        tiny_talker.animate("nowhere.wav")
    with pytest.raises(AudioError, match="0.1 s"):
        tiny_talker.animate((voice(0.05), RATE))
    with pytest.raises(AudioError, match="without any sound"):
        list(tiny_talker.stream([]))
    with pytest.raises(AudioError, match="finite float"):
        list(tiny_talker.stream([np.zeros((2, 800))], style=None))
    for seed in (-1, 0.5, None):
        with pytest.raises(ConfigError, match="whole number from 0"):
            tiny_talker.animate((voice(1.0), RATE), expression=True, seed=seed)
    with pytest.raises(TalkerError, match="no device 'tpu'"):
        choose_device("tpu")
    with pytest.raises(TalkerError, match="20 vertices but the head has .* give the head of"):
        Talker(make_model("open"), load_head())
    with pytest.raises(TalkerError, match="overlap_seconds"):
        Talker(make_model("open", coordinates=load_head().template.size, overlap_seconds=12.0), load_head())


def paused(voice) -> np.ndarray:
    """1.5 s of voice, a second of silence, 1.1 s of voice."""
    return np.concatenate([voice(1.5), np.zeros(RATE, np.float32), voice(1.1, 1)])


@pytest.mark.parametrize("size", [777, 1_000_000])
def test_a_stream_is_the_whole_with_every_layer(tiny_talker: Talker, voice, size: int) -> None:
    choices = {"expression": True, "seed": 3, "close_in_silence": True}
    for samples in (paused(voice), voice(7.123), voice(0.11)):
        whole = tiny_talker.animate((samples, RATE), style=None, **choices)
        vertices, _ = collect(tiny_talker.stream(cut(samples, size), style=None, **choices))
        assert np.array_equal(vertices, whole.vertices)


def test_expression_moves_eyes_and_brows_by_its_seed_and_never_the_mouth(tiny_talker: Talker, voice) -> None:
    sound, head = (voice(5.0), RATE), tiny_talker.head
    plain, first, again, other = (
        tiny_talker.animate(sound, **choices).vertices
        for choices in ({}, {"expression": True}, {"expression": True}, {"expression": True, "seed": 1})
    )
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).max() > 0.005
    moved = np.abs(first - plain).max(axis=(0, 2))
    assert moved[head.regions["eyelids"]].max() > 0.005  # someone blinks in five seconds
    assert moved[head.regions["lips"]].max() == 0
    mouth = ("inner_lip_upper", "inner_lip_lower", "mouth_left", "mouth_right", "chin", "upper_teeth")
    assert moved[[head.landmarks[name] for name in mouth]].max() == 0


def test_no_layer_is_applied_by_default(tiny_talker: Talker, voice) -> None:
    sound = (paused(voice), RATE)
    plain = tiny_talker.animate(sound).vertices
    explicit = tiny_talker.animate(sound, expression=False, seed=5, close_in_silence=False).vertices
    assert plain.tobytes() == explicit.tobytes()


def test_the_mouth_can_be_closed_in_silence(tiny_talker: Talker, voice) -> None:
    sound, template = (paused(voice), RATE), tiny_talker.head.template
    plain = tiny_talker.animate(sound, style=None).vertices
    closed = tiny_talker.animate(sound, style=None, close_in_silence=True).vertices
    assert np.array_equal(closed[:44], plain[:44]) and np.array_equal(closed[75:], plain[75:])  # speech
    within = slice(round(1.65 * 30), round(2.3 * 30))
    assert np.abs(closed[within] - template).max() < 1e-7 < np.abs(plain[within] - template).max()


def test_a_head_without_blendshapes_cannot_show_expression(tiny_talker: Talker, voice) -> None:
    bare = dataclasses.replace(tiny_talker.head, blendshape_names=(), blendshapes=np.zeros((0, 9648, 3), np.float32))
    talker = Talker(tiny_talker.model, bare)
    assert len(talker.animate((voice(1.0), RATE), close_in_silence=True).vertices) == 30
    with pytest.raises(TalkerError, match="cannot move eyes and brows; leave expression off, or use the shipped head"):
        talker.animate((voice(1.0), RATE), expression=True)


def test_the_result_can_go_to_another_process(tiny_talker: Talker, voice) -> None:
    """A borrowed GPU works in another process and sends its result back."""
    animation = tiny_talker.animate((voice(0.5), RATE))
    back = pickle.loads(pickle.dumps(animation))
    assert np.array_equal(back.vertices, animation.vertices) and back.head.identity == animation.head.identity


def test_npz_round_trip(tiny_talker: Talker, voice, tmp_path: Path) -> None:
    animation = tiny_talker.animate((voice(1.0), RATE))
    assert animation.save(tmp_path / "talk.npz") == (tmp_path / "talk.npz",)
    with np.load(tmp_path / "talk.npz", allow_pickle=False) as saved:
        assert np.array_equal(saved["vertices"], animation.vertices) and saved["fps"] == 30
        assert tuple(saved["slot_labels"]) == animation.slot_labels
    assert [path.name for path in tmp_path.iterdir()] == ["talk.npz"]


def test_unknown_formats_name_the_known_ones(tiny_talker: Talker, voice, tmp_path: Path) -> None:
    animation = tiny_talker.animate((voice(0.5), RATE))
    for name in ("talk.avi", "talk", "talk.mp4.txt"):
        with pytest.raises(ExportError, match=r"\.mp4, \.webm, \.csv"):
            animation.save(tmp_path / name)
    with pytest.raises(ExportError, match="There is no folder"):
        animation.save(tmp_path / "missing" / "talk.npz")
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_no_file_and_keeps_the_old_one(
    tiny_talker: Talker, voice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memorytalker import rendering

    def breaking(*call, **more):
        yield np.zeros((64, 64, 3), np.uint8)
        raise RuntimeError("the encoder broke")

    monkeypatch.setattr(rendering, "render_frames", breaking)
    animation = tiny_talker.animate((voice(0.5), RATE))
    (tmp_path / "talk.mp4").write_bytes(b"an older video")
    for name in ("new.mp4", "talk.mp4"):
        with pytest.raises(RuntimeError, match="the encoder broke"):
            animation.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mp4"]
    assert (tmp_path / "talk.mp4").read_bytes() == b"an older video"


def test_a_video_is_as_long_as_its_sound(tiny_talker: Talker, voice, tmp_path: Path) -> None:
    from memorytalker.rendering import RenderError, check_graphics

    try:
        check_graphics()
    except RenderError as error:
        pytest.skip(str(error))
    import imageio_ffmpeg

    animation, calls = tiny_talker.animate((voice(0.8), RATE)), []
    render = RenderOptions(width=64, height=64, fps=25)
    animation.save(tmp_path / "talk.mp4", render=render, progress=lambda *call: calls.append(call))
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "talk.mp4"))
    assert frames == 20 and abs(seconds - 0.8) < 0.05 and calls[-1][:2] == (20, 20)

"""AnimateOptions is the one list of choices: library, command line and page take the same, with the same defaults."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import subprocess
import sys
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from stub_talker import StubTalker

from memorytalker import cli
from memorytalker.config import ConfigError
from memorytalker.flags import add_flags, from_flags
from memorytalker.options import AnimateChanges, AnimateOptions, CurveChanges, CurveOptions, RenderOptions, described
from memorytalker.page import animate, api
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PLAIN_ERRORS
from memorytalker.page.request import AnimateRequest, options_of
from memorytalker.pipeline import Talker
from memorytalker.styles.arousal import ArousalEstimate

#: What has no control on the page; the endpoint `animate` takes everything.
NOT_ON_THE_PAGE = ("mood", "mood_strength", "head_motion", "voice_arousal")
FIELDS = {field.name: field for field in dataclasses.fields(AnimateOptions)}
RATE = 16000


@dataclass(frozen=True)
class More(AnimateOptions):
    """The options of tomorrow."""

    yawn: bool = described(True, "yawn at 100 % of the pauses")
    tilt: float = described(0.5, "how far the head leans", "radians", -1, 1)
    mood: str | None = described(None, "how it feels")


def parsed(options: type, *arguments: str) -> Any:
    parser = argparse.ArgumentParser()
    add_flags(parser, options)
    return from_flags(options, parser.parse_args(arguments))


def shown(*arguments: str) -> str:
    """What a command prints, its lines joined."""
    command = [sys.executable, "-m", "memorytalker", *arguments]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_animate_and_stream_take_the_same_and_by_keyword_alone() -> None:
    taken = []
    for call in (Talker.animate, Talker.stream):
        others = list(inspect.signature(call).parameters.values())[2:]
        assert [p.name for p in others if p.kind is p.POSITIONAL_OR_KEYWORD] == ["style"]
        taken.append({p.name: (p.kind, p.default, p.annotation) for p in others if p.name != "progress"})
    assert taken[0].pop("encoded")[:2] == (inspect.Parameter.KEYWORD_ONLY, None), "a stream encodes what comes, once"
    assert taken[0] == taken[1]
    assert set(taken[0]) == {"style", "options", "changes"} and taken[0]["options"][1] == AnimateOptions()


def test_a_forgotten_order_cannot_change_what_is_meant(tiny_talker: Talker) -> None:
    with pytest.raises(TypeError, match="positional"):
        tiny_talker.stream([], None, None, True)
    with pytest.raises(TypeError, match="positional"):
        tiny_talker.animate((np.zeros(RATE, np.float32), RATE), None, None)


def test_keywords_are_fields_and_typed_as_they_are() -> None:
    hints = typing.get_type_hints(AnimateOptions)
    assert typing.get_type_hints(AnimateChanges) == hints and list(hints) == list(FIELDS)
    assert typing.get_type_hints(CurveChanges) == typing.get_type_hints(CurveOptions)
    assert AnimateOptions(seed=3).changed(expression=True) == AnimateOptions(seed=3, expression=True)
    with pytest.raises(TypeError, match="no option expresion; an animation has identity, style_blend, expr"):
        AnimateOptions().changed(expresion=True)


def test_a_misspelt_option_is_refused_before_any_sound_is_read(tiny_talker: Talker) -> None:
    def never() -> Any:
        raise AssertionError("a chunk was taken")
        yield

    with pytest.raises(TypeError, match="no option sead"):
        tiny_talker.stream(never(), sead=1)
    with pytest.raises(ConfigError, match="style_blend"):
        tiny_talker.stream(never(), style_blend=3.5)
    with pytest.raises(TypeError, match="no option sead"):
        tiny_talker.animate("nowhere.wav", sead=1)


def test_options_and_keywords_give_the_same_motion(tiny_talker: Talker, voice, monkeypatch) -> None:
    size = 2 * tiny_talker.config.speech.hidden_size
    estimate = ArousalEstimate(np.zeros(size), np.ones(size), np.full(size, 1 / size), 0.2)
    monkeypatch.setattr("memorytalker.pipeline.load_arousal", lambda model: estimate)
    samples, head = voice(2.6), list(tiny_talker.head.identities)[1]
    choices = {"identity": head, "style_blend": 0.5, "expression": True, "seed": 4, "close_in_silence": True}
    choices |= {"mood": "joy", "mood_strength": 0.5, "head_motion": 0.7, "voice_arousal": True}
    assert set(choices) == set(FIELDS)
    by_keyword = tiny_talker.animate((samples, RATE), None, **choices)
    by_object = tiny_talker.animate((samples, RATE), None, options=AnimateOptions(**choices))
    mixed = tiny_talker.animate((samples, RATE), None, options=AnimateOptions(**choices | {"seed": 9}), seed=4)
    pieces = tiny_talker.stream([samples], None, options=AnimateOptions(**choices))
    streamed = np.concatenate([piece.vertices for piece in pieces])
    for other in (by_object.vertices, mixed.vertices, streamed):
        assert other.tobytes() == by_keyword.vertices.tobytes()


def test_a_sound_is_read_once(tiny_talker: Talker, voice, monkeypatch: pytest.MonkeyPatch) -> None:
    from memorytalker import pipeline
    from memorytalker.styles import slot_weights

    read, load = [], pipeline.load_waveform
    for reader in (pipeline, slot_weights):
        monkeypatch.setattr(reader, "load_waveform", lambda sound: read.append(sound) or load(sound))
    sound, other = (voice(2.6), RATE), (voice(1.0, 1), RATE)
    tiny_talker.animate(sound)
    assert read == [sound]
    tiny_talker.animate(sound, other)
    assert read == [sound, other, sound]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"style_blend": 3.01}, "from 0, neutral, over 1, the style, to 3"),
        ({"style_blend": -0.01}, "from 0, neutral, over 1, the style, to 3"),
        ({"style_blend": float("nan")}, "from 0, neutral, over 1, the style, to 3"),
        ({"style_blend": "much"}, "from 0, neutral, over 1, the style, to 3"),
        ({"style_blend": True}, "from 0, neutral, over 1, the style, to 3"),
        ({"seed": -1}, "whole number from 0"),
        ({"seed": 0.5}, "whole number from 0"),
        ({"seed": True}, "whole number from 0"),
        ({"seed": None}, "whole number from 0"),
        ({"expression": "no"}, "either True or False"),
        ({"close_in_silence": None}, "either True or False"),
        ({"identity": 3}, "a name of the head"),
        ({"mood": "bliss"}, "no mood 'bliss'; choose one of joy, sadness"),
        ({"mood": 1}, "no mood 1"),
        ({"mood_strength": 1.5}, "mood_strength goes from 0 to 1"),
        ({"mood_strength": None}, "mood_strength goes from 0 to 1"),
        ({"voice_arousal": 1}, "either True or False"),
        ({"head_motion": -0.1}, "head_motion goes from 0 to 1"),
        ({"head_motion": float("nan")}, "head_motion goes from 0 to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(choice: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        AnimateOptions(**choice)
    assert isinstance(refused.value, PLAIN_ERRORS)  # the page tells it to its visitor
    message = str(refused.value)
    assert message.endswith(".") and "\n" not in message
    with pytest.raises(ConfigError, match=words):
        options_of(**choice)


def test_a_message_stays_short_whatever_was_sent() -> None:
    for name in FIELDS:
        with pytest.raises(ConfigError) as refused:
            AnimateOptions(**{name: ["x" * 100_000] * 1000})
        assert len(str(refused.value)) < 200


def described_fields(cls: type) -> list[dataclasses.Field]:
    """The fields with a flag; the format of a file decides about transparency."""
    fields = [field for field in dataclasses.fields(cls) if "help" in field.metadata]
    assert len(fields) == len(dataclasses.fields(cls)) - (cls is RenderOptions)
    return fields


def test_pairs_are_flags_that_may_be_repeated() -> None:
    parser = argparse.ArgumentParser()
    cli.add_animate(parser)
    chosen = parser.parse_args(
        ["clip.wav", "--gain", "jawOpen=1.5", "--gain", "mouthPucker=0", "--offset", "jawOpen=-1"]
    )
    options = from_flags(CurveOptions, chosen)
    assert options == CurveOptions(gains={"jawOpen": 1.5, "mouthPucker": 0}, offsets={"jawOpen": -1})
    assert from_flags(CurveOptions, parser.parse_args(["clip.wav"])) == CurveOptions()
    for wrong in ("jawOpen", "jawOpen=loud", "=1"):
        with pytest.raises(SystemExit):
            parser.parse_args(["clip.wav", "--gain", wrong])


def test_numbers_of_numpy_are_numbers() -> None:
    AnimateOptions(style_blend=np.float32(0.5), seed=np.int64(7), expression=np.bool_(True))


@pytest.mark.parametrize("cls", [AnimateOptions, CurveOptions, RenderOptions])
def test_documented_bounds_are_those_that_hold(cls: type) -> None:
    for field in described_fields(cls):
        step = 2 if "even" in field.metadata["unit"] else 1
        for bound, way in (("lowest", -step), ("highest", step)):
            value = field.metadata[bound]
            if value is not None:
                assert getattr(cls(**{field.name: value}), field.name) == value
                assert str(value) in field.metadata["unit"]
                with pytest.raises(ConfigError):
                    cls(**{field.name: value + way})


def test_a_new_field_is_a_new_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed(More) == More()
    given = ("--no-yawn", "--tilt", "-0.25", "--mood", "joy", "--expression", "--seed", "3", "--identity", "efua")
    expected = More(yawn=False, tilt=-0.25, mood="joy", expression=True, seed=3, identity="efua")
    assert parsed(More, *given) == expected
    with pytest.raises(SystemExit):
        parsed(More, "--help")
    printed = " ".join(capsys.readouterr().out.split())
    for words in ("yawn at 100 % of the pauses (default: on)", "(radians; default: 0.5)", "--mood", "how it feels"):
        assert words in printed
    assert "None" not in printed


@pytest.mark.parametrize("cls", [AnimateOptions, CurveOptions, RenderOptions])
def test_help_says_of_every_field_what_it_means(cls: type) -> None:
    printed = shown("animate", "--help")
    for field in described_fields(cls):
        flag = field.name.replace("_", "-")
        assert f"--{flag.removesuffix('s') if field.default == () else flag}" in printed
        assert field.metadata["help"] and field.metadata["help"] in printed


def test_every_field_is_explained() -> None:
    for cls in (AnimateOptions, CurveOptions, RenderOptions):
        for field in dataclasses.fields(cls):
            assert f"        {field.name}: " in cls.__doc__, f"{cls.__name__}.{field.name}"


def test_defaults_are_the_same_everywhere() -> None:
    library = {name: field.default for name, field in FIELDS.items()}
    parser = argparse.ArgumentParser()
    cli.add_animate(parser)
    line = from_flags(AnimateOptions, parser.parse_args(["clip.wav"]))
    assert dataclasses.asdict(line) == dataclasses.asdict(AnimateOptions()) == library
    with gr.Blocks() as demo:
        api.build_api(JobRunner(StubTalker()))
    endpoint = {one["parameter_name"]: one for one in demo.get_api_info()["named_endpoints"]["/animate"]["parameters"]}
    for name, default in library.items() - {("identity", None)}:
        given, about = endpoint[name]["parameter_default"], FIELDS[name].metadata
        assert endpoint[name]["parameter_has_default"] and given == default and type(given) is type(default), name
        bounds = {"minimum": about["lowest"], "maximum": about["highest"]}
        assert {key: endpoint[name]["type"].get(key) for key in bounds} == bounds, name
    assert AnimateRequest(None, "woman").options == options_of() == AnimateOptions()


def test_what_the_page_leaves_out_is_listed() -> None:
    source = inspect.getsource(animate.animate_form)
    assert {name for name in FIELDS if f'"{name}"' not in source} == set(NOT_ON_THE_PAGE)


def test_whole_numbers_with_a_point_are_whole_numbers_on_the_page() -> None:
    seed = options_of(seed=7.0).seed
    assert seed == 7 and isinstance(seed, int)


def test_no_library_of_networks_or_graphics_is_needed() -> None:
    code = "import memorytalker.options, sys; print({'torch', 'numpy', 'gradio', 'pyvista'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""Configuration: frozen dataclasses that read from and write to JSON, and refuse keys they do not know.

Everything that differs between the shipped open model and the paper's VOCASET and BIWI settings is a
number or a name in one of these classes; the network itself never asks which data set it is for.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from memorytalker.errors import InputError
from memorytalker.phones import ENGLISH


class ConfigError(InputError):
    """A configuration that cannot be used; the message says what is wrong and what is allowed."""


def from_dict(cls: type, values: dict) -> typing.Any:
    """Build the frozen dataclass `cls` from plain JSON values, descending into nested dataclasses.

    Raises ConfigError on an unknown key, naming the valid ones, and on a value of the wrong kind.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{cls.__name__} needs a JSON object, not {type(values).__name__}.")
    hints = typing.get_type_hints(cls)
    known = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"Unknown key {', '.join(map(repr, unknown))} in {cls.__name__}; valid keys: {', '.join(sorted(known))}."
        )
    missing = sorted(f.name for f in dataclasses.fields(cls) if f.name not in values and not _has_default(f))
    if missing:
        raise ConfigError(f"{cls.__name__} needs the key {', '.join(map(repr, missing))}; add it.")
    return cls(**{key: _convert(hints[key], value, f"{cls.__name__}.{key}") for key, value in values.items()})


def _has_default(one: dataclasses.Field) -> bool:
    return one.default is not dataclasses.MISSING or one.default_factory is not dataclasses.MISSING


def merged(values: Mapping[str, typing.Any], edit: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """`values` with the fields of `edit` put in, objects in depth; both plain JSON values, neither is changed."""
    result = dict(values)
    for key, value in edit.items():
        inside = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if inside else value
    return result


def _convert(hint: typing.Any, value: typing.Any, where: str) -> typing.Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return None if value is None else _convert(options[0], value, where)
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where} needs a list, not {value!r}.")
        return tuple(_convert(typing.get_args(hint)[0], item, where) for item in value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) is not (hint is bool) or not isinstance(value, hint):
        raise ConfigError(f"{where} needs {hint.__name__}, not {value!r}.")
    return value


def to_dict(config: typing.Any) -> dict:
    """Plain JSON values of a configuration, the inverse of `from_dict`."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def read(cls: type, path: str | Path) -> typing.Any:
    """Read a configuration of class `cls` from a JSON file. Raises ConfigError in plain words."""
    return from_dict(cls, read_values(path))


def read_values(path: str | Path) -> dict[str, typing.Any]:
    """The plain values of a JSON file that holds an object. Raises ConfigError in plain words."""
    path = Path(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is not readable JSON: {error}.") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} needs to hold a JSON object, not {type(values).__name__}.")
    return values


def write(config: typing.Any, path: str | Path) -> None:
    """Write a configuration as indented JSON."""
    Path(path).write_text(json.dumps(to_dict(config), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class SpeechConfig:
    """What listens: a pretrained transformer and the head that turns its states into slot logits."""

    form: str = "whisper"  # "whisper" (log-mel, encoder of Whisper) or "hubert" (raw samples, HuBERT)
    hidden_size: int = 384
    layers: int = 4
    heads: int = 6
    feedforward: int = 1536
    mel_bins: int = 80  # whisper only: that of the pretrained encoder
    state_rate: int = 50  # hidden states per second
    resample: str = "after"  # features go to the motion rate "before" the transformer (VOCASET) or "after" it
    head_channels: int = 192  # 0: one linear layer, the paper's CTC head; else width of a temporal convolution head
    head_layers: int = 3  # temporal convolutions of that head
    frozen: bool = True  # the whole pretrained part; the paper freezes HuBERT's convolutions only
    initialise_from: str | None = None  # a folder or owner/name@commit with pretrained weights for a fresh model
    mixed_layers: int = 0  # states are the mean of so many last layers, each normalised; 0: the last layer as it is
    normalise: float = 0.0  # above 0: states less the clip's mean, through its spread plus this; 0: as they are
    target_level: float = 0.1  # r.m.s. that the loud frames of a waveform are scaled to; 0: unit variance (paper)


@dataclass(frozen=True)
class StyleConfig:
    """The style encoder: a speaker encoder in the AdaIN-VC form, or what is simpler, over a log-mel of 100 frames/s."""

    mel_bins: int = 80
    window: int = 400  # samples at 16 kHz
    hop: int = 160
    channels: int = 128
    strides: tuple[int, ...] = (1, 2, 1, 2, 1, 2)
    kernel: int = 5
    embedding: int = 256
    dropout: float = 0.0
    statistics: bool = False  # `voice_statistics` of the clip join the embedding ...
    convolutions: bool = True  # ... and False: are all that is heard, without the convolutions of AdaIN-VC
    mel_mean: float = 0.0  # decibels taken from the log-mel before it is heard ...
    mel_spread: float = 1.0  # ... and by which it is divided


@dataclass(frozen=True)
class ModelConfig:
    """One MemoryTalker. B batch, T motion frames, V vertices, n slots, c feature width."""

    name: str = "open"
    fps: int = 30
    coordinates: int = 3 * 5023  # numbers per motion frame: 3 V for vertices in metres
    slots: tuple[str, ...] = ENGLISH.phones  # n labels
    width: int = 96  # c
    attention_heads: int = 4
    decoder_layers: int = 1
    dropout: float = 0.1
    period: int = 30  # frames of the periodic position encoding
    scaling: float = 16.0  # kappa
    text_frames: int = 1  # text frames per motion frame that the decoder sees: 1 (VOCASET, open), 2 (BIWI)
    motion_scale: float = 1.0  # the network works in units of 1 / motion_scale metres (1: the paper's metres)
    sample_rate: int = 16000
    window_seconds: float = 12.0  # longer sound is processed in windows of this length ...
    overlap_seconds: float = 2.0  # ... whose overlap is cross-faded
    use_memory: bool = True  # False: the decoder reads the text alone, the paper's baseline
    speakers: tuple[str, ...] = ()  # named: style by label instead of by sound, one vector of slot weights for each
    speech: SpeechConfig = field(default_factory=SpeechConfig)
    style: StyleConfig = field(default_factory=StyleConfig)

    @property
    def slot_count(self) -> int:
        """n, the number of memory slots."""
        return len(self.slots)

    @property
    def vertex_count(self) -> int:
        """V, for a model whose coordinates are vertices."""
        return self.coordinates // 3

    def slot_index(self, slot: int | str) -> int:
        """The number of a slot given by number or label. Raises ConfigError for one that is not there."""
        if isinstance(slot, str) and slot in self.slots:
            return self.slots.index(slot)
        if not isinstance(slot, (str, bool)) and slot in range(self.slot_count):
            return int(slot)
        raise ConfigError(
            f"There is no memory slot {slot!r}; give a number from 0 to {self.slot_count - 1} or one of "
            f"{' '.join(self.slots)}."
        )


@dataclass(frozen=True)
class CurveRegressorConfig:
    """What hears a mouth in speech: networks over a speech encoder's states, taught by film, answers averaged.

    The sizes were found on filmed clips that were left out.
    """

    shapes: tuple[str, ...]  # the S curves it answers with, by name
    directions: int = 10  # K, in which a mouth moves: more are noise of the film
    hidden_size: int = 384  # of the speech encoder, and below how its states are made, as in SpeechConfig
    state_rate: int = 50
    mixed_layers: int = 0
    fps: int = 30
    channels: int = 96
    layers: int = 3
    dropout: float = 0.3
    normalise: float = 0.3  # as SpeechConfig.normalise: the voice is taken out, the speech is left
    members: int = 2  # networks from different seeds


@dataclass(frozen=True)
class LossConfig:
    """How much each loss counts. The defaults are the paper's; what the paper does not have is 0 by default."""

    motion: float = 1.0
    velocity: float = 1.0
    memory: float = 0.01
    align: float = 0.01
    lip: float = 0.01
    style: float = 0.01
    margin: float = 5.0  # of the style triplet
    slots: float = 0.0  # cross entropy of the key address with the phone spoken: gives every slot its name
    opening: float = 0.0  # relative error of the lip gap: a closed mouth counts as much as an open one
    closed_weight: float = 0.0  # by how much more the opening loss counts where the mouth is truly shut
    lip_to_teeth: float = 0.0  # relative error of the gap between lower lip and upper teeth, as `opening`
    lips_in_stage_one: float = 0.0  # the lip loss in stage 1 as well
    style_consistency: float = 0.0  # stage 1 decodes once more in the style that recorded motion shows


@dataclass(frozen=True)
class TrainingConfig:
    """One run of one stage. The defaults are the paper's stage 1; batch 1, Adam, a constant rate."""

    stage: str = "memorize"  # memorize (stage 1) or stylize (stage 2)
    epochs: int = 100
    batch_size: int = 1
    learning_rate: float = 1e-4
    warmup_steps: int = 0
    final_rate: float = 1.0  # the rate falls along a cosine to this share of learning_rate
    weight_decay: float = 0.0
    clip_norm: float = 0.0  # gradients longer than this are shortened; 0: never
    crop_seconds: float = 0.0  # longer clips are cut at random to this length; 0: whole clips
    captured_share: float = 0.0  # share of each epoch drawn from recorded motion; 0: every clip once
    style_seconds: float = 0.0  # longer clips show the style encoder a random piece of this length; 0: all
    validate_every: int = 1  # epochs
    seed: int = 0
    mixed_precision: str = "no"  # "no", "bf16" or "fp16" (a GPU only)
    losses: LossConfig = field(default_factory=LossConfig)

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

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = typing.TypeVar("C", bound="DataclassInstance")


class ConfigError(InputError):
    """A configuration or option that cannot be used; the message says what is wrong and what is allowed."""


def from_dict(cls: type[C], values: typing.Any) -> C:
    """Build a configuration from plain JSON values, nested dataclasses included.

    Args:
        cls: a frozen dataclass.
        values: a dict of its fields; a field that is missing keeps its default.

    Returns:
        An instance of `cls`.

    Raises:
        ConfigError: an unknown key (the message names the valid ones), or a value of the wrong type.
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
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
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


def to_dict(config: DataclassInstance) -> dict[str, typing.Any]:
    """Return the plain JSON values of a configuration, the inverse of `from_dict`."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def read(cls: type[C], path: str | Path) -> C:
    """Read a configuration from a JSON file.

    Args:
        cls: a frozen dataclass.
        path: the file.

    Returns:
        An instance of `cls`.

    Raises:
        ConfigError: a missing or unreadable file, or values that `from_dict` refuses.
    """
    return from_dict(cls, read_values(path))


def read_values(path: str | Path) -> dict[str, typing.Any]:
    """Return the plain values of a JSON file that holds an object. Raises ConfigError in plain words."""
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


def write(config: DataclassInstance, path: str | Path) -> None:
    """Write a configuration as indented JSON."""
    Path(path).write_text(json.dumps(to_dict(config), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class SpeechConfig:
    """The speech encoder: a pretrained transformer, and the head that maps its hidden states to slot logits."""

    form: str = "whisper"  # "whisper" (Whisper's encoder, reads a log-mel) or "hubert" (HuBERT, reads samples)
    hidden_size: int = 384
    layers: int = 4
    heads: int = 6
    feedforward: int = 1536
    mel_bins: int = 80  # "whisper" only: as the pretrained encoder has
    state_rate: int = 50  # hidden states per second
    resample: str = "after"  # to the text rate "before" the transformer (VOCASET) or "after" the head
    head_channels: int = 192  # width of a head of temporal convolutions; 0: one linear layer, the paper's CTC head
    head_layers: int = 3  # convolutions of that head
    frozen: bool = True  # train no pretrained weights; the paper freezes only HuBERT's convolutions
    initialise_from: str | None = None  # folder or owner/name@commit of the pretrained weights for a new model
    mixed_layers: int = 0  # average this many last layers, each normalised; 0: take the last layer as it is
    normalise: float = 0.0  # added to the standard deviation when states are normalised per clip; 0: no normalisation
    target_level: float = 0.1  # r.m.s. that loud frames of a waveform are scaled to; 0: unit variance (paper)


@dataclass(frozen=True)
class StyleConfig:
    """The style encoder, which reads a log-mel: AdaIN-VC's speaker encoder, statistics of the log-mel, or both."""

    mel_bins: int = 80
    window: int = 400  # samples at 16 kHz
    hop: int = 160  # samples: 100 frames per second
    channels: int = 128
    strides: tuple[int, ...] = (1, 2, 1, 2, 1, 2)
    kernel: int = 5
    embedding: int = 256
    dropout: float = 0.0
    statistics: bool = False  # use `models.style.voice_statistics` of the clip
    convolutions: bool = True  # use the convolutions of AdaIN-VC
    mel_mean: float = 0.0  # dB, subtracted from the log-mel
    mel_spread: float = 1.0  # dB, by which the difference is divided


@dataclass(frozen=True)
class ModelConfig:
    """A MemoryTalker model. Symbols: T motion frames, V vertices, n memory slots, c feature width."""

    name: str = "open"
    fps: int = 30
    coordinates: int = 3 * 5023  # numbers per motion frame: 3 V for vertices, fewer in a linear basis
    slots: tuple[str, ...] = ENGLISH.phones  # the labels of the n slots
    width: int = 96  # c
    attention_heads: int = 4
    decoder_layers: int = 1
    dropout: float = 0.1
    period: int = 30  # of the position encoding, in frames
    scaling: float = 16.0  # kappa of the paper, multiplies logits before the softmax of an address
    text_frames: int = 1  # text frames per motion frame that the decoder sees: 1 (VOCASET, open), 2 (BIWI)
    motion_scale: float = 1.0  # the network computes in units of 1 / motion_scale metres; 1: the paper's metres
    sample_rate: int = 16000  # Hz
    window_seconds: float = 12.0  # longer sound is processed in windows of this length
    overlap_seconds: float = 2.0  # of neighbouring windows, which are cross-faded there
    use_memory: bool = True  # False: the decoder reads the text feature alone, the paper's baseline
    speakers: tuple[str, ...] = ()  # if given, style weights are learned per speaker label, not read from sound
    speech: SpeechConfig = field(default_factory=SpeechConfig)
    style: StyleConfig = field(default_factory=StyleConfig)

    @property
    def slot_count(self) -> int:
        """Number of memory slots, n."""
        return len(self.slots)

    @property
    def vertex_count(self) -> int:
        """Number of vertices, V, of a model whose coordinates are vertices."""
        return self.coordinates // 3

    def slot_index(self, slot: int | str) -> int:
        """Return the number of a memory slot.

        Args:
            slot: its number from 0, or its label.

        Returns:
            The number.

        Raises:
            ConfigError: no such slot.
        """
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
    """An ensemble that predicts mouth curves from speech-encoder states, trained on video-tracked motion.

    The defaults were chosen on held-out videos.
    """

    shapes: tuple[str, ...]  # names of the S predicted blendshapes
    directions: int = 10  # K principal directions of the tracked motion; further ones are tracking noise
    hidden_size: int = 384  # hidden_size, state_rate and mixed_layers are those of the speech encoder (SpeechConfig)
    state_rate: int = 50
    mixed_layers: int = 0
    fps: int = 30  # of the curves
    channels: int = 96
    layers: int = 3
    dropout: float = 0.3
    normalise: float = 0.3  # as SpeechConfig.normalise: removes the speaker, keeps the speech
    members: int = 2  # networks, from different seeds, whose predictions are averaged


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses. The defaults are the paper's; losses that the paper does not have default to 0."""

    motion: float = 1.0
    velocity: float = 1.0
    memory: float = 0.01
    align: float = 0.01
    lip: float = 0.01
    style: float = 0.01
    margin: float = 5.0  # of the style triplet loss, no weight
    slots: float = 0.0  # cross entropy between the key address and the spoken phone, which ties slots to phones
    opening: float = 0.0  # relative error of the lip opening, so that a closed mouth counts as much as an open one
    closed_weight: float = 0.0  # added weight of the opening loss where the reference mouth is closed
    lip_to_teeth: float = 0.0  # the opening loss for the distance from the lower lip to the upper teeth
    lips_in_stage_one: float = 0.0  # the lip loss, in stage 1 too
    style_consistency: float = 0.0  # stage 1: losses of a second decoding in the style estimated from the motion


@dataclass(frozen=True)
class TrainingConfig:
    """One run of one training stage. The defaults are the paper's stage 1: batch 1, Adam, a constant rate."""

    stage: str = "memorize"  # memorize (stage 1) or stylize (stage 2)
    epochs: int = 100
    batch_size: int = 1
    learning_rate: float = 1e-4
    warmup_steps: int = 0
    final_rate: float = 1.0  # the rate decays along a cosine to this share of learning_rate
    weight_decay: float = 0.0
    clip_norm: float = 0.0  # largest norm of the gradient; 0: no clipping
    crop_seconds: float = 0.0  # longer clips are cropped at random to this length; 0: whole clips
    captured_share: float = 0.0  # share of each epoch drawn from captured motion; 0: every clip once
    style_seconds: float = 0.0  # the style encoder reads a random piece of this length of longer clips; 0: all
    validate_every: int = 1  # epochs
    seed: int = 0
    mixed_precision: str = "no"  # "no", "bf16" or "fp16" (a GPU only)
    losses: LossConfig = field(default_factory=LossConfig)

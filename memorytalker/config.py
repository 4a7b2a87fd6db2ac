"""Configuration: frozen dataclasses that read from and write to JSON, and refuse keys they do not know.

Everything that differs between the shipped open model and the paper's VOCASET and BIWI settings is a
number or a name in one of these classes; the network itself never asks which data set it is for.
"""

from __future__ import annotations

import dataclasses
import json
import math
import reprlib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from memorytalker.errors import InputError
from memorytalker.files import read_json
from memorytalker.phones import ENGLISH

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: What every generator of random numbers takes as a seed.
LARGEST_SEED = 2**32 - 1
#: Names in one list of a configuration at the most; and numbers of JSON beyond this are infinite.
MOST_NAMES, LARGEST_NUMBER = 10_000, 1e308
#: Letters of such a name at the most.
LONGEST_NAME = 200

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
            f"Unknown key {', '.join(map(shown, unknown[:5]))} in {cls.__name__}; valid keys: "
            f"{', '.join(sorted(known))}."
        )
    missing = sorted(f.name for f in dataclasses.fields(cls) if f.name not in values and not _has_default(f))
    if missing:
        raise ConfigError(f"{cls.__name__} needs the key {', '.join(map(repr, missing))}; add it.")
    # what lies inside is converted first: a range is refused by the class that has it
    return cls(**{key: _convert(hints[key], value, f"{cls.__name__}.{key}") for key, value in values.items()})


def _has_default(one: dataclasses.Field) -> bool:
    return one.default is not dataclasses.MISSING or one.default_factory is not dataclasses.MISSING


def check_ranges(config: typing.Any, **ranges: tuple[float, float]) -> None:
    """Refuse impossible numbers before anything is built from them.

    Args:
        config: a dataclass.
        ranges: by name of its fields the least and the largest number that it may hold, or each entry of its tuple.

    Raises:
        ConfigError: a number outside, nan included, in one sentence that names the field and its range.
    """
    for name, (lowest, highest) in ranges.items():
        value = getattr(config, name)
        for one in value if isinstance(value, tuple) else (value,):
            if not lowest <= one <= highest:
                raise ConfigError(
                    f"{type(config).__name__}.{name} is {shown(one)}; choose a number from {lowest:g} to {highest:g}."
                )


def check_names(config: typing.Any, name: str, fewest: int = 0) -> None:
    """Raise ConfigError unless the names in the tuple `config.name` are distinct, printable, `fewest` to 10000."""
    names = tuple(map(str, getattr(config, name)))
    if not fewest <= len(names) <= MOST_NAMES or len(set(names)) < len(names):
        raise ConfigError(
            f"{type(config).__name__}.{name} has {len(names)} names; give {fewest} to {MOST_NAMES}, each only once."
        )
    odd = next((one for one in names if not (1 <= len(one) <= LONGEST_NAME and one.isprintable())), None)
    if odd is not None:
        raise ConfigError(
            f"{type(config).__name__}.{name} has the name {shown(odd)}; give names of 1 to {LONGEST_NAME} letters."
        )


def shown(value: typing.Any) -> str:
    """Format a value for a message: shortened and on one line, because anybody may have sent it."""
    try:
        text = reprlib.repr(value)
    except ValueError:  # a whole number of too many digits
        text = "a very long number"
    return text if len(text) <= 40 else f"{text[:37]}..."


def merged(values: Mapping[str, typing.Any], edit: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """Merge `edit` into a copy of `values`, key by key at every depth.

    Args:
        values: plain JSON values; not changed.
        edit: the values that replace or extend them; not changed.

    Returns:
        The merged values.
    """
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
            raise ConfigError(f"{where} needs a list, not {shown(value)}.")
        return tuple(_convert(typing.get_args(hint)[0], item, where) for item in value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        too_large = isinstance(value, int) and abs(value) > LARGEST_NUMBER
        return math.copysign(math.inf, -1 if value < 0 else 1) if too_large else float(value)
    if isinstance(value, bool) is not (hint is bool) or not isinstance(value, hint):
        raise ConfigError(f"{where} needs {hint.__name__}, not {shown(value)}.")
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
        values = read_json(path)
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}.") from None
    except OSError:
        raise ConfigError(f"{path} cannot be read; name a JSON file that may be read.") from None
    except ValueError as error:
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
    normalise: float = 0.0  # added to the standard deviation when states are normalised; 0: no normalisation
    normalise_by: str = "clip"  # the mean and deviation of each "clip", or of the training "corpus"
    target_level: float = 0.1  # r.m.s. that loud frames of a waveform are scaled to; 0: unit variance (paper)

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible sizes and rates."""
        check_ranges(
            self, hidden_size=(1, 8192), layers=(1, 128), heads=(1, 128), feedforward=(1, 65536), mel_bins=(1, 1024),
            state_rate=(1, 1000), head_channels=(0, 8192), head_layers=(0, 64), mixed_layers=(0, 128),
            normalise=(0, 1000), target_level=(0, 1),
        )  # fmt: skip
        if self.normalise_by not in ("clip", "corpus"):
            raise ConfigError(f'SpeechConfig.normalise_by is {shown(self.normalise_by)}; choose "clip" or "corpus".')
        if self.hidden_size % self.heads:
            raise ConfigError(
                f"SpeechConfig.hidden_size is {self.hidden_size}; choose a multiple of its {self.heads} heads."
            )


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

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible sizes."""
        check_ranges(
            self, mel_bins=(1, 1024), window=(2, 16000), hop=(1, 16000), channels=(1, 8192), strides=(1, 100),
            kernel=(1, 100), embedding=(1, 8192), dropout=(0, 1), mel_mean=(-1000, 1000), mel_spread=(1e-6, 1000),
        )  # fmt: skip
        if len(self.strides) > 64:
            raise ConfigError(f"StyleConfig.strides has {len(self.strides)} convolutions; give 64 at the most.")


@dataclass(frozen=True)
class ModelConfig:
    """A MemoryTalker model. Symbols: T motion frames, V vertices, n memory slots, c feature width."""

    name: str = "open"
    fps: int = 30
    coordinates: int = 3 * 5023  # numbers per motion frame: 3 V for vertices, fewer in a linear basis
    basis: str = ""  # name of the head's basis of motion that the coordinates are in; "": vertices
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

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible sizes, rates and lengths."""
        check_ranges(
            self, fps=(1, 240), coordinates=(1, 3_000_000), width=(1, 8192), attention_heads=(1, 128),
            decoder_layers=(1, 128), dropout=(0, 1), period=(1, 100_000), scaling=(1e-6, 1e6), text_frames=(1, 16),
            motion_scale=(1e-6, 1e6), sample_rate=(16000, 16000), window_seconds=(0.1, 600), overlap_seconds=(0, 600),
        )  # fmt: skip
        check_names(self, "slots", fewest=2)
        check_names(self, "speakers")
        if self.width % self.attention_heads:
            raise ConfigError(
                f"ModelConfig.width is {self.width}; choose a multiple of its {self.attention_heads} attention_heads."
            )

    @property
    def slot_count(self) -> int:
        """Number of memory slots, n."""
        return len(self.slots)

    @property
    def vertex_count(self) -> int:
        """Number of vertices, V, of a model of vertices; 0 for a model of coordinates in a basis."""
        return 0 if self.basis else self.coordinates // 3

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
            f"There is no memory slot {shown(slot)}; give a number from 0 to {self.slot_count - 1} or one of "
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

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible sizes and rates."""
        check_ranges(
            self, directions=(1, 10_000), hidden_size=(1, 8192), state_rate=(1, 1000), mixed_layers=(0, 128),
            fps=(1, 240), channels=(0, 8192), layers=(0, 64), dropout=(0, 1), normalise=(0, 1000), members=(1, 64),
        )  # fmt: skip
        check_names(self, "shapes", fewest=1)


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

    def __post_init__(self) -> None:
        """Raise ConfigError for a weight that is negative, or not finite."""
        check_ranges(self, **{one.name: (0, 1e6) for one in dataclasses.fields(self)})


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

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that no training can have."""
        check_ranges(
            self, epochs=(0, 1e6), batch_size=(1, 1e6), learning_rate=(0, 10), warmup_steps=(0, 1e9),
            final_rate=(0, 1), weight_decay=(0, 10), clip_norm=(0, 1e9), crop_seconds=(0, 3600),
            captured_share=(0, 1), style_seconds=(0, 3600), validate_every=(1, 1e6), seed=(0, LARGEST_SEED),
        )  # fmt: skip

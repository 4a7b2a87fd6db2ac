"""MemoryTalker: hear, find the memory, weigh it by style, move (Kim, Lee and Kim 2025, arXiv 2507.20562).

One class for both stages: without style weights it is stage 1, the neutral style; with them stage 2. It computes no
losses and reads no files.

Units: motion goes in and offsets come out in metres from the template. Inside, the motion encoder and the decoder work
in `motion_scale` times metres; the two conversions are in `MemoryTalker.forward` and nowhere else.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from memorytalker.config import ConfigError, ModelConfig
from memorytalker.models.decoder import MotionDecoder
from memorytalker.models.layers import mask_lengths, stretch
from memorytalker.models.memory import MotionMemory
from memorytalker.models.speech import build_speech_encoder
from memorytalker.models.style import SpeakerLabels, StyleEncoder, StyleOutput
from memorytalker.sound.mel import normalise_level, style_log_mel

#: Share of every frame that is read from a slot whose face is asked for.
HELD_SHARE = 0.99


@dataclass(frozen=True)
class GivenMotion:
    """What the model makes of recorded motion, for the losses of stage 1."""

    motion_feature: Tensor  # f_m (B, T, c)
    value_address: Tensor  # V_m (B, T, n), rows sum to 1
    recalled_feature: Tensor  # f_val (B, T, c)
    offsets: Tensor  # (B, T, coordinates) metres: decoded with f_m in the place of f_key


@dataclass(frozen=True)
class TalkerOutput:
    """One forward pass. Frames that the mask excludes hold meaningless numbers."""

    offsets: Tensor  # (B, T, coordinates) metres from the template
    text_logits: Tensor  # (B, T, n) at the motion rate
    key_address: Tensor  # K_txt (B, T, n), rows sum to 1
    text_feature: Tensor  # f_txt (B, T, c)
    retrieved_feature: Tensor  # f_key (B, T, c)
    style_weights: Tensor | None  # w_s (B, n); None: neutral
    given: GivenMotion | None  # only when motion was given to a model that has a memory
    has_memory: bool = True  # False: retrieved_feature is all zeros


class MemoryTalker(nn.Module):
    """Speech encoder, motion memory, style encoder and motion decoder in the paper's order."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        n, c = config.slot_count, config.width
        self.config = config
        self.speech = build_speech_encoder(config)
        self.text = nn.Linear(n, c)
        self.memory = MotionMemory(n, c, config.scaling)
        self.motion = nn.Linear(config.coordinates, c)
        self.decoder = MotionDecoder(config)
        self.style = SpeakerLabels(len(config.speakers), n) if config.speakers else StyleEncoder(config.style, n)
        self.register_buffer("style_mean", torch.ones(n))  # mean w_s of the training speakers, to compare people by
        # (n, n) the logits with which training speech reads each slot; before that the least that read it alone
        self.register_buffer(
            "slot_logits", torch.eye(n) * math.log(HELD_SHARE * (n - 1) / (1 - HELD_SHARE)) / config.scaling
        )

    def forward(
        self,
        text_logits: Tensor,
        mask: Tensor | None = None,
        style_weights: Tensor | None = None,
        motion: Tensor | None = None,
    ) -> TalkerOutput:
        """From slot logits to motion.

        text_logits (B, k T, n) at the text rate, k = config.text_frames; mask (B, T) is True on valid motion frames
        (None: all); style_weights (B, n), None for the neutral style; motion (B, T, coordinates) in metres from the
        template, to be encoded as well.
        """
        use_memory = self.config.use_memory
        text_memory = self.text(text_logits)  # f_txt at the text rate
        logits = self._to_motion_rate(text_logits, mask)
        text = self.text(logits)  # f_txt; linear, so projecting and resampling commute
        address = self.memory.key_address(logits)  # Eq. 5
        # Eq. 6; Eq. 12 with style
        retrieved = self.memory.retrieve(address, style_weights) if use_memory else torch.zeros_like(text)
        scale = self.config.motion_scale
        offsets = self.decoder(text, retrieved, text_memory, mask) / scale  # Eq. 8
        given = None
        if motion is not None and use_memory:
            feature = self.motion(motion * scale)
            value = self.memory.value_address(feature.detach())  # Eq. 1; the memory's losses teach the slots alone
            recalled = self.memory.recall(value)  # Eq. 2
            given = GivenMotion(feature, value, recalled, self.decoder(text, feature, text_memory, mask) / scale)
        return TalkerOutput(offsets, logits, address, text, retrieved, style_weights, given, use_memory)

    def text_logits(
        self, waveform: Tensor, frames: Tensor, lengths: Tensor | None = None, levels: Tensor | None = None
    ) -> Tensor:
        """Slot logits of sound: waveform (B, S) at 16 kHz, frames (B,) motion frames wanted -> (B, k max(frames), n).

        lengths (B,) valid samples, None for all; levels (B,) loudnesses to normalise by, None for each clip's own.
        """
        text_frames = frames * self.config.text_frames
        states = self.speech.states(waveform, lengths, levels, text_frames)
        sizes = [waveform.shape[1]] * waveform.shape[0] if lengths is None else lengths.tolist()
        counts = [self.speech.state_count(s, f) for s, f in zip(sizes, text_frames.tolist(), strict=True)]
        mask = self.speech.state_mask(torch.tensor(counts, device=waveform.device))
        return self.speech.logits(states, int(text_frames.max()), mask)

    def style_of(self, waveform: Tensor, lengths: Tensor | None = None) -> StyleOutput:
        """How the speakers of waveform (B, S) at 16 kHz speak, each by itself; lengths (B,) valid samples.

        Raises ConfigError for a model that knows its speakers by label.
        """
        if self.config.speakers:
            raise ConfigError(
                "This model cannot hear a style: it knows its speakers by label; use the neutral style, or weights "
                "with a style encoder."
            )
        style = self.config.style
        sizes = [waveform.shape[1]] * waveform.shape[0] if lengths is None else lengths.tolist()
        mels = [
            style_log_mel(
                normalise_level(waveform[i : i + 1, :size], self.config.speech.target_level),
                style.mel_bins, style.window, style.hop,
            )[0].T
            for i, size in enumerate(sizes)
        ]  # fmt: skip
        frames = torch.tensor([len(mel) for mel in mels], device=waveform.device)
        return self.style(pad_sequence(mels, batch_first=True).transpose(1, 2), frames)

    @torch.inference_mode()
    def held_slot(self, slot: int, style_weights: Tensor | None = None) -> Tensor:
        """The face for which one slot is read steadily, as speech reads it: offsets (coordinates,) in metres.

        style_weights (n,), None for the neutral style. The mean over one period, for the face sways with the positions.
        A slot alone is no speech: the decoder also hears how much of the others there is, and has seen it only so.
        """
        period, device = self.config.period, self.memory.slots.device
        logits = self.slot_logits[slot].expand(1, period * self.config.text_frames, -1)
        style = None if style_weights is None else style_weights.to(device)[None]
        return self.forward(logits, style_weights=style).offsets[0].mean(0)

    def _to_motion_rate(self, text_logits: Tensor, mask: Tensor | None) -> Tensor:
        """(B, k T, n) -> (B, T, n), each item stretched over its own valid frames."""
        k = self.config.text_frames
        batch, size = text_logits.shape[0], text_logits.shape[1] // k
        if k * size != text_logits.shape[1]:
            raise ValueError(f"{text_logits.shape[1]} text frames do not make whole motion frames of {k}.")
        if k == 1:
            return text_logits
        frames = mask_lengths(mask, batch, size, text_logits.device)
        return stretch(text_logits, k * frames, frames, size)


def to_vertex_model(model: MemoryTalker, basis: Tensor) -> MemoryTalker:
    """The same model speaking vertices instead of coordinates of a linear basis.

    basis (K, 3 V) or (K, V, 3): offsets = coordinates @ basis, in metres when the coordinates are (orthonormal rows) or
    whatever scale the rows have. The basis is folded into the output layer, and its pseudo-inverse (the transpose, for
    orthonormal rows) into the motion encoder, so that for any motion within the basis
    expand(model)(motion @ basis).offsets = model(motion).offsets @ basis exactly.
    Raises ValueError if the basis has another number of rows than the model has coordinates.
    """
    basis = basis.detach().flatten(1).double().cpu()
    if basis.shape[0] != model.config.coordinates:
        raise ValueError(f"The basis has {basis.shape[0]} rows, the model {model.config.coordinates} coordinates.")
    state = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    inverse = torch.linalg.pinv(basis)  # (3 V, K)
    folded = {
        "decoder.output.weight": basis.T @ state["decoder.output.weight"].double(),
        "decoder.output.bias": state["decoder.output.bias"].double() @ basis,
        "motion.weight": state["motion.weight"].double() @ inverse.T,
    }
    state.update({name: value.float() for name, value in folded.items()})
    expanded = MemoryTalker(dataclasses.replace(model.config, coordinates=basis.shape[1]))
    expanded.load_state_dict(state)
    return expanded.train(model.training)

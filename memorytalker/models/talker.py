"""MemoryTalker: the whole network in the paper's order (Kim, Lee and Kim 2025, arXiv 2507.20562).

One class serves both stages: without style weights it is stage 1, the neutral style; with them stage 2. It computes no
losses and reads no files.

Units: motion and offsets are in metres from the template. The motion encoder and the decoder compute in `motion_scale`
times metres; both conversions are in `MemoryTalker.forward`.
"""

from __future__ import annotations

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

#: Memory address of a slot in `slot_logits` before training has filled them.
HELD_SHARE = 0.99


@dataclass(frozen=True)
class GivenMotion:
    """The encoding of reference motion, for the losses of stage 1.

    Args:
        motion_feature: f_m (B, T, c).
        value_address: V_m (B, T, n), rows sum to 1.
        recalled_feature: f_val (B, T, c).
        offsets: (B, T, coordinates) in metres, decoded from f_m instead of f_key.
    """

    motion_feature: Tensor
    value_address: Tensor
    recalled_feature: Tensor
    offsets: Tensor


@dataclass(frozen=True)
class TalkerOutput:
    """The result of a forward pass. Values of masked frames are meaningless.

    Args:
        offsets: (B, T, coordinates) in metres from the template.
        text_logits: (B, T, n) at the motion rate.
        key_address: K_txt (B, T, n), rows sum to 1.
        text_feature: f_txt (B, T, c).
        retrieved_feature: f_key (B, T, c).
        style_weights: w_s (B, n); None: the neutral style.
        given: the encoding of the reference motion; None if none was passed, or the model has no memory.
        has_memory: False if `retrieved_feature` is all zeros.
    """

    offsets: Tensor
    text_logits: Tensor
    key_address: Tensor
    text_feature: Tensor
    retrieved_feature: Tensor
    style_weights: Tensor | None
    given: GivenMotion | None
    has_memory: bool = True


class MemoryTalker(nn.Module):
    """Speech encoder, motion memory, style encoder and motion decoder in the paper's order.

    Args:
        config: the model; its weights are random, and its style neutral, until they are trained or loaded.
    """

    style: StyleEncoder | SpeakerLabels
    style_mean: Tensor  # (n,) mean w_s of the training speakers, the reference for a person's weights
    slot_logits: Tensor  # (n, n) the logits with which training speech addresses each slot

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
        self.register_buffer("style_mean", torch.ones(n))
        # Before training: the smallest logits that address one slot with HELD_SHARE.
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
        """Predict motion from slot logits.

        Args:
            text_logits: (B, k T, n) at the text rate, k = config.text_frames.
            mask: (B, T), True on valid motion frames; None: all are valid.
            style_weights: w_s (B, n); None: the neutral style.
            motion: (B, T, coordinates) in metres from the template, reference motion to encode too (stage 1).

        Returns:
            A TalkerOutput.
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
            value = self.memory.value_address(feature.detach())  # Eq. 1; the memory's losses train only the slots
            recalled = self.memory.recall(value)  # Eq. 2
            given = GivenMotion(feature, value, recalled, self.decoder(text, feature, text_memory, mask) / scale)
        return TalkerOutput(offsets, logits, address, text, retrieved, style_weights, given, use_memory)

    def text_logits(
        self, waveform: Tensor, frames: Tensor, lengths: Tensor | None = None, levels: Tensor | None = None
    ) -> Tensor:
        """Encode sound as slot logits.

        Args:
            waveform: (B, S) at 16 kHz.
            frames: (B,) number of motion frames of each item.
            lengths: (B,) valid samples; None: all are valid.
            levels: (B,) loudness to normalise by; None: each item's own.

        Returns:
            (B, k max(frames), n) at the text rate.
        """
        text_frames = frames * self.config.text_frames
        states = self.speech.states(waveform, lengths, levels, text_frames)
        sizes = [waveform.shape[1]] * waveform.shape[0] if lengths is None else lengths.tolist()
        counts = [self.speech.state_count(s, f) for s, f in zip(sizes, text_frames.tolist(), strict=True)]
        mask = self.speech.state_mask(torch.tensor(counts, device=waveform.device))
        return self.speech.logits(states, int(text_frames.max()), mask)

    def style_of(self, waveform: Tensor, lengths: Tensor | None = None) -> StyleOutput:
        """Encode the speaking style of sound, each item of the batch by itself.

        Args:
            waveform: (B, S) at 16 kHz.
            lengths: (B,) valid samples; None: all are valid.

        Returns:
            A StyleOutput.

        Raises:
            ConfigError: a model that knows its speakers by label.
        """
        if self.config.speakers:
            raise ConfigError(
                "This model cannot encode a style: it knows its speakers by label; use the neutral style, or weights "
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
    def slot_coordinates(self, slot: int, style_weights: Tensor | None = None) -> Tensor:
        """Decode the face of one memory slot.

        The decoder reads `slot_logits` of the slot and no one-hot address: it has only seen addresses of speech. The
        result is the mean over one period of the position encoding, with which the face moves a little.

        Args:
            slot: its number.
            style_weights: (n,); None: the neutral style.

        Returns:
            (coordinates,) in metres.
        """
        period, device = self.config.period, self.device
        logits = self.slot_logits[slot].expand(1, period * self.config.text_frames, -1)
        style = None if style_weights is None else style_weights.to(device)[None]
        return self.forward(logits, style_weights=style).offsets[0].mean(0)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.style_mean.device

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

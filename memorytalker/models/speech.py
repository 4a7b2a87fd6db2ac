"""The speech encoder: waveform -> hidden states of a pretrained transformer -> slot logits at the text rate.

Two encoders share one interface, chosen by name in the configuration: "hubert" reads samples, "whisper" a log-mel.
`states` (the pretrained part) and `logits` (the head) are separate calls, so that training can compute the states of a
frozen encoder once. This is the only module that imports transformers, and only for HuBERT and to read the files of a
pretrained model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from memorytalker.config import ConfigError, ModelConfig
from memorytalker.imports import collector_paused, name_user
from memorytalker.models.layers import length_mask, mask_lengths, sample_between, stretch
from memorytalker.models.states import (
    corpus_normalise,
    instance_normalise,
    keep_output,
    kept_outputs,
    mean_of_layers,
)
from memorytalker.models.whisper import WINDOW_STATES, WhisperEncoder
from memorytalker.sound.mel import normalise_level, speech_log_mel

if TYPE_CHECKING:
    from transformers import HubertModel

HEAD_KERNEL = 5  # states, 100 ms


class SlotHead(nn.Module):
    """Hidden states (B, S, hidden) -> slot logits (B, S, n): one linear layer, or residual convolutions over time.

    Args:
        hidden: width of the states.
        slots: n.
        channels: width of the convolutions; 0: one linear layer.
        layers: number of convolutions.
        dropout: after each convolution.
    """

    def __init__(self, hidden: int, slots: int, channels: int, layers: int, dropout: float) -> None:
        super().__init__()
        width = channels or hidden
        self.input = nn.Linear(hidden, channels) if channels else nn.Identity()
        blocks = layers if channels else 0
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, HEAD_KERNEL, padding=HEAD_KERNEL // 2) for _ in range(blocks)
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, slots)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map states to logits; `mask` (B, S) is True on valid states, the others count as zero padding."""
        x = self.input(states)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            y = norm(x)
            if mask is not None:
                y = y * mask.unsqueeze(-1)
            x = x + self.dropout(F.gelu(convolution(y.transpose(1, 2)).transpose(1, 2)))
        return self.output(x)


class SpeechEncoder(nn.Module):
    """Base of both encoders: the head, resampling to the text rate, and freezing.

    Args:
        config: the model's configuration.
    """

    encoder: nn.Module
    state_mean: Tensor  # (hidden,) of the training speech, where the configuration normalises by it
    state_spread: Tensor  # (hidden,) its standard deviation

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        speech = config.speech
        self.config = speech
        self.text_rate = config.fps * config.text_frames  # text frames per second
        self.head = SlotHead(
            speech.hidden_size, config.slot_count, speech.head_channels, speech.head_layers, config.dropout
        )
        if speech.normalise and speech.normalise_by == "corpus":
            self.register_buffer("state_mean", torch.zeros(speech.hidden_size))
            self.register_buffer("state_spread", torch.ones(speech.hidden_size))

    def states(
        self,
        waveform: Tensor,
        lengths: Tensor | None = None,
        levels: Tensor | None = None,
        frames: Tensor | None = None,
    ) -> Tensor:
        """Compute the hidden states of the pretrained transformer.

        Args:
            waveform: (B, A) at 16 kHz.
            lengths: (B,) valid samples; None: all are valid.
            levels: (B,) loudness to normalise by, see `mel.normalise_level`; None: each clip's own.
            frames: (B,) text frames of each clip; needed by an encoder that resamples "before" the transformer.

        Returns:
            (B, S, hidden), of which `state_count` states of each item are valid.
        """
        raise NotImplementedError

    def state_count(self, samples: int, frames: int | None = None) -> int:
        """Return the number of hidden states of a clip of `samples` samples and `frames` text frames."""
        raise NotImplementedError

    def logits(self, states: Tensor, frames: int, mask: Tensor | None = None) -> Tensor:
        """Compute slot logits at the text rate.

        With "after", text frame i is interpolated between the states around i / text_rate seconds; after the last
        state that one is repeated.

        Args:
            states: (B, S, hidden).
            frames: number of text frames, `text_frames` times the motion frames.
            mask: (B, S), True on valid states; None: all are valid.

        Returns:
            (B, frames, n).

        Raises:
            ValueError: states that were resampled "before" to another number of frames.
        """
        if self.config.normalise and self.config.normalise_by == "corpus":
            states = corpus_normalise(states, self.state_mean, self.state_spread, mask, self.config.normalise)
        elif self.config.normalise:
            states = instance_normalise(states, mask, self.config.normalise)
        logits = self.head(states, mask)
        if self.config.resample == "before":
            if states.shape[1] != frames:
                raise ValueError(f"These states were made for {states.shape[1]} text frames, not for {frames}.")
            return logits
        last = mask_lengths(mask, states.shape[0], states.shape[1], states.device) - 1
        times = torch.arange(frames, device=states.device) * (self.config.state_rate / self.text_rate)
        return sample_between(logits, torch.minimum(times[None], last[:, None].to(times)))

    def state_mask(self, counts: Tensor) -> Tensor:
        """Return the mask (B, S) of `counts` (B,) valid states."""
        return length_mask(counts, int(counts.max()))

    def train(self, mode: bool = True) -> SpeechEncoder:
        """Set the mode of the head; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.config.frozen:
            self.encoder.eval()
        return self

    def load_pretrained(self, state: dict[str, Tensor], origin: str) -> None:
        """Load the pretrained part.

        Args:
            state: its state dict.
            origin: where it comes from, for the message.

        Raises:
            ConfigError: names or shapes do not match.
        """
        own = self.encoder.state_dict()
        wrong = sorted(set(own) ^ set(state)) or sorted(k for k in own if own[k].shape != state[k].shape)
        if wrong:
            raise ConfigError(f"{origin} is not this encoder: {len(wrong)} names or shapes differ, first {wrong[:3]}.")
        self.encoder.load_state_dict({name: value.float() for name, value in state.items()})

    def pretrained_state(self, source: str, commit: str | None = None) -> dict[str, Tensor]:
        """The state of the pretrained half, read by transformers from its folder, or at a commit of its hub id."""
        raise NotImplementedError

    def _clips(self, waveform: Tensor, lengths: Tensor | None, levels: Tensor | None) -> list[Tensor]:
        """Each clip alone (S_i,), at the level the encoder expects."""
        sizes = [waveform.shape[1]] * waveform.shape[0] if lengths is None else lengths.tolist()
        target = self.config.target_level
        return [
            normalise_level(waveform[i : i + 1, :size], target, None if levels is None else levels[i : i + 1])[0]
            for i, size in enumerate(sizes)
        ]


class WhisperSpeech(SpeechEncoder):
    """The encoder of Whisper (Radford et al. 2022, arXiv 2212.04356), its position table cut to the clip's length."""

    STATE_SAMPLES = 320  # 20 ms
    encoder: WhisperEncoder

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if config.speech.resample != "after":
            raise ConfigError('speech.resample must be "after" for the "whisper" form: its states come at one rate.')
        speech = config.speech
        self.encoder = WhisperEncoder(
            speech.hidden_size, speech.layers, speech.heads, speech.feedforward, speech.mel_bins
        )
        self.encoder.requires_grad_(not speech.frozen)
        self.encoder.embed_positions.requires_grad_(False)

    def state_count(self, samples: int, frames: int | None = None) -> int:
        """One state per 20 ms, rounded up."""
        return max(1, -(-samples // self.STATE_SAMPLES))

    def states(
        self,
        waveform: Tensor,
        lengths: Tensor | None = None,
        levels: Tensor | None = None,
        frames: Tensor | None = None,
    ) -> Tensor:
        """See `SpeechEncoder.states`; at most 30 s. Raises ValueError beyond."""
        return self.states_from(0, waveform, lengths, levels)

    def states_from(
        self, first: int, waveform: Tensor, lengths: Tensor | None = None, levels: Tensor | None = None
    ) -> Tensor:
        """Compute states as if the sound began `first` states into the encoder's window, after nothing.

        Whisper tells times apart by absolute positions; training on sound at all of them makes the head ignore them.
        """
        mels = []
        for clip in self._clips(waveform, lengths, levels):
            padded = F.pad(clip, (0, self.state_count(len(clip)) * self.STATE_SAMPLES - len(clip)))
            mels.append(speech_log_mel(padded[None], self.config.mel_bins)[0].T)  # (2 S_i, mel_bins)
        counts = torch.tensor([len(mel) // 2 for mel in mels], device=waveform.device)
        if first + int(counts.max()) > WINDOW_STATES:
            seconds = WINDOW_STATES // self.config.state_rate
            raise ValueError(f"The speech encoder takes at most {seconds} s at once; give it shorter windows.")
        return self._encode(pad_sequence(mels, batch_first=True), counts, first)

    def _encode(self, mel: Tensor, counts: Tensor, first: int = 0) -> Tensor:
        """Log-mel (B, 2 S, mel_bins) -> states (B, S, hidden), of which `counts` (B,) are valid; padding is masked.

        The convolutions need no mask: they see no further than the zero padding after an item.
        """
        size = mel.shape[1] // 2
        closed = ~length_mask(counts, size)[:, None, None].expand(-1, 1, size, -1)  # (B, 1, S, S)
        attention_mask = torch.zeros(closed.shape, device=mel.device, dtype=mel.dtype)
        attention_mask = attention_mask.masked_fill(closed, torch.finfo(mel.dtype).min)
        outputs = self.encoder(mel.transpose(1, 2), attention_mask, first)
        return mean_of_layers(outputs, self.config.mixed_layers)

    def pretrained_state(self, source: str, commit: str | None = None) -> dict[str, Tensor]:
        """See `SpeechEncoder.pretrained_state`."""
        from transformers import WhisperModel

        return WhisperModel.from_pretrained(source, revision=commit or "main").encoder.float().state_dict()


class HubertSpeech(SpeechEncoder):
    """HuBERT (Hsu et al. 2021, arXiv 2106.07447), its convolutional features optionally resampled to the motion rate.

    The convolutions are never trained, as in the paper. Time masking (SpecAugment) is off.
    """

    encoder: HubertModel

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        with collector_paused():
            from transformers import HubertConfig, HubertModel

        speech = config.speech
        self.encoder = HubertModel(
            HubertConfig(
                hidden_size=speech.hidden_size,
                num_hidden_layers=speech.layers,
                num_attention_heads=speech.heads,
                intermediate_size=speech.feedforward,
                mask_time_prob=0.0,
            )
        )
        self.encoder.requires_grad_(not speech.frozen)
        self.encoder.feature_extractor.requires_grad_(False)
        for layer in self.encoder.encoder.layers if speech.mixed_layers else ():
            layer.register_forward_hook(keep_output)

    def state_count(self, samples: int, frames: int | None = None) -> int:
        """Return `frames` if states are resampled "before" the transformer, else the number that the convolutions give.

        That number is cut to the time that `frames` text frames take, if they are given.
        """
        if self.config.resample == "before":
            if frames is None:
                raise ValueError("This encoder resamples before its transformer: give it the number of frames.")
            return frames
        count = samples
        for kernel, stride in zip(self.encoder.config.conv_kernel, self.encoder.config.conv_stride, strict=True):
            count = (count - kernel) // stride + 1
        return count if frames is None else min(count, self._kept(frames))

    def _kept(self, frames: int) -> int:
        """The number of states that span the same time as `frames` text frames."""
        return max(1, round(frames * self.config.state_rate / self.text_rate))

    def states(
        self,
        waveform: Tensor,
        lengths: Tensor | None = None,
        levels: Tensor | None = None,
        frames: Tensor | None = None,
    ) -> Tensor:
        """See `SpeechEncoder.states`. The convolutions normalise over the clip, so each clip passes them alone."""
        features = []
        for i, clip in enumerate(self._clips(waveform, lengths, levels)):
            wanted = None if frames is None else int(frames[i])
            count = self.state_count(len(clip), wanted)
            with torch.no_grad():
                x = self.encoder.feature_extractor(clip[None]).transpose(1, 2)  # (1, S, 512) at 50 Hz
            if self.config.resample == "before":
                x = stretch(x, torch.tensor([x.shape[1]]).to(x.device), torch.tensor([count]).to(x.device), count)
            features.append(x[0, :count])
        counts = torch.tensor([len(x) for x in features], device=waveform.device)
        projected = self.encoder.feature_projection(pad_sequence(features, batch_first=True))
        mask = None if bool((counts == counts.max()).all()) else self.state_mask(counts)
        with kept_outputs() as outputs:
            last = self.encoder.encoder(projected, attention_mask=mask).last_hidden_state
        return mean_of_layers([*outputs[:-1], last], self.config.mixed_layers)

    def pretrained_state(self, source: str, commit: str | None = None) -> dict[str, Tensor]:
        """See `SpeechEncoder.pretrained_state`."""
        from transformers import HubertModel

        state = HubertModel.from_pretrained(source, revision=commit or "main").float().state_dict()
        return {name: value for name, value in state.items() if name != "masked_spec_embed"}


FORMS: dict[str, type[SpeechEncoder]] = {"whisper": WhisperSpeech, "hubert": HubertSpeech}


def build_speech_encoder(config: ModelConfig) -> SpeechEncoder:
    """Build the speech encoder that a configuration names.

    Args:
        config: the model's configuration.

    Returns:
        The encoder, untrained.

    Raises:
        ConfigError: an unknown form or resampling, or more mixed layers than there are.
    """
    speech = config.speech
    if speech.form not in FORMS:
        raise ConfigError(f"Unknown speech.form {speech.form!r}; known: {', '.join(sorted(FORMS))}.")
    if not 0 <= speech.mixed_layers <= speech.layers:
        raise ConfigError(f"speech.mixed_layers is {speech.mixed_layers}; choose 0 to {speech.layers}, its layers.")
    if speech.resample not in ("before", "after"):
        raise ConfigError(f'Unknown speech.resample {speech.resample!r}; known: "before", "after".')
    name_user()
    return FORMS[speech.form](config)

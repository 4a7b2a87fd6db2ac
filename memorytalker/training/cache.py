"""What the network hears of a corpus, computed once: hidden states of a frozen encoder and style log-mels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..audio import load_waveform
from ..config import ModelConfig, Progress
from ..corpus.clips import Clip, load_clip, read_clips
from ..features import normalise_level, style_log_mel
from ..models.talker import MemoryTalker
from .data import TrainingClip, split_long
from .space import MotionSpace

#: Seconds of the longest piece that counts as one clip in an epoch.
LONGEST_PIECE = 12.0


def cache_features(model: MemoryTalker, folder: Path, root: Path, progress: Progress | None = None) -> None:
    """Write `features/<clip>.npz` (states float16, mel float16) for every clip of the corpus that has none yet."""
    clips, _ = read_clips(folder)
    (folder / "features").mkdir(exist_ok=True)
    missing = [clip for clip in clips if not _path(folder, clip).is_file()]
    model.eval()
    for done, clip in enumerate(missing, start=1):
        samples = load_waveform((root if clip.base == "root" else folder) / clip.sound).samples
        states, mel = hear(model, samples)
        temporary = _path(folder, clip).with_suffix(".part")
        with temporary.open("wb") as out:
            np.savez(out, states=states, mel=mel)
        temporary.replace(_path(folder, clip))
        if progress:
            progress(done, len(missing), "features")


@torch.inference_mode()
def hear(model: MemoryTalker, samples: np.ndarray, window_seconds: float = 28.0) -> tuple[np.ndarray, np.ndarray]:
    """states (S, hidden) and mel (M, 80), float16, of samples (S,) at 16 kHz; long sound in windows side by side."""
    device = next(model.parameters()).device
    sound = torch.from_numpy(samples)[None].to(device)
    step = int(window_seconds * model.config.sample_rate)
    pieces = [sound[:, start : start + step] for start in range(0, max(sound.shape[1] - 3200, 1), step)]
    if sum(piece.shape[1] for piece in pieces) < sound.shape[1]:  # a tail too short to stand alone joins the last
        pieces[-1] = sound[:, (len(pieces) - 1) * step :]
    states = torch.cat([model.speech.states(piece)[0] for piece in pieces])
    style = model.config.style
    level = normalise_level(sound, model.config.speech.target_level)
    mel = style_log_mel(level, style.mel_bins, style.window, style.hop)[0].T
    return states.cpu().numpy().astype(np.float16), mel.cpu().numpy().astype(np.float16)


def load_training_clips(
    folder: Path, split: str, space: MotionSpace, config: ModelConfig, keep: Callable[[Clip], bool] = lambda clip: True
) -> list[TrainingClip]:
    """The clips of one split with their cached features, motion in the coordinates of `space`; long takes in pieces."""
    clips, names = read_clips(folder)
    if names != space.names:
        raise ValueError("The corpus was made for another head: its curves have other names. Make it again.")
    whole = (_training_clip(folder, clip, space) for clip in clips if clip.split == split and keep(clip))
    return [piece for clip in whole for piece in split_long(clip, LONGEST_PIECE, config)]


def _training_clip(folder: Path, clip: Clip, space: MotionSpace) -> TrainingClip:
    weights, phones = load_clip(folder, clip)
    with np.load(_path(folder, clip)) as data:
        states, mel = torch.from_numpy(data["states"]), torch.from_numpy(data["mel"])
    motion = torch.from_numpy(space.encode(weights))
    return TrainingClip(clip.name, clip.speaker, clip.kind == "captured", states, mel, motion, torch.from_numpy(phones))


def _path(folder: Path, clip: Clip) -> Path:
    return folder / "features" / f"{clip.name}.npz"

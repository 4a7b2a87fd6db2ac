"""What the network hears of a data set, computed once: states of an encoder that does not learn, log-mels, sound.

A cache belongs to one encoder and one data set, by their digests: one that was made with others is never used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import ModelConfig
from memorytalker.corpus.augmentation import clip_samples
from memorytalker.corpus.clips import Clip, load_clip, read_clips
from memorytalker.datasets.sequences import Sequence as FaceSequence
from memorytalker.files import write_whole
from memorytalker.models.states import states_in_windows
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.sound.mel import normalise_level, style_log_mel
from memorytalker.training.data import TrainingClip, TrainingError, span, split_long, states_per_frame
from memorytalker.training.space import MotionSpace

#: Seconds of the longest piece that counts as one clip in an epoch.
LONGEST_PIECE = 12.0
_MARK = "encoder.json"
#: The fields of SpeechConfig that, beside the weights, decide the hidden states.
_DECIDING = (
    "form", "hidden_size", "layers", "heads", "feedforward", "mel_bins", "state_rate", "resample", "target_level",
    "mixed_layers",
)  # fmt: skip


class StateCache:
    """What `model` hears of the sequences of one data set, below `folder`, one array a file, read in pieces.

    With `states` the hidden states of its speech encoder, which then may not learn; without, the sound itself.
    """

    def __init__(self, model: MemoryTalker, folder: Path, data_digest: str, states: bool) -> None:
        self._model, self._states = model, states
        config = model.config
        style = [config.style.mel_bins, config.style.window, config.style.hop, config.speech.target_level]
        about = [data_digest, config.sample_rate, style, encoder_digest(model) if states else "sound"]
        self.folder = folder / hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
        rate = config.sample_rate / config.fps
        self._rates = {
            "states": states_per_frame(config), "waveform": rate, "mel": rate / config.style.hop,
        }  # fmt: skip

    def fill(self, sequences: Sequence[FaceSequence], progress: Progress | None = None) -> None:
        """Hear every sequence that is not in the cache yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kinds = ("states" if self._states else "waveform", "mel")
        missing = [one for one in sequences if not all(self._path(one.name, kind).is_file() for kind in kinds)]
        self._model.eval()
        for done, sequence in enumerate(missing, start=1):
            samples = sequence.waveform().samples
            states, mel = encode(self._model, samples, sequence.frames if self._states else None, self._states)
            arrays = {"states": states, "mel": mel} if self._states else {"waveform": samples, "mel": mel}
            for kind, array in arrays.items():
                write_whole(self._path(sequence.name, kind), lambda part, array=array: _save(part, array))
            if progress:
                progress(done, len(missing), "features")

    def read(self, name: str, first: int, frames: int) -> dict[str, Tensor]:
        """ "states" or "waveform", and "mel", of `frames` motion frames from `first` on."""
        kind = "states" if self._states else "waveform"
        return {kind: self._read(name, kind, first, frames), "mel": self._read(name, "mel", first, frames)}

    def read_mel(self, name: str, first: int, frames: int) -> Tensor:
        """The log-mel alone, (M, mel_bins)."""
        return self._read(name, "mel", first, frames)

    def _read(self, name: str, kind: str, first: int, frames: int) -> Tensor:
        entries = np.load(self._path(name, kind), mmap_mode="r")
        return torch.from_numpy(np.array(entries[span(first, frames, self._rates[kind])]))

    def _path(self, name: str, kind: str) -> Path:
        return self.folder / f"{quote(name, safe='')}.{kind}.npy"


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as out:
        np.save(out, array)


def encoder_digest(model: MemoryTalker) -> str:
    """sha256 of everything that decides the hidden states: the encoder's weights and how it listens."""
    speech = {name: getattr(model.config.speech, name) for name in _DECIDING}
    digest = hashlib.sha256(json.dumps([speech, model.speech.text_rate], sort_keys=True).encode())
    for name, value in sorted(model.speech.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def encode(
    model: MemoryTalker,
    samples: np.ndarray,
    frames: int | None = None,
    states: bool = True,
    window_seconds: float = 28.0,
) -> tuple[np.ndarray | None, np.ndarray]:
    """states (S, hidden) and mel (M, 80), float16, of samples (A,) at 16 kHz.

    `frames` are the motion frames that the sound belongs to: an encoder that resamples to them needs them. Without
    `states` the first is None. Whisper hears at most 30 s at once: long sound goes in windows side by side.
    """
    device, config = next(model.parameters()).device, model.config
    sound = torch.from_numpy(samples)[None].to(device)
    style = config.style
    level = normalise_level(sound, config.speech.target_level)
    mel = style_log_mel(level, style.mel_bins, style.window, style.hop)[0].T.cpu().numpy().astype(np.float16)
    if not states:
        return None, mel
    if config.speech.form != "whisper":
        wanted = None if frames is None else torch.tensor([frames * config.text_frames], device=device)
        return model.speech.states(sound, frames=wanted)[0].cpu().numpy().astype(np.float16), mel
    heard = states_in_windows(model.speech, sound, config.sample_rate, window_seconds)
    return heard.cpu().numpy().astype(np.float16), mel


# The cache inside a corpus, which holds one encoder's features


def cache_features(
    model: MemoryTalker, folder: Path, root: Path, progress: Progress | None = None, workers: int = 1
) -> None:
    """Write `features/<clip>.npz` (states float16, mel float16) for every clip of the corpus that has none yet.

    So many `workers` hear clips side by side, with as many cores between them as torch had before.
    Raises TrainingError if the features there are of another encoder.
    """
    clips, _ = read_clips(folder)
    (folder / "features").mkdir(exist_ok=True)
    missing = [clip for clip in clips if not _path(folder, clip).is_file()]
    model.eval()
    _claim(model, folder, root, [clip for clip in clips if _path(folder, clip).is_file()])

    def cache(clip: Clip) -> None:
        states, mel = encode(model, clip_samples(root, folder, clip))
        write_whole(_path(folder, clip), lambda part: np.savez(part, states=states, mel=mel))

    workers = max(workers, 1)  # none at all is one, as for alignment
    with _cores_shared(workers), ThreadPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(cache, missing), start=1):
            if progress:
                progress(done, len(missing), "features")


@contextmanager
def _cores_shared(workers: int) -> Iterator[None]:
    """Divide torch's threads among `workers`: the encoder is small, and two clips at once go faster than one on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(before // workers, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _claim(model: MemoryTalker, folder: Path, root: Path, found: list[Clip]) -> None:
    """Mark the features with the encoder's digest; where they have no mark yet, one clip is heard anew to see."""
    mark, digest = folder / "features" / _MARK, encoder_digest(model)
    marked = json.loads(mark.read_text(encoding="utf-8"))["encoder"] if mark.is_file() else None
    if not found:
        ours = True
    elif marked is not None:
        ours = marked == digest
    else:
        shortest = min(found, key=lambda clip: clip.frames)
        with np.load(_path(folder, shortest)) as data:
            known = data["states"].astype(np.float32)
        heard = encode(model, clip_samples(root, folder, shortest))[0]
        ours = known.shape == heard.shape and bool(np.allclose(known, heard, atol=0.05, rtol=0.02))
    if not ours:
        raise TrainingError(f"{folder / 'features'} was made with another speech encoder; delete it to make it anew.")
    if marked != digest:  # and only then: several runs may read one corpus at once
        write_whole(mark, lambda part: part.write_text(json.dumps({"encoder": digest}) + "\n", encoding="utf-8"))


def cached_states(folder: Path, clip: Clip) -> np.ndarray:
    """Hidden states (S, hidden) float16 of a clip of the corpus `folder`. Raises TrainingError if not cached."""
    if not _path(folder, clip).is_file():
        raise TrainingError(f"{clip.name} has not been heard yet: cache the features of {folder} first.")
    with np.load(_path(folder, clip)) as data:
        return data["states"]


def load_training_clips(
    folder: Path, split: str, space: MotionSpace, config: ModelConfig, keep: Callable[[Clip], bool] = lambda clip: True
) -> list[TrainingClip]:
    """The clips of one split with their cached features, motion in the coordinates of `space`; long takes in pieces."""
    clips, names = read_clips(folder)
    if names != space.names:
        raise TrainingError("The corpus was made for another head: its curves have other names. Make it again.")
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

"""Cache of the network's inputs for a data set: hidden states of a frozen encoder, log-mels, sound.

A cache belongs to the digests of one encoder and one data set and is never used with others.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import ModelConfig
from memorytalker.corpus.augmentation import clip_samples
from memorytalker.corpus.clips import Clip, load_clip, read_clips
from memorytalker.datasets.sequences import Sequence as FaceSequence
from memorytalker.face.array_files import ArrayFileError, open_arrays
from memorytalker.face.motion_space import MotionSpace
from memorytalker.files import read_json, write_whole
from memorytalker.models.speech import WhisperSpeech
from memorytalker.models.states import states_in_windows
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.sound.mel import normalise_level, style_log_mel
from memorytalker.training.data import AnyClip, TrainingClip, TrainingError, span, split_long, states_per_frame

#: Longest piece of a take, in seconds, that is one clip of an epoch.
LONGEST_PIECE = 12.0
_MARK = "encoder.json"
#: Fields of SpeechConfig that the hidden states depend on, beside the weights.
_DECIDING = (
    "form", "hidden_size", "layers", "heads", "feedforward", "mel_bins", "state_rate", "resample", "target_level",
    "mixed_layers",
)  # fmt: skip


class StateCache:
    """Inputs of a model for the sequences of one data set, one array per file, read in pieces.

    Args:
        model: whose speech encoder computes the states.
        folder: the cache lies in a folder of its own below it.
        data_digest: sha256 of the data set.
        states: keep hidden states, for a frozen speech encoder; otherwise the sound itself.
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
        self._widths: dict[str, tuple[int, ...]] = {
            "states": (config.speech.hidden_size,), "waveform": (), "mel": (config.style.mel_bins,),
        }  # fmt: skip

    def fill(self, sequences: Sequence[FaceSequence], progress: Progress | None = None) -> None:
        """Encode every sequence that is not in the cache yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kinds = ("states" if self._states else "waveform", "mel")
        missing = [one for one in sequences if not all(self._path(one.name, kind).is_file() for kind in kinds)]
        self._model.eval()
        for done, sequence in enumerate(missing, start=1):
            samples = sequence.waveform().samples
            states, mel = encode(self._model, samples, sequence.frames if self._states else None, self._states)
            arrays = {"waveform": samples, "mel": mel} if states is None else {"states": states, "mel": mel}
            for kind, array in arrays.items():
                write_whole(self._path(sequence.name, kind), partial(_save, array=array))
            if progress:
                progress(done, len(missing), "features")

    def read(self, name: str, first: int, frames: int) -> dict[str, Tensor]:
        """Read "states" or "waveform", and "mel", of `frames` motion frames from `first` on."""
        kind = "states" if self._states else "waveform"
        return {kind: self._read(name, kind, first, frames), "mel": self._read(name, "mel", first, frames)}

    def read_mel(self, name: str, first: int, frames: int) -> Tensor:
        """Read the log-mel alone, (M, mel_bins)."""
        return self._read(name, "mel", first, frames)

    def _read(self, name: str, kind: str, first: int, frames: int) -> Tensor:
        path, widths = self._path(name, kind), self._widths[kind]
        try:
            entries = np.load(path, mmap_mode="r", allow_pickle=False)  # no more is read than the piece
        except Exception:  # headers are Python literals: whatever a damaged one makes the reader raise
            raise TrainingError(f"{path} is damaged; delete it to make it again.") from None
        right = isinstance(entries, np.ndarray) and entries.dtype.kind == "f" and entries.shape[1:] == widths
        piece = np.array(entries[span(first, frames, self._rates[kind])]) if right and entries.ndim else np.zeros(0)
        if not piece.size or not np.isfinite(piece).all():
            raise TrainingError(f"{path} holds other than the {kind} of {frames} frames; delete it to make it again.")
        return torch.from_numpy(piece)

    def _path(self, name: str, kind: str) -> Path:
        return self.folder / f"{quote(name, safe='')}.{kind}.npy"


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as out:
        np.save(out, array)


def encoder_digest(model: MemoryTalker) -> str:
    """Return the sha256 of everything that the hidden states depend on: the encoder's weights and configuration."""
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
    place: float = 0.0,
) -> tuple[np.ndarray | None, np.ndarray]:
    """Compute the hidden states and the log-mel of a sound.

    Args:
        model: whose speech encoder and style settings are used.
        samples: (A,) float32 at 16 kHz.
        frames: number of motion frames; needed by an encoder that resamples to them.
        states: whether to compute the states.
        window_seconds: Whisper takes 30 s at most, so longer sound is encoded in windows of this length.
        place: where in a window of Whisper the sound begins, from 0 (at its start) to 1 (so that it ends with it); see
            `WhisperSpeech.states_from`. Only for sound that fits into one window.

    Returns:
        States (S, hidden) float16, None without `states`, and log-mel (M, 80) float16.
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
    room = round(window_seconds * config.speech.state_rate) - model.speech.state_count(len(samples))
    if place and room > 0:
        assert isinstance(model.speech, WhisperSpeech)
        hidden = model.speech.states_from(int(place * room), sound)[0]
    else:
        hidden = states_in_windows(model.speech, sound, config.sample_rate, window_seconds)
    return hidden.cpu().numpy().astype(np.float16), mel


# The cache inside a corpus, which holds one encoder's features


def cache_features(
    model: MemoryTalker, folder: Path, root: Path, progress: Progress | None = None, workers: int = 1
) -> None:
    """Write `features/<clip>.npz` (states float16, mel float16) for every clip of a corpus that has none yet.

    Args:
        model: whose speech encoder computes the states.
        folder: the corpus.
        root: its source folder.
        progress: called after each clip.
        workers: clips encoded in parallel; they share torch's threads.

    Raises:
        TrainingError: the features that are there were made with another encoder.
    """
    clips, _ = read_clips(folder)
    (folder / "features").mkdir(exist_ok=True)
    missing = [clip for clip in clips if not _path(folder, clip).is_file()]
    model.eval()
    _claim(model, folder, root, [clip for clip in clips if _path(folder, clip).is_file()])

    def cache(clip: Clip) -> None:
        states, mel = encode(model, clip_samples(root, folder, clip), place=_place(clip))
        assert states is not None
        write_whole(_path(folder, clip), lambda part: np.savez(part, states=states, mel=mel))

    workers = max(workers, 1)  # 0 means 1, as for alignment
    with _cores_shared(workers), ThreadPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(cache, missing), start=1):
            if progress:
                progress(done, len(missing), "features")


def _place(clip: Clip) -> float:
    """Where in the encoder's window a clip is heard: at its start as recorded, anywhere in another version.

    A sound of which the beginning is cut off is heard elsewhere in the window, and its motion must not change.
    """
    return 0.0 if clip.as_recorded else float(np.random.default_rng([*clip.name.encode(), 1]).random())


@contextmanager
def _cores_shared(workers: int) -> Iterator[None]:
    """Divide torch's threads among `workers`: for this small encoder, two clips on one core each are faster."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(before // workers, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _claim(model: MemoryTalker, folder: Path, root: Path, found: list[Clip]) -> None:
    """Mark the features with the encoder's digest; if they have no mark, encode one clip again and compare."""
    mark, digest = folder / "features" / _MARK, encoder_digest(model)
    marked = _marked(mark) if mark.is_file() else None
    if not found:
        ours = True
    elif marked is not None:
        ours = marked == digest
    else:
        shortest = min(found, key=lambda clip: clip.frames)
        known = cached_states(folder, shortest).astype(np.float32)
        again, _ = encode(model, clip_samples(root, folder, shortest), place=_place(shortest))
        assert again is not None
        ours = known.shape == again.shape and bool(np.allclose(known, again, atol=0.05, rtol=0.02))
    if not ours:
        raise TrainingError(f"{folder / 'features'} was made with another speech encoder; delete it to make it again.")
    if marked != digest:  # and only then: several runs may read one corpus at once
        write_whole(mark, lambda part: part.write_text(json.dumps({"encoder": digest}) + "\n", encoding="utf-8"))


def cached_states(folder: Path, clip: Clip) -> np.ndarray:
    """Read the cached hidden states (S, hidden) float16 of a clip. Raises TrainingError if there are none."""
    if not _path(folder, clip).is_file():
        raise TrainingError(f"{clip.name} is not encoded yet: cache the features of {folder} first.")
    return _features(folder, clip, "states")[0]


def _features(folder: Path, clip: Clip, *names: str) -> list[np.ndarray]:
    """Arrays (entries, width) of the features of a clip. Raises TrainingError unless they are finite numbers."""
    path = _path(folder, clip)
    try:
        held = open_arrays(path)
        arrays = [held.read(name).copy() for name in names]
    except ArrayFileError:
        raise TrainingError(f"{path} is missing or damaged; delete it and cache the features again.") from None
    if not all(one.dtype.kind == "f" and one.ndim == 2 and one.size and np.isfinite(one).all() for one in arrays):
        raise TrainingError(f"{path} holds other than {' and '.join(names)}; delete it and cache the features again.")
    return arrays


def _marked(mark: Path) -> str:
    """The encoder's digest in a mark. Raises TrainingError for a file that holds none."""
    with contextlib.suppress(OSError, ValueError):
        values = read_json(mark)
        if isinstance(values, dict) and isinstance(values.get("encoder"), str):
            return values["encoder"]
    raise TrainingError(f"{mark} is damaged; delete it, and the features are compared with the encoder again.")


def load_training_clips(
    folder: Path, split: str, space: MotionSpace, config: ModelConfig, keep: Callable[[Clip], bool] = lambda clip: True
) -> list[AnyClip]:
    """Load the clips of one split with their cached features; long takes are split.

    Args:
        folder: the corpus.
        split: "train", "validation" or "test".
        space: in whose coordinates the motion is given.
        config: of the model.
        keep: which clips to load.

    Returns:
        The clips.

    Raises:
        TrainingError: the corpus was made for a head with other blendshapes.
    """
    clips, names = read_clips(folder)
    if names != space.shapes:
        raise TrainingError("The corpus was made for another head: its curves have other names. Make it again.")
    whole = (_training_clip(folder, clip, space) for clip in clips if clip.split == split and keep(clip))
    return [piece for clip in whole for piece in split_long(clip, LONGEST_PIECE, config)]


def _training_clip(folder: Path, clip: Clip, space: MotionSpace) -> TrainingClip:
    weights, phones = load_clip(folder, clip)
    states, mel = map(torch.from_numpy, _features(folder, clip, "states", "mel"))
    motion = torch.from_numpy(space.encode(weights))
    return TrainingClip(clip.name, clip.speaker, clip.kind == "captured", states, mel, motion, torch.from_numpy(phones))


def _path(folder: Path, clip: Clip) -> Path:
    return folder / "features" / f"{clip.name}.npz"

"""What a live network learns from: the log-mel of every clip of a corpus, and the open model's answers to them.

Both are made once and kept in the work folder, in files of `SHARD` clips, so that an interruption loses little. An
augmented clip is taught the answer to the sound that it was made of, since its motion is the same. Noise is taught the
still face.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from memorytalker.corpus.augmentation import clip_samples
from memorytalker.corpus.clips import AUGMENTED_MARK, Clip
from memorytalker.face.array_files import ArrayFileError, open_arrays
from memorytalker.files import write_whole
from memorytalker.models.live_config import LiveConfig
from memorytalker.models.style import LARGEST_WEIGHT, SMALLEST_WEIGHT
from memorytalker.models.talker import MemoryTalker
from memorytalker.phones import ENGLISH
from memorytalker.progress import Progress
from memorytalker.sound.live_mel import levels, whole_mel
from memorytalker.training.cache import LONGEST_PIECE
from memorytalker.training.data import TrainingError, span, states_per_frame

#: Clips in one file of the work folder.
SHARD = 256
#: dB of the log-mel that one step of a stored byte stands for, and of its zero.
STEP, LOWEST = 0.5, -100.0
#: Frames before a piece that only prepare the network's state.
WARM = 30
#: dB: gains of a piece, and by how much something louder may have gone before it; and how often it has.
GAINS, LOUDER, OFTEN = (-14.0, 8.0), 15.0, 0.5


@dataclass(frozen=True)
class LiveContext:
    """Where a live network is made.

    Attributes:
        root: the source folder of the corpus.
        work: the folder with `corpus`; the network's own work goes to `live` in it.
        weights: of the open model that teaches; None: the shipped ones.
        settings: a JSON file that overrides `LiveSettings`.
        workers: clips that are prepared in parallel.
        progress: called after each piece of work.
    """

    root: Path
    work: Path
    weights: str | None = None
    settings: Path | None = None
    workers: int = 2
    progress: Progress | None = None

    @property
    def corpus(self) -> Path:
        """The folder of the corpus."""
        return self.work / "corpus"


@dataclass(frozen=True)
class LiveClips:
    """Everything that training reads, in memory; blocks of all clips one after the other.

    Attributes:
        clips: of the corpus, in their order.
        first: (C,) the first block of each clip; its frame 0 comes `ahead` blocks later.
        ahead: blocks of a clip before its frame 0.
        mel: (N, per_frame x bins) uint8, see `STEP`.
        energy: (N,) float32 in dB.
        answer: (C,) first frame of each clip's answer; -1 for the still face.
        neutral, styled: (F, K) float16 coordinates in metres.
        address: (F, n) float16.
        style: (C, n) float32 weights of the styled answer.
    """

    clips: Sequence[Clip]
    first: np.ndarray
    ahead: int
    mel: np.ndarray
    energy: np.ndarray
    answer: np.ndarray
    neutral: np.ndarray
    styled: np.ndarray
    address: np.ndarray
    style: np.ndarray


def live_clips(
    context: LiveContext, clips: list[Clip], config: LiveConfig, model: MemoryTalker, teacher: str
) -> LiveClips:
    """Prepare what is not there yet, and read all of it.

    Args:
        context: corpus and work folder.
        clips: of the corpus, whose features are cached.
        config: of the network.
        model: the open model, in evaluation mode.
        teacher: sha256 of its weights.

    Returns:
        The clips.

    Raises:
        TrainingError: a prepared file is damaged.
    """
    sounds, answers = _sounds(context, clips, config), _answers(context, clips, model, teacher)
    mel, energy = (np.concatenate(one) for one in zip(*_read(sounds, "mel", "energy"), strict=True))
    found = zip(*_read(answers, "neutral", "styled", "address", "style"), strict=True)
    neutral, styled, address, style = (np.concatenate(one) for one in found)
    ahead = -config.grid.first
    first = np.cumsum([0, *(clip.frames + ahead for clip in clips)])
    taught = _taught(clips)
    begins = dict(zip((clip.name for clip in taught), np.cumsum([0, *(clip.frames for clip in taught)]), strict=False))
    places = {clip.name: place for place, clip in enumerate(taught)}
    if first[-1] != len(mel) or sum(clip.frames for clip in taught) != len(neutral):
        raise TrainingError("The prepared sounds do not fit the corpus; delete the folder live of the work folder.")
    origin = [clip.name.split(AUGMENTED_MARK)[0] for clip in clips]
    return LiveClips(
        clips, first, ahead, mel, energy, np.array([begins.get(name, -1) for name in origin]), neutral, styled,
        address, np.stack([style[places[name]] if name in places else np.ones_like(style[0]) for name in origin]),
    )  # fmt: skip


def _sounds(context: LiveContext, clips: list[Clip], config: LiveConfig) -> list[Path]:
    """Write the log-mel of all clips, in files of `SHARD` clips; return the files."""

    def heard(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
        mel, energy = whole_mel(config.grid, clip_samples(context.root, context.corpus, clip), clip.frames)
        return np.clip(np.round((mel - LOWEST) / STEP), 0, 255).astype(np.uint8).reshape(len(mel), -1), energy

    def write(some: list[Clip], part: Path) -> None:
        with ThreadPoolExecutor(max(context.workers, 1)) as pool:
            mels, energies = zip(*pool.map(heard, some), strict=True)
        np.savez(part, mel=np.concatenate(mels), energy=np.concatenate(energies).astype(np.float32))

    return _shards(context, clips, "sounds", asdict(config.grid), write)


def _answers(context: LiveContext, clips: list[Clip], model: MemoryTalker, teacher: str) -> list[Path]:
    """Write the model's answers to all clips that are not augmented, as `_sounds` does."""

    def write(some: list[Clip], part: Path) -> None:
        found = [answer(model, context.corpus, clip) for clip in some]
        neutral, styled, address, style = (list(one) for one in zip(*found, strict=True))
        np.savez(
            part, neutral=np.concatenate(neutral), styled=np.concatenate(styled), address=np.concatenate(address),
            style=np.stack(style),
        )  # fmt: skip

    return _shards(context, _taught(clips), "answers", {"teacher": teacher}, write)


def _taught(clips: Sequence[Clip]) -> list[Clip]:
    return [clip for clip in clips if not clip.augmentation and clip.kind != "silence"]


def _shards(
    context: LiveContext, clips: list[Clip], kind: str, about: dict, write: Callable[[list[Clip], Path], None]
) -> list[Path]:
    text = json.dumps([about, [asdict(clip) for clip in clips]], sort_keys=True)
    folder = context.work / "live" / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    paths = [folder / f"{number:04d}.npz" for number in range(-(-len(clips) // SHARD))]
    for number, path in enumerate(paths):
        if not path.is_file():
            write_whole(path, partial(write, clips[number * SHARD : (number + 1) * SHARD]))
            if context.progress:
                context.progress(number + 1, len(paths), kind)
    return paths


@torch.inference_mode()
def answer(model: MemoryTalker, corpus: Path, clip: Clip) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ask the open model what it answers to a clip whose features are cached.

    Args:
        model: the open model.
        corpus: the folder of the corpus.
        clip: of it.

    Returns:
        Coordinates (T, K) in the neutral style and in a random one, and the address (T, n), all float16; and the
        weights (n,) of the random style: that of the voice, weaker or stronger, with a little noise.
    """
    try:
        held = open_arrays(corpus / "features" / f"{clip.name}.npz")
        states, mel = torch.from_numpy(held.read("states").copy()), torch.from_numpy(held.read("mel").copy())
    except ArrayFileError:
        raise TrainingError(f"The features of {clip.name} are damaged; delete {corpus / 'features'}.") from None
    random = np.random.default_rng([*clip.name.encode(), 7])
    own = model.style(mel.float().T[None]).weights[0].numpy()
    noise = 0.1 * random.standard_normal(len(own))
    style = np.clip(1 + random.uniform(0, 1.5) * (own - 1) + noise, SMALLEST_WEIGHT, LARGEST_WEIGHT).astype(np.float32)
    both = torch.stack([torch.ones(len(style)), torch.from_numpy(style)])
    count = math.ceil(clip.seconds / LONGEST_PIECE)
    edges = [round(clip.frames * k / count) for k in range(count + 1)]
    motions, addresses = [], []
    for begin, end in zip(edges, edges[1:], strict=False):
        part = states[span(begin, end - begin, states_per_frame(model.config))].float()[None]
        logits = model.speech.logits(part, (end - begin) * model.config.text_frames)
        output = model(logits.expand(2, -1, -1), style_weights=both)
        motions.append(output.offsets)
        addresses.append(output.key_address[0])
    neutral, styled = torch.cat(motions, 1).half().numpy()
    return neutral, styled, torch.cat(addresses).half().numpy(), style


def _read(paths: list[Path], *names: str) -> Iterator[list[np.ndarray]]:
    for path in paths:
        try:
            held = open_arrays(path)
            yield [held.read(name).copy() for name in names]
        except ArrayFileError:
            raise TrainingError(f"{path} is damaged; delete it to make it again.") from None


@dataclass(frozen=True)
class LiveBatch:
    """Pieces of clips: mel (B, W + T, per_frame, bins), level (B, W + T), style (B, n), targets of the last T frames.

    W is `WARM`. motion (B, T, K) in metres, address (B, T, n), mask (B, T) True where there is an answer.
    """

    mel: Tensor
    level: Tensor
    style: Tensor
    motion: Tensor
    address: Tensor
    mask: Tensor


def live_batch(
    data: LiveClips,
    chosen: Sequence[int],
    frames: int,
    config: LiveConfig,
    neutral_share: float = 1.0,
    random: np.random.Generator | None = None,
) -> LiveBatch:
    """Cut pieces of clips, each after `WARM` frames that prepare the state.

    Args:
        data: all clips.
        chosen: their numbers.
        frames: of a piece, T; shorter clips are masked.
        config: of the network.
        neutral_share: share of pieces in the neutral style.
        random: draws places, gains, what went before and styles; None: the beginning, as it is, neutral.

    Returns:
        The batch.
    """
    grid, count = config.grid, WARM + frames
    mel = np.full((len(chosen), count, grid.per_frame * grid.bins), LOWEST, np.float32)
    level = np.full((len(chosen), count), grid.quietest, np.float32)
    motion = np.zeros((len(chosen), frames, data.neutral.shape[1]), np.float32)
    address = np.zeros((len(chosen), frames, data.address.shape[1]), np.float32)
    mask, style = np.zeros((len(chosen), frames), bool), np.ones((len(chosen), data.style.shape[1]), np.float32)
    for row, number in enumerate(chosen):
        length, answered = data.clips[number].frames, data.answer[number]
        begin = 0 if random is None else int(random.integers(max(1, length - frames + 1)))
        kept = min(frames, length - begin)
        _hear(data, number, slice(begin, begin + kept), mel[row], level[row], config, random)
        mask[row, :kept] = True
        if answered < 0:
            address[row, :kept, ENGLISH.silence_index] = 1
            continue
        answers = slice(answered + begin, answered + begin + kept)
        styled = random is not None and random.random() >= neutral_share
        motion[row, :kept] = (data.styled if styled else data.neutral)[answers]
        address[row, :kept] = data.address[answers]
        if styled:
            style[row] = data.style[number]
    blocks = torch.from_numpy(mel).unflatten(-1, (grid.per_frame, grid.bins))
    return LiveBatch(blocks, *map(torch.from_numpy, (level, style, motion, address, mask)))


def _hear(
    data: LiveClips, number: int, frames: slice, mel: np.ndarray, level: np.ndarray, config: LiveConfig,
    random: np.random.Generator | None,
) -> None:  # fmt: skip
    """Fill `mel` (W + T, ...) and `level` (W + T,) with the sound of some frames of a clip, after W = `WARM` before."""
    blocks = slice(data.first[number], data.first[number + 1])
    energy, gain, before = data.energy[blocks], 0.0, None
    if random is not None:
        gain = float(random.uniform(*GAINS))
        if random.random() < OFTEN:
            before = float(energy.max()) + gain + float(random.uniform(0, LOUDER))
    low = max(0, frames.start + data.ahead - WARM)  # block of the clip that comes first
    some = slice(low, frames.stop + data.ahead)
    place = WARM - data.ahead - frames.start + low
    own = slice(place, place + some.stop - low)
    mel[own] = np.maximum(data.mel[blocks][some] * np.float32(STEP) + np.float32(LOWEST + gain), LOWEST)
    level[own] = levels(config.grid, energy + gain, before)[some]
    if before is not None:
        level[:place] = level[place]

"""Clips of silence, noise and pure tones with a still face: sound without speech must not move the mouth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from memorytalker.corpus.augmentation import training_noises
from memorytalker.corpus.clips import Clip, save_clip
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform, load_waveform, write_wav

#: Noises whose names hold one of these are made of voices.
WITH_VOICES = ("babble", "restaurant")


def silent_clips(root: Path, folder: Path, names: tuple[str, ...], fps: int, seed: int, count: int) -> list[Clip]:
    """Make clips of silence and noise with a still face.

    Args:
        root: the source folder; noise comes from its noise/ if there is any.
        folder: the corpus; sounds and clips are written to it.
        names: of the curves.
        fps: motion frames per second.
        seed: of lengths, levels and noise.
        count: number of clips.

    Returns:
        The clips.
    """
    random = np.random.default_rng(seed)
    # Babble consists of voices: a mouth that follows it is not wrong.
    paths = [path for path in training_noises(root) if not any(word in path.stem for word in WITH_VOICES)]
    noises = [load_waveform(path).samples for path in paths]
    (folder / "silence").mkdir(exist_ok=True)
    clips = []
    for index in range(count):
        frames = int(random.integers(2 * fps, 6 * fps))
        size = frames * 16000 // fps
        level = 10 ** (random.uniform(-75, -35) / 20)
        sound = random.standard_normal(size) if index % 3 == 0 or not noises else _loop(noises, size, random)
        if index % 5 == 3:
            sound = _tone(size, random)
        sound = np.zeros(size) if index % 6 == 0 else sound / max(np.sqrt(np.mean(sound**2)), 1e-9) * level
        path = f"silence/silence_{index:03d}.wav"
        write_wav(folder / path, Waveform(np.clip(sound, -1, 1).astype(np.float32)))
        split = "validation" if index % 10 == 9 else "train"
        clip = Clip(f"silence_{index:03d}", "nobody", split, "silence", "silence", path, frames, fps, base="corpus")
        curves = FaceCurves(np.zeros((frames, len(names)), np.float32), names, fps)
        save_clip(folder, clip, curves, np.zeros(frames))
        clips.append(clip)
    return clips


def _tone(size: int, random: np.random.Generator) -> np.ndarray:
    """A pure tone, as of a signal or a test: steady, and no voice."""
    return np.sin(2 * np.pi * float(np.exp(random.uniform(*np.log((60.0, 2000.0))))) * np.arange(size) / 16000)


def _loop(noises: list[np.ndarray], size: int, random: np.random.Generator) -> np.ndarray:
    noise = noises[int(random.integers(len(noises)))]
    start = int(random.integers(len(noise)))
    return np.resize(np.roll(noise, -start), size)

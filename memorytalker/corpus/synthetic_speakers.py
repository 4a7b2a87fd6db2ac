"""Twins of the training speakers: the same words in a voice that nobody has, faster or slower, higher or lower, flatter
or livelier. Their manner follows from what is then heard, so that there are twice as many voices to learn manners from.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from memorytalker.corpus.speakers import in_parallel
from memorytalker.corpus.voice_augmentation import changed_voice
from memorytalker.progress import Progress
from memorytalker.sound.decode import load_waveform, write_wav

#: In the name of a twin and of its clips.
SYNTHETIC_MARK = ".twin"


@dataclass(frozen=True)
class Change:
    """What makes a twin: factors of pitch (formants go with it), of speed, and of the loudness range in dB."""

    pitch: float
    speed: float
    liveliness: float


def draw_change(speaker: str, height: float, seed: int) -> Change:
    """The change of a speaker of median pitch `height` Hz: a twin's pitch may lie anywhere from 95 to 270 Hz."""
    random = np.random.default_rng([seed, *speaker.encode()])
    wanted = float(np.exp(random.uniform(np.log(95.0), np.log(270.0))))
    return Change(
        pitch=float(np.clip(wanted / height, 0.75, 1.5)),
        speed=float(np.exp(random.uniform(-0.28, 0.28))),
        liveliness=float(np.exp(random.uniform(-0.45, 0.45))),
    )


def synthetic_speakers(
    root: Path, folder: Path, rows: list[dict], phones: dict[str, list | None], heights: dict[str, float], seed: int,
    clips: int, workers: int, progress: Progress | None = None,
) -> tuple[list[dict], dict[str, list]]:  # fmt: skip
    """Rows of the twins of the training speakers in `rows`, their sounds written below `folder`, and their phones.

    `heights` are the median pitches of the speakers in Hz; `clips` of each are said once more.
    """
    by_speaker: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        if row["split"] == "train":
            by_speaker[row["speaker"]].append(row)
    made, times, jobs = [], {}, []
    for speaker, own in sorted(by_speaker.items()):
        change = draw_change(speaker, heights[speaker], seed)
        own = sorted(own, key=lambda row: zlib.crc32(row["sound"].encode()))[:clips]  # any, but always the same
        for row in own:
            file = Path(row["file"]).with_suffix("").as_posix().replace("/", "_") + SYNTHETIC_MARK
            sound = f"voices/{file}.wav"
            twin = {"file": f"{file}.wav", "sound": sound, "base": "corpus", "speaker": speaker + SYNTHETIC_MARK}
            made.append({**row, **twin})
            spoken = phones[row["sound"]]
            times[sound] = [[start / change.speed, end / change.speed, label] for start, end, label in spoken]
            if not (folder / sound).is_file():
                jobs.append((str(root / row["sound"]), str(folder / sound), asdict(change)))
    (folder / "voices").mkdir(exist_ok=True)
    for done, _ in enumerate(in_parallel(_speak, jobs, workers), start=1):
        if progress:
            progress(done, len(jobs), "twins")
    return made, times


def _speak(job: tuple[str, str, dict]) -> None:
    source, target, change = job
    write_wav(target, changed_voice(load_waveform(source), **change))

"""Synthetic speakers: training speakers with changed pitch, tempo and loudness range.

Their articulation style follows from the changed voice, which doubles the number of voices to learn styles from.
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

#: In the name of a synthetic speaker and of its clips. Names seed random draws: another mark gives another corpus.
SYNTHETIC_MARK = ".twin"


@dataclass(frozen=True)
class Change:
    """Factors of pitch (with the formants), of speed, and of the loudness range in dB."""

    pitch: float
    speed: float
    dynamics: float


def draw_change(speaker: str, median_pitch: float, seed: int) -> Change:
    """Draw the change of a speaker; the new pitch lies between 95 and 270 Hz.

    Args:
        speaker: name, which seeds the draw.
        median_pitch: of the speaker, Hz.
        seed: of the corpus.

    Returns:
        The change.
    """
    random = np.random.default_rng([seed, *speaker.encode()])
    wanted = float(np.exp(random.uniform(np.log(95.0), np.log(270.0))))
    return Change(
        pitch=float(np.clip(wanted / median_pitch, 0.75, 1.5)),
        speed=float(np.exp(random.uniform(-0.28, 0.28))),
        dynamics=float(np.exp(random.uniform(-0.45, 0.45))),
    )


def synthetic_speakers(
    root: Path, folder: Path, rows: list[dict], phones: dict[str, list | None], pitches: dict[str, float], seed: int,
    clips: int, workers: int, progress: Progress | None = None,
) -> tuple[list[dict], dict[str, list]]:  # fmt: skip
    """Make a synthetic speaker for each training speaker.

    Args:
        root: the source folder.
        folder: the corpus; the sounds are written below it.
        rows: of the manifest.
        phones: phone times by sound path.
        pitches: median pitch of each speaker, Hz.
        seed: of the corpus.
        clips: sentences per speaker, at most.
        workers: number of processes.
        progress: called after each sound.

    Returns:
        Rows of the synthetic speakers, and phone times by sound path.
    """
    by_speaker: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        if row["split"] == "train":
            by_speaker[row["speaker"]].append(row)
    made, times, jobs = [], {}, []
    for speaker, own in sorted(by_speaker.items()):
        change = draw_change(speaker, pitches[speaker], seed)
        own = sorted(own, key=lambda row: zlib.crc32(row["sound"].encode()))[:clips]  # any, but always the same
        for row in own:
            file = Path(row["file"]).with_suffix("").as_posix().replace("/", "_") + SYNTHETIC_MARK
            sound = f"voices/{file}.wav"
            changed = {"file": f"{file}.wav", "sound": sound, "base": "corpus", "speaker": speaker + SYNTHETIC_MARK}
            made.append({**row, **changed})
            spoken = phones[row["sound"]] or []
            times[sound] = [[start / change.speed, end / change.speed, label] for start, end, label in spoken]
            if not (folder / sound).is_file():
                jobs.append((str(root / row["sound"]), str(folder / sound), asdict(change)))
    (folder / "voices").mkdir(exist_ok=True)
    for done, _ in enumerate(in_parallel(_speak, jobs, workers), start=1):
        if progress:
            progress(done, len(jobs), "synthetic speakers")
    return made, times


def _speak(job: tuple[str, str, dict]) -> None:
    source, target, change = job
    write_wav(target, changed_voice(load_waveform(source), **change))

"""The speakers of a corpus: acoustic measures of each voice, and the articulation style derived from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from memorytalker.articulation.speaker import ORDINARY, Voice, style_from_voice
from memorytalker.corpus.store import stored_acoustics
from memorytalker.files import append_lines
from memorytalker.phones import ENGLISH
from memorytalker.progress import Progress
from memorytalker.sound.acoustics import VOWEL_WINDOW, brightness, effort, first_formants, loudness_range, pitch
from memorytalker.sound.decode import load_waveform

#: Vowels said with an open and with a close mouth; of a diphthong its beginning counts.
OPEN, CLOSE = ("aa", "ae", "ao", "aw", "ay"), ("iy", "ih", "uw", "uh", "ey")
#: Fewer vowels of a kind than this say nothing about a speaker.
FEWEST_VOWELS = 6


def measure_acoustics(
    root: Path, folder: Path, rows: list[dict], phones: dict[str, list | None], fps: int, workers: int,
    progress: Progress | None = None,
) -> dict[str, dict]:  # fmt: skip
    """Measure effort (T,), loudness range, brightness, pitch and formants of every sound.

    Results are kept in `folder/acoustics.jsonl`; only sounds that are not in it are measured.

    Args:
        root: the source folder.
        folder: the corpus.
        rows: of the manifest; a sound lies below `root`, or below `folder` if the row's base is "corpus".
        phones: phone times by sound path.
        fps: motion frames per second.
        workers: number of processes.
        progress: called after each sound.

    Returns:
        Measures by sound path.
    """
    store = folder / "acoustics.jsonl"
    acoustics = stored_acoustics(store)
    jobs = [
        (str(folder if row.get("base") == "corpus" else root), row["sound"], phones[row["sound"]], fps)
        for row in rows
        if row["sound"] not in acoustics
    ]
    for done, entry in enumerate(append_lines(store, in_parallel(_measure, jobs, workers)), start=1):
        acoustics[entry["sound"]] = entry
        if progress:
            progress(done, len(jobs), "acoustics")
    return acoustics


def _measure(job: tuple[str, str, list, int]) -> dict:
    base, sound, phones, fps = job
    waveform = load_waveform(Path(base) / sound)
    frames = max(1, round(waveform.seconds * fps))
    return {
        "sound": sound,
        "effort": effort(waveform.samples, frames, fps).round(3).tolist(),
        "range": loudness_range(waveform.samples),
        "brightness": brightness(waveform.samples),
        "pitch": pitch(waveform.samples),
        "open": _formants(waveform.samples, phones, OPEN),
        "close": _formants(waveform.samples, phones, CLOSE),
    }


def _formants(samples: np.ndarray, phones: list, vowels: tuple[str, ...]) -> list[float]:
    """First formants in Hz of the vowels that last long enough."""
    spoken = [(start, end, label) for start, end, label in phones if label in vowels and end - start > 2 * VOWEL_WINDOW]
    times = [start + (0.35 if label in ("aw", "ay", "ey") else 0.5) * (end - start) for start, end, label in spoken]
    found = first_formants(samples, np.array(times))
    return found[np.isfinite(found)].round(1).tolist()


def speaker_voices(rows: list[dict], acoustics: dict[str, dict], phones: dict[str, list | None]) -> dict[str, Voice]:
    """Summarise the voice of every speaker over all sentences; measures that are missing get the average value."""
    by_speaker: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_speaker[row["speaker"]].append(row["sound"])
    return {
        speaker: _voice([acoustics[s] for s in own], [phones[s] or [] for s in own])
        for speaker, own in by_speaker.items()
    }


def _voice(acoustics: list[dict], phones: list[list]) -> Voice:
    spoken = [end - start for times in phones for start, end, label in times if label != ENGLISH.silence]
    pitches = [entry["pitch"] for entry in acoustics if entry["pitch"] > 0]
    formants = [[hertz for entry in acoustics for hertz in entry[kind]] for kind in ("open", "close")]
    enough = min(map(len, formants)) >= FEWEST_VOWELS
    return Voice(
        loudness_range=float(np.median([entry["range"] for entry in acoustics])),
        brightness=float(np.median([entry["brightness"] for entry in acoustics])),
        rate=len(spoken) / max(sum(spoken), 1e-6),
        pitch=float(np.median(pitches)) if pitches else ORDINARY.pitch,
        vowel_space=float(np.log2(np.median(formants[0]) / np.median(formants[1]))) if enough else ORDINARY.vowel_space,
    )


def articulation_styles(voices: dict[str, Voice], seed: int) -> dict[str, dict]:
    """Derive the articulation style of every speaker; the random part is seeded by the name.

    Args:
        voices: by speaker.
        seed: of the corpus.

    Returns:
        By speaker, plain values of "voice" and "style".
    """
    made = {}
    for speaker, voice in sorted(voices.items()):
        personal = int.from_bytes(speaker.encode(), "little") % (2**63) + seed
        made[speaker] = {
            "voice": {key: round(value, 3) for key, value in vars(voice).items()},
            "style": style_from_voice(voice, personal).to_json(),
        }
    return made


def in_parallel(work: Callable, jobs: list, workers: int) -> Iterator:
    """Yield the results of `work` on every job, in order, computed by `workers` processes."""
    if workers <= 1 or len(jobs) < 8:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(work, jobs, chunksize=4)

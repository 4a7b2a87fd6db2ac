"""Training clips of held and sung vowels, hums and held fricatives, made from the training voices.

In speech only silence is steady, so a network that learned from speech alone closes the mouth of somebody who sings.
The motion comes from rules alone: the phone's target, opened and kept (`held_motion.py`).
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.articulation.coarticulation import MouthGeometry, TimedPhones, frame_phones
from memorytalker.articulation.speaker import ArticulationStyle
from memorytalker.articulation.visemes import VisemeTable
from memorytalker.corpus.clips import Clip, CorpusError, save_clip
from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.corpus.held_motion import held_motion
from memorytalker.corpus.held_sound import (
    AFTER,
    ALONE,
    SHORTEST_PHONE,
    WITHIN,
    HeldPlan,
    HeldSound,
    Recording,
    held_sound,
)
from memorytalker.corpus.speakers import in_parallel
from memorytalker.corpus.store import stored_held
from memorytalker.corpus.tune import KINDS
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.files import append_lines
from memorytalker.phones import ENGLISH
from memorytalker.progress import Progress
from memorytalker.sound.decode import Waveform, load_waveform, write_wav

#: In the name of a clip that holds a phone.
HELD_MARK = "^"
#: How often each phone is held: open vowels most, hums and fricatives so that not all that is steady is open.
LABELS: Mapping[str, int] = {
    "aa": 4, "ae": 3, "ah": 5, "ao": 3, "eh": 5, "ow": 3, "iy": 4, "uw": 4, "ey": 2, "ay": 2, "aw": 2, "er": 2, "ih": 2,
    "uh": 2, "oy": 1, "m": 9, "s": 3, "sh": 1,
}  # fmt: skip
#: How often a held sound stands in each place.
PLACES: Mapping[str, float] = {ALONE: 0.5, AFTER: 0.3, WITHIN: 0.2}
#: Longest hold, seconds: within a sentence, of hums and fricatives.
LONGEST_WITHIN, LONGEST_CONSONANT = 3.0, 4.0
#: Recorded phones that are tried, longest first, until one is steady.
TRIES = 12
#: Range of effort (tens of decibels) and of breath (dB); one in `BREATHY` is breathy.
EFFORTS, BREATHS, BREATHY_RANGE, BREATHY = (-0.8, 1.0), (-40.0, -22.0), (-20.0, -8.0), 4


@dataclass(frozen=True)
class HeldJob:
    """What one process makes: the sound file of a clip.

    Attributes:
        root: the source folder.
        target: the sound file.
        name: of the clip, which seeds all that is drawn.
        seed: of the corpus.
        candidates: (sound below `root`, its phones, number of the phone to hold), tried in order.
        plan: how it is held.
        fps: motion frames per second.
    """

    root: str
    target: str
    name: str
    seed: int
    candidates: tuple[tuple[str, list, int], ...]
    plan: HeldPlan
    fps: float


def held_vowel_clips(
    root: Path, folder: Path, rows: Sequence[dict], phones: Mapping[str, list | None], config: CorpusConfig,
    table: VisemeTable, geometry: MouthGeometry, head: HeadMesh, fps: int, workers: int,
    progress: Progress | None = None,
) -> list[Clip]:  # fmt: skip
    """Make `config.held_vowel_clips` clips of held sounds, as evenly as possible over the training speakers.

    Their sounds lie in `folder`/held and are made once; what was held is kept in `folder`/held.jsonl. A clip for which
    no steady phone is found is left out.

    Args:
        root: the source folder.
        folder: the corpus, with the articulation styles in speakers.json.
        rows: of the manifest; those of the split "train" are used.
        phones: phone times by sound path.
        config: number, lengths and seed.
        table: targets and dominances.
        geometry: of the head, over the table's shapes.
        head: the head.
        fps: motion frames per second.
        workers: number of processes.
        progress: called after each sound.

    Returns:
        The clips, of kind "synthesised".
    """
    if not config.held_vowel_clips:
        return []
    own = {row["sound"]: row for row in rows if row["split"] == "train" and phones[row["sound"]] is not None}
    jobs = held_jobs(root, folder, list(own.values()), phones, config, fps)
    (folder / "held").mkdir(exist_ok=True)
    store = folder / "held.jsonl"
    known = stored_held(store)
    missing = [job for job in jobs if job.name not in known]
    for done, entry in enumerate(append_lines(store, in_parallel(make_held, missing, workers)), start=1):
        known[entry["name"]] = entry
        if progress:
            progress(done, len(missing), "held vowels")
    styles = json.loads((folder / "speakers.json").read_text(encoding="utf-8"))
    clips = []
    for job in jobs:
        entry = known[job.name]
        if not entry["sound"]:
            continue
        row = own[entry["sound"]]
        style = ArticulationStyle(**styles[row["speaker"]]["style"])
        curves, labels = _motion(entry, table, geometry, head, fps, style)
        frames = len(labels)
        clip = Clip(job.name, row["speaker"], row["split"], row["source"], "synthesised", f"held/{job.name}.wav",
                    frames, fps, base="corpus")  # fmt: skip
        save_clip(folder, clip, curves, labels)
        clips.append(clip)
    return clips


def _motion(
    entry: dict, table: VisemeTable, geometry: MouthGeometry, head: HeadMesh, fps: int, style: ArticulationStyle
) -> tuple[FaceCurves, np.ndarray]:
    """The curves (T, 52) of a stored sound, and its phone in each frame (T,)."""
    mouth = held_motion(entry["phones"], entry["holds"], np.array(entry["effort"]), table, geometry, fps, style)
    weights = np.zeros((len(mouth), len(head.blendshape_names)), np.float32)
    weights[:, [head.blendshape_names.index(name) for name in table.shapes]] = mouth
    labels = frame_phones(TimedPhones.of(entry["phones"]), len(mouth), fps)
    return FaceCurves(weights, head.blendshape_names, fps), labels


def held_jobs(
    root: Path, folder: Path, rows: Sequence[dict], phones: Mapping[str, list | None], config: CorpusConfig, fps: float
) -> list[HeldJob]:
    """Draw what is held: speakers in turn, everything else by name and seed.

    Args:
        root: the source folder.
        folder: the corpus.
        rows: the sentences to cut phones from.
        phones: phone times by sound path.
        config: number, lengths and seed.
        fps: motion frames per second.

    Returns:
        One job for each clip; none if no speaker has a long enough phone.
    """
    spoken = phones_by_speaker(rows, phones)
    speakers = sorted(spoken)
    if not speakers:
        return []
    # Speakers in a drawn order, all once before any comes again.
    order = np.concatenate([np.random.default_rng([config.seed, turn]).permutation(len(speakers))
                            for turn in range(-(-config.held_vowel_clips // len(speakers)))])  # fmt: skip
    jobs = []
    for number, which in enumerate(order[: config.held_vowel_clips]):
        speaker = speakers[which]
        name = f"held_{number:04d}{HELD_MARK}"
        random = np.random.default_rng([config.seed, *name.encode()])
        there = {label: weight for label, weight in LABELS.items() if spoken[speaker].get(label)}
        if not there:
            continue
        label = _drawn(there, random)
        longest = spoken[speaker][label][: 3 * TRIES]
        picked = [longest[i] for i in random.permutation(len(longest))[:TRIES]]
        plan = draw_plan(label, config.held_vowel_seconds, random)
        candidates = tuple((sound, list(phones[sound] or []), at) for sound, at in picked)
        target = folder / "held" / f"{name}.wav"
        jobs.append(HeldJob(str(root), str(target), name, config.seed, candidates, plan, fps))
    return jobs


def phones_by_speaker(
    rows: Sequence[dict], phones: Mapping[str, list | None]
) -> dict[str, dict[str, list[tuple[str, int]]]]:
    """Speaker -> label -> (sound, number of the phone), the longest phone first; only those long enough to be held."""
    found: dict[str, dict[str, list[tuple[float, int, str, int]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        sound = row["sound"]
        for number, (start, end, label) in enumerate(phones[sound] or []):
            if label in LABELS and end - start >= SHORTEST_PHONE:
                place = (-round(end - start, 3), zlib.crc32(sound.encode()), sound, number)
                found[row["speaker"]][label].append(place)
    return {
        speaker: {label: [(sound, number) for _, _, sound, number in sorted(own)] for label, own in labels.items()}
        for speaker, labels in found.items()
    }


def draw_plan(label: str, seconds: tuple[float, ...], random: np.random.Generator) -> HeldPlan:
    """Draw how a phone is held, for `seconds` (shortest, longest); lengths are drawn evenly on a logarithmic scale."""
    place = _drawn(PLACES, random)
    shortest, longest = seconds
    if label not in ENGLISH.vowels:
        longest = min(longest, LONGEST_CONSONANT)
        place = ALONE if place == WITHIN else place
    elif place == WITHIN:
        longest = min(longest, LONGEST_WITHIN)
    breathy = random.integers(BREATHY) == 0
    return HeldPlan(
        place=place,
        tune=_drawn(KINDS, random),
        seconds=float(np.exp(random.uniform(*np.log((shortest, max(shortest, longest)))))),
        effort=float(random.uniform(*EFFORTS)),
        breath_db=float(random.uniform(*(BREATHY_RANGE if breathy else BREATHS))),
    )


def _drawn(weights: Mapping[str, float], random: np.random.Generator) -> str:
    shares = np.array(list(weights.values()), float)
    return str(random.choice(list(weights), p=shares / shares.sum()))


def make_held(job: HeldJob) -> dict[str, Any]:
    """Make the sound of a job and write it.

    Returns:
        The name, the sentence it was cut from ("" if no phone was steady), phones, holds and effort.

    Raises:
        CorpusError: the sound file cannot be written.
    """
    sound, made = held_from(job.root, job.candidates, job.plan, job.fps, job.seed, job.name)
    if made is None:
        return {"name": job.name, "sound": "", "phones": [], "holds": [], "effort": []}
    try:
        write_wav(job.target, Waveform(made.samples))
    except OSError as error:
        raise CorpusError(f"{job.target} cannot be written ({error}); choose a folder with room.") from None
    return {
        "name": job.name, "sound": sound, "phones": _rounded(made.phones), "holds": _rounded(made.holds),
        "effort": made.effort.round(3).tolist(),
    }  # fmt: skip


def held_from(
    root: str | Path, candidates: Sequence[tuple[str, list, int]], plan: HeldPlan, fps: float, seed: int, name: str
) -> tuple[str, HeldSound | None]:
    """Hold the first candidate that is steady.

    Args:
        root: the source folder.
        candidates: (sound below `root`, its phones, number of the phone to hold).
        plan: how it is held.
        fps: motion frames per second.
        seed: of the draws, with
        name: the same seed and name give the same sound.

    Returns:
        The candidate's sound path, and the held sound; "" and None if none is steady.
    """
    for sound, phones, number in candidates:
        random = np.random.default_rng([seed, *name.encode()])
        timed = tuple((start, end, label) for start, end, label in phones)
        made = held_sound(Recording(load_waveform(Path(root) / sound).samples, timed), number, plan, fps, random)
        if made is not None:
            return sound, made
    return "", None


def _rounded(phones: Sequence[tuple[float, float, str]]) -> list[list]:
    return [[round(start, 4), round(end, 4), label] for start, end, label in phones]

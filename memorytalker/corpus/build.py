"""Speech folders and recorded faces to a corpus of training clips.

The source folder is laid out as `speech/manifest.jsonl` (file, speaker, split, text, source), `capture/` and
`noise/noise/`. Every step leaves its result on disk and is skipped when found there, so that a broken run goes on.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from memorytalker.articulation.coarticulation import (
    MouthGeometry,
    TimedPhones,
    articulate,
    frame_phones,
    with_contacts,
)
from memorytalker.articulation.speaker import ArticulationStyle
from memorytalker.articulation.visemes import VisemeTable, load_visemes
from memorytalker.config import Progress
from memorytalker.corpus.align import Aligner, AlignmentError
from memorytalker.corpus.augmentation import training_noises, training_rooms
from memorytalker.corpus.breath import with_breaths
from memorytalker.corpus.capture import (
    CURVE_SOURCES,
    LANDMARK_SOURCES,
    keep_recording,
    recorded_clips,
    write_captured,
)
from memorytalker.corpus.clips import VOICE_MARK, Clip, CorpusError, augmented_version, save_clip, write_clips
from memorytalker.corpus.silence import silent_clips
from memorytalker.corpus.speakers import articulation_styles as manners_of
from memorytalker.corpus.speakers import in_parallel, measure_voices, voices
from memorytalker.corpus.store import store_lines, stored_lines
from memorytalker.corpus.synthetic_speakers import synthetic_speakers
from memorytalker.corpus.voice_augmentation import shifted_voice
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.acoustics import pitch
from memorytalker.sound.decode import load_waveform, write_wav

FPS = 30
#: Every filmed training clip is heard in so many more voices, of a median pitch between these (Hz), as far as the
#: voice may be shifted. Their clips carry the mark in their name.
VOICES, PITCHES, SHIFTS = 2, (95.0, 270.0), (0.75, 1.5)
#: The share of synthesised training clips that are heard once more, disturbed; captured ones all are.
AUGMENTED_SHARE = 0.5
#: How much of a synthesised mouth is heard from the sound by what film taught, the rest being made of phone times.
REGRESSED_SHARE = 0.7

#: From a clip's name and frames T to the curves (T, S), over the viseme table's shapes, that film taught to hear in it.
Heard = Callable[[str, int], np.ndarray]


def build_corpus(
    root: Path,
    folder: Path,
    head: HeadMesh,
    workers: int = 2,
    seed: int = 0,
    manners: bool = True,
    progress: Progress | None = None,
    heard: Heard | None = None,
    recordings: Path | None = None,
) -> dict[str, int]:
    """Make a corpus in `folder` from the source folder `root`; returns counts of clips by kind and of what was left.

    `manners`: give every synthesised speaker a manner of their own, and every training speaker a twin. `heard`: make
    synthesised motion of this as well as of phone times; the other clips stay as they are. `recordings`: a folder of a
    user's own takes (`capture.recorded_clips`) to learn from as well.
    Raises CorpusError if `root` has no manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_manifest(root)
    phones = align_all(root, folder, rows + list(_captured_rows(root)), workers, progress)
    clips = _captured(root, folder, head, phones, seed)
    clips += _recorded(recordings, folder, head, seed) if recordings else []
    clips += _synthesised(root, folder, head, rows, phones, workers, seed, manners, progress, heard)
    clips += _augmented(root, folder, clips, seed)
    clips += silent_clips(root, folder, head.blendshape_names, FPS, seed)
    write_clips(folder, clips, head.blendshape_names)
    counts: dict[str, int] = defaultdict(int)
    for clip in clips:
        counts[f"{clip.kind} {clip.split}"] += 1
    counts["not aligned"] = sum(times is None for times in phones.values())
    return dict(counts)


def read_manifest(root: Path) -> list[dict]:
    """The lines of `speech/manifest.jsonl`, each with `sound`, its path below `root`."""
    manifest = root / "speech" / "manifest.jsonl"
    if not manifest.is_file():
        raise CorpusError(f"{root} has no speech/manifest.jsonl; give a folder laid out as docs/training.md says.")
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [{**row, "sound": f"speech/{row['file']}"} for row in rows]


def _captured_rows(root: Path) -> Iterator[dict]:
    for manifest in sorted(root.glob("capture/*/manifest.jsonl")):
        for line in manifest.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("text"):
                yield {"sound": f"capture/{manifest.parent.name}/{row['audio']}", "text": row["text"]}


def align_all(
    root: Path, folder: Path, rows: list[dict], workers: int = 2, progress: Progress | None = None
) -> dict[str, list | None]:
    """Phone times by sound path: [start, end, label] triples, None where the sentence could not be aligned.

    Kept in `folder/phones.jsonl`; only what is not there yet is aligned.
    """
    store = folder / "phones.jsonl"
    known: dict[str, list | None] = {entry["sound"]: entry["phones"] for entry in stored_lines(store)}
    missing = [(str(root), row["sound"], row["text"]) for row in rows if row["sound"] not in known]
    aligned = store_lines(store, in_parallel(_align_one, missing, workers))
    for done, entry in enumerate(aligned, start=1):
        known[entry["sound"]] = entry["phones"]
        if progress:
            progress(done, len(missing), "align")
    return {row["sound"]: known[row["sound"]] for row in rows}


def _align_one(job: tuple[str, str, str]) -> dict:
    root, sound, text = job
    try:
        phones = _aligner().align(load_waveform(Path(root) / sound).samples, text)
    except AlignmentError as error:
        return {"sound": sound, "phones": None, "error": str(error)}
    return {"sound": sound, "phones": [[round(p.start, 3), round(p.end, 3), p.label] for p in phones]}


@lru_cache(maxsize=1)  # one decoder per worker process
def _aligner() -> Aligner:
    return Aligner()


def synthesised_shapes() -> tuple[str, ...]:
    """The curves that synthesised motion moves, in the order that `Prosody` gives them in."""
    return load_visemes().shapes


def mouth_geometry(head: HeadMesh, shapes: tuple[str, ...]) -> MouthGeometry:
    """How far each of `shapes` opens this head's lips and draws its lower lip from the upper teeth, in metres."""
    upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
    teeth = head.landmarks["upper_teeth"]
    rows = np.stack([head.blendshape(name)[:, 1] for name in shapes])  # (S, V) rise of every vertex
    return MouthGeometry(
        shapes=shapes,
        gap=rows[:, upper] - rows[:, lower],
        bite=-rows[:, lower],
        bite_rest=float(head.template[teeth, 1] - head.template[lower, 1]),
    )


def _captured(root: Path, folder: Path, head: HeadMesh, phones: dict[str, list | None], seed: int) -> list[Clip]:
    """Recorded motion, solved once into `folder/captured`, as clips."""
    there = tuple(name for name in LANDMARK_SOURCES + CURVE_SOURCES if (root / "capture" / name).is_dir())
    if not there:
        return []
    solved = folder / "captured"
    if not (solved / "clips.jsonl").is_file():
        write_captured(root / "capture", solved, there, head)
    clips, geometry = [], mouth_geometry(head, head.blendshape_names)
    for line in (solved / "clips.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        with np.load(solved / f"{row['name']}.npz") as data:
            curves = FaceCurves(data["weights"].astype(np.float32), head.blendshape_names, FPS)
        sound = f"capture/{row['sound']}"
        times = phones.get(sound)
        frames = len(curves.weights)
        labels = np.full(frames, -1) if times is None else frame_phones(TimedPhones.of(times), frames, FPS)
        labels = with_breaths(labels, curves.weights, geometry)
        clip = Clip(row["name"], row["speaker"], row["split"], row["source"], "captured", sound, frames, FPS,
                    text=row.get("text") or "")  # fmt: skip
        save_clip(folder, clip, curves, labels)
        clips.append(clip)
        if clip.split == "train":
            clips += _revoiced(root / sound, folder, clip, curves, labels, seed)
    return clips


def _recorded(recordings: Path, folder: Path, head: HeadMesh, seed: int) -> list[Clip]:
    """A user's own takes as clips; what is said in them is not known."""
    clips = []
    for take in recorded_clips(recordings, head):
        clip, labels = keep_recording(take, folder), np.full(len(take.curves.weights), -1)
        save_clip(folder, clip, take.curves, labels)
        clips.append(clip)
        if clip.split == "train":
            clips += _revoiced(folder / clip.sound, folder, clip, take.curves, labels, seed)
    return clips


def _revoiced(sound: Path, folder: Path, clip: Clip, curves: FaceCurves, labels: np.ndarray, seed: int) -> list[Clip]:
    """The same filmed face with other voices: few people were filmed, and their motion should serve for all throats."""
    (folder / "voices").mkdir(exist_ok=True)
    own = load_waveform(sound)
    height = pitch(own.samples) or 150.0
    random = np.random.default_rng([seed, *clip.name.encode()])
    clips = []
    for number in range(1, VOICES + 1):
        wanted = float(np.exp(random.uniform(*np.log(PITCHES))))
        path = f"voices/{clip.name}{VOICE_MARK}{number}.wav"
        if not (folder / path).is_file():
            write_wav(folder / path, shifted_voice(own, float(np.clip(wanted / height, *SHIFTS))))
        clips.append(replace(clip, name=f"{clip.name}{VOICE_MARK}{number}", sound=path, base="corpus"))
        save_clip(folder, clips[-1], curves, labels)
    return clips


def _synthesised(
    root: Path, folder: Path, head: HeadMesh, rows: list[dict], phones: dict[str, list | None],
    workers: int, seed: int, manners: bool, progress: Progress | None, heard_by_film: Heard | None,
) -> list[Clip]:  # fmt: skip
    """Motion made from phone times, each speaker, and the twin of each training speaker, in their own manner."""
    rows = [row for row in rows if phones[row["sound"]] is not None]
    heard = measure_voices(root, folder, rows, phones, FPS, workers, progress)
    people = voices(rows, heard, phones)
    if manners:
        heights = {speaker: voice.pitch for speaker, voice in people.items()}
        more, times = synthetic_speakers(root, folder, rows, phones, heights, seed, workers, progress)
        rows, phones = rows + more, {**phones, **times}
        heard = measure_voices(root, folder, rows, phones, FPS, workers, progress)
        people = voices(rows, heard, phones)
    speakers = manners_of(people, seed) if manners else {}
    (folder / "speakers.json").write_text(json.dumps(speakers, indent=1) + "\n", encoding="utf-8")
    table = load_visemes()
    geometry = mouth_geometry(head, table.shapes)
    clips = []
    for done, row in enumerate(rows, start=1):
        manner = ArticulationStyle(**speakers[row["speaker"]]["manner"]) if manners else None
        clip, curves, labels = synthesise(row, heard[row["sound"]]["effort"], phones[row["sound"]], table, geometry,
                                          head, manner, heard_by_film)  # fmt: skip
        save_clip(folder, clip, curves, labels)
        clips.append(clip)
        if progress:
            progress(done, len(rows), "articulate")
    return clips


def synthesise(
    row: dict, loud: np.ndarray, times: list, table: VisemeTable, geometry: MouthGeometry, head: HeadMesh,
    manner: ArticulationStyle | None, heard: Heard | None = None,
) -> tuple[Clip, FaceCurves, np.ndarray]:  # fmt: skip
    """One clip of synthesised motion: its entry, its face curves and its phone in each frame."""
    phones, frames = TimedPhones.of(times), len(loud)
    name = Path(row["file"]).with_suffix("").as_posix().replace("/", "_")
    mouth = articulate(phones, table, geometry, frames, FPS, np.asarray(loud), manner if heard is None else None)
    if heard is not None:
        mouth = (1 - REGRESSED_SHARE) * mouth + REGRESSED_SHARE * heard(name, frames)
        if manner is not None:
            mouth = manner.apply(mouth, table.shapes, FPS)
        mouth = with_contacts(mouth, phones, geometry, FPS)
    weights = np.zeros((frames, len(head.blendshape_names)), np.float32)
    weights[:, [head.blendshape_names.index(name) for name in table.shapes]] = mouth
    clip = Clip(name, row["speaker"], row["split"], row["source"], "synthesised", row["sound"], frames, FPS,
                base=row.get("base", "root"), text=row["text"])  # fmt: skip
    return clip, FaceCurves(weights, head.blendshape_names, FPS), frame_phones(phones, frames, FPS)


def _augmented(root: Path, folder: Path, clips: list[Clip], seed: int) -> list[Clip]:
    """Training clips once more, with the same motion, under sound as worse recordings hold it; none without noises."""
    if not training_noises(root) and not training_rooms(root):
        return []
    versions = []
    for clip in clips:
        drawn = np.random.default_rng([seed, *clip.name.encode()]).random()
        if clip.split == "train" and (clip.kind == "captured" or drawn < AUGMENTED_SHARE):
            versions.append(augmented_version(clip, 1))
            shutil.copyfile(folder / "clips" / f"{clip.name}.npz", folder / "clips" / f"{versions[-1].name}.npz")
    return versions

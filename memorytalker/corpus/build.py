"""Build a corpus of training clips from speech and captured motion.

The source folder is laid out as `speech/manifest.jsonl` (file, speaker, split, text, source), `capture/` and
`noise/noise/`. Every step writes its result to disk and is skipped if it is there, so that an interrupted run goes on.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from memorytalker.articulation.coarticulation import (
    MouthGeometry,
    TimedPhones,
    articulate,
    frame_phones,
)
from memorytalker.articulation.gains import Gains, rescaled
from memorytalker.articulation.speaker import ArticulationStyle
from memorytalker.articulation.visemes import VisemeTable, load_visemes
from memorytalker.articulation.visible import speaking_mouth, with_unseen_contacts
from memorytalker.config import shown
from memorytalker.corpus.align import Aligner, AlignmentError
from memorytalker.corpus.augmentation import training_noises, training_rooms
from memorytalker.corpus.breath import with_breaths
from memorytalker.corpus.capture import keep_recording, recorded_clips, solved_clips, write_captured
from memorytalker.corpus.clips import (
    VOICE_MARK,
    Clip,
    CorpusError,
    augmented_version,
    leads_out,
    save_clip,
    write_clips,
)
from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.corpus.held_vowels import held_vowel_clips
from memorytalker.corpus.silence import silent_clips
from memorytalker.corpus.speakers import articulation_styles, in_parallel, measure_acoustics, speaker_voices
from memorytalker.corpus.store import source_lines, stored_phones
from memorytalker.corpus.synthetic_speakers import synthetic_speakers
from memorytalker.corpus.voice_augmentation import shifted_voice
from memorytalker.face.array_files import ArrayFileError, open_arrays
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.files import append_lines
from memorytalker.progress import Progress
from memorytalker.sound.acoustics import pitch
from memorytalker.sound.decode import load_waveform, write_wav

FPS = 30
#: The splits of a manifest.
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class BuildContext:
    """What a corpus is made from, and with which resources; passed through all steps unchanged.

    Attributes:
        root: the source folder.
        folder: the corpus.
        config: its settings.
        recordings: a folder of a user's own takes (`capture.recorded_clips`).
        curves: a folder with the regressed curves of every synthesised clip (`save_curves`), which are blended with
            those from phone times; None: phone times alone.
        workers: number of processes.
        progress: called as the steps proceed.
    """

    root: Path
    folder: Path
    config: CorpusConfig
    recordings: Path | None = None
    curves: Path | None = None
    workers: int = 2
    progress: Progress | None = None

    def tell(self, done: int, total: int, stage: str) -> None:
        """Report progress to `progress`, if there is one."""
        if self.progress:
            self.progress(done, total, stage)


def build_corpus(context: BuildContext, head: HeadMesh) -> dict[str, int]:
    """Build a corpus.

    Args:
        context: sources and settings.
        head: the head whose curves are written.

    Returns:
        Number of clips by kind and split, and of sentences that could not be aligned.

    Raises:
        CorpusError: the source folder has no manifest, or a clip has no regressed curves.
    """
    root, folder = context.root, context.folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_manifest(root)
    phones = align_all(root, folder, rows + list(_captured_rows(root)), context.workers, context.progress)
    clips = _captured(context, head, phones)
    clips += _recorded(context, head) if context.recordings else []
    clips += _synthesised(context, head, rows, phones)
    clips += _held(context, head, rows, phones)
    clips += _augmented(context, clips)
    clips += silent_clips(root, folder, head.blendshape_names, FPS, context.config.seed, context.config.silent_clips)
    write_clips(folder, clips, head.blendshape_names)
    counts: dict[str, int] = defaultdict(int)
    for clip in clips:
        counts[f"{clip.kind} {clip.split}"] += 1
    counts["not aligned"] = sum(times is None for times in phones.values())
    return dict(counts)


def save_curves(folder: Path, name: str, curves: np.ndarray) -> None:
    """Write the curves (T, S) of a clip's mouth, over `synthesised_shapes`, into `folder`, under the clip's name."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", curves, allow_pickle=False)


def read_saved_curves(folder: Path, name: str, frames: int) -> np.ndarray:
    """The curves (T, S) of a clip of T `frames`, as `save_curves` wrote them. Raises CorpusError if there are none."""
    path = folder / f"{name}.npy"
    if not path.is_file():
        raise CorpusError(f"{folder} has no curves of the clip {name}; delete the folder and make the corpus again.")
    try:
        curves = open_arrays(path).read()
    except ArrayFileError:
        raise CorpusError(f"{path} is damaged; delete the folder and make the corpus again.") from None
    if curves.shape != (frames, len(synthesised_shapes())):
        raise CorpusError(
            f"{path} holds {' x '.join(map(str, curves.shape))} numbers, but its clip has {frames} frames of "
            f"{len(synthesised_shapes())} curves; delete the folder and make the corpus again."
        )
    if curves.dtype.kind != "f" or not np.isfinite(curves).all():
        raise CorpusError(f"{path} holds other than numbers; delete the folder and make the corpus again.")
    return curves


def read_manifest(root: Path) -> list[dict]:
    """The lines of `speech/manifest.jsonl`, each with `sound`, its path below `root`.

    Raises CorpusError if there is none, or for a line that docs/training.md does not allow.
    """
    manifest = root / "speech" / "manifest.jsonl"
    if not manifest.is_file():
        raise CorpusError(f"{root} has no speech/manifest.jsonl; give a folder laid out as docs/training.md says.")
    rows = source_lines(manifest, dict.fromkeys(("file", "speaker", "split", "text", "source"), str))
    for row in rows:
        if leads_out(row["file"]) or not Path(row["file"]).name:
            raise CorpusError(f"{manifest} names the file {shown(row['file'])}; give paths below {manifest.parent}.")
        if row["split"] not in SPLITS:
            raise CorpusError(f"{manifest} names the split {shown(row['split'])}; choose one of {', '.join(SPLITS)}.")
    return [{**row, "sound": f"speech/{row['file']}"} for row in rows]


def _captured_rows(root: Path) -> Iterator[dict]:
    for manifest in sorted(root.glob("capture/*/manifest.jsonl")):
        for row in source_lines(manifest, {"audio": str, "text": str | None}):
            if leads_out(row["audio"]):
                raise CorpusError(f"{manifest} names the sound {shown(row['audio'])}; give paths below its folder.")
            if row.get("text"):
                yield {"sound": f"capture/{manifest.parent.name}/{row['audio']}", "text": row["text"]}


def align_all(
    root: Path, folder: Path, rows: list[dict], workers: int = 2, progress: Progress | None = None
) -> dict[str, list | None]:
    """Align every sentence; results are kept in `folder/phones.jsonl`, and only new sentences are aligned.

    Args:
        root: the source folder.
        folder: the corpus.
        rows: of the manifest.
        workers: number of processes.
        progress: called after each sentence.

    Returns:
        Phone times by sound path: [start, end, label] triples, None where the sentence could not be aligned.
    """
    store = folder / "phones.jsonl"
    known = stored_phones(store)
    missing = [(str(root), row["sound"], row["text"]) for row in rows if row["sound"] not in known]
    aligned = append_lines(store, in_parallel(_align_one, missing, workers))
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
    """Return the names of the curves of synthesised motion, in order."""
    return load_visemes().shapes


def mouth_geometry(head: HeadMesh, shapes: tuple[str, ...]) -> MouthGeometry:
    """Measure how far each shape opens a head's lips and moves its lower lip from the upper teeth, in metres."""
    upper, lower = head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"]
    teeth, left, right = (head.landmarks[name] for name in ("upper_teeth", "mouth_left", "mouth_right"))
    up, low = (np.array([head.blendshape(name)[lip, 1] for name in shapes]) for lip in (upper, lower))  # (S,) rise
    return MouthGeometry(
        shapes=shapes,
        gap=up - low,
        lip_to_teeth=-low,
        lip_to_teeth_rest=float(head.template[teeth, 1] - head.template[lower, 1]),
        width=np.array([head.blendshape(name)[left, 0] - head.blendshape(name)[right, 0] for name in shapes]),
    )


def _captured(context: BuildContext, head: HeadMesh, phones: dict[str, list | None]) -> list[Clip]:
    """Make clips of recorded motion, which is solved once into `folder/captured`."""
    root, folder = context.root, context.folder
    there = [source for source in context.config.sources if (root / "capture" / source.folder).is_dir()]
    if not there:
        return []
    solved = folder / "captured"
    if not (solved / "clips.jsonl").is_file():
        write_captured(root / "capture", solved, there, head)
    clips, geometry = [], mouth_geometry(head, head.blendshape_names)
    for row, curves in solved_clips(solved, head.blendshape_names):
        sound = f"capture/{row['sound']}"
        times = phones.get(sound)
        frames = len(curves.weights)
        labels = np.full(frames, -1) if times is None else frame_phones(TimedPhones.of(times), frames, FPS)
        labels = with_breaths(labels, curves.weights, geometry)
        spoken = None if times is None else TimedPhones.of(times)
        clip = Clip(row["name"], row["speaker"], row["split"], row["source"], "captured", sound, frames, FPS,
                    text=row.get("text") or "")  # fmt: skip
        if clip.split == "train":
            larger = Gains(*context.config.captured_gains).style
            curves = replace(curves, weights=rescaled(curves.weights, larger, geometry, curves.fps))
        save_clip(folder, clip, _with_unseen(curves, spoken, geometry), labels)
        clips.append(clip)
        if clip.split == "train":
            clips += _voice_augmented(context, root / sound, clip, curves, labels, geometry, spoken)
    return clips


def _with_unseen(curves: FaceCurves, phones: TimedPhones | None, geometry: MouthGeometry) -> FaceCurves:
    """Add what a tracker does not see to recorded curves, if the phones are known."""
    if phones is None:
        return curves
    return replace(curves, weights=with_unseen_contacts(curves.weights, phones, geometry, FPS).astype(np.float32))


def _recorded(context: BuildContext, head: HeadMesh) -> list[Clip]:
    """Make clips of a user's own takes; they have no transcript."""
    clips, folder, geometry = [], context.folder, mouth_geometry(head, head.blendshape_names)
    assert context.recordings is not None  # see `build_corpus`
    for take in recorded_clips(context.recordings, head):
        clip, labels = keep_recording(take, folder), np.full(len(take.curves.weights), -1)
        save_clip(folder, clip, take.curves, labels)
        clips.append(clip)
        if clip.split == "train":
            clips += _voice_augmented(context, folder / clip.sound, clip, take.curves, labels, geometry)
    return clips


def _voice_augmented(
    context: BuildContext, sound: Path, clip: Clip, curves: FaceCurves, labels: np.ndarray, geometry: MouthGeometry,
    phones: TimedPhones | None = None,
) -> list[Clip]:  # fmt: skip
    """Make versions of a captured clip with other pitch and formants, and with larger and smaller motion.

    The timing stays. What a network hears does not tell how large the motion is, so it learns to be shown that.
    """
    folder, config = context.folder, context.config
    (folder / "voices").mkdir(exist_ok=True)
    own = load_waveform(sound)
    median_pitch = pitch(own.samples) or 150.0
    lowest, highest = config.voice_shifts
    random = np.random.default_rng([config.seed, *clip.name.encode()])
    clips = []
    for number in range(1, config.augmented_voices + 1):
        wanted = float(np.exp(random.uniform(*np.log(config.voice_pitches))))
        path = f"voices/{clip.name}{VOICE_MARK}{number}.wav"
        if not (folder / path).is_file():
            write_wav(folder / path, shifted_voice(own, float(np.clip(wanted / median_pitch, lowest, highest))))
        clips.append(replace(clip, name=f"{clip.name}{VOICE_MARK}{number}", sound=path, base="corpus"))
        jaw, width = (float(np.exp(random.uniform(*np.log(ends)))) for ends in (config.jaw_gains, config.width_gains))
        moved = replace(curves, weights=rescaled(curves.weights, Gains(jaw, width).style, geometry, curves.fps))
        save_clip(folder, clips[-1], _with_unseen(moved, phones, geometry), labels)
    return clips


def _synthesised(context: BuildContext, head: HeadMesh, rows: list[dict], phones: dict[str, list | None]) -> list[Clip]:
    """Make clips with motion from phone times, for all speakers and for synthetic versions of training speakers."""
    root, folder, config = context.root, context.folder, context.config
    helped = (context.workers, context.progress)
    rows = [row for row in rows if phones[row["sound"]] is not None]
    acoustics = measure_acoustics(root, folder, rows, phones, FPS, *helped)
    pitches = {speaker: voice.pitch for speaker, voice in speaker_voices(rows, acoustics, phones).items()}
    more, more_phones = synthetic_speakers(
        root, folder, rows, phones, pitches, config.seed, config.synthetic_speaker_clips, *helped
    )
    rows, phones = rows + more, {**phones, **more_phones}
    acoustics = measure_acoustics(root, folder, rows, phones, FPS, *helped)
    speakers = articulation_styles(speaker_voices(rows, acoustics, phones), config.seed)
    (folder / "speakers.json").write_text(json.dumps(speakers, indent=1) + "\n", encoding="utf-8")
    table = load_visemes()
    geometry = mouth_geometry(head, table.shapes)
    clips = []
    for done, row in enumerate(rows, start=1):
        style = ArticulationStyle(**speakers[row["speaker"]]["style"])
        loud, times, regressed = acoustics[row["sound"]]["effort"], phones[row["sound"]], None
        assert times is not None  # sentences that could not be aligned are left out above
        if context.curves is not None:
            regressed = read_saved_curves(context.curves, clip_name(row), len(loud))
        clip, curves, labels = synthesise(row, loud, times, table, geometry, head, style, config, regressed)
        save_clip(folder, clip, curves, labels)
        clips.append(clip)
        context.tell(done, len(rows), "articulate")
    return clips


def _held(context: BuildContext, head: HeadMesh, rows: list[dict], phones: dict[str, list | None]) -> list[Clip]:
    """Make clips of held and sung vowels, which need the styles that `_synthesised` wrote."""
    table = load_visemes()
    return held_vowel_clips(
        context.root, context.folder, rows, phones, context.config, table, mouth_geometry(head, table.shapes), head,
        FPS, context.workers, context.progress,
    )  # fmt: skip


def clip_name(row: dict) -> str:
    """Return the clip name of a line of the manifest."""
    return Path(row["file"]).with_suffix("").as_posix().replace("/", "_")


def synthesise(
    row: dict, loud: np.ndarray, times: list, table: VisemeTable, geometry: MouthGeometry, head: HeadMesh,
    style: ArticulationStyle, config: CorpusConfig, regressed: np.ndarray | None = None,
) -> tuple[Clip, FaceCurves, np.ndarray]:  # fmt: skip
    """Make one clip of synthesised motion.

    Args:
        row: of the manifest.
        loud: (T,) effort, see `articulate`.
        times: [start, end, label] triples.
        table: targets and dominances.
        geometry: of the head, over the table's shapes.
        head: the head.
        style: articulation style of the speaker.
        config: how the two sources of motion are blended.
        regressed: (T, S) curves from the curve regressor, over the table's shapes; None: phone times alone.

    Returns:
        The clip, its curves, and its phone in each frame (T,).
    """
    phones, frames = TimedPhones.of(times), len(loud)
    mouth = articulate(phones, table, geometry, frames, FPS, np.asarray(loud))
    mouth = Gains(*config.rule_gains).style.apply(mouth, table.shapes, FPS)
    if regressed is not None:
        share = config.regressed_share
        regressed = rescaled(regressed, Gains(*config.regressed_gains).style, geometry, FPS)
        mouth = (1 - share) * mouth + share * regressed
    mouth = style.apply(mouth, table.shapes, FPS)
    weights = np.zeros((frames, len(head.blendshape_names)))
    weights[:, [head.blendshape_names.index(name) for name in table.shapes]] = mouth
    whole = mouth_geometry(head, head.blendshape_names)
    weights = speaking_mouth(weights, phones, whole, FPS, style).astype(np.float32)
    clip = Clip(clip_name(row), row["speaker"], row["split"], row["source"], "synthesised", row["sound"], frames, FPS,
                base=row.get("base", "root"), text=row["text"])  # fmt: skip
    return clip, FaceCurves(weights, head.blendshape_names, FPS), frame_phones(phones, frames, FPS)


def _augmented(context: BuildContext, clips: list[Clip]) -> list[Clip]:
    """Make versions of training clips with augmented sound and the same motion; none without noises and rooms."""
    folder, config = context.folder, context.config
    if not training_noises(context.root) and not training_rooms(context.root):
        return []
    versions = []
    for clip in clips:
        drawn = np.random.default_rng([config.seed, *clip.name.encode()]).random()
        if clip.split == "train" and (clip.kind == "captured" or drawn < config.augmented_share):
            versions.append(augmented_version(clip, 1))
            shutil.copyfile(folder / "clips" / f"{clip.name}.npz", folder / "clips" / f"{versions[-1].name}.npz")
    return versions

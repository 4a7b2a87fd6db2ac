"""Make assets/ground_truth from recordings of real faces: `python tools/ground_truth.py SOURCE/capture`.

Only clips that the shipped weights were not trained on (the recipe says which; a folder that it does not name was not
trained on at all), taken by rule and not by how well the model does on them: of the held-out clips that are tracked
throughout the first, middle and last of one man, the first and last of one woman, the last of two more people, and two
stretches of the captured take between pauses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import soundfile

from memorytalker.corpus.capture import FPS, captured_clips
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.corpus.landmark_files import read_landmark_clips
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import SAMPLE_RATE, load_waveform
from memorytalker.tracking.landmarks import fill_missing
from memorytalker.training.open_recipe import read_recipe

TARGET = Path(__file__).resolve().parents[1] / "assets" / "ground_truth"
#: Folder of tracked videos -> the speaker, and which held-out clips are taken, as shares of their number.
VIDEOS = {
    "grid_s1": ("A man", (0.0, 0.5, 1.0)),
    "grid_s4": ("A woman", (0.0, 1.0)),
    "grid_s26": ("A second man", (1.0,)),
    "grid_s30": ("A third man", (1.0,)),
}
#: Stretches of the captured take, in seconds; each begins and ends in a pause.
TAKE, STRETCHES = "1114_3_15", ((3.9, 10.7), (31.1, 39.9))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path, help="the folder with grid_s1/, grid_s4/ and facegood/")
    root = parser.parse_args().capture
    TARGET.mkdir(parents=True, exist_ok=True)
    entries = [entry for folder in VIDEOS for entry in tracked(root, folder)] + captured(root)
    text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
    (TARGET / "clips.json").write_text(text, encoding="utf-8")
    for path in sorted(TARGET.glob("*.*")):
        if path.name != "README.md":
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


def source_of(folder: str) -> CaptureSource:
    """What the recipe of the shipped weights says of a folder; one that it does not name is held out."""
    unknown = CaptureSource(folder, "landmarks", train=False)
    return next((source for source in read_recipe().corpus.sources if source.folder == folder), unknown)


def training_of(folder: str, who: str, what: str) -> str:
    """What training saw of the speaker `who` of a clip, in a sentence; `what` it is, "clip" or "take"."""
    person = "woman" if "woman" in who else "man"
    if source_of(folder).train:
        return f"This {what} was not in the training; other {what}s of this {person} were."
    return f"Nothing of this {person} was in the training."


def tracked(root: Path, folder: str) -> list[dict]:
    """Write the chosen clips of a folder of tracked videos and their sound; return their entries in clips.json."""
    who, shares = VIDEOS[folder]
    source, clips = source_of(folder), list(read_landmark_clips(root / folder))
    held_out = [
        clip.name
        for number, clip in enumerate(clips)
        if source.holds_out(clip.name, number, len(clips)) and fill_missing(clip.points, clip.fps) is not None
    ]
    if not held_out:
        raise SystemExit(f"Every clip of {folder} is trained on; hold one out in the recipe (held_out_last).")
    chosen = {held_out[round(share * (len(held_out) - 1))] for share in shares}
    entries = []
    for clip in captured_clips(root, [source], only=chosen):
        sound = f"{clip.name}{clip.sound.suffix}"
        shutil.copyfile(clip.sound, TARGET / sound)
        seen = training_of(folder, who, "clip")
        entries.append(written(clip.name, clip.curves, sound, "tracked", f"{who}: “{clip.text}”", seen))
    return entries


def captured(root: Path) -> list[dict]:
    """Write the stretches of the captured take; their entries in clips.json."""
    (clip,) = captured_clips(root, [source_of("facegood")], only={TAKE})
    samples = load_waveform(clip.sound).samples
    entries = []
    for number, (start, end) in enumerate(STRETCHES, start=1):
        name = f"facegood_{TAKE}_{number}"
        first, last = round(start * FPS), round(end * FPS)
        piece = samples[round(first * SAMPLE_RATE / FPS) : round(last * SAMPLE_RATE / FPS)]
        soundfile.write(TARGET / f"{name}.flac", piece, SAMPLE_RATE, subtype="PCM_16")
        words = f"A woman speaking Mandarin, stretch {number}"
        curves = FaceCurves(clip.curves.weights[first:last], clip.curves.names, FPS)
        seen = training_of(clip.source, "woman", "take")
        entries.append(written(name, curves, f"{name}.flac", "captured", words, seen))
    return entries


def written(name: str, curves: FaceCurves, sound: str, kind: str, words: str, training: str) -> dict:
    """Write the curves of one clip; its entry."""
    np.savez_compressed(
        TARGET / f"{name}.npz",
        weights=curves.weights.astype(np.float16),
        names=np.array(curves.names),
        fps=np.float32(FPS),
    )
    entry = {"name": name, "words": words, "kind": kind, "training": training}
    return entry | {"motion": f"{name}.npz", "sound": sound}


if __name__ == "__main__":
    main()

"""Fit the viseme table to filmed faces: `tools/fit_articulation.py ROOT CORPUS` writes articulation/visemes.json.

ROOT is the source folder, CORPUS a folder in which a corpus was (or will be) built; the filmed clips of its `train`
split whose words are known are used, nothing else. Targets are linear given the dominances, so they are solved for by
least squares; strengths and widths, one set for each class of phones, are searched. Prints the fit before and after.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from memorytalker.articulation.coarticulation import TimedPhones, activations, articulate
from memorytalker.articulation.visemes import GROUPS, VOWELS, VisemeTable
from memorytalker.audio import load_waveform
from memorytalker.config import PHONES
from memorytalker.corpus.build import FPS, align_all, mouth_geometry
from memorytalker.corpus.capture import write_captured
from memorytalker.corpus.hearing import effort
from memorytalker.head import HeadMesh, load_head

JAW_SHAPES = ("jawOpen", "mouthClose", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthShrugLower", "mouthRollLower")
LIP_SHAPES = (
    "mouthFunnel", "mouthPucker", "mouthRollUpper", "mouthShrugUpper", "mouthUpperUpLeft", "mouthUpperUpRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthPressLeft", "mouthPressRight",
)  # fmt: skip
#: Phones that share strengths and widths.
CLASSES = {
    "silence": "sil", "bilabial": "b m p", "labiodental": "f v", "dental": "dh th", "sibilant": "s z sh zh ch jh",
    "alveolar": "t d n l", "back": "k g ng hh", "glide": "w r y er", "open": "aa ae ah ao aw ay eh ey",
    "close": "ih iy", "round": "ow oy uh uw",
}  # fmt: skip
#: A phone seen in fewer frames than this leans on another that looks like it.
RARE = 200
LIKE = {"zh": "sh", "sh": "ch", "ch": "jh", "oy": "ao", "uh": "uw", "ng": "n", "aw": "aa", "ao": "aa", "aa": "ah",
        "y": "iy", "g": "k", "ah": "eh", "hh": "ah", "er": "ah", "th": "d", "dh": "d"}  # fmt: skip
#: Phones that the films' few words show only beside one strong neighbour (with, three, white): never taken from there.
CONFOUNDED = ("hh", "er", "th", "dh")
RIDGE = 3.0  # frames' worth of pull towards the phone's class


@dataclass(frozen=True)
class Film:
    """One filmed clip: phones, loudness (T,), curves (T, S)."""

    phones: TimedPhones
    effort: np.ndarray
    curves: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    head = load_head()
    films = read_films(options.root, options.corpus, head)
    held, fitted = films[::8], [film for i, film in enumerate(films) if i % 8]
    table = start_table()
    table, error = solve_targets(table, fitted)
    print(f"{len(fitted)} clips fitted, {len(held)} held out; before the search: error {error:.4f}", flush=True)
    report(table, held, head)
    table = search(table, fitted[::2], options.rounds)
    table, error = solve_targets(table, fitted)
    print(f"after: error {error:.4f}")
    report(table, held, head)
    values = {"fitted_to": f"{len(fitted)} filmed clips of one speaker, GRID s1 (Cooke et al. 2006)", **table.to_json()}
    target = Path(__file__).resolve().parents[1] / "memorytalker" / "articulation" / "visemes.json"
    target.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target.name}")


def read_films(root: Path, corpus: Path, head: HeadMesh) -> list[Film]:
    """The filmed training clips whose words are known."""
    solved = corpus / "captured"
    if not (solved / "clips.jsonl").is_file():
        write_captured(root / "capture", solved)
    rows = [json.loads(line) for line in (solved / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [dict(row, sound=f"capture/{row['sound']}") for row in rows if row["split"] == "train" and row["text"]]
    times = align_all(root, corpus, rows)
    columns = [head.blendshape_names.index(name) for name in JAW_SHAPES + LIP_SHAPES]
    films = []
    for row in rows:
        if times[row["sound"]] is None:
            continue
        with np.load(solved / f"{row['name']}.npz") as data:
            curves = data["weights"][:, columns].astype(np.float64)
        loud = effort(load_waveform(root / row["sound"]).samples, len(curves), FPS)
        films.append(Film(TimedPhones.of(without_final_r(times[row["sound"]])), loud, curves))
    return films


def without_final_r(phones: list) -> list:
    """The speaker filmed is not rhotic: an r that no vowel follows is the vowel before it, drawn out."""
    spoken = []
    for number, (start, end, label) in enumerate(phones):
        follower = phones[number + 1][2] if number + 1 < len(phones) else "sil"
        silent = label == "r" and follower not in VOWELS and spoken and spoken[-1][2] in VOWELS
        spoken.append((start, end, spoken[-1][2] if silent else label))
    return spoken


def start_table() -> VisemeTable:
    """No targets yet, and dominances of an ordinary size: a tenth of a second either way."""
    shapes = JAW_SHAPES + LIP_SHAPES
    flat = np.ones((len(PHONES), len(GROUPS)))
    empty = np.zeros((len(PHONES), len(shapes)))
    group = np.array([0] * len(JAW_SHAPES) + [1] * len(LIP_SHAPES))
    return VisemeTable(shapes, group, empty, empty, flat, 0.08 * flat, 0.08 * flat)


def solve_targets(table: VisemeTable, films: list[Film]) -> tuple[VisemeTable, float]:
    """The best targets and efforts for the table's dominances, and the mean squared error they leave."""
    count, shapes = len(PHONES), len(table.shapes)
    target, strain = np.zeros((count, shapes)), np.zeros((count, shapes))
    curves = np.concatenate([film.curves for film in films])
    loud = np.concatenate([film.effort for film in films])[:, None]
    error = 0.0
    shares = [activations(film.phones, table, len(film.curves), FPS) for film in films]
    for group in range(len(GROUPS)):
        columns = table.group == group
        share = np.concatenate([s[group] for s in shares])
        design = np.concatenate([share, share * loud], axis=1)
        design[:, [0, count]] = 0.0  # silence is the face at rest, by definition
        wanted = curves[:, columns]
        normal = design.T @ design + RIDGE * np.eye(2 * count)
        pull = RIDGE * np.concatenate([np.repeat(wanted.mean(0)[None], count, 0), np.zeros((count, columns.sum()))])
        solution = np.linalg.solve(normal, design.T @ wanted + pull)
        solution[0] = solution[count] = 0.0
        target[:, columns], strain[:, columns] = solution[:count], solution[count:]
        error += float(np.square(np.clip(design @ solution, 0, 1) - wanted).sum())
    seen = np.concatenate([s[0] for s in shares]).sum(0)
    return fill_rare(replace(table, target=target, effort=strain), seen), error / curves.size


def fill_rare(table: VisemeTable, seen: np.ndarray) -> VisemeTable:
    """Phones that the films hardly hold take the targets of one that looks like them."""
    target, strain = table.target.copy(), table.effort.copy()
    for phone, index in ((phone, PHONES.index(phone)) for phone in LIKE):
        model, hops = phone, 0
        while (model in CONFOUNDED or seen[PHONES.index(model)] < RARE) and model in LIKE and hops < 4:
            model, hops = LIKE[model], hops + 1
        target[index], strain[index] = table.target[PHONES.index(model)], table.effort[PHONES.index(model)]
    return replace(table, target=target, effort=strain)


def search(table: VisemeTable, films: list[Film], rounds: int) -> VisemeTable:
    """Better strengths and widths, one class, group and quantity at a time."""
    best = solve_targets(table, films)[1]
    for number in range(rounds):
        for phones in CLASSES.values():
            members = [PHONES.index(phone) for phone in phones.split()]
            for group in range(len(GROUPS)):
                for key in ("strength", "before", "after"):
                    for factor in (0.67, 1.5):
                        values = getattr(table, key).copy()
                        low, high = (0.05, 20.0) if key == "strength" else (0.02, 0.25)
                        values[members, group] = np.clip(values[members, group] * factor, low, high)
                        trial = replace(table, **{key: values})
                        error = solve_targets(trial, films)[1]
                        if error < best:
                            best, table = error, trial
                            break
        print(f"  round {number + 1}: error {best:.5f}", flush=True)
    return table


def report(table: VisemeTable, films: list[Film], head: HeadMesh) -> None:
    """Correlation of the lip gap made from phones with the filmed one, on clips left out."""
    geometry = mouth_geometry(head, table.shapes)
    rows = []
    for film in films:
        made = articulate(film.phones, table, geometry, len(film.curves), FPS, film.effort)
        gaps = [np.maximum(curves @ geometry.gap, 0) for curves in (made, film.curves)]
        rows.append((np.corrcoef(*gaps)[0, 1], gaps[0].std() / gaps[1].std()))
    correlation, amplitude = np.median(rows, axis=0)
    print(f"  lip gap on the clips held out: median correlation {correlation:.3f}, amplitude {amplitude:.2f}")


if __name__ == "__main__":
    main()

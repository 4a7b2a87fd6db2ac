"""Our own stages and the peers in one run, as a table and as JSON.

python -m tools.bench [--seconds 10] [--runs 5] [--json runs/bench.json] [--film FOLDER]

With --film, a folder of videos of faces, or of recorded face curves with their sounds, it also says how well the jaw
follows the recorded one: of our motion, and of loudness alone. A file's name up to its first "_" names the person.
The shipped weights were trained on the people of the usual folder; MODEL_CARD.md has figures of people who were not.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from memorytalker.benchmark import Benchmark, measure, measure_live, shown, speech_of, spread
from memorytalker.errors import InputError
from memorytalker.files import write_whole
from memorytalker.options import RenderOptions
from memorytalker.pipeline import Talker
from memorytalker.sound.acoustics import loudness_contour
from memorytalker.styles.recordings import Recording, find_recordings, read_recordings
from tools.bench.peers import Peer, peers

JAW = "jawOpen"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the speech (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs that count, after one (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--film", type=Path, metavar="FOLDER", help="videos of faces, or recorded curves")
    chosen = parser.parse_args()
    own = measure(chosen.seconds, runs=chosen.runs)
    live = measure_live(min(chosen.seconds, 5.0))
    print(f"{own.table()}\n{live.table()}", flush=True)
    talker = Talker.from_pretrained()
    animation = talker.animate(speech_of(chosen.seconds))
    found = []
    for peer in peers(animation, RenderOptions(), chosen.runs):
        print(line(peer), flush=True)
        found.append(peer)
    accuracy = [] if chosen.film is None else measured_agreement(talker, chosen.film)
    for person, count, ours, loudness in summary(accuracy):
        print(f"jaw of {person}, {count} recordings: median correlation {ours:.2f} of ours, {loudness:.2f} of loudness")
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        everything = figures(own, found, accuracy) | {"live": dataclasses.asdict(live)}
        text = json.dumps(everything, indent=1)
        write_whole(chosen.json, lambda part: part.write_text(text, encoding="utf-8"))
    return 0


def line(peer: Peer) -> str:
    """A peer as a line of the table."""
    if not peer.seconds:
        return f"{peer.name}: not measured: {peer.reason}; {peer.inside}"
    return f"{peer.name}: {shown(peer.seconds)}, {median(peer.processor):.3f} s of all cores; {peer.inside}"


def figures(own: Benchmark, found: list[Peer], accuracy: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything as values for JSON."""
    others = [
        {"name": peer.name, "inside": peer.inside, "not_measured": peer.reason}
        | ({**spread(peer.seconds), "processor": spread(peer.processor)} if peer.seconds else {})
        for peer in found
    ]
    return {**own.figures(), "peers": others, "accuracy": accuracy}


def measured_agreement(talker: Talker, folder: Path) -> list[dict[str, Any]]:
    """`agreement` of every recording in a folder, person by person, since the face at rest is a person's own."""
    people: dict[str, list[Path]] = {}
    for path in find_recordings(folder):
        people.setdefault(path.name.partition("_")[0], []).append(path)
    found = []
    for person, paths in people.items():
        try:
            recordings = read_recordings(paths)
        except InputError as error:
            print(f"jaw of {person}: not measured: {error}")
            continue
        found += [{"person": person, **agreement(talker, one)} for one in recordings]
    return found


def summary(accuracy: list[dict[str, Any]]) -> list[tuple[str, int, float, float]]:
    """For each person the number of recordings, and the median correlation of our motion and of loudness."""
    people = dict.fromkeys(one["person"] for one in accuracy)
    rows = [(person, [one for one in accuracy if one["person"] == person]) for person in people]
    return [
        (person, len(own), median(one["ours"] for one in own), median(one["loudness"] for one in own))
        for person, own in rows
    ]


def agreement(talker: Talker, recording: Recording) -> dict[str, Any]:
    """Correlation of the jaw over time with the recorded one, of our motion and of loudness, at the motion rate."""
    ours = talker.animate(recording.waveform).curves
    recorded = recording.curves.resample(ours.fps)
    count = min(len(ours.weights), len(recorded.weights))
    jaw, true = ours.weights[:count, ours.names.index(JAW)], recorded.weights[:count, recorded.names.index(JAW)]
    contour = loudness_contour(recording.waveform.samples)
    loud = np.interp((np.arange(count) + 0.5) / ours.fps, (np.arange(len(contour)) + 0.5) / 100, contour)
    return {"name": recording.name, "ours": correlation(jaw, true), "loudness": correlation(loud, true)}


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of two series; 0 where one of them does not move."""
    if min(np.ptp(one), np.ptp(other)) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


if __name__ == "__main__":
    raise SystemExit(main())

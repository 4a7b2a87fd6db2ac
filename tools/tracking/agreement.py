"""Compare motion solved from tracked film with the film: lip opening and lip width, for each person.

    python -m tools.tracking.agreement ../shared/capture [--basis FILE] [--clips 40]

For each folder of landmarks: correlation over time and amplitude (standard deviation over time) of the head's lips
against the tracked ones, means over clips; and the share of frames in which a control lies at its limit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from memorytalker.corpus.capture import CapturedClip, captured_clips, head_openings
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.corpus.landmark_files import read_landmark_clips
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.tracking.landmark_solver import CONTROLS, read_basis
from memorytalker.tracking.tracker import BASIS_FILE

#: A control lies at its limit from this share of it on.
_AT_LIMIT = 0.98


def main() -> None:
    """Solve, and print a row for each person."""
    parser = argparse.ArgumentParser(description="Compare motion solved from tracked film with the film.")
    parser.add_argument("capture", type=Path, help="the folder with the folders of landmarks")
    parser.add_argument("--basis", type=Path, default=BASIS_FILE, help="the tracker basis (default: the shipped one)")
    parser.add_argument("--clips", type=int, default=40, help="clips of each person at the most")
    arguments = parser.parse_args()
    head = load_head()
    basis = read_basis(arguments.basis, head)
    print("person     clips  gap r  gap size  width r  width size  at limits")
    for folder in sorted(path.parent for path in arguments.capture.glob("*/landmarks.npz")):
        names = [clip.name for clip in read_landmark_clips(folder)]
        only = names[:: -(-len(names) // arguments.clips)]
        source = CaptureSource(folder.name, "landmarks")
        clips = list(captured_clips(arguments.capture, [source], head, only, basis))
        figures = np.mean([agreement(head, clip) for clip in clips], axis=0)
        limited = ", ".join(f"{name} {share:.0%}" for name, share in at_limits(clips).items() if share >= 0.005)
        words = "  ".join(f"{value:8.3f}" for value in figures)
        print(f"{folder.name:10s} {len(clips):5d} {words}  {limited}")


def agreement(head: HeadMesh, clip: CapturedClip) -> tuple[float, float, float, float]:
    """Correlation and relative amplitude of lip opening, then of lip width, of solved curves against the film."""
    result: list[float] = []
    for solved, tracked in zip(head_openings(head, clip.curves), (clip.tracked_gap, clip.tracked_width), strict=True):
        result += [float(np.corrcoef(solved, tracked)[0, 1]), float(solved.std() / tracked.std())]
    return result[0], result[1], result[2], result[3]


def at_limits(clips: list[CapturedClip]) -> dict[str, float]:
    """Share of the frames of clips in which each control lies at its limit."""
    shares = {}
    for name, control in CONTROLS.items():
        weights = np.concatenate([clip.curves.curve(control.shapes[-1]) for clip in clips])
        shares[name] = float((weights >= _AT_LIMIT * control.limit).mean())
    return shares


if __name__ == "__main__":
    main()

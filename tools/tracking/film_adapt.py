"""Learn the style of somebody in film from some clips, and judge it on the others; then with shuffled sound.

    python -m tools.tracking.film_adapt ../shared/capture [--person s26] [--shipped]

The weights are those of weights/left_out that never saw the person. For each choice of five clips: r.m.s. error of the
lip opening on the others in the neutral and in the learned style (in eye distances of the head), their ratio, and the
standard deviation of lip opening and lip width over the recorded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from memorytalker import Style, Talker
from memorytalker.corpus.capture import head_openings
from memorytalker.folds import FOLDS_NAME, fold_of, fold_talker
from memorytalker.places import weights_folder
from memorytalker.styles.recordings import AdaptError, Recording
from memorytalker.tracking.face_video import read_face_videos
from tools.tracking.film import films

#: Which clips the style is learned from.
CHOICES = ((0, 1, 2, 3, 4), (0, 2, 4, 6, 8), (1, 3, 5, 7, 9))


def main() -> None:
    """Learn, judge and print."""
    parser = argparse.ArgumentParser(description="Learn a style from film, and judge it.")
    parser.add_argument("capture", type=Path, help="the folder with film/")
    parser.add_argument("--person", default="s26", help="whose film (default: %(default)s)")
    parser.add_argument("--shipped", action="store_true", help="the shipped weights, which have learned from the film")
    arguments = parser.parse_args()
    fold = fold_of(weights_folder() / FOLDS_NAME, f"grid_{arguments.person}")
    if fold is None and not arguments.shipped:
        parser.error(f"no weights leave {arguments.person} out; choose somebody else, or --shipped")
    talker = Talker.from_pretrained(device="cpu") if arguments.shipped or fold is None else fold_talker(fold)
    faces = read_face_videos(films(arguments.capture)[arguments.person])
    clips = [Recording(face.name, face.curves, face.waveform) for face in faces if face.waveform is not None]
    for chosen in CHOICES:
        rest = [clip for number, clip in enumerate(clips) if number not in chosen]
        learned = [clips[number] for number in chosen]
        try:
            style = talker.adapt(learned)
        except AdaptError as error:
            print(f"clips {chosen}: refused. {error}")
            continue
        before, after = judged(talker, None, rest), judged(talker, style, rest)
        fitted = style.report.fitted if style.report is not None else ""
        print(
            f"clips {chosen}: error {before[0]:.4f} -> {after[0]:.4f} ({after[0] / before[0]:.2f}), size of opening "
            f"{after[1]:.2f}, of width {before[2]:.2f} -> {after[2]:.2f}; {fitted} {dict(style.gains)}"
        )
    wrong = [
        Recording(one.name, one.curves, other.waveform) for one, other in zip(clips, clips[1:] + clips[:1], strict=True)
    ]
    try:
        talker.adapt(wrong)
        print("shuffled sound: ACCEPTED")
    except AdaptError as error:
        print(f"shuffled sound: refused. {error}")


def judged(talker: Talker, style: Style | None, clips: list[Recording]) -> tuple[float, float, float]:
    """Error of the lip opening, and sizes of lip opening and lip width over the recorded."""
    pairs: list[list[np.ndarray]] = [[], [], [], []]
    for clip in clips:
        found = head_openings(talker.head, talker.animate(clip.waveform, style).curves)
        true = head_openings(talker.head, clip.curves)
        frames = min(len(found[0]), len(true[0]))
        for kept, values in zip(pairs, (*found, *true), strict=True):
            kept.append(values[:frames])
    gap, width, true_gap, true_width = (np.concatenate(kept) for kept in pairs)
    error = float(np.sqrt(((gap - true_gap) ** 2).mean()))
    return error, float(gap.std() / true_gap.std()), float(width.std() / true_width.std())


if __name__ == "__main__":
    main()

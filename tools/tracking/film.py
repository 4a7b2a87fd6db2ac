"""Compare faces read from film with the landmarks given for the same film: lip opening and lip width.

    python -m tools.tracking.film ../shared/capture

For each person: correlation over time and size (standard deviation over time) of the head's lips against the landmarks,
the median and the worst of the clips; and processor seconds for 20 s of film, without ffmpeg's.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from memorytalker.corpus.capture import head_openings
from memorytalker.corpus.landmark_files import read_landmark_clips
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import resampled
from memorytalker.tracking.face_video import FaceVideo, read_face_videos
from memorytalker.tracking.landmarks import openings


def main() -> None:
    """Read all films, and print a row for each person."""
    parser = argparse.ArgumentParser(description="Compare faces read from film with their landmarks.")
    parser.add_argument("capture", type=Path, help="the folder with film/ and the folders of landmarks")
    capture = parser.parse_args().capture
    head = load_head()
    print("person  clips  gap r (least)  gap size  width r (least)  width size  CPU s for 20 s")
    for person, paths in films(capture).items():
        began = time.process_time()
        faces = read_face_videos(paths)
        used = time.process_time() - began
        clips = {clip.name: clip for clip in read_landmark_clips(capture / f"grid_{person}")}
        rows = []
        for path, face in zip(paths, faces, strict=True):
            clip = clips[path.stem]
            given = [resampled(one, clip.fps, face.curves.fps) for one in openings(clip.points, clip.index)[:2]]
            rows.append(agreement(head, face, given))
        middle, least = np.median(rows, 0), np.min(rows, 0)
        seconds = sum(face.seconds for face in faces)
        words = [f"{middle[k]:.3f} ({least[k]:.3f})  {middle[k + 1]:8.3f}" for k in (0, 2)]
        print(f"{person:7s} {len(rows):5d}  {words[0]}    {words[1]}  {20 * used / seconds:8.1f}")
        for face in faces:
            for remark in face.remarks:
                print(f"- {remark}")


def films(capture: Path) -> dict[str, list[Path]]:
    """The films of each person, whose names begin with the person's."""
    found = defaultdict(list)
    for path in sorted((capture / "film").glob("*.mpg")):
        found[path.stem.split("_")[0]].append(path)
    return dict(found)


def agreement(head: HeadMesh, face: FaceVideo, given: list[np.ndarray]) -> tuple[float, ...]:
    """Correlation and relative size of lip opening, then of lip width, of a read face against given values (T,)."""
    result: list[float] = []
    for read, true in zip(head_openings(head, face.curves), given, strict=True):
        frames = min(len(read), len(true))
        result += [
            float(np.corrcoef(read[:frames], true[:frames])[0, 1]),
            float(read[:frames].std() / true[:frames].std()),
        ]
    return tuple(result)


if __name__ == "__main__":
    main()

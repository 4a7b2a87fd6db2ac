"""Film of two models' mouths beside a filmed person's lips: `python -m tools.articulation.mouths SOURCE OLD NEW OUT`.

From left to right: the model OLD, the lips of the person as the tracker saw them (lines alone, no picture of anybody),
the model NEW, each from the sound alone and in the style of its voice.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from memorytalker import Talker
from memorytalker.corpus.landmark_files import LandmarkClip, read_landmark_clips
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames, write_video
from memorytalker.sound.decode import load_waveform
from memorytalker.tracking.landmarks import columns, fill_missing

#: MediaPipe's points of the outer and the inner edge of the lips, once around each.
OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
EYE_CORNERS = (33, 263)
#: The part of a head's picture that is shown: rows and columns around the mouth.
MOUTH_PART = (slice(520, 840), slice(320, 640))
#: Side of each of the three pictures in pixels; what an eye distance is wide in the middle one; colours.
SIDE, EYES, LIPS, MOUTH, BACK = 320, 280.0, (214, 128, 120), (48, 16, 20), (24, 26, 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="the source folder, with capture/")
    parser.add_argument("old", type=Path, help="weights on the left")
    parser.add_argument("new", type=Path, help="weights on the right")
    parser.add_argument("out", type=Path, help="the .mp4 to write")
    parser.add_argument("--folder", default="grid_s26", help="of the person (default: %(default)s)")
    parser.add_argument("--clip", help="its name (default: the person's last clip)")
    options = parser.parse_args()
    clips = {clip.name: clip for clip in read_landmark_clips(options.source / "capture" / options.folder)}
    clip = clips[options.clip or list(clips)[-1]]
    waveform = load_waveform(clip.sound)
    talkers = [Talker.from_pretrained(str(weights)) for weights in (options.old, options.new)]
    animations = [talker.animate(waveform) for talker in talkers]
    size = RenderOptions(width=3 * SIDE, height=3 * SIDE)
    heads = [render_frames(one.motion.head, one.motion, size) for one in animations]
    fps = animations[0].fps
    frames = min(len(one.motion) for one in animations)
    lips = lip_pictures(clip, frames, fps)
    pictures = (
        np.hstack((old[MOUTH_PART], seen, new[MOUTH_PART]))
        for old, seen, new in zip(heads[0], lips, heads[1], strict=False)
    )
    write_video(options.out, pictures, fps, waveform, frames)


def lip_pictures(clip: LandmarkClip, frames: int, fps: float) -> Iterator[np.ndarray]:
    """Draw a person's lips at `fps` frames a second: pictures (SIDE, SIDE, 3), as large as the eyes are apart says.

    Raises SystemExit for a clip in which the tracker lost the face for long.
    """
    points = fill_missing(clip.points, clip.fps)
    if points is None:
        raise SystemExit(f"The tracker lost the face in {clip.name}; choose another clip.")
    right, left = np.moveaxis(points[:, columns(clip.index, EYE_CORNERS)], 1, 0)
    scale = EYES / np.linalg.norm(left - right, axis=1).mean()
    outer, inner = (points[:, columns(clip.index, edge)] for edge in (OUTER, INNER))
    middle = outer.mean(axis=(0, 1))
    for number in range(frames):
        at = min(round(number / fps * clip.fps), len(points) - 1)
        yield drawn_lips(*((edge[at] - middle) * scale + SIDE / 2 for edge in (outer, inner)), (SIDE, SIDE))


def drawn_lips(outer: np.ndarray, inner: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Draw lips from the points (P, 2) of their edges in pixels: a picture (H, W, 3) of `size` (W, H)."""
    image = Image.new("RGB", size, BACK)
    draw = ImageDraw.Draw(image)
    for edge, colour in ((outer, LIPS), (inner, MOUTH)):
        draw.polygon([tuple(xy) for xy in edge.tolist()], fill=colour)
    return np.asarray(image)


if __name__ == "__main__":
    main()

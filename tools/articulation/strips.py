"""Strips of mouths, filmed and ours, phone by phone: `python -m tools.articulation.strips SOURCE OUT [CLIP ...]`.

One picture a clip. Every column is a moment: the middle of a phone, or, for CLIP@SECONDS, one of twelve successive
frames of the video from there on. From top to bottom: the filmed mouth (where SOURCE has no film, the tracked lips as
outlines), our mouth in the style of its voice, the same from the side, and with --neutral our mouth in the neutral
style, film and front at one scale. Below a column stand the lip opening and the lip width, filmed and ours, in
thousandths of an eye distance, and how far forward our lips are in millimetres, each less its mean over the speech of
the clip; then how many millimetres of the upper teeth are clear of the upper lip. The pictures show real people: they
are to look at, and for no repository.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from memorytalker import Talker
from memorytalker.articulation.coarticulation import TimedPhones, frame_phones
from memorytalker.corpus.build import align_all
from memorytalker.corpus.landmark_files import LandmarkClip, read_landmark_clips
from memorytalker.face.head import HeadMesh
from memorytalker.options import RenderOptions
from memorytalker.phones import ENGLISH
from memorytalker.pipeline import OWN_VOICE
from memorytalker.rendering import render_frames
from memorytalker.rendering.closeup import SHOWN_HEIGHT, SHOWN_WIDTH, mouth_images
from memorytalker.scorecard.mouth import at_frames, eye_distance
from memorytalker.scorecard.visible import VisibleMouth, visible_mouth
from memorytalker.sound.decode import load_waveform
from memorytalker.tracking.landmarks import columns, fill_missing, openings
from memorytalker.tracking.video_frames import VideoFrames
from tools.articulation.mouths import BACK, EYE_CORNERS, INNER, OUTER, drawn_lips

#: Clips of people who were filmed: two of s1 and of s30, three of s26, one each of s2, s23 and s4.
CLIPS = (
    "s1_pbwj3s s1_pgay2p s26_swiz3n s26_pbbg5p s26_bwaq8s s30_pgbb5p s30_pgbb4s s2_swwp2s s23_priazn s4_bbilzs".split()
)
#: Phones of which a viewer sees what the mouth does.
SEEN = "p b m f v th dh s z sh ch jh w uw ow ao iy ey ih eh ae aa ay aw l".split()
#: Width and height of a picture, height of the words below it, pictures side by side, successive frames.
CELL, WORDS, ABREAST, SUCCESSIVE = (190, 142), 50, 8, 12
#: Side in pixels of the picture that our mouth is cut from; of the one from the side, and its part around the mouth.
FRONT, FROM_SIDE, SIDE_PART = 640, 480, (slice(290, 403), slice(85, 236))
#: Seconds of the longest video that is read, and the width of a video of which the manifest does not say it.
LONGEST, USUAL_WIDTH = 60.0, 360


@dataclass(frozen=True)
class Moment:
    """A column: what is written below it, and its time in seconds."""

    label: str
    seconds: float


@dataclass(frozen=True)
class Lips:
    """A mouth over the frames of a video, each (T,).

    gap: lip opening, filmed and ours, in eye distances, less its mean over speech. width: lip width, likewise.
    forward: how far forward our lips are in metres, less its mean over speech. teeth: how far our upper lip is above
    the edge of the upper teeth, in metres.
    """

    gap: tuple[np.ndarray, np.ndarray]
    width: tuple[np.ndarray, np.ndarray]
    forward: np.ndarray
    teeth: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="the source folder, with capture/")
    parser.add_argument("out", type=Path, help="the folder to write CLIP.png into")
    parser.add_argument("clips", nargs="*", help=f"names, or CLIP@SECONDS (default: {' '.join(CLIPS)})")
    parser.add_argument("--weights", help="of the model (default: the shipped ones)")
    parser.add_argument("--phones", default=" ".join(SEEN), help="that get a column (default: %(default)s)")
    parser.add_argument("--neutral", action="store_true", help="add our mouth in the neutral style")
    parser.add_argument("--work", type=Path, default=Path("runs/film"), help="where phone times are kept")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    talker = Talker.from_pretrained(options.weights) if options.weights else Talker.from_pretrained()
    for name in options.clips or CLIPS:
        clip_name, _, start = name.partition("@")
        clip = found_clip(options.source, clip_name)
        phones = spoken_phones(options.source, options.work, clip)
        if start:
            moments = successive_moments(phones, float(start), clip.fps)
        else:
            moments = phone_moments(phones, options.phones.split())
        path = options.out / f"{name}.png"
        rows, words = clip_rows(talker, options.source, clip, phones, moments, options.neutral)
        Image.fromarray(strip(rows, words)).save(path)
        print(f"{path}: {clip.text}")
        for line in words:
            print("  ", *line)


def found_clip(source: Path, name: str) -> LandmarkClip:
    """The tracked clip of that name. Raises SystemExit where there is none, or it has no transcript."""
    folder = source / "capture" / f"grid_{name.partition('_')[0]}"
    for clip in read_landmark_clips(folder):
        if clip.name == name and clip.text:
            return clip
    raise SystemExit(f"There is no clip {name} with a transcript in {folder}; choose one from its manifest.")


def spoken_phones(source: Path, work: Path, clip: LandmarkClip) -> TimedPhones:
    """Its phones by alignment, kept in `work`. Raises SystemExit for a sentence that cannot be aligned."""
    work.mkdir(parents=True, exist_ok=True)
    sound = f"capture/{clip.sound.parent.name}/{clip.sound.name}"
    times = align_all(source, work, [{"sound": sound, "text": clip.text}], workers=1)[sound]
    if times is None:
        raise SystemExit(f"The phones of {clip.name} cannot be found; choose another clip.")
    return TimedPhones.of(times)


def phone_moments(phones: TimedPhones, wanted: Sequence[str]) -> list[Moment]:
    """The middles of the wanted phones."""
    middles = (phones.start + phones.end) / 2
    said = [(ENGLISH.phones[index], float(middle)) for index, middle in zip(phones.index, middles, strict=True)]
    return [Moment(label, middle) for label, middle in said if label in wanted]


def successive_moments(phones: TimedPhones, start: float, fps: float) -> list[Moment]:
    """`SUCCESSIVE` frames of the video from `start` on, each with the phone spoken in it."""
    first = int(start * fps + 1e-9)
    spoken = frame_phones(phones, first + SUCCESSIVE, fps)
    return [Moment(ENGLISH.phones[spoken[frame]], (frame + 0.5) / fps) for frame in range(first, first + SUCCESSIVE)]


def clip_rows(
    talker: Talker, source: Path, clip: LandmarkClip, phones: TimedPhones, moments: Sequence[Moment], neutral: bool
) -> tuple[list[list[np.ndarray]], list[tuple[str, str, str]]]:
    """The pictures of every row, one for each moment, and the lines of words below each column."""
    head, waveform = talker.head, load_waveform(clip.sound)
    own = talker.animate(waveform, OWN_VOICE)
    at = [frame_at(moment.seconds, own.fps, len(own.vertices)) for moment in moments]
    ours = own.vertices[at]
    points = fill_missing(clip.points, clip.fps)
    if points is None:
        raise SystemExit(f"The tracker lost the face in {clip.name}; choose another clip.")
    frames = [frame_at(moment.seconds, clip.fps, len(points)) for moment in moments]
    seen = list(filmed_mouths(source, clip, points, frames, head))
    rows = [seen, mouth_images(head, ours, FRONT), side_images(head, ours)]
    if neutral:
        rows.append(mouth_images(head, talker.animate(waveform, None).vertices[at], FRONT))
    lips = both_mouths(clip, points, phones, visible_mouth(head, own.motion, own.fps), eye_distance(head))
    return rows, [words_below(moment, lips, frame) for moment, frame in zip(moments, frames, strict=True)]


def both_mouths(clip: LandmarkClip, points: np.ndarray, phones: TimedPhones, mouth: VisibleMouth, eyes: float) -> Lips:
    """The filmed mouth and ours at the frames of the video; `eyes` metres are an eye distance of our head."""
    speech = frame_phones(phones, len(points), clip.fps) != ENGLISH.silence_index
    made = {
        name: at_frames(getattr(mouth, name), mouth.fps, len(points), clip.fps)
        for name in ("gap", "width", "forward", "teeth")
    }
    gap, width, _ = openings(points, clip.index)
    less_mean = [
        curve - curve[speech].mean()
        for curve in (gap, made["gap"] / eyes, width, made["width"] / eyes, made["forward"])
    ]
    return Lips((less_mean[0], less_mean[1]), (less_mean[2], less_mean[3]), less_mean[4], made["teeth"])


def frame_at(seconds: float, fps: float, frames: int) -> int:
    """The frame that covers a time; frame i covers [i / fps, (i + 1) / fps)."""
    return min(int(seconds * fps + 1e-9), frames - 1)


def words_below(moment: Moment, lips: Lips, frame: int) -> tuple[str, str, str]:
    """Phone and time; opening and width, filmed and ours; lips forward and teeth clear, ours."""
    gap, width = ("|".join(f"{1000 * curve[frame]:.0f}" for curve in pair) for pair in (lips.gap, lips.width))
    return (
        f"{moment.label}  {moment.seconds:.2f} s",
        f"gap {gap}  width {width}",
        f"forward {1000 * lips.forward[frame]:+.1f}  teeth {1000 * lips.teeth[frame]:+.1f} mm",
    )


def filmed_mouths(
    source: Path, clip: LandmarkClip, points: np.ndarray, frames: Sequence[int], head: HeadMesh
) -> Iterator[np.ndarray]:
    """Pictures of the filmed mouth, or its outlines, as large as a close-up shows the mouth of `head`.

    Args:
        source: the source folder.
        clip: the tracked clip.
        points: (T, P, 2) its points in pixels, without gaps.
        frames: numbers of the frames that are wanted.
        head: whose eye distance is that of the film.

    Yields:
        Pictures (H, W, 3), all cut at one place.
    """
    right, left = np.moveaxis(points[:, columns(clip.index, EYE_CORNERS)], 1, 0)
    pixels = np.linalg.norm(left - right, axis=1).mean() / eye_distance(head)  # a metre
    outer, inner = (points[:, columns(clip.index, edge)] for edge in (OUTER, INNER))
    corner = outer.mean(axis=(0, 1)) - np.array([SHOWN_WIDTH, SHOWN_HEIGHT]) / 2 * pixels
    film = source / "capture" / "film" / f"{clip.name}.mpg"
    if not film.is_file():
        scale = CELL[0] / (SHOWN_WIDTH * pixels)
        for frame in frames:
            yield drawn_lips((outer[frame] - corner) * scale, (inner[frame] - corner) * scale, CELL)
        return
    pictures = list(islice(VideoFrames(film, LONGEST), max(frames) + 1))
    for frame in frames:
        image = pictures[min(frame, len(pictures) - 1)]
        scale = image.shape[1] / video_width(source, clip)
        low, size = corner * scale, np.array([SHOWN_WIDTH, SHOWN_HEIGHT]) * pixels * scale
        left, top, right, bottom = (int(edge) for edge in (*low, *(low + size)))
        yield np.asarray(Image.fromarray(image).crop((left, top, right, bottom)))


def video_width(source: Path, clip: LandmarkClip) -> int:
    """Width in pixels of the picture in which a clip was tracked."""
    manifest = source / "capture" / clip.speaker / "manifest.jsonl"
    entries = map(json.loads, manifest.read_text(encoding="utf-8").splitlines())
    return next(int(entry.get("width", USUAL_WIDTH)) for entry in entries if entry["clip"] == clip.name)


def side_images(head: HeadMesh, faces: np.ndarray) -> list[np.ndarray]:
    """The mouth of faces (k, V, 3) from the side."""
    options = RenderOptions(width=FROM_SIDE, height=FROM_SIDE, camera="three_quarter")
    return [image[SIDE_PART] for image in render_frames(head, faces, options)]


def strip(rows: Sequence[Sequence[np.ndarray]], words: Sequence[tuple[str, ...]]) -> np.ndarray:
    """Put rows of pictures one below the other, `ABREAST` columns at a time, with words below each column.

    Args:
        rows: pictures (H, W, 3) of any size, one for each column.
        words: the lines below each column.

    Returns:
        One picture (H, W, 3) uint8.
    """
    (wide, high), blocks = CELL, -(-len(words) // ABREAST)
    block = len(rows) * high + WORDS
    sheet = Image.new("RGB", (min(len(words), ABREAST) * wide, blocks * block), BACK)
    draw = ImageDraw.Draw(sheet)
    for number, lines in enumerate(words):
        x, y = number % ABREAST * wide, number // ABREAST * block
        for row, pictures in enumerate(rows):
            sheet.paste(Image.fromarray(pictures[number]).resize(CELL), (x, y + row * high))
        draw.multiline_text((x + 4, y + len(rows) * high + 3), "\n".join(lines), fill=(255, 255, 255))
    return np.asarray(sheet)


if __name__ == "__main__":
    main()

"""Draw the pictures of docs/styles.md with our own head and voices: `python -m tools.page.style_pictures [NAME ...]`.

Writes assets/readme/style_<name>.webp for each row (adapt, describe, feel, control, head), and updates the list
assets/readme/README.md. No picture shows a person.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from memorytalker import Animation, RenderOptions, Style, Talker
from memorytalker.figures import to_rgb
from memorytalker.options import MOODS
from memorytalker.page.insight import opening_over_time
from memorytalker.rendering.renderer import render_frames
from memorytalker.styles.recordings import Recording
from tools.page.readme_assets import FOLDER, write_list

SPEECH = Path(__file__).resolve().parents[2] / "assets" / "speech"
CLIP = SPEECH / "woman_farming.wav"
#: Pixels of a drawn head, inches of one in a figure, and inches of the words above it.
PIXELS, INCHES, WORDS = 320, 1.75, 0.42
INK, ORANGE, BLUE = "#1b2330", "#b36b00", "#2b7fb8"
#: What the picture of adapting plants in our own motion, to learn it again.
PLANTED: Mapping[str, float] = MappingProxyType({"jaw": 1.6, "spread": 0.6})
DESCRIPTIONS = (
    "hardly opens her mouth",
    "very lively",
    "shouting, angry",
    "sleepy eyes, a bit sad",
    "smiles, friendly",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)} (default: all)")
    chosen = parser.parse_args().names or list(PICTURES)
    talker = Talker.from_pretrained()
    for name in chosen:
        figure = PICTURES[name](talker)
        path = FOLDER / f"style_{name}.webp"
        Image.fromarray(to_rgb(figure, dpi=130)).save(path, quality=80, method=6)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")
    write_list()


def draw_adapt(talker: Talker) -> Figure:
    """A manner that was planted in our own motion, and is found again: curves that were kept back, and one moment."""
    neutral = dict.fromkeys(talker.config.slots, 1.0)
    planted = Style(deliveries=Style().with_delivery(gains=dict(PLANTED)).deliveries, slot_weights=neutral)
    takes = [talker.animate(clip, planted) for clip in sorted(SPEECH.glob("*.wav"))]
    style = talker.adapt([Recording("ours", take.curves, take.waveform) for take in takes])
    curves = style.kept_back
    assert curves is not None and style.report is not None
    pictures = {
        "recorded": talker.animate(CLIP, planted),
        "before": talker.animate(CLIP, "neutral"),
        "after learning": talker.animate(CLIP, style),
    }
    figure = Figure(figsize=(3.4 + 3 * INCHES, INCHES + WORDS), facecolor="white")
    width = figure.get_figwidth()
    axes = figure.add_axes((0.42 / width, 0.2, 2.8 / width, 0.58))
    count = min(len(curves.recorded), round(4 * curves.fps))
    times = np.arange(count) / curves.fps
    axes.fill_between(times, curves.recorded[:count], color=INK, alpha=0.2, linewidth=0, label="recorded")
    axes.plot(times, curves.before[:count], color=BLUE, linestyle=(0, (4, 2)), linewidth=1.2, label="before")
    axes.plot(times, curves.after[:count], color=ORANGE, linewidth=1.4, label="after learning")
    axes.set_xlim(0, times[-1])
    axes.set_ylim(0, 1.45 * float(curves.recorded[:count].max()))
    axes.set_title(
        f"lip opening in mm: off by {style.report.error_before:.2f}, then by {style.report.error_after:.2f}",
        fontsize=7.5, color=INK, loc="left",
    )  # fmt: skip
    axes.set_xlabel("seconds that were kept back", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6.5, frameon=False, loc="upper right")
    _place(figure, pictures, _open_moment(pictures["before"]), left=3.4)
    return figure


def draw_describe(talker: Talker) -> Figure:
    """One moment of one voice, in the styles of several descriptions."""
    pictures = {words: talker.animate(CLIP, Style.describe(words)) for words in DESCRIPTIONS}
    return _row({"as it is": talker.animate(CLIP)} | pictures, _open_moment(talker.animate(CLIP)))


def draw_feel(talker: Talker) -> Figure:
    """One moment of one voice, in every mood."""
    pictures = {mood: talker.animate(CLIP, mood=mood) for mood in MOODS}
    return _row({"none": talker.animate(CLIP)} | pictures, _open_moment(talker.animate(CLIP), most=0.6))


def draw_control(talker: Talker) -> Figure:
    """One moment of one voice, under single sliders."""
    moved: dict[str, dict[str, Mapping[str, float]]] = {
        "jaw × 0.4": {"gains": {"jaw": 0.4}},
        "jaw × 1.8": {"gains": {"jaw": 1.8}},
        "rounding × 3": {"gains": {"rounding": 3.0}},
        "corners + 0.4": {"offsets": {"corners": 0.4}},
        "brows + 0.7": {"offsets": {"brows": 0.7}},
        "lids + 0.6": {"offsets": {"blinks": 0.6}},
    }
    pictures = {words: talker.animate(CLIP, Style().with_delivery(**change)) for words, change in moved.items()}
    return _row({"as it is": talker.animate(CLIP)} | pictures, _open_moment(talker.animate(CLIP)))


def draw_head(talker: Talker) -> Figure:
    """A head that sways and nods: moments of one clip, and its angles over time."""
    moving = talker.animate(CLIP, expression=True, head_motion=1.0)
    turns = moving.motion.turns
    assert turns is not None
    yaw, pitch, roll = turns.T
    moments = sorted({int(one) for one in (yaw.argmin(), pitch.argmax(), roll.argmax(), yaw.argmax())})
    figure = Figure(figsize=(3.2 + len(moments) * INCHES, INCHES + WORDS), facecolor="white")
    width = figure.get_figwidth()
    axes = figure.add_axes((0.42 / width, 0.2, 2.6 / width, 0.58))
    times = np.arange(len(turns)) / moving.fps
    for name, angle, color in zip(("yaw", "pitch", "roll"), np.degrees(turns).T, (ORANGE, BLUE, INK), strict=True):
        axes.plot(times, angle, color=color, linewidth=1.3, label=name)
    for moment in moments:
        axes.axvline(moment / moving.fps, color=INK, linewidth=0.6, alpha=0.4)
    axes.set_xlim(0, times[-1])
    axes.set_title("degrees over seconds", fontsize=7.5, color=INK, loc="left")
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6.5, frameon=False, loc="lower right", ncols=3)
    for number, moment in enumerate(moments):
        _place(figure, {f"{moment / moving.fps:.1f} s": moving}, moment, left=3.2 + number * INCHES)
    return figure


def _row(pictures: Mapping[str, Animation], frame: int) -> Figure:
    """Heads beside each other at one frame, each below its words."""
    figure = Figure(figsize=(len(pictures) * INCHES, INCHES + WORDS), facecolor="white")
    _place(figure, pictures, frame, left=0.0)
    return figure


def _place(figure: Figure, pictures: Mapping[str, Animation], frame: int, left: float) -> None:
    """Put heads into a figure, from `left` inches on."""
    width, height = figure.get_size_inches()
    for number, (words, animation) in enumerate(pictures.items()):
        begin = left + number * INCHES
        axes = figure.add_axes(((begin + 0.04) / width, 0.03, (INCHES - 0.08) / width, (INCHES - 0.08) / height))
        axes.imshow(_still(animation, frame))
        axes.set_axis_off()
        figure.text(
            (begin + INCHES / 2) / width, 1 - WORDS / 2 / height, words, fontsize=8, color=INK, ha="center", va="center"
        )  # fmt: skip


def _still(animation: Animation, frame: int) -> np.ndarray:
    """The head at a frame, cut to the face, (H, W, 3) uint8."""
    options = RenderOptions(width=PIXELS, height=PIXELS)
    image = next(iter(render_frames(animation.head, animation.vertices[[frame]], options)))
    cut = PIXELS // 8
    return image[3 * cut // 4 : PIXELS - 5 * cut // 4, cut : PIXELS - cut]


def _open_moment(animation: Animation, most: float = 1.0) -> int:
    """The frame in which the lips are apart by about a share of the furthest."""
    opening = opening_over_time(animation.motion)
    assert opening is not None
    return int(np.argmin(np.abs(opening - most * opening.max())))


PICTURES: Mapping[str, Callable[[Talker], Figure]] = MappingProxyType(
    {"adapt": draw_adapt, "describe": draw_describe, "feel": draw_feel, "control": draw_control, "head": draw_head}
)

if __name__ == "__main__":
    main()

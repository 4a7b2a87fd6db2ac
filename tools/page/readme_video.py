"""Make the animation of README.md with the product itself: `python -m tools.page.readme_video`.

Writes assets/readme/talk.gif, and updates the list assets/readme/README.md.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg

from memorytalker import RenderOptions, Talker
from tools.page.readme_assets import write_list

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
TARGET = ROOT / "assets" / "readme" / "talk.gif"


def main() -> None:
    animation = Talker.from_pretrained().animate(CLIP)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "talk.mp4"
        animation.save(video, render=RenderOptions(width=512, height=512))
        palette = "fps=15,scale=288:288:flags=lanczos,split[a][b];[a]palettegen=max_colors=96[p];"
        palette += "[b][p]paletteuse=dither=bayer:bayer_scale=4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", video, "-vf", palette, TARGET]
        subprocess.run(command, check=True)
    write_list()
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

"""Make the moving picture of README.md with the product itself: `python tools/make_pictures.py`.

Writes assets/readme/talk.gif and its entry, with sha256, in assets/readme/README.md.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg

from memorytalker import RenderOptions, Talker

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
TARGET = ROOT / "assets" / "readme" / "talk.gif"


def main() -> None:
    animation = Talker.from_pretrained().animate(CLIP)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "talk.mp4"
        animation.save(video, render=RenderOptions(width=512, height=512))
        colours = "fps=15,scale=288:288:flags=lanczos,split[a][b];[a]palettegen=max_colors=96[p];"
        colours += "[b][p]paletteuse=dither=bayer:bayer_scale=4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", video, "-vf", colours, TARGET]
        subprocess.run(command, check=True)
    digest = hashlib.sha256(TARGET.read_bytes()).hexdigest()
    TARGET.with_name("README.md").write_text(
        "# The moving picture of README\n\n"
        f"Made by `tools/make_pictures.py` with the product itself from assets/speech/{CLIP.name} (CC0) and the open "
        "head (CC0); CC0 as well.\n\n```\n"
        f"{digest}  {TARGET.name}\n```\n",
        encoding="utf-8",
    )
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

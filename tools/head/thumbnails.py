"""Make `assets/head/thumbnails`, a small picture of everybody, from `assets/head`. Run by hand after a change of it:

    python -m tools.head.thumbnails [--output assets/head/thumbnails]

It also updates the digests of the pictures in the README of the head and in that of the assets.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from memorytalker.face.head import HEAD_FOLDER, HeadMesh, load_head
from memorytalker.files import write_whole
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames
from tools.head.store import record

#: Width and height of a picture, and how much larger it is rendered, in pixels.
SIZE, FINER = 160, 3
QUALITY = 84
#: Largest picture in bytes.
LARGEST = 10_000


def main() -> None:
    """Make the pictures, update the READMEs and print their digests."""
    parser = argparse.ArgumentParser(description="Make small pictures of the people of the open head.")
    parser.add_argument("--output", type=Path, default=HEAD_FOLDER / "thumbnails")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    head = load_head()
    for name in head.identities:
        data = thumbnail(head.with_identity(name))
        write_whole(folder / f"{name}.webp", lambda part, data=data: part.write_bytes(data))
        digest = hashlib.sha256(data).hexdigest()
        inside = f"{folder.name}/{name}.webp"
        for page, path in ((folder.parent, inside), (folder.parents[1], f"{folder.parent.name}/{inside}")):
            record(page / "README.md", path, digest)
        print(digest, len(data), folder / f"{name}.webp")


def thumbnail(head: HeadMesh) -> bytes:
    """Return the picture of a head's current identity at rest, WebP of SIZE x SIZE pixels."""
    options = RenderOptions(width=FINER * SIZE, height=FINER * SIZE)
    frame = next(iter(render_frames(head, head.template[None].astype(np.float32), options)))
    picture = Image.fromarray(frame).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "webp", quality=QUALITY, method=6)
    if len(file.getvalue()) > LARGEST:
        raise ValueError(f"The picture of {head.identity} has {len(file.getvalue())} bytes; lower QUALITY.")
    return file.getvalue()


if __name__ == "__main__":
    main()

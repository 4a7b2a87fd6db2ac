"""Bake the light on the shipped people into `assets/light/baked_lighting.npz`.

Run it by hand after a change of head or lamps:

    python -m tools.head.bake_lighting [--output assets/light/baked_lighting.npz]

Every run gives the same bytes. It takes about two minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

from memorytalker.face.head import load_head
from memorytalker.rendering.lighting import LIGHT_FILE, find_light, fingerprint
from memorytalker.rendering.surface import Surface
from tools.head.store import record

#: Azimuths of cameras in degrees: those of the product's cameras, and enough others that light changes little between.
AZIMUTHS = (-180.0, -145.0, -113.0, -82.0, -58.0, -35.0, 0.0, 35.0, 58.0, 82.0, 113.0, 145.0)


def main() -> None:
    """Bake the light of every identity, write the file and print its digest."""
    parser = argparse.ArgumentParser(description="Bake the light on the shipped people.")
    parser.add_argument("--output", type=Path, default=LIGHT_FILE, help="the file to write (default: the shipped one)")
    path = parser.parse_args().output
    head, found, names = load_head(), [], []
    for identity in head.identities:
        person = head.with_identity(identity)
        # The renderer splits triangles; light is computed at the original vertices, so an unsplit surface will do.
        found.append(find_light(person, Surface(person.faces, person.template, np.inf), AZIMUTHS))
        names.append(fingerprint(person))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        fingerprints=np.array(names),
        azimuths=np.array(AZIMUTHS, np.float32),
        sky=_bytes([light.sky for light in found]),
        keys=_bytes([light.keys for light in found]),
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    record(path.parent / "README.md", path.name, digest)
    print(digest, path.name)


def _bytes(shares: list[np.ndarray]) -> np.ndarray:
    return (np.stack(shares) * 255).round().clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()

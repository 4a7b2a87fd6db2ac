"""Types: a type checker finds nothing in the package, so that an editor tells its users the truth."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


#: Their types take mypy four times as long as ours; `make lint` reads them too.
LARGE = (
    "torch gradio gradio_client transformers tokenizers safetensors huggingface_hub pandas vtkmodules vtk pyvista ray "
    "scipy matplotlib PIL fastapi starlette pydantic httpx trimesh"
).split()


def test_the_type_checker_finds_nothing(tmp_path: Path) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    settings |= {"warn_unused_ignores": False}  # some are for the types that are left out
    lines = ["[mypy]", *(f"{name} = {value}" for name, value in settings.items())]
    lines += [f"[mypy-{','.join(f'{name}.*' for name in LARGE)}]", "follow_imports = skip"]
    (tmp_path / "mypy.ini").write_text("\n".join(lines), encoding="utf-8")
    options = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path / "cache")]
    command = [sys.executable, "-m", "mypy", *options, "memorytalker", "app.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]

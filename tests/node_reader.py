"""Programs in JavaScript that nobody here wrote, run on files of ours: scripts of tests/javascript that print JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def read_with_node(script: str, *arguments: str | Path) -> Any:
    """What a script of tests/javascript prints; skipped where node or its packages are missing."""
    program = shutil.which("node")
    if program is None or not (ROOT / "node_modules" / "three").is_dir():
        pytest.skip("Node.js or its packages are missing; install nodejs and npm, then run 'npm ci' (make test does).")
    command = [program, str(ROOT / "tests" / "javascript" / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)
